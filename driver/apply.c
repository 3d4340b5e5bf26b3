/*
 * A tar into a layer: Docker's ApplyDiff. The tar is hostile until shown otherwise.
 *
 * libarchive says what an entry is; where it lands is decided here. Everything goes
 * into a stage, whose root no name can leave: the kernel resolves the directory of
 * each entry inside it (openat2 with RESOLVE_IN_ROOT, links in the layer followed as
 * if the layer were the root), and the last component is never followed.
 */

#include <ovl2.h>

#include "changes.h"
#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "file.h"
#include "hold.h"
#include "layer.h"
#include "quota.h"
#include "strbuf.h"
#include "sys.h"
#include "tree.h"
#include "utf8.h"
#include "view.h"
#include "whiteout.h"
#include "xattr.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

#define BLOCK_BYTES (256 * 1024)

/* A directory's time is set when nothing more will be put into it. */
struct directory_time {
	char *path;
	ino_t inode;
	struct timespec mtime;
};

struct reader {
	struct ovl2_store *store;
	struct archive *tar;

	/* The root of what is being made, and of what lies below it (-1: nothing). */
	int root;
	int below;

	/* The directory of the last entry: most are in the same as the one before. */
	int parent;
	struct ovi_strbuf parent_path;

	/* Something was replaced: the same path may lead elsewhere now. */
	int parent_is_stale;

	struct directory_time *times;
	size_t time_count;
	size_t time_room;
	uint64_t dropped_xattrs;

	int input;
	int input_errno;
	char *buffer;
	struct ovl2_error *err;
};

/* One entry, its name taken apart. */
struct target {
	const char *path; /* normalised, no leading slash, "" for the root */
	int dir;          /* of its directory; borrowed from the reader */
	const char *name; /* its last component */
	struct archive_entry *entry;
};

static int fail_entry(struct reader *reader, const struct target *target, const char *problem)
{
	return ovi_fail(reader->err, OVL2_E_CORRUPT, "tar entry '%s': %s", target->path, problem);
}

/* -------------------------------------------------------------------- names -- */

/*
 * Takes "/", "./" and doubled slashes out of a name. Fails on "..", which as text
 * and as the kernel reads it can mean two things, and on what is too long.
 */
static int normalise(struct reader *reader, const char *name, struct ovi_strbuf *path)
{
	struct target whole = { .path = name };

	ovi_strbuf_cut(path, 0);
	ovi_strbuf_add(path, "");
	while (*name) {
		size_t length = strcspn(name, "/");

		if (length == 2 && strncmp(name, "..", 2) == 0)
			return fail_entry(reader, &whole, "a name with '..' in it is not safe");
		if (length > NAME_MAX + strlen(OVI_WHITEOUT_PREFIX))
			return fail_entry(reader, &whole, "a component of its name is too long");
		if (length > 0 && !(length == 1 && *name == '.')) {
			if (path->length)
				ovi_strbuf_add(path, "/");
			ovi_strbuf_add_bytes(path, name, length);
		}
		name += length + (name[length] == '/');
	}
	if (path->failed)
		return ovi_fail_memory(reader->err);
	if (path->length >= PATH_MAX)
		return fail_entry(reader, &whole, "its name is too long");

	return 0;
}

/* ------------------------------------------------------------ parent directories -- */

/* Opens a directory inside the root, links in the layer followed. errno on failure. */
static int open_inside(const struct reader *reader, const char *path)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	int fd;

	/* EAGAIN: a rename elsewhere on the system; the kernel cannot be sure. */
	do {
		fd = ovi_sys.openat2(reader->root, *path ? path : ".", &how);
	} while (fd < 0 && (errno == EAGAIN || errno == EINTR));

	return fd;
}

