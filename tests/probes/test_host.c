// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "leftovers.h"

#include "dir.h"
#include "host.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

/*
 * What the questions answer on filesystems that carry layers well, on each of
 * them, and that nothing is left behind.
 */

static struct test_resources before;

static void start(void)
{
	before = test_resources_count();
}

/* Asserts the answer, with evidence, and that the place is as it was. */
static void finish(const struct test_place *place, int answer, int expected,
                   const struct ovl2_evidence *evidence, const struct ovl2_error *err)
{
	assert_ok(answer, err);
	print_message("%s\n", evidence->text);
	assert_int_equal(answer, expected);
	assert_string_not_equal(evidence->text, "");
	assert_null(strchr(evidence->text, '\n'));
	assert_int_equal(ovi_dir_is_empty(place->fd, "place", NULL), 1);
	assert_nothing_left(before);
}

/* Asked without the driver: does "lowerdir+" exist, and take what we have? */
static int kernel_knows(const struct test_place *place, enum ovl2_mount_method method)
{
	cleanup_fd int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	cleanup_fd int path = open(place->path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	/* Before 6.5 options are only collected, whatever they are. */
	if (fsconfig(fs, FSCONFIG_SET_STRING, "no such option", "", 0) == 0)
		return method != OVL2_MOUNT_APPEND && method != OVL2_MOUNT_FD;
	if (method == OVL2_MOUNT_APPEND)
		return fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", place->path, 0) == 0;
	if (method == OVL2_MOUNT_FD)
		return fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, path) == 0;

	return 1;
}

static void every_type_is_told(void **state)
{
	struct test_place *place = *state;
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };

	start();
	finish(place, ovl2_probe_d_type(place->fd, &evidence, &err), 1, &evidence, &err);
}

static void filesystem_is_taken_as_upper(void **state)
{
	static const struct {
		const char *type;
		uint64_t magic;
	} magics[] = {
		{ "ext4", EXT4_SUPER_MAGIC },
		{ "xfs", XFS_SUPER_MAGIC },
		{ "btrfs", BTRFS_SUPER_MAGIC },
		{ "tmpfs", TMPFS_MAGIC },
	};
	struct test_place *place = *state;
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };

	start();
	finish(place, ovl2_probe_backing_fs(place->fd, &evidence, &err), 1, &evidence, &err);
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (strcmp(magics[i].type, place->filesystem) == 0)
			assert_int_equal(evidence.value, magics[i].magic);
}

static void opaque_mark_is_not_copied_up(void **state)
{
	struct test_place *place = *state;
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };

	start();
	finish(place, ovl2_probe_opaque_copy_up(place->fd, &evidence, &err), 0, &evidence, &err);
}

/* The other answer, for real: see ovi_opaque_copy_up(). */
static void copied_opaque_mark_is_seen(void **state)
{
	struct test_place *place = *state;
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };

	start();
	finish(place,
	       ovi_opaque_copy_up(place->fd, "trusted.overlay.opaque", "userxattr", &evidence,
	                          &err),
	       1, &evidence, &err);
	assert_contains(evidence.text, "trusted.overlay.opaque=y");
}

static void method_mounts(void **state)
{
	struct test_place *place = *state;
	enum ovl2_mount_method method = *(enum ovl2_mount_method *)place->row;
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };

	start();
	finish(place, ovl2_probe_mount_method(place->fd, method, &evidence, &err),
	       kernel_knows(place, method), &evidence, &err);
}

/* Mount data separates by these characters; each method has its own way round. */
static void method_mounts_below_any_name(void **state)
{
	static const char *const names[] = { "a:b",        "a,b", "a\\b", "a\"b'c",
		                             "lowerdir=x", "a b", "a\\" };
	struct test_place *place = *state;
	enum ovl2_mount_method method = *(enum ovl2_mount_method *)place->row;
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };

	if (!kernel_knows(place, method))
		test_skip("this kernel has no such method");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_fd int fd = -1;
		int r;

		assert_sys(mkdirat(place->fd, names[i], 0755));
		fd = openat(place->fd, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = ovl2_probe_mount_method(fd, method, &evidence, &err);
		if (r != 1)
			fail_msg("below '%s': %s", names[i], r < 0 ? err.message : evidence.text);
		assert_sys(unlinkat(place->fd, names[i], AT_REMOVEDIR));
	}
}

