// SPDX-License-Identifier: MIT
#include "corpus.h"

#include "support/test.h"

#include <stdio.h>

/*
 * Single fields of headers, and records of pax headers. What can be read in two ways
 * is refused; what is only rare is read.
 */

/* Where the fields of a header are. */
enum {
	NAME = 0,
	MODE = 100,
	UID = 108,
	GID = 116,
	SIZE = 124,
	MTIME = 136,
	TYPE = 156,
	MAGIC = 257,
	MAJOR = 329,
	MINOR = 337,
	PREFIX = 345,
};

#define BYTES(text)                    \
	{                              \
		text, sizeof(text) - 1 \
	}

/* A row about one field of a file without content. */
#define FIELD(title, outcome, field, text)                                                     \
	{                                                                                      \
		title, CORPUS_##outcome, NULL, { GOOD, { .name = "f" } }, .patch_at = (field), \
									  .patch = BYTES(text) \
	}

/* The same of a device. */
#define DEVICE(title, outcome, field, text)                                                     \
	{                                                                                       \
		title, CORPUS_##outcome, NULL,                                                  \
			{ { .name = "f", .type = '3', .device_major = 1, .device_minor = 3 } }, \
			.patch_at = (field), .patch = BYTES(text)                               \
	}

/* One of a type that no layer has. */
#define OF_TYPE(letter)                                             \
	{                                                           \
		"type " #letter, CORPUS_REFUSED, NULL, .entries = { \
			GOOD,                                       \
			{ .name = "f", .type = (letter) }           \
		}                                                   \
	}

/* One about the records of a pax header. */
#define RECORDS(title, outcome, text)                                                            \
	{                                                                                        \
		title, CORPUS_##outcome, NULL, { GOOD, { .name = "f" } }, .records = BYTES(text) \
	}

/* One about a single record, well formed. */
#define RECORD(text, outcome)                                     \
	{                                                         \
		"pax " text, CORPUS_##outcome, NULL, .entries = { \
			GOOD,                                     \
			{ .name = "f", PAX(text) }                \
		}                                                 \
	}

/* ---------------------------------------------------------------- builders -- */

static void add_special(struct test_tar *tar, char type, const char *text, size_t length)
{
	const struct test_tar_entry entry = {
		.name = "././@LongLink",
		.type = type,
		.content = text,
		.content_length = length,
	};

	test_tar_add(tar, &entry);
}

static void add_file(struct test_tar *tar, const char *name)
{
	const struct test_tar_entry entry = { .name = name };

	test_tar_add(tar, &entry);
}

static void add_lone_block(struct test_tar *tar)
{
	static const char zeroes[TEST_TAR_BLOCK];

	test_tar_add_bytes(tar, zeroes, sizeof(zeroes));
	add_file(tar, "behind");
}

static void add_two_pax(struct test_tar *tar)
{
	test_tar_add_pax(tar, 'x', "10 path=a\n", 10);
	test_tar_add_pax(tar, 'x', "10 path=b\n", 10);
	add_file(tar, "f");
}

static void add_two_long_names(struct test_tar *tar)
{
	add_special(tar, 'L', "one", 4);
	add_special(tar, 'L', "two", 4);
	add_file(tar, "f");
}

static void add_two_long_links(struct test_tar *tar)
{
	add_special(tar, 'K', "one", 4);
	add_special(tar, 'K', "two", 4);
	add_file(tar, "f");
}

static void add_pax_then_global(struct test_tar *tar)
{
	test_tar_add_pax(tar, 'x', "10 path=a\n", 10);
	test_tar_add_pax(tar, 'g', "11 atime=1\n", 11);
	add_file(tar, "f");
}

static void add_global_then_pax(struct test_tar *tar)
{
	test_tar_add_pax(tar, 'g', "11 mtime=1\n", 11);
	test_tar_add_pax(tar, 'x', "10 path=a\n", 10);
	add_file(tar, "f");
}

static void add_global_at_end(struct test_tar *tar)
{
	test_tar_add_pax(tar, 'g', "11 mtime=1\n", 11);
}

static void add_global_path(struct test_tar *tar)
{
	test_tar_add_pax(tar, 'g', "13 path=evil\n", 13);
	add_file(tar, "f");
}

