#pragma once

/*
 * Which drawings a page has and what is in them. Each is a <figure>: drawing,
 * caption, one sentence on how to read it.
 */

#include "figures.h"
#include "strbuf.h"

#include <ovl2.h>

/*
 * Adds all figures that `figures` has data for. A failure to draw is not one of the
 * report: the rest goes without drawings.
 */
int report_add_plots(struct ovi_strbuf *page, const struct report_figures *figures,
                     struct ovl2_error *err);
