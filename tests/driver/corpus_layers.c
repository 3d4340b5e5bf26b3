// SPDX-License-Identifier: MIT
#include "corpus.h"

#include "support/test.h"

#include <stdio.h>

/* What a layer makes of entries: whiteouts, links, attributes, order, names. */

#define FILE_OF(path)          \
	{                      \
		.name = (path) \
	}
#define FIFO(path)                          \
	{                                   \
		.name = (path), .type = '6' \
	}
#define NODE(path, letter, major, minor)                                                           \
	{                                                                                          \
		.name = (path), .type = (letter), .device_major = (major), .device_minor = (minor) \
	}
#define FULL(key, value)                                                           \
	{                                                                          \
		.name = "f", .content = "text", PAX("SCHILY.xattr." key "=" value) \
	}

#define UP_8 "../../../../../../../../"
#define UP_32 UP_8 UP_8 UP_8 UP_8

/* ---------------------------------------------------------------- builders -- */

/* A chain of so many links, then a file through all of them. */
static void add_chain(struct test_tar *tar, int count)
{
	const struct test_tar_entry directory = { .name = "l0", .type = '5' };
	cleanup_free char *through = test_path("l%d/file", count);
	const struct test_tar_entry file = { .name = through };

	test_tar_add(tar, &directory);
	for (int i = 1; i <= count; i++) {
		cleanup_free char *name = test_path("l%d", i);
		cleanup_free char *target = test_path("l%d", i - 1);
		const struct test_tar_entry link = { .name = name, .type = '2', .link = target };

		test_tar_add(tar, &link);
	}
	test_tar_add(tar, &file);
}

static void add_chain_of_ten(struct test_tar *tar)
{
	add_chain(tar, 10);
}

static void add_chain_of_sixty(struct test_tar *tar)
{
	add_chain(tar, 60);
}

static void add_with_record(struct test_tar *tar, char type, const char *key, char fill,
                            size_t length)
{
	struct ovi_strbuf record = { 0 };
	const char *pax[] = { NULL, NULL };
	const struct test_tar_entry entry = { .name = "f", .type = type, .pax = pax };
	cleanup_free char *text = NULL;

	ovi_strbuf_add(&record, key);
	for (size_t i = 0; i < length; i++)
		ovi_strbuf_add_bytes(&record, &fill, 1);
	text = ovi_strbuf_steal(&record);
	pax[0] = text;
	test_tar_add(tar, &entry);
}

static void add_name_of_255(struct test_tar *tar)
{
	add_with_record(tar, '0', "path=", 'n', 255);
}

static void add_whiteout_of_255(struct test_tar *tar)
{
	add_with_record(tar, '0', "path=.wh.", 'n', 255);
}

static void add_whiteout_of_256(struct test_tar *tar)
{
	add_with_record(tar, '0', "path=.wh.", 'n', 256);
}

static void add_link_of_4095(struct test_tar *tar)
{
	add_with_record(tar, '2', "linkpath=", 'n', 4095);
}

static void add_link_of_4096(struct test_tar *tar)
{
	add_with_record(tar, '2', "linkpath=", 'n', 4096);
}

static void add_hard_link_of_4096(struct test_tar *tar)
{
	add_with_record(tar, '1', "linkpath=", 'n', 4096);
}

static void add_large_attribute(struct test_tar *tar)
{
	add_with_record(tar, '0', "SCHILY.xattr.user.a=", 'v', 65537);
}

static void add_large_comment(struct test_tar *tar)
{
	add_with_record(tar, '0', "comment=", 'c', 1 << 20);
}

static void add_attribute_of_300(struct test_tar *tar)
{
	struct ovi_strbuf record = { 0 };
	const char *pax[] = { NULL, NULL };
	const struct test_tar_entry entry = { .name = "f", .pax = pax };
	cleanup_free char *text = NULL;

	ovi_strbuf_add(&record, "SCHILY.xattr.user.");
	for (int i = 0; i < 300; i++)
		ovi_strbuf_add(&record, "k");
	ovi_strbuf_add(&record, "=v");
	text = ovi_strbuf_steal(&record);
	pax[0] = text;
	test_tar_add(tar, &entry);
}

