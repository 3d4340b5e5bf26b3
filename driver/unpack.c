#include "unpack.h"

#include "acl.h"
#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "owner.h"
#include "settle.h"
#include "stamp.h"
#include "sys.h"
#include "tar.h"
#include "times.h"
#include "tree.h"
#include "whiteout.h"
#include "writers.h"
#include "xattr.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

struct reader {
	struct ovl2_store *store;
	struct ovi_place *place;
	const struct ovl2_apply_options *options;
	struct ovl2_apply_counts counts;

	struct ovi_tar *tar;
	struct ovi_writers *writers;
	int has_open_files;

	/* The last list of access whose ids were mapped. */
	struct ovi_strbuf acl;

	/* Of directories: set when nothing more will be put into them. */
	struct ovi_times times;

	/* Has the tar deleted anything of the layers below? All, in its root? */
	int has_whiteouts;
	int is_root_opaque;

	/* By what the entries say, holes included. */
	uint64_t size_of_files;

	/* What the layer's files and links add up to, unless one took another's place. */
	uint64_t made_bytes;
	int has_replaced;

	struct ovl2_error *err;
};

/* One entry, its name taken apart. */
struct target {
	const char *path; /* normalised, no leading slash, "" for the root */
	int dir;          /* of its directory; borrowed from the place */
	const char *name; /* its last component */
	const struct ovi_tar_entry *entry;
	struct ovi_stamp attributes;
};

static int fail_entry(struct reader *reader, const struct target *target, const char *problem)
{
	return ovi_fail(reader->err, OVL2_E_CORRUPT, "tar entry '%s': %s", target->path, problem);
}

/* --------------------------------------------------------------- attributes -- */

/* Links have none on Linux that are content, and only files and directories a user's. */
static int can_have(mode_t format, const char *key)
{
	return S_ISREG(format) || S_ISDIR(format) ||
	       (!S_ISLNK(format) && strncmp(key, "user.", strlen("user.")) != 0);
}

static int is_mapped(const struct reader *reader)
{
	return reader->options->uid_map_count || reader->options->gid_map_count;
}

static int set_xattr(struct reader *reader, const struct target *target, const char *key,
                     const void *value, size_t length)
{
	struct ovi_xattr_path path;
	int r;

	if (ovi_xattr_is_overlay(key))
		return fail_entry(reader, target,
		                  "it carries an attribute of overlayfs itself, which would "
		                  "change what other layers show");
	if (!ovi_xattr_is_content(key) || !can_have(target->entry->format, key)) {
		reader->counts.dropped_xattrs++;
		return 0;
	}
	if (ovi_acl_is(key) && is_mapped(reader)) {
		r = ovi_acl_map(value, length, reader->options, &reader->acl, reader->err);
		if (r < 0)
			return ovi_fail_within(reader->err, r, "tar entry '%s'", target->path);
		value = reader->acl.text;
	}
	path = ovi_xattr_path(target->dir, target->name);
	if (ovi_sys.lsetxattr(path.text, key, value, length, 0) < 0) {
		if (errno != EOPNOTSUPP)
			return ovi_fail_errno(reader->err, "set attribute '%s' of '%s'", key,
			                      target->path);
		reader->counts.dropped_xattrs++;
	} else if (ovi_acl_is_default(key)) {
		reader->place->has_default_acls = 1;
	}

	return 0;
}

static int set_xattrs(struct reader *reader, const struct target *target)
{
	const char *key;
	const void *value;
	size_t length;
	int r;

	if (!target->entry->has_xattrs)
		return 0;
	while ((r = ovi_tar_next_xattr(reader->tar, &key, &value, &length, reader->err)) > 0) {
		r = set_xattr(reader, target, key, value, length);
		if (r < 0)
			return r;
	}

	return r;
}

