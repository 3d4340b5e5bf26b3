// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/*
 * Archives made to do harm. Whatever an archive says, nothing outside of the
 * layer changes; what is refused leaves nothing behind; and what was applied can
 * be removed again.
 */

#define MAX_ENTRIES 6

enum outcome {
	/* Applied; `names` is what the layer shows. */
	APPLIED,

	/* Refused as damaged or unsafe. */
	REFUSED,

	/* Refused, one way or another: the name is too long, say. */
	FAILS,

	/* Either, as long as nothing else is touched. */
	HARMLESS,
};

struct row {
	const char *title;
	enum outcome outcome;
	const char *names;

	/* "@" in names and links stands for the directory that must not be touched. */
	struct test_tar_entry entries[MAX_ENTRIES];

	/* For what entries cannot say; comes after them. */
	void (*add)(struct test_tar *tar);

	/* Without the two empty blocks at the end. */
	int without_end;
};

/* --------------------------------------------------------------- builders -- */

static void add_garbage(struct test_tar *tar)
{
	test_tar_end(tar);
	for (int i = 0; i < 3000; i++)
		test_tar_add_bytes(tar, "\xa5", 1);
}

static void add_half_header(struct test_tar *tar)
{
	const struct test_tar_entry entry = { .name = "cut" };

	test_tar_add(tar, &entry);
	ovi_strbuf_cut(&tar->bytes, tar->bytes.length - 200);
}

static void add_half_content(struct test_tar *tar)
{
	const struct test_tar_entry entry = { .name = "cut",
		                              .content = "x",
		                              .size = "00000010000" };

	test_tar_add(tar, &entry);
}

static void add_half_pax(struct test_tar *tar)
{
	static const char record[] = "30 path=this is longer than it";

	test_tar_add_pax(tar, 'x', record, sizeof(record) - 1);
	ovi_strbuf_cut(&tar->bytes, tar->bytes.length - 500);
}

static void add_bad_checksum(struct test_tar *tar)
{
	const struct test_tar_entry entry = { .name = "damaged" };

	test_tar_add(tar, &entry);
	tar->bytes.text[tar->bytes.length - TEST_TAR_BLOCK] ^= 1;
}

static void add_text(struct test_tar *tar)
{
	for (int i = 0; i < 200; i++)
		test_tar_add_bytes(tar, "this is no archive\n", 19);
}

static void add_zip(struct test_tar *tar)
{
	static const char zip[] =
		"PK\3\4\n\0\0\0\0\0\0\0!\0\202\211\321\367\5\0\0\0\5\0\0\0\1\0\0\0ahello";

	test_tar_add_bytes(tar, zip, sizeof(zip) - 1);
}

static void add_mtree(struct test_tar *tar)
{
	static const char mtree[] = "#mtree\n./passwd type=file contents=/etc/passwd\n";

	test_tar_add_bytes(tar, mtree, sizeof(mtree) - 1);
}

static void add_long_component(struct test_tar *tar)
{
	cleanup_free char *record = test_path("path=%0256d", 0);
	const char *const pax[] = { record, NULL };
	const struct test_tar_entry entry = { .name = "long", .pax = pax };

	test_tar_add(tar, &entry);
}

static void add_long_path(struct test_tar *tar)
{
	struct ovi_strbuf record = { 0 };
	cleanup_free char *text = NULL;
	const char *pax[] = { NULL, NULL };
	const struct test_tar_entry entry = { .name = "long", .pax = pax };

	ovi_strbuf_add(&record, "path=");
	for (int i = 0; i < 2500; i++)
		ovi_strbuf_add(&record, "d/");
	ovi_strbuf_add(&record, "f");
	text = ovi_strbuf_steal(&record);
	pax[0] = text;
	test_tar_add(tar, &entry);
}

static void add_nul_in_path(struct test_tar *tar)
{
	static const char record[] = "20 path=ok\0/../evil\n";
	const struct test_tar_entry entry = { .name = "header-name" };

	test_tar_add_pax(tar, 'x', record, sizeof(record) - 1);
	test_tar_add(tar, &entry);
}

