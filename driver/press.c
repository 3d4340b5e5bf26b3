#include "press.h"

#include "cleanup.h"
#include "crew.h"
#include "fail.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/*
 * What is in one does not help to compress the next: against one stream gzip loses nothing,
 * zstd at its default 2 to 5 % (libraries, /usr/share/doc). Larger ones take more memory.
 */
#define BLOCK_BYTES (1u << 20)

/* What does not compress grows a little. */
#define OUTPUT_BYTES (BLOCK_BYTES + BLOCK_BYTES / 8)

/* Between such pieces a block is given up when nobody wants it any more. */
#define PIECE_BYTES ((size_t)64 << 10)

#define MAX_BLOCKS (OVI_CREW_MAX_THREADS + 2)

struct block {
	const struct ovi_press *press;
	char *input;
	size_t length;
	char *output;
	size_t output_length;

	/* Why not. */
	char message[128];
	int is_failed;
};

struct ovi_press {
	struct ovi_press_options options;
	char filter_options[64];
	struct ovi_crew crew;
	struct block blocks[MAX_BLOCKS];
	size_t block_count;

	/* The one being filled, or NULL. */
	struct block *current;

	atomic_int is_given_up;
};

static int open_block(const struct ovi_press *press, struct archive *tar)
{
	int r;

	r = archive_write_set_format_raw(tar);
	if (r == ARCHIVE_OK)
		r = press->options.compression == OVL2_COMPRESSION_GZIP
		            ? archive_write_add_filter_gzip(tar)
		            : archive_write_add_filter_zstd(tar);
	if (r == ARCHIVE_OK && *press->filter_options)
		r = archive_write_set_options(tar, press->filter_options);

	return r;
}

static int write_pieces(const struct block *block, struct archive *tar)
{
	for (size_t done = 0; done < block->length; done += PIECE_BYTES) {
		size_t length = block->length - done;

		if (length > PIECE_BYTES)
			length = PIECE_BYTES;
		if (atomic_load(&block->press->is_given_up) ||
		    archive_write_data(tar, block->input + done, length) < 0)
			return ARCHIVE_FATAL;
	}

	return ARCHIVE_OK;
}

static int compress_block(struct block *block, struct archive *tar, struct archive_entry *entry)
{
	int r;

	r = open_block(block->press, tar);
	if (r == ARCHIVE_OK)
		r = archive_write_open_memory(tar, block->output, OUTPUT_BYTES,
		                              &block->output_length);
	archive_entry_set_filetype(entry, AE_IFREG);
	if (r == ARCHIVE_OK)
		r = archive_write_header(tar, entry);
	if (r == ARCHIVE_OK)
		r = write_pieces(block, tar);

	return r == ARCHIVE_OK ? archive_write_close(tar) : r;
}

static void run_block(void *job)
{
	struct block *block = job;
	struct archive *tar = archive_write_new();
	struct archive_entry *entry = archive_entry_new();

	block->is_failed = !tar || !entry || compress_block(block, tar, entry) != ARCHIVE_OK;
	if (block->is_failed) {
		const char *reason = tar ? archive_error_string(tar) : NULL;

		snprintf(block->message, sizeof(block->message), "%s",
		         reason ? reason : "out of memory");
	}
	archive_entry_free(entry);
	archive_write_free(tar);
}

/* Asked of libarchive, before anything is written. */
static int check_options(const struct ovi_press *press, struct ovl2_error *err)
{
	struct archive *tar = archive_write_new();
	int r = 0;

	if (!tar)
		return ovi_fail_memory(err);
	if (open_block(press, tar) != ARCHIVE_OK)
		r = ovi_fail(err, OVL2_E_INVALID, "compress at level %d: %s", press->options.level,
		             archive_error_string(tar));
	archive_write_free(tar);

	return r;
}

