/* A tar into a layer: Docker's ApplyDiff. Built aside, then in place at once. */

#include <ovl2.h>

#include "changes.h"
#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "hold.h"
#include "layer.h"
#include "quota.h"
#include "sys.h"
#include "unpack.h"
#include "utf8.h"
#include "view.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

static int check_ready(struct ovi_layer *layer, struct ovl2_error *err)
{
	cleanup_fd int diff = -1;
	struct ovi_hold hold;
	int r;

	r = ovi_hold_read(layer, &hold, err);
	if (r < 0)
		return r;
	if (hold.count)
		return ovi_fail(err, OVL2_E_BUSY, "it is mounted: unmount it first");

	r = ovi_dir_open(layer->dir, "diff", &diff, err);
	if (r == 0)
		r = ovi_dir_is_empty(diff, "diff", err);
	if (r == 0)
		return ovi_fail(err, OVL2_E_EXISTS, "it has content already");

	return r < 0 ? r : 0;
}

/* The new root looks as the old one until the tar says otherwise. */
static int make_root(const struct ovi_layer *layer, int stage, int *ret_root,
                     struct ovl2_error *err)
{
	struct stat st;
	int r;

	if (ovi_sys.fstatat(layer->dir, "diff", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(err, "look at its diff directory");
	if (ovi_sys.mkdirat(stage, "diff", 0700) < 0)
		return ovi_fail_errno(err, "create a stage for it");
	r = ovi_dir_open(stage, "diff", ret_root, err);
	if (r < 0)
		return r;
	if (ovi_sys.fchownat(*ret_root, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0 ||
	    ovi_sys.fchmod(*ret_root, st.st_mode & 07777) < 0)
		return ovi_fail_errno(err, "set owner and mode of its root");

	return 0;
}

static int prepare(struct ovl2_store *store, const char *id, struct ovi_stage *stage,
                   struct ovi_place *place, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	cleanup_fd int lock = -1;
	int r;

	r = ovi_store_lock(store, LOCK_SH, &lock, err);
	if (r == 0)
		r = ovi_layer_open_locked(store, id, &layer, err);
	if (r == 0)
		r = check_ready(&layer, err);
	if (r == 0)
		r = ovi_stage_create(store, stage, err);
	if (r == 0 && layer.record.project_id)
		r = ovi_quota_set_project(stage->dir, layer.record.project_id, err);
	if (r == 0)
		r = make_root(&layer, stage->dir, &place->root, err);
	if (r == 0 && layer.chain.count)
		r = ovi_view_open(store, layer.record.parent, &place->below, err);

	return r;
}

/* To another parent is a change to a directory on xfs: its ".." is. */
static void keep_time(struct ovl2_store *store, int root, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (ovi_sys.utimensat(root, ".", times, 0) < 0)
		ovi_store_log(store, OVL2_LOG_WARNING, "the time of a layer's root is lost: %s",
		              strerrordesc_np(errno));
}

/*
 * The stage's diff and the layer's change places in one step. An image layer is
 * complete by that; should the record not take it, they change back.
 */
static int publish(struct ovl2_store *store, const char *id, const struct ovi_stage *stage,
                   int root, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	cleanup_fd int lock = -1;
	struct stat st;
	int r;

	r = ovi_store_lock(store, LOCK_SH, &lock, err);
	if (r == 0)
		r = ovi_layer_open_locked(store, id, &layer, err);
	if (r == 0)
		r = check_ready(&layer, err);
	if (r < 0)
		return r;

	if (ovi_sys.fstatat(root, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "look at its root");
	if (ovi_sys.renameat2(stage->dir, "diff", layer.dir, "diff", RENAME_EXCHANGE) < 0)
		return ovi_fail_errno(err, "publish its content");
	keep_time(store, root, &st);
	if (!layer.record.is_read_write)
		r = ovi_layer_commit(&layer, err);
	if (r == 0 && ovi_store_is_durable(store) && ovi_sys.fsync(layer.dir) < 0)
		r = ovi_fail_errno(err, "flush its directory");
	if (r < 0)
		ovi_sys.renameat2(stage->dir, "diff", layer.dir, "diff", RENAME_EXCHANGE);

	return r;
}

int ovl2_layer_apply(struct ovl2_store *store, const char *id, int fd, uint64_t *ret_bytes,
                     struct ovl2_error *err)
{
	cleanup_utf8 struct ovi_utf8 utf8 = ovi_utf8_enter();
	cleanup_stage struct ovi_stage stage = { .dir = -1 };
	struct ovi_place place = OVI_PLACE_NONE;
	uint64_t bytes = 0;
	int r;

	r = prepare(store, id, &stage, &place, err);
	if (r == 0)
		r = ovi_unpack(store, &place, fd, err);
	if (r == 0 && ret_bytes)
		r = ovi_changes_size_of_upper(place.root, &bytes, err);
	if (r == 0)
		r = ovi_store_sync(store, err);
	if (r == 0)
		r = publish(store, id, &stage, place.root, err);
	ovi_place_release(&place);

	if (r < 0)
		return ovi_fail_within(err, r, "apply to layer '%s'", id ? id : "");
	if (ret_bytes)
		*ret_bytes = bytes;

	return 0;
}
