// SPDX-License-Identifier: MIT
#include "fault.h"

#include "sys.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static struct ovi_sys real;

/* Calls come from the driver's own threads as well. */
static atomic_size_t calls;
static enum test_fault_kind armed;
static size_t armed_at;
static int armed_sys;
static const char *failed_name = "";
static const char *counted = "";
static void (*armed_event)(void *data);
static void *armed_data;

static int fails_now(const char *name)
{
	size_t number;

	if (!strstr(name, counted))
		return 0;
	number = atomic_fetch_add(&calls, 1) + 1;
	if (armed == TEST_FAULT_NONE || number < armed_at)
		return 0;
	if (number > armed_at && (armed != TEST_FAULT_STICKY || strcmp(name, failed_name) != 0))
		return 0;
	if (armed == TEST_FAULT_CRASH)
		_exit(TEST_FAULT_EXIT);
	failed_name = name;
	if (armed == TEST_FAULT_EVENT) {
		armed_event(armed_data);
		return 0;
	}
	errno = armed_sys;

	return armed != TEST_FAULT_SHORT;
}

/* What call number `armed_at` is to move; it was counted just now. */
static size_t shorten(size_t size)
{
	return armed == TEST_FAULT_SHORT && atomic_load(&calls) == armed_at && size > 1 ? size / 2
	                                                                                : size;
}

