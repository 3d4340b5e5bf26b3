/*
 * What differs between two views, found by looking at every file of both: Docker's
 * naive diff, without its blind spot (a rewrite of the same size within the time
 * stamp's resolution). The slow method that is always right.
 */

#include "changes.h"

#include "cleanup.h"
#include "fail.h"
#include "strbuf.h"
#include "sys.h"
#include "way.h"
#include "xattr.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

/* The two views; the second is walked. */
enum { AFTER = OVI_SELF, BEFORE };

struct compare {
	const struct ovi_audience *audience;
	struct ovl2_error *err;
	struct ovi_way way;

	/* A directory is said to be modified when the first thing in it is: so many are. */
	size_t emitted_count;
};

/* `path_length`: of the directory that it is in. */
static int call(struct compare *job, struct ovi_change *change, size_t path_length)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	struct stat st;

	ovi_strbuf_add_bytes(&path, job->way.path.text, path_length);
	if (change->parent || change->kind == OVL2_CHANGE_DELETE)
		ovi_strbuf_add(&path, change->name);
	if (path.failed)
		return ovi_fail_memory(job->err);
	change->path = path.text;
	if (job->audience->wants_stat && change->parent && !change->self) {
		if (ovi_sys.fstatat(change->parent->fd, change->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return ovi_fail_errno(job->err, "look at '/%s'", path.text);
		change->st = &st;
	}

	return job->audience->each(job->audience->data, change, job->err);
}

/* The directories on the way to here that were not told of. */
static int emit_way(struct compare *job)
{
	struct ovi_way *way = &job->way;
	cleanup_folder struct ovi_folder *above = NULL;
	int r = 0;

	if (job->emitted_count && job->emitted_count < way->count)
		r = ovi_way_open(way, way->levels[job->emitted_count - 1], AFTER, &above, job->err);
	while (r == 0 && job->emitted_count < way->count) {
		struct ovi_level *level = way->levels[job->emitted_count];
		struct ovi_change change = {
			.kind = OVL2_CHANGE_MODIFY,
			.type = DT_DIR,
			.parent = above,
			.name = level->name,
		};

		r = ovi_way_open_from(above, level, AFTER, &change.self, job->err);
		if (r < 0)
			return r;
		job->emitted_count++;
		r = call(job, &change, level->path_length);
		ovi_folder_drop(above);
		above = change.self;
	}

	return r;
}

static int emit(struct compare *job, struct ovi_change *change)
{
	int r = emit_way(job);

	return r != 0 ? r : call(job, change, job->way.path.length);
}

/* --------------------------------------------------------- are two the same? -- */

/* 1 when one of them has an attribute that counts and the other has not so. */
static int lacks_xattrs(struct compare *job, int dir, int other, const char *name)
{
	struct ovi_xattr_names names;
	cleanup_free char *list = NULL;
	int r;

	r = ovi_xattr_list(dir, name, &names, job->err);
	if (r < 0)
		return r;
	list = names.text;

	for (char *key = list; list && key < list + names.length; key += strlen(key) + 1) {
		cleanup_free char *here = NULL;
		cleanup_free char *there = NULL;
		size_t here_length;
		size_t there_length;

		if (!ovi_xattr_is_content(key))
			continue;
		r = ovi_xattr_read(dir, name, key, &here, &here_length, job->err);
		if (r == 0)
			r = ovi_xattr_read(other, name, key, &there, &there_length, job->err);
		if (r < 0)
			return r;
		if (!there || here_length != there_length ||
		    (here && memcmp(here, there, here_length) != 0))
			return 1;
	}

	return 0;
}

static int read_block(int fd, char *buffer, size_t size)
{
	size_t filled = 0;

	while (filled < size) {
		ssize_t length = ovi_sys.read(fd, buffer + filled, size - filled);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return -1;
		if (length == 0)
			break;
		filled += (size_t)length;
	}

	return (int)filled;
}

static int differs_in_content(struct compare *job, int before, int after, const char *name)
{
	cleanup_free char *buffer = NULL;
	cleanup_fd int old = -1;
	cleanup_fd int new = -1;
	size_t half = 65536;

	buffer = malloc(2 * half);
	if (!buffer)
		return ovi_fail_memory(job->err);
	old = ovi_sys.openat(before, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	new = ovi_sys.openat(after, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (old < 0 || new < 0)
		return ovi_fail_errno(job->err, "open '/%s%s'", job->way.path.text, name);

	for (;;) {
		int r = ovi_ask(job->audience->asker, job->err);
		int a;
		int b;

		if (r != 0)
			return r;
		a = read_block(old, buffer, half);
		b = read_block(new, buffer + half, half);

		if (a < 0 || b < 0)
			return ovi_fail_errno(job->err, "read '/%s%s'", job->way.path.text, name);
		if (a != b || memcmp(buffer, buffer + half, (size_t)a) != 0)
			return 1;
		if (a < (int)half)
			return 0;
	}
}

static int differs_in_target(struct compare *job, int before, int after, const char *name)
{
	char old[PATH_MAX];
	char new[PATH_MAX];
	ssize_t a = ovi_sys.readlinkat(before, name, old, sizeof(old));
	ssize_t b = ovi_sys.readlinkat(after, name, new, sizeof(new));

	if (a < 0 || b < 0)
		return ovi_fail_errno(job->err, "read link '/%s%s'", job->way.path.text, name);

	return a != b || memcmp(old, new, (size_t)a) != 0;
}

/*
 * The same inode with the same change time was not touched: overlayfs shows the
 * file's own numbers, and copying up makes a new change time even where it keeps
 * the inode number.
 */
static int is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec && a->st_size == b->st_size;
}

/* Both are there. `r` 1, 0, or negative. */
static int differs(struct compare *job, int before, int after, const char *name,
                   const struct stat *old, const struct stat *new)
{
	int is_dir = S_ISDIR(new->st_mode);
	int r;

	if (is_same_file(old, new) && old->st_mode == new->st_mode)
		return 0;
	if (old->st_mode != new->st_mode || old->st_uid != new->st_uid ||
	    old->st_gid != new->st_gid || old->st_rdev != new->st_rdev)
		return 1;
	if (!is_dir &&
	    (old->st_size != new->st_size || old->st_mtim.tv_sec != new->st_mtim.tv_sec ||
	     old->st_mtim.tv_nsec != new->st_mtim.tv_nsec))
		return 1;
	if (S_ISLNK(new->st_mode))
		return differs_in_target(job, before, after, name);

	r = lacks_xattrs(job, before, after, name);
	if (r == 0)
		r = lacks_xattrs(job, after, before, name);
	if (r == 0 && S_ISREG(new->st_mode))
		r = differs_in_content(job, before, after, name);

	return r;
}

/* ------------------------------------------------------------------ the walk -- */

/* From here on the walk is in that directory of the view after. */
static int enter(struct compare *job, const char *name, struct ovi_folder *folder)
{
	int r = ovi_way_enter(&job->way, name, folder, job->err);

	return r < 0 ? r : ovi_way_list_other(&job->way, ovi_way_here(&job->way), BEFORE, job->err);
}

static int leave(struct compare *job)
{
	int r = ovi_way_leave(&job->way, job->err);

	if (job->emitted_count > job->way.count)
		job->emitted_count = job->way.count;

	return r;
}

/* Added, or a file that was modified. */
static int emit_entry(struct compare *job, struct ovi_folder *parent, enum ovl2_change_kind kind,
                      const char *name, const struct stat *st)
{
	cleanup_folder struct ovi_folder *self = NULL;
	struct ovi_change change = {
		.kind = kind,
		.parent = parent,
		.name = name,
		.type = IFTODT(st->st_mode),
	};
	int r;

	if (!S_ISDIR(st->st_mode))
		return emit(job, &change);

	r = ovi_folder_open(parent, name, &self, job->err);
	change.self = self;
	if (r == 0)
		r = emit(job, &change);
	if (r == 0)
		r = enter(job, name, steal_ptr(&self));
	if (r == 0)
		job->emitted_count = job->way.count;

	return r;
}

static int both(struct compare *job, int before, struct ovi_folder *parent, const char *name,
                const struct stat *old, const struct stat *new)
{
	struct ovi_folder *self;
	int is_different;
	int r;

	is_different = differs(job, before, parent->fd, name, old, new);
	if (is_different < 0)
		return is_different;
	if (!S_ISDIR(new->st_mode))
		return is_different ? emit_entry(job, parent, OVL2_CHANGE_MODIFY, name, new) : 0;

	r = ovi_folder_open(parent, name, &self, job->err);
	if (r == 0)
		r = enter(job, name, self);

	return r == 0 && is_different ? emit_way(job) : r;
}

/*
 * Is the listed `name` there? 1 with its status, or 0: overlayfs lists the whiteouts of its
 * lowest layer and finds nothing by these names.
 */
static int look(struct compare *job, int dir, const char *name, struct stat *ret_st)
{
	if (!name)
		return 0;
	if (ovi_sys.fstatat(dir, name, ret_st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;

	return errno == ENOENT
	               ? 0
	               : ovi_fail_errno(job->err, "look at '/%s%s'", job->way.path.text, name);
}

static int compare_one(struct compare *job, const struct ovi_level *level, const char *was,
                       const char *is)
{
	struct ovi_change deletion = { .kind = OVL2_CHANGE_DELETE, .name = was };
	struct ovi_folder *parent = level->spots[AFTER].folder;
	int before = level->other_names.dir;
	struct stat old;
	struct stat new;
	int had = look(job, before, was, &old);
	int has = had < 0 ? had : look(job, parent->fd, is, &new);

	if (has < 0)
		return has;
	if (had && has)
		return both(job, before, parent, is, &old, &new);
	if (has)
		return emit_entry(job, parent, OVL2_CHANGE_ADD, is, &new);

	return had ? emit(job, &deletion) : 0;
}

/* One step, at the directory where the walk is. */
static int compare_on(struct compare *job)
{
	struct ovi_level *level = ovi_way_here(&job->way);
	const char *was;
	const char *is;
	unsigned char type;
	int order;
	int r;

	r = ovi_names_peek(&level->other_names, &was, &type, job->err);
	if (r >= 0)
		r = ovi_names_peek(&level->names, &is, &type, job->err);
	if (r < 0)
		return ovi_fail_within(job->err, r, "'/%s'", job->way.path.text);
	if (!was && !is)
		return leave(job);

	order = !was ? 1 : !is ? -1 : strcmp(was, is);
	r = compare_one(job, level, order <= 0 ? was : NULL, order >= 0 ? is : NULL);
	if (order <= 0)
		ovi_names_next(&level->other_names);
	if (order >= 0)
		ovi_names_next(&level->names);

	return r;
}

/* Of the roots: the names in both. Those of what lies deeper follow when it is entered. */
static int begin(struct compare *job, struct ovi_folder *before, struct ovi_folder *after)
{
	struct ovi_level *root;
	int r;

	r = ovi_way_enter(&job->way, ".", ovi_folder_hold(after), job->err);
	if (r < 0)
		return r;
	root = ovi_way_here(&job->way);
	root->spots[BEFORE].folder = before ? ovi_folder_hold(before) : NULL;
	root->spots[BEFORE].is_known = 1;

	return ovi_way_list_other(&job->way, root, BEFORE, job->err);
}

int ovi_changes_between(struct ovi_folder *before, struct ovi_folder *after, const char *path,
                        const struct ovi_audience *audience, struct ovl2_error *err)
{
	struct compare job = {
		.audience = audience,
		.err = err,
		.emitted_count = *path != '\0',
		.way.asker = audience->asker,
	};
	int r;

	ovi_strbuf_add(&job.way.path, path);
	r = begin(&job, before, after);
	if (r == 0)
		r = emit_way(&job);
	while (r == 0 && job.way.count > 0)
		r = compare_on(&job);
	ovi_way_release(&job.way);

	return r;
}
