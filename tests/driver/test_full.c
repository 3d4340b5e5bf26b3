// SPDX-License-Identifier: MIT
#include "fixture.h"

#include "support/filesystem.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/*
 * A disk that fills up: the call fails and says so, nothing of it stays, and what
 * was there is as it was.
 */

#define SMALL_BYTES (64ULL << 20)

/* XFS and btrfs want at least this much. */
#define LARGE_BYTES (320ULL << 20)

/* A filesystem of its own, small, for a place below `place`. */
static struct test_place enter_small(const struct test_place *place)
{
	const int needs_more =
		!strcmp(place->filesystem, "xfs") || !strcmp(place->filesystem, "btrfs");
	const struct test_filesystem filesystem = {
		.type = place->filesystem,
		.bytes = needs_more ? LARGE_BYTES : SMALL_BYTES,
	};
	struct test_place small = {
		.filesystem = place->filesystem,
		.path = test_path("%s/small", place->path),
	};
	struct ovl2_error err = { 0 };

	assert_sys(mkdir(small.path, 0755));
	assert_ok(test_filesystem_mount(&filesystem, small.path, &err), &err);

	return small;
}

/* Writes a file until there is no room for another block. */
static char *fill(const struct test_place *place)
{
	char *path = test_path("%s/ballast", place->path);
	cleanup_free char *block = calloc(1, 1 << 20);
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_non_null(block);
	memset(block, 0x5a, 1 << 20);
	for (size_t size = 1 << 20; size >= 512; size /= 2)
		while (write(fd, block, size) == (ssize_t)size)
			;
	fsync(fd);

	return path;
}

static void check_store(const char *home, const char *before)
{
	cleanup_free char *after = test_tree_describe_at(home, TEST_TREE_NO_TIMES);

	test_text_assert_same(before, after, "stores");
	assert_int_equal(test_count_mounts_below(home), 0);
}

static void archive_that_does_not_fit_changes_nothing(void **state)
{
	struct test_place small = enter_small(*state);
	cleanup_free char *home = store_path(&small);
	cleanup_free char *before = NULL;
	cleanup_free char *content = calloc(1, 1 << 20);
	cleanup_store struct ovl2_store *store = open_store(&small);
	cleanup_tar struct test_tar tar = { 0 };
	struct test_resources resources;
	struct ovl2_error err = { 0 };
	cleanup_fd int fd = -1;

	assert_non_null(content);
	memset(content, 0xa5, 1 << 20);
	create_layer(store, "base", NULL);
	for (int i = 0; i < (small.filesystem[0] == 't' || small.filesystem[0] == 'e' ? 80 : 330);
	     i++) {
		cleanup_free char *name = test_path("file-%d", i);
		const struct test_tar_entry entry = { .name = name,
			                              .content = content,
			                              .content_length = 1 << 20 };

		/* Compressible content would fit on btrfs with compression: it is not. */
		content[i] = (char)i;
		test_tar_add(&tar, &entry);
	}
	test_tar_end(&tar);
	fd = test_tar_open(&tar);

	before = test_tree_describe_at(home, TEST_TREE_NO_TIMES);
	resources = test_resources_count();
	assert_fails(ovl2_layer_apply(store, "base", NULL, fd, NULL, &err), OVL2_E_SYSTEM, &err);
	assert_int_equal(err.sys, ENOSPC);
	test_resources_assert_same(resources);
	check_store(home, before);
	free(small.path);
}

static void layer_that_does_not_fit_is_not_there(void **state)
{
	struct test_place small = enter_small(*state);
	cleanup_free char *home = store_path(&small);
	cleanup_free char *before = NULL;
	cleanup_free char *ballast = NULL;
	cleanup_store struct ovl2_store *store = open_store(&small);
	struct test_resources resources;
	struct ovl2_error err = { 0 };
	char id[32];
	int r = 0;

	create_layer(store, "base", NULL);
	ballast = fill(&small);
	resources = test_resources_count();

	/* Small things may still fit into what is reserved; many do not. */
	for (int i = 0; i < 3000 && r == 0; i++) {
		free(before);
		before = test_tree_describe_at(home, TEST_TREE_NO_TIMES);
		(void)snprintf(id, sizeof(id), "layer-%d", i);
		r = ovl2_layer_create(store, id, NULL, &err);
	}
	if (r == 0)
		test_skip("%s took 3000 layers when full", small.filesystem);

	assert_fails(r, OVL2_E_SYSTEM, &err);
	assert_int_equal(err.sys, ENOSPC);
	test_resources_assert_same(resources);
	check_store(home, before);

	/* With room again it works. */
	assert_sys(unlink(ballast));
	create_layer(store, id, NULL);
	free(small.path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(archive_that_does_not_fit_changes_nothing),
		cmocka_unit_test(layer_that_does_not_fit_is_not_there),
	};

	test_enter_namespace();
	return test_run_everywhere("full disk", tests, ARRAY_SIZE(tests), argc, argv);
}
