#include "unpack.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "file.h"
#include "settle.h"
#include "sys.h"
#include "tree.h"
#include "whiteout.h"
#include "xattr.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
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
	struct ovi_place *place;

	struct directory_time *times;
	size_t time_count;
	size_t time_room;
	uint64_t dropped_xattrs;

	/* Has the tar deleted anything of the layers below? All, in its root? */
	int has_whiteouts;
	int is_root_opaque;

	int input;
	int input_errno;
	char *buffer;
	struct ovl2_error *err;
};

/* One entry, its name taken apart. */
struct target {
	const char *path; /* normalised, no leading slash, "" for the root */
	int dir;          /* of its directory; borrowed from the place */
	const char *name; /* its last component */
	struct archive_entry *entry;
};

static int fail_entry(struct reader *reader, const struct target *target, const char *problem)
{
	return ovi_fail(reader->err, OVL2_E_CORRUPT, "tar entry '%s': %s", target->path, problem);
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
		cleanup_fd int dir = ovi_place_open(reader->place, time->path);
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
	reader->place->is_stale = 1;

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

	r = ovi_place_normalise(archive_entry_hardlink(target->entry), &path, reader->err);
	if (r < 0)
		return r;
	slash = strrchr(path.text, '/');
	name = slash ? slash + 1 : path.text;
	parent = strndup(path.text, slash ? (size_t)(slash - path.text) : 0);
	if (!parent)
		return ovi_fail_memory(reader->err);

	dir = ovi_place_open(reader->place, parent);
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
		r = ovi_opaque_set(target->dir, target->name, reader->err);
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

		r = ovi_place_normalise(archive_entry_hardlink(target->entry), &path, reader->err);
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

/* The root of a layer cannot be opaque: what is below is deleted name by name. */
static int put_opaque(struct reader *reader, const struct target *target)
{
	reader->has_whiteouts = 1;
	if (strchr(target->path, '/'))
		return ovi_opaque_set(target->dir, ".", reader->err);
	reader->is_root_opaque = 1;

	return 0;
}

/* Only what other layers have can be deleted, so what this tar puts there stays. */
static int put_whiteout(struct reader *reader, const struct target *target, const char *name)
{
	struct stat st;

	if (archive_entry_filetype(target->entry) == AE_IFDIR)
		return fail_entry(reader, target, "a whiteout cannot be a directory");
	reader->has_whiteouts = 1;

	if (ovi_sys.fstatat(target->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode) ? ovi_opaque_set(target->dir, name, reader->err) : 0;
	if (errno != ENOENT)
		return ovi_fail_errno(reader->err, "look at '%s'", target->path);
	if (ovi_sys.mknodat(target->dir, name, S_IFCHR, 0) < 0)
		return ovi_fail_errno(reader->err, "create whiteout for '%s'", target->path);

	return 0;
}

static int put_root(struct reader *reader, struct archive_entry *entry)
{
	struct target root = { "./", reader->place->root, ".", entry };
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
	r = ovi_place_normalise(name, path, reader->err);
	target.path = path->text;
	if (r == 0)
		r = check_owner(reader, &target);
	if (r < 0)
		return r;
	if (!path->length)
		return put_root(reader, entry);
	r = ovi_place_locate(reader->place, path->text, &target.dir, &target.name, reader->err);
	if (r < 0)
		return r;

	switch (ovi_entry_classify(target.name, &deleted)) {
	case OVI_ENTRY_OPAQUE:
		return put_opaque(reader, &target);
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

/* More than one compression around a tar is a trick, or a mistake. */
static int check_filters(struct reader *reader)
{
	/* The last one counted is "none". */
	if (archive_filter_count(reader->tar) > 2)
		return ovi_fail(reader->err, OVL2_E_CORRUPT,
		                "the tar is compressed more than once (%s in %s)",
		                archive_filter_name(reader->tar, 0),
		                archive_filter_name(reader->tar, 1));

	return 0;
}

static int extract(struct reader *reader)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	struct archive_entry *entry;
	int r;

	r = open_tar(reader);
	if (r == 0)
		r = check_filters(reader);
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

	return 0;
}

static void release_reader(struct reader *reader)
{
	archive_read_free(reader->tar);
	free(reader->buffer);
	for (size_t i = 0; i < reader->time_count; i++)
		free(reader->times[i].path);
	free(reader->times);
}

int ovi_unpack(struct ovl2_store *store, struct ovi_place *place, int fd, struct ovl2_error *err)
{
	struct reader reader = { .store = store, .place = place, .input = fd, .err = err };
	int r;

	r = extract(&reader);
	if (r == 0 && reader.has_whiteouts)
		r = ovi_settle(place->root, place->below, reader.is_root_opaque, err);
	if (r == 0)
		r = set_directory_times(&reader);
	release_reader(&reader);

	return r;
}
