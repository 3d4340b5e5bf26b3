#pragma once

/*
 * Runs gnuplot. Scripts are ours and constant; what comes from documents reaches
 * gnuplot only as rows of a data file, which it never evaluates. Script, data and
 * drawing are in memory: no file is made.
 */

#include "strbuf.h"

#include <ovl2.h>

/*
 * Draws `script`, which finds the data under the name in ARG1, and adds the SVG to
 * `svg`.
 *
 * Errors: OVL2_E_NOT_FOUND when there is no gnuplot in PATH.
 */
int report_gnuplot(const char *script, const char *data, struct ovi_strbuf *svg,
                   struct ovl2_error *err);

/* Adds `text` as one quoted column of a row. */
void report_add_column(struct ovi_strbuf *data, const char *text);
