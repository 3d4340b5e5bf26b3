#include "support/test.h"

#include "stats.h"

#include <math.h>

/*
 * Ranks and confidences of the median's interval, worked out by hand from the
 * binomial distribution and equal to what benchstat prints for these counts.
 */

struct rank_row {
	const char *title;
	size_t count;
	size_t low;
	size_t high;
	double confidence;
};

static const struct rank_row rank_rows[] = {
	{ "1 sample says nothing about its interval", 1, 1, 1, 0 },
	{ "2 samples", 2, 1, 2, 0.5 },
	{ "5 samples fall short of 95 %", 5, 1, 5, 0.9375 },
	{ "6 samples are the first that suffice", 6, 1, 6, 0.96875 },
	{ "8 samples", 8, 1, 8, 0.9921875 },
	{ "10 samples", 10, 2, 9, 0.978515625 },
	{ "15 samples", 15, 4, 12, 0.96484375 },
	{ "20 samples", 20, 6, 15, 0.958610535 },
	{ "30 samples", 30, 10, 21, 0.957226019 },
	{ "50 samples", 50, 18, 33, 0.967160904 },
	{ "100 samples", 100, 40, 61, 0.964799800 },
};

static void check_ranks(void **state)
{
	const struct test_place *place = *state;
	const struct rank_row *row = place->row;
	double confidence;
	size_t low;
	size_t high;

	stats_ranks(row->count, &low, &high, &confidence);
	assert_int_equal(low, row->low);
	assert_int_equal(high, row->high);
	assert_true(fabs(confidence - row->confidence) < 1e-6);
}

static void interval_never_lacks_confidence(void **state)
{
	(void)state;

	for (size_t count = 6; count <= 1000; count++) {
		double confidence;
		size_t low;
		size_t high;

		stats_ranks(count, &low, &high, &confidence);
		assert_true(low >= 1 && low < high && high <= count);
		assert_int_equal(low + high, count + 1);
		assert_true(confidence >= 0.95 && confidence <= 1);
	}
}

static void median_of_odd_count_is_the_middle(void **state)
{
	double values[] = { 9, 1, 5, 3, 7 };
	struct stats_summary summary;

	(void)state;

	stats_summarise(values, ARRAY_SIZE(values), &summary);
	assert_true(summary.median == 5);
	assert_true(summary.low == 1);
	assert_true(summary.high == 9);
}

static void median_of_even_count_lies_between(void **state)
{
	double values[] = { 10, 9, 8, 7, 6, 5, 4, 3, 2, 1 };
	struct stats_summary summary;

	(void)state;

	stats_summarise(values, ARRAY_SIZE(values), &summary);
	assert_true(summary.median == 5.5);
	assert_true(summary.low == 2);
	assert_true(summary.high == 9);
}

static void outlier_moves_neither_median_nor_interval(void **state)
{
	double values[] = { 10, 11, 10, 11, 10, 11, 10, 11, 10, 1e9 };
	struct stats_summary summary;

	(void)state;

	stats_summarise(values, ARRAY_SIZE(values), &summary);
	assert_true(summary.median == 10.5);
	assert_true(summary.high == 11);
}

static void tail_is_the_nearest_rank(void **state)
{
	double values[2000];
	double one[] = { 7 };
	const size_t count = ARRAY_SIZE(values);
	struct stats_tail tail;

	(void)state;
	for (size_t i = 0; i < count; i++)
		values[i] = (double)(count - i);
	stats_find_tail(values, ARRAY_SIZE(values), &tail);
	assert_int_equal(tail.count, 2000);
	assert_float_equal(tail.p50, 1000, 0);
	assert_float_equal(tail.p99, 1980, 0);
	assert_float_equal(tail.p999, 1998, 0);

	stats_find_tail(one, 1, &tail);
	assert_float_equal(tail.p50, 7, 0);
	assert_float_equal(tail.p999, 7, 0);
	stats_find_tail(NULL, 0, &tail);
	assert_int_equal(tail.count, 0);
}

