#pragma once

/*
 * Many runs of ovl2-bench in one file: JSON Lines, a document of ovl2-bench each, oldest
 * first. A file that holds one document alone is a history of one run.
 */

#include "document.h"
#include "figures.h"

#include <ovl2.h>

#include <jansson.h>

struct report_run {
	struct report_documents documents;
	struct report_figures figures;
};

struct report_history {
	struct report_run *runs;
	size_t count;
};

#define cleanup_history __attribute__((cleanup(report_history_release)))

void report_history_release(struct report_history *history);

/*
 * Reads all runs; each is held to what one document is held to.
 *
 * Errors: OVL2_E_INVALID when a line is damaged or no document of ovl2-bench, the message
 * says which; OVL2_E_NOT_FOUND when the file is missing or holds no run.
 */
int report_history_read(const char *path, struct report_history *history, struct ovl2_error *err);

/*
 * Adds a run as one line, in one step, and creates the file if there is none. `label`
 * names the run, a commit say; NULL for none. Who appends at the same moment waits.
 *
 * Errors: OVL2_E_EXISTS when that run is in it; as report_history_read() when what is
 * there is damaged: then nothing is added.
 */
int report_history_append(const char *path, const json_t *bench, const char *label,
                          struct ovl2_error *err);

/*
 * Drops the runs that cannot be compared with `bench`; how many is returned, and of the
 * last of them `ret_why` says why not.
 */
size_t report_history_keep_place(struct report_history *history, const json_t *bench, char *ret_why,
                                 size_t size);

/* What to call a run: its label, or when it began. */
const char *report_run_name(const struct report_run *run);

/* `ovl2-report history ...`, the rest of the command line. Returns an exit code. */
int report_history_main(int argc, char **argv);
