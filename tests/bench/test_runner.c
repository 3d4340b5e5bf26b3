#include "support/test.h"

#include "fail.h"
#include "runner.h"
#include "strbuf.h"

#include <stdio.h>
#include <time.h>

/*
 * The runner, on benchmarks that only write down which hook was called: s(etup),
 * t(eardown), and per arm a letter for before, run and after, "1O2" for ours and
 * "3F4" for the floor.
 */

/* Never released: it belongs to the program. */
static struct ovi_strbuf calls;
static volatile sig_atomic_t stop;
static const char *failing = "";
static size_t stop_after;

static int note(const char *call, struct ovl2_error *err)
{
	ovi_strbuf_add(&calls, call);
	if (stop_after && calls.length >= stop_after)
		stop = 1;
	if (strcmp(call, failing) == 0)
		return ovi_fail(err, OVL2_E_SYSTEM, "hook '%s' failed", call);

	return 0;
}

#define HOOK(name, call)                                              \
	static int name(struct bench_case *c, struct ovl2_error *err) \
	{                                                             \
		(void)c;                                              \
		return note(call, err);                               \
	}

HOOK(setup, "s")
HOOK(teardown, "t")
HOOK(before_ours, "1")
HOOK(run_ours, "O")
HOOK(after_ours, "2")
HOOK(before_floor, "3")
HOOK(run_floor, "F")
HOOK(after_floor, "4")

static int setup_unfit(struct bench_case *c, struct ovl2_error *err)
{
	snprintf(c->skipped, sizeof(c->skipped), "it does not fit");
	c->data_bytes = 4200;

	return note("s", err);
}

static int run_untold(struct bench_case *c, struct ovl2_error *err)
{
	snprintf(c->skipped, sizeof(c->skipped), "others are at work");

	return note("O", err) < 0 ? OVL2_E_SYSTEM : OVL2_E_BUSY;
}

static const uint64_t two_values[] = { 7, 9, 0 };
static const struct bench_variant two_cases[] = { { "a", two_values }, { 0 } };
static const struct bench_variant one_case[] = { { "a", NULL }, { 0 } };

static struct bench make_bench(const struct bench_variant *variants)
{
	return (struct bench){
		.id = "fake",
		.title = "Does nothing",
		.group = "fake",
		.parameter = "size",
		.variants = variants,
		.weight = 1,
		.setup = setup,
		.teardown = teardown,
		.ours = { "ours", before_ours, run_ours, after_ours },
		.floor = { "floor", before_floor, run_floor, after_floor },
	};
}

static void run_tier(const struct bench *bench, size_t blocks, uint64_t seed, enum bench_tier tier,
                     struct runner_results *results)
{
	const struct bench *const benches[] = { bench, NULL };
	const struct runner_options options = {
		.blocks = blocks,
		.seed = seed,
		.tier = tier,
		.cpu = -1,
		.stop = &stop,
	};
	struct ovl2_error err = { 0 };

	*results = (struct runner_results){ 0 };
	ovi_strbuf_cut(&calls, 0);
	assert_ok(runner_run(benches, NULL, &options, results, &err), &err);
}

static void run(const struct bench *bench, size_t blocks, uint64_t seed,
                struct runner_results *results)
{
	run_tier(bench, blocks, seed, BENCH_TIER_SMOKE, results);
}

/* Each case begins with it: the cases share what the hooks write down. */
static void begin(void)
{
	ovi_strbuf_add(&calls, "");
	ovi_strbuf_cut(&calls, 0);
	stop = 0;
	stop_after = 0;
	failing = "";
}

static void every_value_is_a_case(void **state)
{
	struct bench bench = make_bench(two_cases);
	struct runner_results results;

	(void)state;

	begin();
	run(&bench, 3, 1, &results);
	assert_int_equal(results.count, 2);
	assert_true(results.is_complete);
	assert_int_equal(results.list[0].value, 7);
	assert_int_equal(results.list[1].value, 9);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(results.list[i].count, 3);
		assert_string_equal(results.list[i].ours.title, "ours");
		assert_string_equal(results.list[i].floor.title, "floor");
		assert_null(results.list[i].peer.title);
		assert_null(results.list[i].skipped);
	}
	runner_results_release(&results);
}

/* A batch is as long as the operation is short, so only the order is certain. */
static void hooks_stand_around_each_operation(void **state)
{
	struct bench bench = make_bench(one_case);
	struct runner_results results;
	const char *call;

	(void)state;

	begin();
	run(&bench, 2, 1, &results);
	call = calls.text;
	assert_int_equal(*call++, 's');
	while (*call != 't') {
		if (strncmp(call, "1O2", 3) != 0 && strncmp(call, "3F4", 3) != 0)
			fail_msg("out of order: %s", call);
		call += 3;
	}
	assert_string_equal(call, "t");
	runner_results_release(&results);
}

