// SPDX-License-Identifier: MIT
#include "fixture.h"

#include "sys.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

/*
 * The threads that fill files while the tar is read on: a call that fails in one of them
 * fails the whole, and leaves nothing. Which of the calls a thread gets is not for a test
 * to say, so one is failed that is made outside of the caller's.
 */

/* Enough to have threads, who get most of them. */
#define FILES 1500

/* A file that is handed to a thread at once. */
#define LARGE_BYTES ((size_t)2 << 20)

/* Two empty blocks. */
#define END_BYTES ((off_t)2 * TEST_TAR_BLOCK)

enum call { PREAD, WRITE, LOOK, OWNER, MODE, TIME };

struct row {
	const char *title;
	enum call call;

	/* Which of those in threads fails. */
	size_t at;
	int sys;
};

static const struct row rows[] = {
	{ "first read of the tar", PREAD, 1, EIO },
	{ "second read of the tar", PREAD, 2, EIO },
	{ "first write", WRITE, 1, ENOSPC },
	{ "write in the middle of a batch", WRITE, 40, EDQUOT },
	{ "write of a second batch", WRITE, 70, ENOSPC },
	{ "look at a file", LOOK, 3, EIO },
	{ "change of owner", OWNER, 2, EPERM },
	{ "change of mode", MODE, 2, EPERM },
	{ "change of time", TIME, 2, EIO },
};

static struct ovi_sys real;
static const struct row *armed;
static pid_t caller;
static atomic_size_t calls;

/* For a failure that comes late: where the tar ends; what the caller and a thread did. */
static off_t end_of_tar;
static atomic_int is_read;
static atomic_int is_begun;

/* Has this call, in a thread, to fail? */
static int fails(enum call call)
{
	if (!armed || armed->call != call || gettid() == caller)
		return 0;
	if (atomic_fetch_add(&calls, 1) + 1 != armed->at)
		return 0;
	errno = armed->sys;

	return 1;
}

static void wait_for(const atomic_int *event)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (int i = 0; i < 5000 && !atomic_load(event); i++)
		nanosleep(&pause, NULL);
}

/*
 * The caller reads the end of the tar when a thread has begun, and that goes on when it
 * was read. A failure that is told sooner has to be told just the same.
 */
static void order(off_t offset)
{
	const struct timespec moment = { .tv_nsec = 20000000 };

	if (gettid() != caller) {
		atomic_store(&is_begun, 1);
		wait_for(&is_read);
		nanosleep(&moment, NULL);
	} else if (offset >= end_of_tar - END_BYTES) {
		wait_for(&is_begun);
		atomic_store(&is_read, 1);
	}
}

static ssize_t fail_pread(int fd, void *buffer, size_t size, off_t offset)
{
	if (end_of_tar)
		order(offset);

	return fails(PREAD) ? -1 : real.pread(fd, buffer, size, offset);
}

static ssize_t fail_write(int fd, const void *buffer, size_t size)
{
	return fails(WRITE) ? -1 : real.write(fd, buffer, size);
}

static int fail_fstatat(int dir, const char *path, struct stat *ret, int flags)
{
	return fails(LOOK) ? -1 : real.fstatat(dir, path, ret, flags);
}

static int fail_fchown(int fd, uid_t uid, gid_t gid)
{
	return fails(OWNER) ? -1 : real.fchown(fd, uid, gid);
}

static int fail_fchmod(int fd, mode_t mode)
{
	return fails(MODE) ? -1 : real.fchmod(fd, mode);
}

static int fail_futimens(int fd, const struct timespec times[2])
{
	return fails(TIME) ? -1 : real.futimens(fd, times);
}

static void install(void)
{
	real = ovi_sys;
	caller = gettid();
	ovi_sys.pread = fail_pread;
	ovi_sys.write = fail_write;
	ovi_sys.fstatat = fail_fstatat;
	ovi_sys.fchown = fail_fchown;
	ovi_sys.fchmod = fail_fchmod;
	ovi_sys.futimens = fail_futimens;
}

/* Files for whom each of those calls is made: they are owned by somebody, and set-id. */
static int open_tar(void)
{
	static char content[2048];
	cleanup_tar struct test_tar tar = { 0 };

	memset(content, 'x', sizeof(content));
	for (int i = 0; i < FILES; i++) {
		char name[32];
		struct test_tar_entry entry = {
			.name = name,
			.content = content,
			.content_length = sizeof(content),
			.mode = 04755,
			.uid = 1000,
		};

		snprintf(name, sizeof(name), "file-%d", i);
		test_tar_add(&tar, &entry);
	}
	test_tar_end(&tar);

	return test_tar_open(&tar);
}

static void failure_in_a_thread_fails_the_call(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *stages = test_path("%s/store/.ovl2/staging", place->path);
	cleanup_fd int tar = open_tar();
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;
	struct test_resources resources;
	struct ovl2_error err = { 0 };
	int r;

	create_layer(store, "layer", NULL);
	before = describe_layer(store, "layer", 0);
	resources = test_resources_count();

	atomic_store(&calls, 0);
	armed = place->row;
	r = ovl2_layer_apply(store, "layer", NULL, tar, NULL, &err);
	armed = NULL;
	assert_true(atomic_load(&calls) >= ((const struct row *)place->row)->at);
	assert_true(r < 0);
	assert_int_equal(err.sys, ((const struct row *)place->row)->sys);
	assert_contains(err.message, "apply to layer 'layer'");
	test_resources_assert_same(resources);
	after = describe_layer(store, "layer", 0);
	assert_string_equal(before, after);
	assert_int_equal(count_files(stages), 0);

	assert_sys(lseek(tar, 0, SEEK_SET));
	assert_ok(ovl2_layer_apply(store, "layer", NULL, tar, NULL, &err), &err);
}

/* Large enough for a thread, and the last: whoever puts it finds nothing wrong yet. */
static void failure_behind_the_end_of_the_tar_fails_the_call(void **state)
{
	static const struct row row = { .call = PREAD, .at = 1, .sys = EIO };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *content = calloc(1, LARGE_BYTES);
	const struct test_tar_entry entry = { .name = "f",
		                              .content = content,
		                              .content_length = LARGE_BYTES };
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_free char *after = NULL;
	struct ovl2_error err = { 0 };
	cleanup_fd int fd = -1;
	int r;

	memset(content, 'x', LARGE_BYTES);
	test_tar_add(&tar, &entry);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);
	create_layer(store, "layer", NULL);

	atomic_store(&calls, 0);
	end_of_tar = (off_t)tar.bytes.length;
	armed = &row;
	r = ovl2_layer_apply(store, "layer", NULL, fd, NULL, &err);
	armed = NULL;
	end_of_tar = 0;
	assert_int_equal(atomic_load(&is_read), 1);
	assert_fails(r, OVL2_E_SYSTEM, &err);
	assert_int_equal(err.sys, EIO);
	after = describe_layer(store, "layer", 0);
	assert_string_equal(after, "");
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 1];
	cpu_set_t processors;

	if (sched_getaffinity(0, sizeof(processors), &processors) == 0 &&
	    CPU_COUNT(&processors) < 2) {
		printf("one processor: nothing is done in threads\n");
		return TEST_EXIT_SKIPPED;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[i] = test_case(rows[i].title, failure_in_a_thread_fails_the_call, &rows[i]);
	tests[ARRAY_SIZE(rows)] = (struct CMUnitTest)cmocka_unit_test(
		failure_behind_the_end_of_the_tar_fails_the_call);

	install();
	test_enter_namespace();
	return test_run("apply threads", tests, ARRAY_SIZE(tests), argc, argv);
}
