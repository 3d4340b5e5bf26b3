#include "way.h"

#include "cleanup.h"
#include "fail.h"
#include "sys.h"

#include <fcntl.h>
#include <string.h>

static void free_level(struct ovi_level *level)
{
	for (size_t i = 0; i < OVI_SPOTS; i++)
		ovi_folder_drop(level->spots[i].folder);
	ovi_names_release(&level->names);
	ovi_names_release(&level->other_names);
	free(level->name);
	free(level);
}

void ovi_way_release(struct ovi_way *way)
{
	int saved = errno;

	while (way->count > 0)
		free_level(way->levels[--way->count]);
	free(way->levels);
	ovi_strbuf_release(&way->path);
	*way = (struct ovi_way){ 0 };
	errno = saved;
}

/* ------------------------------------------------------------------ one level -- */

static int close_spot(struct ovi_spot *spot, struct ovl2_error *err)
{
	struct stat st;

	spot->is_known = 0;
	if (!spot->folder)
		return 0;
	if (ovi_sys.fstatat(spot->folder->fd, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "look at a directory");
	spot->device = st.st_dev;
	spot->inode = st.st_ino;
	ovi_folder_drop(steal_ptr(&spot->folder));

	return 0;
}

static int close_level(struct ovi_level *level, struct ovl2_error *err)
{
	int r = 0;

	/* It still is, when the walk came up a little and goes down another way. */
	if (level->is_closed)
		return 0;
	ovi_names_leave(&level->names);
	for (size_t i = 0; i < OVI_SPOTS && r == 0; i++)
		r = close_spot(&level->spots[i], err);
	level->is_closed = 1;

	return r;
}

/*
 * Nobody can say that what was opened anew is what was closed, but by its number. The
 * kernel keeps a directory's as long as something in it is open, overlayfs too.
 */
static int is_same(const struct ovi_spot *spot, int fd)
{
	struct stat st;

	return ovi_sys.fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 && st.st_dev == spot->device &&
	       st.st_ino == spot->inode;
}

static int fail_moved(struct ovl2_error *err)
{
	return ovi_fail(err, OVL2_E_BUSY, "its directory was moved while it was read");
}

/* From the same view of what lies in it. Where that has none, it is looked for when needed. */
static int reopen_spot(struct ovi_spot *spot, const struct ovi_spot *below, struct ovl2_error *err)
{
	cleanup_fd int fd = -1;

	if (!spot->inode || !below->folder)
		return 0;
	fd = ovi_sys.openat(below->folder->fd, "..", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return ovi_fail_errno(err, "open '..'");
	if (!is_same(spot, fd))
		return fail_moved(err);
	spot->folder = ovi_folder_new(steal_fd(&fd));
	spot->is_known = spot->folder != NULL;
	spot->inode = 0;

	return spot->folder ? 0 : ovi_fail_memory(err);
}

static int reopen_level(struct ovi_way *way, struct ovi_level *level, const struct ovi_level *below,
                        struct ovl2_error *err)
{
	cleanup_folder struct ovi_folder *other = NULL;
	int r = 0;

	level->is_closed = 0;
	for (size_t i = 0; i < OVI_SPOTS && r == 0; i++)
		r = reopen_spot(&level->spots[i], &below->spots[i], err);
	if (r == 0)
		r = ovi_names_return(&level->names, level->spots[OVI_SELF].folder->fd, err);
	if (r < 0 || level->other_names.dir < 0)
		return r;
	r = ovi_way_open(way, level, level->other, &other, err);
	if (r == 0 && !other)
		return fail_moved(err);

	/* The level keeps it open. */
	return r < 0 ? r : ovi_names_return(&level->other_names, other->fd, err);
}

/* ------------------------------------------------------------------ up and down -- */

/* Room for one more. */
static int grow(struct ovi_way *way)
{
	size_t room = way->room ? 2 * way->room : 16;
	struct ovi_level **levels;

	if (way->count < way->room)
		return 0;
	levels = reallocarray(way->levels, room, sizeof(struct ovi_level *));
	if (!levels)
		return -1;
	way->levels = levels;
	way->room = room;

	return 0;
}

static void list_names(struct ovi_way *way, struct ovi_names *names, int dir)
{
	ovi_names_init(names, dir);
	names->together = &way->names_bytes;
	names->asker = way->asker;
}

/* For those of one more level. The walk is still at a name of the one above it. */
static void forget_names(struct ovi_way *way)
{
	while (way->names_bytes > OVI_NAMES_TOGETHER_BYTES / 2 && way->forgotten + 2 < way->count) {
		struct ovi_level *level = way->levels[way->forgotten++];

		ovi_names_forget(&level->names);
		ovi_names_forget(&level->other_names);
	}
}

int ovi_way_enter(struct ovi_way *way, const char *name, struct ovi_folder *folder,
                  struct ovl2_error *err)
{
	cleanup_folder struct ovi_folder *own = folder;
	struct ovi_level *level;

	if (!folder || grow(way) < 0)
		return ovi_fail_memory(err);
	level = calloc(1, sizeof(*level));
	if (!level)
		return ovi_fail_memory(err);
	level->depth = way->count;
	level->path_length = way->path.length;
	level->spots[OVI_SELF].is_known = 1;
	level->spots[OVI_SELF].folder = steal_ptr(&own);
	list_names(way, &level->names, folder->fd);
	list_names(way, &level->other_names, -1);
	level->name = strdup(name);
	way->levels[way->count++] = level;
	forget_names(way);

	if (level->depth)
		ovi_strbuf_add(&way->path, name);
	ovi_strbuf_add(&way->path, level->depth ? "/" : "");
	if (!level->name || way->path.failed)
		return ovi_fail_memory(err);

	return level->depth > OVI_WAY_OPEN
	               ? close_level(way->levels[level->depth - OVI_WAY_OPEN], err)
	               : 0;
}

int ovi_way_leave(struct ovi_way *way, struct ovl2_error *err)
{
	struct ovi_level *level = way->levels[--way->count];
	int r = 0;

	ovi_strbuf_cut(&way->path, level->path_length);
	if (way->forgotten >= way->count)
		way->forgotten = way->count ? way->count - 1 : 0;
	if (way->count && ovi_way_here(way)->is_closed)
		r = reopen_level(way, ovi_way_here(way), level, err);
	free_level(level);

	return r;
}

/* -------------------------------------------------------------------- the views -- */

/* `name` in that directory, never through a link. NULL when it has no such directory. */
static int step(const struct ovi_folder *above, const char *name, struct ovi_folder **ret_folder,
                struct ovl2_error *err)
{
	int fd;

	*ret_folder = NULL;
	if (!above)
		return 0;
	fd = ovi_sys.openat(above->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
		               ? 0
		               : ovi_fail_errno(err, "open '%s' in a view", name);
	*ret_folder = ovi_folder_new(fd);

	return *ret_folder ? 0 : ovi_fail_memory(err);
}

static void keep(struct ovi_level *level, size_t spot, struct ovi_folder *folder)
{
	if (level->is_closed)
		return;
	level->spots[spot].is_known = 1;
	level->spots[spot].folder = folder ? ovi_folder_hold(folder) : NULL;
}

int ovi_way_open_from(const struct ovi_folder *above, struct ovi_level *level, size_t spot,
                      struct ovi_folder **ret_folder, struct ovl2_error *err)
{
	const struct ovi_spot *own = &level->spots[spot];
	cleanup_folder struct ovi_folder *folder = NULL;
	int r = 0;

	if (own->is_known && own->folder)
		folder = ovi_folder_hold(own->folder);
	if (!own->is_known) {
		r = step(above, level->name, &folder, err);
		if (r == 0 && spot == OVI_SELF && (!folder || !is_same(own, folder->fd)))
			r = fail_moved(err);
		if (r < 0)
			return r;
		keep(level, spot, folder);
	}
	*ret_folder = steal_ptr(&folder);

	return 0;
}

int ovi_way_open(struct ovi_way *way, const struct ovi_level *level, size_t spot,
                 struct ovi_folder **ret_folder, struct ovl2_error *err)
{
	cleanup_folder struct ovi_folder *here = NULL;
	size_t at = level->depth;
	int r;

	while (!way->levels[at]->spots[spot].is_known)
		at--;
	for (; at <= level->depth; at++) {
		struct ovi_folder *above = here;

		r = ovi_way_open_from(above, way->levels[at], spot, &here, err);
		if (r < 0)
			return r;
		ovi_folder_drop(above);
	}
	*ret_folder = steal_ptr(&here);

	return 0;
}

int ovi_way_list_other(struct ovi_way *way, struct ovi_level *level, size_t spot,
                       struct ovl2_error *err)
{
	cleanup_folder struct ovi_folder *folder = NULL;
	int r = ovi_way_open(way, level, spot, &folder, err);

	/* The level keeps it open, or opens it again. */
	level->other = spot;
	list_names(way, &level->other_names, folder ? folder->fd : -1);

	return r;
}
