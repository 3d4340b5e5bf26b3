#include "changes.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "inodes.h"
#include "layer.h"
#include "options.h"
#include "strbuf.h"
#include "sys.h"
#include "view.h"
#include "volatile.h"
#include "whiteout.h"
#include "xattr.h"

#include <fcntl.h>
#include <string.h>

/* ------------------------------------------------------------ the upper walk -- */

/*
 * One directory on the way down, and the same one in the view of the layers below.
 * That view is opened, and the directory found in it, only when something must be
 * looked up there: most layers add files where nothing was.
 */
struct level {
	struct level *above; /* NULL for the root */
	const char *name;
	int below; /* -1: there is none */
	int is_found;
};

struct walk {
	const struct ovi_audience *audience;
	struct ovl2_error *err;

	/* The layer whose view is below; "" for nothing. */
	struct ovl2_store *store;
	const char *parent;

	/* Path of the directory being walked, "a/b/" or "". */
	struct ovi_strbuf path;
};

static int emit(struct walk *walk, enum ovl2_change_kind kind, int dir, const char *name,
                const struct stat *st)
{
	struct ovi_change change = { .kind = kind, .dir = dir, .name = name };
	size_t length = walk->path.length;
	int r;

	ovi_strbuf_add(&walk->path, name);
	if (walk->path.failed)
		return ovi_fail_memory(walk->err);
	if (st)
		change.st = *st;
	change.path = walk->path.text;
	r = walk->audience->each(walk->audience->data, &change, walk->err);
	ovi_strbuf_cut(&walk->path, length);

	return r;
}

