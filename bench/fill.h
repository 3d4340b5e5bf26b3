#pragma once

/* Files for benchmarks to work on: as many and as large as asked for. */

#include <ovl2.h>

/* Makes directory `name` in `dir`, if it is not there yet, and opens it. */
int fill_directory(int dir, const char *name, int *ret_fd, struct ovl2_error *err);

/* A new file of `size` bytes that do not repeat; other bytes for each `seed`. */
int fill_file(int dir, const char *name, uint64_t size, uint64_t seed, struct ovl2_error *err);

/* New files `prefix`0, `prefix`1, ..., all of `size` bytes. */
int fill_files(int dir, const char *prefix, uint64_t count, uint64_t size, struct ovl2_error *err);
