/*
 * ovl2-report compare, of two documents with counts.
 */

#include "counts_main.h"

#include "cleanup.h"
#include "cli.h"
#include "compare.h"
#include "counts.h"
#include "document.h"
#include "escape.h"
#include "export.h"
#include "fail.h"
#include "html.h"
#include "strbuf.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

#define SELF_TEST_GROWTH 1.2

int report_has_counts(const char *path)
{
	json_t *document = strcmp(path, "-") == 0 ? NULL : json_load_file(path, 0, NULL);
	int has = strcmp(report_string(document, "format"), "ovl2-exact/1") == 0;

	json_decref(document);

	return has;
}

static size_t count_verdict(const struct report_count_changes *all, enum stats_verdict verdict)
{
	size_t count = 0;

	for (size_t i = 0; i < all->count; i++)
		count += all->list[i].verdict == verdict;

	return count;
}

static const char *metric_words(const struct report_count_change *one)
{
	return strcmp(one->metric, "instructions") == 0 ? "instructions" : "system calls";
}

/* "1,041 to 1,042 system calls: openat +1" */
static void add_words(struct ovi_strbuf *text, const struct report_count_change *one)
{
	if (one->verdict == STATS_UNRELIABLE)
		ovi_strbuf_addf(text, "%s: ", metric_words(one));
	else if (one->base == one->fresh)
		ovi_strbuf_addf(text, "%s %s%s", report_whole(one->base).text, metric_words(one),
		                *one->detail ? ": " : "");
	else
		ovi_strbuf_addf(text, "%s to %s %s%s", report_whole(one->base).text,
		                report_whole(one->fresh).text, metric_words(one),
		                *one->detail ? ": " : "");
	ovi_escape_controls(text, one->detail);
}

static void add_sums(struct ovi_strbuf *text, const struct report_count_changes *all)
{
	size_t counts[STATS_UNRELIABLE + 1];

	for (int i = STATS_REGRESSED; i <= STATS_UNRELIABLE; i++)
		counts[i] = count_verdict(all, (enum stats_verdict)i);
	report_add_verdicts(text, counts, all->unmatched);
}

static void add_terminal(struct ovi_strbuf *text, const struct report_count_changes *all)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct report_count_change *one = &all->list[i];

		ovi_strbuf_addf(text, "%-12s  ", stats_verdict_name(one->verdict));
		report_add_safe_label(text, one->result);
		ovi_strbuf_add(text, "  ");
		add_words(text, one);
		ovi_strbuf_add(text, "\n");
	}
	ovi_strbuf_add(text, "\n");
	add_sums(text, all);
}

/* What is as it was is in the sum alone. */
static void add_markdown(struct ovi_strbuf *text, const struct report_count_changes *all)
{
	ovi_strbuf_add(text, "### Counts: ");
	add_sums(text, all);
	ovi_strbuf_add(text, "\n| verdict | operation | change |\n|---|---|---|\n");
	for (size_t i = 0; i < all->count; i++) {
		const struct report_count_change *one = &all->list[i];

		if (one->verdict == STATS_EQUIVALENT && !*one->detail)
			continue;
		ovi_strbuf_addf(text, "| %s | `", stats_verdict_name(one->verdict));
		report_add_safe_label(text, one->result);
		ovi_strbuf_add(text, "` | ");
		add_words(text, one);
		ovi_strbuf_add(text, " |\n");
	}
}

static void add_junit_case(struct ovi_strbuf *text, const struct report_count_change *one,
                           int is_strict)
{
	cleanup_strbuf struct ovi_strbuf key = { 0 };
	cleanup_strbuf struct ovi_strbuf said = { 0 };

	report_add_key(&key, one->result, 0);
	ovi_strbuf_addf(&key, "/%s", one->metric);
	ovi_strbuf_addf(&said, "%s: ", stats_verdict_name(one->verdict));
	add_words(&said, one);
	text->failed |= key.failed | said.failed;
	if (text->failed)
		return;
	html(text, "    <testcase classname=\"ovl2.compare.%\" name=\"%\" time=\"0\">\n",
	     one->result->benchmark->id, key.text);
	if (one->verdict == STATS_REGRESSED)
		html(text, "      <failure message=\"%\"/>\n", said.text);
	else if (one->verdict != STATS_UNRELIABLE)
		html(text, "      <system-out>%</system-out>\n", said.text);
	else if (is_strict)
		html(text, "      <error message=\"%\"/>\n", said.text);
	else
		html(text, "      <skipped message=\"%\"/>\n", said.text);
	ovi_strbuf_add(text, "    </testcase>\n");
}

