// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <stdio.h>
#include <sys/resource.h>

/*
 * What whiteouts in a tar do to the layers below. Every row is applied twice, in
 * its order and in reverse: the outcome may not depend on it.
 */

#define MAX_ENTRIES 6

struct row {
	const char *title;
	struct test_tar_entry entries[MAX_ENTRIES];

	/* What the layer shows, names only; NULL: refused as corrupt. */
	const char *merged;

	/* Entries have an order of their own (links after what they link to). */
	int keep_order;
};

/* d, d/a, d/b, d/sub, d/sub/x, f */
static const struct test_entry base_entries[] = {
	{ 'd', "d", NULL, 0, 0, 0, 0, NULL },      { 'f', "d/a", "a", 0, 0, 0, 0, NULL },
	{ 'f', "d/b", "b", 0, 0, 0, 0, NULL },     { 'd', "d/sub", NULL, 0, 0, 0, 0, NULL },
	{ 'f', "d/sub/x", "x", 0, 0, 0, 0, NULL }, { 'f', "f", "f", 0, 0, 0, 0, NULL },
};

#define DIRECTORY(path)                     \
	{                                   \
		.name = (path), .type = '5' \
	}
#define FILE_OF(path, text)                       \
	{                                         \
		.name = (path), .content = (text) \
	}
#define EMPTY(path)            \
	{                      \
		.name = (path) \
	}

