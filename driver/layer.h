#pragma once

/* One layer of a store, opened. */

#include "chain.h"
#include "memo.h"
#include "record.h"
#include "store.h"

#include <ovl2.h>

struct ovi_layer {
	struct ovl2_store *store;
	int dir; /* <home>/<id>; -1 when not open */
	char id[OVL2_ID_SIZE];
	char link[OVI_LINK_SIZE];
	struct ovi_record record;
	struct ovi_chain chain;

	/* Of its files when they were read. */
	struct ovi_version version;

	/* Is the directory locked, and not to be closed otherwise than it was opened? */
	int is_locked;

	/* Known to have no mark of a mount without syncs? 0 when nobody has looked. */
	int is_settled;
};

#define OVI_LAYER_NONE    \
	{                 \
		.dir = -1 \
	}

#define cleanup_layer __attribute__((cleanup(ovi_layer_close)))

/*
 * Opens layer `id` and reads what its files say of it. Not for who has the store
 * locked exclusively: where the files make no sense they are read again under a lock.
 *
 * Errors: OVL2_E_INVALID for an id, OVL2_E_NOT_FOUND, OVL2_E_CORRUPT.
 */
int ovi_layer_open(struct ovl2_store *store, const char *id, struct ovi_layer *ret_layer,
                   struct ovl2_error *err);

/*
 * As ovi_layer_open(), and remembers nothing: for who opens more layers than are
 * remembered, once each.
 */
int ovi_layer_open_once(struct ovl2_store *store, const char *id, struct ovi_layer *ret_layer,
                        struct ovl2_error *err);

/* Safe on OVI_LAYER_NONE. */
void ovi_layer_close(struct ovi_layer *layer);

/*
 * As ovi_layer_open(), and locks the layer against mounts, unmounts, applies and
 * new children, until it is closed. The store must be locked.
 */
int ovi_layer_open_locked(struct ovl2_store *store, const char *id, struct ovi_layer *ret_layer,
                          struct ovl2_error *err);

/*
 * As ovi_layer_open_locked(), for who takes the layer away: its lowers, which may be
 * damaged or gone, are not read, and nothing is remembered of it.
 */
int ovi_layer_open_last(struct ovl2_store *store, const char *id, struct ovi_layer *ret_layer,
                        struct ovl2_error *err);

/*
 * Says in the records of layer `id`, "" for none, and of all below it that they are
 * on disk, which the caller has seen to with a flush, and flushes that too. The store
 * must be locked. Layers below one that is on disk are as well.
 */
int ovi_layer_settle(struct ovl2_store *store, const char *id, struct ovl2_error *err);

/*
 * Makes work and merged of the layer with directory `dir` where they are missing. Docker
 * makes them when it needs them; a layer of ours has them from the start.
 */
int ovi_layer_make_targets(int dir, struct ovl2_error *err);

/* Marks the layer as committed, for us and for Docker, if it is not yet. */
int ovi_layer_commit(struct ovi_layer *layer, struct ovl2_error *err);
