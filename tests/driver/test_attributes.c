// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* Attributes that a tar gives to files, and those that it does not. */

#define PAX(...)                     \
	.pax = (const char *const[]) \
	{                            \
		__VA_ARGS__, NULL    \
	}

/* ---------------------------------------------------------- lists of access -- */

struct acl {
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entries[6];
};

/* The owner and `user` read and write, `group` reads, nobody else does anything. */
static struct acl make_acl(uint32_t user, uint32_t group)
{
	return (struct acl){
		.header = { POSIX_ACL_XATTR_VERSION },
		.entries = {
			{ ACL_USER_OBJ, ACL_READ | ACL_WRITE, (uint32_t)ACL_UNDEFINED_ID },
			{ ACL_USER, ACL_READ | ACL_WRITE, user },
			{ ACL_GROUP_OBJ, ACL_READ, (uint32_t)ACL_UNDEFINED_ID },
			{ ACL_GROUP, ACL_READ, group },
			{ ACL_MASK, ACL_READ | ACL_WRITE, (uint32_t)ACL_UNDEFINED_ID },
			{ ACL_OTHER, 0, (uint32_t)ACL_UNDEFINED_ID },
		},
	};
}

static void set_acl(const char *root, const char *name, const char *key, const struct acl *acl)
{
	cleanup_free char *path = test_path("%s/%s", root, name);

	if (setxattr(path, key, acl, sizeof(*acl), 0) == 0)
		return;
	if (errno == EOPNOTSUPP)
		test_skip("this filesystem holds no lists of access");
	fail_msg("set '%s' of '%s': %s", key, path, strerror(errno));
}

/* No list at all where it is NULL. */
static void assert_acl(const char *root, const char *name, const char *key,
                       const struct acl *expected)
{
	cleanup_free char *path = test_path("%s/%s", root, name);
	struct acl found = { 0 };
	ssize_t length = getxattr(path, key, &found, sizeof(found));

	if (length < 0 && errno == EOPNOTSUPP)
		test_skip("this filesystem holds no lists of access");
	if (!expected && length >= 0)
		fail_msg("'%s' has '%s'", name, key);
	if (!expected)
		return;
	if (length < 0)
		fail_msg("'%s' has no '%s': %s", name, key, strerror(errno));
	assert_int_equal(length, sizeof(*expected));
	assert_memory_equal(&found, expected, sizeof(found));
}

/* What was there before the list, or came with one of its own, does not inherit it. */
static void list_for_new_files_is_for_those_of_the_container(void **state)
{
	static const struct test_entry entries[] = {
		{ 'd', "d", NULL, 0755, 0, 0, 1000000000, NULL },
		{ 'f', "d/file", "text", 0644, 0, 0, 1000000000, NULL },
		{ 'f', "d/own", "text", 0644, 0, 0, 1000000000, NULL },
		{ 'd', "d/sub", NULL, 0711, 0, 0, 1000000000, NULL },
		{ 'f', "d/sub/deep", "text", 0604, 1, 2, 1000000000, NULL },
		{ 'p', "d/pipe", NULL, 0622, 0, 0, 1000000000, NULL },
		{ 'l', "d/link", "file", 0, 0, 0, 1000000000, NULL },
		{ 'h', "d/second", "d/file", 0, 0, 0, 0, NULL },
		{ 'd', "d", NULL, 0755, 0, 0, 1000000000, NULL },
	};
	const struct acl one = make_acl(1234, 77);
	const struct acl other = make_acl(5678, 88);
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *expected = NULL;
	cleanup_free char *found = NULL;
	cleanup_free char *root = NULL;
	cleanup_fd int diff = -1;
	struct ovl2_error err = { 0 };

	create_layer(store, "one", NULL);
	change_layer(store, "one", entries, ARRAY_SIZE(entries));
	root = layer_fact(store, "one", "UpperDir");
	set_acl(root, ".", XATTR_NAME_POSIX_ACL_DEFAULT, &one);
	set_acl(root, "d", XATTR_NAME_POSIX_ACL_DEFAULT, &one);
	set_acl(root, "d/own", XATTR_NAME_POSIX_ACL_ACCESS, &other);
	expected = describe_layer(store, "one", TEST_TREE_ROOT | TEST_TREE_LINKS);
	diff = diff_layer(store, "one", OVL2_DIFF_AUTO);
	create_layer(store, "copy", NULL);
	assert_ok(ovl2_layer_apply(store, "copy", NULL, diff, NULL, &err), &err);
	found = describe_layer(store, "copy", TEST_TREE_ROOT | TEST_TREE_LINKS);
	test_text_assert_same(expected, found, "layers");
}