/* ------------------------------------------------------------------ tests -- */

static void is_near(double value, double expected, double distance)
{
	if (!(fabs(value - expected) <= distance))
		fail_msg("%.9g, not %.9g", value, expected);
}

/* Two samples that do not overlap: 2 of all (2n over n) ways. As benchstat has them. */
static void rank_sum_of_separate_samples(void **state)
{
	static const double expected[] = { 0.1,     0.0285714, 0.0079365, 0.0021645,
		                           0.00058, 0.0001554, 0.0000411 };
	const double a[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	const double b[] = { 11, 12, 13, 14, 15, 16, 17, 18, 19 };
	double p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_int_equal(stats_rank_sum(a, i + 3, b, i + 3, &p), 0);
		is_near(p, expected[i], 5e-6);
		assert_int_equal(stats_rank_sum(b, i + 3, a, i + 3, &p), 0);
		is_near(p, expected[i], 5e-6);
	}
}

/* Permeability of the chorioamnion (Hollander and Wolfe 1973, p. 69): 0.1272 one-sided. */
static void rank_sum_of_the_text_book(void **state)
{
	const double at_term[] = { 0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46 };
	const double early[] = { 1.15, 0.88, 0.90, 0.74, 1.21 };
	double p;

	(void)state;
	assert_int_equal(stats_rank_sum(at_term, ARRAY_SIZE(at_term), early, ARRAY_SIZE(early), &p),
	                 0);
	is_near(p, 2 * 0.1272, 1e-4);
}

static void rank_sum_counts_ties(void **state)
{
	const double a[] = { 1, 1, 1, 2 };
	const double b[] = { 1, 2, 2, 2 };
	const double equal[] = { 3, 3, 3, 3 };
	double p;

	(void)state;
	/* (16 + 1) * 2 of the 70 ways to choose four of 1 1 1 1 2 2 2 2. */
	assert_int_equal(stats_rank_sum(a, 4, b, 4, &p), 0);
	is_near(p, 34.0 / 70, 1e-9);
	assert_int_equal(stats_rank_sum(equal, 4, equal, 4, &p), 0);
	is_near(p, 1, 0);
}

/* What is exact and what is not must meet where one takes over. */
static void rank_sum_is_continuous(void **state)
{
	double a[51];
	double b[51];
	double exact;
	double normal;

	(void)state;
	for (size_t i = 0; i < 51; i++) {
		a[i] = (double)i;
		b[i] = (double)i + 10.5;
	}
	assert_int_equal(stats_rank_sum(a, 50, b, 50, &exact), 0);
	assert_int_equal(stats_rank_sum(a, 51, b, 51, &normal), 0);
	assert_true(exact > 0 && normal > exact / 2 && normal < exact * 2);
}

/* Depression scores before and after (Hollander and Wolfe 1973, p. 29): 0.01953 one-sided. */
static const double before[] = { 1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30 };
static const double after[] = { 0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29 };

static void signed_rank_of_the_text_book(void **state)
{
	double differences[ARRAY_SIZE(before)];
	double p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(before); i++)
		differences[i] = before[i] - after[i];
	assert_int_equal(stats_signed_rank(differences, ARRAY_SIZE(before), &p), 0);
	is_near(p, 2 * 0.01953125, 1e-9);
}

static void signed_rank_of_one_side(void **state)
{
	double differences[101];
	double exact;
	double normal;

	(void)state;
	for (size_t i = 0; i < 101; i++)
		differences[i] = (double)i + 1;
	for (size_t count = 1; count <= 20; count++) {
		assert_int_equal(stats_signed_rank(differences, count, &exact), 0);
		is_near(exact, 2 / pow(2, (double)count), 1e-12);
	}
	assert_int_equal(stats_signed_rank((double[]){ 0, 0 }, 2, &exact), 0);
	is_near(exact, 1, 0);

	for (size_t i = 0; i < 101; i++)
		differences[i] = (i % 3 ? 1 : -1) * (double)(i + 1);
	assert_int_equal(stats_signed_rank(differences, 100, &exact), 0);
	assert_int_equal(stats_signed_rank(differences, 101, &normal), 0);
	assert_true(exact > 0 && normal > exact / 2 && normal < exact * 2);
}

