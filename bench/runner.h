#pragma once

/*
 * Does the work of a benchmark's cases and times it; the only code of the project
 * that reads a clock for a measurement.
 *
 * A round is a block of one sample of ours, one of the floor and one of each peer,
 * in an order that is drawn anew for each round: what drifts while a case runs
 * meets all of them alike. What is compared is the ratio within each block.
 */

#include "bench.h"
#include "stats.h"

#include <signal.h>

/* One arm's samples, nanoseconds an operation, one a round. */
struct runner_series {
	const char *title; /* NULL when this arm did not run */
	double *values_ns;
	struct stats_summary summary;

	/* Of single calls, in all rounds; count 0 where an operation is one. */
	struct stats_tail latency;
};

struct runner_result {
	const struct bench *bench;
	const char *variant;
	uint64_t value;

	size_t rounds;
	struct runner_series ours;
	struct runner_series floor;
	struct runner_series peer;
	struct runner_series more_peers[BENCH_MORE_PEERS];
	struct stats_summary ratio;

	/* As in struct bench_case. */
	uint64_t bytes;
	uint64_t files;
	uint64_t data_bytes;
	uint64_t data_limit_bytes;

	/* NULL when it was measured. */
	char *skipped;

	/* Skipped because something went wrong, not because it cannot be. */
	int is_failed;
};

struct runner_results {
	struct runner_result *list;
	size_t count;

	/* Everything asked for is there: nobody interrupted. */
	int is_complete;
};

struct runner_options {
	/* Rounds a case; 0 means the tier's. */
	size_t rounds;
	uint64_t seed;
	enum bench_tier tier;

	/* Becomes non-zero when the run is to end; looked at between operations. */
	const volatile sig_atomic_t *stop;

	/* Called before each case; `left_ns` is negative while it cannot be told. */
	void (*progress)(const struct bench *bench, const struct bench_case *c, double left_ns);
};

/*
 * Runs `benches`, ends with NULL, in `place`. A case that fails is a result that
 * says so. Release with runner_results_release(), after a failure as well.
 */
int runner_run(const struct bench *const *benches, struct place *place,
               const struct runner_options *options, struct runner_results *results,
               struct ovl2_error *err);

void runner_results_release(struct runner_results *results);

/*
 * Room for `more` times of single calls, which the caller fills in; NULL when out of
 * memory. Those of the warm-up do not count.
 */
double *runner_add_latency(struct bench_latency *latency, size_t more);

/* CLOCK_MONOTONIC, nanoseconds. */
double runner_clock_ns(void);
