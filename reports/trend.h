#pragma once

/*
 * What became of each benchmark over the runs of a history, and where it changed its
 * level for good (stats_find_changes() tells).
 */

#include "history.h"
#include "stats.h"
#include "strbuf.h"

#include <ovl2.h>

#include <jansson.h>
#include <stdio.h>

struct report_point {
	/* Index into the history. */
	size_t run;
	double value;
	double low;
	double high;
};

struct report_level {
	/* Index into the points: the first of this level, which ends before the next. */
	size_t first;
	double median;
};

struct report_series {
	/* Of the newest run that is asked about. */
	const struct report_result *result;

	/* Are values ours over the floor, or else our time in nanoseconds? */
	int is_ratio;

	struct report_point *points;
	size_t count;

	/* At least one where there are points. */
	struct report_level *levels;
	size_t level_count;
};

#define cleanup_series __attribute__((cleanup(report_series_release)))

void report_series_release(struct report_series *series);

/* The runs' figures for the case that `result` is of; `hint` as of report_find_case(). */
int report_series_find(const struct report_history *history, const struct report_result *result,
                       size_t hint, struct report_series *series, struct ovl2_error *err);

struct report_trend {
	const struct report_history *history;

	/* A series for each result of the newest run that has figures. */
	struct report_series *series;
	size_t count;

	/* How many of them have more than one level. */
	size_t changed;

	/* Runs that were left out since they are of another place. */
	size_t elsewhere;
};

#define cleanup_trend __attribute__((cleanup(report_trend_release)))

void report_trend_release(struct report_trend *trend);

/* `history` has a run, and stays. */
int report_trend_find(const struct report_history *history, struct report_trend *trend,
                      struct ovl2_error *err);

/* "1.21×", or "1.21 ms" where the series is of times. */
struct report_word report_level_figure(const struct report_series *series, double value);

/* The last level over the one before: 1.1 is a tenth slower. Needs two levels. */
double report_last_change(const struct report_series *series);

/* What changed, a line each, and a sentence on the rest. */
void report_trend_add_text(struct ovi_strbuf *text, const struct report_trend *trend);

/* "ovl2-trend/1", see FORMAT.md; NULL when out of memory. */
json_t *report_trend_describe(const struct report_trend *trend);

/*
 * A page like a report's: what changed first. `title` may be NULL; `ret_without_plots` as
 * of report_add_page().
 */
int report_trend_add_page(struct ovi_strbuf *page, const struct report_trend *trend,
                          const char *title, struct ovl2_error *ret_without_plots,
                          struct ovl2_error *err);

/* Draws a series over the runs, with its levels. `index` tells it from others. */
int report_draw_trend(struct ovi_strbuf *page, const struct report_trend *trend, size_t index,
                      struct ovl2_error *err);
