// SPDX-License-Identifier: MIT
#include "fixture.h"

#include "place.h"
#include "sys.h"
#include "walk.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/*
 * Finding directories inside of a root, by openat2(2) and, where that is missing, by
 * hand: both find the same, neither gets out, even while somebody swaps what they are
 * walking over.
 */

/* Rounds of the race. OVL2_TEST_ROUNDS asks for others. */
#define DEFAULT_ROUNDS 100000

static int forbidden_openat2(int dir, const char *path, const struct open_how *how)
{
	(void)dir;
	(void)path;
	(void)how;
	errno = EPERM;

	return -1;
}

static int unsure_openat2(int dir, const char *path, const struct open_how *how)
{
	(void)dir;
	(void)path;
	(void)how;
	errno = EAGAIN;

	return -1;
}

static unsigned long flags_of_mount;

/* Notes what the mount is like in which something is made. */
static int noting_mknodat(int dir, const char *name, mode_t mode, dev_t device)
{
	struct statvfs stat;

	assert_sys(fstatvfs(dir, &stat));
	flags_of_mount = stat.f_flag;

	return mknodat(dir, name, mode, device);
}

static const struct test_entry tree[] = {
	{ 'd', "root", NULL, 0, 0, 0, 0, NULL },
	{ 'd', "root/a", NULL, 0, 0, 0, 0, NULL },
	{ 'd', "root/a/b", NULL, 0, 0, 0, 0, NULL },
	{ 'd', "root/a/b/c", NULL, 0, 0, 0, 0, NULL },
	{ 'f', "root/file", "x", 0, 0, 0, 0, NULL },
	{ 'l', "root/to_b", "a/b", 0, 0, 0, 0, NULL },
	{ 'l', "root/absolute", "/a/b", 0, 0, 0, 0, NULL },
	{ 'l', "root/a/up", "..", 0, 0, 0, 0, NULL },
	{ 'l', "root/a/b/far_up", "../../../../../../a", 0, 0, 0, 0, NULL },
	{ 'l', "root/root", "/", 0, 0, 0, 0, NULL },
	{ 'l', "root/loop", "loop", 0, 0, 0, 0, NULL },
	{ 'l', "root/circle", "a/circle", 0, 0, 0, 0, NULL },
	{ 'l', "root/a/circle", "../circle", 0, 0, 0, 0, NULL },
	{ 'l', "root/missing", "nothing", 0, 0, 0, 0, NULL },
	{ 'l', "root/through_file", "file/x", 0, 0, 0, 0, NULL },
	{ 'l', "root/chain", "to_b/far_up/up/absolute/c", 0, 0, 0, 0, NULL },
	{ 'l', "root/out", "../victim", 0, 0, 0, 0, NULL },
	{ 'd', "victim", NULL, 0, 0, 0, 0, NULL },
	{ 'd', "victim/deep", NULL, 0, 0, 0, 0, NULL },
};

static int kernel_open(int root, const char *path)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	int fd;

	do {
		fd = ovi_sys.openat2(root, path, &how);
	} while (fd < 0 && errno == EAGAIN);

	return fd;
}

