#pragma once

/*
 * Walking a tree with bare system calls, in one thread: the floors of diff,
 * changes and diff_size. No order, no format, nothing kept.
 */

#include <ovl2.h>

/* What a walk saw, so that a test can tell that it went everywhere. */
struct walk_count {
	uint64_t files;
	uint64_t directories;
	uint64_t bytes;
};

/* fstatat(2) of everything. */
int walk_stat(const char *path, struct walk_count *ret_count, struct ovl2_error *err);

/*
 * Reads everything: open, fstat, fgetxattr, read, close for each file, readlinkat
 * for each symbolic link, fstatat of devices.
 */
int walk_read(const char *path, struct walk_count *ret_count, struct ovl2_error *err);
