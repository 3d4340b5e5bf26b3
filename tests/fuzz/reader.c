// SPDX-License-Identifier: MIT
#include "audit.h"
#include "source.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * libFuzzer's target for reading: decompression and the look at the headers. It is a
 * finding, beside the sanitizers', when the outcome depends on the size of the pieces
 * in which the bytes come.
 */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* A compressed input may be far larger in the end. */
#define MAX_BYTES (4 << 20)

/* What is shown of one entry, as a number. */
static uint64_t sum_of(const struct ovi_audit_entry *entry)
{
	uint64_t sum = entry->start * 31 + entry->size * 7 + (unsigned char)entry->type;

	if (entry->is_unusual)
		return sum;
	for (const char *at = entry->name; *at; at++)
		sum = sum * 31 + (unsigned char)*at;
	for (const char *at = entry->link; *at; at++)
		sum = sum * 31 + (unsigned char)*at;

	return sum + entry->mode + entry->uid + entry->gid + (uint64_t)entry->mtime.tv_nsec;
}

/* All of the bytes; `sum` is of the entries shown before and then of these as well. */
static int feed(struct ovi_audit *audit, const uint8_t *bytes, size_t length, uint64_t *sum)
{
	size_t taken = 0;
	int r = 0;

	for (size_t at = 0; at < length && audit->state != OVI_AUDIT_ENDED; at += taken) {
		r = ovi_audit_feed(audit, bytes + at, length - at, &taken, NULL);
		if (r < 0)
			return r;
		if (r > 0)
			*sum = *sum * 31 + sum_of(&audit->entry);
	}

	return 0;
}

static int audit_in_pieces(const uint8_t *bytes, size_t length, size_t piece, uint64_t *ret_sum)
{
	struct ovi_audit audit = { 0 };
	int r = 0;

	*ret_sum = 0;
	for (size_t at = 0; at < length && r == 0; at += piece) {
		size_t size = length - at < piece ? length - at : piece;

		r = feed(&audit, bytes + at, size, ret_sum);
	}
	if (r == 0)
		r = ovi_audit_end(&audit, NULL);
	ovi_audit_release(&audit);

	return r;
}

static void check_pieces(const uint8_t *bytes, size_t length)
{
	static const size_t pieces[] = { 1, 7, 511, 512, 513, 4096 };
	uint64_t whole_sum;
	int whole = audit_in_pieces(bytes, length, length ? length : 1, &whole_sum);

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		uint64_t sum;
		int r = audit_in_pieces(bytes, length, pieces[i], &sum);

		if (r != whole || (r == 0 && sum != whole_sum)) {
			fprintf(stderr, "%d in whole, %d in pieces of %zu\n", whole, r, pieces[i]);
			abort();
		}
	}
}

static void read_all(int fd)
{
	struct ovi_source *source = NULL;
	struct ovi_audit audit = { 0 };
	static uint8_t buffer[65536];
	uint64_t total = 0;
	uint64_t sum = 0;
	size_t size = 1;
	int r;

	r = ovi_source_open(fd, &source, NULL);
	while (r == 0 && size && total < MAX_BYTES) {
		r = ovi_source_read(source, buffer, sizeof(buffer), &size, NULL);
		if (r == 0)
			r = feed(&audit, buffer, size, &sum);
		total += size;
	}
	ovi_source_close(source);
	ovi_audit_release(&audit);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, length) != (ssize_t)length || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	read_all(fd);
	close(fd);
	check_pieces(bytes, length);

	return 0;
}