/* As GNU tar, star and bsdtar write them. The mode is the header's all the same. */
static void list_of_access_as_text_is_kept(void **state)
{
	static const char access_record[] = "SCHILY.acl.access=user::rw-,user:1234:rw-,group::r--,"
					    "group:staff:r--:77,mask::rw-,other::---";
	static const char default_record[] = "SCHILY.acl.default=user::rw-,user:1234:rw-,"
					     "group::r--,group:77:r--,mask::rw-,other::---";
	const struct test_tar_entry entries[] = {
		{ .name = "d",
		  .type = '5',
		  .mode = 0750,
		  .pax = (const char *const[]){ default_record, NULL } },
		{ .name = "d/file",
		  .content = "text",
		  .mode = 0660,
		  .pax = (const char *const[]){ access_record, NULL } },
		{ .name = "d/plain", .content = "text", .mode = 0604 },
		{ .name = "d/implied/file", .content = "text" },
		{ .name = "d/replaced", .content = "text" },
		{ .name = "d/replaced", .type = '5', .mode = 0700 },
	};
	static const char *const without[] = { "d/plain", "d/implied", "d/implied/file",
		                               "d/replaced" };
	const struct acl acl = make_acl(1234, 77);
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *root = NULL;
	cleanup_free char *text = NULL;

	create_layer(store, "layer", NULL);
	apply_entries(store, "layer", entries, ARRAY_SIZE(entries));
	root = layer_fact(store, "layer", "UpperDir");
	text = describe_layer(store, "layer", TEST_TREE_NO_TIMES);
	assert_contains(text, "d 0750 0:0 ");
	assert_contains(text, "f 0660 0:0 ");
	assert_contains(text, "f 0604 0:0 ");
	assert_acl(root, "d", XATTR_NAME_POSIX_ACL_DEFAULT, &acl);
	assert_acl(root, "d", XATTR_NAME_POSIX_ACL_ACCESS, NULL);
	assert_acl(root, "d/file", XATTR_NAME_POSIX_ACL_ACCESS, &acl);
	for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
		assert_acl(root, without[i], XATTR_NAME_POSIX_ACL_ACCESS, NULL);
		assert_acl(root, without[i], XATTR_NAME_POSIX_ACL_DEFAULT, NULL);
	}
}

static int apply_mapped(struct ovl2_store *store, const char *id, const struct acl *acl,
                        struct ovl2_error *err)
{
	static const char prefix[] = "SCHILY.xattr." XATTR_NAME_POSIX_ACL_ACCESS "=";
	static const struct ovl2_id_range uids = { 0, 100000, 2000 };
	static const struct ovl2_id_range gids = { 0, 200000, 2000 };
	const struct ovl2_apply_options options = { .size = sizeof(options),
		                                    .uid_map = &uids,
		                                    .uid_map_count = 1,
		                                    .gid_map = &gids,
		                                    .gid_map_count = 1 };
	const struct test_tar_entry entry = { .name = "f", .content = "text", .mode = 0660 };
	const size_t length = strlen("86 ") + strlen(prefix) + sizeof(*acl) + 1;
	cleanup_strbuf struct ovi_strbuf record = { 0 };
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int fd = -1;

	ovi_strbuf_addf(&record, "%zu %s", length, prefix);
	ovi_strbuf_add_bytes(&record, (const char *)acl, sizeof(*acl));
	ovi_strbuf_add(&record, "\n");
	assert_int_equal(record.length, length);
	test_tar_add_pax(&tar, 'x', record.text, record.length);
	test_tar_add(&tar, &entry);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);
	create_layer(store, id, NULL);

	return ovl2_layer_apply(store, id, &options, fd, NULL, err);
}

static void ids_in_a_list_of_access_are_mapped(void **state)
{
	const struct acl acl = make_acl(1234, 77);
	const struct acl mapped = make_acl(101234, 200077);
	const struct acl strange = make_acl(1234, 2000);
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *root = NULL;
	struct ovl2_error err = { 0 };

	assert_ok(apply_mapped(store, "layer", &acl, &err), &err);
	root = layer_fact(store, "layer", "UpperDir");
	assert_acl(root, "f", XATTR_NAME_POSIX_ACL_ACCESS, &mapped);
	assert_fails(apply_mapped(store, "other", &strange, &err), OVL2_E_CORRUPT, &err);
	assert_contains(err.message, "2000");
}

/* --------------------------------------------------------------------- modes -- */

