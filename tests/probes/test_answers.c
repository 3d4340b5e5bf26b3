// SPDX-License-Identifier: MIT
#include "catalogue.h"

#include "support/tree.h"

#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/*
 * The answers that the filesystems and the kernel at hand do not give: by filesystems that
 * can less, by calls that are refused as another kernel or filesystem would, and by a root
 * directory with other files in it.
 */

/* ------------------------------------------------------------- filesystems -- */

/* No attributes, no whiteouts, no handles: what is left of an overlay on it. */
static void on_ramfs(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "backing_fs", "no", "ramfs" },
		{ "rename_whiteout", "no", "Invalid argument" },
		{ "birth_times", "no", NULL },
		{ "sparse_files", "no", "its data begins at 0" },
		{ "xattr_trusted", "no", "Operation not supported" },
		{ "xattr_user", "no", "Operation not supported" },
		{ "xattr_security", "no", "Operation not supported" },
		{ "xattr_acl", "no", "Operation not supported" },
		{ "xattr_room", "no", "Operation not supported" },
		{ "xattr_symlink", "no", "Operation not supported" },
		{ "file_handles", "no", "Operation not supported" },
		{ "project_ids", "no", NULL },
		{ "space_headroom", "unknown not-applicable", NULL },
		{ "inode_headroom", "unknown not-applicable", NULL },
		{ "redirect_dir", "no", NULL },
		{ "direct_writes", "unknown not-applicable", NULL },
		{ "metacopy", "no", "switched it off" },
		{ "index_hard_links", "no", "switched it off" },
		{ "index_guards_upper", "no", "switched it off" },
		{ "nfs_export", "no", "switched it off" },
		{ "rootless_overlay", "no", "Input/output error" },
		{ "hard_links", "yes", NULL },
		{ "overlay_read_only", "yes", NULL },
		{ .id = NULL },
	};
	const struct test_place *place = *state;

	assert_sys(mount("ramfs", place->path, "ramfs", 0, NULL));
	catalogue_check_only(place->path, NULL, rows);
	assert_sys(umount2(place->path, MNT_DETACH));
}

/* Files there cannot be written: which says nothing about what needs one to be asked. */
static void without_writing(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "writable", "no", "Invalid argument" },
		{ "long_symlinks", "no", "Invalid argument" },
		{ "openat2", "unknown error", "Invalid argument" },
		{ "case_sensitive", "unknown error", "Invalid argument" },
		{ "hard_links", "unknown error", "Invalid argument" },
		{ "file_owners", "unknown error", "Invalid argument" },
		{ "metacopy", "unknown error", "Invalid argument" },
		{ .id = NULL },
	};
	const struct test_place *place = *state;

	if (mount("hugetlbfs", place->path, "hugetlbfs", 0, NULL) < 0)
		test_skip("mount hugetlbfs: %s", strerror(errno));
	catalogue_check_only(place->path, NULL, rows);
	assert_sys(umount2(place->path, MNT_DETACH));
}

/* As in a container in a container: one overlay more than the kernel puts on another. */
static void on_two_overlays(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "overlay_read_only", "no", "Invalid argument" },
		{ "mount_data_page", "no", "Invalid argument" },
		{ "overlay_stacking", "no", NULL },
		{ "mount_absolute", "no", NULL },
		{ "mount_relative", "no", NULL },
		{ "max_depth", "no", NULL },
		{ "file_handles", "no", NULL },
		{ "d_type", "yes", NULL },
		{ .id = NULL },
	};
	static const char *const names[] = { "l", "u", "w", "m", "l2", "u2", "w2", "m2" };
	const struct test_place *place = *state;
	cleanup_free char *first = test_path("lowerdir=%s/l,upperdir=%s/u,workdir=%s/w,xino=off",
	                                     place->path, place->path, place->path);
	cleanup_free char *second = test_path("lowerdir=%s/m:%s/l2,upperdir=%s/u2,workdir=%s/w2",
	                                      place->path, place->path, place->path, place->path);
	cleanup_free char *merged = test_path("%s/m", place->path);
	cleanup_free char *above = test_path("%s/m2", place->path);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *path = test_path("%s/%s", place->path, names[i]);

		assert_sys(mkdir(path, 0755));
	}
	assert_sys(mount("overlay", merged, "overlay", 0, first));
	assert_sys(mount("overlay", above, "overlay", 0, second));
	catalogue_check_only(above, NULL, rows);
	assert_sys(umount2(above, MNT_DETACH));
	assert_sys(umount2(merged, MNT_DETACH));
}

/* ------------------------------------------------------------------- calls -- */

struct refused_row {
	const char *title;

	/* They fail with `error`; 0 at the end. */
	int calls[4];
	int error;

	struct catalogue_row expected[40];
};

