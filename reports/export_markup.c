/*
 * Markdown for people who read pull requests, JUnit for what runs them.
 */

#include "export.h"

#include "cleanup.h"
#include "escape.h"
#include "html.h"
#include "text.h"

#include <string.h>

/* ---------------------------------------------------------------- markdown -- */

/* Text that shows as it is, in a cell of a table as well: one line, nothing marked up. */
static void add_words(struct ovi_strbuf *text, const char *words)
{
	for (; *words; words++) {
		if (strchr("\\`*_{}[]<>#+!|~&", *words))
			ovi_strbuf_add(text, "\\");
		if (*words == '\n' || *words == '\r')
			ovi_strbuf_add(text, " ");
		else
			ovi_strbuf_add_bytes(text, words, 1);
	}
}

static void add_verdict(struct ovi_strbuf *text, const json_t *probe)
{
	static const char *const words[][2] = {
		{ "qualified", "✅ Qualified" },
		{ "not_qualified", "❌ Not qualified" },
		{ "undetermined", "❔ Undetermined" },
	};
	const json_t *target = json_object_get(probe, "target");
	const char *verdict = report_string(probe, "verdict");

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(verdict, words[i][0]) == 0)
			ovi_strbuf_addf(text, "### %s for ", words[i][1]);
	add_words(text, report_string(json_object_get(probe, "profile"), "title"));
	ovi_strbuf_add(text, " on ");
	add_words(text, report_string(target, "path"));
	ovi_strbuf_add(text, " (");
	add_words(text, report_string(target, "filesystem"));
	ovi_strbuf_add(text, ", Linux ");
	add_words(text, report_string(json_object_get(probe, "host"), "kernel"));
	ovi_strbuf_add(text, ")\n\n");
}

/* A fence longer than any run of backticks in a document's text cannot be closed by it. */
static void add_remedy(struct ovi_strbuf *text, const char *remedy)
{
	size_t longest = 2;

	for (const char *at = remedy; *at;) {
		size_t run = strspn(at, "`");

		if (run > longest)
			longest = run;
		at += run ? run : 1;
	}
	for (size_t i = 0; i <= longest; i++)
		ovi_strbuf_add(text, "`");
	ovi_strbuf_add(text, "text\n");
	ovi_escape_controls(text, remedy);
	ovi_strbuf_add(text, "\n");
	for (size_t i = 0; i <= longest; i++)
		ovi_strbuf_add(text, "`");
	ovi_strbuf_add(text, "\n\n");
}

static void add_probes(struct ovi_strbuf *text, const json_t *probe)
{
	json_t *one;
	size_t i;
	size_t count = json_array_size(json_object_get(probe, "probes"));
	size_t passed = report_count_verdict(probe, "pass");

	add_verdict(text, probe);
	ovi_strbuf_addf(text, "%zu of %zu probes passed.", passed, count);
	if (report_count_not_asked(probe))
		ovi_strbuf_addf(text, " Partial: %zu required ones were not asked.",
		                report_count_not_asked(probe));
	ovi_strbuf_add(text, "\n\n");
	if (passed == count)
		return;

	ovi_strbuf_add(text, "| probe | verdict | seen |\n|---|---|---|\n");
	json_array_foreach(json_object_get(probe, "probes"), i, one)
	{
		if (strcmp(report_string(one, "verdict"), "pass") == 0)
			continue;
		ovi_strbuf_add(text, "| ");
		add_words(text, report_string(one, "title"));
		ovi_strbuf_addf(text, " | %s (%s) | ", report_string(one, "verdict"),
		                report_string(one, "level"));
		add_words(text, report_string(one, "evidence"));
		ovi_strbuf_add(text, " |\n");
	}
	ovi_strbuf_add(text, "\n<details><summary>What to do</summary>\n\n");
	json_array_foreach(json_object_get(probe, "probes"), i, one)
	{
		if (!*report_string(one, "remedy"))
			continue;
		add_words(text, report_string(one, "title"));
		ovi_strbuf_add(text, "\n\n");
		add_remedy(text, report_string(one, "remedy"));
	}
	ovi_strbuf_add(text, "</details>\n\n");
}

