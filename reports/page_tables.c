#include "page.h"

#include "html.h"
#include "text.h"

#include <string.h>

/* The first row of a benchmark says what it is; those below it only which case. */
static void add_name(struct ovi_strbuf *page, const struct report_result *result,
                     const struct report_result *above)
{
	struct ovi_strbuf label = { 0 };

	report_add_case(&label, result);
	if (!above || above->benchmark != result->benchmark)
		html(page, "<th scope=\"row\">%<small><code>%</code> %</small></th>",
		     result->benchmark->title, result->benchmark->id, label.text ? label.text : "");
	else
		html(page,
		     "<th scope=\"row\"><span class=\"unseen\">%, </span><small>%</small></th>",
		     result->benchmark->title, label.text ? label.text : "");
	page->failed |= label.failed;
	ovi_strbuf_release(&label);
}

/* A row of a table whose rows belong to groups of benchmarks. */
static void begin_row(struct ovi_strbuf *page, const struct report_result *result,
                      const struct report_result *above, const char *columns)
{
	const char *group = result->benchmark->group;
	int is_new = !above || above->benchmark != result->benchmark;

	if (*group && (!above || strcmp(group, above->benchmark->group) != 0))
		html(page, "<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"%\">%</th></tr>\n",
		     columns, group);
	ovi_strbuf_add(page, is_new ? "<tr>" : "<tr class=\"more\">");
	add_name(page, result, above);
}

static void add_start(struct ovi_strbuf *page, const struct report_time *time)
{
	if (time->start_ns > 0)
		html(page, "<small>less % to start</small>", report_duration(time->start_ns).text);
}

static void add_figure(struct ovi_strbuf *page, const struct report_result *result,
                       const struct report_time *time)
{
	html(page, "<td>%", report_figure(result, time).text);
	add_start(page, time);
	ovi_strbuf_add(page, "</td>");
}

static void add_floor_table(struct ovi_strbuf *page, const struct report_figures *figures)
{
	const struct report_result *above = NULL;

	ovi_strbuf_add(page,
	               "<div class=\"scroll\" tabindex=\"0\">\n<table class=\"numbers narrow\">\n"
	               "<caption>Ours beside the floor, which is the same work done with bare "
	               "system calls. Medians of rounds taken in turn; the ratio's interval "
	               "behind it.</caption>\n"
	               "<thead><tr><th scope=\"col\">Operation</th><th scope=\"col\">Ours</th>"
	               "<th scope=\"col\">Floor</th><th scope=\"col\">Ours / floor</th>"
	               "</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < figures->headline_count; i++) {
		const struct report_result *result = figures->headline[i];

		begin_row(page, result, above, "4");
		add_figure(page, result, &result->ours);
		add_figure(page, result, &result->floor);
		html(page, "<td><b>%</b> <small>%</small></td></tr>\n",
		     report_ratio(result->ratio).text,
		     report_ratio_interval(result->ratio_low, result->ratio_high).text);
		above = result;
	}
	ovi_strbuf_add(page, "</tbody>\n</table>\n</div>\n");
}

/* How many times faster than the peer; below one, slower. */
static struct report_word against(const struct report_result *result,
                                  const struct report_time *peer)
{
	if (peer->median_ns <= 0 || result->ours.median_ns <= 0)
		return report_ratio(0);

	return report_ratio(peer->median_ns / result->ours.median_ns);
}

static int has_peer(const struct report_result *result)
{
	for (size_t i = 0; i < REPORT_PEERS; i++)
		if (result->peers[i].title)
			return 1;

	return 0;
}

static void add_peer_rows(struct ovi_strbuf *page, const struct report_result *result,
                          const struct report_result *above)
{
	int is_first = 1;

	for (size_t i = 0; i < REPORT_PEERS; i++) {
		const struct report_time *peer = &result->peers[i];

		if (!peer->title)
			continue;
		begin_row(page, result, is_first ? above : result, "5");
		add_figure(page, result, &result->ours);
		html(page, "<td class=\"tool\">%</td>", peer->title);
		add_figure(page, result, peer);
		html(page, "<td><b>%</b></td></tr>\n", against(result, peer).text);
		is_first = 0;
	}
}

