#pragma once

/*
 * What samples say. Pure functions on arrays of doubles: no clock, no file, no state;
 * the same samples give the same answer everywhere. Where random numbers are drawn
 * the caller gives the seed.
 *
 * Nothing here assumes how samples are distributed: intervals are order statistics
 * or resampled, tests compare ranks. What returns int is 0, or -1 when there is no
 * memory. `count` is never 0 unless said.
 */

#include <stddef.h>
#include <stdint.h>

/* ---------------------------------------------------------------- random.c -- */

/* The next of a sequence that `state` determines; any value of it will do. */
uint64_t stats_draw(uint64_t *state);

/* Puts what is in `order` into an order drawn from `state`. */
void stats_shuffle(size_t *order, size_t count, uint64_t *state);

/* --------------------------------------------------------------- summary.c -- */

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
 * that these have.
 */
void stats_ranks(size_t count, size_t *ret_low, size_t *ret_high, double *ret_confidence);

/* How long most take, and the few that take longest: nearest ranks. */
struct stats_tail {
	size_t count;
	double p50;
	double p90;
	double p99;
	double p999;
};

/* Sorts `values`. All zeroes when `count` is 0. */
void stats_find_tail(double *values, size_t count, struct stats_tail *ret_tail);

/* Sorts `values`, then sums them up. */
void stats_summarise(double *values, size_t count, struct stats_summary *ret_summary);

void stats_sort(double *values, size_t count);

/* Of sorted values. */
double stats_median(const double *sorted, size_t count);

/* ------------------------------------------------------------------ rank.c -- */

/*
 * Mann-Whitney: how likely two samples of one population differ in rank as much as
 * `a` and `b`, two-sided. Exact up to 50 of each, ties included; beyond that the
 * normal distribution, corrected for ties and continuity.
 */
int stats_rank_sum(const double *a, size_t a_count, const double *b, size_t b_count, double *ret_p);

/*
 * Wilcoxon: how likely differences of pairs that do not differ are so much on one
 * side, two-sided. Zeroes are left out. Exact up to 100, ties included.
 */
int stats_signed_rank(const double *differences, size_t count, double *ret_p);

/* ----------------------------------------------------------------- ratio.c -- */

/* How much more one takes than another: 1.1 is a tenth more. */
struct stats_ratio {
	double value;
	double low;
	double high;
	double confidence;
};

/*
 * Of pairs that were taken side by side: the pseudomedian of log(a/b) (Hodges and
 * Lehmann), and the interval that the signed-rank test does not reject at 0.05.
 * Values must be above 0.
 */
int stats_pair_ratio(const double *a, const double *b, size_t count, struct stats_ratio *ret_ratio);

/*
 * Of two samples taken apart: the ratio of the medians, with a percentile bootstrap
 * of 10000 resamples for an interval of 0.95.
 */
int stats_median_ratio(const double *a, size_t a_count, const double *b, size_t b_count,
                       uint64_t seed, struct stats_ratio *ret_ratio);

/* ----------------------------------------------------------------- pairs.c -- */

/* A build beside another one, in rounds that go by twos: see bench/rounds.h. */
struct stats_pairs {
	/* The new one over the other in each round, and how likely that is without a change. */
	struct stats_ratio ratio;
	double p;

	/* The other one over itself, in the two rounds of each two. */
	struct stats_ratio control;
};

/* Values must be above 0. */
int stats_compare_pairs(const double *fresh, const double *base, size_t count,
                        struct stats_pairs *ret_pairs);

/* --------------------------------------------------------------- verdict.c -- */

/* Two-sided, of each test and each interval. */
#define STATS_ALPHA 0.05

/*
 * The smallest change that is found in four of five runs like the one that this
 * ratio is of: 0.03 is 3 %. Infinite below 6 pairs, which never find any.
 */
double stats_detectable(const struct stats_ratio *ratio);

