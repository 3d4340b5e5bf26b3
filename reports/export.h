#pragma once

/*
 * The same results in the formats of other tools. Each is written from the documents
 * alone and read back by the tool it is for, or by that tool's rules, in the tests.
 */

#include "document.h"
#include "figures.h"
#include "strbuf.h"

#include <ovl2.h>

struct report_source {
	const struct report_documents *documents;
	const struct report_figures *figures;
};

struct report_export {
	const char *name;

	/* What reads it, for the help. */
	const char *about;

	/* 1 when it says nothing without a bench document. */
	int needs_bench;

	/* Adds the whole text; its last byte is a newline. */
	int (*add)(struct ovi_strbuf *text, const struct report_source *source,
	           struct ovl2_error *err);
};

/* Ends with a row whose name is NULL. */
extern const struct report_export report_exports[];

/* NULL when there is no such format. */
const struct report_export *report_export_find(const char *name);

/* ours, floor and peers of a result, in this order. */
#define REPORT_ARMS (2 + REPORT_PEERS)
const char *report_arm_name(size_t arm);
const struct report_time *report_arm(const struct report_result *result, size_t arm);

/*
 * Adds the name other tools join runs by: "mount_depth/auto/lowers=128", then the arm
 * where it is not ours: "mount_depth/auto/lowers=128/floor". Never changes between runs.
 */
void report_add_key(struct ovi_strbuf *text, const struct report_result *result, size_t arm);

/*
 * Adds a column of CSV. A spreadsheet takes a leading '=', '+', '-' or '@' for a formula:
 * those get a quote.
 */
void report_add_csv_text(struct ovi_strbuf *text, const char *value);

/* Adds the first line of a CSV table, then those of a result: one an arm. */
void report_add_csv_head(struct ovi_strbuf *text);
void report_add_csv_rows(struct ovi_strbuf *text, const struct report_result *result);

/* The same for all results of `benchmark`, with its first line. */
void report_add_csv_table(struct ovi_strbuf *text, const struct report_figures *figures,
                          const struct report_benchmark *benchmark);

/* The formats. */
int report_add_bencher(struct ovi_strbuf *text, const struct report_source *source,
                       struct ovl2_error *err);
int report_add_csv(struct ovi_strbuf *text, const struct report_source *source,
                   struct ovl2_error *err);
int report_add_github_action(struct ovi_strbuf *text, const struct report_source *source,
                             struct ovl2_error *err);
int report_add_go(struct ovi_strbuf *text, const struct report_source *source,
                  struct ovl2_error *err);
int report_add_hyperfine(struct ovi_strbuf *text, const struct report_source *source,
                         struct ovl2_error *err);
int report_add_junit(struct ovi_strbuf *text, const struct report_source *source,
                     struct ovl2_error *err);
int report_add_markdown(struct ovi_strbuf *text, const struct report_source *source,
                        struct ovl2_error *err);
int report_add_openmetrics(struct ovi_strbuf *text, const struct report_source *source,
                           struct ovl2_error *err);
