#include "settle.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "sys.h"
#include "whiteout.h"

#include <fcntl.h>
#include <string.h>

static int settle(const struct ovi_place *place, int dir, int below, struct ovl2_error *err);

static int settle_directory(const struct ovi_place *place, int parent, int parent_below,
                            const char *name, struct ovl2_error *err)
{
	cleanup_fd int below = -1;
	cleanup_fd int dir = -1;
	int is_opaque;
	int r;

	r = ovi_dir_open(parent, name, &dir, err);
	if (r < 0)
		return r;
	is_opaque = ovi_opaque_read(dir, ".", place->attributes, err);
	if (is_opaque < 0)
		return is_opaque;
	if (parent_below >= 0 && !is_opaque) {
		below = ovi_sys.openat(parent_below, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
		if (below < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
			return ovi_fail_errno(err, "open '%s' below", name);
	}

	return settle(place, dir, below, err);
}

/* `below` -1: this directory is not merged with any. */
static int settle(const struct ovi_place *place, int dir, int below, struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	int r;

	r = ovi_dir_list(dir, "layer", &listing, err);
	for (size_t i = 0; i < listing.count && r == 0; i++) {
		const char *name = listing.names[i].name;
		struct stat st;
		struct stat hidden;

		if (listing.names[i].type == DT_DIR)
			r = settle_directory(place, dir, below, name, err);
		if (listing.names[i].type != DT_CHR)
			continue;
		if (ovi_sys.fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return ovi_fail_errno(err, "look at '%s'", name);
		if (!ovi_is_whiteout(&st))
			continue;
		if (below >= 0 && ovi_sys.fstatat(below, name, &hidden, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		if (below >= 0 && errno != ENOENT)
			return ovi_fail_errno(err, "look for '%s' below", name);
		if (ovi_sys.unlinkat(dir, name, 0) < 0)
			return ovi_fail_errno(err, "take out whiteout '%s'", name);
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
	int r = 0;

	if (is_root_opaque && place->below >= 0)
		r = hide_all(place, err);

	return r == 0 ? settle(place, place->root, place->below, err) : r;
}
