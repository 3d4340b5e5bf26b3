// SPDX-License-Identifier: MIT
#include "corpus.h"

#include "support/test.h"

#include <stdio.h>
#include <string.h>

/* In a header. */
#define MAX_NAME 100

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

/* ------------------------------------------------------------------- rows -- */

const struct corpus_row corpus_rows[] = {
	/* Form. */
	{ "nothing at all is an empty layer",
	  CORPUS_APPLIED,
	  "",
	  { { 0 } },
	  .add = NULL,
	  .without_end = 1 },
	{ "only the end", CORPUS_APPLIED, "", { { 0 } }, .add = NULL },
	{ "no end", CORPUS_APPLIED, "f good\n", { GOOD }, .add = NULL, .without_end = 1 },
	{ "garbage after the end",
	  CORPUS_APPLIED,
	  "f good\n",
	  { GOOD },
	  .add = add_garbage,
	  .without_end = 1 },
	{ "ends in a header",
	  CORPUS_REFUSED,
	  NULL,
	  { GOOD },
	  .add = add_half_header,
	  .without_end = 1 },
	{ "ends in content",
	  CORPUS_REFUSED,
	  NULL,
	  { GOOD },
	  .add = add_half_content,
	  .without_end = 1 },
	{ "ends in a pax header",
	  CORPUS_REFUSED,
	  NULL,
	  { GOOD },
	  .add = add_half_pax,
	  .without_end = 1 },
	{ "first header damaged", CORPUS_REFUSED, NULL, { { 0 } }, .add = add_bad_checksum },
	{ "later header damaged", CORPUS_REFUSED, NULL, { GOOD }, .add = add_bad_checksum },
	{ "text", CORPUS_REFUSED, NULL, { { 0 } }, .add = add_text, .without_end = 1 },
	{ "zip", CORPUS_REFUSED, NULL, { { 0 } }, .add = add_zip, .without_end = 1 },
	{ "mtree that reads a file of the host",
	  CORPUS_REFUSED,
	  NULL,
	  { { 0 } },
	  .add = add_mtree,
	  .without_end = 1 },
	{ "negative size", CORPUS_REFUSED, NULL, { GOOD }, .add = add_negative_size },
	{ "size of eight exbibytes",
	  CORPUS_REFUSED,
	  NULL,
	  { GOOD, { .name = "huge", PAX("size=9223372036854775807") } },
	  .add = NULL },
	{ "global header",
	  CORPUS_APPLIED,
	  "f good\n",
	  { { .name = "g", .type = 'g', .content = "11 mtime=1\n" }, GOOD },
	  .add = NULL },

	/* Names. */
	{ "absolute name lands in the layer",
	  CORPUS_APPLIED,
	  "f abs\n",
	  { INTO("/abs") },
	  .add = NULL },
	{ "name of the victim lands in the layer",
	  CORPUS_HARMLESS,
	  NULL,
	  { INTO("@/file") },
	  .add = NULL },
	{ "dot dot at the start",
	  CORPUS_REFUSED,
	  NULL,
	  { GOOD, INTO("../victim/file") },
	  .add = NULL },
	{ "dot dot behind a slash",
	  CORPUS_REFUSED,
	  NULL,
	  { GOOD, INTO("/../victim/file") },
	  .add = NULL },
	{ "many dot dots",
	  CORPUS_REFUSED,
	  NULL,
	  { INTO("../../../../../../../../victim") },
	  .add = NULL },
	{ "dot dot out of a directory",
	  CORPUS_REFUSED,
	  NULL,
	  { DIRECTORY("a"), INTO("a/../../victim") },
	  .add = NULL },
	{ "dot dot inside", CORPUS_REFUSED, NULL, { DIRECTORY("a"), INTO("a/../b") }, .add = NULL },
	{ "dot dot at the end",
	  CORPUS_REFUSED,
	  NULL,
	  { DIRECTORY("a"), DIRECTORY("a/..") },
	  .add = NULL },
	{ "dot dot behind a link",
	  CORPUS_REFUSED,
	  NULL,
	  { LINK("a", "@"), INTO("a/../victim/file") },
	  .add = NULL },
	{ "the root itself",
	  CORPUS_APPLIED,
	  "f good\n",
	  { { .name = "./", .type = '5', .mode = 0700 }, GOOD },
	  .add = NULL },
	{ "the root as a link",
	  CORPUS_REFUSED,
	  NULL,
	  { LINK(".", "@"), INTO("file") },
	  .add = NULL },
	{ "the root as a file", CORPUS_REFUSED, NULL, { INTO(".") }, .add = NULL },
	{ "slashes and dots",
	  CORPUS_APPLIED,
	  "d a\nd a/b\nf a/b/c\n",
	  { INTO("a//./b/././c") },
	  .add = NULL },
	{ "dots that are a name", CORPUS_APPLIED, "f ..gitme\n", { INTO("..gitme") }, .add = NULL },
	{ "newline in a name", CORPUS_APPLIED, "f a\nb\n", { INTO("a\nb") }, .add = NULL },
	{ "no UTF-8", CORPUS_APPLIED, "f \377\376\n", { INTO("\377\376") }, .add = NULL },
	{ "colon, comma and backslash",
	  CORPUS_APPLIED,
	  "f a:b,c\\d\n",
	  { INTO("a:b,c\\d") },
	  .add = NULL },
	{ "256 bytes between slashes", CORPUS_FAILS, NULL, { GOOD }, .add = add_long_component },
	{ "NUL in a pax path", CORPUS_REFUSED, NULL, { GOOD }, .add = add_nul_in_path },
	{ "second path of a pax header is unsafe",
	  CORPUS_REFUSED,
	  NULL,
	  { GOOD },
	  .add = add_two_paths },
	{ "pax path over a good name",
	  CORPUS_REFUSED,
	  NULL,
	  { { .name = "good", PAX("path=../victim/file") } },
	  .add = NULL },
	{ "empty name", CORPUS_HARMLESS, NULL, { { .name = "" } }, .add = NULL },

	/* Links. */
	{ "file through an absolute link",
	  CORPUS_HARMLESS,
	  NULL,
	  { LINK("l", "@"), INTO("l/file") },
	  .add = NULL },
	{ "file through a relative link",
	  CORPUS_HARMLESS,
	  NULL,
	  { LINK("l", "../../../victim"), INTO("l/file") },
	  .add = NULL },
	{ "file through two links",
	  CORPUS_HARMLESS,
	  NULL,
	  { LINK("up", "../.."), LINK("l", "up/../victim"), INTO("l/file") },
	  .add = NULL },
	{ "file over a link to a file",
	  CORPUS_APPLIED,
	  "f l\n",
	  { LINK("l", "@/file"), INTO("l") },
	  .add = NULL },
	{ "directory over a link",
	  CORPUS_APPLIED,
	  "d l\nf l/file\n",
	  { LINK("l", "@"), DIRECTORY("l"), INTO("l/file") },
	  .add = NULL },
	{ "link over a directory",
	  CORPUS_APPLIED,
	  "l d -> x\n",
	  { DIRECTORY("d"), INTO("d/f"), LINK("d", "x") },
	  .add = NULL },
	{ "time of a directory that became a link",
	  CORPUS_HARMLESS,
	  NULL,
	  { { .name = "d/e", .type = '5', .mode = 0700, .mtime = 1 }, LINK("d", "@") },
	  .add = NULL },
	{ "link inside the layer is followed",
	  CORPUS_APPLIED,
	  "l lib -> usr/lib\nd usr\nd usr/lib\nf usr/lib/x\n",
	  { DIRECTORY("usr"), DIRECTORY("usr/lib"), LINK("lib", "usr/lib"), INTO("lib/x") },
	  .add = NULL },
	{ "absolute link is followed inside the layer",
	  CORPUS_APPLIED,
	  "l lib -> /usr/lib\nd usr\nd usr/lib\nf usr/lib/x\n",
	  { DIRECTORY("usr"), DIRECTORY("usr/lib"), LINK("lib", "/usr/lib"), INTO("lib/x") },
	  .add = NULL },
	{ "links in a circle",
	  CORPUS_FAILS,
	  NULL,
	  { LINK("a", "b"), LINK("b", "a"), INTO("a/x") },
	  .add = NULL },
	{ "link of the kernel's",
	  CORPUS_HARMLESS,
	  NULL,
	  { LINK("r", "/proc/self/root"), INTO("r@/file") },
	  .add = NULL },
	{ "link to an open descriptor",
	  CORPUS_HARMLESS,
	  NULL,
	  { LINK("r", "/proc/self/cwd"), INTO("r/file") },
	  .add = NULL },
	{ "hard link up and out",
	  CORPUS_REFUSED,
	  NULL,
	  { HARD_LINK("h", "../victim/file") },
	  .add = NULL },
	{ "hard link to an absolute name",
	  CORPUS_FAILS,
	  NULL,
	  { HARD_LINK("h", "@/file"), INTO("h") },
	  .add = NULL },
	{ "hard link through a link",
	  CORPUS_HARMLESS,
	  NULL,
	  { LINK("l", "@"), HARD_LINK("h", "l/file"), INTO("h") },
	  .add = NULL },
	{ "hard link to a link, then attributes",
	  CORPUS_HARMLESS,
	  NULL,
	  { LINK("l", "@/file"),
	    HARD_LINK("h", "l"),
	    { .name = "h", .content = "harm", .mode = 0777, .mtime = 5, .uid = 7 } },
	  .add = NULL },
	{ "hard link to nothing",
	  CORPUS_FAILS,
	  NULL,
	  { GOOD, HARD_LINK("h", "missing") },
	  .add = NULL },
	{ "hard link to a directory",
	  CORPUS_FAILS,
	  NULL,
	  { DIRECTORY("d"), HARD_LINK("h", "d") },
	  .add = NULL },
	{ "hard link to an empty name",
	  CORPUS_FAILS,
	  NULL,
	  { GOOD, HARD_LINK("h", "") },
	  .add = NULL },
	{ "hard link to the root", CORPUS_FAILS, NULL, { HARD_LINK("h", ".") }, .add = NULL },
	{ "hard link to itself",
	  CORPUS_HARMLESS,
	  NULL,
	  { GOOD, HARD_LINK("good", "good") },
	  .add = NULL },
	{ "whiteout through a link",
	  CORPUS_HARMLESS,
	  NULL,
	  { LINK("l", "@"), INTO("l/.wh.file") },
	  .add = NULL },
	{ "opaque mark through a link",
	  CORPUS_HARMLESS,
	  NULL,
	  { LINK("l", "@"), INTO("l/.wh..wh..opq") },
	  .add = NULL },

	/* Kinds and attributes. */
	{ "content through a fifo does not hang",
	  CORPUS_APPLIED,
	  "f p\n",
	  { { .name = "p", .type = '6' }, INTO("p") },
	  .add = NULL },
	{ "hard link to a fifo, then content",
	  CORPUS_HARMLESS,
	  NULL,
	  { { .name = "p", .type = '6' }, HARD_LINK("h", "p"), INTO("h") },
	  .add = NULL },
	{ "whiteout device",
	  CORPUS_REFUSED,
	  NULL,
	  { GOOD, { .name = "d", .type = '3' } },
	  .add = NULL },
	{ "device",
	  CORPUS_APPLIED,
	  "c null\n",
	  { { .name = "null", .type = '3', .device_major = 1, .device_minor = 3 } },
	  .add = NULL },
	{ "forged opaque mark",
	  CORPUS_REFUSED,
	  NULL,
	  { GOOD, XATTR("trusted.overlay.opaque") },
	  .add = NULL },
	{ "forged redirect",
	  CORPUS_REFUSED,
	  NULL,
	  { GOOD, XATTR("trusted.overlay.redirect") },
	  .add = NULL },
	{ "forged metacopy",
	  CORPUS_REFUSED,
	  NULL,
	  { GOOD, XATTR("trusted.overlay.metacopy") },
	  .add = NULL },
	{ "forged origin",
	  CORPUS_REFUSED,
	  NULL,
	  { GOOD, XATTR("trusted.overlay.origin") },
	  .add = NULL },
	{ "forged opaque mark of a user",
	  CORPUS_REFUSED,
	  NULL,
	  { GOOD, XATTR("user.overlay.opaque") },
	  .add = NULL },
	{ "forged redirect of a user",
	  CORPUS_REFUSED,
	  NULL,
	  { GOOD, XATTR("user.overlay.redirect") },
	  .add = NULL },
	{ "forged mark in the other encoding",
	  CORPUS_REFUSED,
	  NULL,
	  { { .name = "d", .type = '5', PAX("LIBARCHIVE.xattr.trusted.overlay.opaque=eQ") } },
	  .add = NULL },
	{ "forged mark, its name encoded",
	  CORPUS_REFUSED,
	  NULL,
	  { { .name = "d", .type = '5', PAX("LIBARCHIVE.xattr.trusted%2eoverlay%2eopaque=eQ") } },
	  .add = NULL },
	{ "immutable file can be removed",
	  CORPUS_HARMLESS,
	  NULL,
	  { { .name = "f", PAX("SCHILY.fflags=immutable") } },
	  .add = NULL },
	{ "user that does not fit",
	  CORPUS_FAILS,
	  NULL,
	  { GOOD, { .name = "f", PAX("uid=4294967296") } },
	  .add = NULL },
	{ "negative user",
	  CORPUS_FAILS,
	  NULL,
	  { GOOD, { .name = "f", PAX("uid=-2") } },
	  .add = NULL },
	{ "group that does not fit",
	  CORPUS_FAILS,
	  NULL,
	  { GOOD, { .name = "f", PAX("gid=18446744073709551616") } },
	  .add = NULL },
	{ "time far away",
	  CORPUS_HARMLESS,
	  NULL,
	  { { .name = "f", PAX("mtime=99999999999999") } },
	  .add = NULL },

	/* Order. */
	{ "last of two files wins",
	  CORPUS_APPLIED,
	  "f f\nf good\n",
	  { INTO("f"), GOOD, { .name = "good" } },
	  .add = NULL },
	{ "directory over a file",
	  CORPUS_APPLIED,
	  "d f\nf f/x\n",
	  { INTO("f"), DIRECTORY("f"), INTO("f/x") },
	  .add = NULL },
	{ "file over a directory",
	  CORPUS_APPLIED,
	  "f d\n",
	  { DIRECTORY("d"), INTO("d/x"), INTO("d") },
	  .add = NULL },
	{ "child before its parent",
	  CORPUS_APPLIED,
	  "d d\nf d/x\n",
	  { INTO("d/x"), { .name = "d", .type = '5', .mode = 0700 } },
	  .add = NULL },
	{ "child of a file", CORPUS_FAILS, NULL, { INTO("f"), INTO("f/x") }, .add = NULL },
	{ "bad entry after a good one",
	  CORPUS_REFUSED,
	  NULL,
	  { GOOD, DIRECTORY("d"), INTO("d/x"), INTO("../victim/file") },
	  .add = NULL },
};

