#pragma once

/*
 * Threads that fill and finish the files of a layer while the next ones are read and
 * created. Names are made by the caller alone, in the order of the tar; what is done
 * here is done to open files, which no order can tell apart.
 */

#include "stamp.h"

#include <ovl2.h>

#include <stddef.h>

struct ovi_writers;

/*
 * No thread is started before there is work for one, none where there is one CPU.
 * Release with ovi_writers_release().
 */
int ovi_writers_create(struct ovi_writers **ret_writers, struct ovl2_error *err);

/* A piece of a file; pieces of one file come one after the other, in order. */
struct ovi_piece {
	/* Of the file, writable. From the first piece on it is the writers' to close. */
	int fd;

	/* For errors. */
	const char *path;

	const void *bytes;
	size_t length;

	/* Where it goes. What lies between pieces, and behind the last, is a hole. */
	off_t offset;

	int is_first;
	int is_last;

	/* For the last: what the file is to be in the end. */
	off_t size;
	struct ovi_stamp attributes;
};

/* Writes the piece, now or later: the bytes are copied. Failures may be an earlier one's. */
int ovi_writers_put(struct ovi_writers *writers, const struct ovi_piece *piece,
                    struct ovl2_error *err);

/* Waits until all is done. Fails with the first failure there was. */
int ovi_writers_wait(struct ovi_writers *writers, struct ovl2_error *err);

/* What is not done is given up. NULL is fine. */
void ovi_writers_release(struct ovi_writers *writers);
