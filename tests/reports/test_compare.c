// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "document.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* The gate: it must be able to fail, and must know when it cannot know. */

static const char bench[] = SAMPLES "/bench-quick.json";

static int uses(const json_t *result, const char *benchmark, const char *variant)
{
	return strcmp(report_string(result, "benchmark"), benchmark) == 0 &&
	       strcmp(report_string(result, "variant"), variant) == 0;
}

/* Our samples of one case, times `factor`; of the first `rounds` only. */
static void edit(json_t *document, const char *benchmark, const char *variant, double factor,
                 size_t rounds)
{
	json_t *result;
	size_t i;

	json_array_foreach(json_object_get(document, "results"), i, result)
	{
		json_t *samples[2];
		json_t *value;
		size_t k;

		if (!uses(result, benchmark, variant))
			continue;
		samples[0] = json_object_get(json_object_get(result, "ours"), "values_ns");
		samples[1] = json_object_get(json_object_get(result, "floor"), "values_ns");
		json_array_foreach(samples[0], k, value) json_array_set_new(
			samples[0], k, json_real(json_number_value(value) * factor));
		for (k = 0; k < 2; k++)
			while (json_array_size(samples[k]) > rounds)
				json_array_remove(samples[k], json_array_size(samples[k]) - 1);
	}
}

static char *write_edited(const struct test_place *place, const char *name, double factor,
                          size_t rounds)
{
	char *path = test_path("%s/%s.json", place->path, name);
	json_t *document = json_load_file(bench, 0, NULL);

	assert_non_null(document);
	edit(document, "diff", "real", factor, rounds);
	assert_int_equal(json_dump_file(document, path, 0), 0);
	json_decref(document);

	return path;
}

/* Puts a base beside every result: ours, and every other value times `control`. */
static void add_base(json_t *document, double control)
{
	json_t *result;
	size_t i;

	json_array_foreach(json_object_get(document, "results"), i, result)
	{
		json_t *ours = json_deep_copy(json_object_get(result, "ours"));
		json_t *values = json_object_get(ours, "values_ns");

		if (!values)
			continue;
		for (size_t k = 1; k < json_array_size(values); k += 2)
			json_array_set_new(
				values, k,
				json_real(json_number_value(json_array_get(values, k)) * control));
		json_object_set_new(result, "base", json_pack("{s:o}", "ours", ours));
	}
}

static struct test_output compare(const char *option, const char *base, const char *fresh)
{
	return test_spawn(
		(const char *const[]){ REPORT_PROGRAM, "compare", option, base, fresh, NULL });
}

/* The verdict of diff, real; free(3). */
static char *verdict_of(const char *text)
{
	json_t *document = json_loads(text, 0, NULL);
	char *verdict = NULL;
	json_t *one;
	size_t i;

	assert_non_null(document);
	json_array_foreach(json_object_get(document, "comparisons"), i,
	                   one) if (uses(one, "diff", "real")) verdict =
		strdup(report_string(one, "verdict"));
	json_decref(document);
	assert_non_null(verdict);

	return verdict;
}

struct row {
	const char *title;
	double factor;
	size_t rounds;
	const char *option;
	const char *verdict;
	int status;
};

static const struct row rows[] = {
	{ "the same is equivalent", 1, 99, "--json", "equivalent", 0 },
	{ "a tenth slower is regressed", 1.1, 99, "--json", "regressed", 3 },
	{ "a tenth faster is improved", 0.9, 99, "--json", "improved", 0 },
	{ "a wide margin lets it pass", 1.1, 99, "--margin=25", "", 0 },
	{ "five rounds find nothing", 1.5, 5, "--json", "inconclusive", 0 },
};

static void change_is_judged(void **state)
{
	const struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_free char *fresh = write_edited(place, "new", row->factor, row->rounds);
	cleanup_output struct test_output output = compare(row->option, bench, fresh);

	assert_int_equal(output.status, row->status);
	if (*row->verdict) {
		cleanup_free char *verdict = verdict_of(output.out);

		assert_string_equal(verdict, row->verdict);
	}
}

struct beside {
	const char *title;
	double factor;
	double control;
	size_t rounds;
	const char *verdict;
	int status;
};

static const struct beside besides[] = {
	{ "beside its base, the same is equivalent", 1, 1.001, 99, "equivalent", 0 },
	{ "beside its base, a tenth slower is regressed", 1.1, 1.001, 99, "regressed", 3 },
	{ "beside its base, a tenth faster is improved", 0.9, 1.001, 99, "improved", 0 },
	{ "beside its base, five rounds find nothing", 1.5, 1.001, 5, "inconclusive", 0 },
	{ "a base that differs from itself tells nothing", 1.5, 1.2, 99, "unreliable", 0 },
};

