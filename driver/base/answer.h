#pragma once

/*
 * Asking a host by trying: what the driver's questions and all other probes share. An
 * answer is 1 for yes, 0 for no and negative for "could not tell", with evidence.
 */

#include <ovl2.h>

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
