#pragma once

/*
 * Files of the host that is looked at, which may be mounted somewhere else: `root` is what
 * its "/" is mounted on, as "/host" in a container; "" for this host. Links are resolved
 * inside of it.
 */

#include <ovl2.h>

/* Opens `path` as the host sees it, for its path only. As open(2). */
int host_open(const char *root, const char *path);

int host_is_directory(const char *root, const char *path);

/*
 * 1 with `ret_text` of the file at `path`, 0 when there is none or what is there is a
 * device, as /dev/null for a unit that is masked. Release with free(3).
 */
int host_read(const char *root, const char *path, char **ret_text, struct ovl2_error *err);
