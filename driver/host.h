#pragma once

/*
 * The questions to the host at the end of ovl2.h: host.c asks about the kernel and
 * the filesystem, host_mount.c about mounting, host_quota.c about quotas. Here is what
 * they share, and what tests want to see from inside.
 */

#include <ovl2.h>

/*
 * ovl2_probe_opaque_copy_up() for one name of the mark and with overlay options; NULL
 * for both takes what this process can set. With
 * trusted.overlay.opaque and "userxattr" a healthy kernel shows the bug: the mark is
 * then an attribute like any other, and copied up.
 */
int ovi_opaque_copy_up(int directory, const char *mark, const char *overlay_options,
                       struct ovl2_evidence *ret_evidence, struct ovl2_error *err);

/* "xfs", "extfs" as Docker has it; "unknown" for a magic nobody told us about. */
const char *ovi_filesystem_name(uint64_t magic);

/* Fills `evidence`, which may be NULL, and returns `answer`. */
int ovi_answer(int answer, struct ovl2_evidence *evidence, uint64_t value, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Is this failure the kernel's "I do not do that"? Everything else (no space, no
 * permission, read-only, I/O errors) says nothing about what the host can do.
 */
int ovi_is_refusal(const struct ovl2_error *err);

/*
 * Answers no: `what` does not work, for `reason`, and with what overlayfs logged
 * since `log` was opened (kernel_log.h).
 */
int ovi_answer_refused(struct ovl2_evidence *evidence, uint64_t value, const char *what,
                       const struct ovl2_error *reason, int log);

/* Makes these directories under `dir`, in this order; `names` ends with NULL. */
int ovi_make_directories(int dir, const char *const names[], struct ovl2_error *err);

/* Adds `text` to file `name` under `dir`, which is created if missing. */
int ovi_append_file(int dir, const char *name, const char *text, struct ovl2_error *err);
