#include "callgrind.h"

#include "cleanup.h"
#include "fail.h"
#include "strbuf.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PROGRAM "valgrind"

/* Its own arguments and the program's. */
#define MAX_ARGUMENTS 16

int callgrind_is_there(void)
{
	return tool_has(PROGRAM);
}

/* "creator: callgrind-3.19.0", near the top, and "totals: 140675", the last line. */
static void read_profile(FILE *profile, struct callgrind *callgrind)
{
	cleanup_free char *line = NULL;
	size_t size = 0;

	rewind(profile);
	while (getline(&line, &size, profile) > 0) {
		unsigned long long total;

		if (sscanf(line, "totals: %llu", &total) == 1)
			callgrind->instructions = total;
		sscanf(line, "creator: %31s", callgrind->creator);
	}
}

/* "--4711-- WARNING: unhandled amd64-linux syscall: 437" */
static void read_unknown(FILE *report, int *is_unknown)
{
	static const char words[] = " syscall: ";
	cleanup_free char *line = NULL;
	size_t size = 0;

	rewind(report);
	while (getline(&line, &size, report) > 0) {
		const char *number = strstr(line, words);
		unsigned long call;

		if (!strstr(line, "unhandled ") || !number)
			continue;
		call = strtoul(number + sizeof(words) - 1, NULL, 10);
		if (call < TRACE_CALLS)
			is_unknown[call] = 1;
	}
}

static int run(const char *const *argv, int profile, int *ret_report, struct ovl2_error *err)
{
	pid_t pid = -1;
	int report = -1;
	int r = tool_start(argv, (struct tool_files){ -1, profile }, &pid, &report, err);

	if (r < 0)
		return r;
	*ret_report = fcntl(report, F_DUPFD_CLOEXEC, 0);
	r = tool_wait(argv[0], pid, report, err);

	return r == 0 && *ret_report < 0 ? ovi_fail_memory(err) : r;
}

static void close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

int callgrind_run(const char *const *argv, const char *function, struct callgrind *ret_callgrind,
                  struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf toggle = { 0 };
	__attribute__((cleanup(close_file))) FILE *profile = NULL;
	__attribute__((cleanup(close_file))) FILE *report = NULL;
	struct callgrind callgrind = { 0 };
	cleanup_fd int out = memfd_create("profile", MFD_CLOEXEC);
	cleanup_fd int said = -1;
	const char *whole[MAX_ARGUMENTS] = {
		PROGRAM,
		/* Nobody's ~/.valgrindrc. */
		"--command-line-only=yes",
		"--tool=callgrind",
		"--callgrind-out-file=/proc/self/fd/1",
		NULL,
	};
	size_t count = 5;
	int r;

	ovi_strbuf_addf(&toggle, "--toggle-collect=%s", function);
	if (toggle.failed)
		return ovi_fail_memory(err);
	whole[count - 1] = toggle.text;
	while (*argv && count < MAX_ARGUMENTS - 1)
		whole[count++] = *argv++;

	if (out < 0)
		return ovi_fail_errno(err, "make room for a profile");
	r = run(whole, out, &said, err);
	if (r < 0)
		return r;
	profile = fdopen(steal_fd(&out), "r");
	report = fdopen(steal_fd(&said), "r");
	if (!profile || !report)
		return ovi_fail_errno(err, "read a profile");
	read_profile(profile, &callgrind);
	read_unknown(report, callgrind.is_unknown);
	*ret_callgrind = callgrind;

	return 0;
}
