#include "plots.h"

#include "assets.h"
#include "cleanup.h"
#include "fail.h"
#include "gnuplot.h"
#include "svg.h"

#include <math.h>
#include <string.h>

/* Curves that can be told apart; further variants are in the table of results. */
#define MAX_SERIES 7

/* Colours of the curves: 0 is the text's own, with hollow points. */
#define MAX_STYLE 6

#define DOCKER_DEPTH 128
#define KERNEL_DEPTH 500

/* A drawing in the making. */
struct drawing {
	/* Of the <figure>, and what its inner ids begin with. */
	struct ovi_strbuf id;
	struct ovi_strbuf title;
	struct ovi_strbuf caption;

	/* Lines "NAME = number" before the script. */
	struct ovi_strbuf parameters;
	struct ovi_strbuf data;
	const char *script;
};

#define cleanup_drawing __attribute__((cleanup(drawing_release)))

static void drawing_release(struct drawing *drawing)
{
	ovi_strbuf_release(&drawing->id);
	ovi_strbuf_release(&drawing->title);
	ovi_strbuf_release(&drawing->caption);
	ovi_strbuf_release(&drawing->parameters);
	ovi_strbuf_release(&drawing->data);
}

static int drawing_failed(const struct drawing *drawing)
{
	return ovi_strbuf_failed(&drawing->id) || ovi_strbuf_failed(&drawing->title) ||
	       ovi_strbuf_failed(&drawing->caption) || ovi_strbuf_failed(&drawing->parameters) ||
	       ovi_strbuf_failed(&drawing->data);
}

static int draw(struct ovi_strbuf *page, const struct drawing *drawing, struct ovl2_error *err)
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
	report_add_escaped(page, drawing->title.text);
	ovi_strbuf_add(page, ".</b> ");
	report_add_escaped(page, drawing->caption.text);
	ovi_strbuf_add(page, "</figcaption>\n</figure>\n");

	return 0;
}

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
	for (size_t i = 0; i < series->count; i++)
		ovi_strbuf_addf(parameters, "%s%zu", i ? ", " : "",
		                style_of(series->variant[i], i));
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

struct range {
	double low;
	double high;
};

static void include(struct range *range, double number)
{
	if (range->low == 0 || number < range->low)
		range->low = number;
	if (number > range->high)
		range->high = number;
}

