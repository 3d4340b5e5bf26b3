#include "writers.h"

#include "cleanup.h"
#include "fail.h"
#include "file.h"
#include "strbuf.h"
#include "sys.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

/* More threads only wait for the one that reads the tar and for the filesystem. */
#define MAX_THREADS 3

/* Files handed over at once, at most: a buffer holds 56 of 4 KiB. */
#define MAX_JOBS 64

/* Nor more once their names are so long: errors alone need them. */
#define MAX_PATHS_BYTES ((size_t)64 * 1024)

/* Batches that a thread has, at most: memory, and descriptors. */
#define MAX_WAITING 3

/* So many are done by the caller before there are threads; or one of so many bytes comes. */
#define BATCHES_BEFORE_THREADS 2
#define BYTES_FOR_THREADS ((off_t)1 << 20)

/* Held by the one that is read into, and by each batch that is written from. */
struct buffer {
	struct buffer *next;
	unsigned int users;
	char bytes[];
};

struct job {
	struct ovi_piece piece;
	size_t path; /* where it is in the batch's */
};

/* Pieces that lie in one buffer. Only its first file may have begun before. */
struct batch {
	struct batch *next;
	struct buffer *buffer;
	struct job jobs[MAX_JOBS];
	size_t count;
	struct ovi_strbuf paths;

	/* Where its ranges begin and end: together one read, or else a single large one. */
	off_t from;
	off_t to;

	/* Anybody can do it: no file goes on from another batch, or into one. */
	int is_whole;
};

/* The file whose pieces are being written, -1 for none, and the position in it. */
struct hand {
	int fd;
	off_t at;

	/* For ranges, OVI_BUFFER_BYTES; NULL before the first. */
	char *room;
};

struct worker {
	struct ovi_writers *writers;
	pthread_t thread;
	pthread_cond_t has_work;
	struct hand hand;

	/* Waiting, and those and the one it is at. */
	struct batch *first;
	struct batch **last;
	size_t pending;
	int is_asleep;
};

struct ovi_writers {
	/* Of all queues, counts and free lists. */
	pthread_mutex_t lock;
	pthread_cond_t is_done;
	struct worker workers[MAX_THREADS];
	size_t count;
	size_t wanted;
	int is_awaited;
	int is_stopping;
	struct batch *free_batches;
	struct buffer *free_buffers;

	/* The caller's own: what is read into, and what is to be handed over next. */
	struct buffer *buffer;
	struct batch *batch;
	size_t handed_count;
	int input;

	/* Who has the file that the last batch ended in; NULL: the caller, with this hand. */
	int is_inside_file;
	struct worker *current;
	struct hand hand;
	struct hand urgent_hand;

	atomic_int has_failed;
	pthread_mutex_t failure_lock;
	struct ovl2_error failure;
};

/* -------------------------------------------------------------------- work -- */

/*
 * A tar of ours or Docker's spells holes out. Shorter runs of zeroes are left as they are:
 * one more extent may cost more than the blocks.
 */
#define LEAST_HOLE_BYTES 65536

static int is_hole(const struct ovi_piece *piece)
{
	const char *bytes = piece->bytes;

	return piece->length >= LEAST_HOLE_BYTES && !bytes[0] &&
	       memcmp(bytes, bytes + 1, piece->length - 1) == 0;
}

static int write_piece(struct hand *hand, const struct ovi_piece *piece, struct ovl2_error *err)
{
	int has_bytes = piece->length && !is_hole(piece);
	int r = 0;

	if (has_bytes && piece->offset != hand->at && lseek(hand->fd, piece->offset, SEEK_SET) < 0)
		return ovi_fail_errno(err, "write '%s'", piece->path);
	if (has_bytes) {
		r = ovi_write_all(hand->fd, piece->bytes, piece->length, piece->path, err);
		hand->at = piece->offset + (off_t)piece->length;
	}
	if (r < 0 || !piece->is_last)
		return r;
	if (hand->at < piece->size && ovi_sys.ftruncate(hand->fd, piece->size) < 0)
		return ovi_fail_errno(err, "write '%s'", piece->path);
	r = ovi_stamp_owner(hand->fd, &piece->attributes, piece->path, err);

	return r < 0 ? r : ovi_stamp_time(hand->fd, &piece->attributes, piece->path, err);
}

