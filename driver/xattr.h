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

/* Takes all that are content off `name` in `dir`. */
int ovi_xattr_clear(int dir, const char *name, struct ovl2_error *err);

/* Is it one that overlayfs gives a meaning? Never to be taken from a tar. */
int ovi_xattr_is_overlay(const char *key);

struct ovi_xattr {
	char *key;
	char *value;
	size_t length;
};

/* Those of one file that are content, sorted. Start from all zeroes. */
struct ovi_xattrs {
	struct ovi_xattr *list;
	size_t count;
	size_t room;

	/* overlayfs keeps the file's data in a layer below. */
	int is_metacopy;
};

#define cleanup_xattrs __attribute__((cleanup(ovi_xattrs_release)))

void ovi_xattrs_release(struct ovi_xattrs *xattrs);

/* Of the open file `fd`, or where that is -1 of `name` in `dir`, not followed. */
int ovi_xattrs_read(int fd, int dir, const char *name, struct ovi_xattrs *ret_xattrs,
                    struct ovl2_error *err);
