#include "figures.h"

#include "cleanup.h"
#include "document.h"
#include "escape.h"
#include "fail.h"

#include <string.h>

/* Fewer values than this are bars or lines of a table. */
#define SWEEP_VALUES 4

/* Docker's limit, and so the deepest mount that matters to most. */
#define DEEPEST_LAYER 128

static struct report_time time_of(const json_t *time)
{
	const json_t *latency = json_object_get(time, "latency");

	if (!json_is_object(time))
		return (struct report_time){ 0 };

	return (struct report_time){
		.title = report_string(time, "title"),
		.median_ns = report_number(time, "median_ns"),
		.low_ns = report_number(time, "low_ns"),
		.high_ns = report_number(time, "high_ns"),
		.start_ns = report_number(time, "start_ns"),
		.values_ns = json_object_get(time, "values_ns"),
		.call_count = report_number(latency, "count"),
		.percentile_ns = { report_number(latency, "p50_ns"),
		                   report_number(latency, "p90_ns"),
		                   report_number(latency, "p99_ns"),
		                   report_number(latency, "p999_ns") },
	};
}

static void fill_result(struct report_result *result, const json_t *json)
{
	const json_t *ratio = json_object_get(json, "ratio");
	const json_t *more_peers = json_object_get(json, "more_peers");

	*result = (struct report_result){
		.variant = report_string(json, "variant"),
		.has_value = json_is_number(json_object_get(json, "value")),
		.value = report_number(json, "value"),
		.rounds = report_number(json, "rounds"),
		.ours = time_of(json_object_get(json, "ours")),
		.floor = time_of(json_object_get(json, "floor")),
		.peers = { time_of(json_object_get(json, "peer")) },
		.ratio = report_number(ratio, "median"),
		.ratio_low = report_number(ratio, "low"),
		.ratio_high = report_number(ratio, "high"),
		.ratios = json_object_get(ratio, "values"),
		.base_ns =
			time_of(json_object_get(json_object_get(json, "base"), "ours")).values_ns,
		.bytes = report_number(json, "bytes"),
		.files = report_number(json, "files"),
		.data_bytes = report_number(json, "data_bytes"),
		.data_limit_bytes = report_number(json, "data_limit_bytes"),
		.skipped = report_string(json, "skipped"),
	};
	for (size_t i = 1; i < REPORT_PEERS; i++)
		result->peers[i] = time_of(json_array_get(more_peers, i - 1));
}

static struct report_benchmark *find_benchmark(const struct report_figures *figures, const char *id)
{
	for (size_t i = 0; i < figures->benchmark_count; i++)
		if (strcmp(figures->benchmarks[i].id, id) == 0)
			return &figures->benchmarks[i];

	return NULL;
}

/* Is this the first result of its benchmark with this value? */
static int is_new_value(const struct report_figures *figures, const struct report_result *result)
{
	const struct report_result *other = figures->results;

	if (!result->has_value)
		return 0;
	for (; other < result; other++)
		if (other->benchmark == result->benchmark && other->has_value &&
		    other->value == result->value)
			return 0;

	return 1;
}

static int is_sweep(const struct report_figures *figures, const struct report_benchmark *benchmark)
{
	size_t values = 0;

	for (size_t i = 0; i < figures->result_count && values < SWEEP_VALUES; i++)
		if (figures->results[i].benchmark == benchmark)
			values += (size_t)is_new_value(figures, &figures->results[i]);

	return values >= SWEEP_VALUES;
}

static void fill(struct report_figures *figures, const json_t *benchmarks, const json_t *results)
{
	json_t *json;
	size_t i;

	json_array_foreach(benchmarks, i, json) figures->benchmarks[figures->benchmark_count++] =
		(struct report_benchmark){
			.id = report_string(json, "id"),
			.title = report_string(json, "title"),
			.group = report_string(json, "group"),
			.parameter = report_string(json, "parameter"),
			.is_throughput = strcmp(report_string(json, "metric"), "throughput") == 0,
		};

	json_array_foreach(results, i, json)
	{
		struct report_result *result = &figures->results[figures->result_count++];

		fill_result(result, json);
		result->benchmark = find_benchmark(figures, report_string(json, "benchmark"));
	}

	for (i = 0; i < figures->benchmark_count; i++)
		figures->benchmarks[i].is_sweep = is_sweep(figures, &figures->benchmarks[i]);
}

/* The variant that speaks for a curve: what users get unless they choose. */
static const char *leading_variant(const struct report_figures *figures,
                                   const struct report_benchmark *benchmark)
{
	const char *leading = NULL;

	for (size_t i = 0; i < figures->result_count; i++) {
		const struct report_result *result = &figures->results[i];

		if (result->benchmark != benchmark || result->ratio <= 0)
			continue;
		if (!leading || strcmp(result->variant, "auto") == 0)
			leading = result->variant;
	}

	return leading;
}

