// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

/*
 * Creating, finding and removing layers, on every filesystem.
 *
 * OVL2_TEST_CYCLES=N mounts and unmounts N times in one process.
 */

static void new_layer_is_empty_and_owned_by_root(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;
	struct stat status;

	create_layer(store, "empty", NULL);
	assert_int_equal(ovl2_layer_exists(store, "empty", NULL), 1);
	path = mount_layer(store, "empty");

	assert_sys(stat(path, &status));
	assert_int_equal(status.st_mode, S_IFDIR | 0755);
	assert_int_equal(status.st_uid, 0);
	assert_int_equal(status.st_gid, 0);
	assert_int_equal(count_files(path), 0);
	assert_int_equal(unmount_layer(store, "empty"), 0);
}

static const struct test_entry base_entries[] = {
	{ 'd', "a subdir", NULL, 01705, 1, 2, 1000000000, NULL },
	{ 'f', "a file", "some data", 04222, 0, 0, 1000000001, NULL },
};

static const char base_text[] = "f 4222 0:0 1000000001.000000000 9 63575610c0508f2b a file\n"
				"d 1705 1:2 1000000000.000000000 a subdir\n";

static void content_survives_unmounting(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *text = NULL;

	create_layer(store, "base", NULL);
	change_layer(store, "base", base_entries, ARRAY_SIZE(base_entries));
	text = describe_layer(store, "base", 0);

	test_text_assert_same(text, base_text, "base");
}

static void child_shows_exactly_its_parent(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *text = NULL;

	create_layer(store, "base", NULL);
	change_layer(store, "base", base_entries, ARRAY_SIZE(base_entries));
	create_layer(store, "child", "base");
	text = describe_layer(store, "child", 0);

	test_text_assert_same(text, base_text, "child");
}

static void child_changes_do_not_reach_the_parent(void **state)
{
	const struct test_entry changes[] = {
		{ '-', "a file", NULL, 0, 0, 0, 0, NULL },
		{ 'f', "a subdir/new", "new", 0, 0, 0, 0, NULL },
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *parent = NULL;
	cleanup_free char *child = NULL;

	create_layer(store, "base", NULL);
	change_layer(store, "base", base_entries, ARRAY_SIZE(base_entries));
	create_container(store, "child", "base");
	change_layer(store, "child", changes, ARRAY_SIZE(changes));

	parent = describe_layer(store, "base", 0);
	child = describe_layer(store, "child", TEST_TREE_NAMES);
	test_text_assert_same(parent, base_text, "parent");
	assert_string_equal(child, "d a subdir\nf a subdir/new\n");
}

static void parent_is_told(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	char parent[OVL2_ID_SIZE] = "untouched";
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	create_layer(store, "child", "base");

	assert_int_equal(ovl2_layer_parent(store, "base", parent, &err), 0);
	assert_string_equal(parent, "untouched");
	assert_int_equal(ovl2_layer_parent(store, "child", parent, &err), 1);
	assert_string_equal(parent, "base");
	assert_fails(ovl2_layer_parent(store, "gone", parent, &err), OVL2_E_NOT_FOUND, &err);
}

static void metadata_names_the_directories_as_docker_does(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_free char *lower = test_path("%s/middle/diff:%s/base/diff", home, home);
	cleanup_free char *upper = test_path("%s/top/diff", home);
	cleanup_free char *work = test_path("%s/top/work", home);
	cleanup_free char *merged = test_path("%s/top/merged", home);
	const struct {
		const char *key;
		const char *value;
	} facts[] = {
		{ "LowerDir", lower },   { "UpperDir", upper },  { "WorkDir", work },
		{ "MergedDir", merged }, { "Parent", "middle" }, { "Depth", "2" },
		{ "Mounts", "0" },
	};

	create_layer(store, "base", NULL);
	create_layer(store, "middle", "base");
	create_container(store, "top", "middle");

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		cleanup_free char *value = layer_fact(store, "top", facts[i].key);

		assert_non_null(value);
		assert_string_equal(value, facts[i].value);
	}
}

static void base_layer_has_no_lower_directories(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);

	create_layer(store, "base", NULL);
	assert_null(layer_fact(store, "base", "LowerDir"));
}

static void layers_are_listed_by_id(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *text = NULL;

	create_layer(store, "zoo", NULL);
	create_layer(store, "Middle", "zoo");
	create_container(store, "ant", "Middle");
	text = list_layers(store);

	test_text_assert_same(text,
	                      "Middle parent=zoo depth=1 mounts=0 committed\n"
	                      "ant parent=Middle depth=2 mounts=0 rw\n"
	                      "zoo parent=- depth=0 mounts=0 committed\n",
	                      "layers");
}

static int stop_at_first(void *data, const struct ovl2_layer_info *layer)
{
	(void)layer;
	++*(int *)data;

	return 1;
}