const size_t corpus_count = ARRAY_SIZE(corpus_rows);

/* ------------------------------------------------------------------- build -- */

const struct corpus_row *corpus_row(size_t index)
{
	if (index < corpus_count)
		return &corpus_rows[index];
	index -= corpus_count;
	if (index < corpus_header_count)
		return &corpus_header_rows[index];
	index -= corpus_header_count;

	return index < corpus_layer_count ? &corpus_layer_rows[index] : NULL;
}

/* 17 times 255 bytes, with slashes between. */
static void add_long_path(struct ovi_strbuf *text)
{
	for (int i = 0; i < 17 * 256 - 1; i++)
		ovi_strbuf_add(text, i % 256 == 255 ? "/" : "n");
}

static char *expand(const char *text, const char *victim)
{
	struct ovi_strbuf expanded = { 0 };

	if (!text)
		return NULL;
	ovi_strbuf_add(&expanded, "");
	for (; *text; text++) {
		if (*text == '@')
			ovi_strbuf_add(&expanded, victim);
		else if (*text == '^')
			add_long_path(&expanded);
		else
			ovi_strbuf_add_bytes(&expanded, text, 1);
	}

	return ovi_strbuf_steal(&expanded);
}

/* What a header has no room for comes in records in front of it. */
static void add_entry(struct test_tar *tar, struct test_tar_entry entry)
{
	cleanup_free char *name = test_path("path=%s", entry.name);
	cleanup_free char *link = test_path("linkpath=%s", entry.link ? entry.link : "");
	const char *pax[3] = { NULL };
	size_t count = 0;

	if (strlen(entry.name) > MAX_NAME)
		pax[count++] = name;
	if (entry.link && strlen(entry.link) > MAX_NAME)
		pax[count++] = link;
	if (count) {
		assert_null(entry.pax);
		entry.pax = pax;
	}
	test_tar_add(tar, &entry);
}

