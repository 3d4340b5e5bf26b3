/*
 * A tar into a layer: Docker's ApplyDiff. Built aside, then in place at once.
 *
 * What is left of system calls for each file (strace -f -c, 1000 files of 4 KiB: five or
 * six times 1000, and what threads need to wait for each other), and why it cannot go:
 *
 *   pread64       the header: read apart, so that the thread that writes the content is
 *                 the one that has it in its cache; contents come many at a time
 *   openat        creates it with its mode, in a directory that is open: nothing of the
 *                 name but its last component is resolved
 *   write
 *   newfstatat    what the umask took from the mode, and who owns it: cheaper than the
 *                 fchmod and fchown that follow only where they have to
 *   utimensat     no call creates a file with a time
 *   close
 *
 * Once for all: syncfs instead of an fsync for each file, and the rename.
 */

#include <ovl2.h>

#include "blueprint.h"
#include "changes.h"
#include "cleanup.h"
#include "digest.h"
#include "dir.h"
#include "fail.h"
#include "hold.h"
#include "layer.h"
#include "options.h"
#include "owner.h"
#include "quota.h"
#include "sys.h"
#include "unpack.h"
#include "utf8.h"
#include "view.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>

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
	if (r > 0 && layer->record.is_committed)
		return ovi_fail(err, OVL2_E_BUSY,
		                "it is committed: it has or had a child, or a tar was applied");

	return r < 0 ? r : 0;
}

/* The layer as it is, but for its content; and complete, if it is an image's. */
static int describe(const struct ovi_layer *layer, struct ovi_blueprint *blueprint,
                    struct ovl2_error *err)
{
	const struct ovi_chain *chain = &layer->chain;

