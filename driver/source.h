#pragma once

/*
 * The bytes of a tar, whatever it is compressed with. gzip is read with zlib, since
 * libarchive does not look at its checksums; the others by libarchive's filters, none
 * of which runs a program.
 */

#include <ovl2.h>

#include <stddef.h>

struct ovi_source;

/* Reads from `fd`, which stays the caller's. Release with ovi_source_close(). */
int ovi_source_open(int fd, struct ovi_source **ret_source, struct ovl2_error *err);

/*
 * The next bytes of the tar, at most `size`, into `buffer`. `ret_length` 0 is its end:
 * all of the input was read then, and the checksums in it were right.
 *
 * Errors: OVL2_E_CORRUPT for what is damaged, or compressed more than once.
 */
int ovi_source_read(struct ovi_source *source, void *buffer, size_t size, size_t *ret_length,
                    struct ovl2_error *err);

/* Is the tar compressed? Then only its end tells whether it was intact. */
int ovi_source_is_compressed(const struct ovi_source *source);

/* NULL is fine. */
void ovi_source_close(struct ovi_source *source);
