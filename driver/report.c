/* What a store and its layers are: status, list, metadata; and cleaning up. */

#include <ovl2.h>

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "hold.h"
#include "holders.h"
#include "layer.h"
#include "linger.h"
#include "overlay.h"
#include "quota.h"
#include "strbuf.h"
#include "sys.h"
#include "tree.h"
#include "volatile.h"

#include <fcntl.h>
#include <libmount.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>

/* Hands out facts until the caller has had enough. */
struct teller {
	ovl2_fact_fn *each;
	void *data;
	int stopped;
};

__attribute__((format(printf, 4, 5))) static void tell(struct teller *teller, const char *key,
                                                       const char *how, const char *format, ...)
{
	struct ovl2_fact fact = { .key = key, .how = how };
	cleanup_free char *text = NULL;
	va_list args;
	int length;

	if (teller->stopped)
		return;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		text = NULL;
	fact.value = text ? text : "";
	teller->stopped = teller->each(teller->data, &fact);
}

/* ------------------------------------------------------------------- status -- */

static void tell_answer(struct teller *teller, const char *key, int answer, int wanted,
                        const struct ovl2_evidence *evidence, const struct ovl2_error *reason)
{
	if (answer < 0)
		tell(teller, key, reason->message, "unknown");
	else
		tell(teller, key, evidence->text, "%s", answer == wanted ? "true" : "false");
}

static void tell_backing(struct teller *teller, const struct ovl2_store *store)
{
	struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_fs *fs = NULL;
	const char *type;

	if (table)
		fs = mnt_table_find_mountpoint(table, store->path, MNT_ITER_BACKWARD);
	type = fs ? mnt_fs_get_fstype(fs) : NULL;
	tell(teller, "Backing Filesystem", "mount table", "%s", type ? type : "unknown");
	mnt_unref_table(table);
}

static void tell_host(struct teller *teller, const struct ovl2_store *store)
{
	struct ovl2_evidence evidence = { .value = 0 };
	struct ovl2_error reason = { 0 };
	int r;

	tell_backing(teller, store);
	r = ovl2_probe_d_type(store->home, &evidence, &reason);
	tell_answer(teller, "Supports d_type", r, 1, &evidence, &reason);
	r = ovl2_probe_opaque_copy_up(store->home, &evidence, &reason);
	tell_answer(teller, "Native Overlay Diff", r, 0, &evidence, &reason);
	tell(teller, "Using metacopy", "options of every mount", "%s",
	     strstr(store->mount_options, "metacopy=on") ? "true" : "false");
	tell(teller, "userxattr", "names of overlayfs's marks in the layers", "%s",
	     store->attributes == &ovi_user_attributes ? "true" : "false");
	r = ovl2_probe_project_quota(store->home, &evidence, &reason);
	tell_answer(teller, "Project Quota", r, 1, &evidence, &reason);
}

static int count_layers(struct ovl2_store *store, size_t *ret_count, struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	int r;

	r = ovi_dir_list(store->home, store->path, &listing, err);
	*ret_count = 0;
	for (size_t i = 0; i < listing.count; i++)
		*ret_count +=
			listing.names[i].type == DT_DIR && ovi_id_is_valid(listing.names[i].name);

	return r;
}

int ovl2_store_status(struct ovl2_store *store, ovl2_fact_fn *each, void *data,
                      struct ovl2_error *err)
{
	static const char *const durabilities[] = {
		[OVL2_DURABILITY_COMMIT] = "commit",
		[OVL2_DURABILITY_NONE] = "none",
		[OVL2_DURABILITY_ALWAYS] = "always",
	};
	const struct ovl2_store_options *options = &store->options;
	struct teller teller = { .each = each, .data = data };
	size_t count;
	int r;

	r = count_layers(store, &count, err);
	if (r < 0)
		return r;

	tell(&teller, "Store", "path without links", "%s", store->path);
	tell_host(&teller, store);
	tell(&teller, "Mount Method", "option mount_method", "%s",
	     ovl2_mount_method_name(options->mount_method));
	tell(&teller, "Mount Options", "what this kernel's /sys/module/overlay/parameters knows",
	     "%s", store->mount_options);
	tell(&teller, "Max Depth", "option max_depth", "%u", options->max_depth);
	tell(&teller, "Durability", "option durability", "%s", durabilities[options->durability]);
	tell(&teller, "Layers", "directories of the store", "%zu", count);

	return 0;
}

/* --------------------------------------------------------------------- list -- */

/* How a layer is opened that is to be listed. */
typedef int open_fn(struct ovl2_store *store, const char *id, struct ovi_layer *ret_layer,
                    struct ovl2_error *err);

