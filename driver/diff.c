/* A layer's changes as a tar: Docker's Diff. */

#include <ovl2.h>

#include "changes.h"
#include "cleanup.h"
#include "fail.h"
#include "file.h"
#include "inodes.h"
#include "strbuf.h"
#include "sys.h"
#include "utf8.h"
#include "whiteout.h"
#include "xattr.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

/* What one write(2) hands on, and one read(2) takes. */
#define BLOCK_BYTES (256 * 1024)

struct writer {
	struct ovl2_store *store;
	struct archive *tar;
	struct archive_entry *entry;
	struct ovi_inodes seen;
	char *buffer;

	/* Where the tar goes, and why it did not get there. */
	int fd;
	int has_failed;
	struct ovl2_error output;
};

static la_ssize_t write_block(struct archive *tar, void *data, const void *bytes, size_t length)
{
	struct writer *writer = data;

	/* Something else failed: what libarchive still holds must not get out. */
	if (writer->has_failed)
		return -1;
	if (ovi_write_all(writer->fd, bytes, length, "the tar", &writer->output) < 0) {
		archive_set_error(tar, writer->output.sys, "%s", writer->output.message);
		return -1;
	}

	return (la_ssize_t)length;
}

/* libarchive's own words, unless it was our write that failed. */
static int fail_tar(struct writer *writer, const char *path, struct ovl2_error *err)
{
	if (writer->output.code) {
		if (err)
			*err = writer->output;
		return writer->output.code;
	}

	return ovi_fail(err, OVL2_E_SYSTEM, "put '/%s' into the tar: %s", path,
	                archive_error_string(writer->tar));
}

static int add_xattrs(struct writer *writer, const struct ovi_change *change,
                      struct ovl2_error *err)
{
	struct ovi_xattr_names names;
	cleanup_free char *list = NULL;
	int r;

	r = ovi_xattr_list(change->dir, change->name, &names, err);
	if (r < 0)
		return ovi_fail_within(err, r, "'/%s'", change->path);
	list = names.text;

	for (char *key = list; list && key < list + names.length; key += strlen(key) + 1) {
		cleanup_free char *value = NULL;
		size_t length;

		if (strcmp(key, "trusted.overlay.metacopy") == 0)
			return ovi_fail(
				err, OVL2_E_UNSUPPORTED,
				"'/%s' was copied up with metacopy=on: its data is not in the "
				"upper: use the method compare",
				change->path);
		if (!ovi_xattr_is_content(key))
			continue;
		r = ovi_xattr_read(change->dir, change->name, key, &value, &length, err);
		if (r < 0)
			return ovi_fail_within(err, r, "'/%s'", change->path);
		archive_entry_xattr_add_entry(writer->entry, key, value, length);
	}

	return 0;
}

static int add_link_target(struct writer *writer, const struct ovi_change *change,
                           struct ovl2_error *err)
{
	char target[PATH_MAX];
	ssize_t length;

	length = ovi_sys.readlinkat(change->dir, change->name, target, sizeof(target) - 1);
	if (length < 0)
		return ovi_fail_errno(err, "read link '/%s'", change->path);
	target[length] = '\0';
	archive_entry_set_symlink(writer->entry, target);

	return 0;
}

/*
 * Opens a regular file for reading and makes sure that it is the one looked at: the
 * layer may belong to a running container, which can put a device in its place.
 */
