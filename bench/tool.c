#include "tool.h"

#include "cleanup.h"
#include "fail.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Where Debian keeps mkfs; not in the PATH that su(1) leaves. */
static const char sbin[] = "/usr/local/sbin:/usr/sbin:/sbin";

static char *find_program(const char *name)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	cleanup_strbuf struct ovi_strbuf list = { 0 };
	const char *own = getenv("PATH");
	char *rest;
	char *directory;

	if (strchr(name, '/'))
		return access(name, X_OK) == 0 ? strdup(name) : NULL;
	ovi_strbuf_addf(&list, "%s:%s", own ? own : "/usr/bin:/bin", sbin);
	if (list.failed)
		return NULL;

	rest = list.text;
	while ((directory = strsep(&rest, ":"))) {
		ovi_strbuf_cut(&path, 0);
		ovi_strbuf_addf(&path, "%s/%s", directory, name);
		if (!path.failed && access(path.text, X_OK) == 0)
			return ovi_strbuf_steal(&path);
	}

	return NULL;
}

int tool_has(const char *name)
{
	cleanup_free char *path = find_program(name);

	return path != NULL;
}

/* In the new process, which ends with this one, however that ends. Returns on failure. */
static void become(const char *path, const char *const *argv, const int files[3], pid_t parent)
{
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &usual, NULL);
	sigemptyset(&none);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && setpgid(0, 0) == 0 &&
	    dup2(files[0], 0) == 0 && dup2(files[1], 1) == 1 && dup2(files[2], 2) == 2 &&
	    sigprocmask(SIG_SETMASK, &none, NULL) == 0)
		execve(path, (char *const *)argv, environ);
}

/*
 * As posix_spawn(3) does it, which cannot ask for PR_SET_PDEATHSIG: with the memory of this
 * process for as long as it takes, and no signal's handler running in it.
 */
static pid_t start_prepared(const char *path, const char *const *argv, const int files[3])
{
	pid_t parent = getpid();
	sigset_t all;
	sigset_t old;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */
	if (pid == 0) {
		become(path, argv, files, parent); /* NOLINT(clang-analyzer-unix.Vfork) */
		_exit(127);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);

	return pid;
}

int tool_start(const char *const *argv, struct tool_files files, pid_t *ret_pid, int *ret_report,
               struct ovl2_error *err)
{
	cleanup_free char *path = find_program(argv[0]);
	cleanup_fd int report = -1;
	cleanup_fd int null = -1;

	if (!path)
		return ovi_fail(err, OVL2_E_UNSUPPORTED, "run '%s': no such program in PATH",
		                argv[0]);

	report = memfd_create("report", MFD_CLOEXEC);
	if (report < 0)
		return ovi_fail_errno(err, "make room for the messages of '%s'", argv[0]);

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return ovi_fail_errno(err, "open '/dev/null'");

	*ret_pid = start_prepared(path, argv,
	                          (const int[3]){ files.input < 0 ? null : files.input,
	                                          files.output < 0 ? null : files.output, report });
	if (*ret_pid < 0)
		return ovi_fail_errno(err, "run '%s'", path);
	*ret_report = steal_fd(&report);

	return 0;
}

int tool_wait(const char *name, pid_t pid, int report, struct ovl2_error *err)
{
	cleanup_fd int own_report = report;
	char line[200];
	ssize_t length;
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return ovi_fail_errno(err, "wait for '%s'", name);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;

	length = pread(own_report, line, sizeof(line) - 1, 0);
	line[length > 0 ? length : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (WIFSIGNALED(status))
		return ovi_fail(err, OVL2_E_SYSTEM, "'%s' was ended by signal %d", name,
		                WTERMSIG(status));

	return ovi_fail(err, OVL2_E_SYSTEM, "'%s' ended with status %d: %s", name,
	                WEXITSTATUS(status), line);
}

int tool_run(const char *const *argv, struct tool_files files, struct ovl2_error *err)
{
	int report = -1;
	pid_t pid = -1;
	int r;

	r = tool_start(argv, files, &pid, &report, err);
	if (r < 0)
		return r;

	return tool_wait(argv[0], pid, report, err);
}
