// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "document.h"
#include "page_check.h"
#include "runs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

/* Many runs in one file, as people keep them. */

static const char sample[] = SAMPLES "/bench-quick.json";

#define RUNS 16
#define SINCE 9

static json_t *read_json(const char *text)
{
	json_error_t why;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &why);

	if (!root)
		fail_msg("not JSON: %s in: %s", why.text, text);

	return root;
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* A document alone, in `place`; free(3). */
static char *write_run(const struct test_place *place, const char *name, const json_t *bench)
{
	char *path = test_path("%s/%s.json", place->path, name);

	assert_int_equal(json_dump_file(bench, path, 0), 0);

	return path;
}

static struct test_output append(const char *label, const char *history, const char *bench)
{
	return test_spawn((const char *const[]){ REPORT_PROGRAM, "history", "--label", label,
	                                         history, bench, NULL });
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; (text = strchr(text, '\n')); text++)
		count++;

	return count;
}

/* ------------------------------------------------------------------ appending -- */

static void run_is_a_line_and_a_document(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *history = test_path("%s/h.jsonl", place->path);
	cleanup_output struct test_output output = append("v1 \"x\"", history, sample);
	const char *const read[] = { REPORT_PROGRAM, "--json", history, NULL };
	cleanup_output struct test_output summary = { 0 };
	cleanup_free char *text = NULL;
	json_t *line;
	json_t *original = json_load_file(sample, 0, NULL);

	assert_string_equal(output.err, "");
	assert_int_equal(output.status, 0);
	text = page_read(history);
	assert_int_equal(count_lines(text), 1);
	line = read_json(text);
	assert_string_equal(report_string(line, "label"), "v1 \"x\"");
	json_object_del(line, "label");
	assert_true(json_equal(line, original));
	summary = test_spawn(read);
	assert_int_equal(summary.status, 0);
	json_decref(line);
	json_decref(original);
}

static void run_is_kept_once(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *history = test_path("%s/h.jsonl", place->path);
	cleanup_output struct test_output first = append("a", history, sample);
	cleanup_output struct test_output second = append("b", history, sample);
	cleanup_free char *text = page_read(history);

	assert_int_equal(first.status, 0);
	assert_int_equal(second.status, 1);
	assert_contains(second.err, "the run of ");
	assert_contains(second.err, " is in it");
	assert_int_equal(count_lines(text), 1);
}

static void appending_at_once_loses_nothing(void **state)
{
	static const char script[] = "for i in 1 2 3 4 5 6; do\n"
				     "  \"$0\" history \"$1/h.jsonl\" \"$1/$i.json\" >/dev/null &\n"
				     "done\n"
				     "wait\n"
				     "wc -l <\"$1/h.jsonl\"\n";
	const struct test_place *place = *state;
	const char *const argv[] = { "sh", "-c", script, REPORT_PROGRAM, place->path, NULL };
	cleanup_output struct test_output output = { 0 };

	for (size_t i = 1; i <= 6; i++) {
		json_t *bench = runs_make(sample, i, RUNS, 1);
		char name[2] = { (char)('0' + i), '\0' };

		free(write_run(place, name, bench));
		json_decref(bench);
	}
	output = test_spawn(argv);
	assert_string_equal(output.err, "");
	assert_string_equal(output.out, "6\n");
}

/* The limit is on a file's size, in units of 512 bytes: the second line does not fit. */
static void what_does_not_fit_is_taken_back(void **state)
{
	static const char script[] = "trap '' XFSZ; ulimit -f 200\n"
				     "exec \"$0\" history \"$1/h.jsonl\" \"$1/new.json\"\n";
	const struct test_place *place = *state;
	cleanup_free char *history = test_path("%s/h.jsonl", place->path);
	const char *const argv[] = { "sh", "-c", script, REPORT_PROGRAM, place->path, NULL };
	json_t *bench = runs_make(sample, 1, RUNS, 1);
	cleanup_output struct test_output output = { 0 };
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;

	runs_write(history, sample, 1, RUNS, 1);
	free(write_run(place, "new", bench));
	json_decref(bench);
	before = page_read(history);
	assert_in_range(strlen(before), 51200, 102399);
	output = test_spawn(argv);
	assert_int_equal(output.status, 1);
	assert_contains(output.err, "File too large");
	after = page_read(history);
	assert_string_equal(after, before);
}

