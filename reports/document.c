#include "document.h"

#include "cleanup.h"
#include "fail.h"
#include "shape.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STRING REPORT_STRING
#define NUMBER REPORT_NUMBER
#define AMOUNT REPORT_AMOUNT
#define OPTIONAL REPORT_OPTIONAL

/* Not known is null or absent. */
#define MAYBE (REPORT_NULL | REPORT_OPTIONAL)

static const char *const answers[] = { "yes", "no", "unknown", NULL };
static const char *const levels[] = { "required", "wanted", "advised", NULL };
static const char *const verdicts[] = { "pass", "fail", "warn", "unknown", "info", "waived", NULL };
static const char *const host_verdicts[] = { "qualified", "not_qualified", "undetermined", NULL };
static const char *const metrics[] = { "time", "throughput", NULL };

static const struct report_field host_fields[] = {
	{ "name", STRING | MAYBE, 0, NULL, NULL },
	{ "kernel", STRING | MAYBE, 0, NULL, NULL },
	{ "kernel_build", STRING | MAYBE, 0, NULL, NULL },
	{ "machine", STRING | MAYBE, 0, NULL, NULL },
	{ "os", STRING | MAYBE, 0, NULL, NULL },
	{ "cpu", STRING | MAYBE, 0, NULL, NULL },
	{ "cpu_count", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "memory_bytes", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "load_average", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "page_bytes", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "overlay_parameters", REPORT_OBJECT | MAYBE, STRING | REPORT_NULL, NULL, NULL },
	{ "libraries", REPORT_OBJECT | MAYBE, STRING | REPORT_NULL, NULL, NULL },
	{ 0 },
};

static const struct report_field target_fields[] = {
	{ "path", STRING | MAYBE, 0, NULL, NULL },
	{ "filesystem", STRING | MAYBE, 0, NULL, NULL },
	{ "mount_point", STRING | MAYBE, 0, NULL, NULL },
	{ "mount_options", STRING | MAYBE, 0, NULL, NULL },
	{ "device", STRING | MAYBE, 0, NULL, NULL },
	{ "source", STRING | MAYBE, 0, NULL, NULL },
	{ "image_bytes", AMOUNT | MAYBE, 0, NULL, NULL },
	{ 0 },
};

static const struct report_field profile_fields[] = {
	{ "id", STRING, 0, NULL, NULL },
	{ "title", STRING, 0, NULL, NULL },
	{ 0 },
};

static const struct report_field waiver_fields[] = {
	{ "reason", STRING, 0, NULL, NULL },
	{ "expires", STRING, 0, NULL, NULL },
	{ 0 },
};

static const struct report_field one_probe_fields[] = {
	{ "id", STRING, 0, NULL, NULL },
	{ "title", STRING, 0, NULL, NULL },
	{ "why", STRING | MAYBE, 0, NULL, NULL },
	{ "since", STRING | MAYBE, 0, NULL, NULL },
	{ "answer", STRING, 0, NULL, answers },
	{ "want", STRING, 0, NULL, answers },
	{ "level", STRING, 0, NULL, levels },
	{ "verdict", STRING, 0, NULL, verdicts },
	{ "waiver", REPORT_OBJECT | MAYBE, 0, waiver_fields, NULL },
	{ "evidence", STRING | MAYBE, 0, NULL, NULL },
	{ "value", NUMBER | STRING | MAYBE, 0, NULL, NULL },
	{ "remedy", STRING | MAYBE, 0, NULL, NULL },
	{ "source", STRING | MAYBE, 0, NULL, NULL },
	{ "duration_ms", AMOUNT | MAYBE, 0, NULL, NULL },
	{ 0 },
};

static const struct report_field probe_fields[] = {
	{ "version", STRING, 0, NULL, NULL },
	{ "command", REPORT_ARRAY, STRING, NULL, NULL },
	{ "started", STRING, 0, NULL, NULL },
	{ "duration_ms", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "host", REPORT_OBJECT, 0, host_fields, NULL },
	{ "target", REPORT_OBJECT, 0, target_fields, NULL },
	{ "profile", REPORT_OBJECT, 0, profile_fields, NULL },
	{ "verdict", STRING, 0, NULL, host_verdicts },
	{ "not_asked", REPORT_ARRAY | MAYBE, STRING, NULL, NULL },
	{ "probes", REPORT_ARRAY, REPORT_OBJECT, one_probe_fields, NULL },
	{ 0 },
};

