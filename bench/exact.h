#pragma once

/*
 * Counts instead of times: the system calls and the instructions of one operation, which
 * are the same on every run, on a busy machine too. What could make them differ is held
 * still: one processor, addresses that are not drawn, the plainest variant of what libc and
 * libcrypto choose by the processor, a store of its own on a tmpfs, ids and content that
 * are made up, a first operation that fills what is kept in memory.
 *
 * Each operation has processes of its own, which are this program once more: one that is
 * traced and one that valgrind runs.
 */

#include "callgrind.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>

struct bench;
struct record;

/* A case of a benchmark of registry.c; the variant need not be one that is timed. */
struct exact_case {
	const struct bench *bench;
	const char *variant;
	uint64_t value;
};

/* Has tier exact a case of this benchmark? */
int exact_has(const struct bench *bench);

struct exact_result {
	const struct exact_case *which;
	struct trace calls;

	/* 0 when they could not be counted, and why. */
	uint64_t instructions;
	char uncounted[256];

	/* Not "" when there are no figures: why. */
	char skipped[512];

	/* Skipped because something went wrong, not because it cannot be. */
	int is_failed;
};

struct exact_results {
	struct exact_result *list;
	size_t count;

	/* "callgrind-3.19.0"; "" when it did not run. */
	char creator[CALLGRIND_CREATOR_SIZE];

	/* Everything asked for is there: nobody interrupted. */
	int is_complete;
};

/*
 * System calls that are no work of the driver's but of malloc(3) and of threads that wait
 * for each other; they depend on the C library and are not counted.
 */
int exact_is_left_out(const char *call);

/* All that counted. */
uint64_t exact_count_calls(const struct exact_result *result);

/*
 * Counts the cases of `benches`, which ends with NULL. Free `results->list`, after a failure as
 * well. `stop` becomes non-zero when the run is to end.
 */
int exact_run(const struct bench *const *benches, const volatile sig_atomic_t *stop,
              struct exact_results *results, struct ovl2_error *err);

/*
 * The document "ovl2-exact/1" of FORMAT.md, with what `about` says besides results; NULL when
 * there is no memory. And a table for a terminal; 0, or -1 when there is no memory.
 */
json_t *exact_json(const struct record *about, const struct exact_results *counts);
int exact_print(const struct exact_results *counts, FILE *out);

/* As argv[1], with the number of a case in argv[2]: this process is to do it. */
#define EXACT_ARGUMENT "--as-exact"

/* Does the case. Prints why on standard output when that cannot be here. */
int exact_serve(const char *number, struct ovl2_error *err);
