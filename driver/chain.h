#pragma once

/* The layers under a layer, as its `link` and `lower` files have them. Strict. */

#include "id.h"
#include "store.h"

#include <ovl2.h>

#include <stddef.h>

struct ovi_links;

/* The lowers of one layer, topmost (the parent) first. Start from all zeroes. */
struct ovi_chain {
	size_t count;
	char (*links)[OVI_LINK_SIZE]; /* "l/<26 characters>" */
	struct ovi_links *owner;      /* of these links, which chains may have in common */
	char parent[OVL2_ID_SIZE];    /* "" for a base layer */

	/* Whose links they are; NULL until ovi_chain_resolve(). */
	char (*ids)[OVL2_ID_SIZE];
};

#define cleanup_chain __attribute__((cleanup(ovi_chain_release)))

void ovi_chain_release(struct ovi_chain *chain);

/* The same links and parent once more, without the ids, and without copying the links. */
void ovi_chain_share(const struct ovi_chain *from, struct ovi_chain *ret_to);

/* The text of a `lower` file, which is not empty. Fills in the links only. */
int ovi_chain_parse(const char *text, struct ovi_chain *chain, struct ovl2_error *err);

/*
 * Reads the lowers of layer `id`, whose directory is `layer`: as many calls for a
 * hundred of them as for one.
 *
 * Errors: OVL2_E_CORRUPT, naming what is wrong, for an empty or garbled file, a
 * parent that is not a layer, or lowers that are not the parent's.
 */
int ovi_chain_read(struct ovl2_store *store, int layer, const char *id, struct ovi_chain *ret_chain,
                   struct ovl2_error *err);

/*
 * Finds out whose links they are, for a use of the layers themselves. Once: later
 * calls do nothing.
 *
 * Errors: OVL2_E_CORRUPT for a link that is missing or leads anywhere but to
 * `../<id>/diff`, a directory of the store; for a layer that occurs twice, or `id`
 * itself among them.
 */
int ovi_chain_resolve(struct ovl2_store *store, const char *id, struct ovi_chain *chain,
                      struct ovl2_error *err);

/* The layer that a link, "l/<26 characters>", leads to. Errors: OVL2_E_CORRUPT. */
int ovi_link_follow(const struct ovl2_store *store, const char *link, char ret_id[OVL2_ID_SIZE],
                    struct ovl2_error *err);

/*
 * Reads the short name of layer `id`, as "l/<26 characters>", and checks that it
 * leads back to the layer. Errors: OVL2_E_CORRUPT.
 */
int ovi_link_read(struct ovl2_store *store, int layer, const char *id, char ret_link[OVI_LINK_SIZE],
                  struct ovl2_error *err);
