// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "leftovers.h"

#include "answer.h"
#include "dir.h"
#include "fail.h"
#include "kernel_log.h"
#include "probe.h"
#include "scratch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

/*
 * Probes that misbehave, and what is left of them: an "unknown", and nothing else.
 */

/* ------------------------------------------------------------- bad probes -- */

/* Leaves a full scratch directory where the probe then ends badly. */
static void make_a_mess(int directory)
{
	struct ovi_scratch scratch = OVI_SCRATCH_INIT;
	char path[PATH_MAX + 8];

	if (ovi_scratch_create(directory, &scratch, NULL) < 0)
		_exit(1);
	snprintf(path, sizeof(path), "%s/mount", scratch.path);
	if (mkdir(path, 0700) < 0 || mount("tmpfs", path, "tmpfs", 0, NULL) < 0)
		_exit(1);
}

static int hang(int directory, struct ovl2_evidence *evidence, struct ovl2_error *err)
{
	(void)evidence;
	(void)err;
	make_a_mess(directory);
	while (pause() < 0)
		continue;

	return 1;
}

static int crash(int directory, struct ovl2_evidence *evidence, struct ovl2_error *err)
{
	(void)evidence;
	(void)err;
	make_a_mess(directory);
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);

	return 1;
}

static int leave(int directory, struct ovl2_evidence *evidence, struct ovl2_error *err)
{
	(void)evidence;
	(void)err;
	make_a_mess(directory);
	_exit(0);
}

static int fail_here(int directory, struct ovl2_evidence *evidence, struct ovl2_error *err)
{
	(void)directory;
	(void)evidence;
	snprintf(err->message, sizeof(err->message),
	         "open '/var/lib/.ovl2-probe-abcdefghijkl/upper': Input/output error");

	return OVL2_E_SYSTEM;
}

static int cannot_tell(int directory, struct ovl2_evidence *evidence, struct ovl2_error *err)
{
	(void)directory;
	(void)evidence;

	return probe_unknown(err, PROBE_REASON_MISSING_TOOL, "there is no '%s'", "mkfs");
}

static int fill_up(int directory, struct ovl2_evidence *evidence, struct ovl2_error *err)
{
	(void)directory;
	(void)evidence;
	errno = ENOSPC;

	return ovi_fail_errno(err, "write");
}

static int answer_no(int directory, struct ovl2_evidence *evidence, struct ovl2_error *err)
{
	(void)directory;
	(void)err;
	snprintf(evidence->text, sizeof(evidence->text), "seen");
	evidence->value = 42;

	return 0;
}

/* A mount that is attached in the target itself. */
static int mount_in_sight(int directory, struct ovl2_evidence *evidence, struct ovl2_error *err)
{
	char path[32];

	(void)err;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", directory);
	snprintf(evidence->text, sizeof(evidence->text), "mounted");

	return mount("tmpfs", path, "tmpfs", 0, NULL) == 0;
}

/* From the one that listens to the one that speaks, and back. */
static int to_speaker[2];
static int to_listener[2];

/* Opens its window on the kernel log, and looks when the other has spoken. */
static int listen_to_log(int directory, struct ovl2_evidence *evidence, struct ovl2_error *err)
{
	const struct ovl2_error reason = { .message = "refused" };
	cleanup_fd int log = ovi_kernel_log_open();
	char turn = 0;

	(void)directory;
	(void)err;
	if (write(to_speaker[1], &turn, 1) != 1 || read(to_listener[0], &turn, 1) != 1)
		_exit(1);

	return ovi_answer_refused(evidence, 0, "mount", &reason, log);
}

/* Twice the answer: the other may listen again, when this one is no longer there. */
static int speak_to_log(int directory, struct ovl2_evidence *evidence, struct ovl2_error *err)
{
	static const char words[] = "overlayfs: said to ovl2's own test\n";
	cleanup_fd int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	char turns[2] = { 0 };

	(void)directory;
	(void)evidence;
	(void)err;
	if (read(to_speaker[0], turns, 1) != 1 || write(log, words, strlen(words)) < 0 ||
	    write(to_listener[1], turns, sizeof(turns)) != sizeof(turns))
		_exit(1);

	return 1;
}

