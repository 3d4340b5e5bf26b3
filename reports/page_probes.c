#include "page.h"

#include "document.h"
#include "html.h"

#include <string.h>

static const char *mark_of(const char *verdict)
{
	static const char *const marks[][2] = {
		{ "pass", "✓" },   { "fail", "✗" },    { "warn", "!" },
		{ "waived", "~" }, { "unknown", "?" },
	};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (strcmp(verdict, marks[i][0]) == 0)
			return marks[i][1];

	return "i";
}

static void add_badge(struct ovi_strbuf *page, const char *verdict)
{
	html(page, "<span class=\"badge %\"><span aria-hidden=\"true\">%</span> %</span>", verdict,
	     mark_of(verdict), verdict);
}

/*
 * The roles repeat what the elements mean: on narrow screens the style sheet lays
 * rows out as blocks, and some browsers then forget that it is a table.
 */
static void add_row(struct ovi_strbuf *page, const json_t *probe)
{
	const char *verdict = report_string(probe, "verdict");

	html(page, "<tr role=\"row\" class=\"%\"><td role=\"cell\">", verdict);
	add_badge(page, verdict);
	html(page,
	     "</td>\n<th role=\"rowheader\" scope=\"row\">%<small><code>%</code> %</small></th>\n"
	     "<td role=\"cell\" class=\"answer\">%</td>\n<td role=\"cell\">%</td></tr>\n",
	     report_string(probe, "title"), report_string(probe, "id"),
	     report_string(probe, "level"), report_string(probe, "answer"),
	     report_string(probe, "evidence"));
}

static void add_table(struct ovi_strbuf *page, const json_t *probes)
{
	json_t *probe;
	size_t i;

	ovi_strbuf_add(page, "<table role=\"table\" class=\"stack\">\n"
	                     "<caption>Every answer was found by trying it.</caption>\n"
	                     "<thead role=\"rowgroup\"><tr role=\"row\">"
	                     "<th role=\"columnheader\" scope=\"col\">Verdict</th>"
	                     "<th role=\"columnheader\" scope=\"col\">Question</th>"
	                     "<th role=\"columnheader\" scope=\"col\">Answer</th>"
	                     "<th role=\"columnheader\" scope=\"col\">Evidence</th></tr></thead>\n"
	                     "<tbody role=\"rowgroup\">\n");
	json_array_foreach(probes, i, probe) add_row(page, probe);
	ovi_strbuf_add(page, "</tbody>\n</table>\n");
}

static void add_fact(struct ovi_strbuf *page, const char *name, const char *value)
{
	if (*value)
		html(page, "<dt>%</dt><dd>%</dd>\n", name, value);
}

static void add_reason(struct ovi_strbuf *page, const json_t *probe)
{
	const char *verdict = report_string(probe, "verdict");
	const char *remedy = report_string(probe, "remedy");
	const json_t *waiver = json_object_get(probe, "waiver");

	html(page, "<article class=\"reason %\">\n<h4>", verdict);
	add_badge(page, verdict);
	html(page, " %</h4>\n<dl>\n", report_string(probe, "title"));
	html(page, "<dt>Found</dt><dd>%, wanted % (%)</dd>\n", report_string(probe, "answer"),
	     report_string(probe, "want"), report_string(probe, "level"));
	add_fact(page, "Evidence", report_string(probe, "evidence"));
	if (json_is_object(waiver))
		html(page, "<dt>Waived</dt><dd>until %: %</dd>\n", report_string(waiver, "expires"),
		     report_string(waiver, "reason"));
	add_fact(page, "Why it matters", report_string(probe, "why"));
	add_fact(page, "Known from", report_string(probe, "since"));
	add_fact(page, "Asked for by", report_string(probe, "source"));
	ovi_strbuf_add(page, "</dl>\n");
	if (*remedy)
		html(page, "<p class=\"remedy\">Remedy</p>\n<pre tabindex=\"0\">%</pre>\n", remedy);
	ovi_strbuf_add(page, "</article>\n");
}

/* What is required comes first. */
static void add_reasons(struct ovi_strbuf *page, const json_t *probes)
{
	static const char *const order[] = { "fail", "unknown", "waived", "warn", "info" };

	ovi_strbuf_add(page, "<h3>What did not pass, and what to do</h3>\n");
	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		json_t *probe;
		size_t i;

		json_array_foreach(probes, i, probe) if (strcmp(report_string(probe, "verdict"),
		                                                order[k]) == 0)
			add_reason(page, probe);
	}
}

void report_add_probe_section(struct ovi_strbuf *page, const json_t *probe)
{
	const json_t *probes = json_object_get(probe, "probes");

	ovi_strbuf_add(page, "<section id=\"probes\">\n<h2>Probes</h2>\n");
	add_table(page, probes);
	if (report_count_verdict(probe, "pass") < json_array_size(probes))
		add_reasons(page, probes);
	ovi_strbuf_add(page, "</section>\n");
}
