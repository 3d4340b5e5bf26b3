/*
 * Mounting and unmounting layers: Docker's Get and Put.
 *
 * Besides what makes the overlay, the mount of a layer that is remembered takes these
 * system calls, and needs each. By themselves, with nothing of ours around them, they are
 * 9 to 13 us where all caches are cold, on 1 lower as on 127: 1.11 times the calls that
 * make an overlay of 1 lower, 1.09 of 16. With ours it is 1.15 and 1.10.
 *
 *  - flock(2) of the store and of the layer: against removals and other mounts, by threads
 *    and processes alike, of which any may be killed;
 *  - fstatat(2) of l/ and the layer's directory: is that what is remembered; of its three
 *    files as well, since a file can be written without its directory changing;
 *  - statx(2) of merged: is it mounted? Anybody can have unmounted it;
 *  - pread(2) and pwrite(2) of the count, before the mount: who is killed in between leaves
 *    a count without a mount, which is none, and never a mount without a count;
 *  - faccessat(2) of the new mount: for want of room it can be read-only, see
 *    check_writable() in overlay.c;
 *  - flock(2) twice, which gives back what was taken.
 */

#include <ovl2.h>

#include "advice.h"
#include "cleanup.h"
#include "fail.h"
#include "hold.h"
#include "holders.h"
#include "layer.h"
#include "linger.h"
#include "options.h"
#include "quota.h"
#include "strbuf.h"
#include "sys.h"
#include "view.h"
#include "volatile.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>

#define SKIP_SYNC "skip_sync"

/* What a call asks for, defaults filled in. */
struct request {
	enum ovl2_mount_method method;
	const char *label;
	int read_only;
	int skip_sync;
	int user_namespace; /* 0 for none */
	int by_descriptor;

	/* MOUNT_ATTR_*, and all of it in words: see struct ovi_hold. */
	unsigned int attributes;
	char flags[OVI_FLAGS_SIZE];
};

static void add_flag(struct request *request, int is_wanted, const char *word,
                     unsigned int attribute)
{
	size_t length;

	if (!is_wanted)
		return;

	request->attributes |= attribute;
	length = strlen(request->flags);
	snprintf(request->flags + length, sizeof(request->flags) - length, "%s%s",
	         length ? "," : "", word);
}

static int read_request(const struct ovl2_store *store, const struct ovl2_mount_options *options,
                        struct request *ret_request, struct ovl2_error *err)
{
	struct ovl2_mount_options own = { .size = 0 };
	int r;

	r = ovi_options_read(options, &own, sizeof(own), err);
	if (r < 0)
		return r;
	if (own.label && strlen(own.label) >= OVI_LABEL_SIZE)
		return ovi_fail(err, OVL2_E_INVALID, "a mount label has at most %d characters",
		                OVI_LABEL_SIZE - 1);

	*ret_request = (struct request){
		.method = own.method ? own.method : store->options.mount_method,
		.label = own.label && *own.label ? own.label : NULL,
		.read_only = own.read_only,
		.skip_sync = own.skip_sync != 0 && !own.read_only,
		.user_namespace = own.user_namespace,
	};
	/* With mapped ids all is opened anew, in another mount. */
	ret_request->by_descriptor =
		!own.user_namespace && ovi_overlay_by_descriptor(store->home, ret_request->method);
	add_flag(ret_request, own.nodev, "nodev", MOUNT_ATTR_NODEV);
	add_flag(ret_request, own.nosuid, "nosuid", MOUNT_ATTR_NOSUID);
	add_flag(ret_request, own.noexec, "noexec", MOUNT_ATTR_NOEXEC);
	if (own.user_namespace) {
		char word[32];
		struct stat st;

		if (ovi_sys.fstatat(own.user_namespace, "", &st, AT_EMPTY_PATH) < 0)
			return ovi_fail_errno(err, "look at the user namespace");
		snprintf(word, sizeof(word), "userns:%llu", (unsigned long long)st.st_ino);
		add_flag(ret_request, 1, word, 0);
	}

	return 0;
}

