#pragma once

/*
 * The two sets of names under which overlayfs keeps its marks in a layer:
 * trusted.overlay.*, which only root of the host may set, and user.overlay.*, for
 * mounts with the option userxattr (Linux >= 5.11).
 */

#include <ovl2.h>

struct ovi_attributes {
	/* The overlay option that goes with them, or "". */
	const char *option;

	/* "y": what is below does not show; "x": whiteouts may be files. */
	const char *opaque;
	const char *redirect;
	const char *metacopy;
	const char *whiteout;
};

extern const struct ovi_attributes ovi_trusted_attributes;
extern const struct ovi_attributes ovi_user_attributes;

/*
 * Which of them this process can set, tried on directory `name` in `dir` ("." is `dir`
 * itself). A read-only filesystem counts as trusted: nothing can be set there.
 */
int ovi_attributes_choose(int dir, const char *name, const struct ovi_attributes **ret_attributes,
                          struct ovl2_error *err);
