#pragma once

/*
 * Makes a drawing by gnuplot fit to be set into a page beside others.
 */

#include "strbuf.h"

/*
 * Adds `drawing` to `page`: without XML declaration, its ids and references begin
 * with `id` and a dash, it is an image with `title` and `description` for those who
 * cannot see it. Returns 0, or -1 if it is not gnuplot's SVG.
 */
int report_add_svg(struct ovi_strbuf *page, const char *drawing, const char *id, const char *title,
                   const char *description);
