#include "fleet.h"

#include "document.h"
#include "fail.h"
#include "html.h"
#include "page.h"
#include "text.h"

/* Of a cause, by name; the document has them all. */
#define MAX_NAMES 200

static const char *whole(const json_t *object, const char *name, struct report_word *word)
{
	*word = report_whole(report_number(object, name));

	return word->text;
}

static void add_number(struct ovi_strbuf *page, const json_t *object, const char *name)
{
	struct report_word word;

	html(page, "<td>%</td>", whole(object, name, &word));
}

static void add_banner(struct ovi_strbuf *page, const json_t *fleet)
{
	const json_t *counts = json_object_get(fleet, "counts");
	double out = report_number(counts, "not_qualified");
	double unsure = report_number(counts, "undetermined");
	struct report_word words[4];

	html(page,
	     "<section class=\"banner %\" aria-labelledby=\"verdict\">\n"
	     "<div class=\"seal\" aria-hidden=\"true\">%</div>\n<div>\n"
	     "<h2 id=\"verdict\">% of % hosts qualify</h2>\n"
	     "<p>% do not, and % could not tell.</p>\n</div>\n</section>\n",
	     out > 0      ? "fail"
	     : unsure > 0 ? "unknown"
	                  : "pass",
	     out > 0      ? "✗"
	     : unsure > 0 ? "?"
	                  : "✓",
	     whole(counts, "qualified", &words[0]), whole(fleet, "hosts", &words[1]),
	     whole(counts, "not_qualified", &words[2]), whole(counts, "undetermined", &words[3]));
}

static void add_names(struct ovi_strbuf *page, const json_t *names)
{
	json_t *host;
	size_t i;

	ovi_strbuf_add(page, "<ul>\n");
	json_array_foreach(names, i, host)
	{
		if (i == MAX_NAMES || page->length > REPORT_TABLE_BYTES)
			break;
		html(page, "<li>% <small>% for %, %, %</small></li>\n", report_string(host, "name"),
		     report_string(host, "path"), report_string(host, "profile"),
		     report_string(host, "kernel"), report_string(host, "filesystem"));
	}
	ovi_strbuf_add(page, "</ul>\n");
	if (i < json_array_size(names))
		html(page,
		     "<p>And % more: <code>ovl2-report fleet --json</code> names them all.</p>\n",
		     report_whole((double)(json_array_size(names) - i)).text);
}

/* Hosts that are out for the same reason are mended in the same way. */
static void add_causes(struct ovi_strbuf *page, const json_t *causes)
{
	json_t *cause;
	size_t i;

	ovi_strbuf_add(page, "<section id=\"causes\">\n<h2>Hosts that are out, by cause</h2>\n");
	if (json_array_size(causes) == 0)
		ovi_strbuf_add(page, "<p>There are none.</p>\n");
	json_array_foreach(causes, i, cause)
	{
		struct report_word word;

		html(page,
		     "<details class=\"reason %\"><summary><b>%</b> hosts: <code>%</code> (%)"
		     "</summary>\n",
		     report_string(cause, "verdict")[0] == 'n' ? "fail" : "unknown",
		     whole(cause, "hosts", &word), report_string(cause, "cause"),
		     report_string(cause, "verdict"));
		add_names(page, json_object_get(cause, "names"));
		ovi_strbuf_add(page, "</details>\n");
	}
	ovi_strbuf_add(page, "</section>\n");
}

