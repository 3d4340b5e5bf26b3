#pragma once

/* Small files, whole. */

#include <ovl2.h>

#include <stddef.h>

/*
 * Reads all of `name` under `dir`, at most `limit` bytes, and terminates it;
 * release `ret_text` with free(3). Never follows a link.
 *
 * Errors: OVL2_E_CORRUPT when it is longer or not a regular file.
 */
int ovi_file_read(int dir, const char *name, size_t limit, char **ret_text, size_t *ret_length,
                  struct ovl2_error *err);

/* Creates `name` under `dir`, which must not exist, with mode 0644. */
int ovi_file_write(int dir, const char *name, const void *bytes, size_t length,
                   struct ovl2_error *err);

/*
 * As ovi_file_write(), in place of what was there: the old or the new, never less.
 * `flush` makes that hold across a power cut as well.
 */
int ovi_file_replace(int dir, const char *name, const char *text, int flush,
                     struct ovl2_error *err);

/* write(2) until all is written. */
int ovi_write_all(int fd, const void *bytes, size_t length, const char *what,
                  struct ovl2_error *err);
