#pragma once

/*
 * What layers hold, in shapes: "small", many files of 4 KiB, where the cost
 * of a file shows; "big", few large ones, where the cost of a byte does; "real", a
 * part of this machine's own /usr. And as many small things of one kind: "whiteouts",
 * "devices", "xattrs" (eight on each file), "hard links" (a hundred to each file),
 * "sparse" (files that are mostly hole). Each is a container's layer on one lower, made
 * when first asked for and kept until the end.
 */

#include "place.h"

struct dataset {
	struct dataset *next;
	const char *name;

	/* The layer, and the directory that holds its changes. */
	char id[PLACE_ID_SIZE];
	char *upper;

	/* Of the regular files; and everything but directories. */
	uint64_t bytes;
	uint64_t files;

	/* ovl2_layer_diff() of it in a nameless file beside the store; -1 before. */
	int tar;
	uint64_t tar_bytes;
};

/*
 * The data set of that name; it stays the place's.
 *
 * Errors: OVL2_E_UNSUPPORTED when this machine has nothing to make it from.
 */
int dataset_find(struct place *place, const char *name, struct dataset **ret_dataset,
                 struct ovl2_error *err);

/* Sees to it that there is `dataset->tar`. */
int dataset_archive(struct place *place, struct dataset *dataset, struct ovl2_error *err);

void datasets_free(struct dataset *list);
