#pragma once

/*
 * Two bench documents of one machine, or many and a new one: what became slower, and can that be
 * said at all?
 *
 * What is compared is ours over the floor, round by round: whatever the machine did
 * meanwhile it did to both. Only where a benchmark has no floor it is the time itself.
 * Better is one document whose base was measured in turn with it.
 */

#include "figures.h"
#include "history.h"
#include "stats.h"
#include "strbuf.h"

#include <ovl2.h>

#include <jansson.h>

struct report_comparison {
	/* Of the newer document. */
	const struct report_result *result;

	/* How many runs of the base it was compared with; 1 when that was taken beside it. */
	size_t runs;

	/* How many rounds of the new document were compared. */
	size_t rounds;

	/*
	 * New over base: 1.1 is a tenth slower. Of several runs the median, and the interval
	 * that holds those of all of them.
	 */
	struct stats_ratio ratio;
	double p; /* adjusted for the number of comparisons */
	enum stats_verdict verdict;

	/* Of a base that was taken beside it: over itself, in the next round. */
	int has_control;
	struct stats_ratio control;

	/* The smallest change that these rounds find, and the rounds for the margin. */
	double detectable;
	size_t rounds_needed;
};

struct report_comparisons {
	struct report_comparison *list;
	size_t count;

	/* In one document only. */
	size_t unmatched;
};

void report_comparisons_release(struct report_comparisons *comparisons);

/*
 * Compares what both have; `margin` as 0.05, `slowdown` multiplies what is new. Of a base
 * of many runs with each of the last few that are on the benchmark's present level: what
 * is said holds against every one of them. `base` has a run.
 */
int report_compare(const struct report_history *base, const struct report_figures *fresh,
                   double margin, double slowdown, struct report_comparisons *ret_comparisons,
                   struct ovl2_error *err);

/*
 * The same of one document that has its base beside it, round by round (ovl2-bench --base).
 * What the machine did meanwhile meets both builds alike, so that it is the times that are
 * compared: a floor would only add its own noise.
 *
 * Errors: OVL2_E_NOT_FOUND when it has none.
 */
int report_compare_beside(const struct report_figures *figures, double margin,
                          struct report_comparisons *ret_comparisons, struct ovl2_error *err);

/*
 * 0 when figures of the two may be compared; 1 with what differs in `ret_why`: host, kernel,
 * filesystem or what made the image.
 */
int report_is_other_place(const json_t *base, const json_t *fresh, char *ret_why, size_t size);

/*
 * Adds "1 regressed, 23 equivalent; 2 in one document only" and a newline; `counts` has one
 * for each verdict.
 */
void report_add_verdicts(struct ovi_strbuf *buf, const size_t counts[STATS_UNRELIABLE + 1],
                         size_t unmatched);

/* `ovl2-report compare ...`, the rest of the command line. Returns an exit code. */
int report_compare_main(int argc, char **argv);
