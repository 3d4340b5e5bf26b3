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
struct ovi_sighting {
	uint64_t inode;
	uint64_t size;
	int64_t changed_s;
	uint32_t changed_ns;

	/* 0, or what no other sighting has: it could change once more within the same time. */
	uint64_t fresh;
};

/* All that what is known of a layer depends on. */
struct ovi_version {
	struct ovi_sighting links; /* the directory l/ */
	struct ovi_sighting own;   /* the layer's own directory: what is in it, and is what */
	struct ovi_sighting record;
	struct ovi_sighting link;
	struct ovi_sighting lower;
};

/* NULL when out of memory. */
struct ovi_memo *ovi_memo_new(void);

/* NULL is fine. Nothing may be pinned any more. */
void ovi_memo_free(struct ovi_memo *memo);

/*
 * Sets layer->version to what is on disk, and fills in record, link, chain and is_settled
 * from memory where it is about that version. 1 when it did, 0 when they must be read.
 */
int ovi_memo_recall(struct ovi_layer *layer, struct ovl2_error *err);

/* Remembers `layer` as of layer->version, in place of another if need be. */
void ovi_memo_keep(const struct ovi_layer *layer);

/*
 * Remembers a layer that was made and is still locked against everybody else: sets
 * layer->version and is_settled, too.
 */
void ovi_memo_keep_new(struct ovi_layer *layer);

/* Sets layer->is_settled, and remembers that too. */
void ovi_memo_settle(struct ovi_layer *layer);

/*
 * The directory of layer `id` as it was opened once, for the caller alone until it is
 * kept again; -1 when there is none. It need not be in its place any more.
 */
int ovi_memo_take_dir(struct ovl2_store *store, const char *id);

/* Keeps layer->dir, which nobody may have locked, for the next call: 1 when it did. */
int ovi_memo_keep_dir(const struct ovi_layer *layer);

/*
 * Finds out whether times of changes here tell any two apart that were looked at in
 * between (Linux >= 6.13 on ext4, xfs and btrfs), so that what was made a moment ago can
 * be remembered too. `dir` is a new directory of the caller's alone, in the store, and is
 * empty again afterwards.
 */
int ovi_memo_try_times(struct ovi_memo *memo, int dir, struct ovl2_error *err);

/*
 * symlinkat(2) and unlinkat(2) in the directory of links, of the layer's link, without
 * forgetting what that changes nothing of. The store must be locked, for the second
 * exclusively: then nobody else takes a link away meanwhile, and that others add some
 * changes nothing either. The second forgets the layer, which is to have no directory
 * any more.
 */
int ovi_memo_link(struct ovl2_store *store, const char *link, const char *target);
int ovi_memo_unlink(const struct ovi_layer *layer);

struct ovi_pin_set;

/*
 * What may be a lower in a view of a layer, as overlayfs wants to be told: the layer
 * itself, by its link; what is below it, or the empty directory where nothing is. The
 * descriptors are O_PATH and cannot come to mean something else; -1 for the two that
 * are not its chain, and for what is not open. Start from all zeroes.
 */
struct ovi_pins {
	struct ovi_memo *memo;
	struct ovi_pin_set *set;

	/* Borrowed from the set. */
	const char *const *names;
	const int *fds;
	size_t count;

	/* Its diff and work directory, which a writable view has on top; -1 when missing or not
	 * open. */
	int upper;
	int work;
};

/*
 * Finds what the links of layer->chain lead to, and opens it, `by_descriptor`, as far as
 * the process may have that many open. Each must lead to `../<id>/diff`, a directory of
 * the store, and no layer may be there twice or under itself.
 *
 * Errors: OVL2_E_CORRUPT.
 */
int ovi_pins_open(const struct ovi_layer *layer, int by_descriptor, struct ovi_pins *pins,
                  struct ovl2_error *err);

void ovi_pins_release(struct ovi_pins *pins);
