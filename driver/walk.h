#pragma once

/*
 * Finding directories where one openat2(2) does not do: where it is missing, as on Linux
 * < 5.6 and in sandboxes, and where a path is longer than the kernel takes.
 */

#include <limits.h>

/*
 * Opens directory `path` as if `root` were the root of everything: links are followed
 * inside it, ".." of the root is the root, and no other filesystem is entered. -1 with
 * errno on failure, the same as openat2(2)'s.
 */
int ovi_walk_open(int root, const char *path);

/*
 * Copies of `path`, which does not begin with a slash, as many whole components as the
 * kernel takes at once. Returns what is left, "" at the end; NULL with errno for a component
 * that it would never take.
 */
const char *ovi_walk_take_piece(const char *path, char piece[PATH_MAX]);
