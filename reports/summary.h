#pragma once

/*
 * The same report for programs: "ovl2-report/1" of FORMAT.md.
 */

#include "document.h"
#include "figures.h"

/* A new reference, or NULL when out of memory. */
json_t *report_summary(const struct report_documents *documents,
                       const struct report_figures *figures);
