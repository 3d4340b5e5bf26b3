#pragma once

/*
 * A second look at the headers of a tar, before libarchive sees them. It is lax where
 * a layer must not be: it takes unknown types for files, malformed pax records for
 * none, and numbers as far as they make sense. What is here reads no more than is
 * needed to find every header, and fails on all that could be read in two ways.
 *
 * Where both see an entry they must agree on where it is: see ovi_audit_next().
 */

#include "strbuf.h"

#include <ovl2.h>

#include <stddef.h>
#include <stdint.h>

#define OVI_TAR_BLOCK 512

/* An entry as its raw headers have it. */
struct ovi_audit_entry {
	/* Of its first header in the tar: of an extended one, where there is one. */
	uint64_t start;

	/* Bytes that follow the header, without the padding. */
	uint64_t size;

	/* '0', '5', ...: never 0. */
	char type;
};

enum ovi_audit_state {
	OVI_AUDIT_HEADER,

	/* Of an entry, and of an extended header. */
	OVI_AUDIT_BODY,
	OVI_AUDIT_SPECIAL,

	/* One empty block was seen, and both. */
	OVI_AUDIT_END_MARK,
	OVI_AUDIT_ENDED
};

/* Start from all zeroes; release with ovi_audit_release(). */
struct ovi_audit {
	enum ovi_audit_state state;
	uint64_t offset;

	/* Where the header begins that is being looked at. */
	uint64_t at;

	/* A header that came in pieces. */
	unsigned char block[OVI_TAR_BLOCK];
	size_t filled;

	/* Bytes of the body, or of the extended header, padding included. */
	uint64_t left;

	/* The extended header that is being read, and how much of it is not padding. */
	char special;
	size_t special_size;
	struct ovi_strbuf text;

	/* Has the next entry begun? What do the extended headers in front of it say? */
	int is_started;
	int has_pax;
	int has_name;
	int has_link;
	int has_size;
	uint64_t size;
	struct ovi_strbuf name;
	struct ovi_audit_entry entry;

	/* Are blocks of a GNU sparse map to come? */
	int has_more_map;

	/* Entries that libarchive has not shown yet: [first, count). */
	struct ovi_audit_entry *queue;
	size_t first;
	size_t count;
	size_t room;
};

void ovi_audit_release(struct ovi_audit *audit);

/*
 * Looks at the next bytes of the tar. What comes behind its end is not looked at.
 *
 * Errors: OVL2_E_CORRUPT naming the entry.
 */
int ovi_audit_feed(struct ovi_audit *audit, const void *bytes, size_t length,
                   struct ovl2_error *err);

/* No more bytes come. Fails in the middle of an entry. */
int ovi_audit_end(const struct ovi_audit *audit, struct ovl2_error *err);

/*
 * The entry that libarchive shows, whose first header it has at `start`.
 *
 * Errors: OVL2_E_CORRUPT when there is none there: the two read the tar differently.
 */
int ovi_audit_next(struct ovi_audit *audit, uint64_t start, struct ovi_audit_entry *ret_entry,
                   struct ovl2_error *err);
