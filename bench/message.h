#pragma once

/*
 * What the process that measures in rounds and a round tell each other: JSON, a line
 * each. The two may be different builds of this program, so nothing goes by its number
 * or its layout: members are only added, and what one does not know it leaves out.
 */

#include "runner.h"

#include <stdio.h>

/* What a round is told. */
struct round {
	size_t number; /* from 0 */
	size_t count;
	uint64_t seed;
	enum bench_tier tier;

	/* As in struct runner_options. */
	int cpu;

	/* Prints what it is at on standard error. */
	int is_shown;

	/*
	 * When the first round began, by runner_clock_ns(); how much of all that is to be
	 * done was done when this one began, and how much this one is: parts of 1.
	 */
	double start_ns;
	double done;
	double share;
};

/* `socket` takes it at once, before anybody reads. `benches` ends with NULL. */
int message_send_round(int socket, const struct round *round, const struct bench *const *benches,
                       struct ovl2_error *err);

/* `ret_benches` ends with NULL, free(3); those that this build does not have are left out. */
int message_read_round(FILE *in, struct round *ret_round, const struct bench ***ret_benches,
                       struct ovl2_error *err);

/* What a round says first: that it is one. */
int message_send_greeting(FILE *out, struct ovl2_error *err);

/* Errors: OVL2_E_UNSUPPORTED when that is no round. */
int message_read_greeting(FILE *in, struct ovl2_error *err);

int message_send_result(FILE *out, struct runner_result *result, struct ovl2_error *err);

/* Adds it to `results`: 1. 0 when there is no further one. */
int message_read_result(FILE *in, struct runner_results *results, struct ovl2_error *err);