static void add_slashes(struct test_tar *tar)
{
	add_with_record(tar, '5', "path=", '/', 5000);
}

static void add_dots(struct test_tar *tar)
{
	struct ovi_strbuf record = { 0 };
	const char *pax[] = { NULL, NULL };
	const struct test_tar_entry entry = { .name = "f", .pax = pax };
	cleanup_free char *text = NULL;

	ovi_strbuf_add(&record, "path=");
	for (int i = 0; i < 2500; i++)
		ovi_strbuf_add(&record, "./");
	ovi_strbuf_add(&record, "f");
	text = ovi_strbuf_steal(&record);
	pax[0] = text;
	test_tar_add(tar, &entry);
}

/* File capabilities: version 2, CAP_NET_RAW. */
static void add_capability(struct test_tar *tar)
{
	static const char record[] = "57 SCHILY.xattr.security.capability="
				     "\1\0\0\2\0\40\0\0\0\0\0\0\0\0\0\0\0\0\0\0\n";
	const struct test_tar_entry file = { .name = "f", .content = "program" };

	test_tar_add_pax(tar, 'x', record, sizeof(record) - 1);
	test_tar_add(tar, &file);
}

/* -------------------------------------------------------------------- rows -- */

#define ROW(title, outcome, names, ...)                                    \
	{                                                                  \
		title, CORPUS_##outcome, names, .entries = { __VA_ARGS__ } \
	}
#define MADE(title, outcome, names, function)                     \
	{                                                         \
		title, CORPUS_##outcome, names, .add = (function) \
	}

