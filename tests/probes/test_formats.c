// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <stdio.h>

/*
 * A survey in the words of others, read by them: the real program where Debian has it,
 * else by the reader's rules.
 */

static const char refused[] = SAMPLES "/probe-refused.json";
static const char qualified[] = SAMPLES "/probe-qualified.json";

static struct test_output shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static struct test_output shell(const char *format, ...)
{
	char script[4096];
	va_list args;

	va_start(args, format);
	assert_true(vsnprintf(script, sizeof(script), format, args) < (int)sizeof(script));
	va_end(args);

	return test_spawn((const char *const[]){ "sh", "-euc", script, NULL });
}

static void require_tool(const char *name, const char *package)
{
	cleanup_output struct test_output output = shell("command -v '%s'", name);

	if (output.status != 0)
		test_skip("no %s: apt-get install %s", name, package);
}

static void assert_went_well(const struct test_output *output)
{
	if (output->status != 0)
		fail_msg("exit code %d: %s%s", output->status, output->out, output->err);
}

static struct test_output export(const char *format, const char *document)
{
	return test_spawn(
		(const char *const[]){ OVL2_PROBE, "--from", document, "--format", format, NULL });
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n';

	return count;
}

/* ------------------------------------------------------------------- JSON -- */

static void json_agrees_with_its_schema(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output = { 0 };

	output = shell("cd '%s' && " OVL2_PROBE
	               " --profile all --output all.json . >/dev/null || :\n" OVL2_PROBE
	               " --json . >docker.json || :\n"
	               "python3 - " SCHEMA " all.json docker.json " SAMPLES
	               "/probe-refused.json " SAMPLES "/probe-qualified.json <<'END'\n"
	               "import json, sys, jsonschema\n"
	               "schema = json.load(open(sys.argv[1]))\n"
	               "jsonschema.Draft202012Validator.check_schema(schema)\n"
	               "for name in sys.argv[2:]:\n"
	               "    document = json.load(open(name))\n"
	               "    jsonschema.validate(document, schema)\n"
	               "    print(name, len(document['probes']))\n"
	               "    document['probes'][0]['answer'] = 'maybe'\n"
	               "    try:\n"
	               "        jsonschema.validate(document, schema)\n"
	               "        sys.exit('the schema takes anything')\n"
	               "    except jsonschema.ValidationError:\n"
	               "        pass\n"
	               "END\n",
	               place->path);
	assert_went_well(&output);
}

/* One run, many formats: what is read back is what was written. */
static void json_is_read_back_as_it_was(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output =
		shell("cd '%s' && " OVL2_PROBE " --profile all --json . >one.json || :\n" OVL2_PROBE
	              " --from one.json --json >two.json || :\n"
	              "jq -S . one.json >one && jq -S . two.json >two && cmp one two",
	              place->path);

	assert_went_well(&output);
}

static void jsonl_is_a_line_a_probe(void **state)
{
	cleanup_output struct test_output output = shell(
		OVL2_PROBE " --from %s --format jsonl | jq -r '.type' | sort | uniq -c", refused);

	(void)state;
	assert_contains(output.out, "10 probe");
	assert_contains(output.out, "1 verdict");
}

/* -------------------------------------------------------------- harnesses -- */

static void tap_is_understood_by_prove(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output = { 0 };

	require_tool("prove", "perl");
	output = shell("cd '%s' && " OVL2_PROBE
	               " --from %s --format tap >refused.tap || :\n" OVL2_PROBE
	               " --from %s --format tap >qualified.tap || :\n"
	               "prove --exec cat qualified.tap\n"
	               "if prove --exec cat refused.tap >log; then exit 9; fi; cat log",
	               place->path, refused, qualified);
	assert_went_well(&output);
	assert_contains(output.out, "All tests successful");
	assert_contains(output.out, "Result: FAIL");
	assert_null(strstr(output.out, "Parse errors"));
}

static void junit_is_valid_and_counts_agree(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output =
		shell("cd '%s' && " OVL2_PROBE " --from %s --format junit >junit.xml || :\n"
	              "xmllint --noout --relaxng " JUNIT " junit.xml 2>&1\n"
	              "xmllint --xpath 'concat(//testsuite/@tests = count(//testcase), \" \", "
	              "//testsuite/@failures = count(//failure), \" \", "
	              "//testsuite/@errors = count(//error))' junit.xml",
	              place->path, refused);

	assert_went_well(&output);
	assert_contains(output.out, "true true true");
}

/* -------------------------------------------------------------- monitoring -- */

static void npd_message_fits(void **state)
{
	cleanup_output struct test_output bad = export("npd", refused);
	cleanup_output struct test_output good = export("npd", qualified);

	(void)state;
	assert_int_equal(bad.status, 1);
	assert_int_equal(good.status, 0);
	assert_int_equal(count_lines(bad.out), 1);
	assert_true(strlen(bad.out) <= 81);
	assert_true(strncmp(bad.out, "d_type: ", 8) == 0);
}

static void nagios_has_its_exit_codes(void **state)
{
	cleanup_output struct test_output bad = export("nagios", refused);
	cleanup_output struct test_output good = export("nagios", qualified);
	const char *const nowhere[] = { OVL2_PROBE, "--format", "nagios", "/nowhere", NULL };
	cleanup_output struct test_output none = test_spawn(nowhere);

	(void)state;
	assert_int_equal(bad.status, 2);
	assert_contains(bad.out, "OVL2 CRITICAL - not qualified");
	assert_contains(bad.out, " | fail=1;");
	assert_true(good.status == 0 || good.status == 1);
	assert_int_equal(none.status, 3);
	assert_contains(none.out, "OVL2 UNKNOWN - ");
}

