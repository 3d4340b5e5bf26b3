#include "layer.h"

#include "blueprint.h"
#include "cleanup.h"
#include "digest.h"
#include "dir.h"
#include "fail.h"
#include "file.h"
#include "hold.h"
#include "options.h"
#include "quota.h"
#include "strbuf.h"
#include "sys.h"
#include "tree.h"
#include "volatile.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

/* ------------------------------------------------------------------- open -- */

/* For the next call, which then need not open it: who locks it again knows what it is. */
static int keep_directory(struct ovi_layer *layer)
{
	if (layer->is_locked && ovi_sys.flock(layer->dir, LOCK_UN) < 0)
		return 0;
	layer->is_locked = 0;

	return ovi_memo_keep_dir(layer);
}

void ovi_layer_close(struct ovi_layer *layer)
{
	int saved = errno;

	if (layer->dir >= 0 && !keep_directory(layer))
		close(layer->dir);
	layer->dir = -1;
	ovi_chain_release(&layer->chain);
	errno = saved;
}

/* What the record says and what `lower` says must be the same; Docker has only one. */
static int agree_on_parent(struct ovi_layer *layer, struct ovl2_error *err)
{
	const char *parent = layer->chain.parent;

	if (layer->record.is_foreign)
		snprintf(layer->record.parent, sizeof(layer->record.parent), "%s", parent);
	if (strcmp(layer->record.parent, parent) != 0)
		return ovi_fail(
			err, OVL2_E_CORRUPT,
			"layer '%s' has the parent '%s' in its record and '%s' in its lowers",
			layer->id, layer->record.parent, parent);

	return 0;
}

static int read_own_files(struct ovi_layer *layer, struct ovl2_error *err)
{
	int r = ovi_record_read(layer->dir, layer->id, &layer->record, err);

	return r < 0 ? r : ovi_link_read(layer->store, layer->dir, layer->id, layer->link, err);
}

static int read_files(struct ovi_layer *layer, struct ovl2_error *err)
{
	int r;

	r = read_own_files(layer, err);
	if (r == 0)
		r = ovi_chain_read(layer->store, layer->dir, layer->id, &layer->chain, err);

	if (r == 0)
		r = agree_on_parent(layer, err);
	if (r == 0 && *layer->record.boot && strcmp(layer->record.boot, layer->store->boot) != 0)
		r = ovi_fail(
			err, OVL2_E_CORRUPT,
			"layer '%s' was not flushed before the machine went down: make it anew",
			layer->id);

	return r;
}

static int open_directory(struct ovl2_store *store, const char *id, int *ret_dir,
                          struct ovl2_error *err)
{
	int fd = ovi_memo_take_dir(store, id);

	if (fd < 0)
		fd = ovi_sys.openat(store->home, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0 && errno == ENOENT)
		return ovi_fail(err, OVL2_E_NOT_FOUND, "there is no layer '%s' in '%s'", id,
		                store->path);
	if (fd < 0)
		return ovi_fail_errno(err, "open layer '%s'", id);
	*ret_dir = fd;

	return 0;
}

