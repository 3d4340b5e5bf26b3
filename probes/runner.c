#include "probe.h"

#include "cleanup.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
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

/*
 * The last line of defence: the driver attaches nothing, and if it did, nobody
 * would see it. Without the privilege for a namespace nothing can be mounted.
 *
 * Overlayfs takes no layers from another namespace (clone_private_mount), and the
 * kernel moves the working directory to the new one but no descriptors: hence the
 * way round. Returns the target to use.
 */
static int enter_namespace(int target)
{
	int moved;

	if (fchdir(target) < 0 || unshare(CLONE_NEWNS) < 0)
		return target;
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	moved = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return moved < 0 ? target : moved;
}

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
	target = enter_namespace(target);

	message.result = probe->run(target, &message.evidence, &message.err);
	_exit(write(pipe_end, &message, sizeof(message)) == sizeof(message) ? 0 : 1);
}

/* ----------------------------------------------------------------- parent -- */

enum event { EVENT_ANSWER, EVENT_END, EVENT_TIMEOUT, EVENT_SIGNAL };

/* Waits for what comes first. */
static enum event wait_event(int pipe_end, int signals, double until_ms)
{
	struct pollfd fds[] = {
		{ .fd = pipe_end, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};

	for (;;) {
		double left = until_ms - now_ms();
		int r = poll(fds, ARRAY_SIZE(fds), left > 0 ? (int)left + 1 : 0);

		if (r == 0)
			return EVENT_TIMEOUT;
		if (r < 0)
			continue;
		if (fds[1].revents)
			return EVENT_SIGNAL;

		return fds[0].revents & POLLIN ? EVENT_ANSWER : EVENT_END;
	}
}

/*
 * Ends the child and collects it. A child that the kernel does not let go, as on a
 * dead NFS server, is abandoned: it holds nothing but its own locked directory,
 * which a later run deletes.
 */
static int end_child(pid_t child, int pipe_end, int *ret_status)
{
	enum event event;

	kill(child, SIGKILL);
	while ((event = wait_event(pipe_end, -1, now_ms() + GRACE_MS)) == EVENT_ANSWER) {
		char rest[256];

		if (read(pipe_end, rest, sizeof(rest)) <= 0)
			break;
	}

	/* The end of the pipe comes late in a process's exit: nothing hangs after it. */
	return event != EVENT_TIMEOUT && waitpid(child, ret_status, 0) == child;
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

static int read_signal(int signals)
{
	struct signalfd_siginfo info;

	return read(signals, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : SIGTERM;
}

static int wait_child(pid_t child, int pipe_end, const struct probe_runner *runner,
                      struct probe_outcome *outcome)
{
	struct message message;
	enum event event;
	int is_collected;
	int status = 0;

	event = wait_event(pipe_end, runner->signals, now_ms() + runner->timeout_ms);
	if (event == EVENT_ANSWER && read(pipe_end, &message, sizeof(message)) != sizeof(message))
		event = EVENT_END;

	/* A quota that is being tried is better taken back than left to nobody. */
	if (event == EVENT_SIGNAL)
		wait_event(pipe_end, -1, now_ms() + FINISH_MS);

	/* The answer is the last that a child does: nothing is lost by ending it. */
	is_collected = end_child(child, pipe_end, &status);
	switch (event) {
	case EVENT_ANSWER:
		set_answer(outcome, &message);
		return 0;
	case EVENT_END:
		set_ended(outcome, is_collected, status);
		break;
	case EVENT_TIMEOUT:
		set_unknown(outcome, PROBE_REASON_TIMEOUT, "no answer within %g s",
		            runner->timeout_ms / 1e3);
		break;
	case EVENT_SIGNAL:
		break;
	}

	/* It could not delete what it had made; its lock went with it. */
	ovi_scratch_sweep(runner->target, NULL);

	return event == EVENT_SIGNAL ? read_signal(runner->signals) : 0;
}

int probe_run(const struct probe *probe, const struct probe_runner *runner,
              struct probe_outcome *ret_outcome)
{
	struct probe_outcome outcome = { .reason = PROBE_REASON_ERROR };
	double start = now_ms();
	pid_t self = getpid();
	int ends[2];
	pid_t child;
	int sig = 0;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		set_unknown(&outcome, PROBE_REASON_ERROR, "create a pipe: %s", strerror(errno));
		*ret_outcome = outcome;
		return 0;
	}

	child = fork();
	if (child == 0)
		run_child(probe, runner->target, ends[1], self);
	close(ends[1]);
	if (child < 0)
		set_unknown(&outcome, PROBE_REASON_ERROR, "start a process: %s", strerror(errno));
	else
		sig = wait_child(child, ends[0], runner, &outcome);
	close(ends[0]);

	ovi_scratch_hide(outcome.evidence);
	outcome.duration_ms = now_ms() - start;
	*ret_outcome = outcome;

	return sig;
}
