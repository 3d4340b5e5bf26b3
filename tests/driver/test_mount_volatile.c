// SPDX-License-Identifier: MIT
#include "mounted.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

/*
 * Mounts without syncs: the kernel's mark and ours, from the mount to the last
 * unmount, after an unmount behind the store's back, and after another boot.
 */

static const struct ovl2_mount_options without_syncs = {
	.size = sizeof(without_syncs),
	.skip_sync = 1,
};

static void create_box(struct ovl2_store *store)
{
	create_layer(store, "base", NULL);
	create_container(store, "box", "base");
}

static int is_there(const struct test_place *place, const char *name)
{
	cleanup_free char *path = test_path("%s/store/box/%s", place->path, name);

	return access(path, F_OK) == 0;
}

static int has_marks(const struct test_place *place)
{
	return is_there(place, "volatile") + is_there(place, "work/work/incompat/volatile");
}

/* As it is after the machine went down with it mounted: another boot's mark. */
static void lose_power(const struct test_place *place)
{
	cleanup_free char *path = test_path("%s/store/box/volatile", place->path);

	test_file_write(path, "00000000-0000-4000-8000-000000000000\n");
}

static void write_in(const char *path, const char *name)
{
	cleanup_free char *file = test_path("%s/%s", path, name);

	test_file_write(file, name);
}

static void mark_is_there_while_mounted(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *text = NULL;

	create_box(store);
	for (int method = OVL2_MOUNT_AUTO; method <= OVL2_MOUNT_FD; method++) {
		struct ovl2_mount_options options = without_syncs;
		cleanup_free char *path = NULL;
		cleanup_free char *shown = NULL;
		cleanup_free char *name = test_path("by-%d", method);

		options.method = method;
		if (!has_method(place, method))
			continue;
		path = mount_layer_with(store, "box", &options);
		shown = mounted_options(path);
		assert_contains(shown, "volatile");
		assert_int_equal(has_marks(place), 2);
		write_in(path, name);
		unmount_layer(store, "box");
		assert_int_equal(has_marks(place), 0);
	}

	/* An ordinary layer again, with all of it. */
	text = describe_layer(store, "box", TEST_TREE_NAMES);
	assert_contains(text, "f by-0\n");
	assert_int_equal(has_marks(place), 0);
}

static void mark_stays_until_the_last_unmount(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);

	create_box(store);
	free(mount_layer_with(store, "box", &without_syncs));
	free(mount_layer_with(store, "box", &without_syncs));
	assert_int_equal(unmount_layer(store, "box"), 1);
	assert_int_equal(has_marks(place), 2);
	assert_int_equal(unmount_layer(store, "box"), 0);
	assert_int_equal(has_marks(place), 0);
}

static void unmounted_by_others_in_the_same_boot_is_fine(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *path = NULL;
	cleanup_free char *text = NULL;

	create_box(store);
	path = mount_layer_with(store, "box", &without_syncs);
	write_in(path, "kept");
	assert_sys(umount2(path, 0));
	assert_int_equal(has_marks(place), 2);

	text = describe_layer(store, "box", TEST_TREE_NAMES);
	assert_string_equal(text, "f kept\n");
	assert_int_equal(has_marks(place), 0);
}

static void unmounted_by_cleanup_leaves_no_mark(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *path = NULL;
	struct ovl2_error err = { 0 };

	create_box(store);
	path = mount_layer_with(store, "box", &without_syncs);
	assert_ok(ovl2_store_cleanup(store, &err), &err);
	assert_false(test_is_mounted(path));
	assert_int_equal(has_marks(place), 0);
}

static void unmounting_after_others_did_leaves_no_mark(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *path = NULL;

	create_box(store);
	path = mount_layer_with(store, "box", &without_syncs);
	assert_sys(umount2(path, 0));
	assert_int_equal(unmount_layer(store, "box"), 0);

	/* Ours may stay: it says when, and the next mount takes it away. */
	free(mount_layer(store, "box"));
	unmount_layer(store, "box");
	assert_int_equal(has_marks(place), 0);
}

static int give_child(struct ovl2_store *store, struct ovl2_error *err)
{
	const struct ovl2_layer_options options = { .size = sizeof(options), .parent = "box" };

	return ovl2_layer_create(store, "child", &options, err);
}

