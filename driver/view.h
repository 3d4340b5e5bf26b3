#pragma once

/* A layer on top of its lowers, as the overlay to be mounted. */

#include "layer.h"
#include "overlay.h"

#include <ovl2.h>

/* Start from all zeroes; lives no longer than the layer and store it is made of. */
struct ovi_view {
	struct ovi_overlay overlay;

	/* What the overlay borrows. */
	struct ovi_pins pins;
	char upper[OVI_LAYER_PATH_SIZE];
	char work[OVI_LAYER_PATH_SIZE];
};

#define cleanup_view __attribute__((cleanup(ovi_view_release)))

/*
 * Writable: the layer's diff as upper. Else all of it as lowers. A layer that
 * stands alone gets an empty directory below, since overlayfs wants two.
 * `by_descriptor`: for a method that takes descriptors. `label` may be NULL and is
 * borrowed.
 */
int ovi_view_init(struct ovi_view *view, struct ovi_layer *layer, int is_writable,
                  int by_descriptor, const char *label, struct ovl2_error *err);

void ovi_view_release(struct ovi_view *view);

/*
 * Opens what layer `id` shows, read-only and attached nowhere; `id` "" shows an
 * empty directory. The descriptor keeps it alive.
 */
int ovi_view_open(struct ovl2_store *store, const char *id, int *ret_root, struct ovl2_error *err);

/*
 * The same with all that a mount could have left in an upper understood: names
 * elsewhere (redirect_dir) and data elsewhere (metacopy), or, with `are_user_marks`,
 * what userxattr leaves.
 */
int ovi_view_open_content(struct ovl2_store *store, const char *id, int are_user_marks,
                          int *ret_root, struct ovl2_error *err);

/* 1 when layer `id` stands on no others. */
int ovi_view_is_plain(struct ovl2_store *store, const char *id, struct ovl2_error *err);

/*
 * Instead, where only names are to be looked up: the directory of a layer that is plain,
 * which costs no mount. There is nothing below it to show through, and of its own marks
 * only whiteouts matter, which show as files.
 */
int ovi_view_open_plain(struct ovl2_store *store, const char *id, int *ret_root,
                        struct ovl2_error *err);

/*
 * The same as its last mount with index=on showed it: there a file that had several
 * names below and was changed by one of them is changed by all, and only the index in
 * its work directory knows. Needs the upper to itself.
 */
int ovi_view_open_indexed(struct ovl2_store *store, const char *id, int *ret_root,
                          struct ovl2_error *err);
