#include "host_file.h"

#include "cleanup.h"
#include "fail.h"
#include "file.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

/* Configurations have comments, but not that many. */
#define MAX_CONFIG_BYTES (1 << 20)

int host_open(const char *root, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	cleanup_fd int base = -1;
	char joined[PATH_MAX];
	int fd;

	if (!*root)
		return open(path, O_PATH | O_CLOEXEC);
	base = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (base < 0)
		return -1;

	fd = ovi_sys.openat2(base, path, &how);
	if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
		return fd;

	/* Linux before 5.6, or a sandbox that does not know it. */
	snprintf(joined, sizeof(joined), "%s%s", root, path);

	return open(joined, O_PATH | O_CLOEXEC);
}

int host_is_directory(const char *root, const char *path)
{
	cleanup_fd int fd = host_open(root, path);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

int host_read(const char *root, const char *path, char **ret_text, struct ovl2_error *err)
{
	cleanup_fd int fd = host_open(root, path);
	cleanup_free char *real = NULL;
	struct stat st;
	char link[64];
	int r;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return ovi_fail_errno(err, "open '%s%s'", root, path);
	if (S_ISCHR(st.st_mode))
		return 0;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	real = realpath(link, NULL);
	if (!real)
		return ovi_fail_errno(err, "resolve '%s%s'", root, path);
	r = ovi_file_read(AT_FDCWD, real, MAX_CONFIG_BYTES, ret_text, NULL, err);

	return r < 0 ? r : 1;
}
