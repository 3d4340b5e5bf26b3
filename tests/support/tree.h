#pragma once

/*
 * Trees of files as tables, and trees as text. A tree is compared by describing
 * both: one line an entry, sorted by path, with everything a layer has to keep.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct test_entry {
	/*
	 * 'd' directory, 'f' file, 'l' symbolic link, 'h' hard link, 'p' fifo, 's'
	 * socket, 'c' and 'b' devices; '-' removes what is there, with its content.
	 */
	char type;

	/* Relative to the root of the tree. */
	const char *path;

	/* Content, or target of a link, or "major:minor"; NULL is empty. */
	const char *content;

	/* 0 means 0755 for directories and 0644 for the rest. */
	mode_t mode;

	uid_t uid;
	gid_t gid;

	/* 0 leaves the time alone. */
	int64_t mtime;

	/* "user.name=value", or NULL. */
	const char *xattr;
};

/*
 * Makes each entry, in order; what exists is replaced, except that a directory
 * over a directory changes its attributes. Fails the test on errors. Directory
 * times are set in a second pass.
 */
void test_tree_make(int root, const struct test_entry *entries, size_t count);

enum test_tree_flags {
	/* Leaves modification times out: of everything, or of directories. */
	TEST_TREE_NO_TIMES = 1,
	TEST_TREE_NO_DIRECTORY_TIMES = 2,

	/* Only types and names. */
	TEST_TREE_NAMES = 4,

	/* Which names are one file. */
	TEST_TREE_LINKS = 8,

	/* The entry "." as well. */
	TEST_TREE_ROOT = 16,
};

/*
 * Describes the tree: "f 0644 0:0 1700000000.0 5 b4...1f path\n" a line. Release
 * with free(3). overlayfs's own attributes are shown too, except for those that
 * say where a file came from (origin, impure, nlink, uuid).
 */
char *test_tree_describe(int root, int flags);

/* The same of the directory at `path`. */
char *test_tree_describe_at(const char *path, int flags);

/* Fails with the lines that are only in one of them. */
void test_text_assert_same(const char *one, const char *other, const char *what);

/* Content of the file, terminated; free(3). Fails the test when unreadable. */
char *test_file_read(const char *path);

void test_file_write(const char *path, const char *content);
