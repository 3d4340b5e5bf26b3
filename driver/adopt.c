/* A record of ours for a layer that Docker made. */

#include <ovl2.h>

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "layer.h"
#include "sys.h"

#include <string.h>
#include <sys/file.h>

static int adopt(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	int r;

	r = ovi_store_lock(store, LOCK_SH, &lock, err);
	if (r == 0)
		r = ovi_layer_open_locked(store, id, &layer, err);
	if (r < 0 || !layer.record.is_foreign)
		return r;
	/* All of its lowers: from now on we answer for it. */
	r = ovi_chain_resolve(store, id, &layer.chain, err);
	if (r < 0)
		return r;
	r = ovi_store_flush(store, err);
	if (r == 0)
		r = ovi_layer_make_targets(layer.dir, err);
	if (r < 0)
		return r;
	layer.record.is_foreign = 0;
	layer.record.is_read_write = !layer.record.is_committed;
	r = ovi_record_write(layer.dir, &layer.record, 1, err);
	if (r == 0)
		r = ovi_dir_flush(layer.dir, id, err);

	return r < 0 ? r : 1;
}

int ovl2_layer_adopt(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	int r = adopt(store, id, err);

	return r < 0 ? ovi_fail_within(err, r, "adopt layer '%s'", id ? id : "") : r;
}
