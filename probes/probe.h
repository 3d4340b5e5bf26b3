#pragma once

/*
 * Probes: can this host carry container layers? A probe asks the running kernel
 * and filesystem one yes-or-no question by trying it. A profile says which answers
 * a container engine requires, wants or merely likes. A survey asks all probes of a
 * profile about one directory and gives a verdict.
 *
 * To add a probe: add a row to the table of its family (families.h), and one to the
 * profiles that care. Nothing else in the project changes.
 *
 * A survey is printed by one of the formats of format.h.
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

	/* 1: all other probes are asked as well, without weight. */
	int takes_all;

	/* Needs that have to hold in the second directory too, a NULL at the end; or NULL. */
	const char *const *also;
};

/* Ends with a row whose id is NULL; the first one is the default. */
extern const struct probe_profile probe_profiles[];

/* NULL when there is no such profile. */
const struct probe_profile *probe_profile_find(const char *id);

/* What `profile` says about the probe with this id; NULL when it does not need it. */
const struct probe_need *probe_profile_need(const struct probe_profile *profile, const char *id);

/* A need without weight, for a probe that a profile does not name. */
struct probe_need probe_need_beyond(const char *id);

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
 * `ret_outcomes` has one for each, in their order. Lines of the kernel log are from runs
 * of one probe alone. After a signal those that had not ended by then have no evidence.
 */
int probe_run_all(const struct probe *const *probes, const struct probe_runner *runner,
                  struct probe_outcome *ret_outcomes);

/* --------------------------------------------------------------- surveys -- */

/* Somebody's word that an unwanted answer is accepted for a while. */
struct probe_waiver {
	/* Of the probe. */
	const char *id;

	/* fnmatch(3) pattern of the directory; NULL for any. */
	const char *target;

	const char *reason;

	/* Last day that it holds, in UTC: "2027-01-31". */
	const char *expires;

	/* NULL when nobody signed. */
	const char *approved_by;
};

enum probe_verdict {
	PROBE_PASS,
	PROBE_FAIL,
	PROBE_WARN,
	PROBE_UNDECIDED,
	PROBE_INFO,

	/* Would be a fail or a warn, were it not waived. */
	PROBE_WAIVED
};
#define PROBE_VERDICT_COUNT 6

struct probe_finding {
	const struct probe *probe;
	const struct probe_need *need;
	struct probe_outcome outcome;
	enum probe_verdict verdict;

	/* The one that is for it, whether it still holds or not; or NULL. */
	const struct probe_waiver *waiver;
};

/* The program's exit codes as well. */
enum probe_conclusion { PROBE_QUALIFIED, PROBE_NOT_QUALIFIED, PROBE_UNDETERMINED };

/* A second directory that some needs are about. */
struct probe_also {
	const char *path; /* absolute */
	int fd;
};

/* Start from all zeroes. */
struct probe_survey {
	const struct probe_profile *profile;
	const char *path; /* absolute; borrowed */

	/* Borrowed while the survey runs; NULL when there is none. */
	const struct probe_also *also;

	/* Of all that was asked; released by probe_survey_release(), as all below. */
	struct probe_finding *findings;
	size_t count;
	size_t verdict_counts[PROBE_VERDICT_COUNT];
	enum probe_conclusion conclusion;

	/*
	 * Ids of what the profile requires and the run did not ask. With any the survey
	 * is partial: it can fail, never qualify.
	 */
	const char **not_asked;
	size_t not_asked_count;

	char started[32]; /* RFC 3339, UTC */
	double duration_ms;

	/* As FORMAT.md has them. */
	json_t *host;
	json_t *target;

	/* The words that started the program, or NULL. */
	json_t *command;

	/* What the findings point to besides the tables. */
	struct probe_need *beyond;
	struct probe_loaded *loaded;
};

/*
 * Asks what `profile` needs; or only those of all probes whose id one of the fnmatch(3)
 * patterns in `only` (NULL at the end) names, weighted by the profile. What it requires
 * beyond these is noted as not asked. First deletes what killed runs left in the target.
 *
 * Returns 0, the signal that ended it, or negative.
 */
int probe_survey_run(struct probe_survey *survey, const char *const *only,
                     const struct probe_runner *runner, struct ovl2_error *err);

/*
 * Fills `survey` from the document in file `path` ("-": standard input), which this or
 * another version of the program wrote.
 *
 * Errors: OVL2_E_INVALID when it is no such document or contradicts itself.
 */
int probe_survey_read(struct probe_survey *survey, const char *path, struct ovl2_error *err);

void probe_survey_release(struct probe_survey *survey);

/*
 * Applies the `count` waivers, which have to outlive the survey. One turns a fail or a
 * warn into a waived when it has not expired at the survey's start. What could not be
 * found out cannot be waived.
 */
void probe_survey_waive(struct probe_survey *survey, const struct probe_waiver *waivers,
                        size_t count);

/* Had the finding's waiver expired? 0 when it has none. */
int probe_waiver_is_expired(const struct probe_finding *finding, const struct probe_survey *survey);

/* Does it stand in the way of qualification? */
int probe_finding_is_culprit(const struct probe_finding *finding);

/* "ovl2-probe/1" of FORMAT.md. A new reference, or NULL. */
json_t *probe_survey_json(const struct probe_survey *survey);

/* One element of the document's `probes`. */
json_t *probe_finding_json(const struct probe_finding *finding, const struct probe_survey *survey);

/* What to do about it; NULL when nothing is to be done. */
const char *probe_finding_remedy(const struct probe_finding *finding);

/* Words as the JSON has them. */
const char *probe_answer_name(enum probe_answer answer);
const char *probe_reason_name(enum probe_reason reason); /* NULL for NONE */
const char *probe_verdict_name(enum probe_verdict verdict);
const char *probe_level_name(enum probe_level level);
const char *probe_conclusion_name(enum probe_conclusion conclusion);