/* What is never written has nothing to sync: to its mount that makes no difference. */
static void fit_to_layer(struct request *request, const struct ovi_layer *layer)
{
	request->skip_sync &= !layer->record.is_committed;
	add_flag(request, request->skip_sync, SKIP_SYNC, 0);
}

static int make_target(struct ovi_layer *layer, const char *name, struct ovl2_error *err)
{
	if (ovi_sys.mkdirat(layer->dir, name, 0700) < 0 && errno != EEXIST)
		return ovi_fail_errno(err, "create '%s/%s'", layer->id, name);

	return 0;
}

/* A second mount is the first one, so it has to be what was asked for. */
static int join(struct ovi_layer *layer, struct ovi_hold *hold, const struct request *request,
                struct ovl2_error *err)
{
	if (strcmp(hold->label, request->label ? request->label : "") != 0)
		return ovi_fail(err, OVL2_E_BUSY, "it is mounted with the label '%s'", hold->label);
	if (strcmp(hold->flags, request->flags) != 0)
		return ovi_fail(err, OVL2_E_BUSY, "it is mounted with the flags '%s'", hold->flags);
	if (request->read_only && hold->is_writable)
		return ovi_fail(err, OVL2_E_BUSY, "it is mounted writable");
	if (!request->read_only && !hold->is_writable && !layer->record.is_committed)
		return ovi_fail(err, OVL2_E_BUSY, "it is mounted read-only");

	hold->count++;

	return ovi_hold_write(layer, hold, err);
}

/* Of the mount of layer `id`. */
static void add_target(struct ovi_strbuf *path, const struct ovl2_store *store, const char *id)
{
	ovi_strbuf_add(path, store->path);
	ovi_strbuf_add(path, "/");
	ovi_strbuf_add(path, id);
	ovi_strbuf_add(path, "/merged");
}

static int unmount(const struct ovi_layer *layer, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };

	add_target(&path, layer->store, layer->id);

	return path.failed ? ovi_fail_memory(err) : ovi_unmount(path.text, err);
}

/* Left by a mount without syncs that was not unmounted by us? */
static int settle_leftover(struct ovi_layer *layer, struct ovl2_error *err)
{
	int r;

	if (layer->is_settled)
		return 0;
	r = ovi_volatile_check(layer->store, layer->dir, err);
	if (r == 0)
		ovi_memo_settle(layer);

	return r > 0 ? ovi_volatile_settle(layer->store, layer->dir, err) : r;
}

/* -------------------------------------------------------------------- mount -- */

/*
 * A copy of the mount that the store is on, attached nowhere, with the ids of the
 * namespace: layers that are opened in it have them too.
 */
static int map_ids(const struct ovl2_store *store, const struct request *request, int *ret_tree,
                   struct ovl2_error *err)
{
	struct mount_attr attributes = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = (uint64_t)request->user_namespace,
	};
	cleanup_fd int tree = -1;

	if (request->method != OVL2_MOUNT_AUTO && request->method != OVL2_MOUNT_FD)
		return ovi_fail(err, OVL2_E_INVALID,
		                "only the mount method fd can give layers other ids");

	tree = ovi_sys.open_tree(store->home, "",
	                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		return ovi_fail_errno(err, "copy the mount of '%s'", store->path);
	if (ovi_sys.mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0) {
		if (errno == EINVAL || errno == ENOSYS)
			return ovi_fail(err, OVL2_E_UNSUPPORTED,
			                "the filesystem of '%s' has no id-mapped mounts: apply the "
			                "layers with an id map instead",
			                store->path);
		return ovi_fail_errno(err, "give the layers of '%s' other ids", store->path);
	}
	*ret_tree = steal_fd(&tree);

	return 0;
}

/*
 * The root of a new layer is owned as its parent's, and shows through: it has to be
 * owned as the parent's root looks with mapped ids. Once is enough.
 */
