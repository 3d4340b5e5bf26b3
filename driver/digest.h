#pragma once

/*
 * What a layer held when it was committed: the sha256 of its diff, which is the same
 * bytes for the same tree, kept in its record for a later comparison.
 */

#include "names.h"
#include "store.h"

#include <ovl2.h>

/* The digest of layer `id` as it is now. Reads all of it. */
int ovi_digest_compute(struct ovl2_store *store, const char *id, char ret_digest[OVL2_DIGEST_SIZE],
                       struct ovl2_error *err);

/*
 * For layer `id` while it is in `stage`, its content open as `root`: completes its
 * record if that asks for a digest and the layer is committed by being published.
 */
int ovi_digest_add_to_stage(const struct ovi_stage *stage, const char *id, int root,
                            struct ovi_asker *asker, struct ovl2_error *err);

/*
 * Completes the record of a committed layer. Returns 1, or 0 when it had a digest
 * already. No lock may be held.
 */
int ovi_digest_add(struct ovl2_store *store, const char *id, struct ovl2_error *err);
