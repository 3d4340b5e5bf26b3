#include "place.h"

#include "acl.h"
#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "sys.h"
#include "walk.h"
#include "whiteout.h"

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
	if (place->below >= 0)
		close(place->below);
	if (place->root >= 0)
		close(place->root);
	if (place->mount >= 0)
		close(place->mount);
	*place = (struct ovi_place)OVI_PLACE_NONE;
}

/*
 * Takes "/", "./" and doubled slashes out of a name. Fails on "..", which as text
 * and as the kernel reads it can mean two things, and on what is too long.
 */
int ovi_place_normalise(const char *name, struct ovi_strbuf *path, struct ovl2_error *err)
{
	const char *whole = name;

	ovi_strbuf_cut(path, 0);
	ovi_strbuf_add(path, "");
	while (*name) {
		size_t length = strcspn(name, "/");
		int is_last;

		if (length == 2 && strncmp(name, "..", 2) == 0)
			return fail_name(err, whole, "a name with '..' in it is not safe");
		is_last = !name[length + strspn(name + length, "/")];
		if (length > NAME_MAX + (is_last ? strlen(OVI_WHITEOUT_PREFIX) : 0))
			return fail_name(err, whole, "a component of its name is too long");
		if (!is_last &&
		    strncmp(name, OVI_WHITEOUT_PREFIX, strlen(OVI_WHITEOUT_PREFIX)) == 0)
			return fail_name(err, whole, "a whiteout cannot be a directory");
		if (length > 0 && !(length == 1 && *name == '.')) {
			if (path->length)
				ovi_strbuf_add(path, "/");
			ovi_strbuf_add_bytes(path, name, length);
		}
		name += length + (name[length] == '/');
	}
	if (path->failed)
		return ovi_fail_memory(err);
	if (path->length >= PATH_MAX)
		return fail_name(err, whole, "its name is too long");

	return 0;
}

/* Opens a directory inside the root, links in the layer followed. errno on failure. */
int ovi_place_open(struct ovi_place *place, const char *path)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	int tries = 0;
	int fd;

	if (place->has_no_openat2)
		return ovi_walk_open(place->root, path);

	/*
	 * EAGAIN: a rename or mount elsewhere on the system, and the kernel cannot be
	 * sure where ".." led. Where that does not end, it is walked by hand.
	 */
	do {
		fd = ovi_sys.openat2(place->root, *path ? path : ".", &how);
	} while (fd < 0 && (errno == EAGAIN || errno == EINTR) && ++tries < MAX_TRIES);
	if (fd < 0 && errno == EAGAIN)
		return ovi_walk_open(place->root, path);

	/* Sandboxes older than the call say EPERM. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
		place->has_no_openat2 = 1;
		return ovi_walk_open(place->root, path);
	}

	return fd;
}

/*
 * A directory that the tar takes for granted. It looks as the one that it will be
 * merged with, where there is one.
 */
static int make_implied(struct ovi_place *place, int dir, const char *path, const char *name,
                        struct ovl2_error *err)
{
	struct stat st = { .st_mode = 0 };
	cleanup_fd int made = -1;
	int r;

	if (place->below >= 0 &&
	    ovi_sys.fstatat(place->below, path, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT &&
	    errno != ENOTDIR && errno != ELOOP)
		return ovi_fail_errno(err, "look for '%s' below", path);
	if (!S_ISDIR(st.st_mode))
		st = (struct stat){ .st_mode = 0755,
			            .st_uid = place->implied_uid,
			            .st_gid = place->implied_gid };

	if (ovi_sys.mkdirat(dir, name, 0700) < 0)
		return ovi_fail_errno(err, "create '%s'", path);
	r = place->has_default_acls ? ovi_acl_disinherit(dir, name, err) : 0;
	if (r == 0)
		r = ovi_dir_open(dir, name, &made, err);
	if (r < 0)
		return r;
	if (ovi_sys.fchownat(made, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0 ||
	    ovi_sys.fchmod(made, st.st_mode & 07777) < 0)
		return ovi_fail_errno(err, "set owner and mode of '%s'", path);

	return 0;
}

/* `dir`/`name` is not a directory yet. What is there may only be a whiteout. */
static int make_component(struct ovi_place *place, int dir, const char *path, const char *name,
                          struct ovl2_error *err)
{
	struct stat st;
	int was_whiteout = 0;
	int r;

	if (ovi_sys.fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		was_whiteout = ovi_is_whiteout(&st);
		if (!was_whiteout)
			return fail_name(err, path,
			                 "something is to be put into it and it is not a "
			                 "directory");
		if (ovi_sys.unlinkat(dir, name, 0) < 0)
			return ovi_fail_errno(err, "replace whiteout '%s'", path);
	} else if (errno != ENOENT) {
		return ovi_fail_errno(err, "look at '%s'", path);
	}

	r = make_implied(place, dir, path, name, err);
	if (r == 0 && was_whiteout)
		r = ovi_opaque_set(dir, name, place->attributes, err);

	return r;
}

/* Makes what is missing of directory `path`, component by component. */
static int make_parents(struct ovi_place *place, const char *path, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf done = { 0 };
	const char *at = path;

	while (*at) {
		size_t length = strcspn(at, "/");
		cleanup_fd int above = -1;
		cleanup_fd int self = -1;
		cleanup_free char *name = NULL;
		int r;

		above = ovi_place_open(place, done.text ? done.text : "");
		if (above < 0)
			return ovi_fail_errno(err, "open '%s'", done.text);
		if (done.length)
			ovi_strbuf_add(&done, "/");
		ovi_strbuf_add_bytes(&done, at, length);
		name = strndup(at, length);
		if (done.failed || !name)
			return ovi_fail_memory(err);

		self = ovi_place_open(place, done.text);
		if (self < 0 && errno != ENOENT && errno != ENOTDIR)
			return ovi_fail_errno(err, "open '%s'", done.text);
		if (self < 0) {
			r = make_component(place, above, done.text, name, err);
			if (r < 0)
				return r;
		}
		at += length + (at[length] == '/');
	}

	return 0;
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

static int fail_open(struct ovl2_error *err, const char *path)
{
	if (errno == ELOOP || errno == EXDEV)
		return fail_name(err, path, "its directory leads through links in a circle");

	return ovi_fail_errno(err, "open '%s'", path);
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
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		r = make_parents(place, parent, err);
		if (r < 0)
			return r;
		fd = ovi_place_open(place, parent);
	}
	if (fd < 0)
		return fail_open(err, parent);
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
