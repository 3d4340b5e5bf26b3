#pragma once

/*
 * Many probe documents side by side: hosts, kernels or filesystems by probes. All
 * outputs are made from one document of their own, "ovl2-matrix/1" (FORMAT.md).
 */

#include "strbuf.h"

#include <ovl2.h>

#include <jansson.h>
#include <stdio.h>

/*
 * Reads the probe documents at `paths`, one a column, in this order. Release
 * `ret_matrix` with json_decref().
 */
int report_matrix_read(char *const paths[], size_t count, json_t **ret_matrix,
                       struct ovl2_error *err);

/* A legend of the columns, then a row a probe; those that differ are marked. */
int report_matrix_print(FILE *out, const json_t *matrix, int color, struct ovl2_error *err);

/* A table of what differs, a column a probe, and a sentence on what does not. */
int report_matrix_add_markdown(struct ovi_strbuf *text, const json_t *matrix,
                               struct ovl2_error *err);

/* A page like a report's. `title` may be NULL. */
int report_matrix_add_page(struct ovi_strbuf *page, const json_t *matrix, const char *title,
                           struct ovl2_error *err);

/* The text of one cell: an answer and, if it is an amount, the figure: "yes 500". */
struct report_cell {
	char text[32];
};

struct report_cell report_matrix_cell(const json_t *cell);

/* `ovl2-report matrix ...`, the rest of the command line. Returns an exit code. */
int report_matrix_main(int argc, char **argv);