static void hand_finds_what_the_kernel_finds(void **state)
{
	static const char *const paths[] = { ".",         "a",        "a/b/c",
		                             "to_b",      "to_b/c",   "absolute/c",
		                             "a/up",      "a/up/a",   "a/b/far_up/b",
		                             "root",      "root/a",   "loop",
		                             "loop/x",    "circle",   "missing",
		                             "missing/x", "file",     "file/x",
		                             "nothing",   "chain",    "chain/x",
		                             "out",       "out/deep", "through_file",
		                             "a//b/./c",  "a/b/c/.",  "root/root/root/to_b" };
	const struct test_place *place = *state;
	cleanup_fd int root = -1;

	test_tree_make(place->fd, tree, ARRAY_SIZE(tree));
	root = openat(place->fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_sys(root);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		cleanup_fd int kernel = kernel_open(root, paths[i]);
		int kernel_errno = errno;
		cleanup_fd int hand = ovi_walk_open(root, paths[i]);
		int hand_errno = errno;
		struct stat one;
		struct stat other;

		if ((kernel < 0) != (hand < 0))
			fail_msg("'%s': kernel %d (%s), hand %d (%s)", paths[i], kernel,
			         strerror(kernel_errno), hand, strerror(hand_errno));
		if (kernel < 0) {
			assert_string_equal(strerror(kernel_errno), strerror(hand_errno));
			continue;
		}
		assert_sys(fstat(kernel, &one));
		assert_sys(fstat(hand, &other));
		assert_int_equal(one.st_ino, other.st_ino);
	}
}

/* As many links as the kernel follows, and one more. */
static void hand_follows_as_many_links_as_the_kernel(void **state)
{
	static const char *const paths[] = { "l39", "l40" };
	const struct test_place *place = *state;
	cleanup_fd int root = -1;

	test_tree_make(place->fd, tree, ARRAY_SIZE(tree));
	root = openat(place->fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_sys(root);
	for (int i = 0; i <= 40; i++) {
		cleanup_free char *name = test_path("l%d", i);
		cleanup_free char *target = i ? test_path("l%d", i - 1) : test_path("a");

		assert_sys(symlinkat(target, root, name));
	}
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		cleanup_fd int kernel = kernel_open(root, paths[i]);
		cleanup_fd int hand = ovi_walk_open(root, paths[i]);

		assert_int_equal(kernel >= 0, i == 0);
		assert_int_equal(hand >= 0, i == 0);
	}
}

/* A second wall behind the first: whoever gets hold of it, no device works there. */
static void nothing_works_in_what_is_unpacked(void **state)
{
	const unsigned long flags = ST_NODEV | ST_NOSUID | ST_NOEXEC;
	const struct test_tar_entry entry = { .name = "c", .type = '3', .device_minor = 5 };
	const struct test_place *place = *state;
	int (*before)(int, const char *, mode_t, dev_t) = ovi_sys.mknodat;
	cleanup_store struct ovl2_store *store = open_store(place);
	struct statvfs stat;

	assert_sys(fstatvfs(place->fd, &stat));
	if (stat.f_flag & flags)
		test_skip("the mount that the test is on is so itself");
	create_layer(store, "layer", NULL);
	ovi_sys.mknodat = noting_mknodat;
	apply_entries(store, "layer", &entry, 1);
	ovi_sys.mknodat = before;
	assert_int_equal(flags_of_mount & flags, flags);
}

/* -------------------------------------------------------------- without it -- */

static void apply_without(struct test_place *place,
                          int (*openat2)(int, const char *, const struct open_how *))
{
	const struct test_tar_entry entries[] = {
		{ .name = "usr/lib", .type = '5' },
		{ .name = "lib", .type = '2', .link = "/usr/lib" },
		{ .name = "lib/x", .content = "through a link" },
		{ .name = "out", .type = '2', .link = "../../../usr" },
		{ .name = "out/y", .content = "stays inside" },
		{ .name = "h", .type = '1', .link = "lib/x" },
	};
	int (*before)(int, const char *, const struct open_how *) = ovi_sys.openat2;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *text = NULL;

	create_layer(store, "layer", NULL);
	ovi_sys.openat2 = openat2;
	apply_entries(store, "layer", entries, ARRAY_SIZE(entries));
	ovi_sys.openat2 = before;
	text = describe_layer(store, "layer", TEST_TREE_NAMES);
	assert_string_equal(text, "f h\nl lib -> /usr/lib\nl out -> ../../../usr\nd usr\n"
	                          "d usr/lib\nf usr/lib/x\nf usr/y\n");
}

static void kernel_lacks_openat2(void **state)
{
	apply_without(*state, missing_openat2);
}

