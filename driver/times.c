#include "times.h"

#include "cleanup.h"
#include "fail.h"
#include "spill.h"

#include <string.h>

/* Some 15,000 directories. */
#define MEMORY_BYTES ((size_t)1 << 20)

/*
 * Its path is the first `shared` bytes of that of the one before, and the `own` bytes that
 * follow here: in a deep tree paths are long, and nearly the same.
 */
struct entry {
	ino_t inode;
	struct timespec mtime;
	size_t shared;
	size_t own;
};

void ovi_times_release(struct ovi_times *times)
{
	int saved = errno;

	ovi_strbuf_release(&times->bytes);
	ovi_strbuf_release(&times->path);
	ovi_close_fd(&times->fd);
	*times = (struct ovi_times)OVI_TIMES_NONE;
	errno = saved;
}

/* A block of the file: its length, then the entries. A disk that is full leaves them here. */
static void write_block(struct ovi_times *times)
{
	const size_t length = times->bytes.length;

	if (times->fd < 0)
		times->fd = ovi_spill_open(times->place);
	if (times->fd >= 0 &&
	    ovi_spill_write(times->fd, &length, sizeof(length), times->written, NULL) == 0 &&
	    ovi_spill_write(times->fd, times->bytes.text, length, times->written + sizeof(length),
	                    NULL) == 0) {
		times->written += sizeof(length) + length;
		ovi_strbuf_cut(&times->bytes, 0);
		return;
	}
	times->place = -1;
}

/* How many bytes they begin with alike. */
static size_t count_shared(const struct ovi_strbuf *one, const char *other)
{
	size_t count = 0;

	while (count < one->length && one->text[count] == other[count])
		count++;

	return count;
}

static int replace_end(struct ovi_strbuf *path, size_t from, const char *end, size_t length,
                       struct ovl2_error *err)
{
	ovi_strbuf_cut(path, from);
	ovi_strbuf_add_bytes(path, end, length);

	return path->failed ? ovi_fail_memory(err) : 0;
}

int ovi_times_add(struct ovi_times *times, const char *path, ino_t inode,
                  const struct timespec *mtime, struct ovl2_error *err)
{
	size_t shared = count_shared(&times->path, path);
	const struct entry entry = {
		.inode = inode,
		.mtime = *mtime,
		.shared = shared,
		.own = strlen(path) - shared,
	};

	ovi_strbuf_add_bytes(&times->bytes, &entry, sizeof(entry));
	ovi_strbuf_add_bytes(&times->bytes, path + shared, entry.own);
	if (times->bytes.failed)
		return ovi_fail_memory(err);
	if (times->bytes.length >= MEMORY_BYTES && times->place >= 0)
		write_block(times);

	return replace_end(&times->path, shared, path + shared, entry.own, err);
}

static int take_entries(struct ovi_strbuf *path, const struct ovi_strbuf *bytes, ovi_times_fn *each,
                        void *data, struct ovl2_error *err)
{
	size_t at = 0;
	int r = 0;

	while (r == 0 && at < bytes->length) {
		struct entry entry;

		memcpy(&entry, bytes->text + at, sizeof(entry));
		at += sizeof(entry);
		r = replace_end(path, entry.shared, bytes->text + at, entry.own, err);
		at += entry.own;
		if (r == 0)
			r = each(data, path->text, entry.inode, &entry.mtime, err);
	}

	return r;
}

static int take_block(const struct ovi_times *times, uint64_t *at, struct ovi_strbuf *bytes,
                      struct ovl2_error *err)
{
	size_t length;
	char *room;
	int r;

	r = ovi_spill_read(times->fd, &length, sizeof(length), *at, err);
	if (r < 0)
		return r;
	ovi_strbuf_cut(bytes, 0);
	room = ovi_strbuf_reserve(bytes, length);
	if (!room)
		return ovi_fail_memory(err);
	r = ovi_spill_read(times->fd, room, length, *at + sizeof(length), err);
	ovi_strbuf_filled(bytes, length);
	*at += sizeof(length) + length;

	return r;
}

int ovi_times_take(struct ovi_times *times, ovi_times_fn *each, void *data, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf bytes = { 0 };
	uint64_t at = 0;
	int r = 0;

	ovi_strbuf_cut(&times->path, 0);
	while (r == 0 && at < times->written) {
		r = take_block(times, &at, &bytes, err);
		if (r == 0)
			r = take_entries(&times->path, &bytes, each, data, err);
	}
	if (r == 0)
		r = take_entries(&times->path, &times->bytes, each, data, err);
	ovi_times_release(times);

	return r;
}
