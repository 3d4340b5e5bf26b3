// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/*
 * Directories in directories, deeper than there are descriptors and than a path is long.
 * A container can make them: nothing that is done to its layer may fail for that.
 */

#define DEEP 5000
#define SHARED 100
#define BRANCHED 150
#define DESCRIPTORS 1024

/* In a tar: 64,000 bytes of two for each. */
#define DEEP_TAR 32000

static void make_file(int dir, const char *name)
{
	cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_sys(fd);
	assert_int_equal(write(fd, "1234", 4), 4);
}

/* Goes down, and makes on each level what `fill` makes. Directories that exist are used. */
static void make_deep(const char *root, int levels, void (*fill)(int dir, int level))
{
	cleanup_fd int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_sys(dir);
	for (int i = 0; i < levels; i++) {
		int next;

		fill(dir, i);
		assert_true(mkdirat(dir, "d", 0755) == 0 || errno == EEXIST);
		next = openat(dir, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_sys(next);
		close(dir);
		dir = next;
	}
}

/* Before and after the directory, so that a walk has something to come back to. */
static void fill_lower(int dir, int level)
{
	(void)level;
	make_file(dir, "a");
	make_file(dir, "w");
	make_file(dir, "z");
}

static void fill_upper(int dir, int level)
{
	if (level < SHARED || level >= DEEP - SHARED) {
		make_file(dir, "b");
		make_file(dir, "z");
	}
	if (level < SHARED)
		assert_sys(mknodat(dir, "w", S_IFCHR, makedev(0, 0)));
}

static char *content_path(const struct test_place *place, const char *id)
{
	return test_path("%s/store/%s/diff", place->path, id);
}

/* "web", whose upper is deep, on "base", where the first levels are. */
static struct ovl2_store *open_deep_store(const struct test_place *place)
{
	cleanup_free char *lower = content_path(place, "base");
	cleanup_free char *upper = content_path(place, "web");
	struct ovl2_store *store = open_store(place);

	create_layer(store, "base", NULL);
	make_deep(lower, SHARED, fill_lower);
	create_container(store, "web", "base");
	make_deep(upper, DEEP, fill_upper);

	return store;
}

/* How every test ends: what is so deep is too deep for who cleans up after it. */
static void remove_deep(struct ovl2_store *store)
{
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_layer_remove(store, "web", &err), &err);
}

struct tally {
	size_t counts[3];

	/* Of all that was told, in its order. */
	uint64_t hash;
};

static int count_change(void *data, const struct ovl2_change *change)
{
	struct tally *tally = data;

	tally->counts[change->kind]++;
	for (const char *at = change->path; *at; at++)
		tally->hash = (tally->hash ^ (unsigned char)*at) * 1099511628211ULL;
	tally->hash = (tally->hash ^ (unsigned int)change->kind) * 1099511628211ULL;

	return 0;
}

static struct tally count_changes(struct ovl2_store *store, int method)
{
	const struct ovl2_diff_options options = { .size = sizeof(options), .method = method };
	struct tally tally = { .counts = { 0 } };
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_layer_changes(store, "web", &options, count_change, &tally, &err), &err);

	return tally;
}

static void deep_layer_is_listed_by_both_methods(void **state)
{
	cleanup_store struct ovl2_store *store = open_deep_store(*state);
	struct tally walked = count_changes(store, OVL2_DIFF_UPPER);
	struct tally compared = count_changes(store, OVL2_DIFF_COMPARE);
	uint64_t bytes = 0;
	struct ovl2_error err = { 0 };

	assert_int_equal(walked.counts[OVL2_CHANGE_DELETE], SHARED);
	/* "d" and "z" of those levels; and the last of these "d" is what is in both. */
	assert_int_equal(walked.counts[OVL2_CHANGE_MODIFY], 2 * SHARED);
	assert_int_equal(walked.counts[OVL2_CHANGE_ADD], DEEP - SHARED + SHARED + 2 * SHARED);
	assert_memory_equal(&walked, &compared, sizeof(walked));

	assert_ok(ovl2_layer_diff_size(store, "web", NULL, &bytes, &err), &err);
	assert_int_equal(bytes, 4 * 4 * SHARED);
	remove_deep(store);
}

/* Another way down on each level, which is taken on the way back up. */
static void fill_branches(int dir, int level)
{
	(void)level;
	assert_sys(mkdirat(dir, "branch", 0755));
	make_file(dir, "file");
}

static void deep_layer_with_branches_is_walked_once(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *upper = content_path(*state, "web");
	struct ovl2_error err = { 0 };
	uint64_t bytes = 0;

	create_container(store, "web", NULL);
	make_deep(upper, BRANCHED, fill_branches);
	assert_ok(ovl2_layer_diff_size(store, "web", NULL, &bytes, &err), &err);
	assert_int_equal(bytes, 4 * BRANCHED);
}

static char *digest_by(struct ovl2_store *store, int method)
{
	char digest[OVL2_DIGEST_SIZE] = "";
	const struct ovl2_diff_options options = {
		.size = sizeof(options),
		.method = method,
		.digest = digest,
	};
	cleanup_fd int sink = test_sink_open();
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_layer_diff(store, "web", &options, sink, &err), &err);

	return test_path("%s", digest);
}

