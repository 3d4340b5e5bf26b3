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

/* fsconfig(2) takes 255 bytes, of which some are for backslashes of upper and work. */
struct string_row {
	const char *title;
	const char *home;
	const char *long_one; /* of "lower", "upper" and "work" */
	size_t bytes;         /* of its whole path, as it is handed over */
};

static const struct string_row string_rows[] = {
	{ "append, a lower of 255 bytes", "home", "lower", 255 },
	{ "append, a lower of 256 bytes", "home", "lower", 256 },
	{ "append, an upper of 255 bytes", "home", "upper", 255 },
	{ "append, an upper of 256 bytes", "home", "upper", 256 },
	{ "append, a work of 255 bytes", "home", "work", 255 },
	{ "append, a work of 256 bytes", "home", "work", 256 },
	{ "append, an upper of 255 bytes with backslashes", "h\\o\\e", "upper", 255 },
	{ "append, an upper of 256 bytes with backslashes", "h\\o\\e", "upper", 256 },
	{ "append, a lower of 255 bytes with backslashes", "h\\o\\e", "lower", 255 },
};

/* The name, with as many zeroes in front as make the path so long if it is the long one. */
static char *make_named(const struct string_row *row, const struct ovi_overlay *overlay,
                        const char *name)
{
	size_t root = strlen(overlay->home_path) + 1;
	char *padded;

	for (const char *at = overlay->home_path; *at && strcmp(name, "lower") != 0; at++)
		root += *at == '\\';
	padded = test_path(
		"%0*d%s",
		strcmp(name, row->long_one) == 0 ? (int)(row->bytes - root - strlen(name)) : 1, 0,
		name);
	assert_sys(mkdirat(overlay->home, padded, 0755));

	return padded;
}

static void check_string_row(void **state)
{
	struct test_place *place = *state;
	const struct string_row *row = place->row;
	cleanup_free char *home = test_path("%s/%s", place->path, row->home);
	cleanup_free char *merged = test_path("%s/merged", home);
	cleanup_free char *lower = NULL;
	cleanup_free char *upper = NULL;
	cleanup_free char *work = NULL;
	struct ovi_overlay overlay = { .home_path = home, .lower_count = 1 };
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };
	int r;

	if (ovl2_probe_mount_method(place->fd, OVL2_MOUNT_APPEND, &evidence, NULL) == 0)
		test_skip("this kernel does not mount by 'append'");
	assert_sys(mkdir(home, 0755));
	assert_sys(mkdir(merged, 0755));
	overlay.home = open(home, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(overlay.home >= 0);
	lower = make_named(row, &overlay, "lower");
	upper = make_named(row, &overlay, "upper");
	work = make_named(row, &overlay, "work");
	overlay.lower = (const char *const *)&lower;
	overlay.upper = upper;
	overlay.work = work;

	r = ovi_overlay_attach(&overlay, OVL2_MOUNT_APPEND, "merged", &err);
	if (row->bytes <= 255) {
		assert_ok(r, &err);
		assert_sys(umount2(merged, 0));
	} else {
		assert_fails(r, OVL2_E_UNSUPPORTED, &err);
		assert_contains(err.message, "paths of 255 bytes");
	}
	close(overlay.home);
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

static void *wait_for_end(void *end)
{
	char byte;

	(void)!read(*(int *)end, &byte, 1);

	return NULL;
}

/* Where there is another thread, so that it takes one of its own to mount in. */
static int attach_beside_a_thread(const struct ovi_overlay *overlay, struct ovl2_error *err)
{
	pthread_t thread;
	int end[2];
	int r;

	assert_sys(pipe2(end, O_CLOEXEC));
	assert_int_equal(pthread_create(&thread, NULL, wait_for_end, &end[0]), 0);
	r = ovi_overlay_attach(overlay, OVL2_MOUNT_RELATIVE, "merged", err);
	close(end[1]);
	pthread_join(thread, NULL);
	close(end[0]);

	return r;
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
	assert_ok(attach_beside_a_thread(&overlay, &err), &err);
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
