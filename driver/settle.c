#include "settle.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "sys.h"
#include "whiteout.h"

#include <fcntl.h>
#include <string.h>

/*
 * So many directories are open, and as many below; those above them are closed while
 * the way leads on down, and found again by "..". Nobody else is in a stage.
 */
#define MAX_OPEN 32

/* More than any name reaches, links included, and no more than fits on a stack. */
#define MAX_DEPTH 8192

/* A directory, and the one that it is merged with; -1: none. */
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

static int settle(const struct ovi_place *place, struct pair *pair, unsigned int depth,
                  struct ovl2_error *err);

static int open_pair(const struct ovi_place *place, const struct pair *above, const char *name,
                     struct pair *ret_pair, struct ovl2_error *err)
{
	int is_opaque;
	int r;

	r = ovi_dir_open(above->dir, name, &ret_pair->dir, err);
	if (r < 0)
		return r;
	is_opaque = ovi_opaque_read(ret_pair->dir, ".", place->attributes, err);
	if (is_opaque < 0)
		return is_opaque;
	if (above->below < 0 || is_opaque)
		return 0;
	ret_pair->below =
		ovi_sys.openat(above->below, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (ret_pair->below < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return ovi_fail_errno(err, "open '%s' below", name);

	return 0;
}

/* Closes what can be found again from `self`. */
static void let_go(struct pair *above, const struct pair *self)
{
	ovi_close_fd(&above->dir);
	if (self->below >= 0)
		ovi_close_fd(&above->below);
}

static int climb(int from, int *fd, struct ovl2_error *err)
{
	if (from < 0 || *fd >= 0)
		return 0;
	*fd = ovi_sys.openat(from, "..", O_RDONLY | O_DIRECTORY, 0);

	return *fd < 0 ? ovi_fail_errno(err, "open '..'") : 0;
}

static int settle_directory(const struct ovi_place *place, struct pair *above, const char *name,
                            unsigned int depth, struct ovl2_error *err)
{
	cleanup_pair struct pair self = { -1, -1 };
	int r;

	if (depth > MAX_DEPTH)
		return ovi_fail(err, OVL2_E_LIMIT, "more than %d directories lie in each other",
		                MAX_DEPTH);
	r = open_pair(place, above, name, &self, err);
	if (r < 0)
		return r;
	if (depth > MAX_OPEN)
		let_go(above, &self);
	r = settle(place, &self, depth, err);
	if (r == 0)
		r = climb(self.dir, &above->dir, err);

	return r == 0 ? climb(self.below, &above->below, err) : r;
}

static int settle_device(const struct pair *pair, const char *name, struct ovl2_error *err)
{
	struct stat st;

	if (ovi_sys.fstatat(pair->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(err, "look at '%s'", name);
	if (!ovi_is_whiteout(&st))
		return 0;
	if (pair->below >= 0 && ovi_sys.fstatat(pair->below, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (pair->below >= 0 && errno != ENOENT)
		return ovi_fail_errno(err, "look for '%s' below", name);
	if (ovi_sys.unlinkat(pair->dir, name, 0) < 0)
		return ovi_fail_errno(err, "take out whiteout '%s'", name);

	return 0;
}

static int settle(const struct ovi_place *place, struct pair *pair, unsigned int depth,
                  struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	int r;

	r = ovi_dir_list(pair->dir, "layer", &listing, err);
	for (size_t i = 0; i < listing.count && r == 0; i++) {
		if (listing.names[i].type == DT_DIR)
			r = settle_directory(place, pair, listing.names[i].name, depth + 1, err);
		else if (listing.names[i].type == DT_CHR)
			r = settle_device(pair, listing.names[i].name, err);
	}

	return r;
}

static int hide_all(const struct ovi_place *place, struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	int r;

	r = ovi_dir_list(place->below, "layers below", &listing, err);
	for (size_t i = 0; i < listing.count && r == 0; i++) {
		const char *name = listing.names[i].name;
		struct stat st;

		if (ovi_sys.fstatat(place->root, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			if (S_ISDIR(st.st_mode))
				r = ovi_opaque_set(place->root, name, place->attributes, err);
		} else if (errno != ENOENT) {
			r = ovi_fail_errno(err, "look at '%s'", name);
		} else if (ovi_sys.mknodat(place->root, name, S_IFCHR, 0) < 0) {
			r = ovi_fail_errno(err, "create whiteout for '%s'", name);
		}
	}

	return r;
}

int ovi_settle(const struct ovi_place *place, int is_root_opaque, struct ovl2_error *err)
{
	struct pair root = { place->root, place->below };
	int r = 0;

	if (is_root_opaque && place->below >= 0)
		r = hide_all(place, err);

	return r == 0 ? settle(place, &root, 0, err) : r;
}