/* ------------------------------------------------------------------ tests -- */

static struct probe_outcome run(const struct test_place *place, probe_fn *function, int signals,
                                int *ret_signal)
{
	const struct probe probe = { .id = "test", .run = function };
	const struct probe_runner runner = {
		.target = place->fd,
		.timeout_ms = 300,
		.signals = signals,
	};
	struct test_resources before = test_resources_count();
	struct probe_outcome outcome = { 0 };

	*ret_signal = probe_run(&probe, &runner, &outcome);
	assert_nothing_left(before);
	assert_int_equal(ovi_dir_is_empty(place->fd, "place", NULL), 1);

	return outcome;
}

struct row {
	probe_fn *function;
	enum probe_answer answer;
	enum probe_reason reason;
	const char *evidence;
	uint64_t value;
};

static void outcome_is_told(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	struct probe_outcome outcome;
	int sig;

	outcome = run(place, row->function, -1, &sig);
	assert_int_equal(sig, 0);
	assert_int_equal(outcome.answer, row->answer);
	assert_int_equal(outcome.reason, row->reason);
	assert_string_equal(outcome.evidence, row->evidence);
	assert_int_equal(outcome.value, row->value);
}

/* Also those behind the one that hangs, and the one that crashes. */
static void many_run_at_once(void **state)
{
	static const struct probe bad[] = {
		{ .id = "hang", .run = hang },   { .id = "answer", .run = answer_no },
		{ .id = "crash", .run = crash }, { .id = "answer", .run = answer_no },
		{ .id = "hang", .run = hang },   { .id = "mount", .run = mount_in_sight },
	};
	const struct probe *probes[ARRAY_SIZE(bad) + 1] = { NULL };
	struct test_place *place = *state;
	struct test_resources before = test_resources_count();
	struct probe_outcome outcomes[ARRAY_SIZE(bad)];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		probes[i] = &bad[i];

	for (int jobs = 0; jobs <= 8; jobs += 2) {
		const struct probe_runner runner = {
			.target = place->fd,
			.timeout_ms = 100,
			.signals = -1,
			.jobs = jobs,
		};

		assert_int_equal(probe_run_all(probes, &runner, outcomes), 0);
		assert_int_equal(outcomes[0].reason, PROBE_REASON_TIMEOUT);
		assert_int_equal(outcomes[1].value, 42);
		assert_int_equal(outcomes[2].reason, PROBE_REASON_CRASH);
		assert_int_equal(outcomes[3].value, 42);
		assert_int_equal(outcomes[4].reason, PROBE_REASON_TIMEOUT);
		assert_int_equal(outcomes[5].answer, PROBE_YES);
		assert_nothing_left(before);
		assert_int_equal(ovi_dir_is_empty(place->fd, "place", NULL), 1);
	}
}

/* The kernel log is everybody's: a line in it may be about another probe's mount. */
static void words_about_another_probe_are_no_evidence(void **state)
{
	static const struct probe pair[] = {
		{ .id = "listen", .run = listen_to_log },
		{ .id = "speak", .run = speak_to_log },
	};
	const struct probe *const probes[] = { &pair[0], &pair[1], NULL };
	struct test_place *place = *state;
	const struct probe_runner runner = {
		.target = place->fd,
		.timeout_ms = 10000,
		.signals = -1,
		.jobs = 2,
	};
	struct probe_outcome outcomes[ARRAY_SIZE(pair)];
	cleanup_fd int log = ovi_kernel_log_open();

	if (log < 0 || access("/dev/kmsg", W_OK) < 0)
		test_skip("the kernel log is not ours to read and write");
	assert_sys(pipe2(to_speaker, O_CLOEXEC) | pipe2(to_listener, O_CLOEXEC));
	assert_int_equal(probe_run_all(probes, &runner, outcomes), 0);
	assert_int_equal(test_kernel_log_count(log, "overlayfs: ", "said to ovl2's own test"), 1);
	assert_int_equal(outcomes[0].answer, PROBE_NO);
	assert_int_equal(outcomes[1].answer, PROBE_YES);
	assert_null(strstr(outcomes[0].evidence, "own test"));
	for (size_t i = 0; i < ARRAY_SIZE(to_speaker); i++) {
		close(to_speaker[i]);
		close(to_listener[i]);
	}
}

