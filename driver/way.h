#pragma once

/*
 * The way down a tree: the directories from its root to where a walk is, and the same
 * directories of other views of it. However deep it leads, few of them are open at a
 * time and none of it is on the stack: those far above are closed, and found again by
 * ".." on the way back. The names of all have one bound: when they come to it, those
 * above are listed again on the way back.
 */

#include "folder.h"
#include "marks.h"
#include "names.h"
#include "strbuf.h"

#include <ovl2.h>

#include <sys/types.h>

/* So many levels are open, the deepest ones and the root. */
#define OVI_WAY_OPEN 32

/* The tree that is walked; others have the numbers behind. */
enum { OVI_SELF, OVI_SPOTS = 4 };

/* A directory in one of the views. */
struct ovi_spot {
	/* NULL: there is none, if that is known. */
	struct ovi_folder *folder;
	int is_known;

	/* Which one it was when it was closed; 0: it was not. */
	dev_t device;
	ino_t inode;
};

struct ovi_level {
	size_t depth;
	char *name;

	/* The path above it. */
	size_t path_length;

	struct ovi_spot spots[OVI_SPOTS];
	int is_closed;

	/* Of the directory itself, and of the one at `other`. */
	struct ovi_names names;
	struct ovi_names other_names;
	size_t other;

	/* For who walks the upper of a layer; and of what is below, once it is known. */
	struct ovi_marks marks;
	struct ovi_marks marks_below;
	int is_below_known;
};

/* Begins as all zeroes. */
struct ovi_way {
	/* levels[0] is the root, levels[count - 1] where the walk is. */
	struct ovi_level **levels;
	size_t count;
	size_t room;

	/* Borrowed, or NULL: asked while names are listed and gone through. */
	const struct ovi_asker *asker;

	/* What their names take; so many of the outermost gave theirs back. */
	size_t names_bytes;
	size_t forgotten;

	/* Of where it is, "a/b/"; "" for the root, unless something is put there before. */
	struct ovi_strbuf path;
};

#define cleanup_way __attribute__((cleanup(ovi_way_release)))

void ovi_way_release(struct ovi_way *way);

/*
 * Goes down into `folder`, which is `name` where the walk is, or the root; takes it over
 * whatever happens. NULL stands for what could not be had for lack of memory. The first
 * call's name is not part of the path.
 */
int ovi_way_enter(struct ovi_way *way, const char *name, struct ovi_folder *folder,
                  struct ovl2_error *err);

/*
 * Goes back up.
 *
 * Errors: OVL2_E_BUSY when somebody moved the directories meanwhile.
 */
int ovi_way_leave(struct ovi_way *way, struct ovl2_error *err);

static inline struct ovi_level *ovi_way_here(const struct ovi_way *way)
{
	return way->levels[way->count - 1];
}

/*
 * The directory of `level` in the view that the number `spot` stands for, held for the
 * caller; NULL when there is none. That of the root has to be known.
 */
int ovi_way_open(struct ovi_way *way, const struct ovi_level *level, size_t spot,
                 struct ovi_folder **ret_folder, struct ovl2_error *err);

/* The same, by way of the directory above it in that view, if there is one. */
int ovi_way_open_from(const struct ovi_folder *above, struct ovi_level *level, size_t spot,
                      struct ovi_folder **ret_folder, struct ovl2_error *err);

/* Has `level` list the names of that directory, or none, beside its own. */
int ovi_way_list_other(struct ovi_way *way, struct ovi_level *level, size_t spot,
                       struct ovl2_error *err);