const struct corpus_row corpus_layer_rows[] = {
	/* Whiteouts. Nothing is below, so there is nothing left of them. */
	ROW("whiteout of nothing", APPLIED, "", FILE_OF(".wh.gone")),
	ROW("whiteout of nothing in a directory", APPLIED, "d d\n", FILE_OF("d/.wh.gone")),
	ROW("opaque mark in the root", APPLIED, "f good\n", FILE_OF(".wh..wh..opq"), GOOD),
	ROW("opaque mark behind what is there", APPLIED, "d d\nf d/f\n", FILE_OF("d/f"),
	    FILE_OF("d/.wh..wh..opq")),
	ROW("opaque mark as a directory", HARMLESS, NULL, DIRECTORY("d/.wh..wh..opq")),
	ROW("opaque mark, twice", APPLIED, "d d\n", FILE_OF("d/.wh..wh..opq"),
	    FILE_OF("d/.wh..wh..opq")),
	ROW("whiteout without a name", REFUSED, NULL, GOOD, FILE_OF(".wh.")),
	ROW("whiteout of the directory", REFUSED, NULL, GOOD, FILE_OF("d/.wh..")),
	ROW("whiteout of the directory above", REFUSED, NULL, GOOD, FILE_OF("d/.wh...")),
	ROW("whiteout of the root", REFUSED, NULL, GOOD, FILE_OF(".wh..")),
	ROW("whiteout of what is above the root", REFUSED, NULL, GOOD, FILE_OF(".wh...")),
	ROW("whiteout that is a directory", REFUSED, NULL, GOOD, DIRECTORY(".wh.d")),
	ROW("whiteout in a path", REFUSED, NULL, GOOD, FILE_OF(".wh.d/f")),
	ROW("whiteout in the middle of a path", REFUSED, NULL, GOOD, FILE_OF("a/.wh.d/f")),
	ROW("whiteout that is a link", APPLIED, "", LINK(".wh.x", "@")),
	ROW("whiteout that is a hard link", APPLIED, "f good\n", GOOD, HARD_LINK(".wh.x", "good")),
	ROW("whiteout that is a fifo", APPLIED, "", FIFO(".wh.x")),
	ROW("whiteout with content", APPLIED, "f good\n", INTO(".wh.x"), GOOD),
	ROW("whiteout, twice", APPLIED, "", FILE_OF(".wh.x"), FILE_OF(".wh.x")),
	ROW("whiteout of a whiteout", HARMLESS, NULL, FILE_OF(".wh..wh.x")),
	ROW("bookkeeping of aufs", APPLIED, "", FILE_OF(".wh..wh.aufs")),
	ROW("hard links of aufs", APPLIED, "", FILE_OF(".wh..wh.plnk")),
	ROW("orphans of aufs", APPLIED, "", FILE_OF(".wh..wh.orph")),
	ROW("whiteout behind the file", APPLIED, "f f\n", FILE_OF("f"), FILE_OF(".wh.f")),
	ROW("whiteout in front of the file", APPLIED, "f f\n", FILE_OF(".wh.f"), FILE_OF("f")),
	ROW("whiteout behind the directory", APPLIED, "d d\nf d/f\n", FILE_OF("d/f"),
	    FILE_OF(".wh.d")),
	ROW("whiteout in front of the directory", APPLIED, "d d\nf d/f\n", FILE_OF(".wh.d"),
	    DIRECTORY("d"), FILE_OF("d/f")),
	ROW("whiteout in front of what is in the directory", APPLIED, "d d\nf d/f\n",
	    FILE_OF(".wh.d"), FILE_OF("d/f")),
	ROW("whiteout between directory and file", APPLIED, "d d\nf d/f\n", DIRECTORY("d"),
	    FILE_OF(".wh.d"), FILE_OF("d/f")),
	ROW("whiteout and link of one name", APPLIED, "l l -> x\n", FILE_OF(".wh.l"),
	    LINK("l", "x")),
	ROW("whiteout and opaque mark in one directory", APPLIED, "d d\n",
	    FILE_OF("d/.wh..wh..opq"), FILE_OF("d/.wh.a")),
	ROW("whiteout in capitals is a file", APPLIED, "f .WH.x\n", FILE_OF(".WH.x")),
	ROW("whiteout in the middle of a name is a file", APPLIED, "f x.wh.y\n", FILE_OF("x.wh.y")),
	ROW("whiteout without its second dot is a file", APPLIED, "f .whx\n", FILE_OF(".whx")),
	ROW("hard link to a whiteout", FAILS, NULL, GOOD, FILE_OF(".wh.x"), HARD_LINK("h", "x")),
	ROW("file in a deleted directory's link", HARMLESS, NULL, FILE_OF(".wh.l"), LINK("l", "@"),
	    INTO("l/file")),
	MADE("whiteout of 255 bytes", APPLIED, "", add_whiteout_of_255),
	MADE("whiteout of 256 bytes", FAILS, NULL, add_whiteout_of_256),

	/* Symbolic links. */
	ROW("link to itself", APPLIED, "l l -> l\n", LINK("l", "l")),
	ROW("file through a link to itself", FAILS, NULL, GOOD, LINK("l", "l"), FILE_OF("l/f")),
	ROW("link to nothing", APPLIED, "l l -> missing\n", LINK("l", "missing")),
	ROW("file through a link to nothing", FAILS, NULL, GOOD, LINK("l", "missing"),
	    FILE_OF("l/f")),
	ROW("link without a target", REFUSED, NULL, GOOD, LINK("l", "")),
	ROW("link to the root", APPLIED, "f f\nl l -> /\n", LINK("l", "/"), FILE_OF("l/f")),
	ROW("link to its own directory", APPLIED, "d d\nf d/f\nl d/l -> .\n", LINK("d/l", "."),
	    FILE_OF("d/l/f")),
	ROW("link up and down again", APPLIED, "d a\nl a/l -> ../b\nd b\nf b/f\n", DIRECTORY("b"),
	    LINK("a/l", "../b"), FILE_OF("a/l/f")),
	ROW("link above the root", APPLIED, "d b\nf b/f\nl l -> ../../../b\n", DIRECTORY("b"),
	    LINK("l", "../../../b"), FILE_OF("l/f")),
	ROW("link through a file", FAILS, NULL, FILE_OF("f"), LINK("l", "f"), FILE_OF("l/x")),
	ROW("link to a file, and a file over it", APPLIED, "f f\nf l\n", FILE_OF("f"),
	    LINK("l", "f"), FILE_OF("l")),
	ROW("link over a link", APPLIED, "l l -> b\n", LINK("l", "a"), LINK("l", "b")),
	ROW("link replaced between two files", APPLIED, "d a\nf a/one\nd b\nf b/two\nl l -> b\n",
	    DIRECTORY("a"), DIRECTORY("b"), LINK("l", "a"), FILE_OF("l/one"), LINK("l", "b"),
	    FILE_OF("l/two")),
	ROW("link over the directory that was just filled", HARMLESS, NULL, FILE_OF("d/one"),
	    LINK("d", "@"), INTO("d/file")),
	ROW("directory over the link that was just used", APPLIED, "d a\nf a/one\nd l\nf l/two\n",
	    DIRECTORY("a"), LINK("l", "a"), FILE_OF("l/one"), DIRECTORY("l"), FILE_OF("l/two")),
	ROW("link of the kernel's to the root", HARMLESS, NULL, LINK("l", "/proc/1/root"),
	    INTO("l/file")),
	ROW("link of the kernel's to a descriptor", HARMLESS, NULL, LINK("l", "/proc/self/fd/3"),
	    INTO("l/file")),
	ROW("link with a newline", APPLIED, NULL, LINK("l", "a\nb")),
	MADE("chain of ten links", APPLIED, NULL, add_chain_of_ten),
	MADE("chain of sixty links", FAILS, NULL, add_chain_of_sixty),
	MADE("link of 4095 bytes", HARMLESS, NULL, add_link_of_4095),
	MADE("link of 4096 bytes", FAILS, NULL, add_link_of_4096),

	/* Hard links. */
	ROW("hard link", APPLIED, "f good\nf h\n", GOOD, HARD_LINK("h", "good")),
	ROW("hard link by an absolute name", APPLIED, "f good\nf h\n", GOOD,
	    HARD_LINK("h", "/good")),
	ROW("hard link by a name with dots", APPLIED, "f good\nf h\n", GOOD,
	    HARD_LINK("h", "./good")),
	ROW("hard link to a hard link", APPLIED, "f good\nf h\nf i\n", GOOD, HARD_LINK("h", "good"),
	    HARD_LINK("i", "h")),
	ROW("hard link to a link", APPLIED, "l h -> x\nl l -> x\n", LINK("l", "x"),
	    HARD_LINK("h", "l")),
	ROW("hard link to a link out of the layer", HARMLESS, NULL, LINK("l", "@/file"),
	    HARD_LINK("h", "l"), INTO("h")),
	ROW("hard link to a fifo", APPLIED, "p h\np p\n", FIFO("p"), HARD_LINK("h", "p")),
	ROW("hard link to a device", APPLIED, "c c\nc h\n", NODE("c", '3', 1, 3),
	    HARD_LINK("h", "c")),
	ROW("hard link in front of its file", FAILS, NULL, HARD_LINK("h", "good"), GOOD),
	ROW("hard link over a file", APPLIED, "f good\nf h\n", GOOD, INTO("h"),
	    HARD_LINK("h", "good")),
	ROW("hard link over a directory", APPLIED, "f good\nf h\n", GOOD, INTO("h/x"),
	    HARD_LINK("h", "good")),
	ROW("hard link over itself, twice", APPLIED, "f good\nf h\n", GOOD, HARD_LINK("h", "good"),
	    HARD_LINK("h", "good")),
	ROW("hard link through a link inside", APPLIED, "d d\nf d/f\nf h\nl l -> d\n",
	    FILE_OF("d/f"), LINK("l", "d"), HARD_LINK("h", "l/f")),
	ROW("hard link through a link outside", FAILS, NULL, GOOD, LINK("l", "@"),
	    HARD_LINK("h", "l/file")),
	ROW("hard link up", REFUSED, NULL, GOOD, HARD_LINK("h", "../good")),
	ROW("hard link up inside", REFUSED, NULL, GOOD, DIRECTORY("d"),
	    HARD_LINK("h", "d/../good")),
	ROW("hard link up at the end", REFUSED, NULL, GOOD, HARD_LINK("h", "good/..")),
	ROW("hard link to the file that it replaces", FAILS, NULL, INTO("d/f"),
	    HARD_LINK("d", "d/f")),
	ROW("hard link as the root", REFUSED, NULL, GOOD, HARD_LINK(".", "good")),
	ROW("file over a hard link leaves the other", APPLIED, "f good\nf h\n", GOOD,
	    HARD_LINK("h", "good"), INTO("h")),
	MADE("hard link of 4096 bytes", FAILS, NULL, add_hard_link_of_4096),

	/* Paths that the kernel does not take at once. */
	ROW("long path", APPLIED, NULL, FILE_OF("^/f")),
	ROW("long path of three times the length", APPLIED, NULL, FILE_OF("^/^/^/f")),
	ROW("long path of a directory, a link and a fifo", APPLIED, NULL, DIRECTORY("^/d"),
	    LINK("^/l", "d"), FIFO("^/d/p")),
	ROW("long path up", REFUSED, NULL, GOOD, FILE_OF("^/../f")),
	ROW("long path up at the end", REFUSED, NULL, GOOD, FILE_OF("^/^/..")),
	ROW("long path with 256 bytes between slashes", REFUSED, NULL, GOOD, FILE_OF("^n/f")),
	ROW("long path in a whiteout", REFUSED, NULL, GOOD, FILE_OF("^/.wh.d/f")),
	ROW("long path in a file", REFUSED, NULL, GOOD, FILE_OF("^/f"), FILE_OF("^/f/x")),
	ROW("long path of whiteouts", APPLIED, NULL, FILE_OF("^/.wh.f"),
	    FILE_OF("^/d/.wh..wh..opq")),
	ROW("long path through a link inside", APPLIED, NULL, DIRECTORY("d"), LINK("l", "d"),
	    FILE_OF("l/^/f")),
	ROW("link out of the layer, first in a long path", FAILS, NULL, GOOD, LINK("l", "@"),
	    INTO("l/^/file")),
	ROW("link out of the layer, late in a long path", FAILS, NULL, GOOD, LINK("^/l", "@"),
	    INTO("^/l/file")),
	ROW("link out of the layer, amid a long path", FAILS, NULL, GOOD, LINK("^/^/l", "@"),
	    INTO("^/^/l/^/file")),
	ROW("link up out of the layer, late in a long path", FAILS, NULL, GOOD,
	    LINK("^/l", UP_32 "@"), INTO("^/l/file")),
	ROW("link up out of the layer, amid a long path", FAILS, NULL, GOOD,
	    LINK("^/^/l", UP_32 UP_32 "@"), INTO("^/^/l/dir/^/file")),
	ROW("link of the kernel's, late in a long path", FAILS, NULL, GOOD,
	    LINK("^/l", "/proc/self/cwd"), INTO("^/l/file")),
	ROW("link to itself, late in a long path", FAILS, NULL, GOOD, LINK("^/l", "l"),
	    FILE_OF("^/l/f")),
	ROW("link over a directory, late in a long path", FAILS, NULL, FILE_OF("^/d/one"),
	    LINK("^/d", "@"), INTO("^/d/file")),
	ROW("hard link to a long path and back", APPLIED, NULL, FILE_OF("^/f"),
	    HARD_LINK("h", "^/f"), HARD_LINK("^/h", "h"), HARD_LINK("^/^/h", "^/h")),
	ROW("hard link to a long path that is not there", REFUSED, NULL, GOOD,
	    HARD_LINK("h", "^/f")),
	ROW("hard link up a long path", REFUSED, NULL, GOOD, HARD_LINK("h", "^/../f")),
	ROW("hard link through a link out of the layer, late in a long path", REFUSED, NULL, GOOD,
	    LINK("^/l", "@"), HARD_LINK("h", "^/l/file")),
	ROW("link to a long path", REFUSED, NULL, GOOD, LINK("l", "^")),

	/* Kinds of files. */
	ROW("block device", APPLIED, "b b\n", NODE("b", '4', 8, 0)),
	ROW("block device 0:0", HARMLESS, NULL, NODE("b", '4', 0, 0)),
	ROW("character device 0:1", APPLIED, "c c\n", NODE("c", '3', 0, 1)),
	ROW("whiteout device in a directory", REFUSED, NULL, GOOD, NODE("d/c", '3', 0, 0)),
	ROW("file over a device", APPLIED, "f c\n", NODE("c", '3', 1, 3), INTO("c")),
	ROW("device over a file", APPLIED, "c c\n", INTO("c"), NODE("c", '3', 1, 3)),
	ROW("device over a directory", APPLIED, "c c\n", INTO("c/x"), NODE("c", '3', 1, 3)),
	ROW("fifo over a link", APPLIED, "p l\n", LINK("l", "@"), FIFO("l")),
	ROW("directory over a fifo", APPLIED, "d p\n", FIFO("p"), DIRECTORY("p")),
	ROW("file in a fifo", FAILS, NULL, FIFO("p"), FILE_OF("p/x")),
	ROW("file in a device", FAILS, NULL, NODE("c", '3', 1, 3), FILE_OF("c/x")),
	ROW("root as a fifo", REFUSED, NULL, GOOD, FIFO(".")),
	ROW("root as a device", REFUSED, NULL, GOOD, NODE("/", '3', 1, 3)),
	ROW("root as a link", REFUSED, NULL, GOOD, LINK("./", "@")),

	/* Order. */
	ROW("directory, twice", APPLIED, "d d\nf d/f\n", DIRECTORY("d"), FILE_OF("d/f"),
	    DIRECTORY("d")),
	ROW("directory for a file for a directory", APPLIED, "d d\n", DIRECTORY("d"), INTO("d"),
	    DIRECTORY("d")),
	ROW("what was in a replaced directory is gone", APPLIED, "d d\nf d/b\n", FILE_OF("d/a"),
	    INTO("d"), DIRECTORY("d"), FILE_OF("d/b")),
	ROW("file in a directory that became a file", FAILS, NULL, FILE_OF("d/a"), INTO("d"),
	    FILE_OF("d/b")),
	ROW("root, twice", APPLIED, "f good\n", DIRECTORY("./"), GOOD, DIRECTORY("/")),

	/* Names. */
	ROW("root with many slashes", APPLIED, "f good\n", DIRECTORY("////"), GOOD),
	ROW("root of dots", APPLIED, "f good\n", DIRECTORY("././."), GOOD),
	ROW("three dots", APPLIED, "f ...\n", FILE_OF("...")),
	ROW("two dots and a blank", APPLIED, "f .. \n", FILE_OF(".. ")),
	ROW("blank", APPLIED, "f  \n", FILE_OF(" ")),
	ROW("dash", APPLIED, "f -rf\n", FILE_OF("-rf")),
	ROW("backslashes", APPLIED, "f ..\\..\\x\n", FILE_OF("..\\..\\x")),
	ROW("drive", APPLIED, "f C:x\n", FILE_OF("C:x")),
	ROW("commands for a terminal", APPLIED, "f \033]0;x\007\n", FILE_OF("\033]0;x\007")),
	ROW("commands for a terminal, refused", REFUSED, NULL, FILE_OF("\033[2J/../x")),
	ROW("percent signs", APPLIED, "f %s%n%d\n", FILE_OF("%s%n%d")),
	ROW("percent signs, refused", REFUSED, NULL, FILE_OF("%s%n%d/../x")),
	ROW("overlong dots", APPLIED, "d \300\256\300\256\nf \300\256\300\256/x\n",
	    FILE_OF("\300\256\300\256/x")),
	ROW("only dots in the middle", REFUSED, NULL, GOOD, FILE_OF("a/./../b")),
	ROW("dots behind many slashes", REFUSED, NULL, GOOD, FILE_OF("a////..")),
	ROW("name of a stage", APPLIED, "d .ovl2\nf .ovl2/staging\n", FILE_OF(".ovl2/staging")),
	MADE("name of 255 bytes", APPLIED, NULL, add_name_of_255),
	MADE("name of 5000 slashes", HARMLESS, NULL, add_slashes),
	MADE("name of 2500 dots", HARMLESS, NULL, add_dots),

	/* Attributes. */
	ROW("attribute of a user", APPLIED, "f f\n", FULL("user.a", "b")),
	ROW("attribute of a user on a directory", APPLIED, "d d\n",
	    { .name = "d", .type = '5', PAX("SCHILY.xattr.user.a=b") }),
	ROW("attribute of a user on a link", APPLIED, "l l -> x\n",
	    { .name = "l", .type = '2', .link = "x", PAX("SCHILY.xattr.user.a=b") }),
	ROW("attribute of a user on a fifo", APPLIED, "p p\n",
	    { .name = "p", .type = '6', PAX("SCHILY.xattr.user.a=b") }),
	ROW("attribute of the host", APPLIED, "f f\n", FULL("trusted.other", "x")),
	ROW("label of SELinux", APPLIED, "f f\n", FULL("security.selinux", "x")),
	ROW("label of IMA", APPLIED, "f f\n", FULL("security.ima", "x")),
	ROW("label of SELinux as Red Hat's tar has it", APPLIED, "f f\n",
	    { .name = "f", PAX("RHT.security.selinux=x") }),
	ROW("forged whiteout", REFUSED, NULL, GOOD, FULL("trusted.overlay.whiteout", "y")),
	ROW("forged whiteout of a user", REFUSED, NULL, GOOD, FULL("user.overlay.whiteout", "y")),
	ROW("forged metacopy of a user", REFUSED, NULL, GOOD, FULL("user.overlay.metacopy", "y")),
	ROW("forged origin of a user", REFUSED, NULL, GOOD, FULL("user.overlay.origin", "y")),
	ROW("forged protection", REFUSED, NULL, GOOD, FULL("trusted.overlay.protattr", "y")),
	ROW("forged mark inside a mark", REFUSED, NULL, GOOD,
	    FULL("trusted.overlay.overlay.opaque", "y")),
	ROW("forged mark of a directory", REFUSED, NULL, GOOD,
	    { .name = "d", .type = '5', PAX("SCHILY.xattr.trusted.overlay.opaque=y") }),
	ROW("forged mark of the root", REFUSED, NULL, GOOD,
	    { .name = "./", .type = '5', PAX("SCHILY.xattr.trusted.overlay.opaque=y") }),
	ROW("mark that is nearly forged", APPLIED, "f f\n", FULL("trusted.overlayx", "y")),
	ROW("attribute in no namespace", HARMLESS, NULL, FULL("nothing", "y")),
	ROW("attribute without a name", HARMLESS, NULL, FULL("", "y")),
	ROW("capability that is none", FAILS, NULL, GOOD, FULL("security.capability", "abc")),
	ROW("list of access that is none", FAILS, NULL, GOOD,
	    FULL("system.posix_acl_access", "abc")),
	ROW("list of access in star's form", APPLIED, "f f\n",
	    { .name = "f", PAX("SCHILY.acl.access=user::rw-,group::r--,other::r--") }),
	ROW("list of access that is garbage", HARMLESS, NULL,
	    { .name = "f", PAX("SCHILY.acl.access=???") }),
	MADE("capability", APPLIED, "f f\n", add_capability),
	MADE("attribute of more than 64 KiB", FAILS, NULL, add_large_attribute),
	MADE("comment of 1 MiB", REFUSED, NULL, add_large_comment),
	MADE("attribute with a name of 300 bytes", FAILS, NULL, add_attribute_of_300),
	ROW("append-only file can be removed", APPLIED, "f f\n",
	    { .name = "f", PAX("SCHILY.fflags=sappnd") }),
	ROW("set-id bits", APPLIED, "f f\n", { .name = "f", .mode = 06755, .uid = 5, .gid = 6 }),
	ROW("directory that nobody may enter", APPLIED, "d d\nf d/f\n",
	    { .name = "d", .type = '5', .mode = 01000 }, FILE_OF("d/f")),
	ROW("directory whose group is inherited", APPLIED, "d d\nf d/f\n",
	    { .name = "d", .type = '5', .mode = 02755, .gid = 7 }, FILE_OF("d/f")),
};

const size_t corpus_layer_count = ARRAY_SIZE(corpus_layer_rows);
