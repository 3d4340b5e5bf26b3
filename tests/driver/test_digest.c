// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/*
 * Digests that are kept of what layers hold, and what check makes of them: each change
 * to committed content is found, whatever it is, and named by its layer; and nothing
 * else is.
 */

#define TIME 1700000000

static const struct test_tar_entry base_entries[] = {
	{ .name = "etc/", .type = '5', .mtime = TIME },
	{ .name = "etc/passwd", .content = "root:x:0:0\n", .mtime = TIME },
	{ .name = "etc/shadow", .content = "root:*\n", .mode = 0600, .mtime = TIME },
	{ .name = "etc/link", .type = '2', .link = "passwd", .mtime = TIME },
	{ .name = "etc/empty", .mtime = TIME },
};

static const struct test_tar_entry child_entries[] = {
	{ .name = "etc/.wh.shadow", .mtime = TIME },
	{ .name = "new", .content = "new", .mtime = TIME },
};

static void create_with_digest(struct ovl2_store *store, const char *id, const char *parent,
                               int read_write)
{
	const struct ovl2_layer_options options = {
		.size = sizeof(options),
		.parent = parent,
		.read_write = read_write,
		.digest = 1,
	};
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_layer_create(store, id, &options, &err), &err);
}

/* "base", and "child" above it. */
static void fill_store(struct ovl2_store *store)
{
	create_with_digest(store, "base", NULL, 0);
	apply_entries(store, "base", base_entries, ARRAY_SIZE(base_entries));
	create_with_digest(store, "child", "base", 0);
	apply_entries(store, "child", child_entries, ARRAY_SIZE(child_entries));
}

static void assert_kept(struct ovl2_store *store, const char *id)
{
	cleanup_free char *kept = layer_fact(store, id, "Digest");
	cleanup_free char *is = diff_digest(store, id);

	assert_non_null(kept);
	assert_string_equal(kept, is);
}

/* ------------------------------------------------------------------- keeping -- */

static void digest_is_that_of_the_diff(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);

	fill_store(store);
	assert_kept(store, "base");
	assert_kept(store, "child");
}

static void layer_that_asks_for_none_has_none(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *kept = NULL;

	create_layer(store, "base", NULL);
	apply_entries(store, "base", base_entries, ARRAY_SIZE(base_entries));
	kept = layer_fact(store, "base", "Digest");
	assert_null(kept);
}

static void store_can_ask_for_all(void **state)
{
	cleanup_free char *run = run_path(*state);
	struct ovl2_store_options options = store_options(run);
	cleanup_store struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_store_options_parse("digest=true", &options, &err), &err);
	store = open_store_with(*state, &options);
	create_layer(store, "base", NULL);
	apply_entries(store, "base", base_entries, ARRAY_SIZE(base_entries));
	assert_kept(store, "base");
}

