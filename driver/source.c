#include "source.h"

#include "cleanup.h"
#include "fail.h"
#include "sys.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#define INPUT_BYTES ((size_t)256 * 1024)

/* By so many a compression is known; so many are asked for at first. */
#define MAGIC_BYTES 16
#define FIRST_BYTES 512

/* 15 bits of window, and the gzip form only, whose checksum zlib compares. */
#define GZIP_BITS (15 + 16)

struct ovi_source {
	int fd;
	int input_errno;

	/* What was read and not used yet. */
	unsigned char *input;
	size_t filled;
	int is_ended;

	/* One of them: zlib, or libarchive for anything else. */
	int is_gzip;
	z_stream gzip;
	int is_between_members;
	struct archive *raw;
	int is_filtered;

	/* What libarchive showed last and nobody took yet. */
	const unsigned char *block;
	size_t block_length;

	/*
	 * Bytes that libarchive was given, and gave back. Where nothing is compressed
	 * it is asked for no more than the first ones: the rest is read without it.
	 */
	uint64_t given;
	uint64_t taken;
	int is_direct;

	/* libarchive saw no byte. */
	int is_empty;
};

void ovi_source_close(struct ovi_source *source)
{
	int saved = errno;

	if (!source)
		return;
	if (source->is_gzip)
		inflateEnd(&source->gzip);
	archive_read_free(source->raw);
	free(source->input);
	free(source);
	errno = saved;
}

int ovi_source_is_compressed(const struct ovi_source *source)
{
	return source->is_gzip || source->is_filtered;
}

/* Appends to what is there, up to `limit`. 0 at the end. */
static ssize_t read_more(struct ovi_source *source, size_t limit)
{
	ssize_t length;

	do {
		length = ovi_sys.read(source->fd, source->input + source->filled,
		                      limit - source->filled);
	} while (length < 0 && errno == EINTR);
	if (length < 0) {
		source->input_errno = errno;
		return -1;
	}
	source->filled += (size_t)length;
	source->is_ended = length == 0;

	return length;
}

static int fail_input(const struct ovi_source *source, struct ovl2_error *err)
{
	errno = source->input_errno;
	return ovi_fail_errno(err, "read the tar");
}

/* --------------------------------------------------------------- libarchive -- */

static la_ssize_t read_for_raw(struct archive *raw, void *data, const void **ret_bytes)
{
	struct ovi_source *source = data;
	size_t length = source->filled;

	/* The first bytes are there already. */
	if (!length && !source->is_ended && read_more(source, INPUT_BYTES) < 0) {
		archive_set_error(raw, source->input_errno, "read");
		return -1;
	}
	length = source->filled;
	source->filled = 0;
	source->given += length;
	*ret_bytes = source->input;

	return (la_ssize_t)length;
}

static int fail_raw(const struct ovi_source *source, struct ovl2_error *err)
{
	const char *reason = archive_error_string(source->raw);

	if (source->input_errno)
		return fail_input(source, err);

	return ovi_fail(err, OVL2_E_CORRUPT, "the tar is damaged: %s",
	                reason ? reason : "unknown reason");
}

static int open_raw(struct ovi_source *source, struct ovl2_error *err)
{
	struct archive *raw = archive_read_new();
	struct archive_entry *entry;
	int r;

	source->raw = raw;
	if (!raw)
		return ovi_fail_memory(err);

	/* By name, never "all": there are filters that run programs. */
	if (archive_read_support_format_raw(raw) != ARCHIVE_OK ||
	    archive_read_support_format_empty(raw) != ARCHIVE_OK ||
	    archive_read_support_filter_bzip2(raw) != ARCHIVE_OK ||
	    archive_read_support_filter_xz(raw) != ARCHIVE_OK ||
	    archive_read_support_filter_lz4(raw) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(raw) != ARCHIVE_OK)
		return ovi_fail(err, OVL2_E_UNSUPPORTED,
		                "this libarchive cannot read compressions by itself: %s",
		                archive_error_string(raw));
	if (archive_read_open(raw, source, NULL, read_for_raw, NULL) != ARCHIVE_OK)
		return fail_raw(source, err);
	r = archive_read_next_header(raw, &entry);
	if (r != ARCHIVE_OK && r != ARCHIVE_EOF)
		return fail_raw(source, err);
	source->is_empty = r == ARCHIVE_EOF;

	/* The last one counted is "none". More than one is a trick, or a mistake. */
	if (archive_filter_count(raw) > 2)
		return ovi_fail(err, OVL2_E_CORRUPT,
		                "the tar is compressed more than once (%s in %s)",
		                archive_filter_name(raw, 0), archive_filter_name(raw, 1));
	source->is_filtered = archive_filter_count(raw) > 1;

	return 0;
}

/* Makes sure that there is a block, unless it is the end. */
static int next_block(struct ovi_source *source, struct ovl2_error *err)
{
	la_int64_t offset;
	const void *bytes;
	int r = ARCHIVE_OK;

	while (r == ARCHIVE_OK && source->block_length == 0) {
		r = archive_read_data_block(source->raw, &bytes, &source->block_length, &offset);
		source->block = bytes;
	}
	if (r == ARCHIVE_EOF)
		source->block_length = 0;

	return r == ARCHIVE_OK || r == ARCHIVE_EOF ? 0 : fail_raw(source, err);
}

