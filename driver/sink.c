#include "sink.h"

#include "cleanup.h"
#include "fail.h"
#include "file.h"
#include "press.h"
#include "sys.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Fits into a second level cache, and few calls are needed for large files. */
#define BUFFER_BYTES ((size_t)256 << 10)

/* Moving less inside the kernel costs more calls than it saves copying. */
#define MIN_KERNEL_BYTES ((uint64_t)64 << 10)

/* As much as is moved before the caller hears of it. */
#define MAX_KERNEL_BYTES ((uint64_t)8 << 20)

/* The most that a process without privileges may ask for (pipe-max-size). */
#define PIPE_BYTES (1 << 20)

enum kind {
	SINK_OTHER,
	SINK_PIPE, /* takes pages of files as they are: splice(2) */
	SINK_FILE, /* copy_file_range(2) */
};

struct ovi_sink {
	const struct ovl2_diff_options *options;
	int fd;
	enum kind kind;
	EVP_MD_CTX *digest;
	struct ovi_press *press;
	struct ovl2_diff_progress progress;

	/* Not yet put out. */
	size_t length;
	char buffer[BUFFER_BYTES];
};

static int tell_progress(struct ovi_sink *sink, size_t length, struct ovl2_error *err)
{
	const struct ovl2_diff_options *options = sink->options;

	sink->progress.bytes += length;
	if (options->progress && options->progress(options->progress_data, &sink->progress))
		return ovi_fail_cancelled(err);

	return 0;
}

int ovi_sink_ask(void *data, struct ovl2_error *err)
{
	return tell_progress(data, 0, err);
}

/* The end of the line. */
static int hand_over(void *data, const void *bytes, size_t length, struct ovl2_error *err)
{
	struct ovi_sink *sink = data;
	const struct ovl2_diff_options *options = sink->options;

	if (!options->write)
		return ovi_write_all(sink->fd, bytes, length, "the tar", err);
	if (options->write(options->write_data, bytes, length))
		return ovi_fail_cancelled(err);

	return 0;
}

static int put(struct ovi_sink *sink, const char *bytes, size_t length, struct ovl2_error *err)
{
	int r;

	if (length == 0)
		return 0;
	if (sink->digest && !EVP_DigestUpdate(sink->digest, bytes, length))
		return ovi_fail(err, OVL2_E_SYSTEM, "add to the digest of the tar");
	r = sink->press ? ovi_press_write(sink->press, bytes, length, err)
	                : hand_over(sink, bytes, length, err);

	return r == 0 ? tell_progress(sink, length, err) : r;
}

static int flush(struct ovi_sink *sink, struct ovl2_error *err)
{
	size_t length = sink->length;

	sink->length = 0;

	return put(sink, sink->buffer, length, err);
}

int ovi_sink_write(struct ovi_sink *sink, const char *bytes, size_t length, struct ovl2_error *err)
{
	int r;

	if (length <= BUFFER_BYTES - sink->length && length < BUFFER_BYTES / 4) {
		memcpy(sink->buffer + sink->length, bytes, length);
		sink->length += length;
		return 0;
	}
	r = flush(sink, err);
	if (r < 0)
		return r;
	if (length < BUFFER_BYTES / 4)
		return ovi_sink_write(sink, bytes, length, err);

	return put(sink, bytes, length, err);
}

/* ----------------------------------------------------------------------- copy -- */

static int fail_short(struct ovl2_error *err)
{
	return ovi_fail(err, OVL2_E_BUSY, "the file shrank while it was read");
}

static ssize_t move(const struct ovi_sink *sink, int fd, size_t size)
{
	return sink->kind == SINK_PIPE ? ovi_sys.splice(fd, sink->fd, size)
	                               : ovi_sys.copy_file_range(fd, sink->fd, size);
}

/*
 * Inside the kernel, as much as it does; what is left of `size` is for the caller.
 * Filesystems that cannot do it say so, in several ways, before the first byte.
 */