static void auto_is_not_a_question(void **state)
{
	struct test_place *place = *state;
	struct ovl2_error err = { 0 };

	assert_fails(ovl2_probe_mount_method(place->fd, OVL2_MOUNT_AUTO, NULL, &err),
	             OVL2_E_INVALID, &err);
	assert_fails(ovl2_probe_mount_method(place->fd, 99, NULL, &err), OVL2_E_INVALID, &err);
}

static void as_many_lowers_as_the_kernel_takes_mount(void **state)
{
	struct test_place *place = *state;
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };

	start();
	finish(place, ovl2_probe_max_depth(place->fd, &evidence, &err), 1, &evidence, &err);
	if (kernel_knows(place, OVL2_MOUNT_APPEND)) {
		assert_int_equal(evidence.value, 500);
		assert_contains(evidence.text, "501 are refused");
		assert_contains(evidence.text, "135 by mount(2)");
	} else {
		assert_int_equal(evidence.value, 135);
		assert_contains(evidence.text, "135 lowers by mount(2)");
	}
}

static void unquoted_filesystem_has_no_quota(void **state)
{
	struct test_place *place = *state;
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };

	start();
	finish(place, ovl2_probe_project_quota(place->fd, &evidence, &err), 0, &evidence, &err);
	assert_contains(evidence.text, "no project quotas here");
}

static void answers_may_be_ignored(void **state)
{
	struct test_place *place = *state;

	start();
	assert_int_equal(ovl2_probe_kernel_version(NULL, NULL), 1);
	assert_int_equal(ovl2_probe_backing_fs(place->fd, NULL, NULL), 1);
	assert_int_equal(ovl2_probe_d_type(place->fd, NULL, NULL), 1);
	assert_int_equal(ovl2_probe_opaque_copy_up(place->fd, NULL, NULL), 0);
	assert_int_equal(ovl2_probe_project_quota(place->fd, NULL, NULL), 0);
	assert_int_equal(ovl2_probe_max_depth(place->fd, NULL, NULL), 1);
	assert_true(ovl2_probe_d_type(-1, NULL, NULL) < 0);
	assert_int_equal(ovi_dir_is_empty(place->fd, "place", NULL), 1);
	assert_nothing_left(before);
}

int main(int argc, char **argv)
{
	static const enum ovl2_mount_method absolute = OVL2_MOUNT_ABSOLUTE;
	static const enum ovl2_mount_method relative = OVL2_MOUNT_RELATIVE;
	static const enum ovl2_mount_method append = OVL2_MOUNT_APPEND;
	static const enum ovl2_mount_method fd = OVL2_MOUNT_FD;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_told),
		cmocka_unit_test(filesystem_is_taken_as_upper),
		cmocka_unit_test(opaque_mark_is_not_copied_up),
		cmocka_unit_test(copied_opaque_mark_is_seen),
		test_case("absolute paths mount", method_mounts, &absolute),
		test_case("relative paths mount", method_mounts, &relative),
		test_case("appended strings mount", method_mounts, &append),
		test_case("descriptors mount", method_mounts, &fd),
		test_case("absolute paths mount below any name", method_mounts_below_any_name,
		          &absolute),
		test_case("relative paths mount below any name", method_mounts_below_any_name,
		          &relative),
		test_case("appended strings mount below any name", method_mounts_below_any_name,
		          &append),
		test_case("descriptors mount below any name", method_mounts_below_any_name, &fd),
		cmocka_unit_test(auto_is_not_a_question),
		cmocka_unit_test(as_many_lowers_as_the_kernel_takes_mount),
		cmocka_unit_test(unquoted_filesystem_has_no_quota),
		cmocka_unit_test(answers_may_be_ignored),
	};

	test_enter_namespace();

	return test_run_everywhere("host", tests, ARRAY_SIZE(tests), argc, argv);
}
