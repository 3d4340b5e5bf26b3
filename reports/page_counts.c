#include "page.h"

#include "document.h"
#include "html.h"
#include "text.h"

/* "close 203, openat 201", most first. */
static void add_calls(struct ovi_strbuf *page, json_t *calls)
{
	json_t *left = json_copy(calls);
	const char *separator = "";

	while (json_object_size(left)) {
		const char *most = NULL;
		const char *name;
		json_t *count;

		json_object_foreach(left, name,
		                    count) if (!most ||
		                               json_number_value(count) > report_number(left, most))
			most = name;
		html(page, "%% %", separator, most, report_whole(report_number(left, most)).text);
		json_object_del(left, most);
		separator = ", ";
	}
	json_decref(left);
}

static void add_row(struct ovi_strbuf *page, const struct report_result *result, const json_t *json)
{
	json_t *calls = json_object_get(json, "calls");
	const char *skipped = report_string(json, "skipped");
	double instructions = report_number(json, "instruction_count");
	struct ovi_strbuf label = { 0 };

	report_add_label(&label, result);
	html(page, "<tr><th scope=\"row\">%</th>", label.text ? label.text : "");
	page->failed |= label.failed;
	ovi_strbuf_release(&label);

	html(page, "<td>%</td>", report_whole(report_number(json, "call_count")).text);
	if (instructions > 0)
		html(page, "<td>%</td><td>", report_whole(instructions).text);
	else
		html(page, "<td>-<span>%</span></td><td>", report_string(json, "uncounted"));
	if (calls)
		add_calls(page, calls);
	html(page, "%</td></tr>\n", skipped);
}

void report_add_counts_section(struct ovi_strbuf *page, const json_t *exact,
                               const struct report_figures *figures)
{
	const json_t *results = json_object_get(exact, "results");
	const json_t *build = json_object_get(exact, "build");

	html(page,
	     "<section id=\"counts\">\n<h2>Counts</h2>\n"
	     "<p>Of one operation each; the same at every run, however busy the host. %%</p>\n"
	     "<div class=\"scroll\" tabindex=\"0\">\n<table class=\"numbers\">\n"
	     "<caption>System calls, and instructions in user space.</caption>\n"
	     "<thead><tr><th scope=\"col\">Operation</th><th scope=\"col\">System calls</th>"
	     "<th scope=\"col\">Instructions</th><th scope=\"col\">Which calls</th></tr></thead>\n"
	     "<tbody>\n",
	     *report_string(build, "compiler") ? "Compiled by " : "",
	     report_string(build, "compiler"));
	for (size_t i = 0; i < figures->result_count && page->length < REPORT_TABLE_BYTES; i++)
		add_row(page, &figures->results[i], json_array_get(results, i));
	ovi_strbuf_add(page, "</tbody>\n</table>\n</div>\n</section>\n");
}
