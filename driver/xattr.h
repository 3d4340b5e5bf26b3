#pragma once

/* Extended attributes of files named by a directory descriptor and a name. */

#include <ovl2.h>

#include <stddef.h>

/*
 * A path to `name` in `dir` for the path-only xattr calls, which have no *at()
 * form before Linux 6.13: through /proc/self/fd. `name` "." is the directory.
 */
struct ovi_xattr_path {
	char text[32 + 256];
};

struct ovi_xattr_path ovi_xattr_path(int dir, const char *name);

/* One after the other with a NUL behind each, as listxattr(2) has them. */
struct ovi_xattr_names {
	char *text;
	size_t length;
};

/*
 * Lists the attributes of `name` in `dir`, not followed; release ->text with
 * free(3). None where the filesystem knows none.
 */
int ovi_xattr_list(int dir, const char *name, struct ovi_xattr_names *ret_names,
                   struct ovl2_error *err);

/* The value of one; release with free(3). NULL and 0 bytes when it is not set. */
int ovi_xattr_read(int dir, const char *name, const char *key, char **ret_value, size_t *ret_length,
                   struct ovl2_error *err);

/*
 * Is it content, to be carried in a tar? File capabilities, POSIX ACLs and user
 * attributes are; overlayfs's own, and those that belong to this host (SELinux
 * labels, IMA, trusted) are not.
 */
int ovi_xattr_is_content(const char *key);

/* Is it one that overlayfs gives a meaning? Never to be taken from a tar. */
int ovi_xattr_is_overlay(const char *key);
