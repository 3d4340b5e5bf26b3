#pragma once

/*
 * Directories to try things in, under somebody else's. A scratch directory is
 * locked as long as the process that made it, or a child of that one, lives; one
 * that is not is a leftover of a crash, and ovi_scratch_sweep() deletes it.
 */

#include <ovl2.h>

#include <limits.h>

/* What their names begin with, twelve random characters follow. */
#define OVI_SCRATCH_PREFIX ".ovl2-probe-"

struct ovi_scratch {
	int parent; /* borrowed */
	int dir;    /* holds the lock */
	char name[sizeof(OVI_SCRATCH_PREFIX) + 12];
	char path[PATH_MAX]; /* absolute */
};

#define OVI_SCRATCH_INIT                \
	{                               \
		.parent = -1, .dir = -1 \
	}
#define cleanup_scratch __attribute__((cleanup(ovi_scratch_release)))

/*
 * Makes an empty directory of mode 0700 under `parent`, which must stay open as
 * long as the scratch directory does.
 */
int ovi_scratch_create(int parent, struct ovi_scratch *ret_scratch, struct ovl2_error *err);

/* Deletes it with all that is in it. Nothing to do after OVI_SCRATCH_INIT. */
int ovi_scratch_remove(struct ovi_scratch *scratch, struct ovl2_error *err);

/* The same where a failure has no one to go to: the next sweep tries again. */
void ovi_scratch_release(struct ovi_scratch *scratch);

/*
 * Deletes this user's scratch directories under `parent` that nobody holds, and the limits
 * of their projects; their count.
 */
int ovi_scratch_sweep(int parent, struct ovl2_error *err);

/*
 * Takes the names of scratch directories out of paths in `text`, so that what is
 * said about a host is the same at every run.
 */
void ovi_scratch_hide(char *text);
