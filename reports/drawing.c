#include "drawing.h"

#include "assets.h"
#include "escape.h"
#include "fail.h"
#include "gnuplot.h"
#include "html.h"
#include "svg.h"

#include <math.h>

/* Of a table set into the page; a larger one is in the documents below it. */
#define MAX_TABLE_BYTES ((size_t)32 * 1024)

void report_drawing_release(struct report_drawing *drawing)
{
	ovi_strbuf_release(&drawing->id);
	ovi_strbuf_release(&drawing->title);
	ovi_strbuf_release(&drawing->caption);
	ovi_strbuf_release(&drawing->parameters);
	ovi_strbuf_release(&drawing->data);
	ovi_strbuf_release(&drawing->table);
}

static int drawing_failed(const struct report_drawing *drawing)
{
	return ovi_strbuf_failed(&drawing->id) || ovi_strbuf_failed(&drawing->title) ||
	       ovi_strbuf_failed(&drawing->caption) || ovi_strbuf_failed(&drawing->parameters) ||
	       ovi_strbuf_failed(&drawing->data) || ovi_strbuf_failed(&drawing->table);
}

static void add_table_link(struct ovi_strbuf *page, const struct report_drawing *drawing)
{
	cleanup_strbuf struct ovi_strbuf name = { 0 };

	ovi_strbuf_addf(&name, "%s.csv", drawing->id.text);
	page->failed |= name.failed;
	if (page->failed || drawing->table.length > MAX_TABLE_BYTES)
		return;
	ovi_strbuf_add(page, " Data: ");
	report_add_download(page, name.text, "text/csv", drawing->table.text,
	                    drawing->table.length);
}

int report_draw(struct ovi_strbuf *page, const struct report_drawing *drawing,
                struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf script = { 0 };
	cleanup_strbuf struct ovi_strbuf svg = { 0 };
	int r;

	ovi_strbuf_addf(&script, "%s%s%s", drawing->parameters.text, report_plot_common,
	                drawing->script);
	if (drawing_failed(drawing) || ovi_strbuf_failed(&script))
		return ovi_fail_memory(err);

	r = report_gnuplot(script.text, drawing->data.text, &svg, err);
	if (r < 0)
		return r;

	ovi_strbuf_addf(page, "<figure id=\"%s\">\n<div class=\"scroll\" tabindex=\"0\">\n",
	                drawing->id.text);
	if (!svg.text || report_add_svg(page, svg.text, drawing->id.text, drawing->title.text,
	                                drawing->caption.text) < 0)
		return ovi_fail(err, OVL2_E_SYSTEM, "run gnuplot: what it wrote is not a drawing");
	ovi_strbuf_add(page, "</div>\n<figcaption><b>");
	ovi_escape_xml(page, drawing->title.text);
	ovi_strbuf_add(page, ".</b> ");
	ovi_escape_xml(page, drawing->caption.text);
	add_table_link(page, drawing);
	ovi_strbuf_add(page, "</figcaption>\n</figure>\n");

	return 0;
}

double report_choose_step(double right)
{
	double step = right / 5;
	double power = pow(10, floor(log10(step)));

	if (step <= 0)
		return 1;
	if (step > 5 * power)
		return 10 * power;

	return (step > 2 * power ? 5 : 2) * power;
}
