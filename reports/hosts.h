#pragma once

/*
 * Bench documents of several hosts, kernels or filesystems side by side. All outputs are
 * made from one document of their own, "ovl2-hosts/1" (FORMAT.md).
 */

#include "history.h"
#include "strbuf.h"

#include <ovl2.h>

#include <jansson.h>

/*
 * Reads the documents at `paths`, one a column. Release `ret_hosts` with json_decref().
 *
 * Errors: as report_history_read(); a history stands for the newest run of each place.
 */
int report_hosts_read(char *const paths[], size_t count, json_t **ret_hosts,
                      struct ovl2_error *err);

/* A legend of the columns, then a line a case: ratios to the floor, or times. */
void report_hosts_add_text(struct ovi_strbuf *text, const json_t *hosts);

/* A line a case and column (RFC 4180). */
void report_hosts_add_csv(struct ovi_strbuf *text, const json_t *hosts);

/* A page like a report's. `title` may be NULL; `ret_without_plots` as of report_add_page(). */
int report_hosts_add_page(struct ovi_strbuf *page, const json_t *hosts, const char *title,
                          struct ovl2_error *ret_without_plots, struct ovl2_error *err);

/* `ovl2-report hosts ...`, the rest of the command line. Returns an exit code. */
int report_hosts_main(int argc, char **argv);
