#include "families.h"
#include "place.h"
#include "runner.h"
#include "walk.h"

#include "cleanup.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

/*
 * What a layer costs by the number of its files, in time and in memory: ours is done in a
 * process of its own, whose greatest resident size is told. That has in it what this
 * process has, some megabytes. Files are empty: it is their number that is looked at.
 */

#define FLOOR "files-floor"
#define FLOOR_PATH PLACE_ROOT "/" FLOOR
#define FILES_A_DIRECTORY 1000

/* Where it is only looked whether it works. */
#define SMOKE_FILES 1000

/* What each file takes on disk, with its name; and at most there are that many of it. */
#define ROOM_A_FILE 1024
#define COPIES_A_FILE 3

/* To fill a layer and to remove it takes so much longer that a million would be an hour. */
static const uint64_t read_values[] = { 1000, 4000, 16000, 64000, 250000, 1000000, 0 };
static const uint64_t write_values[] = { 1000, 4000, 16000, 64000, 250000, 0 };

/* One of the operations; what is NULL there is nothing to do for. */
struct work {
	const char *name;

	/* Does each one use up what it works on? */
	int uses_tree;
	int needs_tar;
	int (*run)(struct bench_case *c, struct ovl2_error *err);
	int (*run_floor)(struct bench_case *c, struct ovl2_error *err);
};

struct state {
	const struct work *work;
	uint64_t files;

	/* The layer with the files, "" for none, of the round or its own; and one to fill. */
	char id[PLACE_ID_SIZE];
	char copy[PLACE_ID_SIZE];
	int tar;
};

/* ---------------------------------------------------------------------- the files -- */

/* With a time, as whoever fills a layer has to give each of them. */
static int make_files(const char *path, uint64_t files, struct ovl2_error *err)
{
	const struct timespec times[2] = { { .tv_sec = 1700000000 }, { .tv_sec = 1700000000 } };
	cleanup_fd int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[64];

	if (root < 0)
		return ovi_fail_errno(err, "open '%s'", path);
	for (uint64_t i = 0; i < files; i++) {
		unsigned int directory = (unsigned int)(i / FILES_A_DIRECTORY);

		snprintf(name, sizeof(name), "%06u", directory);
		if (i % FILES_A_DIRECTORY == 0 && mkdirat(root, name, 0755) < 0)
			return ovi_fail_errno(err, "create the directory '%s'", name);
		snprintf(name, sizeof(name), "%06u/file-%08u", directory, (unsigned int)i);
		if (mknodat(root, name, S_IFREG | 0644, 0) < 0 ||
		    utimensat(root, name, times, AT_SYMLINK_NOFOLLOW) < 0)
			return ovi_fail_errno(err, "create '%s'", name);
	}

	return 0;
}

static int make_layer(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	char path[sizeof(PLACE_HOME) + PLACE_ID_SIZE + 8];
	int r = place_create_layer(c->place, 0, state->id, err);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), PLACE_HOME "/%s/diff", state->id);
	r = make_files(path, state->files, err);

	return r < 0 ? r : place_settle(c->place, err);
}

/* Those that are only read are made when first asked for and kept until the end. */
static int find_layer(struct bench_case *c, struct ovl2_error *err)
{
	static char kept[ARRAY_SIZE(read_values)][PLACE_ID_SIZE];
	struct state *state = c->state;
	size_t i = 0;
	int r = 0;

	while (read_values[i] != c->value)
		i++;
	memcpy(state->id, kept[i], sizeof(state->id));
	if (!*state->id)
		r = make_layer(c, err);
	if (r == 0)
		memcpy(kept[i], state->id, sizeof(state->id));

	return r;
}

static int remove_layer(struct bench_case *c, char id[PLACE_ID_SIZE], struct ovl2_error *err)
{
	int r = *id ? ovl2_layer_remove(c->place->hasty, id, err) : 0;

	if (r == 0)
		*id = '\0';

	return r;
}

