#pragma once

/*
 * Probes: can this host carry container layers? A probe asks the running kernel
 * and filesystem one yes-or-no question by trying it. A profile says which answers
 * a container engine requires, wants or merely likes. A survey asks all probes of a
 * profile about one directory and gives a verdict.
 *
 * To add a probe: add a row to the table of its family (families.h), and one to the
 * profiles that care. Nothing else in the project changes.
 */

#include <ovl2.h>

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/* ---------------------------------------------------------------- probes -- */

enum probe_answer { PROBE_UNKNOWN, PROBE_NO, PROBE_YES };

/* Why it could not be found out; the words are in probe_reason_name(). */
enum probe_reason {
	PROBE_REASON_NONE,

	/* This process may not do what the question takes. */
	PROBE_REASON_NOPERM,

	/* Something that the question takes, but is not about, is missing here. */
	PROBE_REASON_NOSUPPORT,

	/* No room, no inode or no quota left. */
	PROBE_REASON_NOSPACE,

	PROBE_REASON_TIMEOUT,
	PROBE_REASON_CRASH,

	/* A program that the question takes is not installed. */
	PROBE_REASON_MISSING_TOOL,

	/* The question makes no sense here. */
	PROBE_REASON_NOT_APPLICABLE,

	/* Anything else that was in the way: an I/O error, a read-only filesystem. */
	PROBE_REASON_ERROR
};
#define PROBE_REASON_COUNT 9

/*
 * 1 for yes, 0 for no, negative when it could not be found out. `directory` is on
 * the filesystem in question; whatever is made in it is gone when this returns.
 */
typedef int probe_fn(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err);

/*
 * What such a function returns when the reason is none that an errno tells: a missing
 * program, a question that makes no sense here.
 */
int probe_unknown(struct ovl2_error *err, enum probe_reason reason, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

struct probe {
	/* Key in the JSON output; never renamed. */
	const char *id;

	/* What it is about: "kernel", "filesystem", "overlay", "security", "tools". */
	const char *group;

	/* The question, as a sentence. */
	const char *title;

	/* What depends on the answer. */
	const char *why;

	/* What is done to find out, call by call. */
	const char *how;

	/* What brought it, for readers. No code compares versions. */
	const char *since;

	/* What to do about an unwanted answer: lines, commands indented by two spaces. */
	const char *remedy;

	probe_fn *run;
};

/* All probes in reporting order; NULL from the first `index` on that has none. */
const struct probe *probe_at(size_t index);

/* NULL when no probe has that id. */
const struct probe *probe_find(const char *id);

/* -------------------------------------------------------------- profiles -- */

enum probe_level { PROBE_REQUIRED, PROBE_WANTED, PROBE_ADVISED };

struct probe_need {
	/* Id of the probe. Rows end with one whose id is NULL. */
	const char *id;

	enum probe_level level;

	/* 1 or 0: the answer that is good. */
	int want;

	/* Where this is written. */
	const char *source;
};

struct probe_profile {
	const char *id;
	const char *title;
	const struct probe_need *needs;
};

/* Ends with a row whose id is NULL; the first one is the default. */
extern const struct probe_profile probe_profiles[];

/* NULL when there is no such profile. */
const struct probe_profile *probe_profile_find(const char *id);

/* ------------------------------------------------------------------- run -- */

struct probe_outcome {
	enum probe_answer answer;

	/* NONE unless the answer is unknown. */
	enum probe_reason reason;

	/* What was seen, or why it could not be found out. One line. */
	char evidence[512];

	/* The figure in the evidence, or 0. */
	uint64_t value;

	double duration_ms;
};

struct probe_runner {
	/* The directory asked about. */
	int target;

	/* For each probe, milliseconds. */
	int timeout_ms;

	/* signalfd(2) of blocked signals that end the run, or -1. */
	int signals;

	/* How many probes may run at once, at most PROBE_MAX_JOBS; 0 for one. */
	int jobs;
};

#define PROBE_MAX_JOBS 64

/*
 * Runs `probe` in a child process with mounts of its own, so that nothing it does
 * outlives it, however it ends. A probe that crashes or takes too long could not
 * tell.
 *
 * Returns 0, or the signal that arrived meanwhile; the child is gone then as well.
 */
int probe_run(const struct probe *probe, const struct probe_runner *runner,
              struct probe_outcome *ret_outcome);

/*
 * The same for each of `probes`, up to a NULL, as many at once as the runner has jobs;
 * `ret_outcomes` has one for each, in their order. After a signal those that had not
 * ended by then have no evidence.
 */
int probe_run_all(const struct probe *const *probes, const struct probe_runner *runner,
                  struct probe_outcome *ret_outcomes);

/* --------------------------------------------------------------- surveys -- */

enum probe_verdict { PROBE_PASS, PROBE_FAIL, PROBE_WARN, PROBE_UNDECIDED, PROBE_INFO };
#define PROBE_VERDICT_COUNT 5

struct probe_finding {
	const struct probe *probe;
	const struct probe_need *need;
	struct probe_outcome outcome;
	enum probe_verdict verdict;
};

#define PROBE_MAX_FINDINGS 128

/* The program's exit codes as well. */
enum probe_conclusion { PROBE_QUALIFIED, PROBE_NOT_QUALIFIED, PROBE_UNDETERMINED };

struct probe_survey {
	const struct probe_profile *profile;
	const char *path; /* absolute; borrowed */

	struct probe_finding findings[PROBE_MAX_FINDINGS];
	size_t count;
	size_t verdict_counts[PROBE_VERDICT_COUNT];
	enum probe_conclusion conclusion;

	char started[32]; /* RFC 3339, UTC */
	double duration_ms;

	/* As FORMAT.md has them; released by probe_survey_release(). */
	json_t *host;
	json_t *target;
};

/*
 * Asks what `profile` needs, or of that only the probes in `only` (NULL at the end;
 * NULL itself means all). First deletes what killed runs left in the target.
 *
 * Returns 0, the signal that ended it, or negative.
 */
int probe_survey_run(struct probe_survey *survey, const char *const *only,
                     const struct probe_runner *runner, struct ovl2_error *err);

void probe_survey_release(struct probe_survey *survey);

/* "ovl2-probe/1" of FORMAT.md; `argv` ends with NULL. A new reference, or NULL. */
json_t *probe_survey_json(const struct probe_survey *survey, char *const *argv);

/* For people: a line a probe, what to do about those that failed, the verdict. */
void probe_survey_print(const struct probe_survey *survey, int in_color, FILE *out);

/* Words as the JSON has them. */
const char *probe_answer_name(enum probe_answer answer);
const char *probe_reason_name(enum probe_reason reason); /* NULL for NONE */
const char *probe_verdict_name(enum probe_verdict verdict);
const char *probe_level_name(enum probe_level level);
