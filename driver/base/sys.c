#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* glibc's are variadic or have no wrapper; these give them one shape. */

static int sys_openat(int dir, const char *path, int flags, mode_t mode)
{
	return openat(dir, path, flags | O_CLOEXEC, mode);
}

static int sys_openat2(int dir, const char *path, const struct open_how *how)
{
	return (int)syscall(SYS_openat2, dir, path, how, sizeof(*how));
}

static ssize_t sys_getdents(int dir, void *buffer, size_t size)
{
	return syscall(SYS_getdents64, dir, buffer, size);
}

static ssize_t sys_splice(int from, int to, size_t size)
{
	return splice(from, NULL, to, NULL, size, 0);
}

static ssize_t sys_copy_file_range(int from, int to, size_t size)
{
	return copy_file_range(from, NULL, to, NULL, size, 0);
}

static int sys_fchmodat(int dir, const char *path, mode_t mode)
{
	return fchmodat(dir, path, mode, 0);
}

static int sys_quotactl_fd(int fd, unsigned int command, uint32_t id, void *argument)
{
	return (int)syscall(SYS_quotactl_fd, fd, command, id, argument);
}

static int sys_quotactl(unsigned int command, const char *device, uint32_t id, void *argument)
{
	return (int)syscall(SYS_quotactl, command, device, id, argument);
}

/* Where there is no such call nothing is known of superblocks. */
static int sys_ustat(dev_t superblock)
{
#ifdef SYS_ustat
	char answer[64];

	return (int)syscall(SYS_ustat, (unsigned int)superblock, answer);
#else
	(void)superblock;
	errno = ENOSYS;

	return -1;
#endif
}

static int sys_ioctl(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument);
}

struct ovi_sys ovi_sys = {
	.openat = sys_openat,
	.openat2 = sys_openat2,
	.read = read,
	.pread = pread,
	.pwrite = pwrite,
	.write = write,
	.readlinkat = readlinkat,
	.getdents = sys_getdents,
	.fstatfs = fstatfs,
	.faccessat = faccessat,
	.fstatat = fstatat,
	.statx = statx,
	.mkdirat = mkdirat,
	.mknodat = mknodat,
	.symlinkat = symlinkat,
	.linkat = linkat,
	.unlinkat = unlinkat,
	.renameat2 = renameat2,
	.ftruncate = ftruncate,
	.fchownat = fchownat,
	.fchown = fchown,
	.fchmod = fchmod,
	.fchmodat = sys_fchmodat,
	.utimensat = utimensat,
	.futimens = futimens,
	.lsetxattr = lsetxattr,
	.lremovexattr = lremovexattr,
	.fremovexattr = fremovexattr,
	.lgetxattr = lgetxattr,
	.llistxattr = llistxattr,
	.fgetxattr = fgetxattr,
	.flistxattr = flistxattr,
	.splice = sys_splice,
	.copy_file_range = sys_copy_file_range,
	.fsync = fsync,
	.syncfs = syncfs,
	.flock = flock,
	.fsopen = fsopen,
	.fsconfig = fsconfig,
	.fsmount = fsmount,
	.open_tree = open_tree,
	.mount_setattr = mount_setattr,
	.move_mount = move_mount,
	.mount = mount,
	.umount2 = umount2,
	.ustat = sys_ustat,
	.unshare = unshare,
	.fchdir = fchdir,
	.quotactl_fd = sys_quotactl_fd,
	.quotactl = sys_quotactl,
	.uname = uname,
	.ioctl = sys_ioctl,
};
