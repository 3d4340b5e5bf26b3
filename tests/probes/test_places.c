// SPDX-License-Identifier: MIT
#include "catalogue.h"

#include "support/filesystem.h"

#include "dir.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

/*
 * Places that are not good for layers: filesystems that were made otherwise, mounted
 * otherwise, are full, or are not on a disk at all.
 */

/* --------------------------------------------------------- made otherwise -- */

static void mount_place(const struct test_place *place, const struct test_filesystem *filesystem)
{
	struct ovl2_error err = { 0 };
	int r = test_filesystem_mount(filesystem, place->path, &err);

	if (r == OVL2_E_UNSUPPORTED && !getenv("OVL2_TEST_LAB"))
		test_skip("%s", err.message);
	assert_ok(r, &err);
}

static void check_made(const struct test_place *place, const char *const *mkfs,
                       const struct catalogue_row *rows)
{
	const struct test_filesystem ext4 = { .type = "ext4", .bytes = 64 << 20, .mkfs = mkfs };

	mount_place(place, &ext4);
	catalogue_check_only(place->path, NULL, rows);
}

static void no_types(void **state)
{
	static const char *const mkfs[] = { "-O", "^filetype", NULL };
	static const struct catalogue_row rows[] = {
		{ "d_type", "no", "DT_UNKNOWN" },
		{ "whiteout_made", "no", "the deleted file is listed" },
		{ "overlay_basic", "no", "Directory not empty" },
		{ "whiteout_device", "yes", NULL },
		{ .id = NULL },
	};

	check_made(*state, mkfs, rows);
}

static void small_blocks(void **state)
{
	static const char *const mkfs[] = { "-b", "1024", NULL };
	static const struct catalogue_row rows[] = {
		{ "xattr_room", "no", "less than 2000" },
		{ "long_symlinks", "no", "File name too long" },
		{ "d_type", "yes", NULL },
		{ .id = NULL },
	};

	check_made(*state, mkfs, rows);
}

static void small_inodes(void **state)
{
	static const char *const mkfs[] = { "-I", "128", NULL };
	static const struct catalogue_row rows[] = {
		{ "nanosecond_times", "no", "became 1000000000.000000000" },
		{ "late_times", "no", "became" },
		{ "birth_times", "no", "no time of birth" },
		{ .id = NULL },
	};

	check_made(*state, mkfs, rows);
}

static void no_uuid(void **state)
{
	static const char *const mkfs[] = { "-U", "00000000-0000-0000-0000-000000000000", NULL };
	static const struct catalogue_row rows[] = {
		{ "fs_uuid", "no", "zero" },
		{ "casefold_off", "yes", NULL },
		{ .id = NULL },
	};

	check_made(*state, mkfs, rows);
}

static int has_uuid_call(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char uuid[17];

	return ioctl(fd, _IOR(0x15, 0, uuid), uuid) == 0;
}

/* As when a disk was cloned: both are mounted. Before Linux 6.9 nobody can tell. */
static void same_uuid_twice(void **state)
{
	static const char *const mkfs[] = { "-U", "6b24b2a0-8f4b-4c46-9d2a-0f6f5e1c7a11", NULL };
	static const struct catalogue_row alone[] = {
		{ "uuid_unique", "yes", NULL },
		{ .id = NULL },
	};
	static const struct catalogue_row twice[] = {
		{ "uuid_unique", "no", "has the same UUID" },
		{ .id = NULL },
	};
	const struct test_filesystem ext4 = { .type = "ext4", .bytes = 16 << 20, .mkfs = mkfs };
	const struct test_place *place = *state;
	cleanup_free char *path = NULL;

	mount_place(place, &ext4);
	if (!has_uuid_call(place->path))
		test_skip("this kernel has no FS_IOC_GETFSUUID");
	path = test_path("%s/twin", place->path);
	assert_sys(mkdir(path, 0755));
	catalogue_check_only(place->path, NULL, alone);
	assert_int_equal(test_filesystem_mount(&ext4, path, NULL), 0);
	catalogue_check_only(path, NULL, twice);
	assert_sys(umount2(path, 0));
}

/* What the kernel's ext4 was built with; those of the lab have everything. */
static void require_feature(const char *path)
{
	if (access(path, F_OK) < 0 && !getenv("OVL2_TEST_LAB"))
		test_skip("this kernel has no %s", path);
}

