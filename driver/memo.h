#pragma once

/*
 * What a store's handle remembers: layers it has read and checked, and descriptors of
 * their content. Only ever a saving: every use first looks whether the files that it
 * knows are still the same ones, and the directory of links with them, so that nothing
 * comes from memory that the disk would refuse.
 */

#include "id.h"

#include <ovl2.h>

#include <stdint.h>

/* Layers remembered: one a slot, the newest. */
#define OVI_MEMO_LAYERS 512

struct ovi_layer;
struct ovi_memo;

/* One file as it was: all zeroes for none. */
struct ovi_stamp {
	uint64_t inode;
	uint64_t size;
	int64_t changed_s;
	uint32_t changed_ns;
};

/* All that what is known of a layer depends on. */
struct ovi_version {
	struct ovi_stamp links; /* the directory l/ */
	struct ovi_stamp record;
	struct ovi_stamp link;
	struct ovi_stamp lower;
};

/* NULL when out of memory. */
struct ovi_memo *ovi_memo_new(void);

/* NULL is fine. Nothing may be pinned any more. */
void ovi_memo_free(struct ovi_memo *memo);

/*
 * Sets layer->version to what is on disk, and fills in record, link and chain from
 * memory where it is about that version. 1 when it did, 0 when they must be read.
 */
int ovi_memo_recall(struct ovi_layer *layer, struct ovl2_error *err);

/* Remembers `layer` as of layer->version, in place of another if need be. */
void ovi_memo_keep(const struct ovi_layer *layer);

/*
 * The content of a layer's lowers as O_PATH descriptors in the order of its chain,
 * which cannot come to mean something else. Start from all zeroes.
 */
struct ovi_pins {
	struct ovi_memo *memo;
	struct ovi_pin **pins;
	int *fds; /* borrowed from the pins */
	size_t count;
};

/*
 * Opens what the links of layer->chain lead to. Each must lead to `../<id>/diff`, a
 * directory of the store, and no layer may be there twice or under itself.
 *
 * Errors: OVL2_E_CORRUPT.
 */
int ovi_pins_open(const struct ovi_layer *layer, struct ovi_pins *pins, struct ovl2_error *err);

void ovi_pins_release(struct ovi_pins *pins);