static void add_headline_row(struct ovi_strbuf *text, const struct report_result *result)
{
	cleanup_strbuf struct ovi_strbuf label = { 0 };
	const char *separator = "";

	report_add_label(&label, result);
	text->failed |= label.failed;
	ovi_strbuf_add(text, "| ");
	add_words(text, label.text ? label.text : "");
	ovi_strbuf_addf(text, " | %s | %s | %s (%s) |", report_figure(result, &result->ours).text,
	                report_figure(result, &result->floor).text,
	                report_ratio(result->ratio).text,
	                report_ratio_interval(result->ratio_low, result->ratio_high).text);
	for (size_t i = 0; i < REPORT_PEERS; i++) {
		const struct report_time *peer = &result->peers[i];

		if (!peer->title)
			continue;
		ovi_strbuf_addf(text, "%s %s ", separator, report_figure(result, peer).text);
		add_words(text, peer->title);
		separator = "<br>";
	}
	ovi_strbuf_add(text, " |\n");
}

static void add_bench(struct ovi_strbuf *text, const struct report_source *source)
{
	const json_t *bench = source->documents->bench;
	json_t *warning;
	size_t i;

	ovi_strbuf_add(text, "### Benchmarks on ");
	add_words(text, report_string(json_object_get(bench, "target"), "filesystem"));
	ovi_strbuf_add(text, "\n\n| operation | ours | floor | ours / floor | other tools |\n"
	                     "|---|--:|--:|--:|--:|\n");
	for (i = 0; i < source->figures->headline_count; i++)
		add_headline_row(text, source->figures->headline[i]);
	ovi_strbuf_add(text, "\n");
	if (!json_is_true(json_object_get(bench, "complete")))
		ovi_strbuf_add(text, "⚠️ The run was interrupted: what is there is whole.\n\n");
	json_array_foreach(json_object_get(bench, "warnings"), i, warning)
	{
		ovi_strbuf_add(text, "⚠️ ");
		add_words(text, json_string_value(warning));
		ovi_strbuf_add(text, "\n\n");
	}
}

int report_add_markdown(struct ovi_strbuf *text, const struct report_source *source,
                        struct ovl2_error *err)
{
	(void)err;
	if (source->documents->probe)
		add_probes(text, source->documents->probe);
	if (source->documents->bench)
		add_bench(text, source);

	return 0;
}

/* ------------------------------------------------------------------- junit -- */

static void add_case(struct ovi_strbuf *text, const struct report_result *result)
{
	cleanup_strbuf struct ovi_strbuf label = { 0 };
	cleanup_strbuf struct ovi_strbuf seconds = { 0 };

	report_add_case(&label, result);
	ovi_strbuf_addf(&seconds, "%.9f", result->ours.median_ns / 1e9);
	text->failed |= label.failed | seconds.failed;
	html(text, "    <testcase classname=\"ovl2.bench.%\" name=\"%\" time=\"%\">\n",
	     result->benchmark->id, label.text && *label.text ? label.text : result->benchmark->id,
	     seconds.text ? seconds.text : "0");
	if (!result->ours.title)
		html(text, "      <skipped message=\"%\"/>\n", result->skipped);
	else
		html(text, "      <system-out>ours %, floor %, ours / floor %</system-out>\n",
		     report_figure(result, &result->ours).text,
		     report_figure(result, &result->floor).text,
		     report_ratio_interval(result->ratio_low, result->ratio_high).text);
	ovi_strbuf_add(text, "    </testcase>\n");
}

int report_add_junit(struct ovi_strbuf *text, const struct report_source *source,
                     struct ovl2_error *err)
{
	const struct report_figures *figures = source->figures;
	const json_t *bench = source->documents->bench;
	size_t skipped = 0;

	(void)err;
	for (size_t i = 0; i < figures->result_count; i++)
		skipped += !figures->results[i].ours.title;

	ovi_strbuf_add(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
	ovi_strbuf_addf(text,
	                "  <testsuite name=\"ovl2-bench\" tests=\"%zu\" failures=\"0\" "
	                "errors=\"0\" skipped=\"%zu\" time=\"%.3f\"",
	                figures->result_count, skipped, report_number(bench, "duration_ms") / 1e3);
	html(text, " timestamp=\"%\" hostname=\"%\">\n", report_string(bench, "started"),
	     report_string(json_object_get(bench, "host"), "name"));
	for (size_t i = 0; i < figures->result_count; i++)
		add_case(text, &figures->results[i]);
	ovi_strbuf_add(text, "  </testsuite>\n</testsuites>\n");

	return 0;
}