static void listing_ends_when_the_callback_says_so(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_error err = { 0 };
	int seen = 0;

	create_layer(store, "one", NULL);
	create_layer(store, "two", NULL);
	assert_ok(ovl2_store_list(store, stop_at_first, &seen, &err), &err);
	assert_int_equal(seen, 1);
}

static void removed_layer_is_gone_with_its_files(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_free char *links = test_path("%s/l", home);
	cleanup_free char *directory = test_path("%s/base", home);
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	change_layer(store, "base", base_entries, ARRAY_SIZE(base_entries));
	assert_int_equal(count_files(links), 1);
	assert_ok(ovl2_layer_remove(store, "base", &err), &err);

	assert_int_equal(ovl2_layer_exists(store, "base", &err), 0);
	assert_int_equal(access(directory, F_OK), -1);
	assert_int_equal(count_files(links), 0);
	assert_fails(ovl2_layer_remove(store, "base", &err), OVL2_E_NOT_FOUND, &err);
}

static void removed_id_can_be_used_again(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *text = NULL;
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	change_layer(store, "base", base_entries, ARRAY_SIZE(base_entries));
	assert_ok(ovl2_layer_remove(store, "base", &err), &err);
	create_layer(store, "base", NULL);
	text = describe_layer(store, "base", 0);

	assert_string_equal(text, "");
}

static void parent_of_others_is_not_removed(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *text = NULL;
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	change_layer(store, "base", base_entries, ARRAY_SIZE(base_entries));
	create_layer(store, "child", "base");

	assert_fails(ovl2_layer_remove(store, "base", &err), OVL2_E_BUSY, &err);
	assert_contains(err.message, "child");
	text = describe_layer(store, "child", 0);
	test_text_assert_same(text, base_text, "child");

	assert_ok(ovl2_layer_remove(store, "child", &err), &err);
	assert_ok(ovl2_layer_remove(store, "base", &err), &err);
}

static void mounted_layer_is_not_removed(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	path = mount_layer(store, "base");
	assert_fails(ovl2_layer_remove(store, "base", &err), OVL2_E_BUSY, &err);
	assert_true(test_is_mounted(path));

	unmount_layer(store, "base");
	assert_ok(ovl2_layer_remove(store, "base", &err), &err);
}

static void existing_id_is_not_touched(void **state)
{
	const struct ovl2_layer_options options = { .size = sizeof(options), .parent = "other" };
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;
	struct ovl2_error err = { 0 };

	create_layer(store, "other", NULL);
	create_layer(store, "base", NULL);
	change_layer(store, "base", base_entries, ARRAY_SIZE(base_entries));
	before = test_tree_describe_at(home, TEST_TREE_NO_DIRECTORY_TIMES);

	assert_fails(ovl2_layer_create(store, "base", &options, &err), OVL2_E_EXISTS, &err);
	assert_contains(err.message, "'base'");
	assert_fails(ovl2_layer_create(store, "base", NULL, &err), OVL2_E_EXISTS, &err);
	after = test_tree_describe_at(home, TEST_TREE_NO_DIRECTORY_TIMES);
	test_text_assert_same(before, after, "stores");
}

static void missing_parent_is_named_and_nothing_made(void **state)
{
	const struct ovl2_layer_options options = { .size = sizeof(options), .parent = "gone" };
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_free char *links = test_path("%s/l", home);
	struct ovl2_error err = { 0 };

	assert_fails(ovl2_layer_create(store, "child", &options, &err), OVL2_E_NOT_FOUND, &err);
	assert_contains(err.message, "'gone'");
	assert_int_equal(ovl2_layer_exists(store, "child", &err), 0);
	assert_int_equal(count_files(links), 0);
}

static void layers_are_there_after_a_restart(void **state)
{
	struct test_place *place = *state;
	struct ovl2_store *store = open_store(place);
	cleanup_store struct ovl2_store *again = NULL;
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;
	cleanup_free char *text = NULL;

	create_layer(store, "base", NULL);
	change_layer(store, "base", base_entries, ARRAY_SIZE(base_entries));
	create_container(store, "child", "base");
	before = list_layers(store);
	ovl2_store_close(store);

	again = open_store(place);
	after = list_layers(again);
	test_text_assert_same(before, after, "lists");
	text = describe_layer(again, "child", 0);
	test_text_assert_same(text, base_text, "child");
}

static void depth_is_limited_as_asked(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *run = run_path(place);
	struct ovl2_store_options options = store_options(run);
	struct ovl2_layer_options layer = { .size = sizeof(layer), .parent = "layer-3" };
	cleanup_store struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };

	options.max_depth = 3;
	store = open_store_with(place, &options);
	create_layer(store, "layer-0", NULL);
	create_layer(store, "layer-1", "layer-0");
	create_layer(store, "layer-2", "layer-1");
	create_layer(store, "layer-3", "layer-2");

	assert_fails(ovl2_layer_create(store, "layer-4", &layer, &err), OVL2_E_UNSUPPORTED, &err);
	assert_contains(err.message, "3");
	assert_int_equal(ovl2_layer_exists(store, "layer-4", &err), 0);
}