/* ------------------------------------------------------------------- refusals -- */

struct refusal {
	const char *title;

	/* What stands in the file after one good line; NULL for no file at all. */
	const char *rest;
	const char *message;
};

static const struct refusal refusals[] = {
	{ "line that is no JSON", "hello\n", "line 2: not JSON" },
	{ "line cut short", "{\"format\": \"ovl2-bench/1\", \"vers", "line 2: not JSON" },
	{ "line of another program", "{\"format\": \"hyperfine\"}\n",
	  "line 2: format: 'hyperfine' is neither" },
	{ "line of a later version", "{\"format\": \"ovl2-bench/2\"}\n", "line 2: format: " },
	{ "line without its fields", "\n{\"format\": \"ovl2-bench/1\"}\n",
	  "line 3: version: missing" },
	{ "control character", "\001", "line 2: not JSON" },
};

static void assert_refused(const struct refusal *row, struct test_output output)
{
	cleanup_output struct test_output owned = output;

	assert_int_equal(owned.status, 1);
	assert_contains(owned.err, row->message);
	assert_contains(owned.err, "/h.jsonl'");
	assert_string_equal(owned.out, "");
}

static void damaged_history_is_refused_and_stays(void **state)
{
	const struct test_place *place = *state;
	const struct refusal *row = place->row;
	cleanup_free char *history = test_path("%s/h.jsonl", place->path);
	const char *const show[] = { REPORT_PROGRAM, "history", history, NULL };
	const char *const base[] = { REPORT_PROGRAM, "compare", history, sample, NULL };
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;
	FILE *file;

	runs_write(history, sample, 1, RUNS, 1);
	file = fopen(history, "ae");
	assert_non_null(file);
	assert_true(fputs(row->rest, file) >= 0);
	assert_int_equal(fclose(file), 0);
	before = page_read(history);
	assert_refused(row, test_spawn(show));
	assert_refused(row, append("x", history, sample));
	assert_refused(row, test_spawn(base));
	after = page_read(history);
	assert_string_equal(after, before);
}

static void probe_is_no_run(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *history = test_path("%s/h.jsonl", place->path);
	cleanup_output struct test_output output =
		append("x", history, SAMPLES "/probe-qualified.json");

	assert_int_equal(output.status, 1);
	assert_contains(output.err, "not a document of ovl2-bench");
	assert_int_not_equal(access(history, F_OK), 0);
}

static void history_of_nothing_is_told(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *history = test_path("%s/h.jsonl", place->path);
	const char *const show[] = { REPORT_PROGRAM, "history", history, NULL };
	const char *const base[] = { REPORT_PROGRAM, "compare", history, sample, NULL };
	cleanup_output struct test_output missing = test_spawn(show);
	cleanup_output struct test_output empty = { 0 };
	cleanup_output struct test_output compared = { 0 };

	assert_int_equal(missing.status, 1);
	assert_contains(missing.err, "No such file");
	write_text(history, "\n\n");
	empty = test_spawn(show);
	assert_int_equal(empty.status, 1);
	assert_contains(empty.err, "it holds no run");
	compared = test_spawn(base);
	assert_int_equal(compared.status, 5);
	assert_contains(compared.err, "measure one first");
}

static void line_that_does_not_end_is_not_continued(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *history = test_path("%s/h.jsonl", place->path);
	json_t *bench = runs_make(sample, 1, RUNS, 1);
	cleanup_output struct test_output output = { 0 };

	assert_int_equal(json_dump_file(bench, history, JSON_COMPACT), 0);
	json_decref(bench);
	output = append("x", history, sample);
	assert_int_equal(output.status, 1);
	assert_contains(output.err, "its last line does not end");
}

/* ---------------------------------------------------------------------- trend -- */

