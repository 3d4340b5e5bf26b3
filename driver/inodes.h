#pragma once

/*
 * Files with several names, met one name at a time, in bounded memory: what there are
 * too many of goes to nameless files.
 */

#include "strbuf.h"

#include <ovl2.h>

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct ovi_inode;

/* A hash table: in memory, or in a file where it is larger than that should be. */
struct ovi_inode_table {
	struct ovi_inode *slots;
	int fd; /* -1 in memory */
	size_t room;
};

struct ovi_inodes {
	struct ovi_inode_table table;
	size_t count;

	/* Where files can be made, borrowed; -1: all stays in memory. */
	int place;

	/* First paths, one behind the other: those before `written` in a file, then the rest. */
	struct ovi_strbuf paths;
	uint64_t written;
	int paths_fd;

	/* One that was read from there. */
	struct ovi_strbuf path;
};

#define cleanup_inodes __attribute__((cleanup(ovi_inodes_release)))

/*
 * `place` is a directory of a filesystem with some room, and stays the caller's; where no
 * nameless file can be made there, or -1, the bound does not hold.
 */
void ovi_inodes_init(struct ovi_inodes *inodes, int place);

/* Safe on what ovi_inodes_init() made. */
void ovi_inodes_release(struct ovi_inodes *inodes);

/*
 * 1 and the path under which this file was met first, valid until the next call; 0 when
 * this is the first time (`path` is kept) or when the file has one name only. A file is
 * forgotten once all its names were met. `ret_first` NULL: nobody asks for any path.
 */
int ovi_inodes_meet(struct ovi_inodes *inodes, const struct stat *st, const char *path,
                    const char **ret_first, struct ovl2_error *err);
