// SPDX-License-Identifier: MIT
#include "tree.h"

#include "test.h"

#include "strbuf.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* Deep enough for every tree of ours, and an end for cycles. */
#define MAX_DEPTH 256

/* FNV-1a, 64 bits: tells content apart, and fits on a line. */
#define FNV_START 0xcbf29ce484222325ULL
#define FNV_FACTOR 0x100000001b3ULL

/* ------------------------------------------------------------------ make -- */

static dev_t parse_device(const char *text)
{
	unsigned int major_number = 0;
	unsigned int minor_number = 0;

	if (text && sscanf(text, "%u:%u", &major_number, &minor_number) != 2)
		fail_msg("'%s' is no device", text);

	return makedev(major_number, minor_number);
}

static void write_content(int root, const char *path, const char *content)
{
	cleanup_fd int fd = openat(root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t length = content ? strlen(content) : 0;

	if (fd < 0)
		fail_msg("create '%s': %s", path, strerror(errno));
	if (length)
		assert_int_equal(write(fd, content, length), length);
}

static void remove_existing(int root, const char *path)
{
	cleanup_free char *whole = test_path("/proc/self/fd/%d/%s", root, path);
	struct stat status;

	if (fstatat(root, path, &status, AT_SYMLINK_NOFOLLOW) == 0)
		test_remove_tree(whole);
}

static int make_node(int root, const struct test_entry *entry)
{
	struct stat status;

	switch (entry->type) {
	case 'd':
		if (fstatat(root, entry->path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(status.st_mode))
			return 0;
		remove_existing(root, entry->path);
		return mkdirat(root, entry->path, 0700);
	case 'f':
		remove_existing(root, entry->path);
		write_content(root, entry->path, entry->content);
		return 0;
	case 'l':
		remove_existing(root, entry->path);
		return symlinkat(entry->content, root, entry->path);
	case 'h':
		remove_existing(root, entry->path);
		return linkat(root, entry->content, root, entry->path, 0);
	case 'p':
		return mknodat(root, entry->path, S_IFIFO | 0600, 0);
	case 's':
		return mknodat(root, entry->path, S_IFSOCK | 0600, 0);
	case 'c':
	case 'b':
		return mknodat(root, entry->path, (entry->type == 'c' ? S_IFCHR : S_IFBLK) | 0600,
		               parse_device(entry->content));
	case '-':
		remove_existing(root, entry->path);
		return 0;
	default:
		errno = EINVAL;
		return -1;
	}
}

static int set_xattr(int root, const struct test_entry *entry)
{
	cleanup_free char *whole = test_path("/proc/self/fd/%d/%s", root, entry->path);
	cleanup_free char *name = test_path("%s", entry->xattr);
	char *value = strchr(name, '=');

	assert_non_null(value);
	*value++ = '\0';

	return lsetxattr(whole, name, value, strlen(value), 0);
}

static int set_time(int root, const struct test_entry *entry)
{
	const struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_sec = entry->mtime },
	};

	return utimensat(root, entry->path, times, AT_SYMLINK_NOFOLLOW);
}