static const struct refused_row refused_rows[] = {
	{ "no overlayfs, no EROFS",
	  { SYS_fsopen, 0 },
	  ENODEV,
	  { { "overlay_available", "no", "No such device" },
	    { "erofs_available", "no", "No such device" },
	    { "mount_append", "no", "No such device" },
	    { "mount_fd", "no", "No such device" },
	    { "overlay_basic", "no", "No such device" },
	    { "overlay_read_only", "no", "No such device" },
	    { "whiteout_made", "no", "No such device" },
	    { "whiteout_hides", "no", "No such device" },
	    { "opaque_made", "no", "No such device" },
	    { "xattr_whiteout", "no", "No such device" },
	    { "attributes_copied_up", "no", "No such device" },
	    { "inode_numbers", "no", "No such device" },
	    { "tmpfile_inside", "no", "No such device" },
	    { "copy_inside", "no", "No such device" },
	    { "redirect_off", "no", "No such device" },
	    { "redirect_dir", "no", "No such device" },
	    { "metacopy", "no", "No such device" },
	    { "data_only_lower", "no", "No such device" },
	    { "index_hard_links", "no", "No such device" },
	    { "index_guards_upper", "no", "No such device" },
	    { "nfs_export", "no", "No such device" },
	    { "xino", "no", "No such device" },
	    { "volatile_mount", "no", "No such device" },
	    { "fsync_modes", "no", "No such device" },
	    { "own_uuid", "no", "No such device" },
	    { "overlay_stacking", "no", "No such device" },
	    { "nested_attributes", "no", "No such device" },
	    { "userxattr_mount", "no", "No such device" },
	    { "idmapped_lower", "no", NULL },
	    { "mount_absolute", "yes", NULL },
	    { .id = NULL } } },
	{ "renaming by name only",
	  { SYS_renameat2, 0 },
	  EINVAL,
	  { { "rename_whiteout", "no", "Invalid argument" },
	    { "rename_exchange", "no", "Invalid argument" },
	    { "rename_noreplace", "no", "Invalid argument" },
	    { .id = NULL } } },
	{ "no device nodes",
	  { SYS_mknodat, SYS_mknod, 0 },
	  EPERM,
	  { { "whiteout_device", "no", "Operation not permitted" },
	    { "special_files", "unknown noperm", NULL },
	    { "devices_allowed", "unknown noperm", NULL },
	    { .id = NULL } } },
	{ "no special files",
	  { SYS_mknodat, SYS_mknod, 0 },
	  EOPNOTSUPP,
	  { { "special_files", "no", "Operation not supported" }, { .id = NULL } } },
	{ "no owners",
	  { SYS_fchownat, 0 },
	  EPERM,
	  { { "file_owners", "no", "Operation not permitted" }, { .id = NULL } } },
	{ "no modes",
	  { SYS_fchmodat, SYS_chmod, 0 },
	  EOPNOTSUPP,
	  { { "file_modes", "no", "Operation not supported" }, { .id = NULL } } },
	{ "no hard links",
	  { SYS_linkat, SYS_link, 0 },
	  EPERM,
	  { { "hard_links", "no", "Operation not permitted" }, { .id = NULL } } },
	{ "no flush",
	  { SYS_fsync, 0 },
	  EINVAL,
	  { { "directory_fsync", "no", "Invalid argument" },
	    { "fsync_latency", "no", "Invalid argument" },
	    { .id = NULL } } },
	{ "small files only",
	  { SYS_ftruncate, 0 },
	  EFBIG,
	  { { "large_files", "no", "File too large" }, { .id = NULL } } },
	{ "no copying by the kernel",
	  { SYS_copy_file_range, 0 },
	  EOPNOTSUPP,
	  { { "copy_range", "no", "Operation not supported" }, { .id = NULL } } },
	{ "no locks",
	  { SYS_flock, 0 },
	  ENOSYS,
	  { { "file_locks", "no", "flock of a directory: Function not implemented" },
	    { "writable", "unknown nosupport", "lock a scratch directory" },
	    { "hard_links", "unknown nosupport", "lock a scratch directory" },
	    { "overlay_basic", "unknown nosupport", "lock a scratch directory" },
	    { "d_type", "unknown nosupport", "lock a scratch directory" },
	    { .id = NULL } } },
};

static const struct refused_row *refused;

static void refuse_calls(void)
{
	size_t count = 0;

	while (refused->calls[count])
		count++;
	catalogue_fail_calls(refused->calls, count, refused->error);
}

static void refusal_is_the_answer(void **state)
{
	const struct test_place *place = *state;

	refused = place->row;
	catalogue_check_only(place->path, refuse_calls, refused->expected);
}

/* setarch(8) --uname-2.6 */
static void be_linux_2_6(void)
{
	if (personality(UNAME26) < 0)
		_exit(1);
}

