#include "tar.h"

#include "acl.h"
#include "audit.h"
#include "cleanup.h"
#include "fail.h"
#include "source.h"
#include "sys.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A file of up to this many bytes comes in one piece, so that one thread has it all. */
#define WHOLE_BYTES ((size_t)64 * 1024)

/*
 * Where content is not read here but passed over: so much behind it, which is the next
 * header; and more where many entries have none. Some read it for libarchive.
 */
#define JUMP_BYTES ((size_t)2 * 1024)
#define WINDOW_BYTES ((size_t)32 * 1024)

/* So much is handed out at once: in between the call can be cancelled. */
#define RANGE_BYTES ((uint64_t)8 << 20)

struct ovi_tar {
	int fd;
	struct ovi_source *source;
	struct ovi_writers *writers;
	struct ovi_audit audit;

	/*
	 * Of a tar that can be read at any place, what was read last, and where in the
	 * file it ends: only headers pass through here. NULL: it is the writers' buffer.
	 */
	char *window;
	off_t position;
	off_t size;
	int has_jumped;

	/* Bytes [at, filled) are not used yet. */
	size_t at;
	size_t filled;
	int is_ended;

	/* How far the content of the present entry was read. */
	off_t offset;
	int is_by_libarchive;

	/*
	 * libarchive is shown nothing but unusual entries, one behind the other: bytes
	 * that it was given in all, and whether the headers of this one are among them.
	 */
	struct archive *libarchive;
	struct archive_entry *entry;
	uint64_t given;
	int has_headers;

	/* Not 0 when `err` says why no more could be given to it. */
	int input_result;
	struct ovl2_error *err;

	const char *next_xattr;
	struct ovi_strbuf key;

	/* Of libarchive's: how many lists of access were looked for, and the last. */
	size_t acl_count;
	struct ovi_strbuf acl;
};

/* -------------------------------------------------------------------- bytes -- */

static size_t available(const struct ovi_tar *tar)
{
	return tar->filled - tar->at;
}

static char *buffer_of(const struct ovi_tar *tar)
{
	return tar->window ? tar->window : ovi_writers_buffer(tar->writers);
}

static int fill_window(struct ovi_tar *tar, struct ovl2_error *err)
{
	size_t wanted = tar->has_jumped ? JUMP_BYTES : WINDOW_BYTES;
	ssize_t length;

	do {
		length = ovi_sys.pread(tar->fd, tar->window, wanted, tar->position);
	} while (length < 0 && errno == EINTR);
	if (length < 0)
		return ovi_fail_errno(err, "read the tar");
	tar->at = 0;
	tar->filled = (size_t)length;
	tar->position += length;
	tar->has_jumped = 0;
	tar->is_ended = length == 0;

	return 0;
}

/* Sees to it that bytes are there, unless it is the end; in the writers' buffer `wanted`. */
static int fill(struct ovi_tar *tar, size_t wanted, struct ovl2_error *err)
{
	if (tar->window)
		return available(tar) || tar->is_ended ? 0 : fill_window(tar, err);
	while (available(tar) < wanted && !tar->is_ended) {
		char *buffer = ovi_writers_buffer(tar->writers);
		size_t room = OVI_BUFFER_BYTES - tar->filled;
		size_t length;
		int r;

		/* Nor does a little room at the end make a read worth it. */
		if (!buffer || wanted - available(tar) > room ||
		    (!available(tar) && room < WHOLE_BYTES)) {
			r = ovi_writers_renew(tar->writers, buffer ? buffer + tar->at : NULL,
			                      available(tar), err);
			if (r < 0)
				return r;
			buffer = ovi_writers_buffer(tar->writers);
			tar->filled -= tar->at;
			tar->at = 0;
		}
		r = ovi_source_read(tar->source, buffer + tar->filled,
		                    OVI_BUFFER_BYTES - tar->filled, &length, err);
		if (r < 0)
			return r;
		tar->filled += length;
		tar->is_ended = length == 0;
	}

	return 0;
}

/* What there is of the entry's content, at most `limit`, taken out. */
static size_t take_content(struct ovi_tar *tar, uint64_t limit, const void **ret_bytes)
{
	size_t length = available(tar);

	if (length > limit)
		length = (size_t)limit;
	*ret_bytes = buffer_of(tar) + tar->at;
	tar->at += length;
	ovi_audit_pass(&tar->audit, length);

	return length;
}

