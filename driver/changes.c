#include "changes.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "inodes.h"
#include "layer.h"
#include "marks.h"
#include "names.h"
#include "options.h"
#include "sys.h"
#include "view.h"
#include "volatile.h"
#include "whiteout.h"

#include <fcntl.h>
#include <string.h>

/* ------------------------------------------------------------ the upper walk -- */

/*
 * The same directory in a view. The view is opened, and the directory found in it,
 * only when something must be looked up there: most layers add files where nothing
 * was.
 */
struct look {
	int fd; /* -1: there is none */
	int is_found;
};

enum {
	/* The layers below; and the same for looking up names alone, without a mount. */
	BELOW,
	PLAIN_BELOW,

	/* The layer on top of them. */
	MERGED,
	VIEWS
};

/* One directory on the way down. */
struct level {
	struct level *above; /* NULL for the root */
	const char *name;
	struct ovi_folder *folder;
	struct ovi_marks marks;
	struct look looks[VIEWS];
};

struct walk {
	const struct ovi_audience *audience;
	struct ovl2_error *err;

	/* The layers whose views those are; "" for nothing. */
	struct ovl2_store *store;
	const char *views[VIEWS];
	int are_user_marks;

	/* Which of the views of the layers below tells what names there are. */
	int names_view;

	/* Path of the directory being walked, "a/b/" or "". */
	struct ovi_strbuf path;
};

static struct level new_level(struct level *above, const char *name)
{
	return (struct level){
		.above = above,
		.name = name,
		.looks = { { .fd = -1 }, { .fd = -1 }, { .fd = -1 } },
	};
}

static void close_level(struct level *level)
{
	for (size_t i = 0; i < VIEWS; i++)
		ovi_close_fd(&level->looks[i].fd);
	ovi_folder_drop(level->folder);
}

/* Adds name and path to `change`, and tells it. */
static int emit(struct walk *walk, struct ovi_change *change, const char *name)
{
	size_t length = walk->path.length;
	int r;

	ovi_strbuf_add(&walk->path, name);
	if (walk->path.failed)
		return ovi_fail_memory(walk->err);
	change->path = walk->path.text;
	change->name = name;
	r = walk->audience->each(walk->audience->data, change, walk->err);
	ovi_strbuf_cut(&walk->path, length);

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
	int r;

	if (!*id)
		return 0;
	if (view != PLAIN_BELOW)
		return ovi_view_open_content(walk->store, id, walk->are_user_marks, ret_fd,
		                             walk->err);
	r = ovi_view_open_plain(walk->store, id, ret_fd, walk->err);
	if (r == 0)
		walk->names_view = BELOW;

	return r < 0 ? r : 0;
}