static void add_junit(struct ovi_strbuf *text, const struct report_count_changes *all,
                      int is_strict)
{
	size_t unsure = count_verdict(all, STATS_UNRELIABLE);

	ovi_strbuf_add(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
	ovi_strbuf_addf(text,
	                "  <testsuite name=\"ovl2-report compare\" tests=\"%zu\" failures=\"%zu\" "
	                "errors=\"%zu\" skipped=\"%zu\" time=\"0\">\n",
	                all->count, count_verdict(all, STATS_REGRESSED), is_strict ? unsure : 0,
	                is_strict ? 0 : unsure);
	for (size_t i = 0; i < all->count; i++)
		add_junit_case(text, &all->list[i], is_strict);
	ovi_strbuf_add(text, "  </testsuite>\n</testsuites>\n");
}

static json_t *describe(const struct report_count_change *one)
{
	const struct report_result *result = one->result;

	return json_pack("{s:s, s:s, s:o, s:s, s:s, s:f, s:f, s:s}", "benchmark",
	                 result->benchmark->id, "variant", result->variant, "value",
	                 result->has_value ? json_real(result->value) : json_null(), "metric",
	                 one->metric, "verdict", stats_verdict_name(one->verdict), "base_count",
	                 one->base, "new_count", one->fresh, "detail", one->detail);
}

static json_t *describe_all(const struct report_count_changes *all, double tolerance, int code)
{
	json_t *list = json_array();

	for (size_t i = 0; i < all->count; i++)
		json_array_append_new(list, describe(&all->list[i]));

	return json_pack("{s:s, s:s, s:f, s:i, s:I, s:o}", "format", "ovl2-compare/1", "version",
	                 OVL2_VERSION, "tolerance", tolerance, "exit_code", code, "unmatched",
	                 (json_int_t)all->unmatched, "comparisons", list);
}

static int print(const struct cli_program *program, const struct report_counts_gate *gate,
                 const struct report_count_changes *all)
{
	cleanup_strbuf struct ovi_strbuf text = { 0 };
	int code = REPORT_EXIT_PASS;

	if (count_verdict(all, STATS_REGRESSED))
		code = REPORT_EXIT_REGRESSED;
	else if (gate->is_strict && count_verdict(all, STATS_UNRELIABLE))
		code = REPORT_EXIT_UNSURE;

	if (gate->is_json)
		return cli_print_json(program, describe_all(all, gate->tolerance, code))
		               ? REPORT_EXIT_TROUBLE
		               : code;
	if (gate->is_markdown)
		add_markdown(&text, all);
	else if (gate->is_junit)
		add_junit(&text, all, gate->is_strict);
	else
		add_terminal(&text, all);
	if (ovi_strbuf_failed(&text))
		return REPORT_EXIT_TROUBLE;
	fputs(text.text, stdout);

	return cli_finish_output(program) ? REPORT_EXIT_TROUBLE : code;
}

static int compare(const struct cli_program *program, const struct report_counts_gate *gate,
                   const json_t *base, const json_t *fresh)
{
	const struct report_counts_options options = {
		.tolerance = gate->tolerance,
		.growth = gate->is_self_test ? SELF_TEST_GROWTH : 1,
		.is_forced = gate->is_forced,
	};
	const char *there = report_string(json_object_get(base, "host"), "machine");
	const char *here = report_string(json_object_get(fresh, "host"), "machine");
	cleanup_figures struct report_figures figures = { 0 };
	struct report_count_changes all = { 0 };
	struct ovl2_error err = { 0 };
	int code;

	if (!gate->is_forced && strcmp(there, here) != 0) {
		fprintf(stderr,
		        "%s: not comparable: host.machine is '%.60s' there and '%.60s' here; "
		        "--force compares all the same\n",
		        program->name, there, here);
		return REPORT_EXIT_OTHER_PLACE;
	}
	if (report_figures_init(&figures, fresh, &err) < 0 ||
	    report_counts_compare(base, fresh, &figures, &options, &all, &err) < 0) {
		cli_report_error(program, &err);
		return err.code == OVL2_E_NOT_FOUND ? REPORT_EXIT_OTHER_PLACE : REPORT_EXIT_TROUBLE;
	}
	code = print(program, gate, &all);
	free(all.list);

	return code;
}

static int read_counts(const char *path, struct report_documents *documents, struct ovl2_error *err)
{
	int r = report_document_read(path, documents, err);

	if (r == 0 && !documents->exact)
		r = ovi_fail(err, OVL2_E_INVALID,
		             "read '%s': not a document of ovl2-bench --tier exact", path);

	return r;
}

int report_compare_counts(const struct cli_program *program, const struct report_counts_gate *gate,
                          const char *base, const char *fresh)
{
	cleanup_documents struct report_documents old = { 0 };
	cleanup_documents struct report_documents new = { 0 };
	struct ovl2_error err = { 0 };

	if (read_counts(base, &old, &err) < 0) {
		cli_report_error(program, &err);
		return err.code == OVL2_E_NOT_FOUND ? REPORT_EXIT_OTHER_PLACE : REPORT_EXIT_TROUBLE;
	}
	if (read_counts(fresh, &new, &err) < 0)
		return cli_report_error(program, &err);

	return compare(program, gate, old.exact, new.exact);
}
