#include "drawing.h"

#include "assets.h"
#include "cleanup.h"
#include "export.h"
#include "gnuplot.h"

#include <math.h>

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

static void add_bar(struct report_drawing *drawing, const struct scale *scale,
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
	double longest;

	/* Those that some case has, what they are called and which colours they have. */
	size_t shares;
	size_t arm[REPORT_ARMS];
	const char *title[REPORT_ARMS];
};

static void add_case(struct report_drawing *drawing, const struct scale *scale,
                     const struct report_result *result, struct bars *bars)
{
	cleanup_strbuf struct ovi_strbuf label = { 0 };

	report_add_case(&label, result);
	report_add_column(&drawing->data, label.length ? label.text : result->benchmark->id);
	for (size_t i = 0; i < bars->shares; i++) {
		const struct report_time *time = report_arm(result, bars->arm[i]);

		add_bar(drawing, scale, result, time);
		bars->longest = fmax(bars->longest, scaled(scale, result, time->low_ns));
		bars->longest = fmax(bars->longest, scaled(scale, result, time->high_ns));
	}
	ovi_strbuf_add(&drawing->data, "\n");
	bars->cases++;
}

static struct bars look_at_bars(const struct report_figures *figures,
                                const struct report_benchmark *benchmark)
{
	struct bars bars = { 0 };

	for (size_t arm = 0; arm < REPORT_ARMS; arm++) {
		const char *title = NULL;

		for (size_t i = 0; i < figures->result_count && !title; i++) {
			const struct report_result *result = &figures->results[i];
			const struct report_time *time = report_arm(result, arm);

			if (result->benchmark == benchmark && result->ours.median_ns > 0 &&
			    time->median_ns > 0)
				title = time->title;
		}
		if (!title)
			continue;
		bars.arm[bars.shares] = arm;
		bars.title[bars.shares++] = title;
	}

	return bars;
}

int report_draw_bars(struct ovi_strbuf *page, const struct report_figures *figures,
                     const struct report_benchmark *benchmark, struct ovl2_error *err)
{
	cleanup_drawing struct report_drawing drawing = { .script = report_plot_bars };
	struct scale scale = choose_scale(figures, benchmark);
	struct bars bars = look_at_bars(figures, benchmark);

	if (!bars.shares)
		return 0;

	ovi_strbuf_addf(&drawing.parameters, "SHARES = %zu\narray ARM[SHARES] = [", bars.shares);
	for (size_t i = 0; i < bars.shares; i++) {
		report_add_column(&drawing.data, bars.title[i]);
		ovi_strbuf_addf(&drawing.parameters, "%s%zu", i ? ", " : "", bars.arm[i] + 1);
	}
	ovi_strbuf_add(&drawing.parameters, "]\n");
	ovi_strbuf_add(&drawing.data, "\n");
	for (size_t i = 0; i < figures->result_count; i++)
		if (figures->results[i].benchmark == benchmark &&
		    figures->results[i].ours.median_ns > 0)
			add_case(&drawing, &scale, &figures->results[i], &bars);

	report_add_csv_table(&drawing.table, figures, benchmark);
	ovi_strbuf_addf(&drawing.id, "bars-%zu", (size_t)(benchmark - figures->benchmarks));
	ovi_strbuf_addf(&drawing.title, "%s", benchmark->title);
	ovi_strbuf_addf(&drawing.parameters,
	                "WIDTH = 500\nHEIGHT = %zu\nCASES = %zu\n"
	                "RIGHT = %.9g\nSTEP = %.9g\nUNIT = \"%s\"\n",
	                100 + 22 * bars.shares + bars.cases * (12 + 26 * bars.shares), bars.cases,
	                bars.longest * 1.38, report_choose_step(bars.longest * 1.38), scale.unit);
	ovi_strbuf_addf(&drawing.caption, "Medians; thin lines are the intervals that hold them.");

	return report_draw(page, &drawing, err);
}
