#pragma once

/*
 * Surveys in the words of those who read them: people, test harnesses, monitoring.
 * One row each; `ovl2-probe --format NAME` finds it here. reports/FORMAT.md has the
 * details and the rules of each reader.
 */

#include "probe.h"
#include "strbuf.h"

struct probe_format {
	const char *name;

	/* What reads it, for the help. */
	const char *about;

	/* Adds the whole text; its last byte is a newline. */
	void (*add)(struct ovi_strbuf *text, const struct probe_survey *survey);

	/* What the reader takes exit codes for; NULL: the conclusion as it is. */
	int (*exit_code)(const struct probe_survey *survey);

	/*
	 * For readers that look at standard output only: adds what they should know
	 * when there is no survey, in place of an error message. NULL elsewhere.
	 */
	void (*add_failure)(struct ovi_strbuf *text, const char *message);

	/* Exit code to go with it. */
	int failure_code;
};

/* Ends with a row whose name is NULL; the first is for people. */
extern const struct probe_format probe_formats[];

/* NULL when there is no such format. */
const struct probe_format *probe_format_find(const char *name);

/* Adds what format "human" does, with colors or without. */
void format_add_human(struct ovi_strbuf *text, const struct probe_survey *survey, int in_color);

void format_add_json(struct ovi_strbuf *text, const struct probe_survey *survey);
void format_add_jsonl(struct ovi_strbuf *text, const struct probe_survey *survey);
void format_add_tap(struct ovi_strbuf *text, const struct probe_survey *survey);
void format_add_junit(struct ovi_strbuf *text, const struct probe_survey *survey);

void format_add_npd(struct ovi_strbuf *text, const struct probe_survey *survey);
void format_add_npd_failure(struct ovi_strbuf *text, const char *message);
void format_add_nagios(struct ovi_strbuf *text, const struct probe_survey *survey);
void format_add_nagios_failure(struct ovi_strbuf *text, const char *message);
int format_nagios_exit_code(const struct probe_survey *survey);
void format_add_prometheus(struct ovi_strbuf *text, const struct probe_survey *survey);
void format_add_prometheus_all(struct ovi_strbuf *text, const struct probe_survey *survey);

void format_add_nfd(struct ovi_strbuf *text, const struct probe_survey *survey);
void format_add_ansible(struct ovi_strbuf *text, const struct probe_survey *survey);
void format_add_ansible_failure(struct ovi_strbuf *text, const char *message);
int format_always_0(const struct probe_survey *survey);

/*
 * The finding that matters most: the first that failed, else that is required and could
 * not tell, else that warns. NULL when all is well.
 */
const struct probe_finding *format_worst(const struct probe_survey *survey);

/*
 * Adds "partial, not asked: d_type, max_depth" when what the profile requires was not all
 * asked, else nothing.
 */
void format_add_partial(struct ovi_strbuf *text, const struct probe_survey *survey);

/* A text in survey's `host` or `target`; "unknown" when it has none. */
const char *format_fact(const json_t *object, const char *key);
