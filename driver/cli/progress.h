#pragma once

/*
 * What is seen of a long command while it runs: a line on standard error that is
 * written over. And its end before its time: a signal makes it give up and clean up.
 */

#include <stdint.h>
#include <time.h>

struct progress {
	int is_shown;
	struct timespec began;

	/* When it was last written. */
	double shown_s;

	uint64_t entries;
	uint64_t bytes;
};

/*
 * Begins. `when` is "always", "never", or "auto" and NULL: if standard error is a
 * terminal. From here on an interrupt, a hangup and a termination are noted for
 * progress_tell(); a second one ends the program at once.
 */
void progress_begin(struct progress *progress, const char *when);

/* How far it is. Non-zero when the command is to be given up. */
int progress_tell(struct progress *progress, uint64_t entries, uint64_t bytes);

/* Leaves the line as it was last told. */
void progress_end(const struct progress *progress);

/*
 * The last act of a command whose call returned `result`: what was given up ends as the
 * signal would have ended it, so that shells know. Else returns `exit_code`.
 */
int progress_exit(int result, int exit_code);
