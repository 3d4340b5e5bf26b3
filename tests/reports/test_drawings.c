// SPDX-License-Identifier: MIT
#include "support/test.h"
#include "support/tree.h"

#include "runs.h"

#include <stdlib.h>

/*
 * Drawings of the sample, as they were when somebody looked at them. gnuplot writes the
 * same bytes at every run, but not in every version. After a wanted change look at the
 * page, then set OVL2_RECORD_DRAWINGS=1 and run this again: it records them anew.
 */

static const char bench[] = SAMPLES "/bench-quick.json";

#define RECORDED_WITH "gnuplot 5.4 patchlevel 4"

static void require_gnuplot(void)
{
	const char *const argv[] = { "gnuplot", "--version", NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	if (!strstr(output.out, RECORDED_WITH))
		test_skip("the drawings were recorded with " RECORDED_WITH ", here is %s",
		          output.out);
}

static void assert_as_recorded(const char *page, const char *id, const char *const argv[])
{
	cleanup_free char *golden = test_path(SAMPLES "/drawings/%s.svg", id);
	cleanup_free char *expression = test_path("//*[@id='%s']//*[local-name()='svg']", id);
	const char *const query[] = { "xmllint", "--xpath", expression, page, NULL };
	cleanup_output struct test_output output = { 0 };
	cleanup_output struct test_output drawing = { 0 };
	cleanup_free char *expected = NULL;

	require_gnuplot();
	output = test_spawn(argv);
	assert_int_equal(output.status, 0);
	drawing = test_spawn(query);
	assert_int_equal(drawing.status, 0);
	if (getenv("OVL2_RECORD_DRAWINGS"))
		test_file_write(golden, drawing.out);
	expected = test_file_read(golden);
	test_text_assert_same(drawing.out, expected, id);
}

static void drawing_is_as_recorded(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *page = test_path("%s/report.html", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "--html", page, bench, NULL };

	assert_as_recorded(page, place->row, argv);
}

static void trend_is_as_recorded(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *page = test_path("%s/trend.html", place->path);
	cleanup_free char *history = test_path("%s/h.jsonl", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "history", "--html", page, history, NULL };

	runs_write(history, bench, 16, 9, 1.1);
	assert_as_recorded(page, place->row, argv);
}

/* 400 calls of one case: one of a hundred can be told, one of a thousand cannot. */
static void tails_are_as_recorded(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *page = test_path("%s/report.html", place->path);
	cleanup_free char *path = test_path("%s/bench.json", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "--html", page, path, NULL };
	json_t *document = json_load_file(bench, 0, NULL);
	json_t *result;
	size_t i;

	assert_non_null(document);
	json_array_foreach(json_object_get(document, "results"), i, result)
	{
		json_int_t unit = (json_int_t)(i % 4 + 1) * 10000;
		const char *id = json_string_value(json_object_get(result, "benchmark"));

		if (strcmp(id, "create_remove") != 0)
			continue;
		json_object_set_new(json_object_get(result, "ours"), "latency",
		                    json_pack("{s:i, s:I, s:I, s:I, s:I}", "count", 400, "p50_ns",
		                              2 * unit, "p90_ns", 3 * unit, "p99_ns", 9 * unit,
		                              "p999_ns", 40 * unit));
		json_object_set_new(json_object_get(result, "floor"), "latency",
		                    json_pack("{s:i, s:I, s:I, s:I}", "count", 4000, "p50_ns", unit,
		                              "p99_ns", 5 * unit, "p999_ns", 20 * unit));
	}
	assert_int_equal(json_dump_file(document, path, 0), 0);
	json_decref(document);
	assert_as_recorded(page, place->row, argv);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		test_case("forest of ratios", drawing_is_as_recorded, "ratios"),
		test_case("curves with their limits", drawing_is_as_recorded, "curve-0"),
		test_case("bytes of mount data", drawing_is_as_recorded, "bytes-0"),
		test_case("bars of a throughput", drawing_is_as_recorded, "bars-2"),
		test_case("percentiles of calls", tails_are_as_recorded, "tail-1"),
		test_case("trend with a change", trend_is_as_recorded, "trend-70"),
		test_case("trend without one", trend_is_as_recorded, "trend-0"),
	};

	return test_run("drawings", tests, ARRAY_SIZE(tests), argc, argv);
}
