/*
 * ovl2-report compare: the gate for continuous integration.
 */

#include "cleanup.h"
#include "cli.h"
#include "compare.h"
#include "counts_main.h"
#include "document.h"
#include "export.h"
#include "fail.h"
#include "html.h"
#include "text.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MARGIN 5.0
#define SELF_TEST_SLOWDOWN 1.2

enum {
	KEY_JSON = 'j',
	KEY_MARGIN = 'm',
	KEY_STRICT = 's',
	KEY_FORCE = 'f',
	KEY_MARKDOWN = 256,
	KEY_JUNIT,
	KEY_SELF_TEST,
	KEY_TOLERANCE
};

static const struct cli_option options[] = {
	{ "margin", KEY_MARGIN, "PERCENT", "how much slower is a regression (5)" },
	{ "tolerance", KEY_TOLERANCE, "PERCENT", "how many more instructions are none (0)" },
	{ "strict", KEY_STRICT, NULL, "not to be able to say is a failure as well" },
	{ "force", KEY_FORCE, NULL, "compare what different machines measured" },
	{ "json", KEY_JSON, NULL, "print it as JSON, ovl2-compare/1" },
	{ "markdown", KEY_MARKDOWN, NULL, "print it for a pull request" },
	{ "junit", KEY_JUNIT, NULL, "print it as JUnit XML: what regressed has failed" },
	{ "self-test", KEY_SELF_TEST, NULL, "compare BASE with itself made 20 % slower: exits 3" },
	{ 0 },
};

static const struct cli_program program = {
	.name = "ovl2-report compare",
	.usage = "[OPTION...] BASE NEW.json\n       ovl2-report compare [OPTION...] NEW.json\n"
		 "       ovl2-report compare --self-test BASE",
	.about =
		"Says what became slower between two documents of ovl2-bench, and only what can be\n"
		"said: the interval of the change, not its middle, has to be beyond the margin, and\n"
		"p-values are adjusted for the number of benchmarks. What is compared is ours over\n"
		"the floor of the same round, so that a slower machine is not a regression.\n"
		"A change smaller than the rounds can find is inconclusive, with the rounds that\n"
		"would be needed.\n"
		"BASE is a document or a history: of a history the last five runs that are on each\n"
		"benchmark's present level, and what is said holds against every one of them.\n"
		"A NEW.json alone was measured in turn with its base (ovl2-bench --base): then the\n"
		"times of each round are compared, which sees the smallest changes.\n"
		"Of two documents of --tier exact counts are compared: a system call more regressed,\n"
		"on any machine, and an instruction more if the same compiler and libraries made both\n"
		"builds; of others that is unreliable.",
	.options = options,
	.exit_codes = "  0   nothing regressed\n"
		      "  1   a document was refused\n"
		      "  3   something regressed\n"
		      "  4   with --strict: something could not be said\n"
		      "  5   not comparable: another machine, kernel or filesystem; or no base\n"
		      "  64  the command line makes no sense\n"
		      "  make(1) turns all of these into 2: call it from a script",
	.examples =
		"  ovl2-report compare base.json new.json\n"
		"  ovl2-report compare --margin 10 --strict base.json new.json\n"
		"  ovl2-bench --base before/ovl2-bench --json >new.json; ovl2-report compare new.json\n"
		"  ovl2-report compare --markdown base.json new.json >>$GITHUB_STEP_SUMMARY\n"
		"  ovl2-report compare --junit history.jsonl new.json >compare.xml\n"
		"  ovl2-report compare driver/ovl2.calls exact.json\n"
		"  ovl2-report compare --self-test base.json; test $? -eq 3",
};

struct settings {
	double margin;
	double tolerance;
	int is_strict;
	int is_forced;
	int is_json;
	int is_markdown;
	int is_junit;
	int is_self_test;

	/* Is the base beside the new one, in the same document? */
	int is_beside;
};

static double parse_percent(const char *text, double least)
{
	char *end;
	double percent = strtod(text, &end);

	if (end == text || (*end && strcmp(end, "%") != 0) || !(percent >= least) || percent > 1000)
		cli_usage_error(&program, "'%s' is not a number of percent", text);

	return percent;
}

