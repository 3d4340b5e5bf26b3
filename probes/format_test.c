/*
 * Formats of test harnesses. In both a host that does not qualify fails: what is
 * required and could not be told, or was not asked, is as little a success as what failed.
 */

#include "format.h"

#include "cleanup.h"
#include "escape.h"

#include <stdarg.h>
#include <string.h>

/* --------------------------------------------------------------------- TAP -- */

/* A YAML scalar in double quotes, which JSON's strings are as well. */
static void add_yaml(struct ovi_strbuf *text, const char *key, const char *value)
{
	json_t *string = json_string(value);
	char *dump = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;

	json_decref(string);
	if (dump)
		ovi_strbuf_addf(text, "  %s: %s\n", key, dump);
	else
		text->failed = 1;
	free(dump);
}

static void add_diagnostics(struct ovi_strbuf *text, const struct probe_finding *finding)
{
	const char *remedy = probe_finding_remedy(finding);

	ovi_strbuf_add(text, "  ---\n");
	add_yaml(text, "message", finding->probe->title);
	add_yaml(text, "severity", probe_verdict_name(finding->verdict));
	add_yaml(text, "level", probe_level_name(finding->need->level));
	add_yaml(text, "wanted", finding->need->want ? "yes" : "no");
	add_yaml(text, "found", probe_answer_name(finding->outcome.answer));
	add_yaml(text, "evidence", finding->outcome.evidence);
	if (remedy)
		add_yaml(text, "remedy", remedy);
	ovi_strbuf_add(text, "  ...\n");
}

/* What follows '#' in a test line is for people; a second '#' in it is escaped. */
static void add_directive(struct ovi_strbuf *text, const char *words)
{
	for (; *words; words++) {
		if (*words == '#' || *words == '\\')
			ovi_strbuf_add(text, "\\");
		ovi_strbuf_add_bytes(text, words, 1);
	}
}

static void add_tap_line(struct ovi_strbuf *text, const struct probe_finding *finding,
                         size_t number)
{
	int is_ok = !probe_finding_is_culprit(finding) && finding->verdict != PROBE_WAIVED;

	ovi_strbuf_addf(text, "%s %zu - %s", is_ok ? "ok" : "not ok", number, finding->probe->id);
	if (finding->verdict == PROBE_WAIVED) {
		/* Harnesses show a TODO that fails, and do not count it. */
		ovi_strbuf_addf(text, " # TODO waived until %s: ", finding->waiver->expires);
		add_directive(text, finding->waiver->reason);
	} else if (is_ok && finding->verdict == PROBE_UNDECIDED) {
		ovi_strbuf_addf(text, " # SKIP %s: ", probe_reason_name(finding->outcome.reason));
		add_directive(text, finding->outcome.evidence);
	}
	ovi_strbuf_add(text, "\n");
	if (finding->verdict != PROBE_PASS && !(is_ok && finding->verdict == PROBE_UNDECIDED))
		add_diagnostics(text, finding);
}

void format_add_tap(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	int is_partial = survey->not_asked_count > 0;

	/* prove knows no later one. */
	ovi_strbuf_addf(text, "TAP version 13\n1..%zu\n", survey->count + is_partial);
	for (size_t i = 0; i < survey->count; i++)
		add_tap_line(text, &survey->findings[i], i + 1);
	if (is_partial) {
		ovi_strbuf_addf(text, "not ok %zu - ", survey->count + 1);
		format_add_partial(text, survey);
		ovi_strbuf_add(text, "\n");
	}
	ovi_strbuf_addf(text, "# %s for %s on ", probe_conclusion_name(survey->conclusion),
	                survey->profile->id);
	ovi_escape_controls(text, format_fact(survey->target, "path"));
	ovi_strbuf_add(text, "\n");
}

/* ------------------------------------------------------------------- JUnit -- */

/* ` name="value"` */
static void add_attribute(struct ovi_strbuf *text, const char *name, const char *value)
{
	ovi_strbuf_addf(text, " %s=\"", name);
	ovi_escape_xml(text, value);
	ovi_strbuf_add(text, "\"");
}

static void add_details(struct ovi_strbuf *text, const struct probe_finding *finding)
{
	const char *remedy = probe_finding_remedy(finding);

	ovi_escape_xml(text, finding->probe->why);
	if (remedy) {
		ovi_strbuf_add(text, "\n");
		ovi_escape_xml(text, remedy);
	}
}

/* `<element type= message=>why and remedy</element>` */
static void add_problem(struct ovi_strbuf *text, const char *element,
                        const struct probe_finding *finding)
{
	ovi_strbuf_addf(text, "      <%s", element);
	add_attribute(text, "type", probe_level_name(finding->need->level));
	add_attribute(text, "message", finding->outcome.evidence);
	ovi_strbuf_add(text, ">");
	add_details(text, finding);
	ovi_strbuf_addf(text, "</%s>\n", element);
}