/* Passes over `length` bytes of the entry's content, which must be there. */
static int jump(struct ovi_tar *tar, uint64_t length, struct ovl2_error *err)
{
	uint64_t here = available(tar);
	struct stat st;

	if (length > here) {
		off_t end = tar->position + (off_t)(length - here);

		/* It may have grown. */
		if (end > tar->size && ovi_sys.fstatat(tar->fd, "", &st, AT_EMPTY_PATH) == 0)
			tar->size = st.st_size;
		if (end > tar->size)
			return ovi_audit_end(&tar->audit, err);
		tar->position = end;
		tar->has_jumped = 1;
		tar->at = tar->filled;
	} else {
		tar->at += (size_t)length;
	}
	ovi_audit_pass(&tar->audit, length);

	return 0;
}

static int pass_content(struct ovi_tar *tar, struct ovl2_error *err)
{
	if (tar->window)
		return tar->audit.left ? jump(tar, tar->audit.left, err) : 0;
	while (tar->audit.left) {
		const void *unused;
		int r = fill(tar, 1, err);

		if (r < 0)
			return r;
		if (!take_content(tar, tar->audit.left, &unused))
			return ovi_audit_end(&tar->audit, err);
	}

	return 0;
}

/* --------------------------------------------------------------- libarchive -- */

static int give_content(struct ovi_tar *tar, const void **ret_bytes, size_t *ret_length)
{
	int r;

	*ret_length = 0;
	if (!tar->audit.left)
		return 0;
	r = fill(tar, 1, tar->err);
	if (r < 0)
		return r;
	*ret_length = take_content(tar, tar->audit.left, ret_bytes);

	return *ret_length ? 0 : ovi_audit_end(&tar->audit, tar->err);
}

static la_ssize_t give(struct archive *libarchive, void *data, const void **ret_bytes)
{
	struct ovi_tar *tar = data;
	size_t length = tar->audit.raw.length;

	if (!tar->has_headers) {
		tar->has_headers = 1;
		*ret_bytes = tar->audit.raw.text;
	} else {
		tar->input_result = give_content(tar, ret_bytes, &length);
		if (tar->input_result < 0) {
			archive_set_error(libarchive, EIO, "read");
			return -1;
		}
	}
	tar->given += length;

	return (la_ssize_t)length;
}

/* What went wrong in libarchive: our read, or what it read. */
static int fail_tar(struct ovi_tar *tar)
{
	const char *reason = archive_error_string(tar->libarchive);

	if (tar->input_result < 0)
		return tar->input_result;

	return ovi_fail(tar->err, OVL2_E_CORRUPT, "the tar is damaged at byte %llu: %s",
	                (unsigned long long)tar->audit.entry.start,
	                reason ? reason : "unknown reason");
}

static int fail_agreement(const struct ovi_tar *tar)
{
	return ovi_fail(tar->err, OVL2_E_CORRUPT, "the tar can be read in two ways at byte %llu",
	                (unsigned long long)tar->audit.entry.start);
}

static int open_libarchive(struct ovi_tar *tar)
{
	tar->libarchive = archive_read_new();
	if (!tar->libarchive)
		return ovi_fail_memory(tar->err);

	/* By name, never "all": there are formats that read files of the host. */
	if (archive_read_support_format_tar(tar->libarchive) != ARCHIVE_OK ||
	    archive_read_open(tar->libarchive, tar, NULL, give, NULL) != ARCHIVE_OK)
		return fail_tar(tar);

	return 0;
}

/*
 * libarchive composes letters that are written as two, which makes another name of it,
 * and loses the sign of "-0.5". Of what was read here as well, that counts.
 */
static void correct(const struct ovi_tar *tar, struct ovi_tar_entry *entry)
{
	const struct ovi_audit *audit = &tar->audit;

	if (audit->pax.has_path)
		entry->name = audit->name.text;
	if (audit->pax.has_link && *entry->link)
		entry->link = audit->link.text;
	if (audit->pax.has_mtime)
		entry->mtime = audit->pax.mtime;
}

static void describe(const struct ovi_tar *tar, struct ovi_tar_entry *ret_entry)
{
	struct archive_entry *entry = tar->entry;
	const char *hard_link = archive_entry_hardlink(entry);
	const char *link = hard_link ? hard_link : archive_entry_symlink(entry);

	*ret_entry = (struct ovi_tar_entry){
		.name = archive_entry_pathname(entry),
		.link = link ? link : "",
		.type = tar->audit.entry.type,
		.format = archive_entry_filetype(entry),
		.mode = tar->audit.entry.mode,
		.uid = archive_entry_uid(entry),
		.gid = archive_entry_gid(entry),
		.mtime = { archive_entry_mtime(entry), archive_entry_mtime_nsec(entry) },
		.size = archive_entry_size(entry),
		.stored_bytes = tar->audit.entry.size,
		.device = archive_entry_rdev(entry),
		.has_xattrs =
			archive_entry_xattr_reset(entry) > 0 || archive_entry_acl_types(entry),
		.is_fleeting = 1,
	};
	correct(tar, ret_entry);
}