/* chown(2) takes them away. */
static void set_id_bits_come_with_any_owner(void **state)
{
	const struct test_tar_entry entries[] = {
		{ .name = "f", .mode = 06755, .uid = 5, .gid = 6 },
		{ .name = "p", .type = '6', .mode = 06711, .uid = 5, .gid = 6 },
		{ .name = "c", .type = '3', .device_minor = 5, .mode = 02610, .gid = 6 },
		{ .name = "d", .type = '5', .mode = 07751, .uid = 5, .gid = 6 },
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *text = NULL;

	create_layer(store, "layer", NULL);
	apply_entries(store, "layer", entries, ARRAY_SIZE(entries));
	text = describe_layer(store, "layer", TEST_TREE_NO_TIMES);
	assert_contains(text, "f 6755 5:6 ");
	assert_contains(text, "p 6711 5:6 ");
	assert_contains(text, "c 2610 0:6 ");
	assert_contains(text, "d 7751 5:6 ");
}

/* CAP_NET_RAW: chown(2) takes that away as well. */
static void capability_stays_whoever_owns_the_file(void **state)
{
	static const char record[] = "57 SCHILY.xattr.security.capability="
				     "\1\0\0\2\0\40\0\0\0\0\0\0\0\0\0\0\0\0\0\0\n";
	const struct test_tar_entry file = { .name = "f", .content = "program", .uid = 5 };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_free char *text = NULL;
	struct ovl2_error err = { 0 };
	cleanup_fd int fd = -1;

	test_tar_add_pax(&tar, 'x', record, sizeof(record) - 1);
	test_tar_add(&tar, &file);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);
	create_layer(store, "layer", NULL);
	assert_ok(ovl2_layer_apply(store, "layer", NULL, fd, NULL, &err), &err);
	text = describe_layer(store, "layer", TEST_TREE_NO_TIMES);
	assert_contains(text, "f 0644 5:0 ");
	assert_contains(text, " security.capability=\\001\\000\\000\\002\\000\\040");
}

/* -------------------------------------------------------- implied directories -- */

static const struct test_entry below[] = {
	{ 'd', "a", NULL, 0711, 1, 2, 1000000000, "user.key=value" },
	{ 'd', "a/b", NULL, 01700, 3, 4, 1000000001, NULL },
	{ 'f', "a/b/old", "old", 0644, 0, 0, 1000000002, NULL },
	{ 'f', "file", "file", 0644, 5, 6, 1000000003, NULL },
};

/* As the layers below have it: lists, other attributes and time as well. */
static void implied_directory_looks_as_the_one_below(void **state)
{
	const struct test_tar_entry entries[] = {
		{ .name = "a/b/new", .content = "new" },
		{ .name = "a/b/.wh.old" },
		{ .name = "a/b/c/newest", .content = "newest" },
		{ .name = "file/in", .content = "a directory now" },
	};
	const struct acl acl = make_acl(1234, 77);
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *base = NULL;
	cleanup_free char *root = NULL;
	cleanup_free char *text = NULL;

	create_layer(store, "base", NULL);
	change_layer(store, "base", below, ARRAY_SIZE(below));
	base = layer_fact(store, "base", "UpperDir");
	set_acl(base, "a/b", XATTR_NAME_POSIX_ACL_DEFAULT, &acl);
	create_layer(store, "top", "base");
	apply_entries(store, "top", entries, ARRAY_SIZE(entries));

	text = describe_layer(store, "top", 0);
	assert_contains(text, "d 0711 1:2 1000000000.000000000 user.key=value a\n");
	assert_contains(text, "d 1700 3:4 1000000001.000000000 system.posix_acl_default=");
	assert_contains(text, "d 0755 0:0 ");
	root = layer_fact(store, "top", "UpperDir");
	assert_acl(root, "a/b", XATTR_NAME_POSIX_ACL_DEFAULT, &acl);
	assert_acl(root, "a/b/new", XATTR_NAME_POSIX_ACL_ACCESS, NULL);
	assert_acl(root, "a/b/c", XATTR_NAME_POSIX_ACL_DEFAULT, NULL);
}

