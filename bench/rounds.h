#pragma once

/*
 * Measures in rounds, each a fresh process. What one process measures has its memory
 * layout, its store and its moment in common and says little about the next one's: the
 * round is the unit of all statistics, its value the median of its blocks. A round goes
 * through all benchmarks, in an order drawn anew, so that what the host does meanwhile
 * meets all of them.
 *
 * The process is this program once more: see rounds_serve().
 */

#include "runner.h"

struct site;

/* What a process is told, by the one that measures in rounds. */
struct round {
	size_t number; /* from 0 */
	size_t count;
	uint64_t seed;

	/* As in struct runner_options. */
	int cpu;

	/* When the first round began, by runner_clock_ns(). */
	double start_ns;
};

struct rounds_options {
	/* 0 means the tier's. */
	size_t count;
	uint64_t seed;
	enum bench_tier tier;

	/* As in struct runner_options. */
	int cpu;

	/* Non-zero ends the run: what is complete by then stays. */
	const volatile sig_atomic_t *stop;

	/*
	 * How this program becomes a round: with ROUNDS_ARGUMENT in front, and then the
	 * options that make it find the same benchmarks.
	 */
	char *const *argv;
};

/*
 * Runs `benches`, ends with NULL, on `site`. A case that fails is a result that says
 * so. Release with runner_results_release(), after a failure as well.
 */
int rounds_run(const struct bench *const *benches, const struct site *site,
               const struct rounds_options *options, struct runner_results *results,
               struct ovl2_error *err);

/* Passes a signal on to the round that runs; for a signal handler. */
void rounds_forward(int signal);

/* As argv[1]: this process is a round. */
#define ROUNDS_ARGUMENT "--as-round"

/*
 * Does one round and tells the process that asked for it. `options` has the tier and
 * `stop`; with `is_shown` progress is printed. Ends with that process.
 */
int rounds_serve(const struct bench *const *benches, const struct runner_options *options,
                 int is_shown, struct ovl2_error *err);
