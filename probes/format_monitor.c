/* Formats of monitoring: one line, or one file of metrics, each with strict readers. */

#include "format.h"

#include "cleanup.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* node-problem-detector's default max_output_length: what is longer is cut off. */
#define NPD_BYTES 80

/* Prometheus: what stays below 20 series a host with all the others. */
#define MAX_PROBLEM_SERIES 8

/* -------------------------------------------------- node-problem-detector -- */

/* One line of ASCII that fits. */
static void add_short_line(struct ovi_strbuf *text, const char *line)
{
	char cut[NPD_BYTES + 1] = "";
	size_t length = 0;

	for (; *line && length < NPD_BYTES; line++) {
		unsigned char byte = (unsigned char)*line;

		/* The first byte of a character stands for all of it. */
		if ((byte & 0xc0) == 0x80)
			continue;
		cut[length++] = (char)(byte < ' ' || byte > '~' ? '?' : byte);
	}
	if (*line)
		snprintf(cut + NPD_BYTES - 3, 4, "...");

	ovi_strbuf_addf(text, "%s\n", cut);
}

void format_add_npd(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	const struct probe_finding *worst = format_worst(survey);
	cleanup_strbuf struct ovi_strbuf line = { 0 };

	/* A warning is no node problem. */
	if (survey->conclusion == PROBE_QUALIFIED)
		ovi_strbuf_addf(&line, "qualified for %s on %s", survey->profile->id,
		                format_fact(survey->target, "path"));
	else if (!worst || !probe_finding_is_culprit(worst))
		format_add_partial(&line, survey);
	else
		ovi_strbuf_addf(&line, "%s%s: %s", worst->probe->id,
		                worst->verdict == PROBE_UNDECIDED ? " unknown" : "",
		                worst->outcome.evidence);

	text->failed |= line.failed;
	add_short_line(text, line.text ? line.text : "");
}

void format_add_npd_failure(struct ovi_strbuf *text, const char *message)
{
	add_short_line(text, message);
}

/* ------------------------------------------------------------------ Nagios -- */

