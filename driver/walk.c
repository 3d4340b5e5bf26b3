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

	/* The directory that was reached, and its path, free of links. */
	int here;
	struct ovi_strbuf done;

	/* What is still to go. */
	struct ovi_strbuf left;
	int links;
};

static int step_down(struct walk *walk, int fd)
{
	struct stat st;

	if (ovi_sys.fstatat(fd, "", &st, AT_EMPTY_PATH) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode) || st.st_dev != walk->device) {
		errno = S_ISDIR(st.st_mode) ? EXDEV : ENOTDIR;
		return -1;
	}
	ovi_close_fd(&walk->here);
	walk->here = fd;

	return 0;
}

/* One component; never through a link. */
static int enter(struct walk *walk, const char *name)
{
	cleanup_fd int fd = ovi_sys.openat(walk->here, name, O_PATH | O_NOFOLLOW | O_DIRECTORY, 0);

	if (fd < 0 || step_down(walk, fd) < 0)
		return -1;
	fd = -1;

	return 0;
}

static int restart(struct walk *walk)
{
	cleanup_fd int fd = ovi_sys.openat(walk->root, ".", O_PATH | O_DIRECTORY, 0);

	if (fd < 0 || step_down(walk, fd) < 0)
		return -1;
	fd = -1;

	return 0;
}

/* The way from the root to `done` again, which is how to get up without "..". */
static int climb(struct walk *walk)
{
	const char *slash = walk->done.length ? strrchr(walk->done.text, '/') : NULL;
	cleanup_free char *path = NULL;
	char *state = NULL;

	ovi_strbuf_cut(&walk->done, slash ? (size_t)(slash - walk->done.text) : 0);
	if (restart(walk) < 0)
		return -1;
	if (!walk->done.length)
		return 0;
	path = strdup(walk->done.text);
	if (!path)
		return -1;
	for (char *name = strtok_r(path, "/", &state); name; name = strtok_r(NULL, "/", &state))
		if (enter(walk, name) < 0)
			return -1;

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
	ovi_strbuf_add(&left, walk->left.text);
	ovi_strbuf_release(&walk->left);
	walk->left = left;
	if (left.length >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (text[0] != '/')
		return 0;
	ovi_strbuf_cut(&walk->done, 0);

	return restart(walk);
}

static int step(struct walk *walk, const char *name)
{
	cleanup_fd int fd = -1;
	struct stat st;

	if (!*name || strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0)
		return climb(walk);
	fd = ovi_sys.openat(walk->here, name, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0 || ovi_sys.fstatat(fd, "", &st, AT_EMPTY_PATH) < 0)
		return -1;
	if (S_ISLNK(st.st_mode))
		return follow(walk, fd);
	if (step_down(walk, fd) < 0)
		return -1;
	fd = -1;
	if (walk->done.length)
		ovi_strbuf_add(&walk->done, "/");
	ovi_strbuf_add(&walk->done, name);

	return 0;
}

static int run(struct walk *walk)
{
	struct stat st;

	if (ovi_sys.fstatat(walk->root, "", &st, AT_EMPTY_PATH) < 0)
		return -1;
	walk->device = st.st_dev;
	if (restart(walk) < 0)
		return -1;
	while (walk->left.length) {
		char *text = walk->left.text;
		size_t length = strcspn(text, "/");
		char name[NAME_MAX + 1];
		size_t used = length + (text[length] == '/');

		if (length > NAME_MAX) {
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, text, length);
		name[length] = '\0';
		memmove(text, text + used, walk->left.length - used + 1);
		walk->left.length -= used;
		if (step(walk, name) < 0)
			return -1;
		if (walk->left.failed || walk->done.failed) {
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
	ovi_strbuf_add(&walk.done, "");
	fd = run(&walk);
	ovi_close_fd(&walk.here);
	ovi_strbuf_release(&walk.left);
	ovi_strbuf_release(&walk.done);

	return fd;
}
