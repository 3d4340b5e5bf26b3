#pragma once

/*
 * The HTML page: one file that needs no script, no network and no other file. It is
 * well-formed XML as well, so that it can be checked and taken apart with any tool.
 */

#include "document.h"
#include "figures.h"
#include "strbuf.h"

#include <ovl2.h>

#include <jansson.h>

/*
 * The whole page stays under a mebibyte. When a section would go beyond its line, what is
 * left of it is left out, and the page says so and where it is.
 */
#define REPORT_DRAWN_BYTES ((size_t)740 * 1024)
#define REPORT_TABLE_BYTES ((size_t)940 * 1024)
#define REPORT_PAGE_BYTES ((size_t)1000 * 1024)

struct report_page_options {
	/* NULL: made from host and target. */
	const char *title;

	/* Sentences to show below the verdict. Borrowed. */
	const char *const *notes;
	size_t note_count;
};

/*
 * Adds the page for these documents, any of which may be NULL. When there is no
 * way to draw, the page has no drawings and says so, and `ret_without_plots`
 * receives the reason; it starts as all zeroes and stays so otherwise.
 */
int report_add_page(struct ovi_strbuf *page, const struct report_documents *documents,
                    const struct report_figures *figures, const struct report_page_options *options,
                    struct ovl2_error *ret_without_plots, struct ovl2_error *err);

/* What every page begins and ends with; "<main>" is opened in between. */
void report_add_head(struct ovi_strbuf *page, const char *title);
void report_add_foot(struct ovi_strbuf *page);

/* Its sections. */
void report_add_probe_section(struct ovi_strbuf *page, const json_t *probe);
void report_add_bench_section(struct ovi_strbuf *page, const json_t *bench,
                              const struct report_figures *figures,
                              struct ovl2_error *ret_without_plots);

/* Of the benchmarks: those that stand for all, beside the floor and beside other tools. */
void report_add_headline_tables(struct ovi_strbuf *page, const struct report_figures *figures);

/* All of them, to be opened. */
void report_add_results_table(struct ovi_strbuf *page, const struct report_figures *figures);

void report_add_counts_section(struct ovi_strbuf *page, const json_t *exact,
                               const struct report_figures *figures);
void report_add_environment_section(struct ovi_strbuf *page,
                                    const struct report_documents *documents);
