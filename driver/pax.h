#pragma once

/*
 * Headers of a pax tar (POSIX.1-2001). The same entry gives the same bytes: nothing
 * in them depends on the machine, the time or the order in which a filesystem lists
 * attributes. What ustar can say is said there alone; an extended header holds
 * fractions of seconds, what is too long or too large, names that are not ASCII, and
 * attributes, as "SCHILY.xattr." records, which Docker, GNU tar and libarchive read.
 */

#include "strbuf.h"

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define OVI_TAR_BLOCK 512

enum ovi_pax_type {
	OVI_PAX_FILE = '0',
	OVI_PAX_HARD_LINK = '1',
	OVI_PAX_SYMLINK = '2',
	OVI_PAX_CHARACTER = '3',
	OVI_PAX_BLOCK = '4',
	OVI_PAX_DIRECTORY = '5',
	OVI_PAX_FIFO = '6'
};

struct ovi_xattrs;

struct ovi_pax_entry {
	enum ovi_pax_type type;

	/* Any bytes. A directory's ends with a slash. */
	const char *path;

	/* Of a link; else NULL. */
	const char *target;

	mode_t mode; /* only its permissions count */
	uid_t uid;
	gid_t gid;
	uint64_t size;
	struct timespec mtime;
	dev_t device;

	/* Or NULL. */
	const struct ovi_xattrs *xattrs;
};

/* Adds the header, and an extended one before it if need be. */
void ovi_pax_add(struct ovi_strbuf *tar, const struct ovi_pax_entry *entry);

/* Zeroes that follow `size` bytes of content. */
static inline size_t ovi_pax_padding(uint64_t size)
{
	return (size_t)(-size & (OVI_TAR_BLOCK - 1));
}
