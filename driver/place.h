#pragma once

/*
 * Where the entries of an untrusted tar land. The kernel resolves the directory of
 * each inside one root (openat2 with RESOLVE_IN_ROOT: links in the layer are followed
 * as if the layer were the root of everything), so that no name leads out of it; and
 * the last component is never followed.
 */

#include "strbuf.h"

#include <ovl2.h>

struct ovi_place {
	/* The root of what is being made, and of what lies below it; -1: nothing. */
	int root;
	int below;

	/*
	 * The directory of the last entry: most are in the same as the one before. A
	 * descriptor, never a path to be walked again.
	 */
	int parent;
	struct ovi_strbuf parent_path;

	/* Something was replaced: the same path may lead elsewhere now. */
	int is_stale;
};

#define OVI_PLACE_NONE                                \
	{                                             \
		.root = -1, .below = -1, .parent = -1 \
	}

/* Closes all three. */
void ovi_place_release(struct ovi_place *place);

/*
 * Puts `name` without leading, doubled and trailing slashes and without "." into
 * `path`; "" is the root.
 *
 * Errors: OVL2_E_CORRUPT for "..", which as text and as the kernel reads it can mean
 * two things, for what is too long, and for a directory named as a whiteout.
 */
int ovi_place_normalise(const char *name, struct ovi_strbuf *path, struct ovl2_error *err);

/* Opens directory `path` inside the root; -1 with errno when it cannot be. */
int ovi_place_open(const struct ovi_place *place, const char *path);

/*
 * Finds the directory of `path`, normalised and not "", and the name in it. Makes
 * directories that are missing, looking as those below that they will be merged with.
 * `ret_dir` is borrowed until the next call.
 */
int ovi_place_locate(struct ovi_place *place, const char *path, int *ret_dir, const char **ret_name,
                     struct ovl2_error *err);
