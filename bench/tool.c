#include "tool.h"

#include "cleanup.h"
#include "fail.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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

/* errno in the return value, as posix_spawn(3) has it. */
static int start_prepared(const char *path, const char *const *argv, struct tool_files files,
                          int report, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t all;
	int sys = 0;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	sigfillset(&all);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);

	if (files.input >= 0)
		sys |= posix_spawn_file_actions_adddup2(&actions, files.input, 0);
	else
		sys |= posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (files.output >= 0)
		sys |= posix_spawn_file_actions_adddup2(&actions, files.output, 1);
	else
		sys |= posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	sys |= posix_spawn_file_actions_adddup2(&actions, report, 2);
	if (!sys)
		sys = posix_spawn(ret_pid, path, &actions, &attributes, (char *const *)argv,
		                  environ);

	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);

	return sys;
}

int tool_start(const char *const *argv, struct tool_files files, pid_t *ret_pid, int *ret_report,
               struct ovl2_error *err)
{
	cleanup_free char *path = find_program(argv[0]);
	cleanup_fd int report = -1;

	if (!path)
		return ovi_fail(err, OVL2_E_UNSUPPORTED, "run '%s': no such program in PATH",
		                argv[0]);

	report = memfd_create("report", MFD_CLOEXEC);
	if (report < 0)
		return ovi_fail_errno(err, "make room for the messages of '%s'", argv[0]);

	errno = start_prepared(path, argv, files, report, ret_pid);
	if (errno)
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