static void folded_case(void **state)
{
	static const char *const mkfs[] = { "-O", "casefold", "-E", "encoding=utf8", NULL };
	static const struct catalogue_row rows[] = {
		{ "case_sensitive", "no", "the same file" },
		{ "casefold_off", "no", "made a directory fold case" },
		{ "d_type", "yes", NULL },
		{ .id = NULL },
	};
	const struct test_filesystem ext4 = { .type = "ext4", .bytes = 64 << 20, .mkfs = mkfs };
	const struct test_place *place = *state;
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;
	int flags = FS_CASEFOLD_FL;

	require_feature("/sys/fs/ext4/features/casefold");
	mount_place(place, &ext4);
	path = test_path("%s/folded", place->path);
	assert_sys(mkdir(path, 0755));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_sys(fd);
	assert_sys(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	catalogue_check_only(path, NULL, rows);
}

static void verity(void **state)
{
	static const char *const mkfs[] = { "-O", "verity", "-b", "4096", NULL };
	static const struct catalogue_row rows[] = {
		{ "fs_verity", "yes", "measured and could not be written any more" },
		{ .id = NULL },
	};

	require_feature("/sys/fs/ext4/features/verity");
	check_made(*state, mkfs, rows);
}

/* XFS keeps them even where the kernel has no quotas. */
static void projects(void **state)
{
	static const struct test_filesystem xfs = { .type = "xfs" };
	static const struct catalogue_row rows[] = {
		{ "project_ids", "yes", "handed it down" },
		{ "reflink", "yes", NULL },
		{ .id = NULL },
	};
	const struct test_place *place = *state;

	mount_place(place, &xfs);
	catalogue_check_only(place->path, NULL, rows);
}

/* No inode is left for any file: that says nothing about what the filesystem can. */
static void no_inodes(void **state)
{
	static const char *const mkfs[] = { "-N", "16", NULL };
	static const struct catalogue_row rows[] = {
		{ "inode_headroom", "no", "0 inodes are free" },
		{ "writable", "unknown nospace", "No space left on device" },
		{ "d_type", "unknown nospace", NULL },
		{ "backing_fs", "unknown nospace", NULL },
		{ "whiteout_device", "unknown nospace", NULL },
		{ "rename_whiteout", "unknown nospace", NULL },
		{ "xattr_room", "unknown nospace", NULL },
		{ "opaque_copy_up", "unknown nospace", NULL },
		{ .id = NULL },
	};
	const struct test_filesystem ext4 = { .type = "ext4", .bytes = 8 << 20, .mkfs = mkfs };
	struct test_place *place = *state;

	mount_place(place, &ext4);
	for (int i = 0; i < 64; i++) {
		cleanup_free char *path = test_path("%s/%d", place->path, i);

		if (mkdir(path, 0755) < 0)
			break;
	}
	catalogue_check_only(place->path, NULL, rows);
}

static void no_space(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "space_headroom", "no", "0 MiB are free" },
		{ "writable", "unknown nospace", NULL },
		{ "fsync_latency", "unknown nospace", NULL },
		{ "copy_range", "unknown nospace", NULL },
		{ "d_type", "unknown nospace", NULL },
		{ .id = NULL },
	};
	const struct test_filesystem tmpfs = { .type = "tmpfs", .bytes = 1 << 20 };
	struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/fill", place->path);
	cleanup_fd int fd = -1;
	char block[4096] = { 0 };

	mount_place(place, &tmpfs);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		continue;
	catalogue_check_only(place->path, NULL, rows);
}

/* ------------------------------------------------------ mounted otherwise -- */

static void check_mounted(const struct test_place *place, unsigned long flags,
                          const struct catalogue_row *rows)
{
	assert_sys(mount(place->path, place->path, NULL, MS_BIND, NULL));
	assert_sys(mount(NULL, place->path, NULL, MS_REMOUNT | MS_BIND | flags, NULL));
	catalogue_check_only(place->path, NULL, rows);
}

static void read_only(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "writable", "no", "Read-only file system" },
		{ "d_type", "unknown error", "Read-only file system" },
		{ "backing_fs", "unknown error", "Read-only file system" },
		{ "xattr_trusted", "unknown error", "Read-only file system" },
		{ "mount_fd", "unknown error", "Read-only file system" },
		{ "space_headroom", "yes", NULL },
		{ .id = NULL },
	};

	check_mounted(*state, MS_RDONLY, rows);
}

/* None of it says anything about the layers. */
static void restricted(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "exec_allowed", "no", "Operation not permitted" },
		{ "devices_allowed", "no", "Permission denied" },
		{ "setuid_allowed", "no", "with nosuid" },
		{ "async_writes", "yes", NULL },
		{ "backing_fs", "yes", NULL },
		{ "whiteout_device", "yes", NULL },
		{ .id = NULL },
	};

	check_mounted(*state, MS_NOEXEC | MS_NODEV | MS_NOSUID, rows);
}

