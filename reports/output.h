#pragma once

#include <ovl2.h>

#include <stddef.h>

struct ovi_strbuf;

/*
 * Makes `path` hold these bytes, in one step: whoever looks sees the old file or
 * the new one. What is there and is no file, /dev/stdout or a pipe, is written to and
 * stays what it is. Signals that end the process wait until that is done, so that none
 * leaves the file beside it behind.
 */
int report_write_file(const char *path, const char *bytes, size_t length, struct ovl2_error *err);

/*
 * The same with a page; on standard error `program` says why it has no drawings, where
 * `without_plots` has a reason.
 */
int report_write_page(const char *program, const char *path, const struct ovi_strbuf *page,
                      const struct ovl2_error *without_plots, struct ovl2_error *err);