static int open_content(const struct ovi_change *change, int *ret_fd, struct ovl2_error *err)
{
	cleanup_fd int fd = -1;
	struct stat st;

	fd = ovi_sys.openat(change->dir, change->name,
	                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return ovi_fail_errno(err, "open '/%s'", change->path);
	if (ovi_sys.fstatat(fd, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "look at '/%s'", change->path);
	if (!S_ISREG(st.st_mode) || st.st_ino != change->st.st_ino ||
	    st.st_dev != change->st.st_dev)
		return ovi_fail(err, OVL2_E_BUSY, "'/%s' was replaced while it was read",
		                change->path);
	*ret_fd = steal_fd(&fd);

	return 0;
}

/* As many bytes as the header promised: a file that grew is cut, one that shrank fails. */
static int copy_content(struct writer *writer, const struct ovi_change *change, int fd,
                        struct ovl2_error *err)
{
	uint64_t left = (uint64_t)change->st.st_size;

	while (left > 0) {
		size_t wanted = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
		ssize_t length = ovi_sys.read(fd, writer->buffer, wanted);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return ovi_fail_errno(err, "read '/%s'", change->path);
		if (length == 0)
			return ovi_fail(err, OVL2_E_BUSY, "'/%s' shrank while it was read",
			                change->path);
		if (archive_write_data(writer->tar, writer->buffer, (size_t)length) < 0)
			return fail_tar(writer, change->path, err);
		left -= (uint64_t)length;
	}

	return 0;
}

static int put_header(struct writer *writer, const char *path, struct ovl2_error *err)
{
	/* A warning is a name that is not UTF-8: written as it is. */
	if (archive_write_header(writer->tar, writer->entry) < ARCHIVE_WARN)
		return fail_tar(writer, path, err);

	return 0;
}

/* "a/b" as "a/.wh.b". The same bytes whenever it is made: no time, no owner. */
static int put_whiteout(struct writer *writer, const char *path, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf name = { 0 };
	const char *slash = strrchr(path, '/');
	size_t parent = slash ? (size_t)(slash - path) + 1 : 0;

	ovi_strbuf_add_bytes(&name, path, parent);
	ovi_strbuf_addf(&name, OVI_WHITEOUT_PREFIX "%s", path + parent);
	if (name.failed)
		return ovi_fail_memory(err);

	archive_entry_set_pathname(writer->entry, name.text);
	archive_entry_set_mode(writer->entry, AE_IFREG | 0600);
	archive_entry_set_size(writer->entry, 0);
	archive_entry_set_mtime(writer->entry, 0, 0);

	return put_header(writer, path, err);
}

static void describe(struct archive_entry *entry, const struct stat *st)
{
	archive_entry_set_mode(entry, st->st_mode);
	archive_entry_set_uid(entry, st->st_uid);
	archive_entry_set_gid(entry, st->st_gid);
	archive_entry_set_mtime(entry, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	archive_entry_set_size(entry, S_ISREG(st->st_mode) ? st->st_size : 0);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		archive_entry_set_rdev(entry, st->st_rdev);
}

static int put_file(struct writer *writer, const struct ovi_change *change, struct ovl2_error *err)
{
	cleanup_fd int fd = -1;
	const char *first;
	int failed;
	int r = 0;

	describe(writer->entry, &change->st);
	first = ovi_inodes_meet(&writer->seen, &change->st, change->path, &failed);
	if (failed)
		return ovi_fail_memory(err);
	if (first) {
		archive_entry_set_hardlink(writer->entry, first);
		archive_entry_set_size(writer->entry, 0);
		return put_header(writer, change->path, err);
	}

	if (S_ISLNK(change->st.st_mode))
		r = add_link_target(writer, change, err);
	else
		r = add_xattrs(writer, change, err);
	if (r == 0 && S_ISREG(change->st.st_mode) && change->st.st_size > 0)
		r = open_content(change, &fd, err);
	if (r == 0)
		r = put_header(writer, change->path, err);
	if (r == 0 && fd >= 0)
		r = copy_content(writer, change, fd, err);

	return r;
}

static int put_change(void *data, const struct ovi_change *change, struct ovl2_error *err)
{
	struct writer *writer = data;
	cleanup_strbuf struct ovi_strbuf name = { 0 };

	archive_entry_clear(writer->entry);
	if (change->kind == OVL2_CHANGE_DELETE)
		return put_whiteout(writer, change->path, err);
	if (S_ISSOCK(change->st.st_mode)) {
		ovi_store_log(writer->store, OVL2_LOG_WARNING,
		              "left out '/%s': a tar cannot hold sockets", change->path);
		return 0;
	}

	ovi_strbuf_addf(&name, "%s%s", *change->path ? change->path : ".",
	                S_ISDIR(change->st.st_mode) ? "/" : "");
	if (name.failed)
		return ovi_fail_memory(err);
	archive_entry_set_pathname(writer->entry, name.text);

	return put_file(writer, change, err);
}

static int open_tar(struct writer *writer, struct ovl2_error *err)
{
	struct archive *tar = archive_write_new();

	writer->tar = tar;
	writer->entry = archive_entry_new();
	writer->buffer = malloc(BLOCK_BYTES);
	if (!tar || !writer->entry || !writer->buffer)
		return ovi_fail_memory(err);

	/* Attributes under the names that every reader knows. */
	if (archive_write_set_format_pax(tar) != ARCHIVE_OK ||
	    archive_write_set_options(tar, "pax:xattrheader=SCHILY") != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(tar, BLOCK_BYTES) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(tar, 1) != ARCHIVE_OK ||
	    archive_write_open(tar, writer, NULL, write_block, NULL) != ARCHIVE_OK)
		return ovi_fail(err, OVL2_E_SYSTEM, "begin the tar: %s", archive_error_string(tar));

	return 0;
}

int ovl2_layer_diff(struct ovl2_store *store, const char *id,
                    const struct ovl2_diff_options *options, int fd, struct ovl2_error *err)
{
	cleanup_utf8 struct ovi_utf8 utf8 = ovi_utf8_enter();
	struct writer writer = { .store = store, .fd = fd };
	const struct ovi_audience audience = {
		.each = put_change,
		.data = &writer,
		.wants_deletions = 1,
	};
	int r;

	r = open_tar(&writer, err);
	if (r == 0)
		r = ovi_changes_walk(store, id, options, &audience, err);
	if (r == 0 && archive_write_close(writer.tar) != ARCHIVE_OK)
		r = fail_tar(&writer, "", err);

	/*
	 * Closed after a failure as well, or libarchive would keep its buffer; but the
	 * end mark, which would make it look complete, is not written.
	 */
	writer.has_failed = r < 0;
	if (writer.tar)
		archive_write_close(writer.tar);
	archive_write_free(writer.tar);
	archive_entry_free(writer.entry);
	ovi_inodes_release(&writer.seen);
	free(writer.buffer);

	return r < 0 ? ovi_fail_within(err, r, "diff layer '%s'", id ? id : "") : 0;
}
