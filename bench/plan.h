#pragma once

/*
 * A tar, parsed: what the floor of apply works from. Reading the format is done
 * before the clock runs; what is timed is nothing but the system calls that put
 * these entries on a filesystem.
 */

#include <ovl2.h>

#include <sys/stat.h>
#include <time.h>

struct plan_xattr {
	char *name;
	void *value;
	size_t size;
};

struct plan_entry {
	/* Relative, without a trailing slash; of a whiteout what it hides. */
	char *path;

	/* Of a symbolic or a hard link, else NULL. */
	char *target;
	int is_hard_link;

	mode_t mode; /* with the type */
	dev_t device;
	uid_t uid;
	gid_t gid;
	struct timespec modified;

	/* Of a regular file. */
	struct plan_xattr *xattrs;
	size_t xattr_count;

	/* Of a regular file; in the mapped tar. */
	const char *body;
	size_t size;
};

struct plan {
	struct plan_entry *list;
	size_t count;

	/* The tar, mapped. */
	void *map;
	size_t map_bytes;
};

/* Parses the tar in the first `bytes` of `fd`. Release with plan_release(). */
int plan_init(struct plan *plan, int fd, size_t bytes, struct ovl2_error *err);

/* Empty is fine. */
void plan_release(struct plan *plan);

/*
 * Creates all entries below `root`, with owners, modes, attributes and times,
 * directories' times last; whiteouts as overlayfs has them. Writes each body with one write(2);
 * syncs nothing.
 */
int plan_execute(const struct plan *plan, int root, struct ovl2_error *err);