static int make_floor(struct ovl2_error *err)
{
	return mkdir(FLOOR_PATH, 0700) < 0 ? ovi_fail_errno(err, "create '%s'", FLOOR_PATH) : 0;
}

/* ------------------------------------------------------------------ the operations -- */

static int drop(void *data, const void *bytes, size_t length)
{
	(void)data;
	(void)bytes;
	(void)length;

	return 0;
}

static int diff(struct bench_case *c, struct ovl2_error *err)
{
	const struct ovl2_diff_options options = { .size = sizeof(options), .write = drop };
	const struct state *state = c->state;

	return ovl2_layer_diff(c->place->store, state->id, &options, -1, err);
}

static int count_change(void *data, const struct ovl2_change *change)
{
	(void)change;
	++*(uint64_t *)data;

	return 0;
}

static int changes(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	uint64_t count = 0;
	int r = ovl2_layer_changes(c->place->store, state->id, NULL, count_change, &count, err);

	if (r == 0 && count < state->files)
		return ovi_fail(err, OVL2_E_SYSTEM, "saw %llu changes of %llu files",
		                (unsigned long long)count, (unsigned long long)state->files);

	return r;
}

static int size(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	uint64_t bytes;

	return ovl2_layer_diff_size(c->place->store, state->id, NULL, &bytes, err);
}

static int apply(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return ovl2_layer_apply(c->place->store, state->copy, NULL, state->tar, NULL, err);
}

static int remove_all(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return ovl2_layer_remove(c->place->store, state->id, err);
}

static int walk_layer_with(struct bench_case *c,
                           int (*walk)(const char *path, struct walk_count *ret_count,
                                       struct ovl2_error *err),
                           struct ovl2_error *err)
{
	const struct state *state = c->state;
	char path[sizeof(PLACE_HOME) + PLACE_ID_SIZE + 8];
	struct walk_count count;

	snprintf(path, sizeof(path), PLACE_HOME "/%s/diff", state->id);

	return walk(path, &count, err);
}

static int read_floor(struct bench_case *c, struct ovl2_error *err)
{
	return walk_layer_with(c, walk_read, err);
}

static int stat_floor(struct bench_case *c, struct ovl2_error *err)
{
	return walk_layer_with(c, walk_stat, err);
}

static int make_floor_files(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	int r = make_files(FLOOR_PATH, state->files, err);

	return r < 0 ? r : place_settle(c->place, err);
}

static int remove_floor(struct bench_case *c, struct ovl2_error *err)
{
	return place_remove(c->place, FLOOR, err);
}

static const struct work works[] = {
	{ "diff", 0, 0, diff, read_floor },           { "changes", 0, 0, changes, stat_floor },
	{ "size", 0, 0, size, stat_floor },           { "apply", 0, 1, apply, make_floor_files },
	{ "remove", 1, 0, remove_all, remove_floor },
};

/* ------------------------------------------------------------- in another process -- */

struct report {
	double ns;
	uint64_t peak_rss_bytes;
	int result;
	struct ovl2_error err;
};

static void work_and_tell(struct bench_case *c, int output)
{
	const struct state *state = c->state;
	struct report report = { .result = 0 };
	struct rusage usage;
	double from = runner_clock_ns();

	report.result = state->work->run(c, &report.err);
	report.ns = runner_clock_ns() - from;
	getrusage(RUSAGE_SELF, &usage);
	report.peak_rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
	_exit(write(output, &report, sizeof(report)) != sizeof(report));
}

static int read_report(int input, struct report *ret_report, struct ovl2_error *err)
{
	if (read(input, ret_report, sizeof(*ret_report)) != sizeof(*ret_report))
		return ovi_fail(err, OVL2_E_SYSTEM, "a process ended before its work did");
	if (ret_report->result < 0)
		*err = ret_report->err;

	return ret_report->result;
}

