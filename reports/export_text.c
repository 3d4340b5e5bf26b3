/*
 * Lines: Go benchmark text, OpenMetrics, CSV.
 */

#include "export.h"

#include "cleanup.h"

#include <ctype.h>
#include <string.h>

/* ---------------------------------------------------------------------- go -- */

/* "mount_depth" as Go would call it: "MountDepth". */
static void add_go_name(struct ovi_strbuf *text, const char *id)
{
	int is_start = 1;

	for (; *id; id++) {
		char letter = *id;

		if (is_start && islower((unsigned char)letter))
			letter = (char)toupper((unsigned char)letter);
		is_start = *id == '_' || *id == '-';
		if (!is_start)
			ovi_strbuf_add_bytes(text, &letter, 1);
	}
}

static void add_go_line(struct ovi_strbuf *text, const struct report_result *result, size_t arm,
                        double ns)
{
	ovi_strbuf_add(text, "Benchmark");
	add_go_name(text, result->benchmark->id);
	if (*result->variant)
		ovi_strbuf_addf(text, "/variant=%s", result->variant);
	if (result->has_value)
		ovi_strbuf_addf(text, "/%s=%.10g", result->benchmark->parameter, result->value);
	ovi_strbuf_addf(text, "/arm=%s 1 %.10g ns/op", report_arm_name(arm), ns);
	if (result->bytes > 0 && ns > 0)
		ovi_strbuf_addf(text, " %.10g MB/s", result->bytes / ns * 1e3);
	ovi_strbuf_add(text, "\n");
}

/* A configuration line; benchstat takes none without a value. */
static void add_go_fact(struct ovi_strbuf *text, const char *key, const json_t *object,
                        const char *name)
{
	const char *value = report_string(object, name);

	if (*value)
		ovi_strbuf_addf(text, "%s: %s\n", key, value);
}

int report_add_go(struct ovi_strbuf *text, const struct report_source *source,
                  struct ovl2_error *err)
{
	const json_t *bench = source->documents->bench;
	const json_t *host = json_object_get(bench, "host");

	(void)err;
	ovi_strbuf_add(text, "goos: linux\n");
	add_go_fact(text, "cpu", host, "cpu");
	add_go_fact(text, "kernel", host, "kernel");
	add_go_fact(text, "filesystem", json_object_get(bench, "target"), "filesystem");
	for (size_t i = 0; i < source->figures->result_count; i++)
		for (size_t arm = 0; arm < REPORT_ARMS; arm++) {
			const struct report_result *result = &source->figures->results[i];
			json_t *value;
			size_t round;

			json_array_foreach(report_arm(result, arm)->values_ns, round, value)
				add_go_line(text, result, arm, json_number_value(value));
		}

	return 0;
}

/* ------------------------------------------------------------- openmetrics -- */

/* A label's value: backslash, quote and newline are escaped. */
static void add_label(struct ovi_strbuf *text, const char *name, const char *value)
{
	ovi_strbuf_addf(text, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			ovi_strbuf_add(text, "\\");
		if (*value == '\n')
			ovi_strbuf_add(text, "\\n");
		else
			ovi_strbuf_add_bytes(text, value, 1);
	}
	ovi_strbuf_add(text, "\"");
}

static void add_labels(struct ovi_strbuf *text, const struct report_result *result)
{
	add_label(text, "benchmark", result->benchmark->id);
	ovi_strbuf_add(text, ",");
	add_label(text, "variant", result->variant);
	if (result->has_value)
		ovi_strbuf_addf(text, ",value=\"%.10g\"", result->value);
}

struct estimate {
	const char *name;
	double value;
};

static void add_samples(struct ovi_strbuf *text, const char *metric,
                        const struct report_result *result, const char *arm,
                        const struct estimate estimates[3])
{
	for (size_t i = 0; i < 3; i++) {
		ovi_strbuf_addf(text, "%s{", metric);
		add_labels(text, result);
		if (arm)
			ovi_strbuf_addf(text, ",arm=\"%s\"", arm);
		ovi_strbuf_addf(text, ",estimate=\"%s\"} %.10g\n", estimates[i].name,
		                estimates[i].value);
	}
}

static void add_times(struct ovi_strbuf *text, const struct report_figures *figures)
{
	ovi_strbuf_add(text, "# TYPE ovl2_bench_duration_seconds gauge\n"
	                     "# UNIT ovl2_bench_duration_seconds seconds\n"
	                     "# HELP ovl2_bench_duration_seconds Median time of one operation and "
	                     "the interval that holds it.\n");
	for (size_t i = 0; i < figures->result_count; i++)
		for (size_t arm = 0; arm < REPORT_ARMS; arm++) {
			const struct report_result *result = &figures->results[i];
			const struct report_time *time = report_arm(result, arm);
			const struct estimate estimates[] = {
				{ "median", time->median_ns / 1e9 },
				{ "low", time->low_ns / 1e9 },
				{ "high", time->high_ns / 1e9 },
			};

			if (time->title)
				add_samples(text, "ovl2_bench_duration_seconds", result,
				            report_arm_name(arm), estimates);
		}
}

