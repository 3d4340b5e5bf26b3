#include "dataset.h"
#include "families.h"
#include "place.h"
#include "plan.h"
#include "tool.h"

#include "cleanup.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/*
 * Filling a layer from a tar, as pull and load do, until it is on disk: ours with
 * its durability by default, the floor and the peer with one syncfs(2) at the end.
 * The tar is in the page cache. Everything written before is on disk when the
 * clock starts, so that each pays for its own.
 */

#define FLOOR "apply-floor"
#define PEER "apply-peer"
#define FLOOR_PATH PLACE_ROOT "/" FLOOR
#define PEER_PATH PLACE_ROOT "/" PEER

struct state {
	struct dataset *dataset;
	struct plan plan;

	/* Of the layer that the present operation fills, "" between operations. */
	char id[PLACE_ID_SIZE];

	/* Where the floor works. */
	int directory;
};

static int setup(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return ovi_fail_memory(err);
	c->state = state;
	state->directory = -1;

	r = dataset_find(c->place, c->variant, &state->dataset, err);
	if (r == 0)
		r = dataset_archive(c->place, state->dataset, err);
	if (r == 0)
		r = plan_init(&state->plan, state->dataset->tar, state->dataset->tar_bytes, err);
	if (r < 0)
		return r;
	c->bytes = state->dataset->bytes;
	c->files = state->dataset->files;

	return 0;
}

static int rewind_tar(const struct state *state, struct ovl2_error *err)
{
	if (lseek(state->dataset->tar, 0, SEEK_SET) < 0)
		return ovi_fail_errno(err, "rewind a tar");

	return 0;
}

/* ------------------------------------------------------------------- ours -- */

static int before_ours(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r = place_create(c->place, NULL, 0, state->id, err);

	if (r == 0)
		r = rewind_tar(state, err);

	return r < 0 ? r : place_settle(c->place, err);
}

static int run_ours(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	return ovl2_layer_apply(c->place->store, state->id, NULL, state->dataset->tar, NULL, err);
}

static int after_ours(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r = 0;

	if (*state->id)
		r = ovl2_layer_remove(c->place->hasty, state->id, err);
	*state->id = '\0';

	return r;
}

/* ------------------------------------------------------------------ floor -- */

static int before_floor(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	if (mkdir(FLOOR_PATH, 0700) < 0)
		return ovi_fail_errno(err, "create '%s'", FLOOR_PATH);
	state->directory = open(FLOOR_PATH, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state->directory < 0)
		return ovi_fail_errno(err, "open '%s'", FLOOR_PATH);

	return place_settle(c->place, err);
}

static int run_floor(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r = plan_execute(&state->plan, state->directory, err);

	return r < 0 ? r : place_settle(c->place, err);
}

static int after_floor(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	close(steal_fd(&state->directory));

	return place_remove(c->place, FLOOR, err);
}

/* ------------------------------------------------------------------- peer -- */

static int before_peer(struct bench_case *c, struct ovl2_error *err)
{
	int r = rewind_tar(c->state, err);

	if (r < 0)
		return r;
	if (mkdir(PEER_PATH, 0700) < 0)
		return ovi_fail_errno(err, "create '%s'", PEER_PATH);

	return place_settle(c->place, err);
}

static int unpack_with(const char *program, struct bench_case *c, struct ovl2_error *err)
{
	const char *const directory = PEER_PATH;
	const char *const argv[] = { program, "-C", directory, "-xf", "-", NULL };
	const struct state *state = c->state;
	int r = tool_run(argv, (struct tool_files){ state->dataset->tar, -1 }, err);

	return r < 0 ? r : place_settle(c->place, err);
}

static int run_peer(struct bench_case *c, struct ovl2_error *err)
{
	return unpack_with("tar", c, err);
}

static int run_bsdtar(struct bench_case *c, struct ovl2_error *err)
{
	return unpack_with("bsdtar", c, err);
}

static int after_peer(struct bench_case *c, struct ovl2_error *err)
{
	return place_remove(c->place, PEER, err);
}

/* ------------------------------------------------------------------- rows -- */

static int teardown(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r;

	if (!state)
		return 0;

	/* There is something of these only if a hook failed. */
	r = after_ours(c, err);
	ovi_close_fd(&state->directory);
	if (r == 0)
		r = place_remove(c->place, FLOOR, err);
	if (r == 0)
		r = place_remove(c->place, PEER, err);
	plan_release(&state->plan);
	free(state);
	c->state = NULL;

	return r;
}

static const struct bench_variant variants[] = {
	{ "small", NULL }, { "big", NULL }, { "real", NULL }, { 0 }
};

const struct bench bench_apply = {
	.id = "apply",
	.title = "Fill a layer from a tar, until it is on disk",
	.group = "content",
	.variants = variants,
	.is_throughput = 1,
	.weight = 30,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_apply", before_ours, run_ours, after_ours },
	.floor = { "openat, write, fchown, fchmod, futimens, one syncfs", before_floor, run_floor,
	           after_floor },
	.peer = { "GNU tar x, syncfs", before_peer, run_peer, after_peer },
	.peer_program = "tar",
	.more_peers = { { { "bsdtar x, syncfs", before_peer, run_bsdtar, after_peer },
	                  "bsdtar",
	                  NULL } },
};

static const struct bench_variant shapes[] = {
	{ "whiteouts", NULL },  { "devices", NULL }, { "xattrs", NULL },
	{ "hard links", NULL }, { "sparse", NULL },  { 0 },
};

const struct bench bench_apply_shapes = {
	.id = "apply_shapes",
	.title = "Fill a layer from a tar with things of one kind, until it is on disk",
	.group = "content",
	.variants = shapes,
	.is_throughput = 1,
	.is_full_only = 1,
	.weight = 10,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_apply", before_ours, run_ours, after_ours },
	.floor = { "openat, write, mknodat, linkat, attributes, one syncfs", before_floor,
	           run_floor, after_floor },
};
