#pragma once

/*
 * The entries of a tar, one after the other, whatever it is compressed with. What
 * nearly all are is read here, from the buffer in which the bytes came; the rest, such
 * as sparse files, by libarchive.
 */

#include "strbuf.h"
#include "writers.h"

#include <ovl2.h>

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct ovi_tar;

/* Texts are valid until the next entry. */
struct ovi_tar_entry {
	const char *name;
	const char *link; /* "" without one */

	/* '0', '1', ...: the raw header's. And what that makes it: S_IFREG, ... */
	char type;
	mode_t format;

	/* Without the format. */
	mode_t mode;
	int64_t uid;
	int64_t gid;
	struct timespec mtime;

	/* Of the file, holes included; and of what is in the tar. */
	int64_t size;
	uint64_t stored_bytes;
	dev_t device;
	int has_xattrs;

	/* Its content does not stay where it is: see ovi_piece.is_urgent. */
	int is_fleeting;
};

/*
 * Reads from `fd`, where it stands now. Content is left there for the `writers` to read,
 * if they can at any place; if not it is read into their buffers. Both stay the
 * caller's. Release with ovi_tar_close().
 */
int ovi_tar_open(int fd, struct ovi_writers *writers, struct ovi_tar **ret_tar,
                 struct ovl2_error *err);

/*
 * 1 and the next entry; what was not read of the one before is passed over. 0 at the
 * end of the tar.
 *
 * Errors: OVL2_E_CORRUPT for what is damaged, and for what could be read in two ways.
 */
int ovi_tar_next(struct ovi_tar *tar, struct ovi_tar_entry *ret_entry, struct ovl2_error *err);

/*
 * The next part of the content goes into the piece: its bytes, or where they are in
 * `fd`, how many, and where in the file they belong. 0 bytes when there is no more.
 */
int ovi_tar_read(struct ovi_tar *tar, struct ovi_piece *piece, struct ovl2_error *err);

/* 1 and the next extended attribute of the entry, valid until the next call; 0: no more. */
int ovi_tar_next_xattr(struct ovi_tar *tar, const char **ret_key, const void **ret_value,
                       size_t *ret_length, struct ovl2_error *err);

/*
 * Reads what comes behind the last entry: the checksum of a compressed tar; and whoever
 * writes into a pipe has padding left to write, and is let finish in peace.
 */
int ovi_tar_finish(struct ovi_tar *tar, struct ovl2_error *err);

/* NULL is fine. */
void ovi_tar_close(struct ovi_tar *tar);
