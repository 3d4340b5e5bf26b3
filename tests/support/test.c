// SPDX-License-Identifier: MIT
#include "test.h"

#include "filesystem.h"

#include "fail.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <libmount/libmount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* Of the running program: to tell "all skipped" from "some skipped". */
static size_t case_count;
static size_t skipped_count;

/* A pattern for titles, or NULL for all. */
static const char *wanted_cases;

/* The filesystem the running group is on, and where it is mounted. */
static const char *current_filesystem;
static char *current_area;

/* -------------------------------------------------------------- programs -- */

void test_enter_namespace(void)
{
	if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		return;

	print_message("skipped: a private mount namespace: %s\n", strerror(errno));
	exit(TEST_EXIT_SKIPPED);
}

void test_skip(const char *format, ...)
{
	char reason[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);

	print_message("skipped: %s\n", reason);
	skipped_count++;
	skip();
	abort();
}

static int place_enter(void **state)
{
	cleanup_free struct test_place *place = calloc(1, sizeof(*place));
	cleanup_free char *path = test_path("%s/place", current_area);

	if (!place || mkdir(path, 0755) < 0 || chmod(path, 0755) < 0)
		return -1;
	place->filesystem = current_filesystem;
	place->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	place->row = *state;
	if (place->fd < 0)
		return -1;
	place->path = steal_ptr(&path);
	*state = steal_ptr(&place);

	return 0;
}

static int place_leave(void **state)
{
	struct test_place *place = *state;

	close(place->fd);
	test_unmount_below(place->path);
	test_remove_tree(place->path);
	free(place->path);
	free(place);

	return 0;
}

/* cmocka does not print the name of the group, so each case carries it. */
static char *case_title(const char *title)
{
	if (!current_filesystem)
		return test_path("%s", title);

	return test_path("%s, on %s", title, current_filesystem);
}

/* Those of the cases that were asked for, in places of their own. */
static size_t place_cases(const struct CMUnitTest *tests, size_t count, struct CMUnitTest *placed)
{
	size_t placed_count = 0;

	for (size_t i = 0; i < count; i++) {
		char *title = case_title(tests[i].name);

		if (wanted_cases && fnmatch(wanted_cases, title, 0) != 0) {
			free(title);
			continue;
		}
		placed[placed_count++] = (struct CMUnitTest){
			.name = title,
			.test_func = tests[i].test_func,
			.setup_func = place_enter,
			.teardown_func = place_leave,
			.initial_state = tests[i].initial_state,
		};
	}

	return placed_count;
}

/* Runs the cases in `area`; takes the area over and removes it. */
static int run_group(const char *name, const struct CMUnitTest *tests, size_t count, char *area)
{
	struct CMUnitTest *placed = calloc(count, sizeof(*placed));
	size_t placed_count;
	int failed = 0;

	if (!placed)
		return -1;
	placed_count = place_cases(tests, count, placed);
	case_count += placed_count;
	current_area = area;
	if (placed_count)
		failed = _cmocka_run_group_tests(name, placed, placed_count, NULL, NULL);
	test_scratch_remove(area);
	for (size_t i = 0; i < placed_count; i++)
		free((char *)placed[i].name);
	free(placed);

	return failed;
}

