#pragma once

/*
 * The system calls through which the driver changes or reads the world, as a
 * table that a test can replace entry by entry to make a call fail, fall short
 * or stop the process. Shapes and errors are those of the manual pages; where
 * glibc 2.36 has no wrapper, errno is set by ours.
 *
 * close(2) is not here: it cannot be retried and its result is looked at only
 * after fsync(2) or syncfs(2) said that the data is safe.
 */

#include <linux/openat2.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <sys/utsname.h>

struct mount_attr;

struct ovi_sys {
	int (*openat)(int dir, const char *path, int flags, mode_t mode);
	int (*openat2)(int dir, const char *path, const struct open_how *how);
	ssize_t (*read)(int fd, void *buffer, size_t size);
	ssize_t (*pread)(int fd, void *buffer, size_t size, off_t offset);
	ssize_t (*pwrite)(int fd, const void *buffer, size_t size, off_t offset);
	ssize_t (*write)(int fd, const void *buffer, size_t size);
	ssize_t (*readlinkat)(int dir, const char *path, char *buffer, size_t size);
	ssize_t (*getdents)(int dir, void *buffer, size_t size);
	int (*fstatfs)(int fd, struct statfs *ret);
	int (*faccessat)(int dir, const char *path, int mode, int flags);
	int (*fstatat)(int dir, const char *path, struct stat *ret, int flags);
	int (*statx)(int dir, const char *path, int flags, unsigned int mask, struct statx *ret);

	int (*mkdirat)(int dir, const char *path, mode_t mode);
	int (*mknodat)(int dir, const char *path, mode_t mode, dev_t device);
	int (*symlinkat)(const char *target, int dir, const char *path);
	int (*linkat)(int from, const char *source, int to, const char *target, int flags);
	int (*unlinkat)(int dir, const char *path, int flags);
	int (*renameat2)(int from, const char *source, int to, const char *target,
	                 unsigned int flags);
	int (*ftruncate)(int fd, off_t length);

	int (*fchownat)(int dir, const char *path, uid_t uid, gid_t gid, int flags);
	int (*fchown)(int fd, uid_t uid, gid_t gid);
	int (*fchmod)(int fd, mode_t mode);
	int (*fchmodat)(int dir, const char *path, mode_t mode);
	int (*utimensat)(int dir, const char *path, const struct timespec times[2], int flags);
	int (*futimens)(int fd, const struct timespec times[2]);
	int (*lsetxattr)(const char *path, const char *name, const void *value, size_t size,
	                 int flags);
	int (*lremovexattr)(const char *path, const char *name);
	int (*fremovexattr)(int fd, const char *name);
	ssize_t (*lgetxattr)(const char *path, const char *name, void *value, size_t size);
	ssize_t (*llistxattr)(const char *path, char *list, size_t size);
	ssize_t (*fgetxattr)(int fd, const char *name, void *value, size_t size);
	ssize_t (*flistxattr)(int fd, char *list, size_t size);

	/* Both offsets are those of the files: their positions move. */
	ssize_t (*splice)(int from, int to, size_t size);
	ssize_t (*copy_file_range)(int from, int to, size_t size);

	int (*fsync)(int fd);
	int (*syncfs)(int fd);
	int (*flock)(int fd, int operation);

	int (*fsopen)(const char *type, unsigned int flags);
	int (*fsconfig)(int fd, unsigned int command, const char *key, const void *value, int aux);
	int (*fsmount)(int fd, unsigned int flags, unsigned int attributes);
	int (*open_tree)(int dir, const char *path, unsigned int flags);
	int (*mount_setattr)(int dir, const char *path, unsigned int flags,
	                     struct mount_attr *attributes, size_t size);
	int (*move_mount)(int from, const char *source, int to, const char *target,
	                  unsigned int flags);
	int (*mount)(const char *source, const char *target, const char *type, unsigned long flags,
	             const void *data);
	int (*umount2)(const char *target, int flags);

	/* Only whether it fails: with EINVAL when there is no superblock of that number. */
	int (*ustat)(dev_t superblock);
	int (*unshare)(int flags);
	int (*fchdir)(int fd);

	/* quotactl_fd(2), Linux >= 5.14: needs no block device node. */
	int (*quotactl_fd)(int fd, unsigned int command, uint32_t id, void *argument);
	int (*quotactl)(unsigned int command, const char *device, uint32_t id, void *argument);
	int (*uname)(struct utsname *ret);
	int (*ioctl)(int fd, unsigned long request, void *argument);
};

/* The kernel's own, unless a test put something in between. */
extern struct ovi_sys ovi_sys;
