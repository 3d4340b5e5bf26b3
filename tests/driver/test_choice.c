// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "overlay.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

/*
 * The method that is chosen for auto, on kernels as they were: what an older one does not
 * know is refused here as it would be there.
 */

enum kernel { LINUX_6_15, LINUX_6_7, LINUX_6_5, LINUX_6_1 };

struct row {
	const char *title;
	enum kernel kernel;
	int has_threads;
	size_t lower_count;
	enum ovl2_mount_method method;
};

static const struct row rows[] = {
	{ "Linux 6.15, 1 lower", LINUX_6_15, 0, 1, OVL2_MOUNT_FD },
	{ "Linux 6.15, 500 lowers, threads", LINUX_6_15, 1, 500, OVL2_MOUNT_FD },
	{ "Linux 6.7, 8 lowers", LINUX_6_7, 0, 8, OVL2_MOUNT_ABSOLUTE },
	{ "Linux 6.7, 9 lowers", LINUX_6_7, 0, 9, OVL2_MOUNT_RELATIVE },
	{ "Linux 6.7, 128 lowers", LINUX_6_7, 0, 128, OVL2_MOUNT_RELATIVE },
	{ "Linux 6.7, 150 lowers", LINUX_6_7, 0, 150, OVL2_MOUNT_APPEND },
	{ "Linux 6.7, 9 lowers, threads", LINUX_6_7, 1, 9, OVL2_MOUNT_ABSOLUTE },
	{ "Linux 6.7, 128 lowers, threads", LINUX_6_7, 1, 128, OVL2_MOUNT_APPEND },
	{ "Linux 6.5, 128 lowers, threads", LINUX_6_5, 1, 128, OVL2_MOUNT_RELATIVE },
	{ "Linux 6.1, 9 lowers, threads", LINUX_6_1, 1, 9, OVL2_MOUNT_ABSOLUTE },
	{ "Linux 6.1, 128 lowers", LINUX_6_1, 0, 128, OVL2_MOUNT_RELATIVE },
	{ "Linux 6.1, 128 lowers, threads", LINUX_6_1, 1, 128, OVL2_MOUNT_RELATIVE },
};

static struct ovi_sys real;
static enum kernel kernel;

/*
 * EBADF is what it says to a descriptor of O_PATH before 6.15, EINVAL to names that it does
 * not know. Before 6.5 it takes any name as text, and no descriptors.
 */
static int fsconfig_as_it_was(int fd, unsigned int command, const char *key, const void *value,
                              int aux)
{
	if (kernel == LINUX_6_1 && command == FSCONFIG_SET_STRING)
		return 0;
	/* The one other name that is asked for is none. */
	if (command == FSCONFIG_SET_STRING && strcmp(key, "lowerdir+") != 0) {
		errno = EINVAL;
		return -1;
	}
	if (key && strcmp(key, "lowerdir+") == 0) {
		static const int sys[] = {
			[LINUX_6_7] = EBADF,
			[LINUX_6_5] = EINVAL,
			[LINUX_6_1] = EOPNOTSUPP,
		};

		errno = sys[kernel];
		if (kernel >= LINUX_6_5 || (kernel == LINUX_6_7 && command == FSCONFIG_SET_FD))
			return -1;
		/* What the real one has, if it has it. */
		return 0;
	}

	return real.fsconfig(fd, command, key, value, aux);
}

static void *wait_for_end(void *end)
{
	char byte;

	(void)!read(*(int *)end, &byte, 1);

	return NULL;
}

/* In a process of its own: what the kernel takes is asked once. */
static _Noreturn void choose(const struct row *row, const struct ovi_overlay *overlay)
{
	enum ovl2_mount_method method = OVL2_MOUNT_AUTO;
	pthread_t thread;
	int end[2];

	kernel = row->kernel;
	real = ovi_sys;
	ovi_sys.fsconfig = fsconfig_as_it_was;
	if (row->has_threads && (pipe2(end, O_CLOEXEC) < 0 ||
	                         pthread_create(&thread, NULL, wait_for_end, &end[0]) != 0))
		_exit(100);
	if (ovi_overlay_choose(overlay, OVL2_MOUNT_AUTO, &method, NULL) < 0)
		_exit(101);
	_exit((int)method);
}

static void check_row(void **state)
{
	const struct test_place *place = *state;
	const struct row *row = place->row;
	const char *names[OVI_MAX_LOWERS];
	const struct ovi_overlay overlay = {
		.home = place->fd,
		.home_path = place->path,
		.lower = names,
		.lower_count = row->lower_count,
		.upper = "box/diff",
		.work = "box/work",
	};
	int status;
	pid_t child;

	for (size_t i = 0; i < row->lower_count; i++)
		names[i] = "l/ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	child = fork();
	if (child == 0)
		choose(row, &overlay);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), row->method);
}

/* What shows a layer needs no choice: the kernel's first answer is enough. */
static _Noreturn void open_as_on(enum kernel as, const struct ovi_overlay *overlay)
{
	struct ovl2_error err = { 0 };
	int root = -1;

	kernel = as;
	real = ovi_sys;
	ovi_sys.fsconfig = fsconfig_as_it_was;
	if (ovi_overlay_open(overlay, &root, &err) < 0) {
		print_error("%s\n", err.message);
		_exit(1);
	}
	_exit(faccessat(root, "in-one", F_OK, 0) < 0 || faccessat(root, "in-two", F_OK, 0) < 0);
}

static void overlay_opens_on_older_kernels(void **state)
{
	const struct test_place *place = *state;
	static const enum kernel kernels[] = { LINUX_6_7, LINUX_6_1 };
	const char *names[] = { "one", "two" };
	const struct ovi_overlay overlay = {
		.home = place->fd,
		.home_path = place->path,
		.lower = names,
		.lower_count = ARRAY_SIZE(names),
	};

	assert_sys(mkdirat(place->fd, "one", 0755));
	assert_sys(mkdirat(place->fd, "two", 0755));
	assert_sys(mkdirat(place->fd, "one/in-one", 0755));
	assert_sys(mkdirat(place->fd, "two/in-two", 0755));
	/* Linux 6.5 says what it means in the mount context, which is not imitated here. */
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		int status;
		pid_t child = fork();

		if (child == 0)
			open_as_on(kernels[i], &overlay);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[1 + ARRAY_SIZE(rows)] = {
		cmocka_unit_test(overlay_opens_on_older_kernels),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[1 + i] = test_case(rows[i].title, check_row, &rows[i]);

	test_enter_namespace();
	return test_run("choice", tests, ARRAY_SIZE(tests), argc, argv);
}
