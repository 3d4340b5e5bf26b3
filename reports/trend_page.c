#include "trend.h"

#include "cleanup.h"
#include "fail.h"
#include "html.h"
#include "page.h"
#include "text.h"

#include <string.h>

static void add_heading(struct ovi_strbuf *page, const struct report_trend *trend,
                        const char *title)
{
	const struct report_history *history = trend->history;
	const json_t *first = history->runs[0].documents.bench;
	const json_t *last = history->runs[history->count - 1].documents.bench;
	const json_t *host = json_object_get(last, "host");
	const json_t *target = json_object_get(last, "target");

	html(page,
	     "<header>\n<p class=\"kicker\">ovl2 history</p>\n<h1>%</h1>\n<dl class=\"facts\">\n"
	     "<div><dt>Host</dt><dd>%</dd></div>\n<div><dt>Target</dt><dd>%</dd></div>\n"
	     "<div><dt>Filesystem</dt><dd>%</dd></div>\n<div><dt>Kernel</dt><dd>%</dd></div>\n"
	     "<div><dt>Runs</dt><dd>%</dd></div>\n"
	     "<div><dt>From</dt><dd><time>%</time></dd></div>\n"
	     "<div><dt>To</dt><dd><time>%</time></dd></div>\n</dl>\n</header>\n<main>\n",
	     title, report_string(host, "name"), report_string(target, "path"),
	     report_string(target, "filesystem"), report_string(host, "kernel"),
	     report_whole((double)history->count).text, report_string(first, "started"),
	     report_string(last, "started"));
}

static void add_banner(struct ovi_strbuf *page, const struct report_trend *trend)
{
	html(page,
	     "<section class=\"banner info\" aria-labelledby=\"verdict\">\n"
	     "<div class=\"seal\" aria-hidden=\"true\">i</div>\n<div>\n"
	     "<h2 id=\"verdict\">% of % changed</h2>\n"
	     "<p>A benchmark changes when the runs before and the runs after differ for good: "
	     "at least % on either side, confirmed by a test of their ranks. What is compared "
	     "is ours over the floor of the same run, where there is a floor.</p>\n",
	     report_whole((double)trend->changed).text, report_whole((double)trend->count).text,
	     report_whole(STATS_CHANGE_SIDE).text);
	if (trend->elsewhere)
		html(page,
		     "<p class=\"note\"><b>Note:</b> % runs of other machines, kernels or "
		     "filesystems are left out.</p>\n",
		     report_whole((double)trend->elsewhere).text);
	ovi_strbuf_add(page, "</div>\n</section>\n");
}

static void add_change(struct ovi_strbuf *page, const struct report_trend *trend,
                       const struct report_series *series)
{
	const struct report_level *last = &series->levels[series->level_count - 1];
	double change = report_last_change(series);
	const struct report_run *run = &trend->history->runs[series->points[last->first].run];
	char percent[32];

	(void)snprintf(percent, sizeof(percent), "%+.1f %%", (change - 1) * 100);
	html(page, "<td><span class=\"badge %\">% %</span><small>was %</small></td><td>%</td>",
	     change > 1 ? "fail" : "pass", percent, change > 1 ? "slower" : "faster",
	     report_level_figure(series, (last - 1)->median).text, report_run_name(run));
}

static void add_row(struct ovi_strbuf *page, const struct report_trend *trend,
                    const struct report_series *series)
{
	const struct report_level *last = &series->levels[series->level_count - 1];
	cleanup_strbuf struct ovi_strbuf label = { 0 };

	report_add_case(&label, series->result);
	page->failed |= label.failed;
	html(page, "<tr><th scope=\"row\">%<small>%</small></th><td>%<small>%</small></td>",
	     series->result->benchmark->title, label.text ? label.text : "",
	     report_level_figure(series, last->median).text,
	     series->is_ratio ? "of the floor" : "median");
	if (series->level_count > 1)
		add_change(page, trend, series);
	else
		ovi_strbuf_add(page, "<td>none</td><td>-</td>");
	html(page, "<td>%</td></tr>\n", report_whole((double)series->count).text);
}

