#include "trace.h"

#include "cleanup.h"
#include "fail.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* As waitpid(2) tells a stop at a system call from one by SIGTRAP (PTRACE_O_TRACESYSGOOD). */
#define AT_CALL (SIGTRAP | 0x80)

static const struct {
	size_t number;
	const char *name;
} names[] = {
#include "system_calls.inc"
};

const char *trace_name(size_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].number == number)
			return names[i].name;

	return "unknown";
}

struct tracing {
	struct trace *trace;
	int marks;
};

static int is_mark(const struct __ptrace_syscall_info *info)
{
	return info->entry.nr == SYS_lseek && (int)info->entry.args[0] == -1 &&
	       info->entry.args[1] == TRACE_MARK;
}

/* Is asked at the beginning of a call and at its end. */
static void look_at_call(struct tracing *tracing, pid_t thread)
{
	struct __ptrace_syscall_info info = { 0 };

	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	if (is_mark(&info))
		tracing->marks++;
	else if (tracing->marks == 1 && info.entry.nr < TRACE_CALLS)
		tracing->trace->counts[info.entry.nr]++;
}

/* A thread that stopped goes on: traced until the part is over, then by itself. */
static void go_on(struct tracing *tracing, pid_t thread, int status)
{
	int is_event = status >> 16 != 0;
	unsigned long signal = 0;

	if (WSTOPSIG(status) == AT_CALL)
		look_at_call(tracing, thread);
	else if (!is_event)
		signal = (unsigned long)WSTOPSIG(status);
	ptrace(tracing->marks < 2 ? PTRACE_SYSCALL : PTRACE_DETACH, thread, NULL, signal);
}

/* Until the program has ended, which is left to tool_wait(). */
static int follow(struct tracing *tracing, pid_t pid, struct ovl2_error *err)
{
	for (;;) {
		siginfo_t seen = { 0 };
		int status;

		if (waitid(P_ALL, 0, &seen, WEXITED | WSTOPPED | WNOWAIT | __WALL) < 0) {
			if (errno == EINTR)
				continue;
			return ovi_fail_errno(err, "wait for what is traced");
		}
		if (seen.si_pid == pid && seen.si_code != CLD_TRAPPED &&
		    seen.si_code != CLD_STOPPED)
			return 0;
		if (waitpid(seen.si_pid, &status, __WALL) < 0)
			return ovi_fail_errno(err, "wait for what is traced");
		if (WIFSTOPPED(status))
			go_on(tracing, seen.si_pid, status);
	}
}

static int attach(pid_t pid, struct ovl2_error *err)
{
	const unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
	                              PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL;

	if (ptrace(PTRACE_SEIZE, pid, NULL, options) < 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		return ovi_fail_errno(err, "trace a process");

	return 0;
}

int trace_run(const char *const *argv, int output, struct trace *ret_trace, struct ovl2_error *err)
{
	struct trace trace = { 0 };
	struct tracing tracing = { .trace = &trace };
	cleanup_fd int input = -1;
	cleanup_fd int wait_for = -1;
	int report = -1;
	int ends[2];
	pid_t pid;
	int ended;
	int r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return ovi_fail_errno(err, "make a pipe");
	input = ends[0];
	wait_for = ends[1];

	r = tool_start(argv, (struct tool_files){ input, output }, &pid, &report, err);
	if (r < 0)
		return r;
	r = attach(pid, err);
	close(steal_fd(&wait_for));
	if (r == 0)
		r = follow(&tracing, pid, err);
	/* One that was over before it could be traced says itself why. */
	ended = tool_wait(argv[0], pid, report, err);
	if (ended < 0)
		r = ended;
	if (r == 0)
		*ret_trace = trace;

	return r < 0 ? r : tracing.marks != 2;
}