static void add_curve_block(struct drawing *drawing, const struct report_figures *figures,
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
static void add_limit(struct drawing *drawing, double depth, struct range y, int side,
                      const char *label)
{
	ovi_strbuf_addf(&drawing->data, "%.9g %.9g %.9g %d ", depth, y.low, y.high - y.low, side);
	report_add_column(&drawing->data, label);
	ovi_strbuf_add(&drawing->data, "\n");
}

static int add_limits(struct drawing *drawing, const struct report_figures *figures,
                      const struct report_benchmark *benchmark, struct range x, struct range y)
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

static struct range range_of(const struct report_figures *figures,
                             const struct report_benchmark *benchmark, int of_values)
{
	struct range range = { 0 };

	for (size_t i = 0; i < figures->result_count; i++) {
		const struct report_result *result = &figures->results[i];

		if (result->benchmark != benchmark || !has_times(result))
			continue;
		include(&range, of_values ? result->value : result->ours.low_ns / 1e3);
		include(&range, of_values ? result->value : result->ours.high_ns / 1e3);
		if (!of_values && result->floor.median_ns > 0)
			include(&range, result->floor.median_ns / 1e3);
	}

	return range;
}

static int draw_curve(struct ovi_strbuf *page, const struct report_figures *figures,
                      const struct report_benchmark *benchmark, struct ovl2_error *err)
{
	cleanup_drawing struct drawing drawing = { .script = report_plot_curve };
	struct series series = find_series(figures, benchmark, has_times);
	struct range x = range_of(figures, benchmark, 1);
	struct range y = range_of(figures, benchmark, 0);
	int has_limits;

	if (!series.count)
		return 0;

	/* Room for the limits' names below the curves. */
	y.low /= 3.2;
	y.high *= 1.25;
	ovi_strbuf_addf(&drawing.id, "curve-%zu", (size_t)(benchmark - figures->benchmarks));
	ovi_strbuf_addf(&drawing.title, "%s", benchmark->title);
	for (size_t i = 0; i < series.count; i++)
		add_curve_block(&drawing, figures, benchmark, series.variant[i]);
	has_limits = add_limits(&drawing, figures, benchmark, x, y) > 0;

	add_styles(&drawing.parameters, &series);
	ovi_strbuf_addf(&drawing.parameters,
	                "WIDTH = 800\nHEIGHT = 480\nHAS_LIMITS = %d\nLEFT = %.9g\nRIGHT = %.9g\n"
	                "BOTTOM = %.9g\nTOP = %.9g\nPARAMETER = \"%s\"\n",
	                has_limits, x.low * 0.9, x.high * 1.15, y.low, y.high,
	                strcmp(benchmark->parameter, "lowers") == 0 ? "lowers" : "");
	ovi_strbuf_add(&drawing.caption,
	               "Both axes are logarithmic. Points are medians, bands the intervals that "
	               "hold them; dashed lines are the floor, the same work done with bare "
	               "system calls in the same run.");
	if (has_limits)
		ovi_strbuf_add(&drawing.caption, " Vertical lines are limits: a curve ends where "
		                                 "its method cannot go deeper.");

	return draw(page, &drawing, err);
}

/* ----------------------------------------------------------------- bytes -- */

static void add_bytes_block(struct drawing *drawing, const struct report_figures *figures,
                            const struct report_benchmark *benchmark, const char *variant)
{
	report_add_column(&drawing->data, variant);
	ovi_strbuf_add(&drawing->data, "\n");
	for (size_t i = 0; i < figures->result_count; i++) {
		const struct report_result *result = &figures->results[i];

		if (result->benchmark == benchmark && has_data_bytes(result) &&
		    strcmp(result->variant, variant) == 0)
			ovi_strbuf_addf(&drawing->data, "%.9g %.9g %d\n", result->value,
			                result->data_bytes,
			                result->data_bytes <= result->data_limit_bytes);
	}
	ovi_strbuf_add(&drawing->data, "\n\n");
}

static int draw_bytes(struct ovi_strbuf *page, const struct report_figures *figures,
                      const struct report_benchmark *benchmark, struct ovl2_error *err)
{
	cleanup_drawing struct drawing drawing = { .script = report_plot_bytes };
	struct series series = find_series(figures, benchmark, has_data_bytes);
	struct range x = { DOCKER_DEPTH, DOCKER_DEPTH };
	struct range y = { 0 };
	double limit = 0;

	if (!series.count)
		return 0;

	for (size_t i = 0; i < figures->result_count; i++) {
		const struct report_result *result = &figures->results[i];

		if (result->benchmark != benchmark || !has_data_bytes(result))
			continue;
		include(&x, result->value);
		include(&y, result->data_bytes);
		include(&y, result->data_limit_bytes);
		limit = result->data_limit_bytes;
	}
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

	return draw(page, &drawing, err);
}

/* ------------------------------------------------------------------ bars -- */

/* Turns a time into the figure that a bar shows. */
struct scale {
	const char *unit;
	double factor;
	int is_bytes;
	int is_files;
};

static struct scale choose_scale(const struct report_figures *figures,
                                 const struct report_benchmark *benchmark)
{
	struct scale scale = { NULL, 0, benchmark->is_throughput, benchmark->is_throughput };
	double longest = 0;

	for (size_t i = 0; i < figures->result_count; i++) {
		const struct report_result *result = &figures->results[i];

		if (result->benchmark != benchmark || result->ours.median_ns <= 0)
			continue;
		scale.is_bytes = scale.is_bytes && result->bytes > 0;
		scale.is_files = scale.is_files && result->files > 0;
		longest = fmax(longest, result->ours.median_ns);
	}
	if (scale.is_bytes)
		return (struct scale){ "MB/s, longer is faster", 1e3, 1, 0 };
	if (scale.is_files)
		return (struct scale){ "thousand files/s, longer is faster", 1e6, 0, 1 };
	if (longest >= 1e7)
		return (struct scale){ "ms, shorter is faster", 1e-6, 0, 0 };

	return (struct scale){ "µs, shorter is faster", 1e-3, 0, 0 };
}

static double scaled(const struct scale *scale, const struct report_result *result, double ns)
{
	if (ns <= 0)
		return 0;
	if (scale->is_bytes)
		return result->bytes / ns * scale->factor;
	if (scale->is_files)
		return result->files / ns * scale->factor;

	return ns * scale->factor;
}

static void add_bar(struct drawing *drawing, const struct scale *scale,
                    const struct report_result *result, const struct report_time *time)
{
	double low = scaled(scale, result, time->low_ns);
	double high = scaled(scale, result, time->high_ns);

	if (time->median_ns <= 0) {
		ovi_strbuf_add(&drawing->data, "NaN NaN NaN \"\" ");
		return;
	}
	ovi_strbuf_addf(&drawing->data, "%.9g %.9g %.9g ", scaled(scale, result, time->median_ns),
	                fmin(low, high), fmax(low, high));
	report_add_column(&drawing->data, report_figure(result, time).text);
}

struct bars {
	size_t cases;
	int has_floor;
	int has_peer;
	double longest;
	const struct report_result *first;
};

static void add_case(struct drawing *drawing, const struct scale *scale,
                     const struct report_result *result, struct bars *bars)
{
	cleanup_strbuf struct ovi_strbuf label = { 0 };
	const struct report_time *times[] = { &result->ours, &result->floor, &result->peer };

	report_add_case(&label, result);
	report_add_column(&drawing->data, label.length ? label.text : result->benchmark->id);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		if (i < 2 || bars->has_peer)
			add_bar(drawing, scale, result, times[i]);
		bars->longest = fmax(bars->longest, scaled(scale, result, times[i]->low_ns));
		bars->longest = fmax(bars->longest, scaled(scale, result, times[i]->high_ns));
	}
	ovi_strbuf_add(&drawing->data, "\n");
	bars->cases++;
}