static void drop(struct hand *hand)
{
	if (hand->fd >= 0)
		close(hand->fd);
	hand->fd = -1;
}

static void release_hand(struct hand *hand)
{
	drop(hand);
	free(hand->room);
}

static void keep_failure(struct ovi_writers *writers, const struct ovl2_error *err)
{
	pthread_mutex_lock(&writers->failure_lock);
	if (!atomic_load(&writers->has_failed))
		writers->failure = *err;
	atomic_store(&writers->has_failed, 1);
	pthread_mutex_unlock(&writers->failure_lock);
}

static int fail_as_before(struct ovi_writers *writers, struct ovl2_error *err)
{
	struct ovl2_error failure;

	pthread_mutex_lock(&writers->failure_lock);
	failure = writers->failure;
	pthread_mutex_unlock(&writers->failure_lock);
	if (err)
		*err = failure;

	return failure.code;
}

/* After a failure, anybody's, files are only put away. */
static void do_piece(struct ovi_writers *writers, struct hand *hand, const struct ovi_piece *piece)
{
	struct ovl2_error err = { 0 };

	if (piece->is_first) {
		hand->fd = piece->fd;
		hand->at = 0;
	}
	if (hand->fd >= 0 && !atomic_load(&writers->has_failed) &&
	    write_piece(hand, piece, &err) < 0)
		keep_failure(writers, &err);
	if (piece->is_last || atomic_load(&writers->has_failed))
		drop(hand);
}

