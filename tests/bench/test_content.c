#include "support/test.h"

#include "plan.h"
#include "tool.h"
#include "walk.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* The floors do the work that they say they do. */

static void write_file(const char *directory, const char *name, const char *content)
{
	char *path = test_path("%s/%s", directory, name);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
	free(path);
}

/* Two directories; three files, one of them under two names; a link. */
static char *make_tree(const struct test_place *place)
{
	char *tree = test_path("%s/tree", place->path);

	assert_sys(mkdirat(place->fd, "tree", 0755));
	assert_sys(mkdirat(place->fd, "tree/sub", 0750));
	write_file(tree, "one", "1");
	write_file(tree, "sub/two", "22");
	write_file(tree, "sub/empty", "");
	assert_sys(linkat(place->fd, "tree/one", place->fd, "tree/sub/one-too", 0));
	assert_sys(symlinkat("sub/two", place->fd, "tree/link"));
	assert_sys(fchmodat(place->fd, "tree/sub/two", 04711, 0));

	return tree;
}

static void walks_see_every_entry_once(void **state)
{
	struct test_place *place = *state;
	char *tree = make_tree(place);
	struct walk_count looked = { 0 };
	struct walk_count read = { 0 };
	struct ovl2_error err = { 0 };

	assert_ok(walk_stat(tree, &looked, &err), &err);
	assert_ok(walk_read(tree, &read, &err), &err);
	assert_int_equal(looked.files, 5);
	assert_int_equal(looked.directories, 2);
	assert_int_equal(looked.bytes, 4);
	assert_memory_equal(&looked, &read, sizeof(read));
	free(tree);
}

/* A device has no body; opening one would be asking for its driver. */
static void walk_passes_devices_and_pipes(void **state)
{
	struct test_place *place = *state;
	char *tree = make_tree(place);
	struct walk_count count = { 0 };
	struct ovl2_error err = { 0 };

	assert_sys(mknodat(place->fd, "tree/whiteout", S_IFCHR, 0));
	assert_sys(mknodat(place->fd, "tree/null", S_IFCHR | 0600, makedev(1, 3)));
	assert_sys(mknodat(place->fd, "tree/pipe", S_IFIFO | 0600, 0));
	assert_ok(walk_read(tree, &count, &err), &err);
	assert_int_equal(count.files, 8);
	assert_int_equal(count.bytes, 4);
	free(tree);
}

static void walk_names_what_is_missing(void **state)
{
	struct walk_count count = { 0 };
	struct ovl2_error err = { 0 };

	(void)state;

	assert_fails(walk_read("/nowhere/at/all", &count, &err), OVL2_E_NOT_FOUND, &err);
	assert_contains(err.message, "/nowhere/at/all");
}

static int archive(const struct test_place *place, const char *tree, off_t *ret_bytes)
{
	const char *const argv[] = { "tar",      "--format=pax",
		                     "--xattrs", "--xattrs-include=*",
		                     "-C",       tree,
		                     "-cf",      "-",
		                     ".",        NULL };
	int tar = openat(place->fd, "tar", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct ovl2_error err = { 0 };

	assert_sys(tar);
	if (!tool_has("tar"))
		test_skip("there is no tar");
	assert_ok(tool_run(argv, (struct tool_files){ -1, tar }, &err), &err);
	*ret_bytes = lseek(tar, 0, SEEK_END);

	return tar;
}

/* tar compares what the plan made with what the tree was: types, modes, times, bytes. */
static void plan_makes_what_the_tar_says(void **state)
{
	struct test_place *place = *state;
	char *tree = make_tree(place);
	char *copy = test_path("%s/copy", place->path);
	const char *const compare[] = { "tar", "-C", copy, "-df", "-", NULL };
	struct ovl2_error err = { 0 };
	struct plan plan;
	off_t bytes;
	int tar = archive(place, tree, &bytes);
	int root;

	assert_ok(plan_init(&plan, tar, (size_t)bytes, &err), &err);
	assert_int_equal(plan.count, 7);
	assert_sys(mkdirat(place->fd, "copy", 0700));
	root = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(plan_execute(&plan, root, &err), &err);

	assert_sys(lseek(tar, 0, SEEK_SET) < 0 ? -1 : 0);
	assert_ok(tool_run(compare, (struct tool_files){ tar, -1 }, &err), &err);
	close(root);
	close(tar);
	plan_release(&plan);
	free(copy);
	free(tree);
}

static void plan_makes_whiteouts_devices_and_attributes(void **state)
{
	struct test_place *place = *state;
	char *tree = make_tree(place);
	char *one = test_path("%s/one", tree);
	char *copied = test_path("%s/copy/one", place->path);
	char value[8] = "";
	struct ovl2_error err = { 0 };
	struct stat st;
	struct plan plan;
	off_t bytes;
	int root;
	int tar;

	assert_sys(mknodat(place->fd, "tree/null", S_IFCHR | 0600, makedev(1, 3)));
	assert_sys(setxattr(one, "trusted.bench", "yes", 3, 0));
	write_file(tree, "sub/.wh.gone", "");
	tar = archive(place, tree, &bytes);
	assert_ok(plan_init(&plan, tar, (size_t)bytes, &err), &err);
	assert_sys(mkdirat(place->fd, "copy", 0700));
	root = openat(place->fd, "copy", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(plan_execute(&plan, root, &err), &err);

	assert_sys(fstatat(root, "null", &st, AT_SYMLINK_NOFOLLOW));
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	assert_sys(fstatat(root, "sub/gone", &st, AT_SYMLINK_NOFOLLOW));
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
	assert_int_equal(getxattr(copied, "trusted.bench", value, sizeof(value)), 3);
	assert_string_equal(value, "yes");
	close(root);
	close(tar);
	plan_release(&plan);
	free(copied);
	free(one);
	free(tree);
}

static void damaged_tar_is_no_plan(void **state)
{
	struct test_place *place = *state;
	char *tree = make_tree(place);
	struct ovl2_error err = { 0 };
	struct plan plan;
	off_t bytes;
	int tar = archive(place, tree, &bytes);

	/* The checksum of the first header. */
	assert_int_equal(pwrite(tar, "damaged!", 8, 148), 8);
	assert_fails(plan_init(&plan, tar, (size_t)bytes, &err), OVL2_E_CORRUPT, &err);
	close(tar);
	free(tree);
}

static void failing_tool_is_quoted(void **state)
{
	const char *const argv[] = { "sh", "-c", "echo the reason >&2; exit 3", NULL };
	const char *const missing[] = { "no-such-tool-anywhere", NULL };
	struct ovl2_error err = { 0 };

	(void)state;

	assert_fails(tool_run(argv, (struct tool_files){ -1, -1 }, &err), OVL2_E_SYSTEM, &err);
	assert_contains(err.message, "status 3: the reason");
	assert_fails(tool_run(missing, (struct tool_files){ -1, -1 }, &err), OVL2_E_UNSUPPORTED,
	             &err);
	assert_contains(err.message, "no-such-tool-anywhere");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_see_every_entry_once),
		cmocka_unit_test(walk_passes_devices_and_pipes),
		cmocka_unit_test(walk_names_what_is_missing),
		cmocka_unit_test(plan_makes_what_the_tar_says),
		cmocka_unit_test(plan_makes_whiteouts_devices_and_attributes),
		cmocka_unit_test(damaged_tar_is_no_plan),
		cmocka_unit_test(failing_tool_is_quoted),
	};

	return test_run("content", tests, ARRAY_SIZE(tests), argc, argv);
}
