#include "dataset.h"
#include "families.h"
#include "fill.h"
#include "place.h"
#include "tool.h"

#include "cleanup.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Layers as a host has them: full ones that are removed, and several that are read or
 * filled at the same moment.
 */

/* ------------------------------------------------------ removing a full layer -- */

#define PLAIN "remove-plain"
#define PLAIN_PATH PLACE_ROOT "/" PLAIN
#define FILES_A_DIRECTORY 100
#define FILE_BYTES 64

/* Where it is only looked whether it works. */
#define SMOKE_FILES 100

struct removal {
	char id[PLACE_ID_SIZE];
	uint64_t files;
};

static int setup_removal(struct bench_case *c, struct ovl2_error *err)
{
	struct removal *removal = calloc(1, sizeof(*removal));

	if (!removal)
		return ovi_fail_memory(err);
	c->state = removal;
	removal->files = c->place->tier == BENCH_TIER_SMOKE ? SMOKE_FILES : c->value;
	c->files = removal->files;

	return 0;
}

static int teardown_removal(struct bench_case *c, struct ovl2_error *err)
{
	struct removal *removal = c->state;
	int r = 0;

	if (!removal)
		return 0;

	/* There is something of these only if a hook failed. */
	if (*removal->id)
		r = ovl2_layer_remove(c->place->hasty, removal->id, err);
	free(removal);
	c->state = NULL;

	return r < 0 ? r : place_remove(c->place, PLAIN, err);
}

static int fill_tree(const char *path, uint64_t files, struct ovl2_error *err)
{
	cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (dir < 0)
		return ovi_fail_errno(err, "open '%s'", path);
	for (uint64_t i = 0; i < files && r == 0; i += FILES_A_DIRECTORY) {
		cleanup_fd int inner = -1;
		char name[32];

		snprintf(name, sizeof(name), "directory-%llu", (unsigned long long)i);
		r = fill_directory(dir, name, &inner, err);
		if (r == 0)
			r = fill_files(inner, "file-", FILES_A_DIRECTORY, FILE_BYTES, err);
	}

	return r;
}

static int before_remove(struct bench_case *c, struct ovl2_error *err)
{
	struct removal *removal = c->state;
	char path[sizeof(PLACE_HOME) + PLACE_ID_SIZE + 8];
	int r = place_create_layer(c->place, 1, removal->id, err);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), PLACE_HOME "/%s/diff", removal->id);
	r = fill_tree(path, removal->files, err);

	return r < 0 ? r : place_settle(c->place, err);
}

static int run_remove(struct bench_case *c, struct ovl2_error *err)
{
	struct removal *removal = c->state;
	int r = ovl2_layer_remove(c->place->store, removal->id, err);

	if (r == 0)
		*removal->id = '\0';

	return r;
}

static int before_remove_plain(struct bench_case *c, struct ovl2_error *err)
{
	const struct removal *removal = c->state;
	int r;

	if (mkdir(PLAIN_PATH, 0700) < 0)
		return ovi_fail_errno(err, "create '%s'", PLAIN_PATH);
	r = fill_tree(PLAIN_PATH, removal->files, err);

	return r < 0 ? r : place_settle(c->place, err);
}

static int run_remove_plain(struct bench_case *c, struct ovl2_error *err)
{
	return place_remove(c->place, PLAIN, err);
}

static int run_rm(struct bench_case *c, struct ovl2_error *err)
{
	const char *const argv[] = { "rm", "-rf", PLAIN_PATH, NULL };

	(void)c;

	return tool_run(argv, (struct tool_files){ -1, -1 }, err);
}

static const uint64_t file_values[] = { 10000, 0 };
static const struct bench_variant removals[] = { { "commit", file_values }, { 0 } };

const struct bench bench_layer_remove_files = {
	.id = "layer_remove_files",
	.title = "Remove a layer of this many files",
	.group = "layer",
	.parameter = "files",
	.variants = removals,
	.is_throughput = 1,
	.is_full_only = 1,
	.weight = 40,
	.setup = setup_removal,
	.teardown = teardown_removal,
	.ours = { "ovl2_layer_remove", before_remove, run_remove, NULL },
	.floor = { "readdir, unlinkat of everything", before_remove_plain, run_remove_plain, NULL },
	.peer = { "rm -rf", before_remove_plain, run_rm, NULL },
	.peer_program = "rm",
};

/* -------------------------------------------------------- several at one time -- */

#define MAX_JOBS 4

struct job {
	struct bench_case *c;

	/* Of a layer to fill, "" for none. */
	char id[PLACE_ID_SIZE];

	/* Of the tar that each reads by itself; -1. */
	int tar;
	uint64_t bytes;

	int result;
	struct ovl2_error err;
};

struct several {
	struct dataset *dataset;
	struct job jobs[MAX_JOBS];
};

static int setup_several(struct bench_case *c, struct ovl2_error *err)
{
	struct several *several = calloc(1, sizeof(*several));
	int r;

	if (!several)
		return ovi_fail_memory(err);
	c->state = several;
	for (size_t i = 0; i < MAX_JOBS; i++)
		several->jobs[i] = (struct job){ .c = c, .tar = -1 };
	r = dataset_find(c->place, c->variant, &several->dataset, err);
	if (r == 0)
		r = dataset_archive(c->place, several->dataset, err);
	if (r < 0)
		return r;
	c->bytes = c->value * several->dataset->bytes;
	c->files = c->value * several->dataset->files;

	return 0;
}

