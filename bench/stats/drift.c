#include "stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare_sign(double a, double b)
{
	return (a > b) - (a < b);
}

/* How much smaller the variance of Mann and Kendall's sum is where values are equal. */
static double find_ties(const double *sorted, size_t count)
{
	double ties = 0;

	for (size_t i = 0; i < count;) {
		size_t end = i + 1;
		double equal;

		while (end < count && sorted[end] <= sorted[i])
			end++;
		equal = (double)(end - i);
		ties += equal * (equal - 1) * (2 * equal + 5);
		i = end;
	}

	return ties;
}

static double correlate(const double *values, size_t count)
{
	double mean = 0;
	double with_next = 0;
	double with_itself = 0;

	for (size_t i = 0; i < count; i++)
		mean += values[i] / (double)count;
	for (size_t i = 0; i < count; i++) {
		with_itself += (values[i] - mean) * (values[i] - mean);
		if (i + 1 < count)
			with_next += (values[i] - mean) * (values[i + 1] - mean);
	}

	return with_itself > 0 ? with_next / with_itself : 0;
}

int stats_find_drift(const double *values, size_t count, struct stats_drift *ret_drift)
{
	size_t slope_count = count * (count - 1) / 2;
	double *slopes = calloc(slope_count + count, sizeof(*slopes));
	double n = (double)count;
	double *sorted;
	size_t next = 0;
	double sum = 0;
	double variance;

	if (!slopes)
		return -1;
	sorted = slopes + slope_count;
	memcpy(sorted, values, count * sizeof(*sorted));
	stats_sort(sorted, count);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++) {
			sum += compare_sign(values[i], values[k]);
			slopes[next++] = (values[i] - values[k]) / (double)(i - k);
		}
	stats_sort(slopes, slope_count);

	variance = (n * (n - 1) * (2 * n + 5) - find_ties(sorted, count)) / 18;
	ret_drift->p =
		variance > 0 && fabs(sum) > 1 ? erfc((fabs(sum) - 1) / sqrt(2 * variance)) : 1;
	ret_drift->change = slope_count ? stats_median(slopes, slope_count) * (n - 1) /
	                                          stats_median(sorted, count)
	                                : 0;
	ret_drift->correlation = correlate(values, count);
	free(slopes);

	return 0;
}
