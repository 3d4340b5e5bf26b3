#include "dataset.h"
#include "families.h"
#include "place.h"
#include "tool.h"
#include "walk.h"

#include "cleanup.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * Reading a layer: as a tar (what push, save and commit do), as a list of changes,
 * as a number of bytes. The floors read the same tree in one thread with as few
 * system calls as can be, and make nothing of it. Where few files are looked at they
 * begin as we do, with an id, and read what there is to read of such a layer. Caches are warm: it
 * is the program that is measured, not the disk.
 */

struct state {
	struct dataset *dataset;

	/* Nameless, beside the store; -1 where nothing is written. */
	int file;

	/* What a callback was given, so that nobody can say it was not made. */
	uint64_t bytes;
};

static int setup(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return ovi_fail_memory(err);
	c->state = state;
	state->file = -1;
	r = dataset_find(c->place, c->variant, &state->dataset, err);
	if (r < 0)
		return r;
	c->bytes = state->dataset->bytes;
	c->files = state->dataset->files;

	return 0;
}

static int setup_file(struct bench_case *c, struct ovl2_error *err)
{
	int r = setup(c, err);
	struct state *state = c->state;

	if (r < 0)
		return r;
	state->file = openat(c->place->root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return state->file < 0 ? ovi_fail_errno(err, "make a nameless file in '%s'", PLACE_ROOT)
	                       : 0;
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
	ovi_close_fd(&state->file);
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

static int drop(void *data, const void *bytes, size_t length)
{
	(void)bytes;
	*(uint64_t *)data += length;

	return 0;
}

/* To a callback: what a library's user has who computes, uploads or counts. */
static int run_diff(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	const struct ovl2_diff_options options = {
		.size = sizeof(options),
		.write = drop,
		.write_data = &state->bytes,
	};
	int r;

	state->bytes = 0;
	r = ovl2_layer_diff(c->place->store, state->dataset->id, &options, -1, err);
	if (r == 0 && state->bytes < state->dataset->bytes)
		return ovi_fail(err, OVL2_E_SYSTEM, "got %llu bytes of more than %llu",
		                (unsigned long long)state->bytes,
		                (unsigned long long)state->dataset->bytes);

	return r;
}

static int run_read(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	struct walk_count count = { 0 };
	int r = walk_read(state->dataset->upper, &count, err);

	return r < 0 ? r : check_count(c, &count, err);
}

/* ------------------------------------------------- into a pipe, into a file -- */

/* Reads all there is, and is done when the last writer is. */
static int drain(int fd, uint64_t *ret_bytes, struct ovl2_error *err)
{
	char buffer[1u << 16];
	ssize_t length;

	*ret_bytes = 0;
	while ((length = read(fd, buffer, sizeof(buffer))) > 0)
		*ret_bytes += (uint64_t)length;

	return length < 0 ? ovi_fail_errno(err, "read from a pipe") : 0;
}

/* What is written to one end of a pipe, by a thread. */
struct producer {
	struct bench_case *c;
	int output;
	struct ovl2_error err;
	int result;
};

static void *produce(void *data)
{
	struct producer *producer = data;
	const struct state *state = producer->c->state;

	producer->result = ovl2_layer_diff(producer->c->place->store, state->dataset->id, NULL,
	                                   producer->output, &producer->err);
	ovi_close_fd(&producer->output);

	return NULL;
}

static int open_pipe(int *ret_input, int *ret_output, struct ovl2_error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return ovi_fail_errno(err, "make a pipe");
	*ret_input = ends[0];
	*ret_output = ends[1];

	return 0;
}

static int run_diff_pipe(struct bench_case *c, struct ovl2_error *err)
{
	struct producer producer = { .c = c };
	cleanup_fd int input = -1;
	uint64_t bytes;
	pthread_t thread;
	int r;

	r = open_pipe(&input, &producer.output, err);
	if (r < 0)
		return r;
	errno = pthread_create(&thread, NULL, produce, &producer);
	if (errno) {
		close(producer.output);
		return ovi_fail_errno(err, "start a thread");
	}
	r = drain(input, &bytes, err);
	/* A writer that is left alone with a full pipe would never end. */
	ovi_close_fd(&input);
	input = -1;
	pthread_join(thread, NULL);
	if (r == 0 && producer.result < 0 && err)
		*err = producer.err;

	return r < 0 ? r : producer.result;
}

/* With /dev/null as its output GNU tar does not read the files. */
static int pack_with(const char *program, struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	const char *const argv[] = { program, "-C", state->dataset->upper, "-cf", "-", ".", NULL };
	cleanup_fd int input = -1;
	cleanup_fd int output = -1;
	uint64_t bytes;
	int report = -1;
	pid_t pid = -1;
	int drained;
	int r;

	r = open_pipe(&input, &output, err);
	if (r == 0)
		r = tool_start(argv, (struct tool_files){ -1, output }, &pid, &report, err);
	if (r < 0)
		return r;
	close(steal_fd(&output));
	drained = drain(input, &bytes, err);

	/* Closed first: a tar that still writes would never end. */
	close(steal_fd(&input));
	r = tool_wait(argv[0], pid, report, drained < 0 ? NULL : err);

	return drained < 0 ? drained : r;
}

static int run_tar(struct bench_case *c, struct ovl2_error *err)
{
	return pack_with("tar", c, err);
}

static int run_bsdtar(struct bench_case *c, struct ovl2_error *err)
{
	return pack_with("bsdtar", c, err);
}

static int empty_file(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	if (ftruncate(state->file, 0) < 0 || lseek(state->file, 0, SEEK_SET) < 0)
		return ovi_fail_errno(err, "empty a file");

	return 0;
}

static int run_diff_file(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	return ovl2_layer_diff(c->place->store, state->dataset->id, NULL, state->file, err);
}

static int pack_into_file_with(const char *program, struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	const char *const argv[] = { program, "-C", state->dataset->upper, "-cf", "-", ".", NULL };
	int report = -1;
	pid_t pid = -1;
	int r;

	r = tool_start(argv, (struct tool_files){ -1, state->file }, &pid, &report, err);

	return r < 0 ? r : tool_wait(argv[0], pid, report, err);
}

static int run_tar_file(struct bench_case *c, struct ovl2_error *err)
{
	return pack_into_file_with("tar", c, err);
}

static int run_bsdtar_file(struct bench_case *c, struct ovl2_error *err)
{
	return pack_into_file_with("bsdtar", c, err);
}

/* As much written as the files hold, in pieces of the size that they were read in. */
static int run_read_write(struct bench_case *c, struct ovl2_error *err)
{
	static const char block[1u << 18];
	const struct state *state = c->state;
	uint64_t left = state->dataset->bytes;
	int r = run_read(c, err);

	while (r == 0 && left > 0) {
		size_t part = left < sizeof(block) ? (size_t)left : sizeof(block);

		if (write(state->file, block, part) != (ssize_t)part)
			return ovi_fail_errno(err, "write a file");
		left -= part;
	}

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
	int r = walk_layer(c->place->home, state->dataset->id, err);

	if (r == 0)
		r = walk_stat(state->dataset->upper, &count, err);

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
	.title = "Make a tar of a layer, for a callback that drops it",
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
	.more_peers = { { { "bsdtar c, through a pipe", NULL, run_bsdtar, NULL },
	                  "bsdtar",
	                  NULL } },
};

static const struct bench_variant shapes[] = {
	{ "whiteouts", NULL },  { "devices", NULL }, { "xattrs", NULL },
	{ "hard links", NULL }, { "sparse", NULL },  { 0 },
};

const struct bench bench_diff_shapes = {
	.id = "diff_shapes",
	.title = "Make a tar of a layer with things of one kind, for a callback that drops it",
	.group = "content",
	.variants = shapes,
	.is_throughput = 1,
	.is_full_only = 1,
	.weight = 5,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_diff", NULL, run_diff, NULL },
	.floor = { "open, fstat, fgetxattr, read, close", NULL, run_read, NULL },
	.peer = { "GNU tar c, through a pipe", NULL, run_tar, NULL },
	.peer_program = "tar",
	.more_peers = { { { "bsdtar c, through a pipe", NULL, run_bsdtar, NULL },
	                  "bsdtar",
	                  NULL } },
};

const struct bench bench_diff_pipe = {
	.id = "diff_pipe",
	.title = "Write a layer as a tar, into a pipe",
	.group = "content",
	.variants = variants,
	.is_throughput = 1,
	.weight = 5,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_diff", NULL, run_diff_pipe, NULL },
	.floor = { "open, fstat, fgetxattr, read, close", NULL, run_read, NULL },
	.peer = { "GNU tar c", NULL, run_tar, NULL },
	.peer_program = "tar",
};

const struct bench bench_diff_file = {
	.id = "diff_file",
	.title = "Write a layer as a tar, into a file beside it",
	.group = "content",
	.variants = variants,
	.is_throughput = 1,
	.weight = 5,
	.setup = setup_file,
	.teardown = teardown,
	.ours = { "ovl2_layer_diff", empty_file, run_diff_file, NULL },
	.floor = { "open, fstat, fgetxattr, read, close; write", empty_file, run_read_write, NULL },
	.peer = { "GNU tar c", empty_file, run_tar_file, NULL },
	.peer_program = "tar",
	.more_peers = { { { "bsdtar c", empty_file, run_bsdtar_file, NULL }, "bsdtar", NULL } },
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
	.floor = { "read the layer's files, fstatat of everything", NULL, run_stat, NULL },
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
	.floor = { "read the layer's files, fstatat of everything", NULL, run_stat, NULL },
};