static void add_ratios(struct ovi_strbuf *text, const struct report_figures *figures)
{
	ovi_strbuf_add(text, "# TYPE ovl2_bench_floor_ratio gauge\n"
	                     "# HELP ovl2_bench_floor_ratio Our time over the floor's, and the "
	                     "interval that holds it.\n");
	for (size_t i = 0; i < figures->result_count; i++) {
		const struct report_result *result = &figures->results[i];
		const struct estimate estimates[] = {
			{ "median", result->ratio },
			{ "low", result->ratio_low },
			{ "high", result->ratio_high },
		};

		if (result->ratio > 0)
			add_samples(text, "ovl2_bench_floor_ratio", result, NULL, estimates);
	}
}

int report_add_openmetrics(struct ovi_strbuf *text, const struct report_source *source,
                           struct ovl2_error *err)
{
	const json_t *bench = source->documents->bench;
	const json_t *host = json_object_get(bench, "host");

	(void)err;
	ovi_strbuf_add(text, "# TYPE ovl2_bench info\n# HELP ovl2_bench What was measured.\n"
	                     "ovl2_bench_info{");
	add_label(text, "version", report_string(bench, "version"));
	ovi_strbuf_add(text, ",");
	add_label(text, "kernel", report_string(host, "kernel"));
	ovi_strbuf_add(text, ",");
	add_label(text, "filesystem",
	          report_string(json_object_get(bench, "target"), "filesystem"));
	ovi_strbuf_add(text, ",");
	add_label(text, "tier", report_string(bench, "tier"));
	ovi_strbuf_add(text, "} 1\n");
	add_times(text, source->figures);
	add_ratios(text, source->figures);
	ovi_strbuf_add(text, "# EOF\n");

	return 0;
}

/* --------------------------------------------------------------------- csv -- */

void report_add_csv_text(struct ovi_strbuf *text, const char *value)
{
	ovi_strbuf_add(text, "\"");
	if (*value && strchr("=+-@\t\r", *value))
		ovi_strbuf_add(text, "'");
	for (; *value; value++) {
		if (*value == '"')
			ovi_strbuf_add(text, "\"");
		ovi_strbuf_add_bytes(text, value, 1);
	}
	ovi_strbuf_add(text, "\"");
}

static void add_csv_number(struct ovi_strbuf *text, int is_known, double value)
{
	ovi_strbuf_add(text, ",");
	if (is_known)
		ovi_strbuf_addf(text, "%.10g", value);
}

static void add_csv_line(struct ovi_strbuf *text, const struct report_result *result, size_t arm)
{
	const struct report_time *time = report_arm(result, arm);
	int has_ratio = arm == 0 && result->ratio > 0;

	report_add_csv_text(text, result->benchmark->id);
	ovi_strbuf_add(text, ",");
	report_add_csv_text(text, result->variant);
	ovi_strbuf_add(text, ",");
	report_add_csv_text(text, result->benchmark->parameter);
	add_csv_number(text, result->has_value, result->value);
	ovi_strbuf_addf(text, ",%s,", report_arm_name(arm));
	report_add_csv_text(text, time->title ? time->title : "");
	add_csv_number(text, time->title != NULL, time->median_ns);
	add_csv_number(text, time->title != NULL, time->low_ns);
	add_csv_number(text, time->title != NULL, time->high_ns);
	add_csv_number(text, time->title != NULL, result->rounds);
	add_csv_number(text, has_ratio, result->ratio);
	add_csv_number(text, has_ratio, result->ratio_low);
	add_csv_number(text, has_ratio, result->ratio_high);
	add_csv_number(text, result->bytes > 0, result->bytes);
	add_csv_number(text, result->files > 0, result->files);
	add_csv_number(text, result->data_bytes > 0, result->data_bytes);
	ovi_strbuf_add(text, ",");
	report_add_csv_text(text, result->skipped);
	ovi_strbuf_add(text, "\r\n");
}

void report_add_csv_head(struct ovi_strbuf *text)
{
	ovi_strbuf_add(text,
	               "benchmark,variant,parameter,value,arm,title,median_ns,low_ns,high_ns,"
	               "rounds,ratio,ratio_low,ratio_high,bytes,files,data_bytes,skipped\r\n");
}

void report_add_csv_rows(struct ovi_strbuf *text, const struct report_result *result)
{
	for (size_t arm = 0; arm < REPORT_ARMS; arm++)
		if (report_arm(result, arm)->title || (arm == 0 && *result->skipped))
			add_csv_line(text, result, arm);
}

void report_add_csv_table(struct ovi_strbuf *text, const struct report_figures *figures,
                          const struct report_benchmark *benchmark)
{
	report_add_csv_head(text);
	for (size_t i = 0; i < figures->result_count; i++)
		if (figures->results[i].benchmark == benchmark)
			report_add_csv_rows(text, &figures->results[i]);
}

int report_add_csv(struct ovi_strbuf *text, const struct report_source *source,
                   struct ovl2_error *err)
{
	(void)err;
	report_add_csv_head(text);
	for (size_t i = 0; i < source->figures->result_count; i++)
		report_add_csv_rows(text, &source->figures->results[i]);

	return 0;
}
