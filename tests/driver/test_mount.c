// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

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
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct test_resources before;

	create_layer(store, "base", NULL);
	create_container(store, "box", "base");

	/* What the handle learns from the first mount it keeps. */
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
		cmocka_unit_test(bad_label_is_refused),
	};

	test_enter_namespace();
	return test_run_everywhere("mount", tests, ARRAY_SIZE(tests), argc, argv);
}
