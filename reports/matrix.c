#include "matrix.h"

#include "cleanup.h"
#include "document.h"
#include "fail.h"

#include <stdio.h>
#include <string.h>

/*
 * Figures above this are names (the magic of a filesystem, a version), not amounts
 * that one would compare.
 */
#define MAX_AMOUNT 10000

/* --------------------------------------------------------------------- columns -- */

static int is_label_taken(const json_t *columns, const char *label)
{
	json_t *column;
	size_t i;

	json_array_foreach(columns, i,
	                   column) if (strcmp(report_string(column, "label"), label) == 0) return 1;

	return 0;
}

/* "6.1.0-31-amd64 xfs"; a second one of the kind is called "... #2". */
static json_t *make_label(const json_t *columns, const json_t *probe)
{
	const char *kernel = report_string(json_object_get(probe, "host"), "kernel");
	const char *filesystem = report_string(json_object_get(probe, "target"), "filesystem");
	char label[512];
	size_t length;

	(void)snprintf(label, sizeof(label) - 16, "%s%s%s", *kernel ? kernel : "unknown kernel",
	               *filesystem ? " " : "", filesystem);
	length = strlen(label);
	for (unsigned int n = 2; is_label_taken(columns, label); n++)
		(void)snprintf(label + length, sizeof(label) - length, " #%u", n);

	return json_string(label);
}

static int add_column(json_t *columns, json_t *probe, struct ovl2_error *err)
{
	json_t *column = json_pack(
		"{so sO sO sO sO sO}", "label", make_label(columns, probe), "host",
		json_object_get(probe, "host"), "target", json_object_get(probe, "target"),
		"profile", json_object_get(probe, "profile"), "started",
		json_object_get(probe, "started"), "verdict", json_object_get(probe, "verdict"));

	return !column || json_array_append_new(columns, column) < 0 ? ovi_fail_memory(err) : 0;
}

/* ------------------------------------------------------------------------ rows -- */

static json_t *find_by_id(const json_t *array, const char *id)
{
	json_t *one;
	size_t i;

	json_array_foreach(array, i, one) if (strcmp(report_string(one, "id"), id) == 0) return one;

	return NULL;
}

static json_t *or_null(json_t *value)
{
	return value ? json_incref(value) : json_null();
}

/* Probes that older programs did not ask are holes: null. */
static int add_cell(json_t *row, size_t column, const json_t *probe, struct ovl2_error *err)
{
	json_t *cells = json_object_get(row, "cells");
	json_t *cell;

	while (json_array_size(cells) < column)
		if (json_array_append_new(cells, json_null()) < 0)
			return ovi_fail_memory(err);
	if (!probe)
		return 0;

	cell = json_pack("{so so so so so}", "answer", or_null(json_object_get(probe, "answer")),
	                 "verdict", or_null(json_object_get(probe, "verdict")), "level",
	                 or_null(json_object_get(probe, "level")), "value",
	                 or_null(json_object_get(probe, "value")), "evidence",
	                 or_null(json_object_get(probe, "evidence")));

	return !cell || json_array_append_new(cells, cell) < 0 ? ovi_fail_memory(err) : 0;
}

static int add_cells(json_t *rows, size_t column, const json_t *probes, struct ovl2_error *err)
{
	json_t *probe;
	size_t i;
	int r = 0;

	json_array_foreach(probes, i, probe)
	{
		json_t *row = find_by_id(rows, report_string(probe, "id"));

		if (!row) {
			row = json_pack("{sO sO so s[]}", "id", json_object_get(probe, "id"),
			                "title", json_object_get(probe, "title"), "same",
			                json_true(), "cells");
			if (!row || json_array_append_new(rows, row) < 0)
				return ovi_fail_memory(err);
		}
		/* One document could ask twice. */
		if (json_array_size(json_object_get(row, "cells")) <= column)
			r = add_cell(row, column, probe, err);
		if (r < 0)
			return r;
	}

	return 0;
}

struct report_cell report_matrix_cell(const json_t *cell)
{
	const json_t *value = json_object_get(cell, "value");
	double amount = json_number_value(value);
	struct report_cell word = { "-" };

	if (!json_is_object(cell))
		return word;
	if (json_is_number(value) && amount >= 1 && amount <= MAX_AMOUNT)
		(void)snprintf(word.text, sizeof(word.text), "%.8s %.0f",
		               report_string(cell, "answer"), amount);
	else
		(void)snprintf(word.text, sizeof(word.text), "%.8s", report_string(cell, "answer"));

	return word;
}

/* Fills rows up to their end, and finds out which say the same in every column. */
static int finish_rows(json_t *rows, size_t columns, struct ovl2_error *err)
{
	json_t *row;
	size_t i;
	int r;

	json_array_foreach(rows, i, row)
	{
		const json_t *cells = json_object_get(row, "cells");
		struct report_cell first;
		int same = 1;

		r = add_cell(row, columns, NULL, err);
		if (r < 0)
			return r;
		first = report_matrix_cell(json_array_get(cells, 0));
		for (size_t k = 1; k < columns; k++)
			same &= strcmp(report_matrix_cell(json_array_get(cells, k)).text,
			               first.text) == 0;
		if (json_object_set_new(row, "same", json_boolean(same)) < 0)
			return ovi_fail_memory(err);
	}

	return 0;
}

/* ------------------------------------------------------------------------ read -- */

static int add_document(const char *path, json_t *columns, json_t *rows, struct ovl2_error *err)
{
	cleanup_documents struct report_documents documents = { 0 };
	size_t column = json_array_size(columns);
	int r;

	r = report_document_read(path, &documents, err);
	if (r < 0)
		return r;
	if (!documents.probe)
		return ovi_fail(err, OVL2_E_INVALID,
		                "read '%s': a matrix is of what ovl2-probe wrote", path);

	r = add_cells(rows, column, json_object_get(documents.probe, "probes"), err);

	return r < 0 ? r : add_column(columns, documents.probe, err);
}

int report_matrix_read(char *const paths[], size_t count, json_t **ret_matrix,
                       struct ovl2_error *err)
{
	json_t *matrix = json_pack("{ss ss s[] s[]}", "format", "ovl2-matrix/1", "version",
	                           OVL2_VERSION, "columns", "rows");
	json_t *columns = json_object_get(matrix, "columns");
	json_t *rows = json_object_get(matrix, "rows");
	int r = matrix ? 0 : ovi_fail_memory(err);

	for (size_t i = 0; i < count && r == 0; i++)
		r = add_document(paths[i], columns, rows, err);
	if (r == 0)
		r = finish_rows(rows, count, err);
	if (r < 0)
		json_decref(matrix);
	else
		*ret_matrix = matrix;

	return r;
}
