#include "writers.h"

#include "cleanup.h"
#include "fail.h"
#include "file.h"
#include "sys.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

/* More threads only wait for the one that reads the tar and for the filesystem. */
#define MAX_THREADS 3

/* What a thread has waiting, at most: memory, and descriptors. */
#define RING_BYTES ((size_t)2 * 1024 * 1024)
#define MAX_JOBS 64

/* A sleeping thread is woken for this much: a wake-up costs as much as a file. */
#define WAKE_JOBS 16
#define WAKE_BYTES ((size_t)128 * 1024)

/* So many files are written by the caller before there are threads. */
#define FILES_BEFORE_THREADS 32
#define BYTES_BEFORE_THREADS ((size_t)1024 * 1024)

/* Records of the ring are multiples of this, so that each place has room for a head. */
#define JOB_UNIT 128

/* More than this at once makes nothing faster. */
#define PIECE_BYTES ((size_t)256 * 1024)

/* Followed by the path and its NUL, then the bytes. */
struct job {
	/* Of the whole record; one without a file fills the end of the ring. */
	size_t total;
	int is_filler;
	struct ovi_piece piece;
};

_Static_assert(sizeof(struct job) <= JOB_UNIT, "a unit holds the head of a record");

/* The file whose pieces are being written, -1 for none, and the position in it. */
struct hand {
	int fd;
	off_t at;
};

struct worker {
	struct ovi_writers *writers;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t has_work;
	pthread_cond_t has_room;
	struct hand hand;
	char *ring;

	/* Bytes ever put in and ever taken out. */
	size_t head;
	size_t tail;
	size_t jobs;
	int is_asleep;
	int is_awaited;
	int is_stopping;
};

struct ovi_writers {
	struct worker workers[MAX_THREADS];
	size_t count;
	size_t wanted;
	size_t files;
	size_t bytes;

	/* Who has the file whose pieces come now; NULL: the caller, with this hand. */
	struct worker *current;
	struct hand hand;

	atomic_int has_failed;
	pthread_mutex_t failure_lock;
	struct ovl2_error failure;
};

/* -------------------------------------------------------------------- work -- */

static int write_piece(struct hand *hand, const struct ovi_piece *piece, struct ovl2_error *err)
{
	int r = 0;

	if (piece->length && piece->offset != hand->at &&
	    lseek(hand->fd, piece->offset, SEEK_SET) < 0)
		return ovi_fail_errno(err, "write '%s'", piece->path);
	if (piece->length) {
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

	if (piece->is_first)
		*hand = (struct hand){ .fd = piece->fd };
	if (hand->fd >= 0 && !atomic_load(&writers->has_failed) &&
	    write_piece(hand, piece, &err) < 0)
		keep_failure(writers, &err);
	if (piece->is_last || atomic_load(&writers->has_failed))
		drop(hand);
}

static struct job *job_at(const struct worker *worker, size_t position)
{
	return (struct job *)(worker->ring + position % RING_BYTES);
}

static void *run_worker(void *data)
{
	struct worker *worker = data;

	pthread_mutex_lock(&worker->lock);
	for (;;) {
		const struct job *job;

		while (worker->head == worker->tail && !worker->is_stopping) {
			worker->is_asleep = 1;
			pthread_cond_wait(&worker->has_work, &worker->lock);
			worker->is_asleep = 0;
		}
		if (worker->head == worker->tail)
			break;
		job = job_at(worker, worker->tail);
		pthread_mutex_unlock(&worker->lock);
		if (!job->is_filler)
			do_piece(worker->writers, &worker->hand, &job->piece);
		pthread_mutex_lock(&worker->lock);
		worker->jobs -= !job->is_filler;
		worker->tail += job->total;
		if (worker->is_awaited && worker->head - worker->tail <= RING_BYTES / 2)
			pthread_cond_signal(&worker->has_room);
	}
	pthread_mutex_unlock(&worker->lock);

	return NULL;
}

/* ------------------------------------------------------------------ threads -- */

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
static void start_worker(struct ovi_writers *writers)
{
	struct worker *worker = &writers->workers[writers->count];

	*worker = (struct worker){ .writers = writers, .hand = { .fd = -1 } };
	worker->ring = aligned_alloc(JOB_UNIT, RING_BYTES);
	if (!worker->ring)
		return;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->has_work, NULL);
	pthread_cond_init(&worker->has_room, NULL);
	if (create_thread(worker) == 0) {
		writers->count++;
		return;
	}
	pthread_cond_destroy(&worker->has_room);
	pthread_cond_destroy(&worker->has_work);
	pthread_mutex_destroy(&worker->lock);
	free(worker->ring);
}

static void stop_worker(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->is_stopping = 1;
	pthread_cond_signal(&worker->has_work);
	pthread_mutex_unlock(&worker->lock);
	pthread_join(worker->thread, NULL);
	pthread_cond_destroy(&worker->has_room);
	pthread_cond_destroy(&worker->has_work);
	pthread_mutex_destroy(&worker->lock);
	drop(&worker->hand);
	free(worker->ring);
}

int ovi_writers_create(struct ovi_writers **ret_writers, struct ovl2_error *err)
{
	struct ovi_writers *writers = calloc(1, sizeof(*writers));
	size_t cpus = count_cpus();

	if (!writers)
		return ovi_fail_memory(err);
	writers->hand.fd = -1;
	pthread_mutex_init(&writers->failure_lock, NULL);
	writers->wanted = cpus > MAX_THREADS ? MAX_THREADS : cpus - 1;
	*ret_writers = writers;

	return 0;
}

