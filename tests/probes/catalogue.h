#pragma once

/* Asking all probes of the catalogue, and what they should say. */

#include "support/test.h"

#include "probe.h"

/* One answer: "yes", "no", or "unknown" with its reason: "unknown noperm". */
struct catalogue_row {
	const char *id;
	const char *answer;

	/* What the evidence has to contain, or NULL. */
	const char *words;
};

/*
 * Asks every probe about directory `path`, shows what they say and asserts that each
 * says something, that nothing is left behind, and what `rows` (a NULL id at the end)
 * expect.
 */
void catalogue_check(const char *path, const struct catalogue_row *rows);

/*
 * The same for the probes in `rows` only; in a process that called `prepare` before, if
 * that is not NULL.
 */
void catalogue_check_only(const char *path, void (*prepare)(void),
                          const struct catalogue_row *rows);

/*
 * Asks every probe twice, the second time in a process that called `prepare`, which takes
 * rights away: that one says the same or could not tell. But for the probes in `own`, ids
 * with a NULL at the end, which are about the process itself.
 */
void catalogue_check_rights(const char *path, void (*prepare)(void), const char *const *own);

/*
 * Calls with these numbers fail with `error` from now on, in this process and those that it
 * makes: for `prepare`.
 */
void catalogue_fail_calls(const int *calls, size_t count, int error);
