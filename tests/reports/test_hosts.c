// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "document.h"
#include "page_check.h"
#include "runs.h"

#include <stdlib.h>

/* Bench documents side by side, as people run the program. */

static const char sample[] = SAMPLES "/bench-quick.json";

/* The sample as another host, on which "diff, real" is `factor` times as slow; free(3). */
static char *write_host(const struct test_place *place, const char *name, double factor)
{
	char *path = test_path("%s/%s.json", place->path, name);
	json_t *bench = runs_make(sample, 1, 1, factor);
	json_t *results = json_object_get(bench, "results");

	json_object_set_new(json_object_get(bench, "host"), "name", json_string(name));
	/* What stands first was not measured there. */
	json_array_remove(results, 0);
	assert_int_equal(json_dump_file(bench, path, 0), 0);
	json_decref(bench);

	return path;
}

static const json_t *find_row(const json_t *hosts, const char *key)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(hosts, "rows"), i,
	                   row) if (strcmp(report_string(row, "case"), key) == 0) return row;
	fail_msg("no row '%s'", key);

	return NULL;
}

static double ratio_of(const json_t *row, size_t column)
{
	const json_t *cell = json_array_get(json_object_get(row, "cells"), column);

	return report_number(json_object_get(cell, "ratio"), "median");
}

static void cells_stand_below_their_hosts(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *other = write_host(place, "slow", 2);
	const char *const argv[] = {
		REPORT_PROGRAM, "hosts", "--json", sample, other, sample, NULL
	};
	cleanup_output struct test_output output = test_spawn(argv);
	json_t *hosts = json_loads(output.out, 0, NULL);
	const json_t *columns = json_object_get(hosts, "columns");
	const json_t *row;

	assert_string_equal(output.err, "");
	assert_non_null(hosts);
	assert_string_equal(report_string(hosts, "format"), "ovl2-hosts/1");
	assert_string_equal(report_string(json_array_get(columns, 0), "label"), "node-17 xfs");
	assert_string_equal(report_string(json_array_get(columns, 1), "label"), "slow xfs");
	assert_string_equal(report_string(json_array_get(columns, 2), "label"), "node-17 xfs #2");
	row = find_row(hosts, "diff/real");
	assert_int_equal(json_array_size(json_object_get(row, "cells")), 3);
	assert_true(ratio_of(row, 1) > 1.9 * ratio_of(row, 0));
	assert_true(ratio_of(row, 2) == ratio_of(row, 0));
	row = json_array_get(json_object_get(hosts, "rows"), 0);
	assert_true(json_is_null(json_array_get(json_object_get(row, "cells"), 1)));
	json_decref(hosts);
}

/* As `ovl2-bench --filesystem all` writes them; and the first one once more. */
static void history_has_a_column_a_place(void **state)
{
	static const char *const names[] = { "xfs", "ext4", "xfs" };
	const struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/all.json", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "hosts", "--json", path, sample, NULL };
	FILE *file = fopen(path, "we");
	cleanup_output struct test_output output = { 0 };
	const json_t *columns;
	json_t *hosts;

	assert_non_null(file);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		json_t *bench = runs_make(sample, 1, (unsigned int)i + 1, 1);

		json_object_set_new(json_object_get(bench, "target"), "filesystem",
		                    json_string(names[i]));
		assert_int_equal(json_dumpf(bench, file, JSON_INDENT(2)), 0);
		json_decref(bench);
	}
	assert_int_equal(fclose(file), 0);

	output = test_spawn(argv);
	hosts = json_loads(output.out, 0, NULL);
	columns = json_object_get(hosts, "columns");
	assert_int_equal(json_array_size(columns), 3);
	assert_string_equal(report_string(json_array_get(columns, 0), "label"), "node-17 ext4");
	assert_string_equal(report_string(json_array_get(columns, 1), "label"), "node-17 xfs");
	assert_string_equal(report_string(json_array_get(columns, 2), "label"), "node-17 xfs #2");
	assert_int_equal(json_array_size(json_object_get(find_row(hosts, "diff/real"), "cells")),
	                 3);
	json_decref(hosts);
}

static void table_has_a_line_a_case_and_host(void **state)
{
	static const char script[] =
		"\"$0\" hosts --csv \"$1\" \"$1\" | python3 -c '\n"
		"import csv, sys\n"
		"rows = list(csv.DictReader(sys.stdin))\n"
		"print(len(rows), rows[1][\"host\"], float(rows[0][\"ratio\"]) > 1)'";
	const char *const argv[] = { "sh", "-c", script, REPORT_PROGRAM, sample, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;
	assert_string_equal(output.out, "160 node-17 xfs #2 True\n");
}

static void page_is_sound(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *other = write_host(place, "<b>&", 2);
	cleanup_free char *page = test_path("%s/hosts.html", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "hosts", "--html", page, sample, other, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	assert_string_equal(output.err, "");
	assert_int_equal(output.status, 0);
	page_assert_sound(page);
	page_assert_count(page, "//*[@id='cases']//*[local-name()='tbody']/*", "80");
	page_assert_count(page, "//*[@id='cases']//*[text()='not measured']", "1");
	page_assert_count(page, "//*[local-name()='svg']", "2");
}

static void text_has_a_legend(void **state)
{
	const char *const argv[] = { REPORT_PROGRAM, "hosts", sample, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;
	assert_int_equal(output.status, 0);
	assert_contains(output.out, "1  node-17 xfs, Linux 6.1.0-31-amd64, AMD EPYC 7B13\n");
	assert_contains(output.out, "\ndiff/real  ");
}

struct refusal {
	const char *title;
	const char *arguments[3];
	int status;
	const char *message;
};

static const struct refusal refusals[] = {
	{ "no document", { NULL }, 64, "no document given" },
	{ "two outputs", { "--json", "--csv", sample }, 64, "both want to be printed" },
	{ "missing file", { sample, "/nowhere.json" }, 1, "read '/nowhere.json': No such file" },
	{ "probe among them",
	  { sample, SAMPLES "/probe-qualified.json" },
	  1,
	  "line 1: not a document of ovl2-bench" },
};

static void argument_is_refused(void **state)
{
	const struct test_place *place = *state;
	const struct refusal *row = place->row;
	const char *argv[6] = { REPORT_PROGRAM, "hosts" };
	cleanup_output struct test_output output = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(row->arguments); i++)
		argv[2 + i] = row->arguments[i];
	output = test_spawn(argv);
	assert_int_equal(output.status, row->status);
	assert_contains(output.err, row->message);
	assert_string_equal(output.out, "");
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[4 + ARRAY_SIZE(refusals)] = {
		cmocka_unit_test(cells_stand_below_their_hosts),
		cmocka_unit_test(history_has_a_column_a_place),
		cmocka_unit_test(table_has_a_line_a_case_and_host),
		cmocka_unit_test(page_is_sound),
		cmocka_unit_test(text_has_a_legend),
	};

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		tests[4 + i] = test_case(refusals[i].title, argument_is_refused, &refusals[i]);

	return test_run("hosts", tests, ARRAY_SIZE(tests), argc, argv);
}
