// SPDX-License-Identifier: MIT
#include "support/test.h"
#include "support/tree.h"

#include "overlay.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/*
 * mount(2) copies one page of data and cuts the last byte off without saying so.
 * The mount may then succeed with a directory whose name lacks its end: here that
 * directory exists, so that cutting would be seen as wrong content.
 */

struct row {
	const char *title;
	enum ovl2_mount_method method;
	size_t data_bytes;
	int result;
};

static const struct row rows[] = {
	{ "relative, 4093 bytes", OVL2_MOUNT_RELATIVE, 4093, 0 },
	{ "relative, 4094 bytes", OVL2_MOUNT_RELATIVE, 4094, 0 },
	{ "relative, 4095 bytes", OVL2_MOUNT_RELATIVE, 4095, 0 },
	{ "relative, 4096 bytes", OVL2_MOUNT_RELATIVE, 4096, OVL2_E_UNSUPPORTED },
	{ "relative, 4097 bytes", OVL2_MOUNT_RELATIVE, 4097, OVL2_E_UNSUPPORTED },
	{ "relative, 4098 bytes", OVL2_MOUNT_RELATIVE, 4098, OVL2_E_UNSUPPORTED },
	{ "absolute, 4093 bytes", OVL2_MOUNT_ABSOLUTE, 4093, 0 },
	{ "absolute, 4094 bytes", OVL2_MOUNT_ABSOLUTE, 4094, 0 },
	{ "absolute, 4095 bytes", OVL2_MOUNT_ABSOLUTE, 4095, 0 },
	{ "absolute, 4096 bytes", OVL2_MOUNT_ABSOLUTE, 4096, OVL2_E_UNSUPPORTED },
	{ "absolute, 4097 bytes", OVL2_MOUNT_ABSOLUTE, 4097, OVL2_E_UNSUPPORTED },
	{ "absolute, 4098 bytes", OVL2_MOUNT_ABSOLUTE, 4098, OVL2_E_UNSUPPORTED },
	{ "append, 4096 bytes of others", OVL2_MOUNT_APPEND, 4096, 0 },
	{ "fd, 4096 bytes of others", OVL2_MOUNT_FD, 4096, 0 },
	{ "auto, 4098 bytes of relative", OVL2_MOUNT_AUTO, 4098, 0 },
};

#define NAME_BYTES 100
#define MAX_NAMES 64

struct stack {
	char *names[MAX_NAMES];
	struct ovi_overlay overlay;
};

/* The method whose data is to have the wanted length. */
static enum ovl2_mount_method measured_method(const struct row *row)
{
	return row->method == OVL2_MOUNT_ABSOLUTE ? OVL2_MOUNT_ABSOLUTE : OVL2_MOUNT_RELATIVE;
}

static size_t data_bytes(const struct row *row, const struct stack *stack)
{
	cleanup_strbuf struct ovi_strbuf data = { 0 };

	ovi_overlay_data(&stack->overlay, measured_method(row), &data);
	return data.length;
}

static void make_lower(struct stack *stack, size_t length)
{
	size_t index = stack->overlay.lower_count;
	char *name = test_path("%0*zu", (int)length, index);
	cleanup_free char *file = test_path("%s/file-%zu", name, index);
	cleanup_fd int fd = -1;

	assert_true(index < MAX_NAMES);
	assert_sys(mkdirat(stack->overlay.home, name, 0755));
	fd = openat(stack->overlay.home, file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	stack->names[index] = name;
	stack->overlay.lower_count++;
}

/* Adds lowers until the data is as long as asked, to the byte. */
static void make_stack(const struct row *row, struct stack *stack)
{
	size_t step;

	make_lower(stack, NAME_BYTES);
	step = data_bytes(row, stack);
	make_lower(stack, NAME_BYTES);
	step = data_bytes(row, stack) - step;

	while (data_bytes(row, stack) + 2 * step <= row->data_bytes)
		make_lower(stack, NAME_BYTES);
	make_lower(stack, NAME_BYTES + row->data_bytes - data_bytes(row, stack) - step);
	assert_int_equal(data_bytes(row, stack), row->data_bytes);
}

static void check_content(const char *merged, size_t lower_count)
{
	for (size_t i = 0; i < lower_count; i++) {
		cleanup_free char *file = test_path("%s/file-%zu", merged, i);

		if (access(file, F_OK) < 0)
			fail_msg("lower %zu is not in the mount", i);
	}
}

static void check_row(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_free char *merged = test_path("%s/merged", place->path);
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };
	struct stack stack = {
		.overlay = { .home = place->fd,
		             .home_path = place->path,
		             .lower = (const char *const *)stack.names,
		             .upper = "upper",
		             .work = "work" },
	};
	int r;

	if (row->method != OVL2_MOUNT_AUTO &&
	    ovl2_probe_mount_method(place->fd, row->method, &evidence, NULL) == 0)
		test_skip("this kernel does not mount by '%s'",
		          ovl2_mount_method_name(row->method));
	/* What is too long for a page is for a method that has no such limit. */
	if (row->method == OVL2_MOUNT_AUTO &&
	    ovl2_probe_mount_method(place->fd, OVL2_MOUNT_APPEND, &evidence, NULL) == 0)
		test_skip("this kernel mounts no more than a page of names");
	assert_sys(mkdirat(place->fd, "upper", 0755));
	assert_sys(mkdirat(place->fd, "work", 0755));
	assert_sys(mkdirat(place->fd, "merged", 0755));
	make_stack(row, &stack);

	r = ovi_overlay_attach(&stack.overlay, row->method, "merged", &err);
	if (row->result == 0) {
		assert_ok(r, &err);
		check_content(merged, stack.overlay.lower_count);
		assert_sys(umount2(merged, 0));
	} else {
		assert_fails(r, row->result, &err);
		assert_false(test_is_mounted(merged));
	}

	for (size_t i = 0; i < stack.overlay.lower_count; i++)
		free(stack.names[i]);
}