/* NOLINTBEGIN(bugprone-macro-parentheses): parameters are types and lists. */
#define FAULT(result, name, parameters, arguments) \
	static result fault_##name parameters      \
	{                                          \
		if (fails_now(#name))              \
			return -1;                 \
		return real.name arguments;        \
	}

FAULT(int, openat, (int dir, const char *path, int flags, mode_t mode), (dir, path, flags, mode))
FAULT(int, openat2, (int dir, const char *path, const struct open_how *how), (dir, path, how))
FAULT(ssize_t, read, (int fd, void *buffer, size_t size), (fd, buffer, shorten(size)))
FAULT(ssize_t, pread, (int fd, void *buffer, size_t size, off_t offset),
      (fd, buffer, shorten(size), offset))
FAULT(ssize_t, pwrite, (int fd, const void *buffer, size_t size, off_t offset),
      (fd, buffer, shorten(size), offset))
FAULT(ssize_t, write, (int fd, const void *buffer, size_t size), (fd, buffer, shorten(size)))
FAULT(ssize_t, readlinkat, (int dir, const char *path, char *buffer, size_t size),
      (dir, path, buffer, size))
FAULT(ssize_t, getdents, (int dir, void *buffer, size_t size), (dir, buffer, size))
FAULT(int, fstatfs, (int fd, struct statfs *ret), (fd, ret))
FAULT(int, faccessat, (int dir, const char *path, int mode, int flags), (dir, path, mode, flags))
FAULT(int, fstatat, (int dir, const char *path, struct stat *ret, int flags),
      (dir, path, ret, flags))
FAULT(int, statx, (int dir, const char *path, int flags, unsigned int mask, struct statx *ret),
      (dir, path, flags, mask, ret))
FAULT(int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode))
FAULT(int, mknodat, (int dir, const char *path, mode_t mode, dev_t device),
      (dir, path, mode, device))
FAULT(int, symlinkat, (const char *target, int dir, const char *path), (target, dir, path))
FAULT(int, linkat, (int from, const char *source, int to, const char *target, int flags),
      (from, source, to, target, flags))
FAULT(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
FAULT(int, renameat2,
      (int from, const char *source, int to, const char *target, unsigned int flags),
      (from, source, to, target, flags))
FAULT(int, ftruncate, (int fd, off_t length), (fd, length))
FAULT(int, fchownat, (int dir, const char *path, uid_t uid, gid_t gid, int flags),
      (dir, path, uid, gid, flags))
FAULT(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
FAULT(int, fchmod, (int fd, mode_t mode), (fd, mode))
FAULT(int, fchmodat, (int dir, const char *path, mode_t mode), (dir, path, mode))
FAULT(int, utimensat, (int dir, const char *path, const struct timespec times[2], int flags),
      (dir, path, times, flags))
FAULT(int, futimens, (int fd, const struct timespec times[2]), (fd, times))
FAULT(int, lsetxattr,
      (const char *path, const char *name, const void *value, size_t size, int flags),
      (path, name, value, size, flags))
FAULT(int, lremovexattr, (const char *path, const char *name), (path, name))
FAULT(int, fremovexattr, (int fd, const char *name), (fd, name))
FAULT(ssize_t, lgetxattr, (const char *path, const char *name, void *value, size_t size),
      (path, name, value, size))
FAULT(ssize_t, llistxattr, (const char *path, char *list, size_t size), (path, list, size))
FAULT(ssize_t, fgetxattr, (int fd, const char *name, void *value, size_t size),
      (fd, name, value, size))
FAULT(ssize_t, flistxattr, (int fd, char *list, size_t size), (fd, list, size))
FAULT(ssize_t, splice, (int from, int to, size_t size), (from, to, size))
FAULT(ssize_t, copy_file_range, (int from, int to, size_t size), (from, to, size))
FAULT(int, fsync, (int fd), (fd))
FAULT(int, syncfs, (int fd), (fd))
FAULT(int, flock, (int fd, int operation), (fd, operation))
FAULT(int, fsopen, (const char *type, unsigned int flags), (type, flags))
FAULT(int, fsconfig, (int fd, unsigned int command, const char *key, const void *value, int aux),
      (fd, command, key, value, aux))
FAULT(int, fsmount, (int fd, unsigned int flags, unsigned int attributes), (fd, flags, attributes))
FAULT(int, open_tree, (int dir, const char *path, unsigned int flags), (dir, path, flags))
FAULT(int, mount_setattr,
      (int dir, const char *path, unsigned int flags, struct mount_attr *attributes, size_t size),
      (dir, path, flags, attributes, size))
FAULT(int, move_mount,
      (int from, const char *source, int to, const char *target, unsigned int flags),
      (from, source, to, target, flags))
FAULT(int, mount,
      (const char *source, const char *target, const char *type, unsigned long flags,
       const void *data),
      (source, target, type, flags, data))
FAULT(int, umount2, (const char *target, int flags), (target, flags))
FAULT(int, ustat, (dev_t superblock), (superblock))
FAULT(int, unshare, (int flags), (flags))
FAULT(int, fchdir, (int fd), (fd))
FAULT(int, quotactl_fd, (int fd, unsigned int command, uint32_t id, void *argument),
      (fd, command, id, argument))
FAULT(int, quotactl, (unsigned int command, const char *device, uint32_t id, void *argument),
      (command, device, id, argument))
FAULT(int, uname, (struct utsname * ret), (ret))
FAULT(int, ioctl, (int fd, unsigned long request, void *argument), (fd, request, argument))
/* NOLINTEND(bugprone-macro-parentheses) */

/* A call that is added to the table has to be added here as well. */
_Static_assert(sizeof(struct ovi_sys) == 52 * sizeof(void (*)(void)), "every call can fail");

void test_fault_install(void)
{
	real = ovi_sys;
	ovi_sys.openat = fault_openat;
	ovi_sys.openat2 = fault_openat2;
	ovi_sys.read = fault_read;
	ovi_sys.pread = fault_pread;
	ovi_sys.pwrite = fault_pwrite;
	ovi_sys.write = fault_write;
	ovi_sys.readlinkat = fault_readlinkat;
	ovi_sys.getdents = fault_getdents;
	ovi_sys.fstatfs = fault_fstatfs;
	ovi_sys.faccessat = fault_faccessat;
	ovi_sys.fstatat = fault_fstatat;
	ovi_sys.statx = fault_statx;
	ovi_sys.mkdirat = fault_mkdirat;
	ovi_sys.mknodat = fault_mknodat;
	ovi_sys.symlinkat = fault_symlinkat;
	ovi_sys.linkat = fault_linkat;
	ovi_sys.unlinkat = fault_unlinkat;
	ovi_sys.renameat2 = fault_renameat2;
	ovi_sys.ftruncate = fault_ftruncate;
	ovi_sys.fchownat = fault_fchownat;
	ovi_sys.fchown = fault_fchown;
	ovi_sys.fchmod = fault_fchmod;
	ovi_sys.fchmodat = fault_fchmodat;
	ovi_sys.utimensat = fault_utimensat;
	ovi_sys.futimens = fault_futimens;
	ovi_sys.lsetxattr = fault_lsetxattr;
	ovi_sys.lremovexattr = fault_lremovexattr;
	ovi_sys.fremovexattr = fault_fremovexattr;
	ovi_sys.lgetxattr = fault_lgetxattr;
	ovi_sys.llistxattr = fault_llistxattr;
	ovi_sys.fgetxattr = fault_fgetxattr;
	ovi_sys.flistxattr = fault_flistxattr;
	ovi_sys.splice = fault_splice;
	ovi_sys.copy_file_range = fault_copy_file_range;
	ovi_sys.fsync = fault_fsync;
	ovi_sys.syncfs = fault_syncfs;
	ovi_sys.flock = fault_flock;
	ovi_sys.fsopen = fault_fsopen;
	ovi_sys.fsconfig = fault_fsconfig;
	ovi_sys.fsmount = fault_fsmount;
	ovi_sys.open_tree = fault_open_tree;
	ovi_sys.mount_setattr = fault_mount_setattr;
	ovi_sys.move_mount = fault_move_mount;
	ovi_sys.mount = fault_mount;
	ovi_sys.umount2 = fault_umount2;
	ovi_sys.ustat = fault_ustat;
	ovi_sys.unshare = fault_unshare;
	ovi_sys.fchdir = fault_fchdir;
	ovi_sys.quotactl_fd = fault_quotactl_fd;
	ovi_sys.quotactl = fault_quotactl;
	ovi_sys.uname = fault_uname;
	ovi_sys.ioctl = fault_ioctl;
}

void test_fault_count_only(const char *part)
{
	counted = part;
}

void test_fault_arm(enum test_fault_kind kind, size_t at, int sys)
{
	atomic_store(&calls, 0);
	failed_name = "";
	armed_at = at;
	armed_sys = sys;
	armed = kind;
}

void test_fault_arm_event(size_t at, void (*event)(void *data), void *data)
{
	armed_event = event;
	armed_data = data;
	test_fault_arm(TEST_FAULT_EVENT, at, 0);
}

size_t test_fault_disarm(void)
{
	armed = TEST_FAULT_NONE;
	return atomic_load(&calls);
}

const char *test_fault_name(void)
{
	return failed_name;
}
