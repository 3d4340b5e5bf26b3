#pragma once

/* Owner, mode and time of what a tar makes. */

#include <ovl2.h>

#include <sys/types.h>
#include <time.h>

struct ovi_stamp {
	uid_t uid;
	gid_t gid;
	mode_t mode; /* without the type */
	struct timespec mtime;
};

/*
 * Gives the open file or directory its owner and mode; leaves out the calls that would
 * change nothing. `path` names it in errors. What writes to the file, or sets its
 * capabilities, comes before and after: chown(2) takes set-id bits and those away.
 */
int ovi_stamp_owner(int fd, const struct ovi_stamp *attributes, const char *path,
                    struct ovl2_error *err);

/* The last of all: everything else changes it. */
int ovi_stamp_time(int fd, const struct ovi_stamp *attributes, const char *path,
                   struct ovl2_error *err);
