#pragma once

/*
 * Archives for tests. Written byte by byte, because the interesting ones are
 * those that no library would write.
 */

#include "strbuf.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TEST_TAR_BLOCK 512

/* Release with test_tar_release(). */
struct test_tar {
	struct ovi_strbuf bytes;
};

#define cleanup_tar __attribute__((cleanup(test_tar_release)))

/* One header with what belongs to it. Zero means what a plain file would have. */
struct test_tar_entry {
	/* Cut to 100 bytes in the header; see `pax`. */
	const char *name;

	/* As in the header: '0', '5', '1', '2', 'x', ...; 0 means '0'. */
	char type;

	const char *link;
	const char *content;

	/* 0 means the length of `content`. */
	size_t content_length;

	/* What the header says, in octal; NULL means the true one. */
	const char *size;

	mode_t mode;
	uint64_t uid;
	uint64_t gid;
	int64_t mtime;
	unsigned int device_major;
	unsigned int device_minor;

	/* "key=value" for a pax header in front, NULL at the end; or NULL. */
	const char *const *pax;
};

void test_tar_add(struct test_tar *tar, const struct test_tar_entry *entry);

/* A header of type 'x' or 'g' whose records are taken as they are. */
void test_tar_add_pax(struct test_tar *tar, char type, const char *records, size_t length);

/* Just bytes, not padded. */
void test_tar_add_bytes(struct test_tar *tar, const void *bytes, size_t length);

/* The two empty blocks. */
void test_tar_end(struct test_tar *tar);

void test_tar_release(struct test_tar *tar);

/* The archive as a file in memory, positioned at its start. Close it. */
int test_tar_open(const struct test_tar *tar);

/* Bytes as such a file. */
int test_bytes_open(const void *bytes, size_t length);

/*
 * The bytes in `fd`, from its start, compressed by the filter of that name in
 * libarchive ("gzip", "zstd", "xz"), as such a file.
 */
int test_compress(int fd, const char *filter);

/* An empty file in memory to write to. */
int test_sink_open(void);

/* Reads all of `fd` from its start; free(3). */
char *test_sink_read(int fd, size_t *ret_length);

/*
 * Lists the archive in `fd` from its start: "f 0644 0:0 1700000000.0 5 path" a
 * line, in the order of the archive, with link targets and attributes. Fails the
 * test when it cannot be read to its end. free(3).
 */
char *test_tar_list(int fd);

/* Only types and names. */
char *test_tar_list_names(int fd);
