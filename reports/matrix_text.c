#include "cleanup.h"
#include "document.h"
#include "escape.h"
#include "fail.h"
#include "matrix.h"

#include <libsmartcols/libsmartcols.h>
#include <string.h>

#define FIRST_COLUMN 2

static const char *words_of(const char *verdict)
{
	static const char *const words[][2] = {
		{ "qualified", "qualified" },
		{ "not_qualified", "not qualified" },
		{ "undetermined", "undetermined" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(verdict, words[i][0]) == 0)
			return words[i][1];

	return verdict;
}

/* -------------------------------------------------------------------- terminal -- */

static const char *color_of(const char *verdict)
{
	static const char *const colors[][2] = {
		{ "fail", "red" },  { "unknown", "magenta" }, { "warn", "brown" },
		{ "info", "cyan" }, { "waived", "brown" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(colors); i++)
		if (strcmp(verdict, colors[i][0]) == 0)
			return colors[i][1];

	return NULL;
}

static int fill_line(struct libscols_line *line, const json_t *row)
{
	const json_t *cells = json_object_get(row, "cells");
	json_t *cell;
	size_t i;
	int r;

	r = scols_line_set_data(line, 0, json_is_true(json_object_get(row, "same")) ? " " : "*");
	r |= scols_line_set_data(line, 1, report_string(row, "id"));
	json_array_foreach(cells, i, cell)
	{
		const char *color = color_of(report_string(cell, "verdict"));

		r |= scols_line_set_data(line, FIRST_COLUMN + i, report_matrix_cell(cell).text);
		if (color)
			r |= scols_cell_set_color(scols_line_get_cell(line, FIRST_COLUMN + i),
			                          color);
	}

	return r;
}

static int fill_table(struct libscols_table *table, const json_t *matrix)
{
	const json_t *rows = json_object_get(matrix, "rows");
	json_t *row;
	size_t i;
	int r;

	r = scols_table_new_column(table, "", 0, 0) ? 0 : -1;
	r |= scols_table_new_column(table, "PROBE", 0, 0) ? 0 : -1;
	for (i = 0; i < json_array_size(json_object_get(matrix, "columns")); i++) {
		char title[24];

		(void)snprintf(title, sizeof(title), "(%zu)", i + 1);
		r |= scols_table_new_column(table, title, 0, 0) ? 0 : -1;
	}
	json_array_foreach(rows, i, row)
	{
		struct libscols_line *line = scols_table_new_line(table, NULL);

		r |= line ? fill_line(line, row) : -1;
	}

	return r;
}

static void print_legend(FILE *out, const json_t *matrix)
{
	const json_t *columns = json_object_get(matrix, "columns");
	json_t *column;
	size_t i;

	json_array_foreach(columns, i, column)
	{
		cleanup_strbuf struct ovi_strbuf line = { 0 };

		ovi_escape_controls(&line, report_string(column, "label"));
		ovi_strbuf_add(&line, ", ");
		ovi_escape_controls(&line, report_string(json_object_get(column, "host"), "name"));
		(void)fprintf(out, "(%zu) %s: %s for %s\n", i + 1, line.text ? line.text : "",
		              words_of(report_string(column, "verdict")),
		              report_string(json_object_get(column, "profile"), "id"));
	}
}

int report_matrix_print(FILE *out, const json_t *matrix, int color, struct ovl2_error *err)
{
	struct libscols_table *table = scols_new_table();
	int r = table ? 0 : -1;

	if (r == 0) {
		scols_table_set_stream(table, out);
		scols_table_enable_colors(table, color);
		r = fill_table(table, matrix);
	}
	if (r == 0) {
		print_legend(out, matrix);
		r = scols_print_table(table);
	}
	scols_unref_table(table);

	return r ? ovi_fail_memory(err) : 0;
}

/* -------------------------------------------------------------------- markdown -- */

/* Text from a document must not become markup, nor end a cell. */
static void add_quoted(struct ovi_strbuf *text, const char *words)
{
	for (; *words; words++) {
		if (strchr("\\`*[]<>|~", *words))
			ovi_strbuf_add(text, "\\");
		ovi_strbuf_add_bytes(text, (unsigned char)*words < ' ' ? " " : words, 1);
	}
}

static void add_code(struct ovi_strbuf *text, const char *words)
{
	ovi_strbuf_add(text, "`");
	for (; *words; words++)
		if (*words == '|')
			ovi_strbuf_add(text, "\\|");
		else if (*words != '`' && (unsigned char)*words >= ' ')
			ovi_strbuf_add_bytes(text, words, 1);
	ovi_strbuf_add(text, "`");
}

static void add_line(struct ovi_strbuf *text, const json_t *matrix, size_t column)
{
	const json_t *rows = json_object_get(matrix, "rows");
	const json_t *host = json_array_get(json_object_get(matrix, "columns"), column);
	json_t *row;
	size_t i;

	ovi_strbuf_add(text, "| ");
	add_quoted(text, report_string(host, "label"));
	ovi_strbuf_addf(text, " | %s |", words_of(report_string(host, "verdict")));
	json_array_foreach(rows, i, row)
	{
		const json_t *cells = json_object_get(row, "cells");

		if (!json_is_true(json_object_get(row, "same")))
			ovi_strbuf_addf(text, " %s |",
			                report_matrix_cell(json_array_get(cells, column)).text);
	}
	ovi_strbuf_add(text, "\n");
}

static void add_same(struct ovi_strbuf *text, const json_t *rows)
{
	const char *separator = "\nThe same everywhere: ";
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const json_t *cells = json_object_get(row, "cells");

		if (!json_is_true(json_object_get(row, "same")))
			continue;
		ovi_strbuf_add(text, separator);
		add_code(text, report_string(row, "id"));
		ovi_strbuf_addf(text, " %s", report_matrix_cell(json_array_get(cells, 0)).text);
		separator = ", ";
	}
	if (*separator == ',')
		ovi_strbuf_add(text, ".\n");
}

int report_matrix_add_markdown(struct ovi_strbuf *text, const json_t *matrix,
                               struct ovl2_error *err)
{
	const json_t *rows = json_object_get(matrix, "rows");
	size_t columns = json_array_size(json_object_get(matrix, "columns"));
	size_t differing = 0;
	json_t *row;
	size_t i;

	ovi_strbuf_add(text, "| kernel, filesystem | verdict |");
	json_array_foreach(rows, i, row)
	{
		if (json_is_true(json_object_get(row, "same")))
			continue;
		ovi_strbuf_add(text, " ");
		add_code(text, report_string(row, "id"));
		ovi_strbuf_add(text, " |");
		differing++;
	}
	ovi_strbuf_add(text, "\n|---|---|");
	while (differing--)
		ovi_strbuf_add(text, "---|");
	ovi_strbuf_add(text, "\n");
	for (i = 0; i < columns; i++)
		add_line(text, matrix, i);
	add_same(text, rows);

	return ovi_strbuf_failed(text) ? ovi_fail_memory(err) : 0;
}