static void old_release_is_refused(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "kernel_version", "no", "Linux 2.6." },
		{ .id = NULL },
	};
	const struct test_place *place = *state;

	catalogue_check_only(place->path, be_linux_2_6, rows);
}

/* -------------------------------------------------------------------- files -- */

struct root_row {
	const char *title;

	/* All with this text; "%s" stands for the kernel's release. */
	const char *paths[2];
	const char *text;

	struct catalogue_row expected[16];
};

static const struct root_row root_rows[] = {
	{ "nothing",
	  { NULL },
	  NULL,
	  { { "kernel_modules", "unknown not-applicable", NULL },
	    { "kernel_log", "no", "cannot be read" },
	    { "mkfs_xfs", "no", "no mkfs.xfs in PATH" },
	    { "mkfs_ext4", "no", "no mkfs.ext4 in PATH" },
	    { "mkfs_erofs", "no", "no mkfs.erofs in PATH" },
	    { "fuse_overlayfs", "no", "no fuse-overlayfs in PATH" },
	    { "fuse_device", "no", NULL },
	    { "loop_devices", "no", NULL },
	    { "newuidmap", "no", "no newuidmap in PATH" },
	    { "not_locked_down", "unknown nosupport", "securityfs" },
	    { "userns_not_confined", "yes", "there is no" },
	    { "userns_not_forbidden", "yes", "there is no" },
	    { .id = NULL } } },
	{ "a kernel whose modules are gone",
	  { "proc/modules" },
	  "",
	  { { "kernel_modules", "no", "nothing can be loaded" }, { .id = NULL } } },
	{ "a kernel with its modules",
	  { "proc/modules", "lib/modules/%s/modules.dep" },
	  "",
	  { { "kernel_modules", "yes", "modules.dep" }, { .id = NULL } } },
	{ "AppArmor that confines",
	  { "proc/sys/kernel/apparmor_restrict_unprivileged_userns" },
	  "1\n",
	  { { "userns_not_confined", "no", "1" }, { .id = NULL } } },
	{ "a kernel that is locked down",
	  { "sys/kernel/security/lsm", "sys/kernel/security/lockdown" },
	  "none [integrity] confidentiality\n",
	  { { "not_locked_down", "no", "[integrity]" }, { .id = NULL } } },
	{ "a kernel that is not",
	  { "sys/kernel/security/lockdown" },
	  "[none] integrity confidentiality\n",
	  { { "not_locked_down", "yes", "[none]" }, { .id = NULL } } },
	{ "Debian's switch, off",
	  { "proc/sys/kernel/unprivileged_userns_clone" },
	  "0\n",
	  { { "userns_not_forbidden", "no", "0" }, { .id = NULL } } },
	{ "a user with ids",
	  { "etc/subuid", "etc/subgid" },
	  "somebody:100000:65536\n",
	  { { "subordinate_ids", "yes", "somebody" }, { .id = NULL } } },
};

static const char *other_root;

static void change_root(void)
{
	if (chroot(other_root) < 0 || chdir("/") < 0)
		_exit(1);
}

static void make_file(const struct test_place *place, const char *format, const char *text)
{
	const char *const release = strstr(format, "%s");
	cleanup_free char *path = NULL;
	struct utsname name;

	assert_sys(uname(&name));
	path = release ? test_path("%s/%.*s%s%s", place->path, (int)(release - format), format,
	                           name.release, release + 2)
	               : test_path("%s/%s", place->path, format);
	for (char *slash = path + strlen(place->path) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(path, 0755) < 0)
			assert_int_equal(errno, EEXIST);
		*slash = '/';
	}
	test_file_write(path, text);
}

static void files_of_the_host_decide(void **state)
{
	const struct test_place *place = *state;
	const struct root_row *row = place->row;

	other_root = place->path;
	for (size_t i = 0; i < ARRAY_SIZE(row->paths); i++)
		if (row->paths[i])
			make_file(place, row->paths[i], row->text);
	catalogue_check_only(place->path, change_root, row->expected);
}

#define OWN_COUNT 4

int main(int argc, char **argv)
{
	struct CMUnitTest tests[OWN_COUNT + ARRAY_SIZE(refused_rows) + ARRAY_SIZE(root_rows)] = {
		cmocka_unit_test(on_ramfs),
		cmocka_unit_test(without_writing),
		cmocka_unit_test(on_two_overlays),
		cmocka_unit_test(old_release_is_refused),
	};
	size_t count = OWN_COUNT;

	for (size_t i = 0; i < ARRAY_SIZE(refused_rows); i++)
		tests[count++] =
			test_case(refused_rows[i].title, refusal_is_the_answer, &refused_rows[i]);
	for (size_t i = 0; i < ARRAY_SIZE(root_rows); i++)
		tests[count++] =
			test_case(root_rows[i].title, files_of_the_host_decide, &root_rows[i]);

	test_enter_namespace();

	return test_run("answers", tests, count, argc, argv);
}
