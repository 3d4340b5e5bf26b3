// SPDX-License-Identifier: MIT
#include "catalogue.h"

#include "support/filesystem.h"

#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/*
 * Kernels that are not ours: older ones by calls that are not there, filtered ones by
 * calls that are forbidden, and hosts with other limits by other files in /proc.
 */

/* ------------------------------------------------------------------ calls -- */

static const int newer_calls[] = {
	SYS_fsopen,        SYS_fsconfig, SYS_fsmount, SYS_open_tree,   SYS_move_mount,
	SYS_mount_setattr, SYS_openat2,  457,         SYS_quotactl_fd,
};

static void be_linux_5_1(void)
{
	catalogue_fail_calls(newer_calls, ARRAY_SIZE(newer_calls), ENOSYS);
}

/* As Docker's default profile does to containers without CAP_SYS_ADMIN. */
static void be_filtered(void)
{
	static const int calls[] = {
		SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_open_tree,     SYS_move_mount,
		SYS_mount,  SYS_umount2,  SYS_unshare, SYS_mount_setattr,
	};

	catalogue_fail_calls(calls, ARRAY_SIZE(calls), EPERM);
}

static void older_kernel_lacks_calls(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "overlay_available", "yes", "mount(2) knows" },
		{ "erofs_available", "yes", "mount(2) knows" },
		{ "mount_api", "no", "Function not implemented" },
		{ "mount_setattr", "no", "Function not implemented" },
		{ "mount_messages", "no", "Function not implemented" },
		{ "openat2", "no", "Function not implemented" },
		{ "statmount", "no", NULL },
		{ "quota_by_descriptor", "no", "Function not implemented" },
		{ "backing_fs", "yes", NULL },
		{ "mount_fd", "no", NULL },
		{ "mount_append", "no", NULL },
		{ "mount_absolute", "yes", NULL },
		{ "overlay_basic", "yes", NULL },
		{ "redirect_dir", "yes", NULL },
		{ "idmapped_lower", "no", "Function not implemented" },
		{ "index_guards_upper", "unknown nosupport", "no detached mounts" },
		{ .id = NULL },
	};
	struct test_place *place = *state;

	catalogue_check_only(place->path, be_linux_5_1, rows);
}

static void filtered_kernel_cannot_be_asked(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "overlay_available", "unknown noperm", "Operation not permitted" },
		{ "mount_api", "unknown noperm", "Operation not permitted" },
		{ "mount_setattr", "unknown noperm", "Operation not permitted" },
		{ "mount_messages", "unknown noperm", "Operation not permitted" },
		{ "user_namespaces", "no", "Operation not permitted" },
		{ "remove_mounted", "unknown noperm", "Operation not permitted" },
		{ "backing_fs", "unknown noperm", NULL },
		{ "mount_absolute", "unknown noperm", NULL },
		{ "d_type", "yes", NULL },
		{ "overlay_basic", "unknown noperm", "Operation not permitted" },
		{ "mount_data_page", "unknown noperm", NULL },
		{ "no_call_filter", "no", "Seccomp: 2" },
		{ "unprivileged_namespaces", "no", "Operation not permitted" },
		{ .id = NULL },
	};
	struct test_place *place = *state;

	catalogue_check_only(place->path, be_filtered, rows);
}

/* ------------------------------------------------------------------- bugs -- */

/* ext4 of Linux 6.1.64: direct writes do not move the file's position. */
static ssize_t write_and_stay(int fd, const void *buffer, size_t size)
{
	if (!(fcntl(fd, F_GETFL) & O_DIRECT))
		return write(fd, buffer, size);

	return pwrite(fd, buffer, size, lseek(fd, 0, SEEK_CUR));
}

/* Overlayfs of Linux 5.2: no second mount of an upper. */
static int refuse_second(const char *source, const char *target, const char *type,
                         unsigned long flags, const void *data)
{
	if (strcmp(target, "again") != 0)
		return mount(source, target, type, flags, data);
	errno = EBUSY;

	return -1;
}

static void have_bugs(void)
{
	ovi_sys.write = write_and_stay;
	ovi_sys.mount = refuse_second;
}

static void known_bugs_are_found(void **state)
{
	static const struct catalogue_row mended[] = {
		{ "direct_writes", "yes", NULL },
		{ "leaked_mount", "yes", NULL },
		{ .id = NULL },
	};
	static const struct catalogue_row bad[] = {
		{ "direct_writes", "no", "not where they belong" },
		{ "leaked_mount", "no", "Device or resource busy" },
		{ .id = NULL },
	};
	const struct test_filesystem ext4 = { .type = "ext4", .bytes = 16 << 20 };
	struct test_place *place = *state;
	struct ovl2_error err = { 0 };
	int r = test_filesystem_mount(&ext4, place->path, &err);

	if (r == OVL2_E_UNSUPPORTED)
		test_skip("%s", err.message);
	assert_ok(r, &err);
	catalogue_check_only(place->path, NULL, mended);
	catalogue_check_only(place->path, have_bugs, bad);
}

