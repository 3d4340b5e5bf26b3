#include "place.h"

#include "acl.h"
#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "sys.h"
#include "walk.h"
#include "whiteout.h"
#include "xattr.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define MAX_TRIES 100

static int fail_name(struct ovl2_error *err, const char *name, const char *problem)
{
	return ovi_fail(err, OVL2_E_CORRUPT, "tar entry '%s': %s", name, problem);
}

static void forget(struct ovi_place *place)
{
	for (size_t i = 0; i < OVI_PLACE_CACHE; i++)
		if (place->cache[i].is_open) {
			close(place->cache[i].fd);
			place->cache[i].is_open = 0;
		}
}

void ovi_place_release(struct ovi_place *place)
{
	forget(place);
	for (size_t i = 0; i < OVI_PLACE_CACHE; i++)
		ovi_strbuf_release(&place->cache[i].path);
	ovi_close_fd(&place->below);
	ovi_close_fd(&place->root);
	ovi_close_fd(&place->mount);
	ovi_close_fd(&place->tree);
	*place = (struct ovi_place)OVI_PLACE_NONE;
}

int ovi_place_normalise(const char *name, struct ovi_strbuf *path, struct ovl2_error *err)
{
	const size_t prefix = strlen(OVI_WHITEOUT_PREFIX);
	const char *whole = name;

	ovi_strbuf_cut(path, 0);
	ovi_strbuf_add(path, "");
	while (*name) {
		int is_whiteout = strncmp(name, OVI_WHITEOUT_PREFIX, prefix) == 0;
		size_t length = strcspn(name, "/");
		int is_last = !name[length + strspn(name + length, "/")];

		if (length == 2 && strncmp(name, "..", 2) == 0)
			return fail_name(err, whole, "a name with '..' in it is not safe");
		if (length > NAME_MAX + (is_last && is_whiteout ? prefix : 0))
			return fail_name(err, whole, "a component of its name is too long");
		if (!is_last && is_whiteout)
			return fail_name(err, whole, "a whiteout cannot be a directory");
		if (length > 0 && !(length == 1 && *name == '.')) {
			if (path->length)
				ovi_strbuf_add(path, "/");
			ovi_strbuf_add_bytes(path, name, length);
		}
		name += length + (name[length] == '/');
	}

	return path->failed ? ovi_fail_memory(err) : 0;
}

/*
 * EAGAIN: a rename or mount elsewhere on the system, and the kernel cannot be sure where
 * ".." led.
 */
static int try_openat2(int dir, const char *path, uint64_t resolve)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = resolve | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	int tries = 0;
	int fd;

	do {
		fd = ovi_sys.openat2(dir, path, &how);
	} while (fd < 0 && (errno == EAGAIN || errno == EINTR) && ++tries < MAX_TRIES);

	return fd;
}

/*
 * A path that is longer than the kernel takes. Links in the first piece lead where they do
 * in any path. What a link in a later one means the kernel cannot tell, which knows only
 * the piece: "/" and ".." would end at its beginning. Then all of it is walked by hand.
 */
static int open_in_pieces(int root, const char *path)
{
	uint64_t resolve = RESOLVE_IN_ROOT;
	const char *left = path;
	char piece[PATH_MAX];
	cleanup_fd int dir = -1;

	while (*left) {
		int next;

		left = ovi_walk_take_piece(left, piece);
		if (!left)
			return -1;
		next = try_openat2(dir < 0 ? root : dir, piece, resolve);
		if (next < 0)
			return errno == ELOOP ? ovi_walk_open(root, path) : -1;
		ovi_close_fd(&dir);
		dir = next;
		resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
	}

	return steal_fd(&dir);
}

