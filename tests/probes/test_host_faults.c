// SPDX-License-Identifier: MIT
#include "support/fault.h"
#include "support/filesystem.h"
#include "support/test.h"

#include "leftovers.h"

#include "dir.h"
#include "host.h"
#include "scratch.h"
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The other answers: no where the kernel or the filesystem cannot, "could not
 * tell" where something was in the way. And every call of a question failing in
 * turn.
 */

/* ---------------------------------------------------------------- kernels -- */

static const char *release;

static int fake_uname(struct utsname *name)
{
	memset(name, 0, sizeof(*name));
	snprintf(name->release, sizeof(name->release), "%s", release);

	return 0;
}

struct release_row {
	const char *release;
	int answer;
	uint64_t value;
};

static void release_is_understood(void **state)
{
	struct test_place *place = *state;
	const struct release_row *row = place->row;
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };
	struct ovi_sys saved = ovi_sys;
	int r;

	release = row->release;
	ovi_sys.uname = fake_uname;
	r = ovl2_probe_kernel_version(&evidence, &err);
	ovi_sys = saved;

	assert_int_equal(r, row->answer);
	assert_int_equal(evidence.value, row->value);
	assert_contains(r < 0 ? err.message : evidence.text, row->release);
}

static int fail_enosys_fsopen(const char *type, unsigned int flags)
{
	(void)type;
	(void)flags;
	errno = ENOSYS;

	return -1;
}

/* Linux before 5.2, or a seccomp filter that hides the newer calls. */
/* The root of a chroot that is not a mount: there the thread cannot keep one to itself. */
static int ask_in_chroot(const char *path)
{
	struct ovl2_error err = { 0 };
	int fd;

	if (chroot(path) < 0 || chdir("/") < 0)
		return 2;
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ovl2_probe_mount_method(fd, OVL2_MOUNT_RELATIVE, NULL, &err) >= 0)
		return 3;

	return strstr(err.message, "chroot") ? 0 : 4;
}