/* ----------------------------------------------------------------- limits -- */

/* `path` reads as `text` until the test ends. */
static void replace_file(const struct test_place *place, const char *path, const char *text)
{
	cleanup_free char *fake = test_path("%s/fake", place->path);
	FILE *file = fopen(fake, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	if (mount(fake, path, NULL, MS_BIND, NULL) < 0)
		test_skip("mount on '%s': %s", path, strerror(errno));
	assert_sys(unlink(fake));
}

struct figure_row {
	const char *path;
	const char *text;
	struct catalogue_row expected[2];
};

static void figure_decides(void **state)
{
	struct test_place *place = *state;
	const struct figure_row *row = place->row;

	replace_file(place, row->path, row->text);
	catalogue_check_only(place->path, NULL, row->expected);
	assert_sys(umount2(row->path, MNT_DETACH));
}

/* ---------------------------------------------------------------- modules -- */

/* As if overlayfs were a module, and `line` stood in modprobe.d. */
static void check_ban(const struct test_place *place, const char *line,
                      const struct catalogue_row *rows)
{
	cleanup_free char *conf = test_path("/run/modprobe.d/ovl2-test.conf");
	FILE *file;

	assert_sys(mount("tmpfs", "/sys/module/overlay", "tmpfs", 0, NULL));
	assert_sys(mkdir("/sys/module/overlay/initstate", 0755));
	assert_sys(mount("tmpfs", "/run", "tmpfs", 0, NULL));
	assert_sys(mkdir("/run/modprobe.d", 0755));
	file = fopen(conf, "we");
	assert_non_null(file);
	assert_true(fputs(line, file) >= 0);
	assert_int_equal(fclose(file), 0);

	catalogue_check_only(place->path, NULL, rows);
	assert_sys(umount2("/run", MNT_DETACH));
	assert_sys(umount2("/sys/module/overlay", MNT_DETACH));
}

static void ban_is_found(void **state)
{
	static const struct catalogue_row banned[] = {
		{ "overlay_at_boot", "no", "/run/modprobe.d/ovl2-test.conf: " },
		{ .id = NULL },
	};
	static const struct catalogue_row free[] = {
		{ "overlay_at_boot", "yes", "no line of modprobe.d" },
		{ .id = NULL },
	};
	struct test_place *place = *state;

	check_ban(place, "# nothing\ninstall overlay /bin/false\n", banned);
	check_ban(place, "install overlayfs /usr/bin/true # CIS 1.1.1\n", banned);
	check_ban(place, "blacklist\toverlay\n", banned);
	check_ban(place, "#blacklist overlay\ninstall overlay /sbin/modprobe -i overlay\n", free);
	check_ban(place, "blacklist overlay2\noptions overlay index=off\n", free);
}

/* ------------------------------------------------------------------- rights -- */

/* Root of a user namespace in which it is nobody outside: what a container is in. */
static void be_in_user_namespace(void)
{
	cleanup_free char *map = test_path("0 %u 1", geteuid());
	const char *const files[][2] = { { "/proc/self/setgroups", "deny" },
		                         { "/proc/self/gid_map", map },
		                         { "/proc/self/uid_map", map } };

	/* Else /proc/self is root's after a change of users. */
	prctl(PR_SET_DUMPABLE, 1);
	if (unshare(CLONE_NEWUSER) < 0)
		_exit(1);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		FILE *file = fopen(files[i][0], "we");

		if (!file || fputs(files[i][1], file) < 0 || fclose(file) != 0)
			_exit(1);
	}
}

static void mapped_root_is_told_from_the_hosts(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "initial_namespace", "no", "user namespace" },
		{ "privileged", "no", "lacks CAP_SYS_ADMIN" },
		{ "xattr_trusted", "unknown noperm", "Operation not permitted" },
		{ "whiteout_device", "yes", NULL },
		{ "d_type", "yes", NULL },
		{ .id = NULL },
	};
	struct test_place *place = *state;

	catalogue_check_only(place->path, be_in_user_namespace, rows);
}

/* What a namespace changes for whoever works in it is an answer: the rest is the host's. */
static const char *const in_namespace[] = {
	"privileged",       "initial_namespace",  "kernel_log",
	"index_hard_links", "index_guards_upper", "nfs_export",
	"own_uuid",         "fsync_latency",      NULL,
};

static void mapped_root_says_nothing_wrong_of_the_host(void **state)
{
	const struct test_place *place = *state;

	catalogue_check_rights(place->path, be_in_user_namespace, in_namespace);
}

/* A user without any right: what asks for rights could not be told, never a no. */
static void be_nobody(void)
{
	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		_exit(1);
}

