#include "export.h"

#include "cleanup.h"

#include <string.h>

const struct report_export report_exports[] = {
	{ "bencher", "Bencher Metric Format, for `bencher run --adapter json`", 1,
	  report_add_bencher },
	{ "csv", "a table, one line a result and arm (RFC 4180)", 1, report_add_csv },
	{ "github-action", "github-action-benchmark, tool customSmallerIsBetter", 1,
	  report_add_github_action },
	{ "go", "Go benchmark text, one line a round, for benchstat", 1, report_add_go },
	{ "hyperfine", "hyperfine's JSON, for its scripts and for Bencher", 1,
	  report_add_hyperfine },
	{ "junit", "JUnit XML, one test case a result", 1, report_add_junit },
	{ "markdown", "a summary for a pull request or $GITHUB_STEP_SUMMARY", 0,
	  report_add_markdown },
	{ "openmetrics", "OpenMetrics text, for a scrape or a push gateway", 1,
	  report_add_openmetrics },
	{ 0 },
};

const struct report_export *report_export_find(const char *name)
{
	for (const struct report_export *export = report_exports; export->name; export ++)
		if (strcmp(export->name, name) == 0)
			return export;

	return NULL;
}

const char *report_arm_name(size_t arm)
{
	static const char *const names[REPORT_ARMS] = { "ours",  "floor", "peer",
		                                        "peer2", "peer3", "peer4" };

	return names[arm];
}

const struct report_time *report_arm(const struct report_result *result, size_t arm)
{
	if (arm < 2)
		return arm ? &result->floor : &result->ours;

	return &result->peers[arm - 2];
}

void report_add_key(struct ovi_strbuf *text, const struct report_result *result, size_t arm)
{
	ovi_strbuf_add(text, result->benchmark->id);
	if (*result->variant)
		ovi_strbuf_addf(text, "/%s", result->variant);
	if (result->has_value)
		ovi_strbuf_addf(text, "/%s=%.10g", result->benchmark->parameter, result->value);
	if (arm)
		ovi_strbuf_addf(text, "/%s", report_arm_name(arm));
}