static void deep_layer_is_one_tar_by_both_methods(void **state)
{
	cleanup_store struct ovl2_store *store = open_deep_store(*state);
	cleanup_free char *walked = digest_by(store, OVL2_DIFF_UPPER);
	cleanup_free char *compared = digest_by(store, OVL2_DIFF_COMPARE);

	assert_string_equal(walked, compared);
	remove_deep(store);
}

/* An opaque directory: what lies below it is deleted, and listed beside it all the way. */
static void deep_opaque_directory_hides_what_is_below(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_deep_store(place);
	cleanup_free char *first = test_path("%s/store/web/diff/d", place->path);
	struct tally tally;

	assert_sys(setxattr(first, "trusted.overlay.opaque", "y", 1, 0));
	tally = count_changes(store, OVL2_DIFF_UPPER);

	/* "a" of each level but the first, and "w" as before. */
	assert_int_equal(tally.counts[OVL2_CHANGE_DELETE], SHARED + SHARED - 1);
	remove_deep(store);
}

static int count_problem(void *data, const struct ovl2_problem *problem)
{
	(void)problem;
	++*(size_t *)data;

	return 0;
}

static void deep_layer_is_checked_and_removed(void **state)
{
	const struct ovl2_check_options options = { .size = sizeof(options), .deep = 1 };
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_deep_store(place);
	cleanup_free char *path = test_path("%s/store/web", place->path);
	struct ovl2_error err = { 0 };
	size_t count = 0;

	assert_ok(ovl2_store_check(store, &options, count_problem, &count, &err), &err);
	assert_int_equal(count, 0);
	remove_deep(store);
	assert_int_equal(access(path, F_OK), -1);
}

/* All that it has comes back, however often its directories are found from the root. */
static void deep_layer_is_applied(void **state)
{
	cleanup_store struct ovl2_store *store = open_deep_store(*state);
	cleanup_free char *digest = diff_digest(store, "web");
	cleanup_fd int tar = diff_layer(store, "web", OVL2_DIFF_UPPER);
	cleanup_free char *copied = NULL;
	struct ovl2_error err = { 0 };

	assert_sys(lseek(tar, 0, SEEK_SET));
	create_layer(store, "copy", "base");
	assert_ok(ovl2_layer_apply(store, "copy", NULL, tar, NULL, &err), &err);
	copied = diff_digest(store, "copy");
	assert_string_equal(digest, copied);
	assert_ok(ovl2_layer_remove(store, "copy", &err), &err);
	remove_deep(store);
}

/* `name` in as many directories, none of which has an entry of its own. */
static void add_deep(struct test_tar *tar, const char *name)
{
	static char path[sizeof("path=") + sizeof("d/") * DEEP_TAR] = "path=";
	char *at = path + strlen("path=");

	for (size_t i = 0; i < DEEP_TAR; i++, at += 2)
		memcpy(at, "d/", 2);
	memcpy(at, name, strlen(name) + 1);
	test_tar_add(tar, &(struct test_tar_entry){
				  .name = "deep",
				  .content = "1234",
				  .pax = (const char *const[]){ path, NULL },
			  });
}

static void deep_tar_is_applied(void **state)
{
	struct test_resources before = test_resources_count();
	struct ovl2_store *store = open_store(*state);
	cleanup_tar struct test_tar tar = { 0 };
	struct ovl2_apply_counts counts = { 0 };
	const struct ovl2_apply_options options = { .size = sizeof(options), .counts = &counts };
	struct ovl2_error err = { 0 };
	uint64_t bytes = 0;
	cleanup_fd int fd = -1;

	add_deep(&tar, "file");
	add_deep(&tar, ".wh.gone");
	test_tar_end(&tar);
	fd = test_tar_open(&tar);
	create_layer(store, "base", NULL);
	assert_ok(ovl2_layer_apply(store, "base", &options, fd, &bytes, &err), &err);
	assert_int_equal(counts.whiteouts, 1);
	assert_int_equal(bytes, 4);
	close(steal_fd(&fd));
	assert_ok(ovl2_layer_remove(store, "base", &err), &err);
	ovl2_store_close(store);
	test_resources_assert_same(before);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deep_layer_is_listed_by_both_methods),
		cmocka_unit_test(deep_layer_with_branches_is_walked_once),
		cmocka_unit_test(deep_layer_is_one_tar_by_both_methods),
		cmocka_unit_test(deep_opaque_directory_hides_what_is_below),
		cmocka_unit_test(deep_layer_is_checked_and_removed),
		cmocka_unit_test(deep_layer_is_applied),
		cmocka_unit_test(deep_tar_is_applied),
	};
	const struct rlimit limit = { DESCRIPTORS, DESCRIPTORS };

	setrlimit(RLIMIT_NOFILE, &limit);
	test_enter_namespace();
	return test_run("deep", tests, ARRAY_SIZE(tests), argc, argv);
}