static void add_two_paths(struct test_tar *tar)
{
	static const char records[] = "11 path=ok\n18 path=../victim\n";
	const struct test_tar_entry entry = { .name = "header-name" };

	test_tar_add_pax(tar, 'x', records, sizeof(records) - 1);
	test_tar_add(tar, &entry);
}

static void add_negative_size(struct test_tar *tar)
{
	static const char size[12] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xf0";
	struct test_tar_entry entry = { .name = "negative" };
	char field[13] = "";

	memcpy(field, size, sizeof(size));
	entry.size = field;
	test_tar_add(tar, &entry);
}

static void add_ten_thousand_deep(struct test_tar *tar)
{
	struct ovi_strbuf record = { 0 };
	cleanup_free char *text = NULL;
	const char *pax[] = { NULL, NULL };
	const struct test_tar_entry entry = { .name = "deep", .type = '5', .pax = pax };

	ovi_strbuf_add(&record, "path=");
	for (int i = 0; i < 10000; i++)
		ovi_strbuf_add(&record, "d/");
	text = ovi_strbuf_steal(&record);
	pax[0] = text;
	test_tar_add(tar, &entry);
}

/* ------------------------------------------------------------------- rows -- */

#define GOOD                                      \
	{                                         \
		.name = "good", .content = "good" \
	}
#define INTO(path)                                \
	{                                         \
		.name = (path), .content = "harm" \
	}
#define DIRECTORY(path)                     \
	{                                   \
		.name = (path), .type = '5' \
	}
#define LINK(path, target)                                    \
	{                                                     \
		.name = (path), .type = '2', .link = (target) \
	}
#define HARD_LINK(path, target)                               \
	{                                                     \
		.name = (path), .type = '1', .link = (target) \
	}
#define XATTR(key)                                           \
	{                                                    \
		.name = "file", .pax = (const char *const[]) \
		{                                            \
			"SCHILY.xattr." key "=y", NULL       \
		}                                            \
	}
#define PAX(...)                     \
	.pax = (const char *const[]) \
	{                            \
		__VA_ARGS__, NULL    \
	}

