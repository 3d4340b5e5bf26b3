#include "survey.h"

#include "cleanup.h"
#include "environment.h"
#include "fail.h"
#include "scratch.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ------------------------------------------------------------------ words -- */

const char *probe_answer_name(enum probe_answer answer)
{
	static const char *const names[] = {
		[PROBE_UNKNOWN] = "unknown", [PROBE_NO] = "no", [PROBE_YES] = "yes"
	};

	return names[answer];
}

const char *probe_reason_name(enum probe_reason reason)
{
	static const char *const names[PROBE_REASON_COUNT] = {
		[PROBE_REASON_NOPERM] = "noperm",
		[PROBE_REASON_NOSUPPORT] = "nosupport",
		[PROBE_REASON_NOSPACE] = "nospace",
		[PROBE_REASON_TIMEOUT] = "timeout",
		[PROBE_REASON_CRASH] = "crash",
		[PROBE_REASON_MISSING_TOOL] = "missing-tool",
		[PROBE_REASON_NOT_APPLICABLE] = "not-applicable",
		[PROBE_REASON_ERROR] = "error",
	};

	return names[reason];
}

const char *probe_verdict_name(enum probe_verdict verdict)
{
	static const char *const names[PROBE_VERDICT_COUNT] = {
		[PROBE_PASS] = "pass",         [PROBE_FAIL] = "fail", [PROBE_WARN] = "warn",
		[PROBE_UNDECIDED] = "unknown", [PROBE_INFO] = "info", [PROBE_WAIVED] = "waived",
	};

	return names[verdict];
}

const char *probe_level_name(enum probe_level level)
{
	static const char *const names[] = {
		[PROBE_REQUIRED] = "required",
		[PROBE_WANTED] = "wanted",
		[PROBE_ADVISED] = "advised",
	};

	return names[level];
}

const char *probe_conclusion_name(enum probe_conclusion conclusion)
{
	static const char *const names[] = {
		[PROBE_QUALIFIED] = "qualified",
		[PROBE_NOT_QUALIFIED] = "not_qualified",
		[PROBE_UNDETERMINED] = "undetermined",
	};

	return names[conclusion];
}

/* --------------------------------------------------------------- verdicts -- */

static enum probe_verdict judge_answer(const struct probe_need *need, enum probe_answer answer)
{
	static const enum probe_verdict unwanted[] = {
		[PROBE_REQUIRED] = PROBE_FAIL,
		[PROBE_WANTED] = PROBE_WARN,
		[PROBE_ADVISED] = PROBE_INFO,
	};

	if (answer == PROBE_UNKNOWN)
		return PROBE_UNDECIDED;

	return (answer == PROBE_YES) == need->want ? PROBE_PASS : unwanted[need->level];
}

int probe_waiver_is_expired(const struct probe_finding *finding, const struct probe_survey *survey)
{
	/* Both begin with the date, and dates of this form sort as text. */
	return finding->waiver &&
	       strncmp(finding->waiver->expires, survey->started, strlen("2027-01-31")) < 0;
}

static enum probe_verdict judge(const struct probe_finding *finding,
                                const struct probe_survey *survey)
{
	enum probe_verdict verdict = judge_answer(finding->need, finding->outcome.answer);

	if ((verdict == PROBE_FAIL || verdict == PROBE_WARN) && finding->waiver &&
	    !probe_waiver_is_expired(finding, survey))
		return PROBE_WAIVED;

	return verdict;
}

int probe_finding_is_culprit(const struct probe_finding *finding)
{
	return finding->verdict == PROBE_FAIL ||
	       (finding->verdict == PROBE_UNDECIDED && finding->need->level == PROBE_REQUIRED);
}

void survey_judge(struct probe_survey *survey)
{
	memset(survey->verdict_counts, 0, sizeof(survey->verdict_counts));
	survey->conclusion = survey->not_asked_count ? PROBE_UNDETERMINED : PROBE_QUALIFIED;

	for (size_t i = 0; i < survey->count; i++) {
		struct probe_finding *finding = &survey->findings[i];

		finding->verdict = judge(finding, survey);
		survey->verdict_counts[finding->verdict]++;
		if (finding->verdict == PROBE_FAIL)
			survey->conclusion = PROBE_NOT_QUALIFIED;
		else if (probe_finding_is_culprit(finding) && survey->conclusion == PROBE_QUALIFIED)
			survey->conclusion = PROBE_UNDETERMINED;
	}
}

static const struct probe_waiver *find_waiver(const struct probe_survey *survey, const char *id,
                                              const struct probe_waiver *waivers, size_t count)
{
	const struct probe_waiver *found = NULL;

	/* Of several, the one that holds longest. */
	for (size_t i = 0; i < count; i++) {
		const struct probe_waiver *waiver = &waivers[i];

		if (strcmp(waiver->id, id) != 0)
			continue;
		if (waiver->target && fnmatch(waiver->target, survey->path, 0) != 0)
			continue;
		if (!found || strcmp(waiver->expires, found->expires) > 0)
			found = waiver;
	}

	return found;
}

void probe_survey_waive(struct probe_survey *survey, const struct probe_waiver *waivers,
                        size_t count)
{
	for (size_t i = 0; i < survey->count; i++) {
		struct probe_finding *finding = &survey->findings[i];
		const struct probe_waiver *waiver =
			find_waiver(survey, finding->probe->id, waivers, count);

		if (waiver)
			finding->waiver = waiver;
	}
	survey_judge(survey);
}

/* ----------------------------------------------------------------- choice -- */

static int is_chosen(const char *id, const char *const *only)
{
	for (; only && *only; only++)
		if (fnmatch(*only, id, 0) == 0)
			return 1;

	return !only;
}