static void container_has_one_from_its_first_child_on(void **state)
{
	const struct test_entry entries[] = {
		{ 'f', "written", "here", 0, 0, 0, TIME, NULL },
		{ '-', "etc", NULL, 0, 0, 0, 0, NULL },
		{ 'd', "etc", NULL, 0, 0, 0, TIME, NULL },
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *before = NULL;

	fill_store(store);
	create_with_digest(store, "box", "child", 1);
	change_layer(store, "box", entries, ARRAY_SIZE(entries));
	before = layer_fact(store, "box", "Digest");
	assert_null(before);
	create_container(store, "second", "box");
	assert_kept(store, "box");
}

static void applied_container_has_one_from_its_first_child_on(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *before = NULL;

	create_with_digest(store, "box", NULL, 1);
	apply_entries(store, "box", base_entries, ARRAY_SIZE(base_entries));
	before = layer_fact(store, "box", "Digest");
	assert_null(before);
	create_container(store, "second", "box");
	assert_kept(store, "box");
}

static void parent_in_use_gets_no_child_and_no_digest(void **state)
{
	const struct ovl2_layer_options options = { .size = sizeof(options), .parent = "box" };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *kept = NULL;
	struct ovl2_error err = { 0 };

	create_with_digest(store, "box", NULL, 1);
	free(mount_layer(store, "box"));
	assert_fails(ovl2_layer_create(store, "child", &options, &err), OVL2_E_BUSY, &err);
	kept = layer_fact(store, "box", "Digest");
	assert_null(kept);
	unmount_layer(store, "box");
}

static void digest_can_be_kept_later(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	assert_fails(ovl2_layer_digest(store, "base", &err), OVL2_E_BUSY, &err);
	assert_fails(ovl2_layer_digest(store, "none", &err), OVL2_E_NOT_FOUND, &err);
	apply_entries(store, "base", base_entries, ARRAY_SIZE(base_entries));
	assert_int_equal(ovl2_layer_digest(store, "base", &err), 1);
	assert_kept(store, "base");
	assert_int_equal(ovl2_layer_digest(store, "base", &err), 0);

	/* Another handle, and what is written anew for another reason, still has it. */
	ovl2_store_close(steal_ptr(&store));
	store = open_store(*state);
	create_container(store, "child", "base");
	assert_kept(store, "base");
}

static void layer_of_docker_is_to_be_adopted_first(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *record = test_path("%s/store/base/ovl2.json", place->path);
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	apply_entries(store, "base", base_entries, ARRAY_SIZE(base_entries));
	assert_sys(unlink(record));
	assert_fails(ovl2_layer_digest(store, "base", &err), OVL2_E_UNSUPPORTED, &err);
	assert_contains(err.message, "adopt");
	assert_int_equal(ovl2_layer_adopt(store, "base", &err), 1);
	assert_int_equal(ovl2_layer_digest(store, "base", &err), 1);
	assert_kept(store, "base");
}

/* ----------------------------------------------------------------- comparing -- */

struct row {
	const char *title;
	void (*damage)(const char *content);

	/* What check says of it. */
	const char *names;
};

static void set_time(const char *path)
{
	const struct timespec times[] = { { .tv_sec = TIME }, { .tv_sec = TIME } };

	assert_sys(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

/* The sort of damage that a disk does: nothing but the byte is different. */
static void flip_a_bit(const char *content)
{
	cleanup_free char *path = test_path("%s/etc/passwd", content);
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, "s", 1, 0), 1);
	set_time(path);
}

static void cut(const char *content)
{
	cleanup_free char *path = test_path("%s/etc/passwd", content);

	assert_sys(truncate(path, 3));
	set_time(path);
}

static void change_mode(const char *content)
{
	cleanup_free char *path = test_path("%s/etc/shadow", content);

	assert_sys(chmod(path, 0644));
}

static void change_owner(const char *content)
{
	cleanup_free char *path = test_path("%s/etc/shadow", content);

	assert_sys(chown(path, 0, 42));
}

static void change_time(const char *content)
{
	const struct timespec times[] = { { .tv_sec = TIME }, { .tv_sec = TIME, .tv_nsec = 1 } };
	cleanup_free char *path = test_path("%s/etc/shadow", content);

	assert_sys(utimensat(AT_FDCWD, path, times, 0));
}

static void remove_file(const char *content)
{
	cleanup_free char *path = test_path("%s/etc/empty", content);
	cleanup_free char *directory = test_path("%s/etc", content);

	assert_sys(unlink(path));
	set_time(directory);
}

static void add_file(const char *content)
{
	cleanup_free char *path = test_path("%s/etc/more", content);
	cleanup_free char *directory = test_path("%s/etc", content);

	test_file_write(path, "");
	set_time(directory);
}

static void rename_file(const char *content)
{
	cleanup_free char *path = test_path("%s/etc/empty", content);
	cleanup_free char *other = test_path("%s/etc/empty2", content);
	cleanup_free char *directory = test_path("%s/etc", content);

	assert_sys(rename(path, other));
	set_time(directory);
}

static void turn_link(const char *content)
{
	cleanup_free char *path = test_path("%s/etc/link", content);
	cleanup_free char *directory = test_path("%s/etc", content);

	assert_sys(unlink(path));
	assert_sys(symlink("shadow", path));
	set_time(path);
	set_time(directory);
}

static void add_capability(const char *content)
{
	/* cap_net_raw, revision 2. */
	static const unsigned char value[20] = { 1, 0, 0, 2, 0, 32 };
	cleanup_free char *path = test_path("%s/etc/passwd", content);

	if (setxattr(path, "security.capability", value, sizeof(value), 0) < 0)
		test_skip("no capabilities of files here: %s", strerror(errno));
}

static void swap_for_a_whiteout(const char *content)
{
	cleanup_free char *path = test_path("%s/etc/empty", content);
	cleanup_free char *directory = test_path("%s/etc", content);

	assert_sys(unlink(path));
	assert_sys(mknod(path, S_IFCHR, 0));
	set_time(directory);
}

static const struct row rows[] = {
	{ "flipped bit", flip_a_bit, "'/etc/passwd' was" },
	{ "file cut short", cut, "'/etc/passwd' was" },
	{ "changed mode", change_mode, "'/etc/shadow' was" },
	{ "changed group", change_owner, "'/etc/shadow' was" },
	{ "changed time", change_time, "'/etc/shadow' was" },
	{ "removed file", remove_file, "'/etc' was" },
	{ "added file", add_file, "'/etc/more' and 1 others" },
	{ "renamed file", rename_file, "'/etc/empty2' and 1 others" },
	{ "link to elsewhere", turn_link, "'/etc/link' and 1 others" },
	{ "added capability", add_capability, "'/etc/passwd' was" },
	{ "whiteout in place of a file", swap_for_a_whiteout, "'/etc/empty' and 1 others" },
};

static int copy_problem(void *data, const struct ovl2_problem *problem)
{
	(void)snprintf(data, 1024, "%s", problem->text);

	return 0;
}

/* Where check says that the only layer that is wrong was changed. */
static void assert_named(struct ovl2_store *store, const char *names)
{
	const struct ovl2_check_options options = { .size = sizeof(options), .content = 1 };
	struct ovl2_error err = { 0 };
	char text[1024] = "";

	assert_int_equal(ovl2_store_check(store, &options, copy_problem, text, &err), 1);
	assert_contains(text, names);
}

static int take_problem(void *data, const struct ovl2_problem *problem)
{
	char *text = data;

	assert_string_equal(problem->kind, "digest");
	assert_null(problem->remedy);
	strncat(text, problem->id, 64);
	strncat(text, "\n", 64);

	return 0;
}

/* Checks the content: names of the layers that are not what they were. */
static void check(struct ovl2_store *store, const char *expected)
{
	const struct ovl2_check_options options = { .size = sizeof(options), .content = 1 };
	struct ovl2_error err = { 0 };
	char found[512] = "";
	int count = ovl2_store_check(store, &options, take_problem, found, &err);

	assert_ok(count, &err);
	assert_string_equal(found, expected);
	assert_int_equal(count > 0, *expected != '\0');
}

static void check_row(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *content = test_path("%s/store/base/diff", place->path);
	struct ovl2_error err = { 0 };

	fill_store(store);
	check(store, "");
	/* The clock of files ticks every few milliseconds. */
	usleep(20000);
	row->damage(content);
	/* Without reading the content all is well. */
	assert_int_equal(ovl2_store_check(store, NULL, NULL, NULL, &err), 0);
	check(store, "base\n");
	assert_named(store, row->names);
	/* And it stays a problem: there is nothing to make the content from. */
	assert_int_equal(ovl2_store_repair(store, NULL, NULL, NULL, &err), 0);
	check(store, "base\n");
}

/* By the child its parent's files are deleted, which are there no more. */
static void damage_is_found_in_the_layer_that_has_it(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *whiteout = test_path("%s/store/child/diff/etc/shadow", place->path);
	cleanup_free char *directory = test_path("%s/store/child/diff/etc", place->path);
	struct stat st;

	fill_store(store);
	assert_sys(stat(directory, &st));
	assert_sys(unlink(whiteout));
	assert_sys(utimensat(AT_FDCWD, directory,
	                     (const struct timespec[]){ st.st_atim, st.st_mtim }, 0));
	check(store, "child\n");
}

/* The record is the younger one: nothing tells what was changed, as after a fault of a disk. */
static void damage_without_a_trace_is_found_as_well(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *content = test_path("%s/store/base/diff", place->path);
	cleanup_free char *record = test_path("%s/store/base/ovl2.json", place->path);

	fill_store(store);
	flip_a_bit(content);
	usleep(20000);
	assert_sys(chmod(record, 0600));
	assert_named(store, "no file says that it was changed");
}

static void use_is_no_damage(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	const struct test_entry entries[] = {
		{ 'f', "etc/passwd", "changed", 0, 0, 0, 0, NULL },
		{ '-', "new", NULL, 0, 0, 0, 0, NULL },
	};

	fill_store(store);
	create_container(store, "box", "child");
	change_layer(store, "box", entries, ARRAY_SIZE(entries));
	free(mount_layer(store, "child"));
	check(store, "");
	unmount_layer(store, "child");
	check(store, "");
}

static void count_warning(void *data, enum ovl2_log_level level, const char *message)
{
	if (level == OVL2_LOG_WARNING && strstr(message, "of 2 committed layers 1 have no digest"))
		++*(int *)data;
}

static void layers_without_a_digest_are_told(void **state)
{
	cleanup_free char *run = run_path(*state);
	struct ovl2_store_options options = store_options(run);
	cleanup_store struct ovl2_store *store = NULL;
	int warnings = 0;

	options.log = count_warning;
	options.log_data = &warnings;
	store = open_store_with(*state, &options);
	create_with_digest(store, "base", NULL, 0);
	apply_entries(store, "base", base_entries, ARRAY_SIZE(base_entries));
	create_layer(store, "other", NULL);
	apply_entries(store, "other", base_entries, ARRAY_SIZE(base_entries));
	check(store, "");
	assert_int_equal(warnings, 1);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest plain[] = {
		cmocka_unit_test(digest_is_that_of_the_diff),
		cmocka_unit_test(layer_that_asks_for_none_has_none),
		cmocka_unit_test(store_can_ask_for_all),
		cmocka_unit_test(container_has_one_from_its_first_child_on),
		cmocka_unit_test(applied_container_has_one_from_its_first_child_on),
		cmocka_unit_test(parent_in_use_gets_no_child_and_no_digest),
		cmocka_unit_test(digest_can_be_kept_later),
		cmocka_unit_test(layer_of_docker_is_to_be_adopted_first),
		cmocka_unit_test(damage_is_found_in_the_layer_that_has_it),
		cmocka_unit_test(damage_without_a_trace_is_found_as_well),
		cmocka_unit_test(use_is_no_damage),
		cmocka_unit_test(layers_without_a_digest_are_told),
	};
	struct CMUnitTest tests[ARRAY_SIZE(plain) + ARRAY_SIZE(rows)];

	memcpy(tests, plain, sizeof(plain));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[ARRAY_SIZE(plain) + i] = test_case(rows[i].title, check_row, &rows[i]);
	test_enter_namespace();

	return test_run_everywhere("digest", tests, ARRAY_SIZE(tests), argc, argv);
}
