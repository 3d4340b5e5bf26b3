#include "changes.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "inodes.h"
#include "layer.h"
#include "options.h"
#include "sys.h"
#include "view.h"
#include "way.h"
#include "whiteout.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------ the upper walk -- */

/*
 * The views that a directory is looked for in. Each is opened, and the directory found
 * in it, only when something must be looked up there: most layers add files where
 * nothing was.
 */
enum {
	/* The layers below; and the same for looking up names alone, without a mount. */
	BELOW = OVI_SELF + 1,
	PLAIN_BELOW,

	/* The layer on top of them. */
	MERGED
};

struct walk {
	const struct ovi_audience *audience;
	struct ovl2_error *err;

	/* The layers whose views those are; "" for nothing. */
	struct ovl2_store *store;
	const char *views[OVI_SPOTS];
	int are_user_marks;

	/* Which of the views of the layers below tells what names there are: one of the two. */
	size_t names_view;

	struct ovi_way way;
};

/* Adds name and path to `change`, and tells it. */
static int emit(struct walk *walk, struct ovi_change *change, const char *name)
{
	struct ovi_strbuf *path = &walk->way.path;
	size_t length = path->length;
	int r;

	ovi_strbuf_add(path, name);
	if (path->failed)
		return ovi_fail_memory(walk->err);
	change->path = path->text;
	change->name = name;
	r = walk->audience->each(walk->audience->data, change, walk->err);
	ovi_strbuf_cut(path, length);

	return r;
}

static int emit_deletion(struct walk *walk, const char *name)
{
	struct ovi_change change = { .kind = OVL2_CHANGE_DELETE };

	return emit(walk, &change, name);
}

static int open_view(struct walk *walk, size_t view, int *ret_fd)
{
	const char *id = walk->views[view];

	if (!*id)
		return 0;
	if (view == PLAIN_BELOW)
		return ovi_view_open_plain(walk->store, id, ret_fd, walk->err);

	return ovi_view_open_content(walk->store, id, walk->are_user_marks, ret_fd, walk->err);
}

/* Has the root of the view open, if there is one. */
static int find_root(struct walk *walk, size_t view)
{
	struct ovi_spot *root = &walk->way.levels[0]->spots[view];
	int fd = -1;
	int r;

	if (root->is_known)
		return 0;
	r = open_view(walk, view, &fd);
	if (r < 0)
		return r;
	root->is_known = 1;
	if (fd < 0)
		return 0;
	root->folder = ovi_folder_new(fd);

	return root->folder ? 0 : ovi_fail_memory(walk->err);
}

/* The directory of this level in the view, or NULL; held for the caller. */
static int find(struct walk *walk, const struct ovi_level *level, size_t view,
                struct ovi_folder **ret_folder)
{
	int r = find_root(walk, view);

	return r < 0 ? r : ovi_way_open(&walk->way, level, view, ret_folder, walk->err);
}

/* Only marked directories have whiteouts that are files: one look tells for all in it. */
static int has_whiteouts(struct walk *walk, struct ovi_level *level, int below)
{
	int r = 0;

	if (!level->is_below_known)
		r = ovi_marks_read(below, walk->are_user_marks, &level->marks_below, walk->err);
	level->is_below_known = r == 0;

	return r < 0 ? r : level->marks_below.has_whiteouts;
}

static int is_whiteout_below(struct walk *walk, struct ovi_level *level, int below,
                             const char *name, const struct stat *st)
{
	int r;

	if (ovi_is_whiteout(st))
		return 1;
	if (!S_ISREG(st->st_mode) || st->st_size != 0)
		return 0;
	r = has_whiteouts(walk, level, below);

	return r <= 0 ? r : ovi_marks_are_whiteout(below, name, walk->are_user_marks, walk->err);
}