static const struct row rows[] = {
	/* Form. */
	{ "nothing at all is an empty layer", APPLIED, "", { { 0 } }, NULL, 1 },
	{ "only the end", APPLIED, "", { { 0 } }, NULL, 0 },
	{ "no end", APPLIED, "f good\n", { GOOD }, NULL, 1 },
	{ "garbage after the end", APPLIED, "f good\n", { GOOD }, add_garbage, 1 },
	{ "ends in a header", REFUSED, NULL, { GOOD }, add_half_header, 1 },
	{ "ends in content", REFUSED, NULL, { GOOD }, add_half_content, 1 },
	{ "ends in a pax header", REFUSED, NULL, { GOOD }, add_half_pax, 1 },
	{ "first header damaged", REFUSED, NULL, { { 0 } }, add_bad_checksum, 0 },
	{ "later header damaged", REFUSED, NULL, { GOOD }, add_bad_checksum, 0 },
	{ "text", REFUSED, NULL, { { 0 } }, add_text, 1 },
	{ "zip", REFUSED, NULL, { { 0 } }, add_zip, 1 },
	{ "mtree that reads a file of the host", REFUSED, NULL, { { 0 } }, add_mtree, 1 },
	{ "negative size", REFUSED, NULL, { GOOD }, add_negative_size, 0 },
	{ "size of eight exbibytes",
	  REFUSED,
	  NULL,
	  { GOOD, { .name = "huge", PAX("size=9223372036854775807") } },
	  NULL,
	  0 },
	{ "global header",
	  APPLIED,
	  "f good\n",
	  { { .name = "g", .type = 'g', .content = "11 mtime=1\n" }, GOOD },
	  NULL,
	  0 },

	/* Names. */
	{ "absolute name lands in the layer", APPLIED, "f abs\n", { INTO("/abs") }, NULL, 0 },
	{ "name of the victim lands in the layer", HARMLESS, NULL, { INTO("@/file") }, NULL, 0 },
	{ "dot dot at the start", REFUSED, NULL, { GOOD, INTO("../victim/file") }, NULL, 0 },
	{ "dot dot behind a slash", REFUSED, NULL, { GOOD, INTO("/../victim/file") }, NULL, 0 },
	{ "many dot dots", REFUSED, NULL, { INTO("../../../../../../../../victim") }, NULL, 0 },
	{ "dot dot out of a directory",
	  REFUSED,
	  NULL,
	  { DIRECTORY("a"), INTO("a/../../victim") },
	  NULL,
	  0 },
	{ "dot dot inside", REFUSED, NULL, { DIRECTORY("a"), INTO("a/../b") }, NULL, 0 },
	{ "dot dot at the end", REFUSED, NULL, { DIRECTORY("a"), DIRECTORY("a/..") }, NULL, 0 },
	{ "dot dot behind a link",
	  REFUSED,
	  NULL,
	  { LINK("a", "@"), INTO("a/../victim/file") },
	  NULL,
	  0 },
	{ "the root itself",
	  APPLIED,
	  "f good\n",
	  { { .name = "./", .type = '5', .mode = 0700 }, GOOD },
	  NULL,
	  0 },
	{ "the root as a link", REFUSED, NULL, { LINK(".", "@"), INTO("file") }, NULL, 0 },
	{ "the root as a file", REFUSED, NULL, { INTO(".") }, NULL, 0 },
	{ "slashes and dots", APPLIED, "d a\nd a/b\nf a/b/c\n", { INTO("a//./b/././c") }, NULL, 0 },
	{ "dots that are a name", APPLIED, "f ..gitme\n", { INTO("..gitme") }, NULL, 0 },
	{ "newline in a name", APPLIED, "f a\nb\n", { INTO("a\nb") }, NULL, 0 },
	{ "no UTF-8", APPLIED, "f \377\376\n", { INTO("\377\376") }, NULL, 0 },
	{ "colon, comma and backslash", APPLIED, "f a:b,c\\d\n", { INTO("a:b,c\\d") }, NULL, 0 },
	{ "256 bytes between slashes", FAILS, NULL, { GOOD }, add_long_component, 0 },
	{ "path of 5000 bytes", FAILS, NULL, { GOOD }, add_long_path, 0 },
	{ "ten thousand directories deep", FAILS, NULL, { GOOD }, add_ten_thousand_deep, 0 },
	{ "NUL in a pax path", HARMLESS, NULL, { GOOD }, add_nul_in_path, 0 },
	{ "second path of a pax header is unsafe", REFUSED, NULL, { GOOD }, add_two_paths, 0 },
	{ "pax path over a good name",
	  REFUSED,
	  NULL,
	  { { .name = "good", PAX("path=../victim/file") } },
	  NULL,
	  0 },
	{ "empty name", HARMLESS, NULL, { { .name = "" } }, NULL, 0 },

	/* Links. */
	{ "file through an absolute link",
	  HARMLESS,
	  NULL,
	  { LINK("l", "@"), INTO("l/file") },
	  NULL,
	  0 },
	{ "file through a relative link",
	  HARMLESS,
	  NULL,
	  { LINK("l", "../../../victim"), INTO("l/file") },
	  NULL,
	  0 },
	{ "file through two links",
	  HARMLESS,
	  NULL,
	  { LINK("up", "../.."), LINK("l", "up/../victim"), INTO("l/file") },
	  NULL,
	  0 },
	{ "file over a link to a file",
	  APPLIED,
	  "f l\n",
	  { LINK("l", "@/file"), INTO("l") },
	  NULL,
	  0 },
	{ "directory over a link",
	  APPLIED,
	  "d l\nf l/file\n",
	  { LINK("l", "@"), DIRECTORY("l"), INTO("l/file") },
	  NULL,
	  0 },
	{ "link over a directory",
	  APPLIED,
	  "l d -> x\n",
	  { DIRECTORY("d"), INTO("d/f"), LINK("d", "x") },
	  NULL,
	  0 },
	{ "time of a directory that became a link",
	  HARMLESS,
	  NULL,
	  { { .name = "d/e", .type = '5', .mode = 0700, .mtime = 1 }, LINK("d", "@") },
	  NULL,
	  0 },
	{ "link inside the layer is followed",
	  APPLIED,
	  "l lib -> usr/lib\nd usr\nd usr/lib\nf usr/lib/x\n",
	  { DIRECTORY("usr"), DIRECTORY("usr/lib"), LINK("lib", "usr/lib"), INTO("lib/x") },
	  NULL,
	  0 },
	{ "absolute link is followed inside the layer",
	  APPLIED,
	  "l lib -> /usr/lib\nd usr\nd usr/lib\nf usr/lib/x\n",
	  { DIRECTORY("usr"), DIRECTORY("usr/lib"), LINK("lib", "/usr/lib"), INTO("lib/x") },
	  NULL,
	  0 },
	{ "links in a circle",
	  FAILS,
	  NULL,
	  { LINK("a", "b"), LINK("b", "a"), INTO("a/x") },
	  NULL,
	  0 },
	{ "link of the kernel's",
	  HARMLESS,
	  NULL,
	  { LINK("r", "/proc/self/root"), INTO("r@/file") },
	  NULL,
	  0 },
	{ "link to an open descriptor",
	  HARMLESS,
	  NULL,
	  { LINK("r", "/proc/self/cwd"), INTO("r/file") },
	  NULL,
	  0 },
	{ "hard link up and out", REFUSED, NULL, { HARD_LINK("h", "../victim/file") }, NULL, 0 },
	{ "hard link to an absolute name",
	  FAILS,
	  NULL,
	  { HARD_LINK("h", "@/file"), INTO("h") },
	  NULL,
	  0 },
	{ "hard link through a link",
	  HARMLESS,
	  NULL,
	  { LINK("l", "@"), HARD_LINK("h", "l/file"), INTO("h") },
	  NULL,
	  0 },
	{ "hard link to a link, then attributes",
	  HARMLESS,
	  NULL,
	  { LINK("l", "@/file"),
	    HARD_LINK("h", "l"),
	    { .name = "h", .content = "harm", .mode = 0777, .mtime = 5, .uid = 7 } },
	  NULL,
	  0 },
	{ "hard link to nothing", FAILS, NULL, { GOOD, HARD_LINK("h", "missing") }, NULL, 0 },
	{ "hard link to a directory",
	  FAILS,
	  NULL,
	  { DIRECTORY("d"), HARD_LINK("h", "d") },
	  NULL,
	  0 },
	{ "hard link to an empty name", FAILS, NULL, { GOOD, HARD_LINK("h", "") }, NULL, 0 },
	{ "hard link to the root", FAILS, NULL, { HARD_LINK("h", ".") }, NULL, 0 },
	{ "hard link to itself", HARMLESS, NULL, { GOOD, HARD_LINK("good", "good") }, NULL, 0 },
	{ "whiteout through a link",
	  HARMLESS,
	  NULL,
	  { LINK("l", "@"), INTO("l/.wh.file") },
	  NULL,
	  0 },
	{ "opaque mark through a link",
	  HARMLESS,
	  NULL,
	  { LINK("l", "@"), INTO("l/.wh..wh..opq") },
	  NULL,
	  0 },

	/* Kinds and attributes. */
	{ "content through a fifo does not hang",
	  APPLIED,
	  "f p\n",
	  { { .name = "p", .type = '6' }, INTO("p") },
	  NULL,
	  0 },
	{ "hard link to a fifo, then content",
	  HARMLESS,
	  NULL,
	  { { .name = "p", .type = '6' }, HARD_LINK("h", "p"), INTO("h") },
	  NULL,
	  0 },
	{ "whiteout device", REFUSED, NULL, { GOOD, { .name = "d", .type = '3' } }, NULL, 0 },
	{ "device",
	  APPLIED,
	  "c null\n",
	  { { .name = "null", .type = '3', .device_major = 1, .device_minor = 3 } },
	  NULL,
	  0 },
	{ "forged opaque mark", REFUSED, NULL, { GOOD, XATTR("trusted.overlay.opaque") }, NULL, 0 },
	{ "forged redirect", REFUSED, NULL, { GOOD, XATTR("trusted.overlay.redirect") }, NULL, 0 },
	{ "forged metacopy", REFUSED, NULL, { GOOD, XATTR("trusted.overlay.metacopy") }, NULL, 0 },
	{ "forged origin", REFUSED, NULL, { GOOD, XATTR("trusted.overlay.origin") }, NULL, 0 },
	{ "forged opaque mark of a user",
	  REFUSED,
	  NULL,
	  { GOOD, XATTR("user.overlay.opaque") },
	  NULL,
	  0 },
	{ "forged redirect of a user",
	  REFUSED,
	  NULL,
	  { GOOD, XATTR("user.overlay.redirect") },
	  NULL,
	  0 },
	{ "forged mark in the other encoding",
	  REFUSED,
	  NULL,
	  { { .name = "d", .type = '5', PAX("LIBARCHIVE.xattr.trusted.overlay.opaque=eQ") } },
	  NULL,
	  0 },
	{ "forged mark, its name encoded",
	  REFUSED,
	  NULL,
	  { { .name = "d", .type = '5', PAX("LIBARCHIVE.xattr.trusted%2eoverlay%2eopaque=eQ") } },
	  NULL,
	  0 },
	{ "immutable file can be removed",
	  HARMLESS,
	  NULL,
	  { { .name = "f", PAX("SCHILY.fflags=immutable") } },
	  NULL,
	  0 },
	{ "user that does not fit",
	  FAILS,
	  NULL,
	  { GOOD, { .name = "f", PAX("uid=4294967296") } },
	  NULL,
	  0 },
	{ "negative user", FAILS, NULL, { GOOD, { .name = "f", PAX("uid=-2") } }, NULL, 0 },
	{ "group that does not fit",
	  FAILS,
	  NULL,
	  { GOOD, { .name = "f", PAX("gid=18446744073709551616") } },
	  NULL,
	  0 },
	{ "time far away",
	  HARMLESS,
	  NULL,
	  { { .name = "f", PAX("mtime=99999999999999") } },
	  NULL,
	  0 },

	/* Order. */
	{ "last of two files wins",
	  APPLIED,
	  "f f\nf good\n",
	  { INTO("f"), GOOD, { .name = "good" } },
	  NULL,
	  0 },
	{ "directory over a file",
	  APPLIED,
	  "d f\nf f/x\n",
	  { INTO("f"), DIRECTORY("f"), INTO("f/x") },
	  NULL,
	  0 },
	{ "file over a directory",
	  APPLIED,
	  "f d\n",
	  { DIRECTORY("d"), INTO("d/x"), INTO("d") },
	  NULL,
	  0 },
	{ "child before its parent",
	  APPLIED,
	  "d d\nf d/x\n",
	  { INTO("d/x"), { .name = "d", .type = '5', .mode = 0700 } },
	  NULL,
	  0 },
	{ "child of a file", FAILS, NULL, { INTO("f"), INTO("f/x") }, NULL, 0 },
	{ "bad entry after a good one",
	  REFUSED,
	  NULL,
	  { GOOD, DIRECTORY("d"), INTO("d/x"), INTO("../victim/file") },
	  NULL,
	  0 },
};