static void add_curve_ends(struct report_figures *figures, const struct report_benchmark *benchmark)
{
	const char *variant = leading_variant(figures, benchmark);
	int is_depth = strcmp(benchmark->parameter, "lowers") == 0;
	const struct report_result *first = NULL;
	const struct report_result *last = NULL;

	for (size_t i = 0; variant && i < figures->result_count; i++) {
		const struct report_result *result = &figures->results[i];

		if (result->benchmark != benchmark || result->ratio <= 0 ||
		    strcmp(result->variant, variant) != 0)
			continue;
		if (!first || result->value < first->value)
			first = result;
		if (!last ||
		    (result->value > last->value && (!is_depth || result->value <= DEEPEST_LAYER)))
			last = result;
	}
	if (first)
		figures->headline[figures->headline_count++] = first;
	if (last && last != first)
		figures->headline[figures->headline_count++] = last;
}

static void choose_headline(struct report_figures *figures)
{
	for (size_t b = 0; b < figures->benchmark_count; b++) {
		const struct report_benchmark *benchmark = &figures->benchmarks[b];

		if (benchmark->is_sweep) {
			add_curve_ends(figures, benchmark);
			continue;
		}
		for (size_t i = 0; i < figures->result_count; i++)
			if (figures->results[i].benchmark == benchmark &&
			    figures->results[i].ratio > 0)
				figures->headline[figures->headline_count++] = &figures->results[i];
	}
}

int report_figures_init(struct report_figures *figures, const json_t *bench, struct ovl2_error *err)
{
	const json_t *benchmarks = json_object_get(bench, "benchmarks");
	const json_t *results = json_object_get(bench, "results");
	size_t benchmark_count = json_array_size(benchmarks);
	size_t result_count = json_array_size(results);

	*figures = (struct report_figures){
		.benchmarks = calloc(benchmark_count + 1, sizeof(*figures->benchmarks)),
		.results = calloc(result_count + 1, sizeof(*figures->results)),
		.headline = calloc(result_count + 1, sizeof(void *)),
	};
	if (!figures->benchmarks || !figures->results || !figures->headline) {
		report_figures_release(figures);
		return ovi_fail_memory(err);
	}

	fill(figures, benchmarks, results);
	choose_headline(figures);

	return 0;
}

void report_figures_release(struct report_figures *figures)
{
	free(figures->benchmarks);
	free(figures->results);
	free(figures->headline);
	*figures = (struct report_figures){ 0 };
}

static int is_same_case(const struct report_result *a, const struct report_result *b)
{
	return strcmp(a->benchmark->id, b->benchmark->id) == 0 &&
	       strcmp(a->variant, b->variant) == 0 && a->has_value == b->has_value &&
	       a->value == b->value;
}

const struct report_result *report_find_case(const struct report_figures *figures,
                                             const struct report_result *wanted, size_t hint)
{
	if (hint < figures->result_count && is_same_case(&figures->results[hint], wanted))
		return &figures->results[hint];
	for (size_t i = 0; i < figures->result_count; i++)
		if (is_same_case(&figures->results[i], wanted))
			return &figures->results[i];

	return NULL;
}

void report_add_case(struct ovi_strbuf *buf, const struct report_result *result)
{
	ovi_strbuf_add(buf, result->variant);
	if (!result->has_value)
		return;
	if (*result->variant)
		ovi_strbuf_add(buf, ", ");
	report_add_amount(buf, result->value, result->benchmark->parameter);
}

void report_add_label(struct ovi_strbuf *buf, const struct report_result *result)
{
	ovi_strbuf_add(buf, result->benchmark->id);
	if (*result->variant || result->has_value)
		ovi_strbuf_add(buf, ", ");
	report_add_case(buf, result);
}

void report_add_safe_label(struct ovi_strbuf *buf, const struct report_result *result)
{
	cleanup_strbuf struct ovi_strbuf label = { 0 };

	report_add_label(&label, result);
	ovi_escape_controls(buf, label.text ? label.text : "");
	buf->failed |= label.failed;
}

struct report_word report_figure(const struct report_result *result, const struct report_time *time)
{
	if (result->benchmark->is_throughput && result->bytes > 0)
		return report_byte_rate(result->bytes, time->median_ns);
	if (result->benchmark->is_throughput && result->files > 0)
		return report_file_rate(result->files, time->median_ns);

	return report_duration(time->median_ns);
}
