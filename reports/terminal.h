#pragma once

/*
 * The same report in a terminal: verdict, what did not pass and what to do, and the
 * headline of the benchmarks.
 */

#include "document.h"
#include "figures.h"

#include <stdio.h>

int report_print(FILE *out, const struct report_documents *documents,
                 const struct report_figures *figures, int color, struct ovl2_error *err);
