#include "probe.h"

#include "cleanup.h"
#include "kernel_log.h"
#include "sandbox.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

/* How long a killed child may take to go; longer, and it is left to the kernel. */
#define GRACE_MS 1000

/* How long a probe may go on after a signal, to tidy up itself. */
#define FINISH_MS 500

/* Below all codes of ovl2.h: what probe_unknown() returns, less the reason. */
#define UNKNOWN_BASE (-1000)

/* What the child sends. Smaller than PIPE_BUF, so that it arrives whole. */
struct message {
	int result;
	struct ovl2_evidence evidence;
	struct ovl2_error err;
};

int probe_unknown(struct ovl2_error *err, enum probe_reason reason, const char *format, ...)
{
	va_list args;

	if (err) {
		va_start(args, format);
		vsnprintf(err->message, sizeof(err->message), format, args);
		va_end(args);
		err->code = OVL2_E_SYSTEM;
		err->sys = 0;
	}

	return UNKNOWN_BASE - (int)reason;
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);

	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* ------------------------------------------------------------------ child -- */

static void __attribute__((noreturn))
run_child(const struct probe *probe, int target, int pipe_end, pid_t parent)
{
	struct message message = { 0 };
	struct rlimit no_core = { 0 };

	/* Whatever ends the parent ends the child, and with it all mounts. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	setrlimit(RLIMIT_CORE, &no_core);

	/* The programs that a probe starts inherit it: it ends when the last of all does. */
	fcntl(pipe_end, F_SETFD, 0);

	message.result = probe->run(sandbox_enter(target), &message.evidence, &message.err);
	_exit(write(pipe_end, &message, sizeof(message)) == sizeof(message) ? 0 : 1);
}

/* ------------------------------------------------------------------- jobs -- */

/* A probe that runs. */
struct job {
	pid_t child;
	int pipe_end; /* -1: free */
	double start_ms;
	struct probe_outcome *outcome;
};

enum event { EVENT_NONE, EVENT_ANSWER, EVENT_END, EVENT_TIMEOUT, EVENT_SIGNAL };

static enum event event_of(const struct pollfd *fd)
{
	if (!fd->revents)
		return EVENT_NONE;

	return fd->revents & POLLIN ? EVENT_ANSWER : EVENT_END;
}

/* Waits for what the child's pipe brings first. */
static enum event wait_event(int pipe_end, double until_ms)
{
	struct pollfd fd = { .fd = pipe_end, .events = POLLIN };

	for (;;) {
		double left = until_ms - now_ms();
		int r = poll(&fd, 1, left > 0 ? (int)left + 1 : 0);

		if (r == 0)
			return EVENT_TIMEOUT;
		if (r > 0)
			return event_of(&fd);
	}
}

/*
 * Ends the child and collects it. A child that the kernel does not let go, as on a
 * dead NFS server, is abandoned: it holds nothing but its own locked directory,
 * which a later run deletes.
 */
static int end_child(const struct job *job, int *ret_status)
{
	enum event event;

	kill(job->child, SIGKILL);
	while ((event = wait_event(job->pipe_end, now_ms() + GRACE_MS)) == EVENT_ANSWER) {
		char rest[256];

		if (read(job->pipe_end, rest, sizeof(rest)) <= 0)
			break;
	}

	/* The end of the pipe comes late in a process's exit: nothing hangs after it. */
	return event != EVENT_TIMEOUT && waitpid(job->child, ret_status, 0) == job->child;
}

static void set_unknown(struct probe_outcome *outcome, enum probe_reason reason, const char *format,
                        ...) __attribute__((format(printf, 3, 4)));

static void set_unknown(struct probe_outcome *outcome, enum probe_reason reason, const char *format,
                        ...)
{
	va_list args;

	outcome->answer = PROBE_UNKNOWN;
	outcome->reason = reason;
	va_start(args, format);
	vsnprintf(outcome->evidence, sizeof(outcome->evidence), format, args);
	va_end(args);
}

