// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* The gate on counts: one more is found, and what cannot be compared is not. */

static const char sample[] =
	"{'format': 'ovl2-exact/1', 'version': '0.1.0', 'command': ['ovl2-bench'],"
	"'started': '2026-11-25T01:00:10Z', 'duration_ms': 1.5, 'complete': true,"
	"'host': {'machine': 'x86_64', 'libraries': {'libarchive': '3.6.2'}},"
	"'build': {'compiler': 'gcc 12.2.0', 'optimised': true, 'libc': '2.36',"
	"          'instruction_set': 'avx2', 'counter': 'callgrind-3.19.0'},"
	"'benchmarks': [{'id': 'diff', 'title': 'Make a tar', 'parameter': null},"
	"               {'id': 'mount', 'title': 'Mount', 'parameter': 'lowers'}],"
	"'results': [{'benchmark': 'diff', 'variant': 'small', 'value': null, 'call_count': 30,"
	"             'calls': {'openat': 10, 'read': 20}, 'instruction_count': 100000,"
	"             'uncounted': null, 'skipped': null},"
	"            {'benchmark': 'mount', 'variant': 'append', 'value': 16, 'call_count': 5,"
	"             'calls': {'fsconfig': 5}, 'instruction_count': null,"
	"             'uncounted': 'valgrind does not know fsconfig', 'skipped': null}]}";

static json_t *make_sample(void)
{
	char text[sizeof(sample)];
	json_t *document;

	memcpy(text, sample, sizeof(text));
	for (char *c = text; *c; c++)
		if (*c == '\'')
			*c = '"';
	document = json_loads(text, 0, NULL);
	assert_non_null(document);

	return document;
}

static json_t *first_result(const json_t *document)
{
	return json_array_get(json_object_get(document, "results"), 0);
}

static void set_calls(json_t *document, json_int_t openat, json_int_t read)
{
	json_t *result = first_result(document);

	json_object_set_new(result, "call_count", json_integer(openat + read));
	json_object_set_new(result, "calls",
	                    json_pack("{s:I, s:I}", "openat", openat, "read", read));
}

static void set_instructions(json_t *document, json_int_t count)
{
	json_object_set_new(first_result(document), "instruction_count", json_integer(count));
}

static void leave_as_it_is(json_t *document)
{
	(void)document;
}

static void add_call(json_t *document)
{
	set_calls(document, 11, 20);
}

static void replace_call(json_t *document)
{
	set_calls(document, 11, 19);
}

static void save_call(json_t *document)
{
	set_calls(document, 9, 20);
}

static void add_instruction(json_t *document)
{
	set_instructions(document, 100001);
}

static void lose_instructions(json_t *document)
{
	json_object_set_new(first_result(document), "instruction_count", json_null());
	json_object_set_new(first_result(document), "uncounted", json_string("no valgrind"));
}

static void change_compiler(json_t *document)
{
	add_instruction(document);
	json_object_set_new(json_object_get(document, "build"), "compiler",
	                    json_string("gcc 13.1.0"));
}

static void change_library(json_t *document)
{
	json_object_set_new(json_object_get(document, "host"), "libraries",
	                    json_pack("{s:s}", "libarchive", "3.7.0"));
}

static void change_machine(json_t *document)
{
	json_object_set_new(json_object_get(document, "host"), "machine", json_string("aarch64"));
}

static void keep_nothing_in_common(json_t *document)
{
	json_array_clear(json_object_get(document, "results"));
}

struct row {
	const char *title;
	void (*change)(json_t *fresh);
	const char *option;
	int status;
	const char *said;
};

static const struct row rows[] = {
	{ "the same counts are equivalent", leave_as_it_is, NULL, 0, "3 equivalent\n" },
	{ "one call more has regressed", add_call, NULL, 3, "30 to 31 system calls: openat +1" },
	{ "no tolerance for a call", add_call, "--tolerance=50", 3, "1 regressed" },
	{ "one call fewer has improved", save_call, NULL, 0, "1 improved" },
	{ "one call for another is said", replace_call, NULL, 0, "openat +1, read -1" },
	{ "one instruction more has regressed", add_instruction, NULL, 3,
	  "100,000 to 100,001 instructions" },
	{ "one instruction more within the tolerance", add_instruction, "--tolerance=0.5%", 0,
	  "1 slower" },
	{ "instructions of another compiler are unreliable", change_compiler, NULL, 0,
	  "build.compiler is \"gcc 12.2.0\" there and \"gcc 13.1.0\" here" },
	{ "unreliable is a failure when strict", change_compiler, "--strict", 4, "1 unreliable" },
	{ "unreliable is compared by force", change_compiler, "--force", 3, "1 regressed" },
	{ "instructions with other libraries are unreliable", change_library, NULL, 0,
	  "host.libraries is" },
	{ "instructions that are not counted any more", lose_instructions, NULL, 0,
	  "instructions: no valgrind" },
	{ "another machine is not comparable", change_machine, NULL, 5, "" },
	{ "nothing in common is not comparable", keep_nothing_in_common, NULL, 5, "" },
	{ "JSON", add_call, "--json", 3, "\"detail\": \"openat +1\"" },
	{ "JUnit", add_call, "--junit", 3, "<failure message=\"regressed: 30 to 31 system" },
	{ "Markdown", add_call, "--markdown", 3, "| regressed | `diff, small` | 30 to 31" },
};

