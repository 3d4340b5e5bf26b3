#pragma once

/* Owners in a tar, and the owners on disk that they stand for. */

#include <ovl2.h>

#include <sys/types.h>

/*
 * Maps `id`; without a map it stays the same. Negative when it is not an id of Linux,
 * or not in the map.
 */
int ovi_owner_map(const struct ovl2_id_range *map, size_t count, int64_t id, uid_t *ret_id);

/* Errors: OVL2_E_INVALID for ranges that are empty, too large or overlap. */
int ovi_owner_check(const struct ovl2_id_range *map, size_t count, struct ovl2_error *err);