static void same_seed_draws_the_same_order(void **state)
{
	struct bench bench = make_bench(one_case);
	struct runner_results results;
	char *first;
	size_t different = 0;

	(void)state;

	begin();
	run(&bench, 20, 42, &results);
	runner_results_release(&results);
	first = test_path("%s", calls.text);
	run(&bench, 20, 42, &results);
	runner_results_release(&results);
	assert_string_equal(calls.text, first);

	for (uint64_t seed = 0; seed < 5; seed++) {
		run(&bench, 20, seed, &results);
		runner_results_release(&results);
		different += strcmp(calls.text, first) != 0;
	}
	assert_true(different > 0);
	free(first);
}

static int run_long(struct bench_case *c, struct ovl2_error *err)
{
	const struct timespec moment = { .tv_nsec = 30000000 };

	(void)c;
	(void)err;
	nanosleep(&moment, NULL);

	return 0;
}

/* What takes longer than there is time is measured as often as it must be, and no more. */
static void long_operations_have_the_least_blocks(void **state)
{
	struct bench bench = make_bench(one_case);
	struct runner_results results;

	(void)state;

	begin();
	run_tier(&bench, 0, 1, BENCH_TIER_QUICK, &results);
	assert_true(results.list[0].count >= 3);
	runner_results_release(&results);

	bench.ours.run = run_long;
	run_tier(&bench, 0, 1, BENCH_TIER_QUICK, &results);
	assert_int_equal(results.list[0].count, 3);
	runner_results_release(&results);

	bench.is_throughput = 1;
	run_tier(&bench, 0, 1, BENCH_TIER_QUICK, &results);
	assert_int_equal(results.list[0].count, 1);
	runner_results_release(&results);
}

static void misfit_is_skipped_with_its_reason(void **state)
{
	struct bench bench = make_bench(one_case);
	struct runner_results results;

	(void)state;

	begin();
	bench.setup = setup_unfit;
	run(&bench, 2, 1, &results);
	assert_string_equal(calls.text, "st");
	assert_int_equal(results.count, 1);
	assert_string_equal(results.list[0].skipped, "it does not fit");
	assert_int_equal(results.list[0].data_bytes, 4200);
	assert_false(results.list[0].is_failed);
	assert_null(results.list[0].ours.title);
	runner_results_release(&results);
}

/* That a machine is too busy to tell is no failure of what it measures. */
static void run_that_cannot_tell_is_skipped(void **state)
{
	struct bench bench = make_bench(one_case);
	struct runner_results results;

	(void)state;

	begin();
	bench.ours.run = run_untold;
	run(&bench, 2, 1, &results);
	assert_int_equal(results.count, 1);
	assert_string_equal(results.list[0].skipped, "others are at work");
	assert_false(results.list[0].is_failed);
	assert_int_equal(calls.text[calls.length - 1], 't');
	runner_results_release(&results);
}

/* Each hook fails once: what ran is undone, the next case still runs. */
static void check_failing_hook(void **state)
{
	const struct test_place *place = *state;
	struct bench bench = make_bench(two_cases);
	struct runner_results results;

	begin();
	failing = place->row;
	run(&bench, 2, 1, &results);
	assert_int_equal(results.count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_true(results.list[i].is_failed);
		assert_contains(results.list[i].skipped, "failed");
		assert_null(results.list[i].ours.title);
	}
	assert_int_equal(calls.text[calls.length - 1], 't');
	runner_results_release(&results);
}

static void stop_keeps_what_is_complete(void **state)
{
	struct bench bench = make_bench(two_cases);
	struct runner_results results;
	size_t first_length;

	(void)state;

	begin();
	/* How long is one case? Then end in the midst of the second. */
	run(&bench, 2, 1, &results);
	first_length = (size_t)(strchr(calls.text, 't') - calls.text) + 1;
	runner_results_release(&results);

	stop_after = first_length + 4;
	run(&bench, 2, 1, &results);
	assert_int_equal(results.count, 1);
	assert_false(results.is_complete);
	assert_null(results.list[0].skipped);
	assert_int_equal(calls.text[calls.length - 1], 't');
	runner_results_release(&results);
}

int main(int argc, char **argv)
{
	static const char *const hooks[] = { "s", "1", "O", "2", "3", "F", "4", "t" };
	struct CMUnitTest tests[ARRAY_SIZE(hooks) + 7];
	const struct CMUnitTest scenarios[] = {
		cmocka_unit_test(every_value_is_a_case),
		cmocka_unit_test(hooks_stand_around_each_operation),
		cmocka_unit_test(same_seed_draws_the_same_order),
		cmocka_unit_test(long_operations_have_the_least_blocks),
		cmocka_unit_test(misfit_is_skipped_with_its_reason),
		cmocka_unit_test(run_that_cannot_tell_is_skipped),
		cmocka_unit_test(stop_keeps_what_is_complete),
	};
	size_t count = 0;

	for (; count < ARRAY_SIZE(scenarios); count++)
		tests[count] = scenarios[count];
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		tests[count++] = test_case("a hook that fails is told and undone",
		                           check_failing_hook, hooks[i]);

	return test_run("runner", tests, count, argc, argv);
}
