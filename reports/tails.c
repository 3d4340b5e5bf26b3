#include "drawing.h"

#include "assets.h"
#include "cleanup.h"
#include "export.h"
#include "gnuplot.h"

/* As many as there are colours; further cases are in the table below. */
#define MAX_SERIES 6

/* A call of so many is the one that has this percentile. */
static const struct {
	const char *name;
	double one_of;
} percentiles[REPORT_PERCENTILES] = {
	{ "50", 2 },
	{ "90", 10 },
	{ "99", 100 },
	{ "99.9", 1000 },
};

/* Of fewer calls than one in so many there is no such one. */
static double percentile_of(const struct report_time *time, size_t i)
{
	return time->call_count >= percentiles[i].one_of ? time->percentile_ns[i] : 0;
}

static void add_column(struct report_drawing *drawing, struct report_range *y, double ns)
{
	if (ns <= 0) {
		ovi_strbuf_add(&drawing->data, " NaN");
		return;
	}
	ovi_strbuf_addf(&drawing->data, " %.9g", ns / 1e3);
	report_range_include(y, ns / 1e3);
}

static void add_block(struct report_drawing *drawing, const struct report_result *result,
                      struct report_range *y)
{
	cleanup_strbuf struct ovi_strbuf label = { 0 };

	report_add_case(&label, result);
	report_add_column(&drawing->data, label.length ? label.text : result->benchmark->id);
	ovi_strbuf_add(&drawing->data, "\n");
	for (size_t i = 0; i < REPORT_PERCENTILES; i++) {
		double ours = percentile_of(&result->ours, i);
		double floor = percentile_of(&result->floor, i);

		if (ours <= 0 && floor <= 0)
			continue;
		ovi_strbuf_addf(&drawing->data, "%.9g", percentiles[i].one_of);
		add_column(drawing, y, ours);
		add_column(drawing, y, floor);
		ovi_strbuf_add(&drawing->data, "\n");
	}
	ovi_strbuf_add(&drawing->data, "\n\n");
	drawing->data.failed |= label.failed;
}

static void add_rows(struct ovi_strbuf *table, const struct report_result *result)
{
	for (size_t arm = 0; arm < 2; arm++) {
		const struct report_time *time = report_arm(result, arm);

		for (size_t i = 0; i < REPORT_PERCENTILES; i++) {
			cleanup_strbuf struct ovi_strbuf key = { 0 };

			if (percentile_of(time, i) <= 0)
				continue;
			report_add_key(&key, result, arm);
			report_add_csv_text(table, key.text ? key.text : "");
			ovi_strbuf_addf(table, ",%.0f,%s,%.10g\r\n", time->call_count,
			                percentiles[i].name, percentile_of(time, i));
			table->failed |= key.failed;
		}
	}
}

int report_draw_tails(struct ovi_strbuf *page, const struct report_figures *figures,
                      const struct report_benchmark *benchmark, struct ovl2_error *err)
{
	cleanup_drawing struct report_drawing drawing = { .script = report_plot_tail };
	struct report_range y = { 0 };
	size_t series = 0;

	ovi_strbuf_add(&drawing.table, "case,calls,percentile,ns\r\n");
	for (size_t i = 0; i < figures->result_count; i++) {
		const struct report_result *result = &figures->results[i];

		if (result->benchmark != benchmark || percentile_of(&result->ours, 0) <= 0)
			continue;
		add_rows(&drawing.table, result);
		if (series == MAX_SERIES)
			continue;
		add_block(&drawing, result, &y);
		series++;
	}
	if (!series)
		return 0;

	ovi_strbuf_addf(&drawing.id, "tail-%zu", (size_t)(benchmark - figures->benchmarks));
	ovi_strbuf_addf(&drawing.title, "The slowest calls: %s", benchmark->title);
	ovi_strbuf_addf(&drawing.parameters,
	                "WIDTH = 800\nHEIGHT = 400\nSERIES = %zu\nBOTTOM = %.9g\nTOP = %.9g\n",
	                series, y.low * 0.8, y.high * 1.25);
	ovi_strbuf_add(&drawing.caption,
	               "Single calls of all rounds; both axes are logarithmic. A line ends where "
	               "there were too few calls for one to be that rare.");

	return report_draw(page, &drawing, err);
}