static void change_beside_the_base_is_judged(void **state)
{
	const struct test_place *place = *state;
	const struct beside *row = place->row;
	cleanup_free char *path = test_path("%s/new.json", place->path);
	json_t *document = json_load_file(bench, 0, NULL);
	cleanup_output struct test_output output = { 0 };
	cleanup_free char *verdict = NULL;

	assert_non_null(document);
	add_base(document, row->control);
	edit(document, "diff", "real", row->factor, row->rounds);
	assert_int_equal(json_dump_file(document, path, 0), 0);
	json_decref(document);

	output = test_spawn(
		(const char *const[]){ REPORT_PROGRAM, "compare", "--json", path, NULL });
	assert_int_equal(output.status, row->status);
	verdict = verdict_of(output.out);
	assert_string_equal(verdict, row->verdict);
}

static void no_base_beside_is_said(void **state)
{
	const char *const argv[] = { REPORT_PROGRAM, "compare", bench, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;
	assert_int_equal(output.status, 5);
	assert_contains(output.err, "measure with ovl2-bench --base");
}

static void not_to_be_able_to_say_fails_when_strict(void **state)
{
	cleanup_free char *fresh = write_edited(*state, "new", 1, 5);
	cleanup_output struct test_output output = compare("--strict", bench, fresh);

	assert_int_equal(output.status, 4);
	assert_contains(output.out, "fewer than 6 rounds find nothing");
}

static void gate_proves_that_it_can_fail(void **state)
{
	const char *const argv[] = { REPORT_PROGRAM, "compare", "--self-test", bench, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;
	assert_int_equal(output.status, 3);
	assert_contains(output.out, "80 regressed");
}

static void another_machine_is_not_compared(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/other.json", place->path);
	json_t *document = json_load_file(bench, 0, NULL);
	cleanup_output struct test_output refused = { 0 };
	cleanup_output struct test_output forced = { 0 };

	json_object_set_new(json_object_get(document, "host"), "kernel", json_string("5.10"));
	assert_int_equal(json_dump_file(document, path, 0), 0);
	json_decref(document);
	refused = compare("--json", bench, path);
	forced = compare("--force", bench, path);
	assert_int_equal(refused.status, 5);
	assert_contains(refused.err, "host.kernel is '6.1.0-31-amd64' there and '5.10' here");
	assert_int_equal(forced.status, 0);
}

static void missing_base_is_told_from_a_broken_one(void **state)
{
	cleanup_output struct test_output missing = compare("--json", "/nowhere.json", bench);
	cleanup_output struct test_output broken =
		compare("--json", SAMPLES "/probe-refused.json", bench);

	(void)state;
	assert_int_equal(missing.status, 5);
	assert_contains(missing.err, "measure one first");
	assert_int_equal(broken.status, 1);
	assert_contains(broken.err, "not a document of ovl2-bench");
}

static void markdown_is_a_table(void **state)
{
	cleanup_output struct test_output output = compare("--markdown", bench, bench);

	(void)state;
	assert_int_equal(output.status, 0);
	assert_contains(output.out, "### Benchmarks: ");
	assert_contains(output.out, "| equivalent | `diff, real` | ");
}

static void junit_has_what_regressed_as_failures(void **state)
{
	static const char script[] =
		"\"$0\" compare --junit \"$@\" | xmllint --relaxng " SAMPLES "/junit.rng "
		"--xpath 'concat(//testsuite/@tests = count(//testcase), \" \", "
		"//testsuite/@failures = count(//failure), \" \", "
		"//testsuite/@skipped = count(//skipped), \" \", "
		"//testsuite/@errors = count(//error), \" \", count(//failure), \" \", "
		"//failure/../@name)' -";
	const struct test_place *place = *state;
	cleanup_free char *fresh = write_edited(place, "new", 1.2, 99);
	const char *const argv[] = { "sh", "-c", script, REPORT_PROGRAM, bench, fresh, NULL };
	const char *const strict[] = { "sh",       "-c",  script, REPORT_PROGRAM,
		                       "--strict", bench, fresh,  NULL };
	cleanup_output struct test_output usual = test_spawn(argv);
	cleanup_output struct test_output hard = test_spawn(strict);

	assert_contains(usual.err, "validates");
	assert_contains(hard.err, "validates");
	assert_contains(usual.out, "true true true true 1 diff/real\n");
	assert_contains(hard.out, "true true true true 1 diff/real\n");
}

static void recipe_for_ci_says_how_to_use_it(void **state)
{
	const char *const none[] = { SCRIPTS "/ci/gate", NULL };
	const char *const unknown[] = { SCRIPTS "/ci/gate", "no-such-commit", NULL };
	cleanup_output struct test_output usage = test_spawn(none);
	cleanup_output struct test_output output = test_spawn(unknown);

	(void)state;
	assert_int_equal(usage.status, 64);
	assert_contains(usage.err, "gate BASE [BENCH-OPTION...]");
	assert_int_equal(output.status, 5);
	assert_contains(output.err, "no commit 'no-such-commit'");
}

/*
 * In a clone of two commits whose builds are the programs at hand: the recipe checks the
 * base out, builds both, measures them in turn, compares, and leaves no worktree.
 */
static void recipe_for_ci_measures_both_builds(void **state)
{
	static const char script[] =
		"set -e; cd \"$1\"; exec 2>&1\n"
		"export HOME=\"$1\" TMPDIR=\"$1\" OVL2_COMPARE='--margin 1000'\n"
		"mkdir -p reports/ci; cp '" SCRIPTS "/ci/gate' reports/ci\n"
		"cat >CMakePresets.json <<'END'\n"
		"{\"version\": 6, \"configurePresets\": [{\"name\": \"release\","
		" \"binaryDir\": \"${sourceDir}/.build/release\"}],"
		" \"buildPresets\": [{\"name\": \"release\", \"configurePreset\": \"release\"}]}\n"
		"END\n"
		"cat >CMakeLists.txt <<'END'\n"
		"cmake_minimum_required(VERSION 3.25)\n"
		"project(stub NONE)\n"
		"file(COPY '" OVL2_BENCH "' '" REPORT_PROGRAM "' DESTINATION bin)\n"
		"END\n"
		"tr \\' '\"' <CMakeLists.txt >new; mv new CMakeLists.txt\n"
		"git init -q .; git config user.name t; git config user.email t@example.org\n"
		"git add reports CMake*; git commit -qm one; git commit -qm two --allow-empty\n"
		"reports/ci/gate HEAD~1 --tier smoke --rounds 6 --only diff_size "
		"--filesystem tmpfs\n"
		"git worktree list | wc -l; ls -d ovl2-gate-* || echo gone\n"
		"cat ovl2-report/gate/compare.md\n";
	const struct test_place *place = *state;
	const char *const argv[] = { "sh", "-c", script, "sh", place->path, NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	cleanup_free char *path = test_path("%s/ovl2-report/gate/bench.json", place->path);
	json_t *document = json_load_file(path, 0, NULL);

	if (output.status != 0)
		fail_msg("%s", output.out);
	assert_contains(output.out, "diff_size, small");
	assert_contains(output.out, "\n1\n");
	assert_contains(output.out, "gone\n### Benchmarks: ");
	assert_contains(output.out, "measured in turn with the base");
	assert_contains(report_string(document, "base"), "/base/.build/release/bin/ovl2-bench");
	json_decref(document);
}

/* What the workflow runs is there. */
static void workflow_calls_what_there_is(void **state)
{
	static const char script[] =
		"import os, sys, yaml\n"
		"job = yaml.safe_load(open(sys.argv[1]))['jobs']['gate']\n"
		"runs = ' '.join(step.get('run', '') for step in job['steps'])\n"
		"for word in runs.split():\n"
		"    if word.startswith('reports/'):\n"
		"        assert os.path.exists(os.path.join(sys.argv[2], word)), word\n"
		"        print(word)\n";
	const char *const argv[] = { "python3",     "-c", script, SCRIPTS "/ci/github-actions.yml",
		                     SCRIPTS "/..", NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;
	assert_int_equal(output.status, 0);
	assert_contains(output.out, "reports/ci/gate\n");
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[10 + ARRAY_SIZE(rows) + ARRAY_SIZE(besides)] = {
		cmocka_unit_test(no_base_beside_is_said),
		cmocka_unit_test(recipe_for_ci_measures_both_builds),
		cmocka_unit_test(not_to_be_able_to_say_fails_when_strict),
		cmocka_unit_test(gate_proves_that_it_can_fail),
		cmocka_unit_test(another_machine_is_not_compared),
		cmocka_unit_test(missing_base_is_told_from_a_broken_one),
		cmocka_unit_test(markdown_is_a_table),
		cmocka_unit_test(junit_has_what_regressed_as_failures),
		cmocka_unit_test(recipe_for_ci_says_how_to_use_it),
		cmocka_unit_test(workflow_calls_what_there_is),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[10 + i] = test_case(rows[i].title, change_is_judged, &rows[i]);
	for (size_t i = 0; i < ARRAY_SIZE(besides); i++)
		tests[10 + ARRAY_SIZE(rows) + i] =
			test_case(besides[i].title, change_beside_the_base_is_judged, &besides[i]);

	return test_run("compare", tests, ARRAY_SIZE(tests), argc, argv);
}