/* Is there a `name` in this directory of the layers below? */
static int exists_below(struct walk *walk, struct ovi_level *level, const char *name)
{
	cleanup_folder struct ovi_folder *below = NULL;
	struct stat st;
	int r;

	r = find(walk, level, walk->names_view, &below);
	if (r < 0 || !below)
		return r;
	if (ovi_sys.fstatat(below->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0
		                       : ovi_fail_errno(walk->err, "look for '/%s%s' below",
		                                        walk->way.path.text, name);
	if (walk->names_view == BELOW)
		return 1;
	r = is_whiteout_below(walk, level, below->fd, name, &st);

	return r < 0 ? r : !r;
}

/*
 * The same of what is a directory here, and most likely there: what is in it is looked up
 * in that next. `below` stays unknown where only its name could be seen.
 */
static int directory_exists_below(struct walk *walk, struct ovi_level *level, const char *name,
                                  struct ovi_spot *below)
{
	cleanup_folder struct ovi_folder *above = NULL;
	int fd;
	int r;

	r = find(walk, level, walk->names_view, &above);
	if (r < 0 || !above)
		return r;
	fd = ovi_sys.openat(above->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0 && errno != ENOENT)
		return exists_below(walk, level, name);
	below->is_known = 1;
	if (fd < 0)
		return 0;
	below->folder = ovi_folder_new(fd);

	return below->folder ? 1 : ovi_fail_memory(walk->err);
}

/* Of a name that is listed there; in a mount whiteouts are not. */
static int emit_hidden(struct walk *walk, struct ovi_level *level, const char *name)
{
	int exists = walk->names_view == BELOW ? 1 : exists_below(walk, level, name);

	return exists > 0 ? emit_deletion(walk, name) : exists;
}

/* A whiteout over nothing deletes nothing. */
static int emit_whiteout(struct walk *walk, struct ovi_level *level, const char *name)
{
	int existed;

	if (!walk->audience->wants_deletions)
		return 0;
	existed = exists_below(walk, level, name);

	return existed > 0 ? emit_deletion(walk, name) : existed;
}

/*
 * What a renamed directory shows is the layers' below, under the name it had there:
 * only the views can tell. None of what lies below under its present name shows
 * through, so all that differs between the two is a change.
 */
static int compare_redirected(struct walk *walk)
{
	const struct ovi_level *level = ovi_way_here(&walk->way);
	cleanup_folder struct ovi_folder *merged = NULL;
	cleanup_folder struct ovi_folder *below = NULL;
	int r;

	if (!*walk->views[MERGED])
		return ovi_fail(walk->err, OVL2_E_CORRUPT, "'/%s' refers to a layer below",
		                walk->way.path.text);
	r = find(walk, level, MERGED, &merged);
	if (r == 0)
		r = find(walk, level, BELOW, &below);
	if (r < 0)
		return r;
	if (!merged)
		return ovi_fail(walk->err, OVL2_E_BUSY, "'/%s' was replaced while it was read",
		                walk->way.path.text);

	return ovi_changes_between(below, merged, walk->way.path.text, walk->audience, walk->err);
}

/* What an opaque directory hides; nothing where nobody wants to know. */
static int list_hidden(struct walk *walk, struct ovi_level *level)
{
	int r;

	if (!level->marks.is_opaque || !walk->audience->wants_deletions)
		return 0;
	r = find_root(walk, walk->names_view);

	return r < 0 ? r : ovi_way_list_other(&walk->way, level, walk->names_view, walk->err);
}

/*
 * From here on the walk is in the directory, or is through with it. `below` is what is
 * known of it below, and taken over.
 */
static int enter_directory(struct walk *walk, const char *name, struct ovi_folder *folder,
                           const struct ovi_marks *marks, struct ovi_spot *below)
{
	struct ovi_level *level;
	int r;

	r = ovi_way_enter(&walk->way, name, folder, walk->err);
	if (r < 0)
		return r;
	level = ovi_way_here(&walk->way);
	level->marks = *marks;
	level->names.is_unordered = walk->audience->is_unordered;
	level->spots[walk->names_view] = *below;
	below->folder = NULL;
	if (!marks->is_redirected)
		return list_hidden(walk, level);
	r = compare_redirected(walk);

	return r != 0 ? r : ovi_way_leave(&walk->way, walk->err);
}

/* Of everything but a directory, `change` is emitted as it is. `below`: the same there. */
static int walk_child(struct walk *walk, const struct ovi_level *above, struct ovi_change *change,
                      const char *name, struct ovi_spot *below)
{
	cleanup_folder struct ovi_folder *folder = NULL;
	struct ovi_marks marks = { 0 };
	int r;

	if (change->type != DT_DIR)
		return emit(walk, change, name);

	r = ovi_folder_open(change->parent, name, &folder, walk->err);
	if (r == 0)
		r = ovi_marks_read(folder->fd, walk->are_user_marks, &marks, walk->err);
	if (r < 0)
		return ovi_fail_within(walk->err, r, "'/%s%s'", walk->way.path.text, name);
	marks.is_opaque |= above->marks.is_opaque;
	change->self = folder;
	r = emit(walk, change, name);

	return r != 0 ? r : enter_directory(walk, name, steal_ptr(&folder), &marks, below);
}

static int is_whiteout(struct walk *walk, const struct ovi_level *level, const char *name,
                       const struct stat *st)
{
	if (ovi_is_whiteout(st))
		return 1;
	if (!level->marks.has_whiteouts || !S_ISREG(st->st_mode) || st->st_size != 0)
		return 0;

	return ovi_marks_are_whiteout(level->spots[OVI_SELF].folder->fd, name, walk->are_user_marks,
	                              walk->err);
}

/* Can only a look tell what to emit of such a file? */
static int needs_stat(const struct walk *walk, const struct ovi_level *level, unsigned char type)
{
	if (type == DT_CHR || type == DT_UNKNOWN)
		return 1;

	return type != DT_DIR && (walk->audience->wants_stat || level->marks.has_whiteouts);
}

static int walk_entry(struct walk *walk, struct ovi_level *level, const char *name,
                      unsigned char type)
{
	struct ovi_change change = {
		.kind = OVL2_CHANGE_MODIFY,
		.parent = level->spots[OVI_SELF].folder,
		.type = type,
	};
	struct ovi_spot below = { 0 };
	struct stat st;
	int r = 0;

	if (needs_stat(walk, level, type)) {
		if (ovi_sys.fstatat(change.parent->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return ovi_fail_errno(walk->err, "look at '/%s%s'", walk->way.path.text,
			                      name);
		change.type = IFTODT(st.st_mode);
		change.st = &st;
		r = is_whiteout(walk, level, name, &st);
	}
	if (r < 0)
		return r;
	if (r > 0)
		return emit_whiteout(walk, level, name);

	if (walk->audience->wants_kind)
		r = change.type == DT_DIR ? directory_exists_below(walk, level, name, &below)
		                          : exists_below(walk, level, name);
	if (r == 0)
		change.kind = OVL2_CHANGE_ADD;
	if (r >= 0)
		r = walk_child(walk, level, &change, name, &below);
	ovi_folder_drop(below.folder);

	return r;
}

/*
 * One step of the walk of the upper, at the directory where it is. Where that is opaque,
 * or in one that is, what lies below does not show through: then all names below that
 * are not here are deletions as well.
 */
static int walk_on(struct walk *walk)
{
	struct ovi_level *level = ovi_way_here(&walk->way);
	const char *name;
	const char *below;
	unsigned char type;
	unsigned char below_type;
	int order;
	int r;

	r = ovi_names_peek(&level->names, &name, &type, walk->err);
	if (r >= 0)
		r = ovi_names_peek(&level->other_names, &below, &below_type, walk->err);
	if (r < 0)
		return ovi_fail_within(walk->err, r, "'/%s'", walk->way.path.text);
	if (!name && !below)
		return ovi_way_leave(&walk->way, walk->err);

	order = !below ? -1 : !name ? 1 : strcmp(name, below);
	r = order > 0 ? emit_hidden(walk, level, below) : walk_entry(walk, level, name, type);
	if (order >= 0)
		ovi_names_next(&level->other_names);
	if (order <= 0)
		ovi_names_next(&level->names);

	return r;
}

/* The root is an entry as well: its mode and owner are those of the mount's root. */
static int walk_root(struct walk *walk, struct ovi_folder *root, struct ovi_marks marks)
{
	struct ovi_change change = {
		.kind = *walk->views[BELOW] ? OVL2_CHANGE_MODIFY : OVL2_CHANGE_ADD,
		.path = "",
		.name = ".",
		.self = root,
		.type = DT_DIR,
	};
	struct ovi_spot below = { 0 };
	int r;

	/* The roots of layers are merged whatever their marks (kernel: ovl_get_root). */
	marks.is_opaque = 0;
	r = walk->audience->each(walk->audience->data, &change, walk->err);
	if (r == 0)
		r = enter_directory(walk, "", ovi_folder_hold(root), &marks, &below);
	while (r == 0 && walk->way.count > 0)
		r = walk_on(walk);

	return r;
}

/* ---------------------------------------------------------------- the choice -- */

/* What decides how a layer is to be walked. */
struct subject {
	struct ovl2_store *store;
	const char *id;
	int upper;
	int are_user_marks;
	struct ovi_marks marks; /* of its root */
	int is_indexed;

	/* What it is told beside: "" for nothing. Is that what the layer is on, and all? */
	char parent[OVL2_ID_SIZE];
	int is_own;
	int is_alone;
};

/* Are there files that were changed under names that are not in the upper? */
static int has_index(int layer, struct ovl2_error *err)
{
	cleanup_fd int index = ovi_sys.openat(layer, "work/index", O_RDONLY | O_DIRECTORY, 0);
	int is_empty;

	if (index < 0)
		return errno == ENOENT ? 0 : ovi_fail_errno(err, "open 'work/index'");
	is_empty = ovi_dir_is_empty(index, "work/index", err);

	return is_empty < 0 ? is_empty : !is_empty;
}

static int open_subject(struct subject *subject, const struct ovl2_diff_options *options,
                        struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	const char *own = layer.record.parent;
	int r;

	r = ovi_layer_open(subject->store, subject->id, &layer, err);
	if (r == 0)
		r = ovi_dir_open(layer.dir, "diff", &subject->upper, err);
	if (r == 0)
		r = ovi_marks_read_root(subject->upper, &subject->are_user_marks, &subject->marks,
		                        err);
	if (r < 0)
		return r;
	snprintf(subject->parent, sizeof(subject->parent), "%s",
	         options->parent ? options->parent : own);
	subject->is_own = strcmp(subject->parent, own) == 0;
	subject->is_alone = layer.chain.count == 1;
	r = *subject->parent && !subject->are_user_marks ? has_index(layer.dir, err) : 0;
	subject->is_indexed = r > 0;

	return r < 0 ? r : 0;
}

/* Its descriptor is taken over. */
static int changes_of_upper(struct subject *subject, const struct ovi_audience *audience,
                            struct ovl2_error *err)
{
	struct walk walk = {
		.audience = audience,
		.err = err,
		.store = subject->store,
		.views = { [BELOW] = subject->parent,
		           [PLAIN_BELOW] = subject->parent,
		           [MERGED] = subject->id },
		.names_view = subject->is_alone ? PLAIN_BELOW : BELOW,
		.are_user_marks = subject->are_user_marks,
		.way.asker = audience->asker,
	};
	cleanup_folder struct ovi_folder *root = ovi_folder_new(steal_fd(&subject->upper));
	int r = root ? walk_root(&walk, root, subject->marks) : ovi_fail_memory(err);

	ovi_way_release(&walk.way);

	return r;
}

/* Of a directory that stays the caller's. */
static int changes_of_directory(int upper, struct subject *subject,
                                const struct ovi_audience *audience, struct ovl2_error *err)
{
	int r;

	/* Not a copy of the descriptor: that would be where the caller left off listing. */
	r = ovi_dir_open(upper, ".", &subject->upper, err);
	if (r == 0)
		r = ovi_marks_read_root(subject->upper, &subject->are_user_marks, &subject->marks,
		                        err);
	if (r == 0)
		r = changes_of_upper(subject, audience, err);
	ovi_close_fd(&subject->upper);

	return r;
}

int ovi_changes_walk_aside(struct ovl2_store *store, const char *parent, int upper,
                           const struct ovi_audience *audience, struct ovl2_error *err)
{
	struct subject subject = {
		.store = store,
		.id = "",
		.upper = -1,
		.are_user_marks = store->attributes == &ovi_user_attributes,
	};
	int r;

	snprintf(subject.parent, sizeof(subject.parent), "%s", parent);
	r = ovi_view_is_plain(store, parent, err);
	subject.is_alone = r > 0;

	return r < 0 ? r : changes_of_directory(upper, &subject, audience, err);
}

static int walk_by_comparing(const struct subject *subject, const struct ovi_audience *audience,
                             struct ovl2_error *err)
{
	cleanup_folder struct ovi_folder *old = NULL;
	cleanup_folder struct ovi_folder *new = NULL;
	cleanup_fd int before = -1;
	cleanup_fd int after = -1;
	int r;

	r = ovi_view_open_content(subject->store, subject->parent, subject->are_user_marks, &before,
	                          err);
	if (r == 0 && subject->is_indexed)
		r = ovi_view_open_indexed(subject->store, subject->id, &after, err);
	else if (r == 0)
		r = ovi_view_open_content(subject->store, subject->id, subject->are_user_marks,
		                          &after, err);
	if (r < 0)
		return r;

	old = ovi_folder_new(steal_fd(&before));
	new = ovi_folder_new(steal_fd(&after));

	return old && new ? ovi_changes_between(old, new, "", audience, err) : ovi_fail_memory(err);
}

int ovi_changes_walk(struct ovl2_store *store, const char *id,
                     const struct ovl2_diff_options *options, const struct ovi_audience *audience,
                     struct ovl2_error *err)
{
	struct ovl2_diff_options own = { .size = 0 };
	struct subject subject = {
		.store = store,
		.id = id,
		.upper = -1,
		.are_user_marks = store->attributes == &ovi_user_attributes,
	};
	int r;

	r = ovi_options_read(options, &own, sizeof(own), err);
	if (r == 0 && own.parent && *own.parent)
		r = ovi_id_check(own.parent, err);
	if (r == 0)
		r = open_subject(&subject, &own, err);
	if (own.method == OVL2_DIFF_AUTO && subject.is_indexed)
		own.method = OVL2_DIFF_COMPARE;
	if (r == 0 && own.method == OVL2_DIFF_UPPER && !subject.is_own)
		r = ovi_fail(err, OVL2_E_INVALID,
		             "'%s' is not the parent of layer '%s': only the method compare can "
		             "tell what differs",
		             subject.parent, id);
	else if (r == 0 && (own.method == OVL2_DIFF_COMPARE || !subject.is_own))
		r = walk_by_comparing(&subject, audience, err);
	else if (r == 0)
		r = changes_of_upper(&subject, audience, err);
	ovi_close_fd(&subject.upper);

	return r;
}

/* ---------------------------------------------------------- changes and size -- */

/* Whom to tell how far it is. */
struct watcher {
	struct ovl2_diff_options options;
	struct ovl2_diff_progress progress;
};

static int tell_watcher(void *data, struct ovl2_error *err)
{
	const struct watcher *watcher = data;
	const struct ovl2_diff_options *options = &watcher->options;

	if (options->progress && options->progress(options->progress_data, &watcher->progress))
		return ovi_fail(err, OVL2_E_CANCELLED, "look for changes: ended by its caller");

	return 0;
}

struct listing_job {
	ovl2_change_fn *each;
	void *data;
	struct ovi_strbuf path;
	struct watcher watcher;
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
	ovi_strbuf_add(&job->path, "/");
	ovi_strbuf_add(&job->path, change->path);
	if (job->path.failed)
		return ovi_fail_memory(err);
	public.path = job->path.text;
	job->watcher.progress.entries++;

	return job->each(job->data, &public) ? STOPPED : 0;
}

int ovl2_layer_changes(struct ovl2_store *store, const char *id,
                       const struct ovl2_diff_options *options, ovl2_change_fn *each, void *data,
                       struct ovl2_error *err)
{
	struct listing_job job = { .each = each, .data = data };
	const struct ovi_asker asker = { tell_watcher, &job.watcher };
	const struct ovi_audience audience = {
		.each = list_change,
		.data = &job,
		.asker = &asker,
		.wants_kind = 1,
		.wants_deletions = 1,
	};
	int r;

	r = ovi_options_read(options, &job.watcher.options, sizeof(job.watcher.options), err);
	if (r == 0)
		r = ovi_changes_walk(store, id, options, &audience, err);
	ovi_strbuf_release(&job.path);

	return r < 0 ? r : 0;
}

/* What the files add up to is how far it is. */
struct size_job {
	struct watcher watcher;
	struct ovi_inodes seen;
};

static int add_size(void *data, const struct ovi_change *change, struct ovl2_error *err)
{
	struct size_job *job = data;
	int r;

	job->watcher.progress.entries++;
	if (change->kind == OVL2_CHANGE_DELETE || change->type == DT_DIR)
		return 0;
	r = ovi_inodes_meet(&job->seen, change->st, change->path, NULL, err);
	if (r == 0)
		job->watcher.progress.bytes += (uint64_t)change->st->st_size;

	return r < 0 ? r : 0;
}

int ovi_changes_size_of_upper(struct ovl2_store *store, int upper, const struct ovi_asker *asker,
                              uint64_t *ret_bytes, struct ovl2_error *err)
{
	struct subject subject = { .id = "", .upper = -1 };
	struct size_job job = { .watcher = { .progress = { 0 } } };
	const struct ovi_audience audience = {
		.each = add_size,
		.data = &job,
		.asker = asker,
		.wants_stat = 1,
		.is_unordered = 1,
	};
	int r;

	ovi_inodes_init(&job.seen, store->home);
	r = changes_of_directory(upper, &subject, &audience, err);
	ovi_inodes_release(&job.seen);
	if (r == 0)
		*ret_bytes = job.watcher.progress.bytes;

	return r;
}

int ovl2_layer_diff_size(struct ovl2_store *store, const char *id,
                         const struct ovl2_diff_options *options, uint64_t *ret_bytes,
                         struct ovl2_error *err)
{
	struct size_job job = { .watcher = { .progress = { 0 } } };
	const struct ovi_asker asker = { tell_watcher, &job.watcher };
	const struct ovi_audience audience = {
		.each = add_size,
		.data = &job,
		.asker = &asker,
		.wants_stat = 1,
		.is_unordered = 1,
	};
	int r;

	ovi_inodes_init(&job.seen, store->home);
	r = ovi_options_read(options, &job.watcher.options, sizeof(job.watcher.options), err);
	if (r == 0)
		r = ovi_changes_walk(store, id, options, &audience, err);
	ovi_inodes_release(&job.seen);
	if (r == 0 && ret_bytes)
		*ret_bytes = job.watcher.progress.bytes;

	return r;
}
