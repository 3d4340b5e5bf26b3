#include "record.h"

#include "cleanup.h"
#include "rounds.h"

#include <math.h>
#include <string.h>

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *number_or_null(uint64_t number)
{
	return number ? json_integer((json_int_t)number) : json_null();
}

/* Tenths of a nanosecond are noise: whole ones keep documents short and stable. */
static json_t *whole(double ns)
{
	return json_integer((json_int_t)(ns + 0.5));
}

static json_t *latency_json(const struct stats_tail *tail)
{
	if (!tail->count)
		return json_null();

	return json_pack("{s:I, s:o, s:o, s:o, s:o}", "count", (json_int_t)tail->count, "p50_ns",
	                 whole(tail->p50), "p90_ns", whole(tail->p90), "p99_ns", whole(tail->p99),
	                 "p999_ns", whole(tail->p999));
}

static json_t *series_json(const struct runner_series *series, size_t rounds)
{
	json_t *values;

	if (!series->title)
		return json_null();

	values = json_array();
	for (size_t i = 0; i < rounds; i++)
		json_array_append_new(values, whole(series->values_ns[i]));

	return json_pack("{s:s, s:o, s:o, s:o, s:f, s:o, s:o, s:o}", "title", series->title,
	                 "median_ns", whole(series->summary.median), "low_ns",
	                 whole(series->summary.low), "high_ns", whole(series->summary.high),
	                 "confidence", series->summary.confidence, "start_ns",
	                 number_or_null((uint64_t)(series->start_ns + 0.5)), "latency",
	                 latency_json(&series->latency), "values_ns", values);
}

static json_t *ratio_json(const struct runner_result *result)
{
	json_t *values;

	if (result->skipped)
		return json_null();

	values = json_array();
	for (size_t i = 0; i < result->count; i++)
		json_array_append_new(values, json_real(result->ratios[i]));

	return json_pack("{s:f, s:f, s:f, s:o, s:o}", "median", result->ratio.median, "low",
	                 result->ratio.low, "high", result->ratio.high, "detectable",
	                 isfinite(result->detectable) ? json_real(result->detectable) : json_null(),
	                 "values", values);
}

/* One that is not there keeps its place, so that the others are known by theirs. */
static json_t *more_peers_json(const struct runner_result *result)
{
	json_t *list = json_array();

	for (size_t i = 0; i < BENCH_MORE_PEERS && result->bench->more_peers[i].arm.run; i++)
		json_array_append_new(list, series_json(&result->more_peers[i], result->count));

	return list;
}

/* The same case as another build measured it; `result` may be NULL. */
static json_t *build_json(const struct runner_result *result)
{
	if (!result || result->skipped)
		return json_null();

	return json_pack("{s:o, s:o, s:o}", "ours", series_json(&result->ours, result->count),
	                 "floor", series_json(&result->floor, result->count), "ratio",
	                 ratio_json(result));
}

static json_t *result_json(const struct record *record, const struct runner_result *result)
{
	return json_pack(
		"{s:s, s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
		"s:o}",
		"benchmark", result->bench->id, "variant", result->variant, "value",
		number_or_null(result->value), "rounds", (json_int_t)result->count, "blocks",
		(json_int_t)result->blocks, "ours", series_json(&result->ours, result->count),
		"floor", series_json(&result->floor, result->count), "peer",
		series_json(&result->peer, result->count), "more_peers", more_peers_json(result),
		"ratio", ratio_json(result), "bytes", number_or_null(result->bytes), "files",
		number_or_null(result->files), "data_bytes", number_or_null(result->data_bytes),
		"data_limit_bytes", number_or_null(result->data_limit_bytes), "peak_rss_bytes",
		number_or_null(result->peak_rss_bytes), "skipped", text_or_null(result->skipped),
		"base", build_json(rounds_find(&record->results[ROUNDS_BASE], result)));
}