static void chroot_is_not_no(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *root = test_path("%s/root", place->path);
	cleanup_free char *proc = test_path("%s/root/proc", place->path);
	int status = 0;
	pid_t pid;

	assert_int_equal(mkdir(root, 0755), 0);
	assert_int_equal(mkdir(proc, 0755), 0);
	assert_int_equal(mount("proc", proc, "proc", 0, NULL), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(ask_in_chroot(root));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(umount2(proc, MNT_DETACH), 0);
	assert_int_equal(status, 0);
	assert_int_equal(rmdir(proc), 0);
	assert_int_equal(rmdir(root), 0);
}

static void kernel_without_fsopen_mounts_from_a_thread(void **state)
{
	struct test_place *place = *state;
	struct ovl2_evidence evidence = { 0 };
	struct ovi_sys saved = ovi_sys;
	struct ovl2_error err = { 0 };
	int d = place->fd;

	ovi_sys.fsopen = fail_enosys_fsopen;
	assert_int_equal(ovl2_probe_mount_method(d, OVL2_MOUNT_FD, &evidence, &err), 0);
	assert_contains(evidence.text, "Function not implemented");
	assert_int_equal(ovl2_probe_mount_method(d, OVL2_MOUNT_APPEND, &evidence, &err), 0);
	assert_int_equal(ovl2_probe_mount_method(d, OVL2_MOUNT_ABSOLUTE, NULL, &err), 1);
	assert_int_equal(ovl2_probe_mount_method(d, OVL2_MOUNT_RELATIVE, NULL, &err), 1);
	assert_int_equal(ovl2_probe_backing_fs(d, NULL, &err), 1);
	assert_int_equal(ovl2_probe_opaque_copy_up(d, NULL, &err), 0);
	assert_int_equal(ovi_opaque_copy_up(d, "trusted.overlay.opaque", "userxattr", NULL, &err),
	                 1);
	assert_int_equal(ovl2_probe_max_depth(d, &evidence, &err), 1);
	assert_int_equal(evidence.value, 135);
	ovi_sys = saved;

	assert_int_equal(ovi_dir_is_empty(d, "place", NULL), 1);
}

/*
 * Linux 5.2 to 6.4: there is fsopen, but overlayfs does not use it yet. What Linux
 * 6.1 says: descriptors are EOPNOTSUPP, strings are taken and found out at the end.
 */
static int legacy_fsconfig(int fs, unsigned int command, const char *key, const void *value,
                           int aux)
{
	(void)fs;
	(void)key;
	(void)value;
	(void)aux;
	if (command == FSCONFIG_SET_STRING)
		return 0;
	errno = command == FSCONFIG_SET_FD ? EOPNOTSUPP : EINVAL;

	return -1;
}

static void kernel_with_legacy_overlay_mounts_from_a_thread(void **state)
{
	struct test_place *place = *state;
	struct ovl2_evidence evidence = { 0 };
	struct ovi_sys saved = ovi_sys;
	struct ovl2_error err = { 0 };
	int d = place->fd;

	ovi_sys.fsconfig = legacy_fsconfig;
	assert_int_equal(ovl2_probe_mount_method(d, OVL2_MOUNT_FD, &evidence, &err), 0);
	assert_contains(evidence.text, "Operation not supported");
	assert_int_equal(ovl2_probe_mount_method(d, OVL2_MOUNT_APPEND, &evidence, &err), 0);
	assert_contains(evidence.text, "Invalid argument");
	assert_int_equal(ovl2_probe_backing_fs(d, NULL, &err), 1);
	assert_int_equal(ovl2_probe_opaque_copy_up(d, NULL, &err), 0);
	assert_int_equal(ovl2_probe_max_depth(d, &evidence, &err), 1);
	assert_int_equal(evidence.value, 135);
	ovi_sys = saved;
}

/* --------------------------------------------------------------- privilege -- */

static int fail_eperm_fsopen(const char *type, unsigned int flags)
{
	(void)type;
	(void)flags;
	errno = EPERM;

	return -1;
}

static int fail_eperm_unshare(int flags)
{
	(void)flags;
	errno = EPERM;

	return -1;
}

static void not_allowed_is_not_no(void **state)
{
	struct test_place *place = *state;
	struct ovi_sys saved = ovi_sys;
	struct ovl2_error err = { 0 };
	int d = place->fd;

	ovi_sys.fsopen = fail_eperm_fsopen;
	ovi_sys.unshare = fail_eperm_unshare;
	assert_fails(ovl2_probe_mount_method(d, OVL2_MOUNT_FD, NULL, &err), OVL2_E_PERMISSION,
	             &err);
	assert_fails(ovl2_probe_mount_method(d, OVL2_MOUNT_ABSOLUTE, NULL, &err), OVL2_E_PERMISSION,
	             &err);
	assert_fails(ovl2_probe_backing_fs(d, NULL, &err), OVL2_E_PERMISSION, &err);
	assert_fails(ovl2_probe_opaque_copy_up(d, NULL, &err), OVL2_E_PERMISSION, &err);
	assert_fails(ovl2_probe_max_depth(d, NULL, &err), OVL2_E_PERMISSION, &err);
	ovi_sys = saved;

	assert_int_equal(ovi_dir_is_empty(d, "place", NULL), 1);
}

/* ------------------------------------------------------------- filesystems -- */

/* All questions that need a directory, on one where none can be made. */
static void assert_none_can_tell(const char *path, int sys)
{
	cleanup_fd int d = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct ovl2_error err = { 0 };

	assert_sys(d);
	assert_fails(ovl2_probe_backing_fs(d, NULL, &err), OVL2_E_SYSTEM, &err);
	assert_int_equal(err.sys, sys);
	assert_fails(ovl2_probe_d_type(d, NULL, &err), OVL2_E_SYSTEM, &err);
	assert_int_equal(err.sys, sys);
	assert_fails(ovl2_probe_opaque_copy_up(d, NULL, &err), OVL2_E_SYSTEM, &err);
	assert_int_equal(err.sys, sys);
	assert_fails(ovl2_probe_mount_method(d, OVL2_MOUNT_FD, NULL, &err), OVL2_E_SYSTEM, &err);
	assert_int_equal(err.sys, sys);
	assert_fails(ovl2_probe_max_depth(d, NULL, &err), OVL2_E_SYSTEM, &err);
	assert_int_equal(err.sys, sys);
}

static void read_only_is_not_no(void **state)
{
	struct test_place *place = *state;

	assert_sys(mount(place->path, place->path, NULL, MS_BIND, NULL));
	assert_sys(mount(NULL, place->path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	assert_none_can_tell(place->path, EROFS);
}

static void full_filesystem_is_not_no(void **state)
{
	const struct test_filesystem tiny = { .type = "tmpfs", .options = "nr_inodes=1" };
	struct test_place *place = *state;
	struct ovl2_error err = { 0 };

	assert_ok(test_filesystem_mount(&tiny, place->path, &err), &err);
	assert_none_can_tell(place->path, ENOSPC);
}

/* Room for the directories, but not for 501 of them. */
static void nearly_full_filesystem_is_not_no(void **state)
{
	const struct test_filesystem small = { .type = "tmpfs", .options = "nr_inodes=100" };
	struct test_place *place = *state;
	struct ovl2_error err = { 0 };
	cleanup_fd int d = -1;

	assert_ok(test_filesystem_mount(&small, place->path, &err), &err);
	d = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(ovl2_probe_backing_fs(d, NULL, &err), 1);
	assert_fails(ovl2_probe_max_depth(d, NULL, &err), OVL2_E_SYSTEM, &err);
	assert_int_equal(err.sys, ENOSPC);
	assert_int_equal(ovi_dir_is_empty(d, "place", NULL), 1);
}

static void missing_types_are_seen(void **state)
{
	static const char *const without[] = { "-O", "^filetype", NULL };
	const struct test_filesystem ext4 = { .type = "ext4", .bytes = 16 << 20, .mkfs = without };
	struct test_place *place = *state;
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };
	cleanup_fd int d = -1;
	int r;

	r = test_filesystem_mount(&ext4, place->path, &err);
	if (r == OVL2_E_UNSUPPORTED)
		test_skip("%s", err.message);
	assert_ok(r, &err);
	d = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(ovl2_probe_d_type(d, &evidence, &err), 0);
	assert_contains(evidence.text, "DT_UNKNOWN for a directory");

	/* A question of its own: the kernel takes it as an upper nevertheless. */
	assert_int_equal(ovl2_probe_backing_fs(d, &evidence, &err), 1);
}

static void overlay_is_no_upper(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *lower = test_path("%s/lower", place->path);
	cleanup_free char *upper = test_path("%s/upper", place->path);
	cleanup_free char *work = test_path("%s/work", place->path);
	cleanup_free char *merged = test_path("%s/merged", place->path);
	cleanup_free char *data =
		test_path("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work);
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };
	cleanup_fd int d = -1;

	assert_sys(mkdir(lower, 0755) | mkdir(upper, 0755) | mkdir(work, 0755) |
	           mkdir(merged, 0755));
	assert_sys(mount("overlay", merged, "overlay", 0, data));
	d = open(merged, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(ovl2_probe_backing_fs(d, &evidence, &err), 0);
	assert_contains(evidence.text, "overlayfs (0x794c7630)");
	assert_contains(evidence.text, "not supported as upperdir");
	assert_int_equal(ovl2_probe_mount_method(d, OVL2_MOUNT_ABSOLUTE, &evidence, &err), 0);
	assert_contains(evidence.text, "not supported as upperdir");
	assert_int_equal(ovl2_probe_max_depth(d, &evidence, &err), 0);
	assert_true(ovl2_probe_opaque_copy_up(d, NULL, &err) < 0);
	assert_int_equal(ovl2_probe_d_type(d, &evidence, &err), 1);
	assert_int_equal(ovi_dir_is_empty(d, "merged", NULL), 1);
}

/* ------------------------------------------------------ each call in turn -- */

static int ask_backing_fs(int d, struct ovl2_error *err)
{
	return ovl2_probe_backing_fs(d, NULL, err);
}

static int ask_d_type(int d, struct ovl2_error *err)
{
	return ovl2_probe_d_type(d, NULL, err);
}

static int ask_opaque_copy_up(int d, struct ovl2_error *err)
{
	return ovl2_probe_opaque_copy_up(d, NULL, err);
}

static int ask_mount_relative(int d, struct ovl2_error *err)
{
	return ovl2_probe_mount_method(d, OVL2_MOUNT_RELATIVE, NULL, err);
}

static int ask_mount_fd(int d, struct ovl2_error *err)
{
	return ovl2_probe_mount_method(d, OVL2_MOUNT_FD, NULL, err);
}

typedef int question_fn(int d, struct ovl2_error *err);

/* An I/O error must never become the answer of a healthy host turned round. */
static void io_error_is_not_an_answer(void **state)
{
	struct test_place *place = *state;
	question_fn *ask = *(question_fn **)place->row;
	struct test_resources before = test_resources_count();
	struct ovl2_error err = { 0 };
	size_t calls;
	int healthy;

	test_fault_arm(TEST_FAULT_NONE, 0, 0);
	healthy = ask(place->fd, &err);
	calls = test_fault_disarm();
	assert_ok(healthy, &err);
	assert_true(calls > 5);

	for (size_t at = 1; at <= calls; at++) {
		int r;

		err = (struct ovl2_error){ 0 };
		test_fault_arm(TEST_FAULT_ONCE, at, EIO);
		r = ask(place->fd, &err);
		test_fault_disarm();

		if (r < 0)
			assert_string_not_equal(err.message, "");
		else if (r != healthy)
			fail_msg("%s failing turned the answer round", test_fault_name());

		/* Deleting may have been what failed: the next sweep's work. */
		assert_ok(ovi_scratch_sweep(place->fd, &err), &err);
		assert_int_equal(ovi_dir_is_empty(place->fd, "place", NULL), 1);
		assert_nothing_left(before);
	}
}

int main(int argc, char **argv)
{
	static const struct release_row releases[] = {
		{ "3.10.0-1160.el7.x86_64", 0, 3010000 },
		{ "3.19.8", 0, 3019008 },
		{ "4.0", 1, 4000000 },
		{ "6.1.0-31-amd64", 1, 6001000 },
		{ "4.9.337", 1, 4009337 },
		{ "mainline", OVL2_E_SYSTEM, 0 },
	};
	static question_fn *const questions[] = { ask_backing_fs, ask_d_type, ask_opaque_copy_up,
		                                  ask_mount_relative, ask_mount_fd };
	const struct CMUnitTest tests[] = {
		test_case("release of RHEL 7", release_is_understood, &releases[0]),
		test_case("release 3.19", release_is_understood, &releases[1]),
		test_case("release of two numbers", release_is_understood, &releases[2]),
		test_case("release of Debian 12", release_is_understood, &releases[3]),
		test_case("release of three digits", release_is_understood, &releases[4]),
		test_case("release of no numbers", release_is_understood, &releases[5]),
		cmocka_unit_test(chroot_is_not_no),
		cmocka_unit_test(kernel_without_fsopen_mounts_from_a_thread),
		cmocka_unit_test(kernel_with_legacy_overlay_mounts_from_a_thread),
		cmocka_unit_test(not_allowed_is_not_no),
		cmocka_unit_test(read_only_is_not_no),
		cmocka_unit_test(full_filesystem_is_not_no),
		cmocka_unit_test(nearly_full_filesystem_is_not_no),
		cmocka_unit_test(missing_types_are_seen),
		cmocka_unit_test(overlay_is_no_upper),
		test_case("backing_fs: each call fails", io_error_is_not_an_answer, &questions[0]),
		test_case("d_type: each call fails", io_error_is_not_an_answer, &questions[1]),
		test_case("opaque_copy_up: each call fails", io_error_is_not_an_answer,
		          &questions[2]),
		test_case("mount_relative: each call fails", io_error_is_not_an_answer,
		          &questions[3]),
		test_case("mount_fd: each call fails", io_error_is_not_an_answer, &questions[4]),
	};

	test_enter_namespace();
	test_fault_install();

	return test_run("host faults", tests, ARRAY_SIZE(tests), argc, argv);
}