static void choose_cases(int argc, char **argv)
{
	/* cmocka writes to both; keep the lines in order when they go to a file. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);

	if (argc > 1)
		wanted_cases = argv[1];
}

static int exit_code(int failed)
{
	if (failed)
		return 1;

	return skipped_count == case_count ? TEST_EXIT_SKIPPED : 0;
}

int test_run(const char *name, const struct CMUnitTest *tests, size_t count, int argc, char **argv)
{
	choose_cases(argc, argv);
	return exit_code(run_group(name, tests, count, test_scratch_create()));
}

static int run_on(const char *type, const char *name, const struct CMUnitTest *tests, size_t count)
{
	const struct test_filesystem filesystem = { .type = type };
	struct ovl2_error err = { 0 };
	char *area = test_scratch_create();
	int r = test_filesystem_mount(&filesystem, area, &err);

	if (r == 0 && !test_has_attributes(area))
		r = ovi_fail(&err, OVL2_E_UNSUPPORTED, "files have no attributes here");
	if (r == OVL2_E_UNSUPPORTED) {
		print_message("skipped: %s: %s\n", type, err.message);
		skipped_count += count;
		case_count += count;
		test_scratch_remove(area);
		return 0;
	}
	if (r < 0) {
		print_error("%s: %s\n", type, err.message);
		test_scratch_remove(area);
		return 1;
	}
	current_filesystem = type;

	return run_group(name, tests, count, area);
}

int test_run_everywhere(const char *name, const struct CMUnitTest *tests, size_t count, int argc,
                        char **argv)
{
	int failed = 0;

	choose_cases(argc, argv);
	for (size_t i = 0; test_filesystem_types[i]; i++)
		failed |= run_on(test_filesystem_types[i], name, tests, count);

	return exit_code(failed);
}

/* ------------------------------------------------------------- leftovers -- */

static struct libmnt_table *read_mounts(void)
{
	struct libmnt_table *table = mnt_new_table();

	if (!table || mnt_table_parse_mtab(table, "/proc/self/mountinfo") != 0)
		fail_msg("cannot read the mount table");

	return table;
}

static int is_below(const char *path, const char *root)
{
	size_t length = strcmp(root, "/") != 0 ? strlen(root) : 0;

	return !strncmp(path, root, length) && (path[length] == '/' || path[length] == '\0');
}

size_t test_count_mounts_below(const char *path)
{
	struct libmnt_table *table = read_mounts();
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;
	size_t count = 0;

	while (mnt_table_next_fs(table, iter, &fs) == 0)
		count += is_below(mnt_fs_get_target(fs), path);
	mnt_free_iter(iter);
	mnt_unref_table(table);

	return count;
}

void test_unmount_below(const char *path)
{
	struct libmnt_table *table = read_mounts();
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_BACKWARD);
	struct libmnt_fs *fs;

	while (mnt_table_next_fs(table, iter, &fs) == 0)
		if (is_below(mnt_fs_get_target(fs), path))
			umount2(mnt_fs_get_target(fs), MNT_DETACH);
	mnt_free_iter(iter);
	mnt_unref_table(table);
}

int test_has_attributes(const char *path)
{
	if (setxattr(path, "user.ovl2-test", "", 0, 0) < 0)
		return errno != EOPNOTSUPP;
	removexattr(path, "user.ovl2-test");

	return 1;
}

int test_is_mounted(const char *path)
{
	struct libmnt_table *table = read_mounts();
	int found = mnt_table_find_target(table, path, MNT_ITER_BACKWARD) != NULL;

	mnt_unref_table(table);
	return found;
}

static size_t count_entries(const char *path, const char *prefix)
{
	cleanup_dir DIR *dir = opendir(path);
	struct dirent *entry;
	size_t count = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		count += !strncmp(entry->d_name, prefix, strlen(prefix));

	return count;
}

/* Is this loop device one of ours? Images are named after the process. */
static int is_own_loop(const char *name)
{
	cleanup_free char *path = test_path("/sys/block/%s/loop/backing_file", name);
	cleanup_free char *own = test_path("/image-%d ", getpid());
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char image[4096] = "";

	return fd >= 0 && read(fd, image, sizeof(image) - 1) > 0 && strstr(image, own);
}

static size_t count_loops(void)
{
	cleanup_dir DIR *dir = opendir("/sys/block");
	struct dirent *entry;
	size_t count = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		count += !strncmp(entry->d_name, "loop", 4) && is_own_loop(entry->d_name);

	return count;
}

struct test_resources test_resources_count(void)
{
	return (struct test_resources){
		.fds = count_entries("/proc/self/fd", ""),
		.mounts = test_count_mounts_below("/"),
		.loops = count_loops(),
	};
}

void test_resources_assert_same(struct test_resources before)
{
	struct test_resources now = test_resources_count();

	assert_int_equal(now.fds, before.fds);
	assert_int_equal(now.mounts, before.mounts);
	assert_int_equal(now.loops, before.loops);
}

/* --------------------------------------------------------------- kernel log -- */

int test_kernel_log_open(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (log >= 0)
		lseek(log, 0, SEEK_END);

	return log;
}

size_t test_kernel_log_count(int log, const char *first, const char *second)
{
	char record[8192];
	size_t count = 0;

	for (;;) {
		ssize_t length = read(log, record, sizeof(record) - 1);

		/* EPIPE: records were overwritten before we read them. */
		if (length < 0 && errno == EPIPE)
			continue;
		if (length <= 0)
			return count;
		record[length] = '\0';
		if (!strstr(record, first) || !strstr(record, second))
			continue;
		print_message("kernel: %s", record);
		count++;
	}
}