static void add_peer_table(struct ovi_strbuf *page, const struct report_figures *figures)
{
	const struct report_result *above = NULL;

	for (size_t i = 0; i < figures->headline_count; i++) {
		if (!has_peer(figures->headline[i]))
			continue;
		if (!above)
			ovi_strbuf_add(
				page,
				"<div class=\"scroll\" tabindex=\"0\">\n"
				"<table class=\"numbers narrow\">\n<caption>Ours beside other tools "
				"that do the same work, as far as they are installed, in the same "
				"rounds.</caption>\n<thead><tr><th scope=\"col\">Operation</th>"
				"<th scope=\"col\">Ours</th><th scope=\"col\" class=\"tool\">Tool"
				"</th><th scope=\"col\">Its figure</th><th scope=\"col\">Our speed / its</th>"
				"</tr></thead>\n<tbody>\n");
		add_peer_rows(page, figures->headline[i], above);
		above = figures->headline[i];
	}
	if (above)
		ovi_strbuf_add(page, "</tbody>\n</table>\n</div>\n");
}

void report_add_headline_tables(struct ovi_strbuf *page, const struct report_figures *figures)
{
	if (figures->headline_count)
		add_floor_table(page, figures);
	add_peer_table(page, figures);
}

static void add_time(struct ovi_strbuf *page, const struct report_time *time)
{
	html(page, "%<small>% to %</small>", report_duration(time->median_ns).text,
	     report_duration(time->low_ns).text, report_duration(time->high_ns).text);
	add_start(page, time);
}

static void add_times(struct ovi_strbuf *page, const struct report_result *result)
{
	ovi_strbuf_add(page, "<td>");
	add_time(page, &result->ours);
	ovi_strbuf_add(page, "</td><td>");
	if (result->floor.title)
		add_time(page, &result->floor);
	ovi_strbuf_add(page, "</td><td>");
	for (size_t i = 0; i < REPORT_PEERS; i++) {
		if (!result->peers[i].title)
			continue;
		html(page, "<small>%</small>", result->peers[i].title);
		add_time(page, &result->peers[i]);
	}
	ovi_strbuf_add(page, "</td>");
}

static void add_result_row(struct ovi_strbuf *page, const struct report_result *result,
                           const struct report_result *above)
{
	begin_row(page, result, above, "7");
	if (!result->ours.title) {
		html(page, "<td colspan=\"5\" class=\"skipped\">skipped: %</td>", result->skipped);
	} else {
		add_times(page, result);
		html(page, "<td>%", report_ratio(result->ratio).text);
		if (result->ratio > 0)
			html(page, "<small>%</small>",
			     report_ratio_interval(result->ratio_low, result->ratio_high).text);
		html(page, "</td><td>%</td>",
		     result->rounds > 0 ? report_whole(result->rounds).text : "-");
	}
	html(page, "<td>%</td></tr>\n",
	     result->data_bytes > 0 ? report_whole(result->data_bytes).text : "-");
}

void report_add_results_table(struct ovi_strbuf *page, const struct report_figures *figures)
{
	const struct report_result *above = NULL;
	size_t shown = 0;

	html(page,
	     "<details id=\"results\">\n<summary>% results, with intervals</summary>\n"
	     "<div class=\"scroll\" tabindex=\"0\">\n<table class=\"numbers wide\">\n"
	     "<caption>Median times, and below them the interval that holds the "
	     "median.</caption>\n"
	     "<thead><tr><th scope=\"col\">Operation</th><th scope=\"col\">Ours</th>"
	     "<th scope=\"col\">Floor</th><th scope=\"col\">Other tools</th>"
	     "<th scope=\"col\">Ours / floor</th><th scope=\"col\">Rounds</th>"
	     "<th scope=\"col\">Mount data, bytes</th></tr></thead>\n<tbody>\n",
	     report_whole((double)figures->result_count).text);
	for (; shown < figures->result_count && page->length < REPORT_TABLE_BYTES; shown++) {
		add_result_row(page, &figures->results[shown], above);
		above = &figures->results[shown];
	}
	ovi_strbuf_add(page, "</tbody>\n</table>\n</div>\n");
	if (shown < figures->result_count)
		html(page,
		     "<p class=\"note\"><b>Note:</b> % more results are left out, to keep the page "
		     "small: ovl2-report --format csv prints them all.</p>\n",
		     report_whole((double)(figures->result_count - shown)).text);
	ovi_strbuf_add(page, "</details>\n");
}