static int set_opaque(struct reader *reader, int dir, const char *name)
{
	struct ovi_xattr_path path = ovi_xattr_path(dir, name);

	if (ovi_sys.lsetxattr(path.text, OVI_OPAQUE_XATTR, "y", 1, 0) < 0)
		return ovi_fail_errno(reader->err, "mark '%s' as opaque", name);

	return 0;
}

/*
 * A directory that the tar takes for granted. It looks as the one that it will be
 * merged with, where there is one.
 */
static int make_implied(struct reader *reader, int dir, const char *path, const char *name)
{
	struct stat st = { .st_mode = 0755 };
	cleanup_fd int made = -1;
	int r;

	if (reader->below >= 0 &&
	    (ovi_sys.fstatat(reader->below, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	     !S_ISDIR(st.st_mode)))
		st = (struct stat){ .st_mode = 0755 };

	if (ovi_sys.mkdirat(dir, name, 0700) < 0)
		return ovi_fail_errno(reader->err, "create '%s'", path);
	r = ovi_dir_open(dir, name, &made, reader->err);
	if (r < 0)
		return r;
	if (ovi_sys.fchownat(made, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0 ||
	    ovi_sys.fchmod(made, st.st_mode & 07777) < 0)
		return ovi_fail_errno(reader->err, "set owner and mode of '%s'", path);

	return 0;
}

/* `dir`/`name` is not a directory yet. What is there may only be a whiteout. */
static int make_component(struct reader *reader, int dir, const char *path, const char *name)
{
	struct target target = { .path = path };
	struct stat st;
	int was_whiteout = 0;
	int r;

	if (ovi_sys.fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		was_whiteout = ovi_is_whiteout(&st);
		if (!was_whiteout)
			return fail_entry(reader, &target,
			                  "something is to be put into it and it is not a "
			                  "directory");
		if (ovi_sys.unlinkat(dir, name, 0) < 0)
			return ovi_fail_errno(reader->err, "replace whiteout '%s'", path);
	} else if (errno != ENOENT) {
		return ovi_fail_errno(reader->err, "look at '%s'", path);
	}

	r = make_implied(reader, dir, path, name);
	if (r == 0 && was_whiteout)
		r = set_opaque(reader, dir, name);

	return r;
}

/* Makes what is missing of directory `path`, component by component. */
static int make_parents(struct reader *reader, const char *path)
{
	cleanup_strbuf struct ovi_strbuf done = { 0 };
	const char *at = path;

	while (*at) {
		size_t length = strcspn(at, "/");
		cleanup_fd int above = -1;
		cleanup_fd int self = -1;
		cleanup_free char *name = NULL;
		int r;

		above = open_inside(reader, done.text ? done.text : "");
		if (above < 0)
			return ovi_fail_errno(reader->err, "open '%s'", done.text);
		if (done.length)
			ovi_strbuf_add(&done, "/");
		ovi_strbuf_add_bytes(&done, at, length);
		name = strndup(at, length);
		if (done.failed || !name)
			return ovi_fail_memory(reader->err);

		self = open_inside(reader, done.text);
		if (self < 0 && errno != ENOENT && errno != ENOTDIR)
			return ovi_fail_errno(reader->err, "open '%s'", done.text);
		if (self < 0) {
			r = make_component(reader, above, done.text, name);
			if (r < 0)
				return r;
		}
		at += length + (at[length] == '/');
	}

	return 0;
}

/* Opens the directory an entry goes into, and keeps it for the next one. */
static int open_parent(struct reader *reader, const char *path, size_t length)
{
	int r;

	if (reader->parent >= 0 && !reader->parent_is_stale &&
	    reader->parent_path.length == length &&
	    memcmp(reader->parent_path.text, path, length) == 0)
		return 0;

	if (reader->parent >= 0)
		close(reader->parent);
	reader->parent = -1;
	reader->parent_is_stale = 0;
	ovi_strbuf_cut(&reader->parent_path, 0);
	ovi_strbuf_add_bytes(&reader->parent_path, path, length);
	if (reader->parent_path.failed)
		return ovi_fail_memory(reader->err);

	path = reader->parent_path.text;
	reader->parent = open_inside(reader, path);
	if (reader->parent < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		r = make_parents(reader, path);
		if (r < 0)
			return r;
		reader->parent = open_inside(reader, path);
	}
	if (reader->parent < 0 && (errno == ELOOP || errno == EXDEV))
		return ovi_fail(reader->err, OVL2_E_CORRUPT,
		                "tar entry '%s': its directory leads through links in a circle",
		                path);
	if (reader->parent < 0)
		return ovi_fail_errno(reader->err, "open '%s'", path);

	return 0;
}

static int locate(struct reader *reader, const char *path, struct target *ret_target)
{
	const char *slash = strrchr(path, '/');
	int r;

	r = open_parent(reader, path, slash ? (size_t)(slash - path) : 0);
	if (r < 0)
		return r;
	ret_target->path = path;
	ret_target->dir = reader->parent;
	ret_target->name = slash ? slash + 1 : path;

	return 0;
}

/* --------------------------------------------------------------- attributes -- */

static int set_xattrs(struct reader *reader, const struct target *target)
{
	struct archive_entry *entry = target->entry;
	struct ovi_xattr_path path;
	const char *key;
	const void *value;
	size_t length;

	if (archive_entry_xattr_reset(entry) == 0)
		return 0;

	path = ovi_xattr_path(target->dir, target->name);
	while (archive_entry_xattr_next(entry, &key, &value, &length) == ARCHIVE_OK) {
		if (ovi_xattr_is_overlay(key))
			return fail_entry(
				reader, target,
				"it carries an attribute of overlayfs itself, which would "
				"change what other layers show");
		if (!ovi_xattr_is_content(key)) {
			reader->dropped_xattrs++;
			continue;
		}
		if (ovi_sys.lsetxattr(path.text, key, value, length, 0) < 0) {
			if (errno != EOPNOTSUPP)
				return ovi_fail_errno(reader->err, "set attribute '%s' of '%s'",
				                      key, target->path);
			reader->dropped_xattrs++;
		}
	}

	return 0;
}

static int check_owner(struct reader *reader, const struct target *target)
{
	la_int64_t uid = archive_entry_uid(target->entry);
	la_int64_t gid = archive_entry_gid(target->entry);

	/* 2^32-1 means "leave as it is" to chown(2). */
	if (uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX)
		return fail_entry(reader, target, "its owner is not a uid or gid of Linux");

	return 0;
}

/* Owner before mode, since chown clears set-id bits, and before capabilities. */
static int set_attributes(struct reader *reader, const struct target *target)
{
	struct archive_entry *entry = target->entry;
	const struct timespec times[2] = {
		{ archive_entry_mtime(entry), archive_entry_mtime_nsec(entry) },
		{ archive_entry_mtime(entry), archive_entry_mtime_nsec(entry) },
	};
	int is_link = archive_entry_filetype(entry) == AE_IFLNK;
	int r;

	if (ovi_sys.fchownat(target->dir, target->name, (uid_t)archive_entry_uid(entry),
	                     (gid_t)archive_entry_gid(entry), AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(reader->err, "set owner of '%s'", target->path);
	if (!is_link &&
	    ovi_sys.fchmodat(target->dir, target->name, archive_entry_mode(entry) & 07777) < 0)
		return ovi_fail_errno(reader->err, "set mode of '%s'", target->path);
	r = is_link ? 0 : set_xattrs(reader, target);
	if (r < 0)
		return r;
	if (ovi_sys.utimensat(target->dir, target->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(reader->err, "set time of '%s'", target->path);

	return 0;
}

static int remember_time(struct reader *reader, const struct target *target)
{
	struct directory_time *time;
	struct stat st;

	if (ovi_sys.fstatat(target->dir, target->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(reader->err, "look at '%s'", target->path);
	if (reader->time_count == reader->time_room) {
		size_t room = reader->time_room ? 2 * reader->time_room : 64;
		struct directory_time *times = reallocarray(reader->times, room, sizeof(*times));

		if (!times)
			return ovi_fail_memory(reader->err);
		reader->times = times;
		reader->time_room = room;
	}

	time = &reader->times[reader->time_count];
	time->path = strdup(target->path);
	if (!time->path)
		return ovi_fail_memory(reader->err);
	time->inode = st.st_ino;
	time->mtime.tv_sec = archive_entry_mtime(target->entry);
	time->mtime.tv_nsec = archive_entry_mtime_nsec(target->entry);
	reader->time_count++;

	return 0;
}

/* Of directories that are still there and still the same: others were replaced. */
static int set_directory_times(struct reader *reader)
{
	for (size_t i = 0; i < reader->time_count; i++) {
		const struct directory_time *time = &reader->times[i];
		const struct timespec times[2] = { time->mtime, time->mtime };
		cleanup_fd int dir = open_inside(reader, time->path);
		struct stat st;

		if (dir < 0 || ovi_sys.fstatat(dir, "", &st, AT_EMPTY_PATH) < 0 ||
		    st.st_ino != time->inode)
			continue;
		if (ovi_sys.utimensat(dir, ".", times, 0) < 0)
			return ovi_fail_errno(reader->err, "set time of '%s'", time->path);
	}

	return 0;
}

/* ------------------------------------------------------------------- content -- */

static la_ssize_t read_block(struct archive *tar, void *data, const void **ret_bytes)
{
	struct reader *reader = data;
	ssize_t length;

	do {
		length = ovi_sys.read(reader->input, reader->buffer, BLOCK_BYTES);
	} while (length < 0 && errno == EINTR);
	if (length < 0) {
		reader->input_errno = errno;
		archive_set_error(tar, errno, "read");
		return -1;
	}
	*ret_bytes = reader->buffer;

	return length;
}

/* What went wrong in libarchive: our read, or what it read. */
static int fail_tar(struct reader *reader, const char *path)
{
	const char *reason = archive_error_string(reader->tar);

	if (reader->input_errno) {
		errno = reader->input_errno;
		return ovi_fail_errno(reader->err, "read the tar");
	}

	return ovi_fail(reader->err, OVL2_E_CORRUPT, "the tar is damaged%s%s%s: %s",
	                *path ? " at '" : "", path, *path ? "'" : "",
	                reason ? reason : "unknown reason");
}

static int write_content(struct reader *reader, int fd, const struct target *target)
{
	la_int64_t size = archive_entry_size(target->entry);
	la_int64_t at = 0;

	for (;;) {
		const void *bytes;
		la_int64_t offset;
		size_t length;
		int r;

		r = archive_read_data_block(reader->tar, &bytes, &length, &offset);
		if (r == ARCHIVE_EOF)
			break;
		if (r < ARCHIVE_WARN)
			return fail_tar(reader, target->path);
		if (offset != at && lseek(fd, offset, SEEK_SET) < 0)
			return ovi_fail_errno(reader->err, "write '%s'", target->path);
		r = ovi_write_all(fd, bytes, length, target->path, reader->err);
		if (r < 0)
			return r;
		at = offset + (la_int64_t)length;
	}

	/* The file ends in a hole. */
	if (at < size && ovi_sys.ftruncate(fd, size) < 0)
		return ovi_fail_errno(reader->err, "write '%s'", target->path);

	return 0;
}

/* Takes away what this tar put there before: the last entry of a name counts. */
static int clear_place(struct reader *reader, const struct target *target)
{
	int r;

	if (ovi_sys.unlinkat(target->dir, target->name, 0) < 0) {
		if (errno == ENOENT)
			return 0;
		if (errno != EISDIR)
			return ovi_fail_errno(reader->err, "replace '%s'", target->path);
		r = ovi_tree_remove(target->dir, target->name, reader->err);
		if (r < 0)
			return r;
	}
	reader->parent_is_stale = 1;

	return 0;
}

static int make_file(struct reader *reader, const struct target *target)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
	cleanup_fd int fd = -1;
	int r;

	/* Nearly always the place is free: one call then. */
	fd = ovi_sys.openat(target->dir, target->name, flags, 0600);
	if (fd < 0 && errno == EEXIST) {
		r = clear_place(reader, target);
		if (r < 0)
			return r;
		fd = ovi_sys.openat(target->dir, target->name, flags, 0600);
	}
	if (fd < 0)
		return ovi_fail_errno(reader->err, "create '%s'", target->path);

	return write_content(reader, fd, target);
}

static int make_symlink(struct reader *reader, const struct target *target)
{
	const char *text = archive_entry_symlink(target->entry);

	if (!text || !*text || strlen(text) >= PATH_MAX)
		return fail_entry(reader, target, "the target of the link is empty or too long");
	if (ovi_sys.symlinkat(text, target->dir, target->name) < 0)
		return ovi_fail_errno(reader->err, "create link '%s'", target->path);

	return 0;
}

static int make_node(struct reader *reader, const struct target *target)
{
	mode_t type = archive_entry_filetype(target->entry);
	dev_t device = 0;

	if (type == AE_IFCHR || type == AE_IFBLK) {
		device = archive_entry_rdev(target->entry);
		/* What the kernel's dev_t holds: 12 and 20 bits. */
		if (major(device) >= 1U << 12 || minor(device) >= 1U << 20)
			return fail_entry(reader, target, "its device number is out of range");
	}
	if (type == AE_IFCHR && device == 0)
		return fail_entry(reader, target,
		                  "a character device 0:0 is overlayfs's own whiteout: a tar says "
		                  "'.wh.NAME'");
	if (ovi_sys.mknodat(target->dir, target->name, type | 0600, device) < 0)
		return ovi_fail_errno(reader->err, "create node '%s'", target->path);

	return 0;
}

static int make_hardlink(struct reader *reader, const struct target *target)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	cleanup_free char *parent = NULL;
	cleanup_fd int dir = -1;
	const char *slash;
	const char *name;
	struct stat st;
	int r;

	r = normalise(reader, archive_entry_hardlink(target->entry), &path);
	if (r < 0)
		return r;
	slash = strrchr(path.text, '/');
	name = slash ? slash + 1 : path.text;
	parent = strndup(path.text, slash ? (size_t)(slash - path.text) : 0);
	if (!parent)
		return ovi_fail_memory(reader->err);

	dir = open_inside(reader, parent);
	if (!*name || dir < 0 || ovi_sys.fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_entry(reader, target, "it is a hard link to a file that is not there");
	if (S_ISDIR(st.st_mode) || ovi_is_whiteout(&st))
		return fail_entry(reader, target, "it is a hard link to a directory or whiteout");
	if (ovi_sys.linkat(dir, name, target->dir, target->name, 0) < 0)
		return ovi_fail_errno(reader->err, "create hard link '%s'", target->path);

	return 0;
}

/* ------------------------------------------------------------------- entries -- */

/* A directory over a directory only changes what the directory looks like. */
static int put_directory(struct reader *reader, const struct target *target)
{
	struct stat st;
	int was_whiteout = 0;
	int r = 0;

	if (ovi_sys.fstatat(target->dir, target->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return ovi_fail_errno(reader->err, "look at '%s'", target->path);
		st.st_mode = 0;
	}
	if (st.st_mode && !S_ISDIR(st.st_mode)) {
		was_whiteout = ovi_is_whiteout(&st);
		r = clear_place(reader, target);
	}
	if (r < 0)
		return r;
	if (!S_ISDIR(st.st_mode) && ovi_sys.mkdirat(target->dir, target->name, 0700) < 0)
		return ovi_fail_errno(reader->err, "create '%s'", target->path);

	/* Deleted and made anew: nothing of the old one may show. */
	if (was_whiteout)
		r = set_opaque(reader, target->dir, target->name);
	if (r == 0)
		r = set_attributes(reader, target);
	if (r == 0)
		r = remember_time(reader, target);

	return r;
}

static int put_other(struct reader *reader, const struct target *target)
{
	int r;

	/* A link to itself would lose what is there. */
	if (archive_entry_hardlink(target->entry)) {
		cleanup_strbuf struct ovi_strbuf path = { 0 };

		r = normalise(reader, archive_entry_hardlink(target->entry), &path);
		if (r < 0)
			return r;
		if (strcmp(path.text, target->path) == 0)
			return fail_entry(reader, target, "it is a hard link to itself");
	}

	if (archive_entry_filetype(target->entry) == AE_IFREG &&
	    !archive_entry_hardlink(target->entry)) {
		r = make_file(reader, target);
		return r < 0 ? r : set_attributes(reader, target);
	}

	r = clear_place(reader, target);
	if (r < 0)
		return r;
	/* Its attributes are those of the file linked to. */
	if (archive_entry_hardlink(target->entry))
		return make_hardlink(reader, target);

	switch (archive_entry_filetype(target->entry)) {
	case AE_IFLNK:
		r = make_symlink(reader, target);
		break;
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFIFO:
		r = make_node(reader, target);
		break;
	default:
		r = fail_entry(reader, target, "it is of a type that a layer cannot hold");
	}

	return r < 0 ? r : set_attributes(reader, target);
}

/* Only what other layers have can be deleted, so what this tar puts there stays. */
static int put_whiteout(struct reader *reader, const struct target *target, const char *name)
{
	struct stat st;

	if (ovi_sys.fstatat(target->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode) ? set_opaque(reader, target->dir, name) : 0;
	if (errno != ENOENT)
		return ovi_fail_errno(reader->err, "look at '%s'", target->path);
	if (ovi_sys.mknodat(target->dir, name, S_IFCHR, 0) < 0)
		return ovi_fail_errno(reader->err, "create whiteout for '%s'", target->path);

	return 0;
}

static int put_root(struct reader *reader, struct archive_entry *entry)
{
	struct target root = { "./", reader->root, ".", entry };
	int r;

	if (archive_entry_filetype(entry) != AE_IFDIR)
		return fail_entry(reader, &root, "the root of a layer can only be a directory");

	r = set_attributes(reader, &root);
	root.path = "";

	return r < 0 ? r : remember_time(reader, &root);
}

static int put_entry(struct reader *reader, struct archive_entry *entry, struct ovi_strbuf *path)
{
	struct target target = { .entry = entry };
	const char *name = archive_entry_pathname(entry);
	const char *deleted = NULL;
	int r;

	if (!name)
		return ovi_fail(reader->err, OVL2_E_CORRUPT, "a tar entry has no name");
	r = normalise(reader, name, path);
	target.path = path->text;
	if (r == 0)
		r = check_owner(reader, &target);
	if (r < 0)
		return r;
	if (!path->length)
		return put_root(reader, entry);
	r = locate(reader, path->text, &target);
	if (r < 0)
		return r;

	switch (ovi_entry_classify(target.name, &deleted)) {
	case OVI_ENTRY_OPAQUE:
		return set_opaque(reader, target.dir, ".");
	case OVI_ENTRY_WHITEOUT:
		return put_whiteout(reader, &target, deleted);
	case OVI_ENTRY_RESERVED:
		return 0;
	case OVI_ENTRY_INVALID:
		return fail_entry(reader, &target, "it is not the name of a whiteout");
	default:
		break;
	}

	return archive_entry_filetype(entry) == AE_IFDIR && !archive_entry_hardlink(entry)
	               ? put_directory(reader, &target)
	               : put_other(reader, &target);
}

/* --------------------------------------------------------------------- the tar -- */

static int open_tar(struct reader *reader)
{
	struct archive *tar = archive_read_new();

	reader->tar = tar;
	reader->buffer = malloc(BLOCK_BYTES);
	if (!tar || !reader->buffer)
		return ovi_fail_memory(reader->err);

	/*
	 * By name, never "all": other formats read files of the host, other filters run
	 * programs. "empty" is a layer without a change.
	 */
	if (archive_read_support_format_tar(tar) != ARCHIVE_OK ||
	    archive_read_support_format_empty(tar) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(tar) != ARCHIVE_OK ||
	    archive_read_support_filter_bzip2(tar) != ARCHIVE_OK ||
	    archive_read_support_filter_xz(tar) != ARCHIVE_OK ||
	    archive_read_support_filter_lz4(tar) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(tar) != ARCHIVE_OK)
		return ovi_fail(
			reader->err, OVL2_E_UNSUPPORTED,
			"this libarchive cannot read tar and its compressions by itself: %s",
			archive_error_string(tar));
	if (archive_read_open(tar, reader, NULL, read_block, NULL) < ARCHIVE_WARN)
		return fail_tar(reader, "");

	return 0;
}

/* Whoever writes into a pipe has padding left to write: let it finish in peace. */
static void drain_pipe(const struct reader *reader)
{
	struct stat st;

	if (ovi_sys.fstatat(reader->input, "", &st, AT_EMPTY_PATH) < 0 || !S_ISFIFO(st.st_mode))
		return;
	while (ovi_sys.read(reader->input, reader->buffer, BLOCK_BYTES) > 0)
		;
}

static int extract(struct reader *reader)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	struct archive_entry *entry;
	int r;

	r = open_tar(reader);
	if (r < 0)
		return r;

	for (;;) {
		r = archive_read_next_header(reader->tar, &entry);
		if (r == ARCHIVE_EOF)
			break;
		if (r < ARCHIVE_WARN)
			return fail_tar(reader, path.text ? path.text : "");
		r = put_entry(reader, entry, &path);
		if (r < 0)
			return r;
	}

	drain_pipe(reader);
	if (reader->dropped_xattrs)
		ovi_store_log(reader->store, OVL2_LOG_WARNING,
		              "dropped %llu attributes that belong to another host or that this "
		              "filesystem cannot hold",
		              (unsigned long long)reader->dropped_xattrs);

	return set_directory_times(reader);
}

static void release_reader(struct reader *reader)
{
	archive_read_free(reader->tar);
	free(reader->buffer);
	for (size_t i = 0; i < reader->time_count; i++)
		free(reader->times[i].path);
	free(reader->times);
	ovi_strbuf_release(&reader->parent_path);
	if (reader->parent >= 0)
		close(reader->parent);
	if (reader->below >= 0)
		close(reader->below);
	if (reader->root >= 0)
		close(reader->root);
}

/* -------------------------------------------------------------------- the layer -- */

static int check_ready(struct ovi_layer *layer, struct ovl2_error *err)
{
	cleanup_fd int diff = -1;
	struct ovi_hold hold;
	int r;

	r = ovi_hold_read(layer, &hold, err);
	if (r < 0)
		return r;
	if (hold.count)
		return ovi_fail(err, OVL2_E_BUSY, "it is mounted: unmount it first");

	r = ovi_dir_open(layer->dir, "diff", &diff, err);
	if (r == 0)
		r = ovi_dir_is_empty(diff, "diff", err);
	if (r == 0)
		return ovi_fail(err, OVL2_E_EXISTS, "it has content already");

	return r < 0 ? r : 0;
}

/* The new root looks as the old one until the tar says otherwise. */
static int make_root(const struct ovi_layer *layer, int stage, int *ret_root,
                     struct ovl2_error *err)
{
	struct stat st;
	int r;

	if (ovi_sys.fstatat(layer->dir, "diff", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(err, "look at its diff directory");
	if (ovi_sys.mkdirat(stage, "diff", 0700) < 0)
		return ovi_fail_errno(err, "create a stage for it");
	r = ovi_dir_open(stage, "diff", ret_root, err);
	if (r < 0)
		return r;
	if (ovi_sys.fchownat(*ret_root, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0 ||
	    ovi_sys.fchmod(*ret_root, st.st_mode & 07777) < 0)
		return ovi_fail_errno(err, "set owner and mode of its root");

	return 0;
}

static int prepare(struct ovl2_store *store, const char *id, struct ovi_stage *stage,
                   struct reader *reader)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	cleanup_fd int lock = -1;
	int r;

	r = ovi_store_lock(store, LOCK_SH, &lock, reader->err);
	if (r == 0)
		r = ovi_layer_open_locked(store, id, &layer, reader->err);
	if (r == 0)
		r = check_ready(&layer, reader->err);
	if (r == 0)
		r = ovi_stage_create(store, stage, reader->err);
	if (r == 0 && layer.record.project_id)
		r = ovi_quota_set_project(stage->dir, layer.record.project_id, reader->err);
	if (r == 0)
		r = make_root(&layer, stage->dir, &reader->root, reader->err);
	if (r == 0 && layer.chain.count)
		r = ovi_view_open(store, layer.record.parent, &reader->below, reader->err);

	return r;
}

/*
 * The stage's diff and the layer's change places in one step. An image layer is
 * complete by that; should the record not take it, they change back.
 */
static int publish(struct ovl2_store *store, const char *id, const struct ovi_stage *stage,
                   struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	cleanup_fd int lock = -1;
	int r;

	r = ovi_store_lock(store, LOCK_SH, &lock, err);
	if (r == 0)
		r = ovi_layer_open_locked(store, id, &layer, err);
	if (r == 0)
		r = check_ready(&layer, err);
	if (r < 0)
		return r;

	if (ovi_sys.renameat2(stage->dir, "diff", layer.dir, "diff", RENAME_EXCHANGE) < 0)
		return ovi_fail_errno(err, "publish its content");
	if (!layer.record.is_read_write)
		r = ovi_layer_commit(&layer, err);
	if (r == 0 && ovi_store_is_durable(store) && ovi_sys.fsync(layer.dir) < 0)
		r = ovi_fail_errno(err, "flush its directory");
	if (r < 0)
		ovi_sys.renameat2(stage->dir, "diff", layer.dir, "diff", RENAME_EXCHANGE);

	return r;
}

int ovl2_layer_apply(struct ovl2_store *store, const char *id, int fd, uint64_t *ret_bytes,
                     struct ovl2_error *err)
{
	cleanup_utf8 struct ovi_utf8 utf8 = ovi_utf8_enter();
	cleanup_stage struct ovi_stage stage = { .dir = -1 };
	struct ovl2_error reason = { 0 };
	struct reader reader = {
		.store = store,
		.root = -1,
		.below = -1,
		.parent = -1,
		.input = fd,
		.err = &reason,
	};
	uint64_t bytes = 0;
	int r;

	r = prepare(store, id, &stage, &reader);
	if (r == 0)
		r = extract(&reader);
	if (r == 0 && ret_bytes)
		r = ovi_changes_size_of_upper(reader.root, &bytes, &reason);
	if (r == 0)
		r = ovi_store_sync(store, &reason);
	if (r == 0)
		r = publish(store, id, &stage, &reason);
	release_reader(&reader);

	if (r < 0) {
		if (err)
			*err = reason;
		return ovi_fail_within(err, r, "apply to layer '%s'", id ? id : "");
	}
	if (ret_bytes)
		*ret_bytes = bytes;

	return 0;
}