/* ------------------------------------------------------------------ strings -- */

static void *wait_for_end(void *end)
{
	char byte;

	(void)!read(*(int *)end, &byte, 1);

	return NULL;
}

/* Where there is another thread, so that it takes one of its own to mount in. */
static int attach_beside_a_thread(const struct ovi_overlay *overlay, enum ovl2_mount_method method,
                                  struct ovl2_error *err)
{
	pthread_t thread;
	int end[2];
	int r;

	assert_sys(pipe2(end, O_CLOEXEC));
	assert_int_equal(pthread_create(&thread, NULL, wait_for_end, &end[0]), 0);
	r = ovi_overlay_attach(overlay, method, "merged", err);
	close(end[1]);
	pthread_join(thread, NULL);
	close(end[0]);

	return r;
}

#define NAME_100                                            \
	"1234567890123456789012345678901234567890123456789" \
	"012345678901234567890123456789012345678901234567890"

/* A string of fsconfig(2) is 255 bytes, and some of it is escaped: the store's path is not in it.
 */
struct string_row {
	const char *title;
	const char *home;
};

static const struct string_row string_rows[] = {
	{ "append, a store with a path of 255 bytes and more", NAME_100 "/" NAME_100 "/" NAME_100 },
	{ "append, a store with backslashes, colons and commas in its path", "h\\o\\,m:e" },
};

static void make_path(const struct test_place *place, const char *path)
{
	cleanup_free char *copy = test_path("%s/", path);

	for (char *at = strchr(copy, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		assert_sys(mkdirat(place->fd, copy, 0755));
		*at = '/';
	}
}

static void check_string_row(void **state)
{
	struct test_place *place = *state;
	const struct string_row *row = place->row;
	cleanup_free char *home = test_path("%s/%s", place->path, row->home);
	cleanup_free char *merged = test_path("%s/merged", home);
	const char *lower = "lower";
	struct ovi_overlay overlay = {
		.home_path = home,
		.lower = &lower,
		.lower_count = 1,
		.upper = "upper",
		.work = "work",
	};
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };
	cleanup_fd int dir = -1;

	if (ovl2_probe_mount_method(place->fd, OVL2_MOUNT_APPEND, &evidence, NULL) == 0)
		test_skip("this kernel does not mount by 'append'");
	make_path(place, row->home);
	dir = open(home, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	overlay.home = dir;
	assert_sys(mkdirat(dir, "lower", 0755));
	assert_sys(mkdirat(dir, "lower/file", 0755));
	assert_sys(mkdirat(dir, "upper", 0755));
	assert_sys(mkdirat(dir, "work", 0755));
	assert_sys(mkdirat(dir, "merged", 0755));

	assert_ok(ovi_overlay_attach(&overlay, OVL2_MOUNT_APPEND, "merged", &err), &err);
	assert_sys(faccessat(dir, "merged/file", F_OK, 0));
	assert_sys(umount2(merged, 0));

	assert_ok(attach_beside_a_thread(&overlay, OVL2_MOUNT_APPEND, &err), &err);
	assert_sys(faccessat(dir, "merged/file", F_OK, 0));
	assert_sys(umount2(merged, 0));
}

/* ------------------------------------------------------------------- thread -- */

/* The processor that the caller is told to be on; -1: the one it is on. */
static int told_processor = -1;

/* In place of that of the C library. */
int sched_getcpu(void)
{
	unsigned int processor = 0;

	return told_processor >= 0                                ? told_processor
	       : syscall(SYS_getcpu, &processor, NULL, NULL) == 0 ? (int)processor
	                                                          : -1;
}

/* It may have been taken away since: then any other will do. */
static void processor_that_is_gone_is_done_without(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *merged = test_path("%s/merged", place->path);
	const char *lower[] = { "one", "two" };
	const struct ovi_overlay overlay = {
		.home = place->fd, .home_path = place->path, .lower = lower, .lower_count = 2
	};
	struct ovl2_error err = { 0 };

	assert_sys(mkdirat(place->fd, "one", 0755));
	assert_sys(mkdirat(place->fd, "two", 0755));
	assert_sys(mkdirat(place->fd, "merged", 0755));
	told_processor = CPU_SETSIZE - 1;
	assert_ok(attach_beside_a_thread(&overlay, OVL2_MOUNT_RELATIVE, &err), &err);
	told_processor = -1;
	assert_sys(umount2(merged, 0));
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[1 + ARRAY_SIZE(rows) + ARRAY_SIZE(string_rows)] = {
		cmocka_unit_test(processor_that_is_gone_is_done_without),
	};
	size_t count = 1;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[count++] = test_case(rows[i].title, check_row, &rows[i]);
	for (size_t i = 0; i < ARRAY_SIZE(string_rows); i++)
		tests[count++] = test_case(string_rows[i].title, check_string_row, &string_rows[i]);

	test_enter_namespace();
	return test_run_everywhere("overlay", tests, ARRAY_SIZE(tests), argc, argv);
}
