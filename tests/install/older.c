// SPDX-License-Identifier: MIT

/* Preloaded: as before Linux 6.15, nothing is taken by descriptor that O_PATH opened. */

#include <dlfcn.h>
#include <errno.h>
#include <linux/mount.h>

typedef int fsconfig_fn(int fd, unsigned int command, const char *key, const void *value, int aux);

fsconfig_fn fsconfig;

int fsconfig(int fd, unsigned int command, const char *key, const void *value, int aux)
{
	fsconfig_fn *next = (fsconfig_fn *)dlsym(RTLD_NEXT, "fsconfig");

	if (command == FSCONFIG_SET_FD) {
		errno = EBADF;
		return -1;
	}

	return next(fd, command, key, value, aux);
}
