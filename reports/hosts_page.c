#include "hosts.h"

#include "assets.h"
#include "cleanup.h"
#include "drawing.h"
#include "fail.h"
#include "gnuplot.h"
#include "html.h"
#include "page.h"
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* As many as there are colours. */
#define MAX_DRAWN 6

/* More rows than this are another drawing. */
#define MAX_ROWS 40

static const json_t *ratio_of(const json_t *row, size_t column)
{
	return json_object_get(json_array_get(json_object_get(row, "cells"), column), "ratio");
}

static int has_ratio(const json_t *row, size_t columns)
{
	for (size_t i = 0; i < columns; i++)
		if (report_number(ratio_of(row, i), "median") > 0)
			return 1;

	return 0;
}

/* The rows that are drawn from `first` on; where the next drawing begins is returned. */
static size_t choose_rows(const json_t *rows, size_t columns, size_t first,
                          const json_t *ret_rows[MAX_ROWS], size_t *ret_count)
{
	*ret_count = 0;
	for (; first < json_array_size(rows) && *ret_count < MAX_ROWS; first++)
		if (has_ratio(json_array_get(rows, first), columns))
			ret_rows[(*ret_count)++] = json_array_get(rows, first);

	return first;
}

static void add_block(struct report_drawing *drawing, struct report_range *x,
                      const json_t *const rows[], size_t count, size_t column)
{
	for (size_t i = 0; i < count; i++) {
		const json_t *ratio = ratio_of(rows[i], column);
		double median = report_number(ratio, "median");

		ovi_strbuf_addf(&drawing->data, "%zu ", i);
		if (median > 0) {
			ovi_strbuf_addf(&drawing->data, "%.9g %.9g %.9g ", median,
			                report_number(ratio, "low"), report_number(ratio, "high"));
			report_range_include(x, fmin(median, report_number(ratio, "low")));
			report_range_include(x, report_number(ratio, "high"));
		} else {
			ovi_strbuf_add(&drawing->data, "NaN NaN NaN ");
		}
		report_add_column(&drawing->data, report_string(rows[i], "case"));
		ovi_strbuf_add(&drawing->data, "\n");
	}
	ovi_strbuf_add(&drawing->data, "\n\n");
}

static int draw(struct ovi_strbuf *page, const json_t *columns, const json_t *const rows[],
                size_t count, size_t index, struct ovl2_error *err)
{
	cleanup_drawing struct report_drawing drawing = { .script = report_plot_hosts };
	size_t drawn = json_array_size(columns) < MAX_DRAWN ? json_array_size(columns) : MAX_DRAWN;
	struct report_range x = { 0.9, 1.25 };
	json_t *hosts = json_object();
	json_t *list = json_array();
	double margin;

	for (size_t i = 0; i < drawn; i++) {
		report_add_column(&drawing.data,
		                  report_string(json_array_get(columns, i), "label"));
		ovi_strbuf_add(&drawing.data, "\n");
		add_block(&drawing, &x, rows, count, i);
	}
	for (size_t i = 0; i < count; i++)
		json_array_append(list, (json_t *)rows[i]);
	json_object_set(hosts, "columns", (json_t *)columns);
	json_object_set_new(hosts, "rows", list);
	report_hosts_add_csv(&drawing.table, hosts);
	json_decref(hosts);
	margin = pow(x.high / x.low, 0.04);
	ovi_strbuf_addf(&drawing.id, "hosts-%zu", index);
	ovi_strbuf_add(&drawing.title, "Our time over the floor's, on each host");
	ovi_strbuf_add(&drawing.caption,
	               "1× is the floor: the same work with bare system calls on that host. Lines "
	               "are the intervals of the ratio; the axis is logarithmic.");
	ovi_strbuf_addf(&drawing.parameters,
	                "WIDTH = 800\nHEIGHT = %zu\nROWS = %zu\nHOSTS = %zu\nLEFT = %.9g\n"
	                "RIGHT = %.9g\n",
	                110 + (16 + 8 * drawn) * count, count, drawn, x.low / margin,
	                x.high * margin);

	return report_draw(page, &drawing, err);
}

static int add_drawings(struct ovi_strbuf *page, const json_t *hosts, struct ovl2_error *err)
{
	const json_t *columns = json_object_get(hosts, "columns");
	const json_t *rows = json_object_get(hosts, "rows");
	const json_t *chosen[MAX_ROWS];
	size_t length = page->length;
	size_t next = 0;
	int r = 0;

	while (next < json_array_size(rows) && page->length < REPORT_DRAWN_BYTES && r == 0) {
		size_t first = next;
		size_t count;

		next = choose_rows(rows, json_array_size(columns), first, chosen, &count);
		if (count)
			r = draw(page, columns, chosen, count, first, err);
	}
	if (r < 0)
		ovi_strbuf_cut(page, length);
	if (r == 0 && next < json_array_size(rows))
		ovi_strbuf_add(page,
		               "<p class=\"note\"><b>Note:</b> the rest is not drawn, to keep "
		               "the page small; its figures are in the table.</p>\n");

	return r;
}