/* Its own entry may come late, and says what counts. */
static void implied_directory_is_named_later(void **state)
{
	const struct test_tar_entry entries[] = {
		{ .name = "a/b/new", .content = "new" },
		{ .name = "a", .type = '5', .mode = 0750, .mtime = 1100000000 },
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *text = NULL;

	create_layer(store, "base", NULL);
	change_layer(store, "base", below, ARRAY_SIZE(below));
	create_layer(store, "top", "base");
	apply_entries(store, "top", entries, ARRAY_SIZE(entries));
	text = describe_layer(store, "top", 0);
	assert_contains(text, "d 0750 0:0 1100000000.000000000 a\n");
	assert_contains(text, "d 1700 3:4 1000000001.000000000 a/b\n");
}

/* Through a link it is merged with something else than what has its name below. */
static void implied_directory_behind_a_link_is_a_new_one(void **state)
{
	const struct test_tar_entry entries[] = {
		{ .name = "real", .type = '5' },
		{ .name = "a", .type = '2', .link = "real" },
		{ .name = "a/b/new", .content = "new" },
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *text = NULL;

	create_layer(store, "base", NULL);
	change_layer(store, "base", below, ARRAY_SIZE(below));
	create_layer(store, "top", "base");
	apply_entries(store, "top", entries, ARRAY_SIZE(entries));
	text = describe_layer(store, "top", TEST_TREE_NO_TIMES);
	assert_contains(text, "d 0755 0:0 real/b\n");
}

static void last_entry_of_a_directory_says_what_it_has(void **state)
{
	const struct test_tar_entry entries[] = {
		{ .name = "./", .type = '5', PAX("SCHILY.xattr.user.a=b") },
		{ .name = "d", .type = '5', .mode = 0700, PAX("SCHILY.xattr.user.a=b") },
		{ .name = "d/.wh..wh..opq" },
		{ .name = "d", .type = '5', .mode = 0711, PAX("SCHILY.xattr.user.c=d") },
		{ .name = "./", .type = '5', .mode = 0755 },
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *root = NULL;
	cleanup_free char *text = NULL;

	create_layer(store, "layer", NULL);
	apply_entries(store, "layer", entries, ARRAY_SIZE(entries));
	root = layer_fact(store, "layer", "UpperDir");
	text = test_tree_describe_at(root, TEST_TREE_NO_TIMES | TEST_TREE_ROOT);
	assert_string_equal(text, "d 0755 0:0 .\n"
	                          "d 0711 0:0 trusted.overlay.opaque=y user.c=d d\n");
}

/* ------------------------------------------------------------------ dropped -- */

struct row {
	const char *title;
	struct test_tar_entry entry;
	uint64_t dropped;
};

static const struct row rows[] = {
	{ "attribute of a user on a link is counted",
	  { .name = "l", .type = '2', .link = "x", PAX("SCHILY.xattr.user.a=b") },
	  1 },
	{ "attribute of the host on a link is counted",
	  { .name = "l", .type = '2', .link = "x", PAX("SCHILY.xattr.security.selinux=b") },
	  1 },
	{ "attribute of a user on a fifo is counted",
	  { .name = "p", .type = '6', PAX("SCHILY.xattr.user.a=b", "SCHILY.xattr.user.c=d") },
	  2 },
	{ "attribute of a user on a device is counted",
	  { .name = "c", .type = '3', .device_major = 1, PAX("SCHILY.xattr.user.a=b") },
	  1 },
	{ "list of access with a name that says nothing here is counted",
	  { .name = "f",
	    .mode = 0640,
	    PAX("SCHILY.acl.access=user::rw-,user:nobody-here:r--,group::r--,mask::r--,"
	        "other::---") },
	  1 },
	{ "list of access with a number that is too large for its reader is counted",
	  { .name = "f",
	    .mode = 0640,
	    PAX("SCHILY.acl.access=user::rw-,user:3000000000:r--,group::r--,mask::r--,"
	        "other::---") },
	  1 },
	{ "list of access of another kind is counted",
	  { .name = "f", .mode = 0640, PAX("SCHILY.acl.ace=user:1:r-------------:-------:allow") },
	  1 },
	{ "list of access that says what the mode says is no list",
	  { .name = "f", .mode = 0644, PAX("SCHILY.acl.access=user::rw-,group::r--,other::r--") },
	  0 },
};

static void check_row(void **state)
{
	const struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_store struct ovl2_store *store = open_store(place);
	struct ovl2_apply_counts counts = { .dropped_xattrs = 99 };
	const struct ovl2_apply_options options = { .size = sizeof(options), .counts = &counts };
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_free char *text = NULL;
	struct ovl2_error err = { 0 };
	cleanup_fd int fd = -1;

	test_tar_add(&tar, &row->entry);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);
	create_layer(store, "layer", NULL);
	assert_ok(ovl2_layer_apply(store, "layer", &options, fd, NULL, &err), &err);
	assert_int_equal(counts.dropped_xattrs, row->dropped);
	text = describe_layer(store, "layer", 0);
	assert_contains(text, row->entry.name);
	assert_null(strstr(text, "user."));
	if (row->entry.mode == 0640)
		assert_contains(text, "f 0640 ");
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 9] = {
		cmocka_unit_test(list_for_new_files_is_for_those_of_the_container),
		cmocka_unit_test(list_of_access_as_text_is_kept),
		cmocka_unit_test(ids_in_a_list_of_access_are_mapped),
		cmocka_unit_test(set_id_bits_come_with_any_owner),
		cmocka_unit_test(implied_directory_looks_as_the_one_below),
		cmocka_unit_test(implied_directory_is_named_later),
		cmocka_unit_test(implied_directory_behind_a_link_is_a_new_one),
		cmocka_unit_test(last_entry_of_a_directory_says_what_it_has),
		cmocka_unit_test(capability_stays_whoever_owns_the_file),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[i + 9] = test_case(rows[i].title, check_row, &rows[i]);

	test_enter_namespace();
	return test_run_everywhere("attributes", tests, ARRAY_SIZE(tests), argc, argv);
}