static int run_ours(struct bench_case *c, struct ovl2_error *err)
{
	struct report report = { .result = 0 };
	int ends[2];
	pid_t pid;
	int r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return ovi_fail_errno(err, "make a pipe");
	pid = fork();
	if (pid == 0)
		work_and_tell(c, ends[1]);
	close(ends[1]);
	r = pid < 0 ? ovi_fail_errno(err, "start a process") : read_report(ends[0], &report, err);
	close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (r < 0)
		return r;

	c->told_ns = report.ns;
	if (report.peak_rss_bytes > c->peak_rss_bytes)
		c->peak_rss_bytes = report.peak_rss_bytes;

	return 0;
}

/* -------------------------------------------------------------------------- hooks -- */

static int before_ours(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r = 0;

	if (state->work->uses_tree)
		return make_layer(c, err);
	if (state->work->needs_tar)
		r = place_create(c->place, NULL, 0, state->copy, err);
	if (r == 0 && state->work->needs_tar && lseek(state->tar, 0, SEEK_SET) < 0)
		return ovi_fail_errno(err, "rewind a tar");

	return r;
}

static int after_ours(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	if (state->work->uses_tree)
		*state->id = '\0';

	return remove_layer(c, state->copy, err);
}

static int before_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	int r = make_floor(err);

	return r == 0 && state->work->uses_tree ? make_floor_files(c, err) : r;
}

static int run_floor(struct bench_case *c, struct ovl2_error *err)
{
	return ((const struct state *)c->state)->work->run_floor(c, err);
}

static int after_floor(struct bench_case *c, struct ovl2_error *err)
{
	return place_remove(c->place, FLOOR, err);
}

static int make_tar(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	state->tar = openat(c->place->root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (state->tar < 0)
		return ovi_fail_errno(err, "make a nameless file in '%s'", PLACE_ROOT);

	return ovl2_layer_diff(c->place->store, state->id, NULL, state->tar, err);
}

static int has_room(const struct bench_case *c)
{
	uint64_t files = COPIES_A_FILE * c->value;
	struct statvfs vfs;

	return fstatvfs(c->place->root, &vfs) == 0 &&
	       (uint64_t)vfs.f_bavail * vfs.f_frsize >= files * ROOM_A_FILE &&
	       vfs.f_favail >= files;
}

static int setup(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state;
	int r = 0;

	if (c->place->tier == BENCH_TIER_SMOKE && c->value > SMOKE_FILES) {
		snprintf(c->skipped, sizeof(c->skipped),
		         "so many files are not made for a smoke test");
		return 0;
	}
	if (!has_room(c)) {
		snprintf(c->skipped, sizeof(c->skipped),
		         "no room for so many files here: name a directory with more (--dir)");
		return 0;
	}

	state = calloc(1, sizeof(*state));
	if (!state)
		return ovi_fail_memory(err);
	c->state = state;
	c->files = state->files = c->value;
	state->tar = -1;
	for (size_t i = 0; i < ARRAY_SIZE(works); i++)
		if (strcmp(works[i].name, c->variant) == 0)
			state->work = &works[i];
	if (!state->work->uses_tree)
		r = find_layer(c, err);

	return r == 0 && state->work->needs_tar ? make_tar(c, err) : r;
}

static int teardown(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r;

	if (!state)
		return 0;
	ovi_close_fd(&state->tar);
	r = remove_layer(c, state->copy, err);
	if (r == 0 && state->work->uses_tree)
		r = remove_layer(c, state->id, err);
	free(state);
	c->state = NULL;

	return r < 0 ? r : place_remove(c->place, FLOOR, err);
}

static const struct bench_variant variants[] = {
	{ "diff", read_values },   { "changes", read_values }, { "size", read_values },
	{ "apply", write_values }, { "remove", write_values }, { 0 },
};

const struct bench bench_scale_files = {
	.id = "scale_files",
	.title = "Read, fill and remove a layer of this many empty files",
	.group = "scale",
	.parameter = "files",
	.variants = variants,
	.is_throughput = 1,
	.is_full_only = 1,
	.weight = 10,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_diff, changes, diff_size, apply, remove", before_ours, run_ours,
	          after_ours },
	.floor = { "read, fstatat, mknodat and utimensat, or unlinkat of everything", before_floor,
	           run_floor, after_floor },
};
