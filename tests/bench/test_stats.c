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

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rank_rows) + 5];
	size_t count = 0;

	for (; count < ARRAY_SIZE(rank_rows); count++)
		tests[count] = test_case(rank_rows[count].title, check_ranks, &rank_rows[count]);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(interval_never_lacks_confidence);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(tail_is_the_nearest_rank);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(median_of_odd_count_is_the_middle);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(median_of_even_count_lies_between);
	tests[count++] =
		(struct CMUnitTest)cmocka_unit_test(outlier_moves_neither_median_nor_interval);

	return test_run("stats", tests, count, argc, argv);
}
