#include "support/test.h"

#include "stats.h"

#include <math.h>
#include <stdio.h>

/*
 * Does the gate cry wolf, and does it sleep? Thousands of runs of it on made-up
 * rounds: noise of a few percent, now and then a round that took half as long again,
 * a machine that gets slower all the while, and a change of a known size. How often
 * each was called what is printed. Seeds are fixed: a run counts the same as the last.
 */

#define TRIALS ((size_t)1000)
#define MAX_ROUNDS 40
#define MARGIN 0.05

struct world {
	double noise;    /* of one round, as a part */
	double drift;    /* over a whole run */
	double outliers; /* part of all rounds */
	size_t rounds;
};

struct tally {
	size_t found;   /* p < alpha */
	size_t covered; /* the interval holds the change */
	size_t regressed;
	size_t improved;
	size_t unreliable;
	double detectable; /* mean */
};

static double uniform(uint64_t *random)
{
	return ((double)(stats_draw(random) >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t *random)
{
	double radius = sqrt(-2 * log(uniform(random)));

	return radius * cos(2 * M_PI * uniform(random));
}

/* A round at this moment of the run, 0 to 1. */
static double take(const struct world *world, double moment, uint64_t *random)
{
	double value = 1e6 * (1 + world->drift * moment) * exp(world->noise * normal(random));

	return uniform(random) < world->outliers ? 1.5 * value : value;
}

enum { BASE, HEAD, ARM_COUNT };

static void take_rounds(const struct world *world, double change, uint64_t *random,
                        double rounds[ARM_COUNT][MAX_ROUNDS])
{
	size_t taken[ARM_COUNT] = { 0 };

	for (size_t at = 0; at < ARM_COUNT * world->rounds;) {
		size_t order[] = { BASE, HEAD, BASE, HEAD };

		stats_shuffle(order, ARRAY_SIZE(order), random);
		for (size_t i = 0; i < ARRAY_SIZE(order); i++, at++) {
			double moment = (double)at / (double)(ARM_COUNT * world->rounds);
			double value = take(world, moment, random);

			rounds[order[i]][taken[order[i]]++] =
				order[i] == HEAD ? value * (1 + change) : value;
		}
	}
}

/* One run of the gate: twice the base and twice the head in shuffled blocks. */
static void run_gate(const struct world *world, double change, uint64_t *random,
                     struct tally *tally)
{
	double rounds[ARM_COUNT][MAX_ROUNDS];
	struct stats_pairs pairs;
	const struct stats_ratio *ratio = &pairs.ratio;
	enum stats_verdict verdict;

	take_rounds(world, change, random, rounds);
	assert_int_equal(stats_compare_pairs(rounds[HEAD], rounds[BASE], world->rounds, &pairs), 0);
	verdict = stats_judge(ratio, pairs.p, MARGIN, &pairs.control);

	tally->found += pairs.p < STATS_ALPHA;
	tally->covered += ratio->low <= 1 + change && ratio->high >= 1 + change;
	tally->regressed += verdict == STATS_REGRESSED;
	tally->improved += verdict == STATS_IMPROVED;
	tally->unreliable += verdict == STATS_UNRELIABLE;
	tally->detectable += stats_detectable(ratio) / (double)TRIALS;
}

/* The same for one world and change, another for each. */
static struct tally run_gates(const struct world *world, double change)
{
	struct tally tally = { 0 };
	uint64_t random = world->rounds + (uint64_t)((world->noise + world->drift + change) * 1e6);

	for (size_t i = 0; i < TRIALS; i++)
		run_gate(world, change, &random, &tally);
	print_message("noise %4.1f %%, drift %4.1f %%, outliers %4.1f %%, %2zu rounds, change "
	              "%5.2f %%: of %zu runs %4zu found, %4zu regressed, %4zu improved, %4zu "
	              "unreliable, interval held %4zu; detectable %.2f %%\n",
	              world->noise * 100, world->drift * 100, world->outliers * 100, world->rounds,
	              change * 100, TRIALS, tally.found, tally.regressed, tally.improved,
	              tally.unreliable, tally.covered, tally.detectable * 100);

	return tally;
}

struct world_row {
	const char *title;
	struct world world;
};

static const struct world_row world_rows[] = {
	{ "quiet machine", { 0.02, 0, 0, 20 } },
	{ "machine that heats up", { 0.02, 0.02, 0, 20 } },
	{ "machine that others take over", { 0.02, 0.05, 0, 20 } },
	{ "noisy neighbours", { 0.03, 0.05, 0.05, 30 } },
	{ "ten rounds", { 0.02, 0.05, 0, 10 } },
};

/* So far that chance alone takes a count from its mean, but for one in a thousand. */
static double chance(double mean)
{
	return 3.1 * sqrt(mean * (1 - mean / (double)TRIALS));
}

/* Nothing changed: one in twenty may look so, and none may fail the gate. */
static void false_alarms_are_less_than_one_in_twenty(void **state)
{
	const size_t all = ARRAY_SIZE(world_rows) * TRIALS;
	const double usual = (double)TRIALS * 0.05;
	size_t found = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(world_rows); i++) {
		struct tally tally = run_gates(&world_rows[i].world, 0);

		assert_true((double)tally.found <= usual + chance(usual));
		assert_true((double)tally.covered >= (double)TRIALS - usual - chance(usual));
		assert_int_equal(tally.regressed + tally.improved, 0);
		found += tally.found;
	}
	print_message("of %zu runs without a change %zu were found to differ: %.2f %%\n", all,
	              found, (double)found * 100 / (double)all);
	assert_true(found * 20 <= all);
}

/* Twice what a run says it can detect is found in 19 of 20 runs. */
static void check_detection(void **state)
{
	const struct test_place *place = *state;
	const struct world_row *row = place->row;
	double detectable = run_gates(&row->world, 0).detectable;
	struct tally once = run_gates(&row->world, detectable);
	struct tally twice = run_gates(&row->world, 2 * detectable);
	struct tally gate = run_gates(&row->world, MARGIN + 2 * detectable);

	/* And once it in about four of five. */
	assert_true(once.found * 100 >= TRIALS * 70);
	assert_true(once.found * 100 <= TRIALS * 95);
	assert_true(twice.found * 100 >= TRIALS * 95);

	/* The gate fails for what is certain to be more than its margin. */
	assert_true((gate.regressed + gate.unreliable) * 100 >= TRIALS * 95);
	assert_true(gate.improved == 0);
}

/* Two runs one after the other, of 16 rounds each, on a machine that does not change. */
static void bootstrap_holds_the_ratio(void **state)
{
	const struct world world = { 0.03, 0, 0, 16 };
	double rounds[ARM_COUNT][MAX_ROUNDS];
	uint64_t random = 7;
	size_t covered = 0;

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		struct stats_ratio ratio;

		take_rounds(&world, 0.1, &random, rounds);
		assert_int_equal(stats_median_ratio(rounds[HEAD], world.rounds, rounds[BASE],
		                                    world.rounds, i, &ratio),
		                 0);
		covered += ratio.low <= 1.1 && ratio.high >= 1.1;
	}
	print_message("bootstrap: of 100 intervals %zu hold the ratio\n", covered);
	assert_true(covered >= 93);
}

