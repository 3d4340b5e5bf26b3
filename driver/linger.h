#pragma once

/*
 * Mounts that live on when they are unmounted: bound elsewhere, copied with a mount
 * namespace, detached while somebody used them. What is left of one is its superblock.
 */

#include <sys/types.h>

/* The superblock of what is mounted on `merged` in this directory; 0 for cannot tell. */
dev_t ovi_linger_superblock(int layer);

/*
 * Is that superblock still there? Another filesystem can have got the number since, so
 * that yes means perhaps; no is certain. Costs one system call.
 */
int ovi_linger_is_possible(dev_t superblock);
