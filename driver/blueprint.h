#pragma once

/* What the directory of a layer is made from, in a stage. */

#include "id.h"
#include "record.h"
#include "store.h"
#include "strbuf.h"

#include <sys/stat.h>

struct ovi_blueprint {
	/* Filled in by building: the project id, where there is a quota. */
	struct ovi_record record;

	/* "l/<26 characters>", and the text of the `lower` file, "" for a base layer. */
	char link[OVI_LINK_SIZE];
	struct ovi_strbuf lower;

	/*
	 * Owner and mode of the layer's root, which shows through as the root of every
	 * mount of it.
	 */
	struct stat root;
};

/*
 * Makes everything but the content in `stage`, an empty directory on the store's
 * filesystem, which was found to enforce the quota that the record asks for.
 */
int ovi_blueprint_build(struct ovi_blueprint *blueprint, int stage, struct ovl2_error *err);
