// SPDX-License-Identifier: MIT
#include "mounted.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/*
 * Stores whose marks are user.overlay.*: what a store in a user namespace has to use,
 * and root may. Mounts have to read and write those, and everything that reads a layer
 * has to know them.
 */

static struct ovl2_store *open_user_store(const struct test_place *place)
{
	cleanup_free char *run = run_path(place);
	struct ovl2_store_options options = store_options(run);

	options.attributes = OVL2_ATTRIBUTES_USER;
	return open_store_with(place, &options);
}

static const struct test_entry base_entries[] = {
	{ 'd', "dir", NULL, 0, 0, 0, 1000000000, NULL },
	{ 'f', "dir/one", "one", 0, 0, 0, 1000000000, NULL },
	{ 'f', "dir/two", "two", 0, 0, 0, 1000000000, NULL },
	{ 'd', "remade", NULL, 0, 0, 0, 1000000000, NULL },
	{ 'f', "remade/old", "old", 0, 0, 0, 1000000000, NULL },
	{ 'f', "file", "file", 0, 0, 0, 1000000000, "user.mine=1" },
};

/* A whiteout, an opaque directory, a copy-up. */
static const struct test_entry box_entries[] = {
	{ '-', "dir/one", NULL, 0, 0, 0, 0, NULL },
	{ '-', "remade", NULL, 0, 0, 0, 0, NULL },
	{ 'd', "remade", NULL, 0, 0, 0, 1100000000, NULL },
	{ 'f', "remade/new", "new", 0, 0, 0, 1100000000, NULL },
	{ 'f', "file", "changed", 0, 0, 0, 1100000000, "user.mine=2" },
};

static void create_stack(struct ovl2_store *store)
{
	create_layer(store, "base", NULL);
	change_layer(store, "base", base_entries, ARRAY_SIZE(base_entries));
	create_container(store, "box", "base");
	change_layer(store, "box", box_entries, ARRAY_SIZE(box_entries));
}

static int has_mark(const struct test_place *place, const char *name, const char *mark)
{
	cleanup_free char *path = test_path("%s/store/box/diff/%s", place->path, name);

	return lgetxattr(path, mark, NULL, 0) >= 0;
}

static void check_shown(struct ovl2_store *store, int method, int read_only)
{
	const struct ovl2_mount_options options = {
		.size = sizeof(options),
		.method = method,
		.read_only = read_only,
	};
	cleanup_free char *path = mount_layer_with(store, "box", &options);
	cleanup_free char *shown = mounted_options(path);

	assert_contains(shown, ",userxattr,");
	unmount_layer(store, "box");
}

static void option_is_in_the_mount_table(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_user_store(place);

	create_layer(store, "base", NULL);
	create_layer(store, "middle", "base");
	create_container(store, "box", "middle");
	for (int method = OVL2_MOUNT_AUTO; method <= OVL2_MOUNT_FD; method++) {
		if (!has_method(place, method))
			continue;
		check_shown(store, method, 0);
		check_shown(store, method, 1);
	}
}

static void marks_are_in_the_user_namespace(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_user_store(place);
	cleanup_free char *shown = NULL;

	create_stack(store);
	assert_true(has_mark(place, "remade", "user.overlay.opaque"));
	assert_false(has_mark(place, "remade", "trusted.overlay.opaque"));

	shown = describe_layer(store, "box", TEST_TREE_NAMES);
	assert_string_equal(shown, "d dir\nf dir/two\nf file\nd remade\nf remade/new\n");
}

static void changes_know_them(void **state)
{
	const struct ovl2_diff_options compare = { .size = sizeof(compare),
		                                   .method = OVL2_DIFF_COMPARE };
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_user_store(place);
	cleanup_free char *by_upper = NULL;
	cleanup_free char *by_comparing = NULL;

	create_stack(store);
	by_upper = list_changes(store, "box", NULL);
	by_comparing = list_changes(store, "box", &compare);
	assert_string_equal(by_upper, "C /dir\nD /dir/one\nC /file\nC /remade\nA /remade/new\n"
	                              "D /remade/old\n");
	assert_string_equal(by_upper, by_comparing);
}

/* The marks are no content: they do not travel. */
static void diff_goes_into_another_layer(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_user_store(place);
	cleanup_free char *names = NULL;
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;
	cleanup_fd int tar = -1;
	struct ovl2_error err = { 0 };

	create_stack(store);
	tar = diff_layer(store, "box", OVL2_DIFF_AUTO);
	names = test_tar_list(tar);
	assert_null(strstr(names, "overlay."));
	assert_contains(names, "user.mine");

	assert_int_equal(lseek(tar, 0, SEEK_SET), 0);
	create_layer(store, "copy", "base");
	assert_ok(ovl2_layer_apply(store, "copy", NULL, tar, NULL, &err), &err);
	before = describe_layer(store, "box", TEST_TREE_NO_DIRECTORY_TIMES);
	after = describe_layer(store, "copy", TEST_TREE_NO_DIRECTORY_TIMES);
	test_text_assert_same(before, after, "the layer and its copy");
}

/* An opaque mark of a tar has to be one that these mounts obey. */
static void opaque_directory_of_a_tar_hides_what_is_below(void **state)
{
	const struct test_tar_entry entries[] = {
		{ .name = "dir", .type = '5' },
		{ .name = "dir/.wh..wh..opq" },
		{ .name = "dir/three", .content = "three" },
	};
	cleanup_store struct ovl2_store *store = open_user_store(*state);
	cleanup_free char *shown = NULL;
	cleanup_free char *changes = NULL;

	create_layer(store, "base", NULL);
	change_layer(store, "base", base_entries, ARRAY_SIZE(base_entries));
	create_layer(store, "top", "base");
	apply_entries(store, "top", entries, ARRAY_SIZE(entries));
	shown = describe_layer(store, "top", TEST_TREE_NAMES);
	assert_string_equal(shown, "d dir\nf dir/three\nf file\nd remade\nf remade/old\n");
	changes = list_changes(store, "top", NULL);
	assert_string_equal(changes, "C /dir\nD /dir/one\nA /dir/three\nD /dir/two\n");
}

static void names_are_told(void **state)
{
	cleanup_store struct ovl2_store *store = open_user_store(*state);
	cleanup_free char *fact = store_fact(store, "userxattr");
	cleanup_free char *options = store_fact(store, "Mount Options");

	assert_string_equal(fact, "true");
	assert_contains(options, "userxattr");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(option_is_in_the_mount_table),
		cmocka_unit_test(marks_are_in_the_user_namespace),
		cmocka_unit_test(changes_know_them),
		cmocka_unit_test(diff_goes_into_another_layer),
		cmocka_unit_test(opaque_directory_of_a_tar_hides_what_is_below),
		cmocka_unit_test(names_are_told),
	};

	test_enter_namespace();
	return test_run_everywhere("mount_userxattr", tests, ARRAY_SIZE(tests), argc, argv);
}