static int set_options(struct ovi_press *press, struct ovl2_error *err)
{
	int is_gzip = press->options.compression == OVL2_COMPRESSION_GZIP;
	const char *filter = is_gzip ? "gzip" : "zstd";
	char *options = press->filter_options;
	size_t size = sizeof(press->filter_options);
	int level = press->options.level;
	int length = 0;

	if (!is_gzip && press->options.compression != OVL2_COMPRESSION_ZSTD)
		return ovi_fail(err, OVL2_E_INVALID, "there is no compression %d",
		                (int)press->options.compression);
	/* Of gzip 0 would store, of zstd it is the default. */
	if (level)
		length = snprintf(options, size, "%s:compression-level=%d", filter, level);
	/* The same bytes whenever it is made. */
	if (is_gzip)
		snprintf(options + length, size - (size_t)length, "%sgzip:!timestamp",
		         length ? "," : "");

	return check_options(press, err);
}

int ovi_press_new(const struct ovi_press_options *options, struct ovi_press **ret_press,
                  struct ovl2_error *err)
{
	size_t threads = options->threads ? options->threads : ovi_crew_default_threads();
	struct ovi_press *press = calloc(1, sizeof(*press));
	int r;

	if (!press)
		return ovi_fail_memory(err);
	press->options = *options;
	press->block_count = threads < OVI_CREW_MAX_THREADS ? threads + 2 : MAX_BLOCKS;
	ovi_crew_init(&press->crew, run_block, press->blocks, sizeof(*press->blocks),
	              press->block_count, threads);
	r = set_options(press, err);
	for (size_t i = 0; i < press->block_count && r == 0; i++) {
		press->blocks[i].press = press;
		press->blocks[i].input = malloc(BLOCK_BYTES);
		press->blocks[i].output = malloc(OUTPUT_BYTES);
		if (!press->blocks[i].input || !press->blocks[i].output)
			r = ovi_fail_memory(err);
	}
	if (r < 0)
		ovi_press_free(press);
	else
		*ret_press = press;

	return r;
}

void ovi_press_free(struct ovi_press *press)
{
	int saved = errno;

	if (!press)
		return;
	atomic_store(&press->is_given_up, 1);
	ovi_crew_close(&press->crew);
	for (size_t i = 0; i < press->block_count; i++) {
		free(press->blocks[i].input);
		free(press->blocks[i].output);
	}
	free(press);
	errno = saved;
}

/* Hands on the oldest block. 1, 0 when there is none. */
static int put_oldest(struct ovi_press *press, struct ovl2_error *err)
{
	struct block *block = ovi_crew_take(&press->crew);
	int r;

	if (!block)
		return 0;
	r = block->is_failed ? ovi_fail(err, OVL2_E_SYSTEM, "compress the tar: %s", block->message)
	                     : press->options.put(press->options.data, block->output,
	                                          block->output_length, err);
	ovi_crew_return(&press->crew);

	return r < 0 ? r : 1;
}

static int begin_block(struct ovi_press *press, struct ovl2_error *err)
{
	while (!press->current) {
		int r;

		press->current = ovi_crew_free(&press->crew);
		if (press->current) {
			press->current->length = 0;
			break;
		}
		r = put_oldest(press, err);
		if (r < 0)
			return r;
	}

	return 0;
}

int ovi_press_write(struct ovi_press *press, const char *bytes, size_t length,
                    struct ovl2_error *err)
{
	while (length > 0) {
		struct block *block;
		size_t part;
		int r;

		r = begin_block(press, err);
		if (r < 0)
			return r;
		block = press->current;
		part = BLOCK_BYTES - block->length;
		if (part > length)
			part = length;
		memcpy(block->input + block->length, bytes, part);
		block->length += part;
		bytes += part;
		length -= part;
		if (block->length == BLOCK_BYTES) {
			press->current = NULL;
			ovi_crew_give(&press->crew);
		}
	}

	return 0;
}

int ovi_press_finish(struct ovi_press *press, struct ovl2_error *err)
{
	int r;

	if (press->current)
		ovi_crew_give(&press->crew);
	press->current = NULL;
	do
		r = put_oldest(press, err);
	while (r > 0);

	return r;
}
