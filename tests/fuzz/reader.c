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

static int audit_in_pieces(const uint8_t *bytes, size_t length, size_t piece, uint64_t *ret_sum)
{
	struct ovi_audit audit = { 0 };
	int r = 0;

	for (size_t at = 0; at < length && r == 0; at += piece) {
		size_t size = length - at < piece ? length - at : piece;

		r = ovi_audit_feed(&audit, bytes + at, size, NULL);
	}
	if (r == 0)
		r = ovi_audit_end(&audit, NULL);
	*ret_sum = 0;
	for (size_t i = audit.first; i < audit.count; i++)
		*ret_sum = *ret_sum * 31 + audit.queue[i].start + audit.queue[i].size +
		           (unsigned char)audit.queue[i].type;
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
	uint64_t total = 0;
	size_t size = 1;
	int r;

	r = ovi_source_open(fd, &source, NULL);
	while (r == 0 && size && total < MAX_BYTES) {
		const void *at;

		r = ovi_source_read(source, &at, &size, NULL);
		if (r == 0)
			r = ovi_audit_feed(&audit, at, size, NULL);
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
