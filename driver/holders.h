#pragma once

/* Unmounting, and who uses a mount: what one that is refused has to say. */

#include <ovl2.h>

/*
 * Unmounts what is mounted at `path`, which is not followed.
 *
 * Errors: OVL2_E_BUSY, naming a few of the processes that have their directory, their
 * root, an open file or mapped code on it.
 */
int ovi_unmount(const char *path, struct ovl2_error *err);