static void read_options(struct settings *settings, int argc, char **argv)
{
	int key;

	while ((key = cli_next_option(&program, argc, argv)) >= 0) {
		switch (key) {
		case KEY_MARGIN:
			settings->margin = parse_percent(optarg, 0.001);
			break;
		case KEY_TOLERANCE:
			settings->tolerance = parse_percent(optarg, 0);
			break;
		case KEY_STRICT:
			settings->is_strict = 1;
			break;
		case KEY_FORCE:
			settings->is_forced = 1;
			break;
		case KEY_JSON:
			settings->is_json = 1;
			break;
		case KEY_MARKDOWN:
			settings->is_markdown = 1;
			break;
		case KEY_JUNIT:
			settings->is_junit = 1;
			break;
		default:
			settings->is_self_test = 1;
		}
	}
	settings->is_beside = !settings->is_self_test && argc - optind == 1;
	if (!settings->is_beside && argc - optind != (settings->is_self_test ? 1 : 2))
		cli_usage_error(&program, settings->is_self_test
		                                  ? "--self-test takes one document"
		                                  : "give a base and a new document");
	if (settings->is_json + settings->is_markdown + settings->is_junit > 1)
		cli_usage_error(&program, "--json, --markdown and --junit: only one is printed");
}

/* ------------------------------------------------------------------ printing -- */

static void add_percent(struct ovi_strbuf *text, double ratio)
{
	ovi_strbuf_addf(text, "%+.1f %%", (ratio - 1) * 100);
}

/* "+3.1 % (+1.0 % to +5.2 %)" */
static void add_change(struct ovi_strbuf *text, const struct report_comparison *one)
{
	add_percent(text, one->ratio.value);
	ovi_strbuf_add(text, " (");
	add_percent(text, one->ratio.low);
	ovi_strbuf_add(text, " to ");
	add_percent(text, one->ratio.high);
	ovi_strbuf_add(text, ")");
}

/* Why nothing could be said, and what to do about it. */
static void add_advice(struct ovi_strbuf *text, const struct report_comparison *one, double margin)
{
	if (one->verdict == STATS_UNRELIABLE) {
		ovi_strbuf_add(text, "; the base itself differs by ");
		add_percent(text, one->control.value);
	}
	if (one->verdict != STATS_INCONCLUSIVE)
		return;
	if (!isfinite(one->detectable))
		ovi_strbuf_add(text, "; fewer than 6 rounds find nothing");
	else if (one->detectable > margin)
		ovi_strbuf_addf(text, "; finds %.1f %%, more than the margin: %zu rounds would do",
		                one->detectable * 100, one->rounds_needed);
}

static size_t count_verdict(const struct report_comparisons *all, enum stats_verdict verdict)
{
	size_t count = 0;

	for (size_t i = 0; i < all->count; i++)
		count += all->list[i].verdict == verdict;

	return count;
}

static int is_unsure(const struct report_comparison *one)
{
	return one->verdict == STATS_INCONCLUSIVE || one->verdict == STATS_UNRELIABLE;
}

static void add_counts(struct ovi_strbuf *text, const struct report_comparisons *all)
{
	size_t counts[STATS_UNRELIABLE + 1];

	for (int i = STATS_REGRESSED; i <= STATS_UNRELIABLE; i++)
		counts[i] = count_verdict(all, (enum stats_verdict)i);
	report_add_verdicts(text, counts, all->unmatched);
}

static void add_terminal(struct ovi_strbuf *text, const struct report_comparisons *all,
                         double margin)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct report_comparison *one = &all->list[i];

		ovi_strbuf_addf(text, "%-12s  ", stats_verdict_name(one->verdict));
		report_add_safe_label(text, one->result);
		ovi_strbuf_add(text, "  ");
		add_change(text, one);
		ovi_strbuf_addf(text, "  p %.3g", one->p);
		add_advice(text, one, margin);
		ovi_strbuf_add(text, "\n");
	}
	ovi_strbuf_add(text, "\n");
	add_counts(text, all);
}

static void add_markdown(struct ovi_strbuf *text, const struct report_comparisons *all,
                         double margin)
{
	ovi_strbuf_add(text, "### Benchmarks: ");
	add_counts(text, all);
	ovi_strbuf_addf(text, "\nMargin %.3g %%, %s.\n\n", margin * 100,
	                all->list[0].has_control ? "measured in turn with the base"
	                                         : "ours over the floor");
	ovi_strbuf_add(text,
	               "| verdict | benchmark | change (interval) | finds |\n|---|---|--:|--:|\n");
	for (size_t i = 0; i < all->count; i++) {
		const struct report_comparison *one = &all->list[i];

		ovi_strbuf_addf(text, "| %s | `", stats_verdict_name(one->verdict));
		report_add_safe_label(text, one->result);
		ovi_strbuf_add(text, "` | ");
		add_change(text, one);
		if (isfinite(one->detectable))
			ovi_strbuf_addf(text, " | %.1f %% |\n", one->detectable * 100);
		else
			ovi_strbuf_add(text, " | - |\n");
	}
}

/*
 * What regressed is a failure. What could not be said is skipped, and with --strict an
 * error, as in the exit codes.
 */