static void unknown_option_members_are_refused(void **state)
{
	struct {
		struct ovl2_layer_options known;
		char later[8];
	} options = { .known = { .size = sizeof(options) } };
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_layer_create(store, "zeroes", &options.known, &err), &err);
	options.later[3] = 1;
	assert_fails(ovl2_layer_create(store, "later", &options.known, &err), OVL2_E_INVALID, &err);
	assert_int_equal(ovl2_layer_exists(store, "later", &err), 0);
}

static void leftovers_of_interrupted_calls_are_collected(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *home = store_path(place);
	cleanup_free char *staging = test_path("%s/.ovl2/staging/0123456789", home);
	cleanup_free char *trash = test_path("%s/.ovl2/trash/0123456789", home);
	cleanup_free char *file = test_path("%s/file", staging);
	cleanup_store struct ovl2_store *store = open_store(place);
	struct ovl2_error err = { 0 };

	assert_sys(mkdir(staging, 0700));
	assert_sys(mkdir(trash, 0700));
	test_file_write(file, "left");
	assert_ok(ovl2_store_cleanup(store, &err), &err);

	assert_int_equal(access(staging, F_OK), -1);
	assert_int_equal(access(trash, F_OK), -1);
}

/* ------------------------------------------------------------------- for long -- */

/* Of mounting and unmounting in one process. OVL2_TEST_CYCLES asks for others. */
#define CYCLES 300

static size_t cycle_count(void)
{
	const char *text = getenv("OVL2_TEST_CYCLES");
	size_t count = text ? strtoul(text, NULL, 10) : CYCLES;

	return count ? count : CYCLES;
}

static long private_kib(void)
{
	cleanup_free char *text = test_file_read("/proc/self/status");
	const char *line = strstr(text, "RssAnon:");

	return line ? strtol(line + strlen("RssAnon:"), NULL, 10) : 0;
}

static void cycle(struct ovl2_store *store, size_t count)
{
	struct ovl2_error err = { 0 };

	for (size_t i = 0; i < count; i++) {
		assert_ok(ovl2_layer_mount(store, "box", NULL, NULL, &err), &err);
		assert_int_equal(ovl2_layer_unmount(store, "box", &err), 0);
	}
}

static void cycles_leave_nothing(void **state)
{
	const struct timespec tick = { .tv_nsec = 50000000 };
	cleanup_store struct ovl2_store *store = open_store(*state);
	size_t count = cycle_count();
	struct test_resources before;
	long held;

	create_layer(store, "base", NULL);
	create_layer(store, "middle", "base");
	create_container(store, "box", "middle");
	/* What the handle learns it keeps, of layers that have not just changed. */
	nanosleep(&tick, NULL);
	cycle(store, CYCLES / 3);
	before = test_resources_count();
	held = private_kib();
	cycle(store, count);
	test_resources_assert_same(before);
	print_message("%zu cycles: %zu descriptors and %zu mounts as before, %+ld KiB\n", count,
	              before.fds, before.mounts, private_kib() - held);
	/* A huge page may come, and is 2 MiB; sanitizers keep what was freed. */
#ifndef __SANITIZE_ADDRESS__
	assert_true(private_kib() - held < 4096);
#endif
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_layer_is_empty_and_owned_by_root),
		cmocka_unit_test(content_survives_unmounting),
		cmocka_unit_test(child_shows_exactly_its_parent),
		cmocka_unit_test(child_changes_do_not_reach_the_parent),
		cmocka_unit_test(parent_is_told),
		cmocka_unit_test(metadata_names_the_directories_as_docker_does),
		cmocka_unit_test(base_layer_has_no_lower_directories),
		cmocka_unit_test(layers_are_listed_by_id),
		cmocka_unit_test(listing_ends_when_the_callback_says_so),
		cmocka_unit_test(removed_layer_is_gone_with_its_files),
		cmocka_unit_test(removed_id_can_be_used_again),
		cmocka_unit_test(parent_of_others_is_not_removed),
		cmocka_unit_test(mounted_layer_is_not_removed),
		cmocka_unit_test(existing_id_is_not_touched),
		cmocka_unit_test(missing_parent_is_named_and_nothing_made),
		cmocka_unit_test(layers_are_there_after_a_restart),
		cmocka_unit_test(depth_is_limited_as_asked),
		cmocka_unit_test(unknown_option_members_are_refused),
		cmocka_unit_test(leftovers_of_interrupted_calls_are_collected),
		cmocka_unit_test(cycles_leave_nothing),
	};

	test_enter_namespace();
	return test_run_everywhere("layer", tests, ARRAY_SIZE(tests), argc, argv);
}