static void add_columns(struct ovi_strbuf *page, const json_t *columns)
{
	json_t *column;
	size_t i;

	ovi_strbuf_add(page, "<section id=\"columns\">\n<h2>Where the benchmarks ran</h2>\n"
	                     "<table>\n<caption>A column each of the table below.</caption>\n"
	                     "<thead><tr><th scope=\"col\">Column</th><th scope=\"col\">Kernel</th>"
	                     "<th scope=\"col\">Processor</th><th scope=\"col\">Target</th>"
	                     "<th scope=\"col\">Date</th></tr></thead>\n<tbody>\n");
	json_array_foreach(columns, i, column)
	{
		const json_t *host = json_object_get(column, "host");
		const json_t *target = json_object_get(column, "target");

		html(page,
		     "<tr><th scope=\"row\">%</th><td>%</td><td>%</td><td>%<small>%</small></td>"
		     "<td>%</td></tr>\n",
		     report_string(column, "label"), report_string(host, "kernel"),
		     report_string(host, "cpu"), report_string(target, "path"),
		     report_string(target, "mount_options"), report_string(column, "started"));
	}
	ovi_strbuf_add(page, "</tbody>\n</table>\n</section>\n");
}

static void add_cell(struct ovi_strbuf *page, const json_t *cell)
{
	double ratio = report_number(json_object_get(cell, "ratio"), "median");

	if (!json_is_object(cell))
		ovi_strbuf_add(page, "<td>not measured</td>");
	else if (ratio > 0)
		html(page, "<td>%<small>% the floor</small></td>",
		     report_duration(report_number(cell, "median_ns")).text,
		     report_ratio(ratio).text);
	else
		html(page, "<td>%</td>", report_duration(report_number(cell, "median_ns")).text);
}

static void add_table(struct ovi_strbuf *page, const json_t *hosts)
{
	json_t *rows = json_object_get(hosts, "rows");
	json_t *one;
	size_t shown = 0;
	size_t i;

	ovi_strbuf_add(page,
	               "<section id=\"cases\">\n<h2>Benchmarks</h2>\n"
	               "<div class=\"scroll\" tabindex=\"0\">\n<table class=\"numbers wide\">\n"
	               "<caption>Median times, and below them the ratio to the floor of the "
	               "same run.</caption>\n<thead><tr><th scope=\"col\">Operation</th>");
	json_array_foreach(json_object_get(hosts, "columns"), i, one)
		html(page, "<th scope=\"col\">%</th>", report_string(one, "label"));
	ovi_strbuf_add(page, "</tr></thead>\n<tbody>\n");
	for (; shown < json_array_size(rows) && page->length < REPORT_TABLE_BYTES; shown++) {
		const json_t *row = json_array_get(rows, shown);

		html(page, "<tr><th scope=\"row\">%<small><code>%</code></small></th>",
		     report_string(row, "title"), report_string(row, "case"));
		json_array_foreach(json_object_get(row, "cells"), i, one) add_cell(page, one);
		ovi_strbuf_add(page, "</tr>\n");
	}
	ovi_strbuf_add(page, "</tbody>\n</table>\n</div>\n");
	if (shown < json_array_size(rows))
		html(page,
		     "<p class=\"note\"><b>Note:</b> % more are left out, to keep the page small: "
		     "ovl2-report hosts --csv prints them all.</p>\n",
		     report_whole((double)(json_array_size(rows) - shown)).text);
	ovi_strbuf_add(page, "</section>\n");
}

int report_hosts_add_page(struct ovi_strbuf *page, const json_t *hosts, const char *title,
                          struct ovl2_error *ret_without_plots, struct ovl2_error *err)
{
	const char *heading = title ? title : "Benchmarks side by side";

	report_add_head(page, heading);
	html(page, "<header>\n<p class=\"kicker\">ovl2 hosts</p>\n<h1>%</h1>\n</header>\n<main>\n",
	     heading);
	add_columns(page, json_object_get(hosts, "columns"));
	if (add_drawings(page, hosts, ret_without_plots) < 0)
		html(page, "<p class=\"note\"><b>Note:</b> no drawings: %</p>\n",
		     ret_without_plots->message);
	add_table(page, hosts);
	report_add_foot(page);

	return ovi_strbuf_failed(page) ? ovi_fail_memory(err) : 0;
}
