#include "stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Neighbouring parts must differ in rank with this probability of being wrong, once
 * for each place at which they could have been divided.
 */
#define CONFIRM_ALPHA 0.01

/* What is less is nobody's regression. */
#define LEAST_CHANGE 0.01

/* Times ln(count), in units of the usual distance from the median: one more part. */
#define PRICE 2.0

struct division {
	const double *values; /* logarithms */
	size_t count;
	double price;

	/* Least cost of the first i values, and where their last part begins. */
	double *cost;
	size_t *begin;
};

/*
 * The usual distance from the level: neighbours differ by two such, whatever the
 * levels are. The median does not see the few that lie across a change.
 */
static double find_noise(const double *values, size_t count, double *scratch)
{
	for (size_t i = 1; i < count; i++)
		scratch[i - 1] = fabs(values[i] - values[i - 1]);
	stats_sort(scratch, count - 1);

	/* Mean absolute deviation of the normal distribution, from this median. */
	return stats_median(scratch, count - 1) / 0.6745 / sqrt(2) * 0.7979;
}

/* Keeps `sorted` sorted, and returns the sum of distances from its median. */
static double insert(double *sorted, size_t count, double value)
{
	size_t at = count;
	double sum = 0;
	double median;

	for (; at > 0 && sorted[at - 1] > value; at--)
		sorted[at] = sorted[at - 1];
	sorted[at] = value;
	median = stats_median(sorted, count + 1);
	for (size_t i = 0; i <= count; i++)
		sum += fabs(sorted[i] - median);

	return sum;
}

/* Every end of every part is looked at once, from the right end to the left. */
static void divide(struct division *division, double *sorted)
{
	division->cost[0] = 0;
	for (size_t end = 1; end <= division->count; end++) {
		division->cost[end] = INFINITY;
		division->begin[end] = 0;
		for (size_t size = 1; size <= end; size++) {
			double sum = insert(sorted, size - 1, division->values[end - size]);
			double cost = division->cost[end - size] + sum + division->price;

			if (size < STATS_CHANGE_SIDE || cost >= division->cost[end])
				continue;
			division->cost[end] = cost;
			division->begin[end] = end - size;
		}
	}
}

static int is_confirmed(const double *values, size_t begin, size_t middle, size_t end,
                        double *scratch, int *ret_is)
{
	double places = (double)(end - begin - (size_t)2 * STATS_CHANGE_SIDE + 1);
	double before;
	double after;
	double p;
	int r;

	r = stats_rank_sum(values + begin, middle - begin, values + middle, end - middle, &p);
	memcpy(scratch, values + begin, (end - begin) * sizeof(*scratch));
	stats_sort(scratch, middle - begin);
	stats_sort(scratch + (middle - begin), end - middle);
	before = stats_median(scratch, middle - begin);
	after = stats_median(scratch + (middle - begin), end - middle);
	*ret_is = p * places < CONFIRM_ALPHA && fabs(after - before) > log1p(LEAST_CHANGE);

	return r;
}

/* Parts that do not differ become one, and all is looked at anew. */
static int confirm(const double *values, size_t count, double *scratch, size_t *first,
                   size_t *ret_count)
{
	for (size_t i = 0; i < *ret_count;) {
		size_t begin = i ? first[i - 1] : 0;
		size_t end = i + 1 < *ret_count ? first[i + 1] : count;
		int is = 0;

		if (is_confirmed(values, begin, first[i], end, scratch, &is) < 0)
			return -1;
		if (is) {
			i++;
			continue;
		}
		memmove(first + i, first + i + 1, (*ret_count - i - 1) * sizeof(*first));
		(*ret_count)--;
		i = 0;
	}

	return 0;
}

int stats_find_changes(const double *values, size_t count, size_t *ret_first, size_t *ret_count)
{
	double *room = calloc(3 * count + 1, sizeof(*room));
	size_t *begin = calloc(count + 1, sizeof(*begin));
	struct division division = { room, count, 0, room + 2 * count, begin };
	double *scratch = room + count;
	size_t found = 0;
	int r = 0;

	*ret_count = 0;
	if (!room || !begin)
		r = -1;
	if (r == 0 && count >= (size_t)2 * STATS_CHANGE_SIDE) {
		for (size_t i = 0; i < count; i++)
			room[i] = log(values[i]);
		division.price =
			PRICE * log((double)count) * fmax(find_noise(room, count, scratch), 1e-9);
		divide(&division, scratch);
		for (size_t at = begin[count]; at > 0; at = begin[at])
			found++;
		*ret_count = found;
		for (size_t at = begin[count]; at > 0; at = begin[at])
			ret_first[--found] = at;
		r = confirm(room, count, scratch, ret_first, ret_count);
	}
	free(room);
	free(begin);

	return r;
}
