#pragma once

/*
 * The ground that places are put on: an image, or a directory that the user named,
 * mounted at PLACE_MOUNT_POINT where only this process and its children see it. One
 * a run; each round has a place of its own on it.
 */

#include "bench.h"

#include "scratch.h"

struct image;

struct site_options {
	enum bench_tier tier;

	/* Work in here instead of an image; NULL for an image. */
	const char *directory;

	/* Of the image. */
	const char *filesystem;
};

struct site {
	/* PLACE_MOUNT_POINT. */
	int root;

	/* Bytes of the image, or 0. */
	uint64_t image_bytes;

	/* What has to go at the end. */
	struct image *image;
	int parent; /* of the scratch directory */
	struct ovi_scratch scratch;
};

/* Start from this. */
#define SITE_NONE                                                     \
	{                                                             \
		.root = -1, .parent = -1, .scratch = OVI_SCRATCH_INIT \
	}

/*
 * Needs root. Gives this process mounts of its own. Release with site_close(), after a
 * failure as well.
 */
int site_open(const struct site_options *options, struct site *site, struct ovl2_error *err);

/* Removes what a place left, that of a round which crashed included. */
int site_clear(const struct site *site, struct ovl2_error *err);

/* Removes everything. */
void site_close(struct site *site);