/* Of the header that begins at `start`: room for the sum, then the sum. */
static void put_checksum(struct test_tar *tar, size_t start)
{
	char *header = tar->bytes.text + start;
	unsigned int sum = 0;

	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < TEST_TAR_BLOCK; i++)
		sum += (unsigned char)header[i];
	(void)snprintf(header + 148, 8, "%06o", sum);
}

static void add_last(const struct corpus_row *row, const struct test_tar_entry *entry,
                     struct test_tar *tar)
{
	size_t start;

	if (row->records.bytes)
		test_tar_add_pax(tar, 'x', row->records.bytes, row->records.length);
	start = tar->bytes.length;
	add_entry(tar, *entry);
	if (!row->patch.bytes)
		return;
	assert_null(entry->pax);
	memcpy(tar->bytes.text + start + row->patch_at, row->patch.bytes, row->patch.length);
	put_checksum(tar, start);
}

void corpus_build(const struct corpus_row *row, const char *victim, struct test_tar *tar)
{
	for (size_t i = 0; i < CORPUS_MAX_ENTRIES && row->entries[i].name; i++) {
		int is_last = i + 1 == CORPUS_MAX_ENTRIES || !row->entries[i + 1].name;
		struct test_tar_entry entry = row->entries[i];
		cleanup_free char *name = expand(entry.name, victim);
		cleanup_free char *link = expand(entry.link, victim);

		entry.name = name;
		entry.link = link;
		if (is_last)
			add_last(row, &entry, tar);
		else
			add_entry(tar, entry);
	}
	if (row->add)
		row->add(tar);
	if (!row->without_end)
		test_tar_end(tar);
}
