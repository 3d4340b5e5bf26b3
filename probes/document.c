#include "probe.h"

/* What helps against not being able to tell. */
static const char find_out[] = "Ask again as root, for a directory that is writable and has "
			       "room:\n"
			       "  sudo ovl2-probe DIR";

static json_t *optional_text(const char *text)
{
	return text ? json_string(text) : json_null();
}

static const char *remedy_of(const struct probe_finding *finding)
{
	switch (finding->verdict) {
	case PROBE_PASS:
		return NULL;
	case PROBE_UNDECIDED:
		return find_out;
	default:
		return finding->probe->remedy;
	}
}

static json_t *describe_finding(const struct probe_finding *finding)
{
	const struct probe *probe = finding->probe;
	const struct probe_outcome *outcome = &finding->outcome;
	json_t *evidence = json_string(outcome->evidence);

	/* A path in it need not be UTF-8. */
	if (!evidence)
		evidence = json_string("(has bytes that are not UTF-8)");

	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:f}",
		"id", probe->id, "group", probe->group, "title", probe->title, "why", probe->why,
		"how", probe->how, "since", probe->since, "answer",
		probe_answer_name(outcome->answer), "reason",
		optional_text(probe_reason_name(outcome->reason)), "want",
		finding->need->want ? "yes" : "no", "level", probe_level_name(finding->need->level),
		"verdict", probe_verdict_name(finding->verdict), "evidence", evidence, "value",
		outcome->value ? json_integer((json_int_t)outcome->value) : json_null(), "remedy",
		optional_text(remedy_of(finding)), "source", finding->need->source, "duration_ms",
		outcome->duration_ms);
}

static json_t *list_findings(const struct probe_survey *survey)
{
	json_t *findings = json_array();

	for (size_t i = 0; i < survey->count; i++)
		json_array_append_new(findings, describe_finding(&survey->findings[i]));

	return findings;
}

static json_t *count_verdicts(const struct probe_survey *survey)
{
	json_t *counts = json_object();

	for (int i = 0; i < PROBE_VERDICT_COUNT; i++)
		json_object_set_new(counts, probe_verdict_name(i),
		                    json_integer((json_int_t)survey->verdict_counts[i]));

	return counts;
}

static json_t *list_words(char *const *argv)
{
	json_t *words = json_array();

	for (; *argv; argv++) {
		json_t *word = json_string(*argv);

		json_array_append_new(words, word ? word : json_null());
	}

	return words;
}

json_t *probe_survey_json(const struct probe_survey *survey, char *const *argv)
{
	static const char *const conclusions[] = {
		[PROBE_QUALIFIED] = "qualified",
		[PROBE_NOT_QUALIFIED] = "not_qualified",
		[PROBE_UNDETERMINED] = "undetermined",
	};

	return json_pack("{s:s, s:s, s:o, s:s, s:f, s:O, s:O, s:{s:s, s:s}, s:s, s:o, s:o}",
	                 "format", "ovl2-probe/1", "version", OVL2_VERSION, "command",
	                 list_words(argv), "started", survey->started, "duration_ms",
	                 survey->duration_ms, "host", survey->host, "target", survey->target,
	                 "profile", "id", survey->profile->id, "title", survey->profile->title,
	                 "verdict", conclusions[survey->conclusion], "counts",
	                 count_verdicts(survey), "probes", list_findings(survey));
}