static json_t *trend_of(const char *history, const char *option)
{
	const char *const argv[] = { REPORT_PROGRAM, "history", "--json", option, history, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	assert_string_equal(output.err, "");
	assert_int_equal(output.status, 0);

	return read_json(output.out);
}

/* Of the series that have more than one level. */
static size_t count_changed(const json_t *trend)
{
	size_t count = 0;
	json_t *series;
	size_t i;

	json_array_foreach(json_object_get(trend, "series"), i, series) count +=
		json_array_size(json_object_get(series, "levels")) > 1;

	return count;
}

static const json_t *series_of_diff(const json_t *trend)
{
	json_t *series;
	size_t i;

	json_array_foreach(json_object_get(trend, "series"), i,
	                   series) if (strcmp(report_string(series, "benchmark"), "diff") == 0 &&
	                               strcmp(report_string(series, "variant"), "real") ==
	                                       0) return series;
	fail_msg("no series of diff, real");

	return NULL;
}

static void change_is_found_where_it_is(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *history = test_path("%s/h.jsonl", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "history", history, NULL };
	cleanup_output struct test_output output = { 0 };
	const json_t *level;
	json_t *trend;

	runs_write(history, sample, RUNS, SINCE, 1.1);
	trend = trend_of(history, "--force");
	assert_int_equal(count_changed(trend), 1);
	assert_int_equal(json_array_size(json_object_get(trend, "runs")), RUNS);
	level = json_array_get(json_object_get(series_of_diff(trend), "levels"), 1);
	assert_int_equal(report_number(level, "first_run"), SINCE);
	assert_true(report_number(level, "change") > 1.09 && report_number(level, "change") < 1.11);
	output = test_spawn(argv);
	assert_contains(output.out, "diff, real  ");
	assert_contains(output.out, "since run-9\n");
	assert_contains(output.out, "1 of 80 benchmarks changed their level in 16 runs\n");
	json_decref(trend);
}

static void short_history_says_nothing(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *history = test_path("%s/h.jsonl", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "history", history, NULL };
	cleanup_output struct test_output output = { 0 };

	runs_write(history, sample, 9, 5, 2);
	output = test_spawn(argv);
	assert_int_equal(output.status, 0);
	assert_string_equal(output.out, "0 of 80 benchmarks changed their level in 9 runs; "
	                                "a change takes 5 runs on either side\n");
}

/* The newest run says which machine it is about. */
static void other_machines_are_left_out(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *history = test_path("%s/h.jsonl", place->path);
	cleanup_free char *path = NULL;
	cleanup_output struct test_output output = { 0 };
	json_t *bench = runs_make(sample, 1, RUNS, 1);
	json_t *all;

	runs_write(history, sample, 1, RUNS, 1);
	json_object_set_new(json_object_get(bench, "host"), "kernel", json_string("5.10"));
	path = write_run(place, "other", bench);
	json_decref(bench);
	output = append("other", history, path);
	assert_contains(output.out, "in 1 run; 1 of other machines left out");
	all = trend_of(history, "--force");
	assert_int_equal(json_array_size(json_object_get(all, "runs")), 2);
	assert_int_equal(report_number(all, "elsewhere"), 0);
	json_decref(all);
}

static void page_shows_what_changed_first(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *history = test_path("%s/h.jsonl", place->path);
	cleanup_free char *page = test_path("%s/trend.html", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "history", "--html", page,
		                     "--title",      "A & <B>", history,  NULL };
	cleanup_output struct test_output output = { 0 };
	cleanup_free char *heading = NULL;

	runs_write(history, sample, RUNS, SINCE, 1.1);
	output = test_spawn(argv);
	assert_string_equal(output.err, "");
	assert_int_equal(output.status, 0);
	page_assert_sound(page);
	page_assert_count(page, "//*[@id='changed']//*[local-name()='svg']", "1");
	page_assert_count(page, "//*[@id='levels']//*[local-name()='tbody']/*", "80");
	page_assert_count(page, "//*[@download='trend.json']", "1");
	heading = page_query(page, "string(//*[local-name()='h1'])");
	assert_string_equal(heading, "A & <B>");
}

/* --------------------------------------------------------------------- compare -- */

struct gate_row {
	const char *title;

	/* Of the run that is compared, and of the last run but two of the base. */
	double fresh;
	double odd;
	const char *verdict;
	int status;
};

static const struct gate_row gate_rows[] = {
	{ "as the last runs are", 1, 1, "equivalent", 0 },
	{ "a fifth slower than all of them", 1.2, 1, "regressed", 3 },
	{ "no slower than one of them", 1.2, 1.2, "inconclusive", 0 },
};

static const char *verdict_of_diff(const json_t *document, size_t *ret_runs)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(document, "comparisons"), i, one)
	{
		if (strcmp(report_string(one, "benchmark"), "diff") != 0 ||
		    strcmp(report_string(one, "variant"), "real") != 0)
			continue;
		*ret_runs = (size_t)report_number(one, "runs");
		return report_string(one, "verdict");
	}
	fail_msg("diff, real was not compared");

	return NULL;
}