static int tell_layer(struct ovl2_store *store, const char *id, open_fn *open, ovl2_layer_fn *each,
                      void *data, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	struct ovl2_layer_info info = { .id = id };
	struct ovi_hold hold = { 0 };
	int r;

	r = open(store, id, &layer, err);
	/* Removed since it was listed. */
	if (r == OVL2_E_NOT_FOUND)
		return 0;
	if (r == 0)
		r = ovi_hold_read(&layer, &hold, err);
	if (r < 0)
		return r;

	info.parent = *layer.record.parent ? layer.record.parent : NULL;
	info.depth = (uint32_t)layer.chain.count;
	info.mount_count = hold.count;
	info.is_read_write = layer.record.is_read_write;
	info.is_committed = layer.record.is_committed;
	info.is_foreign = layer.record.is_foreign;

	return each(data, &info) ? 1 : 0;
}

int ovl2_store_list(struct ovl2_store *store, ovl2_layer_fn *each, void *data,
                    struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	struct ovl2_error reason = { 0 };
	open_fn *open = ovi_layer_open;
	int r;

	r = ovi_dir_list(store->home, store->path, &listing, err);
	if (listing.count > OVI_MEMO_LAYERS)
		open = ovi_layer_open_once;
	for (size_t i = 0; i < listing.count && r == 0; i++) {
		const struct ovi_name *entry = &listing.names[i];

		if (entry->type != DT_DIR || !ovi_id_is_valid(entry->name))
			continue;
		r = tell_layer(store, entry->name, open, each, data, &reason);
		if (r < 0 && err)
			*err = reason;
	}

	return r < 0 ? r : 0;
}

/* ----------------------------------------------------------------- metadata -- */

static int join_lowers(struct ovi_layer *layer, struct ovi_strbuf *text, struct ovl2_error *err)
{
	int r = ovi_chain_resolve(layer->store, layer->id, &layer->chain, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < layer->chain.count; i++)
		ovi_strbuf_addf(text, "%s%s/%s/diff", i ? ":" : "", layer->store->path,
		                layer->chain.ids[i]);

	return text->failed ? ovi_fail_memory(err) : 0;
}

static const char *state_of(const struct ovi_layer *layer)
{
	if (layer->record.is_committed)
		return "committed";

	return layer->record.is_read_write ? "read-write" : "open";
}

int ovl2_layer_usage(struct ovl2_store *store, const char *id, struct ovl2_usage *ret_usage,
                     struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	struct ovl2_usage usage;
	int r;

	r = ovi_layer_open(store, id, &layer, err);
	if (r < 0)
		return r;
	if (!layer.record.project_id)
		return 0;

	r = ovi_quota_read_usage(layer.dir, layer.record.project_id, &usage, err);
	if (r < 0)
		return ovi_fail_within(err, r, "read the usage of layer '%s'", id);
	if (ret_usage)
		*ret_usage = usage;

	return 1;
}

static void tell_quota(struct teller *teller, struct ovl2_store *store, const char *id)
{
	struct ovl2_usage usage = { 0 };
	struct ovl2_error reason = { 0 };
	int r = ovl2_layer_usage(store, id, &usage, &reason);

	if (r == 0)
		return;
	if (r < 0) {
		tell(teller, "Usage", reason.message, "unknown");
		return;
	}
	tell(teller, "Quota", "project quota, 0 is no limit", "%llu bytes, %llu inodes",
	     (unsigned long long)usage.limit_bytes, (unsigned long long)usage.limit_inodes);
	tell(teller, "Usage", "project quota", "%llu bytes, %llu inodes",
	     (unsigned long long)usage.bytes, (unsigned long long)usage.inodes);
}

int ovl2_layer_metadata(struct ovl2_store *store, const char *id, ovl2_fact_fn *each, void *data,
                        struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	cleanup_strbuf struct ovi_strbuf lowers = { 0 };
	struct teller teller = { .each = each, .data = data };
	struct ovi_hold hold = { 0 };
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	int r;

	r = ovi_store_lock(store, LOCK_SH, &lock, err);
	if (r == 0)
		r = ovi_layer_open(store, id, &layer, err);
	if (r == 0)
		r = ovi_hold_read(&layer, &hold, err);
	if (r == 0)
		r = join_lowers(&layer, &lowers, err);
	if (r < 0)
		return r;

	if (lowers.length)
		tell(&teller, "LowerDir", "lower file", "%s", lowers.text);
	tell(&teller, "UpperDir", "layout", "%s/%s/diff", store->path, id);
	tell(&teller, "WorkDir", "layout", "%s/%s/work", store->path, id);
	tell(&teller, "MergedDir", "layout", "%s/%s/merged", store->path, id);
	if (*layer.record.parent)
		tell(&teller, "Parent", layer.record.is_foreign ? "lower file" : "record", "%s",
		     layer.record.parent);
	tell(&teller, "Depth", "lower file", "%zu", layer.chain.count);
	tell(&teller, "State", layer.record.is_foreign ? "committed file" : "record", "%s",
	     state_of(&layer));
	tell(&teller, "Mounts", "kernel and run directory", "%u", hold.count);
	if (*layer.record.digest)
		tell(&teller, "Digest", "record", "sha256:%s", layer.record.digest);
	tell_quota(&teller, store, id);

	return 0;
}

