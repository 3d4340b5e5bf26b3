// SPDX-License-Identifier: MIT
#include "corpus.h"
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/*
 * Archives made to do harm. Whatever an archive says, nothing outside of the
 * layer changes; what is refused leaves nothing behind; and what was applied can
 * be removed again.
 */

/* ------------------------------------------------------------------ check -- */

static int build_and_apply(const struct corpus_row *row, const char *victim,
                           struct ovl2_store *store, struct ovl2_error *err)
{
	cleanup_tar struct test_tar tar = { 0 };
	uint64_t told = 0;
	uint64_t held = 0;
	cleanup_fd int fd = -1;
	int r;

	corpus_build(row, victim, &tar);
	fd = test_tar_open(&tar);
	r = ovl2_layer_apply(store, "layer", NULL, fd, &told, err);
	if (r == 0) {
		assert_ok(ovl2_layer_diff_size(store, "layer", NULL, &held, err), err);
		assert_int_equal(told, held);
	}

	return r;
}

static void check_outcome(const struct corpus_row *row, int r, struct ovl2_store *store,
                          struct ovl2_error *err)
{
	cleanup_free char *text = describe_layer(store, "layer", TEST_TREE_NAMES);

	if (row->outcome == CORPUS_APPLIED)
		assert_ok(r, err);
	if (row->outcome == CORPUS_REFUSED)
		assert_fails(r, OVL2_E_CORRUPT, err);
	if (row->outcome == CORPUS_FAILS && r >= 0)
		fail_msg("was applied: %s", text);
	if (row->outcome == CORPUS_FAILS)
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
	const struct corpus_row *row = place->row;
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
	static const struct CMUnitTest whole[] = {
		cmocka_unit_test(archive_cut_anywhere_is_all_or_nothing),
		cmocka_unit_test(compressed_archives_are_read),
		cmocka_unit_test(compressed_archive_that_is_cut_is_refused),
		cmocka_unit_test(compressed_archive_in_another_is_refused),
		cmocka_unit_test(archive_that_cannot_be_read_is_an_error),
		cmocka_unit_test(archive_comes_through_a_pipe),
	};
	size_t count = ARRAY_SIZE(whole);
	struct CMUnitTest *tests;
	int result;

	while (corpus_row(count - ARRAY_SIZE(whole)))
		count++;
	tests = calloc(count, sizeof(*tests));
	if (!tests)
		return 1;
	memcpy(tests, whole, sizeof(whole));
	for (size_t i = ARRAY_SIZE(whole); i < count; i++) {
		const struct corpus_row *row = corpus_row(i - ARRAY_SIZE(whole));

		tests[i] = test_case(row->title, check_row, row);
	}

	test_enter_namespace();
	result = test_run_everywhere("hostile", tests, count, argc, argv);
	free(tests);

	return result;
}