void ovi_writers_release(struct ovi_writers *writers)
{
	static const struct ovl2_error given_up = { .code = OVL2_E_SYSTEM };

	if (!writers)
		return;
	/* Nothing to wait for when all went well: ovi_writers_wait() did. */
	keep_failure(writers, &given_up);
	for (size_t i = 0; i < writers->count; i++)
		stop_worker(&writers->workers[i]);
	drop(&writers->hand);
	pthread_mutex_destroy(&writers->failure_lock);
	free(writers);
}

/* -------------------------------------------------------------------- queue -- */

/* Bytes of the ring that a record of `total` takes here: it must lie in one piece. */
static size_t space_for(const struct worker *worker, size_t total)
{
	size_t behind = RING_BYTES - worker->head % RING_BYTES;

	return behind >= total ? total : behind + total;
}

static int fits(const struct worker *worker, size_t total)
{
	return worker->jobs < MAX_JOBS &&
	       worker->head - worker->tail + space_for(worker, total) <= RING_BYTES;
}

static void wait_for_room(struct worker *worker, size_t total)
{
	worker->is_awaited = 1;
	while (!fits(worker, total)) {
		pthread_cond_signal(&worker->has_work);
		pthread_cond_wait(&worker->has_room, &worker->lock);
	}
	worker->is_awaited = 0;
}

/* Only the end of the ring is too short for a record: it gets an empty one. */
static void add_filler(struct worker *worker, size_t total)
{
	size_t filler = space_for(worker, total) - total;

	if (!filler)
		return;
	*job_at(worker, worker->head) = (struct job){ .total = filler, .is_filler = 1 };
	worker->head += filler;
}

static size_t total_of(const struct ovi_piece *piece)
{
	size_t total = sizeof(struct job) + strlen(piece->path) + 1 + piece->length;

	return (total + JOB_UNIT - 1) / JOB_UNIT * JOB_UNIT;
}

static void add_job(struct worker *worker, const struct ovi_piece *piece, size_t total)
{
	size_t path_size = strlen(piece->path) + 1;
	struct job *job;
	char *at;

	add_filler(worker, total);
	job = job_at(worker, worker->head);
	*job = (struct job){ .total = total, .piece = *piece };
	at = (char *)(job + 1);
	job->piece.path = memcpy(at, piece->path, path_size);
	if (piece->length)
		job->piece.bytes = memcpy(at + path_size, piece->bytes, piece->length);
	worker->head += total;
	worker->jobs++;
	if (worker->is_asleep &&
	    (worker->jobs >= WAKE_JOBS || worker->head - worker->tail >= WAKE_BYTES))
		pthread_cond_signal(&worker->has_work);
}

/* A whole file that finds no room is written by the caller rather than waited for. */
static int offer(struct worker *worker, const struct ovi_piece *piece)
{
	size_t total = total_of(piece);
	int is_taken = 1;

	pthread_mutex_lock(&worker->lock);
	if (!fits(worker, total) && piece->is_first && piece->is_last)
		is_taken = 0;
	else if (!fits(worker, total))
		wait_for_room(worker, total);
	if (is_taken)
		add_job(worker, piece, total);
	pthread_mutex_unlock(&worker->lock);

	return is_taken;
}

/* In turn: files that come one after the other are of one kind, mostly. */
static void choose_worker(struct ovi_writers *writers, const struct ovi_piece *piece)
{
	writers->files++;
	writers->bytes += piece->length;
	if (writers->wanted &&
	    (writers->files > FILES_BEFORE_THREADS || writers->bytes > BYTES_BEFORE_THREADS)) {
		while (writers->count < writers->wanted) {
			size_t before = writers->count;

			start_worker(writers);
			if (writers->count == before)
				writers->wanted = before;
		}
	}
	writers->current =
		writers->count ? &writers->workers[writers->files % writers->count] : NULL;
}

static void put_small(struct ovi_writers *writers, const struct ovi_piece *piece)
{
	if (piece->is_first)
		choose_worker(writers, piece);
	if (writers->current && offer(writers->current, piece))
		return;
	writers->current = NULL;
	do_piece(writers, &writers->hand, piece);
}

int ovi_writers_put(struct ovi_writers *writers, const struct ovi_piece *piece,
                    struct ovl2_error *err)
{
	size_t done = 0;

	do {
		struct ovi_piece part = *piece;

		part.bytes = piece->length ? (const char *)piece->bytes + done : NULL;
		part.length = piece->length - done;
		if (part.length > PIECE_BYTES)
			part.length = PIECE_BYTES;
		part.offset = piece->offset + (off_t)done;
		part.is_first = piece->is_first && done == 0;
		done += part.length;
		part.is_last = piece->is_last && done == piece->length;
		put_small(writers, &part);
	} while (done < piece->length);

	return atomic_load(&writers->has_failed) ? fail_as_before(writers, err) : 0;
}

int ovi_writers_wait(struct ovi_writers *writers, struct ovl2_error *err)
{
	for (size_t i = 0; i < writers->count; i++) {
		struct worker *worker = &writers->workers[i];

		pthread_mutex_lock(&worker->lock);
		worker->is_awaited = 1;
		while (worker->head != worker->tail) {
			pthread_cond_signal(&worker->has_work);
			pthread_cond_wait(&worker->has_room, &worker->lock);
		}
		worker->is_awaited = 0;
		pthread_mutex_unlock(&worker->lock);
	}

	return atomic_load(&writers->has_failed) ? fail_as_before(writers, err) : 0;
}