static int set_attributes(int root, const struct test_entry *entry)
{
	mode_t mode = entry->mode ? entry->mode : entry->type == 'd' ? 0755 : 0644;

	if (entry->type == '-' || entry->type == 'h')
		return 0;
	if (fchownat(root, entry->path, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (entry->type != 'l' && fchmodat(root, entry->path, mode, 0) < 0)
		return -1;
	if (entry->xattr && set_xattr(root, entry) < 0)
		return -1;

	return entry->mtime ? set_time(root, entry) : 0;
}

void test_tree_make(int root, const struct test_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (make_node(root, &entries[i]) < 0 || set_attributes(root, &entries[i]) < 0)
			fail_msg("make '%s': %s", entries[i].path, strerror(errno));

	/* Making a child touches its directory. */
	for (size_t i = count; i-- > 0;)
		if (entries[i].type == 'd' && entries[i].mtime)
			assert_sys(set_time(root, &entries[i]));
}

/* -------------------------------------------------------------- describe -- */

/* The first path that each inode with several names was seen at. */
struct seen {
	dev_t device;
	ino_t inode;
	char *path;
};

struct description {
	struct ovi_strbuf text;
	int flags;

	struct seen *seen;
	size_t seen_count;
};

static char type_letter(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return 'd';
	case S_IFREG:
		return 'f';
	case S_IFLNK:
		return 'l';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	case S_IFIFO:
		return 'p';
	default:
		return 's';
	}
}

static uint64_t hash_content(int dir, const char *name)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	uint64_t hash = FNV_START;
	unsigned char buffer[65536];
	ssize_t length;

	if (fd < 0)
		fail_msg("open '%s': %s", name, strerror(errno));
	while ((length = read(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < length; i++)
			hash = (hash ^ buffer[i]) * FNV_FACTOR;
	if (length < 0)
		fail_msg("read '%s': %s", name, strerror(errno));

	return hash;
}

static int is_bookkeeping(const char *name)
{
	const char *const suffixes[] = { ".overlay.origin", ".overlay.impure", ".overlay.nlink",
		                         ".overlay.uuid", ".overlay.upper" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (strstr(name, suffixes[i]))
			return 1;

	/* Of this host's policy rather than of the layer. */
	return !strcmp(name, "security.selinux");
}

static int compare_names(const void *one, const void *other)
{
	return strcmp(*(const char *const *)one, *(const char *const *)other);
}

static void describe_xattr(struct ovi_strbuf *text, const char *path, const char *name)
{
	char value[4096];
	ssize_t length = lgetxattr(path, name, value, sizeof(value));

	if (length < 0)
		fail_msg("read attribute '%s' of '%s': %s", name, path, strerror(errno));
	ovi_strbuf_addf(text, " %s=", name);
	for (ssize_t i = 0; i < length; i++)
		ovi_strbuf_addf(text, value[i] > ' ' && value[i] <= '~' ? "%c" : "\\%03o",
		                (unsigned char)value[i]);
}

static void describe_xattrs(struct ovi_strbuf *text, int dir, const char *entry)
{
	cleanup_free char *path = test_path("/proc/self/fd/%d/%s", dir, entry);
	const char *names[64];
	size_t count = 0;
	char list[4096];
	ssize_t length = llistxattr(path, list, sizeof(list));

	/* Of filesystems without attributes. */
	if (length < 0 && errno == EOPNOTSUPP)
		return;
	if (length < 0)
		fail_msg("list attributes of '%s': %s", entry, strerror(errno));
	for (char *name = list; name < list + length && count < ARRAY_SIZE(names);
	     name += strlen(name) + 1)
		if (!is_bookkeeping(name))
			names[count++] = name;
	qsort(names, count, sizeof(names[0]), compare_names);
	for (size_t i = 0; i < count; i++)
		describe_xattr(text, path, names[i]);
}

static void describe_links(struct description *d, const struct stat *status, const char *path)
{
	if (S_ISDIR(status->st_mode))
		return;
	for (size_t i = 0; i < d->seen_count; i++)
		if (d->seen[i].device == status->st_dev && d->seen[i].inode == status->st_ino) {
			ovi_strbuf_addf(&d->text, " is:%s", d->seen[i].path);
			return;
		}

	d->seen = realloc(d->seen, (d->seen_count + 1) * sizeof(*d->seen));
	assert_non_null(d->seen);
	d->seen[d->seen_count++] = (struct seen){
		.device = status->st_dev,
		.inode = status->st_ino,
		.path = test_path("%s", path),
	};
}

static void describe_details(struct description *d, int dir, const char *name,
                             const struct stat *status)
{
	int no_time = S_ISDIR(status->st_mode) ? TEST_TREE_NO_TIMES | TEST_TREE_NO_DIRECTORY_TIMES
	                                       : TEST_TREE_NO_TIMES;

	ovi_strbuf_addf(&d->text, " %04o %u:%u", status->st_mode & 07777, status->st_uid,
	                status->st_gid);
	if (!(d->flags & no_time))
		ovi_strbuf_addf(&d->text, " %jd.%09ld", (intmax_t)status->st_mtim.tv_sec,
		                status->st_mtim.tv_nsec);
	if (S_ISREG(status->st_mode))
		ovi_strbuf_addf(&d->text, " %jd %016" PRIx64, (intmax_t)status->st_size,
		                hash_content(dir, name));
	if (S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode))
		ovi_strbuf_addf(&d->text, " %u:%u", major(status->st_rdev), minor(status->st_rdev));
	describe_xattrs(&d->text, dir, name);
}

static void describe_entry(struct description *d, int dir, const char *name, const char *path)
{
	struct stat status;

	if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("stat '%s': %s", path, strerror(errno));
	ovi_strbuf_addf(&d->text, "%c", type_letter(status.st_mode));
	if (!(d->flags & TEST_TREE_NAMES))
		describe_details(d, dir, name, &status);
	ovi_strbuf_addf(&d->text, " %s", path);
	if (S_ISLNK(status.st_mode)) {
		char target[4096] = "";

		assert_sys(readlinkat(dir, name, target, sizeof(target) - 1));
		ovi_strbuf_addf(&d->text, " -> %s", target);
	}
	if (d->flags & TEST_TREE_LINKS)
		describe_links(d, &status, path);
	ovi_strbuf_add(&d->text, "\n");
}

static int is_real_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int compare_entries(const struct dirent **one, const struct dirent **other)
{
	return strcmp((*one)->d_name, (*other)->d_name);
}

static void describe_below(struct description *d, int dir, const char *prefix, int depth)
{
	struct dirent **entries;
	int count = scandirat(dir, ".", &entries, is_real_entry, compare_entries);

	if (count < 0 || depth > MAX_DEPTH)
		fail_msg("list '%s': %s", prefix, strerror(errno));
	for (int i = 0; i < count; i++) {
		cleanup_free char *path = test_path("%s%s", prefix, entries[i]->d_name);
		cleanup_free char *below = test_path("%s/", path);
		cleanup_fd int child = -1;

		describe_entry(d, dir, entries[i]->d_name, path);
		child = openat(dir, entries[i]->d_name,
		               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0)
			describe_below(d, child, below, depth + 1);
		free(entries[i]);
	}
	free(entries);
}

char *test_tree_describe(int root, int flags)
{
	struct description d = { .flags = flags };

	ovi_strbuf_add(&d.text, "");
	if (flags & TEST_TREE_ROOT)
		describe_entry(&d, root, ".", ".");
	describe_below(&d, root, "", 0);

	for (size_t i = 0; i < d.seen_count; i++)
		free(d.seen[i].path);
	free(d.seen);

	return ovi_strbuf_steal(&d.text);
}

char *test_tree_describe_at(const char *path, int flags)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("open '%s': %s", path, strerror(errno));

	return test_tree_describe(fd, flags);
}

/* --------------------------------------------------------------- compare -- */

static int has_line(const char *text, const char *line, size_t length)
{
	while (*text) {
		const char *end = strchr(text, '\n');
		size_t this_length = end ? (size_t)(end - text) : strlen(text);

		if (this_length == length && !memcmp(text, line, length))
			return 1;
		text += this_length + (end != NULL);
	}

	return 0;
}

static size_t print_missing(const char *from, const char *in, char sign)
{
	size_t count = 0;

	while (*from) {
		const char *end = strchr(from, '\n');
		size_t length = end ? (size_t)(end - from) : strlen(from);

		if (!has_line(in, from, length)) {
			print_error("  %c %.*s\n", sign, (int)length, from);
			count++;
		}
		from += length + (end != NULL);
	}

	return count;
}

void test_text_assert_same(const char *one, const char *other, const char *what)
{
	if (!strcmp(one, other))
		return;
	print_error("%s:\n", what);
	if (print_missing(one, other, '-') + print_missing(other, one, '+') == 0)
		print_error("same lines, but not as often or in another order:\n%s--\n%s", one,
		            other);
	fail_msg("%s differ", what);
}

/* ----------------------------------------------------------------- files -- */

char *test_file_read(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct ovi_strbuf text = { 0 };
	char buffer[4096];
	ssize_t length;

	if (fd < 0)
		fail_msg("open '%s': %s", path, strerror(errno));
	ovi_strbuf_add(&text, "");
	while ((length = read(fd, buffer, sizeof(buffer))) > 0)
		ovi_strbuf_add_bytes(&text, buffer, (size_t)length);
	if (length < 0)
		fail_msg("read '%s': %s", path, strerror(errno));

	return ovi_strbuf_steal(&text);
}

void test_file_write(const char *path, const char *content)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		fail_msg("create '%s': %s", path, strerror(errno));
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
}
