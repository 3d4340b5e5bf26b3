#pragma once

/* The release, built once and kept, and installed anew for each program of tests. */

#include "support/test.h"

/* Every program of ours, for loops. */
extern const char *const release_programs[4];

/*
 * Builds what `cmake --preset package` says and installs it under a scratch directory
 * of the process: the prefix. Fails the test when that fails.
 */
const char *release_install(void);

/* Removes it; at the end of main(). */
void release_remove(void);

/* Where it was built. */
extern const char release_build[];

/*
 * Runs a shell command line with $PREFIX, and with everything in it found first. Its
 * standard output without the last newline, to be released with free(3); fails the test
 * with its messages unless it exits with 0.
 */
char *release_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Skips the test unless `program` is installed; `package` has it. */
void release_need(const char *program, const char *package);
