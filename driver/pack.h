#pragma once

/*
 * Files into tar entries, read ahead by several threads. What is given in comes out
 * again in the same order and as the same bytes, however many threads.
 *
 * Small files are read by whoever is free, into the memory of a batch. What depends
 * on the order (is this the first name of the file?), needs what is not shared (a
 * view, to read what metacopy left below) or is too large to be held is left to the
 * thread that puts out, at its turn.
 */

#include "changes.h"
#include "sink.h"

#include <ovl2.h>

struct ovi_pack;

struct ovi_pack_options {
	struct ovl2_store *store;
	const char *id;
	struct ovi_sink *sink;
	size_t threads; /* 0: as many as pay */
};

int ovi_pack_new(const struct ovi_pack_options *options, struct ovi_pack **ret_pack,
                 struct ovl2_error *err);

/* NULL is fine. */
void ovi_pack_free(struct ovi_pack *pack);

/* Adds an entry for this change; the batches before it may be put out. */
int ovi_pack_add(struct ovi_pack *pack, const struct ovi_change *change, struct ovl2_error *err);

/* Puts out all that was added, and the tar's end. */
int ovi_pack_finish(struct ovi_pack *pack, struct ovl2_error *err);
