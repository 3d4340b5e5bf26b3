// SPDX-License-Identifier: MIT
#include "support/fault.h"
#include "support/test.h"

#include "leftovers.h"

#include "dir.h"
#include "probe.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/*
 * Every probe, broken at every call that it makes through the driver's table: killed
 * there it leaves nothing behind, and a call that fails for reasons of its own never
 * becomes the answer no.
 */

/* Generous: sanitizers, and a machine that does other things as well. */
#define TIMEOUT_MS 30000

/*
 * Every so many calls is one broken, at other calls of each probe; all of them
 * (with OVL2_TEST_FAULTS) take a minute and a half.
 */
#define STEP 13

/* Beyond, as a probe repeats itself, ever fewer. */
#define CLOSE_CALLS 80

static size_t step = STEP;

/* Shared with the process that the probe runs in. */
struct break_at {
	const struct probe *probe;
	enum test_fault_kind kind;
	size_t at;
	int sys;

	/* How many calls there were; 0 while it has not come to its end. */
	size_t calls;
};

static struct break_at *point;

/* Armed in the probe's own process only: the runner's calls work. */
static int run_broken(int directory, struct ovl2_evidence *evidence, struct ovl2_error *err)
{
	int r;

	test_fault_arm(point->kind, point->at, point->sys);
	r = point->probe->run(directory, evidence, err);
	point->calls = test_fault_disarm();

	return r;
}

static struct probe_outcome run(const struct test_place *place, enum test_fault_kind kind,
                                size_t at, int sys)
{
	const struct probe broken = { .id = point->probe->id, .run = run_broken };
	const struct probe_runner runner = {
		.target = place->fd,
		.timeout_ms = TIMEOUT_MS,
		.signals = -1,
	};
	struct probe_outcome outcome = { 0 };

	point->kind = kind;
	point->at = at;
	point->sys = sys;
	point->calls = 0;
	assert_int_equal(probe_run(&broken, &runner, &outcome), 0);

	return outcome;
}

/* The first call is always one of them: what opens what is asked. */
static size_t next_call(size_t at, size_t probe)
{
	if (at == 1 && probe % step)
		return 1 + probe % step;

	return at < CLOSE_CALLS ? at + step : at + at / 2;
}

/* An inode that has no room for an attribute says ENOSPC: that is the answer. */
static int is_answer(const struct probe *probe, int sys)
{
	return sys == ENOSPC && strcmp(probe->id, "xattr_room") == 0;
}

static void assert_clean(const struct test_place *place, struct test_resources before, size_t at)
{
	if (ovi_dir_is_empty(place->fd, "place", NULL) != 1)
		fail_msg("%s, broken at call %zu, leaves something", point->probe->id, at);
	assert_nothing_left(before);
}

static void kill_at_any_call_leaves_nothing(void **state)
{
	struct test_place *place = *state;
	struct test_resources before = test_resources_count();
	size_t points = 0;

	for (size_t i = 0; (point->probe = probe_at(i)); i++) {
		size_t calls;

		run(place, TEST_FAULT_NONE, 0, 0);
		calls = point->calls;
		for (size_t at = 1; at <= calls; at = next_call(at, i), points++) {
			struct probe_outcome outcome = run(place, TEST_FAULT_CRASH, at, 0);

			assert_int_equal(outcome.answer, PROBE_UNKNOWN);
			assert_int_equal(outcome.reason, PROBE_REASON_CRASH);
			assert_clean(place, before, at);
		}
	}
	print_message("killed at %zu calls\n", points);
	assert_true(points > 100);
}

/* Whichever call fails, a yes stays yes, or it could not be told; and so does a no. */
static void mishap_is_never_an_answer(void **state)
{
	struct test_place *place = *state;
	int sys = *(const int *)place->row;
	struct test_resources before = test_resources_count();
	size_t wrong = 0;
	size_t points = 0;

	for (size_t i = 0; (point->probe = probe_at(i)); i++) {
		enum probe_answer usual = run(place, TEST_FAULT_NONE, 0, 0).answer;
		size_t calls = point->calls;

		for (size_t at = 1; at <= calls; at = next_call(at, i), points++) {
			struct probe_outcome outcome = run(place, TEST_FAULT_ONCE, at, sys);

			if (outcome.answer != usual && outcome.answer != PROBE_UNKNOWN &&
			    !is_answer(point->probe, sys)) {
				print_message("%s, call %zu: %s\n", point->probe->id, at,
				              outcome.evidence);
				wrong++;
			}
			if (strstr(outcome.evidence, strerror(sys)) && sys == ENOSPC &&
			    outcome.answer == PROBE_UNKNOWN &&
			    outcome.reason != PROBE_REASON_NOSPACE)
				fail_msg("%s, call %zu, is '%s': %s", point->probe->id, at,
				         probe_reason_name(outcome.reason), outcome.evidence);
			assert_nothing_left(before);
		}
	}
	print_message("failed at %zu calls\n", points);
	assert_int_equal(wrong, 0);
}

int main(int argc, char **argv)
{
	static const int eio = EIO;
	static const int enospc = ENOSPC;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kill_at_any_call_leaves_nothing),
		test_case("I/O error is never an answer", mishap_is_never_an_answer, &eio),
		test_case("full disk is never an answer", mishap_is_never_an_answer, &enospc),
	};

	if (getenv("OVL2_TEST_FAULTS"))
		step = 1;
	point = mmap(NULL, sizeof(*point), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	             0);
	if (point == MAP_FAILED)
		return 1;
	test_enter_namespace();
	test_fault_install();

	return test_run("breaks", tests, ARRAY_SIZE(tests), argc, argv);
}
