#include "stats.h"

#include <math.h>
#include <stdlib.h>

#define RESAMPLES 10000
#define WANTED_OUTSIDE 0.05

/* Beyond this the normal distribution is as good, and quicker. */
#define EXACT_PAIRS 100

/* --------------------------------------------------------- Hodges and Lehmann -- */

/*
 * How many of the smallest pairwise means lie outside the interval, and the
 * confidence of what is left: the distribution of the signed-rank sum, summed up
 * while both tails stay small enough.
 */
static int cut_exactly(size_t count, size_t *ret_cut, double *ret_confidence)
{
	size_t width = count * (count + 1) / 2 + 1;
	double *chance = calloc(width, sizeof(*chance));
	double outside = 0;
	size_t cut = 0;

	if (!chance)
		return -1;
	chance[0] = 1;
	for (size_t rank = 1; rank <= count; rank++)
		for (size_t s = width; s-- > 0;)
			chance[s] = (chance[s] + (s >= rank ? chance[s - rank] : 0)) / 2;

	while (cut + 1 < width / 2 && outside + 2 * chance[cut] <= WANTED_OUTSIDE)
		outside += 2 * chance[cut++];
	/* Too few pairs: all there is, for what it is worth. */
	if (cut == 0) {
		outside = fmin(1, 2 * chance[0]);
		cut = 1;
	}
	free(chance);
	*ret_cut = cut;
	*ret_confidence = 1 - outside;

	return 0;
}

static int find_cut(size_t count, size_t *ret_cut, double *ret_confidence)
{
	double n = (double)count;

	if (count <= EXACT_PAIRS)
		return cut_exactly(count, ret_cut, ret_confidence);
	*ret_cut = (size_t)(n * (n + 1) / 4 - 1.959964 * sqrt(n * (n + 1) * (2 * n + 1) / 24));
	*ret_confidence = 1 - WANTED_OUTSIDE;

	return 0;
}

int stats_pair_ratio(const double *a, const double *b, size_t count, struct stats_ratio *ret_ratio)
{
	size_t mean_count = count * (count + 1) / 2;
	double *means = calloc(mean_count, sizeof(*means));
	size_t cut = 1;
	size_t next = 0;
	int r;

	r = means ? find_cut(count, &cut, &ret_ratio->confidence) : -1;
	if (r == 0) {
		for (size_t i = 0; i < count; i++)
			for (size_t k = 0; k <= i; k++)
				means[next++] = (log(a[i] / b[i]) + log(a[k] / b[k])) / 2;
		stats_sort(means, mean_count);
		ret_ratio->value = exp(stats_median(means, mean_count));
		ret_ratio->low = exp(means[cut - 1]);
		ret_ratio->high = exp(means[mean_count - cut]);
	}
	free(means);

	return r;
}

/* ------------------------------------------------------------------ bootstrap -- */

static double resample(const double *values, size_t count, double *scratch, uint64_t *random)
{
	for (size_t i = 0; i < count; i++) {
		double value = values[stats_draw(random) % count];
		size_t at = i;

		/* Into its place at once: there are few. */
		for (; at > 0 && scratch[at - 1] > value; at--)
			scratch[at] = scratch[at - 1];
		scratch[at] = value;
	}

	return stats_median(scratch, count);
}

static double median_of(const double *values, size_t count, double *scratch)
{
	for (size_t i = 0; i < count; i++)
		scratch[i] = values[i];
	stats_sort(scratch, count);

	return stats_median(scratch, count);
}

int stats_median_ratio(const double *a, size_t a_count, const double *b, size_t b_count,
                       uint64_t seed, struct stats_ratio *ret_ratio)
{
	size_t tail = (size_t)(RESAMPLES * WANTED_OUTSIDE / 2);
	double *ratios = calloc(RESAMPLES, sizeof(*ratios));
	double *scratch = calloc(a_count > b_count ? a_count : b_count, sizeof(*scratch));

	if (!ratios || !scratch) {
		free(ratios);
		free(scratch);
		return -1;
	}

	ret_ratio->value = median_of(a, a_count, scratch) / median_of(b, b_count, scratch);
	for (size_t i = 0; i < RESAMPLES; i++) {
		double above = resample(a, a_count, scratch, &seed);

		ratios[i] = above / resample(b, b_count, scratch, &seed);
	}
	stats_sort(ratios, RESAMPLES);
	ret_ratio->low = ratios[tail];
	ret_ratio->high = ratios[RESAMPLES - 1 - tail];
	/* Six of each could tell a difference; fewer resample to a false certainty. */
	ret_ratio->confidence = a_count < 6 || b_count < 6 ? 0 : 1 - WANTED_OUTSIDE;
	free(ratios);
	free(scratch);

	return 0;
}
