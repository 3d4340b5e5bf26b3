#include "scratch.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "quota.h"
#include "sys.h"
#include "tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>

/* A sweep may take what was not yet locked; nobody is that unlucky twice. */
#define MAX_ATTEMPTS 8

#define LETTERS "abcdefghijklmnopqrstuvwxyz012345"

static int fill_name(char *name, size_t size, struct ovl2_error *err)
{
	static const char letters[] = LETTERS;
	unsigned char random[12];
	size_t length;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return ovi_fail_errno(err, "get random bytes");

	snprintf(name, size, "%s", OVI_SCRATCH_PREFIX);
	length = strlen(name);
	for (size_t i = 0; i < sizeof(random) && length + 1 < size; i++)
		name[length++] = letters[random[i] % (sizeof(letters) - 1)];
	name[length] = '\0';

	return 0;
}

/* The path of `dir`, in PATH_MAX bytes; 0, or negative with errno. */
static int path_of(int dir, char *path)
{
	char link[32];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	length = ovi_sys.readlinkat(AT_FDCWD, link, path, PATH_MAX - 1);
	path[length > 0 ? length : 0] = '\0';

	return length < 0 ? -1 : 0;
}

static int fill_path(struct ovi_scratch *scratch, struct ovl2_error *err)
{
	if (path_of(scratch->dir, scratch->path) < 0)
		return ovi_fail_errno(err, "read the path of a scratch directory");
	if (scratch->path[0] != '/')
		return ovi_fail(err, OVL2_E_SYSTEM, "the directory has no path here: '%s'",
		                scratch->path);

	return 0;
}

static int fail_to_make(int parent, int cause, struct ovl2_error *err)
{
	char path[PATH_MAX];
	int r;

	if (path_of(parent, path) < 0)
		strcpy(path, "?");
	errno = cause;
	r = ovi_fail_errno(err, "create a scratch directory in '%s'", path);
	if (cause == EACCES || cause == EPERM)
		ovi_fail_add(err, ": be root, or name a directory of your own");

	return r;
}

/* 1 when `dir` is still the directory called `name`, and locked by us from now on. */
static int take(int parent, const char *name, int dir)
{
	struct stat opened;
	struct stat named;

	return ovi_sys.flock(dir, LOCK_EX | LOCK_NB) == 0 &&
	       ovi_sys.fstatat(dir, "", &opened, AT_EMPTY_PATH) == 0 &&
	       ovi_sys.fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/* 1 when made, 0 when a sweep was faster, negative on failure. */
static int try_create(int parent, struct ovi_scratch *scratch, struct ovl2_error *err)
{
	cleanup_fd int dir = -1;
	int r;

	r = fill_name(scratch->name, sizeof(scratch->name), err);
	if (r < 0)
		return r;
	if (ovi_sys.mkdirat(parent, scratch->name, 0700) < 0)
		return errno == EEXIST ? 0 : fail_to_make(parent, errno, err);

	dir = ovi_sys.openat(parent, scratch->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (dir >= 0 && take(parent, scratch->name, dir)) {
		scratch->dir = steal_fd(&dir);
		return 1;
	}
	if (errno == ENOENT || errno == EWOULDBLOCK)
		return 0;

	r = ovi_fail_errno(err, "open and lock a scratch directory");
	ovi_sys.unlinkat(parent, scratch->name, AT_REMOVEDIR);

	return r;
}

int ovi_scratch_create(int parent, struct ovi_scratch *ret_scratch, struct ovl2_error *err)
{
	cleanup_scratch struct ovi_scratch scratch = OVI_SCRATCH_INIT;
	int r = 0;

	for (int attempt = 0; attempt < MAX_ATTEMPTS && r == 0; attempt++)
		r = try_create(parent, &scratch, err);
	if (r < 0)
		return r;
	if (r == 0)
		return ovi_fail(err, OVL2_E_BUSY, "scratch directories are deleted when made");

	scratch.parent = parent;
	r = fill_path(&scratch, err);
	if (r < 0)
		return r;

	*ret_scratch = scratch;
	scratch.parent = -1;
	scratch.dir = -1;

	return 0;
}

int ovi_scratch_remove(struct ovi_scratch *scratch, struct ovl2_error *err)
{
	int r;

	if (scratch->dir < 0)
		return 0;

	/* Deleted before it is unlocked, so that no sweep gets in between. */
	r = ovi_tree_remove(scratch->parent, scratch->name, err);
	ovi_close_fd(&scratch->dir);
	scratch->dir = -1;

	return r;
}

void ovi_scratch_release(struct ovi_scratch *scratch)
{
	int saved = errno;

	ovi_scratch_remove(scratch, NULL);
	errno = saved;
}

/* 1 when it was a leftover and is gone now. */
static int sweep_one(int parent, const char *name, struct ovl2_error *err)
{
	cleanup_fd int dir = -1;
	uint32_t project;
	struct stat st;
	int r;

	dir = ovi_sys.openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (dir < 0 || ovi_sys.fstatat(dir, "", &st, AT_EMPTY_PATH) < 0)
		return 0;
	if (st.st_uid != geteuid() || !take(parent, name, dir))
		return 0;

	project = ovi_quota_get_project(dir);
	r = ovi_tree_remove(parent, name, err);
	if (r < 0)
		return r;
	/* The limit that a quota was tried with; its id was free and is again. */
	if (project >= OVI_FIRST_PROJECT)
		ovi_quota_set_limits(parent, project, 0, 0, NULL);

	return 1;
}

int ovi_scratch_sweep(int parent, struct ovl2_error *err)
{
	static const char prefix[] = OVI_SCRATCH_PREFIX;
	cleanup_listing struct ovi_listing listing = { 0 };
	int swept = 0;
	int r;

	r = ovi_dir_list(parent, "the target directory", &listing, err);
	for (size_t i = 0; i < listing.count && r >= 0; i++) {
		if (strncmp(listing.names[i].name, prefix, sizeof(prefix) - 1) != 0)
			continue;
		r = sweep_one(parent, listing.names[i].name, err);
		swept += r > 0;
	}

	return r < 0 ? r : swept;
}

void ovi_scratch_hide(char *text)
{
	static const char prefix[] = "/" OVI_SCRATCH_PREFIX;

	while ((text = strstr(text, prefix))) {
		const char *rest = text + strlen(prefix);

		rest += strspn(rest, LETTERS);
		memmove(text, rest, strlen(rest) + 1);
	}
}
