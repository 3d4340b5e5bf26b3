#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/*
 * The main job's script around programs that end as the row says; only the report
 * is made by the real one. What needs packages or a compiler is replaced as well:
 * this is about what the script makes of its parts' endings.
 */

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "we");

	if (!file)
		fail_msg("write '%s': %s", path, strerror(errno));
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_sys(chmod(path, mode));
}

static void write_program(const char *base, const char *name, const char *body)
{
	cleanup_free char *path = test_path("%s/%s", base, name);
	cleanup_free char *text = test_path("#!/bin/sh\n%s\n", body);

	write_file(path, text, 0755);
}

static void run_shell(const char *base, const char *command)
{
	const char *const argv[] = { "sh", "-euc", command, base, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	if (output.status != 0)
		fail_msg("%s: %s", command, output.err);
}

/* A source tree with a finished build, and a PATH that installs and builds nothing. */
static void make_tree(const char *base, const char *probe, const char *bench)
{
	run_shell(base, "cd \"$0\"; mkdir -p tree/reports tree/.build/release/bin path work;"
	                "touch tree/.build/release/build.ninja;"
	                "cp " SCRIPTS "/qualify " SCRIPTS "/packages.sh tree/reports;"
	                "ln -s " REPORT_PROGRAM " tree/.build/release/bin/ovl2-report");
	write_program(base, "path/cmake", "exit 0");
	write_program(base, "path/apt-get", "exit 1");
	write_program(base, "path/dpkg-query", "echo installed");
	write_program(base, "tree/.build/release/bin/ovl2-probe", probe);
	write_program(base, "tree/.build/release/bin/ovl2-bench", bench);
}

/* `before` runs in the same shell, in the directory where the report appears. */
static struct test_output qualify(const char *base, const char *before)
{
	cleanup_free char *script = test_path("cd \"$0/work\"; PATH=$0/path:$PATH; %s", before);
	const char *const argv[] = { "sh", "-c", script, base, NULL };

	return test_spawn(argv);
}

#define QUALIFY "\"$0/tree/reports/qualify\" /tmp"

/* $2 is the value of --output, the first option of the probe and the last of bench. */
#define WRITE_PROBE(sample) "cp " SAMPLES "/" sample " \"$2\"; "
#define WRITE_BENCH "for out; do :; done; cp " SAMPLES "/bench-quick.json \"$out\"; "

struct row {
	const char *title;
	const char *probe;
	const char *bench;
	int status;
	int has_bench;

	/* In the page; "" for none. */
	const char *note;
};

static const struct row rows[] = {
	{ "qualified host", WRITE_PROBE("probe-qualified.json") "exit 0", WRITE_BENCH "exit 0", 0,
	  1, "" },
	{ "refused host", WRITE_PROBE("probe-refused.json") "exit 1", WRITE_BENCH "exit 0", 1, 1,
	  "" },
	{ "failing benchmarks do not hide a verdict", WRITE_PROBE("probe-qualified.json") "exit 0",
	  "echo 'ovl2-bench: no space' >&2; exit 1", 0, 0,
	  "The benchmarks failed with exit code 1: ovl2-bench: no space" },
	{ "failing benchmarks do not soften a verdict", WRITE_PROBE("probe-refused.json") "exit 1",
	  "exit 9", 1, 0, "The benchmarks failed with exit code 9" },
	{ "what was measured before a failure is kept",
	  WRITE_PROBE("probe-qualified.json") "exit 0",
	  WRITE_BENCH "echo 'ovl2-bench: diff FAILED' >&2; exit 1", 0, 1,
	  "The benchmarks failed with exit code 1: ovl2-bench: diff FAILED" },
	{ "refused benchmarks do not hide a verdict", WRITE_PROBE("probe-qualified.json") "exit 0",
	  "for out; do :; done; echo '{}' >\"$out\"", 0, 0,
	  "What the benchmarks wrote was refused." },
};

static void parts_make_a_whole(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_output struct test_output output = { 0 };
	cleanup_output struct test_output found = { 0 };

	make_tree(place->path, row->probe, row->bench);
	output = qualify(place->path, QUALIFY);
	assert_int_equal(output.status, row->status);
	assert_contains(output.err, "[1/4] ");
	assert_contains(output.err, "[4/4] ");
	assert_contains(output.out, "QUALIFIED for Docker");
	assert_contains(output.out, "/work/ovl2-report/report.html");

	found = qualify(place->path, "ls -A . ovl2-report");
	assert_string_equal(found.out, row->has_bench ? ".:\novl2-report\n\novl2-report:\n"
	                                                "bench.json\nprobe.json\nreport.html\n"
	                                              : ".:\novl2-report\n\novl2-report:\n"
	                                                "probe.json\nreport.html\n");
	test_output_release(&found);
	found = qualify(place->path, "cat ovl2-report/report.html");
	assert_contains(found.out, row->note);
}

static void second_run_leaves_nothing_of_the_first(void **state)
{
	struct test_place *place = *state;
	cleanup_output struct test_output output = { 0 };

	make_tree(place->path, rows[0].probe, rows[0].bench);
	output = qualify(place->path, QUALIFY);
	assert_int_equal(output.status, 0);
	test_output_release(&output);

	write_program(place->path, "tree/.build/release/bin/ovl2-bench", "exit 1");
	output = qualify(place->path, QUALIFY " >/dev/null; ls ovl2-report");
	assert_string_equal(output.out, "probe.json\nreport.html\n");
}

static void failing_probes_are_the_end(void **state)
{
	struct test_place *place = *state;
	cleanup_output struct test_output output = { 0 };

	make_tree(place->path, "echo 'ovl2-probe: broken' >&2; exit 70", "exit 0");
	output = qualify(place->path, QUALIFY "; code=$?; ls -A; exit $code");
	assert_int_equal(output.status, 2);
	assert_contains(output.err, "ovl2-probe: broken");
	assert_contains(output.err, "the probes failed with exit code 70");
	assert_string_equal(output.out, "");
}

static void failing_build_is_the_end(void **state)
{
	struct test_place *place = *state;
	cleanup_output struct test_output output = { 0 };

	make_tree(place->path, rows[0].probe, rows[0].bench);
	write_program(place->path, "path/cmake", "echo 'x.c:1: error'; exit 1");
	output = qualify(place->path, QUALIFY "; code=$?; ls -A; exit $code");
	assert_int_equal(output.status, 2);
	assert_contains(output.err, "x.c:1: error");
	assert_contains(output.err, "the build failed");
	assert_string_equal(output.out, "");
}

/* The signal reaches the program at work, and nothing is left. */
static void signal_ends_the_program_at_work(void **state)
{
	struct test_place *place = *state;
	cleanup_output struct test_output output = { 0 };

	make_tree(place->path, rows[0].probe,
	          "trap 'echo >../stopped; exit 143' TERM; echo >../started; "
	          "while :; do sleep 0.05; done");
	output = qualify(place->path,
	                 QUALIFY " & job=$!; until [ -e ../started ]; do sleep 0.05; done; "
	                         "kill -TERM $job; wait $job; code=$?; ls -A . ../stopped; "
	                         "exit $code");
	assert_int_equal(output.status, 143);
	assert_string_equal(output.out, "../stopped\n\n.:\n");
	assert_contains(output.err, "interrupted");
}

/* As when only the program at work is sent the signal. */
static void interrupted_benchmarks_are_an_interrupt(void **state)
{
	struct test_place *place = *state;
	cleanup_output struct test_output output = { 0 };

	make_tree(place->path, rows[0].probe, WRITE_BENCH "exit 130");
	output = qualify(place->path, QUALIFY "; code=$?; ls -A; exit $code");
	assert_int_equal(output.status, 130);
	assert_string_equal(output.out, "");
	assert_contains(output.err, "interrupted; nothing was written");
}

static void command_line_is_checked(void **state)
{
	struct test_place *place = *state;
	static const struct {
		const char *command;
		int status;
		const char *message;
	} cases[] = {
		{ SCRIPTS "/qualify --help", 0, "Usage: reports/qualify [DIR]" },
		{ SCRIPTS "/qualify --nope", 64, "unknown option '--nope'" },
		{ SCRIPTS "/qualify /tmp /tmp", 64, "one directory at most" },
		{ SCRIPTS "/qualify /nowhere", 2, "'/nowhere' is not a directory" },
		{ "setpriv --reuid 65534 --clear-groups sh -s <" SCRIPTS "/qualify", 2,
		  "needs root: sudo reports/qualify" },
	};

	run_shell(place->path, "mkdir \"$0/work\"");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_output struct test_output output = qualify(place->path, cases[i].command);

		assert_int_equal(output.status, cases[i].status);
		assert_contains(cases[i].status ? output.err : output.out, cases[i].message);
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest single[] = {
		cmocka_unit_test(second_run_leaves_nothing_of_the_first),
		cmocka_unit_test(failing_probes_are_the_end),
		cmocka_unit_test(failing_build_is_the_end),
		cmocka_unit_test(signal_ends_the_program_at_work),
		cmocka_unit_test(interrupted_benchmarks_are_an_interrupt),
		cmocka_unit_test(command_line_is_checked),
	};
	struct CMUnitTest tests[ARRAY_SIZE(rows) + ARRAY_SIZE(single)];
	size_t count = 0;

	if (geteuid() != 0) {
		printf("skipped: the script runs as root only\n");
		return TEST_EXIT_SKIPPED;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[count++] = test_case(rows[i].title, parts_make_a_whole, &rows[i]);
	memcpy(&tests[count], single, sizeof(single));
	count += ARRAY_SIZE(single);

	return test_run("qualify", tests, count, argc, argv);
}
