#include "pack.h"

#include "cleanup.h"
#include "crew.h"
#include "fail.h"
#include "inodes.h"
#include "marks.h"
#include "pax.h"
#include "sys.h"
#include "view.h"
#include "whiteout.h"
#include "xattr.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>

/* Of one batch: enough to outweigh handing it over, and to have most of them full. */
#define MAX_ITEMS 32

/* Larger files than this are not held in memory, nor batches that are larger. */
#define MAX_BODY_BYTES ((uint64_t)64 << 10)
#define MAX_BATCH_BYTES ((size_t)256 << 10)

/* Files that a batch keeps open for who puts it out; others are opened again. */
#define MAX_OPEN_FILES 4

#define MAX_BATCHES 12

/* One entry to be. */
struct item {
	enum ovl2_change_kind kind;
	unsigned char type;

	/* In the batch's texts. A directory's path ends with a slash. */
	size_t path;
	size_t name;

	struct ovi_folder *parent; /* NULL for the root and for deletions */
	struct ovi_folder *self;   /* of directories */
};

/* Something that comes at this point of the batch's bytes, and is not in them. */
struct gap {
	size_t offset;
	const struct item *item;

	/* The body of that item, open; or -1: all of the item. */
	int fd;
	uint64_t size;
};

struct batch {
	struct ovi_strbuf texts;
	struct item items[MAX_ITEMS];
	size_t item_count;

	struct ovi_strbuf bytes;
	struct gap gaps[MAX_ITEMS];
	size_t gap_count;
	size_t open_count;

	/* Whether all items were read, and why the one behind the last was not. */
	int result;
	struct ovl2_error err;
};

struct ovi_pack {
	struct ovi_pack_options options;
	struct ovi_crew crew;
	struct batch *batches;
	size_t batch_count;

	/* The one being filled, or NULL. */
	struct batch *current;

	/* For those who put out: one item at a time, in order. */
	struct batch aside;
	struct ovi_inodes seen;
	int view; /* of the layer; -1 until it is needed */
};

/* Who reads an item: NULL in the threads that read ahead, who leave gaps. */
struct reader {
	struct batch *batch;
	struct ovi_pack *in_order;
	const struct item *item;
	const char *path;
	const char *name;
	struct ovl2_error *err;
};

/* ------------------------------------------------------------------- one item -- */

static void leave_gap(const struct reader *reader, int fd, uint64_t size)
{
	struct batch *batch = reader->batch;

	batch->gaps[batch->gap_count++] = (struct gap){
		.offset = batch->bytes.length,
		.item = reader->item,
		.fd = fd,
		.size = size,
	};
	batch->open_count += fd >= 0;
}

static struct ovi_pax_entry describe(const struct reader *reader, const struct stat *st)
{
	return (struct ovi_pax_entry){
		.path = reader->path,
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mtime = st->st_mtim,
	};
}

static int add_header(const struct reader *reader, const struct ovi_pax_entry *entry)
{
	ovi_pax_add(&reader->batch->bytes, entry);

	return reader->batch->bytes.failed ? ovi_fail_memory(reader->err) : 0;
}

/* "a/.wh.b": the same bytes whenever it is made, so of no time and no owner. */
static int read_whiteout(const struct reader *reader)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	struct ovi_pax_entry entry = { .type = OVI_PAX_FILE, .mode = 0600 };

	ovi_strbuf_add_bytes(&path, reader->path, (size_t)(reader->name - reader->path));
	ovi_strbuf_addf(&path, OVI_WHITEOUT_PREFIX "%s", reader->name);
	if (path.failed)
		return ovi_fail_memory(reader->err);
	entry.path = path.text;

	return add_header(reader, &entry);
}

static int fail_replaced(const struct reader *reader)
{
	return ovi_fail(reader->err, OVL2_E_BUSY, "it was replaced while it was read");
}

/*
 * A file with several names is a link from the second one on. 1 when that is all that
 * there is to it.
 */
