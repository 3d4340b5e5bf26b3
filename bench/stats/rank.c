#include "stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Both tests ask how many of all ways to hand out the ranks are as extreme as the
 * one that was seen. Ranks of equal values are their mean; to count in whole numbers
 * everything here is twice a rank.
 */

#define EXACT_SIDE 50
#define EXACT_PAIRS 100

struct ranked {
	double value;
	size_t from;
	size_t twice_rank;
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a;
	const struct ranked *y = b;

	return (x->value > y->value) - (x->value < y->value);
}

/* Sorts and fills in the ranks; the sum of t^3 - t over all t equal values. */
static double rank(struct ranked *all, size_t count)
{
	double ties = 0;

	qsort(all, count, sizeof(*all), compare_ranked);
	for (size_t i = 0; i < count;) {
		size_t end = i + 1;
		double equal;

		while (end < count && all[end].value <= all[i].value)
			end++;
		equal = (double)(end - i);
		ties += equal * equal * equal - equal;
		/* From i + 1 to end: twice their mean. */
		for (size_t k = i; k < end; k++)
			all[k].twice_rank = i + 1 + end;
		i = end;
	}

	return ties;
}

/* Both tails of the normal distribution beyond `z`. */
static double two_tails(double z)
{
	return fmin(1, erfc(fabs(z) / sqrt(2)));
}

/* -------------------------------------------------------------- Mann-Whitney -- */

/*
 * chance[k * width + s]: of all ways to take k of the ranks so far, the share of
 * those which sum up to s, as a number of ways over that of all subsets.
 */
static int exact_rank_sum(const struct ranked *all, size_t count, size_t taken, size_t sum,
                          double *ret_p)
{
	size_t width = count * (count + 1) + 1;
	double *ways = calloc((taken + 1) * width, sizeof(*ways));
	double mean = (double)taken * (double)(count + 1);
	double total = 0;
	double extreme = 0;

	if (!ways)
		return -1;
	ways[0] = 1;
	for (size_t i = 0; i < count; i++)
		for (size_t k = (i < taken ? i + 1 : taken); k > 0; k--)
			for (size_t s = all[i].twice_rank; s < width; s++)
				ways[k * width + s] +=
					ways[(k - 1) * width + s - all[i].twice_rank];

	for (size_t s = 0; s < width; s++) {
		total += ways[taken * width + s];
		if (fabs((double)s - mean) >= fabs((double)sum - mean))
			extreme += ways[taken * width + s];
	}
	free(ways);
	*ret_p = extreme / total;

	return 0;
}

static double normal_rank_sum(double a, double b, double sum, double ties)
{
	double n = a + b;
	double variance = a * b / 12 * (n + 1 - ties / (n * (n - 1)));
	double distance = fabs(sum - a * (n + 1) / 2) - 0.5;

	return variance <= 0 || distance <= 0 ? 1 : two_tails(distance / sqrt(variance));
}

int stats_rank_sum(const double *a, size_t a_count, const double *b, size_t b_count, double *ret_p)
{
	size_t count = a_count + b_count;
	struct ranked *all = calloc(count, sizeof(*all));
	size_t sum = 0;
	double ties;
	int r = 0;

	if (!all)
		return -1;
	for (size_t i = 0; i < count; i++)
		all[i] = (struct ranked){ i < a_count ? a[i] : b[i - a_count], i, 0 };
	ties = rank(all, count);
	for (size_t i = 0; i < count; i++)
		if (all[i].from < a_count)
			sum += all[i].twice_rank;

	if (a_count <= EXACT_SIDE && b_count <= EXACT_SIDE)
		r = exact_rank_sum(all, count, a_count, sum, ret_p);
	else
		*ret_p = normal_rank_sum((double)a_count, (double)b_count, (double)sum / 2, ties);
	free(all);

	return r;
}

/* ------------------------------------------------------------------ Wilcoxon -- */

static int exact_signed_rank(const struct ranked *all, size_t count, size_t sum, double *ret_p)
{
	size_t width = count * (count + 1) + 1;
	double *chance = calloc(width, sizeof(*chance));
	double mean = (double)(count * (count + 1)) / 2;

	if (!chance)
		return -1;
	chance[0] = 1;
	for (size_t i = 0; i < count; i++)
		for (size_t s = width; s-- > 0;) {
			double without = chance[s];
			double with = s >= all[i].twice_rank ? chance[s - all[i].twice_rank] : 0;

			chance[s] = (without + with) / 2;
		}

	*ret_p = 0;
	for (size_t s = 0; s < width; s++)
		if (fabs((double)s - mean) >= fabs((double)sum - mean))
			*ret_p += chance[s];
	*ret_p = fmin(1, *ret_p);
	free(chance);

	return 0;
}

int stats_signed_rank(const double *differences, size_t count, double *ret_p)
{
	struct ranked *all = calloc(count, sizeof(*all));
	size_t kept = 0;
	size_t sum = 0;
	double ties;
	double n;
	double distance;
	int r = 0;

	if (!all)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (fabs(differences[i]) > 0)
			all[kept++] = (struct ranked){ fabs(differences[i]), i, 0 };
	ties = rank(all, kept);
	for (size_t i = 0; i < kept; i++)
		if (differences[all[i].from] > 0)
			sum += all[i].twice_rank;

	n = (double)kept;
	distance = fabs((double)sum / 2 - n * (n + 1) / 4) - 0.5;
	*ret_p = 1;
	if (kept > 0 && kept <= EXACT_PAIRS)
		r = exact_signed_rank(all, kept, sum, ret_p);
	else if (distance > 0)
		*ret_p = two_tails(distance / sqrt(n * (n + 1) * (2 * n + 1) / 24 - ties / 48));
	free(all);

	return r;
}
