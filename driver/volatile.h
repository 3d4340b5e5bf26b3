#pragma once

/*
 * Layers that are mounted without syncs. Such a layer has a file with the boot it was
 * so in, from before the mount until all of it is on disk. overlayfs has its own mark,
 * in the work directory, and refuses to mount while it is there; but it never takes it
 * away.
 */

#include "store.h"

#include <ovl2.h>

/* Before such a mount of the layer whose directory is `layer`; `id` is for errors. */
int ovi_volatile_mark(const struct ovl2_store *store, int layer, const char *id,
                      struct ovl2_error *err);

/*
 * 1 when the layer is mounted so, or was and has not been settled; 0 when not.
 *
 * Errors: OVL2_E_CORRUPT when the machine went down meanwhile: its content cannot be
 * trusted.
 */
int ovi_volatile_check(const struct ovl2_store *store, int layer, struct ovl2_error *err);

/* All to disk, then no marks: an ordinary layer again. It must not be mounted. */
int ovi_volatile_settle(const struct ovl2_store *store, int layer, struct ovl2_error *err);
