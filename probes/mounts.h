#pragma once

/*
 * The mounts this process sees, from /proc/self/mountinfo (proc(5)). Read here and not by
 * libmount, which Debian has as a shared library only: ovl2-probe must link statically.
 */

#include <stddef.h>
#include <sys/types.h>

struct mounts_entry {
	int id;
	dev_t device;

	/* Unescaped; borrowed from the table. */
	const char *target;
	const char *options; /* of the mount: "rw,relatime" */
	const char *type;
	const char *source;
	const char *super_options; /* of the filesystem: "rw,lowerdir=..." */
};

struct mounts {
	struct mounts_entry *list;
	size_t count;
	char *text;
};

#define cleanup_mounts __attribute__((cleanup(mounts_release)))

void mounts_release(struct mounts *mounts);

/* Returns 0, or -1 with errno when they cannot be read: ENOENT without a /proc. */
int mounts_read(struct mounts *ret_mounts);

/* The same of `text`, which it owns from then on: lines as mountinfo has them. */
int mounts_parse(char *text, struct mounts *ret_mounts);

/*
 * NULL when there is none of this number, none of this device, or none at exactly this
 * path; the topmost where there are several.
 */
const struct mounts_entry *mounts_find_id(const struct mounts *mounts, int id);
const struct mounts_entry *mounts_find_device(const struct mounts *mounts, dev_t device);
const struct mounts_entry *mounts_find_target(const struct mounts *mounts, const char *target);

/*
 * The value of option `name` in a list like "rw,index=off": "" for one without a value,
 * NULL when it is not there. Not terminated: `ret_length` says how long it is.
 */
const char *mounts_option(const char *options, const char *name, size_t *ret_length);