static void add_global_size(struct test_tar *tar)
{
	test_tar_add_pax(tar, 'g', "12 size=512\n", 12);
	add_file(tar, "f");
}

static void add_bad_global(struct test_tar *tar)
{
	test_tar_add_pax(tar, 'g', "99 mtime=1\n", 11);
	add_file(tar, "f");
}

static void add_dangling_pax(struct test_tar *tar)
{
	test_tar_add_pax(tar, 'x', "10 path=a\n", 10);
}

static void add_dangling_long_name(struct test_tar *tar)
{
	add_special(tar, 'L', "name", 5);
}

static void add_long_name(struct test_tar *tar)
{
	add_special(tar, 'L', "long/name", 10);
	add_file(tar, "f");
}

static void add_long_name_without_nul(struct test_tar *tar)
{
	add_special(tar, 'L', "long", 4);
	add_file(tar, "f");
}

static void add_long_name_with_nul(struct test_tar *tar)
{
	add_special(tar, 'L', "one\0two", 8);
	add_file(tar, "f");
}

static void add_long_name_with_dots(struct test_tar *tar)
{
	add_special(tar, 'L', "a/../../b", 10);
	add_file(tar, "f");
}

static void add_empty_long_name(struct test_tar *tar)
{
	add_special(tar, 'L', "", 1);
	add_file(tar, "f");
}

static void add_safe_pax_unsafe_long_name(struct test_tar *tar)
{
	test_tar_add_pax(tar, 'x', "10 path=a\n", 10);
	add_special(tar, 'L', "../evil", 8);
	add_file(tar, "f");
}

static void add_safe_long_name_unsafe_pax(struct test_tar *tar)
{
	add_special(tar, 'L', "safe", 5);
	test_tar_add_pax(tar, 'x', "16 path=../evil\n", 16);
	add_file(tar, "f");
}

static void add_pax_size_then_long_name(struct test_tar *tar)
{
	const struct test_tar_entry file = { .name = "f",
		                             .content = "body",
		                             .size = "00000000000" };

	test_tar_add_pax(tar, 'x', "9 size=4\n", 9);
	add_special(tar, 'L', "named", 6);
	test_tar_add(tar, &file);
}

static void add_huge_special(struct test_tar *tar, char type)
{
	const struct test_tar_entry entry = {
		.name = "huge",
		.type = type,
		.content = "x",
		.size = "10000000000",
	};

	test_tar_add(tar, &entry);
}

static void add_huge_pax(struct test_tar *tar)
{
	add_huge_special(tar, 'x');
}

static void add_huge_long_name(struct test_tar *tar)
{
	add_huge_special(tar, 'L');
}

static void add_empty_pax(struct test_tar *tar)
{
	const struct test_tar_entry entry = { .name = "empty", .type = 'x' };

	test_tar_add(tar, &entry);
	add_file(tar, "f");
}

static void add_many_records(struct test_tar *tar)
{
	cleanup_strbuf struct ovi_strbuf records = { 0 };

	for (int i = 0; i < 100000; i++)
		ovi_strbuf_addf(&records, "19 comment%06d=x\n", i % 1000000);
	test_tar_add_pax(tar, 'x', records.text, records.length);
	add_file(tar, "f");
}

static void add_smuggled(struct test_tar *tar)
{
	const struct test_tar_entry outer = { .name = "outer", .size = "00000001000" };

	test_tar_add_pax(tar, 'x', "9 size=0\n", 9);
	test_tar_add(tar, &outer);
	add_file(tar, "inner");
}

static void add_pax_larger(struct test_tar *tar)
{
	const struct test_tar_entry outer = { .name = "outer",
		                              .content = "four",
		                              .size = "00000000000" };

	test_tar_add_pax(tar, 'x', "9 size=4\n", 9);
	test_tar_add(tar, &outer);
}

static void add_two_sizes(struct test_tar *tar)
{
	const struct test_tar_entry file = { .name = "f", .content = "four" };

	test_tar_add_pax(tar, 'x', "11 size=99\n9 size=4\n", 20);
	test_tar_add(tar, &file);
}