/* The same scores: estimate 0.46, interval 0.01 to 0.786, which holds it with 0.961. */
static void pair_ratio_of_the_text_book(void **state)
{
	double a[ARRAY_SIZE(before)];
	double b[ARRAY_SIZE(before)];
	struct stats_ratio ratio;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
		a[i] = exp(before[i]);
		b[i] = exp(after[i]);
	}
	assert_int_equal(stats_pair_ratio(a, b, ARRAY_SIZE(before), &ratio), 0);
	is_near(log(ratio.value), 0.46, 1e-9);
	is_near(log(ratio.low), 0.01, 1e-9);
	is_near(log(ratio.high), 0.786, 1e-9);
	is_near(ratio.confidence, 0.9609375, 1e-9);
}

static void five_pairs_tell_nothing(void **state)
{
	const double a[] = { 2, 3, 4, 5, 6 };
	const double b[] = { 1, 1, 1, 1, 1 };
	struct stats_ratio ratio;

	(void)state;
	assert_int_equal(stats_pair_ratio(a, b, 5, &ratio), 0);
	assert_true(ratio.confidence < 0.95);
	assert_true(isinf(stats_detectable(&ratio)));
	assert_int_equal(stats_judge(&ratio, 0.0001, 0.05, NULL), STATS_INCONCLUSIVE);
	assert_int_equal(stats_rounds_needed(5, stats_detectable(&ratio), 0.05), 6);
}

static void median_ratio_is_that_of_the_medians(void **state)
{
	const double a[] = { 11, 13, 12, 14, 10, 15, 12, 12, 13, 11 };
	const double b[] = { 6, 6, 6, 6, 6, 6, 6, 6, 6, 6 };
	struct stats_ratio ratio;
	struct stats_ratio again;

	(void)state;
	assert_int_equal(stats_median_ratio(a, 10, b, 10, 7, &ratio), 0);
	is_near(ratio.value, 2, 1e-12);
	assert_true(ratio.low >= 11.0 / 6 - 1e-9 && ratio.low < 2);
	assert_true(ratio.high > 2 && ratio.high <= 14.0 / 6);
	assert_int_equal(stats_median_ratio(a, 10, b, 10, 7, &again), 0);
	assert_memory_equal(&ratio, &again, sizeof(ratio));
	assert_int_equal(stats_median_ratio(a, 5, b, 10, 7, &again), 0);
	is_near(again.confidence, 0, 0);
}

/* The new one doubles the base, which takes a tenth more every other time. */
static void rounds_go_by_twos(void **state)
{
	const double base[] = { 10, 11, 20, 22, 30, 33, 40, 44, 50, 55, 60, 66 };
	double fresh[12];
	struct stats_pairs pairs;

	(void)state;
	for (size_t i = 0; i < 12; i++)
		fresh[i] = 2 * base[i];
	assert_int_equal(stats_compare_pairs(fresh, base, 12, &pairs), 0);
	is_near(pairs.ratio.value, 2, 1e-9);
	is_near(pairs.p, 2.0 / 4096, 1e-12);
	is_near(pairs.control.value, 1.1, 1e-9);
	assert_true(pairs.control.confidence >= 0.95);

	/* One round has no neighbour, and tells nothing. */
	assert_int_equal(stats_compare_pairs(fresh, base, 1, &pairs), 0);
	is_near(pairs.control.value, 1, 0);
	is_near(pairs.control.confidence, 0, 0);
}

/* ---------------------------------------------------------------- verdicts -- */

