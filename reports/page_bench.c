#include "page.h"

#include "document.h"
#include "html.h"
#include "plots.h"
#include "text.h"

#include <string.h>

static void add_cell(struct ovi_strbuf *page, const char *text)
{
	html(page, "<td>%</td>", text);
}

static void add_name(struct ovi_strbuf *page, const struct report_result *result)
{
	struct ovi_strbuf label = { 0 };

	report_add_case(&label, result);
	html(page, "<th scope=\"row\">%<small>%</small></th>", result->benchmark->title,
	     label.text ? label.text : "");
	page->failed |= label.failed;
	ovi_strbuf_release(&label);
}

/* How many times faster than the peer; below one, slower. */
static struct report_word against_peer(const struct report_result *result)
{
	if (result->peer.median_ns <= 0 || result->ours.median_ns <= 0)
		return report_ratio(0);

	return report_ratio(result->peer.median_ns / result->ours.median_ns);
}

static void add_headline_row(struct ovi_strbuf *page, const struct report_result *result)
{
	ovi_strbuf_add(page, "<tr>");
	add_name(page, result);
	add_cell(page, report_figure(result, &result->ours).text);
	add_cell(page, report_figure(result, &result->floor).text);
	html(page, "<td><b>%</b><small>%</small></td>", report_ratio(result->ratio).text,
	     report_ratio_interval(result->ratio_low, result->ratio_high).text);
	if (result->peer.title)
		html(page, "<td>%<small>%</small></td><td>%</td>",
		     report_figure(result, &result->peer).text, result->peer.title,
		     against_peer(result).text);
	else
		ovi_strbuf_add(page, "<td>-</td><td>-</td>");
	ovi_strbuf_add(page, "</tr>\n");
}

static void add_headline(struct ovi_strbuf *page, const struct report_figures *figures)
{
	ovi_strbuf_add(page,
	               "<div class=\"scroll\" tabindex=\"0\">\n<table class=\"numbers\">\n"
	               "<caption>Ours beside the floor, which is the same work done with bare "
	               "system calls, and beside a peer where one is installed. Medians of "
	               "rounds taken in turn; the ratio's interval below it.</caption>\n"
	               "<thead><tr><th scope=\"col\">Operation</th><th scope=\"col\">Ours</th>"
	               "<th scope=\"col\">Floor</th><th scope=\"col\">Time, ours / floor</th>"
	               "<th scope=\"col\">Peer</th><th scope=\"col\">Speed, ours / peer</th>"
	               "</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < figures->headline_count; i++) {
		const char *group = figures->headline[i]->benchmark->group;

		if (*group &&
		    strcmp(group, i ? figures->headline[i - 1]->benchmark->group : "") != 0)
			html(page,
			     "<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"6\">%</th></tr>\n",
			     group);
		add_headline_row(page, figures->headline[i]);
	}
	ovi_strbuf_add(page, "</tbody>\n</table>\n</div>\n");
}

static void add_time(struct ovi_strbuf *page, const struct report_time *time)
{
	if (!time->title) {
		ovi_strbuf_add(page, "<td>-</td>");
		return;
	}
	html(page, "<td>%<small>% to %</small></td>", report_duration(time->median_ns).text,
	     report_duration(time->low_ns).text, report_duration(time->high_ns).text);
}

static void add_result_row(struct ovi_strbuf *page, const struct report_result *result)
{
	ovi_strbuf_add(page, "<tr>");
	add_name(page, result);
	if (!result->ours.title) {
		html(page, "<td colspan=\"5\" class=\"skipped\">skipped: %</td>", result->skipped);
	} else {
		add_time(page, &result->ours);
		add_time(page, &result->floor);
		add_time(page, &result->peer);
		if (result->ratio > 0)
			html(page, "<td>%<small>%</small></td>", report_ratio(result->ratio).text,
			     report_ratio_interval(result->ratio_low, result->ratio_high).text);
		else
			ovi_strbuf_add(page, "<td>-</td>");
		add_cell(page, result->rounds > 0 ? report_whole(result->rounds).text : "-");
	}
	add_cell(page, result->data_bytes > 0 ? report_whole(result->data_bytes).text : "-");
	ovi_strbuf_add(page, "</tr>\n");
}

static void add_results(struct ovi_strbuf *page, const struct report_figures *figures)
{
	size_t shown = 0;

	html(page,
	     "<details id=\"results\">\n<summary>% results, with intervals</summary>\n"
	     "<div class=\"scroll\" tabindex=\"0\">\n<table class=\"numbers\">\n"
	     "<caption>Median times, and below them the interval that holds the "
	     "median.</caption>\n"
	     "<thead><tr><th scope=\"col\">Operation</th><th scope=\"col\">Ours</th>"
	     "<th scope=\"col\">Floor</th><th scope=\"col\">Peer</th>"
	     "<th scope=\"col\">Time, ours / floor</th><th scope=\"col\">Rounds</th>"
	     "<th scope=\"col\">Mount data, bytes</th></tr></thead>\n<tbody>\n",
	     report_whole((double)figures->result_count).text);
	for (; shown < figures->result_count && page->length < REPORT_TABLE_BYTES; shown++)
		add_result_row(page, &figures->results[shown]);
	ovi_strbuf_add(page, "</tbody>\n</table>\n</div>\n");
	if (shown < figures->result_count)
		html(page,
		     "<p class=\"note\"><b>Note:</b> % more results are left out, to keep the page "
		     "small: ovl2-report --format csv prints them all.</p>\n",
		     report_whole((double)(figures->result_count - shown)).text);
	ovi_strbuf_add(page, "</details>\n");
}

static void add_conditions(struct ovi_strbuf *page, const json_t *bench)
{
	const json_t *target = json_object_get(bench, "target");
	const char *tier = report_string(bench, "tier");
	double image = report_number(target, "image_bytes");
	json_t *warning;
	size_t i;

	html(page, "<p>Measured on <b>%</b>", report_string(target, "filesystem"));
	if (image > 0)
		html(page, ", an image of % made for the purpose", report_size(image).text);
	else
		html(page, " at <code>%</code>", report_string(target, "path"));
	html(page, ", in %", report_duration(report_number(bench, "duration_ms") * 1e6).text);
	if (*tier)
		html(page, " (tier %)", tier);
	ovi_strbuf_add(page, ". Times differ from machine to machine; what holds is the ratio "
	                     "to the floor in the same run.</p>\n");

	if (!json_is_true(json_object_get(bench, "complete")))
		ovi_strbuf_add(page, "<p class=\"note\"><b>Note:</b> the run was interrupted; "
		                     "what is here is whole.</p>\n");
	json_array_foreach(json_object_get(bench, "warnings"), i, warning)
		html(page, "<p class=\"note\"><b>Note:</b> %</p>\n", json_string_value(warning));
}

void report_add_bench_section(struct ovi_strbuf *page, const json_t *bench,
                              const struct report_figures *figures,
                              struct ovl2_error *ret_without_plots)
{
	ovi_strbuf_add(page, "<section id=\"bench\">\n<h2>Benchmarks</h2>\n");
	add_conditions(page, bench);
	if (figures->headline_count)
		add_headline(page, figures);
	if (report_add_plots(page, figures, ret_without_plots) < 0)
		html(page, "<p class=\"note\"><b>Note:</b> no drawings: %</p>\n",
		     ret_without_plots->message);
	add_results(page, figures);
	ovi_strbuf_add(page, "</section>\n");
}
