#pragma once

/* Deletions in a new layer, brought to what the kernel makes of them. */

#include "names.h"
#include "place.h"

#include <ovl2.h>

/*
 * Walks the layer that was made in `place` beside what lies below it and
 * takes out whiteouts that hide nothing: the kernel lists a whiteout, as a name that
 * cannot be looked up, in a directory that it does not merge with another.
 *
 * `is_root_opaque` says that nothing of the layers below is to show. The kernel merges
 * the roots of layers whatever their marks, so each name there gets its own whiteout.
 */
int ovi_settle(const struct ovi_place *place, int is_root_opaque, const struct ovi_asker *asker,
               struct ovl2_error *err);
