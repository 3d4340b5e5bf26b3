#include "families.h"
#include "place.h"

#include "cleanup.h"
#include "fail.h"
#include "probe.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/*
 * What it costs to ask a host: the probes of an engine, of all engines, or all that there
 * are, one after another. The floor is what keeps each of them apart from the host: a
 * process with mounts of its own that asks nothing.
 */

#define TIMEOUT_MS 5000

struct state {
	const struct probe **probes; /* NULL at the end */
	size_t count;
	struct probe_outcome *outcomes;
};

static int is_asked(const char *variant, const char *id)
{
	if (strcmp(variant, "all") == 0)
		return 1;
	for (const struct probe_profile *profile = probe_profiles; profile->id; profile++)
		if ((strcmp(variant, "engines") == 0 || strcmp(variant, profile->id) == 0) &&
		    probe_profile_need(profile, id))
			return 1;

	return 0;
}

static int setup(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = calloc(1, sizeof(*state));
	const struct probe *probe;
	size_t total = 0;

	if (!state)
		return ovi_fail_memory(err);
	c->state = state;
	while (probe_at(total))
		total++;
	state->probes = calloc(total + 1, sizeof(*state->probes));
	state->outcomes = calloc(total, sizeof(*state->outcomes));
	if (!state->probes || !state->outcomes)
		return ovi_fail_memory(err);
	for (size_t i = 0; (probe = probe_at(i)); i++)
		if (is_asked(c->variant, probe->id))
			state->probes[state->count++] = probe;

	return 0;
}

static int teardown(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	(void)err;
	if (!state)
		return 0;
	free(state->probes);
	free(state->outcomes);
	free(state);
	c->state = NULL;

	return 0;
}

static int run_probes(struct bench_case *c, struct ovl2_error *err)
{
	const struct probe_runner runner = {
		.target = c->place->root,
		.timeout_ms = TIMEOUT_MS,
		.signals = -1,
	};
	struct state *state = c->state;

	(void)err;

	return probe_run_all(state->probes, &runner, state->outcomes);
}

/* What came to no end of its own took as long as it was let. */
static int check_outcomes(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	for (size_t i = 0; i < state->count; i++)
		if (state->outcomes[i].reason == PROBE_REASON_TIMEOUT ||
		    state->outcomes[i].reason == PROBE_REASON_CRASH)
			return ovi_fail(err, OVL2_E_SYSTEM, "ask probe '%s': %s",
			                state->probes[i]->id, state->outcomes[i].evidence);

	return 0;
}

static int run_processes(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	int status = 0;

	for (size_t i = 0; i < state->count; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(unshare(CLONE_NEWNS) < 0);
		if (child < 0)
			return ovi_fail_errno(err, "start a process");
		if (waitpid(child, &status, 0) != child || status != 0)
			return ovi_fail(err, OVL2_E_SYSTEM, "make a mount namespace: failed");
	}

	return 0;
}

static const struct bench_variant variants[] = {
	{ .name = "docker" },
	{ .name = "engines" },
	{ .name = "all" },
	{ .name = NULL },
};

const struct bench bench_probe_host = {
	.id = "probe_host",
	.title = "Ask the probes of Docker, of all engines, and all there are",
	.group = "probes",
	.variants = variants,
	.weight = 1,
	.is_full_only = 1,
	.setup = setup,
	.teardown = teardown,
	.ours = { .title = "probe_run_all", .run = run_probes, .after = check_outcomes },
	.floor = { .title = "fork, unshare(CLONE_NEWNS), _exit for each", .run = run_processes },
};