static void add_problems(struct ovi_strbuf *page, const json_t *problems)
{
	static const char *const verdicts[] = { "hosts", "fail", "unknown", "warn", "waived" };
	json_t *problem;
	size_t i;

	if (json_array_size(problems) == 0)
		return;
	ovi_strbuf_add(page,
	               "<section id=\"problems\">\n<h2>What is wrong, by question</h2>\n"
	               "<div class=\"scroll\" tabindex=\"0\">\n<table class=\"numbers\">\n"
	               "<caption>How many hosts have each answer.</caption>\n"
	               "<thead><tr><th scope=\"col\">Question</th><th scope=\"col\">Hosts</th>"
	               "<th scope=\"col\">Failed</th><th scope=\"col\">Could not tell</th>"
	               "<th scope=\"col\">Warned</th><th scope=\"col\">Waived</th>"
	               "</tr></thead>\n<tbody>\n");
	json_array_foreach(problems, i, problem)
	{
		html(page, "<tr><th scope=\"row\">%<small><code>%</code></small></th>",
		     report_string(problem, "title"), report_string(problem, "id"));
		for (size_t k = 0; k < sizeof(verdicts) / sizeof(verdicts[0]); k++)
			add_number(page, problem, verdicts[k]);
		ovi_strbuf_add(page, "</tr>\n");
	}
	ovi_strbuf_add(page, "</tbody>\n</table>\n</div>\n");
	json_array_foreach(problems, i, problem)
	{
		const char *remedy = report_string(problem, "remedy");

		if (*remedy)
			html(page,
			     "<details><summary>What to do about <code>%</code></summary>\n"
			     "<pre tabindex=\"0\">%</pre></details>\n",
			     report_string(problem, "id"), remedy);
	}
	ovi_strbuf_add(page, "</section>\n");
}

static void add_places(struct ovi_strbuf *page, const json_t *places)
{
	static const char *const columns[] = { "hosts", "qualified", "not_qualified",
		                               "undetermined" };
	json_t *place;
	size_t i;

	ovi_strbuf_add(page, "<section id=\"places\">\n<h2>By kernel and filesystem</h2>\n"
	                     "<div class=\"scroll\" tabindex=\"0\">\n<table class=\"numbers\">\n"
	                     "<caption>Hosts that are alike should answer alike.</caption>\n"
	                     "<thead><tr><th scope=\"col\">Kernel, filesystem</th>"
	                     "<th scope=\"col\">Hosts</th><th scope=\"col\">Qualified</th>"
	                     "<th scope=\"col\">Not qualified</th>"
	                     "<th scope=\"col\">Undetermined</th></tr></thead>\n<tbody>\n");
	json_array_foreach(places, i, place)
	{
		if (page->length > REPORT_PAGE_BYTES)
			break;
		html(page, "<tr><th scope=\"row\">%<small>%</small></th>",
		     report_string(place, "kernel"), report_string(place, "filesystem"));
		for (size_t k = 0; k < sizeof(columns) / sizeof(columns[0]); k++)
			add_number(page, place, columns[k]);
		ovi_strbuf_add(page, "</tr>\n");
	}
	ovi_strbuf_add(page, "</tbody>\n</table>\n</div>\n</section>\n");
}

static void add_refused(struct ovi_strbuf *page, const json_t *refused)
{
	json_t *one;
	size_t i;

	if (json_array_size(refused) == 0)
		return;
	html(page, "<section id=\"refused\">\n<h2>% files could not be read</h2>\n<ul>\n",
	     report_whole((double)json_array_size(refused)).text);
	json_array_foreach(refused, i, one)
	{
		if (i == MAX_NAMES)
			break;
		html(page, "<li>%</li>\n", report_string(one, "reason"));
	}
	ovi_strbuf_add(page, "</ul>\n</section>\n");
}

int report_fleet_add_page(struct ovi_strbuf *page, const json_t *fleet, const char *title,
                          struct ovl2_error *err)
{
	const char *heading = title ? title : "Which hosts can carry container layers";

	report_add_head(page, heading);
	html(page, "<header>\n<p class=\"kicker\">ovl2 fleet</p>\n<h1>%</h1>\n</header>\n<main>\n",
	     heading);
	add_banner(page, fleet);
	add_causes(page, json_object_get(fleet, "causes"));
	add_problems(page, json_object_get(fleet, "problems"));
	add_places(page, json_object_get(fleet, "places"));
	add_refused(page, json_object_get(fleet, "refused"));
	report_add_foot(page);

	return ovi_strbuf_failed(page) ? ovi_fail_memory(err) : 0;
}
