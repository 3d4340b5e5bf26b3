#pragma once

/*
 * The results of a bench document as plain structs, in the document's order, and
 * the few of them that stand for all: the headline. Strings are borrowed from the
 * document.
 */

#include "text.h"

#include <ovl2.h>

#include <jansson.h>
#include <stddef.h>

struct report_benchmark {
	const char *id;
	const char *title;

	/* "mount"; "" where the document has none. */
	const char *group;

	/* Name of the swept parameter, "lowers"; "" where there is none. */
	const char *parameter;

	int is_throughput;

	/* Has its parameter so many values that a curve says more than bars? */
	int is_sweep;
};

#define REPORT_PERCENTILES 4

/* Of other tools, the document's first; what has more is shown without them. */
#define REPORT_PEERS 4

/* `title` is NULL where nothing was measured. */
struct report_time {
	const char *title;
	double median_ns;
	double low_ns;
	double high_ns;

	/* What starting a program takes, which was taken off; 0 where nothing was. */
	double start_ns;

	/* The samples, an array of numbers; borrowed, NULL where the document has none. */
	const json_t *values_ns;

	/* Of single calls, the 50th, 90th, 99th and 99.9th percentile; 0 where not known. */
	double call_count;
	double percentile_ns[REPORT_PERCENTILES];
};

/* Amounts are 0 where the document has null. */
struct report_result {
	const struct report_benchmark *benchmark;
	const char *variant;
	int has_value;
	double value;
	double rounds;
	struct report_time ours;
	struct report_time floor;
	struct report_time peers[REPORT_PEERS];
	double ratio;
	double ratio_low;
	double ratio_high;

	/* Of each round; borrowed, NULL where the document has none. */
	const json_t *ratios;

	/* What the base took in the same rounds; the same. */
	const json_t *base_ns;
	double bytes;
	double files;
	double data_bytes;
	double data_limit_bytes;

	/* "" for a result with figures. */
	const char *skipped;
};

struct report_figures {
	struct report_benchmark *benchmarks;
	size_t benchmark_count;
	struct report_result *results;
	size_t result_count;

	/* Results with a ratio: all of a benchmark, or a curve's two ends. */
	const struct report_result **headline;
	size_t headline_count;
};

#define cleanup_figures __attribute__((cleanup(report_figures_release)))

/* From a document that report_document_read() accepted; `bench` may be NULL. */
int report_figures_init(struct report_figures *figures, const json_t *bench,
                        struct ovl2_error *err);

void report_figures_release(struct report_figures *figures);

/*
 * The result of the same benchmark, variant and value in another run, or NULL. Is looked
 * for at `hint` first: runs of one program have the same order.
 */
const struct report_result *report_find_case(const struct report_figures *figures,
                                             const struct report_result *wanted, size_t hint);

/* Adds which result this is within its benchmark: "auto, 128 lowers". May add "". */
void report_add_case(struct ovi_strbuf *buf, const struct report_result *result);

/* Adds "mount_depth, auto, 128 lowers". */
void report_add_label(struct ovi_strbuf *buf, const struct report_result *result);

/* The same for a terminal: control characters replaced. */
void report_add_safe_label(struct ovi_strbuf *buf, const struct report_result *result);

/* The figure people expect: bytes or files per second, or a duration. */
struct report_word report_figure(const struct report_result *result,
                                 const struct report_time *time);