static const char *const nagios_states[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

int format_nagios_exit_code(const struct probe_survey *survey)
{
	switch (survey->conclusion) {
	case PROBE_NOT_QUALIFIED:
		return 2;
	case PROBE_UNDETERMINED:
		return 3;
	default:
		return survey->verdict_counts[PROBE_WARN] > 0 ? 1 : 0;
	}
}

/* The '|' begins what is for machines. */
static void add_nagios_text(struct ovi_strbuf *text, const char *words)
{
	for (; *words; words++)
		ovi_strbuf_add_bytes(text, *words == '|' || *words == '\n' ? " " : words, 1);
}

/* One of the lines that follow the first. */
static void add_nagios_line(struct ovi_strbuf *text, const struct probe_finding *finding)
{
	ovi_strbuf_addf(text, "%s (%s) %s: ", probe_verdict_name(finding->verdict),
	                probe_level_name(finding->need->level), finding->probe->id);
	add_nagios_text(text, finding->outcome.evidence);
	if (finding->verdict == PROBE_WAIVED) {
		ovi_strbuf_addf(text, "; waived until %s: ", finding->waiver->expires);
		add_nagios_text(text, finding->waiver->reason);
	}
	ovi_strbuf_add(text, "\n");
}

void format_add_nagios(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	const size_t *counts = survey->verdict_counts;
	const struct probe_finding *worst = format_worst(survey);

	ovi_strbuf_addf(text, "OVL2 %s - %s for %s on ",
	                nagios_states[format_nagios_exit_code(survey)],
	                survey->conclusion == PROBE_NOT_QUALIFIED
	                        ? "not qualified"
	                        : probe_conclusion_name(survey->conclusion),
	                survey->profile->id);
	add_nagios_text(text, format_fact(survey->target, "path"));
	if (worst)
		ovi_strbuf_addf(text, ": %s", worst->probe->id);
	if (survey->not_asked_count > 0)
		ovi_strbuf_add(text, ", ");
	format_add_partial(text, survey);

	/* label=value;warn;crit;min: a range "0" alerts above 0. */
	ovi_strbuf_addf(text,
	                " | fail=%zu;;0;0 warn=%zu;0;;0 unknown=%zu;;;0 waived=%zu;;;0 "
	                "pass=%zu;;;0 time=%.6fs;;;0\n",
	                counts[PROBE_FAIL], counts[PROBE_WARN], counts[PROBE_UNDECIDED],
	                counts[PROBE_WAIVED], counts[PROBE_PASS], survey->duration_ms / 1e3);
	for (size_t i = 0; i < survey->count; i++)
		if (survey->findings[i].verdict != PROBE_PASS &&
		    survey->findings[i].verdict != PROBE_INFO)
			add_nagios_line(text, &survey->findings[i]);
}

void format_add_nagios_failure(struct ovi_strbuf *text, const char *message)
{
	ovi_strbuf_addf(text, "OVL2 %s - ", nagios_states[3]);
	add_nagios_text(text, message);
	ovi_strbuf_add(text, "\n");
}

/* -------------------------------------------------------------- Prometheus -- */

static void add_metric(struct ovi_strbuf *text, const char *name, const char *help)
{
	ovi_strbuf_addf(text, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

/* `name="value"` with what the format escapes escaped. */
static void add_label(struct ovi_strbuf *text, const char *name, const char *value)
{
	ovi_strbuf_addf(text, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			ovi_strbuf_add(text, "\\");
		ovi_strbuf_add_bytes(text, *value == '\n' ? " " : value, 1);
	}
	ovi_strbuf_add(text, "\"");
}

/* `name{profile="docker",path="/var/lib/docker"`, to be closed by the caller. */
static void add_sample(struct ovi_strbuf *text, const char *name, const struct probe_survey *survey)
{
	ovi_strbuf_addf(text, "%s{", name);
	add_label(text, "profile", survey->profile->id);
	ovi_strbuf_add(text, ",");
	add_label(text, "path", format_fact(survey->target, "path"));
}

static void add_verdicts(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	add_metric(text, "ovl2_probe_qualified",
	           "Whether the host meets what the profile requires (1) or that failed or could "
	           "not be told (0).");
	add_sample(text, "ovl2_probe_qualified", survey);
	ovi_strbuf_addf(text, "} %d\n", survey->conclusion == PROBE_QUALIFIED);

	add_metric(
		text, "ovl2_probe_undetermined",
		"Whether none failed, but what is required was not all told or asked (1) or not (0).");
	add_sample(text, "ovl2_probe_undetermined", survey);
	ovi_strbuf_addf(text, "} %d\n", survey->conclusion == PROBE_UNDETERMINED);

	add_metric(text, "ovl2_probe_findings", "Number of probes by verdict.");
	for (int i = 0; i < PROBE_VERDICT_COUNT; i++) {
		add_sample(text, "ovl2_probe_findings", survey);
		ovi_strbuf_addf(text, ",verdict=\"%s\"} %zu\n", probe_verdict_name(i),
		                survey->verdict_counts[i]);
	}
}

static void add_run(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	struct tm started = { 0 };

	add_metric(text, "ovl2_probe_duration_seconds", "How long the last run took.");
	add_sample(text, "ovl2_probe_duration_seconds", survey);
	ovi_strbuf_addf(text, "} %.6f\n", survey->duration_ms / 1e3);

	add_metric(text, "ovl2_probe_last_run_timestamp_seconds",
	           "Unix time at which the last run started.");
	if (strptime(survey->started, "%Y-%m-%dT%H:%M:%SZ", &started)) {
		add_sample(text, "ovl2_probe_last_run_timestamp_seconds", survey);
		ovi_strbuf_addf(text, "} %lld\n", (long long)timegm(&started));
	}

	add_metric(text, "ovl2_probe_info", "Constant 1, labelled by what was looked at.");
	add_sample(text, "ovl2_probe_info", survey);
	ovi_strbuf_add(text, ",");
	add_label(text, "kernel", format_fact(survey->host, "kernel"));
	ovi_strbuf_add(text, ",");
	add_label(text, "filesystem", format_fact(survey->target, "filesystem"));
	ovi_strbuf_add(text, ",");
	add_label(text, "version", OVL2_VERSION);
	if (survey->not_asked_count > 0)
		ovi_strbuf_add(text, ",partial=\"true\"");
	ovi_strbuf_add(text, "} 1\n");
}

static int is_problem(const struct probe_finding *finding)
{
	return probe_finding_is_culprit(finding) || finding->verdict == PROBE_WARN ||
	       finding->verdict == PROBE_WAIVED;
}

/* The most important first, so that what is left out matters least. */
static void add_problems(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	static const enum probe_verdict order[] = { PROBE_FAIL, PROBE_UNDECIDED, PROBE_WAIVED,
		                                    PROBE_WARN };
	size_t left = MAX_PROBLEM_SERIES;

	add_metric(text, "ovl2_probe_problem",
	           "Constant 1 for each probe that did not give the required or wanted answer; at "
	           "most 8.");
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		for (size_t j = 0; j < survey->count && left > 0; j++) {
			const struct probe_finding *finding = &survey->findings[j];

			if (finding->verdict != order[i] || !is_problem(finding))
				continue;
			add_sample(text, "ovl2_probe_problem", survey);
			ovi_strbuf_addf(text, ",probe=\"%s\",verdict=\"%s\"} 1\n",
			                finding->probe->id, probe_verdict_name(finding->verdict));
			left--;
		}
}

void format_add_prometheus(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	add_verdicts(text, survey);
	add_run(text, survey);
	add_problems(text, survey);
}

void format_add_prometheus_all(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	static const int numbers[PROBE_VERDICT_COUNT] = {
		[PROBE_PASS] = 0, [PROBE_INFO] = 1,   [PROBE_WARN] = 2,
		[PROBE_FAIL] = 3, [PROBE_WAIVED] = 4, [PROBE_UNDECIDED] = 5,
	};

	format_add_prometheus(text, survey);
	add_metric(text, "ovl2_probe_verdict",
	           "Verdict of a probe: 0 pass, 1 info, 2 warn, 3 fail, 4 waived, 5 unknown.");
	for (size_t i = 0; i < survey->count; i++) {
		const struct probe_finding *finding = &survey->findings[i];

		add_sample(text, "ovl2_probe_verdict", survey);
		ovi_strbuf_addf(text, ",probe=\"%s\",", finding->probe->id);
		add_label(text, "group", finding->probe->group);
		ovi_strbuf_addf(text, ",level=\"%s\"} %d\n", probe_level_name(finding->need->level),
		                numbers[finding->verdict]);
	}
}