static enum probe_reason find_reason(const struct message *message)
{
	int given = UNKNOWN_BASE - message->result;

	if (given > PROBE_REASON_NONE && given < PROBE_REASON_COUNT)
		return (enum probe_reason)given;

	switch (message->err.sys) {
	case EPERM:
	case EACCES:
		return PROBE_REASON_NOPERM;
	case ENOSPC:
	case EDQUOT:
		return PROBE_REASON_NOSPACE;
	default:
		return message->err.code == OVL2_E_UNSUPPORTED ? PROBE_REASON_NOSUPPORT
		                                               : PROBE_REASON_ERROR;
	}
}

static void set_answer(struct probe_outcome *outcome, const struct message *message)
{
	if (message->result < 0) {
		set_unknown(outcome, find_reason(message), "%s", message->err.message);
		return;
	}

	outcome->answer = message->result ? PROBE_YES : PROBE_NO;
	outcome->reason = PROBE_REASON_NONE;
	outcome->value = message->evidence.value;
	snprintf(outcome->evidence, sizeof(outcome->evidence), "%s", message->evidence.text);
}

static void set_ended(struct probe_outcome *outcome, int is_collected, int status)
{
	if (is_collected && WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		set_unknown(outcome, PROBE_REASON_CRASH, "the probe crashed: %s",
		            strsignal(WTERMSIG(status)));
	else
		set_unknown(outcome, PROBE_REASON_CRASH, "the probe ended without an answer");
}

/* Ends the job, which is free again then. */
static void finish(struct job *job, enum event event, const struct probe_runner *runner)
{
	struct message message;
	int is_collected;
	int status = 0;

	if (event == EVENT_ANSWER &&
	    read(job->pipe_end, &message, sizeof(message)) != sizeof(message))
		event = EVENT_END;
	job->outcome->duration_ms = now_ms() - job->start_ms;

	/* The answer is the last that a child does: nothing is lost by ending it. */
	is_collected = end_child(job, &status);
	if (event == EVENT_ANSWER)
		set_answer(job->outcome, &message);
	else if (event == EVENT_END)
		set_ended(job->outcome, is_collected, status);
	else if (event == EVENT_TIMEOUT)
		set_unknown(job->outcome, PROBE_REASON_TIMEOUT, "no answer within %g s",
		            runner->timeout_ms / 1e3);

	/* It could not delete what it had made; its lock went with it. */
	if (event != EVENT_ANSWER)
		ovi_scratch_sweep(runner->target, NULL);

	ovi_scratch_hide(job->outcome->evidence);
	ovi_close_fd(&job->pipe_end);
	job->pipe_end = -1;
}

static void start(struct job *job, const struct probe *probe, const struct probe_runner *runner,
                  struct probe_outcome *outcome)
{
	pid_t self = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0) {
		set_unknown(outcome, PROBE_REASON_ERROR, "create a pipe: %s", strerror(errno));
		return;
	}

	job->start_ms = now_ms();
	job->outcome = outcome;
	job->child = fork();
	if (job->child == 0)
		run_child(probe, runner->target, ends[1], self);
	if (job->child < 0)
		set_unknown(outcome, PROBE_REASON_ERROR, "start a process: %s", strerror(errno));
	else
		job->pipe_end = steal_fd(&ends[0]);
	ovi_close_fd(&ends[0]);
	ovi_close_fd(&ends[1]);
}

/* Waits until a job comes to an end or a signal arrives; ends those that have to. */
static enum event wait_jobs(struct job *jobs, const struct probe_runner *runner)
{
	struct pollfd fds[PROBE_MAX_JOBS + 1];
	double left = runner->timeout_ms;

	for (size_t i = 0; i < PROBE_MAX_JOBS; i++) {
		double until = jobs[i].start_ms + runner->timeout_ms;

		fds[i] = (struct pollfd){ .fd = jobs[i].pipe_end, .events = POLLIN };
		if (jobs[i].pipe_end >= 0 && until - now_ms() < left)
			left = until - now_ms();
	}
	fds[PROBE_MAX_JOBS] = (struct pollfd){ .fd = runner->signals, .events = POLLIN };

