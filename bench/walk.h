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

/* Opens `path` of `dir`, reads the start of what is no directory, closes it. -1 with errno. */
int walk_touch(int dir, const char *path, int flags);

/*
 * Opens the directory of layer `id` in `home` and reads the three files that say what it
 * is and what is below it: what comes before everything that begins with an id.
 */
int walk_layer(int home, const char *id, struct ovl2_error *err);

/* fstatat(2) of everything. */
int walk_stat(const char *path, struct walk_count *ret_count, struct ovl2_error *err);

/*
 * Reads everything: open, fstat, fgetxattr, read, close for each file, readlinkat
 * for each symbolic link, fstatat of devices.
 */
int walk_read(const char *path, struct walk_count *ret_count, struct ovl2_error *err);
