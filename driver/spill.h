#pragma once

/* Nameless files, for what there is too much of to be held in memory. */

#include <ovl2.h>

#include <stddef.h>
#include <stdint.h>

/*
 * A new one in the filesystem of directory `place`. -1 where none can be made, or `place`
 * is -1: then memory has to do.
 */
int ovi_spill_open(int place);

/* All of it, or a failure. */
int ovi_spill_read(int fd, void *buffer, size_t size, uint64_t offset, struct ovl2_error *err);
int ovi_spill_write(int fd, const void *buffer, size_t size, uint64_t offset,
                    struct ovl2_error *err);