	if (poll(fds, ARRAY_SIZE(fds), left > 0 ? (int)left + 1 : 0) < 0)
		return EVENT_NONE;
	if (fds[PROBE_MAX_JOBS].revents)
		return EVENT_SIGNAL;

	for (size_t i = 0; i < PROBE_MAX_JOBS; i++) {
		enum event event = event_of(&fds[i]);

		if (jobs[i].pipe_end < 0)
			continue;
		if (event == EVENT_NONE && now_ms() >= jobs[i].start_ms + runner->timeout_ms)
			event = EVENT_TIMEOUT;
		if (event != EVENT_NONE)
			finish(&jobs[i], event, runner);
	}

	return EVENT_NONE;
}

static int read_signal(int signals)
{
	struct signalfd_siginfo info;

	return read(signals, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : SIGTERM;
}

/* A quota that is being tried is better taken back than left to nobody. */
static int end_all(struct job *jobs, const struct probe_runner *runner)
{
	double until = now_ms() + FINISH_MS;

	for (size_t i = 0; i < PROBE_MAX_JOBS; i++) {
		if (jobs[i].pipe_end < 0)
			continue;
		wait_event(jobs[i].pipe_end, until);
		finish(&jobs[i], EVENT_SIGNAL, runner);
	}

	return read_signal(runner->signals);
}

static int start_more(struct job *jobs, const struct probe *const *probes,
                      const struct probe_runner *runner, struct probe_outcome *outcomes)
{
	int limit = runner->jobs > 0 ? runner->jobs : 1;
	int started = 0;

	for (int i = 0; i < limit && i < PROBE_MAX_JOBS && probes[started]; i++)
		if (jobs[i].pipe_end < 0) {
			start(&jobs[i], probes[started], runner, &outcomes[started]);
			started++;
		}

	return started;
}

static int is_busy(const struct job *jobs)
{
	for (size_t i = 0; i < PROBE_MAX_JOBS; i++)
		if (jobs[i].pipe_end >= 0)
			return 1;

	return 0;
}

static int run_jobs(const struct probe *const *probes, const struct probe_runner *runner,
                    struct probe_outcome *ret_outcomes)
{
	struct job jobs[PROBE_MAX_JOBS];

	for (size_t i = 0; i < PROBE_MAX_JOBS; i++)
		jobs[i] = (struct job){ .pipe_end = -1 };
	for (size_t i = 0; probes[i]; i++)
		ret_outcomes[i] = (struct probe_outcome){ .reason = PROBE_REASON_ERROR };

	while (*probes || is_busy(jobs)) {
		int started = start_more(jobs, probes, runner, ret_outcomes);

		probes += started;
		ret_outcomes += started;
		if (is_busy(jobs) && wait_jobs(jobs, runner) == EVENT_SIGNAL)
			return end_all(jobs, runner);
	}

	return 0;
}

/*
 * The kernel log is everybody's, and does not say whose mount a line is about: of probes
 * that ran at once, those that found something there are asked again, alone.
 */
static int ask_again(const struct probe *const *probes, const struct probe_runner *runner,
                     struct probe_outcome *outcomes)
{
	int sig = 0;

	for (size_t i = 0; probes[i] && !sig; i++)
		if (strstr(outcomes[i].evidence, OVI_KERNEL_LOG_MARK))
			sig = probe_run(probes[i], runner, &outcomes[i]);

	return sig;
}

int probe_run_all(const struct probe *const *probes, const struct probe_runner *runner,
                  struct probe_outcome *ret_outcomes)
{
	int sig = run_jobs(probes, runner, ret_outcomes);

	return sig || runner->jobs <= 1 ? sig : ask_again(probes, runner, ret_outcomes);
}

int probe_run(const struct probe *probe, const struct probe_runner *runner,
              struct probe_outcome *ret_outcome)
{
	const struct probe *const one[] = { probe, NULL };

	return run_jobs(one, runner, ret_outcome);
}
