#pragma once

/* Who uses a mount: what an unmount that is refused has to say. */

#include <ovl2.h>

/*
 * Fails with OVL2_E_BUSY, naming a few of the processes that have their directory,
 * their root, an open file or mapped code on the mount at `path`.
 */
int ovi_holders_fail(const char *path, struct ovl2_error *err);