int ovi_place_open(struct ovi_place *place, const char *path)
{
	int root = place->root;
	int fd;

	if (place->has_no_openat2)
		return ovi_walk_open(root, path);
	if (strlen(path) >= PATH_MAX)
		fd = open_in_pieces(root, path);
	else
		fd = try_openat2(root, *path ? path : ".", RESOLVE_IN_ROOT);

	/* Sandboxes older than the call say EPERM. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		place->has_no_openat2 = 1;

	return fd < 0 && (errno == EAGAIN || place->has_no_openat2) ? ovi_walk_open(root, path)
	                                                            : fd;
}

static int fail_open(struct ovl2_error *err, const char *path)
{
	if (errno == ELOOP || errno == EXDEV)
		return fail_name(err, path, "its directory leads through links in a circle");

	return ovi_fail_errno(err, "open '%s'", path);
}

/* A directory of what is being made, and the one that it will be merged with; -1: none. */
struct pair {
	int dir;
	int below;
};

#define cleanup_pair __attribute__((cleanup(close_pair)))

static void close_pair(struct pair *pair)
{
	ovi_close_fd(&pair->dir);
	ovi_close_fd(&pair->below);
}

/* Attributes that are content. */
static int copy_xattrs(struct ovi_place *place, int below, int dir, const char *name,
                       struct ovl2_error *err)
{
	cleanup_xattrs struct ovi_xattrs xattrs = { 0 };
	struct ovi_xattr_path path = ovi_xattr_path(dir, name);
	int r;

	r = ovi_xattrs_read(below, -1, name, &xattrs, err);
	for (size_t i = 0; i < xattrs.count && r == 0; i++) {
		const struct ovi_xattr *xattr = &xattrs.list[i];

		if (ovi_sys.lsetxattr(path.text, xattr->key, xattr->value, xattr->length, 0) < 0)
			return ovi_fail_errno(err, "set attribute '%s' of '%s'", xattr->key, name);
		place->has_default_acls |= ovi_acl_is_default(xattr->key);
	}

	return r;
}

static int keep_time(const struct ovi_place *place, const char *path, int dir,
                     const struct timespec *mtime, struct ovl2_error *err)
{
	struct stat st;

	if (ovi_sys.fstatat(dir, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "look at '%s'", path);

	return ovi_times_add(place->times, path, st.st_ino, mtime, err);
}

/* Gives `made->dir` what the directory below has, if there is one. */
static int dress_implied(struct ovi_place *place, const struct pair *made, int above,
                         const char *path, const char *name, struct ovl2_error *err)
{
	struct stat st = { .st_mode = 0755,
		           .st_uid = place->implied_uid,
		           .st_gid = place->implied_gid };
	int r = 0;

	if (made->below >= 0 && ovi_sys.fstatat(made->below, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "look at '%s' below", path);
	if (ovi_sys.fchownat(made->dir, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0 ||
	    ovi_sys.fchmod(made->dir, st.st_mode & 07777) < 0)
		return ovi_fail_errno(err, "set owner and mode of '%s'", path);
	if (made->below >= 0)
		r = copy_xattrs(place, made->below, above, name, err);
	if (r == 0 && made->below >= 0)
		r = keep_time(place, path, made->dir, &st.st_mtim, err);

	return r;
}

/*
 * A directory that the tar takes for granted. It looks as the one that it will be
 * merged with, where there is one, which is `made->below`.
 */
static int make_implied(struct ovi_place *place, int above, const char *path, const char *name,
                        struct pair *made, struct ovl2_error *err)
{
	int r;

	if (ovi_sys.mkdirat(above, name, 0700) < 0)
		return ovi_fail_errno(err, "create '%s'", path);
	r = place->has_default_acls ? ovi_acl_disinherit(above, name, err) : 0;
	if (r == 0)
		r = ovi_dir_open(above, name, &made->dir, err);

	return r < 0 ? r : dress_implied(place, made, above, path, name, err);
}

/* `name` is not a directory yet. What is there may only be a whiteout. */
static int make_component(struct ovi_place *place, int above, const char *path, const char *name,
                          struct pair *made, struct ovl2_error *err)
{
	struct stat st;
	int was_whiteout = 0;
	int r;

	if (ovi_sys.fstatat(above, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		was_whiteout = ovi_is_whiteout(&st);
		if (!was_whiteout)
			return fail_name(err, path,
			                 "something is to be put into it and it is not a "
			                 "directory");
		if (ovi_sys.unlinkat(above, name, 0) < 0)
			return ovi_fail_errno(err, "replace whiteout '%s'", path);
	} else if (errno != ENOENT) {
		return ovi_fail_errno(err, "look at '%s'", path);
	}

	r = make_implied(place, above, path, name, made, err);
	if (r == 0 && was_whiteout)
		r = ovi_opaque_set(above, name, place->attributes, err);

	return r;
}

/* From `here` into `name` in it, which is made if it is missing; its path is `path`. */
static int descend(struct ovi_place *place, struct pair *here, const char *path, const char *name,
                   struct ovl2_error *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
	cleanup_pair struct pair next = { -1, -1 };
	int is_link = 0;
	int r = 0;

	if (here->below >= 0)
		next.below = ovi_sys.openat(here->below, name, flags, 0);
	if (here->below >= 0 && next.below < 0 && errno != ENOENT && errno != ENOTDIR &&
	    errno != ELOOP)
		return ovi_fail_errno(err, "look for '%s' below", path);
	next.dir = ovi_sys.openat(here->dir, name, flags, 0);
	if (next.dir < 0 && (errno == ENOTDIR || errno == ELOOP)) {
		next.dir = ovi_place_open(place, path);
		is_link = next.dir >= 0;
	}
	if (next.dir < 0 && errno != ENOENT && errno != ENOTDIR)
		return fail_open(err, path);
	/* What is there is merged with something else than what has the link's name. */
	if (is_link) {
		ovi_close_fd(&next.below);
		next.below = -1;
	}
	if (next.dir < 0)
		r = make_component(place, here->dir, path, name, &next, err);
	if (r < 0)
		return r;
	close_pair(here);
	*here = next;
	next = (struct pair){ -1, -1 };

	return 0;
}

/* Opens directory `path`, making what is missing of it, component by component. */
static int make_parents(struct ovi_place *place, const char *path, int *ret_fd,
                        struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf done = { 0 };
	cleanup_pair struct pair here = { -1, -1 };
	const char *at = path;
	int r = 0;

	here.dir = ovi_sys.openat(place->root, ".", O_RDONLY | O_DIRECTORY, 0);
	if (here.dir < 0)
		return ovi_fail_errno(err, "open the root of the layer");
	if (place->below >= 0)
		here.below = ovi_sys.openat(place->below, ".", O_RDONLY | O_DIRECTORY, 0);
	while (*at && r == 0) {
		size_t length = strcspn(at, "/");
		size_t start;

		ovi_strbuf_add(&done, done.length ? "/" : "");
		start = done.length;
		ovi_strbuf_add_bytes(&done, at, length);
		if (done.failed)
			return ovi_fail_memory(err);
		r = descend(place, &here, done.text, done.text + start, err);
		at += length + (at[length] == '/');
	}
	if (r == 0)
		*ret_fd = steal_fd(&here.dir);

	return r;
}

/* What is needed least: nothing, or what was used longest ago. */
static struct ovi_place_directory *choose_slot(struct ovi_place *place)
{
	struct ovi_place_directory *oldest = &place->cache[0];

	for (size_t i = 0; i < OVI_PLACE_CACHE; i++) {
		struct ovi_place_directory *slot = &place->cache[i];

		if (!slot->is_open)
			return slot;
		if (slot->used < oldest->used)
			oldest = slot;
	}

	return oldest;
}

int ovi_place_keep(struct ovi_place *place, const char *path, size_t length, int fd,
                   struct ovl2_error *err)
{
	struct ovi_place_directory *slot = choose_slot(place);

	if (slot->is_open)
		close(slot->fd);
	slot->fd = fd;
	slot->is_open = 1;
	slot->used = ++place->clock;
	ovi_strbuf_cut(&slot->path, 0);
	ovi_strbuf_add_bytes(&slot->path, path, length);

	return slot->path.failed ? ovi_fail_memory(err) : 0;
}

static int find_open(struct ovi_place *place, const char *path, size_t length)
{
	for (size_t i = 0; i < OVI_PLACE_CACHE; i++) {
		struct ovi_place_directory *slot = &place->cache[i];

		if (slot->is_open && slot->path.length == length &&
		    memcmp(slot->path.text, path, length) == 0) {
			slot->used = ++place->clock;
			return slot->fd;
		}
	}

	return -1;
}

/* Opens the directory an entry goes into, and keeps it for the next ones. */
static int open_parent(struct ovi_place *place, const char *path, size_t length, int *ret_dir,
                       struct ovl2_error *err)
{
	cleanup_free char *parent = NULL;
	cleanup_fd int fd = -1;
	int r;

	*ret_dir = find_open(place, path, length);
	if (*ret_dir >= 0)
		return 0;

	parent = strndup(path, length);
	if (!parent)
		return ovi_fail_memory(err);
	fd = ovi_place_open(place, parent);
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		return fail_open(err, parent);
	r = fd < 0 ? make_parents(place, parent, &fd, err) : 0;
	if (r < 0)
		return r;
	*ret_dir = steal_fd(&fd);

	return ovi_place_keep(place, parent, length, *ret_dir, err);
}

int ovi_place_locate(struct ovi_place *place, const char *path, int *ret_dir, const char **ret_name,
                     struct ovl2_error *err)
{
	const char *slash = strrchr(path, '/');
	int r;

	if (place->is_stale)
		forget(place);
	place->is_stale = 0;
	r = open_parent(place, path, slash ? (size_t)(slash - path) : 0, ret_dir, err);
	if (r < 0)
		return r;
	*ret_name = slash ? slash + 1 : path;

	return 0;
}
