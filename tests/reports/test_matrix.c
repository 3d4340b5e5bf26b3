// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "page_check.h"

#include <jansson.h>
#include <stdio.h>

/* Probe documents side by side, as people run the program. */

static const char qualified[] = SAMPLES "/probe-qualified.json";
static const char refused[] = SAMPLES "/probe-refused.json";
static const char bench[] = SAMPLES "/bench-quick.json";

static json_t *read_json(const char *text)
{
	json_error_t why;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &why);

	if (!root)
		fail_msg("not JSON: %s in: %s", why.text, text);

	return root;
}

/* The answer in the row of probe `id`, of that column; NULL for a hole. */
static const char *answer_of(const json_t *matrix, const char *id, size_t column)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(matrix, "rows"), i, row)
	{
		const json_t *cells = json_object_get(row, "cells");

		if (strcmp(json_string_value(json_object_get(row, "id")), id) == 0)
			return json_string_value(
				json_object_get(json_array_get(cells, column), "answer"));
	}
	fail_msg("no row '%s'", id);

	return NULL;
}

static int is_same(const json_t *matrix, const char *id)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(matrix, "rows"), i,
	                   row) if (strcmp(json_string_value(json_object_get(row, "id")), id) ==
	                            0) return json_is_true(json_object_get(row, "same"));
	fail_msg("no row '%s'", id);

	return 0;
}

/* A copy of a sample, changed: `edit` gets the document. */
static char *write_changed(const struct test_place *place, const char *name,
                           void (*edit)(json_t *document))
{
	char *path = test_path("%s/%s", place->path, name);
	json_t *document = json_load_file(qualified, 0, NULL);

	assert_non_null(document);
	edit(document);
	assert_int_equal(json_dump_file(document, path, 0), 0);
	json_decref(document);

	return path;
}

static void forget_first_probe(json_t *document)
{
	json_array_remove(json_object_get(document, "probes"), 0);
}

static void be_hostile(json_t *document)
{
	json_t *probe = json_array_get(json_object_get(document, "probes"), 0);

	json_object_set_new(json_object_get(document, "host"), "kernel",
	                    json_string("<script>|`x`\n*\xc2\x9b*"));
	json_object_set_new(probe, "id", json_string("a|`b`<i>"));
	json_object_set_new(probe, "evidence", json_string("</td><script>alert(1)</script>"));
}

static void columns_stand_in_the_order_given(void **state)
{
	const char *const argv[] = { REPORT_PROGRAM, "matrix", "--json", refused, qualified, NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	json_t *matrix;
	json_t *columns;

	(void)state;
	assert_string_equal(output.err, "");
	assert_int_equal(output.status, 0);
	matrix = read_json(output.out);
	columns = json_object_get(matrix, "columns");
	assert_string_equal(json_string_value(json_object_get(matrix, "format")), "ovl2-matrix/1");
	assert_int_equal(json_array_size(columns), 2);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(columns, 0), "verdict")),
		"not_qualified");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(columns, 1), "verdict")),
		"qualified");
	assert_string_equal(answer_of(matrix, "d_type", 0), "no");
	assert_string_equal(answer_of(matrix, "d_type", 1), "yes");
	assert_int_equal(is_same(matrix, "d_type"), 0);
	assert_int_equal(is_same(matrix, "backing_fs"), 1);
	json_decref(matrix);
}

static void missing_probe_is_a_hole(void **state)
{
	cleanup_free char *less = write_changed(*state, "less.json", forget_first_probe);
	const char *const argv[] = { REPORT_PROGRAM, "matrix", "--json", less, qualified, NULL };
	const char *const print[] = { REPORT_PROGRAM, "matrix", less, qualified, NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	cleanup_output struct test_output printed = test_spawn(print);
	json_t *matrix = read_json(output.out);

	assert_null(answer_of(matrix, "kernel_version", 0));
	assert_string_equal(answer_of(matrix, "kernel_version", 1), "yes");
	assert_int_equal(is_same(matrix, "kernel_version"), 0);
	json_decref(matrix);
	assert_contains(printed.out, "* kernel_version -       yes");
}

static void markdown_has_what_differs(void **state)
{
	const char *const argv[] = { REPORT_PROGRAM, "matrix", "--markdown",
		                     qualified,      refused,  NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;
	assert_int_equal(output.status, 0);
	assert_contains(output.out, "| kernel, filesystem | verdict | `d_type` |");
	assert_contains(output.out, "| 6.1.0-31-amd64 xfs | qualified | yes |");
	assert_contains(output.out, "| 6.1.0-31-amd64 xfs #2 | not qualified | no |");
	assert_contains(output.out, "The same everywhere: `kernel_version` yes, ");
}

static void documents_cannot_bring_markup(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *hostile = write_changed(place, "hostile.json", be_hostile);
	cleanup_free char *page = test_path("%s/matrix.html", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "matrix", "--html", page,
		                     "--markdown",   hostile,  NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	assert_int_equal(output.status, 0);
	page_assert_sound(page);
	page_assert_count(page, "//*[local-name()='script']", "0");
	assert_contains(output.out, "| \\<script\\>\\|\\`x\\` \\*");
	assert_contains(output.out, "`a\\|b<i>` yes");
}

static void page_shows_every_cell(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *page = test_path("%s/matrix.html", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "matrix",  "--html", page, "--title",
		                     "Two <hosts>",  qualified, refused,  NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	json_t *document = json_load_file(qualified, 0, NULL);
	cleanup_free char *cells =
		test_path("%zu", 2 * json_array_size(json_object_get(document, "probes")));
	cleanup_free char *title = NULL;

	json_decref(document);
	assert_string_equal(output.err, "");
	assert_int_equal(output.status, 0);
	page_assert_sound(page);
	page_assert_count(page, "//*[@id='matrix']//*[local-name()='td']", cells);
	title = page_query(page, "string(//*[local-name()='h1'])");
	assert_string_equal(title, "Two <hosts>");
}

struct refusal {
	const char *title;
	const char *argv[6];
	int status;
	const char *words;
};

static const struct refusal refusals[] = {
	{ "no document", { REPORT_PROGRAM, "matrix", NULL }, 64, "no document given" },
	{ "benchmarks", { REPORT_PROGRAM, "matrix", bench, NULL }, 1, "what ovl2-probe wrote" },
	{ "no file", { REPORT_PROGRAM, "matrix", "/nonexistent", NULL }, 1, "No such file" },
	{ "two kinds of output",
	  { REPORT_PROGRAM, "matrix", "--json", "--markdown", qualified, NULL },
	  64,
	  "--json and --markdown" },
};

static void is_refused(void **state)
{
	struct test_place *place = *state;
	const struct refusal *row = place->row;
	cleanup_output struct test_output output = test_spawn(row->argv);

	assert_int_equal(output.status, row->status);
	assert_contains(output.err, row->words);
	assert_string_equal(output.out, "");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest scenarios[] = {
		cmocka_unit_test(columns_stand_in_the_order_given),
		cmocka_unit_test(missing_probe_is_a_hole),
		cmocka_unit_test(markdown_has_what_differs),
		cmocka_unit_test(documents_cannot_bring_markup),
		cmocka_unit_test(page_shows_every_cell),
	};
	struct CMUnitTest tests[ARRAY_SIZE(scenarios) + ARRAY_SIZE(refusals)];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		tests[count++] = scenarios[i];
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		tests[count++] = test_case(refusals[i].title, is_refused, &refusals[i]);

	return test_run("matrix", tests, count, argc, argv);
}