static int copy_in_kernel(struct ovi_sink *sink, int fd, uint64_t *size, struct ovl2_error *err)
{
	int r;

	r = flush(sink, err);
	while (r == 0 && *size > 0) {
		ssize_t moved = move(sink, fd, *size < MAX_KERNEL_BYTES ? *size : MAX_KERNEL_BYTES);

		if (moved < 0 && errno == EINTR)
			continue;
		if (moved < 0 && (errno == EINVAL || errno == EXDEV || errno == EBADF ||
		                  errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM)) {
			sink->kind = SINK_OTHER;
			return 0;
		}
		if (moved < 0)
			return ovi_fail_errno(err, "write 'the tar'");
		/* The end, or a file that has none to copy: reading tells. */
		if (moved == 0)
			return 0;
		*size -= (uint64_t)moved;
		r = tell_progress(sink, (size_t)moved, err);
	}

	return r;
}

static int copy_by_reading(struct ovi_sink *sink, int fd, uint64_t size, struct ovl2_error *err)
{
	while (size > 0) {
		size_t room = BUFFER_BYTES - sink->length;
		ssize_t length;

		if (room == 0) {
			int r = flush(sink, err);

			if (r < 0)
				return r;
			continue;
		}
		length = ovi_sys.read(fd, sink->buffer + sink->length, size < room ? size : room);
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return ovi_fail_errno(err, "read it");
		if (length == 0)
			return fail_short(err);
		sink->length += (size_t)length;
		size -= (uint64_t)length;
	}

	return 0;
}

static int copy_data(struct ovi_sink *sink, int fd, uint64_t size, struct ovl2_error *err)
{
	int r = 0;

	if (sink->kind != SINK_OTHER && size >= MIN_KERNEL_BYTES)
		r = copy_in_kernel(sink, fd, &size, err);

	return r == 0 ? copy_by_reading(sink, fd, size, err) : r;
}

static int write_zeroes(struct ovi_sink *sink, uint64_t size, struct ovl2_error *err)
{
	static const char zeroes[BUFFER_BYTES / 4];
	int r = 0;

	while (size > 0 && r == 0) {
		size_t part = size < sizeof(zeroes) ? (size_t)size : sizeof(zeroes);

		r = ovi_sink_write(sink, zeroes, part, err);
		size -= part;
	}

	return r;
}

/* Holes are not read, only written: the tar has no way to leave them out. */
static int copy_sparse(struct ovi_sink *sink, int fd, uint64_t size, struct ovl2_error *err)
{
	off_t at = 0;
	int r = 0;

	while (r == 0 && (uint64_t)at < size) {
		off_t data = lseek(fd, at, SEEK_DATA);
		off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		struct stat st;

		if (data < 0 && errno != ENXIO)
			return ovi_fail_errno(err, "look for data in it");
		if (data >= 0 && (hole < 0 || lseek(fd, data, SEEK_SET) < 0))
			return ovi_fail_errno(err, "look for a hole in it");
		/* No more data: a hole at the end, or the end itself came closer. */
		if (data < 0 && ovi_sys.fstatat(fd, "", &st, AT_EMPTY_PATH) < 0)
			return ovi_fail_errno(err, "look at it");
		if (data < 0 && (uint64_t)st.st_size < size)
			return fail_short(err);
		if (data < 0 || (uint64_t)data > size)
			return write_zeroes(sink, size - (uint64_t)at, err);

		if ((uint64_t)hole > size)
			hole = (off_t)size;
		r = write_zeroes(sink, (uint64_t)(data - at), err);
		if (r == 0)
			r = copy_data(sink, fd, (uint64_t)(hole - data), err);
		at = hole;
	}

	return r;
}

