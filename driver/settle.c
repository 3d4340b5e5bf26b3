#include "settle.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "folder.h"
#include "sys.h"
#include "way.h"
#include "whiteout.h"

#include <fcntl.h>
#include <string.h>

/* The layers that it is merged with; beside OVI_SELF, what was made. */
enum { BELOW = OVI_SELF + 1 };

struct settling {
	const struct ovi_place *place;
	struct ovi_way way;
	struct ovl2_error *err;
};

/* Takes the directory over. What is in an opaque one is merged with nothing. */
static int enter(struct settling *job, const char *name, struct ovi_folder *folder, int is_opaque)
{
	int r = ovi_way_enter(&job->way, name, folder, job->err);
	struct ovi_level *level;

	if (r < 0)
		return r;
	level = ovi_way_here(&job->way);
	level->marks.is_opaque = is_opaque;
	level->names.is_unordered = 1;

	return 0;
}

static int enter_root(struct settling *job)
{
	int root = ovi_sys.openat(job->place->tree, ".", O_RDONLY | O_DIRECTORY, 0);
	struct ovi_spot *below;
	int r;

	if (root < 0)
		return ovi_fail_errno(job->err, "open the root of the layer");
	r = enter(job, "", ovi_folder_new(root), job->place->below < 0);
	if (r < 0 || job->place->below < 0)
		return r;

	root = ovi_sys.openat(job->place->below, ".", O_RDONLY | O_DIRECTORY, 0);
	if (root < 0)
		return ovi_fail_errno(job->err, "open the root of what lies below");
	below = &ovi_way_here(&job->way)->spots[BELOW];
	below->folder = ovi_folder_new(root);
	below->is_known = 1;

	return below->folder ? 0 : ovi_fail_memory(job->err);
}

static int enter_directory(struct settling *job, const struct ovi_level *above, const char *name)
{
	cleanup_folder struct ovi_folder *folder = NULL;
	int is_opaque;
	int r;

	r = ovi_folder_open(above->spots[OVI_SELF].folder, name, &folder, job->err);
	if (r < 0)
		return r;
	is_opaque = ovi_opaque_read(folder->fd, ".", job->place->attributes, job->err);
	if (is_opaque < 0)
		return is_opaque;

	return enter(job, name, steal_ptr(&folder), above->marks.is_opaque || is_opaque);
}

/* Does a whiteout of this name hide anything? */
static int is_below(struct settling *job, const struct ovi_level *level, const char *name)
{
	cleanup_folder struct ovi_folder *below = NULL;
	struct stat st;
	int r = 0;

	if (!level->marks.is_opaque)
		r = ovi_way_open(&job->way, level, BELOW, &below, job->err);
	if (r < 0 || !below)
		return r;
	if (ovi_sys.fstatat(below->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;

	return errno == ENOENT ? 0 : ovi_fail_errno(job->err, "look for '%s' below", name);
}

static int settle_device(struct settling *job, const struct ovi_level *level, const char *name)
{
	int dir = level->spots[OVI_SELF].folder->fd;
	struct stat st;
	int r;

	if (ovi_sys.fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(job->err, "look at '%s'", name);
	if (!ovi_is_whiteout(&st))
		return 0;
	r = is_below(job, level, name);
	if (r != 0)
		return r < 0 ? r : 0;
	if (ovi_sys.unlinkat(dir, name, 0) < 0)
		return ovi_fail_errno(job->err, "take out whiteout '%s'", name);

	return 0;
}

static int settle_next(struct settling *job)
{
	struct ovi_level *level = ovi_way_here(&job->way);
	const char *name;
	unsigned char type;
	int r;

	r = ovi_names_peek(&level->names, &name, &type, job->err);
	if (r < 0)
		return r;
	if (r == 0)
		return ovi_way_leave(&job->way, job->err);
	if (type == DT_DIR)
		r = enter_directory(job, level, name);
	else
		r = type == DT_CHR ? settle_device(job, level, name) : 0;
	ovi_names_next(&level->names);

	return r;
}

static int hide(const struct ovi_place *place, const char *name, struct ovl2_error *err)
{
	struct stat st;

	if (ovi_sys.fstatat(place->root, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode)
		               ? ovi_opaque_set(place->root, name, place->attributes, err)
		               : 0;
	if (errno != ENOENT)
		return ovi_fail_errno(err, "look at '%s'", name);
	if (ovi_sys.mknodat(place->root, name, S_IFCHR, 0) < 0)
		return ovi_fail_errno(err, "create whiteout for '%s'", name);

	return 0;
}

static int hide_all(const struct ovi_place *place, const struct ovi_asker *asker,
                    struct ovl2_error *err)
{
	cleanup_names struct ovi_names names;
	unsigned char type;
	const char *name;
	int r;

	ovi_names_init(&names, place->below);
	names.is_unordered = 1;
	names.asker = asker;
	while ((r = ovi_names_peek(&names, &name, &type, err)) > 0) {
		r = hide(place, name, err);
		if (r < 0)
			break;
		ovi_names_next(&names);
	}

	return r;
}

int ovi_settle(const struct ovi_place *place, int is_root_opaque, const struct ovi_asker *asker,
               struct ovl2_error *err)
{
	struct settling job = { .place = place, .err = err, .way.asker = asker };
	int r = 0;

	if (is_root_opaque && place->below >= 0)
		r = hide_all(place, asker, err);
	if (r == 0)
		r = enter_root(&job);
	while (r == 0 && job.way.count)
		r = settle_next(&job);
	ovi_way_release(&job.way);

	return r;
}
