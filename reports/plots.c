#include "plots.h"

#include "assets.h"
#include "drawing.h"
#include "export.h"
#include "fail.h"
#include "gnuplot.h"
#include "html.h"
#include "page.h"
#include "text.h"

#include <math.h>
#include <string.h>

/* More rows than this are a drawing a group. */
#define MAX_ROWS 40

static void add_ratio_row(struct ovi_strbuf *table, const struct report_result *result)
{
	cleanup_strbuf struct ovi_strbuf key = { 0 };

	report_add_key(&key, result, 0);
	table->failed |= key.failed;
	report_add_csv_text(table, key.text ? key.text : "");
	ovi_strbuf_addf(table, ",%.9g,%.9g,%.9g\r\n", result->ratio, result->ratio_low,
	                result->ratio_high);
}

/* Of one group, or of all where `group` is NULL. */
static int draw_ratios(struct ovi_strbuf *page, const struct report_figures *figures,
                       const char *group, struct ovl2_error *err)
{
	cleanup_drawing struct report_drawing drawing = { .script = report_plot_ratios };
	struct report_range x = { 0.9, 1.25 };
	size_t first = figures->headline_count;
	size_t rows = 0;
	double margin;

	ovi_strbuf_add(&drawing.table, "case,ratio,low,high\r\n");
	for (size_t i = 0; i < figures->headline_count; i++) {
		const struct report_result *result = figures->headline[i];
		cleanup_strbuf struct ovi_strbuf label = { 0 };

		if (group && strcmp(result->benchmark->group, group) != 0)
			continue;
		report_add_label(&label, result);
		if (ovi_strbuf_failed(&label))
			return ovi_fail_memory(err);
		report_add_column(&drawing.data, label.text);
		ovi_strbuf_addf(&drawing.data, "%.9g %.9g %.9g ", result->ratio, result->ratio_low,
		                result->ratio_high);
		report_add_column(&drawing.data, report_ratio(result->ratio).text);
		ovi_strbuf_add(&drawing.data, "\n");
		report_range_include(&x, result->ratio_low > 0 ? result->ratio_low : result->ratio);
		report_range_include(&x, result->ratio_high);
		add_ratio_row(&drawing.table, result);
		first = rows++ ? first : i;
	}
	/* On a logarithmic axis a part of its length is a power of what it spans. */
	margin = pow(x.high / x.low, 0.04);
	ovi_strbuf_add(&drawing.title, "Our time over the floor's");
	if (group)
		ovi_strbuf_addf(&drawing.title, ": %s", group);
	ovi_strbuf_add(&drawing.caption,
	               "1× is the floor: the same work with bare system calls, measured in turn "
	               "with ours. Lines are the intervals of the ratio; the axis is logarithmic.");
	ovi_strbuf_addf(&drawing.parameters,
	                "WIDTH = 800\nHEIGHT = %zu\nROWS = %zu\nLEFT = %.9g\nRIGHT = %.9g\n",
	                70 + 27 * rows, rows, x.low / margin, x.high * margin);
	ovi_strbuf_add(&drawing.id, "ratios");
	if (group)
		ovi_strbuf_addf(&drawing.id, "-%zu", first);

	return report_draw(page, &drawing, err);
}

/* Is this the first result of its group in the headline? */
static int begins_group(const struct report_figures *figures, size_t index)
{
	const char *group = figures->headline[index]->benchmark->group;

	for (size_t i = 0; i < index; i++)
		if (strcmp(figures->headline[i]->benchmark->group, group) == 0)
			return 0;

	return 1;
}

static int add_all_ratios(struct ovi_strbuf *page, const struct report_figures *figures,
                          struct ovl2_error *err)
{
	int r = 0;

	if (!figures->headline_count)
		return 0;
	if (figures->headline_count <= MAX_ROWS)
		return draw_ratios(page, figures, NULL, err);

	for (size_t i = 0; i < figures->headline_count && r == 0; i++)
		if (begins_group(figures, i))
			r = draw_ratios(page, figures, figures->headline[i]->benchmark->group, err);

	return r;
}

/* In the order of the page, so that a page without room for all has what says most. */
enum shape { SHAPE_WIDE, SHAPE_TOOLS, SHAPE_CURVE, SHAPE_BARS };

static int has_tools(const struct report_figures *figures, const struct report_benchmark *benchmark)
{
	for (size_t i = 0; i < figures->result_count; i++)
		for (size_t arm = 2; arm < REPORT_ARMS; arm++)
			if (figures->results[i].benchmark == benchmark &&
			    report_arm(&figures->results[i], arm)->median_ns > 0)
				return 1;

	return 0;
}

/* Curves of one variant are as small as bars; with limits and methods they are not. */
static enum shape shape_of(const struct report_figures *figures,
                           const struct report_benchmark *benchmark)
{
	if (!benchmark->is_sweep)
		return has_tools(figures, benchmark) ? SHAPE_TOOLS : SHAPE_BARS;

	return report_has_limits(figures, benchmark) ? SHAPE_WIDE : SHAPE_CURVE;
}

/* Draws those of this shape, as long as there is room; how many had none is added. */
static int add_some(struct ovi_strbuf *page, const struct report_figures *figures, enum shape shape,
                    size_t *left, struct ovl2_error *err)
{
	int r = 0;

	for (size_t i = 0; i < figures->benchmark_count && r == 0; i++) {
		const struct report_benchmark *benchmark = &figures->benchmarks[i];

		if (shape_of(figures, benchmark) != shape)
			continue;
		if (page->length > REPORT_DRAWN_BYTES)
			(*left)++;
		else if (benchmark->is_sweep)
			r = report_draw_curves(page, figures, benchmark, err);
		else
			r = report_draw_bars(page, figures, benchmark, err);
	}

	return r;
}

int report_add_plots(struct ovi_strbuf *page, const struct report_figures *figures,
                     struct ovl2_error *err)
{
	size_t length = page->length;
	size_t left = 0;
	int r;

	r = add_all_ratios(page, figures, err);
	if (r == 0)
		r = add_some(page, figures, SHAPE_WIDE, &left, err);
	for (size_t i = 0; i < figures->benchmark_count && r == 0; i++)
		if (page->length <= REPORT_DRAWN_BYTES)
			r = report_draw_tails(page, figures, &figures->benchmarks[i], err);
	ovi_strbuf_add(page, "<div class=\"pair\">\n");
	for (enum shape shape = SHAPE_TOOLS; shape <= SHAPE_BARS && r == 0; shape++)
		r = add_some(page, figures, shape, &left, err);
	ovi_strbuf_add(page, "</div>\n");
	if (r == 0 && left)
		html(page,
		     "<p class=\"note\"><b>Note:</b> % more benchmarks are not drawn, to keep the "
		     "page small; their figures are in the table. A document of those alone, "
		     "from ovl2-bench --only, has them drawn.</p>\n",
		     report_whole((double)left).text);
	if (r < 0)
		ovi_strbuf_cut(page, length);

	return r;
}
