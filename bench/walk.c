#include "walk.h"

#include "cleanup.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* Fits into a second level cache, and few calls are needed for large files. */
#define BUFFER_BYTES (256u << 10)

/* Any attribute that is not there costs the same; overlayfs's own is what a diff asks for. */
#define ATTRIBUTE "trusted.overlay.metacopy"

struct walk {
	struct walk_count count;

	/* Holds file bodies; NULL when only looking. */
	char *buffer;
	struct ovl2_error *err;
};

static int read_file(struct walk *walk, int dir, const char *name)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char value[64];
	struct stat st;
	off_t left;

	if (fd < 0 || fstat(fd, &st) < 0)
		return ovi_fail_errno(walk->err, "open '%s'", name);
	if (fgetxattr(fd, ATTRIBUTE, value, sizeof(value)) < 0 && errno != ENODATA &&
	    errno != EOPNOTSUPP)
		return ovi_fail_errno(walk->err, "look at the attributes of '%s'", name);

	for (left = st.st_size; left > 0;) {
		ssize_t length = read(fd, walk->buffer, BUFFER_BYTES);

		if (length <= 0)
			return ovi_fail_errno(walk->err, "read '%s'", name);
		left -= length;
	}
	walk->count.files++;
	walk->count.bytes += (uint64_t)st.st_size;

	return 0;
}

static int look(struct walk *walk, int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(walk->err, "look at '%s'", name);
	walk->count.files++;
	if (S_ISREG(st.st_mode))
		walk->count.bytes += (uint64_t)st.st_size;

	return 0;
}

static int read_link(struct walk *walk, int dir, const char *name)
{
	char target[PATH_MAX];
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    readlinkat(dir, name, target, sizeof(target)) < 0)
		return ovi_fail_errno(walk->err, "read the link '%s'", name);
	walk->count.files++;

	return 0;
}

static int walk_directory(struct walk *walk, int parent, const char *name);

static int visit(struct walk *walk, int dir, const struct dirent *entry)
{
	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return 0;
	if (entry->d_type == DT_DIR)
		return walk_directory(walk, dir, entry->d_name);
	if (walk->buffer && entry->d_type == DT_REG)
		return read_file(walk, dir, entry->d_name);
	if (walk->buffer && entry->d_type == DT_LNK)
		return read_link(walk, dir, entry->d_name);

	/* Nothing is in a device or a pipe, and opening one may wait for ever. */
	return look(walk, dir, entry->d_name);
}

static int walk_directory(struct walk *walk, int parent, const char *name)
{
	cleanup_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	struct stat st;
	int number;
	int r = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return ovi_fail_errno(walk->err, "open '%s'", name);
	dir = fdopendir(fd);
	if (!dir)
		return ovi_fail_errno(walk->err, "list '%s'", name);
	number = steal_fd(&fd);
	walk->count.directories++;

	errno = 0;
	while (r == 0 && (entry = readdir(dir))) {
		r = visit(walk, number, entry);
		errno = 0;
	}
	if (r == 0 && errno)
		return ovi_fail_errno(walk->err, "list '%s'", name);

	return r;
}

int walk_touch(int dir, const char *path, int flags)
{
	cleanup_fd int fd = openat(dir, path, flags | O_CLOEXEC);
	char buffer[256];

	if (fd < 0)
		return -1;

	return flags & O_DIRECTORY || read(fd, buffer, sizeof(buffer)) >= 0 ? 0 : -1;
}

int walk_layer(int home, const char *id, struct ovl2_error *err)
{
	static const char *const names[] = { "ovl2.json", "link", "lower" };
	cleanup_fd int dir = openat(home, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return ovi_fail_errno(err, "open layer '%s'", id);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (walk_touch(dir, names[i], O_RDONLY) < 0 && errno != ENOENT)
			return ovi_fail_errno(err, "read '%s' of layer '%s'", names[i], id);

	return 0;
}

int walk_stat(const char *path, struct walk_count *ret_count, struct ovl2_error *err)
{
	struct walk walk = { .err = err };
	int r = walk_directory(&walk, AT_FDCWD, path);

	if (r == 0)
		*ret_count = walk.count;

	return r;
}

int walk_read(const char *path, struct walk_count *ret_count, struct ovl2_error *err)
{
	/* Too large for a stack, and floors run one at a time. */
	static char buffer[BUFFER_BYTES];
	struct walk walk = { .buffer = buffer, .err = err };
	int r = walk_directory(&walk, AT_FDCWD, path);

	if (r == 0)
		*ret_count = walk.count;

	return r;
}