static const struct report_field benchmark_fields[] = {
	{ "id", STRING, 0, NULL, NULL },
	{ "title", STRING, 0, NULL, NULL },
	{ "group", STRING | MAYBE, 0, NULL, NULL },
	{ "parameter", STRING | MAYBE, 0, NULL, NULL },
	{ "metric", STRING, 0, NULL, metrics },
	{ 0 },
};

static const struct report_field latency_fields[] = {
	{ "count", AMOUNT, 0, NULL, NULL },
	{ "p50_ns", AMOUNT, 0, NULL, NULL },
	{ "p90_ns", AMOUNT | OPTIONAL, 0, NULL, NULL },
	{ "p99_ns", AMOUNT, 0, NULL, NULL },
	{ "p999_ns", AMOUNT, 0, NULL, NULL },
	{ 0 },
};

static const struct report_field time_fields[] = {
	{ "title", STRING, 0, NULL, NULL },
	{ "median_ns", AMOUNT, 0, NULL, NULL },
	{ "low_ns", AMOUNT, 0, NULL, NULL },
	{ "high_ns", AMOUNT, 0, NULL, NULL },
	{ "confidence", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "values_ns", REPORT_ARRAY | MAYBE, AMOUNT, NULL, NULL },
	{ "start_ns", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "latency", REPORT_OBJECT | MAYBE, 0, latency_fields, NULL },
	{ 0 },
};

static const struct report_field ratio_fields[] = {
	{ "median", AMOUNT, 0, NULL, NULL },
	{ "low", AMOUNT, 0, NULL, NULL },
	{ "high", AMOUNT, 0, NULL, NULL },
	{ "detectable", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "values", REPORT_ARRAY | MAYBE, AMOUNT, NULL, NULL },
	{ 0 },
};

/* Of another build. */
static const struct report_field build_fields[] = {
	{ "ours", REPORT_OBJECT, 0, time_fields, NULL },
	{ "floor", REPORT_OBJECT | MAYBE, 0, time_fields, NULL },
	{ "ratio", REPORT_OBJECT | MAYBE, 0, ratio_fields, NULL },
	{ 0 },
};

static const struct report_field result_fields[] = {
	{ "benchmark", STRING, 0, NULL, NULL },
	{ "variant", STRING | MAYBE, 0, NULL, NULL },
	{ "value", NUMBER | MAYBE, 0, NULL, NULL },
	{ "rounds", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "ours", REPORT_OBJECT | MAYBE, 0, time_fields, NULL },
	{ "floor", REPORT_OBJECT | MAYBE, 0, time_fields, NULL },
	{ "peer", REPORT_OBJECT | MAYBE, 0, time_fields, NULL },
	{ "more_peers", REPORT_ARRAY | MAYBE, REPORT_OBJECT | REPORT_NULL, time_fields, NULL },
	{ "ratio", REPORT_OBJECT | MAYBE, 0, ratio_fields, NULL },
	{ "bytes", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "files", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "data_bytes", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "data_limit_bytes", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "peak_rss_bytes", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "skipped", STRING | MAYBE, 0, NULL, NULL },
	{ "base", REPORT_OBJECT | MAYBE, 0, build_fields, NULL },
	{ 0 },
};

static const struct report_field before_fields[] = {
	{ "load_average", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "cpu_waits_percent", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "io_waits_percent", AMOUNT | MAYBE, 0, NULL, NULL },
	{ 0 },
};

static const struct report_field during_fields[] = {
	{ "stolen_percent", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "cpu_waits_percent", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "io_waits_percent", AMOUNT | MAYBE, 0, NULL, NULL },
	{ 0 },
};

static const struct report_field conditions_fields[] = {
	{ "cpu", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "governor", STRING | MAYBE, 0, NULL, NULL },
	{ "turbo", REPORT_BOOLEAN | MAYBE, 0, NULL, NULL },
	{ "before", REPORT_OBJECT | MAYBE, 0, before_fields, NULL },
	{ "during", REPORT_OBJECT | MAYBE, 0, during_fields, NULL },
	{ 0 },
};

