#pragma once

/*
 * Markup with holes. Each "%" in `markup` becomes the next argument, a string,
 * escaped; so text from a document cannot become markup.
 */

#include "strbuf.h"

void report_add_markup(struct ovi_strbuf *page, const char *markup, ...) __attribute__((sentinel));

#define html(page, ...) report_add_markup((page), __VA_ARGS__, NULL)

/*
 * Adds a link that saves these bytes as the file `name`, of media type `type`; they are
 * in the link itself, so that the page stays one file.
 */
void report_add_download(struct ovi_strbuf *page, const char *name, const char *type,
                         const char *bytes, size_t length);
