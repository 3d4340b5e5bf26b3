// SPDX-License-Identifier: MIT
#include "fixture.h"

#include "strbuf.h"
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/*
 * Paths that are longer than the kernel takes at once, which a container makes by going
 * down step by step. They are written, read and resolved as any other.
 */

/* Of names of 255 bytes: 64,000 in all. */
#define LEVELS 250
#define NAME_BYTES 255

/* Where such a path is cut into pieces: 16 names and slashes are PATH_MAX. */
#define LEVELS_IN_PIECE 16

/* The name of each level. */
static void name_level(int level, char name[NAME_BYTES + 1])
{
	memset(name, 'n', NAME_BYTES);
	name[NAME_BYTES] = '\0';
	(void)snprintf(name, 4, "%03d", level);
	name[3] = '-';
}

static void make_file(int dir, const char *name, int level)
{
	cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	assert_sys(fd);
	assert_true(dprintf(fd, "%s on level %d", name, level) > 0);
}

static int enter(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	assert_sys(fd);

	return fd;
}

/* Around each cut, and at the end, `fill` makes something. */
static void make_long(const char *path, void (*fill)(int root, int dir, int level))
{
	cleanup_fd int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int dir = enter(root, ".");

	for (int level = 0; level <= LEVELS; level++) {
		char name[NAME_BYTES + 1];
		int next;

		if (level % LEVELS_IN_PIECE < 2 || level == LEVELS)
			fill(root, dir, level);
		if (level == LEVELS)
			break;
		name_level(level, name);
		assert_true(mkdirat(dir, name, 0750) == 0 || errno == EEXIST);
		next = enter(dir, name);
		close(dir);
		dir = next;
	}
}

static void fill_base(int root, int dir, int level)
{
	cleanup_fd int opaque = -1;

	(void)root;
	make_file(dir, "stays", level);
	make_file(dir, "gone", level);
	assert_sys(mkdirat(dir, "opaque", 0755));
	opaque = enter(dir, "opaque");
	make_file(opaque, "hidden", level);
}

/* Through a mount: deletes, replaces, and has a file with names here and far above. */
static void change_base(int root, int dir, int level)
{
	cleanup_free char *top = test_path("link-%d", level);
	cleanup_fd int opaque = enter(dir, "opaque");
	cleanup_fd int file = -1;

	assert_sys(unlinkat(dir, "gone", 0));
	assert_sys(unlinkat(opaque, "hidden", 0));
	assert_sys(unlinkat(dir, "opaque", AT_REMOVEDIR));
	assert_sys(mkdirat(dir, "opaque", 0700));
	close(opaque);
	opaque = enter(dir, "opaque");
	make_file(opaque, "new", level);
	make_file(dir, "new", level);
	file = openat(dir, "new", O_RDONLY | O_CLOEXEC);
	assert_sys(fsetxattr(file, "user.level", top, strlen(top), 0));
	assert_sys(linkat(dir, "new", dir, "link", 0));
	assert_sys(linkat(dir, "new", root, top, 0));
	assert_sys(symlinkat("../new", dir, "symlink"));
}

static void change_long(struct ovl2_store *store, const char *id,
                        void (*fill)(int root, int dir, int level))
{
	cleanup_free char *path = mount_layer(store, id);

	make_long(path, fill);
	unmount_layer(store, id);
}

/* "web" on "base", both with long paths. */
static struct ovl2_store *open_long_store(const struct test_place *place)
{
	cleanup_free char *base = test_path("%s/store/base/diff", place->path);
	struct ovl2_store *store = open_store(place);

	create_layer(store, "base", NULL);
	make_long(base, fill_base);
	create_container(store, "web", "base");
	change_long(store, "web", change_base);

	return store;
}

/* What `id` changed, as another layer on `parent`. */
static void copy_layer(struct ovl2_store *store, const char *id, const char *copy,
                       const char *parent)
{
	cleanup_fd int tar = diff_layer(store, id, OVL2_DIFF_AUTO);
	uint64_t told = 0;
	uint64_t held = 0;
	struct ovl2_error err = { 0 };

	create_layer(store, copy, parent);
	assert_sys(lseek(tar, 0, SEEK_SET));
	assert_ok(ovl2_layer_apply(store, copy, NULL, tar, &told, &err), &err);
	assert_ok(ovl2_layer_diff_size(store, copy, NULL, &held, &err), &err);
	assert_int_equal(told, held);
}

