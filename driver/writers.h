#pragma once

/*
 * Threads that fill and finish the files of a layer while the next ones are read and
 * created. Names are made by the caller alone, in the order of the tar; what is done
 * here is done to open files, which no order can tell apart.
 *
 * Of a tar that can be read at any place, each thread reads what it writes, so that
 * the bytes are in its cache. Any other is read into the writers' own buffers, and what
 * is to be written stays there. Files are handed over many at a time, since waking a
 * thread costs as much as a file.
 */

#include "stamp.h"

#include <ovl2.h>

#include <stddef.h>

#define OVI_BUFFER_BYTES ((size_t)256 * 1024)

struct ovi_writers;

/*
 * No thread is started before there is work for one, none where there is one CPU.
 * Release with ovi_writers_release().
 */
int ovi_writers_create(struct ovi_writers **ret_writers, struct ovl2_error *err);

/*
 * Where ranges are read from, which then are all that comes: nothing needs the buffers.
 * Many threads read it, so its position is not used.
 */
void ovi_writers_read_from(struct ovi_writers *writers, int fd);

/* What is read into now; OVI_BUFFER_BYTES. NULL before the first ovi_writers_renew(). */
char *ovi_writers_buffer(struct ovi_writers *writers);

/*
 * Another buffer takes its place: the old one is left to those who write from it. The
 * `length` bytes at `kept`, the last of the old one, are at its beginning.
 */
int ovi_writers_renew(struct ovi_writers *writers, const char *kept, size_t length,
                      struct ovl2_error *err);

/* A piece of a file; pieces of one file come one after the other, in order. */
struct ovi_piece {
	/* Of the file, writable. From the first piece on it is the writers' to close. */
	int fd;

	/* For errors. */
	const char *path;

	/* Without bytes they are a range, which begins at `from`. */
	const void *bytes;
	off_t from;
	size_t length;

	/*
	 * Where it goes. What lies between pieces, and behind the last, is a hole; so is a
	 * piece that is long and all zeroes.
	 */
	off_t offset;

	int is_first;
	int is_last;

	/*
	 * Written before the call returns. All pieces of a file or none; without it
	 * bytes must lie in the present buffer.
	 */
	int is_urgent;

	/* For the last: what the file is to be in the end. */
	off_t size;
	struct ovi_stamp attributes;
};

/* Writes the piece, now or later. Failures may be an earlier one's. */
int ovi_writers_put(struct ovi_writers *writers, const struct ovi_piece *piece,
                    struct ovl2_error *err);

/* Waits until all is done. Fails with the first failure there was. */
int ovi_writers_wait(struct ovi_writers *writers, struct ovl2_error *err);

/* What is not done is given up. NULL is fine. */
void ovi_writers_release(struct ovi_writers *writers);
