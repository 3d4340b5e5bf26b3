// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* Apply, diff, diff size and changes, on every filesystem. */

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define HUNDRED FIFTY FIFTY

/* Everything a layer has to keep, and where such things are in a tree. */
static const struct test_entry everything[] = {
	{ 'd', "etc", NULL, 0755, 0, 0, 1000000000, NULL },
	{ 'f', "etc/passwd", "root:x:0:0", 0644, 0, 0, 1000000001, NULL },
	{ 'f', "etc/shadow", "secret", 0600, 0, 42, 1000000002, "user.kept=as it is" },
	{ 'l', "etc/mtab", "../proc/mounts", 0, 0, 0, 1000000003, NULL },
	{ 'l', "dangling", "/nowhere", 0, 5, 6, 1000000004, NULL },
	{ 'd', "tmp", NULL, 01777, 0, 0, 1000000005, NULL },
	{ 'f', "usr-bin-su", "elf", 04755, 0, 0, 1000000006, NULL },
	{ 'h', "usr-bin-sg", "usr-bin-su", 0, 0, 0, 0, NULL },
	{ 'p', "pipe", NULL, 0620, 1, 2, 1000000007, NULL },
	{ 'h', "same pipe", "pipe", 0, 0, 0, 0, NULL },
	{ 'h', "same link", "dangling", 0, 0, 0, 0, NULL },
	{ 'l', "long link", HUNDRED "/" HUNDRED, 0, 0, 0, 1000000004, NULL },
	/* As long as fits into an old header, and a byte longer. */
	{ 'd', HUNDRED FIFTY "12345", NULL, 0755, 0, 0, 1000000005, NULL },
	{ 'f', HUNDRED FIFTY "12345/" HUNDRED, "fits", 0644, 0, 0, 1000000005, NULL },
	{ 'd', HUNDRED FIFTY "123456", NULL, 0755, 0, 0, 1000000005, NULL },
	{ 'f', HUNDRED FIFTY "123456/" HUNDRED, "does not", 0644, 0, 0, 1000000005, NULL },
	{ 'f', HUNDRED FIFTY "123456/short", "does not", 0644, 0, 0, 1000000005, NULL },
	{ 'c', "null", "1:3", 0666, 0, 0, 1000000008, NULL },
	{ 'b', "disk", "8:0", 0660, 0, 6, 1000000009, NULL },
	{ 'f', "big id", "x", 0640, 2147483648U, 4294967294U, 1000000010, NULL },
	{ 'f', "before the epoch", "x", 0640, 0, 0, -5, NULL },
	{ 'f', "after 2038", "x", 0640, 0, 0, 4000000000, NULL },
	{ 'f', "not \303\050 utf-8 \377", "x", 0640, 0, 0, 1000000011, NULL },
	{ 'f', "new\nline", "x", 0640, 0, 0, 1000000012, NULL },
	{ 'f', "empty", NULL, 0444, 0, 0, 1000000013, NULL },
	{ 'd', "d", NULL, 0700, 7, 8, 1000000014, "user.dir=too" },
	{ 'd', "d/e", NULL, 0711, 0, 0, 1000000015, NULL },
	{ 'f', "d/e/deep", "deep", 0640, 0, 0, 1000000016, NULL },
};

static void layer_comes_through_a_diff_as_it_was(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;
	cleanup_fd int diff = -1;
	struct ovl2_error err = { 0 };

	create_layer(store, "one", NULL);
	create_layer(store, "two", NULL);
	change_layer(store, "one", everything, ARRAY_SIZE(everything));
	before = describe_layer(store, "one", TEST_TREE_LINKS);
	diff = diff_layer(store, "one", OVL2_DIFF_AUTO);
	assert_ok(ovl2_layer_apply(store, "two", NULL, diff, NULL, &err), &err);
	after = describe_layer(store, "two", TEST_TREE_LINKS);

	test_text_assert_same(before, after, "layers");
}

#define SPARSE_BYTES (16 << 20)

