#pragma once

/*
 * The headers of a tar. libarchive is lax where a layer must not be: it takes unknown
 * types for files, malformed pax records for none, and numbers as far as they make
 * sense. What is here finds every header, fails on all that could be read in two ways,
 * and reads what nearly all entries are by itself. The rest it says to be unusual:
 * libarchive reads those, and must agree on where they are.
 */

#include "audit_pax.h"
#include "strbuf.h"

#include <ovl2.h>

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define OVI_TAR_BLOCK 512

/* An entry as its raw headers have it. Texts are valid until the next call. */
struct ovi_audit_entry {
	/* Of its first header in the tar: of an extended one, where there is one. */
	uint64_t start;

	/* Bytes that follow the header, without the padding. */
	uint64_t size;

	/* '0', '5', ...: never 0. */
	char type;

	/* Without the type. libarchive takes a list of access into it. */
	mode_t mode;

	/* Nothing below is set: libarchive is to be asked. */
	int is_unusual;

	const char *name;
	const char *link; /* "" without one */
	uint64_t uid;
	uint64_t gid;
	struct timespec mtime;

	/* Records with attributes among them, or NULL: for ovi_pax_next_xattr(). */
	const char *xattrs;
	const char *xattrs_end;
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

	/* All blocks of the present entry's headers, one after the other. */
	struct ovi_strbuf raw;

	/* Where the header itself is among them, which comes behind the extended ones. */
	size_t header_start;

	/* The extended header that is being read: where its text is among them, and how long. */
	char special;
	size_t special_start;
	size_t special_size;

	/* Has the next entry begun? What do the extended headers in front of it say? */
	int is_started;
	int has_pax;
	int has_name;
	int has_link;
	struct ovi_pax pax;
	size_t records_start;
	size_t records_size;
	struct ovi_strbuf name;
	struct ovi_strbuf link;
	struct ovi_audit_entry entry;

	/* The entry was shown, and goes when the next bytes come. */
	int is_shown;

	/* Are blocks of a GNU sparse map to come? What the map speaks of so far. */
	int has_more_map;
	uint64_t map_bytes;
};

void ovi_audit_release(struct ovi_audit *audit);

/*
 * Looks at the next bytes of the tar, as far as an entry's headers go: then returns 1,
 * and audit->entry is that entry. 0 when all bytes were looked at, or the tar has
 * ended: what comes behind its end is not looked at. `ret_taken` is how many it were.
 *
 * Errors: OVL2_E_CORRUPT naming the entry.
 */
int ovi_audit_feed(struct ovi_audit *audit, const void *bytes, size_t length, size_t *ret_taken,
                   struct ovl2_error *err);

/* Instead, for `length` bytes of audit->left, the content of the entry and its padding. */
void ovi_audit_pass(struct ovi_audit *audit, size_t length);

/* No more bytes come. Fails in the middle of an entry. */
int ovi_audit_end(const struct ovi_audit *audit, struct ovl2_error *err);
