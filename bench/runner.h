#pragma once

/*
 * Does the work of a benchmark's cases and times it; the only code of the project
 * that reads a clock for a measurement.
 *
 * A block is one sample of ours, one of the floor and one of each peer, in an order
 * that is drawn anew for each block: what drifts while a case runs meets all of them
 * alike. What is compared is the ratio within each block.
 *
 * Blocks of one process share its memory layout, its store and its moment. They are
 * one value of a round, see rounds.h.
 */

#include "bench.h"
#include "stats.h"

#include <signal.h>

/* One arm's values, nanoseconds an operation, one a block or a round. */
struct runner_series {
	const char *title; /* NULL when this arm did not run */
	double *values_ns;
	struct stats_summary summary;

	/* Taken off each value: what starting a program took, the mean; 0 for nothing. */
	double start_ns;

	/* Of single calls, in all blocks; none where an operation is one. */
	struct bench_latency calls;
	struct stats_tail latency;
};

/* Ours, the floor, the peer and more of those. */
#define RUNNER_ARMS (3 + BENCH_MORE_PEERS)

struct runner_result {
	const struct bench *bench;
	const char *variant;
	uint64_t value;

	/* How many values each series has: blocks of one process, or rounds of a run. */
	size_t count;

	/* Of a run: how many blocks stand behind each round's value, at least. */
	size_t blocks;

	struct runner_series ours;
	struct runner_series floor;
	struct runner_series peer;
	struct runner_series more_peers[BENCH_MORE_PEERS];

	/* Ours over the floor, of each block or round. */
	double *ratios;
	struct stats_summary ratio;

	/* The smallest change of it that another such run would show; infinite for none. */
	double detectable;

	/* As in struct bench_case. */
	uint64_t bytes;
	uint64_t files;
	uint64_t data_bytes;
	uint64_t data_limit_bytes;
	uint64_t peak_rss_bytes;

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
	/* Blocks a case; 0 means the tier's, and more of what takes little time. */
	size_t blocks;
	uint64_t seed;
	enum bench_tier tier;

	/* What is not spread is pinned to this processor; -1 for none. */
	int cpu;

	/* Becomes non-zero when the run is to end; looked at between operations. */
	const volatile sig_atomic_t *stop;

	/* Called before each case; or NULL. */
	void (*progress)(const struct bench *bench, const struct bench_case *c);
};

/*
 * Runs `benches`, ends with NULL, in `place`. A case that fails is a result that
 * says so. Release with runner_results_release(), after a failure as well.
 */
int runner_run(const struct bench *const *benches, struct place *place,
               const struct runner_options *options, struct runner_results *results,
               struct ovl2_error *err);

void runner_results_release(struct runner_results *results);

/* Each arm by its number, below RUNNER_ARMS, in the order above. */
struct runner_series *runner_series(struct runner_result *result, size_t arm);

/* Adds an empty one; NULL when out of memory. */
struct runner_result *runner_add_result(struct runner_results *results);

/* Room for `count` values of the arms that have a title, and their ratios. */
int runner_make_room(struct runner_result *result, size_t count, struct ovl2_error *err);

/* Medians, intervals and tails of what is there. */
int runner_summarise(struct runner_result *result, struct ovl2_error *err);

/* It has no figures, and why. */
int runner_skip(struct runner_result *result, const char *reason, struct ovl2_error *err);

/*
 * Room for `more` times of single calls, which the caller fills in; NULL when out of
 * memory. Those of the warm-up do not count.
 */
double *runner_add_latency(struct bench_latency *latency, size_t more);

/* CLOCK_MONOTONIC, nanoseconds. */
double runner_clock_ns(void);
