#pragma once

/*
 * A container's layer whose lowers have something in them: in each there is a
 * directory STACK_NAME, which the overlay merges, and beside the store there is a
 * plain one for the floors. What benchmarks put there goes with the stack; the lowers
 * themselves are the place's, shared and otherwise empty.
 */

#include "place.h"

#define STACK_NAME "bench"
#define STACK_PLAIN PLACE_ROOT "/plain"

struct stack {
	struct place *place;

	/* Options of the overlay that are not the place's: a store handle with these. */
	struct ovl2_store *own;
	int is_volatile;

	char id[PLACE_ID_SIZE];
	int is_created;
	int is_mounted;
	struct ovl2_mount_spec *spec;

	/* STACK_NAME in each lower, topmost first; `spec->lower_count` of them. */
	int *lowers;
	size_t lower_count;

	/* STACK_PLAIN, open, and the same for the overlay while it is mounted; else -1. */
	int plain;
	int merged;

	/* Path of the latter. */
	char path[sizeof(PLACE_HOME) + PLACE_ID_SIZE + 32];
};

#define STACK_NONE                         \
	{                                  \
		.plain = -1, .merged = -1, \
	}

struct stack_options {
	uint64_t lowers;

	/* As ovl2_store_options.mount_options; NULL for the default. */
	const char *overlay;

	/* Mounted with `skip_sync`. */
	int is_volatile;
};

/*
 * Closed by the caller after a failure as well.
 *
 * Errors: OVL2_E_UNSUPPORTED when this kernel cannot mount so many lowers.
 */
int stack_open(struct place *place, const struct stack_options *options, struct stack *stack,
               struct ovl2_error *err);

/* Unmounts, and removes everything. Safe on STACK_NONE. */
int stack_close(struct stack *stack, struct ovl2_error *err);

/* All names are looked up anew after a mount. */
int stack_mount(struct stack *stack, struct ovl2_error *err);
int stack_unmount(struct stack *stack, struct ovl2_error *err);

/* Deletes what was written through the mount. It must not be mounted. */
int stack_empty_upper(struct stack *stack, struct ovl2_error *err);

/* Deletes what is in STACK_PLAIN. */
int stack_empty_plain(struct stack *stack, struct ovl2_error *err);
