/* Formats of what collects facts about hosts. */

#include "format.h"

#include "cleanup.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Kubernetes: what a label's value may have. */
#define LABEL_BYTES 63

/* Two missed daily runs, and the features go. */
#define EXPIRY_S (2L * 24 * 3600)

#define NFD_PREFIX "feature.node.kubernetes.io/ovl2."

/* ---------------------------------------------- node-feature-discovery -- */

/*
 * Adds `value` as the value of a label: letters, digits, '-', '_' and '.', with a letter
 * or digit at either end.
 */
static void add_label_value(struct ovi_strbuf *text, const char *value)
{
	char label[LABEL_BYTES + 1] = "";
	size_t length = 0;

	for (; *value && length < LABEL_BYTES; value++) {
		unsigned char byte = (unsigned char)*value;
		int is_plain = byte < 0x80 && isalnum(byte);

		if (is_plain || (length > 0 && strchr("-_.", *value)))
			label[length++] = *value;
		else if (length > 0)
			label[length++] = '_';
	}
	while (length > 0 && strchr("-_.", label[length - 1]))
		label[--length] = '\0';

	ovi_strbuf_add(text, label);
}

static void add_expiry(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	struct tm when = { 0 };
	char words[32];
	time_t end;

	if (!strptime(survey->started, "%Y-%m-%dT%H:%M:%SZ", &when))
		return;

	end = timegm(&when) + EXPIRY_S;
	gmtime_r(&end, &when);
	strftime(words, sizeof(words), "%Y-%m-%dT%H:%M:%SZ", &when);
	ovi_strbuf_addf(text, "# +expiry-time=%s\n", words);
}

/* One host may have a file for each of several profiles: they must not mix. */
static void add_feature(struct ovi_strbuf *text, const struct probe_survey *survey,
                        const char *name, const char *value)
{
	ovi_strbuf_addf(text, NFD_PREFIX "%s.%s=", survey->profile->id, name);
	add_label_value(text, value);
	ovi_strbuf_add(text, "\n");
}

void format_add_nfd(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	add_expiry(text, survey);
	add_feature(text, survey, "qualified",
	            survey->conclusion == PROBE_QUALIFIED ? "true" : "false");
	add_feature(text, survey, "verdict", probe_conclusion_name(survey->conclusion));
	if (survey->not_asked_count > 0)
		add_feature(text, survey, "partial", "true");
	add_feature(text, survey, "filesystem", format_fact(survey->target, "filesystem"));

	/* For rules to match on; no node needs a label for each. */
	for (size_t i = 0; i < survey->count; i++) {
		const struct probe_finding *finding = &survey->findings[i];

		ovi_strbuf_add(text, "# +no-label\n");
		add_feature(text, survey, finding->probe->id,
		            probe_answer_name(finding->outcome.answer));
	}
}

/* ----------------------------------------------------------------- Ansible -- */

static void add_json(struct ovi_strbuf *text, json_t *value)
{
	char *dump = value ? json_dumps(value, JSON_INDENT(2)) : NULL;

	json_decref(value);
	if (dump)
		ovi_strbuf_addf(text, "%s\n", dump);
	else
		text->failed = 1;
	free(dump);
}

/* Keys are words without dots, so that templates can name them plainly. */
void format_add_ansible(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	json_t *failed = json_array();
	json_t *probes = json_object();

	for (size_t i = 0; i < survey->count; i++) {
		const struct probe_finding *finding = &survey->findings[i];

		if (probe_finding_is_culprit(finding))
			json_array_append_new(failed, json_string(finding->probe->id));
		json_object_set_new(probes, finding->probe->id,
		                    json_pack("{s:s, s:s, s:s, s:s}", "answer",
		                              probe_answer_name(finding->outcome.answer), "verdict",
		                              probe_verdict_name(finding->verdict), "level",
		                              probe_level_name(finding->need->level), "evidence",
		                              finding->outcome.evidence));
	}

	add_json(text, json_pack("{s:b, s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "partial",
	                         survey->not_asked_count > 0, "qualified",
	                         survey->conclusion == PROBE_QUALIFIED, "verdict",
	                         probe_conclusion_name(survey->conclusion), "profile",
	                         survey->profile->id, "path", format_fact(survey->target, "path"),
	                         "filesystem", format_fact(survey->target, "filesystem"), "started",
	                         survey->started, "version", OVL2_VERSION, "culprits", failed,
	                         "probes", probes));
}

void format_add_ansible_failure(struct ovi_strbuf *text, const char *message)
{
	json_t *error = json_string(message);

	add_json(text, json_pack("{s:b, s:s, s:o}", "qualified", 0, "verdict",
	                         probe_conclusion_name(PROBE_UNDETERMINED), "error",
	                         error ? error : json_null()));
}

/* Ansible drops all facts of a host when one script fails. */
int format_always_0(const struct probe_survey *survey)
{
	(void)survey;

	return 0;
}