static int next_unusual(struct ovi_tar *tar, struct ovi_tar_entry *ret_entry)
{
	uint64_t start = tar->given;
	int r = 0;

	tar->is_by_libarchive = 1;
	tar->has_headers = 0;
	tar->acl_count = 0;
	if (!tar->libarchive)
		r = open_libarchive(tar);
	if (r < 0)
		return r;
	r = archive_read_next_header(tar->libarchive, &tar->entry);
	if (r == ARCHIVE_EOF)
		return fail_agreement(tar);
	if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
		return fail_tar(tar);
	if ((uint64_t)archive_read_header_position(tar->libarchive) != start)
		return fail_agreement(tar);
	describe(tar, ret_entry);
	if (!ret_entry->name)
		return ovi_fail(tar->err, OVL2_E_CORRUPT, "a tar entry has no name");

	/* It takes a file with the target of a link for a link. */
	if ((archive_entry_hardlink(tar->entry) != NULL) != (ret_entry->type == '1'))
		return ovi_fail(tar->err, OVL2_E_CORRUPT,
		                "tar entry '%s': it is no hard link and has the target of one",
		                ret_entry->name);

	return 1;
}

/* Both must have come to the end of it. */
static int leave_unusual(struct ovi_tar *tar)
{
	int r = archive_read_data_skip(tar->libarchive);

	tar->is_by_libarchive = 0;
	if (r != ARCHIVE_OK && r != ARCHIVE_EOF)
		return fail_tar(tar);

	return tar->audit.left ? fail_agreement(tar) : 0;
}

static int read_unusual(struct ovi_tar *tar, struct ovi_piece *piece)
{
	la_int64_t offset = tar->offset;
	int r;

	do {
		r = archive_read_data_block(tar->libarchive, &piece->bytes, &piece->length,
		                            &offset);
	} while (r == ARCHIVE_OK && !piece->length);
	if (r != ARCHIVE_OK && r != ARCHIVE_EOF)
		return fail_tar(tar);
	if (r == ARCHIVE_EOF)
		piece->length = 0;
	piece->offset = offset;

	return 0;
}

/* ------------------------------------------------------------------ entries -- */

static mode_t format_of(char type)
{
	switch (type) {
	case '2':
		return S_IFLNK;
	case '5':
		return S_IFDIR;
	default:
		return S_IFREG;
	}
}

static int next_usual(struct ovi_tar *tar, struct ovi_tar_entry *ret_entry)
{
	const struct ovi_audit_entry *entry = &tar->audit.entry;

	tar->next_xattr = entry->xattrs;
	*ret_entry = (struct ovi_tar_entry){
		.name = entry->name,
		.link = entry->link,
		.type = entry->type,
		.format = format_of(entry->type),
		.mode = entry->mode,
		.uid = (int64_t)entry->uid,
		.gid = (int64_t)entry->gid,
		.mtime = entry->mtime,
		.size = (int64_t)entry->size,
		.stored_bytes = entry->size,
		.has_xattrs = entry->xattrs != NULL,
	};

	return 1;
}

int ovi_tar_next(struct ovi_tar *tar, struct ovi_tar_entry *ret_entry, struct ovl2_error *err)
{
	struct ovi_audit *audit = &tar->audit;
	int r = 0;

	tar->err = err;
	if (tar->is_by_libarchive)
		r = leave_unusual(tar);
	if (r == 0)
		r = pass_content(tar, err);
	if (r < 0)
		return r;

	do {
		size_t taken;

		r = fill(tar, 1, err);
		if (r < 0)
			return r;
		if (!available(tar))
			return ovi_audit_end(audit, err);
		r = ovi_audit_feed(audit, buffer_of(tar) + tar->at, available(tar), &taken, err);
		tar->at += taken;
	} while (r == 0 && audit->state != OVI_AUDIT_ENDED);
	tar->offset = 0;
	if (r <= 0)
		return r;

	return audit->entry.is_unusual ? next_unusual(tar, ret_entry) : next_usual(tar, ret_entry);
}

static int read_range(struct ovi_tar *tar, uint64_t left, struct ovi_piece *piece,
                      struct ovl2_error *err)
{
	uint64_t length = left < RANGE_BYTES ? left : RANGE_BYTES;

	piece->bytes = NULL;
	piece->from = tar->position - (off_t)available(tar);
	piece->length = (size_t)length;

	return jump(tar, length, err);
}

static int read_bytes(struct ovi_tar *tar, uint64_t left, struct ovi_piece *piece,
                      struct ovl2_error *err)
{
	int r = fill(tar, left <= WHOLE_BYTES ? (size_t)left : 1, err);