#define HISTORIES ((size_t)1000)
#define LONGEST 60

static void take_history(double values[LONGEST], size_t length, uint64_t *random)
{
	const struct world world = { 0.03, 0, 0.03, 20 };

	for (size_t i = 0; i < length; i++)
		values[i] = take(&world, 0, random);
}

/* Where nothing happens one history in a hundred may show a change: CONFIRM_ALPHA. */
static void history_is_not_seen_to_change(void **state)
{
	static const size_t lengths[] = { 10, 20, LONGEST };
	const double usual = (double)HISTORIES * 0.01;
	size_t first[LONGEST / STATS_CHANGE_SIDE];
	double values[LONGEST];
	uint64_t random = 11;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		size_t alarms = 0;

		for (size_t k = 0; k < HISTORIES; k++) {
			size_t count;

			take_history(values, lengths[i], &random);
			assert_int_equal(stats_find_changes(values, lengths[i], first, &count), 0);
			alarms += count > 0;
		}
		print_message("of %zu histories of %zu runs %zu seem to change\n", HISTORIES,
		              lengths[i], alarms);
		assert_true((double)alarms <= usual + chance(usual));
	}
}

/* And a step of a tenth in the middle of 60 runs is seen where it is. */
static void step_of_a_history_is_found(void **state)
{
	size_t first[LONGEST / STATS_CHANGE_SIDE];
	double values[LONGEST];
	uint64_t random = 12;
	size_t found = 0;

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		size_t count;

		take_history(values, LONGEST, &random);
		for (size_t k = LONGEST / 2; k < LONGEST; k++)
			values[k] *= 1.1;
		assert_int_equal(stats_find_changes(values, LONGEST, first, &count), 0);
		found += count == 1 && first[0] >= LONGEST / 2 - 2 && first[0] <= LONGEST / 2 + 2;
	}
	print_message("of 200 histories with a step %zu show it\n", found);
	assert_true(found >= 190);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(world_rows) + 4];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(world_rows); i++) {
		tests[count++] = test_case(world_rows[i].title, check_detection, &world_rows[i]);
	}
	tests[count++] =
		(struct CMUnitTest)cmocka_unit_test(false_alarms_are_less_than_one_in_twenty);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(bootstrap_holds_the_ratio);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(history_is_not_seen_to_change);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(step_of_a_history_is_found);

	return test_run("power", tests, count, argc, argv);
}
