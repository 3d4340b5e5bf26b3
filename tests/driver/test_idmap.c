#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Mounts for another user namespace: the ids of lowers mapped, the layers untouched. */

#define FIRST_ID 100000
#define COUNT_ID 65536

static int wait_for_end(void *data)
{
	(void)data;
	pause();

	return 0;
}

static void write_map(pid_t pid, const char *name)
{
	cleanup_free char *path = test_path("/proc/%d/%s", (int)pid, name);
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
	char text[64];
	int length = snprintf(text, sizeof(text), "0 %d %d", FIRST_ID, COUNT_ID);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, (size_t)length), length);
}

/* A namespace in which 0 is FIRST_ID outside. Lives as long as the descriptor. */
static int open_namespace(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	cleanup_free char *path = NULL;
	pid_t pid = clone(wait_for_end, stack + sizeof(stack), CLONE_NEWUSER | SIGCHLD, NULL);
	int fd;

	if (pid < 0)
		test_skip("user namespaces are not allowed here: %s", strerror(errno));
	write_map(pid, "uid_map");
	write_map(pid, "gid_map");
	path = test_path("/proc/%d/ns/user", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(fd >= 0);

	return fd;
}

static struct stat stat_below(const char *path, const char *name)
{
	cleanup_free char *whole = test_path("%s/%s", path, name);
	struct stat st;

	assert_int_equal(lstat(whole, &st), 0);

	return st;
}

static void create_base(struct ovl2_store *store)
{
	const struct test_entry entry = { 'f', "file", "text", 04755, 5, 6, 0, NULL };

	create_layer(store, "base", NULL);
	change_layer(store, "base", &entry, 1);
	create_container(store, "box", "base");
}

/* For a namespace, where this kernel and filesystem can: Linux 6.13 is the first. */
static void mount_for(struct ovl2_store *store, const struct ovl2_mount_options *options,
                      char **ret_path)
{
	struct ovl2_error err = { 0 };
	int r = ovl2_layer_mount(store, "box", options, ret_path, &err);

	if (r == OVL2_E_UNSUPPORTED)
		test_skip("%s", err.message);
	assert_ok(r, &err);
}

static void ids_of_lowers_are_mapped(void **state)
{
	cleanup_fd int namespace = open_namespace();
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *home = store_path(*state);
	const struct ovl2_mount_options options = { .size = sizeof(options),
		                                    .user_namespace = namespace };
	cleanup_free char *path = NULL;

	create_base(store);
	mount_for(store, &options, &path);
	assert_int_equal(stat_below(path, "").st_uid, FIRST_ID);
	assert_int_equal(stat_below(path, "file").st_uid, FIRST_ID + 5);
	assert_int_equal(stat_below(path, "file").st_gid, FIRST_ID + 6);
	assert_int_equal(stat_below(path, "file").st_mode & 07777, 04755);

	/* The layer below serves others, who see it as it is. */
	assert_int_equal(stat_below(home, "base/diff/file").st_uid, 5);
	unmount_layer(store, "box");
}

static void copied_up_files_keep_mapped_ids(void **state)
{
	cleanup_fd int namespace = open_namespace();
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *home = store_path(*state);
	const struct ovl2_mount_options options = { .size = sizeof(options),
		                                    .user_namespace = namespace };

	create_base(store);
	for (int i = 0; i < 2; i++) {
		cleanup_free char *path = NULL;
		cleanup_free char *file = NULL;

		mount_for(store, &options, &path);
		file = test_path("%s/file", path);
		assert_int_equal(chmod(file, 0700 + i), 0);
		assert_int_equal(stat_below(path, "").st_uid, FIRST_ID);
		assert_int_equal(stat_below(path, "file").st_uid, FIRST_ID + 5);
		unmount_layer(store, "box");
	}
	assert_int_equal(stat_below(home, "box/diff/file").st_uid, FIRST_ID + 5);
	assert_int_equal(stat_below(home, "box/diff").st_gid, FIRST_ID);
}

static void other_methods_say_that_they_cannot(void **state)
{
	cleanup_fd int namespace = open_namespace();
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *home = store_path(*state);
	const struct ovl2_mount_options options = { .size = sizeof(options),
		                                    .method = OVL2_MOUNT_RELATIVE,
		                                    .user_namespace = namespace };
	struct ovl2_error err = { 0 };

	create_base(store);
	assert_fails(ovl2_layer_mount(store, "box", &options, NULL, &err), OVL2_E_INVALID, &err);
	assert_contains(err.message, "fd");
	assert_int_equal(test_count_mounts_below(home), 0);
}

static void mount_of_another_namespace_is_busy(void **state)
{
	cleanup_fd int namespace = open_namespace();
	cleanup_fd int other = open_namespace();
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_mount_options options = { .size = sizeof(options),
		                              .user_namespace = namespace };
	struct ovl2_error err = { 0 };

	create_base(store);
	mount_for(store, &options, NULL);
	options.user_namespace = other;
	assert_fails(ovl2_layer_mount(store, "box", &options, NULL, &err), OVL2_E_BUSY, &err);
	assert_fails(ovl2_layer_mount(store, "box", NULL, NULL, &err), OVL2_E_BUSY, &err);
	assert_int_equal(unmount_layer(store, "box"), 0);
}

static void file_that_is_no_namespace_is_refused(void **state)
{
	cleanup_fd int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *home = store_path(*state);
	const struct ovl2_mount_options options = { .size = sizeof(options),
		                                    .user_namespace = file };
	struct ovl2_error err = { 0 };

	create_base(store);
	assert_true(ovl2_layer_mount(store, "box", &options, NULL, &err) < 0);
	assert_string_not_equal(err.message, "");
	assert_int_equal(test_count_mounts_below(home), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_of_lowers_are_mapped),
		cmocka_unit_test(copied_up_files_keep_mapped_ids),
		cmocka_unit_test(other_methods_say_that_they_cannot),
		cmocka_unit_test(mount_of_another_namespace_is_busy),
		cmocka_unit_test(file_that_is_no_namespace_is_refused),
	};

	test_enter_namespace();
	return test_run_everywhere("idmap", tests, ARRAY_SIZE(tests), argc, argv);
}