static void add_finding(struct probe_survey *survey, const struct probe_need *need)
{
	survey->findings[survey->count++] = (struct probe_finding){
		.probe = probe_find(need->id),
		.need = need,
	};
}

/* Each probe is asked once at most. */
static void make_room(struct probe_survey *survey)
{
	size_t count = 1;

	survey->count = 0;
	while (probe_at(count - 1))
		count++;
	survey->findings = calloc(count, sizeof(*survey->findings));
	survey->beyond = calloc(count, sizeof(*survey->beyond));
	survey->not_asked = calloc(count, sizeof(*survey->not_asked));
}

/* What the profile needs in its order; what is asked besides in the registry's. */
static void choose(struct probe_survey *survey, const char *const *only)
{
	const struct probe_profile *profile = survey->profile;
	const struct probe *probe;

	for (const struct probe_need *need = profile->needs; need->id; need++)
		if (is_chosen(need->id, only))
			add_finding(survey, need);
		else if (need->level == PROBE_REQUIRED)
			survey->not_asked[survey->not_asked_count++] = need->id;

	for (size_t i = 0; (probe = probe_at(i)); i++) {
		struct probe_need *need = &survey->beyond[survey->count];

		if (probe_profile_need(profile, probe->id))
			continue;
		if (!(only || profile->takes_all) || !is_chosen(probe->id, only))
			continue;
		*need = probe_need_beyond(probe->id);
		add_finding(survey, need);
	}
}

/* -------------------------------------------------------------------- run -- */

static double elapsed_ms(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);

	return (double)(now.tv_sec - start->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - start->tv_nsec) / 1e6;
}

void survey_tidy(char *text)
{
	json_t *value = json_string(text);
	int is_utf8 = value != NULL;

	json_decref(value);
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte == '\n' || byte == '\t')
			*text = ' ';
		else if (byte < ' ' || byte == 0x7f || (byte > 0x7f && !is_utf8))
			*text = '?';
	}
}

static int run_probes(struct probe_survey *survey, const struct probe_runner *runner,
                      struct ovl2_error *err)
{
	cleanup_free const struct probe **probes = NULL;
	cleanup_free struct probe_outcome *outcomes = NULL;
	int sig;

	probes = calloc(survey->count + 1, sizeof(const struct probe *));
	outcomes = calloc(survey->count + 1, sizeof(*outcomes));
	if (!probes || !outcomes)
		return ovi_fail_memory(err);
	for (size_t i = 0; i < survey->count; i++)
		probes[i] = survey->findings[i].probe;

	sig = probe_run_all(probes, runner, outcomes);
	for (size_t i = 0; i < survey->count; i++) {
		survey->findings[i].outcome = outcomes[i];
		survey_tidy(survey->findings[i].outcome.evidence);
	}

	return sig;
}

static int badness(const struct probe_need *need, const struct probe_outcome *outcome)
{
	if (outcome->answer == PROBE_UNKNOWN)
		return 1;

	return (outcome->answer == PROBE_YES) == need->want ? 0 : 2;
}

/* The need has to hold in both: of the two answers the less wanted, evidence of both. */
static void merge(struct probe_finding *finding, const struct probe_outcome *other,
                  const char *path)
{
	const struct probe_outcome first = finding->outcome;
	int is_worse = badness(finding->need, other) > badness(finding->need, &first);

	if (is_worse)
		finding->outcome = *other;
	finding->outcome.duration_ms = first.duration_ms + other->duration_ms;
	(void)snprintf(finding->outcome.evidence, sizeof(finding->outcome.evidence),
	               "%.200s; in '%.80s': %.200s", first.evidence, path, other->evidence);
	survey_tidy(finding->outcome.evidence);
}

static int is_also(const struct probe_profile *profile, const char *id)
{
	for (const char *const *also = profile->also; also && *also; also++)
		if (strcmp(*also, id) == 0)
			return 1;

	return 0;
}

static int run_also(struct probe_survey *survey, struct probe_runner runner)
{
	runner.target = survey->also->fd;
	for (size_t i = 0; i < survey->count; i++) {
		struct probe_outcome outcome = { 0 };
		int sig;

		if (!is_also(survey->profile, survey->findings[i].need->id))
			continue;
		sig = probe_run(survey->findings[i].probe, &runner, &outcome);
		if (sig)
			return sig;
		merge(&survey->findings[i], &outcome, survey->also->path);
	}

	return 0;
}

int probe_survey_run(struct probe_survey *survey, const char *const *only,
                     const struct probe_runner *runner, struct ovl2_error *err)
{
	struct timespec start;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &start);
	environment_time(survey->started);
	survey->host = environment_host();
	survey->target = environment_target(runner->target, survey->path);
	make_room(survey);
	if (!survey->host || !survey->target || !survey->findings || !survey->beyond ||
	    !survey->not_asked)
		return ovi_fail_memory(err);

	/* Leftovers that cannot be deleted disturb nobody but their owner. */
	ovi_scratch_sweep(runner->target, NULL);

	choose(survey, only);
	r = run_probes(survey, runner, err);
	if (r == 0 && survey->also)
		r = run_also(survey, *runner);
	survey_judge(survey);
	survey->duration_ms = elapsed_ms(&start);

	return r;
}

void probe_survey_release(struct probe_survey *survey)
{
	json_decref(survey->host);
	json_decref(survey->target);
	json_decref(survey->command);
	survey->host = NULL;
	survey->target = NULL;
	survey->command = NULL;
	free(survey->findings);
	free(survey->beyond);
	free(survey->not_asked);
	survey->findings = NULL;
	survey->beyond = NULL;
	survey->not_asked = NULL;
	survey_free_loaded(survey->loaded);
	survey->loaded = NULL;
}
