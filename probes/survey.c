#include "probe.h"

#include "cleanup.h"
#include "environment.h"
#include "fail.h"
#include "scratch.h"

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
		[PROBE_UNDECIDED] = "unknown", [PROBE_INFO] = "info",
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

/* --------------------------------------------------------------- verdicts -- */

static enum probe_verdict judge(const struct probe_need *need, enum probe_answer answer)
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

static enum probe_conclusion conclude(const struct probe_survey *survey)
{
	if (survey->verdict_counts[PROBE_FAIL] > 0)
		return PROBE_NOT_QUALIFIED;

	for (size_t i = 0; i < survey->count; i++)
		if (survey->findings[i].verdict == PROBE_UNDECIDED &&
		    survey->findings[i].need->level == PROBE_REQUIRED)
			return PROBE_UNDETERMINED;

	return PROBE_QUALIFIED;
}

/* -------------------------------------------------------------------- run -- */

static int is_chosen(const char *id, const char *const *only)
{
	if (!only)
		return 1;

	for (; *only; only++)
		if (strcmp(*only, id) == 0)
			return 1;

	return 0;
}

static double elapsed_ms(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);

	return (double)(now.tv_sec - start->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - start->tv_nsec) / 1e6;
}

static int run_probes(struct probe_survey *survey, const char *const *only,
                      const struct probe_runner *runner)
{
	for (const struct probe_need *need = survey->profile->needs; need->id; need++) {
		struct probe_finding *finding = &survey->findings[survey->count];
		int sig;

		if (!is_chosen(need->id, only) || survey->count == PROBE_MAX_FINDINGS)
			continue;

		finding->probe = probe_find(need->id);
		finding->need = need;
		sig = probe_run(finding->probe, runner, &finding->outcome);
		if (sig)
			return sig;

		finding->verdict = judge(need, finding->outcome.answer);
		survey->verdict_counts[finding->verdict]++;
		survey->count++;
	}

	return 0;
}

int probe_survey_run(struct probe_survey *survey, const char *const *only,
                     const struct probe_runner *runner, struct ovl2_error *err)
{
	struct timespec start;
	int sig;

	clock_gettime(CLOCK_MONOTONIC, &start);
	environment_time(survey->started);
	survey->host = environment_host();
	survey->target = environment_target(runner->target, survey->path);
	if (!survey->host || !survey->target)
		return ovi_fail_memory(err);

	/* Leftovers that cannot be deleted disturb nobody but their owner. */
	ovi_scratch_sweep(runner->target, NULL);

	sig = run_probes(survey, only, runner);
	survey->conclusion = conclude(survey);
	survey->duration_ms = elapsed_ms(&start);

	return sig;
}

void probe_survey_release(struct probe_survey *survey)
{
	json_decref(survey->host);
	json_decref(survey->target);
	survey->host = NULL;
	survey->target = NULL;
}
