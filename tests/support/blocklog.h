#pragma once

/*
 * A log of all that was written to a block device, in the format of the kernel's
 * dm-log-writes, version 1, as qemu-storage-daemon's blklogwrites makes it. With it
 * every state can be had that the device may be in after a power cut.
 */

#include <stddef.h>
#include <stdint.h>

struct test_block_entry {
	/* Where the entry begins in the log, and so: the log's size before it. */
	size_t at;

	/* In bytes, on the device. `data` is NULL for a flush or a discard. */
	uint64_t offset;
	uint64_t length;
	const unsigned char *data;

	/* All that was written before is on disk, whatever happens from here on. */
	int is_flush;

	/* This very write is on disk when it ends. */
	int is_durable;
};

struct test_block_log {
	unsigned char *bytes;
	size_t length;
	size_t sector;
};

#define cleanup_block_log __attribute__((cleanup(test_block_log_release)))

/* Reads the log; fails the test when it is none. */
void test_block_log_read(const char *path, struct test_block_log *ret_log);

void test_block_log_release(struct test_block_log *log);

/* The entry at `*at`, which is moved behind it; 0 starts. Returns 0 at the end. */
int test_block_log_next(const struct test_block_log *log, size_t *at,
                        struct test_block_entry *ret_entry);
