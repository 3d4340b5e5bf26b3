#pragma once

/* Deletions in a new layer, brought to what the kernel makes of them. */

#include <ovl2.h>

/*
 * Walks the layer at `root` beside what lies below it (`below`, -1 for nothing) and
 * takes out whiteouts that hide nothing: the kernel lists a whiteout, as a name that
 * cannot be looked up, in a directory that it does not merge with another.
 *
 * `is_root_opaque` says that nothing of the layers below is to show. The kernel merges
 * the roots of layers whatever their marks, so each name there gets its own whiteout.
 */
int ovi_settle(int root, int below, int is_root_opaque, struct ovl2_error *err);
