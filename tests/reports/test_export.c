// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>

/* What other tools get to read, read back by them or by their rules. */

static const char bench[] = SAMPLES "/bench-quick.json";
static const char refused[] = SAMPLES "/probe-refused.json";

/* Runs a shell pipeline with the exported text as "$1" and returns what it printed. */
static char *pipe_export(const char *format, const char *document, const char *reader)
{
	cleanup_free char *script =
		test_path("set -eu; text=$(mktemp); trap 'rm -f \"$text\"' EXIT\n"
	                  "'" REPORT_PROGRAM "' --format '%s' '%s' >\"$text\"\n%s",
	                  format, document, reader);
	const char *const argv[] = { "sh", "-c", script, NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	char *text;

	assert_string_equal(output.err, "");
	assert_int_equal(output.status, 0);
	text = strdup(output.out);
	assert_non_null(text);

	return text;
}

struct row {
	const char *title;
	const char *format;

	/* A line that the reader prints: a key and its figure in the sample. */
	const char *line;
};

static const struct row rows[] = {
	{ "bencher", "bencher", "mount_depth/absolute/lowers=1/floor 130010\n" },
	{ "csv", "csv", "mount_depth/absolute/1/floor 130010\n" },
	{ "github-action-benchmark", "github-action", "mount_depth/absolute/lowers=1 135203\n" },
	{ "Go", "go", "BenchmarkMountDepth/variant=absolute/lowers=1/arm=ours 136404\n" },
	{ "hyperfine", "hyperfine", "mount_depth/absolute/lowers=1 135203\n" },
	{ "OpenMetrics", "openmetrics",
	  "ovl2_bench_duration_seconds{arm=ours,benchmark=mount_depth,estimate=median,"
	  "value=1,variant=absolute} 135203\n" },
};

static void export_is_read_back(void **state)
{
	const struct row *row = ((const struct test_place *)*state)->row;
	cleanup_free char *reader = test_path("'" READER "' '%s' <\"$text\"", row->format);
	cleanup_free char *lines = pipe_export(row->format, bench, reader);

	assert_contains(lines, row->line);
}

static void every_measured_arm_is_exported(void **state)
{
	static const char count[] = "grep -c '\"median_ns\"' '" SAMPLES "/bench-quick.json'";
	const char *const argv[] = { "sh", "-c", count, NULL };
	cleanup_output struct test_output expected = test_spawn(argv);
	cleanup_free char *entries = pipe_export("github-action", bench,
	                                         "'" READER "' github-action <\"$text\" | wc -l");

	(void)state;
	assert_int_equal(atoi(entries), atoi(expected.out));
	assert_true(atoi(entries) > 0);
}

static void skipped_results_are_rows_without_figures(void **state)
{
	cleanup_free char *lines =
		pipe_export("csv", bench, "'" READER "' csv <\"$text\" | grep -c ' -$'");

	(void)state;
	assert_int_equal(atoi(lines), 4);
}

static void junit_is_well_formed_and_counts_agree(void **state)
{
	cleanup_free char *counts =
		pipe_export("junit", bench,
	                    "xmllint --xpath 'concat(//testsuite/@tests = count(//testcase), \" \","
	                    "//testsuite/@skipped = count(//skipped))' \"$text\"");

	(void)state;
	assert_contains(counts, "true true");
}

/* cmark-gfm is GitHub's own renderer. */
static void markdown_renders_as_tables(void **state)
{
	cleanup_free char *script = test_path(
		"'" REPORT_PROGRAM "' --format markdown '%s' '%s' | cmark-gfm -e table --unsafe",
		refused, bench);
	const char *const argv[] = { "sh", "-c", script, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;
	assert_int_equal(output.status, 0);
	assert_contains(output.out, "<td>mount_depth, auto, 128 lowers</td>");
	assert_contains(output.out, "<td>fail (required)</td>");
	assert_contains(output.out, "mkfs.xfs -f -n ftype=1 /dev/sda1\n</code></pre>");
	assert_null(strstr(output.out, "|--"));
}

static void markdown_of_a_hostile_document_is_text(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/probe.json", place->path);
	cleanup_free char *script = test_path(
		"sed 's/left the type of/<b>x<\\/b> | ![y](z) ```\\\\n# h/' '%s' >'%s' && "
		"'" REPORT_PROGRAM "' --format markdown '%s' | cmark-gfm -e table --unsafe",
		refused, path, path);
	const char *const argv[] = { "sh", "-c", script, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	assert_int_equal(output.status, 0);
	assert_contains(output.out, "&lt;b&gt;x&lt;/b&gt; | ![y](z) ``` # h");
	assert_null(strstr(output.out, "<img"));
}

static void unknown_format_is_refused(void **state)
{
	const char *const argv[] = { REPORT_PROGRAM, "--format", "nope", bench, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;
	assert_int_equal(output.status, 64);
	assert_contains(output.err, "there is no format 'nope'");
}

static void benchmark_format_of_probes_alone_is_refused(void **state)
{
	const char *const argv[] = { REPORT_PROGRAM, "--format", "go", refused, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;
	assert_int_equal(output.status, 1);
	assert_contains(output.err, "is made of a document of ovl2-bench");
	assert_string_equal(output.out, "");
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 7] = {
		cmocka_unit_test(every_measured_arm_is_exported),
		cmocka_unit_test(skipped_results_are_rows_without_figures),
		cmocka_unit_test(junit_is_well_formed_and_counts_agree),
		cmocka_unit_test(markdown_renders_as_tables),
		cmocka_unit_test(markdown_of_a_hostile_document_is_text),
		cmocka_unit_test(unknown_format_is_refused),
		cmocka_unit_test(benchmark_format_of_probes_alone_is_refused),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[7 + i] = test_case(rows[i].title, export_is_read_back, &rows[i]);

	return test_run("export", tests, ARRAY_SIZE(tests), argc, argv);
}
