#pragma once

/*
 * What a layer changed, as a stream of entries: the one source of diff, changes
 * and diff size. Two walks make it, of the layer's own directory (upper) and of
 * two mounted views (compare); they agree on what they emit. What an upper only
 * refers to, it changes over to comparing for: a directory that was renamed with
 * redirect_dir=on has its content below, under another name.
 */

#include "folder.h"
#include "names.h"
#include "store.h"

#include <ovl2.h>

#include <sys/stat.h>

struct ovi_change {
	enum ovl2_change_kind kind;

	/* From the root of the layer, no leading slash; "" for the root itself. */
	const char *path;

	/*
	 * Where it is, unless deleted: `name` in `parent`. A directory is open as `self`;
	 * of the root there is only that.
	 */
	struct ovi_folder *parent;
	const char *name;
	struct ovi_folder *self;
	unsigned char type; /* DT_*, never unknown */

	/* Of what is no directory, where the audience asked for it. */
	const struct stat *st;
};

/* Non-zero ends the walk and becomes its result. */
typedef int ovi_change_fn(void *data, const struct ovi_change *change, struct ovl2_error *err);

/* Who is told, and how much. */
struct ovi_audience {
	ovi_change_fn *each;
	void *data;

	/* Tell what was added from what was modified: costs a look below for each. */
	int wants_kind;

	/* Tell what was deleted: costs a look below for each whiteout. */
	int wants_deletions;

	/* Tell sizes and the like: costs a look at each. */
	int wants_stat;

	/* Asked now and then, also where there is nothing to tell; or NULL. */
	const struct ovi_asker *asker;

	/* Any order will do, of those in a directory, and no deletions are wanted. */
	int is_unordered;
};

/*
 * Calls `each` for everything that changed, sorted, directories before what is in
 * them; stops at the first non-zero result and returns it.
 */
int ovi_changes_walk(struct ovl2_store *store, const char *id,
                     const struct ovl2_diff_options *options, const struct ovi_audience *audience,
                     struct ovl2_error *err);

/*
 * The same directory of two views, compared; `before` NULL where there is none. `path`
 * is where it is, "" for the roots, or with a slash at its end; the directory itself
 * is emitted for the roots only.
 */
int ovi_changes_between(struct ovi_folder *before, struct ovi_folder *after, const char *path,
                        const struct ovi_audience *audience, struct ovl2_error *err);

/*
 * The same of what is to be the content of a layer, fresh from a tar in directory
 * `upper`, on top of layer `parent`, "" for none.
 */
int ovi_changes_walk_aside(struct ovl2_store *store, const char *parent, int upper,
                           const struct ovi_audience *audience, struct ovl2_error *err);

/* Sums up the files of a diff directory: see ovl2_layer_diff_size(). */
int ovi_changes_size_of_upper(struct ovl2_store *store, int upper, const struct ovi_asker *asker,
                              uint64_t *ret_bytes, struct ovl2_error *err);
