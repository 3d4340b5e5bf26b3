#pragma once

/*
 * What a row of samples says: its median and an interval that holds the true
 * median. Pure functions. The interval is made of two of the samples themselves
 * (order statistics), so it assumes nothing about their distribution, needs no
 * random numbers and is the same everywhere.
 */

#include <stddef.h>

struct stats_summary {
	double median;
	double low;
	double high;

	/* Probability that low..high holds the median, 0 to 1. */
	double confidence;
};

/*
 * Ranks, from 1, of the two samples of `count` sorted ones between which the
 * median lies with a confidence of at least 0.95: 10 gives 2 and 9. Below 6
 * samples there is no such pair: the answer is 1 and `count`, with the confidence
 * that these have. `count` must not be 0.
 */
void stats_ranks(size_t count, size_t *ret_low, size_t *ret_high, double *ret_confidence);

/* How long most take, and the few that take longest: nearest ranks. */
struct stats_tail {
	size_t count;
	double p50;
	double p99;
	double p999;
};

/* Sorts `values`. All zeroes when `count` is 0. */
void stats_find_tail(double *values, size_t count, struct stats_tail *ret_tail);

/* Sorts `values`, then sums them up. `count` must not be 0. */
void stats_summarise(double *values, size_t count, struct stats_summary *ret_summary);
