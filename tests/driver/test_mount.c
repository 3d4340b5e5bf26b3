// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

/* Mounting and unmounting layers, on every filesystem. */

static void mount_is_where_the_metadata_says(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_free char *expected = test_path("%s/base/merged", home);
	cleanup_free char *path = NULL;

	create_layer(store, "base", NULL);
	path = mount_layer(store, "base");
	assert_string_equal(path, expected);
	assert_true(test_is_mounted(path));
	unmount_layer(store, "base");
	assert_false(test_is_mounted(path));
}

static void mounts_are_counted(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *first = NULL;
	cleanup_free char *second = NULL;
	cleanup_free char *count = NULL;

	create_layer(store, "base", NULL);
	first = mount_layer(store, "base");
	second = mount_layer(store, "base");
	assert_string_equal(first, second);
	assert_int_equal(test_count_mounts_below(first), 1);
	count = layer_fact(store, "base", "Mounts");
	assert_string_equal(count, "2");

	assert_int_equal(unmount_layer(store, "base"), 1);
	assert_true(test_is_mounted(first));
	assert_int_equal(unmount_layer(store, "base"), 0);
	assert_false(test_is_mounted(first));
}

static void unmounting_what_is_not_mounted_is_no_error(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;

	create_layer(store, "base", NULL);
	assert_int_equal(unmount_layer(store, "base"), 0);
	assert_int_equal(unmount_layer(store, "base"), 0);

	/* And it does not go below zero. */
	path = mount_layer(store, "base");
	assert_true(test_is_mounted(path));
	assert_int_equal(unmount_layer(store, "base"), 0);
	assert_false(test_is_mounted(path));
}

static void count_survives_reopening_the_store(void **state)
{
	struct test_place *place = *state;
	struct ovl2_store *store = open_store(place);
	cleanup_store struct ovl2_store *again = NULL;
	cleanup_free char *path = NULL;

	create_layer(store, "base", NULL);
	path = mount_layer(store, "base");
	free(mount_layer(store, "base"));
	ovl2_store_close(store);
	assert_true(test_is_mounted(path));

	again = open_store(place);
	assert_int_equal(unmount_layer(again, "base"), 1);
	assert_true(test_is_mounted(path));
	assert_int_equal(unmount_layer(again, "base"), 0);
	assert_false(test_is_mounted(path));
}

static void mount_of_another_process_is_found(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *path = NULL;
	pid_t child;
	int status;

	create_layer(store, "base", NULL);
	child = fork();
	if (child == 0) {
		struct ovl2_store *other = open_store(place);

		_exit(ovl2_layer_mount(other, "base", NULL, NULL, NULL) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);

	path = mount_layer(store, "base");
	assert_int_equal(test_count_mounts_below(path), 1);
	assert_int_equal(unmount_layer(store, "base"), 1);
	assert_int_equal(unmount_layer(store, "base"), 0);
	assert_false(test_is_mounted(path));
}

static void mount_that_somebody_undid_is_made_again(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;

	create_layer(store, "base", NULL);
	path = mount_layer(store, "base");
	assert_sys(umount2(path, 0));

	free(mount_layer(store, "base"));
	assert_true(test_is_mounted(path));
	while (unmount_layer(store, "base"))
		;
	assert_false(test_is_mounted(path));
}

static void unmounting_after_somebody_else_did_is_no_error(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	path = mount_layer(store, "base");
	assert_sys(umount2(path, 0));
	assert_int_equal(unmount_layer(store, "base"), 0);
	assert_ok(ovl2_layer_remove(store, "base", &err), &err);
}

static void files_in_use_keep_the_mount_and_its_count(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;
	cleanup_free char *count = NULL;
	struct ovl2_error err = { 0 };
	int busy;

	create_layer(store, "base", NULL);
	path = mount_layer(store, "base");
	busy = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(busy >= 0);

	assert_fails(ovl2_layer_unmount(store, "base", &err), OVL2_E_BUSY, &err);
	assert_true(test_is_mounted(path));
	count = layer_fact(store, "base", "Mounts");
	assert_string_equal(count, "1");

	close(busy);
	assert_int_equal(unmount_layer(store, "base"), 0);
}

static void committed_layer_is_mounted_read_only(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;
	cleanup_free char *file = NULL;

	create_layer(store, "base", NULL);
	create_layer(store, "child", "base");
	path = mount_layer(store, "base");
	file = test_path("%s/new", path);

	assert_int_equal(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), -1);
	assert_int_equal(errno, EROFS);
	unmount_layer(store, "base");
}

static void applied_layer_is_mounted_read_only(void **state)
{
	const struct test_tar_entry entries[] = { { .name = "file", .content = "text" } };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;
	cleanup_free char *file = NULL;

	create_layer(store, "base", NULL);
	apply_entries(store, "base", entries, ARRAY_SIZE(entries));
	path = mount_layer(store, "base");
	file = test_path("%s/file", path);

	assert_int_equal(open(file, O_WRONLY | O_CLOEXEC), -1);
	assert_int_equal(errno, EROFS);
	unmount_layer(store, "base");
}