/* Reads `length` bytes of the tar from `from` on, for `path` and others. */
static int read_range(const struct ovi_writers *writers, struct hand *hand, off_t from,
                      size_t length, const char *path, struct ovl2_error *err)
{
	size_t done = 0;

	if (!hand->room)
		hand->room = malloc(OVI_BUFFER_BYTES);
	if (!hand->room)
		return ovi_fail_memory(err);
	while (done < length) {
		ssize_t r = ovi_sys.pread(writers->input, hand->room + done, length - done,
		                          from + (off_t)done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return ovi_fail_errno(err, "read the tar");
		if (r == 0)
			return ovi_fail(err, OVL2_E_CORRUPT,
			                "tar entry '%s': the tar became shorter while it was read",
			                path);
		done += (size_t)r;
	}

	return 0;
}

/* A large range, a buffer at a time. */
static void do_range(struct ovi_writers *writers, struct hand *hand, const struct ovi_piece *piece)
{
	size_t done = 0;

	do {
		struct ovl2_error err = { 0 };
		struct ovi_piece part = *piece;

		part.length = piece->length - done;
		if (part.length > OVI_BUFFER_BYTES)
			part.length = OVI_BUFFER_BYTES;
		part.offset = piece->offset + (off_t)done;
		part.is_first = piece->is_first && done == 0;
		part.is_last = piece->is_last && done + part.length == piece->length;
		if (!atomic_load(&writers->has_failed) &&
		    read_range(writers, hand, piece->from + (off_t)done, part.length, piece->path,
		               &err) < 0)
			keep_failure(writers, &err);
		part.bytes = hand->room;
		do_piece(writers, hand, &part);
		done += part.length;
	} while (done < piece->length);
}

static int is_range(const struct ovi_piece *piece)
{
	return piece->length && !piece->bytes;
}

static void do_any(struct ovi_writers *writers, struct hand *hand, const struct ovi_piece *piece)
{
	if (is_range(piece))
		do_range(writers, hand, piece);
	else
		do_piece(writers, hand, piece);
}

/* Failures are kept. */
static void do_batch(struct ovi_writers *writers, struct hand *hand, struct batch *batch)
{
	size_t length = (size_t)(batch->to - batch->from);
	int is_read = 0;

	if (length && length <= OVI_BUFFER_BYTES && !atomic_load(&writers->has_failed)) {
		struct ovl2_error err = { 0 };

		is_read = read_range(writers, hand, batch->from, length, batch->paths.text, &err) ==
		          0;
		if (!is_read)
			keep_failure(writers, &err);
	}
	for (size_t i = 0; i < batch->count; i++) {
		struct ovi_piece *piece = &batch->jobs[i].piece;

		piece->path = batch->paths.text + batch->jobs[i].path;
		if (is_read && is_range(piece))
			piece->bytes = hand->room + (piece->from - batch->from);
		do_any(writers, hand, piece);
	}
}

/* ----------------------------------------------------------- what is reused -- */

static void drop_buffer(struct ovi_writers *writers, struct buffer *buffer)
{
	if (!buffer || --buffer->users)
		return;
	buffer->next = writers->free_buffers;
	writers->free_buffers = buffer;
}

static struct buffer *take_buffer(struct ovi_writers *writers)
{
	struct buffer *buffer = writers->free_buffers;

	if (buffer)
		writers->free_buffers = buffer->next;
	else
		buffer = malloc(sizeof(*buffer) + OVI_BUFFER_BYTES);
	if (buffer)
		buffer->users = 1;

	return buffer;
}

static void drop_batch(struct ovi_writers *writers, struct batch *batch)
{
	drop_buffer(writers, batch->buffer);
	batch->buffer = NULL;
	batch->count = 0;
	batch->from = 0;
	batch->to = 0;
	ovi_strbuf_cut(&batch->paths, 0);
	batch->next = writers->free_batches;
	writers->free_batches = batch;
}

static struct batch *take_batch(struct ovi_writers *writers)
{
	struct batch *batch = writers->free_batches;

	if (batch)
		writers->free_batches = batch->next;
	else
		batch = calloc(1, sizeof(*batch));
	if (batch && writers->buffer) {
		batch->buffer = writers->buffer;
		batch->buffer->users++;
	}

	return batch;
}

static void free_batch(struct batch *batch)
{
	if (batch)
		ovi_strbuf_release(&batch->paths);
	free(batch);
}

/* ------------------------------------------------------------------ threads -- */

/* Called with the lock held, and back with it. */
static void do_next(struct worker *worker)
{
	struct ovi_writers *writers = worker->writers;
	struct batch *batch = worker->first;

	worker->first = batch->next;
	if (!worker->first)
		worker->last = &worker->first;
	pthread_mutex_unlock(&writers->lock);
	do_batch(writers, &worker->hand, batch);
	pthread_mutex_lock(&writers->lock);
	drop_batch(writers, batch);
	worker->pending--;
	if (writers->is_awaited)
		pthread_cond_signal(&writers->is_done);
}

static void *run_worker(void *data)
{
	struct worker *worker = data;
	struct ovi_writers *writers = worker->writers;

	pthread_mutex_lock(&writers->lock);
	for (;;) {
		while (!worker->first && !writers->is_stopping) {
			worker->is_asleep = 1;
			pthread_cond_wait(&worker->has_work, &writers->lock);
			worker->is_asleep = 0;
		}
		if (!worker->first)
			break;
		do_next(worker);
	}
	pthread_mutex_unlock(&writers->lock);

	return NULL;
}

static size_t count_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

/* The program's signals are the program's: none is handled on a thread of ours. */
static int create_thread(struct worker *worker)
{
	sigset_t all;
	sigset_t before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&worker->thread, NULL, run_worker, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);

	return r;
}

/* Without memory or threads the caller does it all, which is as good. */
static void start_workers(struct ovi_writers *writers)
{
	while (writers->count < writers->wanted) {
		struct worker *worker = &writers->workers[writers->count];

		*worker = (struct worker){ .writers = writers, .hand = { .fd = -1 } };
		worker->last = &worker->first;
		pthread_cond_init(&worker->has_work, NULL);
		if (create_thread(worker) != 0) {
			pthread_cond_destroy(&worker->has_work);
			writers->wanted = writers->count;
			return;
		}
		writers->count++;
	}
}

static void stop_workers(struct ovi_writers *writers)
{
	pthread_mutex_lock(&writers->lock);
	writers->is_stopping = 1;
	for (size_t i = 0; i < writers->count; i++)
		pthread_cond_signal(&writers->workers[i].has_work);
	pthread_mutex_unlock(&writers->lock);
	for (size_t i = 0; i < writers->count; i++) {
		struct worker *worker = &writers->workers[i];

		pthread_join(worker->thread, NULL);
		pthread_cond_destroy(&worker->has_work);
		release_hand(&worker->hand);
	}
}