/* The 15 of Benjamini and Hochberg 1995, of which the first four are changes. */
static void four_of_fifteen_are_changes(void **state)
{
	double p[] = { 0.3240, 0.0001, 0.0459, 0.0004, 0.0019, 1.0000, 0.0095, 0.0201,
		       0.0278, 0.0298, 0.0344, 0.4262, 0.5719, 0.6528, 0.7590 };
	size_t found = 0;

	(void)state;
	assert_int_equal(stats_adjust(p, ARRAY_SIZE(p)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		found += p[i] < STATS_ALPHA;
	assert_int_equal(found, 4);
	is_near(p[1], 0.0015, 1e-9);
	is_near(p[6], 0.0095 * 15 / 4, 1e-9);
	is_near(p[5], 1, 0);
}

struct judgement {
	const char *title;
	struct stats_ratio ratio;
	double p;
	double control; /* 0: none */
	enum stats_verdict verdict;
	double spread; /* of the control, to either side */
};

static const struct judgement judgements[] = {
	{ "above the margin", { 1.10, 1.07, 1.13, 0.95 }, 0.001, 0, STATS_REGRESSED, 0 },
	{ "above, and by chance", { 1.10, 1.07, 1.13, 0.95 }, 0.2, 0, STATS_INCONCLUSIVE, 0 },
	{ "above 1", { 1.05, 1.03, 1.07, 0.95 }, 0.001, 0, STATS_SLOWER, 0 },
	{ "around 1", { 1.00, 0.99, 1.01, 0.95 }, 0.7, 0, STATS_EQUIVALENT, 0 },
	{ "far below 1", { 0.90, 0.88, 0.92, 0.95 }, 0.001, 0, STATS_IMPROVED, 0 },
	{ "below 1, a little", { 0.98, 0.97, 0.99, 0.95 }, 0.001, 0, STATS_EQUIVALENT, 0 },
	{ "too wide to say", { 1.00, 0.92, 1.08, 0.95 }, 0.9, 0, STATS_INCONCLUSIVE, 0 },
	{ "wide, and still above", { 1.50, 1.20, 1.90, 0.95 }, 0.001, 0, STATS_REGRESSED, 0 },
	{ "control differs", { 1.50, 1.40, 1.60, 0.95 }, 0.001, 1.03, STATS_UNRELIABLE, 0 },
	{ "control is faster", { 1.00, 0.99, 1.01, 0.95 }, 0.9, 0.97, STATS_UNRELIABLE, 0 },
	{ "control is well", { 1.50, 1.40, 1.60, 0.95 }, 0.001, 1.01, STATS_REGRESSED, 0 },
	{ "control may be well", { 1.50, 1.40, 1.60, 0.95 }, 0.001, 1.03, STATS_REGRESSED, 0.04 },
};

static void check_judgement(void **state)
{
	const struct test_place *place = *state;
	const struct judgement *row = place->row;
	const struct stats_ratio control = { row->control, row->control / (1 + row->spread),
		                             row->control * (1 + row->spread), 0.95 };
	enum stats_verdict verdict =
		stats_judge(&row->ratio, row->p, 0.05, row->control > 0 ? &control : NULL);

	assert_string_equal(stats_verdict_name(verdict), stats_verdict_name(row->verdict));
}

struct noise {
	const char *title;
	double noise;
	size_t count;
	double detectable;
};

/* By hand: 2.8016 times the noise, times sqrt(2 / count) / sqrt(0.955). */
static const struct noise noises[] = {
	{ "20 rounds of 2 % find 1.8 %", 0.02, 20, 0.0181 },
	{ "10 rounds of 5 % find 6.4 %", 0.05, 10, 0.0641 },
	{ "30 rounds of 10 % find 7.4 %", 0.1, 30, 0.0740 },
	{ "6 rounds of 1 % find 1.7 %", 0.01, 6, 0.0166 },
};

static void check_noise(void **state)
{
	const struct test_place *place = *state;
	const struct noise *row = place->row;
	double values[30];

	for (size_t i = 0; i < row->count; i++)
		values[i] = exp((i % 2 ? 1 : -1) * row->noise * sqrt(1 - 1 / (double)row->count));
	is_near(stats_detectable_between(values, row->count), row->detectable, 1e-4);
	assert_true(isinf(stats_detectable_between(values, 5)));
}

/* Four times the rounds see half of it. */
static void rounds_grow_with_the_square(void **state)
{
	const struct stats_ratio ratio = { 1, exp(-0.07), exp(0.07), 0.95 };

	(void)state;
	is_near(stats_detectable(&ratio), exp(0.07 * 2.801585 / 1.959964) - 1, 1e-6);
	assert_int_equal(stats_rounds_needed(10, expm1(0.1), expm1(0.05)), 40);
	assert_int_equal(stats_rounds_needed(10, expm1(0.1), expm1(0.1)), 10);
}

/* ------------------------------------------------------------------- drift -- */

static void drift_of_a_rise(void **state)
{
	const double rise[] = { 100, 101, 102, 103, 104, 105, 106, 107, 108, 109 };
	const double still[] = { 5, 7, 6, 8, 5, 7, 6, 8, 5, 7 };
	const double flat[] = { 4, 4, 4, 4, 4 };
	struct stats_drift drift;

	(void)state;
	/* S = 45, its variance 125: (45 - 1) / 11.18 = 3.935 deviations. */
	assert_int_equal(stats_find_drift(rise, ARRAY_SIZE(rise), &drift), 0);
	is_near(drift.p, erfc(44 / sqrt(250)), 1e-12);
	is_near(drift.change, 9 / 104.5, 1e-12);
	assert_true(drift.correlation > 0.5);

	assert_int_equal(stats_find_drift(still, ARRAY_SIZE(still), &drift), 0);
	assert_true(drift.p > 0.3);
	assert_true(drift.correlation < 0);

	assert_int_equal(stats_find_drift(flat, ARRAY_SIZE(flat), &drift), 0);
	is_near(drift.p, 1, 0);
	is_near(drift.change, 0, 0);
}

/* ------------------------------------------------------------------ growth -- */

struct growth_row {
	const char *title;
	enum stats_shape shape;
	double terms[3];
	double exponent;
};

/* The last exponent is between 1 and 2 where n and n^2 weigh the same. */
static const struct growth_row growth_rows[] = {
	{ "constant", STATS_CONSTANT, { 40 }, 0 },
	{ "a mount: so much, and so much a lower", STATS_LINEAR, { 26, 2.1 }, 0.9 },
	{ "sorting", STATS_N_LOG_N, { 10, 0.5 }, 1.15 },
	{ "every one with every other", STATS_QUADRATIC, { 50, 0.01 }, 1.4 },
	{ "both", STATS_LINEAR_QUADRATIC, { 30, 2, 0.05 }, 1.7 },
};

/* Errors of a percent, both ways, do not hide the shape. */
static void check_growth(void **state)
{
	const struct test_place *place = *state;
	const struct growth_row *row = place->row;
	const double errors[] = { 1.01, 0.99, 0.995, 1.005, 1.01, 0.99, 1, 1.005, 0.995, 1 };
	double n[10];
	double time[10];
	struct stats_growth growth;

	for (size_t i = 0; i < 10; i++) {
		double log_term = row->shape == STATS_N_LOG_N ? log2((double)(1u << i)) : 1;

		n[i] = (double)(1u << i);
		time[i] = row->terms[0];
		if (row->shape == STATS_QUADRATIC)
			time[i] += row->terms[1] * n[i] * n[i];
		else
			time[i] += row->terms[1] * n[i] * log_term + row->terms[2] * n[i] * n[i];
		time[i] *= errors[i];
	}
	assert_int_equal(stats_fit_growth(n, time, 10, &growth), 0);
	assert_string_equal(stats_shape_name(growth.shape), stats_shape_name(row->shape));
	for (size_t i = 0; i < 3; i++)
		assert_true(fabs(growth.terms[i] - row->terms[i]) <= growth.spread[i] + 1e-9);
	is_near(growth.exponent, row->exponent, 0.2);
	assert_int_equal(stats_fit_growth(n, time, STATS_GROWTH_LEAST - 1, &growth), -1);
}

/* ----------------------------------------------------------------- changes -- */

struct history_row {
	const char *title;
	double levels[4];
	size_t lengths[4];
	size_t changes[3];
	size_t count;
};

static const struct history_row history_rows[] = {
	{ "nothing changes", { 100 }, { 60 }, { 0 }, 0 },
	{ "up", { 100, 110 }, { 20, 20 }, { 20 }, 1 },
	{ "up and down again", { 100, 110, 100 }, { 20, 20, 20 }, { 20, 40 }, 2 },
	{ "down in steps", { 100, 80, 60, 40 }, { 15, 15, 15, 15 }, { 15, 30, 45 }, 3 },
	{ "one that stands out", { 100, 300, 100 }, { 20, 1, 20 }, { 0 }, 0 },
	{ "as few as can be told", { 100, 130 }, { 5, 5 }, { 5 }, 1 },
	{ "too few", { 100, 130 }, { 5, 4 }, { 0 }, 0 },
	{ "less than a percent", { 100, 100.4 }, { 100, 100 }, { 0 }, 0 },
};

static void check_history(void **state)
{
	const struct test_place *place = *state;
	const struct history_row *row = place->row;
	double values[256];
	size_t first[256 / STATS_CHANGE_SIDE];
	uint64_t random = 42;
	size_t length = 0;
	size_t count;

	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < row->lengths[i]; k++)
			values[length++] =
				row->levels[i] *
				(1 + 0.02 * ((double)(stats_draw(&random) >> 11) * 0x1p-53 - 0.5));
	assert_int_equal(stats_find_changes(values, length, first, &count), 0);
	assert_int_equal(count, row->count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(first[i], row->changes[i]);
}

#define ROWS(rows, check)                                            \
	for (size_t row_at = 0; row_at < ARRAY_SIZE(rows); row_at++) \
	tests[count++] = test_case((rows)[row_at].title, check, &(rows)[row_at])

#define MAX_TESTS 64

int main(int argc, char **argv)
{
	static const struct CMUnitTest scenarios[] = {
		cmocka_unit_test(interval_never_lacks_confidence),
		cmocka_unit_test(tail_is_the_nearest_rank),
		cmocka_unit_test(median_of_odd_count_is_the_middle),
		cmocka_unit_test(median_of_even_count_lies_between),
		cmocka_unit_test(outlier_moves_neither_median_nor_interval),
		cmocka_unit_test(rank_sum_of_separate_samples),
		cmocka_unit_test(rank_sum_of_the_text_book),
		cmocka_unit_test(rank_sum_counts_ties),
		cmocka_unit_test(rank_sum_is_continuous),
		cmocka_unit_test(signed_rank_of_the_text_book),
		cmocka_unit_test(signed_rank_of_one_side),
		cmocka_unit_test(pair_ratio_of_the_text_book),
		cmocka_unit_test(five_pairs_tell_nothing),
		cmocka_unit_test(rounds_go_by_twos),
		cmocka_unit_test(median_ratio_is_that_of_the_medians),
		cmocka_unit_test(four_of_fifteen_are_changes),
		cmocka_unit_test(rounds_grow_with_the_square),
		cmocka_unit_test(drift_of_a_rise),
	};
	struct CMUnitTest tests[MAX_TESTS];
	size_t count = 0;

	ROWS(rank_rows, check_ranks);
	ROWS(judgements, check_judgement);
	ROWS(noises, check_noise);
	ROWS(growth_rows, check_growth);
	ROWS(history_rows, check_history);
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		tests[count++] = scenarios[i];

	return test_run("stats", tests, count, argc, argv);
}