/* Comparing takes time, and here all else stays as it is. */
static void keep_diff_only(json_t *bench)
{
	json_t *results = json_object_get(bench, "results");

	for (size_t i = json_array_size(results); i-- > 0;)
		if (strcmp(report_string(json_array_get(results, i), "benchmark"), "diff") != 0)
			json_array_remove(results, i);
}

/* Runs before the level, which were much slower, are not compared with. */
static void run_is_compared_with_the_present_level(void **state)
{
	const struct test_place *place = *state;
	const struct gate_row *row = place->row;
	cleanup_free char *history = test_path("%s/h.jsonl", place->path);
	FILE *file = fopen(history, "we");
	cleanup_free char *fresh = NULL;
	cleanup_output struct test_output output = { 0 };
	json_t *document;
	json_t *bench;
	size_t runs = 0;

	assert_non_null(file);
	for (size_t i = 0; i < 12; i++) {
		bench = runs_make(sample, i, 6, 0.5);
		if (i == 9)
			runs_slow_down(bench, row->odd);
		assert_int_equal(json_dumpf(bench, file, JSON_COMPACT), 0);
		json_decref(bench);
	}
	assert_int_equal(fclose(file), 0);
	bench = runs_make(sample, 12, 6, 0.5);
	runs_slow_down(bench, row->fresh);
	keep_diff_only(bench);
	fresh = write_run(place, "new", bench);
	json_decref(bench);
	output = test_spawn(
		(const char *const[]){ REPORT_PROGRAM, "compare", "--json", history, fresh, NULL });
	assert_int_equal(output.status, row->status);
	document = read_json(output.out);
	assert_string_equal(verdict_of_diff(document, &runs), row->verdict);
	assert_int_equal(runs, 5);
	json_decref(document);
}

static void usage_is_explained(void **state)
{
	const char *const none[] = { REPORT_PROGRAM, "history", NULL };
	const char *const label[] = { REPORT_PROGRAM, "history", "--label", "x", "h.jsonl", NULL };
	cleanup_output struct test_output empty = test_spawn(none);
	cleanup_output struct test_output unnamed = test_spawn(label);

	(void)state;
	assert_int_equal(empty.status, 64);
	assert_contains(empty.err, "give a history");
	assert_int_equal(unnamed.status, 64);
	assert_contains(unnamed.err, "--label names what is appended");
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest single[] = {
		cmocka_unit_test(run_is_a_line_and_a_document),
		cmocka_unit_test(run_is_kept_once),
		cmocka_unit_test(appending_at_once_loses_nothing),
		cmocka_unit_test(what_does_not_fit_is_taken_back),
		cmocka_unit_test(probe_is_no_run),
		cmocka_unit_test(history_of_nothing_is_told),
		cmocka_unit_test(line_that_does_not_end_is_not_continued),
		cmocka_unit_test(change_is_found_where_it_is),
		cmocka_unit_test(short_history_says_nothing),
		cmocka_unit_test(other_machines_are_left_out),
		cmocka_unit_test(page_shows_what_changed_first),
		cmocka_unit_test(usage_is_explained),
	};
	struct CMUnitTest tests[ARRAY_SIZE(single) + ARRAY_SIZE(refusals) + ARRAY_SIZE(gate_rows)];
	size_t count = ARRAY_SIZE(single);

	memcpy(tests, single, sizeof(single));
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		tests[count++] = test_case(refusals[i].title, damaged_history_is_refused_and_stays,
		                           &refusals[i]);
	for (size_t i = 0; i < ARRAY_SIZE(gate_rows); i++)
		tests[count++] = test_case(gate_rows[i].title,
		                           run_is_compared_with_the_present_level, &gate_rows[i]);

	return test_run("history", tests, count, argc, argv);
}
