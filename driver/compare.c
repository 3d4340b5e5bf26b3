/*
 * What differs between two views, found by looking at every file of both: Docker's
 * naive diff, without its blind spot (a rewrite of the same size within the time
 * stamp's resolution). The slow method that is always right.
 */

#include "changes.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "names.h"
#include "strbuf.h"
#include "sys.h"
#include "xattr.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

struct compare {
	const struct ovi_audience *audience;
	struct ovl2_error *err;

	/* Path of the directory being compared, "a/b/" or "". Borrowed. */
	struct ovi_strbuf *path;
};

/* One directory on the way down. Said to be modified when the first thing in it is. */
struct level {
	struct level *above;
	struct ovi_folder *parent; /* in the view after; NULL for the root */
	struct ovi_folder *self;
	const char *name;
	size_t path_length;
	int is_emitted;
};

/* `path_length`: of the directory that it is in. */
static int call(struct compare *job, struct ovi_change *change, size_t path_length)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	struct stat st;

	ovi_strbuf_add_bytes(&path, job->path->text, path_length);
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

static int emit_level(struct compare *job, struct level *level)
{
	struct ovi_change change = { .kind = OVL2_CHANGE_MODIFY, .type = DT_DIR };
	int r;

	if (!level || level->is_emitted)
		return 0;
	r = emit_level(job, level->above);
	if (r != 0)
		return r;
	level->is_emitted = 1;
	change.parent = level->parent;
	change.self = level->self;
	change.name = level->name;

	return call(job, &change, level->path_length);
}

static int emit(struct compare *job, struct level *level, struct ovi_change *change)
{
	int r = emit_level(job, level);

	return r != 0 ? r : call(job, change, job->path->length);
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
		return ovi_fail_errno(job->err, "open '/%s%s'", job->path->text, name);

	for (;;) {
		int a = read_block(old, buffer, half);
		int b = read_block(new, buffer + half, half);

		if (a < 0 || b < 0)
			return ovi_fail_errno(job->err, "read '/%s%s'", job->path->text, name);
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
		return ovi_fail_errno(job->err, "read link '/%s%s'", job->path->text, name);

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

static int compare_directories(struct compare *job, struct level *level, int before);

/* `before` -1: all in it is new. */
static int descend(struct compare *job, struct level *level, int before)
{
	size_t length = job->path->length;
	cleanup_fd int old = -1;
	int r = 0;

	if (before >= 0)
		r = ovi_dir_open(before, level->name, &old, job->err);
	if (r < 0)
		return r;

	ovi_strbuf_addf(job->path, "%s/", level->name);
	r = job->path->failed ? ovi_fail_memory(job->err) : compare_directories(job, level, old);
	ovi_strbuf_cut(job->path, length);

	return r;
}

static int emit_file(struct compare *job, struct level *above, enum ovl2_change_kind kind,
                     const char *name, const struct stat *st)
{
	struct ovi_change change = {
		.kind = kind,
		.parent = above->self,
		.name = name,
		.type = IFTODT(st->st_mode),
	};

	return emit(job, above, &change);
}

static int added(struct compare *job, struct level *above, const char *name, const struct stat *st)
{
	cleanup_folder struct ovi_folder *self = NULL;
	struct level level = { .above = above, .name = name, .is_emitted = 1 };
	struct ovi_change change = {
		.kind = OVL2_CHANGE_ADD,
		.parent = above->self,
		.name = name,
		.type = DT_DIR,
	};
	int r;

	if (!S_ISDIR(st->st_mode))
		return emit_file(job, above, OVL2_CHANGE_ADD, name, st);

	r = ovi_folder_open(above->self, name, &self, job->err);
	change.self = self;
	level.self = self;
	if (r == 0)
		r = emit(job, above, &change);

	return r == 0 ? descend(job, &level, -1) : r;
}

static int both(struct compare *job, struct level *above, int before, const char *name,
                const struct stat *old, const struct stat *new)
{
	cleanup_folder struct ovi_folder *self = NULL;
	struct level level = {
		.above = above,
		.parent = above->self,
		.name = name,
		.path_length = job->path->length,
	};
	int is_different;
	int r;

	is_different = differs(job, before, above->self->fd, name, old, new);
	if (is_different < 0)
		return is_different;
	if (!S_ISDIR(new->st_mode))
		return is_different ? emit_file(job, above, OVL2_CHANGE_MODIFY, name, new) : 0;

	r = ovi_folder_open(above->self, name, &self, job->err);
	level.self = self;
	if (r == 0 && is_different)
		r = emit_level(job, &level);

	return r == 0 ? descend(job, &level, S_ISDIR(old->st_mode) ? before : -1) : r;
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

	return errno == ENOENT ? 0
	                       : ovi_fail_errno(job->err, "look at '/%s%s'", job->path->text, name);
}

static int compare_one(struct compare *job, struct level *level, int before, const char *was,
                       const char *is)
{
	struct ovi_change deletion = { .kind = OVL2_CHANGE_DELETE, .name = was };
	struct stat old;
	struct stat new;
	int had = look(job, before, was, &old);
	int has = had < 0 ? had : look(job, level->self->fd, is, &new);

	if (has < 0)
		return has;
	if (had && has)
		return both(job, level, before, is, &old, &new);
	if (has)
		return added(job, level, is, &new);

	return had ? emit(job, level, &deletion) : 0;
}

static int compare_directories(struct compare *job, struct level *level, int before)
{
	cleanup_names struct ovi_names old;
	cleanup_names struct ovi_names new;
	int r = 0;

	ovi_names_init(&old, before);
	ovi_names_init(&new, level->self->fd);

	while (r == 0) {
		const char *was;
		const char *is;
		unsigned char type;
		int order;

		r = ovi_names_peek(&old, &was, &type, job->err);
		if (r >= 0)
			r = ovi_names_peek(&new, &is, &type, job->err);
		if (r < 0)
			return ovi_fail_within(job->err, r, "'/%s'", job->path->text);
		if (!was && !is)
			return 0;

		order = !was ? 1 : !is ? -1 : strcmp(was, is);
		r = compare_one(job, level, before, order <= 0 ? was : NULL,
		                order >= 0 ? is : NULL);
		if (order <= 0)
			ovi_names_next(&old);
		if (order >= 0)
			ovi_names_next(&new);
	}

	return r;
}

int ovi_changes_between(int before, struct ovi_folder *after, struct ovi_strbuf *path,
                        const struct ovi_audience *audience, struct ovl2_error *err)
{
	struct compare job = { .audience = audience, .err = err, .path = path };
	struct level root = { .self = after, .name = ".", .is_emitted = path->length > 0 };
	int r;

	r = emit_level(&job, &root);

	return r == 0 ? compare_directories(&job, &root, before) : r;
}
