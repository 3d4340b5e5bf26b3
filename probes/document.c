#include "survey.h"

#include "cleanup.h"
#include "fail.h"
#include "waiver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What helps against not being able to tell. */
static const char find_out[] = "Ask again as root, for a directory that is writable and has "
			       "room:\n"
			       "  sudo ovl2-probe DIR";

/* --------------------------------------------------------------- writing -- */

static json_t *optional_text(const char *text)
{
	return text ? json_string(text) : json_null();
}

const char *probe_finding_remedy(const struct probe_finding *finding)
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

static json_t *describe_waiver(const struct probe_finding *finding,
                               const struct probe_survey *survey)
{
	const struct probe_waiver *waiver = finding->waiver;

	if (!waiver)
		return json_null();

	return json_pack("{s:s, s:o, s:s, s:s, s:o, s:b}", "id", waiver->id, "target",
	                 optional_text(waiver->target), "reason", waiver->reason, "expires",
	                 waiver->expires, "approved_by", optional_text(waiver->approved_by),
	                 "expired", probe_waiver_is_expired(finding, survey));
}

json_t *probe_finding_json(const struct probe_finding *finding, const struct probe_survey *survey)
{
	const struct probe *probe = finding->probe;
	const struct probe_need *need = finding->need;
	const struct probe_outcome *outcome = &finding->outcome;
	json_t *value = outcome->value ? json_integer((json_int_t)outcome->value) : json_null();

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:s, s:o,"
	                 " s:o, s:s, s:f}",
	                 "id", probe->id, "group", probe->group, "title", probe->title, "why",
	                 probe->why, "how", probe->how, "since", probe->since, "answer",
	                 probe_answer_name(outcome->answer), "reason",
	                 optional_text(probe_reason_name(outcome->reason)), "want",
	                 need->want ? "yes" : "no", "level", probe_level_name(need->level),
	                 "verdict", probe_verdict_name(finding->verdict), "waiver",
	                 describe_waiver(finding, survey), "evidence", outcome->evidence, "value",
	                 value, "remedy", optional_text(probe_finding_remedy(finding)), "source",
	                 need->source, "duration_ms", outcome->duration_ms);
}

