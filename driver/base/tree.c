#include "tree.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>

/* Open directories at a time; whatever lies deeper is first moved up. */
#define MAX_DEPTH 64

struct removal {
	/* The tree's own top, where deep directories go, and how many went. */
	int top;
	unsigned int moved;
	dev_t device;
};

static int remove_entry(struct removal *job, int dir, const struct ovi_name *entry,
                        unsigned int depth, struct ovl2_error *err);

/* Somebody else may be deleting the same tree: what is gone is done. */
static int accept_missing(int r, struct ovl2_error *err)
{
	if (r != OVL2_E_NOT_FOUND)
		return r;
	if (err)
		*err = (struct ovl2_error){ 0 };

	return 0;
}

/* Deletes what is in `dir`, not `dir` itself. */
static int empty_directory(struct removal *job, int dir, const char *name, unsigned int depth,
                           struct ovl2_error *err)
{
	int has_more = 1;
	int r = 0;

	if (lseek(dir, 0, SEEK_SET) < 0)
		return ovi_fail_errno(err, "rewind '%s'", name);
	while (r == 0 && has_more) {
		cleanup_listing struct ovi_listing listing = { 0 };

		has_more = ovi_dir_list_more(dir, name, &listing, err);
		if (has_more < 0)
			return accept_missing(has_more, err);
		for (size_t i = 0; i < listing.count && r == 0; i++)
			r = remove_entry(job, dir, &listing.names[i], depth + 1, err);
	}

	return r;
}

/* Moves a directory that lies too deep to the top, to be deleted in another pass. */
static int move_up(struct removal *job, int dir, const char *name, struct ovl2_error *err)
{
	char moved[32];

	do {
		snprintf(moved, sizeof(moved), ".deep-%u", job->moved++);
		if (ovi_sys.renameat2(dir, name, job->top, moved, RENAME_NOREPLACE) == 0)
			return 0;
	} while (errno == EEXIST);
	if (errno == ENOENT)
		return 0;

	return ovi_fail_errno(err, "move '%s' up to delete it", name);
}

static int remove_directory(struct removal *job, int dir, const char *name, unsigned int depth,
                            struct ovl2_error *err)
{
	cleanup_fd int fd = -1;
	struct stat st;
	int r;

	if (depth > MAX_DEPTH)
		return move_up(job, dir, name, err);

	r = ovi_dir_open(dir, name, &fd, err);
	if (r < 0)
		return accept_missing(r, err);
	if (ovi_sys.fstatat(fd, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "look at '%s'", name);
	if (st.st_dev != job->device)
		return ovi_fail(err, OVL2_E_BUSY, "delete '%s': something is mounted there", name);

	r = empty_directory(job, fd, name, depth, err);
	if (r < 0)
		return r;
	if (ovi_sys.unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return ovi_fail_errno(err, "delete directory '%s'", name);

	return 0;
}

static int remove_entry(struct removal *job, int dir, const struct ovi_name *entry,
                        unsigned int depth, struct ovl2_error *err)
{
	const char *name = entry->name;

	/* Most that are deleted are empty: there is nothing to list. */
	if (entry->type == DT_DIR && ovi_sys.unlinkat(dir, name, AT_REMOVEDIR) == 0)
		return 0;
	if (ovi_sys.unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return ovi_fail_errno(err, "delete '%s'", name);

	return remove_directory(job, dir, name, depth, err);
}

int ovi_tree_remove(int dir, const char *name, struct ovl2_error *err)
{
	struct removal job = { .moved = 0 };
	cleanup_fd int top = -1;
	struct stat st;
	unsigned int before;
	int r;

	if (ovi_sys.unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return ovi_fail_errno(err, "delete '%s'", name);

	r = ovi_dir_open(dir, name, &top, err);
	if (r < 0)
		return accept_missing(r, err);
	if (ovi_sys.fstatat(top, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "look at '%s'", name);
	job.top = top;
	job.device = st.st_dev;

	do {
		before = job.moved;
		r = empty_directory(&job, top, name, 0, err);
	} while (r == 0 && job.moved != before);
	if (r < 0)
		return r;

	if (ovi_sys.unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return ovi_fail_errno(err, "delete directory '%s'", name);

	return 0;
}
