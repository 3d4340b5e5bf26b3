#pragma once

/* What the kernel says of a mount, for tests: its line in the mount table. */

#include "fixture.h"

/*
 * Options of what is mounted exactly on `path`, with commas in front and behind, so
 * that ",ro," can be looked for. free(3). Fails the test when nothing is.
 */
char *mounted_flags(const char *path);   /* of the mount: ro, nodev, ... */
char *mounted_options(const char *path); /* of the filesystem: lowerdir, ... */
char *mounted_source(const char *path);  /* the first column of /proc/mounts */

/* Mounts with these options; free(3) the path. */
char *mount_layer_with(struct ovl2_store *store, const char *id,
                       const struct ovl2_mount_options *options);

/* Does this kernel mount by this method here? Auto: always. */
int has_method(const struct test_place *place, enum ovl2_mount_method method);
