#pragma once

/*
 * Where the entries of an untrusted tar land. The kernel resolves the directory of
 * each inside one root (openat2 with RESOLVE_IN_ROOT: links in the layer are followed
 * as if the layer were the root of everything), so that no name leads out of it; and
 * the last component is never followed.
 */

#include "strbuf.h"
#include "times.h"

#include "attributes.h"

#include <ovl2.h>

#include <stdint.h>
#include <sys/types.h>

/* A tar goes into a directory, out of it and back again: this many are kept open. */
#define OVI_PLACE_CACHE 8

/* A descriptor, never a path to be walked again. */
struct ovi_place_directory {
	int fd;
	int is_open;
	uint64_t used;
	struct ovi_strbuf path;
};

struct ovi_place {
	/* The root of what is being made, and of what lies below it; -1: nothing. */
	int root;
	int below;

	/* The mount of its own that `root` is in, or -1. Open as long as it is used. */
	int mount;

	/*
	 * The same directory as `root`, in the mount that the store is in: for walks. Where a
	 * mount shows a part of a filesystem, the kernel looks at all directories above for
	 * each ".." (fs/namei.c, path_connected), and a tar can be deep.
	 */
	int tree;

	/* Under which names overlayfs keeps its marks there. */
	const struct ovi_attributes *attributes;

	/* Who owns directories that nothing says anything about. */
	uid_t implied_uid;
	gid_t implied_gid;

	struct ovi_place_directory cache[OVI_PLACE_CACHE];
	uint64_t clock;

	/* The caller's list, for directories that look as those below. */
	struct ovi_times *times;

	/* Has a directory a list of access for what is made in it? */
	int has_default_acls;

	/* Something was replaced: the same path may lead elsewhere now. */
	int is_stale;

	/* This kernel, or what it runs us in, lacks openat2(2). */
	int has_no_openat2;
};

#define OVI_PLACE_NONE                                            \
	{                                                         \
		.root = -1, .below = -1, .mount = -1, .tree = -1, \
		.attributes = &ovi_trusted_attributes             \
	}

/* Closes all that is open. */
void ovi_place_release(struct ovi_place *place);

/* Takes `fd`, of directory `path`, for the entries in it that will come. */
int ovi_place_keep(struct ovi_place *place, const char *path, size_t length, int fd,
                   struct ovl2_error *err);

/*
 * Puts `name` without leading, doubled and trailing slashes and without "." into
 * `path`; "" is the root.
 *
 * Errors: OVL2_E_CORRUPT for "..", which as text and as the kernel reads it can mean
 * two things, for a component that is too long, and for a directory named as a whiteout.
 */
int ovi_place_normalise(const char *name, struct ovi_strbuf *path, struct ovl2_error *err);

/* Opens directory `path` inside the root; -1 with errno when it cannot be. */
int ovi_place_open(struct ovi_place *place, const char *path);

/*
 * Finds the directory of `path`, normalised and not "", and the name in it. Makes
 * directories that are missing, looking as those below that they will be merged with.
 * `ret_dir` is borrowed until the next call.
 */
int ovi_place_locate(struct ovi_place *place, const char *path, int *ret_dir, const char **ret_name,
                     struct ovl2_error *err);