static void read_only_mount_of_a_container_cannot_be_written(void **state)
{
	const struct ovl2_mount_options options = { .size = sizeof(options), .read_only = 1 };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;
	cleanup_free char *file = NULL;
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	create_container(store, "box", "base");
	assert_ok(ovl2_layer_mount(store, "box", &options, &path, &err), &err);
	file = test_path("%s/new", path);
	assert_int_equal(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), -1);
	assert_int_equal(errno, EROFS);

	/* Whoever wants to write is told that it is mounted otherwise. */
	assert_fails(ovl2_layer_mount(store, "box", NULL, NULL, &err), OVL2_E_BUSY, &err);
	assert_int_equal(unmount_layer(store, "box"), 0);
}

static void parent_that_is_mounted_writable_gets_no_child(void **state)
{
	const struct ovl2_layer_options options = { .size = sizeof(options), .parent = "base" };
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	free(mount_layer(store, "base"));
	assert_fails(ovl2_layer_create(store, "child", &options, &err), OVL2_E_BUSY, &err);
	unmount_layer(store, "base");
	assert_ok(ovl2_layer_create(store, "child", &options, &err), &err);
}

static void cleanup_unmounts_everything(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_free char *text = NULL;
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	create_container(store, "one", "base");
	create_container(store, "two", "base");
	free(mount_layer(store, "one"));
	free(mount_layer(store, "two"));
	free(mount_layer(store, "two"));
	assert_int_equal(test_count_mounts_below(home), 2);

	assert_ok(ovl2_store_cleanup(store, &err), &err);
	assert_int_equal(test_count_mounts_below(home), 0);
	text = list_layers(store);
	assert_contains(text, "two parent=base depth=1 mounts=0");
}

static void mounting_leaks_nothing(void **state)
{
	const struct timespec tick = { .tv_nsec = 50000000 };
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct test_resources before;

	create_layer(store, "base", NULL);
	create_container(store, "box", "base");

	/* What the handle learns from a mount it keeps, of layers that have not just changed. */
	nanosleep(&tick, NULL);
	free(mount_layer(store, "box"));
	unmount_layer(store, "box");
	before = test_resources_count();
	for (int i = 0; i < 3; i++) {
		free(mount_layer(store, "box"));
		unmount_layer(store, "box");
	}
	test_resources_assert_same(before);
}

static void store_can_be_moved(void **state)
{
	const struct test_entry entries[] = { { 'f', "file", "text", 0, 0, 0, 0, NULL } };
	struct test_place *place = *state;
	cleanup_free char *home = store_path(place);
	cleanup_free char *aside = test_path("%s/moved", place->path);
	cleanup_free char *run = run_path(place);
	const struct ovl2_store_options options = store_options(run);
	struct ovl2_store *store = open_store(place);
	cleanup_store struct ovl2_store *moved = NULL;
	cleanup_free char *text = NULL;
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	change_layer(store, "base", entries, ARRAY_SIZE(entries));
	create_layer(store, "child", "base");
	ovl2_store_close(store);
	assert_sys(rename(home, aside));

	assert_ok(ovl2_store_open(aside, &options, &moved, &err), &err);
	text = describe_layer(moved, "child", TEST_TREE_NAMES);
	assert_string_equal(text, "f file\n");
}

/* Its inode is that of every other subvolume, and mounts are counted by inode. */
static void check_subvolume(const struct test_place *place)
{
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_free char *box = test_path("%s/box", home);
	cleanup_free char *plain = test_path("%s/.plain", home);
	cleanup_free char *command = test_path("cp -a '%s/.' '%s'", plain, box);
	struct btrfs_ioctl_vol_args arguments = { .name = "box" };
	struct ovl2_error err = { 0 };
	cleanup_fd int dir = -1;

	create_container(store, "box", NULL);
	assert_sys(rename(box, plain));
	dir = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_sys(ioctl(dir, BTRFS_IOC_SUBVOL_CREATE, &arguments));
	assert_int_equal(system(command), 0);

	assert_int_equal(ovl2_layer_mount(store, "box", NULL, NULL, &err), OVL2_E_CORRUPT);
	assert_contains(err.message, "subvolume of its own");
	assert_ok(ovl2_layer_remove(store, "box", &err), &err);
	test_remove_tree(plain);
}

static void layer_that_is_a_subvolume_is_refused(void **state)
{
	const struct test_place *place = *state;

	if (strcmp(place->filesystem, "btrfs") != 0)
		test_skip("no subvolumes on %s", place->filesystem);
	check_subvolume(place);
}

static void bad_label_is_refused(void **state)
{
	const struct ovl2_mount_options options = {
		.size = sizeof(options),
		.label = "evil\",lowerdir=/etc,context=\"",
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	assert_fails(ovl2_layer_mount(store, "base", &options, NULL, &err), OVL2_E_INVALID, &err);
}

/* -------------------------------------------------------- working directory -- */

/* Those by which names are walked from the store. */
static const struct ovl2_mount_options from_store[] = {
	{ .size = sizeof(from_store[0]), .method = OVL2_MOUNT_RELATIVE },
	{ .size = sizeof(from_store[0]), .method = OVL2_MOUNT_APPEND },
};

static ino_t working_directory(void)
{
	struct stat st;

	assert_sys(stat(".", &st));

	return st.st_ino;
}

static void mount_from_store(struct ovl2_store *store, const struct ovl2_mount_options *options)
{
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_layer_mount(store, "box", options, NULL, &err), &err);
	assert_int_equal(unmount_layer(store, "box"), 0);
}