	blueprint->record = layer->record;
	if (!layer->record.is_foreign && !layer->record.is_read_write)
		blueprint->record.is_committed = 1;
	ovi_store_mark(layer->store, &blueprint->record);
	memcpy(blueprint->link, layer->link, sizeof(blueprint->link));
	for (size_t i = 0; i < chain->count; i++)
		ovi_strbuf_addf(&blueprint->lower, "%s%s", i ? ":" : "", chain->links[i]);
	if (ovi_sys.fstatat(layer->dir, "diff", &blueprint->root, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(err, "look at its root");

	return blueprint->lower.failed ? ovi_fail_memory(err) : 0;
}

/* Makes the layer's double in `stage`; what is to be unpacked goes into its root. */
static int double_layer(const struct ovi_layer *layer, const struct ovi_stage *stage, int *ret_root,
                        struct ovl2_error *err)
{
	struct ovi_blueprint blueprint = { .lower = { 0 } };
	int r;

	r = describe(layer, &blueprint, err);
	if (r == 0)
		r = ovi_blueprint_build(&blueprint, stage->dir, err);
	if (r == 0)
		r = ovi_dir_open(stage->dir, "diff", ret_root, err);
	ovi_strbuf_release(&blueprint.lower);

	return r;
}

/*
 * Opens the root of what is unpacked, in a mount of its own, attached nowhere, on which
 * no device works, no bit sets an id and nothing runs: whoever gets hold of a descriptor
 * of it, a device in a tar stays a name. It is a second wall: without it, as in a
 * sandbox that forbids it, the first one stands.
 */
static int open_root(const struct ovl2_store *store, struct ovi_place *place,
                     struct ovl2_error *err)
{
	struct mount_attr attributes = {
		.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	};
	cleanup_fd int mount = -1;

	mount = ovi_sys.open_tree(place->tree, "",
	                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (mount >= 0 &&
	    ovi_sys.mount_setattr(mount, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) == 0)
		place->root = ovi_sys.openat(mount, ".", O_RDONLY | O_DIRECTORY, 0);
	if (place->root < 0) {
		ovi_store_log(store, OVL2_LOG_DEBUG, "no mount of its own for what is unpacked: %s",
		              strerror(errno));
		return ovi_dir_open(place->tree, ".", &place->root, err);
	}
	/*
	 * Without it the mount belongs to no namespace. Each step off it then changes
	 * the kernel's count of mounts, and openat2(2) says EAGAIN to every "..".
	 */
	place->mount = steal_fd(&mount);

	return 0;
}

/* `ret_link` tells this layer from any other that has its id later. */
static int prepare(struct ovl2_store *store, const char *id, struct ovi_stage *stage,
                   struct ovi_place *place, char ret_link[OVI_LINK_SIZE], struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	int r;

	r = ovi_store_lock(store, LOCK_SH, &lock, err);
	if (r == 0)
		r = ovi_layer_open_locked(store, id, &layer, err);
	if (r == 0)
		r = check_ready(&layer, err);
	if (r == 0)
		r = ovi_stage_create(store, stage, err);
	if (r == 0)
		r = double_layer(&layer, stage, &place->tree, err);
	if (r == 0)
		r = open_root(store, place, err);
	if (r == 0 && layer.chain.count)
		r = ovi_view_open_content(store, layer.record.parent,
		                          store->attributes == &ovi_user_attributes, &place->below,
		                          err);
	memcpy(ret_link, layer.link, OVI_LINK_SIZE);

	return r;
}

/* What is on disk must not stand on what is not said to be. */
static int settle_parents(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	int r;

	if (!ovi_store_is_durable(store))
		return 0;
	r = ovi_store_lock(store, LOCK_SH, &lock, err);
	if (r == 0)
		r = ovi_layer_open(store, id, &layer, err);

	return r == 0 ? ovi_layer_settle(store, layer.record.parent, err) : r;
}

/*
 * The layer and its double change places in one step: content, record and mark
 * together. What was the layer, empty, is what the stage then holds.
 */
static int publish(struct ovl2_store *store, const char *id, const char *link,
                   const struct ovi_stage *stage, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	int r;

	r = ovi_store_lock(store, LOCK_SH, &lock, err);
	if (r == 0)
		r = ovi_layer_open_locked(store, id, &layer, err);
	if (r == 0)
		r = check_ready(&layer, err);
	if (r == 0 && strcmp(layer.link, link) != 0)
		r = ovi_fail(err, OVL2_E_NOT_FOUND,
		             "it was removed meanwhile, and another has its id");
	if (r < 0)
		return r;

	if (ovi_sys.renameat2(store->home, stage->name, store->home, id, RENAME_EXCHANGE) < 0)
		return ovi_fail_errno(err, "publish its content");
	if (ovi_store_is_durable(store))
		r = ovi_dir_flush(store->home, store->path, err);
	if (r < 0)
		ovi_sys.renameat2(store->home, stage->name, store->home, id, RENAME_EXCHANGE);

	return r;
}

/* As ovi_unpack(). What a tar brings counts against the layer's quota, whoever unpacks it. */
static int unpack(const struct ovi_stage *stage, struct ovi_place *place,
                  const struct ovl2_apply_options *options, int fd, uint64_t *ret_bytes,
                  struct ovl2_error *err)
{
	int has_quota = ovi_quota_get_project(stage->dir) >= OVI_FIRST_PROJECT;
	int had_resource_capability = has_quota ? ovi_quota_enter() : 0;
	int r = ovi_unpack(stage->store, place, options, fd, ret_bytes, err);

	ovi_quota_leave(had_resource_capability);

	return r;
}

static int read_options(const struct ovl2_apply_options *given, struct ovl2_apply_options *own,
                        struct ovi_place *place, struct ovl2_error *err)
{
	int r;

	r = ovi_options_read(given, own, sizeof(*own), err);
	if (r == 0)
		r = ovi_owner_check(own->uid_map, own->uid_map_count, err);
	if (r == 0)
		r = ovi_owner_check(own->gid_map, own->gid_map_count, err);
	if (r < 0)
		return r;

	/* Directories that no entry speaks of are root's, if it is mapped. */
	(void)ovi_owner_map(own->uid_map, own->uid_map_count, 0, &place->implied_uid);
	(void)ovi_owner_map(own->gid_map, own->gid_map_count, 0, &place->implied_gid);

	return 0;
}

/* Whom to ask when all was read and there is still something to do. */
struct caller {
	struct ovl2_apply_options options;
	struct ovl2_apply_counts counts;
};

static int ask(void *data, struct ovl2_error *err)
{
	const struct caller *caller = data;
	const struct ovl2_apply_options *options = &caller->options;

	if (options->progress && options->progress(options->progress_data, &caller->counts))
		return ovi_fail(err, OVL2_E_CANCELLED, "cancelled by the caller");

	return 0;
}

int ovl2_layer_apply(struct ovl2_store *store, const char *id,
                     const struct ovl2_apply_options *options, int fd, uint64_t *ret_bytes,
                     struct ovl2_error *err)
{
	cleanup_utf8 struct ovi_utf8 utf8 = ovi_utf8_enter();
	cleanup_stage struct ovi_stage stage = { .dir = -1 };
	struct caller caller = { .counts = { 0 } };
	struct ovi_asker asker = { ask, &caller };
	struct ovi_place place = OVI_PLACE_NONE;
	struct ovl2_apply_counts *counts;
	char link[OVI_LINK_SIZE];
	uint64_t bytes = 0;
	int r;

	place.attributes = store->attributes;
	r = read_options(options, &caller.options, &place, err);
	counts = caller.options.counts;
	caller.options.counts = &caller.counts;
	if (r == 0)
		r = prepare(store, id, &stage, &place, link, err);
	if (r == 0)
		r = unpack(&stage, &place, &caller.options, fd, &bytes, err);
	if (r == 0 && ret_bytes)
		r = ovi_changes_size_of_upper(store, place.tree, &asker, &bytes, err);
	if (r >= 0)
		r = ovi_digest_add_to_stage(&stage, id, place.tree, &asker, err);
	if (r == 0)
		r = ovi_store_sync(store, err);
	if (r == 0)
		r = settle_parents(store, id, err);
	if (r == 0)
		r = publish(store, id, link, &stage, err);
	ovi_place_release(&place);

	if (r < 0)
		return ovi_fail_within(err, r, "apply to layer '%s'", id ? id : "");
	if (ret_bytes)
		*ret_bytes = bytes;
	if (counts)
		*counts = caller.counts;

	return 0;
}
