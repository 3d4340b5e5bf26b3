#pragma once

/*
 * Compressing a stream, by several threads. It is cut into blocks of a fixed length,
 * each a gzip member or a zstd frame of its own: readers take them one after the
 * other for one stream, and the bytes do not depend on the number of threads.
 */

#include <ovl2.h>

#include <stddef.h>

struct ovi_press;

/* Where the compressed stream goes. */
typedef int ovi_press_fn(void *data, const void *bytes, size_t length, struct ovl2_error *err);

struct ovi_press_options {
	enum ovl2_compression compression;
	int level; /* 0: libarchive's default */
	size_t threads;
	ovi_press_fn *put;
	void *data;
};

/* Errors: OVL2_E_INVALID for a compression or level that there is not. */
int ovi_press_new(const struct ovi_press_options *options, struct ovi_press **ret_press,
                  struct ovl2_error *err);

/* NULL is fine. What was not finished is dropped. */
void ovi_press_free(struct ovi_press *press);

int ovi_press_write(struct ovi_press *press, const char *bytes, size_t length,
                    struct ovl2_error *err);

int ovi_press_finish(struct ovi_press *press, struct ovl2_error *err);
