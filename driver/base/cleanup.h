#pragma once

/*
 * Release on scope exit. A variable marked with one of these owns its value:
 *
 *     cleanup_fd int fd = -1;
 *
 * Always initialise it to the empty value in the same line, never jump over it
 * with goto, and hand the value to someone else only through steal_*(). All
 * releases preserve errno, so `return ovi_fail_errno(...)` sees the real cause.
 */

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup_fd __attribute__((cleanup(ovi_close_fd)))
#define cleanup_free __attribute__((cleanup(ovi_free_ptr)))
#define cleanup_dir __attribute__((cleanup(ovi_close_dir)))

static inline void ovi_close_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void ovi_free_ptr(void *slot)
{
	int saved = errno;

	free(*(void **)slot);
	errno = saved;
}

static inline void ovi_close_dir(DIR **dir)
{
	int saved = errno;

	if (*dir)
		closedir(*dir);
	errno = saved;
}

static inline int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

#define steal_ptr(slot)                              \
	({                                           \
		__typeof__(slot) slot_ = (slot);     \
		__typeof__(*slot_) stolen_ = *slot_; \
		*slot_ = NULL;                       \
		stolen_;                             \
	})

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
