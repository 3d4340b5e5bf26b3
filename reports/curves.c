#include "drawing.h"

#include "assets.h"
#include "cleanup.h"
#include "export.h"
#include "gnuplot.h"

#include <math.h>
#include <string.h>

/* Curves that can be told apart; further variants are in the table of results. */
#define MAX_SERIES 7

/* Colours of the curves: 0 is the text's own, with hollow points. */
#define MAX_STYLE 6

#define DOCKER_DEPTH 128
#define KERNEL_DEPTH 500

/* -------------------------------------------------------------- variants -- */

struct series {
	const char *variant[MAX_SERIES];
	size_t count;
};

/* Is there anything to draw of this result? */
typedef int drawable(const struct report_result *result);

static int has_times(const struct report_result *result)
{
	return result->ours.median_ns > 0 && result->ours.low_ns > 0 && result->value > 0;
}

static int has_data_bytes(const struct report_result *result)
{
	return result->data_bytes > 0 && result->data_limit_bytes > 0 && result->value > 0 &&
	       strcmp(result->variant, "auto") != 0;
}

static int has_variant(const struct series *series, const char *variant)
{
	for (size_t i = 0; i < series->count; i++)
		if (strcmp(series->variant[i], variant) == 0)
			return 1;

	return 0;
}

/* In the order of the document. */
static struct series find_series(const struct report_figures *figures,
                                 const struct report_benchmark *benchmark, drawable *wanted)
{
	struct series series = { 0 };

	for (size_t i = 0; i < figures->result_count && series.count < MAX_SERIES; i++) {
		const struct report_result *result = &figures->results[i];

		if (result->benchmark == benchmark && wanted(result) &&
		    !has_variant(&series, result->variant))
			series.variant[series.count++] = result->variant;
	}

	return series;
}

/* The same method has the same colour in every drawing. */
static size_t style_of(const char *variant, size_t position)
{
	static const char *const known[] = { "auto", "absolute", "relative", "append", "fd" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(variant, known[i]) == 0)
			return i;

	return 1 + position % MAX_STYLE;
}

static void add_styles(struct ovi_strbuf *parameters, const struct series *series)
{
	ovi_strbuf_addf(parameters, "SERIES = %zu\narray STYLE[%zu] = [", series->count,
	                series->count);
	/* Hollow points around the others' are for those that have others. */
	for (size_t i = 0; i < series->count; i++)
		ovi_strbuf_addf(parameters, "%s%zu", i ? ", " : "",
		                series->count > 1 ? style_of(series->variant[i], i) : 1);
	ovi_strbuf_add(parameters, "]\n");
}

/*
 * How many lowers fit into the limit. Every lower adds the same number of bytes, so
 * a line through two results says it exactly. 0 where it cannot be said.
 */
static double fitting_depth(const struct report_figures *figures,
                            const struct report_benchmark *benchmark, const char *variant)
{
	const struct report_result *first = NULL;
	const struct report_result *last = NULL;
	double slope;

	for (size_t i = 0; i < figures->result_count; i++) {
		const struct report_result *result = &figures->results[i];

		if (result->benchmark != benchmark || !has_data_bytes(result) ||
		    strcmp(result->variant, variant) != 0)
			continue;
		if (!first || result->value < first->value)
			first = result;
		if (!last || result->value > last->value)
			last = result;
	}
	if (!first || first->value == last->value)
		return 0;

	slope = (last->data_bytes - first->data_bytes) / (last->value - first->value);

	return slope > 0 ? floor((first->data_limit_bytes - first->data_bytes) / slope +
	                         first->value + 1e-9)
	                 : 0;
}

/* ---------------------------------------------------------------- curves -- */

static void add_curve_block(struct report_drawing *drawing, const struct report_figures *figures,
                            const struct report_benchmark *benchmark, const char *variant)
{
	report_add_column(&drawing->data, *variant ? variant : benchmark->id);
	ovi_strbuf_add(&drawing->data, "\n");
	for (size_t i = 0; i < figures->result_count; i++) {
		const struct report_result *result = &figures->results[i];

		if (result->benchmark != benchmark || !has_times(result) ||
		    strcmp(result->variant, variant) != 0)
			continue;
		ovi_strbuf_addf(&drawing->data, "%.9g %.9g %.9g %.9g ", result->value,
		                result->ours.median_ns / 1e3, result->ours.low_ns / 1e3,
		                result->ours.high_ns / 1e3);
		if (result->floor.median_ns > 0)
			ovi_strbuf_addf(&drawing->data, "%.9g\n", result->floor.median_ns / 1e3);
		else
			ovi_strbuf_add(&drawing->data, "NaN\n");
	}
	ovi_strbuf_add(&drawing->data, "\n\n");
}

