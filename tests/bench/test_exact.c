#include "support/test.h"

#include "bench.h"
#include "callgrind.h"
#include "exact.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* Counts: that they are exact, and that the driver makes no call that it did not before. */

/* ------------------------------------------------------------------ counting -- */

static uint64_t count_calls(const char *calls)
{
	const char *const argv[] = { COUNTED, calls, NULL };
	struct ovl2_error err = { 0 };
	struct trace trace = { 0 };

	assert_ok(trace_run(argv, -1, &trace, &err), &err);

	return trace.counts[SYS_getppid];
}

static void every_call_between_the_marks_counts(void **state)
{
	(void)state;
	assert_int_equal(count_calls("1000"), 1000);
	assert_int_equal(count_calls("1001"), 1001);
}

static void program_without_marks_has_no_part(void **state)
{
	const char *const argv[] = { COUNTED, NULL };
	struct ovl2_error err = { 0 };
	struct trace trace;

	(void)state;
	assert_int_equal(trace_run(argv, -1, &trace, &err), 1);
}

static void failure_is_told_in_the_program_s_words(void **state)
{
	const char *const argv[] = { "sh", "-c", "echo it broke >&2; exit 3", NULL };
	struct ovl2_error err = { 0 };
	struct trace trace;

	(void)state;
	assert_fails(trace_run(argv, -1, &trace, &err), OVL2_E_SYSTEM, &err);
	assert_contains(err.message, "it broke");
}

static void system_calls_have_names(void **state)
{
	(void)state;
	assert_string_equal(trace_name(SYS_openat), "openat");
	assert_string_equal(trace_name(SYS_move_mount), "move_mount");
	assert_string_equal(trace_name(TRACE_CALLS - 1), "unknown");
}

static uint64_t count_instructions(const char *function)
{
	const char *const argv[] = { COUNTED, "1000", NULL };
	struct callgrind callgrind = { 0 };
	struct ovl2_error err = { 0 };

	if (!callgrind_is_there())
		test_skip("valgrind is not installed; apt-get install valgrind");
	assert_ok(callgrind_run(argv, function, &callgrind, &err), &err);
	assert_contains(callgrind.creator, "callgrind-");

	return callgrind.instructions;
}

static void one_more_instruction_is_seen(void **state)
{
	uint64_t plain = count_instructions("plain_part");

	(void)state;
	assert_true(plain > 1000);
	assert_int_equal(count_instructions("plain_part"), plain);
	assert_int_equal(count_instructions("planted_part"), plain + 1);
}

static void function_that_is_not_called_has_none(void **state)
{
	(void)state;
	assert_int_equal(count_instructions("no_such_part"), 0);
}

/* ---------------------------------------------------------------- the driver -- */

static const char renew[] = "if that is meant: sudo cmake --build --preset release --target calls";

static const json_t *find_case(const json_t *document, const json_t *wanted)
{
	static const char *const key[] = { "benchmark", "variant", "value" };
	json_t *each;
	size_t i;

	json_array_foreach(json_object_get(document, "results"), i, each)
	{
		size_t same = 0;

		for (size_t k = 0; k < ARRAY_SIZE(key); k++)
			same += (size_t)json_equal(json_object_get(each, key[k]),
			                           json_object_get(wanted, key[k]));
		if (same == ARRAY_SIZE(key))
			return each;
	}

	return NULL;
}

static const char *string_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* Prints what differs; how many do. */
static size_t compare_calls(const json_t *kept, const json_t *made)
{
	cleanup_free char *name =
		test_path("%s %s", string_of(kept, "benchmark"), string_of(kept, "variant"));
	json_t *before = json_object_get(kept, "calls");
	json_t *now = json_object_get(made, "calls");
	size_t count = 0;

	for (size_t i = 0; i < TRACE_CALLS; i++) {
		json_int_t a = json_integer_value(json_object_get(before, trace_name(i)));
		json_int_t b = json_integer_value(json_object_get(now, trace_name(i)));

		if (a == b)
			continue;
		count++;
		print_error("%s: %s %d times, before %d\n", name, trace_name(i), (int)b, (int)a);
	}

	return count;
}

static json_t *count_all(void)
{
	const char *const argv[] = { OVL2_BENCH, "--tier", "exact", "--json", NULL };
	size_t mounts = test_resources_count().mounts;
	cleanup_output struct test_output output = test_spawn(argv);
	json_t *document = json_loads(output.out, 0, NULL);

	if (output.status != 0 || !document)
		fail_msg("status %d: %s%s", output.status, output.err, output.out);
	assert_int_equal(test_resources_count().mounts, mounts);

	return document;
}

static void driver_makes_the_calls_that_are_kept(void **state)
{
	json_t *kept = json_load_file(OVL2_CALLS, 0, NULL);
	json_t *made = count_all();
	size_t differ = 0;
	json_t *each;
	size_t i;

	(void)state;
	assert_non_null(kept);
	if (strcmp(string_of(json_object_get(made, "host"), "machine"),
	           string_of(json_object_get(kept, "host"), "machine")) != 0)
		test_skip("calls are kept for %s",
		          string_of(json_object_get(kept, "host"), "machine"));

	json_array_foreach(json_object_get(kept, "results"), i, each)
	{
		const json_t *now = find_case(made, each);

		if (!now)
			fail_msg("%s %s is not counted any more; %s", string_of(each, "benchmark"),
			         string_of(each, "variant"), renew);
		if (*string_of(now, "skipped"))
			print_message("%s %s: %s\n", string_of(each, "benchmark"),
			              string_of(each, "variant"), string_of(now, "skipped"));
		else
			differ += compare_calls(each, now);
	}
	assert_int_equal(json_array_size(json_object_get(kept, "results")),
	                 json_array_size(json_object_get(made, "results")));
	json_decref(kept);
	json_decref(made);
	if (differ)
		fail_msg("%zu counts of system calls differ from driver/ovl2.calls; %s", differ,
		         renew);
}

static void only_some_are_counted(void **state)
{
	const char *const argv[] = { OVL2_BENCH, "--tier", "exact",        "--only",
		                     "changes",  "--only", "scale_exists", NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;
	assert_int_equal(output.status, 0);
	assert_contains(output.out, "SYSTEM CALLS");
	assert_contains(output.out, "changes small");
	assert_contains(output.out, "scale_exists stacks of 10, 100 layers");
	assert_null(strstr(output.out, "diff"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_between_the_marks_counts),
		cmocka_unit_test(program_without_marks_has_no_part),
		cmocka_unit_test(failure_is_told_in_the_program_s_words),
		cmocka_unit_test(system_calls_have_names),
		cmocka_unit_test(one_more_instruction_is_seen),
		cmocka_unit_test(function_that_is_not_called_has_none),
		cmocka_unit_test(driver_makes_the_calls_that_are_kept),
		cmocka_unit_test(only_some_are_counted),
	};

	test_enter_namespace();

	return test_run("exact", tests, ARRAY_SIZE(tests), argc, argv);
}
