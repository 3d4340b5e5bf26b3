#include "walk.h"

#include "cleanup.h"
#include "strbuf.h"
#include "sys.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

/* The kernel's limit. */
#define MAX_LINKS 40

struct walk {
	int root;
	dev_t device;

	/* The directory that was reached, and the numbers of all from the root to it. */
	int here;
	struct ovi_strbuf trail;

	/* What is still to go, from `at` on. */
	struct ovi_strbuf left;
	size_t at;
	int links;
};

static size_t depth(const struct walk *walk)
{
	return walk->trail.length / sizeof(ino_t);
}

/* Takes `fd` over, unless it is no directory of this filesystem. */
static int move_to(struct walk *walk, int *fd, ino_t *ret_inode)
{
	struct stat st;

	if (ovi_sys.fstatat(*fd, "", &st, AT_EMPTY_PATH) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode) || st.st_dev != walk->device) {
		errno = S_ISDIR(st.st_mode) ? EXDEV : ENOTDIR;
		return -1;
	}
	ovi_close_fd(&walk->here);
	walk->here = steal_fd(fd);
	*ret_inode = st.st_ino;

	return 0;
}

static int step_down(struct walk *walk, int *fd)
{
	ino_t inode;

	if (move_to(walk, fd, &inode) < 0)
		return -1;
	ovi_strbuf_add_bytes(&walk->trail, &inode, sizeof(inode));

	return 0;
}

static int restart(struct walk *walk)
{
	cleanup_fd int fd = ovi_sys.openat(walk->root, ".", O_PATH | O_DIRECTORY, 0);

	ovi_strbuf_cut(&walk->trail, 0);

	return fd < 0 ? -1 : step_down(walk, &fd);
}

/*
 * Above the root is the root. Else ".." must be the directory that was come from: who was
 * moved out of the root meanwhile would lead up there.
 */
static int step_up(struct walk *walk)
{
	cleanup_fd int fd = -1;
	ino_t expected;
	ino_t inode;

	if (depth(walk) < 2)
		return 0;
	ovi_strbuf_cut(&walk->trail, walk->trail.length - sizeof(expected));
	memcpy(&expected, walk->trail.text + walk->trail.length - sizeof(expected),
	       sizeof(expected));
	fd = ovi_sys.openat(walk->here, "..", O_PATH | O_DIRECTORY, 0);
	if (fd < 0 || move_to(walk, &fd, &inode) < 0)
		return -1;
	if (inode != expected) {
		errno = EAGAIN;
		return -1;
	}

	return 0;
}

/* Puts the text of the link in front of what is left. */
static int follow(struct walk *walk, int link)
{
	char text[PATH_MAX];
	ssize_t length = ovi_sys.readlinkat(link, "", text, sizeof(text));
	struct ovi_strbuf left = { 0 };

	if (length < 0)
		return -1;
	if (++walk->links > MAX_LINKS) {
		errno = ELOOP;
		return -1;
	}
	ovi_strbuf_add_bytes(&left, text, (size_t)length);
	ovi_strbuf_add(&left, "/");
	ovi_strbuf_add(&left, walk->left.text + walk->at);
	ovi_strbuf_release(&walk->left);
	walk->left = left;
	walk->at = 0;

	return text[0] == '/' ? restart(walk) : 0;
}

static int step(struct walk *walk, const char *name)
{
	cleanup_fd int fd = -1;
	struct stat st;

	if (!*name || strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0)
		return step_up(walk);
	fd = ovi_sys.openat(walk->here, name, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0 || ovi_sys.fstatat(fd, "", &st, AT_EMPTY_PATH) < 0)
		return -1;

	return S_ISLNK(st.st_mode) ? follow(walk, fd) : step_down(walk, &fd);
}

static int run(struct walk *walk)
{
	struct stat st;

	if (ovi_sys.fstatat(walk->root, "", &st, AT_EMPTY_PATH) < 0)
		return -1;
	walk->device = st.st_dev;
	if (restart(walk) < 0)
		return -1;
	while (walk->at < walk->left.length) {
		const char *text = walk->left.text + walk->at;
		size_t length = strcspn(text, "/");
		char name[NAME_MAX + 1];

		if (length > NAME_MAX) {
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, text, length);
		name[length] = '\0';
		walk->at += length + (text[length] == '/');
		if (step(walk, name) < 0)
			return -1;
		if (walk->left.failed || walk->trail.failed) {
			errno = ENOMEM;
			return -1;
		}
	}

	return ovi_sys.openat(walk->here, ".", O_RDONLY | O_DIRECTORY, 0);
}

int ovi_walk_open(int root, const char *path)
{
	struct walk walk = { .root = root, .here = -1 };
	int fd;

	ovi_strbuf_add(&walk.left, path);
	fd = run(&walk);
	ovi_close_fd(&walk.here);
	ovi_strbuf_release(&walk.left);
	ovi_strbuf_release(&walk.trail);

	return fd;
}

const char *ovi_walk_take_piece(const char *path, char piece[PATH_MAX])
{
	size_t length = strnlen(path, PATH_MAX);

	if (length == PATH_MAX)
		do
			length--;
		while (length && path[length] != '/');
	if (!length && *path) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	memcpy(piece, path, length);
	piece[length] = '\0';

	return path + length + (path[length] == '/');
}