static int remove_layers(struct bench_case *c, struct ovl2_error *err)
{
	struct several *several = c->state;
	int r = 0;

	for (size_t i = 0; i < MAX_JOBS && r == 0; i++) {
		struct job *job = &several->jobs[i];

		ovi_close_fd(&job->tar);
		job->tar = -1;
		if (*job->id)
			r = ovl2_layer_remove(c->place->hasty, job->id, err);
		*job->id = '\0';
	}

	return r;
}

static int teardown_several(struct bench_case *c, struct ovl2_error *err)
{
	int r;

	if (!c->state)
		return 0;
	r = remove_layers(c, err);
	free(c->state);
	c->state = NULL;

	return r;
}

static int drop(void *data, const void *bytes, size_t length)
{
	(void)bytes;
	*(uint64_t *)data += length;

	return 0;
}

/* One thread each: it is several diffs that are looked at, not one by several. */
static void *diff_one(void *data)
{
	struct job *job = data;
	const struct several *several = job->c->state;
	const struct ovl2_diff_options options = {
		.size = sizeof(options),
		.write = drop,
		.write_data = &job->bytes,
		.threads = 1,
	};

	job->bytes = 0;
	job->result = ovl2_layer_diff(job->c->place->store, several->dataset->id, &options, -1,
	                              &job->err);
	if (job->result == 0 && job->bytes < several->dataset->bytes)
		job->result = ovi_fail(&job->err, OVL2_E_SYSTEM, "got %llu bytes of a diff",
		                       (unsigned long long)job->bytes);

	return NULL;
}

static void *apply_one(void *data)
{
	struct job *job = data;

	job->result =
		ovl2_layer_apply(job->c->place->store, job->id, NULL, job->tar, NULL, &job->err);

	return NULL;
}

static int check_jobs(const struct bench_case *c, struct ovl2_error *err)
{
	const struct several *several = c->state;

	for (uint64_t i = 0; i < c->value; i++) {
		const struct job *job = &several->jobs[i];

		if (job->result >= 0)
			continue;
		if (err)
			*err = job->err;
		return job->result;
	}

	return 0;
}

static int run_in_turn(struct bench_case *c, void *(*work)(void *), struct ovl2_error *err)
{
	struct several *several = c->state;

	for (uint64_t i = 0; i < c->value; i++)
		work(&several->jobs[i]);

	return check_jobs(c, err);
}

static int run_at_once(struct bench_case *c, void *(*work)(void *), struct ovl2_error *err)
{
	struct several *several = c->state;
	pthread_t threads[MAX_JOBS];
	uint64_t started = 0;

	while (started < c->value) {
		errno = pthread_create(&threads[started], NULL, work, &several->jobs[started]);
		if (errno)
			break;
		started++;
	}
	if (started < c->value)
		ovi_fail_errno(err, "start a thread");
	for (uint64_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);

	return started < c->value ? OVL2_E_SYSTEM : check_jobs(c, err);
}

static int diff_at_once(struct bench_case *c, struct ovl2_error *err)
{
	return run_at_once(c, diff_one, err);
}

static int diff_in_turn(struct bench_case *c, struct ovl2_error *err)
{
	return run_in_turn(c, diff_one, err);
}

static int before_apply(struct bench_case *c, struct ovl2_error *err)
{
	struct several *several = c->state;
	char path[64];

	/* Opened anew, for a place of its own to read on from. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", several->dataset->tar);
	for (uint64_t i = 0; i < c->value; i++) {
		struct job *job = &several->jobs[i];
		int r;

		job->tar = open(path, O_RDONLY | O_CLOEXEC);
		if (job->tar < 0)
			return ovi_fail_errno(err, "open the tar again");
		r = place_create(c->place, NULL, 0, job->id, err);
		if (r < 0)
			return r;
	}

	return place_settle(c->place, err);
}

static int apply_at_once(struct bench_case *c, struct ovl2_error *err)
{
	return run_at_once(c, apply_one, err);
}

static int apply_in_turn(struct bench_case *c, struct ovl2_error *err)
{
	return run_in_turn(c, apply_one, err);
}

static const uint64_t job_values[] = { 2, MAX_JOBS, 0 };

static const struct bench_variant datasets[] = {
	{ "small", job_values },
	{ "big", job_values },
	{ 0 },
};

const struct bench bench_diff_parallel = {
	.id = "diff_parallel",
	.title = "Make the tars of this many layers at once",
	.group = "content",
	.parameter = "layers",
	.variants = datasets,
	.is_throughput = 1,
	.is_full_only = 1,
	.weight = 20,
	.setup = setup_several,
	.teardown = teardown_several,
	.ours = { "ovl2_layer_diff, a thread each", NULL, diff_at_once, NULL },
	.floor = { "the same, one after another", NULL, diff_in_turn, NULL },
};

const struct bench bench_apply_parallel = {
	.id = "apply_parallel",
	.title = "Fill this many layers from tars at once",
	.group = "content",
	.parameter = "layers",
	.variants = datasets,
	.is_throughput = 1,
	.is_full_only = 1,
	.weight = 60,
	.setup = setup_several,
	.teardown = teardown_several,
	.ours = { "ovl2_layer_apply, a thread each", before_apply, apply_at_once, remove_layers },
	.floor = { "the same, one after another", before_apply, apply_in_turn, remove_layers },
};