/* A vertical line; `side` of it, -1 or 1, has room for the label. */
static void add_limit(struct report_drawing *drawing, double depth, struct report_range y, int side,
                      const char *label)
{
	ovi_strbuf_addf(&drawing->data, "%.9g %.9g %.9g %d ", depth, y.low, y.high - y.low, side);
	report_add_column(&drawing->data, label);
	ovi_strbuf_add(&drawing->data, "\n");
}

static int add_limits(struct report_drawing *drawing, const struct report_figures *figures,
                      const struct report_benchmark *benchmark, struct report_range x,
                      struct report_range y)
{
	static const char *const methods[] = { "absolute", "relative" };
	int count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		double depth = fitting_depth(figures, benchmark, methods[i]);
		cleanup_strbuf struct ovi_strbuf label = { 0 };

		if (depth < 1 || depth > x.high * 1.2)
			continue;
		ovi_strbuf_addf(&label, "%s: %.0f fit a page", methods[i], depth);
		if (ovi_strbuf_failed(&label))
			continue;
		add_limit(drawing, depth, y, depth > DOCKER_DEPTH ? 1 : -1, label.text);
		count++;
	}
	if (count && x.high >= DOCKER_DEPTH) {
		add_limit(drawing, DOCKER_DEPTH, y, -1, "Docker: 128");
		count++;
	}
	if (count && x.high >= KERNEL_DEPTH * 0.9) {
		add_limit(drawing, KERNEL_DEPTH, y, -1, "kernel: 500");
		count++;
	}

	return count;
}

static struct report_range range_of(const struct report_figures *figures,
                                    const struct report_benchmark *benchmark, int of_values)
{
	struct report_range range = { 0 };

	for (size_t i = 0; i < figures->result_count; i++) {
		const struct report_result *result = &figures->results[i];

		if (result->benchmark != benchmark || !has_times(result))
			continue;
		report_range_include(&range, of_values ? result->value : result->ours.low_ns / 1e3);
		report_range_include(&range,
		                     of_values ? result->value : result->ours.high_ns / 1e3);
		if (!of_values && result->floor.median_ns > 0)
			report_range_include(&range, result->floor.median_ns / 1e3);
	}

	return range;
}

int report_has_limits(const struct report_figures *figures,
                      const struct report_benchmark *benchmark)
{
	return find_series(figures, benchmark, has_data_bytes).count > 0;
}

/* A script's string must hold nothing that means something to gnuplot. */
static int is_plain(const char *text)
{
	return text[strspn(text, "abcdefghijklmnopqrstuvwxyz ")] == '\0';
}

static int draw_curve(struct ovi_strbuf *page, const struct report_figures *figures,
                      const struct report_benchmark *benchmark, struct ovl2_error *err)
{
	cleanup_drawing struct report_drawing drawing = { .script = report_plot_curve };
	struct series series = find_series(figures, benchmark, has_times);
	struct report_range x = range_of(figures, benchmark, 1);
	struct report_range y = range_of(figures, benchmark, 0);
	int is_wide = report_has_limits(figures, benchmark);
	int has_limits;

	if (!series.count)
		return 0;

	/* Room for the limits' names below the curves. */
	y.low /= is_wide ? 3.2 : 1.25;
	y.high *= 1.25;
	report_add_csv_table(&drawing.table, figures, benchmark);
	ovi_strbuf_addf(&drawing.id, "curve-%zu", (size_t)(benchmark - figures->benchmarks));
	ovi_strbuf_addf(&drawing.title, "%s", benchmark->title);
	for (size_t i = 0; i < series.count; i++)
		add_curve_block(&drawing, figures, benchmark, series.variant[i]);
	has_limits = add_limits(&drawing, figures, benchmark, x, y) > 0;

	add_styles(&drawing.parameters, &series);
	ovi_strbuf_addf(&drawing.parameters,
	                "WIDTH = %d\nHEIGHT = %d\nHAS_LIMITS = %d\nLEFT = %.9g\nRIGHT = %.9g\n"
	                "BOTTOM = %.9g\nTOP = %.9g\nPARAMETER = \"%s\"\n",
	                is_wide ? 800 : 500, is_wide ? 480 : 320, has_limits, x.low * 0.9,
	                x.high * 1.15, y.low, y.high,
	                is_plain(benchmark->parameter) ? benchmark->parameter : "");
	ovi_strbuf_add(&drawing.caption,
	               "Both axes are logarithmic. Points are medians, bands the intervals that "
	               "hold them; dashed lines are the floor, the same work done with bare "
	               "system calls in the same run.");
	if (has_limits)
		ovi_strbuf_add(&drawing.caption, " Vertical lines are limits: a curve ends where "
		                                 "its method cannot go deeper.");

	return report_draw(page, &drawing, err);
}

