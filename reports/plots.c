#include "plots.h"

#include "assets.h"
#include "drawing.h"
#include "export.h"
#include "fail.h"
#include "gnuplot.h"

static int draw_ratios(struct ovi_strbuf *page, const struct report_figures *figures,
                       struct ovl2_error *err)
{
	cleanup_drawing struct report_drawing drawing = { .script = report_plot_ratios };
	struct report_range x = { 0.9, 1.25 };

	if (!figures->headline_count)
		return 0;

	report_add_csv_head(&drawing.table);
	for (size_t i = 0; i < figures->headline_count; i++) {
		const struct report_result *result = figures->headline[i];
		cleanup_strbuf struct ovi_strbuf label = { 0 };

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
		report_add_csv_rows(&drawing.table, result);
	}
	ovi_strbuf_add(&drawing.id, "ratios");
	ovi_strbuf_add(&drawing.title, "Our time over the floor's");
	ovi_strbuf_add(&drawing.caption,
	               "1× is the floor: the same work with bare system calls, measured in turn "
	               "with ours. Lines are the intervals of the ratio; the axis is logarithmic.");
	ovi_strbuf_addf(&drawing.parameters,
	                "WIDTH = 800\nHEIGHT = %zu\nROWS = %zu\nLEFT = %.9g\nRIGHT = %.9g\n",
	                70 + 27 * figures->headline_count, figures->headline_count, x.low * 0.97,
	                x.high * 1.03);

	return report_draw(page, &drawing, err);
}

static int add_all_bars(struct ovi_strbuf *page, const struct report_figures *figures,
                        struct ovl2_error *err)
{
	int r = 0;

	ovi_strbuf_add(page, "<div class=\"pair\">\n");
	for (size_t i = 0; i < figures->benchmark_count && r == 0; i++)
		if (!figures->benchmarks[i].is_sweep)
			r = report_draw_bars(page, figures, &figures->benchmarks[i], err);
	ovi_strbuf_add(page, "</div>\n");

	return r;
}

int report_add_plots(struct ovi_strbuf *page, const struct report_figures *figures,
                     struct ovl2_error *err)
{
	size_t length = page->length;
	int r;

	r = draw_ratios(page, figures, err);
	for (size_t i = 0; i < figures->benchmark_count && r == 0; i++) {
		if (!figures->benchmarks[i].is_sweep)
			continue;
		r = report_draw_curves(page, figures, &figures->benchmarks[i], err);
	}
	if (r == 0)
		r = add_all_bars(page, figures, err);
	if (r < 0)
		ovi_strbuf_cut(page, length);

	return r;
}