/* ------------------------------------------------------------------ check -- */

static char *expand(const char *text, const char *victim)
{
	const char *mark = text ? strchr(text, '@') : NULL;

	if (!mark)
		return text ? test_path("%s", text) : NULL;

	return test_path("%.*s%s%s", (int)(mark - text), text, victim, mark + 1);
}

static void build(const struct row *row, const char *victim, struct test_tar *tar)
{
	for (size_t i = 0; i < MAX_ENTRIES && row->entries[i].name; i++) {
		struct test_tar_entry entry = row->entries[i];
		cleanup_free char *name = expand(entry.name, victim);
		cleanup_free char *link = expand(entry.link, victim);

		entry.name = name;
		entry.link = link;
		test_tar_add(tar, &entry);
	}
	if (row->add)
		row->add(tar);
	if (!row->without_end)
		test_tar_end(tar);
}

static int build_and_apply(const struct row *row, const char *victim, struct ovl2_store *store,
                           struct ovl2_error *err)
{
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int fd = -1;

	build(row, victim, &tar);
	fd = test_tar_open(&tar);

	return ovl2_layer_apply(store, "layer", NULL, fd, NULL, err);
}

static void check_outcome(const struct row *row, int r, struct ovl2_store *store,
                          struct ovl2_error *err)
{
	cleanup_free char *text = describe_layer(store, "layer", TEST_TREE_NAMES);

