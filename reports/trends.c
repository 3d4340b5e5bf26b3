#include "trend.h"

#include "assets.h"
#include "cleanup.h"
#include "drawing.h"
#include "export.h"
#include "gnuplot.h"

#include <math.h>

struct scale {
	const char *unit;
	double factor;
};

static struct scale choose_scale(const struct report_series *series)
{
	if (series->is_ratio)
		return (struct scale){ "ours / floor", 1 };
	if (series->levels[0].median >= 1e7)
		return (struct scale){ "median time, ms", 1e-6 };

	return (struct scale){ "median time, µs", 1e-3 };
}

/* The run after the last one of that level, from 0. */
static size_t end_of_level(const struct report_trend *trend, const struct report_series *series,
                           size_t level)
{
	return level + 1 < series->level_count ? series->points[series->levels[level + 1].first].run
	                                       : trend->history->count;
}

/* Runs are counted from 1. Returns what the axis has to show. */
static struct report_range add_blocks(struct report_drawing *drawing,
                                      const struct report_trend *trend,
                                      const struct report_series *series, double factor)
{
	struct report_range y = { 0 };

	for (size_t i = 0; i < series->count; i++) {
		const struct report_point *point = &series->points[i];

		ovi_strbuf_addf(&drawing->data, "%zu %.9g %.9g %.9g\n", point->run + 1,
		                point->value * factor, point->low * factor, point->high * factor);
		report_range_include(&y, point->value * factor);
		report_range_include(&y, point->low > 0 ? point->low * factor : y.low);
		report_range_include(&y, point->high * factor);
	}
	ovi_strbuf_add(&drawing->data, "\n\n");
	for (size_t i = 0; i < series->level_count; i++)
		ovi_strbuf_addf(&drawing->data, "%zu %zu %.9g\n",
		                series->points[series->levels[i].first].run + 1,
		                end_of_level(trend, series, i), series->levels[i].median * factor);
	ovi_strbuf_add(&drawing->data, "\n\n");

	return y;
}

/* Only the last one gets its label, so that none covers another. */
static void add_changes(struct report_drawing *drawing, const struct report_trend *trend,
                        const struct report_series *series)
{
	for (size_t i = 1; i < series->level_count; i++) {
		size_t run = series->points[series->levels[i].first].run;
		cleanup_strbuf struct ovi_strbuf label = { 0 };

		if (i + 1 == series->level_count)
			ovi_strbuf_addf(&label, "%+.1f %%, %s",
			                (report_last_change(series) - 1) * 100,
			                report_run_name(&trend->history->runs[run]));
		ovi_strbuf_addf(&drawing->data, "%zu ", run + 1);
		report_add_column(&drawing->data, label.text ? label.text : "");
		ovi_strbuf_add(&drawing->data, "\n");
		drawing->data.failed |= label.failed;
	}
}

static void add_table(struct ovi_strbuf *table, const struct report_trend *trend,
                      const struct report_series *series)
{
	size_t level = 0;

	ovi_strbuf_add(table, "run,started,label,value,low,high,level\r\n");
	for (size_t i = 0; i < series->count; i++) {
		const struct report_point *point = &series->points[i];
		const json_t *bench = trend->history->runs[point->run].documents.bench;

		if (level + 1 < series->level_count && series->levels[level + 1].first == i)
			level++;
		ovi_strbuf_addf(table, "%zu,", point->run + 1);
		report_add_csv_text(table, report_string(bench, "started"));
		ovi_strbuf_add(table, ",");
		report_add_csv_text(table, report_string(bench, "label"));
		ovi_strbuf_addf(table, ",%.10g,%.10g,%.10g,%.10g\r\n", point->value, point->low,
		                point->high, series->levels[level].median);
	}
}

int report_draw_trend(struct ovi_strbuf *page, const struct report_trend *trend, size_t index,
                      struct ovl2_error *err)
{
	cleanup_drawing struct report_drawing drawing = { .script = report_plot_trend };
	const struct report_series *series = &trend->series[index];
	struct scale scale = choose_scale(series);
	struct report_range y = add_blocks(&drawing, trend, series, scale.factor);
	double runs = (double)trend->history->count;

	size_t last = series->points[series->levels[series->level_count - 1].first].run;
	int is_late = last * 2 > trend->history->count;

	add_changes(&drawing, trend, series);
	add_table(&drawing.table, trend, series);
	ovi_strbuf_addf(&drawing.id, "trend-%zu", index);
	report_add_label(&drawing.title, series->result);
	ovi_strbuf_addf(
		&drawing.parameters,
		"WIDTH = 500\nHEIGHT = 300\nCHANGES = %zu\nIS_EARLY = %d\nIS_LATE = %d\nRUNS = %.0f\nSTEP = %.9g\n"
		"BOTTOM = %.9g\nTOP = %.9g\nUNIT = \"%s\"\n",
		series->level_count - 1, series->level_count > 1 && !is_late,
		series->level_count > 1 && is_late, runs, fmax(1, report_choose_step(runs)),
		fmax(0, y.low - (y.high - y.low) * 0.15), y.high + (y.high - y.low) * 0.15,
		scale.unit);
	if (y.low >= y.high)
		ovi_strbuf_addf(&drawing.parameters, "BOTTOM = %.9g\nTOP = %.9g\n", y.low * 0.9,
		                y.high * 1.1);
	ovi_strbuf_addf(&drawing.caption, "%s.", series->result->benchmark->title);

	return report_draw(page, &drawing, err);
}