	if (r < 0)
		return r;
	piece->length = take_content(tar, left, &piece->bytes);

	return piece->length ? 0 : ovi_audit_end(&tar->audit, err);
}

int ovi_tar_read(struct ovi_tar *tar, struct ovi_piece *piece, struct ovl2_error *err)
{
	uint64_t left = tar->audit.entry.size - (uint64_t)tar->offset;
	int r;

	tar->err = err;
	if (tar->is_by_libarchive)
		return read_unusual(tar, piece);

	piece->length = 0;
	piece->offset = tar->offset;
	if (!left)
		return 0;
	r = tar->window ? read_range(tar, left, piece, err) : read_bytes(tar, left, piece, err);
	tar->offset += (off_t)piece->length;

	return r;
}

static int next_unusual_xattr(struct ovi_tar *tar, const char **ret_key, const void **ret_value,
                              size_t *ret_length, struct ovl2_error *err)
{
	int r;

	if (!tar->acl_count &&
	    archive_entry_xattr_next(tar->entry, ret_key, ret_value, ret_length) == ARCHIVE_OK)
		return 1;
	r = ovi_acl_next(tar->entry, &tar->acl_count, ret_key, &tar->acl);
	if (r < 0)
		return ovi_fail_memory(err);
	*ret_value = tar->acl.text;
	*ret_length = tar->acl.length;

	return r;
}

int ovi_tar_next_xattr(struct ovi_tar *tar, const char **ret_key, const void **ret_value,
                       size_t *ret_length, struct ovl2_error *err)
{
	struct ovi_pax_xattr xattr;

	if (tar->is_by_libarchive)
		return next_unusual_xattr(tar, ret_key, ret_value, ret_length, err);
	if (!tar->next_xattr ||
	    !ovi_pax_next_xattr(&tar->next_xattr, tar->audit.entry.xattrs_end, &xattr))
		return 0;
	ovi_strbuf_cut(&tar->key, 0);
	ovi_strbuf_add_bytes(&tar->key, xattr.key, xattr.key_length);
	if (tar->key.failed)
		return ovi_fail_memory(err);
	*ret_key = tar->key.text;
	*ret_value = xattr.value;
	*ret_length = xattr.value_length;

	return 1;
}

int ovi_tar_finish(struct ovi_tar *tar, struct ovl2_error *err)
{
	int is_whole = ovi_source_is_compressed(tar->source);
	struct stat st;
	int r = 0;

	/* Whoever reads on finds what is behind the tar. */
	if (tar->window) {
		(void)lseek(tar->fd, tar->position - (off_t)available(tar), SEEK_SET);
		return 0;
	}
	if (ovi_sys.fstatat(tar->fd, "", &st, AT_EMPTY_PATH) == 0 && S_ISFIFO(st.st_mode))
		is_whole = 1;
	while (r == 0 && is_whole && !tar->is_ended) {
		tar->at = tar->filled;
		r = fill(tar, 1, err);
	}

	return r;
}

/* Is it a file that can be read at any place, and not compressed? It began at `start`. */
static int open_window(struct ovi_tar *tar, off_t start, struct ovl2_error *err)
{
	struct stat st;

	if (start < 0 || ovi_source_is_compressed(tar->source) ||
	    ovi_sys.fstatat(tar->fd, "", &st, AT_EMPTY_PATH) < 0 || !S_ISREG(st.st_mode))
		return 0;
	tar->window = malloc(WINDOW_BYTES);
	if (!tar->window)
		return ovi_fail_memory(err);
	tar->position = start;
	tar->size = st.st_size;
	ovi_writers_read_from(tar->writers, tar->fd);

	return 0;
}

int ovi_tar_open(int fd, struct ovi_writers *writers, struct ovi_tar **ret_tar,
                 struct ovl2_error *err)
{
	struct ovi_tar *tar = calloc(1, sizeof(*tar));
	off_t start = lseek(fd, 0, SEEK_CUR);
	int r;

	if (!tar)
		return ovi_fail_memory(err);
	tar->fd = fd;
	tar->writers = writers;
	r = ovi_source_open(fd, &tar->source, err);
	if (r == 0)
		r = open_window(tar, start, err);
	if (r < 0) {
		ovi_tar_close(tar);
		return r;
	}
	*ret_tar = tar;

	return 0;
}

void ovi_tar_close(struct ovi_tar *tar)
{
	int saved = errno;

	if (!tar)
		return;
	archive_read_free(tar->libarchive);
	ovi_source_close(tar->source);
	ovi_audit_release(&tar->audit);
	ovi_strbuf_release(&tar->key);
	ovi_strbuf_release(&tar->acl);
	free(tar->window);
	free(tar);
	errno = saved;
}