/* What a tar does not say of what is new it does not have, whatever its directory says. */
static int shed_inherited(struct reader *reader, const struct target *target)
{
	return reader->place->has_default_acls
	               ? ovi_acl_disinherit(target->dir, target->name, reader->err)
	               : 0;
}

/* Of what has no descriptor to do it by: links, devices, fifos. */
static int set_attributes(struct reader *reader, const struct target *target)
{
	const struct ovi_stamp *attributes = &target->attributes;
	const struct timespec times[2] = { attributes->mtime, attributes->mtime };
	int is_link = target->entry->type == '2';
	struct stat st;
	int r;

	if (ovi_sys.fstatat(target->dir, target->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(reader->err, "look at '%s'", target->path);
	reader->made_bytes += (uint64_t)st.st_size;
	if ((st.st_uid != attributes->uid || st.st_gid != attributes->gid) &&
	    ovi_sys.fchownat(target->dir, target->name, attributes->uid, attributes->gid,
	                     AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(reader->err, "set owner of '%s'", target->path);
	if (!is_link && (st.st_mode & 07777) != attributes->mode &&
	    ovi_sys.fchmodat(target->dir, target->name, attributes->mode) < 0)
		return ovi_fail_errno(reader->err, "set mode of '%s'", target->path);
	r = set_xattrs(reader, target);
	if (r < 0)
		return r;
	if (ovi_sys.utimensat(target->dir, target->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(reader->err, "set time of '%s'", target->path);

	return 0;
}

static int fail_owner(struct reader *reader, const struct target *target, const char *kind,
                      int64_t id)
{
	return ovi_fail(reader->err, OVL2_E_CORRUPT, "tar entry '%s': its %s %lld is not %s",
	                target->path, kind, (long long)id,
	                id < 0 || id >= UINT32_MAX ? "one of Linux" : "in the id map");
}

static int read_attributes(struct reader *reader, struct target *target)
{
	const struct ovi_tar_entry *entry = target->entry;
	const struct ovl2_apply_options *options = reader->options;
	struct ovi_stamp *attributes = &target->attributes;

	if (ovi_owner_map(options->uid_map, options->uid_map_count, entry->uid, &attributes->uid) <
	    0)
		return fail_owner(reader, target, "uid", entry->uid);
	if (ovi_owner_map(options->gid_map, options->gid_map_count, entry->gid, &attributes->gid) <
	    0)
		return fail_owner(reader, target, "gid", entry->gid);
	attributes->mode = entry->mode;
	attributes->mtime = entry->mtime;

	return 0;
}

static int remember_time(struct reader *reader, const struct target *target, int dir)
{
	struct stat st;

	if (ovi_sys.fstatat(dir, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(reader->err, "look at '%s'", target->path);

	return ovi_times_add(&reader->times, target->path, st.st_ino, &target->attributes.mtime,
	                     reader->err);
}

/* ------------------------------------------------------------------- content -- */

static int report_progress(const struct reader *reader)
{
	const struct ovl2_apply_options *options = reader->options;

	if (options->progress && options->progress(options->progress_data, &reader->counts))
		return ovi_fail_cancelled(reader->err);

	return 0;
}

static int ask(void *data, struct ovl2_error *err)
{
	const struct reader *reader = data;

	(void)err;

	return report_progress(reader);
}

/* Hands what the tar has of the file to the writers, who finish it. */
static int put_content(struct reader *reader, const struct target *target, struct ovi_piece *piece)
{
	off_t end = 0;

	piece->is_first = 1;
	do {
		int r = ovi_tar_read(reader->tar, piece, reader->err);

		if (r < 0)
			return r;
		if (!piece->length)
			piece->offset = end;
		if (piece->offset < end || piece->offset > piece->size ||
		    (uint64_t)(piece->size - piece->offset) < piece->length)
			return fail_entry(reader, target, "its parts lie over each other");
		end = piece->offset + (off_t)piece->length;
		piece->is_last = !piece->length || end == piece->size;
		r = ovi_writers_put(reader->writers, piece, reader->err);
		piece->is_first = 0;
		piece->fd = piece->is_last ? -1 : piece->fd;
		reader->counts.bytes += piece->length;
		if (r == 0)
			r = report_progress(reader);
		if (r < 0)
			return r;
	} while (!piece->is_last);

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
	reader->has_replaced = 1;

	return 0;
}

/* After a call that said EEXIST: makes the name free, for the call to be tried again. */
static int make_room(struct reader *reader, const struct target *target, const char *action)
{
	if (errno != EEXIST)
		return ovi_fail_errno(reader->err, "%s '%s'", action, target->path);

	return clear_place(reader, target);
}

/*
 * The mode is what it will be, less what the umask of the process takes away: that, if
 * anything, is set later. Nobody but root reaches into a stage.
 */
static int create_file(struct reader *reader, const struct target *target, int *ret_fd)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
	int r = 0;
	int fd;

	for (;;) {
		fd = ovi_sys.openat(target->dir, target->name, flags,
		                    target->attributes.mode & 0777);
		if (fd >= 0)
			break;
		/* Descriptors that the writers still hold may be the last ones. */
		if (errno == EMFILE && reader->has_open_files) {
			reader->has_open_files = 0;
			r = ovi_writers_wait(reader->writers, reader->err);
		} else {
			r = make_room(reader, target, "create");
		}
		if (r < 0)
			return r;
	}
	r = shed_inherited(reader, target);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;

	return 0;
}

static int make_file(struct reader *reader, const struct target *target)
{
	struct ovi_piece piece = {
		.path = target->path,
		.size = target->entry->size,
		.is_urgent = target->entry->is_fleeting || target->entry->has_xattrs,
		.attributes = target->attributes,
	};
	int r;

	r = create_file(reader, target, &piece.fd);
	if (r < 0)
		return r;
	reader->made_bytes += (uint64_t)piece.size;
	reader->has_open_files = 1;
	r = put_content(reader, target, &piece);
	/* The writers have it from the first piece on. */
	if (r < 0 && piece.is_first)
		ovi_close_fd(&piece.fd);

	/* Only what was chowned before keeps its capabilities. */
	return r == 0 ? set_xattrs(reader, target) : r;
}

static int make_symlink(struct reader *reader, const struct target *target)
{
	const char *text = target->entry->link;

	if (!*text || strlen(text) >= PATH_MAX)
		return fail_entry(reader, target, "the target of the link is empty or too long");
	while (ovi_sys.symlinkat(text, target->dir, target->name) < 0) {
		int r = make_room(reader, target, "create link");

		if (r < 0)
			return r;
	}

	return 0;
}

static int make_node(struct reader *reader, const struct target *target)
{
	mode_t type = target->entry->format;
	dev_t device = 0;

	if (type == S_IFCHR || type == S_IFBLK) {
		device = target->entry->device;
		/* What the kernel's dev_t holds: 12 and 20 bits. */
		if (major(device) >= 1U << 12 || minor(device) >= 1U << 20)
			return fail_entry(reader, target, "its device number is out of range");
	}
	if (type == S_IFCHR && device == 0)
		return fail_entry(reader, target,
		                  "a character device 0:0 is overlayfs's own whiteout: a tar says "
		                  "'.wh.NAME'");
	/* Set-id bits come when it has its owner: chown(2) takes them away. */
	while (ovi_sys.mknodat(target->dir, target->name, type | (target->attributes.mode & 0777),
	                       device) < 0) {
		int r = make_room(reader, target, "create node");

		if (r < 0)
			return r;
	}

	return shed_inherited(reader, target);
}

static int make_hardlink(struct reader *reader, const struct target *target, const char *path)
{
	cleanup_free char *parent = NULL;
	cleanup_fd int dir = -1;
	const char *slash;
	const char *name;
	struct stat st;
	int r;

	slash = strrchr(path, '/');
	name = slash ? slash + 1 : path;
	parent = strndup(path, slash ? (size_t)(slash - path) : 0);
	if (!parent)
		return ovi_fail_memory(reader->err);

	dir = ovi_place_open(reader->place, parent);
	if (!*name || dir < 0 || ovi_sys.fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_entry(reader, target, "it is a hard link to a file that is not there");
	if (S_ISDIR(st.st_mode) || ovi_is_whiteout(&st))
		return fail_entry(reader, target, "it is a hard link to a directory or whiteout");
	while (ovi_sys.linkat(dir, name, target->dir, target->name, 0) < 0) {
		r = make_room(reader, target, "create hard link");
		if (r < 0)
			return r;
	}

	return 0;
}

/* ------------------------------------------------------------------- entries -- */

/* There is something of this name. A directory stays and only looks different. */
static int replace_by_directory(struct reader *reader, const struct target *target,
                                int *ret_was_whiteout)
{
	struct stat st;
	int r;

	if (ovi_sys.fstatat(target->dir, target->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(reader->err, "look at '%s'", target->path);
	if (S_ISDIR(st.st_mode))
		return ovi_xattr_clear(target->dir, target->name, reader->err);
	*ret_was_whiteout = ovi_is_whiteout(&st);
	r = clear_place(reader, target);
	if (r == 0 && ovi_sys.mkdirat(target->dir, target->name, 0700) < 0)
		return ovi_fail_errno(reader->err, "create '%s'", target->path);

	return r == 0 ? shed_inherited(reader, target) : r;
}

static int dress_directory(struct reader *reader, const struct target *target, int dir)
{
	int r;

	r = ovi_stamp_owner(dir, &target->attributes, target->path, reader->err);
	if (r == 0)
		r = set_xattrs(reader, target);

	return r == 0 ? remember_time(reader, target, dir) : r;
}

static int put_directory(struct reader *reader, const struct target *target)
{
	cleanup_fd int dir = -1;
	int was_whiteout = 0;
	int r = 0;

	if (ovi_sys.mkdirat(target->dir, target->name, target->attributes.mode & 0777) < 0) {
		if (errno != EEXIST)
			return ovi_fail_errno(reader->err, "create '%s'", target->path);
		r = replace_by_directory(reader, target, &was_whiteout);
	} else {
		r = shed_inherited(reader, target);
	}
	/* Deleted and made anew: nothing of the old one may show. */
	if (r == 0 && was_whiteout)
		r = ovi_opaque_set(target->dir, target->name, reader->place->attributes,
		                   reader->err);
	if (r == 0)
		r = ovi_dir_open(target->dir, target->name, &dir, reader->err);
	if (r == 0)
		r = dress_directory(reader, target, dir);
	if (r < 0)
		return r;

	/* Its content comes next, mostly. */
	return ovi_place_keep(reader->place, target->path, strlen(target->path), steal_fd(&dir),
	                      reader->err);
}

static int put_hardlink(struct reader *reader, const struct target *target)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	int r;

	/* A link to itself would lose what is there. */
	r = ovi_place_normalise(target->entry->link, &path, reader->err);
	if (r < 0)
		return r;
	if (strcmp(path.text, target->path) == 0)
		return fail_entry(reader, target, "it is a hard link to itself");

	/* Its attributes are those of the file linked to. */
	return make_hardlink(reader, target, path.text);
}

static int put_node(struct reader *reader, const struct target *target)
{
	int r = target->entry->type == '2' ? make_symlink(reader, target)
	                                   : make_node(reader, target);

	return r < 0 ? r : set_attributes(reader, target);
}

static int put_plain(struct reader *reader, const struct target *target)
{
	if (target->entry->type == '1')
		return put_hardlink(reader, target);
	switch (target->entry->format) {
	case S_IFDIR:
		return put_directory(reader, target);
	case S_IFREG:
		return make_file(reader, target);
	case S_IFLNK:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
		return put_node(reader, target);
	default:
		return fail_entry(reader, target, "it is of a type that a layer cannot hold");
	}
}

/* The root of a layer cannot be opaque: what is below is deleted name by name. */
static int put_opaque(struct reader *reader, const struct target *target)
{
	struct stat root;
	struct stat dir;

	reader->has_whiteouts = 1;
	if (ovi_sys.fstatat(reader->place->root, "", &root, AT_EMPTY_PATH) < 0 ||
	    ovi_sys.fstatat(target->dir, "", &dir, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(reader->err, "look at the directory of '%s'", target->path);

	/* A link may lead there. */
	if (dir.st_ino != root.st_ino)
		return ovi_opaque_set(target->dir, ".", reader->place->attributes, reader->err);
	reader->is_root_opaque = 1;

	return 0;
}

/* Only what other layers have can be deleted, so what this tar puts there stays. */
static int put_whiteout(struct reader *reader, const struct target *target, const char *name)
{
	struct stat st;

	if (target->entry->format == S_IFDIR)
		return fail_entry(reader, target, "a whiteout cannot be a directory");
	reader->has_whiteouts = 1;
	reader->counts.whiteouts++;

	if (ovi_sys.fstatat(target->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode) ? ovi_opaque_set(target->dir, name,
		                                            reader->place->attributes, reader->err)
		                           : 0;
	if (errno != ENOENT)
		return ovi_fail_errno(reader->err, "look at '%s'", target->path);
	if (ovi_sys.mknodat(target->dir, name, S_IFCHR, 0) < 0)
		return ovi_fail_errno(reader->err, "create whiteout for '%s'", target->path);

	return 0;
}

static int put_root(struct reader *reader, struct target *target)
{
	int r;

	if (target->entry->format != S_IFDIR || target->entry->type == '1')
		return ovi_fail(reader->err, OVL2_E_CORRUPT,
		                "tar entry './': the root of a layer can only be a directory");
	target->dir = reader->place->root;
	target->name = ".";
	r = ovi_xattr_clear(target->dir, target->name, reader->err);

	return r < 0 ? r : dress_directory(reader, target, target->dir);
}

static int put_named(struct reader *reader, struct target *target)
{
	const char *deleted = NULL;
	int r;

	r = ovi_place_locate(reader->place, target->path, &target->dir, &target->name, reader->err);
	if (r < 0)
		return r;

	switch (ovi_entry_classify(target->name, &deleted)) {
	case OVI_ENTRY_OPAQUE:
		return put_opaque(reader, target);
	case OVI_ENTRY_WHITEOUT:
		return put_whiteout(reader, target, deleted);
	case OVI_ENTRY_RESERVED:
		return 0;
	case OVI_ENTRY_INVALID:
		return fail_entry(reader, target, "it is not the name of a whiteout");
	default:
		return put_plain(reader, target);
	}
}

static size_t count_components(const char *path)
{
	size_t count = *path != '\0';

	for (; *path; path++)
		count += *path == '/';

	return count;
}

static int check_limits(struct reader *reader, const struct target *target)
{
	const struct ovl2_apply_options *options = reader->options;
	int64_t size = target->entry->size;

	if (options->max_entries && reader->counts.entries > options->max_entries)
		return ovi_fail(reader->err, OVL2_E_LIMIT,
		                "tar entry '%s': it is one more than the %llu allowed",
		                target->path, (unsigned long long)options->max_entries);
	if (options->max_depth && count_components(target->path) > options->max_depth)
		return ovi_fail(reader->err, OVL2_E_LIMIT,
		                "tar entry '%s': it lies deeper than %u directories allow",
		                target->path, options->max_depth);
	if (size > 0)
		reader->size_of_files += (uint64_t)size;
	if (options->max_bytes && reader->size_of_files > options->max_bytes)
		return ovi_fail(reader->err, OVL2_E_LIMIT,
		                "tar entry '%s': with it the files are larger than the %llu bytes "
		                "allowed",
		                target->path, (unsigned long long)options->max_bytes);

	return 0;
}

static int put_entry(struct reader *reader, const struct ovi_tar_entry *entry,
                     struct ovi_strbuf *path)
{
	struct target target = { .entry = entry };
	int r;

	r = ovi_place_normalise(entry->name, path, reader->err);
	if (r < 0)
		return r;
	target.path = path->text;
	if (entry->stored_bytes && entry->format != S_IFREG)
		return fail_entry(reader, &target,
		                  "it has content and the name or type of something else");
	reader->counts.entries++;
	r = check_limits(reader, &target);
	if (r == 0)
		r = read_attributes(reader, &target);
	if (r == 0)
		r = path->length ? put_named(reader, &target) : put_root(reader, &target);

	return r < 0 ? r : report_progress(reader);
}

/* --------------------------------------------------------------------- the tar -- */

static int extract(struct reader *reader, int fd)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	struct ovi_tar_entry entry;
	int r;

	r = ovi_writers_create(&reader->writers, reader->err);
	if (r == 0)
		r = ovi_tar_open(fd, reader->writers, &reader->tar, reader->err);
	if (r < 0)
		return r;
	while ((r = ovi_tar_next(reader->tar, &entry, reader->err)) > 0) {
		r = put_entry(reader, &entry, &path);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = ovi_writers_wait(reader->writers, reader->err);

	return r == 0 ? ovi_tar_finish(reader->tar, reader->err) : r;
}

/* Of a directory that is still there and still the same: others were replaced. */
static int set_directory_time(void *data, const char *path, ino_t inode,
                              const struct timespec *mtime, struct ovl2_error *err)
{
	const struct reader *reader = data;
	const struct timespec times[2] = { *mtime, *mtime };
	cleanup_fd int dir = ovi_place_open(reader->place, path);
	struct stat st;

	if (dir < 0 || ovi_sys.fstatat(dir, "", &st, AT_EMPTY_PATH) < 0 || st.st_ino != inode)
		return 0;
	if (ovi_sys.futimens(dir, times) < 0)
		return ovi_fail_errno(err, "set time of '%s'", path);

	return report_progress(reader);
}

static void release_reader(struct reader *reader)
{
	ovi_tar_close(reader->tar);
	ovi_writers_release(reader->writers);
	ovi_times_release(&reader->times);
	ovi_strbuf_release(&reader->acl);
}

static int finish(struct reader *reader)
{
	const struct ovi_asker asker = { ask, reader };
	struct ovi_place *place = reader->place;
	int r = 0;

	if (reader->has_whiteouts)
		r = ovi_settle(place, reader->is_root_opaque, &asker, reader->err);
	if (r == 0)
		r = ovi_times_take(&reader->times, set_directory_time, reader, reader->err);
	if (r == 0 && reader->counts.dropped_xattrs)
		ovi_store_log(reader->store, OVL2_LOG_WARNING,
		              "dropped %llu attributes that belong to another host or that this "
		              "filesystem cannot hold",
		              (unsigned long long)reader->counts.dropped_xattrs);
	if (r == 0 && reader->options->counts)
		*reader->options->counts = reader->counts;

	return r;
}

int ovi_unpack(struct ovl2_store *store, struct ovi_place *place,
               const struct ovl2_apply_options *options, int fd, uint64_t *ret_bytes,
               struct ovl2_error *err)
{
	struct ovl2_error own = { 0 };
	struct reader reader = {
		.store = store,
		.place = place,
		.options = options,
		.times = OVI_TIMES_NONE,
		.err = err ? err : &own,
	};
	int r;

	reader.times.place = store->home;
	place->times = &reader.times;
	r = extract(&reader, fd);
	if (r == 0)
		r = finish(&reader);
	release_reader(&reader);
	if (r < 0)
		return r;
	*ret_bytes = reader.made_bytes;

	return !reader.has_replaced;
}
