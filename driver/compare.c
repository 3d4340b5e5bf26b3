/*
 * What differs between two views, found by looking at every file of both: Docker's
 * naive diff, without its blind spot (a rewrite of the same size within the time
 * stamp's resolution). The slow method that is always right.
 */

#include "changes.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "strbuf.h"
#include "sys.h"
#include "xattr.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

struct compare {
	const struct ovi_audience *audience;
	struct ovl2_error *err;

	/* Path of the directory being compared, "a/b/" or "". */
	struct ovi_strbuf path;
};

/* One directory on the way down. Said to be modified when the first thing in it is. */
struct level {
	struct level *above;
	int dir; /* of its parent, in the view after */
	const char *name;
	size_t path_length;
	int is_emitted;
};

static int call(struct compare *job, enum ovl2_change_kind kind, size_t path_length, int dir,
                const char *name)
{
	struct ovi_change change = { .kind = kind, .dir = dir, .name = name };
	cleanup_strbuf struct ovi_strbuf path = { 0 };

	ovi_strbuf_add_bytes(&path, job->path.text, path_length);
	if (strcmp(name, ".") != 0)
		ovi_strbuf_add(&path, name);
	if (path.failed)
		return ovi_fail_memory(job->err);
	change.path = path.text;
	if (kind != OVL2_CHANGE_DELETE &&
	    ovi_sys.fstatat(dir, name, &change.st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(job->err, "look at '/%s'", path.text);

	return job->audience->each(job->audience->data, &change, job->err);
}

static int emit_level(struct compare *job, struct level *level)
{
	int r;

	if (!level || level->is_emitted)
		return 0;
	r = emit_level(job, level->above);
	if (r != 0)
		return r;
	level->is_emitted = 1;

	return call(job, OVL2_CHANGE_MODIFY, level->path_length, level->dir, level->name);
}

static int emit(struct compare *job, struct level *level, enum ovl2_change_kind kind, int dir,
                const char *name)
{
	int r = emit_level(job, level);

	return r != 0 ? r : call(job, kind, job->path.length, dir, name);
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
		return ovi_fail_errno(job->err, "open '/%s%s'", job->path.text, name);

	for (;;) {
		int a = read_block(old, buffer, half);
		int b = read_block(new, buffer + half, half);

		if (a < 0 || b < 0)
			return ovi_fail_errno(job->err, "read '/%s%s'", job->path.text, name);
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
		return ovi_fail_errno(job->err, "read link '/%s%s'", job->path.text, name);

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

static int compare_directories(struct compare *job, struct level *level, int before, int after);

/* `before` -1: all in it is new. */
static int descend(struct compare *job, struct level *level, int before, int after,
                   const char *name)
{
	size_t length = job->path.length;
	cleanup_fd int old = -1;
	cleanup_fd int new = -1;
	int r;

	r = ovi_dir_open(after, name, &new, job->err);
	if (r == 0 && before >= 0)
		r = ovi_dir_open(before, name, &old, job->err);
	if (r < 0)
		return r;

	ovi_strbuf_addf(&job->path, "%s/", name);
	r = job->path.failed ? ovi_fail_memory(job->err)
	                     : compare_directories(job, level, old, new);
	ovi_strbuf_cut(&job->path, length);

	return r;
}

static int added(struct compare *job, struct level *level, int after, const char *name)
{
	struct level own = { .above = level, .is_emitted = 1 };
	struct stat st;
	int r;

	r = emit(job, level, OVL2_CHANGE_ADD, after, name);
	if (r != 0)
		return r;
	if (ovi_sys.fstatat(after, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(job->err, "look at '/%s%s'", job->path.text, name);

	return S_ISDIR(st.st_mode) ? descend(job, &own, -1, after, name) : 0;
}

static int both(struct compare *job, struct level *level, int before, int after, const char *name)
{
	struct level own = {
		.above = level,
		.dir = after,
		.name = name,
		.path_length = job->path.length,
	};
	struct stat old;
	struct stat new;
	int r;

	if (ovi_sys.fstatat(before, name, &old, AT_SYMLINK_NOFOLLOW) < 0 ||
	    ovi_sys.fstatat(after, name, &new, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(job->err, "look at '/%s%s'", job->path.text, name);

	r = differs(job, before, after, name, &old, &new);
	if (r < 0)
		return r;
	if (!S_ISDIR(new.st_mode))
		return r ? emit(job, level, OVL2_CHANGE_MODIFY, after, name) : 0;

	if (r > 0)
		r = emit_level(job, &own);

	return r != 0 ? r : descend(job, &own, S_ISDIR(old.st_mode) ? before : -1, after, name);
}

static int compare_directories(struct compare *job, struct level *level, int before, int after)
{
	cleanup_listing struct ovi_listing old = { 0 };
	cleanup_listing struct ovi_listing new = { 0 };
	size_t o = 0;
	size_t n = 0;
	int r;

	r = ovi_dir_list(after, job->path.text, &new, job->err);
	if (r == 0 && before >= 0)
		r = ovi_dir_list(before, job->path.text, &old, job->err);

	while (r == 0 && (o < old.count || n < new.count)) {
		const char *was = o < old.count ? old.names[o].name : NULL;
		const char *is = n < new.count ? new.names[n].name : NULL;
		int order = !was ? 1 : !is ? -1 : strcmp(was, is);

		if (order < 0)
			r = emit(job, level, OVL2_CHANGE_DELETE, -1, was);
		else if (order > 0)
			r = added(job, level, after, is);
		else
			r = both(job, level, before, after, is);
		o += order <= 0;
		n += order >= 0;
	}

	return r;
}

int ovi_changes_between(int before, int after, const struct ovi_audience *audience,
                        struct ovl2_error *err)
{
	struct compare job = { .audience = audience, .err = err };
	struct level root = { .dir = after, .name = "." };
	int r;

	ovi_strbuf_add(&job.path, "");
	r = emit_level(&job, &root);
	if (r == 0)
		r = compare_directories(&job, &root, before, after);
	ovi_strbuf_release(&job.path);

	return r;
}
