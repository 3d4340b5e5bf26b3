#include "stats.h"

#include <math.h>
#include <stdlib.h>

/* Those before and those after in each two; there may be no two. */
static int compare_neighbours(const double *values, size_t count, double *before, double *after,
                              struct stats_ratio *ret_ratio)
{
	*ret_ratio = (struct stats_ratio){ .value = 1, .low = 1, .high = 1 };
	if (count < 2)
		return 0;
	for (size_t i = 0; i < count / 2; i++) {
		before[i] = values[2 * i];
		after[i] = values[2 * i + 1];
	}

	return stats_pair_ratio(after, before, count / 2, ret_ratio);
}

int stats_compare_pairs(const double *fresh, const double *base, size_t count,
                        struct stats_pairs *ret_pairs)
{
	double *scratch = calloc(count, sizeof(*scratch));
	int r = -1;

	if (!scratch)
		return -1;
	if (stats_pair_ratio(fresh, base, count, &ret_pairs->ratio) == 0)
		r = compare_neighbours(base, count, scratch, scratch + count / 2,
		                       &ret_pairs->control);
	for (size_t i = 0; i < count; i++)
		scratch[i] = log(fresh[i] / base[i]);
	if (r == 0)
		r = stats_signed_rank(scratch, count, &ret_pairs->p);
	free(scratch);

	return r;
}
