// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/*
 * Compressed tars that are damaged. A layer is what its digest says, and whoever
 * checks no digest has only the compression's own checksum.
 */

enum damage {
	/* None. */
	WHOLE,

	/* Of the last byte: the length in gzip's trailer. */
	LAST_BYTE,

	/* Of the eighth byte from the end: gzip's CRC. */
	CHECKSUM,

	MIDDLE,
	CUT_BY_ONE,
	CUT_IN_HALF,

	/* Behind the end. */
	GARBAGE,
	ZEROES,

	/* The tar in two compressed pieces, one behind the other. */
	TWO_MEMBERS,
};

struct row {
	const char *title;
	const char *filter;
	enum damage damage;
	int is_refused;
};

static const struct row rows[] = {
	{ "gzip", "gzip", WHOLE, 0 },
	{ "gzip whose length is wrong", "gzip", LAST_BYTE, 1 },
	{ "gzip whose checksum is wrong", "gzip", CHECKSUM, 1 },
	{ "gzip with a wrong byte", "gzip", MIDDLE, 1 },
	{ "gzip cut by a byte", "gzip", CUT_BY_ONE, 1 },
	{ "gzip cut in half", "gzip", CUT_IN_HALF, 1 },
	{ "gzip with garbage behind it", "gzip", GARBAGE, 1 },
	{ "gzip with zeroes behind it", "gzip", ZEROES, 0 },
	{ "gzip of two members", "gzip", TWO_MEMBERS, 0 },
	{ "bzip2 with a wrong byte", "bzip2", MIDDLE, 1 },
	{ "bzip2 cut in half", "bzip2", CUT_IN_HALF, 1 },
	{ "xz with a wrong byte", "xz", MIDDLE, 1 },
	{ "xz cut in half", "xz", CUT_IN_HALF, 1 },
	{ "lz4 with a wrong byte", "lz4", MIDDLE, 1 },
	{ "lz4 cut in half", "lz4", CUT_IN_HALF, 1 },
	{ "zstd cut in half", "zstd", CUT_IN_HALF, 1 },
	{ "zstd of two frames", "zstd", TWO_MEMBERS, 0 },
};

/* Content that no compression makes small, so that the middle is content. */
static void build_tar(struct test_tar *tar)
{
	static char content[20000];
	const struct test_tar_entry entry = { .name = "f",
		                              .content = content,
		                              .content_length = sizeof(content) };
	uint32_t state = 1;

	for (size_t i = 0; i < sizeof(content); i++) {
		state = state * 1664525 + 1013904223;
		content[i] = (char)(state >> 24);
	}
	test_tar_add(tar, &entry);
	test_tar_end(tar);
}

static int compress_part(const struct test_tar *tar, const char *filter, size_t from, size_t to)
{
	cleanup_fd int plain = test_bytes_open(tar->bytes.text + from, to - from);

	return test_compress(plain, filter);
}

static void append(int fd, const void *bytes, size_t length)
{
	assert_sys(lseek(fd, 0, SEEK_END));
	assert_int_equal(write(fd, bytes, length), length);
}

static void flip(int fd, off_t at)
{
	unsigned char byte;

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static void do_damage(int fd, enum damage damage)
{
	static const char garbage[600] = "this is no member";
	static const char zeroes[600];
	off_t end = lseek(fd, 0, SEEK_END);

	if (damage == LAST_BYTE)
		flip(fd, end - 1);
	else if (damage == CHECKSUM)
		flip(fd, end - 8);
	else if (damage == MIDDLE)
		flip(fd, end / 2);
	else if (damage == CUT_BY_ONE)
		assert_sys(ftruncate(fd, end - 1));
	else if (damage == CUT_IN_HALF)
		assert_sys(ftruncate(fd, end / 2));
	else if (damage == GARBAGE)
		append(fd, garbage, sizeof(garbage));
	else if (damage == ZEROES)
		append(fd, zeroes, sizeof(zeroes));
	assert_sys(lseek(fd, 0, SEEK_SET));
}

static int open_damaged(const struct row *row)
{
	cleanup_tar struct test_tar tar = { 0 };
	size_t half;
	int fd;

	build_tar(&tar);
	half = row->damage == TWO_MEMBERS ? tar.bytes.length / 2 : tar.bytes.length;
	fd = compress_part(&tar, row->filter, 0, half);
	if (row->damage == TWO_MEMBERS) {
		cleanup_fd int rest = compress_part(&tar, row->filter, half, tar.bytes.length);
		cleanup_free char *bytes = NULL;
		size_t length;

		bytes = test_sink_read(rest, &length);
		append(fd, bytes, length);
	}
	do_damage(fd, row->damage);

	return fd;
}

static void check_row(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_fd int fd = open_damaged(row);
	cleanup_free char *text = NULL;
	struct ovl2_error err = { 0 };
	int r;

	create_layer(store, "layer", NULL);
	r = ovl2_layer_apply(store, "layer", NULL, fd, NULL, &err);
	text = describe_layer(store, "layer", TEST_TREE_NAMES);
	if (row->is_refused) {
		assert_fails(r, OVL2_E_CORRUPT, &err);
		assert_string_equal(text, "");
	} else {
		assert_ok(r, &err);
		assert_string_equal(text, "f f\n");
	}
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows)];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[i] = test_case(rows[i].title, check_row, &rows[i]);

	test_enter_namespace();
	return test_run("apply damage", tests, ARRAY_SIZE(tests), argc, argv);
}