static void sandbox_forbids_openat2(void **state)
{
	apply_without(*state, forbidden_openat2);
}

static void openat2_is_never_sure(void **state)
{
	apply_without(*state, unsure_openat2);
}

/* What a missing directory is to look like is read below, not behind links of there. */
static void implied_directory_looks_at_no_host(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *victim = test_path("%s/victim", place->path);
	cleanup_free char *made = test_path("%s/store/layer/diff/a/x", place->path);
	const struct test_entry host[] = {
		{ 'd', "victim", NULL, 0, 0, 0, 0, NULL },
		{ 'd', "victim/x", NULL, 0700, 7, 7, 0, NULL },
	};
	const struct test_tar_entry base[] = { { .name = "a", .type = '2', .link = victim } };
	const struct test_tar_entry layer[] = { { .name = "a/x/f" } };
	cleanup_store struct ovl2_store *store = open_store(place);
	struct stat st;

	test_tree_make(place->fd, host, ARRAY_SIZE(host));
	create_layer(store, "base", NULL);
	apply_entries(store, "base", base, ARRAY_SIZE(base));
	create_layer(store, "layer", "base");
	apply_entries(store, "layer", layer, ARRAY_SIZE(layer));
	assert_sys(stat(made, &st));
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(st.st_uid, 0);
}

/* -------------------------------------------------------------------- race -- */

struct race {
	int root;
	atomic_int is_over;
	atomic_size_t swaps;
};

/* "x" is a directory, then a link out of the root, and so on. */
static void *swap(void *data)
{
	struct race *race = data;

	while (!atomic_load(&race->is_over)) {
		(void)renameat2(race->root, "x", race->root, "y", RENAME_EXCHANGE);
		atomic_fetch_add(&race->swaps, 1);
	}

	return NULL;
}

static size_t count_rounds(void)
{
	const char *text = getenv("OVL2_TEST_ROUNDS");

	return text ? strtoul(text, NULL, 10) : DEFAULT_ROUNDS;
}

/* Neither way of opening may ever lead to a directory outside. */
static void check_round(int fd, const struct stat *victim, size_t *opened)
{
	struct stat st;

	if (fd < 0)
		return;
	assert_sys(fstat(fd, &st));
	if (st.st_ino == victim->st_ino)
		fail_msg("escaped to the victim");
	(*opened)++;
}

/* Through the driver's own door; half of it as where there is no openat2(2). */
static int open_raced(struct ovi_place *inside, size_t round, const char *path)
{
	inside->has_no_openat2 = round % 4 < 2;

	return ovi_place_open(inside, path);
}

