#include "hosts.h"

#include "cleanup.h"
#include "compare.h"
#include "escape.h"
#include "export.h"
#include "fail.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------------- reading -- */

/* "node-17 xfs", and " #2" for the second of the kind. */
static json_t *label_of(const json_t *columns, const char *host, const char *filesystem)
{
	char label[160];
	json_t *column;
	size_t same = 1;
	size_t i;

	(void)snprintf(label, sizeof(label), "%.80s %.60s", *host ? host : "unnamed", filesystem);
	json_array_foreach(columns, i, column) same +=
		strncmp(report_string(column, "label"), label, strlen(label)) == 0;

	return same > 1 ? json_sprintf("%s #%zu", label, same) : json_string(label);
}

static int add_column(json_t *columns, const json_t *bench)
{
	const json_t *host = json_object_get(bench, "host");
	const json_t *target = json_object_get(bench, "target");
	json_t *label =
		label_of(columns, report_string(host, "name"), report_string(target, "filesystem"));

	return json_array_append_new(columns, json_pack("{s:o, s:O, s:O, s:s}", "label", label,
	                                                "host", host, "target", target, "started",
	                                                report_string(bench, "started")));
}

static json_t *find_row(const json_t *rows, const char *key)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i,
	                   row) if (strcmp(report_string(row, "case"), key) == 0) return row;

	return NULL;
}

/* Of what was not measured there is no cell: null. */
static int add_cell(json_t *rows, const struct report_result *result, size_t column)
{
	cleanup_strbuf struct ovi_strbuf key = { 0 };
	json_t *cells;
	json_t *row;

	report_add_key(&key, result, 0);
	if (ovi_strbuf_failed(&key))
		return -1;
	row = find_row(rows, key.text);
	if (!row) {
		row = json_pack("{s:s, s:s, s:[]}", "case", key.text, "title",
		                result->benchmark->title, "cells");
		if (json_array_append_new(rows, row) < 0)
			return -1;
	}
	cells = json_object_get(row, "cells");
	while (json_array_size(cells) < column)
		if (json_array_append_new(cells, json_null()) < 0)
			return -1;

	return json_array_append_new(
		cells,
		json_pack("{s:f, s:f, s:f, s:o}", "median_ns", result->ours.median_ns, "low_ns",
	                  result->ours.low_ns, "high_ns", result->ours.high_ns, "ratio",
	                  result->ratio > 0
	                          ? json_pack("{s:f, s:f, s:f}", "median", result->ratio, "low",
	                                      result->ratio_low, "high", result->ratio_high)
	                          : json_null()));
}

static int add_run(json_t *columns, json_t *rows, const struct report_run *run)
{
	size_t column = json_array_size(columns);
	int r = add_column(columns, run->documents.bench);

	for (size_t i = 0; i < run->figures.result_count && r == 0; i++)
		if (run->figures.results[i].ours.median_ns > 0)
			r = add_cell(rows, &run->figures.results[i], column);

	return r;
}

/* Of its place: host, kernel, filesystem. */
static int is_newest(const struct report_history *history, size_t number)
{
	const json_t *bench = history->runs[number].documents.bench;
	char why[256];

	for (size_t i = number + 1; i < history->count; i++)
		if (!report_is_other_place(history->runs[i].documents.bench, bench, why,
		                           sizeof(why)))
			return 0;

	return 1;
}

static int add_file(json_t *columns, json_t *rows, const char *path, struct ovl2_error *err)
{
	cleanup_history struct report_history history = { 0 };
	int r = report_history_read(path, &history, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < history.count && r == 0; i++)
		if (is_newest(&history, i))
			r = add_run(columns, rows, &history.runs[i]);

	return r < 0 ? ovi_fail_memory(err) : 0;
}

int report_hosts_read(char *const paths[], size_t count, json_t **ret_hosts, struct ovl2_error *err)
{
	json_t *columns = json_array();
	json_t *rows = json_array();
	json_t *hosts = json_pack("{s:s, s:s, s:o, s:o}", "format", "ovl2-hosts/1", "version",
	                          OVL2_VERSION, "columns", columns, "rows", rows);
	int r = hosts ? 0 : ovi_fail_memory(err);
	json_t *row;
	size_t i;

	for (i = 0; i < count && r == 0; i++)
		r = add_file(columns, rows, paths[i], err);
	if (r < 0) {
		json_decref(hosts);
		return r;
	}
	count = json_array_size(columns);
	json_array_foreach(rows, i,
	                   row) while (json_array_size(json_object_get(row, "cells")) < count)
		json_array_append_new(json_object_get(row, "cells"), json_null());
	*ret_hosts = hosts;

	return 0;
}

/* ------------------------------------------------------------------------- text -- */

static void add_legend(struct ovi_strbuf *text, const json_t *columns)
{
	json_t *column;
	size_t i;

	json_array_foreach(columns, i, column)
	{
		const json_t *host = json_object_get(column, "host");

		ovi_strbuf_addf(text, "%zu  ", i + 1);
		ovi_escape_controls(text, report_string(column, "label"));
		ovi_strbuf_add(text, ", Linux ");
		ovi_escape_controls(text, report_string(host, "kernel"));
		ovi_strbuf_add(text, ", ");
		ovi_escape_controls(text, report_string(host, "cpu"));
		ovi_strbuf_add(text, "\n");
	}
	ovi_strbuf_add(text, "\n");
}

void report_hosts_add_text(struct ovi_strbuf *text, const json_t *hosts)
{
	json_t *row;
	json_t *cell;
	size_t i;
	size_t k;

	add_legend(text, json_object_get(hosts, "columns"));
	json_array_foreach(json_object_get(hosts, "rows"), i, row)
	{
		ovi_escape_controls(text, report_string(row, "case"));
		json_array_foreach(json_object_get(row, "cells"), k, cell) ovi_strbuf_addf(
			text, "  %s %s", report_duration(report_number(cell, "median_ns")).text,
			report_ratio(report_number(json_object_get(cell, "ratio"), "median")).text);
		ovi_strbuf_add(text, "\n");
	}
}

static void add_number(struct ovi_strbuf *text, double number)
{
	ovi_strbuf_add(text, ",");
	if (number > 0)
		ovi_strbuf_addf(text, "%.10g", number);
}

void report_hosts_add_csv(struct ovi_strbuf *text, const json_t *hosts)
{
	static const char *const times[] = { "median_ns", "low_ns", "high_ns" };
	static const char *const ratios[] = { "median", "low", "high" };
	const json_t *columns = json_object_get(hosts, "columns");
	json_t *row;
	json_t *cell;
	size_t i;
	size_t k;

	ovi_strbuf_add(text, "case,host,median_ns,low_ns,high_ns,ratio,ratio_low,ratio_high\r\n");
	json_array_foreach(json_object_get(hosts, "rows"), i, row)
	{
		json_array_foreach(json_object_get(row, "cells"), k, cell)
		{
			if (!json_is_object(cell))
				continue;
			report_add_csv_text(text, report_string(row, "case"));
			ovi_strbuf_add(text, ",");
			report_add_csv_text(text,
			                    report_string(json_array_get(columns, k), "label"));
			for (size_t n = 0; n < ARRAY_SIZE(times); n++)
				add_number(text, report_number(cell, times[n]));
			for (size_t n = 0; n < ARRAY_SIZE(ratios); n++)
				add_number(text, report_number(json_object_get(cell, "ratio"),
				                               ratios[n]));
			ovi_strbuf_add(text, "\r\n");
		}
	}
}
