#pragma once

/*
 * What the driver costs, beside what the same work costs without it.
 *
 * A benchmark says what one operation is, and how to do the same work with bare
 * system calls (its floor) or with a known tool (its peer). The runner decides how
 * often, in which order, and reads the clock; benchmarks never do. Every variant
 * and value of a benchmark is a case of its own, whose hooks run in this order:
 *
 *     setup  (before run after)*  teardown
 *
 * Only `run` is timed. To add a benchmark: write its hooks in the file of its
 * family, add the row to the table in registry.c.
 */

#include <ovl2.h>

#include <stddef.h>
#include <stdint.h>

struct bench;
struct place;

/*
 * How much is done: 60 seconds, minutes, or one of each for the test suite; exact counts
 * instead of timing, see exact.h.
 */
enum bench_tier { BENCH_TIER_QUICK, BENCH_TIER_FULL, BENCH_TIER_SMOKE, BENCH_TIER_EXACT };

/* "quick". */
const char *bench_tier_name(enum bench_tier tier);

/* -1 when none has that name. */
int bench_tier_find(const char *name, enum bench_tier *ret_tier);

/* What single calls took, where one operation is many of them. */
struct bench_latency {
	double *values_ns;
	size_t count;
	size_t room;
};

struct bench_case {
	/* The store to work in: see place.h. */
	struct place *place;

	const struct bench *bench;
	const char *variant;
	uint64_t value;

	/* Belongs to the benchmark's own hooks. */
	void *state;

	/* Set by setup: the payload of one operation, 0 where there is none. */
	uint64_t bytes;
	uint64_t files;

	/* Set by setup: what mount(2) is handed; 0 for nothing of the kind. */
	uint64_t data_bytes;
	uint64_t data_limit_bytes;

	/* Set by run: the most memory that ours was ever in; 0 where nobody looks. */
	uint64_t peak_rss_bytes;

	/* Filled by run with runner_add_latency(); empty where an operation is one call. */
	struct bench_latency ours_latency;
	struct bench_latency floor_latency;

	/*
	 * Set by run when another clock than the runner's told how long it took: that of
	 * a tool which runs whole commands. 0 otherwise.
	 */
	double told_ns;

	/* Set with it: how much starting the program took, which told_ns is less by. */
	double start_ns;

	/*
	 * Set by setup, or by run with a failure, when this case cannot be measured, which
	 * is nobody's fault: why, a sentence.
	 */
	char skipped[512];
};

typedef int bench_hook(struct bench_case *c, struct ovl2_error *err);

/* One way of doing the work. All hooks but `run` may be NULL. */
struct bench_arm {
	/* What does the work: "ovl2_layer_mount", "mount(2), data at hand". */
	const char *title;

	bench_hook *before;
	bench_hook *run;
	bench_hook *after;
};

struct bench_variant {
	/* A mount method, a data set, a durability. */
	const char *name;

	/* Values of the parameter, ends with 0; NULL where there is no parameter. */
	const uint64_t *values;
};

/* Another known tool, measured in the same blocks. */
struct bench_peer {
	struct bench_arm arm;

	/* What it needs, or NULL: where one is missing the peer is left out. */
	const char *program;
	const char *device;
};

/* As many as that beside the peer. */
#define BENCH_MORE_PEERS 2

struct bench {
	/* Key in the JSON output; never renamed. */
	const char *id;

	/* What one operation is, as a sentence. */
	const char *title;

	const char *group;

	/* Name of the swept parameter, NULL without one. */
	const char *parameter;

	/* Ends with a row without name. */
	const struct bench_variant *variants;

	/* Is it bytes and files a second that count, rather than time? */
	int is_throughput;

	/*
	 * How long one case takes beside those of other benchmarks: only the time
	 * left depends on it.
	 */
	unsigned int weight;

	/*
	 * Is it about several processors? Whatever is neither this nor a throughput is
	 * pinned to one.
	 */
	int is_spread;

	/* Goes first: what it does takes longer, the more layers others have left. */
	int is_first;

	/* Left out of the quick tier, which has a minute, unless it is asked for by id. */
	int is_full_only;

	/* What the hooks of a family do for this one of them; belongs to them. */
	const void *detail;

	/* `teardown` also follows a failed setup. */
	bench_hook *setup;
	bench_hook *teardown;

	struct bench_arm ours;
	struct bench_arm floor;

	/* run is NULL where there is no peer. */
	struct bench_arm peer;

	/* The program that the peer needs, or NULL. */
	const char *peer_program;

	/* Without `run` where there are none. */
	struct bench_peer more_peers[BENCH_MORE_PEERS];
};

/* All benchmarks in reporting order, NULL at the end. */
extern const struct bench *const bench_registry[];

/* NULL when no benchmark has that id. */
const struct bench *bench_find(const char *id);