static void add_junit_case(struct ovi_strbuf *text, const struct report_comparison *one,
                           const struct settings *settings)
{
	const struct report_result *result = one->result;
	cleanup_strbuf struct ovi_strbuf key = { 0 };
	cleanup_strbuf struct ovi_strbuf said = { 0 };
	cleanup_strbuf struct ovi_strbuf seconds = { 0 };

	report_add_key(&key, result, 0);
	ovi_strbuf_addf(&seconds, "%.9f", result->ours.median_ns / 1e9);
	ovi_strbuf_addf(&said, "%s: ", stats_verdict_name(one->verdict));
	add_change(&said, one);
	add_advice(&said, one, settings->margin / 100);
	text->failed |= key.failed | said.failed | seconds.failed;
	if (text->failed)
		return;
	html(text, "    <testcase classname=\"ovl2.compare.%\" name=\"%\" time=\"%\">\n",
	     result->benchmark->id, key.text, seconds.text);
	if (one->verdict == STATS_REGRESSED)
		html(text, "      <failure message=\"%\"/>\n", said.text);
	else if (!is_unsure(one))
		html(text, "      <system-out>%</system-out>\n", said.text);
	else if (settings->is_strict)
		html(text, "      <error message=\"%\"/>\n", said.text);
	else
		html(text, "      <skipped message=\"%\"/>\n", said.text);
	ovi_strbuf_add(text, "    </testcase>\n");
}

