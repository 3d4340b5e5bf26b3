#pragma once

/*
 * What a layer changed, as a stream of entries: the one source of diff, changes
 * and diff size. Two walks make it, of the layer's own directory (upper) and of
 * two mounted views (compare); they agree on what they emit.
 */

#include "store.h"

#include <ovl2.h>

#include <sys/stat.h>

struct ovi_change {
	enum ovl2_change_kind kind;

	/* From the root of the layer, no leading slash; "" for the root itself. */
	const char *path;

	/* Where to read it, unless deleted: `name` ("." for the root) in `dir`. */
	int dir;
	const char *name;
	struct stat st;
};

typedef int ovi_change_fn(void *data, const struct ovi_change *change, struct ovl2_error *err);

/* Who is told, and how much. */
struct ovi_audience {
	ovi_change_fn *each;
	void *data;

	/* Tell what was added from what was modified: costs a look below for each. */
	int wants_kind;

	/* Tell what was deleted: costs a look below for each whiteout. */
	int wants_deletions;
};

/*
 * Calls `each` for everything that changed, sorted, directories before what is in
 * them; stops at the first non-zero result and returns it.
 *
 * Errors: OVL2_E_UNSUPPORTED for an upper with redirects, whose content is
 * elsewhere.
 */
int ovi_changes_walk(struct ovl2_store *store, const char *id,
                     const struct ovl2_diff_options *options, const struct ovi_audience *audience,
                     struct ovl2_error *err);

/* The roots of two views, descriptors opened for reading, compared. */
int ovi_changes_between(int before, int after, const struct ovi_audience *audience,
                        struct ovl2_error *err);

/* Sums up the files of a diff directory: see ovl2_layer_diff_size(). */
int ovi_changes_size_of_upper(int upper, uint64_t *ret_bytes, struct ovl2_error *err);
