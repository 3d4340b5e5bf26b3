#pragma once

/* A tar into a directory tree. The tar is hostile until shown otherwise. */

#include "place.h"
#include "store.h"

/*
 * Reads the tar in `fd`, compressed or not, and makes its files in `place`. Whiteouts
 * become overlayfs's own, in whatever order they come, and only where something below
 * is there to be hidden.
 *
 * 1 when `ret_bytes` is what ovl2_layer_diff_size() would say; 0 when only looking at all
 * that was made can tell, because an entry took the place of an earlier one.
 *
 * `options` are checked ones. Errors: OVL2_E_CORRUPT naming the entry for a tar that is
 * damaged, truncated or unsafe; OVL2_E_LIMIT; OVL2_E_CANCELLED.
 */
int ovi_unpack(struct ovl2_store *store, struct ovi_place *place,
               const struct ovl2_apply_options *options, int fd, uint64_t *ret_bytes,
               struct ovl2_error *err);