static void nobody_could_not_tell(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "privileged", "no", "lacks" },
		{ "backing_fs", "unknown noperm", NULL },
		{ "d_type", "unknown noperm", "Permission denied" },
		{ "opaque_copy_up", "unknown noperm", NULL },
		{ "max_depth", "unknown noperm", NULL },
		{ "overlay_basic", "unknown noperm", NULL },
		{ "metacopy", "unknown noperm", NULL },
		{ "rename_whiteout", "unknown noperm", NULL },
		{ "mount_fd", "unknown noperm", NULL },
		{ .id = NULL },
	};
	struct test_place *place = *state;

	catalogue_check_only(place->path, be_nobody, rows);
}

static void nobody_says_nothing_wrong_of_the_host(void **state)
{
	static const char *const own[] = { "privileged", "kernel_log", "fsync_latency", NULL };
	const struct test_place *place = *state;
	cleanup_free char *area = test_path("%s/..", place->path);

	assert_sys(chmod(area, 0755));
	assert_sys(chmod(place->path, 0777));
	catalogue_check_rights(place->path, be_nobody, own);
}

static void become_mapped_root(void)
{
	be_nobody();
	be_in_user_namespace();
}

static void mapped_nobody_says_nothing_wrong_of_the_host(void **state)
{
	const struct test_place *place = *state;

	assert_sys(chmod(place->path, 0777));
	catalogue_check_rights(place->path, become_mapped_root, in_namespace);
}

int main(int argc, char **argv)
{
	static const struct figure_row figures[] = {
		{ "/proc/sys/user/max_mnt_namespaces",
		  "0\n",
		  { { "namespace_limits", "no", "0 is less than 1024" } } },
		{ "/proc/sys/user/max_user_namespaces",
		  "5000\n",
		  { { "namespace_limits", "yes", "max_user_namespaces 5000" } } },
		{ "/proc/sys/fs/mount-max",
		  "8\n",
		  { { "mount_headroom", "no", "of 8 mounts are in use" } } },
		{ "/proc/sys/fs/inotify/max_user_instances",
		  "1024\n",
		  { { "inotify_limits", "yes", NULL } } },
		{ "/proc/sys/fs/inotify/max_user_watches",
		  "8192\n",
		  { { "inotify_limits", "no", NULL } } },
		{ "/proc/sys/kernel/keys/root_maxkeys",
		  "200\n",
		  { { "key_limits", "no", "200 is less" } } },
		{ "/proc/sys/kernel/pid_max",
		  "4096\n",
		  { { "process_limits", "no", "4096 is less" } } },
		{ "/proc/sys/fs/file-nr",
		  "900\t0\t1000\n",
		  { { "file_headroom", "no", "100 are left" } } },
		{ "/proc/sys/fs/nr_open", "1024\n", { { "open_file_limit", "no", NULL } } },
		{ "/proc/sys/fs/nr_open",
		  "many\n",
		  { { "open_file_limit", "unknown error", "no number" } } },
		{ "/sys/module/overlay/parameters/metacopy",
		  "Y\n",
		  { { "overlay_defaults", "no", "metacopy=Y" } } },
		{ "/etc/subuid",
		  "root:1:65535\n",
		  { { "subordinate_ids", "no", "the most are 65535" } } },
		{ "/etc/subuid", "", { { "subordinate_ids", "no", "the most are 0" } } },
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(older_kernel_lacks_calls),
		cmocka_unit_test(filtered_kernel_cannot_be_asked),
		cmocka_unit_test(known_bugs_are_found),
		test_case("no mount namespaces", figure_decides, &figures[0]),
		test_case("enough user namespaces", figure_decides, &figures[1]),
		test_case("mounts nearly used up", figure_decides, &figures[2]),
		test_case("many inotify instances", figure_decides, &figures[3]),
		test_case("few inotify watches", figure_decides, &figures[4]),
		test_case("few keys", figure_decides, &figures[5]),
		test_case("few processes", figure_decides, &figures[6]),
		test_case("files nearly used up", figure_decides, &figures[7]),
		test_case("few open files", figure_decides, &figures[8]),
		test_case("no figure", figure_decides, &figures[9]),
		test_case("options on by default", figure_decides, &figures[10]),
		test_case("too few subordinate ids", figure_decides, &figures[11]),
		test_case("no subordinate ids", figure_decides, &figures[12]),
		cmocka_unit_test(ban_is_found),
		cmocka_unit_test(mapped_root_is_told_from_the_hosts),
		cmocka_unit_test(mapped_root_says_nothing_wrong_of_the_host),
		cmocka_unit_test(nobody_could_not_tell),
		cmocka_unit_test(nobody_says_nothing_wrong_of_the_host),
		cmocka_unit_test(mapped_nobody_says_nothing_wrong_of_the_host),
	};

	test_enter_namespace();

	return test_run("kernels", tests, ARRAY_SIZE(tests), argc, argv);
}