/* Whoever held the lock before, or came in between, may have put another in its place. */
static int is_still_there(const struct ovi_layer *layer, dev_t *ret_device, struct ovl2_error *err)
{
	struct stat own;
	struct stat now;

	if (ovi_sys.fstatat(layer->dir, "", &own, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "look at layer '%s'", layer->id);
	if (ovi_sys.fstatat(layer->store->home, layer->id, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : ovi_fail_errno(err, "look at layer '%s'", layer->id);
	*ret_device = own.st_dev;

	return own.st_ino == now.st_ino;
}

/* Mounts are counted by inode, which a subvolume of btrfs has in common with all others. */
static int check_device(const struct ovi_layer *layer, dev_t device, struct ovl2_error *err)
{
	if (device == layer->store->device)
		return 0;

	return ovi_fail(err, OVL2_E_CORRUPT,
	                "layer '%s' is a filesystem or subvolume of its own: make its directory a "
	                "plain one",
	                layer->id);
}

static int lock_directory(struct ovi_layer *layer, struct ovl2_error *err)
{
	while (ovi_sys.flock(layer->dir, LOCK_EX) < 0)
		if (errno != EINTR)
			return ovi_fail_errno(err, "lock layer '%s'", layer->id);
	layer->is_locked = 1;

	return 0;
}

/* LAST: locked, on its own, without its lowers. */
enum way { PLAIN, ONCE, LOCKED, LAST };

/* 1 when it is open, 0 when another directory was put in its place meanwhile. */
static int try_layer(struct ovi_layer *layer, enum way way, struct ovl2_error *err)
{
	dev_t device = 0;
	int r;

	layer->is_locked = 0;
	r = open_directory(layer->store, layer->id, &layer->dir, err);
	if (r == 0 && (way == LOCKED || way == LAST))
		r = lock_directory(layer, err);
	/*
	 * What is remembered was in its place when it was read, and is: to be renamed
	 * changes the time of a directory.
	 */
	if (r == 0 && way != ONCE)
		r = ovi_memo_recall(layer, err);
	if (r != 0)
		return r;

	r = is_still_there(layer, &device, err);
	if (r <= 0)
		return r;
	r = way == LAST ? 0 : check_device(layer, device, err);
	if (r == 0)
		r = way == LAST ? read_own_files(layer, err) : read_files(layer, err);
	if (r == 0 && (way == PLAIN || way == LOCKED))
		ovi_memo_keep(layer);

	return r < 0 ? r : 1;
}

static int open_layer(struct ovl2_store *store, const char *id, enum way way,
                      struct ovi_layer *ret_layer, struct ovl2_error *err)
{
	int r;

	*ret_layer = (struct ovi_layer){ .store = store, .dir = -1 };
	r = ovi_id_check(id, err);
	if (r < 0)
		return r;
	memcpy(ret_layer->id, id, strlen(id) + 1);

	while ((r = try_layer(ret_layer, way, err)) == 0) {
		close(steal_fd(&ret_layer->dir));
		ovi_layer_close(ret_layer);
	}
	if (r < 0)
		ovi_layer_close(ret_layer);

	return r < 0 ? r : 0;
}

static int open_unlocked(struct ovl2_store *store, const char *id, enum way way,
                         struct ovi_layer *ret_layer, struct ovl2_error *err)
{
	struct ovl2_error reason = { 0 };
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	int r;

	r = open_layer(store, id, way, ret_layer, &reason);
	/* Or it was taken away while it was read: that the lock would have kept off. */
	if (r == OVL2_E_CORRUPT) {
		r = ovi_store_lock(store, LOCK_SH, &lock, &reason);
		if (r == 0)
			r = open_layer(store, id, way, ret_layer, &reason);
	}
	if (r < 0 && err)
		*err = reason;

	return r;
}

int ovi_layer_open(struct ovl2_store *store, const char *id, struct ovi_layer *ret_layer,
                   struct ovl2_error *err)
{
	return open_unlocked(store, id, PLAIN, ret_layer, err);
}

int ovi_layer_open_once(struct ovl2_store *store, const char *id, struct ovi_layer *ret_layer,
                        struct ovl2_error *err)
{
	return open_unlocked(store, id, ONCE, ret_layer, err);
}

int ovi_layer_open_locked(struct ovl2_store *store, const char *id, struct ovi_layer *ret_layer,
                          struct ovl2_error *err)
{
	return open_layer(store, id, LOCKED, ret_layer, err);
}

int ovi_layer_open_last(struct ovl2_store *store, const char *id, struct ovi_layer *ret_layer,
                        struct ovl2_error *err)
{
	return open_layer(store, id, LAST, ret_layer, err);
}

int ovi_layer_make_targets(int dir, struct ovl2_error *err)
{
	static const char *const names[] = { "work", "merged" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (ovi_sys.mkdirat(dir, names[i], 0700) < 0 && errno != EEXIST)
			return ovi_fail_errno(err, "create the layer's '%s'", names[i]);

	return 0;
}

int ovi_layer_commit(struct ovi_layer *layer, struct ovl2_error *err)
{
	struct ovi_record record = layer->record;
	int r;

	if (record.is_committed)
		return 0;

	/* Docker's mark too, so that Docker will mount it read-only as well. */
	r = ovi_file_replace(layer->dir, OVI_COMMITTED_NAME, "", 0, err);
	if (r < 0)
		return ovi_fail_within(err, r, "commit layer '%s'", layer->id);

	record.is_committed = 1;
	if (!record.is_foreign) {
		/* What is on disk already must not be lost for a record that is not. */
		r = ovi_record_write(layer->dir, &record,
		                     ovi_store_is_durable(layer->store) || !*record.boot, err);
		if (r < 0)
			return ovi_fail_within(err, r, "commit layer '%s'", layer->id);
	}
	layer->record = record;

	return 0;
}

static int mark_flushed(struct ovl2_store *store, const char *id, struct ovi_record *ret_record,
                        struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	int r;

	r = ovi_layer_open_locked(store, id, &layer, err);
	if (r < 0)
		return r;
	*ret_record = layer.record;
	if (!*layer.record.boot)
		return 0;
	*layer.record.boot = '\0';
	r = ovi_record_write(layer.dir, &layer.record, 1, err);

	return r < 0 ? r : 1;
}

int ovi_layer_settle(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	struct ovi_record record = { .is_foreign = 0 };
	int is_changed = 0;
	int r = *id ? 1 : 0;

	snprintf(record.parent, sizeof(record.parent), "%s", id);
	while (r > 0 && *record.parent) {
		char next[OVL2_ID_SIZE];

		memcpy(next, record.parent, sizeof(next));
		r = mark_flushed(store, next, &record, err);
		is_changed |= r > 0;
	}
	if (r < 0)
		return ovi_fail_within(err, r, "mark layer '%s' as flushed", id);

	return is_changed ? ovi_store_flush(store, err) : 0;
}

/* ----------------------------------------------------------------- create -- */

/* What a new layer is made from, and the layer below; not open for a base layer. */
struct plan {
	struct ovl2_store *store;
	struct ovi_blueprint blueprint;
	struct ovi_layer parent;
};

static int plan_parent(struct plan *plan, const char *parent, struct ovl2_error *err)
{
	int r;

	ovi_layer_close(&plan->parent);
	ovi_strbuf_cut(&plan->blueprint.lower, 0);
	r = ovi_layer_open(plan->store, parent, &plan->parent, err);
	if (r == OVL2_E_NOT_FOUND)
		return ovi_fail(err, r, "there is no parent layer '%s' in '%s'", parent,
		                plan->store->path);
	if (r < 0)
		return r;

	if (plan->parent.chain.count + 1 > plan->store->options.max_depth)
		return ovi_fail(err, OVL2_E_UNSUPPORTED,
		                "layer '%s' would be on %zu lowers and this store takes %u: merge "
		                "layers, or raise max_depth (500 at most)",
		                plan->blueprint.record.id, plan->parent.chain.count + 1,
		                plan->store->options.max_depth);

	ovi_strbuf_add(&plan->blueprint.lower, plan->parent.link);
	for (size_t i = 0; i < plan->parent.chain.count; i++) {
		ovi_strbuf_add(&plan->blueprint.lower, ":");
		ovi_strbuf_add(&plan->blueprint.lower, plan->parent.chain.links[i]);
	}
	snprintf(plan->blueprint.record.parent, sizeof(plan->blueprint.record.parent), "%s",
	         parent);
	if (ovi_sys.fstatat(plan->parent.dir, "diff", &plan->blueprint.root, AT_SYMLINK_NOFOLLOW) <
	    0)
		return ovi_fail_errno(err, "look at '%s/diff'", parent);

	return plan->blueprint.lower.failed ? ovi_fail_memory(err) : 0;
}

/* From the moment it has a child, a layer must not change. The store must be locked. */
static int commit_parent(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer parent = OVI_LAYER_NONE;
	struct ovi_hold hold = { .count = 0 };
	int r;

	r = ovi_layer_open_locked(store, id, &parent, err);
	if (r == 0)
		r = ovi_hold_read(&parent, &hold, err);
	if (r < 0)
		return r;
	if (hold.count && hold.is_writable)
		return ovi_fail(err, OVL2_E_BUSY,
		                "layer '%s' is mounted writable and cannot be a parent: unmount it "
		                "first",
		                parent.id);

	/* What was written without syncs is on disk before anything stands on it. */
	r = hold.count ? 0 : ovi_hold_check_detached(&parent, err);
	if (r == 0 && !hold.count)
		r = ovi_volatile_check(store, parent.dir, err);
	if (r > 0)
		r = ovi_volatile_settle(store, parent.dir, err);
	if (r < 0)
		return ovi_fail_within(err, r, "layer '%s'", parent.id);

	return ovi_layer_commit(&parent, err);
}

/*
 * A digest takes as long as the layer is large: before the child is begun, and outside
 * of all locks.
 */
static int finish_parent(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer parent = OVI_LAYER_NONE;
	int r;

	r = ovi_layer_open(store, id, &parent, err);
	if (r == OVL2_E_NOT_FOUND)
		return ovi_fail(err, r, "there is no parent layer '%s' in '%s'", id, store->path);
	if (r < 0 || !parent.record.wants_digest || *parent.record.digest)
		return r;
	if (!parent.record.is_committed) {
		cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;

		r = ovi_store_lock(store, LOCK_SH, &lock, err);
		if (r == 0)
			r = commit_parent(store, id, err);
	}
	if (r == 0)
		r = ovi_digest_add(store, id, err);

	return r < 0 ? r : 0;
}

/*
 * A layer of ours that was committed when the store was locked stays so, and was not
 * mounted writable then or since. Docker's may be.
 */
static int must_commit(const struct plan *plan)
{
	const struct ovi_layer *parent = &plan->parent;

	return parent->dir >= 0 && (parent->record.is_foreign || !parent->record.is_committed);
}

/*
 * One rename makes the layer visible. Its link is there before: a link that leads
 * nowhere hurts nobody, a layer without its link would be corrupt.
 */
static int publish(struct plan *plan, const struct ovi_stage *stage, struct ovl2_error *err)
{
	const char *id = plan->blueprint.record.id;
	struct ovl2_store *store = plan->store;
	cleanup_strbuf struct ovi_strbuf target = { 0 };
	int r;

	ovi_strbuf_addf(&target, "../%s/diff", id);
	if (target.failed)
		return ovi_fail_memory(err);
	if (ovi_memo_link(store, plan->blueprint.link, target.text) < 0)
		return ovi_fail_errno(err, "create link '%s'", plan->blueprint.link);

	r = must_commit(plan) ? commit_parent(store, plan->blueprint.record.parent, err) : 0;
	if (r == 0)
		r = ovi_store_sync(store, err);
	if (r == 0 && ovi_store_is_durable(store) && *plan->parent.record.boot)
		r = ovi_layer_settle(store, plan->parent.id, err);
	if (r == 0 &&
	    ovi_sys.renameat2(store->home, stage->name, store->home, id, RENAME_NOREPLACE) < 0)
		r = errno == EEXIST
		            ? ovi_fail(err, OVL2_E_EXISTS, "there is a layer '%s' already", id)
		            : ovi_fail_errno(err, "publish layer '%s'", id);
	if (r < 0)
		ovi_sys.unlinkat(store->home, plan->blueprint.link, 0);

	return r;
}

/* So that its first mount need not read what was written here. */
static void remember(const struct plan *plan, int dir)
{
	cleanup_layer struct ovi_layer layer = {
		.store = plan->store,
		.dir = dir,
		.is_locked = 1,
		.record = plan->blueprint.record,
	};

	memcpy(layer.id, layer.record.id, sizeof(layer.id));
	if (plan->blueprint.lower.length &&
	    ovi_chain_parse(plan->blueprint.lower.text, &layer.chain, NULL) < 0)
		return;
	memcpy(layer.chain.parent, layer.record.parent, sizeof(layer.chain.parent));
	memcpy(layer.link, plan->blueprint.link, sizeof(layer.link));
	ovi_memo_keep_new(&layer);
}

/* Returns 1, with nothing done, when the parent is to have a digest first. */
static int make_layer(struct plan *plan, const char *parent, struct ovl2_error *err)
{
	cleanup_stage struct ovi_stage stage = { .dir = -1 };
	struct ovl2_store *store = plan->store;
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	struct stat st;
	int r;

	r = ovi_store_lock(store, LOCK_SH, &lock, err);
	if (r < 0)
		return r;
	if (ovi_sys.fstatat(store->home, plan->blueprint.record.id, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return ovi_fail(err, OVL2_E_EXISTS, "there is a layer '%s' already",
		                plan->blueprint.record.id);
	if (parent) {
		r = plan_parent(plan, parent, err);
		if (r < 0)
			return r;
		if (plan->parent.record.wants_digest && !*plan->parent.record.digest)
			return 1;
	}

	memcpy(plan->blueprint.link, "l/", 2);
	r = ovi_random_name(plan->blueprint.link + 2, err);
	if (r == 0)
		r = ovi_stage_create(store, &stage, err);
	if (r == 0)
		r = ovi_memo_try_times(store->memo, stage.dir, err);
	if (r == 0)
		r = ovi_blueprint_build(&plan->blueprint, stage.dir, err);
	if (r == 0)
		r = publish(plan, &stage, err);
	if (r < 0)
		return r;

	/* It is a stage no more, and locked until then. */
	remember(plan, steal_fd(&stage.dir));

	return ovi_store_is_durable(store) ? ovi_dir_flush(store->home, store->path, err) : 0;
}

int ovl2_layer_create(struct ovl2_store *store, const char *id,
                      const struct ovl2_layer_options *options, struct ovl2_error *err)
{
	struct ovl2_layer_options own = { .size = 0 };
	struct plan plan = {
		.store = store,
		.blueprint.root.st_mode = 0755,
		.parent = OVI_LAYER_NONE,
	};
	int r;

	r = ovi_options_read(options, &own, sizeof(own), err);
	if (r == 0)
		r = ovi_id_check(id, err);
	if (r == 0 && own.parent)
		r = ovi_id_check(own.parent, err);
	if (r < 0)
		return r;

	snprintf(plan.blueprint.record.id, sizeof(plan.blueprint.record.id), "%s", id);
	plan.blueprint.record.is_read_write = own.read_write != 0;
	/* As in Docker, the store's default is for containers and not for images. */
	plan.blueprint.record.quota_bytes = own.quota_bytes  ? own.quota_bytes
	                                    : own.read_write ? store->options.quota_bytes
	                                                     : 0;
	plan.blueprint.record.quota_inodes = own.quota_inodes;
	plan.blueprint.record.wants_digest = own.digest || store->options.digest;
	ovi_store_mark(store, &plan.blueprint.record);

	if (plan.blueprint.record.quota_bytes || own.quota_inodes)
		r = ovi_quota_require(store->home, store->path, err);
	while (r == 0 && (r = make_layer(&plan, own.parent, err)) > 0)
		r = finish_parent(store, own.parent, err);
	ovi_layer_close(&plan.parent);
	ovi_strbuf_release(&plan.blueprint.lower);

	return r < 0 ? ovi_fail_within(err, r, "create layer '%s'", id) : 0;
}

/* ----------------------------------------------------------------- remove -- */

#define TRASH_SIZE (sizeof(OVI_TRASH) + 1 + OVI_LINK_LENGTH)

/*
 * A layer of ours has no child unless it is committed: that comes first, by us and by
 * Docker, and on the disk. So most that are removed, those of containers, need no search.
 */
static int may_have_children(const struct ovi_layer *layer, struct ovl2_error *err)
{
	struct stat st;

	if (layer->record.is_foreign || layer->record.is_committed)
		return 1;
	if (ovi_sys.fstatat(layer->dir, OVI_COMMITTED_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;

	return errno == ENOENT ? 0 : ovi_fail_errno(err, "look at '" OVI_COMMITTED_NAME "'");
}

/* Looks for a layer whose first lower is `link`; its id, or "" for none. */
static int find_child(struct ovl2_store *store, const char *link, char ret_id[OVL2_ID_SIZE],
                      struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	int r;

	r = ovi_dir_list(store->home, store->path, &listing, err);
	if (r < 0)
		return r;

	ret_id[0] = '\0';
	for (size_t i = 0; i < listing.count; i++) {
		const char *id = listing.names[i].name;
		cleanup_strbuf struct ovi_strbuf path = { 0 };
		char first[OVI_LINK_SIZE] = "";
		cleanup_fd int fd = -1;

		if (listing.names[i].type != DT_DIR || !ovi_id_is_valid(id))
			continue;
		ovi_strbuf_addf(&path, "%s/lower", id);
		if (path.failed)
			return ovi_fail_memory(err);
		fd = ovi_sys.openat(store->home, path.text, O_RDONLY | O_NOFOLLOW, 0);
		if (fd < 0)
			continue;
		if (ovi_sys.read(fd, first, OVI_LINK_SIZE - 1) < 0)
			return ovi_fail_errno(err, "read '%s'", path.text);
		if (strcmp(first, link) == 0) {
			snprintf(ret_id, OVL2_ID_SIZE, "%s", id);
			return 0;
		}
	}

	return 0;
}

static int check_unused(struct ovi_layer *layer, struct ovl2_error *err)
{
	char child[OVL2_ID_SIZE] = "";
	struct ovi_hold hold = { .count = 0 };
	int r;

	r = ovi_hold_read(layer, &hold, err);
	if (r < 0)
		return r;
	if (hold.count)
		return ovi_fail(err, OVL2_E_BUSY, "it is mounted: unmount it first");
	r = ovi_hold_check_detached(layer, err);
	if (r < 0)
		return r;

	r = may_have_children(layer, err);
	if (r > 0)
		r = find_child(layer->store, layer->link, child, err);
	if (r == 0 && *child)
		r = ovi_fail(err, OVL2_E_BUSY, "it is the parent of layer '%s': remove that first",
		             child);

	return r;
}

/*
 * Out of sight by one rename, under the lock. `ret_trash` is then to be deleted, and
 * nobody else does that while `layer` is open: it stays locked.
 */
static int discard(struct ovl2_store *store, const char *id, struct ovi_layer *layer,
                   char ret_trash[TRASH_SIZE], struct ovl2_error *err)
{
	char random[OVI_LINK_LENGTH + 1];
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	int r;

	r = ovi_store_lock(store, LOCK_EX, &lock, err);
	if (r == 0)
		r = ovi_layer_open_last(store, id, layer, err);
	if (r == 0)
		r = check_unused(layer, err);
	if (r == 0)
		r = ovi_random_name(random, err);
	if (r < 0)
		return r;

	snprintf(ret_trash, TRASH_SIZE, OVI_TRASH "/%s", random);
	if (ovi_sys.renameat2(store->home, id, store->home, ret_trash, RENAME_NOREPLACE) < 0)
		return ovi_fail_errno(err, "move it to the trash");
	if (ovi_memo_unlink(layer) < 0)
		ovi_store_log(store, OVL2_LOG_WARNING, "link '%s' stayed: %s", layer->link,
		              strerrordesc_np(errno));
	if (store->options.durability == OVL2_DURABILITY_ALWAYS)
		return ovi_dir_flush(store->home, store->path, err);

	return 0;
}

int ovl2_layer_remove(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	char trash[TRASH_SIZE];
	int r;

	r = discard(store, id, &layer, trash, err);
	if (r == 0)
		r = ovi_tree_remove(store->home, trash, err);
	/* The id is free for another when nothing uses it and nothing limits it. */
	if (r == 0 && layer.record.project_id)
		ovi_store_release_project(store, layer.record.project_id);

	return r < 0 ? ovi_fail_within(err, r, "remove layer '%s'", id ? id : "") : 0;
}

/* ----------------------------------------------------------------- lookup -- */

int ovl2_layer_exists(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	struct stat st;
	int r;

	r = ovi_id_check(id, err);
	if (r < 0)
		return r;
	if (ovi_sys.fstatat(store->home, id, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode);

	return errno == ENOENT ? 0 : ovi_fail_errno(err, "look for layer '%s'", id);
}

int ovl2_layer_parent(struct ovl2_store *store, const char *id, char ret_parent[OVL2_ID_SIZE],
                      struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	int r;

	r = ovi_layer_open(store, id, &layer, err);
	if (r < 0)
		return r;
	if (!layer.chain.count)
		return 0;
	if (ret_parent)
		snprintf(ret_parent, OVL2_ID_SIZE, "%s", layer.record.parent);

	return 1;
}