/* A name of bytes above 127, its checksum made with signed characters. */
static void add_signed_checksum(struct test_tar *tar)
{
	size_t start = tar->bytes.length;
	char *header;
	int sum = 0;

	add_file(tar, "\303\244\303\266");
	header = tar->bytes.text + start;
	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < TEST_TAR_BLOCK; i++)
		sum += (signed char)header[i];
	(void)snprintf(header + 148, 8, "%06o", (unsigned int)sum);
}

/* GNU tar's header of a sparse file: `map` is pairs of offset and length. */
static void add_sparse(struct test_tar *tar, const char *map, const char *real_size,
                       const char *content)
{
	const struct test_tar_entry file = { .name = "sparse", .type = 'S', .content = content };
	size_t start = tar->bytes.length;
	unsigned int sum = 0;
	char *header;

	test_tar_add(tar, &file);
	header = tar->bytes.text + start;
	memcpy(header + 257, "ustar  ", 8);
	memset(header + 345, 0, 155);
	(void)snprintf(header + 386, 96, "%s", map);
	(void)snprintf(header + 483, 13, "%s", real_size);
	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < TEST_TAR_BLOCK; i++)
		sum += (unsigned char)header[i];
	(void)snprintf(header + 148, 8, "%06o", sum);
}

static void add_good_sparse(struct test_tar *tar)
{
	add_sparse(tar, "00000010000 00000000004 ", "00000020000 ", "data");
}

static void add_sparse_overlap(struct test_tar *tar)
{
	add_sparse(tar, "00000010000 00000000004 00000000000 00000000004 ", "00000020000 ",
	           "datadata");
}

static void add_sparse_longer_than_content(struct test_tar *tar)
{
	add_sparse(tar, "00000010000 00000000010 ", "00000020000 ", "data");
}

static void add_sparse_shorter_than_content(struct test_tar *tar)
{
	add_sparse(tar, "00000010000 00000000002 ", "00000020000 ", "data");
}

static void add_sparse_odd_map(struct test_tar *tar)
{
	add_sparse(tar, "0000001x000 00000000004 ", "00000020000 ", "data");
}

static void add_sparse_beyond(struct test_tar *tar)
{
	add_sparse(tar, "00000010000 00000000004 ", "00000000010 ", "data");
}

static void add_sparse_huge(struct test_tar *tar)
{
	/* A hole of 1 GiB costs nothing. */
	add_sparse(tar, "07777777774 00000000004 ", "10000000000 ", "data");
}

static void add_sparse_short_map(struct test_tar *tar)
{
	size_t start = tar->bytes.length;
	unsigned int sum = 0;
	char *header;

	add_sparse(tar, "00000010000 00000000004 ", "00000020000 ", NULL);
	header = tar->bytes.text + start;
	header[482] = 1;
	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < TEST_TAR_BLOCK; i++)
		sum += (unsigned char)header[i];
	(void)snprintf(header + 148, 8, "%06o", sum);
}

/* The same of GNU tar's pax form 1.0, whose map is in front of the content. */
static void add_pax_sparse(struct test_tar *tar, const char *map)
{
	const char *const pax[] = { "GNU.sparse.major=1",          "GNU.sparse.minor=0",
		                    "GNU.sparse.name=sparse",      "GNU.sparse.realsize=8192",
		                    "path=GNUSparseFile.1/sparse", NULL };
	struct ovi_strbuf content = { 0 };
	struct test_tar_entry file = { .name = "GNUSparseFile.1/sparse", .pax = pax };

	ovi_strbuf_add(&content, map);
	while (content.length < TEST_TAR_BLOCK)
		ovi_strbuf_add_bytes(&content, "", 1);
	ovi_strbuf_add(&content, "data");
	file.content = content.text;
	file.content_length = content.length;
	test_tar_add(tar, &file);
	ovi_strbuf_release(&content);
}

static void add_good_pax_sparse(struct test_tar *tar)
{
	add_pax_sparse(tar, "1\n4096\n4\n");
}

static void add_pax_sparse_without_map(struct test_tar *tar)
{
	add_pax_sparse(tar, "x\n");
}

static void add_pax_sparse_overlap(struct test_tar *tar)
{
	add_pax_sparse(tar, "2\n4096\n2\n0\n2\n");
}

static void add_pax_sparse_beyond(struct test_tar *tar)
{
	add_pax_sparse(tar, "1\n9000\n4\n");
}

/* --------------------------------------------------------------------- rows -- */

