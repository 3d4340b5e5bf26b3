#include "page.h"

#include "document.h"
#include "html.h"
#include "plots.h"
#include "text.h"

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
	report_add_headline_tables(page, figures);
	if (report_add_plots(page, figures, ret_without_plots) < 0)
		html(page, "<p class=\"note\"><b>Note:</b> no drawings: %</p>\n",
		     ret_without_plots->message);
	report_add_results_table(page, figures);
	ovi_strbuf_add(page, "</section>\n");
}