/* Where the kernel does not have the second way: by the first one only. */
static void mount_from_store_often(const struct test_place *place, struct ovl2_store *store,
                                   int times)
{
	struct ovl2_evidence evidence = { 0 };
	size_t ways = ARRAY_SIZE(from_store);

	if (ovl2_probe_mount_method(place->fd, OVL2_MOUNT_APPEND, &evidence, NULL) == 0)
		ways--;
	for (int i = 0; i < times; i++)
		for (size_t k = 0; k < ways; k++)
			mount_from_store(store, &from_store[k]);
}

/* Also one that has no name any more, and after a mount that failed. */
static void mount_leaves_the_working_directory(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *here = test_path("%s/here", place->path);
	ino_t before;

	create_layer(store, "base", NULL);
	create_container(store, "box", "base");
	assert_sys(mkdir(here, 0700));
	assert_sys(chdir(here));
	assert_sys(rmdir(here));
	before = working_directory();

	mount_from_store_often(place, store, 2);
	assert_int_equal(working_directory(), before);
	for (size_t i = 0; i < ARRAY_SIZE(from_store); i++) {
		struct ovl2_mount_options bad = from_store[i];

		/* Where there are labels it works. */
		bad.label = "a:b:c";
		if (ovl2_layer_mount(store, "box", &bad, NULL, NULL) == 0)
			unmount_layer(store, "box");
		assert_int_equal(working_directory(), before);
	}
	assert_sys(chdir("/"));
}

static ino_t expected_directory;
static volatile sig_atomic_t ticks;
static volatile sig_atomic_t strayed;

static void look_around(int signal)
{
	struct stat st;

	(void)signal;
	ticks = ticks + 1;
	if (stat(".", &st) < 0 || st.st_ino != expected_directory)
		strayed = 1;
}

static void signal_handler_sees_the_working_directory(void **state)
{
	const struct sigaction action = { .sa_handler = look_around, .sa_flags = SA_RESTART };
	const struct itimerval often = { { 0, 100 }, { 0, 100 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	struct sigaction before;

	create_layer(store, "base", NULL);
	create_container(store, "box", "base");
	expected_directory = working_directory();
	ticks = 0;
	strayed = 0;

	assert_sys(sigaction(SIGALRM, &action, &before));
	assert_sys(setitimer(ITIMER_REAL, &often, NULL));
	mount_from_store_often(place, store, 100);
	assert_sys(setitimer(ITIMER_REAL, &never, NULL));
	assert_sys(sigaction(SIGALRM, &before, NULL));

	assert_true(ticks > 0);
	assert_false(strayed);
}

static void *wait_for_end(void *end)
{
	char byte;

	(void)!read(*(int *)end, &byte, 1);

	return NULL;
}

static void other_threads_see_the_working_directory(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	ino_t before = working_directory();
	pthread_t thread;
	int end[2];

	create_layer(store, "base", NULL);
	create_container(store, "box", "base");
	assert_sys(pipe2(end, O_CLOEXEC));
	assert_int_equal(pthread_create(&thread, NULL, wait_for_end, &end[0]), 0);
	mount_from_store_often(place, store, 20);
	assert_int_equal(working_directory(), before);
	close(end[1]);
	pthread_join(thread, NULL);
	close(end[0]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mount_is_where_the_metadata_says),
		cmocka_unit_test(mounts_are_counted),
		cmocka_unit_test(unmounting_what_is_not_mounted_is_no_error),
		cmocka_unit_test(count_survives_reopening_the_store),
		cmocka_unit_test(mount_of_another_process_is_found),
		cmocka_unit_test(mount_that_somebody_undid_is_made_again),
		cmocka_unit_test(unmounting_after_somebody_else_did_is_no_error),
		cmocka_unit_test(files_in_use_keep_the_mount_and_its_count),
		cmocka_unit_test(committed_layer_is_mounted_read_only),
		cmocka_unit_test(applied_layer_is_mounted_read_only),
		cmocka_unit_test(read_only_mount_of_a_container_cannot_be_written),
		cmocka_unit_test(parent_that_is_mounted_writable_gets_no_child),
		cmocka_unit_test(cleanup_unmounts_everything),
		cmocka_unit_test(mounting_leaks_nothing),
		cmocka_unit_test(store_can_be_moved),
		cmocka_unit_test(layer_that_is_a_subvolume_is_refused),
		cmocka_unit_test(bad_label_is_refused),
		cmocka_unit_test(mount_leaves_the_working_directory),
		cmocka_unit_test(signal_handler_sees_the_working_directory),
		cmocka_unit_test(other_threads_see_the_working_directory),
	};

	test_enter_namespace();
	return test_run_everywhere("mount", tests, ARRAY_SIZE(tests), argc, argv);
}