static void swapped_links_lead_nowhere(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *target = test_path("%s/victim", place->path);
	const struct test_entry links[] = {
		{ 'd', "root/x", NULL, 0, 0, 0, 0, NULL },
		{ 'd', "root/x/deep", NULL, 0, 0, 0, 0, NULL },
		{ 'l', "root/y", "../../../../../../victim", 0, 0, 0, 0, NULL },
		{ 'l', "root/z", target, 0, 0, 0, 0, NULL },
	};
	struct ovi_place inside = OVI_PLACE_NONE;
	struct race race = { .root = -1 };
	size_t opened = 0;
	struct stat victim;
	pthread_t thread;

	test_tree_make(place->fd, tree, ARRAY_SIZE(tree));
	test_tree_make(place->fd, links, ARRAY_SIZE(links));
	assert_sys(fstatat(place->fd, "victim/deep", &victim, AT_SYMLINK_NOFOLLOW));
	race.root = openat(place->fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_sys(race.root);
	assert_int_equal(pthread_create(&thread, NULL, swap, &race), 0);
	inside.root = race.root;
	for (size_t i = 0; i < count_rounds(); i++) {
		const char *path = i % 2 ? "x/deep" : "a/up/x/deep";
		cleanup_fd int fd = open_raced(&inside, i, path);

		check_round(fd, &victim, &opened);
	}
	atomic_store(&race.is_over, 1);
	pthread_join(thread, NULL);
	ovi_place_release(&inside);
	print_message("%zu rounds, %zu opened, %zu swaps\n", count_rounds(), opened,
	              atomic_load(&race.swaps));
	/* A race in which nobody moved, or nothing was found, says nothing. */
	assert_true(opened > 0);
	assert_true(atomic_load(&race.swaps) > 1);
}

/* Of the victim's directories, which the layer has as well: more than are kept open. */
#define RACED_DIRECTORIES ((size_t)16)
#define RACED_FILES 10000

static struct race applied = { .root = -1 };
static pthread_t swapper;
static int (*real_symlinkat)(const char *, int, const char *);

/* Begins to swap when both are there, of which "y" comes last. */
static int swapping_symlinkat(const char *target, int dir, const char *name)
{
	int r = real_symlinkat(target, dir, name);

	if (r == 0 && !strcmp(name, "y")) {
		applied.root = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_sys(applied.root);
		assert_int_equal(pthread_create(&swapper, NULL, swap, &applied), 0);
	}

	return r;
}

/* Each file is in another directory than those before, so that none is open still. */
static void build_raced(struct test_tar *tar, const char *victim)
{
	const struct test_tar_entry link = { .name = "y", .type = '2', .link = victim };
	const char *const roots[] = { "x", victim + 1 };

	for (size_t i = 0; i < 2 * RACED_DIRECTORIES; i++) {
		cleanup_free char *name = test_path("%s/p%zu", roots[i % 2], i / 2);
		const struct test_tar_entry entry = { .name = name, .type = '5' };

		test_tar_add(tar, &entry);
	}
	test_tar_add(tar, &link);
	for (size_t i = 0; i < RACED_FILES; i++) {
		cleanup_free char *name = test_path("x/p%zu/f%zu", i % RACED_DIRECTORIES, i);
		const struct test_tar_entry entry = { .name = name, .type = '6' };

		test_tar_add(tar, &entry);
	}
	test_tar_end(tar);
}

static size_t count_raced(const char *root)
{
	size_t count = 0;

	for (size_t i = 0; i < RACED_DIRECTORIES; i++) {
		cleanup_free char *path = test_path("%s/p%zu", root, i);

		count += count_files(path);
	}

	return count;
}

/* The whole of it: all files are in the layer, on one of both sides, and none outside. */
static void swapped_links_lead_apply_nowhere(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *victim = test_path("%s/victim", place->path);
	cleanup_free char *upper = test_path("%s/store/layer/diff", place->path);
	cleanup_free char *x = test_path("%s/x", upper);
	cleanup_free char *y = test_path("%s/y", upper);
	cleanup_free char *inside = test_path("%s%s", upper, victim);
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_tar struct test_tar tar = { 0 };
	struct ovl2_error err = { 0 };
	cleanup_fd int fd = -1;
	struct stat st;
	int r;

	for (size_t i = 0; i < RACED_DIRECTORIES; i++) {
		cleanup_free char *path = test_path("victim/p%zu", i);
		const struct test_entry entry = { 'd', path, NULL, 0, 0, 0, 0, NULL };

		if (i == 0)
			assert_sys(mkdirat(place->fd, "victim", 0755));
		test_tree_make(place->fd, &entry, 1);
	}
	build_raced(&tar, victim);
	fd = test_tar_open(&tar);
	create_layer(store, "layer", NULL);
	real_symlinkat = ovi_sys.symlinkat;
	ovi_sys.symlinkat = swapping_symlinkat;
	r = ovl2_layer_apply(store, "layer", NULL, fd, NULL, &err);
	ovi_sys.symlinkat = real_symlinkat;
	atomic_store(&applied.is_over, 1);
	assert_int_equal(pthread_join(swapper, NULL), 0);
	close(applied.root);

	assert_ok(r, &err);
	assert_int_equal(count_raced(victim), 0);
	assert_sys(lstat(x, &st));
	print_message("%d files, %zu by the link, %zu swaps\n", RACED_FILES, count_raced(inside),
	              atomic_load(&applied.swaps));
	assert_int_equal(count_raced(S_ISDIR(st.st_mode) ? x : y) + count_raced(inside),
	                 RACED_FILES);
	assert_true(count_raced(inside) > 0);
	assert_true(atomic_load(&applied.swaps) > 1);
}

/* So many names of 255 bytes are longer than the kernel takes at once. */
#define LONG_LEVELS ((size_t)17)

/* The path of a directory that far down, and the directory. */
static int make_long(int root, char path[LONG_LEVELS * (NAME_MAX + 1)])
{
	int dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < LONG_LEVELS; i++) {
		char *name = path + i * (NAME_MAX + 1);
		int next;

		memset(name, 'n', NAME_MAX);
		name[NAME_MAX] = '\0';
		assert_sys(mkdirat(dir, name, 0755));
		next = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_sys(next);
		close(dir);
		dir = next;
		name[NAME_MAX] = '/';
	}

	return dir;
}

