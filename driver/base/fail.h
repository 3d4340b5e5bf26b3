#pragma once

/*
 * Filling struct ovl2_error. Every function here returns the code it stored, so
 * that raising an error is always one statement: `return ovi_fail(...)`.
 *
 * Write the message as the action that did not happen, with its operands in
 * single quotes: "open layer '%s'". The errno text is appended for you. Control
 * characters in the operands are replaced, so that a hostile name cannot drive
 * somebody's terminal.
 */

#include <ovl2.h>

/* A failure that no system call reported. */
int ovi_fail(struct ovl2_error *err, enum ovl2_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A failed system call; takes errno and derives the code from it. */
int ovi_fail_errno(struct ovl2_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Puts "`context`: " in front of an error on its way up and returns `code`.
 * When the buffer is full the context is dropped, never the cause.
 */
int ovi_fail_within(struct ovl2_error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds to the end of the message, as far as there is room. */
void ovi_fail_add(struct ovl2_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static inline int ovi_fail_memory(struct ovl2_error *err)
{
	return ovi_fail(err, OVL2_E_NO_MEMORY, "out of memory");
}

/* A callback of the caller's said that it is enough. */
static inline int ovi_fail_cancelled(struct ovl2_error *err)
{
	return ovi_fail(err, OVL2_E_CANCELLED, "cancelled");
}
