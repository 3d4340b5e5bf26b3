#include "format.h"

#include <string.h>

static void add_human(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	format_add_human(text, survey, 0);
}

const struct probe_format probe_formats[] = {
	{ .name = "human", .about = "people, with --color", .add = add_human },
	{ .name = "json", .about = "programs; ovl2-report, --from", .add = format_add_json },
	{ .name = "jsonl", .about = "log collectors: a line a probe", .add = format_add_jsonl },
	{ .name = "tap", .about = "prove and other TAP 13 harnesses", .add = format_add_tap },
	{ .name = "junit", .about = "CI servers", .add = format_add_junit },
	{
		.name = "npd",
		.about = "Kubernetes' node-problem-detector, as a custom plugin",
		.add = format_add_npd,
		.add_failure = format_add_npd_failure,
		.failure_code = PROBE_UNDETERMINED,
	},
	{
		.name = "nagios",
		.about = "Nagios, Icinga; exit codes 0 to 3 as they want them",
		.add = format_add_nagios,
		.exit_code = format_nagios_exit_code,
		.add_failure = format_add_nagios_failure,
		.failure_code = 3,
	},
	{
		.name = "prometheus",
		.about = "node_exporter's textfile collector, below 20 series",
		.add = format_add_prometheus,
	},
	{
		.name = "prometheus-all",
		.about = "the same with a series for each probe",
		.add = format_add_prometheus_all,
	},
	{
		.name = "nfd",
		.about = "Kubernetes' node-feature-discovery, a feature file",
		.add = format_add_nfd,
	},
	{
		.name = "ansible",
		.about = "Ansible's facts.d; always exits 0",
		.add = format_add_ansible,
		.exit_code = format_always_0,
		.add_failure = format_add_ansible_failure,
		.failure_code = 0,
	},
	{ .name = NULL },
};

const struct probe_format *probe_format_find(const char *name)
{
	for (const struct probe_format *format = probe_formats; format->name; format++)
		if (strcmp(format->name, name) == 0)
			return format;

	return NULL;
}

const struct probe_finding *format_worst(const struct probe_survey *survey)
{
	static const enum probe_verdict order[] = { PROBE_FAIL, PROBE_UNDECIDED, PROBE_WARN };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		for (size_t j = 0; j < survey->count; j++) {
			const struct probe_finding *finding = &survey->findings[j];

			if (finding->verdict == order[i] &&
			    (order[i] == PROBE_WARN || probe_finding_is_culprit(finding)))
				return finding;
		}

	return NULL;
}

void format_add_partial(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	for (size_t i = 0; i < survey->not_asked_count; i++)
		ovi_strbuf_addf(text, "%s%s", i == 0 ? "partial, not asked: " : ", ",
		                survey->not_asked[i]);
}

const char *format_fact(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? text : "unknown";
}

/* ------------------------------------------------------------------- JSON -- */

/* Takes `value` over; a line of its own when `flags` do not spread it. */
static void add_value(struct ovi_strbuf *text, json_t *value, size_t flags)
{
	char *dump = value ? json_dumps(value, flags) : NULL;

	json_decref(value);
	if (!dump) {
		text->failed = 1;
		return;
	}
	ovi_strbuf_add(text, dump);
	ovi_strbuf_add(text, "\n");
	free(dump);
}

void format_add_json(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	add_value(text, probe_survey_json(survey), JSON_INDENT(2));
}

/* What every line says, so that each can be read alone. */
static json_t *line_head(const struct probe_survey *survey, const char *type)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "format", "ovl2-probe-line/1", "type",
	                 type, "time", survey->started, "host", format_fact(survey->host, "name"),
	                 "path", format_fact(survey->target, "path"), "profile",
	                 survey->profile->id);
}

void format_add_jsonl(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	json_t *line;

	for (size_t i = 0; i < survey->count; i++) {
		json_t *finding = probe_finding_json(&survey->findings[i], survey);

		line = line_head(survey, "probe");
		if (json_object_update(line, finding) < 0)
			text->failed = 1;
		json_decref(finding);
		add_value(text, line, JSON_COMPACT);
	}

	line = line_head(survey, "verdict");
	json_object_set_new(line, "verdict",
	                    json_string(probe_conclusion_name(survey->conclusion)));
	json_object_set_new(line, "partial", json_boolean(survey->not_asked_count > 0));
	json_object_set_new(line, "duration_ms", json_real(survey->duration_ms));
	add_value(text, line, JSON_COMPACT);
}
