#pragma once

/*
 * Times of directories, which are set when nothing more will be put into them: kept until
 * then in bounded memory. What there are too many of goes to a nameless file.
 */

#include "strbuf.h"

#include <ovl2.h>

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct ovi_times {
	/* Where a file can be made, borrowed; -1: all stays in memory. */
	int place;

	/* Those in memory; before them so many bytes in the file, -1 until there is one. */
	struct ovi_strbuf bytes;
	int fd;
	uint64_t written;

	/* The last one's path: of the next only what differs is kept. */
	struct ovi_strbuf path;
};

#define OVI_TIMES_NONE                \
	{                             \
		.place = -1, .fd = -1 \
	}

void ovi_times_release(struct ovi_times *times);

/* The directory at `path` is to have `mtime`, if it still is the one of that number. */
int ovi_times_add(struct ovi_times *times, const char *path, ino_t inode,
                  const struct timespec *mtime, struct ovl2_error *err);

typedef int ovi_times_fn(void *data, const char *path, ino_t inode, const struct timespec *mtime,
                         struct ovl2_error *err);

/*
 * Calls `each` with all that was added, in that order, and forgets them. Non-zero ends it
 * and becomes its result.
 */
int ovi_times_take(struct ovi_times *times, ovi_times_fn *each, void *data, struct ovl2_error *err);
