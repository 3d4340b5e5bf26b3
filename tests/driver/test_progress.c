// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/*
 * Who is told how far it is hears often enough to end it at once: in the middle of a large
 * file too, where nothing is written for long, and behind the last entry of a tar. No clock
 * is asked: it is counted what is done between two calls.
 */

#define STEP_BYTES ((uint64_t)8 << 20)
#define LARGE_BYTES (3 * STEP_BYTES + 4711)

/* Of a directory, and how many may come between two calls. */
#define NAMES 5000
#define STEP_NAMES 1200

struct watcher {
	uint64_t calls;
	uint64_t stop_at;
	uint64_t entries;
	uint64_t bytes;

	/* The most that came between two calls. */
	uint64_t step_bytes;
	uint64_t step_entries;
};

static int watch(struct watcher *watcher, uint64_t entries, uint64_t bytes)
{
	assert_true(entries >= watcher->entries);
	assert_true(bytes >= watcher->bytes);
	if (bytes - watcher->bytes > watcher->step_bytes)
		watcher->step_bytes = bytes - watcher->bytes;
	if (entries - watcher->entries > watcher->step_entries)
		watcher->step_entries = entries - watcher->entries;
	watcher->entries = entries;
	watcher->bytes = bytes;

	return ++watcher->calls == watcher->stop_at;
}

static int watch_diff(void *data, const struct ovl2_diff_progress *so_far)
{
	return watch(data, so_far->entries, so_far->bytes);
}

static int watch_apply(void *data, const struct ovl2_apply_counts *so_far)
{
	return watch(data, so_far->entries, so_far->bytes);
}

static int drop(void *data, const void *bytes, size_t length)
{
	(void)data;
	(void)bytes;
	(void)length;

	return 0;
}

static int pass_over(void *data, const struct ovl2_change *change)
{
	(void)data;
	(void)change;

	return 0;
}

/* -------------------------------------------------------------------- layers -- */

static int open_content(const struct test_place *place, const char *id)
{
	cleanup_free char *path = test_path("%s/store/%s/diff", place->path, id);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_sys(fd);

	return fd;
}

