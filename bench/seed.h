#pragma once

/*
 * Creating and removing a layer by the system calls of Docker's overlay2 of 2017, in its
 * order and by absolute paths (daemon/graphdriver/overlay2 at 4534dcd49497, Go's package
 * os of then), without the time that Go itself takes. Nothing is published by a rename,
 * locked, checked or flushed there.
 */

#include <ovl2.h>

/* Makes a store at `home`, and in it a layer to be parent of those that have `lower`. */
int seed_open(const char *home, const char *lower, struct ovl2_error *err);

int seed_create(const char *home, const char *id, struct ovl2_error *err);
int seed_remove(const char *home, const char *id, struct ovl2_error *err);
