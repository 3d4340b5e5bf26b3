#pragma once

/*
 * Programs of the system that a benchmark runs: mkfs, and tar as a peer. They get
 * a process group of their own, so that Ctrl-C reaches us alone and we end in
 * order; and are killed when the thread that started them ends, so that a run which is
 * killed leaves none at work.
 */

#include <ovl2.h>

#include <sys/types.h>

/* -1 leaves standard input, or output, at /dev/null. */
struct tool_files {
	int input;
	int output;
};

/*
 * Starts argv[0]: a path, or a name found in PATH or in the sbin directories that PATH of
 * a plain user lacks. `ret_report` receives a descriptor of what it will have said on
 * standard error. Follow with tool_wait().
 */
int tool_start(const char *const *argv, struct tool_files files, pid_t *ret_pid, int *ret_report,
               struct ovl2_error *err);

/* Waits for success; a failure carries the program's own first line. Closes `report`. */
int tool_wait(const char *name, pid_t pid, int report, struct ovl2_error *err);

/* Both of the above. */
int tool_run(const char *const *argv, struct tool_files files, struct ovl2_error *err);

/* Is there such a program? */
int tool_has(const char *name);