static const struct row rows[] = {
	{ "whiteout deletes a file",
	  { EMPTY(".wh.f") },
	  "d d\nf d/a\nf d/b\nd d/sub\nf d/sub/x\n",
	  0 },
	{ "whiteout deletes in a directory",
	  { EMPTY("d/.wh.a") },
	  "d d\nf d/b\nd d/sub\nf d/sub/x\nf f\n",
	  0 },
	{ "whiteout deletes a directory", { EMPTY(".wh.d") }, "f f\n", 0 },
	{ "whiteout of a missing name changes nothing",
	  { EMPTY("d/.wh.none") },
	  "d d\nf d/a\nf d/b\nd d/sub\nf d/sub/x\nf f\n",
	  0 },
	{ "whiteout in a missing directory makes it",
	  { EMPTY("new/.wh.none") },
	  "d d\nf d/a\nf d/b\nd d/sub\nf d/sub/x\nf f\nd new\n",
	  0 },
	{ "opaque directory hides what is below",
	  { DIRECTORY("d"), EMPTY("d/.wh..wh..opq") },
	  "d d\nf f\n",
	  0 },
	{ "opaque directory keeps its siblings",
	  { DIRECTORY("d"), EMPTY("d/.wh..wh..opq"), FILE_OF("d/new", "new") },
	  "d d\nf d/new\nf f\n",
	  0 },
	{ "opaque marker without its directory", { EMPTY("d/.wh..wh..opq") }, "d d\nf f\n", 0 },
	{ "opaque root hides everything",
	  { EMPTY(".wh..wh..opq"), FILE_OF("only", "x") },
	  "f only\n",
	  0 },
	{ "opaque root through a link hides everything",
	  { { .name = "l", .type = '2', .link = "." },
	    EMPTY("l/.wh..wh..opq"),
	    FILE_OF("only", "x") },
	  "l l -> .\nf only\n",
	  1 },
	{ "opaque directory and a whiteout in it",
	  { EMPTY("d/.wh..wh..opq"), EMPTY("d/.wh.a") },
	  "d d\nf f\n",
	  0 },
	{ "file and whiteout of one name: the file stays",
	  { FILE_OF("f", "new"), EMPTY(".wh.f") },
	  "d d\nf d/a\nf d/b\nd d/sub\nf d/sub/x\nf f\n",
	  0 },
	{ "directory and whiteout of one name: only what is new",
	  { DIRECTORY("d"), EMPTY(".wh.d"), FILE_OF("d/new", "new") },
	  "d d\nf d/new\nf f\n",
	  0 },
	{ "whiteout, directory and content: only what is new",
	  { EMPTY(".wh.d"), DIRECTORY("d"), FILE_OF("d/new", "new") },
	  "d d\nf d/new\nf f\n",
	  0 },
	{ "directory made anew in one made anew",
	  { EMPTY(".wh.d"), DIRECTORY("d"), DIRECTORY("d/sub") },
	  "d d\nd d/sub\nf f\n",
	  0 },
	{ "content of a whited out directory",
	  { EMPTY(".wh.d"), FILE_OF("d/new", "new") },
	  "d d\nf d/new\nf f\n",
	  0 },
	{ "file replaces a directory", { FILE_OF("d", "file") }, "f d\nf f\n", 0 },
	{ "directory replaces a file",
	  { DIRECTORY("f"), FILE_OF("f/x", "x") },
	  "d d\nf d/a\nf d/b\nd d/sub\nf d/sub/x\nd f\nf f/x\n",
	  0 },
	{ "link replaces a directory",
	  { { .name = "d", .type = '2', .link = "f" } },
	  "l d -> f\nf f\n",
	  0 },
	{ "whiteout of a name with a dot",
	  { EMPTY(".wh..f") },
	  "d d\nf d/a\nf d/b\nd d/sub\nf d/sub/x\nf f\n",
	  0 },
	{ "prefix in the middle of a name",
	  { FILE_OF("a.wh.f", "x") },
	  "f a.wh.f\nd d\nf d/a\nf d/b\nd d/sub\nf d/sub/x\nf f\n",
	  0 },
	{ "whiteout as a hard link",
	  { FILE_OF("x", "x"), { .name = ".wh.f", .type = '1', .link = "x" } },
	  "d d\nf d/a\nf d/b\nd d/sub\nf d/sub/x\nf x\n",
	  1 },
	{ "whiteout with content deletes all the same",
	  { FILE_OF(".wh.f", "content") },
	  "d d\nf d/a\nf d/b\nd d/sub\nf d/sub/x\n",
	  0 },
	{ "whiteout of nothing is refused", { EMPTY("d/.wh.") }, NULL, 0 },
	{ "whiteout of dot is refused", { EMPTY("d/.wh..") }, NULL, 0 },
	{ "whiteout of dot dot is refused", { EMPTY("d/.wh...") }, NULL, 0 },
	{ "whiteout of dot dot at the root is refused", { EMPTY(".wh...") }, NULL, 0 },
	{ "whiteout that is a directory is refused", { DIRECTORY(".wh.f") }, NULL, 0 },
	{ "markers of aufs are no files",
	  { EMPTY(".wh..wh.aufs"), DIRECTORY(".wh..wh.plnk") },
	  "d d\nf d/a\nf d/b\nd d/sub\nf d/sub/x\nf f\n",
	  0 },
};

static int apply_row(struct ovl2_store *store, const char *id, const struct row *row, int backwards,
                     struct ovl2_error *err)
{
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int fd = -1;
	size_t count = 0;

	while (count < MAX_ENTRIES && row->entries[count].name)
		count++;
	for (size_t i = 0; i < count; i++)
		test_tar_add(&tar, &row->entries[backwards ? count - 1 - i : i]);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);

	return ovl2_layer_apply(store, id, NULL, fd, NULL, err);
}