static void prometheus_takes_the_metrics(void **state)
{
	cleanup_output struct test_output output = { 0 };

	(void)state;
	require_tool("promtool", "prometheus");
	output = shell("for format in prometheus prometheus-all; do\n"
	               "{ " OVL2_PROBE
	               " --from %s --format $format || :; } | promtool check metrics\n"
	               "done",
	               refused);
	assert_went_well(&output);
	test_output_release(&output);
	output = export("prometheus", refused);
	assert_true(count_lines(output.out) - 14 < 20);
}

/* The real exporter serves what it found in its directory, and nothing was wrong. */
static void node_exporter_serves_the_file(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output = { 0 };

	require_tool("prometheus-node-exporter", "prometheus-node-exporter");
	output = shell(
		"cd '%s' && mkdir text && " OVL2_PROBE " --from %s --write "
		"prometheus=text/ovl2.prom >/dev/null || :\n"
		"prometheus-node-exporter --collector.disable-defaults --collector.textfile "
		"--collector.textfile.directory=text --web.listen-address=127.0.0.1:39100 "
		">log 2>&1 & exporter=$!\n"
		"for i in $(seq 100); do\n"
		"  python3 -c 'import urllib.request as u; print(u.urlopen("
		"\"http://127.0.0.1:39100/metrics\").read().decode())' >served 2>/dev/null && break\n"
		"  sleep 0.1\n"
		"done\n"
		"kill $exporter\n"
		"grep -E '^(ovl2_probe_qualified|node_textfile_scrape_error)' served",
		place->path, refused);
	assert_went_well(&output);
	assert_contains(output.out, "node_textfile_scrape_error 0");
	assert_contains(output.out,
	                "ovl2_probe_qualified{path=\"/var/lib/docker\",profile=\"docker\"} 0");
}

static void ansible_has_facts_of_it(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output = { 0 };

	require_tool("ansible", "ansible-core");
	output = shell("cd '%s' && mkdir facts && " OVL2_PROBE " --from %s --write "
	               "ansible=facts/ovl2.fact >/dev/null || :\n"
	               "export HOME=$PWD ANSIBLE_LOCALHOST_WARNING=0 ANSIBLE_NOCOLOR=1\n"
	               "ansible localhost -m setup -a \"fact_path=$PWD/facts filter=ansible_local "
	               "gather_subset=local\"",
	               place->path, refused);
	assert_went_well(&output);
	assert_contains(output.out, "\"verdict\": \"not_qualified\"");
	assert_contains(output.out, "\"d_type\"");
}

static void ansible_never_fails_the_host(void **state)
{
	cleanup_output struct test_output output = export("ansible", refused);

	(void)state;
	assert_int_equal(output.status, 0);
}

/* no-color.org: any value that is not empty. */
static void colors_are_for_terminals_only(void **state)
{
	cleanup_output struct test_output plain = export("human", refused);
	cleanup_output struct test_output wanted =
		shell(OVL2_PROBE " --from %s --color always || :", refused);

	(void)state;
	assert_null(strchr(plain.out, '\033'));
	assert_non_null(strchr(wanted.out, '\033'));
}

static void hostile_document_stays_in_its_format(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output = shell(
		"cd '%s' && jq '.host.name = \"a\\nb\" | .target.path = \"/x \\\"y\\\\\\nz|w\" | "
		".probes[2].evidence = \"]]> <b> | \\u001b[31m # TODO \\u0001\"' %s >bad.json\n"
		"for f in tap junit nagios npd prometheus nfd ansible jsonl; do\n"
		"  " OVL2_PROBE " --from bad.json --format $f >out.$f 2>err.$f || :\n"
		"done\n"
		"if [ -s out.junit ]; then xmllint --noout out.junit; fi\n"
		"! grep -q \"$(printf '\\033')\" out.*\n",
		place->path, refused);

	assert_went_well(&output);
}

static void exit_code_can_be_chosen(void **state)
{
	static const struct {
		const char *option;
		const char *document;
		int status;
	} rows[] = {
		{ "--format=tap", SAMPLES "/probe-qualified.json", 0 },
		{ "--strict", SAMPLES "/probe-qualified.json", 1 },
		{ "--strict", SAMPLES "/probe-refused.json", 1 },
		{ "--exit-zero", SAMPLES "/probe-refused.json", 0 },
		{ "--exit-zero", "/nonexistent/probe.json", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_output struct test_output output = test_spawn((const char *const[]){
			OVL2_PROBE, "--from", rows[i].document, rows[i].option, NULL });

		if (output.status != rows[i].status)
			fail_msg("%s %s: exit code %d", rows[i].option, rows[i].document,
			         output.status);
		if (i == 1)
			assert_contains(output.err, "1 warning, and --strict takes none");
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_agrees_with_its_schema),
		cmocka_unit_test(json_is_read_back_as_it_was),
		cmocka_unit_test(jsonl_is_a_line_a_probe),
		cmocka_unit_test(tap_is_understood_by_prove),
		cmocka_unit_test(junit_is_valid_and_counts_agree),
		cmocka_unit_test(npd_message_fits),
		cmocka_unit_test(nagios_has_its_exit_codes),
		cmocka_unit_test(exit_code_can_be_chosen),
		cmocka_unit_test(prometheus_takes_the_metrics),
		cmocka_unit_test(node_exporter_serves_the_file),
		cmocka_unit_test(ansible_has_facts_of_it),
		cmocka_unit_test(ansible_never_fails_the_host),
		cmocka_unit_test(colors_are_for_terminals_only),
		cmocka_unit_test(hostile_document_stays_in_its_format),
	};

	test_enter_namespace();
	return test_run("formats", tests, ARRAY_SIZE(tests), argc, argv);
}
