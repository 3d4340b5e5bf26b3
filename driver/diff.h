#pragma once

/* A layer's changes as a tar, of what is no layer yet. */

#include "store.h"

#include <ovl2.h>

/*
 * As ovl2_layer_diff() of a layer whose content is in directory `upper`, fresh from a
 * tar, and whose parent is `parent`, "" for none. `options` has no parent or method.
 */
int ovi_diff_aside(struct ovl2_store *store, const char *parent, int upper,
                   const struct ovl2_diff_options *options, struct ovl2_error *err);
