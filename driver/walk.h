#pragma once

/* Finding directories where openat2(2) is missing: Linux < 5.6, and sandboxes. */

/*
 * Opens directory `path` as if `root` were the root of everything: links are followed
 * inside it, ".." of the root is the root, and no other filesystem is entered. -1 with
 * errno on failure, the same as openat2(2)'s.
 */
int ovi_walk_open(int root, const char *path);
