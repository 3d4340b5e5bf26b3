#pragma once

/*
 * A file that takes its place when it is complete: whoever opens its path finds the old one
 * or all of the new one. Until then it has no name, where the filesystem knows such files
 * (O_TMPFILE): nothing is left of a program that was killed. Programs only.
 */

#include <ovl2.h>

struct ovi_draft {
	/* To be written to. */
	int fd;

	const char *path; /* borrowed */

	/* What it is called meanwhile; NULL: nothing. */
	char *aside;

	/* There is a device or a pipe, which is written to and stays. */
	int is_stream;
};

/* clang-format off */
#define OVI_DRAFT_NONE { .fd = -1 }
/* clang-format on */

#define cleanup_draft __attribute__((cleanup(ovi_draft_release)))

int ovi_draft_begin(const char *path, struct ovi_draft *ret_draft, struct ovl2_error *err);

/* Gives it its place, with mode 0644. */
int ovi_draft_publish(struct ovi_draft *draft, struct ovl2_error *err);

/* What was not published is gone. */
void ovi_draft_release(struct ovi_draft *draft);