/* ------------------------------------------------------------------ cleanup -- */

/* Is it a mount of ours, "<store>/<id>/merged"? Of which layer? */
static int is_merged(const struct ovl2_store *store, const char *target, char id[OVL2_ID_SIZE])
{
	size_t length = strlen(store->path);
	const char *slash;

	if (!target || strncmp(target, store->path, length) != 0 || target[length] != '/')
		return 0;
	target += length + 1;
	slash = strchr(target, '/');
	if (!slash || strcmp(slash, "/merged") != 0 || (size_t)(slash - target) >= OVL2_ID_SIZE)
		return 0;
	memcpy(id, target, (size_t)(slash - target));
	id[slash - target] = '\0';

	return ovi_id_is_valid(id);
}

/* For what needs no more of it than the directory; not locked, and nothing is read. */
static int open_bare(struct ovl2_store *store, const char *id, struct ovi_layer *layer,
                     struct ovl2_error *err)
{
	layer->store = store;
	snprintf(layer->id, sizeof(layer->id), "%s", id);

	return ovi_dir_open(store->home, id, &layer->dir, err);
}

static int unmount_one(struct ovl2_store *store, const char *target, const char *id,
                       struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	dev_t superblock;
	int r;

	r = open_bare(store, id, &layer, err);
	if (r < 0)
		return r;
	superblock = ovi_linger_superblock(layer.dir);
	r = ovi_unmount(target, err);
	if (r == 0 && superblock && !ovi_linger_is_possible(superblock))
		r = ovi_hold_forget(&layer, err);
	if (r == 0)
		r = ovi_volatile_check(store, layer.dir, err);

	return r > 0 ? ovi_volatile_settle(store, layer.dir, err) : r;
}

static int unmount_all(struct ovl2_store *store, struct libmnt_table *table, struct ovl2_error *err)
{
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_BACKWARD);
	struct libmnt_fs *fs;
	int r = 0;

	if (!iter)
		return ovi_fail_memory(err);
	while (r == 0 && mnt_table_next_fs(table, iter, &fs) == 0) {
		const char *target = mnt_fs_get_target(fs);
		char id[OVL2_ID_SIZE];

		if (is_merged(store, target, id))
			r = unmount_one(store, target, id, err);
	}
	mnt_free_iter(iter);

	return r;
}

/* The count of a mount that lives on elsewhere stays, until it does not. */
static int forget_count(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	int r;

	r = open_bare(store, id, &layer, err);
	if (r < 0)
		return r;
	r = ovi_hold_check_detached(&layer, err);
	if (r != OVL2_E_BUSY)
		return r < 0 ? r : ovi_hold_forget(&layer, err);
	ovi_store_log(store, OVL2_LOG_WARNING, "layer '%s' is still in use elsewhere", id);

	return 0;
}

static int forget_counts(struct ovl2_store *store, struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	int r;

	r = ovi_dir_list(store->home, store->path, &listing, err);
	for (size_t i = 0; i < listing.count && r == 0; i++)
		if (ovi_id_is_valid(listing.names[i].name))
			r = forget_count(store, listing.names[i].name, err);

	return r;
}

int ovl2_store_cleanup(struct ovl2_store *store, struct ovl2_error *err)
{
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	struct libmnt_table *table;
	int r;

	r = ovi_store_lock(store, LOCK_EX, &lock, err);
	if (r < 0)
		return r;
	table = mnt_new_table_from_file("/proc/self/mountinfo");
	if (!table)
		return ovi_fail_errno(err, "read the mount table");

	r = unmount_all(store, table, err);
	mnt_unref_table(table);
	if (r == 0)
		r = forget_counts(store, err);
	if (r == 0)
		r = ovi_store_collect(store, 0, err);

	return r < 0 ? r : 0;
}