static json_t *list_findings(const struct probe_survey *survey)
{
	json_t *findings = json_array();

	for (size_t i = 0; i < survey->count; i++)
		json_array_append_new(findings, probe_finding_json(&survey->findings[i], survey));

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

static json_t *list_not_asked(const struct probe_survey *survey)
{
	json_t *ids = json_array();

	for (size_t i = 0; i < survey->not_asked_count; i++)
		json_array_append_new(ids, json_string(survey->not_asked[i]));

	return ids;
}

json_t *probe_survey_json(const struct probe_survey *survey)
{
	json_t *command = survey->command ? json_incref(survey->command) : json_array();

	return json_pack("{s:s, s:s, s:o, s:s, s:f, s:O, s:O, s:{s:s, s:s}, s:s, s:b, s:o, s:o,"
	                 " s:o}",
	                 "format", "ovl2-probe/1", "version", OVL2_VERSION, "command", command,
	                 "started", survey->started, "duration_ms", survey->duration_ms, "host",
	                 survey->host, "target", survey->target, "profile", "id",
	                 survey->profile->id, "title", survey->profile->title, "verdict",
	                 probe_conclusion_name(survey->conclusion), "partial",
	                 survey->not_asked_count > 0, "not_asked", list_not_asked(survey), "counts",
	                 count_verdicts(survey), "probes", list_findings(survey));
}

/* --------------------------------------------------------------- reading -- */

/* All text stays in the document. */
struct probe_loaded {
	json_t *document;
	struct probe_profile profile;
	struct probe *probes;
	struct probe_need *needs;
	struct probe_waiver *waivers;
};

void survey_free_loaded(struct probe_loaded *loaded)
{
	if (!loaded)
		return;

	json_decref(loaded->document);
	free(loaded->probes);
	free(loaded->needs);
	free(loaded->waivers);
	free(loaded);
}

/* Older versions did not write all that is known today. */
static const char *text_or(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : otherwise;
}

static int read_text(const json_t *object, const char *key, const char **ret_text,
                     struct ovl2_error *err)
{
	*ret_text = json_string_value(json_object_get(object, key));
	if (!*ret_text)
		return ovi_fail(err, OVL2_E_INVALID, "%s: not a text", key);

	return 0;
}

/* It is printed where other text would be quoted or checked. */
static int check_id(const char *id, struct ovl2_error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

	if (!id || !*id || strlen(id) > 60 || id[strspn(id, allowed)])
		return ovi_fail(err, OVL2_E_INVALID, "id: '%.60s' is not one", id ? id : "");

	return 0;
}

static int read_id(const json_t *object, const char **ret_id, struct ovl2_error *err)
{
	int r;

	r = read_text(object, "id", ret_id, err);

	return r < 0 ? r : check_id(*ret_id, err);
}

/* Which of `count` names the text at `key` is. */
static int read_word(const json_t *object, const char *key, const char *(*name)(int index),
                     int count, struct ovl2_error *err)
{
	const char *text = json_string_value(json_object_get(object, key));

	for (int i = 0; text && i < count; i++)
		if (name(i) && strcmp(name(i), text) == 0)
			return i;

	return ovi_fail(err, OVL2_E_INVALID, "%s: '%.60s' is none of its words", key,
	                text ? text : "");
}

static const char *answer_name(int index)
{
	return probe_answer_name((enum probe_answer)index);
}

static const char *level_name(int index)
{
	return probe_level_name((enum probe_level)index);
}

static const char *want_name(int index)
{
	return index ? "yes" : "no";
}

static const char *reason_name(int index)
{
	return probe_reason_name((enum probe_reason)index);
}

static void read_outcome(const json_t *object, struct probe_outcome *outcome)
{
	json_int_t value = json_integer_value(json_object_get(object, "value"));
	int reason = read_word(object, "reason", reason_name, PROBE_REASON_COUNT, NULL);

	if (outcome->answer == PROBE_UNKNOWN)
		outcome->reason = reason > 0 ? (enum probe_reason)reason : PROBE_REASON_ERROR;
	outcome->value = value > 0 ? (uint64_t)value : 0;
	outcome->duration_ms = json_number_value(json_object_get(object, "duration_ms"));
	snprintf(outcome->evidence, sizeof(outcome->evidence), "%s",
	         text_or(object, "evidence", ""));
	survey_tidy(outcome->evidence);
}

static int read_needs(const json_t *object, struct probe_need *need, struct ovl2_error *err)
{
	int level = read_word(object, "level", level_name, PROBE_ADVISED + 1, err);
	int want;

	if (level < 0)
		return level;
	want = read_word(object, "want", want_name, 2, err);
	if (want < 0)
		return want;

	need->level = (enum probe_level)level;
	need->want = want;
	need->source = text_or(object, "source", "");

	return 0;
}

static int read_finding(struct probe_survey *survey, const json_t *object, struct ovl2_error *err)
{
	struct probe_finding *finding = &survey->findings[survey->count];
	struct probe_loaded *loaded = survey->loaded;
	struct probe *probe = &loaded->probes[survey->count];
	struct probe_need *need = &loaded->needs[survey->count];
	const json_t *waiver = json_object_get(object, "waiver");
	int answer;
	int r;

	r = read_id(object, &probe->id, err);
	if (r == 0)
		r = read_text(object, "title", &probe->title, err);
	if (r == 0)
		r = read_needs(object, need, err);
	if (r < 0)
		return r;
	answer = read_word(object, "answer", answer_name, PROBE_YES + 1, err);
	if (answer < 0)
		return answer;

	need->id = probe->id;
	probe->group = text_or(object, "group", "other");
	probe->why = text_or(object, "why", "");
	probe->how = text_or(object, "how", "");
	probe->since = text_or(object, "since", "");
	probe->remedy = text_or(object, "remedy", "");
	*finding = (struct probe_finding){ .probe = probe, .need = need };
	finding->outcome.answer = (enum probe_answer)answer;
	read_outcome(object, &finding->outcome);
	if (json_is_object(waiver)) {
		finding->waiver = &loaded->waivers[survey->count];
		r = waiver_read(waiver, &loaded->waivers[survey->count], err);
	}
	survey->count++;

	return r;
}

/* A verdict that says other than the answers must not be passed on. */
static int check_verdict(const struct probe_survey *survey, const json_t *document,
                         struct ovl2_error *err)
{
	const char *follows = probe_conclusion_name(survey->conclusion);
	const char *stated = text_or(document, "verdict", "");

	if (strcmp(stated, follows) != 0)
		return ovi_fail(err, OVL2_E_INVALID,
		                "verdict: '%.60s' contradicts the probes, from which follows '%s'",
		                stated, follows);

	return 0;
}

static int read_head(struct probe_survey *survey, const json_t *document, struct ovl2_error *err)
{
	const json_t *profile = json_object_get(document, "profile");
	struct probe_loaded *loaded = survey->loaded;
	const char *started;
	int r;

	if (strcmp(text_or(document, "format", ""), "ovl2-probe/1") != 0)
		return ovi_fail(err, OVL2_E_INVALID,
		                "format: not 'ovl2-probe/1', which ovl2-probe "
		                "--json prints");
	if (!json_is_object(json_object_get(document, "host")) ||
	    !json_is_object(json_object_get(document, "target")))
		return ovi_fail(err, OVL2_E_INVALID, "host and target: not objects");

	r = read_text(document, "started", &started, err);
	if (r == 0)
		r = read_id(profile, &loaded->profile.id, err);
	if (r < 0)
		return r;

	loaded->profile.title = text_or(profile, "title", loaded->profile.id);
	survey->profile = &loaded->profile;
	survey->host = json_incref(json_object_get(document, "host"));
	survey->target = json_incref(json_object_get(document, "target"));
	survey->command = json_incref(json_object_get(document, "command"));
	survey->path = text_or(survey->target, "path", "");
	survey->duration_ms = json_number_value(json_object_get(document, "duration_ms"));
	snprintf(survey->started, sizeof(survey->started), "%s", started);

	return 0;
}

/* Earlier versions did not tell. */
static int read_not_asked(struct probe_survey *survey, const json_t *document,
                          struct ovl2_error *err)
{
	const json_t *ids = json_object_get(document, "not_asked");
	const json_t *id;
	size_t i;

	if (ids && !json_is_array(ids))
		return ovi_fail(err, OVL2_E_INVALID, "not_asked: not a list");
	survey->not_asked = calloc(json_array_size(ids) + 1, sizeof(*survey->not_asked));
	if (!survey->not_asked)
		return ovi_fail_memory(err);

	json_array_foreach(ids, i, id)
	{
		int r = check_id(json_string_value(id), err);

		if (r < 0)
			return ovi_fail_within(err, r, "not_asked[%zu]", i);
		survey->not_asked[survey->not_asked_count++] = json_string_value(id);
	}

	return 0;
}

static int read_findings(struct probe_survey *survey, const json_t *document,
                         struct ovl2_error *err)
{
	const json_t *probes = json_object_get(document, "probes");
	size_t count = json_array_size(probes);
	struct probe_loaded *loaded = survey->loaded;
	json_t *object;
	size_t i;

	if (!json_is_array(probes))
		return ovi_fail(err, OVL2_E_INVALID, "probes: not a list");
	survey->findings = calloc(count + 1, sizeof(*survey->findings));
	loaded->probes = calloc(count + 1, sizeof(*loaded->probes));
	loaded->needs = calloc(count + 1, sizeof(*loaded->needs));
	loaded->waivers = calloc(count + 1, sizeof(*loaded->waivers));
	if (!survey->findings || !loaded->probes || !loaded->needs || !loaded->waivers)
		return ovi_fail_memory(err);

	json_array_foreach(probes, i, object)
	{
		int r = read_finding(survey, object, err);

		if (r < 0)
			return ovi_fail_within(err, r, "probes[%zu]", i);
	}
	survey_judge(survey);

	return check_verdict(survey, document, err);
}

static json_t *load(const char *path, json_error_t *why)
{
	FILE *file = NULL;
	json_t *document;

	if (strcmp(path, "-") == 0)
		return json_loadf(stdin, JSON_REJECT_DUPLICATES, why);

	file = fopen(path, "re");
	if (!file)
		return NULL;
	errno = 0;
	document = json_loadf(file, JSON_REJECT_DUPLICATES, why);
	fclose(file);

	return document;
}

int document_read(const char *path, json_t **ret_document, struct ovl2_error *err)
{
	json_error_t why = { .line = -1 };
	json_t *document;

	errno = 0;
	document = load(path, &why);
	if (!document && (why.line < 0 || errno == EISDIR))
		return ovi_fail_errno(err, "read '%s'", path);
	if (!document)
		return ovi_fail(err, OVL2_E_INVALID, "read '%s': not JSON: line %d: %s", path,
		                why.line, why.text);

	*ret_document = document;

	return 0;
}

int probe_survey_read(struct probe_survey *survey, const char *path, struct ovl2_error *err)
{
	int r;

	survey->loaded = calloc(1, sizeof(*survey->loaded));
	if (!survey->loaded)
		return ovi_fail_memory(err);
	r = document_read(path, &survey->loaded->document, err);
	if (r < 0)
		return r;

	r = read_head(survey, survey->loaded->document, err);
	if (r == 0)
		r = read_not_asked(survey, survey->loaded->document, err);
	if (r == 0)
		r = read_findings(survey, survey->loaded->document, err);

	return r < 0 ? ovi_fail_within(err, r, "read '%s'", path) : 0;
}
