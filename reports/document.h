#pragma once

/*
 * Reading what ovl2-probe and ovl2-bench wrote. A document that was read is whole:
 * every field that FORMAT.md promises is there and of its type, its words are known
 * ones, and its verdict agrees with its probes. Nothing after this has to check.
 */

#include <ovl2.h>

#include <jansson.h>

/* At most one of each kind; NULL where there is none. */
struct report_documents {
	json_t *probe;
	json_t *bench;

	/* Of ovl2-bench --tier exact. */
	json_t *exact;
};

#define cleanup_documents __attribute__((cleanup(report_documents_release)))

void report_documents_release(struct report_documents *documents);

/*
 * Reads the file at `path`, "-" for standard input, and adds it to `documents`.
 *
 * Errors: OVL2_E_INVALID when it is not one of our documents, or the second of its
 * kind; the message names file and field.
 */
int report_document_read(const char *path, struct report_documents *documents,
                         struct ovl2_error *err);

/* The same with what was parsed already; takes a reference of its own. */
int report_document_accept(json_t *root, struct report_documents *documents,
                           struct ovl2_error *err);

/* The string called `name`, "" where it is null or missing. Borrowed. */
const char *report_string(const json_t *object, const char *name);

/* The number called `name`, 0 where it is null or missing. */
double report_number(const json_t *object, const char *name);

/* How many probes have this verdict. */
size_t report_count_verdict(const json_t *probe, const char *verdict);

/* How many that the profile requires the run left out. */
size_t report_count_not_asked(const json_t *probe);
