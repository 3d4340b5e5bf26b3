// SPDX-License-Identifier: MIT
#include "fixture.h"

#include "support/filesystem.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Where a store can live, and what is said where it cannot. */

static int open_at(const struct test_place *place, const char *home, struct ovl2_store **ret_store,
                   struct ovl2_error *err)
{
	cleanup_free char *run = run_path(place);
	const struct ovl2_store_options options = store_options(run);

	return ovl2_store_open(home, &options, ret_store, err);
}

struct name_row {
	const char *title;
	const char *name;
};

static const struct name_row name_rows[] = {
	{ "path with a colon", "a:b" },         { "path with a comma", "a,b" },
	{ "path with a backslash", "a\\b" },    { "path with a space", "a b" },
	{ "path with quotes", "a\"b'c" },       { "path with an equals sign", "lowerdir=x" },
	{ "path with a newline", "a\nb" },      { "path with a trailing backslash", "a\\" },
	{ "path that is not UTF-8", "a\377b" },
};

static void check_method(struct ovl2_store *store, enum ovl2_mount_method method)
{
	const struct ovl2_mount_options options = { .size = sizeof(options),
		                                    .method = (int)method };
	cleanup_free char *path = NULL;
	cleanup_free char *text = NULL;
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_layer_mount(store, "top", &options, &path, &err), &err);
	text = test_tree_describe_at(path, TEST_TREE_NAMES);
	assert_string_equal(text, "f file\n");
	unmount_layer(store, "top");
}

/* Every such path serves, by every method that this kernel has. */
static void check_name_row(void **state)
{
	struct test_place *place = *state;
	const struct name_row *row = place->row;
	cleanup_free char *home = test_path("%s/%s", place->path, row->name);
	const struct test_entry entry = { 'f', "file", "text", 0, 0, 0, 0, NULL };
	cleanup_store struct ovl2_store *store = NULL;
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };

	assert_ok(open_at(place, home, &store, &err), &err);
	create_layer(store, "base", NULL);
	change_layer(store, "base", &entry, 1);
	create_layer(store, "middle", "base");
	create_container(store, "top", "middle");

	check_method(store, OVL2_MOUNT_AUTO);
	for (enum ovl2_mount_method method = OVL2_MOUNT_ABSOLUTE; method <= OVL2_MOUNT_FD; method++)
		if (ovl2_probe_mount_method(place->fd, method, &evidence, NULL) == 1)
			check_method(store, method);
}

static void overlay_is_no_place_for_a_store(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *merged = test_path("%s/merged", place->path);
	cleanup_free char *data = test_path("lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
	                                    place->path, place->path, place->path);
	cleanup_free char *home = test_path("%s/store", merged);
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };

	assert_sys(mkdirat(place->fd, "lower", 0755));
	assert_sys(mkdirat(place->fd, "upper", 0755));
	assert_sys(mkdirat(place->fd, "work", 0755));
	assert_sys(mkdirat(place->fd, "merged", 0755));
	assert_sys(mount("overlay", merged, "overlay", 0, data));

	assert_fails(open_at(place, home, &store, &err), OVL2_E_UNSUPPORTED, &err);
	assert_null(store);
	assert_int_equal(count_files(merged), 0);
}

static void filesystem_without_file_types_is_refused(void **state)
{
	const char *const mkfs[] = { "-O", "^filetype", NULL };
	const struct test_filesystem filesystem = { .type = "ext4", .mkfs = mkfs };
	struct test_place *place = *state;
	cleanup_free char *home = NULL;
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };
	int r;

	r = test_filesystem_mount(&filesystem, place->path, &err);
	if (r == OVL2_E_UNSUPPORTED)
		test_skip("%s", err.message);
	assert_ok(r, &err);
	home = store_path(place);
	assert_fails(open_at(place, home, &store, &err), OVL2_E_UNSUPPORTED, &err);
	assert_contains(err.message, "d_type");
}

static void missing_parent_directory_is_named(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *home = test_path("%s/missing/store", place->path);
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };

	assert_fails(open_at(place, home, &store, &err), OVL2_E_NOT_FOUND, &err);
	assert_contains(err.message, "missing");
}

static void file_is_no_store(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *home = store_path(place);
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };

	test_file_write(home, "file");
	assert_true(open_at(place, home, &store, &err) < 0);
	assert_null(store);
	assert_contains(err.message, "store");
}

