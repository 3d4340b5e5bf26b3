#pragma once

/*
 * Where the benchmarks of a round work: a store of their own on the run's site, and
 * beside it room for the floors on the same filesystem.
 *
 * The store is always at PLACE_HOME, in a mount namespace that only this process
 * sees: a path as long as "/var/lib/docker/overlay2", for the length of the path
 * decides how many lowers fit into mount(2), and so the figures would not be
 * comparable otherwise. Ids have 64 digits, as Docker's do.
 */

#include "bench.h"

/* 64 hexadecimal digits and a NUL. */
#define PLACE_ID_SIZE 65

#define PLACE_MOUNT_POINT "/mnt"
#define PLACE_NAME "ovl2-bench"
#define PLACE_ROOT PLACE_MOUNT_POINT "/" PLACE_NAME
#define PLACE_HOME PLACE_ROOT "/overlay2"

/* As many as overlayfs takes. */
#define PLACE_MAX_DEPTH 500

struct dataset;

struct place {
	enum bench_tier tier;

	/* PLACE_ROOT, for what belongs to no store; and PLACE_HOME. */
	int root;
	int home;

	/* The same store, once as it comes and once without any sync. */
	struct ovl2_store *store;
	struct ovl2_store *hasty;

	/* Data sets made so far, see dataset.h. */
	struct dataset *datasets;

	/* Read-only layers, each on the one before; one more than may be below another. */
	char (*chain)[PLACE_ID_SIZE];
	size_t chain_length;

	uint64_t last_id;
};

/*
 * On an open site. Gives this process mounts of its own. Release with place_close().
 */
int place_open(enum bench_tier tier, struct place **ret_place, struct ovl2_error *err);

/* Unmounts everything; site_clear() removes it. NULL and half-opened are fine. */
void place_close(struct place *place);

/* An id that no layer has. */
void place_new_id(struct place *place, char ret_id[PLACE_ID_SIZE]);

/*
 * Id of a committed layer that, as a parent, makes `lowers` lowers. Makes the
 * layers that are still missing.
 */
int place_chain(struct place *place, uint64_t lowers, const char **ret_id, struct ovl2_error *err);

/* Creates a layer for a container on `lowers` lowers, 0 for a base layer. */
int place_create_layer(struct place *place, uint64_t lowers, char ret_id[PLACE_ID_SIZE],
                       struct ovl2_error *err);

/*
 * Creates a layer on `parent`, NULL for none: a container's when it is `read_write`, else
 * one of an image, for a tar to be applied to.
 */
int place_create(struct place *place, const char *parent, int read_write,
                 char ret_id[PLACE_ID_SIZE], struct ovl2_error *err);

/* Where a container's layer has its changes; free(3). */
int place_find_upper(struct place *place, const char *id, char **ret_path, struct ovl2_error *err);

/* Waits until everything written so far is on disk: nobody pays for others. */
int place_settle(struct place *place, struct ovl2_error *err);

/* Removes `name` of PLACE_ROOT and all below it; what is not there is fine. */
int place_remove(struct place *place, const char *name, struct ovl2_error *err);