static void signal_ends_the_run(void **state)
{
	struct test_place *place = *state;
	cleanup_fd int signals = -1;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	assert_sys(sigprocmask(SIG_BLOCK, &set, NULL));
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	assert_sys(signals);
	assert_sys(kill(getpid(), SIGTERM));

	run(place, hang, signals, &sig);
	assert_int_equal(sig, SIGTERM);
}

static void only_leftovers_are_swept(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *other = test_path("%s/.ovl2-probe-other-user", place->path);
	cleanup_free char *near = test_path("%s/.ovl2-prober", place->path);
	cleanup_free char *link = test_path("%s/.ovl2-probe-link", place->path);
	cleanup_free char *stale = test_path("%s/.ovl2-probe-stale", place->path);
	cleanup_free char *below = test_path("%s/below", stale);
	cleanup_scratch struct ovi_scratch held = OVI_SCRATCH_INIT;
	struct ovl2_error err = { 0 };

	assert_ok(ovi_scratch_create(place->fd, &held, &err), &err);
	assert_sys(mkdir(other, 0700) | mkdir(near, 0700) | mkdir(stale, 0700) |
	           mkdir(below, 0700));
	assert_sys(chown(other, 65534, 65534));
	assert_sys(symlink("/", link));

	assert_int_equal(ovi_scratch_sweep(place->fd, &err), 1);
	assert_int_equal(access(stale, F_OK), -1);
	assert_sys(access(other, F_OK));
	assert_sys(access(near, F_OK));
	assert_sys(access(held.path, F_OK));
	assert_sys(faccessat(AT_FDCWD, link, F_OK, AT_SYMLINK_NOFOLLOW));
}

static void names_of_scratch_directories_are_hidden(void **state)
{
	char text[] = "mount '/a/.ovl2-probe-abcdefghijkl/x' on '/.ovl2-probe-aaaaaaaaaaaa'";

	(void)state;
	ovi_scratch_hide(text);
	assert_string_equal(text, "mount '/a/x' on ''");
}

int main(int argc, char **argv)
{
	static const struct row rows[] = {
		{ hang, PROBE_UNKNOWN, PROBE_REASON_TIMEOUT, "no answer within 0.3 s", 0 },
		{ crash, PROBE_UNKNOWN, PROBE_REASON_CRASH, "the probe crashed: Segmentation fault",
		  0 },
		{ leave, PROBE_UNKNOWN, PROBE_REASON_CRASH, "the probe ended without an answer",
		  0 },
		{ fail_here, PROBE_UNKNOWN, PROBE_REASON_ERROR,
		  "open '/var/lib/upper': Input/output error", 0 },
		{ cannot_tell, PROBE_UNKNOWN, PROBE_REASON_MISSING_TOOL, "there is no 'mkfs'", 0 },
		{ fill_up, PROBE_UNKNOWN, PROBE_REASON_NOSPACE, "write: No space left on device",
		  0 },
		{ answer_no, PROBE_NO, PROBE_REASON_NONE, "seen", 42 },
		{ mount_in_sight, PROBE_YES, PROBE_REASON_NONE, "mounted", 0 },
	};
	const struct CMUnitTest tests[] = {
		test_case("probe that hangs", outcome_is_told, &rows[0]),
		test_case("probe that crashes", outcome_is_told, &rows[1]),
		test_case("probe that leaves", outcome_is_told, &rows[2]),
		test_case("probe that fails", outcome_is_told, &rows[3]),
		test_case("probe that answers", outcome_is_told, &rows[6]),
		test_case("probe that mounts", outcome_is_told, &rows[7]),
		test_case("probe without a tool", outcome_is_told, &rows[4]),
		test_case("probe without room", outcome_is_told, &rows[5]),
		cmocka_unit_test(many_run_at_once),
		cmocka_unit_test(words_about_another_probe_are_no_evidence),
		cmocka_unit_test(signal_ends_the_run),
		cmocka_unit_test(only_leftovers_are_swept),
		cmocka_unit_test(names_of_scratch_directories_are_hidden),
	};

	test_enter_namespace();

	return test_run("runner", tests, ARRAY_SIZE(tests), argc, argv);
}