	if (row->outcome == APPLIED)
		assert_ok(r, err);
	if (row->outcome == REFUSED)
		assert_fails(r, OVL2_E_CORRUPT, err);
	if (row->outcome == FAILS && r >= 0)
		fail_msg("was applied: %s", text);
	if (row->outcome == FAILS)
		assert_fails(r, err->code, err);

	/* All of it appears at once, or nothing. */
	if (r < 0)
		assert_string_equal(text, "");
	if (row->names) {
		test_text_assert_same(text, row->names, "names");
		assert_string_equal(text, row->names);
	}
}

static const struct test_entry victim_entries[] = {
	{ 'd', "victim", NULL, 0750, 1, 2, 1000000000, NULL },
	{ 'f', "victim/file", "untouched", 0640, 3, 4, 1000000000, NULL },
	{ 'd', "victim/dir", NULL, 0700, 0, 0, 1000000000, NULL },
	{ 'd', "victim", NULL, 0750, 1, 2, 1000000000, NULL },
};

static void check_row(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_free char *victim = test_path("%s/victim", place->path);
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;
	cleanup_free char *empty = NULL;
	cleanup_free char *end = NULL;
	struct test_resources resources;
	struct ovl2_error err = { 0 };
	int r;

	test_tree_make(place->fd, victim_entries, ARRAY_SIZE(victim_entries));
	create_layer(store, "neighbour", NULL);
	empty = test_tree_describe_at(home, TEST_TREE_NO_TIMES);
	create_layer(store, "layer", NULL);
	before = test_tree_describe_at(victim, TEST_TREE_ROOT | TEST_TREE_LINKS);
	resources = test_resources_count();

	r = build_and_apply(row, victim, store, &err);
	test_resources_assert_same(resources);
	after = test_tree_describe_at(victim, TEST_TREE_ROOT | TEST_TREE_LINKS);
	test_text_assert_same(before, after, "victims");
	check_outcome(row, r, store, &err);

	assert_ok(ovl2_layer_remove(store, "layer", &err), &err);
	end = test_tree_describe_at(home, TEST_TREE_NO_TIMES);
	test_text_assert_same(empty, end, "stores without the layer");
}

