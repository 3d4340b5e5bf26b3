#pragma once

/* Files with several names, met one name at a time. */

#include <stddef.h>
#include <sys/stat.h>

/* Start from all zeroes. */
struct ovi_inodes {
	struct ovi_inode *slots;
	size_t count;
	size_t room;

	/* Of the file met last, when that was its last name. */
	char *forgotten;
};

#define cleanup_inodes __attribute__((cleanup(ovi_inodes_release)))

void ovi_inodes_release(struct ovi_inodes *inodes);

/*
 * The path under which this file was met first, NULL when this is the first time
 * (a copy of `path` is kept, until all of the file's names were met) or when it has
 * one name only. `ret_failed` is 1 when memory ran out. Valid until the next call.
 */
const char *ovi_inodes_meet(struct ovi_inodes *inodes, const struct stat *st, const char *path,
                            int *ret_failed);
