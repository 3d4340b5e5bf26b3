// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* What the caller of apply can ask for: limits, other owners, a way to stop it. */

static int apply(struct ovl2_store *store, const char *id, struct test_tar *tar,
                 struct ovl2_apply_options *options, struct ovl2_error *err)
{
	cleanup_fd int fd = -1;

	test_tar_end(tar);
	fd = test_tar_open(tar);
	options->size = sizeof(*options);

	return ovl2_layer_apply(store, id, options, fd, NULL, err);
}

/* `count` files of `length` bytes in directory "d". */
static void add_files(struct test_tar *tar, size_t count, size_t length)
{
	cleanup_free char *content = calloc(1, length + 1);

	memset(content, 'x', length);
	for (size_t i = 0; i < count; i++) {
		cleanup_free char *name = test_path("d/f%zu", i);
		const struct test_tar_entry entry = { .name = name, .content = content };

		test_tar_add(tar, &entry);
	}
}

static void assert_untouched(struct ovl2_store *store)
{
	cleanup_free char *text = describe_layer(store, "layer", TEST_TREE_NAMES);

	assert_string_equal(text, "");
}

/* ------------------------------------------------------------------ limits -- */

static void check_entries(struct ovl2_store *store, uint64_t limit, int result)
{
	struct ovl2_apply_options options = { .max_entries = limit };
	cleanup_tar struct test_tar tar = { 0 };
	struct ovl2_error err = { 0 };
	int r;

	add_files(&tar, 3, 10);
	r = apply(store, "layer", &tar, &options, &err);
	if (result == 0)
		assert_ok(r, &err);
	else
		assert_fails(r, result, &err);
}

static void entries_are_limited(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);

	create_layer(store, "layer", NULL);
	check_entries(store, 2, OVL2_E_LIMIT);
	assert_untouched(store);
	check_entries(store, 3, 0);
}

static void check_bytes(struct ovl2_store *store, uint64_t limit, int result)
{
	struct ovl2_apply_options options = { .max_bytes = limit };
	cleanup_tar struct test_tar tar = { 0 };
	struct ovl2_error err = { 0 };
	int r;

	add_files(&tar, 3, 10);
	r = apply(store, "layer", &tar, &options, &err);
	if (result == 0)
		assert_ok(r, &err);
	else
		assert_fails(r, result, &err);
}

static void bytes_are_limited(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);

	create_layer(store, "layer", NULL);
	check_bytes(store, 29, OVL2_E_LIMIT);
	assert_untouched(store);
	check_bytes(store, 30, 0);
}

static void depth_is_limited(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	const struct test_tar_entry deep = { .name = "a/b/c" };
	struct ovl2_apply_options options = { .max_depth = 2 };
	struct ovl2_error err = { 0 };

	create_layer(store, "layer", NULL);
	for (int i = 0; i < 2; i++) {
		cleanup_tar struct test_tar tar = { 0 };

		test_tar_add(&tar, &deep);
		if (i == 0)
			assert_fails(apply(store, "layer", &tar, &options, &err), OVL2_E_LIMIT,
			             &err);
		else
			assert_ok(apply(store, "layer", &tar, &options, &err), &err);
		options.max_depth = 3;
	}
}

/* 64 MiB of zeroes in 64 KiB of gzip. */
static void compressed_bomb_meets_the_limit(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_apply_options options = { .size = sizeof(options), .max_bytes = 1 << 20 };
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_free char *zeroes = calloc(1, 64 << 20);
	const struct test_tar_entry entry = { .name = "bomb",
		                              .content = zeroes,
		                              .content_length = 64 << 20 };
	cleanup_fd int plain = -1;
	cleanup_fd int fd = -1;
	struct ovl2_error err = { 0 };

	test_tar_add(&tar, &entry);
	test_tar_end(&tar);
	plain = test_tar_open(&tar);
	fd = test_compress(plain, "gzip");
	create_layer(store, "layer", NULL);
	assert_fails(ovl2_layer_apply(store, "layer", &options, fd, NULL, &err), OVL2_E_LIMIT,
	             &err);
	assert_contains(err.message, "bomb");
	assert_untouched(store);
}

/* ------------------------------------------------------------------ owners -- */

