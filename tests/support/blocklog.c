// SPDX-License-Identifier: MIT
#include "blocklog.h"

#include "test.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>

/* Documentation/admin-guide/device-mapper/log-writes.rst */
#define MAGIC 0x6a736677736872ULL
#define FLAG_FLUSH 1
#define FLAG_FUA 2
#define FLAG_DISCARD 4

static uint64_t number_at(const struct test_block_log *log, size_t at)
{
	uint64_t number;

	assert_true(at + sizeof(number) <= log->length);
	memcpy(&number, log->bytes + at, sizeof(number));

	return le64toh(number);
}

void test_block_log_read(const char *path, struct test_block_log *ret_log)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct test_block_log log = { .sector = 512 };
	struct stat st;

	assert_sys(fd);
	assert_sys(fstat(fd, &st));
	log.length = (size_t)st.st_size;
	log.bytes = malloc(log.length + 1);
	assert_non_null(log.bytes);
	assert_int_equal(read(fd, log.bytes, log.length), log.length);
	assert_int_equal(number_at(&log, 0), MAGIC);
	assert_int_equal(number_at(&log, 8), 1);
	log.sector = number_at(&log, 24) & 0xffffffff;
	assert_in_range(log.sector, 512, 65536);
	*ret_log = log;
}

void test_block_log_release(struct test_block_log *log)
{
	free(log->bytes);
	*log = (struct test_block_log){ .bytes = NULL };
}

int test_block_log_next(const struct test_block_log *log, size_t *at,
                        struct test_block_entry *ret_entry)
{
	struct test_block_entry entry = { .at = *at ? *at : log->sector };
	uint64_t flags;

	if (entry.at + log->sector > log->length)
		return 0;
	entry.offset = number_at(log, entry.at) * log->sector;
	entry.length = number_at(log, entry.at + 8) * log->sector;
	flags = number_at(log, entry.at + 16);
	entry.is_flush = (flags & FLAG_FLUSH) != 0;
	entry.is_durable = (flags & FLAG_FUA) != 0;

	*at = entry.at + log->sector;
	if (entry.length && !(flags & FLAG_DISCARD)) {
		entry.data = log->bytes + *at;
		*at += entry.length;
		/* The daemon was ended while it wrote its log. */
		if (*at > log->length)
			return 0;
	}
	*ret_entry = entry;

	return 1;
}
