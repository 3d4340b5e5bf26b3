#pragma once

/*
 * How many instructions a function of a program executes, with all that it calls, counted
 * by valgrind's callgrind. What the kernel does is not in it.
 */

#include "trace.h"

/* "callgrind-3.19.0" and a NUL. */
#define CALLGRIND_CREATOR_SIZE 32

struct callgrind {
	char creator[CALLGRIND_CREATOR_SIZE];

	/* 0 when the program did not get so far as to call the function. */
	uint64_t instructions;

	/*
	 * Which system calls valgrind does not know, by number: to the program they fail, so
	 * that it may have done something else than it does alone.
	 */
	int is_unknown[TRACE_CALLS];
};

/* Is it installed? */
int callgrind_is_there(void);

/*
 * Runs the program at argv[0], the absolute path of an executable that has `function` in
 * its dynamic symbol table.
 */
int callgrind_run(const char *const *argv, const char *function, struct callgrind *ret_callgrind,
                  struct ovl2_error *err);