static void synchronous(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "async_writes", "no", "with sync" },
		{ .id = NULL },
	};
	const struct test_filesystem ext4 = { .type = "ext4", .bytes = 16 << 20 };
	struct test_place *place = *state;

	mount_place(place, &ext4);
	assert_sys(mount(NULL, place->path, NULL, MS_REMOUNT | MS_SYNCHRONOUS, NULL));
	catalogue_check_only(place->path, NULL, rows);
}

/* ------------------------------------------------- what lies in the place -- */

static void mount_below(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "single_mount", "no", "'overlay2' in it" },
		{ .id = NULL },
	};
	struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/overlay2", place->path);

	assert_sys(mkdir(path, 0755));
	assert_sys(mount("tmpfs", path, "tmpfs", 0, NULL));
	catalogue_check_only(place->path, NULL, rows);
}

static void leftovers(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "no_leftovers", "no", "'check-overlayfs-support123'" },
		{ .id = NULL },
	};
	struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/check-overlayfs-support123", place->path);

	assert_sys(mkdir(path, 0755));
	catalogue_check_only(place->path, NULL, rows);
}

/* An overlay is mounted on `place`/merged. */
static char *mount_overlay(const struct test_place *place)
{
	static const char *const names[] = { "lower", "upper", "work", "merged" };
	cleanup_free char *options =
		test_path("lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", place->path,
	                  place->path, place->path);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *path = test_path("%s/%s", place->path, names[i]);

		assert_sys(mkdir(path, 0755));
	}

	return steal_ptr(&options);
}

static void in_use(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "not_in_use", "no", "1 overlays are mounted" },
		{ .id = NULL },
	};
	struct test_place *place = *state;
	cleanup_free char *options = mount_overlay(place);
	cleanup_free char *merged = test_path("%s/merged", place->path);

	assert_sys(mount("overlay", merged, "overlay", 0, options));
	catalogue_check_only(place->path, NULL, rows);
}

/* -------------------------------------------------------- on other things -- */

/* As in a container that has no volume there. */
static void on_an_overlay(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "backing_fs", "no", "overlayfs" },
		{ "whiteout_device", "no", "Operation not permitted" },
		{ "rename_whiteout", "no", "Invalid argument" },
		{ "d_type", "yes", NULL },
		{ "hard_links", "yes", NULL },
		{ "mount_fd", "no", NULL },
		{ "overlay_basic", "no", "not supported as upperdir" },
		{ "overlay_read_only", "yes", NULL },
		{ .id = NULL },
	};
	struct test_place *place = *state;
	cleanup_free char *options = mount_overlay(place);
	cleanup_free char *merged = test_path("%s/merged", place->path);

	assert_sys(mount("overlay", merged, "overlay", 0, options));
	catalogue_check_only(merged, NULL, rows);
}

static void on_fuse(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "backing_fs", "no", "fuse" },
		{ "rename_whiteout", "no", NULL },
		{ "tmpfile", "no", NULL },
		{ "birth_times", "no", NULL },
		{ "d_type", "yes", NULL },
		{ "metacopy", "no", NULL },
		{ "idmapped_lower", "no", "MOUNT_ATTR_IDMAP" },
		{ .id = NULL },
	};
	struct test_place *place = *state;
	cleanup_free char *options = mount_overlay(place);
	cleanup_free char *merged = test_path("%s/merged", place->path);
	const char *argv[] = { "fuse-overlayfs", "-o", options, merged, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	if (output.status == 127)
		test_skip("fuse-overlayfs is not installed");
	assert_int_equal(output.status, 0);
	catalogue_check_only(merged, NULL, rows);
	assert_sys(umount2(merged, 0));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folded_case),   cmocka_unit_test(same_uuid_twice),
		cmocka_unit_test(verity),        cmocka_unit_test(no_types),
		cmocka_unit_test(small_blocks),  cmocka_unit_test(small_inodes),
		cmocka_unit_test(no_uuid),       cmocka_unit_test(projects),
		cmocka_unit_test(no_inodes),     cmocka_unit_test(no_space),
		cmocka_unit_test(read_only),     cmocka_unit_test(restricted),
		cmocka_unit_test(synchronous),   cmocka_unit_test(mount_below),
		cmocka_unit_test(leftovers),     cmocka_unit_test(in_use),
		cmocka_unit_test(on_an_overlay), cmocka_unit_test(on_fuse),
	};

	test_enter_namespace();

	return test_run("places", tests, ARRAY_SIZE(tests), argc, argv);
}