int ovi_writers_create(struct ovi_writers **ret_writers, struct ovl2_error *err)
{
	struct ovi_writers *writers = calloc(1, sizeof(*writers));
	size_t cpus = count_cpus();

	if (!writers)
		return ovi_fail_memory(err);
	writers->hand.fd = -1;
	writers->urgent_hand.fd = -1;
	pthread_mutex_init(&writers->lock, NULL);
	pthread_cond_init(&writers->is_done, NULL);
	pthread_mutex_init(&writers->failure_lock, NULL);
	writers->wanted = cpus > MAX_THREADS ? MAX_THREADS : cpus - 1;
	*ret_writers = writers;

	return 0;
}

void ovi_writers_read_from(struct ovi_writers *writers, int fd)
{
	writers->input = fd;
}

void ovi_writers_release(struct ovi_writers *writers)
{
	static const struct ovl2_error given_up = { .code = OVL2_E_SYSTEM };

	if (!writers)
		return;
	/* Nothing is left when all went well: ovi_writers_wait() saw to it. */
	keep_failure(writers, &given_up);
	stop_workers(writers);
	if (writers->batch) {
		do_batch(writers, &writers->hand, writers->batch);
		drop_batch(writers, writers->batch);
	}
	release_hand(&writers->hand);
	release_hand(&writers->urgent_hand);
	drop_buffer(writers, writers->buffer);
	while (writers->free_batches) {
		struct batch *batch = writers->free_batches;

		writers->free_batches = batch->next;
		free_batch(batch);
	}
	while (writers->free_buffers) {
		struct buffer *buffer = writers->free_buffers;

		writers->free_buffers = buffer->next;
		free(buffer);
	}
	pthread_cond_destroy(&writers->is_done);
	pthread_mutex_destroy(&writers->lock);
	pthread_mutex_destroy(&writers->failure_lock);
	free(writers);
}

/* ------------------------------------------------------------- handing over -- */

/* The one with the least to do. With the lock held. */
static struct worker *choose_worker(struct ovi_writers *writers)
{
	struct worker *least = &writers->workers[0];

	for (size_t i = 1; i < writers->count; i++)
		if (writers->workers[i].pending < least->pending)
			least = &writers->workers[i];

	return least;
}

/*
 * Who does this batch; NULL is the caller. A file that was begun stays with whom it is;
 * files that find all threads busy are written by the caller rather than waited for.
 */
static struct worker *find_performer(struct ovi_writers *writers, int is_whole)
{
	struct worker *worker = writers->current;

	if (writers->is_inside_file) {
		if (!worker)
			return NULL;
	} else {
		if (!writers->count)
			return NULL;
		worker = choose_worker(writers);
		if (worker->pending >= MAX_WAITING && is_whole)
			return NULL;
	}
	writers->is_awaited = 1;
	while (worker->pending >= MAX_WAITING)
		pthread_cond_wait(&writers->is_done, &writers->lock);
	writers->is_awaited = 0;

	return worker;
}

static void queue(struct worker *worker, struct batch *batch)
{
	batch->next = NULL;
	*worker->last = batch;
	worker->last = &batch->next;
	worker->pending++;
	if (worker->is_asleep)
		pthread_cond_signal(&worker->has_work);
}

static void hand_over(struct ovi_writers *writers)
{
	struct batch *batch = writers->batch;
	struct worker *worker;
	int ends_inside;

	if (!batch || !batch->count)
		return;
	writers->batch = NULL;
	writers->handed_count++;
	if (writers->count < writers->wanted && (writers->handed_count > BATCHES_BEFORE_THREADS ||
	                                         batch->to - batch->from >= BYTES_FOR_THREADS))
		start_workers(writers);
	ends_inside = !batch->jobs[batch->count - 1].piece.is_last;
	batch->is_whole = !ends_inside && !writers->is_inside_file;

	pthread_mutex_lock(&writers->lock);
	worker = find_performer(writers, batch->is_whole);
	if (worker) {
		queue(worker, batch);
	} else {
		pthread_mutex_unlock(&writers->lock);
		do_batch(writers, &writers->hand, batch);
		pthread_mutex_lock(&writers->lock);
		drop_batch(writers, batch);
	}
	pthread_mutex_unlock(&writers->lock);
	writers->current = worker;
	writers->is_inside_file = ends_inside;
}

char *ovi_writers_buffer(struct ovi_writers *writers)
{
	return writers->buffer ? writers->buffer->bytes : NULL;
}