static void assert_same_layers(struct ovl2_store *store, const char *one, const char *other)
{
	cleanup_free char *before = describe_layer(store, one, TEST_TREE_ROOT | TEST_TREE_LINKS);
	cleanup_free char *after = describe_layer(store, other, TEST_TREE_ROOT | TEST_TREE_LINKS);
	cleanup_free char *digest = diff_digest(store, one);
	cleanup_free char *digest_after = diff_digest(store, other);
	cleanup_free char *changes = list_changes(store, one, NULL);
	cleanup_free char *changes_after = list_changes(store, other, NULL);

	test_text_assert_same(before, after, "layers");
	test_text_assert_same(changes, changes_after, "changes");
	assert_string_equal(digest, digest_after);
}

static void long_paths_come_back(void **state)
{
	cleanup_store struct ovl2_store *store = open_long_store(*state);
	struct ovl2_error err = { 0 };

	copy_layer(store, "base", "base-copy", NULL);
	assert_same_layers(store, "base", "base-copy");
	copy_layer(store, "web", "web-copy", "base-copy");
	assert_same_layers(store, "web", "web-copy");
	assert_ok(ovl2_layer_remove(store, "web-copy", &err), &err);
	assert_ok(ovl2_layer_remove(store, "base-copy", &err), &err);
}

static int count_problem(void *data, const struct ovl2_problem *problem)
{
	(void)problem;
	++*(size_t *)data;

	return 0;
}

static void long_paths_are_compared_and_checked(void **state)
{
	const struct ovl2_check_options options = { .size = sizeof(options), .deep = 1 };
	cleanup_store struct ovl2_store *store = open_long_store(*state);
	cleanup_fd int walked = diff_layer(store, "web", OVL2_DIFF_UPPER);
	cleanup_fd int compared = diff_layer(store, "web", OVL2_DIFF_COMPARE);
	cleanup_free char *one = test_tar_list(walked);
	cleanup_free char *other = test_tar_list(compared);
	struct ovl2_error err = { 0 };
	size_t problems = 0;

	test_text_assert_same(one, other, "tars by the two methods");
	copy_layer(store, "web", "copy", "base");
	assert_ok(ovl2_store_check(store, &options, count_problem, &problems, &err), &err);
	assert_int_equal(problems, 0);
}

/* ------------------------------------------------------------------- links -- */

/* A directory whose path is longer than the kernel takes. */
static char *long_directory(void)
{
	struct ovi_strbuf path = { 0 };

	for (int level = 0; level <= LEVELS_IN_PIECE; level++) {
		char name[NAME_BYTES + 1];

		name_level(level, name);
		ovi_strbuf_add(&path, level ? "/" : "");
		ovi_strbuf_add(&path, name);
	}

	return ovi_strbuf_steal(&path);
}

static void add_at(struct test_tar *tar, const char *path, char type, const char *link)
{
	cleanup_free char *record = test_path("path=%s", path);
	const char *const pax[] = { record, NULL };

	test_tar_add(tar, &(struct test_tar_entry){
				  .name = "long", .type = type, .link = link, .pax = pax });
}

static int exists_in(const char *root, const char *path)
{
	cleanup_free char *names = test_path("%s", path);
	cleanup_fd int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *state = NULL;

	assert_sys(dir);
	for (char *name = strtok_r(names, "/", &state); name; name = strtok_r(NULL, "/", &state)) {
		int next = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

		close(steal_fd(&dir));
		if (next < 0)
			return 0;
		dir = next;
	}

	return 1;
}

struct link_row {
	const char *title;
	const char *target;

	/* Where something lands behind the link: in the long directory, or in the root. */
	int is_in_root;
	const char *lands;
};

#define UP_8 "../../../../../../../../"