static void check_order(struct ovl2_store *store, const char *id, const struct row *row,
                        int backwards)
{
	cleanup_free char *text = NULL;
	cleanup_free char *again = NULL;
	cleanup_free char *copy = test_path("%s-copy", id);
	cleanup_fd int diff = -1;
	struct ovl2_error err = { 0 };
	int r;

	create_layer(store, id, "base");
	r = apply_row(store, id, row, backwards, &err);
	if (!row->merged) {
		assert_fails(r, OVL2_E_CORRUPT, &err);
		assert_contains(err.message, ".wh.");
		text = describe_layer(store, id, TEST_TREE_NAMES);
		assert_string_equal(text, "d d\nf d/a\nf d/b\nd d/sub\nf d/sub/x\nf f\n");
		return;
	}
	assert_ok(r, &err);
	text = describe_layer(store, id, TEST_TREE_NAMES);
	test_text_assert_same(text, row->merged, backwards ? "views, backwards" : "views");
	assert_string_equal(text, row->merged);

	/* And what comes out again does the same. */
	create_layer(store, copy, "base");
	diff = diff_layer(store, id, OVL2_DIFF_AUTO);
	assert_ok(ovl2_layer_apply(store, copy, NULL, diff, NULL, &err), &err);
	again = describe_layer(store, copy, TEST_TREE_NAMES);
	test_text_assert_same(again, row->merged, "views after a diff");
}

static void check_row(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_store struct ovl2_store *store = open_store(place);

	create_layer(store, "base", NULL);
	change_layer(store, "base", base_entries, ARRAY_SIZE(base_entries));
	check_order(store, "forward", row, 0);
	if (!row->keep_order)
		check_order(store, "backward", row, 1);
}

/* The fixture that archives of container engines are tested with since 2014. */
static void opaque_marks_and_modes_come_through(void **state)
{
	const struct test_tar_entry entries[] = {
		{ .name = "d1/", .type = '5', .mode = 0700 },
		{ .name = "d1/.wh..wh..opq", .mode = 0700 },
		{ .name = "d1/f1", .content = "1", .mode = 0600 },
		{ .name = "d2/", .type = '5', .mode = 0750 },
		{ .name = "d2/.wh..wh..opq", .mode = 0750 },
		{ .name = "d2/f1", .content = "2", .mode = 0660 },
		{ .name = "d3/", .type = '5', .mode = 0700 },
		{ .name = "d3/.wh.f1", .mode = 0600 },
	};
	static const struct test_entry below[] = {
		{ 'd', "d1", NULL, 0, 0, 0, 0, NULL },
		{ 'f', "d1/old", NULL, 0, 0, 0, 0, NULL },
		{ 'd', "d2", NULL, 0, 0, 0, 0, NULL },
		{ 'f', "d2/old", NULL, 0, 0, 0, 0, NULL },
		{ 'd', "d3", NULL, 0, 0, 0, 0, NULL },
		{ 'f', "d3/f1", NULL, 0, 0, 0, 0, NULL },
		{ 'f', "d3/old", NULL, 0, 0, 0, 0, NULL },
	};
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_free char *upper = test_path("%s/top/diff", home);
	cleanup_free char *raw = NULL;
	cleanup_free char *names = NULL;
	cleanup_fd int diff = -1;

	create_layer(store, "base", NULL);
	change_layer(store, "base", below, ARRAY_SIZE(below));
	create_layer(store, "top", "base");
	apply_entries(store, "top", entries, ARRAY_SIZE(entries));

	raw = test_tree_describe_at(upper, TEST_TREE_NO_TIMES);
	assert_contains(raw, "d 0700 0:0 trusted.overlay.opaque=y d1\n");
	assert_contains(raw, "d 0750 0:0 trusted.overlay.opaque=y d2\n");
	assert_contains(raw, " 0:0 d3/f1\n");
	assert_null(strstr(raw, ".wh."));

	diff = diff_layer(store, "top", OVL2_DIFF_AUTO);
	names = test_tar_list_names(diff);
	assert_contains(names, "f d3/.wh.f1\n");
	assert_null(strstr(names, "d3/old"));
}

/* Applies a tar of the one entry whose name is in a pax record. */
static int apply_named(struct ovl2_store *store, const char *id, const char *record,
                       struct ovl2_error *err)
{
	const char *const pax[] = { record, NULL };
	const struct test_tar_entry entry = { .name = "short", .pax = pax };
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int fd = -1;

