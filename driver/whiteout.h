#pragma once

/*
 * How a deletion is written: in a tar as a file named ".wh.NAME" (OCI image spec,
 * layer.md), in an upper as a character device 0:0 (kernel, overlayfs.rst).
 */

#include "attributes.h"

#include <ovl2.h>

#include <sys/stat.h>

#define OVI_WHITEOUT_PREFIX ".wh."

enum ovi_entry {
	OVI_ENTRY_PLAIN,

	/* ".wh.NAME": NAME is deleted. */
	OVI_ENTRY_WHITEOUT,

	/* ".wh..wh..opq": all that the layers below have in this directory is. */
	OVI_ENTRY_OPAQUE,

	/* Other ".wh..wh." names: aufs's own bookkeeping, of no meaning here. */
	OVI_ENTRY_RESERVED,

	/* ".wh.", ".wh..", ".wh...": would delete the directory or its parent. */
	OVI_ENTRY_INVALID
};

/*
 * What the last component of a tar entry's name means. `ret_target` receives the
 * deleted name, inside `name`, for a whiteout only.
 */
enum ovi_entry ovi_entry_classify(const char *name, const char **ret_target);

/* Marks directory `name` in `dir` ("." is `dir`): nothing below shows through it. */
int ovi_opaque_set(int dir, const char *name, const struct ovi_attributes *attributes,
                   struct ovl2_error *err);

/* Is directory `name` in `dir` so marked? 1 or 0. */
int ovi_opaque_read(int dir, const char *name, const struct ovi_attributes *attributes,
                    struct ovl2_error *err);

static inline int ovi_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}
