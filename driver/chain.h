#pragma once

/* The layers under a layer, as its `link` and `lower` files have them. Strict. */

#include "id.h"
#include "store.h"

#include <ovl2.h>

#include <stddef.h>

/* The lowers of one layer, topmost (the parent) first. Start from all zeroes. */
struct ovi_chain {
	size_t count;
	char (*links)[OVI_LINK_SIZE]; /* "l/<26 characters>" */
	char (*ids)[OVL2_ID_SIZE];
};

#define cleanup_chain __attribute__((cleanup(ovi_chain_release)))

void ovi_chain_release(struct ovi_chain *chain);

/*
 * Reads the lowers of layer `id`, whose directory is `layer`.
 *
 * Errors: OVL2_E_CORRUPT, naming what is wrong, for an empty or garbled file, a
 * link that is missing or leads anywhere but to `../<id>/diff`, a layer that
 * occurs twice, or `id` itself among them.
 */
int ovi_chain_read(struct ovl2_store *store, int layer, const char *id, struct ovi_chain *ret_chain,
                   struct ovl2_error *err);

/*
 * Reads the short name of layer `id`, as "l/<26 characters>", and checks that it
 * leads back to the layer. Errors: OVL2_E_CORRUPT.
 */
int ovi_link_read(struct ovl2_store *store, int layer, const char *id, char ret_link[OVI_LINK_SIZE],
                  struct ovl2_error *err);