static void add_junit(struct ovi_strbuf *text, const struct report_comparisons *all,
                      const struct settings *settings)
{
	size_t unsure =
		count_verdict(all, STATS_INCONCLUSIVE) + count_verdict(all, STATS_UNRELIABLE);

	ovi_strbuf_add(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
	ovi_strbuf_addf(text,
	                "  <testsuite name=\"ovl2-report compare\" tests=\"%zu\" failures=\"%zu\" "
	                "errors=\"%zu\" skipped=\"%zu\" time=\"0\">\n",
	                all->count, count_verdict(all, STATS_REGRESSED),
	                settings->is_strict ? unsure : 0, settings->is_strict ? 0 : unsure);
	for (size_t i = 0; i < all->count; i++)
		add_junit_case(text, &all->list[i], settings);
	ovi_strbuf_add(text, "  </testsuite>\n</testsuites>\n");
}

/* null where the base was not measured twice. */
static json_t *describe_control(const struct report_comparison *one)
{
	if (!one->has_control)
		return json_null();

	return json_pack("{s:f, s:f, s:f}", "value", one->control.value, "low", one->control.low,
	                 "high", one->control.high);
}

static json_t *describe(const struct report_comparison *one)
{
	const struct report_result *result = one->result;

	return json_pack("{s:s, s:s, s:o, s:s, s:{s:f, s:f, s:f}, s:f, s:o, s:I, s:I, s:I, s:o}",
	                 "benchmark", result->benchmark->id, "variant", result->variant, "value",
	                 result->has_value ? json_real(result->value) : json_null(), "verdict",
	                 stats_verdict_name(one->verdict), "ratio", "value", one->ratio.value,
	                 "low", one->ratio.low, "high", one->ratio.high, "p", one->p, "detectable",
	                 isfinite(one->detectable) ? json_real(one->detectable) : json_null(),
	                 "rounds_needed", (json_int_t)one->rounds_needed, "runs",
	                 (json_int_t)one->runs, "rounds", (json_int_t)one->rounds, "control",
	                 describe_control(one));
}

static json_t *describe_all(const struct report_comparisons *all, double margin, int code)
{
	json_t *list = json_array();

	for (size_t i = 0; i < all->count; i++)
		json_array_append_new(list, describe(&all->list[i]));

	return json_pack("{s:s, s:s, s:f, s:i, s:I, s:o}", "format", "ovl2-compare/1", "version",
	                 OVL2_VERSION, "margin", margin, "exit_code", code, "unmatched",
	                 (json_int_t)all->unmatched, "comparisons", list);
}

/* ----------------------------------------------------------------------- run -- */

static int exit_code_of(const struct settings *settings, const struct report_comparisons *all)
{
	if (count_verdict(all, STATS_REGRESSED))
		return REPORT_EXIT_REGRESSED;
	if (settings->is_strict &&
	    (count_verdict(all, STATS_INCONCLUSIVE) || count_verdict(all, STATS_UNRELIABLE)))
		return REPORT_EXIT_UNSURE;

	return REPORT_EXIT_PASS;
}

static int print(const struct settings *settings, const struct report_comparisons *all)
{
	int code = exit_code_of(settings, all);
	cleanup_strbuf struct ovi_strbuf text = { 0 };

	if (settings->is_json)
		return cli_print_json(&program, describe_all(all, settings->margin / 100, code))
		               ? REPORT_EXIT_TROUBLE
		               : code;
	if (settings->is_markdown)
		add_markdown(&text, all, settings->margin / 100);
	else if (settings->is_junit)
		add_junit(&text, all, settings);
	else
		add_terminal(&text, all, settings->margin / 100);
	if (ovi_strbuf_failed(&text))
		return REPORT_EXIT_TROUBLE;
	fputs(text.text, stdout);

	return cli_finish_output(&program) ? REPORT_EXIT_TROUBLE : code;
}

static int read_fresh(const char *path, struct report_documents *documents,
                      struct report_figures *figures, struct ovl2_error *err)
{
	int r = report_document_read(path, documents, err);

	if (r == 0 && !documents->bench)
		return ovi_fail(err, OVL2_E_INVALID, "read '%s': not a document of ovl2-bench",
		                path);

	return r < 0 ? r : report_figures_init(figures, documents->bench, err);
}

/* Without a `base` it is beside. Returns an exit code. */
static int compare(const struct settings *settings, const struct report_history *base,
                   const struct report_figures *fresh)
{
	struct report_comparisons all = { 0 };
	double margin = settings->margin / 100;
	struct ovl2_error err = { 0 };
	int code;
	int r;

	r = base ? report_compare(base, fresh, margin,
	                          settings->is_self_test ? SELF_TEST_SLOWDOWN : 1, &all, &err)
	         : report_compare_beside(fresh, margin, &all, &err);
	if (r < 0) {
		cli_report_error(&program, &err);
		return err.code == OVL2_E_NOT_FOUND ? REPORT_EXIT_OTHER_PLACE : REPORT_EXIT_TROUBLE;
	}
	code = print(settings, &all);
	report_comparisons_release(&all);

	return code;
}

static int compare_beside(const struct settings *settings, const char *path)
{
	cleanup_documents struct report_documents fresh = { 0 };
	cleanup_figures struct report_figures figures = { 0 };
	struct ovl2_error err = { 0 };

	if (read_fresh(path, &fresh, &figures, &err) < 0)
		return cli_report_error(&program, &err);

	return compare(settings, NULL, &figures);
}

static int compare_files(const struct settings *settings, char **argv)
{
	cleanup_history struct report_history base = { 0 };
	cleanup_documents struct report_documents fresh = { 0 };
	cleanup_figures struct report_figures figures = { 0 };
	struct ovl2_error err = { 0 };
	const struct report_run *newest;
	char why[256];

	if (report_history_read(argv[0], &base, &err) < 0) {
		cli_report_error(&program, &err);
		if (err.code != OVL2_E_NOT_FOUND)
			return REPORT_EXIT_TROUBLE;
		fprintf(stderr, "%s: no base: measure one first\n", program.name);
		return REPORT_EXIT_OTHER_PLACE;
	}
	newest = &base.runs[base.count - 1];
	if (!settings->is_self_test && read_fresh(argv[1], &fresh, &figures, &err) < 0)
		return cli_report_error(&program, &err);
	if (!settings->is_forced)
		report_history_keep_place(
			&base, settings->is_self_test ? newest->documents.bench : fresh.bench, why,
			sizeof(why));
	if (!base.count) {
		fprintf(stderr, "%s: not comparable: %s; --force compares all the same\n",
		        program.name, why);
		return REPORT_EXIT_OTHER_PLACE;
	}

	return compare(settings, &base,
	               settings->is_self_test ? &base.runs[base.count - 1].figures : &figures);
}

static int compare_counts(const struct settings *settings, char **argv)
{
	const struct report_counts_gate gate = {
		.tolerance = settings->tolerance / 100,
		.is_forced = settings->is_forced,
		.is_strict = settings->is_strict,
		.is_json = settings->is_json,
		.is_markdown = settings->is_markdown,
		.is_junit = settings->is_junit,
		.is_self_test = settings->is_self_test,
	};

	if (settings->is_beside)
		cli_usage_error(&program, "counts are compared with those of a base: give both");

	return report_compare_counts(&program, &gate, argv[0],
	                             argv[settings->is_self_test ? 0 : 1]);
}

int report_compare_main(int argc, char **argv)
{
	struct settings settings = { .margin = DEFAULT_MARGIN };

	read_options(&settings, argc, argv);
	if (report_has_counts(argv[argc - 1]))
		return compare_counts(&settings, argv + optind);

	return settings.is_beside ? compare_beside(&settings, argv[optind])
	                          : compare_files(&settings, argv + optind);
}