/*
 * The smallest change that is found in four of five pairs of runs, apart from each other,
 * of as many values with as much noise; infinite below 6. Values must be above 0.
 */
double stats_detectable_between(const double *values, size_t count);

/* With how many rounds, if `count` detect `detectable`, `wanted` would be detected. */
size_t stats_rounds_needed(size_t count, double detectable, double wanted);

/*
 * Benjamini-Hochberg: makes of p-values of many tests those that may be compared
 * with one alpha, so that of all that are then called changes at most that part is
 * none. In place.
 */
int stats_adjust(double *p, size_t count);

enum stats_verdict {
	/* Certainly slower by more than the margin. */
	STATS_REGRESSED,

	/* Certainly slower, perhaps by less than the margin. */
	STATS_SLOWER,

	/* Certainly within the margin, both ways. */
	STATS_EQUIVALENT,

	/* Certainly faster by more than the margin. */
	STATS_IMPROVED,

	/* None of these can be said: see stats_detectable(). */
	STATS_INCONCLUSIVE,

	/* The control, the same against itself, certainly differs: nothing can be said. */
	STATS_UNRELIABLE,
};

/* "regressed". */
const char *stats_verdict_name(enum stats_verdict verdict);

/*
 * `p` is adjusted. `control` is the same build against itself, NULL without one: it differs
 * when it does so by more than half the margin and its interval does not hold 1.
 * A margin below what is detectable is never called equivalent.
 */
enum stats_verdict stats_judge(const struct stats_ratio *ratio, double p, double margin,
                               const struct stats_ratio *control);

/* ----------------------------------------------------------------- drift.c -- */

struct stats_drift {
	/* Mann-Kendall, two-sided: how likely an unordered series rises or falls so. */
	double p;

	/* From first to last by the Theil-Sen line, as a part of the median. */
	double change;

	/* Of neighbours, -1 to 1: near 0 where samples know nothing of each other. */
	double correlation;
};

/* Of samples in the order in which they were taken. */
int stats_find_drift(const double *values, size_t count, struct stats_drift *ret_drift);

/* ---------------------------------------------------------------- growth.c -- */

enum stats_shape {
	STATS_CONSTANT,
	STATS_LINEAR,
	STATS_N_LOG_N,
	STATS_QUADRATIC,
	STATS_LINEAR_QUADRATIC
};

/* What time does when the parameter grows. */
struct stats_growth {
	enum stats_shape shape;

	/* Of the shape's terms: 1; n, n log n or n^2; n^2. */
	double terms[3];

	/* Half of each one's interval of 0.95; 0 where there is nothing to tell it from. */
	double spread[3];

	/* d log(time) / d log(n) over the larger half of the values. */
	double exponent;
};

/* "a + b n". */
const char *stats_shape_name(enum stats_shape shape);

/* How many terms it has. */
size_t stats_shape_terms(enum stats_shape shape);

/* The fewest values of which anything is said. */
#define STATS_GROWTH_LEAST 5

/*
 * Fits sums of two or three terms with weights 1/time^2, none of them below 0, and
 * takes the one with the least AICc. `n` rises and is above 0; times are above 0; -1 as well when
 * there are fewer than STATS_GROWTH_LEAST.
 */
int stats_fit_growth(const double *n, const double *time, size_t count,
                     struct stats_growth *ret_growth);

/* --------------------------------------------------------------- changes.c -- */

/* A change needs so many values on either side. */
#define STATS_CHANGE_SIDE 5

/*
 * Where a history changes its level for good: `ret_first[i]` is the first value of a
 * new level, in rising order. Room for count / STATS_CHANGE_SIDE. Divides the history
 * so that distances from the medians of the parts, and a price for each part, are
 * least; then keeps what a rank test of neighbouring parts confirms.
 * Values must be above 0.
 */
int stats_find_changes(const double *values, size_t count, size_t *ret_first, size_t *ret_count);
