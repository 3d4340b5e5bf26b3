/* Layers made without being flushed, flushed all together: many for the price of one. */

#include <ovl2.h>

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "layer.h"
#include "sys.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

/* A layer as it was before the flush: another one may have its id by then. */
struct candidate {
	char id[OVL2_ID_SIZE];
	ino_t inode;
};

struct candidates {
	struct candidate *rows;
	size_t count;
};

static int look_at(struct ovl2_store *store, const char *id, struct candidates *candidates,
                   struct ovl2_error *err)
{
	struct ovi_record record;
	cleanup_fd int dir = -1;
	struct stat st;

	if (ovi_dir_open(store->home, id, &dir, NULL) < 0 ||
	    ovi_record_read(dir, id, &record, NULL) < 0 || !*record.boot)
		return 0;
	if (ovi_sys.fstatat(dir, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "look at layer '%s'", id);
	memcpy(candidates->rows[candidates->count].id, record.id, sizeof(record.id));
	candidates->rows[candidates->count++].inode = st.st_ino;

	return 0;
}

static int find_unflushed(struct ovl2_store *store, struct candidates *candidates,
                          struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	int r;

	r = ovi_dir_list(store->home, store->path, &listing, err);
	if (r < 0)
		return r;
	candidates->rows = calloc(listing.count + 1, sizeof(*candidates->rows));
	if (!candidates->rows)
		return ovi_fail_memory(err);
	for (size_t i = 0; i < listing.count && r == 0; i++)
		if (ovi_id_is_valid(listing.names[i].name))
			r = look_at(store, listing.names[i].name, candidates, err);

	return r;
}

static int mark(struct ovl2_store *store, const struct candidate *candidate, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	struct stat st;
	int r;

	r = ovi_layer_open_locked(store, candidate->id, &layer, err);
	if (r == OVL2_E_NOT_FOUND)
		return 0;
	if (r < 0)
		return r;
	if (ovi_sys.fstatat(layer.dir, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "look at layer '%s'", candidate->id);
	if (st.st_ino != candidate->inode)
		return 0;
	layer.record.boot[0] = '\0';

	return ovi_record_write(layer.dir, &layer.record, 1, err);
}

int ovl2_store_sync(struct ovl2_store *store, struct ovl2_error *err)
{
	struct candidates candidates = { .rows = NULL };
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	int r;

	r = ovi_store_lock(store, LOCK_SH, &lock, err);
	if (r == 0)
		r = find_unflushed(store, &candidates, err);
	if (r == 0)
		r = ovi_store_flush(store, err);
	for (size_t i = 0; i < candidates.count && r == 0; i++)
		r = mark(store, &candidates.rows[i], err);
	/* The records that now say so. */
	if (r == 0 && candidates.count)
		r = ovi_store_flush(store, err);
	free(candidates.rows);

	return r < 0 ? r : (int)candidates.count;
}