static const struct ovl2_id_range map[] = { { 0, 100000, 1000 }, { 65534, 165534, 1 } };
static const struct ovl2_id_range group_map[] = { { 0, 200000, 1000 } };

static void owners_are_mapped(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_apply_options options = {
		.uid_map = map,
		.uid_map_count = ARRAY_SIZE(map),
		.gid_map = group_map,
		.gid_map_count = ARRAY_SIZE(group_map),
	};
	const struct test_tar_entry entries[] = {
		{ .name = "root", .mode = 04755 },
		{ .name = "user", .uid = 999, .gid = 5 },
		{ .name = "nobody", .uid = 65534, .type = '5' },
		{ .name = "link", .uid = 1, .type = '2', .link = "x" },
		{ .name = "implied/f", .uid = 0 },
	};
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_free char *text = NULL;
	struct ovl2_error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		test_tar_add(&tar, &entries[i]);
	create_layer(store, "layer", NULL);
	assert_ok(apply(store, "layer", &tar, &options, &err), &err);
	text = describe_layer(store, "layer", TEST_TREE_NO_TIMES);
	assert_contains(text, "f 4755 100000:200000");
	assert_contains(text, "0644 100999:200005");
	assert_contains(text, "d 0755 165534:200000");
	assert_contains(text, "100001:200000");
	assert_contains(text, "d 0755 100000:200000");
}

static void owner_outside_of_the_map_is_refused(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_apply_options options = { .uid_map = map, .uid_map_count = ARRAY_SIZE(map) };
	const struct test_tar_entry stranger = { .name = "stranger", .uid = 1000 };
	cleanup_tar struct test_tar tar = { 0 };
	struct ovl2_error err = { 0 };

	test_tar_add(&tar, &stranger);
	create_layer(store, "layer", NULL);
	assert_fails(apply(store, "layer", &tar, &options, &err), OVL2_E_CORRUPT, &err);
	assert_contains(err.message, "'stranger': its uid 1000 is not in the id map");
	assert_untouched(store);
}

