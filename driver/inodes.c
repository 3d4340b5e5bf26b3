#include "inodes.h"

#include "cleanup.h"
#include "fail.h"
#include "spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* 32 bytes, so that none lies across two pages of a file. */
struct ovi_inode {
	uint64_t device;
	uint64_t number;
	uint64_t path; /* where it begins, among all paths */
	uint32_t path_length;
	uint32_t left; /* names not met yet; 0: slot is free */
};

/* 32,768 files with names to come, in 2 MiB. Growing is dearer in a file, and its room cheap. */
#define MEMORY_ROOM ((size_t)1 << 16)
#define FIRST_ROOM 64
#define FILE_GROWTH 4

#define MEMORY_PATHS_BYTES ((size_t)1 << 20)

void ovi_inodes_init(struct ovi_inodes *inodes, int place)
{
	*inodes = (struct ovi_inodes){ .place = place, .paths_fd = -1, .table.fd = -1 };
}

static void release_table(struct ovi_inode_table *table)
{
	free(table->slots);
	ovi_close_fd(&table->fd);
}

void ovi_inodes_release(struct ovi_inodes *inodes)
{
	int saved = errno;

	release_table(&inodes->table);
	ovi_close_fd(&inodes->paths_fd);
	ovi_strbuf_release(&inodes->paths);
	ovi_strbuf_release(&inodes->path);
	ovi_inodes_init(inodes, -1);
	errno = saved;
}

/* ------------------------------------------------------------------- the table -- */

static int get(const struct ovi_inode_table *table, size_t at, struct ovi_inode *ret_inode,
               struct ovl2_error *err)
{
	if (table->fd >= 0)
		return ovi_spill_read(table->fd, ret_inode, sizeof(*ret_inode),
		                      at * sizeof(*ret_inode), err);
	*ret_inode = table->slots[at];

	return 0;
}

static int set(struct ovi_inode_table *table, size_t at, const struct ovi_inode *inode,
               struct ovl2_error *err)
{
	if (table->fd >= 0)
		return ovi_spill_write(table->fd, inode, sizeof(*inode), at * sizeof(*inode), err);
	table->slots[at] = *inode;

	return 0;
}

/* Where this file belongs. */
static size_t home(const struct ovi_inode *inode, size_t room)
{
	uint64_t hash = (inode->number ^ (inode->device << 32)) * 0x9e3779b97f4a7c15ULL;

	return (size_t)(hash >> 20) & (room - 1);
}

/* The slot of this file and what is in it, or the free one where it belongs. Never full. */
static int find(const struct ovi_inode_table *table, const struct ovi_inode *wanted, size_t *ret_at,
                struct ovi_inode *ret_inode, struct ovl2_error *err)
{
	size_t at = home(wanted, table->room);
	int r;

	for (;;) {
		r = get(table, at, ret_inode, err);
		if (r < 0)
			return r;
		if (!ret_inode->left ||
		    (ret_inode->number == wanted->number && ret_inode->device == wanted->device))
			break;
		at = (at + 1) & (table->room - 1);
	}
	*ret_at = at;

	return 0;
}

/* Frees a slot, and moves up those that are not where they belong because of it. */
static int forget(struct ovi_inodes *inodes, size_t hole, struct ovl2_error *err)
{
	struct ovi_inode_table *table = &inodes->table;
	const struct ovi_inode none = { .left = 0 };
	size_t mask = table->room - 1;
	struct ovi_inode other;
	int r;

	inodes->count--;
	for (size_t at = (hole + 1) & mask;; at = (at + 1) & mask) {
		r = get(table, at, &other, err);
		if (r < 0)
			return r;
		if (!other.left)
			return set(table, hole, &none, err);
		if (((at - home(&other, table->room)) & mask) < ((at - hole) & mask))
			continue;
		r = set(table, hole, &other, err);
		if (r < 0)
			return r;
		hole = at;
	}
}

/* All its room is set aside at once: nothing that is kept there can fail for lack of it. */
static int make_table_file(const struct ovi_inodes *inodes, size_t room)
{
	cleanup_fd int fd = ovi_spill_open(inodes->place);

	if (fd < 0 || fallocate(fd, 0, 0, (off_t)(room * sizeof(struct ovi_inode))) < 0)
		return -1;

	return steal_fd(&fd);
}

