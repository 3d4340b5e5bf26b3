#include "owner.h"

#include "fail.h"

int ovi_owner_map(const struct ovl2_id_range *map, size_t count, int64_t id, uid_t *ret_id)
{
	/* 2^32-1 means "leave as it is" to chown(2). */
	if (id < 0 || id >= UINT32_MAX)
		return -1;
	if (!count) {
		*ret_id = (uid_t)id;
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		if (id >= map[i].container && id - map[i].container < map[i].count) {
			*ret_id = (uid_t)(map[i].host + (id - map[i].container));
			return 0;
		}

	return -1;
}

static int overlap(uint32_t a, uint32_t b, uint64_t a_count, uint64_t b_count)
{
	return a < b + b_count && b < a + a_count;
}

int ovi_owner_check(const struct ovl2_id_range *map, size_t count, struct ovl2_error *err)
{
	if (count && !map)
		return ovi_fail(err, OVL2_E_INVALID, "an id map of %zu ranges is NULL", count);
	for (size_t i = 0; i < count; i++) {
		const struct ovl2_id_range *range = &map[i];

		if (!range->count || (uint64_t)range->container + range->count > UINT32_MAX ||
		    (uint64_t)range->host + range->count > UINT32_MAX)
			return ovi_fail(err, OVL2_E_INVALID,
			                "id map range %u:%u:%u is empty or goes beyond 2^32-2",
			                range->container, range->host, range->count);
		for (size_t j = 0; j < i; j++)
			if (overlap(range->container, map[j].container, range->count,
			            map[j].count) ||
			    overlap(range->host, map[j].host, range->count, map[j].count))
				return ovi_fail(err, OVL2_E_INVALID,
				                "id map range %u:%u:%u overlaps with another",
				                range->container, range->host, range->count);
	}

	return 0;
}
