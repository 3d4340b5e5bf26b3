#include "document.h"
#include "fail.h"
#include "html.h"
#include "matrix.h"
#include "page.h"
#include "text.h"

static void add_columns(struct ovi_strbuf *page, const json_t *columns)
{
	json_t *column;
	size_t i;

	ovi_strbuf_add(page,
	               "<section id=\"columns\">\n<h2>Where the probes ran</h2>\n"
	               "<table>\n<caption>A column each of the table below.</caption>\n"
	               "<thead><tr><th scope=\"col\">Column</th><th scope=\"col\">Verdict</th>"
	               "<th scope=\"col\">Host</th><th scope=\"col\">Target</th>"
	               "<th scope=\"col\">Date</th></tr></thead>\n<tbody>\n");
	json_array_foreach(columns, i, column)
	{
		const json_t *host = json_object_get(column, "host");
		const json_t *target = json_object_get(column, "target");

		html(page,
		     "<tr><th scope=\"row\">%</th><td>%<small>for %</small></td>"
		     "<td>%<small>%</small></td><td>%<small>%</small></td><td>%</td></tr>\n",
		     report_string(column, "label"), report_string(column, "verdict"),
		     report_string(json_object_get(column, "profile"), "title"),
		     report_string(host, "name"), report_string(host, "kernel_build"),
		     report_string(target, "path"), report_string(target, "mount_options"),
		     report_string(column, "started"));
	}
	ovi_strbuf_add(page, "</tbody>\n</table>\n</section>\n");
}

static void add_cell(struct ovi_strbuf *page, const json_t *cell)
{
	if (!json_is_object(cell)) {
		ovi_strbuf_add(page, "<td>not asked</td>");
		return;
	}
	html(page, "<td><span class=\"badge %\">%</span><small>%: %</small></td>",
	     report_string(cell, "verdict"), report_matrix_cell(cell).text,
	     report_string(cell, "verdict"), report_string(cell, "evidence"));
}

/* Rows that differ first: they are what one looks for. */
static void add_rows(struct ovi_strbuf *page, const json_t *rows, int same)
{
	json_t *row;
	json_t *cell;
	size_t i;
	size_t k;

	json_array_foreach(rows, i, row)
	{
		if (json_is_true(json_object_get(row, "same")) != same)
			continue;
		html(page, "<tr><th scope=\"row\">%<small><code>%</code></small></th>",
		     report_string(row, "title"), report_string(row, "id"));
		json_array_foreach(json_object_get(row, "cells"), k, cell) add_cell(page, cell);
		ovi_strbuf_add(page, "</tr>\n");
	}
}

static void add_matrix(struct ovi_strbuf *page, const json_t *matrix)
{
	const json_t *columns = json_object_get(matrix, "columns");
	const json_t *rows = json_object_get(matrix, "rows");
	char span[24];
	json_t *column;
	size_t i;

	(void)snprintf(span, sizeof(span), "%zu", json_array_size(columns) + 1);
	ovi_strbuf_add(
		page,
		"<section id=\"matrix\">\n<h2>Probes</h2>\n<div class=\"scroll\" tabindex=\"0\">\n"
		"<table class=\"matrix\">\n<caption>Every answer was found by trying it, with its "
		"verdict and what was seen.</caption>\n"
		"<thead><tr><th scope=\"col\">Question</th>");
	json_array_foreach(columns, i, column)
		html(page, "<th scope=\"col\">%</th>", report_string(column, "label"));
	html(page,
	     "</tr></thead>\n<tbody>\n<tr><th scope=\"rowgroup\" colspan=\"%\">What differs"
	     "</th></tr>\n",
	     span);
	add_rows(page, rows, 0);
	html(page,
	     "</tbody>\n<tbody>\n<tr><th scope=\"rowgroup\" colspan=\"%\">The same everywhere"
	     "</th></tr>\n",
	     span);
	add_rows(page, rows, 1);
	ovi_strbuf_add(page, "</tbody>\n</table>\n</div>\n</section>\n");
}

int report_matrix_add_page(struct ovi_strbuf *page, const json_t *matrix, const char *title,
                           struct ovl2_error *err)
{
	const char *heading = title ? title : "Probes side by side";

	report_add_head(page, heading);
	html(page, "<header>\n<p class=\"kicker\">ovl2 matrix</p>\n<h1>%</h1>\n</header>\n<main>\n",
	     heading);
	add_columns(page, json_object_get(matrix, "columns"));
	add_matrix(page, matrix);
	report_add_foot(page);

	return ovi_strbuf_failed(page) ? ovi_fail_memory(err) : 0;
}