/* --------------------------------------------------------- whole archives -- */

static void build_sample(struct test_tar *tar)
{
	const struct test_tar_entry entries[] = {
		DIRECTORY("d"),
		INTO("d/one"),
		{ .name = "d/two",
		  .content = "x",
		  .pax = (const char *const[]){ "path=d/pax", NULL } },
		LINK("l", "d/one"),
		HARD_LINK("h", "d/one"),
		{ .name = "d/.wh.gone" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		test_tar_add(tar, &entries[i]);
	test_tar_end(tar);
}

/*
 * Cut inside of an entry it is refused; cut between two it may be taken for one
 * without an end.
 */
static void archive_cut_anywhere_is_all_or_nothing(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_tar struct test_tar tar = { 0 };

	build_sample(&tar);
	for (size_t length = 0; length < tar.bytes.length; length += 128) {
		cleanup_fd int fd = test_bytes_open(tar.bytes.text, length);
		cleanup_free char *text = NULL;
		struct ovl2_error err = { 0 };
		int r;

		create_layer(store, "layer", NULL);
		r = ovl2_layer_apply(store, "layer", NULL, fd, NULL, &err);
		text = describe_layer(store, "layer", TEST_TREE_NAMES);
		/* Behind the first block of the end mark nothing is missing. */
		if (length % TEST_TAR_BLOCK && length < tar.bytes.length - TEST_TAR_BLOCK)
			assert_fails(r, OVL2_E_CORRUPT, &err);
		if (r < 0)
			assert_string_equal(text, "");
		assert_ok(ovl2_layer_remove(store, "layer", &err), &err);
	}
}

static void compressed_archives_are_read(void **state)
{
	const char *const filters[] = { "gzip", "bzip2", "xz", "zstd", "lz4" };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int plain = -1;

	build_sample(&tar);
	plain = test_tar_open(&tar);
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		cleanup_fd int fd = test_compress(plain, filters[i]);
		cleanup_free char *text = NULL;
		struct ovl2_error err = { 0 };

		create_layer(store, filters[i], NULL);
		assert_ok(ovl2_layer_apply(store, filters[i], NULL, fd, NULL, &err), &err);
		text = describe_layer(store, filters[i], TEST_TREE_NAMES);
		assert_string_equal(text, "d d\nf d/one\nf d/pax\nf h\nl l -> d/one\n");
	}
}

static void compressed_archive_that_is_cut_is_refused(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int plain = -1;
	cleanup_fd int fd = -1;
	cleanup_free char *text = NULL;
	struct ovl2_error err = { 0 };

	build_sample(&tar);
	plain = test_tar_open(&tar);
	fd = test_compress(plain, "gzip");
	assert_sys(ftruncate(fd, lseek(fd, 0, SEEK_END) / 2));
	assert_sys(lseek(fd, 0, SEEK_SET));

	create_layer(store, "layer", NULL);
	assert_fails(ovl2_layer_apply(store, "layer", NULL, fd, NULL, &err), OVL2_E_CORRUPT, &err);
	text = describe_layer(store, "layer", TEST_TREE_NAMES);
	assert_string_equal(text, "");
}

static void compressed_archive_in_another_is_refused(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int plain = -1;
	cleanup_fd int once = -1;
	cleanup_fd int twice = -1;
	struct ovl2_error err = { 0 };

	build_sample(&tar);
	plain = test_tar_open(&tar);
	once = test_compress(plain, "gzip");
	twice = test_compress(once, "gzip");

	create_layer(store, "layer", NULL);
	assert_fails(ovl2_layer_apply(store, "layer", NULL, twice, NULL, &err), OVL2_E_CORRUPT,
	             &err);
}

static void archive_that_cannot_be_read_is_an_error(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_fd int writing = open("/dev/null", O_WRONLY | O_CLOEXEC);
	cleanup_fd int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct ovl2_error err = { 0 };

	create_layer(store, "layer", NULL);
	assert_fails(ovl2_layer_apply(store, "layer", NULL, writing, NULL, &err), OVL2_E_SYSTEM,
	             &err);
	assert_int_equal(err.sys, EBADF);
	assert_fails(ovl2_layer_apply(store, "layer", NULL, directory, NULL, &err), OVL2_E_SYSTEM,
	             &err);
	assert_int_equal(err.sys, EISDIR);
}

static void archive_comes_through_a_pipe(void **state)
{
	const struct test_tar_entry entries[] = { GOOD };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *text = NULL;
	int ends[2];
	cleanup_tar struct test_tar tar = { 0 };
	struct ovl2_error err = { 0 };

	/* From a pipe, as `docker save | ...` has it. */
	assert_sys(pipe2(ends, O_CLOEXEC));
	test_tar_add(&tar, &entries[0]);
	test_tar_end(&tar);
	assert_int_equal(write(ends[1], tar.bytes.text, tar.bytes.length), tar.bytes.length);
	close(ends[1]);

	create_layer(store, "layer", NULL);
	assert_ok(ovl2_layer_apply(store, "layer", NULL, ends[0], NULL, &err), &err);
	close(ends[0]);
	text = describe_layer(store, "layer", TEST_TREE_NAMES);
	assert_string_equal(text, "f good\n");
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 6] = {
		cmocka_unit_test(archive_cut_anywhere_is_all_or_nothing),
		cmocka_unit_test(compressed_archives_are_read),
		cmocka_unit_test(compressed_archive_that_is_cut_is_refused),
		cmocka_unit_test(compressed_archive_in_another_is_refused),
		cmocka_unit_test(archive_that_cannot_be_read_is_an_error),
		cmocka_unit_test(archive_comes_through_a_pipe),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[i + 6] = test_case(rows[i].title, check_row, &rows[i]);

	test_enter_namespace();
	return test_run_everywhere("hostile", tests, ARRAY_SIZE(tests), argc, argv);
}
