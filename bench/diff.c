#include "dataset.h"
#include "families.h"
#include "place.h"
#include "tool.h"
#include "walk.h"

#include "cleanup.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/*
 * Reading a layer: as a tar (what push, save and commit do), as a list of changes,
 * as a number of bytes. The floors read the same tree in one thread with as few
 * system calls as can be, and make nothing of it. Caches are warm: it is the
 * program that is measured, not the disk.
 */

struct state {
	struct dataset *dataset;
	int null;
};

static int setup(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return ovi_fail_memory(err);
	c->state = state;
	state->null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (state->null < 0)
		return ovi_fail_errno(err, "open '/dev/null'");

	r = dataset_find(c->place, c->variant, &state->dataset, err);
	if (r < 0)
		return r;
	c->bytes = state->dataset->bytes;
	c->files = state->dataset->files;

	return 0;
}

/* Bodies are not read: bytes a second would say nothing. */
static int setup_list(struct bench_case *c, struct ovl2_error *err)
{
	int r = setup(c, err);

	c->bytes = 0;

	return r;
}

static int teardown(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	(void)err;
	if (!state)
		return 0;
	ovi_close_fd(&state->null);
	free(state);
	c->state = NULL;

	return 0;
}

/* All arms must have done the same work, or their times say nothing. */
static int check_count(const struct bench_case *c, const struct walk_count *count,
                       struct ovl2_error *err)
{
	const struct state *state = c->state;
	const struct dataset *all = state->dataset;

	if (count->files == all->files && count->bytes == all->bytes)
		return 0;

	return ovi_fail(err, OVL2_E_SYSTEM, "saw %llu files and %llu bytes of %llu and %llu",
	                (unsigned long long)count->files, (unsigned long long)count->bytes,
	                (unsigned long long)all->files, (unsigned long long)all->bytes);
}

/* ------------------------------------------------------------------- diff -- */

static int run_diff(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	return ovl2_layer_diff(c->place->store, state->dataset->id, NULL, state->null, err);
}

static int run_read(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	struct walk_count count = { 0 };
	int r = walk_read(state->dataset->upper, &count, err);

	return r < 0 ? r : check_count(c, &count, err);
}

/* Through a pipe: with /dev/null as its output GNU tar does not read the files. */
static int run_tar(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	const char *const argv[] = { "tar", "-C", state->dataset->upper, "-cf", "-", ".", NULL };
	cleanup_fd int input = -1;
	cleanup_fd int output = -1;
	char buffer[1u << 16];
	ssize_t length;
	int report = -1;
	int ends[2];
	pid_t pid = -1;
	int r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return ovi_fail_errno(err, "make a pipe");
	input = ends[0];
	output = ends[1];

	r = tool_start(argv, (struct tool_files){ -1, output }, &pid, &report, err);
	if (r < 0)
		return r;
	close(steal_fd(&output));
	do
		length = read(input, buffer, sizeof(buffer));
	while (length > 0);

	/* Closed first: a tar that still writes would never end. */
	close(steal_fd(&input));
	r = tool_wait(argv[0], pid, report, err);
	if (r == 0 && length < 0)
		return ovi_fail_errno(err, "read from '%s'", argv[0]);

	return r;
}

/* ---------------------------------------------------------------- changes -- */

static int count_change(void *data, const struct ovl2_change *change)
{
	uint64_t *count = data;

	(void)change;
	(*count)++;

	return 0;
}

static int run_changes(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	uint64_t count = 0;
	int r = ovl2_layer_changes(c->place->store, state->dataset->id, NULL, count_change, &count,
	                           err);

	/* Directories are changes too. */
	if (r == 0 && count < c->files)
		return ovi_fail(err, OVL2_E_SYSTEM, "saw %llu changes of %llu files",
		                (unsigned long long)count, (unsigned long long)c->files);

	return r;
}

static int run_stat(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	struct walk_count count = { 0 };
	int r = walk_stat(state->dataset->upper, &count, err);

	return r < 0 ? r : check_count(c, &count, err);
}

static int run_diff_size(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	uint64_t bytes = 0;
	int r = ovl2_layer_diff_size(c->place->store, state->dataset->id, NULL, &bytes, err);

	/* Symbolic links have a size as well. */
	if (r == 0 && bytes < state->dataset->bytes)
		return ovi_fail(err, OVL2_E_SYSTEM, "saw %llu bytes of %llu",
		                (unsigned long long)bytes,
		                (unsigned long long)state->dataset->bytes);

	return r;
}

/* ------------------------------------------------------------------- rows -- */

static const struct bench_variant variants[] = {
	{ "small", NULL }, { "big", NULL }, { "real", NULL }, { 0 }
};

const struct bench bench_diff = {
	.id = "diff",
	.title = "Write a layer as a tar, to /dev/null",
	.group = "content",
	.variants = variants,
	.is_throughput = 1,
	.weight = 10,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_diff", NULL, run_diff, NULL },
	.floor = { "open, fstat, fgetxattr, read, close", NULL, run_read, NULL },
	.peer = { "GNU tar c, through a pipe", NULL, run_tar, NULL },
	.peer_program = "tar",
};

const struct bench bench_changes = {
	.id = "changes",
	.title = "List what a layer changed",
	.group = "content",
	.variants = variants,
	.is_throughput = 1,
	.weight = 3,
	.setup = setup_list,
	.teardown = teardown,
	.ours = { "ovl2_layer_changes", NULL, run_changes, NULL },
	.floor = { "fstatat of everything", NULL, run_stat, NULL },
};

const struct bench bench_diff_size = {
	.id = "diff_size",
	.title = "Add up the bytes of a layer",
	.group = "content",
	.variants = variants,
	.is_throughput = 1,
	.weight = 3,
	.setup = setup_list,
	.teardown = teardown,
	.ours = { "ovl2_layer_diff_size", NULL, run_diff_size, NULL },
	.floor = { "fstatat of everything", NULL, run_stat, NULL },
};
