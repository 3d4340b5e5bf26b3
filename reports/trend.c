#include "trend.h"

#include "cleanup.h"
#include "escape.h"
#include "fail.h"
#include "text.h"

#include <string.h>

void report_series_release(struct report_series *series)
{
	free(series->points);
	free(series->levels);
	*series = (struct report_series){ 0 };
}

void report_trend_release(struct report_trend *trend)
{
	for (size_t i = 0; i < trend->count; i++)
		report_series_release(&trend->series[i]);
	free(trend->series);
	*trend = (struct report_trend){ 0 };
}

/* -------------------------------------------------------------------- series -- */

static void add_point(struct report_series *series, size_t run, const struct report_result *result)
{
	struct report_point point = { run, result->ratio, result->ratio_low, result->ratio_high };

	if (!series->is_ratio)
		point = (struct report_point){ run, result->ours.median_ns, result->ours.low_ns,
			                       result->ours.high_ns };
	if (point.value > 0)
		series->points[series->count++] = point;
}

/* `values` of the points, and room for as many more. */
static int add_levels(struct report_series *series, double *values, size_t *first,
                      struct ovl2_error *err)
{
	double *sorted = values + series->count;
	size_t changes = 0;

	for (size_t i = 0; i < series->count; i++)
		values[i] = series->points[i].value;
	if (stats_find_changes(values, series->count, first, &changes) < 0)
		return ovi_fail_memory(err);
	for (size_t i = 0; i <= changes; i++) {
		size_t begin = i ? first[i - 1] : 0;
		size_t end = i < changes ? first[i] : series->count;

		memcpy(sorted, values + begin, (end - begin) * sizeof(*sorted));
		stats_sort(sorted, end - begin);
		series->levels[series->level_count++] =
			(struct report_level){ begin, stats_median(sorted, end - begin) };
	}

	return 0;
}

int report_series_find(const struct report_history *history, const struct report_result *result,
                       size_t hint, struct report_series *series, struct ovl2_error *err)
{
	size_t room = history->count + 1;
	cleanup_free double *values = calloc(2 * room, sizeof(*values));
	cleanup_free size_t *first = calloc(room, sizeof(*first));

	*series = (struct report_series){
		.result = result,
		.is_ratio = result->ratio > 0,
		.points = calloc(room, sizeof(*series->points)),
		.levels = calloc(room, sizeof(*series->levels)),
	};
	if (!values || !first || !series->points || !series->levels) {
		report_series_release(series);
		return ovi_fail_memory(err);
	}
	for (size_t i = 0; i < history->count; i++) {
		const struct report_result *other =
			report_find_case(&history->runs[i].figures, result, hint);

		if (other)
			add_point(series, i, other);
	}

	return series->count ? add_levels(series, values, first, err) : 0;
}

int report_trend_find(const struct report_history *history, struct report_trend *trend,
                      struct ovl2_error *err)
{
	const struct report_figures *newest = &history->runs[history->count - 1].figures;

	*trend = (struct report_trend){
		.history = history,
		.series = calloc(newest->result_count + 1, sizeof(*trend->series)),
	};
	if (!trend->series)
		return ovi_fail_memory(err);
	for (size_t i = 0; i < newest->result_count; i++) {
		struct report_series *series = &trend->series[trend->count];
		int r;

		if (newest->results[i].ours.median_ns <= 0)
			continue;
		trend->count++;
		r = report_series_find(history, &newest->results[i], i, series, err);
		if (r < 0)
			return r;
		trend->changed += series->level_count > 1;
	}

	return 0;
}

struct report_word report_level_figure(const struct report_series *series, double value)
{
	return series->is_ratio ? report_ratio(value) : report_duration(value);
}

double report_last_change(const struct report_series *series)
{
	const struct report_level *last = &series->levels[series->level_count - 1];

	return last->median / (last - 1)->median;
}

/* ---------------------------------------------------------------------- text -- */