int record_find_growth(const struct record *record, const struct bench *bench, const char *variant,
                       enum record_measure measure, struct stats_growth *ret_growth)
{
	size_t room = record->results->count + 1;
	cleanup_free double *n = calloc(room, sizeof(*n));
	cleanup_free double *cost = calloc(room, sizeof(*cost));
	size_t count = 0;

	if (!n || !cost)
		return -1;
	for (size_t i = 0; i < record->results->count; i++) {
		const struct runner_result *result = &record->results->list[i];

		if (result->bench != bench || result->skipped ||
		    strcmp(result->variant, variant) != 0 ||
		    (measure == RECORD_MEMORY && !result->peak_rss_bytes))
			continue;
		n[count] = (double)result->value;
		cost[count++] = measure == RECORD_MEMORY ? (double)result->peak_rss_bytes
		                                         : result->ours.summary.median;
	}

	return count < STATS_GROWTH_LEAST ? -1 : stats_fit_growth(n, cost, count, ret_growth);
}

static json_t *numbers(const double *values, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_real(values[i]));

	return list;
}

static json_t *growth_json(const struct record *record, const struct bench *bench)
{
	json_t *list = json_array();

	for (const struct bench_variant *v = bench->variants; v->name; v++) {
		struct stats_growth growth;
		struct stats_growth memory;
		int has_memory;
		size_t count;

		if (!v->values ||
		    record_find_growth(record, bench, v->name, RECORD_TIME, &growth) < 0)
			continue;
		has_memory =
			record_find_growth(record, bench, v->name, RECORD_MEMORY, &memory) == 0;
		count = stats_shape_terms(growth.shape);
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:o, s:o, s:f, s:o}", "variant", v->name,
		                        "shape", stats_shape_name(growth.shape), "terms_ns",
		                        numbers(growth.terms, count), "spread_ns",
		                        numbers(growth.spread, count), "exponent", growth.exponent,
		                        "memory_exponent",
		                        has_memory ? json_real(memory.exponent) : json_null()));
	}

	return list;
}

static json_t *bench_json(const struct record *record, const struct bench *bench)
{
	return json_pack(
		"{s:s, s:s, s:s, s:o, s:s, s:b, s:o}", "id", bench->id, "title", bench->title,
		"group", bench->group, "parameter", text_or_null(bench->parameter), "metric",
		bench->is_throughput ? "throughput" : "time", "pinned",
		!bench->is_throughput && !bench->is_spread, "growth", growth_json(record, bench));
}

/* json_array_append_new() takes NULL for a failure: nothing is lost silently. */
static int add(json_t *array, json_t *value)
{
	return json_array_append_new(array, value);
}

json_t *record_json(const struct record *record)
{
	json_t *command = json_array();
	json_t *benchmarks = json_array();
	json_t *results = json_array();
	int failed = 0;
	json_t *document;

	for (int i = 0; i < record->argc; i++)
		failed |= add(command, json_string(record->argv[i]));
	for (size_t i = 0; record->benches[i]; i++)
		failed |= add(benchmarks, bench_json(record, record->benches[i]));
	for (size_t i = 0; i < record->results->count; i++)
		failed |= add(results, result_json(record, &record->results->list[i]));

	document = json_pack(
		"{s:s, s:s, s:o, s:s, s:f, s:b, s:s, s:I, s:o, s:O, s:O, s:O, s:O, s:o, s:o}",
		"format", "ovl2-bench/1", "version", OVL2_VERSION, "command", command, "started",
		record->started, "duration_ms", record->duration_ms, "complete",
		record->results->is_complete, "tier", record->tier, "seed",
		(json_int_t)record->seed, "base", text_or_null(record->base), "host", record->host,
		"target", record->target, "conditions", record->conditions, "warnings",
		record->warnings, "benchmarks", benchmarks, "results", results);
	if (failed) {
		json_decref(document);
		return NULL;
	}

	return document;
}