static char *write_document(const struct test_place *place, const char *name, json_t *document)
{
	char *path = test_path("%s/%s.json", place->path, name);

	assert_int_equal(json_dump_file(document, path, 0), 0);
	json_decref(document);

	return path;
}

static struct test_output compare(const char *option, const char *base, const char *fresh)
{
	const char *argv[] = { REPORT_PROGRAM, "compare", base, fresh, option, NULL };

	return test_spawn(argv);
}

static void check_row(void **state)
{
	const struct test_place *place = *state;
	const struct row *row = place->row;
	json_t *changed = make_sample();
	cleanup_free char *base = write_document(place, "base", make_sample());
	cleanup_free char *fresh = NULL;
	cleanup_output struct test_output output = { 0 };

	row->change(changed);
	fresh = write_document(place, "new", changed);
	output = compare(row->option, base, fresh);
	if (output.status != row->status)
		fail_msg("status %d, not %d: %s%s", output.status, row->status, output.out,
		         output.err);
	assert_contains(output.out, row->said);
}

/* What is kept beside the sources. */
static void base_with_calls_only_is_compared_in_calls(void **state)
{
	const struct test_place *place = *state;
	json_t *kept = make_sample();
	json_t *grown = make_sample();
	json_t *each;
	size_t i;

	json_object_del(kept, "build");
	json_object_del(kept, "version");
	json_object_del(kept, "started");
	json_array_foreach(json_object_get(kept, "results"), i, each)
		json_object_del(each, "instruction_count");
	add_instruction(grown);

	cleanup_free char *base = write_document(place, "base", kept);
	cleanup_free char *fresh = write_document(place, "new", grown);
	cleanup_output struct test_output output = compare(NULL, base, fresh);

	assert_int_equal(output.status, 0);
	assert_contains(output.out, "\n2 equivalent\n");
}

static void self_test_regresses(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *base = write_document(place, "base", make_sample());
	const char *const argv[] = { REPORT_PROGRAM, "compare", "--self-test", base, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	assert_int_equal(output.status, 3);
	assert_contains(output.out, "3 regressed");
}

static void times_are_no_base_for_counts(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *fresh = write_document(place, "new", make_sample());
	cleanup_output struct test_output output =
		compare(NULL, SAMPLES "/bench-quick.json", fresh);

	assert_int_equal(output.status, 1);
	assert_contains(output.err, "not a document of ovl2-bench --tier exact");
}

static void result_without_counts_or_reason_is_refused(void **state)
{
	const struct test_place *place = *state;
	json_t *broken = make_sample();

	json_object_set_new(first_result(broken), "calls", json_null());

	cleanup_free char *path = write_document(place, "broken", broken);
	const char *const argv[] = { REPORT_PROGRAM, path, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	assert_int_equal(output.status, 1);
	assert_contains(output.err, "neither figures in 'calls' nor a reason in 'skipped'");
}

static void counts_are_shown(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *path = write_document(place, "exact", make_sample());
	cleanup_free char *page = test_path("%s/page.html", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "--html", page, path, NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	const char *const show[] = { "cat", page, NULL };
	cleanup_output struct test_output html = test_spawn(show);
	const char *const lint[] = { "xmllint", "--noout", page, NULL };
	cleanup_output struct test_output linted = test_spawn(lint);

	if (output.status != 0)
		fail_msg("%s", output.err);
	assert_contains(output.out, "SYSTEM CALLS");
	assert_contains(output.out, "mount, append, 16 lowers");
	assert_contains(output.out, "100,000");
	assert_contains(html.out, "<h2>Counts</h2>");
	assert_contains(html.out, "read 20, openat 10");
	assert_contains(html.out, "valgrind does not know fsconfig");
	if (linted.status != 0)
		fail_msg("%s", linted.err);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 5] = {
		cmocka_unit_test(base_with_calls_only_is_compared_in_calls),
		cmocka_unit_test(self_test_regresses),
		cmocka_unit_test(times_are_no_base_for_counts),
		cmocka_unit_test(result_without_counts_or_reason_is_refused),
		cmocka_unit_test(counts_are_shown),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[5 + i] = test_case(rows[i].title, check_row, &rows[i]);

	return test_run("counts", tests, ARRAY_SIZE(tests), argc, argv);
}
