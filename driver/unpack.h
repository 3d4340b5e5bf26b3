#pragma once

/* A tar into a directory tree. The tar is hostile until shown otherwise. */

#include "place.h"
#include "store.h"

/*
 * Reads the tar in `fd`, compressed or not, and makes its files in `place`. Whiteouts
 * become overlayfs's own, in whatever order they come, and only where something below
 * is there to be hidden.
 *
 * `options` are checked ones. Errors: OVL2_E_CORRUPT naming the entry for a tar that is
 * damaged, truncated or unsafe; OVL2_E_LIMIT; OVL2_E_CANCELLED.
 */
int ovi_unpack(struct ovl2_store *store, struct ovi_place *place,
               const struct ovl2_apply_options *options, int fd, struct ovl2_error *err);
