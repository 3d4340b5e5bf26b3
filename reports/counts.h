#pragma once

/*
 * Documents of ovl2-bench --tier exact. Counts need no statistics: one more is one more.
 */

#include "figures.h"
#include "stats.h"

#include <ovl2.h>

#include <jansson.h>
#include <stddef.h>

/* Of one case the calls, or the instructions. */
struct report_count_change {
	/* Of the newer document: which case. */
	const struct report_result *result;

	/* "system_calls" or "instructions". */
	const char *metric;
	double base;
	double fresh;
	enum stats_verdict verdict;

	/* Which calls, "openat +1, read -1"; or why nothing can be said. May be "". */
	char detail[256];
};

struct report_count_changes {
	struct report_count_change *list;
	size_t count;

	/* In one document only. */
	size_t unmatched;
};

struct report_counts_options {
	/* So many more instructions are none: 0.01. A system call more always is one. */
	double tolerance;

	/* Multiplies what is new. */
	double growth;

	/* Compares instructions of different builds. */
	int is_forced;
};

/*
 * Compares what both have, documents that report_document_read() accepted. `fresh` is of the
 * newer and has to outlive the changes; free(3) `ret_changes->list`.
 *
 * Errors: OVL2_E_NOT_FOUND when they have nothing in common.
 */
int report_counts_compare(const json_t *base, const json_t *fresh,
                          const struct report_figures *figures,
                          const struct report_counts_options *options,
                          struct report_count_changes *ret_changes, struct ovl2_error *err);

/*
 * 0 when instructions of the two can be compared; 1 with what differs in `ret_why`: compiler,
 * libraries, or what counted.
 */
int report_is_other_build(const json_t *base, const json_t *fresh, char *ret_why, size_t size);