/* The tar spells holes out; a layer that was applied is to take no more room for it. */
static void holes_come_through_a_diff(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *copy = test_path("%s/store/two/diff/sparse", place->path);
	cleanup_free char *merged = NULL;
	cleanup_free char *path = NULL;
	cleanup_fd int sparse = -1;
	cleanup_fd int diff = -1;
	struct ovl2_error err = { 0 };
	char byte = 'y';
	struct stat st;

	create_container(store, "one", NULL);
	create_layer(store, "two", NULL);
	merged = mount_layer(store, "one");
	path = test_path("%s/sparse", merged);
	sparse = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_sys(ftruncate(sparse, SPARSE_BYTES));
	assert_int_equal(pwrite(sparse, "x", 1, SPARSE_BYTES / 2), 1);
	/* In the middle of what is read at once, behind zeroes. */
	assert_int_equal(pwrite(sparse, "z", 1, SPARSE_BYTES / 4 + 12345), 1);
	close(steal_fd(&sparse));
	unmount_layer(store, "one");
	diff = diff_layer(store, "one", OVL2_DIFF_AUTO);
	assert_ok(ovl2_layer_apply(store, "two", NULL, diff, NULL, &err), &err);

	assert_sys(stat(copy, &st));
	assert_int_equal(st.st_size, SPARSE_BYTES);
	assert_true(st.st_blocks * 512 < SPARSE_BYTES / 8);
	sparse = open(copy, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(sparse, &byte, 1, SPARSE_BYTES / 2), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(pread(sparse, &byte, 1, SPARSE_BYTES / 4 + 12345), 1);
	assert_int_equal(byte, 'z');
	assert_int_equal(pread(sparse, &byte, 1, SPARSE_BYTES / 2 + 1), 1);
	assert_int_equal(byte, 0);
}

static void diff_is_the_same_bytes_every_time(void **state)
{
	struct test_place *place = *state;
	struct ovl2_store *store = open_store(place);
	cleanup_store struct ovl2_store *again = NULL;
	size_t lengths[3];
	char *bytes[3];

	create_layer(store, "one", NULL);
	change_layer(store, "one", everything, ARRAY_SIZE(everything));
	for (int i = 0; i < 3; i++) {
		int diff;

		if (i == 2) {
			ovl2_store_close(store);
			again = open_store(place);
		}
		diff = diff_layer(i == 2 ? again : store, "one", OVL2_DIFF_AUTO);
		bytes[i] = test_sink_read(diff, &lengths[i]);
		close(diff);
	}

	for (int i = 1; i < 3; i++) {
		assert_int_equal(lengths[i], lengths[0]);
		assert_memory_equal(bytes[i], bytes[0], lengths[0]);
	}
	for (int i = 0; i < 3; i++)
		free(bytes[i]);
}

static void diff_of_an_applied_layer_is_the_same_bytes(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_error err = { 0 };
	cleanup_fd int one = -1;
	cleanup_fd int two = -1;
	cleanup_free char *one_bytes = NULL;
	cleanup_free char *two_bytes = NULL;
	size_t one_length;
	size_t two_length;

	create_layer(store, "one", NULL);
	create_layer(store, "two", NULL);
	change_layer(store, "one", everything, ARRAY_SIZE(everything));
	one = diff_layer(store, "one", OVL2_DIFF_AUTO);
	assert_ok(ovl2_layer_apply(store, "two", NULL, one, NULL, &err), &err);
	two = diff_layer(store, "two", OVL2_DIFF_AUTO);

	one_bytes = test_sink_read(one, &one_length);
	two_bytes = test_sink_read(two, &two_length);
	assert_int_equal(one_length, two_length);
	assert_memory_equal(one_bytes, two_bytes, one_length);
}

/* A base with files, and ten more on top; a file and a directory deleted. */
static void create_base_and_upper(struct ovl2_store *store)
{
	static const struct test_entry base[] = {
		{ 'd', "var", NULL, 0, 0, 0, 1000000000, NULL },
		{ 'd', "var/lib", NULL, 0, 0, 0, 1000000000, NULL },
		{ 'f', "var/lib/db", "rows", 0, 0, 0, 1000000000, NULL },
		{ 'd', "etc", NULL, 0, 0, 0, 1000000000, NULL },
		{ 'f', "etc/conf", "old", 0, 0, 0, 1000000000, NULL },
		{ 'f', "etc/gone", "gone", 0, 0, 0, 1000000000, NULL },
	};
	static const struct test_entry upper[] = {
		{ '-', "etc/gone", NULL, 0, 0, 0, 0, NULL },
		{ '-', "var/lib", NULL, 0, 0, 0, 0, NULL },
		{ 'd', "new", NULL, 0, 0, 0, 1000000000, NULL },
	};

	create_layer(store, "base", NULL);
	change_layer(store, "base", base, ARRAY_SIZE(base));
	create_container(store, "upper", "base");
	change_layer(store, "upper", upper, ARRAY_SIZE(upper));
	for (int i = 0; i < 10; i++) {
		cleanup_free char *name = test_path("new/file-%d", i);
		cleanup_free char *content = test_path("%0*d", i * 7 + 1, i);
		const struct test_entry entry = { 'f', name, content, 0, 0, 0, 1000000000, NULL };

		change_layer(store, "upper", &entry, 1);
	}
}

static void applied_size_is_the_diff_size(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *upper = NULL;
	cleanup_free char *copy = NULL;
	cleanup_fd int diff = -1;
	struct ovl2_error err = { 0 };
	uint64_t applied = 0;
	uint64_t size = 0;

	create_base_and_upper(store);
	create_layer(store, "copy", "base");
	assert_ok(ovl2_layer_diff_size(store, "upper", NULL, &size, &err), &err);
	diff = diff_layer(store, "upper", OVL2_DIFF_AUTO);
	assert_ok(ovl2_layer_apply(store, "copy", NULL, diff, &applied, &err), &err);

	/* 1 + 8 + 15 + ... + 64 bytes. */
	assert_int_equal(size, 325);
	assert_int_equal(applied, size);
	assert_ok(ovl2_layer_diff_size(store, "copy", NULL, &size, &err), &err);
	assert_int_equal(applied, size);

	upper = describe_layer(store, "upper", TEST_TREE_NO_DIRECTORY_TIMES);
	copy = describe_layer(store, "copy", TEST_TREE_NO_DIRECTORY_TIMES);
	test_text_assert_same(upper, copy, "layers");
	assert_null(strstr(copy, "gone"));
	assert_null(strstr(copy, "var/lib"));
	assert_contains(copy, " var\n");
}

static void deletions_are_in_the_diff_as_whiteout_files(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_fd int diff = -1;
	cleanup_free char *names = NULL;
	cleanup_free char *whole = NULL;

	create_base_and_upper(store);
	diff = diff_layer(store, "upper", OVL2_DIFF_AUTO);
	names = test_tar_list_names(diff);
	whole = test_tar_list(diff);

	/* Of no time and nobody's, so that they are the same whenever they are made. */
	assert_contains(whole, "f 0600 0:0 0.000000000 0 etc/.wh.gone\n");

	assert_contains(names, "f etc/.wh.gone\n");
	assert_contains(names, "f var/.wh.lib\n");
	assert_contains(names, "f new/file-9\n");
	assert_null(strstr(names, "conf"));
}

static void comparing_gives_the_same_layer(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *upper = NULL;
	cleanup_free char *copy = NULL;
	cleanup_fd int diff = -1;
	struct ovl2_error err = { 0 };

	create_base_and_upper(store);
	create_layer(store, "copy", "base");
	diff = diff_layer(store, "upper", OVL2_DIFF_COMPARE);
	assert_ok(ovl2_layer_apply(store, "copy", NULL, diff, NULL, &err), &err);

	upper = describe_layer(store, "upper", TEST_TREE_NO_DIRECTORY_TIMES);
	copy = describe_layer(store, "copy", TEST_TREE_NO_DIRECTORY_TIMES);
	test_text_assert_same(upper, copy, "layers");
}

static void diff_against_nothing_is_the_whole_tree(void **state)
{
	const struct ovl2_diff_options options = { .size = sizeof(options), .parent = "" };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *upper = NULL;
	cleanup_free char *copy = NULL;
	cleanup_fd int diff = test_sink_open();
	struct ovl2_error err = { 0 };

	create_base_and_upper(store);
	create_layer(store, "flat", NULL);
	assert_ok(ovl2_layer_diff(store, "upper", &options, diff, &err), &err);
	assert_sys(lseek(diff, 0, SEEK_SET));
	assert_ok(ovl2_layer_apply(store, "flat", NULL, diff, NULL, &err), &err);

	upper = describe_layer(store, "upper", TEST_TREE_NO_DIRECTORY_TIMES);
	copy = describe_layer(store, "flat", TEST_TREE_NO_DIRECTORY_TIMES);
	test_text_assert_same(upper, copy, "trees");
}

static void diff_between_strangers_turns_one_into_the_other(void **state)
{
	const struct test_entry entries[] = {
		{ 'f', "etc", "a file where the other has a directory", 0, 0, 0, 1000000000, NULL },
		{ 'f', "only here", "x", 0, 0, 0, 1000000000, NULL },
	};
	const struct ovl2_diff_options options = { .size = sizeof(options), .parent = "stranger" };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *upper = NULL;
	cleanup_free char *copy = NULL;
	cleanup_fd int diff = test_sink_open();
	struct ovl2_error err = { 0 };

	create_base_and_upper(store);
	create_layer(store, "stranger", NULL);
	change_layer(store, "stranger", entries, ARRAY_SIZE(entries));
	create_layer(store, "copy", "stranger");
	assert_ok(ovl2_layer_diff(store, "upper", &options, diff, &err), &err);
	assert_sys(lseek(diff, 0, SEEK_SET));
	assert_ok(ovl2_layer_apply(store, "copy", NULL, diff, NULL, &err), &err);

	upper = describe_layer(store, "upper", TEST_TREE_NO_DIRECTORY_TIMES);
	copy = describe_layer(store, "copy", TEST_TREE_NO_DIRECTORY_TIMES);
	test_text_assert_same(upper, copy, "trees");
}

/* Twenty files: of three in a row one is modified, one added, one deleted. */
static void create_changed_layer(struct ovl2_store *store)
{
	create_layer(store, "base", NULL);
	for (int i = 0; i < 20; i++) {
		cleanup_free char *name = test_path("file-%02d", i);
		const struct test_entry entry = { 'f', name, "old", 0, 0, 0, 1000000000, NULL };

		change_layer(store, "base", &entry, 1);
	}
	create_container(store, "upper", "base");
	for (int i = 0; i < 20; i++) {
		cleanup_free char *name = test_path("file-%02d%s", i, i % 3 == 1 ? "-new" : "");
		const struct test_entry entry = {
			i % 3 == 2 ? '-' : 'f', name, "changed", 0, 0, 0, 0, NULL
		};

		change_layer(store, "upper", &entry, 1);
	}
}

static char *expected_changes(void)
{
	struct ovi_strbuf text = { 0 };

	for (int i = 0; i < 20; i++)
		if (i % 3 == 1)
			ovi_strbuf_addf(&text, "A /file-%02d-new\n", i);
		else
			ovi_strbuf_addf(&text, "%c /file-%02d\n", i % 3 ? 'D' : 'C', i);

	return ovi_strbuf_steal(&text);
}

static void changes_are_told_apart_and_sorted(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *expected = expected_changes();
	cleanup_free char *changes = NULL;

	create_changed_layer(store);
	changes = list_changes(store, "upper", NULL);
	test_text_assert_same(changes, expected, "changes");
	assert_string_equal(changes, expected);
}

static void comparing_finds_the_same_changes(void **state)
{
	const struct ovl2_diff_options options = {
		.size = sizeof(options),
		.method = OVL2_DIFF_COMPARE,
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *expected = expected_changes();
	cleanup_free char *changes = NULL;

	create_changed_layer(store);
	changes = list_changes(store, "upper", &options);
	test_text_assert_same(changes, expected, "changes");
	assert_string_equal(changes, expected);
}

static void parent_directory_of_a_change_is_modified(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *changes = NULL;

	create_base_and_upper(store);
	changes = list_changes(store, "upper", NULL);

	assert_contains(changes, "C /etc\nD /etc/gone\n");
	assert_contains(changes, "A /new\nA /new/file-0\n");
	assert_contains(changes, "C /var\nD /var/lib\n");
}

static void unchanged_child_has_no_changes(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *changes = NULL;
	struct ovl2_error err = { 0 };
	uint64_t size = 1;

	create_base_and_upper(store);
	create_layer(store, "child", "upper");
	changes = list_changes(store, "child", NULL);
	assert_string_equal(changes, "");
	assert_ok(ovl2_layer_diff_size(store, "child", NULL, &size, &err), &err);
	assert_int_equal(size, 0);
}

static void directory_made_anew_hides_the_old_one(void **state)
{
	const struct test_entry base[] = {
		{ 'd', "d", NULL, 0, 0, 0, 1000000000, NULL },
		{ 'f', "d/old", "old", 0, 0, 0, 1000000000, NULL },
		{ 'd', "d/sub", NULL, 0, 0, 0, 1000000000, NULL },
		{ 'f', "d/sub/old", "old", 0, 0, 0, 1000000000, NULL },
	};
	const struct test_entry upper[] = {
		{ '-', "d", NULL, 0, 0, 0, 0, NULL },
		{ 'd', "d", NULL, 0, 0, 0, 1000000000, NULL },
		{ 'd', "d/sub", NULL, 0, 0, 0, 1000000000, NULL },
		{ 'f', "d/new", "new", 0, 0, 0, 1000000000, NULL },
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *text = NULL;
	cleanup_free char *changes = NULL;
	cleanup_fd int diff = -1;
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	change_layer(store, "base", base, ARRAY_SIZE(base));
	create_container(store, "upper", "base");
	change_layer(store, "upper", upper, ARRAY_SIZE(upper));

	changes = list_changes(store, "upper", NULL);
	assert_contains(changes, "A /d/new\n");
	assert_contains(changes, "D /d/old\n");
	assert_contains(changes, "D /d/sub/old\n");

	create_layer(store, "copy", "base");
	diff = diff_layer(store, "upper", OVL2_DIFF_AUTO);
	assert_ok(ovl2_layer_apply(store, "copy", NULL, diff, NULL, &err), &err);
	text = describe_layer(store, "copy", TEST_TREE_NAMES);
	assert_string_equal(text, "d d\nf d/new\nd d/sub\n");
}

static void files_with_several_names_count_once(void **state)
{
	const struct test_entry entries[] = {
		{ 'f', "a", "12345", 0, 0, 0, 1000000000, NULL },
		{ 'h', "b", "a", 0, 0, 0, 0, NULL },
		{ 'h', "c", "a", 0, 0, 0, 0, NULL },
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *names = NULL;
	cleanup_fd int diff = -1;
	struct ovl2_error err = { 0 };
	uint64_t size = 0;

	create_layer(store, "base", NULL);
	change_layer(store, "base", entries, ARRAY_SIZE(entries));
	assert_ok(ovl2_layer_diff_size(store, "base", NULL, &size, &err), &err);
	assert_int_equal(size, 5);
	diff = diff_layer(store, "base", OVL2_DIFF_AUTO);
	names = test_tar_list_names(diff);
	assert_contains(names, "f a\nh b = a\nh c = a\n");
}

static void content_is_not_applied_twice(void **state)
{
	const struct test_tar_entry entries[] = { { .name = "file", .content = "text" } };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_free char *text = NULL;
	cleanup_fd int fd = -1;
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	apply_entries(store, "base", entries, ARRAY_SIZE(entries));
	test_tar_end(&tar);
	fd = test_tar_open(&tar);
	assert_fails(ovl2_layer_apply(store, "base", NULL, fd, NULL, &err), OVL2_E_EXISTS, &err);
	text = describe_layer(store, "base", TEST_TREE_NAMES);
	assert_string_equal(text, "f file\n");
}

static void nothing_is_applied_under_a_mount(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int fd = -1;
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	free(mount_layer(store, "base"));
	test_tar_end(&tar);
	fd = test_tar_open(&tar);
	assert_fails(ovl2_layer_apply(store, "base", NULL, fd, NULL, &err), OVL2_E_BUSY, &err);
	unmount_layer(store, "base");
}

static void diff_of_a_mounted_layer_is_taken(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *names = NULL;
	cleanup_fd int diff = -1;

	create_base_and_upper(store);
	free(mount_layer(store, "upper"));
	diff = diff_layer(store, "upper", OVL2_DIFF_AUTO);
	names = test_tar_list_names(diff);
	unmount_layer(store, "upper");
	assert_contains(names, "f new/file-9\n");
}

static void diff_that_cannot_be_written_is_an_error(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_fd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	cleanup_fd int reading = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct ovl2_error err = { 0 };

	create_base_and_upper(store);
	assert_fails(ovl2_layer_diff(store, "upper", NULL, full, &err), OVL2_E_SYSTEM, &err);
	assert_int_equal(err.sys, ENOSPC);
	for (int i = OVL2_COMPRESSION_GZIP; i <= OVL2_COMPRESSION_ZSTD; i++)
		for (uint32_t threads = 1; threads <= 4; threads += 3) {
			const struct ovl2_diff_options options = { .size = sizeof(options),
				                                   .compression = i,
				                                   .threads = threads };

			assert_fails(ovl2_layer_diff(store, "upper", &options, full, &err),
			             OVL2_E_SYSTEM, &err);
			assert_int_equal(err.sys, ENOSPC);
		}
	err = (struct ovl2_error){ .code = OVL2_E_SYSTEM };
	assert_int_equal(ovl2_layer_diff(store, "upper", NULL, reading, &err), err.code);
	assert_int_equal(err.sys, EBADF);
}

static void overlayfs_has_nothing_to_warn_about(void **state)
{
	cleanup_fd int log = test_kernel_log_open();
	cleanup_store struct ovl2_store *store = NULL;
	cleanup_free char *changes = NULL;
	cleanup_free char *path = NULL;
	struct ovl2_error err = { 0 };
	uint64_t size;

	if (log < 0)
		test_skip("the kernel log cannot be read: %s", strerror(errno));
	store = open_store(*state);
	create_base_and_upper(store);
	path = mount_layer(store, "upper");
	close(diff_layer(store, "upper", OVL2_DIFF_AUTO));
	close(diff_layer(store, "upper", OVL2_DIFF_COMPARE));
	changes = list_changes(store, "upper", NULL);
	assert_ok(ovl2_layer_diff_size(store, "upper", NULL, &size, &err), &err);
	unmount_layer(store, "upper");

	assert_int_equal(test_kernel_log_count(log, "overlayfs", "undefined behavior"), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layer_comes_through_a_diff_as_it_was),
		cmocka_unit_test(holes_come_through_a_diff),
		cmocka_unit_test(diff_is_the_same_bytes_every_time),
		cmocka_unit_test(diff_of_an_applied_layer_is_the_same_bytes),
		cmocka_unit_test(applied_size_is_the_diff_size),
		cmocka_unit_test(deletions_are_in_the_diff_as_whiteout_files),
		cmocka_unit_test(comparing_gives_the_same_layer),
		cmocka_unit_test(diff_against_nothing_is_the_whole_tree),
		cmocka_unit_test(diff_between_strangers_turns_one_into_the_other),
		cmocka_unit_test(changes_are_told_apart_and_sorted),
		cmocka_unit_test(comparing_finds_the_same_changes),
		cmocka_unit_test(parent_directory_of_a_change_is_modified),
		cmocka_unit_test(unchanged_child_has_no_changes),
		cmocka_unit_test(directory_made_anew_hides_the_old_one),
		cmocka_unit_test(files_with_several_names_count_once),
		cmocka_unit_test(content_is_not_applied_twice),
		cmocka_unit_test(nothing_is_applied_under_a_mount),
		cmocka_unit_test(diff_of_a_mounted_layer_is_taken),
		cmocka_unit_test(diff_that_cannot_be_written_is_an_error),
		cmocka_unit_test(overlayfs_has_nothing_to_warn_about),
	};

	test_enter_namespace();
	return test_run_everywhere("content", tests, ARRAY_SIZE(tests), argc, argv);
}
