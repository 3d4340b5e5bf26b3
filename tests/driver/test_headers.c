// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <stdio.h>

/*
 * The headers of a tar: how large they may be in all, and that libarchive, which reads
 * the rare ones, finds them where the driver does.
 */

static int apply(struct ovl2_store *store, const struct test_tar *tar, struct ovl2_error *err)
{
	cleanup_fd int fd = test_tar_open(tar);

	create_layer(store, "layer", NULL);

	return ovl2_layer_apply(store, "layer", NULL, fd, NULL, err);
}

static void assert_names(struct ovl2_store *store, const char *names)
{
	cleanup_free char *text = describe_layer(store, "layer", TEST_TREE_NAMES);

	assert_string_equal(text, names);
}

/* ------------------------------------------------------------------ how large -- */

#define MOST_HEADERS ((size_t)8 << 20)
#define LARGEST_HEADER ((size_t)1 << 20)

struct size_row {
	const char *title;

	/* Of all headers in front of one file, and its own. */
	size_t bytes;
	int is_refused;
};

static const struct size_row size_rows[] = {
	{ "headers of 8 MiB are read", MOST_HEADERS, 0 },
	{ "headers of a block more are refused", MOST_HEADERS + TEST_TAR_BLOCK, 1 },
};

/* A global header of so many bytes with its own, which says nothing. */
static void add_global(struct test_tar *tar, size_t bytes)
{
	size_t length = bytes - TEST_TAR_BLOCK;
	cleanup_free char *records = calloc(1, length + 1);
	int start = snprintf(records, length + 1, "%zu comment=", length);

	memset(records + start, 'x', length - (size_t)start);
	records[length - 1] = '\n';
	test_tar_add_pax(tar, 'g', records, length);
}

static void check_size(void **state)
{
	struct test_place *place = *state;
	const struct size_row *row = place->row;
	const struct test_tar_entry file = { .name = "f", .content = "text" };
	const size_t whole = LARGEST_HEADER + TEST_TAR_BLOCK;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_tar struct test_tar tar = { 0 };
	size_t left = row->bytes - TEST_TAR_BLOCK;
	struct ovl2_error err = { 0 };
	int r;

	for (; left > whole; left -= whole)
		add_global(&tar, whole);
	add_global(&tar, left);
	assert_int_equal(tar.bytes.length, row->bytes - TEST_TAR_BLOCK);
	test_tar_add(&tar, &file);
	test_tar_end(&tar);

	r = apply(store, &tar, &err);
	if (row->is_refused) {
		assert_fails(r, OVL2_E_CORRUPT, &err);
		assert_contains(err.message, "the headers of one entry are larger than 8 MiB");
	} else {
		assert_ok(r, &err);
	}
	assert_names(store, row->is_refused ? "" : "f f\n");
}

/* --------------------------------------------------------------- in two ways -- */

/*
 * libarchive takes the length of a sparse file from its map, where the header is what
 * says how much of the tar it is. What comes next is then at two places.
 */
struct two_row {
	const char *title;

	/* What is there of the sparse file, of which the map speaks of one block. */
	size_t bytes;

	/* Its second block is a header by itself; or else all of it is zeroes. */
	int has_header_inside;

	/* What comes next is left to libarchive. */
	int is_next_rare;
};

static const struct two_row two_rows[] = {
	{ "another entry where a file is to go on", (size_t)2 * TEST_TAR_BLOCK, 1, 1 },
	{ "end of the tar where a file is to go on", (size_t)3 * TEST_TAR_BLOCK, 0, 1 },
	{ "long file that is to end early", (size_t)400 * TEST_TAR_BLOCK, 0, 0 },
};

static void add_inside(char *content)
{
	const struct test_tar_entry evil = { .name = "evil" };
	cleanup_tar struct test_tar tar = { 0 };

	test_tar_add(&tar, &evil);
	memcpy(content + TEST_TAR_BLOCK, tar.bytes.text, TEST_TAR_BLOCK);
}

static void check_two(void **state)
{
	static const char *const map[] = { "GNU.sparse.map=0,512", "GNU.sparse.size=512", NULL };
	static const char *const rare[] = { "VENDOR.key=1", NULL };
	struct test_place *place = *state;
	const struct two_row *row = place->row;
	cleanup_free char *content = calloc(1, row->bytes);
	const struct test_tar_entry entries[] = {
		{ .name = "good", .content = "good" },
		{ .name = "f", .content = content, .content_length = row->bytes, .pax = map },
		{ .name = "next", .pax = row->is_next_rare ? rare : NULL },
	};
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_tar struct test_tar tar = { 0 };
	struct ovl2_error err = { 0 };

	if (row->has_header_inside)
		add_inside(content);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		test_tar_add(&tar, &entries[i]);
	test_tar_end(&tar);

	assert_fails(apply(store, &tar, &err), OVL2_E_CORRUPT, &err);
	assert_contains(err.message, "the tar can be read in two ways at byte");
	assert_names(store, "");
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(size_rows) + ARRAY_SIZE(two_rows)];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(size_rows); i++)
		tests[count++] = test_case(size_rows[i].title, check_size, &size_rows[i]);
	for (size_t i = 0; i < ARRAY_SIZE(two_rows); i++)
		tests[count++] = test_case(two_rows[i].title, check_two, &two_rows[i]);

	test_enter_namespace();
	return test_run("headers", tests, count, argc, argv);
}