/* Fills in level->below. */
static int find_below(struct walk *walk, struct level *level)
{
	int r;

	if (level->is_found)
		return 0;
	level->is_found = 1;
	if (!level->above)
		return *walk->parent
		               ? ovi_view_open(walk->store, walk->parent, &level->below, walk->err)
		               : 0;

	r = find_below(walk, level->above);
	if (r < 0 || level->above->below < 0)
		return r;
	level->below = ovi_sys.openat(level->above->below, level->name,
	                              O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (level->below < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return ovi_fail_errno(walk->err, "open '/%s' below", walk->path.text);

	return 0;
}

/* Is there a `name` in this directory of the layers below? */
static int exists_below(struct walk *walk, struct level *level, const char *name)
{
	struct stat st;
	int r;

	r = find_below(walk, level);
	if (r < 0 || level->below < 0)
		return r;
	if (ovi_sys.fstatat(level->below, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	if (errno == ENOENT)
		return 0;

	return ovi_fail_errno(walk->err, "look for '/%s%s' below", walk->path.text, name);
}

/* Of one directory of an upper. */
struct marks {
	int is_opaque;    /* "y": nothing below shows through */
	int has_xattr_wh; /* "x": whiteouts may be files with an attribute (Linux >= 6.7) */
};

static int read_marks(struct walk *walk, int dir, struct marks *ret_marks)
{
	cleanup_free char *opaque = NULL;
	cleanup_free char *redirect = NULL;
	size_t length;
	int r;

	r = ovi_xattr_read(dir, ".", OVI_OPAQUE_XATTR, &opaque, &length, walk->err);
	if (r == 0)
		r = ovi_xattr_read(dir, ".", "trusted.overlay.redirect", &redirect, &length,
		                   walk->err);
	if (r < 0)
		return r;
	if (redirect)
		return ovi_fail(
			walk->err, OVL2_E_UNSUPPORTED,
			"directory '/%s' was renamed with redirect_dir=on: its content is "
			"elsewhere and cannot be told from the upper: use the method compare",
			walk->path.text ? walk->path.text : "");

	*ret_marks = (struct marks){
		.is_opaque = opaque && strcmp(opaque, "y") == 0,
		.has_xattr_wh = opaque && strcmp(opaque, "x") == 0,
	};

	return 0;
}

static int is_xattr_whiteout(struct walk *walk, int dir, const char *name, const struct stat *st)
{
	cleanup_free char *value = NULL;
	size_t length;
	int r;

	if (!S_ISREG(st->st_mode) || st->st_size != 0)
		return 0;
	r = ovi_xattr_read(dir, name, "trusted.overlay.whiteout", &value, &length, walk->err);

	return r < 0 ? r : value != NULL;
}

static int walk_upper(struct walk *walk, struct level *level, int dir, int is_hidden);

static int walk_upper_directory(struct walk *walk, struct level *above, int parent,
                                const char *name, int is_hidden)
{
	struct level level = { .above = above, .name = name, .below = -1 };
	size_t length = walk->path.length;
	cleanup_fd int dir = -1;
	int r;

	r = ovi_dir_open(parent, name, &dir, walk->err);
	if (r < 0)
		return r;

	ovi_strbuf_addf(&walk->path, "%s/", name);
	r = walk->path.failed ? ovi_fail_memory(walk->err)
	                      : walk_upper(walk, &level, dir, is_hidden);
	ovi_strbuf_cut(&walk->path, length);
	if (level.below >= 0)
		close(level.below);

	return r;
}

/* A whiteout over nothing deletes nothing. */
static int emit_whiteout(struct walk *walk, struct level *level, const char *name)
{
	int existed;

	if (!walk->audience->wants_deletions)
		return 0;
	existed = exists_below(walk, level, name);

	return existed > 0 ? emit(walk, OVL2_CHANGE_DELETE, -1, name, NULL) : existed;
}

static int walk_upper_entry(struct walk *walk, struct level *level, int dir,
                            const struct marks *marks, const char *name)
{
	struct stat st;
	int is_whiteout;
	int existed = 1;
	int r;

	if (ovi_sys.fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(walk->err, "look at '/%s%s'", walk->path.text, name);
	is_whiteout = ovi_is_whiteout(&st);
	if (!is_whiteout && marks->has_xattr_wh)
		is_whiteout = is_xattr_whiteout(walk, dir, name, &st);
	if (is_whiteout < 0)
		return is_whiteout;
	if (is_whiteout)
		return emit_whiteout(walk, level, name);

	if (walk->audience->wants_kind)
		existed = exists_below(walk, level, name);
	if (existed < 0)
		return existed;
	r = emit(walk, existed ? OVL2_CHANGE_MODIFY : OVL2_CHANGE_ADD, dir, name, &st);
	if (r == 0 && S_ISDIR(st.st_mode))
		r = walk_upper_directory(walk, level, dir, name, marks->is_opaque);

	return r;
}

/* What an opaque directory hides; nothing where nobody wants to know. */
static int list_hidden(struct walk *walk, struct level *level, struct ovi_listing *ret_hidden)
{
	int r;

	if (!walk->audience->wants_deletions)
		return 0;
	r = find_below(walk, level);
	if (r < 0 || level->below < 0)
		return r;

	return ovi_dir_list(level->below, walk->path.text, ret_hidden, walk->err);
}

/*
 * Walks one directory of the upper. Where it is opaque, or in one that is, what
 * lies below does not show through: then all names below that are not here are
 * deletions as well.
 */
static int walk_upper(struct walk *walk, struct level *level, int dir, int is_hidden)
{
	cleanup_listing struct ovi_listing hidden = { 0 };
	cleanup_listing struct ovi_listing listing = { 0 };
	struct marks marks = { 0 };
	size_t h = 0;
	int r;

	r = read_marks(walk, dir, &marks);
	if (r == 0)
		r = ovi_dir_list(dir, walk->path.text, &listing, walk->err);
	/* The roots of layers are merged whatever their marks (kernel: ovl_get_root). */
	marks.is_opaque = (level->above && marks.is_opaque) || is_hidden;
	if (r == 0 && marks.is_opaque)
		r = list_hidden(walk, level, &hidden);

	for (size_t i = 0; i <= listing.count && r == 0; i++) {
		const char *name = i < listing.count ? listing.names[i].name : NULL;

		while (h < hidden.count && r == 0 &&
		       (!name || strcmp(hidden.names[h].name, name) < 0))
			r = emit(walk, OVL2_CHANGE_DELETE, -1, hidden.names[h++].name, NULL);
		if (h < hidden.count && name && strcmp(hidden.names[h].name, name) == 0)
			h++;
		if (name && r == 0)
			r = walk_upper_entry(walk, level, dir, &marks, name);
	}

	return r;
}

/* The root is an entry as well: its mode and owner are those of the mount's root. */
static int emit_root(struct walk *walk, int dir)
{
	struct ovi_change change = {
		.kind = *walk->parent ? OVL2_CHANGE_MODIFY : OVL2_CHANGE_ADD,
		.path = "",
		.dir = dir,
		.name = ".",
	};

	if (ovi_sys.fstatat(dir, ".", &change.st, 0) < 0)
		return ovi_fail_errno(walk->err, "look at the layer's root");

	return walk->audience->each(walk->audience->data, &change, walk->err);
}

/* `upper` is a diff directory; `parent` the id of the layer below, or "". */
static int changes_of_upper(struct ovl2_store *store, int upper, const char *parent,
                            const struct ovi_audience *audience, struct ovl2_error *err)
{
	struct walk walk = { .audience = audience, .err = err, .store = store, .parent = parent };
	struct level root = { .below = -1 };
	int r;

	ovi_strbuf_add(&walk.path, "");
	r = walk.path.failed ? ovi_fail_memory(err) : emit_root(&walk, upper);
	if (r == 0)
		r = walk_upper(&walk, &root, upper, 0);
	if (root.below >= 0)
		close(root.below);
	ovi_strbuf_release(&walk.path);

	return r;
}

/* ---------------------------------------------------------------- the choice -- */

static int open_diff(struct ovl2_store *store, const char *id, int *ret_dir, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	int r;

	r = ovi_layer_open(store, id, &layer, err);
	if (r == 0)
		r = ovi_volatile_check(store, layer.dir, err);
	if (r >= 0)
		r = ovi_dir_open(layer.dir, "diff", ret_dir, err);

	return r;
}

static int walk_by_upper(struct ovl2_store *store, const char *id, const char *parent,
                         const struct ovi_audience *audience, struct ovl2_error *err)
{
	cleanup_fd int upper = -1;
	int r;

	r = open_diff(store, id, &upper, err);

	return r < 0 ? r : changes_of_upper(store, upper, parent, audience, err);
}

static int walk_by_comparing(struct ovl2_store *store, const char *id, const char *parent,
                             const struct ovi_audience *audience, struct ovl2_error *err)
{
	cleanup_fd int before = -1;
	cleanup_fd int after = -1;
	int r;

	r = ovi_view_open(store, parent, &before, err);
	if (r == 0)
		r = ovi_view_open(store, id, &after, err);

	return r < 0 ? r : ovi_changes_between(before, after, audience, err);
}

int ovi_changes_walk(struct ovl2_store *store, const char *id,
                     const struct ovl2_diff_options *options, const struct ovi_audience *audience,
                     struct ovl2_error *err)
{
	struct ovl2_diff_options own = { .size = 0 };
	char own_parent[OVL2_ID_SIZE] = "";
	const char *parent;
	int is_own;
	int r;

	r = ovi_options_read(options, &own, sizeof(own), err);
	if (r == 0 && own.parent && *own.parent)
		r = ovi_id_check(own.parent, err);
	if (r == 0)
		r = ovl2_layer_parent(store, id, own_parent, err);
	if (r < 0)
		return r;

	parent = own.parent ? own.parent : own_parent;
	is_own = strcmp(parent, own_parent) == 0;
	if (own.method == OVL2_DIFF_UPPER && !is_own)
		return ovi_fail(err, OVL2_E_INVALID,
		                "'%s' is not the parent of layer '%s': only the method compare can "
		                "tell what differs",
		                parent, id);
	if (own.method == OVL2_DIFF_COMPARE || !is_own)
		return walk_by_comparing(store, id, parent, audience, err);

	return walk_by_upper(store, id, parent, audience, err);
}

/* ---------------------------------------------------------- changes and size -- */

struct listing_job {
	ovl2_change_fn *each;
	void *data;
	struct ovi_strbuf path;
};

/* Stopping early is no error, but has to stop the walk: any positive number does. */
#define STOPPED 1

static int list_change(void *data, const struct ovi_change *change, struct ovl2_error *err)
{
	struct listing_job *job = data;
	struct ovl2_change public = { .kind = (int)change->kind };

	if (!*change->path)
		return 0;

	ovi_strbuf_cut(&job->path, 0);
	ovi_strbuf_addf(&job->path, "/%s", change->path);
	if (job->path.failed)
		return ovi_fail_memory(err);
	public.path = job->path.text;

	return job->each(job->data, &public) ? STOPPED : 0;
}

int ovl2_layer_changes(struct ovl2_store *store, const char *id,
                       const struct ovl2_diff_options *options, ovl2_change_fn *each, void *data,
                       struct ovl2_error *err)
{
	struct listing_job job = { .each = each, .data = data };
	const struct ovi_audience audience = {
		.each = list_change,
		.data = &job,
		.wants_kind = 1,
		.wants_deletions = 1,
	};
	int r;

	r = ovi_changes_walk(store, id, options, &audience, err);
	ovi_strbuf_release(&job.path);

	return r < 0 ? r : 0;
}

struct size_job {
	uint64_t bytes;
	struct ovi_inodes seen;
};

static int add_size(void *data, const struct ovi_change *change, struct ovl2_error *err)
{
	struct size_job *job = data;
	int failed = 0;

	if (change->kind == OVL2_CHANGE_DELETE || S_ISDIR(change->st.st_mode))
		return 0;
	if (ovi_inodes_meet(&job->seen, &change->st, change->path, &failed))
		return 0;
	job->bytes += (uint64_t)change->st.st_size;

	return failed ? ovi_fail_memory(err) : 0;
}

int ovi_changes_size_of_upper(int upper, uint64_t *ret_bytes, struct ovl2_error *err)
{
	struct size_job job = { .bytes = 0 };
	const struct ovi_audience audience = { .each = add_size, .data = &job };
	int r;

	r = changes_of_upper(NULL, upper, "", &audience, err);
	ovi_inodes_release(&job.seen);
	if (r == 0)
		*ret_bytes = job.bytes;

	return r;
}

int ovl2_layer_diff_size(struct ovl2_store *store, const char *id,
                         const struct ovl2_diff_options *options, uint64_t *ret_bytes,
                         struct ovl2_error *err)
{
	struct size_job job = { .bytes = 0 };
	const struct ovi_audience audience = { .each = add_size, .data = &job };
	int r;

	r = ovi_changes_walk(store, id, options, &audience, err);
	ovi_inodes_release(&job.seen);
	if (r == 0 && ret_bytes)
		*ret_bytes = job.bytes;

	return r;
}