static void maps_that_make_no_sense_are_refused(void **state)
{
	static const struct ovl2_id_range maps[][2] = {
		{ { 0, 1000, 0 }, { 5, 5, 1 } },        { { 0, 4294967295U, 1 }, { 5, 5, 1 } },
		{ { 4294967290U, 0, 6 }, { 5, 5, 1 } }, { { 0, 1000, 10 }, { 9, 2000, 1 } },
		{ { 0, 1000, 10 }, { 10, 1009, 1 } },
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_error err = { 0 };

	create_layer(store, "layer", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		struct ovl2_apply_options options = { .gid_map = maps[i], .gid_map_count = 2 };
		cleanup_tar struct test_tar tar = { 0 };

		assert_fails(apply(store, "layer", &tar, &options, &err), OVL2_E_INVALID, &err);
	}
}

/* ---------------------------------------------------------- progress, counts -- */

struct progress {
	uint64_t calls;
	uint64_t stop_at;
	uint64_t entries;
};

static int note_progress(void *data, const struct ovl2_apply_counts *so_far)
{
	struct progress *progress = data;

	assert_true(so_far->entries >= progress->entries);
	progress->entries = so_far->entries;

	return ++progress->calls == progress->stop_at;
}

static void progress_is_told_and_counts_at_the_end(void **state)
{
	struct progress progress = { .stop_at = UINT64_MAX };
	struct ovl2_apply_counts counts = { 0 };
	struct ovl2_apply_options options = { .progress = note_progress,
		                              .progress_data = &progress,
		                              .counts = &counts };
	const struct test_tar_entry entries[] = {
		{ .name = "f",
		  .content = "12345",
		  .pax = (const char *const[]){ "SCHILY.xattr.trusted.x=y",
		                                "SCHILY.xattr.security.selinux=y", NULL } },
		{ .name = ".wh.gone" },
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_tar struct test_tar tar = { 0 };
	struct ovl2_error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		test_tar_add(&tar, &entries[i]);
	create_layer(store, "layer", NULL);
	assert_ok(apply(store, "layer", &tar, &options, &err), &err);
	assert_int_equal(counts.entries, 2);
	assert_int_equal(counts.whiteouts, 1);
	assert_int_equal(counts.bytes, 5);
	assert_int_equal(counts.dropped_xattrs, 2);
	assert_int_equal(progress.entries, 2);
	assert_in_range(progress.calls, 2, 6);
}

/* With many files, so that some are still being written when the caller says stop. */
static void cancelled_apply_leaves_nothing(void **state)
{
	struct progress progress = { .stop_at = 150 };
	struct ovl2_apply_options options = { .progress = note_progress,
		                              .progress_data = &progress };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_tar struct test_tar tar = { 0 };
	struct test_resources before;
	struct ovl2_error err = { 0 };

	add_files(&tar, 200, 3000);
	create_layer(store, "layer", NULL);
	before = test_resources_count();
	assert_fails(apply(store, "layer", &tar, &options, &err), OVL2_E_CANCELLED, &err);
	test_resources_assert_same(before);
	assert_untouched(store);
}

static void umask_of_the_process_does_not_matter(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	const struct test_tar_entry entries[] = {
		{ .name = "f", .mode = 0666 },
		{ .name = "d", .type = '5', .mode = 01777 },
		{ .name = "p", .type = '6', .mode = 0622 },
		{ .name = "implied/f", .mode = 02777 },
	};
	struct ovl2_apply_options options = { 0 };
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_free char *text = NULL;
	struct ovl2_error err = { 0 };
	mode_t before;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		test_tar_add(&tar, &entries[i]);
	create_layer(store, "layer", NULL);
	before = umask(077);
	r = apply(store, "layer", &tar, &options, &err);
	assert_int_equal(umask(before), 077);
	assert_ok(r, &err);
	text = describe_layer(store, "layer", TEST_TREE_NO_TIMES);
	assert_contains(text, "f 0666 ");
	assert_contains(text, "d 1777 ");
	assert_contains(text, "p 0622 ");
	assert_contains(text, "f 2777 ");
	assert_contains(text, "d 0755 ");
}

/* POSIX: the fraction counts with the sign, so -4.75 is a quarter after -5. */
/* "-0.5" has no whole second to carry the sign. */
static void time_before_1970_keeps_its_fraction(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *home = store_path(*state);
	static const struct {
		const char *record;
		int64_t seconds;
		long nanoseconds;
	} times[] = {
		{ "mtime=-4.75", -5, 250000000 },
		{ "mtime=-0.5", -1, 500000000 },
		{ "mtime=-7", -7, 0 },
		{ "mtime=1.0000000019", 1, 1 },
	};
	struct ovl2_apply_options options = { 0 };
	cleanup_tar struct test_tar tar = { 0 };
	struct ovl2_error err = { 0 };

	create_layer(store, "layer", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		const char *const pax[] = { times[i].record, NULL };
		const char *const rare[] = { times[i].record, "VENDOR.key=1", NULL };
		const struct test_tar_entry usual = { .name = times[i].record, .pax = pax };
		cleanup_free char *name = test_path("%s.unusual", times[i].record);
		const struct test_tar_entry unusual = { .name = name, .pax = rare };

		test_tar_add(&tar, &usual);
		test_tar_add(&tar, &unusual);
	}
	assert_ok(apply(store, "layer", &tar, &options, &err), &err);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(times); i++) {
		cleanup_free char *path = test_path("%s/layer/diff/%s%s", home, times[i / 2].record,
		                                    i % 2 ? ".unusual" : "");
		struct stat st;

		assert_sys(stat(path, &st));
		assert_int_equal(st.st_mtim.tv_sec, times[i / 2].seconds);
		assert_int_equal(st.st_mtim.tv_nsec, times[i / 2].nanoseconds);
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_limited),
		cmocka_unit_test(bytes_are_limited),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(compressed_bomb_meets_the_limit),
		cmocka_unit_test(owners_are_mapped),
		cmocka_unit_test(owner_outside_of_the_map_is_refused),
		cmocka_unit_test(maps_that_make_no_sense_are_refused),
		cmocka_unit_test(progress_is_told_and_counts_at_the_end),
		cmocka_unit_test(cancelled_apply_leaves_nothing),
		cmocka_unit_test(umask_of_the_process_does_not_matter),
		cmocka_unit_test(time_before_1970_keeps_its_fraction),
	};

	test_enter_namespace();
	return test_run_everywhere("apply options", tests, ARRAY_SIZE(tests), argc, argv);
}
