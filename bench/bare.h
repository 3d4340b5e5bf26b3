#pragma once

/*
 * One mount of a layer by bare system calls: the floor of mounting. All that the
 * library has to find out, names, options and descriptors, is at hand before the
 * clock runs; what is left is what the kernel wants to be told.
 */

#include <ovl2.h>

#include <stddef.h>

struct bare {
	struct ovl2_mount_spec *spec;

	/* Overlay options that come after the directories: "index=off,..." or "". */
	char more[256];

	/* For the method append: what of each path is the store's, its slash included. */
	size_t home_bytes;

	/* For the method fd: the lowers, topmost first, the upper and the work. */
	int *lowers;
	size_t lower_count;
	int is_shared; /* the lowers are another's */
	int upper;
	int work;
};

#define BARE_NONE                       \
	{                               \
		.upper = -1, .work = -1 \
	}

/*
 * Gets ready to do what ovl2_layer_mount() would for layer `id`, which stays as it is.
 * `deeper` may be NULL, or that of a layer with the same lowers below more of them: its
 * descriptors are then used, and it must stay open as long.
 */
int bare_open(struct ovl2_store *store, const char *id, const struct ovl2_mount_options *options,
              const struct bare *deeper, struct bare *ret_bare, struct ovl2_error *err);

/* Safe on BARE_NONE. */
void bare_close(struct bare *bare);

/* By the methods relative and append the working directory must be the store's. */
int bare_mount(const struct bare *bare, struct ovl2_error *err);
int bare_unmount(const struct bare *bare, struct ovl2_error *err);
