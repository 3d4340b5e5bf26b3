#pragma once

/*
 * Who holds a layer's mount. That it is mounted is the kernel's word alone; how
 * often is counted in the run directory, which a reboot empties as it does mounts.
 */

#include "layer.h"

#include <ovl2.h>

#define OVI_LABEL_SIZE 256

/* "nodev,nosuid,noexec,skip_sync,userns:4026532281" */
#define OVI_FLAGS_SIZE 64

struct ovi_hold {
	/* 0: not mounted. A mount that nobody counted is held once. */
	uint32_t count;

	/* Of the mount there is: "nodev,nosuid", "" for none. */
	int is_writable;
	char flags[OVI_FLAGS_SIZE];
	char label[OVI_LABEL_SIZE];
};

/* Is something mounted on `merged` of the layer with this directory? 1 or 0. */
int ovi_hold_is_mounted(int layer, const char *id, struct ovl2_error *err);

/* Errors: OVL2_E_CORRUPT for a damaged count. The layer must be locked. */
int ovi_hold_read(struct ovi_layer *layer, struct ovi_hold *ret_hold, struct ovl2_error *err);

/*
 * Fails with OVL2_E_BUSY when the layer's upper is still that of a mount which lives on
 * elsewhere (see linger.h): of two mounts of one upper neither sees what the other does.
 * Only where the layer has a count, which such a mount leaves; otherwise costs one look at
 * the run directory. For a layer that is not mounted.
 */
int ovi_hold_check_detached(struct ovi_layer *layer, struct ovl2_error *err);

/*
 * Counts a mount that is about to be made, of a layer that is not mounted. The same
 * errors, with the count left as it was; but where there was no such mount, and so no
 * count, that it looks for one costs nothing.
 */
int ovi_hold_claim(struct ovi_layer *layer, const struct ovi_hold *hold, struct ovl2_error *err);

/* Sets the count, which is not 0, of a mount whose flags and label stay as they are. */
int ovi_hold_write(struct ovi_layer *layer, const struct ovi_hold *hold, struct ovl2_error *err);

/* Of a layer that is not mounted any more. */
int ovi_hold_forget(struct ovi_layer *layer, struct ovl2_error *err);