	test_tar_add(&tar, &entry);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);

	return ovl2_layer_apply(store, id, NULL, fd, NULL, err);
}

/* Deeper than there are descriptors for: what is deleted is found at any depth. */
static void whiteouts_lie_as_deep_as_names_reach(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_strbuf struct ovi_strbuf directory = { 0 };
	struct rlimit few = { .rlim_cur = 128, .rlim_max = 0 };
	struct ovl2_error err = { 0 };
	cleanup_free char *changes = NULL;
	struct rlimit before;
	int r;

	for (int i = 0; i < 400; i++)
		ovi_strbuf_add(&directory, "d/");
	for (int i = 0; i < 2; i++) {
		cleanup_free char *record =
			test_path("path=%s%s", directory.text, i ? ".wh.file" : "file");

		create_layer(store, i ? "top" : "base", i ? "base" : NULL);
		assert_sys(getrlimit(RLIMIT_NOFILE, &before));
		few.rlim_max = before.rlim_max;
		assert_sys(setrlimit(RLIMIT_NOFILE, &few));
		r = apply_named(store, i ? "top" : "base", record, &err);
		assert_sys(setrlimit(RLIMIT_NOFILE, &before));
		assert_ok(r, &err);
	}
	changes = list_changes(store, "top", NULL);
	assert_contains(changes, "/d/file\n");
	assert_contains(changes, "D /d/d/d/");
}

/* In a tar they would delete what is below, or something else than what was deleted. */
static void file_named_as_a_whiteout_is_not_in_a_diff(void **state)
{
	static const struct test_entry below[] = {
		{ 'f', "kept", "kept", 0, 0, 0, 0, NULL },
		{ 'f', ".wh..opq", "old", 0, 0, 0, 0, NULL },
	};
	static const struct test_entry changes[] = {
		{ 'f', ".wh.kept", "new", 0, 0, 0, 0, NULL },
		{ 'd', ".wh.dir", NULL, 0, 0, 0, 0, NULL },
		{ '-', ".wh..opq", NULL, 0, 0, 0, 0, NULL },
		{ 's', ".wh.socket", NULL, 0, 0, 0, 0, NULL },
		{ 'f', ".wh..wh..opq", NULL, 0, 0, 0, 0, NULL },
		{ 'f', ".wh..wh.aufs", NULL, 0, 0, 0, 0, NULL },
		{ 'f', ".wh.", NULL, 0, 0, 0, 0, NULL },
	};
	static const enum ovl2_diff_method methods[] = { OVL2_DIFF_UPPER, OVL2_DIFF_COMPARE };
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	change_layer(store, "base", below, ARRAY_SIZE(below));
	for (size_t i = 0; i < ARRAY_SIZE(changes) * ARRAY_SIZE(methods); i++) {
		const struct test_entry *change = &changes[i / ARRAY_SIZE(methods)];
		const struct ovl2_diff_options options = {
			.size = sizeof(options),
			.method = methods[i % ARRAY_SIZE(methods)],
		};
		cleanup_fd int sink = test_sink_open();

		create_container(store, "top", "base");
		change_layer(store, "top", change, 1);
		assert_fails(ovl2_layer_diff(store, "top", &options, sink, &err),
		             OVL2_E_UNSUPPORTED, &err);
		assert_contains(err.message, change->path);
		assert_ok(ovl2_layer_remove(store, "top", &err), &err);
	}
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 3] = {
		cmocka_unit_test(opaque_marks_and_modes_come_through),
		cmocka_unit_test(whiteouts_lie_as_deep_as_names_reach),
		cmocka_unit_test(file_named_as_a_whiteout_is_not_in_a_diff),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[i + 3] = test_case(rows[i].title, check_row, &rows[i]);

	test_enter_namespace();
	return test_run_everywhere("whiteout", tests, ARRAY_SIZE(tests), argc, argv);
}
