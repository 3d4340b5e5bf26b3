#pragma once

/*
 * A file that appears whole or not at all. Opened before the work begins, so that
 * a place that cannot be written to is known before an hour was spent, and so that
 * what is mounted meanwhile does not hide it.
 */

#include <ovl2.h>

#include <jansson.h>

struct output {
	int directory;
	char *name;
};

/* Start from this. */
#define OUTPUT_NONE      \
	{                \
		-1, NULL \
	}

/*
 * Errors: OVL2_E_NOT_FOUND when the directory of `path` is missing,
 * OVL2_E_PERMISSION when it cannot be written to.
 */
int output_open(const char *path, struct output *output, struct ovl2_error *err);

/* Writes one of the array after the other; replaces what was there in one step. */
int output_write(const struct output *output, const json_t *documents, struct ovl2_error *err);

void output_close(struct output *output);