static void add_skipped(struct ovi_strbuf *text, const struct probe_finding *finding)
{
	cleanup_strbuf struct ovi_strbuf message = { 0 };

	if (finding->verdict == PROBE_WAIVED)
		ovi_strbuf_addf(&message, "waived until %s: %s; found: %s",
		                finding->waiver->expires, finding->waiver->reason,
		                finding->outcome.evidence);
	else
		ovi_strbuf_addf(&message, "%s: %s", probe_reason_name(finding->outcome.reason),
		                finding->outcome.evidence);
	text->failed |= message.failed;
	ovi_strbuf_add(text, "      <skipped");
	add_attribute(text, "message", message.text ? message.text : "");
	ovi_strbuf_add(text, "/>\n");
}

static void add_output(struct ovi_strbuf *text, const struct probe_finding *finding)
{
	ovi_strbuf_addf(text, "      <system-out>%s: ", probe_verdict_name(finding->verdict));
	ovi_escape_xml(text, finding->outcome.evidence);
	if (finding->verdict == PROBE_WARN || finding->verdict == PROBE_INFO) {
		ovi_strbuf_add(text, "\n");
		add_details(text, finding);
	}
	ovi_strbuf_add(text, "</system-out>\n");
}

static int is_skipped(const struct probe_finding *finding)
{
	return finding->verdict == PROBE_WAIVED ||
	       (finding->verdict == PROBE_UNDECIDED && !probe_finding_is_culprit(finding));
}

static void add_case(struct ovi_strbuf *text, const struct probe_finding *finding)
{
	ovi_strbuf_addf(
		text, "    <testcase classname=\"ovl2.probe.%s\" name=\"%s\" time=\"%.6f\">\n",
		finding->probe->group, finding->probe->id, finding->outcome.duration_ms / 1e3);
	if (finding->verdict == PROBE_FAIL)
		add_problem(text, "failure", finding);
	else if (is_skipped(finding))
		add_skipped(text, finding);
	else if (finding->verdict == PROBE_UNDECIDED)
		add_problem(text, "error", finding);
	else
		add_output(text, finding);
	ovi_strbuf_add(text, "    </testcase>\n");
}

/* In place of those that were not asked. */
static void add_partial_case(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	ovi_strbuf_add(text, "    <testcase classname=\"ovl2.probe\" name=\"partial\">\n"
	                     "      <error type=\"required\" message=\"");
	format_add_partial(text, survey);
	ovi_strbuf_add(text, "\"/>\n    </testcase>\n");
}

static void add_property(struct ovi_strbuf *text, const char *name, const char *value)
{
	ovi_strbuf_add(text, "      <property");
	add_attribute(text, "name", name);
	add_attribute(text, "value", value);
	ovi_strbuf_add(text, "/>\n");
}

void format_add_junit(struct ovi_strbuf *text, const struct probe_survey *survey)
{
	size_t failures = survey->verdict_counts[PROBE_FAIL];
	size_t skipped = 0;
	size_t is_partial = survey->not_asked_count > 0;
	size_t errors = is_partial;

	for (size_t i = 0; i < survey->count; i++) {
		skipped += is_skipped(&survey->findings[i]);
		errors += survey->findings[i].verdict == PROBE_UNDECIDED &&
		          probe_finding_is_culprit(&survey->findings[i]);
	}

	ovi_strbuf_add(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
	                     "  <testsuite name=\"ovl2-probe\"");
	ovi_strbuf_addf(text,
	                " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" "
	                "time=\"%.6f\"",
	                survey->count + is_partial, failures, errors, skipped,
	                survey->duration_ms / 1e3);
	add_attribute(text, "timestamp", survey->started);
	add_attribute(text, "hostname", format_fact(survey->host, "name"));
	ovi_strbuf_add(text, ">\n    <properties>\n");
	add_property(text, "profile", survey->profile->id);
	add_property(text, "verdict", probe_conclusion_name(survey->conclusion));
	add_property(text, "path", format_fact(survey->target, "path"));
	add_property(text, "filesystem", format_fact(survey->target, "filesystem"));
	add_property(text, "kernel", format_fact(survey->host, "kernel"));
	ovi_strbuf_add(text, "    </properties>\n");
	for (size_t i = 0; i < survey->count; i++)
		add_case(text, &survey->findings[i]);
	if (is_partial)
		add_partial_case(text, survey);
	ovi_strbuf_add(text, "  </testsuite>\n</testsuites>\n");
}
