#pragma once

/*
 * One drawing in the making: fill in its texts and rows, then draw it.
 */

#include "figures.h"
#include "strbuf.h"

#include <ovl2.h>

struct report_drawing {
	/* Of the <figure>, and what its inner ids begin with. */
	struct ovi_strbuf id;
	struct ovi_strbuf title;
	struct ovi_strbuf caption;

	/* Lines "NAME = number" before the script. */
	struct ovi_strbuf parameters;
	struct ovi_strbuf data;
	const char *script;

	/* What is drawn as CSV, for a link below it; report_add_csv_row() makes it. */
	struct ovi_strbuf table;
};

#define cleanup_drawing __attribute__((cleanup(report_drawing_release)))

void report_drawing_release(struct report_drawing *drawing);

/* Adds the <figure>. Errors as of report_gnuplot(). */
int report_draw(struct ovi_strbuf *page, const struct report_drawing *drawing,
                struct ovl2_error *err);

/* What an axis has to show; starts as all zeroes. */
struct report_range {
	double low;
	double high;
};

static inline void report_range_include(struct report_range *range, double number)
{
	if (range->low == 0 || number < range->low)
		range->low = number;
	if (number > range->high)
		range->high = number;
}

/* One, two or five times a power of ten, for about five marks on an axis up to `right`. */
double report_choose_step(double right);

/* A benchmark's times against its parameter, and its mount data where it has any. */
int report_draw_curves(struct ovi_strbuf *page, const struct report_figures *figures,
                       const struct report_benchmark *benchmark, struct ovl2_error *err);

/* Is there a limit to its parameter, as the page of options that mount(2) takes? */
int report_has_limits(const struct report_figures *figures,
                      const struct report_benchmark *benchmark);

/* Percentiles of single calls, where a benchmark has them. */
int report_draw_tails(struct ovi_strbuf *page, const struct report_figures *figures,
                      const struct report_benchmark *benchmark, struct ovl2_error *err);

/* A benchmark's cases: ours beside the floor beside a peer. */
int report_draw_bars(struct ovi_strbuf *page, const struct report_figures *figures,
                     const struct report_benchmark *benchmark, struct ovl2_error *err);