/* A row whose tar is made by a function alone. */
#define MADE(title, outcome, names, function)                     \
	{                                                         \
		title, CORPUS_##outcome, names, .add = (function) \
	}

const struct corpus_row corpus_header_rows[] = {
	/* Sizes. */
	FIELD("size with a letter", REFUSED, SIZE, "0000000000x"),
	FIELD("size with a tail", REFUSED, SIZE, "12abc"),
	FIELD("size with a digit behind a blank", REFUSED, SIZE, "0 000000001"),
	FIELD("size with a minus", REFUSED, SIZE, "-0000000001"),
	FIELD("size with a plus", REFUSED, SIZE, "+0000000000"),
	FIELD("size in hexadecimal", REFUSED, SIZE, "0x000000000"),
	FIELD("size that is not octal", REFUSED, SIZE, "00000000008"),
	FIELD("size behind a tab", REFUSED, SIZE, "\t0000000000"),
	FIELD("size behind a NUL", REFUSED, SIZE, "\0000000000001"),
	FIELD("size behind blanks", APPLIED, SIZE, "          0"),
	FIELD("size of blanks", APPLIED, SIZE, "            "),
	FIELD("size of NULs", APPLIED, SIZE, "\0\0\0\0\0\0\0\0\0\0\0\0"),
	FIELD("size without an end", APPLIED, SIZE, "000000000000"),
	FIELD("size of zero in base 256", APPLIED, SIZE, "\200\0\0\0\0\0\0\0\0\0\0\0"),
	FIELD("size of -1 in base 256", REFUSED, SIZE,
	      "\377\377\377\377\377\377\377\377\377\377\377\377"),
	FIELD("size of 2^63 in base 256", REFUSED, SIZE, "\200\0\0\0\200\0\0\0\0\0\0\0"),
	FIELD("size of 2^63-1 in base 256", REFUSED, SIZE,
	      "\200\0\0\0\177\377\377\377\377\377\377\377"),
	FIELD("size of 2^64 in base 256", REFUSED, SIZE, "\200\0\0\1\0\0\0\0\0\0\0\0"),
	FIELD("size of which nothing is there", REFUSED, SIZE, "77777777777"),

	/* Modes, owners, times. */
	FIELD("mode that is a word", REFUSED, MODE, "rwxr-xr"),
	FIELD("mode below zero", REFUSED, MODE, "\377\377\377\377\377\377\377\377"),
	FIELD("mode with more bits than a mode", APPLIED, MODE, "0177777"),
	FIELD("mode of NULs", APPLIED, MODE, "\0\0\0\0\0\0\0"),
	FIELD("uid that is a word", REFUSED, UID, "root\0\0\0"),
	FIELD("uid of -1", REFUSED, UID, "\377\377\377\377\377\377\377\377"),
	FIELD("uid of 2^32", REFUSED, UID, "\200\0\0\1\0\0\0\0"),
	FIELD("uid of 2^32-1", REFUSED, UID, "\200\0\0\0\377\377\377\377"),
	FIELD("uid of 2^32-2", APPLIED, UID, "\200\0\0\0\377\377\377\376"),
	FIELD("uid of NULs", APPLIED, UID, "\0\0\0\0\0\0\0\0"),
	FIELD("gid that is a word", REFUSED, GID, "wheel\0\0"),
	FIELD("gid of -1", REFUSED, GID, "\377\377\377\377\377\377\377\377"),
	FIELD("gid of 2^32", REFUSED, GID, "\200\0\0\1\0\0\0\0"),
	FIELD("gid of 2^32-1", REFUSED, GID, "\200\0\0\0\377\377\377\377"),
	FIELD("gid of 2^32-2", APPLIED, GID, "\200\0\0\0\377\377\377\376"),
	FIELD("time that is a word", REFUSED, MTIME, "yesterday\0\0"),
	FIELD("time before 1970", APPLIED, MTIME,
	      "\377\377\377\377\377\377\377\377\377\377\377\376"),
	FIELD("time of 2^64", REFUSED, MTIME, "\200\0\0\1\0\0\0\0\0\0\0\0"),
	FIELD("time beyond 2038", APPLIED, MTIME, "\200\0\0\0\0\0\0\0\200\0\0\0"),

	/* Devices. Some filesystems hold fewer numbers than the kernel. */
	DEVICE("major of 4095", HARMLESS, MAJOR, "0007777"),
	DEVICE("major of 4096", REFUSED, MAJOR, "0010000"),
	DEVICE("major of 2^32+1", REFUSED, MAJOR, "\200\0\0\1\0\0\0\1"),
	DEVICE("major below zero", REFUSED, MAJOR, "\377\377\377\377\377\377\377\377"),
	DEVICE("major that is a word", REFUSED, MAJOR, "disk\0\0\0"),
	DEVICE("minor of 1048575", HARMLESS, MINOR, "3777777"),
	DEVICE("minor of 1048576", REFUSED, MINOR, "4000000"),
	DEVICE("minor of 2^32+3", REFUSED, MINOR, "\200\0\0\1\0\0\0\3"),
	DEVICE("minor below zero", REFUSED, MINOR, "\377\377\377\377\377\377\377\377"),

	/* Formats and names. */
	FIELD("header of Version 7", APPLIED, MAGIC, "\0\0\0\0\0\0\0\0"),
	FIELD("header of GNU tar", APPLIED, MAGIC, "ustar  \0"),
	FIELD("magic that nobody uses", HARMLESS, MAGIC,
	      "USTAR\0"
	      "00"),
	FIELD("prefix", APPLIED, PREFIX, "p"),
	FIELD("prefix that leads up", REFUSED, PREFIX, ".."),
	FIELD("prefix that leads up inside", REFUSED, PREFIX, "a/../.."),
	FIELD("prefix that is absolute", APPLIED, PREFIX, "/p"),
	FIELD("name without an end", APPLIED, NAME,
	      "0123456789012345678901234567890123456789012345678901234567890123456789"
	      "012345678901234567890123456789"),
	FIELD("type of NUL is a file", APPLIED, TYPE, "\0"),
	FIELD("type 7 is a file", APPLIED, TYPE, "7"),
	{ "type of NUL and a slash is a directory", CORPUS_APPLIED, "d d\n",
	  .entries = { { .name = "d/" } }, .patch_at = TYPE, .patch = BYTES("\0") },
	{ "file with a slash", CORPUS_APPLIED, "d d\n", .entries = { { .name = "d/" } } },
	{ "file with a slash and content", CORPUS_REFUSED, NULL, .entries = { GOOD, INTO("d/") } },
	MADE("checksum of signed characters", APPLIED, "f \303\244\303\266\n", add_signed_checksum),
	OF_TYPE('8'),
	OF_TYPE('9'),
	OF_TYPE('A'),
	OF_TYPE('B'),
	OF_TYPE('C'),
	OF_TYPE('D'),
	OF_TYPE('E'),
	OF_TYPE('F'),
	OF_TYPE('I'),
	OF_TYPE('M'),
	OF_TYPE('N'),
	OF_TYPE('V'),
	OF_TYPE('X'),
	OF_TYPE('Z'),
	OF_TYPE(' '),
	OF_TYPE('s'),
	OF_TYPE('\1'),
	OF_TYPE('\377'),

	/* Sizes of what has no content. */
	{ "directory with a size", CORPUS_APPLIED, "d d\nf good\n",
	  .entries = { { .name = "d", .type = '5', .size = "00000001000" }, GOOD } },
	{ "link with a size", CORPUS_APPLIED, "l d -> x\nf good\n",
	  .entries = { { .name = "d", .type = '2', .link = "x", .size = "00000001000" }, GOOD } },
	{ "fifo with a size", CORPUS_APPLIED, "f good\np p\n",
	  .entries = { { .name = "p", .type = '6', .size = "00000001000" }, GOOD } },
	{ "device with a size", CORPUS_APPLIED, "c c\nf good\n",
	  .entries = { { .name = "c",
	                 .type = '3',
	                 .device_major = 1,
	                 .device_minor = 3,
	                 .size = "00000001000" },
	               GOOD } },
	{ "hard link with a size", CORPUS_REFUSED, NULL,
	  .entries = { GOOD,
	               { .name = "h", .type = '1', .link = "good", .size = "00000001000" } } },
	{ "directory with a size in its pax header", CORPUS_REFUSED, NULL,
	  .entries = { { .name = "d", .type = '5', PAX("size=512") }, GOOD } },
	{ "link with a size in its pax header", CORPUS_REFUSED, NULL,
	  .entries = { { .name = "d", .type = '2', .link = "x", PAX("size=512") }, GOOD } },
	{ "hard link with a size in its pax header", CORPUS_REFUSED, NULL,
	  .entries = { GOOD, { .name = "h", .type = '1', .link = "good", PAX("size=4") } } },
	{ "file with the target of a link is a file", CORPUS_APPLIED, "f good\nf h\n",
	  .entries = { GOOD, { .name = "h", PAX("linkpath=good") } } },
	MADE("pax size below the header's hides nothing", APPLIED, "f inner\nf outer\n",
	     add_smuggled),
	MADE("pax size above the header's", APPLIED, "f outer\n", add_pax_larger),
	MADE("two sizes in a pax header: the last", APPLIED, "f f\n", add_two_sizes),

	/* The form of pax records. */
	RECORDS("record of negative length", REFUSED, "-7 a=b\n"),
	RECORDS("record of length zero", REFUSED, "0 a=b\n"),
	RECORDS("record of huge length", REFUSED, "99999999999999999999999 a=b\n"),
	RECORDS("record longer than the header", REFUSED, "7 a=b\n"),
	RECORDS("record shorter than it is", REFUSED, "5 a=b\n"),
	RECORDS("record without a key", REFUSED, "5 =b\n"),
	RECORDS("record without an equals sign", REFUSED, "6 abc\n"),
	RECORDS("record without a blank", REFUSED, "5a=b\n"),
	RECORDS("record without a newline", REFUSED, "6 a=bc"),
	RECORDS("record without a length", REFUSED, " a=b\n"),
	RECORDS("record that is only a length", REFUSED, "12"),
	RECORDS("length with a zero in front", REFUSED, "07 a=b\n"),
	RECORDS("length with a blank in front", REFUSED, " 7 a=b\n"),
	RECORDS("length with a plus", REFUSED, "+7 a=b\n"),
	RECORDS("length in hexadecimal", REFUSED, "0x8 a=b\n"),
	RECORDS("length behind a newline", REFUSED, "\n6 a=b\n"),
	RECORDS("record behind a bad one", REFUSED, "6 a=b\nx"),
	RECORDS("records end in NULs", REFUSED, "6 a=b\n\0\0"),
	RECORDS("NUL in a key", REFUSED, "8 a\0b=c\n"),
	RECORDS("NUL in a path", REFUSED, "12 path=a\0b\n"),
	RECORDS("NUL in a link", REFUSED, "16 linkpath=a\0b\n"),
	RECORDS("NUL in a user", REFUSED, "13 uname=a\0b\n"),
	RECORDS("NUL in the name of an attribute", REFUSED, "26 SCHILY.xattr.user.\0a=b\n"),
	RECORDS("NUL in the value of an attribute", APPLIED, "27 SCHILY.xattr.user.a=b\0c\n"),
	RECORDS("newline in a value", APPLIED, "15 comment=a\nb\n"),
	RECORDS("equals sign in a value", APPLIED, "15 comment=a=b\n"),
	RECORDS("empty value", APPLIED, "12 comment=\n"),
	RECORD("path=", REFUSED),
	RECORD("path=../up", REFUSED),
	RECORD("path=a/..", REFUSED),
	RECORD("path=/in", APPLIED),
	RECORD("path=..in", APPLIED),
	RECORD("linkpath=", REFUSED),
	RECORD("size=", REFUSED),
	RECORD("size=0", APPLIED),
	RECORD("size=12abc", REFUSED),
	RECORD("size=+0", REFUSED),
	RECORD("size= 0", REFUSED),
	RECORD("size=0 ", REFUSED),
	RECORD("size=-1", REFUSED),
	RECORD("size=0x0", REFUSED),
	RECORD("size=1e3", REFUSED),
	RECORD("size=9223372036854775808", REFUSED),
	RECORD("size=99999999999999999999999999", REFUSED),
	RECORD("uid=", REFUSED),
	RECORD("uid=+1", REFUSED),
	RECORD("uid=1.5", REFUSED),
	RECORD("uid=root", REFUSED),
	RECORD("uid=4294967294", APPLIED),
	RECORD("uid=4294967295", REFUSED),
	RECORD("gid=", REFUSED),
	RECORD("gid=-1", REFUSED),
	RECORD("gid=4294967295", REFUSED),
	RECORD("mtime=", REFUSED),
	RECORD("mtime=now", REFUSED),
	RECORD("mtime=1.2.3", REFUSED),
	RECORD("mtime=.5", REFUSED),
	RECORD("mtime=-1.5", APPLIED),
	RECORD("mtime=1000000000.123456789", APPLIED),
	RECORD("mtime=99999999999999999999", REFUSED),
	RECORD("SCHILY.devmajor=4096", REFUSED),
	RECORD("SCHILY.devminor=1048576", REFUSED),
	RECORD("SCHILY.devmajor=x", REFUSED),
	RECORD("VENDOR.unknown=thing", APPLIED),

	/* Extended headers. */
	MADE("empty block, then an entry", REFUSED, NULL, add_lone_block),
	MADE("two pax headers", REFUSED, NULL, add_two_pax),
	MADE("two long names", REFUSED, NULL, add_two_long_names),
	MADE("two long links", REFUSED, NULL, add_two_long_links),
	MADE("global header behind a pax header", REFUSED, NULL, add_pax_then_global),
	MADE("global header in front of a pax header", APPLIED, "f a\n", add_global_then_pax),
	MADE("global header at the end", APPLIED, "", add_global_at_end),
	MADE("global path is nobody's", APPLIED, "f f\n", add_global_path),
	MADE("global size is nobody's", APPLIED, "f f\n", add_global_size),
	MADE("malformed global header", REFUSED, NULL, add_bad_global),
	MADE("pax header of nothing", REFUSED, NULL, add_dangling_pax),
	MADE("long name of nothing", REFUSED, NULL, add_dangling_long_name),
	MADE("empty pax header", REFUSED, NULL, add_empty_pax),
	MADE("pax header of 1 GiB", REFUSED, NULL, add_huge_pax),
	MADE("long name of 1 GiB", REFUSED, NULL, add_huge_long_name),
	MADE("a hundred thousand records", REFUSED, NULL, add_many_records),
	MADE("long name", APPLIED, "d long\nf long/name\n", add_long_name),
	MADE("long name without a NUL", HARMLESS, NULL, add_long_name_without_nul),
	MADE("long name with a NUL", REFUSED, NULL, add_long_name_with_nul),
	MADE("long name that leads up", REFUSED, NULL, add_long_name_with_dots),
	MADE("empty long name", REFUSED, NULL, add_empty_long_name),
	MADE("safe pax name, unsafe long name", REFUSED, NULL, add_safe_pax_unsafe_long_name),
	MADE("safe long name, unsafe pax name", REFUSED, NULL, add_safe_long_name_unsafe_pax),
	MADE("pax size is the file's, not the long name's", APPLIED, "f named\n",
	     add_pax_size_then_long_name),

	/* Sparse files. */
	MADE("sparse file of GNU tar", APPLIED, "f sparse\n", add_good_sparse),
	MADE("sparse file whose parts overlap", REFUSED, NULL, add_sparse_overlap),
	MADE("sparse file whose map is longer than its content", REFUSED, NULL,
	     add_sparse_longer_than_content),
	MADE("sparse file whose map is shorter than its content", REFUSED, NULL,
	     add_sparse_shorter_than_content),
	MADE("sparse file whose map is no number", REFUSED, NULL, add_sparse_odd_map),
	MADE("sparse file larger than it is", REFUSED, NULL, add_sparse_beyond),
	MADE("sparse file of a gibibyte", APPLIED, "f sparse\n", add_sparse_huge),
	{ "sparse file whose map is cut", CORPUS_REFUSED, NULL, .add = add_sparse_short_map,
	  .without_end = 1 },
	MADE("sparse file in pax form", APPLIED, "f sparse\n", add_good_pax_sparse),
	MADE("sparse file in pax form without a map", REFUSED, NULL, add_pax_sparse_without_map),
	MADE("sparse file in pax form whose parts overlap", REFUSED, NULL, add_pax_sparse_overlap),
	MADE("sparse file in pax form larger than it is", REFUSED, NULL, add_pax_sparse_beyond),
};

const size_t corpus_header_count = ARRAY_SIZE(corpus_header_rows);