static int make_table(const struct ovi_inodes *inodes, struct ovi_inode_table *ret_table,
                      struct ovl2_error *err)
{
	size_t room = inodes->table.room ? inodes->table.room * 2 : FIRST_ROOM;

	*ret_table = (struct ovi_inode_table){ .fd = -1 };
	if (room > MEMORY_ROOM) {
		ret_table->room = inodes->table.room * FILE_GROWTH;
		ret_table->fd = make_table_file(inodes, ret_table->room);
	}
	if (ret_table->fd >= 0)
		return 0;
	ret_table->room = room;
	ret_table->slots = calloc(room, sizeof(*ret_table->slots));

	return ret_table->slots ? 0 : ovi_fail_memory(err);
}

/* Room for one more: half of the slots stay free. */
static int grow(struct ovi_inodes *inodes, struct ovl2_error *err)
{
	struct ovi_inode_table larger;
	int r;

	if (inodes->count * 2 < inodes->table.room)
		return 0;
	r = make_table(inodes, &larger, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < inodes->table.room && r == 0; i++) {
		struct ovi_inode inode;
		struct ovi_inode none;
		size_t at;

		r = get(&inodes->table, i, &inode, err);
		if (r < 0 || !inode.left)
			continue;
		r = find(&larger, &inode, &at, &none, err);
		if (r == 0)
			r = set(&larger, at, &inode, err);
	}
	if (r < 0) {
		release_table(&larger);
		return r;
	}
	release_table(&inodes->table);
	inodes->table = larger;

	return 0;
}

/* ------------------------------------------------------------------- the paths -- */

/* Where they cannot be written they stay. */
static void write_paths(struct ovi_inodes *inodes)
{
	if (inodes->paths_fd < 0)
		inodes->paths_fd = ovi_spill_open(inodes->place);
	if (inodes->paths_fd >= 0 &&
	    ovi_spill_write(inodes->paths_fd, inodes->paths.text, inodes->paths.length,
	                    inodes->written, NULL) == 0) {
		inodes->written += inodes->paths.length;
		ovi_strbuf_cut(&inodes->paths, 0);
		return;
	}
	inodes->place = -1;
}

static int keep_path(struct ovi_inodes *inodes, const char *path, struct ovi_inode *inode,
                     struct ovl2_error *err)
{
	inode->path = inodes->written + inodes->paths.length;
	inode->path_length = (uint32_t)strlen(path);
	ovi_strbuf_add_bytes(&inodes->paths, path, inode->path_length + 1);
	if (inodes->paths.failed)
		return ovi_fail_memory(err);
	if (inodes->paths.length >= MEMORY_PATHS_BYTES && inodes->place >= 0)
		write_paths(inodes);

	return 0;
}

static int find_path(struct ovi_inodes *inodes, const struct ovi_inode *inode,
                     const char **ret_path, struct ovl2_error *err)
{
	char *room;
	int r;

	if (inode->path >= inodes->written) {
		*ret_path = inodes->paths.text + (inode->path - inodes->written);
		return 0;
	}
	ovi_strbuf_cut(&inodes->path, 0);
	room = ovi_strbuf_reserve(&inodes->path, inode->path_length + 1);
	if (!room)
		return ovi_fail_memory(err);
	r = ovi_spill_read(inodes->paths_fd, room, inode->path_length + 1, inode->path, err);
	if (r == 0)
		*ret_path = room;

	return r;
}

/* ------------------------------------------------------------------------------- -- */

int ovi_inodes_meet(struct ovi_inodes *inodes, const struct stat *st, const char *path,
                    const char **ret_first, struct ovl2_error *err)
{
	struct ovi_inode inode = { .device = st->st_dev, .number = st->st_ino };
	struct ovi_inode found = { .left = 0 };
	size_t at;
	int r;

	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return 0;
	r = grow(inodes, err);
	if (r == 0)
		r = find(&inodes->table, &inode, &at, &found, err);
	if (r < 0)
		return r;

	if (!found.left) {
		inode.left = (uint32_t)st->st_nlink - 1;
		r = ret_first ? keep_path(inodes, path, &inode, err) : 0;
		if (r == 0)
			r = set(&inodes->table, at, &inode, err);
		inodes->count += r == 0;
		return r;
	}
	if (ret_first)
		r = find_path(inodes, &found, ret_first, err);
	if (r == 0)
		r = --found.left ? set(&inodes->table, at, &found, err) : forget(inodes, at, err);

	return r < 0 ? r : 1;
}