static void relative_path_and_trailing_slash_are_fine(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = NULL;
	cleanup_free char *expected = test_path("%s/store/base/merged", place->path);
	cleanup_free char *path = NULL;
	struct ovl2_error err = { 0 };
	int back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_sys(fchdir(place->fd));
	assert_ok(open_at(place, "store/", &store, &err), &err);
	assert_sys(fchdir(back));
	close(back);

	/* What was relative then stays where it was. */
	create_layer(store, "base", NULL);
	path = mount_layer(store, "base");
	assert_string_equal(path, expected);
	unmount_layer(store, "base");
}

static void opening_leaves_nothing_open(void **state)
{
	struct test_place *place = *state;
	struct test_resources before;

	ovl2_store_close(open_store(place));
	before = test_resources_count();
	ovl2_store_close(open_store(place));
	test_resources_assert_same(before);
	ovl2_store_close(NULL);
}

static void store_is_closed_to_others(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *home = store_path(place);
	cleanup_free char *base = test_path("%s/base", home);
	cleanup_store struct ovl2_store *store = open_store(place);
	struct stat status;

	create_layer(store, "base", NULL);
	assert_sys(stat(home, &status));
	assert_int_equal(status.st_mode & 0007, 0);
	assert_sys(stat(base, &status));
	assert_int_equal(status.st_mode & 0007, 0);
}

static void umask_does_not_matter(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = NULL;
	cleanup_free char *path = NULL;
	struct stat status;
	mode_t old = umask(0777);

	store = open_store(place);
	create_layer(store, "base", NULL);
	path = mount_layer(store, "base");
	umask(old);
	assert_sys(stat(path, &status));
	assert_int_equal(status.st_mode & 07777, 0755);
	unmount_layer(store, "base");
}

/* Runs in a child that gave up root; the exit status says which check failed. */
static int open_as_nobody(const struct test_place *place, const char *home)
{
	cleanup_free char *run = run_path(place);
	const struct ovl2_store_options options = store_options(run);
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };

	if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
		return 1;
	if (ovl2_store_open(home, &options, &store, &err) != OVL2_E_PERMISSION)
		return 2;

	return err.message[0] ? 0 : 3;
}

static void whoever_is_not_root_is_told(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *home = test_path("%s/open", place->path);
	int status;
	pid_t child;

	/* Its own directory, so that only mounting is in the way. */
	assert_sys(mkdir(home, 0777));
	assert_sys(chown(home, 65534, 65534));
	child = fork();
	if (child == 0)
		_exit(open_as_nobody(place, home));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(count_files(home), 0);
}

static void status_has_the_keys_of_docker(void **state)
{
	const char *const keys[] = {
		"Backing Filesystem", "Supports d_type", "Native Overlay Diff",
		"Using metacopy",     "userxattr",       "Mount Method",
		"Mount Options",      "Project Quota",   "Max Depth",
		"Durability",         "Layers",
	};
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *d_type = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		cleanup_free char *value = store_fact(store, keys[i]);

		if (!value)
			fail_msg("no '%s'", keys[i]);
		assert_string_not_equal(value, "");
	}
	d_type = store_fact(store, "Supports d_type");
	assert_string_equal(d_type, "true");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest scenarios[] = {
		cmocka_unit_test(overlay_is_no_place_for_a_store),
		cmocka_unit_test(filesystem_without_file_types_is_refused),
		cmocka_unit_test(missing_parent_directory_is_named),
		cmocka_unit_test(file_is_no_store),
		cmocka_unit_test(relative_path_and_trailing_slash_are_fine),
		cmocka_unit_test(opening_leaves_nothing_open),
		cmocka_unit_test(store_is_closed_to_others),
		cmocka_unit_test(umask_does_not_matter),
		cmocka_unit_test(whoever_is_not_root_is_told),
		cmocka_unit_test(status_has_the_keys_of_docker),
	};
	struct CMUnitTest tests[ARRAY_SIZE(scenarios) + ARRAY_SIZE(name_rows)];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		tests[count++] = scenarios[i];
	for (size_t i = 0; i < ARRAY_SIZE(name_rows); i++)
		tests[count++] = test_case(name_rows[i].title, check_name_row, &name_rows[i]);

	test_enter_namespace();
	return test_run_everywhere("host", tests, count, argc, argv);
}
