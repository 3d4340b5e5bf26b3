#include "seed.h"

#include "cleanup.h"
#include "fail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define PARENT "parent"

/* "l/", a name of 26 characters, and a colon or the end. */
#define LINK_SIZE 29
#define LINK_LENGTH 26

/* 128 lowers, and a byte that says that there are no more. */
#define MAX_TEXT ((size_t)128 * LINK_SIZE + 1)

/* ioutil.WriteFile. */
static int write_file(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	size_t length = strlen(text);

	return fd >= 0 && write(fd, text, length) == (ssize_t)length ? 0 : -1;
}

/* ioutil.ReadFile, which looks for the end. */
static int read_file(const char *path, char text[MAX_TEXT])
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = 0;
	struct stat st;
	ssize_t got;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	while ((got = read(fd, text + length, MAX_TEXT - 1 - (size_t)length)) > 0)
		length += got;
	text[length] = '\0';

	return got < 0 ? -1 : 0;
}

/* idtools.MkdirAs. */
static int make_directory(const char *home, const char *id, const char *name, mode_t mode)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s/%s", home, id, name);

	return mkdir(path, mode) < 0 || chown(path, 0, 0) < 0 ? -1 : 0;
}

/* generateID. */
static int name_link(char ret_link[LINK_LENGTH + 1])
{
	unsigned char random[LINK_LENGTH];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -1;
	for (size_t i = 0; i < LINK_LENGTH; i++)
		ret_link[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[random[i] & 31];
	ret_link[LINK_LENGTH] = '\0';

	return 0;
}

static int make_link(const char *home, const char *id)
{
	char link[LINK_LENGTH + 1];
	char target[PATH_MAX];
	char path[PATH_MAX];

	if (name_link(link) < 0)
		return -1;
	(void)snprintf(target, sizeof(target), "../%s/diff", id);
	(void)snprintf(path, sizeof(path), "%s/l/%s", home, link);
	if (symlink(target, path) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/%s/link", home, id);

	return write_file(path, link);
}

/* getLower, and what is made of it. */
static int make_lower(const char *home, const char *id)
{
	char link[MAX_TEXT];
	char below[MAX_TEXT];
	char text[2 * MAX_TEXT + sizeof("l/:")];
	char path[PATH_MAX];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/" PARENT, home);
	if (lstat(path, &st) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/" PARENT "/link", home);
	if (read_file(path, link) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/" PARENT "/lower", home);
	if (read_file(path, below) < 0) {
		if (errno != ENOENT)
			return -1;
		*below = '\0';
	}
	(void)snprintf(text, sizeof(text), "l/%s%s%s", link, *below ? ":" : "", below);
	(void)snprintf(path, sizeof(path), "%s/%s/lower", home, id);

	return write_file(path, text);
}

int seed_create(const char *home, const char *id, struct ovl2_error *err)
{
	struct stat st;

	if (stat(home, &st) < 0 || chown(home, 0, 0) < 0 ||
	    make_directory(home, id, "", 0700) < 0 || make_directory(home, id, "diff", 0755) < 0 ||
	    make_link(home, id) < 0 || make_directory(home, id, "work", 0700) < 0 ||
	    make_directory(home, id, "merged", 0700) < 0 || make_lower(home, id) < 0)
		return ovi_fail_errno(err, "create a layer in '%s' as Docker does", home);

	return 0;
}

/* os.Remove: a file's call first, whatever it is. */
static int remove_one(const char *path)
{
	return unlink(path) == 0 || (errno == EISDIR && rmdir(path) == 0) ? 0 : -1;
}

/* os.RemoveAll of a layer that nothing was written to. */
static int remove_layer(const char *path)
{
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	struct stat st;

	if (remove_one(path) == 0)
		return 0;
	if (lstat(path, &st) < 0 || !(dir = opendir(path)))
		return -1;
	while ((entry = readdir(dir))) {
		char inner[PATH_MAX + sizeof(entry->d_name)];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		if (remove_one(inner) < 0)
			return -1;
	}

	return remove_one(path);
}

int seed_remove(const char *home, const char *id, struct ovl2_error *err)
{
	char link[MAX_TEXT];
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s/link", home, id);
	if (read_file(path, link) < 0)
		return ovi_fail_errno(err, "read '%s'", path);
	(void)snprintf(path, sizeof(path), "%s/l/%s", home, link);
	if (remove_one(path) < 0)
		return ovi_fail_errno(err, "remove '%s'", path);
	(void)snprintf(path, sizeof(path), "%s/%s", home, id);

	return remove_layer(path) < 0 ? ovi_fail_errno(err, "remove '%s'", path) : 0;
}

int seed_open(const char *home, const char *lower, struct ovl2_error *err)
{
	char path[PATH_MAX];
	char link[LINK_SIZE];

	if (strlen(lower) < LINK_SIZE - 1 || strlen(lower) >= MAX_TEXT)
		return ovi_fail(err, OVL2_E_SYSTEM, "no layer of Docker's has the lowers '%.99s'",
		                lower);
	(void)snprintf(path, sizeof(path), "%s/l", home);
	if (mkdir(home, 0700) < 0 || mkdir(path, 0700) < 0 ||
	    make_directory(home, PARENT, "", 0700) < 0)
		return ovi_fail_errno(err, "create '%s'", path);

	(void)snprintf(path, sizeof(path), "%s/" PARENT "/link", home);
	(void)snprintf(link, sizeof(link), "%.*s", LINK_LENGTH, lower + 2);
	if (write_file(path, link) < 0)
		return ovi_fail_errno(err, "write '%s'", path);
	lower += LINK_SIZE - 1;
	(void)snprintf(path, sizeof(path), "%s/" PARENT "/lower", home);
	if (*lower && write_file(path, lower + 1) < 0)
		return ovi_fail_errno(err, "write '%s'", path);

	return 0;
}