static int read_raw(struct ovi_source *source, void *buffer, size_t size, size_t *ret_length,
                    struct ovl2_error *err)
{
	int r;

	*ret_length = 0;
	if (source->is_empty)
		return 0;
	r = next_block(source, err);
	if (r < 0)
		return r;
	if (size > source->block_length)
		size = source->block_length;
	if (size)
		memcpy(buffer, source->block, size);
	source->block += size;
	source->block_length -= size;
	source->taken += size;
	source->is_direct = !source->is_filtered && source->given == source->taken;
	*ret_length = size;

	return 0;
}

static int read_direct(struct ovi_source *source, void *buffer, size_t size, size_t *ret_length,
                       struct ovl2_error *err)
{
	ssize_t length;

	do {
		length = ovi_sys.read(source->fd, buffer, size);
	} while (length < 0 && errno == EINTR);
	if (length < 0)
		return ovi_fail_errno(err, "read the tar");
	*ret_length = (size_t)length;

	return 0;
}

/* --------------------------------------------------------------------- zlib -- */

static int open_gzip(struct ovi_source *source, struct ovl2_error *err)
{
	if (inflateInit2(&source->gzip, GZIP_BITS) != Z_OK)
		return ovi_fail_memory(err);
	source->is_gzip = 1;
	source->gzip.next_in = source->input;
	source->gzip.avail_in = (uInt)source->filled;

	return 0;
}

/* Is there input? 0 at its end. */
static int fill_gzip(struct ovi_source *source, struct ovl2_error *err)
{
	z_stream *gzip = &source->gzip;

	if (gzip->avail_in)
		return 1;
	source->filled = 0;
	if (!source->is_ended && read_more(source, INPUT_BYTES) < 0)
		return fail_input(source, err);
	gzip->next_in = source->input;
	gzip->avail_in = (uInt)source->filled;

	return source->filled > 0;
}

/* A gzip file is one member or several. Zeroes behind the last are a tape's padding. */
static int begin_member(struct ovi_source *source, struct ovl2_error *err)
{
	z_stream *gzip = &source->gzip;
	int r = fill_gzip(source, err);

	while (r > 0 && *gzip->next_in == 0) {
		gzip->next_in++;
		gzip->avail_in--;
		r = fill_gzip(source, err);
	}
	if (r > 0 && inflateReset(gzip) == Z_OK)
		source->is_between_members = 0;

	return r;
}

static int read_gzip(struct ovi_source *source, void *buffer, size_t size, size_t *ret_length,
                     struct ovl2_error *err)
{
	z_stream *gzip = &source->gzip;
	int r;

	gzip->next_out = buffer;
	gzip->avail_out = (uInt)size;
	while (gzip->avail_out) {
		if (source->is_between_members) {
			r = begin_member(source, err);
			if (r < 0)
				return r;
			if (r == 0)
				break;
		}
		r = fill_gzip(source, err);
		if (r < 0)
			return r;
		if (r == 0)
			return ovi_fail(err, OVL2_E_CORRUPT,
			                "the tar is damaged: its compressed form is cut short");
		r = inflate(gzip, Z_NO_FLUSH);
		if (r == Z_MEM_ERROR)
			return ovi_fail_memory(err);
		if (r != Z_OK && r != Z_STREAM_END)
			return ovi_fail(err, OVL2_E_CORRUPT, "the tar is damaged: gzip: %s",
			                gzip->msg ? gzip->msg : "invalid data");
		source->is_between_members = r == Z_STREAM_END;
	}
	*ret_length = size - gzip->avail_out;

	return 0;
}

/* ---------------------------------------------------------------------- both -- */

static int begin(struct ovi_source *source, struct ovl2_error *err)
{
	source->input = malloc(INPUT_BYTES);
	if (!source->input)
		return ovi_fail_memory(err);

	/* A pipe may have less than the few bytes by which a compression is known. */
	while (!source->is_ended && source->filled < MAGIC_BYTES)
		if (read_more(source, FIRST_BYTES) < 0)
			return fail_input(source, err);

	return source->filled >= 2 && memcmp(source->input, "\x1f\x8b", 2) == 0
	               ? open_gzip(source, err)
	               : open_raw(source, err);
}

int ovi_source_open(int fd, struct ovi_source **ret_source, struct ovl2_error *err)
{
	struct ovi_source *source = calloc(1, sizeof(*source));
	int r;

	if (!source)
		return ovi_fail_memory(err);
	source->fd = fd;
	r = begin(source, err);
	if (r < 0) {
		ovi_source_close(source);
		return r;
	}
	*ret_source = source;

	return 0;
}

int ovi_source_read(struct ovi_source *source, void *buffer, size_t size, size_t *ret_length,
                    struct ovl2_error *err)
{
	if (source->is_gzip)
		return read_gzip(source, buffer, size, ret_length, err);
	if (source->is_direct)
		return read_direct(source, buffer, size, ret_length, err);

	return read_raw(source, buffer, size, ret_length, err);
}