/* ----------------------------------------------------------------- bytes -- */

static void add_bytes_block(struct report_drawing *drawing, const struct report_figures *figures,
                            const struct report_benchmark *benchmark, const char *variant)
{
	report_add_column(&drawing->data, variant);
	ovi_strbuf_add(&drawing->data, "\n");
	for (size_t i = 0; i < figures->result_count; i++) {
		const struct report_result *result = &figures->results[i];

		if (result->benchmark != benchmark || !has_data_bytes(result) ||
		    strcmp(result->variant, variant) != 0)
			continue;
		ovi_strbuf_addf(&drawing->data, "%.9g %.9g %d\n", result->value, result->data_bytes,
		                result->data_bytes <= result->data_limit_bytes);
		report_add_csv_text(&drawing->table, variant);
		ovi_strbuf_addf(&drawing->table, ",%.9g,%.9g,%.9g\r\n", result->value,
		                result->data_bytes, result->data_limit_bytes);
	}
	ovi_strbuf_add(&drawing->data, "\n\n");
}

static int draw_bytes(struct ovi_strbuf *page, const struct report_figures *figures,
                      const struct report_benchmark *benchmark, struct ovl2_error *err)
{
	cleanup_drawing struct report_drawing drawing = { .script = report_plot_bytes };
	struct series series = find_series(figures, benchmark, has_data_bytes);
	struct report_range x = { DOCKER_DEPTH, DOCKER_DEPTH };
	struct report_range y = { 0 };
	double limit = 0;

	if (!series.count)
		return 0;

	for (size_t i = 0; i < figures->result_count; i++) {
		const struct report_result *result = &figures->results[i];

		if (result->benchmark != benchmark || !has_data_bytes(result))
			continue;
		report_range_include(&x, result->value);
		report_range_include(&y, result->data_bytes);
		report_range_include(&y, result->data_limit_bytes);
		limit = result->data_limit_bytes;
	}
	ovi_strbuf_add(&drawing.table, "variant,value,data_bytes,data_limit_bytes\r\n");
	ovi_strbuf_addf(&drawing.id, "bytes-%zu", (size_t)(benchmark - figures->benchmarks));
	ovi_strbuf_add(&drawing.title, "Mount data against depth");
	for (size_t i = 0; i < series.count; i++)
		add_bytes_block(&drawing, figures, benchmark, series.variant[i]);

	add_styles(&drawing.parameters, &series);
	ovi_strbuf_addf(&drawing.parameters,
	                "WIDTH = 800\nHEIGHT = 400\nRIGHT = %.9g\nTOP = %.9g\nLIMIT = %.9g\n"
	                "DOCKER = %d\n",
	                x.high * 1.04, y.high * 1.08, limit, DOCKER_DEPTH);
	ovi_strbuf_add(&drawing.caption, "mount(2) copies one page of options and cuts the last "
	                                 "byte off without a word.");
	for (size_t i = 0; i < series.count; i++) {
		double depth = fitting_depth(figures, benchmark, series.variant[i]);

		if (depth >= 1)
			ovi_strbuf_addf(&drawing.caption, " %s names fit up to %.0f lowers.",
			                strcmp(series.variant[i], "absolute") == 0 ? "Absolute"
			                : strcmp(series.variant[i], "relative") == 0
			                        ? "Relative"
			                        : series.variant[i],
			                depth);
	}

	return report_draw(page, &drawing, err);
}

int report_draw_curves(struct ovi_strbuf *page, const struct report_figures *figures,
                       const struct report_benchmark *benchmark, struct ovl2_error *err)
{
	int r = draw_curve(page, figures, benchmark, err);

	return r < 0 ? r : draw_bytes(page, figures, benchmark, err);
}
