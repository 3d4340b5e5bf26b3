#pragma once

/*
 * What a JSON value has to look like, as tables: one row per field. Fields that a
 * table does not name are ignored, since later versions may add some.
 */

#include <ovl2.h>

#include <jansson.h>

enum report_type {
	REPORT_STRING = 1 << 0,
	REPORT_NUMBER = 1 << 1,
	REPORT_BOOLEAN = 1 << 2,
	REPORT_OBJECT = 1 << 3,
	REPORT_ARRAY = 1 << 4,
	REPORT_NULL = 1 << 5,

	/* May be missing. */
	REPORT_OPTIONAL = 1 << 6,

	/* A number that is not below zero. */
	REPORT_AMOUNT = 1 << 7,
};

struct report_field {
	/* A table ends with a row whose name is NULL. */
	const char *name;

	/* Any of enum report_type. */
	unsigned int types;

	/* Of an array's elements, or of every member of an object; 0 if any will do. */
	unsigned int element;

	/* Of an object, or of each object in an array. */
	const struct report_field *fields;

	/* The words a string may be, ended by NULL; NULL if any will do. */
	const char *const *words;
};

/*
 * Checks `object` against `fields`. A refusal names the field from the top:
 * "probes[3].level: expected a string, found null".
 */
int report_shape_check(const json_t *object, const struct report_field *fields,
                       struct ovl2_error *err);
