#pragma once

/*
 * The results as the document "ovl2-bench/1" of reports/FORMAT.md, and as tables
 * for a terminal.
 */

#include "runner.h"

#include <jansson.h>
#include <stdio.h>

/* What a document says besides the results. */
struct record {
	int argc;
	char **argv;
	const char *started; /* RFC 3339, UTC */
	double duration_ms;
	const char *tier;
	uint64_t seed;

	/* Borrowed: objects of FORMAT.md. */
	json_t *host;
	json_t *target;
	json_t *conditions;

	/* Borrowed: an array of sentences. */
	json_t *warnings;

	/* Those that were asked for, NULL at the end. */
	const struct bench *const *benches;

	/* Of ROUNDS_BUILDS builds; of the base there are none without one. */
	const struct runner_results *results;

	/* Path of the base's program, or NULL. */
	const char *base;
};

enum record_measure { RECORD_TIME, RECORD_MEMORY };

/*
 * How the time of ours, or its memory, grows with the parameter. 0 when that can be told;
 * not of fewer than STATS_GROWTH_LEAST values.
 */
int record_find_growth(const struct record *record, const struct bench *bench, const char *variant,
                       enum record_measure measure, struct stats_growth *ret_growth);

/* NULL when there is no memory. The caller owns it. */
json_t *record_json(const struct record *record);

/* Prints one table a benchmark; 0, or -1 when there is no memory. */
int record_print(const struct record *record, FILE *out);