/* Each use of the content is refused with this; only removing is left. */
static void another_boot_makes_it_untrusted(void **state)
{
	struct test_place *place = *state;
	struct ovl2_store *store = open_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_free char *path = NULL;
	struct ovl2_error err = { 0 };

	create_box(store);
	path = mount_layer_with(store, "box", &without_syncs);
	write_in(path, "lost");
	assert_sys(umount2(path, 0));
	lose_power(place);

	assert_fails(ovl2_layer_mount(store, "box", NULL, NULL, &err), OVL2_E_CORRUPT, &err);
	assert_contains(err.message, "without syncs when the machine went down");
	assert_contains(err.message, "remove it");
	assert_fails(ovl2_layer_mount(store, "box", &without_syncs, NULL, &err), OVL2_E_CORRUPT,
	             &err);
	assert_fails(give_child(store, &err), OVL2_E_CORRUPT, &err);
	assert_contains(err.message, "remove it");
	assert_int_equal(ovl2_layer_exists(store, "child", &err), 0);
	assert_false(test_is_mounted(path));
	assert_int_equal(test_count_mounts_below(home), 0);

	assert_ok(ovl2_layer_remove(store, "box", &err), &err);
	assert_int_equal(ovl2_layer_exists(store, "box", &err), 0);
	ovl2_store_close(store);
}

static void read_only_mount_leaves_syncs_alone(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	struct ovl2_mount_options options = without_syncs;
	cleanup_free char *path = NULL;
	cleanup_free char *shown = NULL;

	options.read_only = 1;
	create_box(store);
	path = mount_layer_with(store, "box", &options);
	shown = mounted_options(path);
	assert_null(strstr(shown, "volatile"));
	assert_int_equal(has_marks(place), 0);
	unmount_layer(store, "box");
}

/* What a layer that cannot be written does not need makes no difference to it. */
static void committed_layer_leaves_syncs_alone(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *path = NULL;
	cleanup_free char *shown = NULL;

	create_box(store);
	path = mount_layer_with(store, "base", &without_syncs);
	shown = mounted_options(path);
	assert_null(strstr(shown, "volatile"));
	free(mount_layer(store, "base"));
	assert_int_equal(unmount_layer(store, "base"), 1);
	assert_int_equal(unmount_layer(store, "base"), 0);
}

static void failed_mount_leaves_an_ordinary_layer(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	struct ovl2_mount_options options = without_syncs;
	cleanup_free char *text = NULL;
	struct ovl2_error err = { 0 };

	if (access("/sys/fs/selinux/enforce", F_OK) == 0)
		test_skip("labels mount here");
	options.label = "a:b:c";
	create_box(store);
	assert_true(ovl2_layer_mount(store, "box", &options, NULL, &err) < 0);
	text = describe_layer(store, "box", TEST_TREE_NAMES);
	assert_string_equal(text, "");
	assert_int_equal(has_marks(place), 0);
}

/* What a handle remembers of a layer ends with a change of it, however soon after. */
static void mark_is_seen_by_who_just_mounted_without(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *mark = test_path("%s/store/box/volatile", place->path);
	struct ovl2_error err = { 0 };

	create_box(store);
	for (int i = 0; i < 50; i++) {
		free(mount_layer(store, "box"));
		assert_int_equal(unmount_layer(store, "box"), 0);
		lose_power(place);
		assert_fails(ovl2_layer_mount(store, "box", NULL, NULL, &err), OVL2_E_CORRUPT,
		             &err);
		assert_sys(unlink(mark));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mark_is_there_while_mounted),
		cmocka_unit_test(mark_stays_until_the_last_unmount),
		cmocka_unit_test(unmounted_by_others_in_the_same_boot_is_fine),
		cmocka_unit_test(unmounted_by_cleanup_leaves_no_mark),
		cmocka_unit_test(unmounting_after_others_did_leaves_no_mark),
		cmocka_unit_test(another_boot_makes_it_untrusted),
		cmocka_unit_test(mark_is_seen_by_who_just_mounted_without),
		cmocka_unit_test(read_only_mount_leaves_syncs_alone),
		cmocka_unit_test(committed_layer_leaves_syncs_alone),
		cmocka_unit_test(failed_mount_leaves_an_ordinary_layer),
	};

	test_enter_namespace();
	return test_run_everywhere("mount_volatile", tests, ARRAY_SIZE(tests), argc, argv);
}
