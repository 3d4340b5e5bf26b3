#pragma once

/*
 * Which system calls a part of a program makes, counted by ptrace(2): all of them, those
 * of its threads included. The part is between two calls of trace_mark() in the program,
 * which has to wait for the end of its standard input before the first.
 */

#include <ovl2.h>

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More than any architecture has numbers for. */
#define TRACE_CALLS 1024

struct trace {
	/* By number. */
	uint64_t counts[TRACE_CALLS];
};

/* "openat"; "unknown" for one that the kernel headers this was built with lack. */
const char *trace_name(size_t number);

/* "ovl2": a place to seek to that no program means. */
#define TRACE_MARK 0x6f766c32

/* In the program. Costs a call that fails, and changes nothing. */
static inline void trace_mark(void)
{
	syscall(SYS_lseek, -1, TRACE_MARK, 0);
}

/*
 * Runs the program at argv[0] and counts. `output` is its standard output.
 *
 * Errors: OVL2_E_PERMISSION where this process may not trace; OVL2_E_SYSTEM when the program
 * fails, with the first line it said. Returns 1 when the program marked no part.
 */
int trace_run(const char *const *argv, int output, struct trace *ret_trace, struct ovl2_error *err);