static void swapped_links_late_in_a_path_lead_nowhere(void **state)
{
	static char path[LONG_LEVELS * (NAME_MAX + 1) + sizeof("x/deep")];
	const struct test_place *place = *state;
	cleanup_free char *target = test_path("%s/victim", place->path);
	const struct test_entry directories[] = {
		{ 'd', "x", NULL, 0, 0, 0, 0, NULL },
		{ 'd', "x/deep", NULL, 0, 0, 0, 0, NULL },
		{ 'l', "y", target, 0, 0, 0, 0, NULL },
	};
	struct ovi_place inside = OVI_PLACE_NONE;
	struct race race = { .root = -1 };
	size_t opened = 0;
	struct stat victim;
	pthread_t thread;

	test_tree_make(place->fd, tree, ARRAY_SIZE(tree));
	assert_sys(fstatat(place->fd, "victim/deep", &victim, AT_SYMLINK_NOFOLLOW));
	inside.root = openat(place->fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	race.root = make_long(inside.root, path);
	test_tree_make(race.root, directories, ARRAY_SIZE(directories));
	memcpy(path + LONG_LEVELS * (NAME_MAX + 1), "x/deep", sizeof("x/deep"));
	assert_int_equal(pthread_create(&thread, NULL, swap, &race), 0);
	for (size_t i = 0; i < count_rounds() / 4; i++) {
		cleanup_fd int fd = ovi_place_open(&inside, path);

		check_round(fd, &victim, &opened);
	}
	atomic_store(&race.is_over, 1);
	pthread_join(thread, NULL);
	close(race.root);
	ovi_place_release(&inside);
	print_message("%zu rounds, %zu opened, %zu swaps\n", count_rounds() / 4, opened,
	              atomic_load(&race.swaps));
	assert_true(opened > 0);
	assert_true(atomic_load(&race.swaps) > 1);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(hand_finds_what_the_kernel_finds),
		cmocka_unit_test(hand_follows_as_many_links_as_the_kernel),
		cmocka_unit_test(nothing_works_in_what_is_unpacked),
		cmocka_unit_test(kernel_lacks_openat2),
		cmocka_unit_test(sandbox_forbids_openat2),
		cmocka_unit_test(openat2_is_never_sure),
		cmocka_unit_test(implied_directory_looks_at_no_host),
		cmocka_unit_test(swapped_links_lead_nowhere),
		cmocka_unit_test(swapped_links_lead_apply_nowhere),
		cmocka_unit_test(swapped_links_late_in_a_path_lead_nowhere),
	};

	test_enter_namespace();
	return test_run("apply walk", tests, ARRAY_SIZE(tests), argc, argv);
}