static const struct report_field bench_fields[] = {
	{ "version", STRING, 0, NULL, NULL },
	{ "command", REPORT_ARRAY, STRING, NULL, NULL },
	{ "started", STRING, 0, NULL, NULL },
	{ "duration_ms", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "complete", REPORT_BOOLEAN, 0, NULL, NULL },
	{ "tier", STRING | MAYBE, 0, NULL, NULL },
	{ "label", STRING | MAYBE, 0, NULL, NULL },
	{ "seed", NUMBER | STRING | MAYBE, 0, NULL, NULL },
	{ "base", STRING | MAYBE, 0, NULL, NULL },
	{ "host", REPORT_OBJECT, 0, host_fields, NULL },
	{ "target", REPORT_OBJECT, 0, target_fields, NULL },
	{ "conditions", REPORT_OBJECT | MAYBE, 0, conditions_fields, NULL },
	{ "warnings", REPORT_ARRAY | OPTIONAL, STRING, NULL, NULL },
	{ "benchmarks", REPORT_ARRAY, REPORT_OBJECT, benchmark_fields, NULL },
	{ "results", REPORT_ARRAY, REPORT_OBJECT, result_fields, NULL },
	{ 0 },
};

static const struct report_field made_by_fields[] = {
	{ "compiler", STRING, 0, NULL, NULL },
	{ "optimised", REPORT_BOOLEAN, 0, NULL, NULL },
	{ "libc", STRING, 0, NULL, NULL },
	{ "instruction_set", STRING | MAYBE, 0, NULL, NULL },
	{ "counter", STRING | MAYBE, 0, NULL, NULL },
	{ 0 },
};

static const struct report_field counted_fields[] = {
	{ "id", STRING, 0, NULL, NULL },
	{ "title", STRING, 0, NULL, NULL },
	{ "group", STRING | MAYBE, 0, NULL, NULL },
	{ "parameter", STRING | MAYBE, 0, NULL, NULL },
	{ 0 },
};

static const struct report_field count_fields[] = {
	{ "benchmark", STRING, 0, NULL, NULL },
	{ "variant", STRING | MAYBE, 0, NULL, NULL },
	{ "value", NUMBER | MAYBE, 0, NULL, NULL },
	{ "call_count", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "calls", REPORT_OBJECT | MAYBE, AMOUNT, NULL, NULL },
	{ "instruction_count", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "uncounted", STRING | MAYBE, 0, NULL, NULL },
	{ "skipped", STRING | MAYBE, 0, NULL, NULL },
	{ 0 },
};

static const struct report_field exact_fields[] = {
	{ "version", STRING | OPTIONAL, 0, NULL, NULL },
	{ "command", REPORT_ARRAY | OPTIONAL, STRING, NULL, NULL },
	{ "started", STRING | OPTIONAL, 0, NULL, NULL },
	{ "duration_ms", AMOUNT | MAYBE, 0, NULL, NULL },
	{ "complete", REPORT_BOOLEAN | OPTIONAL, 0, NULL, NULL },
	{ "host", REPORT_OBJECT, 0, host_fields, NULL },
	{ "build", REPORT_OBJECT | OPTIONAL, 0, made_by_fields, NULL },
	{ "benchmarks", REPORT_ARRAY, REPORT_OBJECT, counted_fields, NULL },
	{ "results", REPORT_ARRAY, REPORT_OBJECT, count_fields, NULL },
	{ 0 },
};

const char *report_string(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

double report_number(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

size_t report_count_verdict(const json_t *probe, const char *verdict)
{
	size_t count = 0;
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(probe, "probes"), i, one) count +=
		strcmp(report_string(one, "verdict"), verdict) == 0;

	return count;
}

size_t report_count_not_asked(const json_t *probe)
{
	return json_array_size(json_object_get(probe, "not_asked"));
}

/* A page that says "qualified" above a table that says otherwise must not exist. */
static int check_verdict(const json_t *probe, struct ovl2_error *err)
{
	const char *stated = report_string(probe, "verdict");
	const char *follows = report_count_not_asked(probe) ? "undetermined" : "qualified";
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(probe, "probes"), i, one)
	{
		const char *verdict = report_string(one, "verdict");

		if (strcmp(verdict, "fail") == 0)
			follows = "not_qualified";
		else if (strcmp(follows, "qualified") == 0 && strcmp(verdict, "unknown") == 0 &&
		         strcmp(report_string(one, "level"), "required") == 0)
			follows = "undetermined";
	}
	if (strcmp(stated, follows) != 0)
		return ovi_fail(err, OVL2_E_INVALID,
		                "verdict: '%s' contradicts the probes, from which follows '%s'",
		                stated, follows);

	return 0;
}