int ovi_writers_renew(struct ovi_writers *writers, const char *kept, size_t length,
                      struct ovl2_error *err)
{
	struct buffer *buffer;

	hand_over(writers);
	pthread_mutex_lock(&writers->lock);
	/* Nobody writes from it: it serves again. */
	if (writers->buffer && writers->buffer->users == 1) {
		buffer = writers->buffer;
		memmove(buffer->bytes, kept, length);
	} else {
		buffer = take_buffer(writers);
		if (buffer && length)
			memcpy(buffer->bytes, kept, length);
		if (buffer) {
			drop_buffer(writers, writers->buffer);
			writers->buffer = buffer;
		}
	}
	pthread_mutex_unlock(&writers->lock);

	return buffer ? 0 : ovi_fail_memory(err);
}

/* -------------------------------------------------------------------- pieces -- */

/* Does it still go into the batch? Ranges must come in with one read. */
static int has_room_for(const struct batch *batch, const struct ovi_piece *piece)
{
	off_t end = piece->from + (off_t)piece->length;

	if (batch->count == MAX_JOBS || batch->paths.length >= MAX_PATHS_BYTES)
		return 0;

	return !is_range(piece) || batch->to == batch->from ||
	       end - batch->from <= (off_t)OVI_BUFFER_BYTES;
}

static void extend(struct batch *batch, const struct ovi_piece *piece)
{
	if (batch->to == batch->from)
		batch->from = piece->from;
	batch->to = piece->from + (off_t)piece->length;
}

static int add_job(struct ovi_writers *writers, const struct ovi_piece *piece)
{
	struct batch *batch = writers->batch;
	size_t path;

	if (batch && !has_room_for(batch, piece))
		hand_over(writers);
	if (!writers->batch) {
		pthread_mutex_lock(&writers->lock);
		writers->batch = take_batch(writers);
		pthread_mutex_unlock(&writers->lock);
	}
	batch = writers->batch;
	if (!batch)
		return -1;
	path = batch->paths.length;
	ovi_strbuf_add_bytes(&batch->paths, piece->path, strlen(piece->path) + 1);
	if (batch->paths.failed)
		return -1;
	batch->jobs[batch->count++] = (struct job){ .piece = *piece, .path = path };
	if (is_range(piece))
		extend(batch, piece);

	/* Nothing else comes in with it. */
	if (batch->to - batch->from >= (off_t)OVI_BUFFER_BYTES)
		hand_over(writers);

	return 0;
}

int ovi_writers_put(struct ovi_writers *writers, const struct ovi_piece *piece,
                    struct ovl2_error *err)
{
	if (piece->is_urgent) {
		do_any(writers, &writers->urgent_hand, piece);
	} else if (add_job(writers, piece) < 0) {
		if (piece->is_first)
			close(piece->fd);
		return ovi_fail_memory(err);
	}

	return atomic_load(&writers->has_failed) ? fail_as_before(writers, err) : 0;
}

/* A batch that waits for its turn, and that anybody can do. */
static struct batch *take_waiting(struct ovi_writers *writers)
{
	for (size_t i = 0; i < writers->count; i++) {
		struct worker *worker = &writers->workers[i];
		struct batch *batch = worker->first;

		if (!batch || !batch->is_whole)
			continue;
		worker->first = batch->next;
		if (!worker->first)
			worker->last = &worker->first;
		worker->pending--;
		return batch;
	}

	return NULL;
}

static int is_busy(const struct ovi_writers *writers)
{
	for (size_t i = 0; i < writers->count; i++)
		if (writers->workers[i].pending)
			return 1;

	return 0;
}

int ovi_writers_wait(struct ovi_writers *writers, struct ovl2_error *err)
{
	hand_over(writers);
	pthread_mutex_lock(&writers->lock);
	writers->is_awaited = 1;
	while (is_busy(writers)) {
		struct batch *batch = take_waiting(writers);

		if (!batch) {
			pthread_cond_wait(&writers->is_done, &writers->lock);
			continue;
		}
		pthread_mutex_unlock(&writers->lock);
		do_batch(writers, &writers->hand, batch);
		pthread_mutex_lock(&writers->lock);
		drop_batch(writers, batch);
	}
	writers->is_awaited = 0;
	pthread_mutex_unlock(&writers->lock);

	return atomic_load(&writers->has_failed) ? fail_as_before(writers, err) : 0;
}
