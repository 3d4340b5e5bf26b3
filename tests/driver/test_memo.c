// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* What a store's handle remembers of layers ends with them, and with changes by others. */

/* How many changes of each kind: most fall within a clock tick of one of ours. */
#define ROUNDS 20

static void create_stack(struct ovl2_store *store)
{
	create_layer(store, "base", NULL);
	create_layer(store, "middle", "base");
	create_layer(store, "top", "middle");
}

static void run_container(struct ovl2_store *store, const char *id)
{
	create_container(store, id, "top");
	free(mount_layer(store, id));
	assert_int_equal(unmount_layer(store, id), 0);
}

static void remove_layer(struct ovl2_store *store, const char *id)
{
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_layer_remove(store, id, &err), &err);
}

/* Path of the link in l/ that leads to the layer; free(3) it. */
static char *link_of(const struct test_place *place, const char *id)
{
	cleanup_free char *file = test_path("%s/store/%s/link", place->path, id);
	cleanup_free char *name = test_file_read(file);

	return test_path("%s/store/l/%s", place->path, name);
}

static void damage_between_two_creates_is_seen(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *link = NULL;
	struct ovl2_error err = { 0 };

	create_stack(store);
	link = link_of(place, "base");
	run_container(store, "first");
	for (int i = 0; i < ROUNDS; i++) {
		assert_sys(unlink(link));
		assert_sys(symlink("../gone/diff", link));
		create_container(store, "second", "top");
		assert_fails(ovl2_layer_mount(store, "second", NULL, NULL, &err), OVL2_E_CORRUPT,
		             &err);
		assert_fails(ovl2_layer_mount(store, "first", NULL, NULL, &err), OVL2_E_CORRUPT,
		             &err);
		remove_layer(store, "second");

		assert_sys(unlink(link));
		assert_sys(symlink("../base/diff", link));
		run_container(store, "second");
		remove_layer(store, "second");
	}
}

/* An id that comes again is another layer. */
static void layer_made_anew_is_not_the_one_before(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	static const struct test_entry old[] = { { .type = 'f', .path = "old", .mode = 0644 } };

	create_stack(store);
	for (int i = 0; i < ROUNDS; i++) {
		cleanup_free char *text = NULL;

		create_container(store, "box", "top");
		text = describe_layer(store, "box", TEST_TREE_NAMES);
		assert_string_equal(text, "");
		change_layer(store, "box", old, ARRAY_SIZE(old));
		remove_layer(store, "box");
	}
}

static size_t count_deleted(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char target[512];
		ssize_t length = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		target[length > 0 ? length : 0] = '\0';
		count += strstr(target, " (deleted)") != NULL;
	}
	closedir(dir);

	return count;
}

/* Its space would not come free. */
static void removed_layers_are_held_by_nobody(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	size_t before = count_deleted();

	create_stack(store);
	run_container(store, "box");
	remove_layer(store, "box");
	assert_int_equal(count_deleted(), before);
	remove_layer(store, "top");
	remove_layer(store, "middle");
	remove_layer(store, "base");
	assert_int_equal(count_deleted(), before);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damage_between_two_creates_is_seen),
		cmocka_unit_test(layer_made_anew_is_not_the_one_before),
		cmocka_unit_test(removed_layers_are_held_by_nobody),
	};

	test_enter_namespace();
	return test_run_everywhere("memo", tests, ARRAY_SIZE(tests), argc, argv);
}
