#include "place.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "sys.h"
#include "whiteout.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

static int fail_name(struct ovl2_error *err, const char *name, const char *problem)
{
	return ovi_fail(err, OVL2_E_CORRUPT, "tar entry '%s': %s", name, problem);
}

void ovi_place_release(struct ovi_place *place)
{
	if (place->parent >= 0)
		close(place->parent);
	if (place->below >= 0)
		close(place->below);
	if (place->root >= 0)
		close(place->root);
	ovi_strbuf_release(&place->parent_path);
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
int ovi_place_open(const struct ovi_place *place, const char *path)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	int fd;

	/* EAGAIN: a rename elsewhere on the system; the kernel cannot be sure. */
	do {
		fd = ovi_sys.openat2(place->root, *path ? path : ".", &how);
	} while (fd < 0 && (errno == EAGAIN || errno == EINTR));

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
		st = (struct stat){ .st_mode = 0755 };

	if (ovi_sys.mkdirat(dir, name, 0700) < 0)
		return ovi_fail_errno(err, "create '%s'", path);
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
		r = ovi_opaque_set(dir, name, err);

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

/* Opens the directory an entry goes into, and keeps it for the next one. */
static int open_parent(struct ovi_place *place, const char *path, size_t length,
                       struct ovl2_error *err)
{
	int r;

	if (place->parent >= 0 && !place->is_stale && place->parent_path.length == length &&
	    memcmp(place->parent_path.text, path, length) == 0)
		return 0;

	if (place->parent >= 0)
		close(place->parent);
	place->parent = -1;
	place->is_stale = 0;
	ovi_strbuf_cut(&place->parent_path, 0);
	ovi_strbuf_add_bytes(&place->parent_path, path, length);
	if (place->parent_path.failed)
		return ovi_fail_memory(err);

	path = place->parent_path.text;
	place->parent = ovi_place_open(place, path);
	if (place->parent < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		r = make_parents(place, path, err);
		if (r < 0)
			return r;
		place->parent = ovi_place_open(place, path);
	}
	if (place->parent < 0 && (errno == ELOOP || errno == EXDEV))
		return ovi_fail(err, OVL2_E_CORRUPT,
		                "tar entry '%s': its directory leads through links in a circle",
		                path);
	if (place->parent < 0)
		return ovi_fail_errno(err, "open '%s'", path);

	return 0;
}

int ovi_place_locate(struct ovi_place *place, const char *path, int *ret_dir, const char **ret_name,
                     struct ovl2_error *err)
{
	const char *slash = strrchr(path, '/');
	int r;

	r = open_parent(place, path, slash ? (size_t)(slash - path) : 0, err);
	if (r < 0)
		return r;
	*ret_dir = place->parent;
	*ret_name = slash ? slash + 1 : path;

	return 0;
}
