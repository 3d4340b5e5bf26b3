#pragma once

/*
 * Measures in rounds, each a fresh process. What one process measures has its memory
 * layout, its store and its moment in common and says little about the next one's: the
 * round is the unit of all statistics, its value the median of its blocks. A round goes
 * through all benchmarks, in an order drawn anew, so that what the host does meanwhile
 * meets all of them.
 *
 * The process is this program once more: see rounds_serve(). With a base it is another
 * build of it in turn: each benchmark is then measured by four processes one after the
 * other, two of this build and two of the base, in an order drawn anew. What the machine
 * does in between meets both builds alike; and a base that differs from itself shows that
 * the run says nothing.
 */

#include "runner.h"

struct site;

struct rounds_options {
	/* 0 means the tier's. */
	size_t count;
	uint64_t seed;
	enum bench_tier tier;

	/* As in struct runner_options. */
	int cpu;

	/* Progress on standard error. */
	int is_shown;

	/* Non-zero ends the run: what is complete by then stays. */
	const volatile sig_atomic_t *stop;

	/* The program of another build, or NULL. */
	const char *base;
};

/*
 * Whose results. Both have as many rounds, the nth of each taken one after the other; so
 * were each two of them, from the first.
 */
enum { ROUNDS_OWN, ROUNDS_BASE, ROUNDS_BUILDS };

/*
 * Runs `benches`, ends with NULL, on `site`; `results` has room for those of each of
 * ROUNDS_BUILDS builds. A case that fails is a result that says so. Release with
 * runner_results_release(), after a failure as well.
 */
int rounds_run(const struct bench *const *benches, const struct site *site,
               const struct rounds_options *options, struct runner_results *results,
               struct ovl2_error *err);

/* What another build, or round, has for the same case; NULL for nothing. */
const struct runner_result *rounds_find(const struct runner_results *results,
                                        const struct runner_result *one);

/* Passes a signal on to the round that runs; for a signal handler. */
void rounds_forward(int signal);

/* As argv[1], alone: this process is a round. */
#define ROUNDS_ARGUMENT "--as-round"

/* Does one round for the process that asked for it, and ends with that. */
int rounds_serve(const volatile sig_atomic_t *stop, struct ovl2_error *err);
