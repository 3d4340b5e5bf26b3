#include "summary.h"

#include <string.h>

/* A new reference to the member, null where there is none. */
static json_t *copy(const json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	return value ? json_incref(value) : json_null();
}

static json_t *counts_of(const json_t *probe)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "pass",
	                 (json_int_t)report_count_verdict(probe, "pass"), "fail",
	                 (json_int_t)report_count_verdict(probe, "fail"), "warn",
	                 (json_int_t)report_count_verdict(probe, "warn"), "unknown",
	                 (json_int_t)report_count_verdict(probe, "unknown"), "info",
	                 (json_int_t)report_count_verdict(probe, "info"), "waived",
	                 (json_int_t)report_count_verdict(probe, "waived"));
}

static json_t *not_passed(const json_t *probe)
{
	static const char *const fields[] = { "id",   "title", "level",    "verdict", "answer",
		                              "want", "why",   "evidence", "remedy" };
	json_t *list = json_array();
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(probe, "probes"), i, one)
	{
		json_t *entry;

		if (strcmp(report_string(one, "verdict"), "pass") == 0)
			continue;
		entry = json_object();
		for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++)
			json_object_set_new(entry, fields[f], copy(one, fields[f]));
		json_array_append_new(list, entry);
	}

	return list;
}

static json_t *probe_summary(const json_t *probe)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "verdict",
	                 copy(probe, "verdict"), "profile", copy(probe, "profile"), "started",
	                 copy(probe, "started"), "host", copy(probe, "host"), "target",
	                 copy(probe, "target"), "counts", counts_of(probe), "not_asked",
	                 copy(probe, "not_asked"), "not_passed", not_passed(probe));
}

static json_t *median_of(const struct report_time *time)
{
	return time->title ? json_real(time->median_ns) : json_null();
}

static json_t *peers_of(const struct report_result *result)
{
	json_t *list = json_array();

	for (size_t i = 0; i < REPORT_PEERS; i++)
		if (result->peers[i].title)
			json_array_append_new(list, json_pack("{s:s, s:f}", "title",
			                                      result->peers[i].title, "median_ns",
			                                      result->peers[i].median_ns));

	return list;
}

static json_t *headline_of(const struct report_figures *figures)
{
	json_t *list = json_array();

	for (size_t i = 0; i < figures->headline_count; i++) {
		const struct report_result *r = figures->headline[i];
		json_t *value = r->has_value ? json_real(r->value) : json_null();

		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:{s:f, s:f, s:f}}",
		                  "benchmark", r->benchmark->id, "variant", r->variant, "value",
		                  value, "ours_median_ns", median_of(&r->ours), "floor_median_ns",
		                  median_of(&r->floor), "peer_median_ns", median_of(&r->peers[0]),
		                  "peers", peers_of(r), "ratio", "median", r->ratio, "low",
		                  r->ratio_low, "high", r->ratio_high));
	}

	return list;
}

static json_t *bench_summary(const json_t *bench, const struct report_figures *figures)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "complete", copy(bench, "complete"),
	                 "tier", copy(bench, "tier"), "started", copy(bench, "started"), "host",
	                 copy(bench, "host"), "target", copy(bench, "target"), "warnings",
	                 copy(bench, "warnings"), "headline", headline_of(figures));
}

json_t *report_summary(const struct report_documents *documents,
                       const struct report_figures *figures)
{
	json_t *probe = documents->probe ? probe_summary(documents->probe) : json_null();
	json_t *bench = documents->bench ? bench_summary(documents->bench, figures) : json_null();

	return json_pack("{s:s, s:s, s:o, s:o}", "format", "ovl2-report/1", "version", OVL2_VERSION,
	                 "probe", probe, "bench", bench);
}
