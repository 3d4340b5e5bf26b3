#include "support/test.h"

#include "page_check.h"

/*
 * Both sides of FORMAT.md: what the programs write today is what the report reads.
 */

static const char probe_program[] = BIN "/ovl2-probe";
static const char bench_program[] = BIN "/ovl2-bench";
static const char report_program[] = BIN "/ovl2-report";

static const char page[] = "report.html";
static const char probe[] = "probe.json";
static const char bench[] = "bench.json";

/* Runs one of our programs, which stand side by side. */
static void run(const char *const argv[])
{
	cleanup_output struct test_output output = test_spawn(argv);

	if (output.status == 127) {
		test_output_release(&output);
		test_skip("'%s' is not built", argv[0]);
	}
	if (output.status != 0)
		fail_msg("%s: exit code %d: %s", argv[0], output.status, output.err);
}

static void enter(struct test_place *place)
{
	if (geteuid() != 0)
		test_skip("probes and benchmarks mount, which needs root");
	assert_sys(chdir(place->path));
}

static void write_probe_document(void)
{
	/* Any verdict will do. */
	static const char script[] = "\"$0\" --output \"$1\" . >/dev/null || [ $? -le 2 ]";
	const char *const argv[] = { "sh", "-c", script, probe_program, probe, NULL };

	run(argv);
}

static void probe_document_is_accepted(void **state)
{
	const char *const argv[] = { report_program, "--html", page, probe, NULL };

	enter(*state);
	write_probe_document();
	run(argv);
	page_assert_sound(page);
	page_assert_count(page, "//*[@id = 'probes']//*[local-name() = 'tbody']/*", "10");
}

static void bench_document_is_accepted(void **state)
{
	const char *const measure[] = {
		bench_program, "--filesystem",  "tmpfs",    "--rounds", "1",
		"--only",      "create_remove", "--output", bench,      NULL
	};
	const char *const report[] = { report_program, "--html", page, bench, probe, NULL };

	enter(*state);
	run(measure);
	write_probe_document();
	run(report);
	page_assert_sound(page);
	page_assert_count(page, "//*[local-name() = 'figure'][starts-with(@id, 'bars')]", "1");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probe_document_is_accepted),
		cmocka_unit_test(bench_document_is_accepted),
	};

	return test_run("contract", tests, ARRAY_SIZE(tests), argc, argv);
}