static struct bars look_at_bars(const struct report_figures *figures,
                                const struct report_benchmark *benchmark)
{
	struct bars bars = { 0 };

	for (size_t i = 0; i < figures->result_count; i++) {
		const struct report_result *result = &figures->results[i];

		if (result->benchmark != benchmark || result->ours.median_ns <= 0)
			continue;
		if (!bars.first || (!bars.first->peer.title && result->peer.title))
			bars.first = result;
		bars.has_floor |= result->floor.median_ns > 0;
		bars.has_peer |= result->peer.median_ns > 0;
	}

	return bars;
}

/* One, two or five times a power of ten, for about five marks on the axis. */
static double choose_step(double right)
{
	double step = right / 5;
	double power = pow(10, floor(log10(step)));

	if (step <= 0)
		return 1;
	if (step > 5 * power)
		return 10 * power;

	return (step > 2 * power ? 5 : 2) * power;
}

static int draw_bars(struct ovi_strbuf *page, const struct report_figures *figures,
                     const struct report_benchmark *benchmark, struct ovl2_error *err)
{
	cleanup_drawing struct drawing drawing = { .script = report_plot_bars };
	struct scale scale = choose_scale(figures, benchmark);
	struct bars bars = look_at_bars(figures, benchmark);
	size_t shares = 1 + (size_t)bars.has_floor + (size_t)bars.has_peer;

	if (!bars.first)
		return 0;

	report_add_column(&drawing.data, bars.first->ours.title);
	report_add_column(&drawing.data, bars.first->floor.title ? bars.first->floor.title : "");
	report_add_column(&drawing.data, bars.first->peer.title ? bars.first->peer.title : "");
	ovi_strbuf_add(&drawing.data, "\n");
	for (size_t i = 0; i < figures->result_count; i++)
		if (figures->results[i].benchmark == benchmark &&
		    figures->results[i].ours.median_ns > 0)
			add_case(&drawing, &scale, &figures->results[i], &bars);

	ovi_strbuf_addf(&drawing.id, "bars-%zu", (size_t)(benchmark - figures->benchmarks));
	ovi_strbuf_addf(&drawing.title, "%s", benchmark->title);
	ovi_strbuf_addf(&drawing.parameters,
	                "WIDTH = 500\nHEIGHT = %zu\nCASES = %zu\nHAS_FLOOR = %d\nHAS_PEER = %d\n"
	                "RIGHT = %.9g\nSTEP = %.9g\nUNIT = \"%s\"\n",
	                100 + 22 * shares + bars.cases * (12 + 26 * shares), bars.cases,
	                bars.has_floor, bars.has_peer, bars.longest * 1.38,
	                choose_step(bars.longest * 1.38), scale.unit);
	ovi_strbuf_addf(&drawing.caption, "Medians; thin lines are the intervals that hold them.");

	return draw(page, &drawing, err);
}

/* ---------------------------------------------------------------- ratios -- */

static int draw_ratios(struct ovi_strbuf *page, const struct report_figures *figures,
                       struct ovl2_error *err)
{
	cleanup_drawing struct drawing drawing = { .script = report_plot_ratios };
	struct range x = { 0.9, 1.25 };

	if (!figures->headline_count)
		return 0;

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
		include(&x, result->ratio_low > 0 ? result->ratio_low : result->ratio);
		include(&x, result->ratio_high);
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

	return draw(page, &drawing, err);
}

static int add_all_bars(struct ovi_strbuf *page, const struct report_figures *figures,
                        struct ovl2_error *err)
{
	int r = 0;

	ovi_strbuf_add(page, "<div class=\"pair\">\n");
	for (size_t i = 0; i < figures->benchmark_count && r == 0; i++)
		if (!figures->benchmarks[i].is_sweep)
			r = draw_bars(page, figures, &figures->benchmarks[i], err);
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
		r = draw_curve(page, figures, &figures->benchmarks[i], err);
		if (r == 0)
			r = draw_bytes(page, figures, &figures->benchmarks[i], err);
	}
	if (r == 0)
		r = add_all_bars(page, figures, err);
	if (r < 0)
		ovi_strbuf_cut(page, length);

	return r;
}
