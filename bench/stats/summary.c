#include "stats.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define WANTED_CONFIDENCE 0.95

/* log of (n over k) / 2^n: the chance that k of n samples lie below the median. */
static double log_chance(size_t n, size_t k)
{
	return lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1) -
	       (double)n * log(2);
}

void stats_ranks(size_t count, size_t *ret_low, size_t *ret_high, double *ret_confidence)
{
	double outside;
	size_t low = 1;

	assert(count > 0);

	/*
	 * The median lies outside the ranks low..count+1-low when fewer than `low`
	 * samples are on one side of it. Symmetric, so one tail counts twice. Move
	 * the ranks inwards while what remains outside stays small enough.
	 */
	outside = 2 * exp(log_chance(count, 0));
	for (;;) {
		double more = outside + 2 * exp(log_chance(count, low));

		if (1 - more < WANTED_CONFIDENCE || 2 * (low + 1) > count)
			break;
		outside = more;
		low++;
	}

	*ret_low = low;
	*ret_high = count + 1 - low;
	*ret_confidence = outside < 1 ? 1 - outside : 0;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

void stats_sort(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
}

double stats_median(const double *sorted, size_t count)
{
	return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

void stats_summarise(double *values, size_t count, struct stats_summary *ret_summary)
{
	size_t low;
	size_t high;

	stats_sort(values, count);
	stats_ranks(count, &low, &high, &ret_summary->confidence);
	ret_summary->low = values[low - 1];
	ret_summary->high = values[high - 1];
	ret_summary->median = stats_median(values, count);
}

/* The smallest value that so many of a thousand do not exceed. */
static double find_rank(const double *sorted, size_t count, size_t per_thousand)
{
	return sorted[(count * per_thousand + 999) / 1000 - 1];
}

void stats_find_tail(double *values, size_t count, struct stats_tail *ret_tail)
{
	*ret_tail = (struct stats_tail){ .count = count };
	if (!count)
		return;

	stats_sort(values, count);
	ret_tail->p50 = find_rank(values, count, 500);
	ret_tail->p90 = find_rank(values, count, 900);
	ret_tail->p99 = find_rank(values, count, 990);
	ret_tail->p999 = find_rank(values, count, 999);
}