static void add_changed(struct ovi_strbuf *text, const struct report_trend *trend,
                        const struct report_series *series)
{
	cleanup_strbuf struct ovi_strbuf label = { 0 };

	report_add_label(&label, series->result);
	text->failed |= label.failed;
	for (size_t i = 1; i < series->level_count; i++) {
		const struct report_level *level = &series->levels[i];
		const struct report_run *run =
			&trend->history->runs[series->points[level->first].run];

		ovi_escape_controls(text, label.text ? label.text : "");
		ovi_strbuf_addf(text, "  %s -> %s  %+.1f %%  since ",
		                report_level_figure(series, (level - 1)->median).text,
		                report_level_figure(series, level->median).text,
		                (level->median / (level - 1)->median - 1) * 100);
		ovi_escape_controls(text, report_run_name(run));
		ovi_strbuf_add(text, "\n");
	}
}

void report_trend_add_text(struct ovi_strbuf *text, const struct report_trend *trend)
{
	size_t runs = trend->history->count;

	for (size_t i = 0; i < trend->count; i++)
		add_changed(text, trend, &trend->series[i]);
	ovi_strbuf_addf(text, "%s%zu of %zu benchmarks changed their level in %zu run%s",
	                trend->changed ? "\n" : "", trend->changed, trend->count, runs,
	                runs == 1 ? "" : "s");
	if (trend->elsewhere)
		ovi_strbuf_addf(text, "; %zu of other machines left out", trend->elsewhere);
	if (runs < (size_t)2 * STATS_CHANGE_SIDE)
		ovi_strbuf_addf(text, "; a change takes %d runs on either side", STATS_CHANGE_SIDE);
	ovi_strbuf_add(text, "\n");
}

/* ---------------------------------------------------------------------- JSON -- */

static json_t *describe_points(const struct report_series *series)
{
	json_t *points = json_array();

	for (size_t i = 0; i < series->count; i++) {
		const struct report_point *point = &series->points[i];

		json_array_append_new(points,
		                      json_pack("{s:I, s:f, s:f, s:f}", "run",
		                                (json_int_t)point->run, "value", point->value,
		                                "low", point->low, "high", point->high));
	}

	return points;
}

static json_t *describe_levels(const struct report_series *series)
{
	json_t *levels = json_array();

	for (size_t i = 0; i < series->level_count; i++) {
		const struct report_level *level = &series->levels[i];

		json_array_append_new(levels,
		                      json_pack("{s:I, s:f, s:o}", "first_run",
		                                (json_int_t)series->points[level->first].run,
		                                "median", level->median, "change",
		                                i ? json_real(level->median / (level - 1)->median)
		                                  : json_null()));
	}

	return levels;
}

static json_t *describe_series(const struct report_series *series)
{
	const struct report_result *result = series->result;

	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:o}", "benchmark", result->benchmark->id,
	                 "variant", result->variant, "value",
	                 result->has_value ? json_real(result->value) : json_null(), "of",
	                 series->is_ratio ? "ratio" : "median_ns", "levels",
	                 describe_levels(series), "points", describe_points(series));
}

json_t *report_trend_describe(const struct report_trend *trend)
{
	const struct report_history *history = trend->history;
	const json_t *newest = history->runs[history->count - 1].documents.bench;
	json_t *runs = json_array();
	json_t *series = json_array();

	for (size_t i = 0; i < history->count; i++) {
		const json_t *bench = history->runs[i].documents.bench;

		json_array_append_new(runs, json_pack("{s:s, s:s, s:O*}", "started",
		                                      report_string(bench, "started"), "version",
		                                      report_string(bench, "version"), "label",
		                                      json_object_get(bench, "label")));
	}
	for (size_t i = 0; i < trend->count; i++)
		json_array_append_new(series, describe_series(&trend->series[i]));

	return json_pack("{s:s, s:s, s:O*, s:O*, s:I, s:o, s:o}", "format", "ovl2-trend/1",
	                 "version", OVL2_VERSION, "host", json_object_get(newest, "host"), "target",
	                 json_object_get(newest, "target"), "elsewhere",
	                 (json_int_t)trend->elsewhere, "runs", runs, "series", series);
}