static int map_root(struct ovi_layer *layer, int tree, struct ovl2_error *err)
{
	char parent[OVI_LAYER_PATH_SIZE];
	struct stat own;
	struct stat plain;
	struct stat mapped;

	ovi_layer_path(parent, layer->chain.count ? layer->chain.parent : layer->id, "diff");
	if (ovi_sys.fstatat(layer->dir, "diff", &own, AT_SYMLINK_NOFOLLOW) < 0 ||
	    ovi_sys.fstatat(layer->store->home, parent, &plain, AT_SYMLINK_NOFOLLOW) < 0 ||
	    ovi_sys.fstatat(tree, parent, &mapped, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(err, "look at the root of '%s' or its parent", layer->id);
	if (!layer->chain.count || own.st_uid != plain.st_uid || own.st_gid != plain.st_gid)
		return 0;
	if (ovi_sys.fchownat(layer->dir, "diff", mapped.st_uid, mapped.st_gid,
	                     AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(err, "give the root of '%s' mapped ids", layer->id);

	return 0;
}

/* The view as it was asked for; `options` is the memory of what it borrows. */
static int make_view(struct ovi_view *view, struct ovi_layer *layer, const struct request *request,
                     struct ovi_strbuf *options, struct ovl2_error *err)
{
	int is_writable = !request->read_only && !layer->record.is_committed;
	int r;

	r = ovi_view_init(view, layer, is_writable, request->by_descriptor, request->label, err);
	if (r < 0)
		return r;
	if (request->skip_sync) {
		ovi_strbuf_addf(options, "%s%svolatile", layer->store->mount_options,
		                *layer->store->mount_options ? "," : "");
		if (options->failed)
			return ovi_fail_memory(err);
		view->overlay.options = options->text;
	}
	view->overlay.attributes = request->attributes;

	return 0;
}

static int attach(struct ovi_layer *layer, const struct request *request, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf options = { 0 };
	cleanup_view struct ovi_view view = { .upper = "" };
	enum ovl2_mount_method method = request->method;
	char target[OVI_LAYER_PATH_SIZE];
	cleanup_fd int tree = -1;
	int r;

	r = make_view(&view, layer, request, &options, err);
	if (r < 0)
		return r;
	if (request->user_namespace) {
		r = map_ids(layer->store, request, &tree, err);
		if (r == 0 && view.overlay.upper)
			r = map_root(layer, tree, err);
		if (r < 0)
			return r;
		view.overlay.tree = tree;
		view.overlay.lower_fds = NULL;
		method = OVL2_MOUNT_FD;
	}
	ovi_layer_path(target, layer->id, "merged");

	return ovi_overlay_attach(&view.overlay, method, target, err);
}

/* Docker makes what it mounts on and works in when it needs it, and removes it again. */
static int attach_somewhere(struct ovi_layer *layer, const struct request *request,
                            struct ovl2_error *err)
{
	int r;

	r = attach(layer, request, err);
	if (r != OVL2_E_NOT_FOUND)
		return r;

	r = make_target(layer, "merged", err);
	if (r == 0)
		r = make_target(layer, "work", err);

	return r < 0 ? r : attach(layer, request, err);
}

/* Room for the directories that overlayfs makes anew at each mount. */
#define WORK_BYTES (256 << 10)
#define WORK_INODES 8

/*
 * A layer that has used up its quota would never be mounted writable again, not even to
 * delete from it: on XFS limits hold for the kernel's own directories as well. Those may
 * exceed them, and nothing else: the limits are back before anybody can write.
 */
static int attach_over_quota(struct ovi_layer *layer, const struct request *request,
                             struct ovl2_error *err)
{
	const struct ovi_record *record = &layer->record;
	uint64_t bytes = record->quota_bytes ? record->quota_bytes + WORK_BYTES : 0;
	uint64_t inodes = record->quota_inodes ? record->quota_inodes + WORK_INODES : 0;
	struct ovl2_error reason = { 0 };
	int r;

	r = ovi_quota_set_limits(layer->dir, record->project_id, bytes, inodes, err);
	if (r < 0)
		return r;
	r = attach_somewhere(layer, request, err);
	if (ovi_quota_set_limits(layer->dir, record->project_id, record->quota_bytes,
	                         record->quota_inodes, &reason) < 0)
		ovi_store_log(layer->store, OVL2_LOG_WARNING, "a quota stayed too large: %s",
		              reason.message);

	return r;
}

static int attach_within_quota(struct ovi_layer *layer, const struct request *request,
                               struct ovl2_error *err)
{
	int r = attach_somewhere(layer, request, err);

	if (r < 0 && layer->record.project_id &&
	    (err->sys == EROFS || err->sys == ENOSPC || err->sys == EDQUOT))
		return attach_over_quota(layer, request, err);

	return r;
}

/* Of a mount that did not come to be. */
static void forget(struct ovi_layer *layer)
{
	struct ovl2_error reason = { 0 };

	if (ovi_hold_forget(layer, &reason) < 0)
		ovi_store_log(layer->store, OVL2_LOG_WARNING, "left behind: %s", reason.message);
}

/* `hold` is that of no mount. */
static int mount_first(struct ovi_layer *layer, struct ovi_hold *hold,
                       const struct request *request, struct ovl2_error *err)
{
	int r;

	hold->count = 1;
	hold->is_writable = !request->read_only && !layer->record.is_committed;
	memcpy(hold->flags, request->flags, sizeof(hold->flags));
	if (request->label)
		memcpy(hold->label, request->label, strlen(request->label) + 1);

	/* Counted first: a count without a mount is none, a mount without a count is lost.
	 */
	r = ovi_hold_claim(layer, hold, err);
	if (r < 0)
		return r;
	if (!layer->record.is_committed)
		r = settle_leftover(layer, err);
	if (r == 0 && request->skip_sync)
		r = ovi_volatile_mark(layer->store, layer->dir, layer->id, err);
	if (r == 0)
		r = attach_within_quota(layer, request, err);
	if (r < 0)
		forget(layer);

	return r;
}

/* Opens the layer for a change of its mounts: both are locked until they are closed. */
static int open_held(struct ovl2_store *store, const char *id, struct ovi_lock *ret_lock,
                     struct ovi_layer *ret_layer, struct ovi_hold *ret_hold, struct ovl2_error *err)
{
	int r;

	r = ovi_store_lock(store, LOCK_SH, ret_lock, err);
	if (r == 0)
		r = ovi_layer_open_locked(store, id, ret_layer, err);

	return r < 0 ? r : ovi_hold_read(ret_layer, ret_hold, err);
}

static int mount_layer(struct ovl2_store *store, const char *id, struct request *request,
                       struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	struct ovi_hold hold = { 0 };
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	int r;

	r = open_held(store, id, &lock, &layer, &hold, err);
	if (r < 0)
		return r;
	fit_to_layer(request, &layer);

	return hold.count ? join(&layer, &hold, request, err)
	                  : mount_first(&layer, &hold, request, err);
}

int ovl2_layer_mount(struct ovl2_store *store, const char *id,
                     const struct ovl2_mount_options *options, char **ret_path,
                     struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	struct request request = { 0 };
	struct ovl2_error own;
	int r;

	if (!err)
		err = &own;
	r = ovi_id_check(id, err);
	if (r == 0)
		r = read_request(store, options, &request, err);
	if (r < 0)
		return r;

	/* Before mounting: afterwards nothing may fail. */
	add_target(&path, store, id);
	if (path.failed)
		return ovi_fail_memory(err);

	r = mount_layer(store, id, &request, err);
	if (r < 0 && err)
		ovi_advice_add(err, "");
	if (r < 0)
		return ovi_fail_within(err, r, "mount layer '%s'", id);
	if (ret_path)
		*ret_path = ovi_strbuf_steal(&path);

	return 0;
}

static int unmount_last(struct ovi_layer *layer, const struct ovi_hold *hold,
                        struct ovl2_error *err)
{
	dev_t superblock = hold->is_writable ? ovi_linger_superblock(layer->dir) : 0;
	int r;

	r = unmount(layer, err);
	/* As long as it lives elsewhere, its count stays for the next mount to stop at. */
	if (r == 0 && ovi_linger_is_possible(superblock) &&
	    ovi_hold_check_detached(layer, NULL) == OVL2_E_BUSY)
		ovi_store_log(layer->store, OVL2_LOG_WARNING,
		              "layer '%s' is unmounted here and still in use elsewhere: it cannot "
		              "be mounted writable until that ends",
		              layer->id);
	else if (r == 0)
		r = ovi_hold_forget(layer, err);
	if (r == 0 && strstr(hold->flags, SKIP_SYNC))
		r = ovi_volatile_settle(layer->store, layer->dir, err);

	return r;
}

static int unmount_layer(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	struct ovi_hold hold = { 0 };
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	int r;

	r = open_held(store, id, &lock, &layer, &hold, err);
	if (r < 0)
		return r;
	if (hold.count == 1)
		return unmount_last(&layer, &hold, err);

	/* Of what is not mounted, only the count may be left over; or it is not over. */
	if (!hold.count && ovi_hold_check_detached(&layer, NULL) == OVL2_E_BUSY)
		return 0;
	if (!hold.count)
		return ovi_hold_forget(&layer, err);
	hold.count--;
	r = ovi_hold_write(&layer, &hold, err);

	return r < 0 ? r : (int)hold.count;
}

int ovl2_layer_unmount(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	int r = unmount_layer(store, id, err);

	return r < 0 ? ovi_fail_within(err, r, "unmount layer '%s'", id ? id : "") : r;
}

/* ------------------------------------------------------------------- spec -- */

/* The spec and the memory of what it points to. */
struct spec {
	struct ovl2_mount_spec public;
	char **texts;
	size_t count;
	size_t room;
};

void ovl2_mount_spec_free(struct ovl2_mount_spec *public)
{
	struct spec *spec = (struct spec *)public;

	if (!spec)
		return;

	for (size_t i = 0; i < spec->count; i++)
		free(spec->texts[i]);
	free(spec->texts);
	free(spec);
}

/* Keeps a text that was built; NULL when that failed, or there is no room for more. */
static const char *keep(struct spec *spec, struct ovi_strbuf *text)
{
	char *own = spec->count < spec->room ? ovi_strbuf_steal(text) : NULL;

	ovi_strbuf_release(text);
	if (own)
		spec->texts[spec->count++] = own;

	return own;
}

static const char *keep_path(struct spec *spec, const char *home, const char *name)
{
	struct ovi_strbuf path = { 0 };

	ovi_strbuf_addf(&path, "%s/%s", home, name);

	return keep(spec, &path);
}

/* The last `count` texts that were kept. */
static const char *const *last_kept(const struct spec *spec, size_t count)
{
	return (const char *const *)spec->texts + spec->count - count;
}

/* What mount(2) takes as flags, in the words of mount(8). */
static void add_flags(struct ovi_strbuf *text, const struct ovi_overlay *overlay)
{
	static const struct {
		unsigned int attribute;
		const char *word;
	} flags[] = {
		{ MOUNT_ATTR_NODEV, ",nodev" },
		{ MOUNT_ATTR_NOSUID, ",nosuid" },
		{ MOUNT_ATTR_NOEXEC, ",noexec" },
	};

	if (!overlay->upper)
		ovi_strbuf_add(text, ",ro");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (overlay->attributes & flags[i].attribute)
			ovi_strbuf_add(text, flags[i].word);
}

/* What mount(2) is given for absolute paths, and its flags, cut at their commas. */
static int add_options(struct spec *spec, const struct ovi_overlay *overlay)
{
	struct ovl2_mount_spec *public = &spec->public;
	cleanup_strbuf struct ovi_strbuf text = { 0 };
	size_t before = spec->count;

	ovi_overlay_data(overlay, OVL2_MOUNT_ABSOLUTE, &text);
	add_flags(&text, overlay);
	if (text.failed)
		return -1;

	for (const char *at = text.text; *at;) {
		struct ovi_strbuf option = { 0 };
		size_t length = ovi_option_length(at);

		ovi_strbuf_add_bytes(&option, at, length);
		if (!keep(spec, &option))
			return -1;
		at += length + (at[length] == ',');
	}
	public->option_count = spec->count - before;
	public->options = last_kept(spec, public->option_count);

	return 0;
}

/* mount(8) passes on what mount(2) takes, with relative names if need be. */
static int add_text(struct spec *spec, const struct ovi_overlay *overlay)
{
	static const enum ovl2_mount_method forms[] = { OVL2_MOUNT_ABSOLUTE, OVL2_MOUNT_RELATIVE };
	struct ovl2_mount_spec *public = &spec->public;

	for (size_t i = 0; i < ARRAY_SIZE(forms) && !public->text; i++) {
		struct ovi_strbuf text = { 0 };
		struct ovi_strbuf directory = { 0 };

		ovi_overlay_data(overlay, forms[i], &text);
		if (text.length > OVI_MAX_DATA_BYTES) {
			ovi_strbuf_release(&text);
			continue;
		}
		add_flags(&text, overlay);
		public->text = keep(spec, &text);
		if (forms[i] == OVL2_MOUNT_RELATIVE) {
			ovi_strbuf_add(&directory, overlay->home_path);
			public->directory = keep(spec, &directory);
		}
		if (!public->text || (forms[i] == OVL2_MOUNT_RELATIVE && !public->directory))
			return -1;
	}

	return 0;
}

static int fill_spec(struct spec *spec, const struct ovi_overlay *overlay, const char *id,
                     struct ovl2_error *err)
{
	struct ovl2_mount_spec *public = &spec->public;
	struct ovi_strbuf data = { 0 };
	char target[OVI_LAYER_PATH_SIZE];

	spec->room = overlay->lower_count + 32;
	spec->texts = calloc(spec->room, sizeof(*spec->texts));
	if (!spec->texts)
		return ovi_fail_memory(err);

	for (size_t i = 0; i < overlay->lower_count; i++)
		if (!keep_path(spec, overlay->home_path, overlay->lower[i]))
			return ovi_fail_memory(err);
	public->lower_count = overlay->lower_count;
	public->lower = last_kept(spec, public->lower_count);

	ovi_layer_path(target, id, "merged");
	public->target = keep_path(spec, overlay->home_path, target);
	if (overlay->upper) {
		public->upper = keep_path(spec, overlay->home_path, overlay->upper);
		public->work = keep_path(spec, overlay->home_path, overlay->work);
	}

	ovi_strbuf_add(&data, "");
	ovi_overlay_data(overlay, public->method, &data);
	public->data_bytes = data.length;
	public->data = keep(spec, &data);
	if (add_options(spec, overlay) < 0 || add_text(spec, overlay) < 0 || !public->target ||
	    !public->data || (overlay->upper && (!public->upper || !public->work)))
		return ovi_fail_memory(err);

	return 0;
}

int ovl2_layer_mount_spec(struct ovl2_store *store, const char *id,
                          const struct ovl2_mount_options *options,
                          struct ovl2_mount_spec **ret_spec, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	cleanup_strbuf struct ovi_strbuf more = { 0 };
	cleanup_view struct ovi_view view = { .upper = "" };
	struct request request = { 0 };
	enum ovl2_mount_method method = OVL2_MOUNT_AUTO;
	struct spec *spec;
	int r;

	r = read_request(store, options, &request, err);
	if (r == 0 && request.user_namespace)
		r = ovi_fail(err, OVL2_E_UNSUPPORTED,
		             "no mount option of overlayfs gives layers other ids: let ovl2 mount "
		             "it");
	if (r == 0)
		r = ovi_layer_open(store, id, &layer, err);
	if (r < 0)
		return r;
	fit_to_layer(&request, &layer);
	r = make_view(&view, &layer, &request, &more, err);
	if (r == 0)
		r = ovi_overlay_choose(&view.overlay, request.method, &method, err);
	if (r < 0)
		return r;

	spec = calloc(1, sizeof(*spec));
	if (!spec)
		return ovi_fail_memory(err);
	spec->public.method = (int)method;
	r = fill_spec(spec, &view.overlay, id, err);
	if (r < 0) {
		ovl2_mount_spec_free(&spec->public);
		return r;
	}
	*ret_spec = &spec->public;

	return 0;
}