int ovi_sink_copy(struct ovi_sink *sink, int fd, uint64_t size, struct ovl2_error *err)
{
	struct stat st;

	if (size < MIN_KERNEL_BYTES)
		return copy_by_reading(sink, fd, size, err);
	if (ovi_sys.fstatat(fd, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "look at it");

	return (uint64_t)st.st_blocks * 512 < size ? copy_sparse(sink, fd, size, err)
	                                           : copy_data(sink, fd, size, err);
}

/* --------------------------------------------------------------- life and end -- */

void ovi_sink_count(struct ovi_sink *sink)
{
	sink->progress.entries++;
}

static int open_digest(struct ovi_sink *sink, struct ovl2_error *err)
{
	sink->digest = EVP_MD_CTX_new();
	if (!sink->digest)
		return ovi_fail_memory(err);
	if (!EVP_DigestInit_ex(sink->digest, EVP_sha256(), NULL))
		return ovi_fail(err, OVL2_E_SYSTEM, "begin a sha256");

	return 0;
}

static int open_press(struct ovi_sink *sink, struct ovl2_error *err)
{
	const struct ovi_press_options options = {
		.compression = (enum ovl2_compression)sink->options->compression,
		.level = sink->options->compression_level,
		.threads = sink->options->threads,
		.put = hand_over,
		.data = sink,
	};

	return ovi_press_new(&options, &sink->press, err);
}

/* Only what nobody else has to see can stay inside the kernel. */
static void choose_kind(struct ovi_sink *sink)
{
	struct stat st;

	if (sink->options->write || sink->digest || sink->press ||
	    ovi_sys.fstatat(sink->fd, "", &st, AT_EMPTY_PATH) < 0)
		return;
	if (S_ISFIFO(st.st_mode)) {
		sink->kind = SINK_PIPE;
		/* Fewer turns between who writes and who reads. Where it cannot be: as it is. */
		if (fcntl(sink->fd, F_GETPIPE_SZ) < PIPE_BYTES)
			(void)fcntl(sink->fd, F_SETPIPE_SZ, PIPE_BYTES);
	}
	if (S_ISREG(st.st_mode))
		sink->kind = SINK_FILE;
}

int ovi_sink_new(const struct ovl2_diff_options *options, int fd, struct ovi_sink **ret_sink,
                 struct ovl2_error *err)
{
	struct ovi_sink *sink = malloc(sizeof(*sink));
	int r = 0;

	if (!sink)
		return ovi_fail_memory(err);
	/* Not the buffer: a small layer needs little of it. */
	memset(sink, 0, offsetof(struct ovi_sink, buffer));
	sink->options = options;
	sink->fd = fd;
	if (options->write && fd >= 0)
		r = ovi_fail(err, OVL2_E_INVALID, "a descriptor and a callback to write to");
	if (r == 0 && options->digest)
		r = open_digest(sink, err);
	if (r == 0 && options->compression)
		r = open_press(sink, err);
	if (r < 0) {
		ovi_sink_free(sink);
		return r;
	}
	choose_kind(sink);
	*ret_sink = sink;

	return 0;
}

void ovi_sink_free(struct ovi_sink *sink)
{
	if (!sink)
		return;

	ovi_press_free(sink->press);
	EVP_MD_CTX_free(sink->digest);
	free(sink);
}

static int finish_digest(struct ovi_sink *sink, struct ovl2_error *err)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned int length;

	if (!EVP_DigestFinal_ex(sink->digest, bytes, &length))
		return ovi_fail(err, OVL2_E_SYSTEM, "end the sha256 of the tar");
	for (unsigned int i = 0; i < length; i++)
		sprintf(sink->options->digest + (size_t)2 * i, "%02x", bytes[i]);

	return 0;
}

int ovi_sink_finish(struct ovi_sink *sink, struct ovl2_error *err)
{
	int r;

	r = flush(sink, err);
	if (r == 0 && sink->press)
		r = ovi_press_finish(sink->press, err);
	if (r == 0 && sink->digest)
		r = finish_digest(sink, err);

	return r;
}