/* The same bytes and the same time, wherever. */
static void make_large(int dir)
{
	const struct timespec times[2] = { { .tv_sec = 1700000000 }, { .tv_sec = 1700000000 } };
	cleanup_fd int fd = openat(dir, "large", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	cleanup_free unsigned int *words = malloc(LARGE_BYTES);

	assert_sys(fd);
	assert_non_null(words);
	for (size_t i = 0; i < LARGE_BYTES / sizeof(*words); i++)
		words[i] = (unsigned int)i * 2654435761U >> (i % 16);
	assert_int_equal(write(fd, words, LARGE_BYTES), LARGE_BYTES);
	assert_sys(futimens(fd, times));
}

/* The layer "web", on "base", has the file; so has "base". */
static struct ovl2_store *open_large_store(const struct test_place *place)
{
	struct ovl2_store *store = open_store(place);
	cleanup_fd int base = -1;
	cleanup_fd int web = -1;

	create_layer(store, "base", NULL);
	create_container(store, "web", "base");
	base = open_content(place, "base");
	web = open_content(place, "web");
	make_large(base);
	make_large(web);

	return store;
}

static struct ovl2_store *open_wide_store(const struct test_place *place)
{
	struct ovl2_store *store = open_store(place);
	cleanup_fd int web = -1;

	create_layer(store, "base", NULL);
	create_container(store, "web", "base");
	web = open_content(place, "web");
	for (int i = 0; i < NAMES; i++) {
		cleanup_free char *name = test_path("%d", i);

		assert_sys(mknodat(web, name, S_IFREG | 0644, 0));
	}

	return store;
}

/* ---------------------------------------------------------------------- diff -- */

struct output {
	const char *title;
	int compression;
	uint32_t threads;

	/* Into the place; else to a callback. */
	int is_file;
};

static const struct output outputs[] = {
	{ "large file to a callback", OVL2_COMPRESSION_NONE, 2, 0 },
	{ "large file into a file", OVL2_COMPRESSION_NONE, 2, 1 },
	{ "large file to gzip, by one thread", OVL2_COMPRESSION_GZIP, 1, 0 },
	{ "large file to gzip, by four", OVL2_COMPRESSION_GZIP, 4, 1 },
	{ "large file to zstd, by one thread", OVL2_COMPRESSION_ZSTD, 1, 1 },
	{ "large file to zstd, by four", OVL2_COMPRESSION_ZSTD, 4, 0 },
};

static int diff(struct ovl2_store *store, const struct test_place *place,
                const struct output *output, struct watcher *watcher, struct ovl2_error *err)
{
	struct ovl2_diff_options options = {
		.size = sizeof(options),
		.compression = output->compression,
		.compression_level = 1,
		.threads = output->threads,
		.progress = watch_diff,
		.progress_data = watcher,
	};
	cleanup_fd int file = -1;

	if (output->is_file)
		file = openat(place->fd, "out", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	else
		options.write = drop;

	return ovl2_layer_diff(store, "web", &options, file, err);
}

static void diff_can_be_ended_in_a_large_file(void **state)
{
	const struct test_place *place = *state;
	const struct output *output = place->row;
	cleanup_store struct ovl2_store *store = open_large_store(place);
	struct watcher watcher = { .stop_at = 0 };
	struct ovl2_error err = { 0 };
	struct test_resources before;
	uint64_t calls;

	assert_ok(diff(store, place, output, &watcher, &err), &err);
	assert_true(watcher.bytes > LARGE_BYTES);
	assert_true(watcher.step_bytes <= STEP_BYTES);

	calls = watcher.calls;
	before = test_resources_count();
	for (uint64_t at = 1; at <= calls; at += calls / 4) {
		watcher = (struct watcher){ .stop_at = at };
		assert_fails(diff(store, place, output, &watcher, &err), OVL2_E_CANCELLED, &err);
		assert_int_equal(watcher.calls, at);
	}
	test_resources_assert_same(before);
}

/* ------------------------------------------------------------ nothing to write -- */

static int compare_diff(struct ovl2_store *store, const struct ovl2_diff_options *options,
                        struct ovl2_error *err)
{
	struct ovl2_diff_options own = *options;

	own.method = OVL2_DIFF_COMPARE;
	own.write = drop;

	return ovl2_layer_diff(store, "web", &own, -1, err);
}

static int compare_changes(struct ovl2_store *store, const struct ovl2_diff_options *options,
                           struct ovl2_error *err)
{
	struct ovl2_diff_options own = *options;

	own.method = OVL2_DIFF_COMPARE;

	return ovl2_layer_changes(store, "web", &own, pass_over, NULL, err);
}

static int compare_size(struct ovl2_store *store, const struct ovl2_diff_options *options,
                        struct ovl2_error *err)
{
	struct ovl2_diff_options own = *options;

	own.method = OVL2_DIFF_COMPARE;

	return ovl2_layer_diff_size(store, "web", &own, NULL, err);
}

static int changes(struct ovl2_store *store, const struct ovl2_diff_options *options,
                   struct ovl2_error *err)
{
	return ovl2_layer_changes(store, "web", options, pass_over, NULL, err);
}

static int size(struct ovl2_store *store, const struct ovl2_diff_options *options,
                struct ovl2_error *err)
{
	return ovl2_layer_diff_size(store, "web", options, NULL, err);
}

struct work {
	const char *title;
	int (*run)(struct ovl2_store *store, const struct ovl2_diff_options *options,
	           struct ovl2_error *err);
};

static const struct work comparisons[] = {
	{ "diff by comparing two large files", compare_diff },
	{ "changes by comparing two large files", compare_changes },
	{ "size by comparing two large files", compare_size },
};

static const struct work listings[] = {
	{ "changes of a large directory", changes },
	{ "size of a large directory", size },
	{ "changes by comparing a large directory", compare_changes },
	{ "size by comparing a large directory", compare_size },
};

static struct watcher end_at_once(struct ovl2_store *store, const struct work *work)
{
	struct watcher watcher = { .stop_at = 0 };
	const struct ovl2_diff_options options = {
		.size = sizeof(options),
		.progress = watch_diff,
		.progress_data = &watcher,
	};
	struct ovl2_error err = { 0 };
	struct watcher whole;

	assert_ok(work->run(store, &options, &err), &err);
	whole = watcher;
	watcher = (struct watcher){ .stop_at = whole.calls / 2 };
	assert_fails(work->run(store, &options, &err), OVL2_E_CANCELLED, &err);
	assert_int_equal(watcher.calls, whole.calls / 2);

	return whole;
}

/* They are the same, which is known at their end. */
static void comparison_can_be_ended(void **state)
{
	const struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_large_store(place);
	struct watcher whole = end_at_once(store, place->row);

	assert_true(whole.calls > LARGE_BYTES / STEP_BYTES);
}

static void listing_can_be_ended(void **state)
{
	const struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_wide_store(place);
	struct watcher whole = end_at_once(store, place->row);

	assert_true(whole.step_entries <= STEP_NAMES);
	assert_true(whole.calls > NAMES / STEP_NAMES);
}

/* --------------------------------------------------------------------- apply -- */

struct input {
	const char *title;
	int is_pipe;
	int compression;

	/* Of the layer that is filled. */
	int digest;
};

static const struct input inputs[] = {
	{ "large file out of a file", 0, OVL2_COMPRESSION_NONE, 0 },
	{ "large file out of a pipe", 1, OVL2_COMPRESSION_NONE, 0 },
	{ "large file out of gzip", 0, OVL2_COMPRESSION_GZIP, 0 },
	{ "large file out of a file, with a digest", 0, OVL2_COMPRESSION_NONE, 1 },
};

struct feed {
	int from;
	int to;
};

static void *feed_pipe(void *data)
{
	const struct feed *feed = data;
	cleanup_free char *bytes = malloc(STEP_BYTES);
	ssize_t length;
	off_t at = 0;

	while ((length = pread(feed->from, bytes, STEP_BYTES, at)) > 0 &&
	       write(feed->to, bytes, (size_t)length) == length)
		at += length;
	close(feed->to);

	return NULL;
}

static int apply_pipe(struct ovl2_store *store, const struct ovl2_apply_options *options, int tar,
                      struct ovl2_error *err)
{
	struct feed feed = { .from = tar };
	pthread_t feeder;
	int ends[2];
	int r;

	assert_sys(pipe2(ends, O_CLOEXEC));
	feed.to = ends[1];
	assert_int_equal(pthread_create(&feeder, NULL, feed_pipe, &feed), 0);
	r = ovl2_layer_apply(store, "copy", options, ends[0], NULL, err);
	close(ends[0]);
	pthread_join(feeder, NULL);

	return r;
}

/* Into a layer that is made for it, and removed. */
static int apply(struct ovl2_store *store, const struct input *input, int tar,
                 struct watcher *watcher, struct ovl2_error *err)
{
	const struct ovl2_layer_options layer = { .size = sizeof(layer), .digest = input->digest };
	const struct ovl2_apply_options options = {
		.size = sizeof(options),
		.progress = watch_apply,
		.progress_data = watcher,
	};
	struct ovl2_error reason = { 0 };
	int r;

	assert_ok(ovl2_layer_create(store, "copy", &layer, &reason), &reason);
	assert_sys(lseek(tar, 0, SEEK_SET));
	r = input->is_pipe ? apply_pipe(store, &options, tar, err)
	                   : ovl2_layer_apply(store, "copy", &options, tar, NULL, err);
	assert_ok(ovl2_layer_remove(store, "copy", &reason), &reason);

	return r;
}

static void apply_can_be_ended_in_a_large_file(void **state)
{
	const struct test_place *place = *state;
	const struct input *input = place->row;
	cleanup_store struct ovl2_store *store = open_large_store(place);
	const struct ovl2_diff_options options = {
		.size = sizeof(options),
		.compression = input->compression,
		.compression_level = 1,
	};
	cleanup_fd int tar = openat(place->fd, "tar", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct watcher watcher = { .stop_at = 0 };
	struct ovl2_error err = { 0 };
	uint64_t calls;

	assert_ok(ovl2_layer_diff(store, "web", &options, tar, &err), &err);
	assert_ok(apply(store, input, tar, &watcher, &err), &err);
	assert_int_equal(watcher.bytes, LARGE_BYTES);
	assert_true(watcher.step_bytes <= STEP_BYTES);

	/* The last call is one of those behind the last entry. */
	calls = watcher.calls;
	for (uint64_t at = calls; at > calls / 4; at -= calls / 4) {
		watcher = (struct watcher){ .stop_at = at };
		assert_fails(apply(store, input, tar, &watcher, &err), OVL2_E_CANCELLED, &err);
		assert_int_equal(watcher.calls, at);
	}
}

static uint64_t count_calls(struct ovl2_store *store, int tar, int digest)
{
	const struct input input = { .digest = digest };
	struct watcher watcher = { .stop_at = 0 };
	struct ovl2_error err = { 0 };

	assert_ok(apply(store, &input, tar, &watcher, &err), &err);

	return watcher.calls;
}

/* All is read once more: that takes as long. */
static void digest_of_what_was_applied_can_be_ended(void **state)
{
	const struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_large_store(place);
	cleanup_fd int tar = diff_layer(store, "web", OVL2_DIFF_UPPER);
	uint64_t calls = count_calls(store, tar, 0);

	assert_true(count_calls(store, tar, 1) > calls + LARGE_BYTES / STEP_BYTES);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(outputs) + ARRAY_SIZE(comparisons) +
	                        ARRAY_SIZE(listings) + ARRAY_SIZE(inputs) + 1];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++)
		tests[count++] =
			test_case(outputs[i].title, diff_can_be_ended_in_a_large_file, &outputs[i]);
	for (size_t i = 0; i < ARRAY_SIZE(comparisons); i++)
		tests[count++] =
			test_case(comparisons[i].title, comparison_can_be_ended, &comparisons[i]);
	for (size_t i = 0; i < ARRAY_SIZE(listings); i++)
		tests[count++] = test_case(listings[i].title, listing_can_be_ended, &listings[i]);
	for (size_t i = 0; i < ARRAY_SIZE(inputs); i++)
		tests[count++] =
			test_case(inputs[i].title, apply_can_be_ended_in_a_large_file, &inputs[i]);
	tests[count++] =
		(struct CMUnitTest)cmocka_unit_test(digest_of_what_was_applied_can_be_ended);

	/* Of a pipe that nobody reads any more. */
	(void)signal(SIGPIPE, SIG_IGN);
	test_enter_namespace();
	return test_run("progress", tests, count, argc, argv);
}
