#include "families.h"
#include "place.h"
#include "walk.h"

#include "cleanup.h"
#include "fail.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/*
 * A container that changed ten files is listed, on a layer of few files and on one of
 * many: what lies below, and was not touched, must not cost anything.
 */

#define CHANGED 10
#define PER_DIRECTORY 100

struct state {
	char lower[PLACE_ID_SIZE];
	char id[PLACE_ID_SIZE];
	int upper;
	char *upper_path;
};

/* Empty files number `from` to `to`, a hundred in a directory. */
static int make_files(int root, uint64_t from, uint64_t to, struct ovl2_error *err)
{
	char path[64];

	for (uint64_t i = from; i < to; i++) {
		snprintf(path, sizeof(path), "%03u", (unsigned int)(i / PER_DIRECTORY));
		if ((i == from || i % PER_DIRECTORY == 0) && mkdirat(root, path, 0755) < 0)
			return ovi_fail_errno(err, "create the directory '%s'", path);
		snprintf(path, sizeof(path), "%03u/file-%06u", (unsigned int)(i / PER_DIRECTORY),
		         (unsigned int)i);
		if (mknodat(root, path, S_IFREG | 0644, 0) < 0)
			return ovi_fail_errno(err, "create '%s'", path);
	}

	return 0;
}

static int fill(struct bench_case *c, struct state *state, struct ovl2_error *err)
{
	cleanup_free char *lower_path = NULL;
	cleanup_fd int lower = -1;
	/* Nothing is remembered of layers that are newer than a tick of the kernel's clock. */
	const struct timespec age = { .tv_nsec = 50000000 };
	int r;

	r = place_create(c->place, NULL, 1, state->lower, err);
	if (r < 0)
		return r;
	r = place_find_upper(c->place, state->lower, &lower_path, err);
	if (r < 0)
		return r;
	lower = open(lower_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lower < 0)
		return ovi_fail_errno(err, "open '%s'", lower_path);
	r = make_files(lower, 0, c->value, err);
	if (r == 0)
		r = place_create(c->place, state->lower, 1, state->id, err);
	if (r == 0)
		r = place_find_upper(c->place, state->id, &state->upper_path, err);
	if (r < 0)
		return r;

	state->upper = open(state->upper_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state->upper < 0)
		return ovi_fail_errno(err, "open '%s'", state->upper_path);
	/* The first half was there before, where few files are below. */
	r = make_files(state->upper, CHANGED / 2, CHANGED / 2 + CHANGED, err);
	if (r == 0)
		r = place_settle(c->place, err);
	nanosleep(&age, NULL);

	return r;
}

static int setup(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return ovi_fail_memory(err);
	c->state = state;
	c->files = CHANGED;
	state->upper = -1;

	return fill(c, state, err);
}

static int count_change(void *data, const struct ovl2_change *change)
{
	(void)change;
	(*(uint64_t *)data)++;

	return 0;
}

static int run_changes(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	uint64_t count = 0;
	int r = ovl2_layer_changes(c->place->store, state->id, NULL, count_change, &count, err);

	/* Their directory is a change as well. */
	if (r == 0 && count != CHANGED + 1)
		return ovi_fail(err, OVL2_E_SYSTEM, "saw %llu changes of %d",
		                (unsigned long long)count, CHANGED + 1);

	return r;
}

static int run_stat(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	struct walk_count count = { 0 };
	int r;

	r = walk_layer(c->place->home, state->id, err);
	if (r == 0)
		r = walk_layer(c->place->home, state->lower, err);

	return r < 0 ? r : walk_stat(state->upper_path, &count, err);
}

static int teardown(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r = 0;

	if (!state)
		return 0;
	ovi_close_fd(&state->upper);
	if (*state->id)
		r = ovl2_layer_remove(c->place->hasty, state->id, err);
	if (r == 0 && *state->lower)
		r = ovl2_layer_remove(c->place->hasty, state->lower, err);
	free(state->upper_path);
	free(state);
	c->state = NULL;

	return r;
}

static const uint64_t values[] = { 10, 100, 10000, 0 };

static const struct bench_variant variants[] = { { "ten", values }, { 0 } };

const struct bench bench_changes_below = {
	.id = "changes_below",
	.title = "List ten changes, on a layer of this many files",
	.group = "content",
	.parameter = "files below",
	.variants = variants,
	.weight = 1,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_changes", NULL, run_changes, NULL },
	.floor = { "read the files of both layers, fstatat of the ten", NULL, run_stat, NULL },
};
