/*
 * hyperfine, Bencher and github-action-benchmark: JSON, with a key a result and arm.
 */

#include "export.h"

#include "cleanup.h"
#include "fail.h"

#include <math.h>

static int add_json(struct ovi_strbuf *text, json_t *value, struct ovl2_error *err)
{
	char *dump = value ? json_dumps(value, JSON_INDENT(2)) : NULL;

	json_decref(value);
	if (!dump)
		return ovi_fail_memory(err);
	ovi_strbuf_addf(text, "%s\n", dump);
	free(dump);

	return 0;
}

/* Calls `add` for every arm that was measured, until it fails. */
static int each_arm(const struct report_figures *figures, json_t *to,
                    int (*add)(json_t *to, const struct report_result *result, size_t arm,
                               const char *key))
{
	for (size_t i = 0; i < figures->result_count; i++)
		for (size_t arm = 0; arm < REPORT_ARMS; arm++) {
			cleanup_strbuf struct ovi_strbuf key = { 0 };

			if (!report_arm(&figures->results[i], arm)->title)
				continue;
			report_add_key(&key, &figures->results[i], arm);
			if (ovi_strbuf_failed(&key) ||
			    add(to, &figures->results[i], arm, key.text) < 0)
				return -1;
		}

	return 0;
}

/* --------------------------------------------------------------- hyperfine -- */

struct spread {
	double mean;
	double deviation;
	double low;
	double high;
};

/* Of the samples, of which there is at least one; seconds. The sample deviation. */
static struct spread spread_of(const json_t *values)
{
	struct spread spread = { .low = INFINITY };
	double squares = 0;
	json_t *value;
	size_t count = json_array_size(values);
	size_t i;

	json_array_foreach(values, i, value)
	{
		double seconds = json_number_value(value) / 1e9;

		spread.mean += seconds / (double)count;
		spread.low = fmin(spread.low, seconds);
		spread.high = fmax(spread.high, seconds);
	}
	json_array_foreach(values, i, value) squares +=
		pow(json_number_value(value) / 1e9 - spread.mean, 2);
	spread.deviation = count > 1 ? sqrt(squares / (double)(count - 1)) : 0;

	return spread;
}

static json_t *seconds_of(const json_t *values)
{
	json_t *seconds = json_array();
	json_t *value;
	size_t i;

	json_array_foreach(values, i, value)
		json_array_append_new(seconds, json_real(json_number_value(value) / 1e9));

	return seconds;
}

/* Only the wall clock is read: user and system are there because readers want them. */
static int add_run(json_t *to, const struct report_result *result, size_t arm, const char *key)
{
	const struct report_time *time = report_arm(result, arm);
	struct spread spread;
	json_t *run;

	if (!json_array_size(time->values_ns))
		return 0;
	spread = spread_of(time->values_ns);
	run = json_pack(
		"{ss sf so sf sf sf sf sf so}", "command", key, "mean", spread.mean, "stddev",
		json_array_size(time->values_ns) > 1 ? json_real(spread.deviation) : json_null(),
		"median", time->median_ns / 1e9, "user", 0.0, "system", 0.0, "min", spread.low,
		"max", spread.high, "times", seconds_of(time->values_ns));
	if (run && result->has_value)
		json_object_set_new(run, "parameters",
		                    json_pack("{so}", result->benchmark->parameter,
		                              json_sprintf("%.10g", result->value)));

	return json_array_append_new(to, run);
}

int report_add_hyperfine(struct ovi_strbuf *text, const struct report_source *source,
                         struct ovl2_error *err)
{
	json_t *results = json_array();

	if (!results || each_arm(source->figures, results, add_run) < 0) {
		json_decref(results);
		return ovi_fail_memory(err);
	}

	return add_json(text, json_pack("{so}", "results", results), err);
}

/* ----------------------------------------------------------------- bencher -- */

static int add_measures(json_t *to, const struct report_result *result, size_t arm, const char *key)
{
	const struct report_time *time = report_arm(result, arm);
	json_t *measures = json_pack("{s{sf sf sf}}", "latency", "value", time->median_ns,
	                             "lower_value", time->low_ns, "upper_value", time->high_ns);

	/* More is better: what was the slow end is the low one. */
	if (measures && result->bytes > 0 && time->low_ns > 0)
		json_object_set_new(measures, "bytes-per-second",
		                    json_pack("{sf sf sf}", "value",
		                              result->bytes / time->median_ns * 1e9, "lower_value",
		                              result->bytes / time->high_ns * 1e9, "upper_value",
		                              result->bytes / time->low_ns * 1e9));

	return json_object_set_new(to, key, measures);
}

int report_add_bencher(struct ovi_strbuf *text, const struct report_source *source,
                       struct ovl2_error *err)
{
	json_t *benchmarks = json_object();

	if (!benchmarks || each_arm(source->figures, benchmarks, add_measures) < 0) {
		json_decref(benchmarks);
		return ovi_fail_memory(err);
	}

	return add_json(text, benchmarks, err);
}

/* --------------------------------------------------- github-action-benchmark -- */

static int add_entry(json_t *to, const struct report_result *result, size_t arm, const char *key)
{
	const struct report_time *time = report_arm(result, arm);
	json_t *entry =
		json_pack("{ss ss sf so}", "name", key, "unit", "ns", "value", time->median_ns,
	                  "range", json_sprintf("%.10g to %.10g", time->low_ns, time->high_ns));

	if (entry && arm == 0 && result->ratio > 0)
		json_object_set_new(entry, "extra",
		                    json_sprintf("%.3g of the floor (%.3g to %.3g)", result->ratio,
		                                 result->ratio_low, result->ratio_high));

	return json_array_append_new(to, entry);
}

int report_add_github_action(struct ovi_strbuf *text, const struct report_source *source,
                             struct ovl2_error *err)
{
	json_t *entries = json_array();

	if (!entries || each_arm(source->figures, entries, add_entry) < 0) {
		json_decref(entries);
		return ovi_fail_memory(err);
	}

	return add_json(text, entries, err);
}