static const struct link_row link_rows[] = {
	{ "link beside it", "sub", 0, "sub" },
	{ "link to its own directory", ".", 0, "" },
	{ "link up and down again", UP_8 UP_8 "../top", 1, "top" },
	{ "link to the root", "/", 1, "" },
	{ "link from the root", "/top/", 1, "top" },
	{ "link far above the root", UP_8 UP_8 UP_8 "top", 1, "top" },
	{ "link to a link", "other", 1, "top" },
};

/* What is behind the link lies in a long path as well. */
static void build_link(struct test_tar *tar, const struct link_row *row, const char *directory)
{
	cleanup_free char *sub = test_path("%s/sub", directory);
	cleanup_free char *other = test_path("%s/other", directory);
	cleanup_free char *link = test_path("%s/link", directory);
	cleanup_free char *file = test_path("%s/link/file", directory);
	cleanup_free char *far_file = test_path("%s/link/%s/file", directory, directory);

	add_at(tar, sub, '5', NULL);
	add_at(tar, "top", '5', NULL);
	add_at(tar, other, '2', "/top");
	add_at(tar, link, '2', row->target);
	add_at(tar, file, '0', NULL);
	add_at(tar, far_file, '0', NULL);
	test_tar_end(tar);
}

static void check_link(const struct test_place *place, int with_openat2)
{
	int (*before)(int, const char *, const struct open_how *) = ovi_sys.openat2;
	const struct link_row *row = place->row;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *directory = long_directory();
	cleanup_free char *root = test_path("%s/store/layer/diff", place->path);
	cleanup_free char *lands = test_path("%s/%s", row->is_in_root ? "" : directory, row->lands);
	cleanup_free char *file = test_path("%s/file", lands);
	cleanup_free char *far_file = test_path("%s/%s/file", lands, directory);
	cleanup_tar struct test_tar tar = { 0 };
	struct ovl2_error err = { 0 };
	cleanup_fd int fd = -1;
	int r;

	build_link(&tar, row, directory);
	fd = test_tar_open(&tar);
	create_layer(store, "layer", NULL);
	if (!with_openat2)
		ovi_sys.openat2 = missing_openat2;
	r = ovl2_layer_apply(store, "layer", NULL, fd, NULL, &err);
	ovi_sys.openat2 = before;
	assert_ok(r, &err);
	assert_true(exists_in(root, file));
	assert_true(exists_in(root, far_file));
}

static void link_late_in_a_path_leads_where_it_says(void **state)
{
	check_link(*state, 1);
}

static void link_is_the_same_without_openat2(void **state)
{
	check_link(*state, 0);
}

/* ------------------------------------------------------------------ errors -- */

static void error_about_a_long_path_says_what_it_is(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *directory = long_directory();
	cleanup_free char *path = test_path("%s/%sx", directory, directory);
	cleanup_tar struct test_tar tar = { 0 };
	struct ovl2_error err = { 0 };
	cleanup_fd int fd = -1;

	memset(path + strlen(path) - NAME_BYTES - 1, 'x', NAME_BYTES + 1);
	add_at(&tar, path, '0', NULL);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);
	create_layer(store, "layer", NULL);
	assert_fails(ovl2_layer_apply(store, "layer", NULL, fd, NULL, &err), OVL2_E_CORRUPT, &err);
	assert_contains(err.message, "tar entry '000-nnn");
	assert_contains(err.message, "xxx': a component of its name is too long");
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest whole[] = {
		cmocka_unit_test(long_paths_come_back),
		cmocka_unit_test(long_paths_are_compared_and_checked),
		cmocka_unit_test(error_about_a_long_path_says_what_it_is),
	};
	struct CMUnitTest tests[ARRAY_SIZE(whole) + 2 * ARRAY_SIZE(link_rows)];
	size_t count = ARRAY_SIZE(whole);

	memcpy(tests, whole, sizeof(whole));
	for (size_t i = 0; i < ARRAY_SIZE(link_rows); i++) {
		tests[count++] = test_case(link_rows[i].title,
		                           link_late_in_a_path_leads_where_it_says, &link_rows[i]);
		tests[count++] = test_case(link_rows[i].title, link_is_the_same_without_openat2,
		                           &link_rows[i]);
	}

	test_enter_namespace();
	return test_run("long", tests, count, argc, argv);
}