/* Fills in level->looks[view]. */
static int find(struct walk *walk, struct level *level, size_t view)
{
	struct look *look = &level->looks[view];
	int r;

	if (look->is_found)
		return 0;
	look->is_found = 1;
	if (!level->above)
		return open_view(walk, view, &look->fd);

	r = find(walk, level->above, view);
	if (r < 0 || level->above->looks[view].fd < 0)
		return r;
	look->fd = ovi_sys.openat(level->above->looks[view].fd, level->name,
	                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (look->fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return ovi_fail_errno(walk->err, "open '/%s' in a view", walk->path.text);

	return 0;
}

/* The directory below for its names; -1 when there is none. Stays the level's. */
static int find_names(struct walk *walk, struct level *level, int *ret_fd)
{
	int r = find(walk, level, (size_t)walk->names_view);

	/* That may have told that there is no plain one. */
	if (r == 0)
		r = find(walk, level, (size_t)walk->names_view);
	*ret_fd = level->looks[walk->names_view].fd;

	return r;
}

static int is_whiteout_in(struct walk *walk, int dir, const char *name, const struct stat *st)
{
	struct ovi_marks marks;
	int r;

	if (ovi_is_whiteout(st))
		return 1;
	if (!S_ISREG(st->st_mode) || st->st_size != 0)
		return 0;
	r = ovi_marks_are_whiteout(dir, name, walk->are_user_marks, walk->err);
	if (r <= 0)
		return r;
	r = ovi_marks_read(dir, walk->are_user_marks, &marks, walk->err);

	return r < 0 ? r : marks.has_whiteouts;
}

/* Is there a `name` in this directory of the layers below? */
static int exists_below(struct walk *walk, struct level *level, const char *name)
{
	struct stat st;
	int dir;
	int r;

	r = find_names(walk, level, &dir);
	if (r < 0 || dir < 0)
		return r;
	if (ovi_sys.fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0
		                       : ovi_fail_errno(walk->err, "look for '/%s%s' below",
		                                        walk->path.text, name);
	if (walk->names_view == BELOW)
		return 1;
	r = is_whiteout_in(walk, dir, name, &st);

	return r < 0 ? r : !r;
}

/* Of a name that is listed there; in a mount whiteouts are not. */
static int emit_hidden(struct walk *walk, struct level *level, const char *name)
{
	int exists = walk->names_view == BELOW ? 1 : exists_below(walk, level, name);

	return exists > 0 ? emit_deletion(walk, name) : exists;
}

/* A whiteout over nothing deletes nothing. */
static int emit_whiteout(struct walk *walk, struct level *level, const char *name)
{
	int existed;

	if (!walk->audience->wants_deletions)
		return 0;
	existed = exists_below(walk, level, name);

	return existed > 0 ? emit_deletion(walk, name) : existed;
}

static int walk_directory(struct walk *walk, struct level *level);

/*
 * What a renamed directory shows is the layers' below, under the name it had there:
 * only the views can tell. None of what lies below under its present name shows
 * through, so all that differs between the two is a change.
 */
static int compare_redirected(struct walk *walk, struct level *level)
{
	cleanup_folder struct ovi_folder *merged = NULL;
	int r;

	if (!*walk->views[MERGED])
		return ovi_fail(walk->err, OVL2_E_CORRUPT, "'/%s' refers to a layer below",
		                walk->path.text);
	r = find(walk, level, MERGED);
	if (r == 0)
		r = find(walk, level, BELOW);
	if (r < 0)
		return r;
	if (level->looks[MERGED].fd < 0)
		return ovi_fail(walk->err, OVL2_E_BUSY, "'/%s' was replaced while it was read",
		                walk->path.text);
	merged = ovi_folder_new(steal_fd(&level->looks[MERGED].fd));
	if (!merged)
		return ovi_fail_memory(walk->err);

	return ovi_changes_between(level->looks[BELOW].fd, merged, &walk->path, walk->audience,
	                           walk->err);
}

static int enter_directory(struct walk *walk, struct level *level)
{
	size_t length = walk->path.length;
	int r;

	ovi_strbuf_addf(&walk->path, "%s/", level->name);
	if (walk->path.failed)
		return ovi_fail_memory(walk->err);
	r = level->marks.is_redirected ? compare_redirected(walk, level)
	                               : walk_directory(walk, level);
	ovi_strbuf_cut(&walk->path, length);

	return r;
}

/* Of everything but a directory, `change` is emitted as it is. */
static int walk_child(struct walk *walk, struct level *above, struct ovi_change *change,
                      const char *name)
{
	struct level level = new_level(above, name);
	int r;

	if (change->type != DT_DIR)
		return emit(walk, change, name);

	r = ovi_folder_open(above->folder, name, &level.folder, walk->err);
	if (r == 0)
		r = ovi_marks_read(level.folder->fd, walk->are_user_marks, &level.marks, walk->err);
	if (r < 0)
		r = ovi_fail_within(walk->err, r, "'/%s%s'", walk->path.text, name);
	level.marks.is_opaque |= above->marks.is_opaque;
	change->self = level.folder;
	if (r == 0)
		r = emit(walk, change, name);
	if (r == 0)
		r = enter_directory(walk, &level);
	close_level(&level);

	return r;
}

static int is_whiteout(struct walk *walk, const struct level *level, const char *name,
                       const struct stat *st)
{
	if (ovi_is_whiteout(st))
		return 1;
	if (!level->marks.has_whiteouts || !S_ISREG(st->st_mode) || st->st_size != 0)
		return 0;

	return ovi_marks_are_whiteout(level->folder->fd, name, walk->are_user_marks, walk->err);
}

/* Can only a look tell what to emit of such a file? */
static int needs_stat(const struct walk *walk, const struct level *level, unsigned char type)
{
	if (type == DT_CHR || type == DT_UNKNOWN)
		return 1;

	return type != DT_DIR && (walk->audience->wants_stat || level->marks.has_whiteouts);
}

static int walk_entry(struct walk *walk, struct level *level, const char *name, unsigned char type)
{
	struct ovi_change change = {
		.kind = OVL2_CHANGE_MODIFY,
		.parent = level->folder,
		.type = type,
	};
	struct stat st;
	int r = 0;

	if (needs_stat(walk, level, type)) {
		if (ovi_sys.fstatat(level->folder->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return ovi_fail_errno(walk->err, "look at '/%s%s'", walk->path.text, name);
		change.type = IFTODT(st.st_mode);
		change.st = &st;
		r = is_whiteout(walk, level, name, &st);
	}
	if (r < 0)
		return r;
	if (r > 0)
		return emit_whiteout(walk, level, name);

	if (walk->audience->wants_kind)
		r = exists_below(walk, level, name);
	if (r < 0)
		return r;
	if (r == 0)
		change.kind = OVL2_CHANGE_ADD;

	return walk_child(walk, level, &change, name);
}

/* What an opaque directory hides; nothing where nobody wants to know. */
static int begin_hidden(struct walk *walk, struct level *level, struct ovi_names *hidden)
{
	int dir;
	int r;

	ovi_names_init(hidden, -1);
	if (!level->marks.is_opaque || !walk->audience->wants_deletions)
		return 0;
	r = find_names(walk, level, &dir);
	ovi_names_init(hidden, dir);

	return r;
}

/*
 * Walks one directory of the upper. Where it is opaque, or in one that is, what
 * lies below does not show through: then all names below that are not here are
 * deletions as well.
 */
static int walk_directory(struct walk *walk, struct level *level)
{
	cleanup_names struct ovi_names hidden;
	cleanup_names struct ovi_names names;
	int r;

	ovi_names_init(&names, level->folder->fd);
	names.is_unordered = walk->audience->is_unordered;
	r = begin_hidden(walk, level, &hidden);

	while (r == 0) {
		const char *name;
		const char *below;
		unsigned char type;
		unsigned char below_type;
		int order;

		r = ovi_names_peek(&names, &name, &type, walk->err);
		if (r >= 0)
			r = ovi_names_peek(&hidden, &below, &below_type, walk->err);
		if (r < 0)
			return ovi_fail_within(walk->err, r, "'/%s'", walk->path.text);
		if (!name && !below)
			return 0;

		order = !below ? -1 : !name ? 1 : strcmp(name, below);
		r = order > 0 ? emit_hidden(walk, level, below)
		              : walk_entry(walk, level, name, type);
		if (order >= 0)
			ovi_names_next(&hidden);
		if (order <= 0)
			ovi_names_next(&names);
	}

	return r;
}

/* The root is an entry as well: its mode and owner are those of the mount's root. */
static int walk_root(struct walk *walk, struct level *root)
{
	struct ovi_change change = {
		.kind = *walk->views[BELOW] ? OVL2_CHANGE_MODIFY : OVL2_CHANGE_ADD,
		.path = "",
		.name = ".",
		.self = root->folder,
		.type = DT_DIR,
	};
	int r;

	r = ovi_marks_read(root->folder->fd, walk->are_user_marks, &root->marks, walk->err);
	/* The roots of layers are merged whatever their marks (kernel: ovl_get_root). */
	root->marks.is_opaque = 0;
	if (r == 0)
		r = walk->audience->each(walk->audience->data, &change, walk->err);

	return r == 0 ? walk_directory(walk, root) : r;
}

/* ---------------------------------------------------------------- the choice -- */

/* What decides how a layer is to be walked. */
struct subject {
	struct ovl2_store *store;
	const char *id;
	const char *parent;
	int upper;
	int are_user_marks;
	int is_indexed;
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

static int open_subject(struct subject *subject, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	int r;

	r = ovi_layer_open(subject->store, subject->id, &layer, err);
	if (r == 0)
		r = ovi_dir_open(layer.dir, "diff", &subject->upper, err);
	if (r == 0 && subject->store->attributes == &ovi_user_attributes)
		r = 1;
	else if (r == 0)
		r = ovi_marks_are_user(subject->upper, err);
	if (r < 0)
		return r;
	subject->are_user_marks = r;
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
		.names_view = PLAIN_BELOW,
		.are_user_marks = subject->are_user_marks,
	};
	struct level root = new_level(NULL, "");
	int r;

	root.folder = ovi_folder_new(steal_fd(&subject->upper));
	ovi_strbuf_add(&walk.path, "");
	r = root.folder && !walk.path.failed ? walk_root(&walk, &root) : ovi_fail_memory(err);
	close_level(&root);
	ovi_strbuf_release(&walk.path);

	return r;
}

/* Of a directory that stays the caller's. */
static int changes_of_directory(int upper, struct subject *subject,
                                const struct ovi_audience *audience, struct ovl2_error *err)
{
	subject->upper = fcntl(upper, F_DUPFD_CLOEXEC, 0);
	if (subject->upper < 0)
		return ovi_fail_errno(err, "keep a directory open");

	return changes_of_upper(subject, audience, err);
}

int ovi_changes_walk_aside(struct ovl2_store *store, const char *parent, int upper,
                           const struct ovi_audience *audience, struct ovl2_error *err)
{
	struct subject subject = {
		.store = store,
		.id = "",
		.parent = parent,
		.are_user_marks = store->attributes == &ovi_user_attributes,
	};

	return changes_of_directory(upper, &subject, audience, err);
}

static int walk_by_comparing(const struct subject *subject, const struct ovi_audience *audience,
                             struct ovl2_error *err)
{
	cleanup_folder struct ovi_folder *merged = NULL;
	cleanup_strbuf struct ovi_strbuf path = { 0 };
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

	merged = ovi_folder_new(steal_fd(&after));
	ovi_strbuf_add(&path, "");

	return merged && !path.failed ? ovi_changes_between(before, merged, &path, audience, err)
	                              : ovi_fail_memory(err);
}

int ovi_changes_walk(struct ovl2_store *store, const char *id,
                     const struct ovl2_diff_options *options, const struct ovi_audience *audience,
                     struct ovl2_error *err)
{
	struct ovl2_diff_options own = { .size = 0 };
	char own_parent[OVL2_ID_SIZE] = "";
	struct subject subject = { .store = store, .id = id, .upper = -1 };
	int is_own;
	int r;

	r = ovi_options_read(options, &own, sizeof(own), err);
	if (r == 0 && own.parent && *own.parent)
		r = ovi_id_check(own.parent, err);
	if (r == 0)
		r = ovl2_layer_parent(store, id, own_parent, err);
	if (r < 0)
		return r;

	subject.parent = own.parent ? own.parent : own_parent;
	is_own = strcmp(subject.parent, own_parent) == 0;
	if (own.method == OVL2_DIFF_UPPER && !is_own)
		return ovi_fail(err, OVL2_E_INVALID,
		                "'%s' is not the parent of layer '%s': only the method compare can "
		                "tell what differs",
		                subject.parent, id);

	r = open_subject(&subject, err);
	if (own.method == OVL2_DIFF_AUTO && subject.is_indexed)
		own.method = OVL2_DIFF_COMPARE;
	if (r == 0 && (own.method == OVL2_DIFF_COMPARE || !is_own))
		r = walk_by_comparing(&subject, audience, err);
	else if (r == 0)
		r = changes_of_upper(&subject, audience, err);
	ovi_close_fd(&subject.upper);

	return r;
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

	if (change->kind == OVL2_CHANGE_DELETE || change->type == DT_DIR)
		return 0;
	if (ovi_inodes_meet(&job->seen, change->st, change->path, &failed))
		return 0;
	job->bytes += (uint64_t)change->st->st_size;

	return failed ? ovi_fail_memory(err) : 0;
}

int ovi_changes_size_of_upper(int upper, uint64_t *ret_bytes, struct ovl2_error *err)
{
	struct subject subject = { .id = "", .parent = "" };
	struct size_job job = { .bytes = 0 };
	const struct ovi_audience audience = {
		.each = add_size, .data = &job, .wants_stat = 1, .is_unordered = 1
	};
	int r;

	r = changes_of_directory(upper, &subject, &audience, err);
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
	const struct ovi_audience audience = {
		.each = add_size, .data = &job, .wants_stat = 1, .is_unordered = 1
	};
	int r;

	r = ovi_changes_walk(store, id, options, &audience, err);
	ovi_inodes_release(&job.seen);
	if (r == 0 && ret_bytes)
		*ret_bytes = job.bytes;

	return r;
}