static int has_benchmark(const json_t *bench, const char *id)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(bench, "benchmarks"), i,
	                   one) if (strcmp(report_string(one, "id"), id) == 0) return 1;

	return 0;
}

/* Each has `figures`, or says why not. */
static int check_results(const json_t *bench, const char *figures, struct ovl2_error *err)
{
	json_t *result;
	size_t i;

	json_array_foreach(json_object_get(bench, "results"), i, result)
	{
		const char *id = report_string(result, "benchmark");

		if (!has_benchmark(bench, id))
			return ovi_fail(err, OVL2_E_INVALID,
			                "results[%zu].benchmark: no benchmark has the id '%.60s'",
			                i, id);
		if (!json_is_object(json_object_get(result, figures)) &&
		    !json_is_string(json_object_get(result, "skipped")))
			return ovi_fail(err, OVL2_E_INVALID,
			                "results[%zu]: neither figures in '%s' nor a reason in "
			                "'skipped'",
			                i, figures);
	}

	return 0;
}

static int check_times(const json_t *bench, struct ovl2_error *err)
{
	return check_results(bench, "ours", err);
}

static int check_counts(const json_t *exact, struct ovl2_error *err)
{
	return check_results(exact, "calls", err);
}

static const struct kind {
	const char *format;
	const struct report_field *fields;
	int (*check)(const json_t *document, struct ovl2_error *err);
	size_t slot;
} kinds[] = {
	{ "ovl2-probe/1", probe_fields, check_verdict, offsetof(struct report_documents, probe) },
	{ "ovl2-bench/1", bench_fields, check_times, offsetof(struct report_documents, bench) },
	{ "ovl2-exact/1", exact_fields, check_counts, offsetof(struct report_documents, exact) },
};

static const struct kind *find_kind(const char *format)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(format, kinds[i].format) == 0)
			return &kinds[i];

	return NULL;
}

int report_document_accept(json_t *root, struct report_documents *documents, struct ovl2_error *err)
{
	const char *format = json_string_value(json_object_get(root, "format"));
	const struct kind *kind;
	json_t **slot;
	int r;

	if (!format)
		return ovi_fail(err, OVL2_E_INVALID,
		                "format: missing; expected what ovl2-probe or ovl2-bench wrote");
	kind = find_kind(format);
	if (!kind)
		return ovi_fail(err, OVL2_E_INVALID, "format: '%.60s' is neither '%s' nor '%s'",
		                format, kinds[0].format, kinds[1].format);

	r = report_shape_check(root, kind->fields, err);
	if (r < 0)
		return r;

	r = kind->check(root, err);
	if (r < 0)
		return r;

	slot = (json_t **)((char *)documents + kind->slot);
	if (*slot)
		return ovi_fail(err, OVL2_E_INVALID, "a second '%s'; a report takes one",
		                kind->format);
	*slot = json_incref(root);

	return 0;
}

static json_t *load(const char *path, json_error_t *why)
{
	FILE *file = NULL;
	json_t *root;

	if (strcmp(path, "-") == 0)
		return json_loadf(stdin, JSON_REJECT_DUPLICATES, why);

	file = fopen(path, "re");
	if (!file)
		return NULL;
	errno = 0;
	root = json_loadf(file, JSON_REJECT_DUPLICATES, why);
	fclose(file);

	return root;
}

int report_document_read(const char *path, struct report_documents *documents,
                         struct ovl2_error *err)
{
	json_error_t why = { .line = -1 };
	json_t *root;
	int r;

	errno = 0;
	root = load(path, &why);
	if (!root && (why.line < 0 || errno == EISDIR))
		return ovi_fail_errno(err, "read '%s'", path);
	if (!root)
		return ovi_fail(err, OVL2_E_INVALID, "read '%s': not JSON: line %d: %s", path,
		                why.line, why.text);

	r = report_document_accept(root, documents, err);
	json_decref(root);
	if (r < 0)
		return ovi_fail_within(err, r, "read '%s'", path);

	return 0;
}

void report_documents_release(struct report_documents *documents)
{
	json_decref(documents->probe);
	json_decref(documents->bench);
	json_decref(documents->exact);
	*documents = (struct report_documents){ 0 };
}