static void add_table(struct ovi_strbuf *page, const struct report_trend *trend)
{
	size_t shown = 0;

	ovi_strbuf_add(page,
	               "<section id=\"levels\">\n<h2>All benchmarks</h2>\n"
	               "<div class=\"scroll\" tabindex=\"0\">\n<table class=\"numbers wide\">\n"
	               "<caption>The present level is the median of the runs since the last "
	               "change.</caption>\n<thead><tr><th scope=\"col\">Operation</th>"
	               "<th scope=\"col\">Present level</th><th scope=\"col\">Last change</th>"
	               "<th scope=\"col\">Since</th><th scope=\"col\">Runs</th></tr></thead>\n"
	               "<tbody>\n");
	for (; shown < trend->count && page->length < REPORT_TABLE_BYTES; shown++)
		if (trend->series[shown].count)
			add_row(page, trend, &trend->series[shown]);
	ovi_strbuf_add(page, "</tbody>\n</table>\n</div>\n");
	if (shown < trend->count)
		html(page,
		     "<p class=\"note\"><b>Note:</b> % more are left out, to keep the page small: "
		     "ovl2-report history --json prints them all.</p>\n",
		     report_whole((double)(trend->count - shown)).text);
	ovi_strbuf_add(page, "</section>\n");
}

/* Draws the changed ones, or the others, as long as there is room. */
static int add_drawings(struct ovi_strbuf *page, const struct report_trend *trend, int is_changed,
                        struct ovl2_error *err)
{
	size_t left = 0;
	int r = 0;

	ovi_strbuf_add(page, "<div class=\"pair\">\n");
	for (size_t i = 0; i < trend->count && r == 0; i++) {
		const struct report_series *series = &trend->series[i];

		if (!series->count || (series->level_count > 1) != is_changed)
			continue;
		if (page->length > REPORT_DRAWN_BYTES)
			left++;
		else
			r = report_draw_trend(page, trend, i, err);
	}
	ovi_strbuf_add(page, "</div>\n");
	if (left)
		html(page,
		     "<p class=\"note\"><b>Note:</b> % more are not drawn, to keep the page small; "
		     "their figures are in the table.</p>\n",
		     report_whole((double)left).text);

	return r;
}

static int add_section(struct ovi_strbuf *page, const struct report_trend *trend, int is_changed,
                       struct ovl2_error *err)
{
	if (!(is_changed ? trend->changed : trend->count - trend->changed))
		return 0;
	html(page,
	     "<section id=\"%\">\n<h2>%</h2>\n<p>Points are runs with their intervals, lines the "
	     "levels, dashes where they change.</p>\n",
	     is_changed ? "changed" : "steady",
	     is_changed ? "What changed its level" : "What stayed on its level");

	return add_drawings(page, trend, is_changed, err);
}

static int add_all_drawings(struct ovi_strbuf *page, const struct report_trend *trend,
                            struct ovl2_error *err)
{
	size_t length = page->length;

	for (int is_changed = 1; is_changed >= 0; is_changed--) {
		size_t before = page->length;
		int r = add_section(page, trend, is_changed, err);

		if (r < 0) {
			ovi_strbuf_cut(page, length);
			return r;
		}
		if (page->length > before)
			ovi_strbuf_add(page, "</section>\n");
	}

	return 0;
}

static void add_raw(struct ovi_strbuf *page, const struct report_trend *trend)
{
	json_t *json = report_trend_describe(trend);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	size_t length = text ? strlen(text) : 0;

	json_decref(json);
	ovi_strbuf_add(page, "<section id=\"data\">\n<h2>Data</h2>\n<p>");
	if (!text)
		page->failed = 1;
	else if (page->length + length / 3 * 4 > REPORT_PAGE_BYTES)
		ovi_strbuf_add(page,
		               "Too large for this page: ovl2-report history --json prints it.");
	else
		report_add_download(page, "trend.json", "application/json", text, length);
	ovi_strbuf_add(page, "</p>\n</section>\n");
	free(text);
}

int report_trend_add_page(struct ovi_strbuf *page, const struct report_trend *trend,
                          const char *title, struct ovl2_error *ret_without_plots,
                          struct ovl2_error *err)
{
	const char *heading = title ? title : "Benchmarks over time";

	report_add_head(page, heading);
	add_heading(page, trend, heading);
	add_banner(page, trend);
	if (add_all_drawings(page, trend, ret_without_plots) < 0)
		html(page, "<p class=\"note\"><b>Note:</b> no drawings: %</p>\n",
		     ret_without_plots->message);
	add_table(page, trend);
	add_raw(page, trend);
	report_add_foot(page);

	return ovi_strbuf_failed(page) ? ovi_fail_memory(err) : 0;
}
