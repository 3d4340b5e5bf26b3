// SPDX-License-Identifier: MIT
#include "support/tar.h"
#include "support/test.h"
#include "support/tree.h"

/* Trees and archives say what they were told to be: everything else rests on it. */

static void tree_is_described_as_it_was_made(void **state)
{
	struct test_place *place = *state;
	const struct test_entry entries[] = {
		{ 'd', "dir", NULL, 01750, 1, 2, 1000000000, NULL },
		{ 'f', "dir/file", "text", 04711, 3, 4, 1000000001, NULL },
		{ 'l', "dir/link", "file", 0, 0, 0, 1000000002, NULL },
		{ 'h', "dir/same", "dir/file", 0, 0, 0, 0, NULL },
		{ 'c', "null", "1:3", 0666, 0, 0, 1000000003, NULL },
		{ 'p', "pipe", NULL, 0600, 0, 0, 1000000004, NULL },
	};
	cleanup_free char *text = NULL;

	test_tree_make(place->fd, entries, ARRAY_SIZE(entries));
	text = test_tree_describe(place->fd, TEST_TREE_LINKS);
	test_text_assert_same(
		text,
		"d 1750 1:2 1000000000.000000000 dir\n"
		"f 4711 3:4 1000000001.000000000 4 fa04f4ef1995407e dir/file\n"
		"l 0777 0:0 1000000002.000000000 dir/link -> file\n"
		"f 4711 3:4 1000000001.000000000 4 fa04f4ef1995407e dir/same is:dir/file\n"
		"c 0666 0:0 1000000003.000000000 1:3 null\n"
		"p 0600 0:0 1000000004.000000000 pipe\n",
		"trees");
}

static void removed_entry_takes_its_content_along(void **state)
{
	struct test_place *place = *state;
	const struct test_entry entries[] = {
		{ 'd', "dir", NULL, 0, 0, 0, 0, NULL },
		{ 'f', "dir/file", "text", 0, 0, 0, 0, NULL },
		{ '-', "dir", NULL, 0, 0, 0, 0, NULL },
	};
	cleanup_free char *text = NULL;

	test_tree_make(place->fd, entries, ARRAY_SIZE(entries));
	text = test_tree_describe(place->fd, 0);
	assert_string_equal(text, "");
}

static void archive_is_read_by_a_library_as_it_was_written(void **state)
{
	const char *const pax[] = { "path=long/name", "SCHILY.xattr.user.key=value", NULL };
	const struct test_tar_entry entries[] = {
		{ .name = "dir/", .type = '5', .mode = 0700, .uid = 1, .gid = 2, .mtime = 3 },
		{ .name = "cut", .content = "text", .pax = pax },
		{ .name = "link", .type = '2', .link = "cut" },
		{ .name = "same", .type = '1', .link = "cut" },
		{ .name = "big", .uid = 1ULL << 31, .mtime = 1LL << 34 },
	};
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_free char *text = NULL;
	cleanup_fd int fd = -1;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		test_tar_add(&tar, &entries[i]);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);
	text = test_tar_list(fd);

	test_text_assert_same(text,
	                      "d 0700 1:2 3.000000000 dir/\n"
	                      "f 0644 0:0 0.000000000 4 long/name user.key=value\n"
	                      "l 0644 0:0 0.000000000 link -> cut\n"
	                      "h 0644 0:0 0.000000000 same = cut\n"
	                      "f 0644 2147483648:0 17179869184.000000000 0 big\n",
	                      "archives");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tree_is_described_as_it_was_made),
		cmocka_unit_test(removed_entry_takes_its_content_along),
		cmocka_unit_test(archive_is_read_by_a_library_as_it_was_written),
	};

	test_enter_namespace();
	return test_run("trees and archives", tests, ARRAY_SIZE(tests), argc, argv);
}
