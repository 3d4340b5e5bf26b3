#pragma once

/*
 * What cannot be trusted is put aside, not deleted: `.ovl2/quarantine/<name>`. One
 * rename, so that it is in the store or out of it.
 */

#include "store.h"

#include <ovl2.h>

/*
 * Moves `path`, relative to the store's directory, out of the way, to `name` in the
 * quarantine, or where that is taken to `name` and a random suffix. `why` is logged.
 */
int ovi_quarantine(struct ovl2_store *store, const char *path, const char *name, const char *why,
                   struct ovl2_error *err);

/* A layer, with its entry in `l`. The store must be locked exclusively. */
int ovi_quarantine_layer(struct ovl2_store *store, const char *id, const char *why,
                         struct ovl2_error *err);

/*
 * Puts aside what an earlier boot made without flushing it. A layer below one that
 * is on disk is on disk too, so what stays is whole.
 */
int ovi_quarantine_unflushed(struct ovl2_store *store, struct ovl2_error *err);