static int read_link(const struct reader *reader, const struct stat *st)
{
	struct ovi_pax_entry entry = describe(reader, st);
	const char *first;
	int r;

	if (st->st_nlink < 2)
		return 0;
	if (!reader->in_order) {
		leave_gap(reader, -1, 0);
		return 1;
	}
	r = ovi_inodes_meet(&reader->in_order->seen, st, reader->path, &first, reader->err);
	if (r <= 0)
		return r;
	entry.type = OVI_PAX_HARD_LINK;
	entry.target = first;
	r = add_header(reader, &entry);

	return r < 0 ? r : 1;
}

static int read_directory(const struct reader *reader)
{
	cleanup_xattrs struct ovi_xattrs xattrs = { 0 };
	struct ovi_pax_entry entry;
	struct stat st;
	int r;

	if (ovi_sys.fstatat(reader->item->self->fd, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(reader->err, "look at it");
	r = ovi_xattrs_read(reader->item->self->fd, -1, reader->name, &xattrs, reader->err);
	if (r < 0)
		return r;
	entry = describe(reader, &st);
	entry.type = OVI_PAX_DIRECTORY;
	entry.xattrs = &xattrs;

	return add_header(reader, &entry);
}

static enum ovi_pax_type special_type(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFLNK:
		return OVI_PAX_SYMLINK;
	case S_IFCHR:
		return OVI_PAX_CHARACTER;
	case S_IFBLK:
		return OVI_PAX_BLOCK;
	default:
		return OVI_PAX_FIFO;
	}
}

/* Links, devices and fifos, which cannot be opened. */
static int read_special(const struct reader *reader)
{
	cleanup_xattrs struct ovi_xattrs xattrs = { 0 };
	int dir = reader->item->parent->fd;
	struct ovi_pax_entry entry;
	char target[PATH_MAX];
	struct stat st;
	int r;

	if (ovi_sys.fstatat(dir, reader->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(reader->err, "look at it");
	/* A device may have been removed, which leaves a whiteout: one of its type. */
	if (IFTODT(st.st_mode) != reader->item->type || ovi_is_whiteout(&st))
		return fail_replaced(reader);
	r = read_link(reader, &st);
	if (r != 0)
		return r < 0 ? r : 0;

	entry = describe(reader, &st);
	entry.type = special_type(st.st_mode);
	if (S_ISLNK(st.st_mode)) {
		ssize_t length = ovi_sys.readlinkat(dir, reader->name, target, sizeof(target) - 1);

		if (length < 0)
			return ovi_fail_errno(reader->err, "read the link");
		target[length] = '\0';
		entry.target = target;
	} else {
		entry.device = S_ISFIFO(st.st_mode) ? 0 : st.st_rdev;
		r = ovi_xattrs_read(-1, dir, reader->name, &xattrs, reader->err);
		entry.xattrs = &xattrs;
	}

	return r < 0 ? r : add_header(reader, &entry);
}

/* -------------------------------------------------------------- regular files -- */

/*
 * Opens what the layer shows at this path. A path that is longer than the kernel takes
 * is walked in pieces.
 */
static int open_in_view(struct ovi_pack *pack, const char *path, int *ret_fd,
                        struct ovl2_error *err)
{
	struct open_how how = { .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	cleanup_fd int dir = -1;
	int at;
	int r;

	if (pack->view < 0) {
		r = ovi_view_open_content(pack->options.store, pack->options.id, 0, &pack->view,
		                          err);
		if (r < 0)
			return r;
	}

	at = pack->view;
	while (strlen(path) >= PATH_MAX) {
		char piece[PATH_MAX];
		char *slash;
		int next;

		memcpy(piece, path, PATH_MAX - 1);
		piece[PATH_MAX - 1] = '\0';
		slash = strrchr(piece, '/');
		if (!slash)
			return ovi_fail(err, OVL2_E_SYSTEM, "a name of %d bytes", PATH_MAX);
		*slash = '\0';
		how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
		next = ovi_sys.openat2(at, piece, &how);
		if (next < 0)
			return ovi_fail_errno(err, "open '%s' in the layer's view", piece);
		ovi_close_fd(&dir);
		at = dir = next;
		path += slash - piece + 1;
	}

	how.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	*ret_fd = ovi_sys.openat2(at, path, &how);
	if (*ret_fd < 0)
		return ovi_fail_errno(err, "open it in the layer's view");

	return 0;
}

/* What was copied up with metacopy=on has its data below: read through the view. */
static int open_data_below(const struct reader *reader, const struct stat *st, int *fd)
{
	struct stat shown;
	int below = -1;
	int r;

	r = open_in_view(reader->in_order, reader->path, &below, reader->err);
	if (r < 0)
		return r;
	ovi_close_fd(fd);
	*fd = below;
	if (ovi_sys.fstatat(below, "", &shown, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(reader->err, "look at it in the layer's view");
	if (!S_ISREG(shown.st_mode) || shown.st_size != st->st_size)
		return fail_replaced(reader);

	return 0;
}

/* As many bytes as the header promised: a file that grew is cut, one that shrank fails. */
static int read_body(const struct reader *reader, int fd, size_t size)
{
	static const char zeroes[OVI_TAR_BLOCK];
	struct ovi_strbuf *bytes = &reader->batch->bytes;
	size_t done = 0;
	char *room;

	room = ovi_strbuf_reserve(bytes, size);
	if (!room)
		return ovi_fail_memory(reader->err);
	while (done < size) {
		ssize_t length = ovi_sys.read(fd, room + done, size - done);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return ovi_fail_errno(reader->err, "read it");
		if (length == 0)
			return ovi_fail(reader->err, OVL2_E_BUSY, "it shrank while it was read");
		done += (size_t)length;
	}
	ovi_strbuf_filled(bytes, size);
	ovi_strbuf_add_bytes(bytes, zeroes, ovi_pax_padding(size));

	return bytes->failed ? ovi_fail_memory(reader->err) : 0;
}

static int fits(const struct batch *batch, uint64_t size)
{
	return size <= MAX_BODY_BYTES && batch->bytes.length + size <= MAX_BATCH_BYTES;
}

static int read_open_file(const struct reader *reader, const struct stat *st, int *fd)
{
	cleanup_xattrs struct ovi_xattrs xattrs = { 0 };
	struct ovi_pax_entry entry = describe(reader, st);
	uint64_t size = (uint64_t)st->st_size;
	int r;

	r = ovi_xattrs_read(*fd, -1, reader->name, &xattrs, reader->err);
	if (r < 0)
		return r;
	if (!reader->in_order &&
	    (xattrs.is_metacopy ||
	     (!fits(reader->batch, size) && reader->batch->open_count == MAX_OPEN_FILES))) {
		leave_gap(reader, -1, 0);
		return 0;
	}
	if (xattrs.is_metacopy)
		r = open_data_below(reader, st, fd);

	entry.type = OVI_PAX_FILE;
	entry.size = size;
	entry.xattrs = &xattrs;
	if (r == 0)
		r = add_header(reader, &entry);
	if (r == 0 && fits(reader->batch, size))
		return read_body(reader, *fd, (size_t)size);
	if (r == 0)
		leave_gap(reader, steal_fd(fd), size);

	return r;
}

/* The layer may belong to a running container, which can put anything in its place. */
static int read_file(const struct reader *reader)
{
	cleanup_fd int fd = -1;
	struct stat st;
	int r;

	fd = ovi_sys.openat(reader->item->parent->fd, reader->name,
	                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return ovi_fail_errno(reader->err, "open it");
	if (ovi_sys.fstatat(fd, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(reader->err, "look at it");
	if (!S_ISREG(st.st_mode))
		return fail_replaced(reader);
	r = read_link(reader, &st);

	return r == 0 ? read_open_file(reader, &st, &fd) : r < 0 ? r : 0;
}

/* `in_order` NULL: ahead of its turn. */
static int read_item(struct batch *batch, struct ovi_pack *in_order, const struct item *item,
                     const char *texts, struct ovl2_error *err)
{
	const struct reader reader = {
		.batch = batch,
		.in_order = in_order,
		.item = item,
		.path = texts + item->path,
		.name = texts + item->name,
		.err = err,
	};
	int r;

	/* What is full, of long paths or attributes, has the rest put out one by one. */
	if (!in_order && batch->bytes.length >= MAX_BATCH_BYTES) {
		leave_gap(&reader, -1, 0);
		return 0;
	}
	if (item->kind == OVL2_CHANGE_DELETE)
		r = read_whiteout(&reader);
	else if (item->type == DT_DIR)
		r = read_directory(&reader);
	else if (item->type == DT_REG)
		r = read_file(&reader);
	else
		r = read_special(&reader);

	return r < 0 ? ovi_fail_within(err, r, "'/%s'", reader.path) : 0;
}

/* -------------------------------------------------------------------- batches -- */

static void run_batch(void *job)
{
	struct batch *batch = job;

	batch->result = 0;
	for (size_t i = 0; i < batch->item_count && batch->result == 0; i++)
		batch->result =
			read_item(batch, NULL, &batch->items[i], batch->texts.text, &batch->err);
}

static void empty_batch(struct batch *batch)
{
	for (size_t i = 0; i < batch->item_count; i++) {
		ovi_folder_drop(batch->items[i].parent);
		ovi_folder_drop(batch->items[i].self);
	}
	for (size_t i = 0; i < batch->gap_count; i++)
		ovi_close_fd(&batch->gaps[i].fd);
	batch->item_count = 0;
	batch->gap_count = 0;
	batch->open_count = 0;
	ovi_strbuf_cut(&batch->texts, 0);
	ovi_strbuf_cut(&batch->bytes, 0);

	/* Of long paths and attributes: not to be kept. */
	if (batch->texts.room > 4 * MAX_BATCH_BYTES)
		ovi_strbuf_release(&batch->texts);
	if (batch->bytes.room > 4 * MAX_BATCH_BYTES)
		ovi_strbuf_release(&batch->bytes);
}

static int put_bytes(struct ovi_pack *pack, const struct batch *batch, size_t from, size_t to,
                     struct ovl2_error *err)
{
	return from < to ? ovi_sink_write(pack->options.sink, batch->bytes.text + from, to - from,
	                                  err)
	                 : 0;
}

static int put_body(struct ovi_pack *pack, const struct gap *gap, const char *path,
                    struct ovl2_error *err)
{
	static const char zeroes[OVI_TAR_BLOCK];
	int r = ovi_sink_copy(pack->options.sink, gap->fd, gap->size, err);

	if (r < 0)
		return ovi_fail_within(err, r, "'/%s'", path);

	return ovi_sink_write(pack->options.sink, zeroes, ovi_pax_padding(gap->size), err);
}

/* An item whose turn has come: its bytes, then its body where it has one. */
static int put_item(struct ovi_pack *pack, const struct item *item, const char *texts,
                    struct ovl2_error *err)
{
	struct batch *aside = &pack->aside;
	int r;

	r = read_item(aside, pack, item, texts, err);
	if (r == 0)
		r = put_bytes(pack, aside, 0, aside->bytes.length, err);
	if (r == 0 && aside->gap_count > 0)
		r = put_body(pack, &aside->gaps[0], texts + item->path, err);
	empty_batch(aside);

	return r;
}

static int put_batch(struct ovi_pack *pack, const struct batch *batch, struct ovl2_error *err)
{
	const char *texts = batch->texts.text;
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; i < batch->gap_count && r == 0; i++) {
		const struct gap *gap = &batch->gaps[i];

		r = put_bytes(pack, batch, at, gap->offset, err);
		at = gap->offset;
		if (r == 0)
			r = gap->fd >= 0 ? put_body(pack, gap, texts + gap->item->path, err)
			                 : put_item(pack, gap->item, texts, err);
	}
	if (r == 0)
		r = put_bytes(pack, batch, at, batch->bytes.length, err);
	for (size_t i = 0; i < batch->item_count; i++)
		ovi_sink_count(pack->options.sink);
	if (r == 0 && batch->result < 0) {
		if (err)
			*err = batch->err;
		r = batch->result;
	}

	return r;
}

/* 1 when there was a batch to put out. */
static int put_oldest(struct ovi_pack *pack, struct ovl2_error *err)
{
	struct batch *batch = ovi_crew_take(&pack->crew);
	int r;

	if (!batch)
		return 0;
	r = put_batch(pack, batch, err);
	empty_batch(batch);
	ovi_crew_return(&pack->crew);

	return r < 0 ? r : 1;
}

/* ------------------------------------------------------------------------ life -- */

int ovi_pack_new(const struct ovi_pack_options *options, struct ovi_pack **ret_pack,
                 struct ovl2_error *err)
{
	size_t threads = options->threads ? options->threads : ovi_crew_default_threads();
	struct ovi_pack *pack = calloc(1, sizeof(*pack));

	if (!pack)
		return ovi_fail_memory(err);
	pack->options = *options;
	pack->view = -1;
	ovi_inodes_init(&pack->seen, options->store->home);
	pack->batch_count = threads + 2 < MAX_BATCHES ? threads + 2 : MAX_BATCHES;
	pack->batches = calloc(pack->batch_count, sizeof(*pack->batches));
	if (!pack->batches) {
		free(pack);
		return ovi_fail_memory(err);
	}
	ovi_crew_init(&pack->crew, run_batch, pack->batches, sizeof(*pack->batches),
	              pack->batch_count, threads);
	*ret_pack = pack;

	return 0;
}

static void release_batch(struct batch *batch)
{
	empty_batch(batch);
	ovi_strbuf_release(&batch->texts);
	ovi_strbuf_release(&batch->bytes);
}

void ovi_pack_free(struct ovi_pack *pack)
{
	if (!pack)
		return;

	ovi_crew_close(&pack->crew);
	for (size_t i = 0; i < pack->batch_count; i++)
		release_batch(&pack->batches[i]);
	release_batch(&pack->aside);
	free(pack->batches);
	ovi_inodes_release(&pack->seen);
	ovi_close_fd(&pack->view);
	free(pack);
}

static int begin_batch(struct ovi_pack *pack, struct ovl2_error *err)
{
	while (!pack->current) {
		int r;

		pack->current = ovi_crew_free(&pack->crew);
		if (pack->current)
			break;
		r = put_oldest(pack, err);
		if (r < 0)
			return r;
	}

	return 0;
}

int ovi_pack_add(struct ovi_pack *pack, const struct ovi_change *change, struct ovl2_error *err)
{
	const char *path = *change->path ? change->path : ".";
	size_t length = strlen(path);
	struct batch *batch;
	struct item *item;
	int r;

	r = begin_batch(pack, err);
	if (r < 0)
		return r;
	batch = pack->current;
	item = &batch->items[batch->item_count++];
	*item = (struct item){
		.kind = change->kind,
		.type = change->type,
		.path = batch->texts.length,
		.name = batch->texts.length + length - strlen(change->name),
		.parent = change->parent ? ovi_folder_hold(change->parent) : NULL,
		.self = change->self ? ovi_folder_hold(change->self) : NULL,
	};
	ovi_strbuf_add_bytes(&batch->texts, path, length);
	if (change->self)
		ovi_strbuf_add_bytes(&batch->texts, "/", 1);
	ovi_strbuf_add_bytes(&batch->texts, "", 1);
	if (batch->texts.failed)
		return ovi_fail_memory(err);

	if (batch->item_count == MAX_ITEMS || batch->texts.length >= MAX_BATCH_BYTES) {
		pack->current = NULL;
		ovi_crew_give(&pack->crew);
	}

	return 0;
}

int ovi_pack_finish(struct ovi_pack *pack, struct ovl2_error *err)
{
	static const char end[2 * OVI_TAR_BLOCK];
	int r;

	if (pack->current)
		ovi_crew_give(&pack->crew);
	pack->current = NULL;
	do
		r = put_oldest(pack, err);
	while (r > 0);

	return r < 0 ? r : ovi_sink_write(pack->options.sink, end, sizeof(end), err);
}
