#pragma once

/*
 * Jobs done by several threads, whose results come out in the order in which the jobs
 * went in. The thread that gives them does its share: it never waits while a job is
 * left that nobody does, and does all of them where there is one processor. So what
 * comes out never depends on how many threads there are.
 *
 *     while ((job = ovi_crew_free(&crew))) ... fill it in ... ovi_crew_give(&crew);
 *     job = ovi_crew_take(&crew); ... use it ... ovi_crew_return(&crew);
 */

#include <pthread.h>
#include <stddef.h>

#define OVI_CREW_MAX_THREADS 8
#define OVI_CREW_MAX_JOBS 32

typedef void ovi_crew_fn(void *job);

/* Start from all zeroes, then ovi_crew_init(). */
struct ovi_crew {
	ovi_crew_fn *run;

	/* The caller's jobs: a ring of `room`, each `stride` bytes. */
	char *jobs;
	size_t stride;
	size_t room;

	/* How many were ever returned, begun and given: the first two follow the last. */
	size_t returned;
	size_t begun;
	size_t given;
	unsigned char is_done[OVI_CREW_MAX_JOBS];

	/* Those beside the caller's. Started when there is something for them to do. */
	pthread_t threads[OVI_CREW_MAX_THREADS];
	size_t thread_count;
	size_t thread_limit;
	size_t idle_count;
	int is_waiting; /* the caller, for the job at `returned` */
	int is_closing;
	int is_open;
	pthread_mutex_t mutex;
	pthread_cond_t has_work;
	pthread_cond_t has_result;
};

/* How many threads of a process pay here: processors it may use, within reason. */
size_t ovi_crew_default_threads(void);

/*
 * `jobs`: `room` of them, at most OVI_CREW_MAX_JOBS. `threads` counts the caller's;
 * 0 means as many as pay.
 */
void ovi_crew_init(struct ovi_crew *crew, ovi_crew_fn *run, void *jobs, size_t stride, size_t room,
                   size_t threads);

/* Lets what was begun end, drops the rest, ends all threads. Zeroes are fine. */
void ovi_crew_close(struct ovi_crew *crew);

/* The job to fill in next; NULL when all are given: take one first. */
void *ovi_crew_free(struct ovi_crew *crew);
void ovi_crew_give(struct ovi_crew *crew);

/* The oldest given, done; NULL when there is none. */
void *ovi_crew_take(struct ovi_crew *crew);
void ovi_crew_return(struct ovi_crew *crew);
