#include "crew.h"

#include <sched.h>
#include <signal.h>
#include <string.h>

/* More do not pay: what they read is put out by one. */
#define DEFAULT_LIMIT 4

size_t ovi_crew_default_threads(void)
{
	cpu_set_t processors;
	size_t count = 1;

	/* Fails where there are more processors than fit: many. */
	if (sched_getaffinity(0, sizeof(processors), &processors) < 0)
		count = DEFAULT_LIMIT;
	else
		count = (size_t)CPU_COUNT(&processors);

	return count < DEFAULT_LIMIT ? count : DEFAULT_LIMIT;
}

void ovi_crew_init(struct ovi_crew *crew, ovi_crew_fn *run, void *jobs, size_t stride, size_t room,
                   size_t threads)
{
	if (threads == 0)
		threads = ovi_crew_default_threads();
	*crew = (struct ovi_crew){
		.run = run,
		.jobs = jobs,
		.stride = stride,
		.room = room,
		.thread_limit = threads > OVI_CREW_MAX_THREADS ? OVI_CREW_MAX_THREADS : threads - 1,
		.is_open = 1,
	};
	pthread_mutex_init(&crew->mutex, NULL);
	pthread_cond_init(&crew->has_work, NULL);
	pthread_cond_init(&crew->has_result, NULL);
}

static void *job_at(struct ovi_crew *crew, size_t number)
{
	return crew->jobs + number % crew->room * crew->stride;
}

/* Does the oldest job that nobody does; the mutex is held before and after. */
static void do_next(struct ovi_crew *crew)
{
	size_t number = crew->begun++;

	pthread_mutex_unlock(&crew->mutex);
	crew->run(job_at(crew, number));
	pthread_mutex_lock(&crew->mutex);
	crew->is_done[number % crew->room] = 1;
	if (crew->is_waiting && number == crew->returned)
		pthread_cond_signal(&crew->has_result);
}

static void *work(void *data)
{
	struct ovi_crew *crew = data;

	pthread_mutex_lock(&crew->mutex);
	while (!crew->is_closing) {
		if (crew->begun < crew->given) {
			do_next(crew);
			continue;
		}
		crew->idle_count++;
		pthread_cond_wait(&crew->has_work, &crew->mutex);
		crew->idle_count--;
	}
	pthread_mutex_unlock(&crew->mutex);

	return NULL;
}

/* Signals are the program's: none is to be handled in a thread that it does not know. */
static void start_thread(struct ovi_crew *crew)
{
	sigset_t all;
	sigset_t before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	/* Where there is no thread to be had, the caller does it all. */
	if (pthread_create(&crew->threads[crew->thread_count], NULL, work, crew) == 0)
		crew->thread_count++;
	else
		crew->thread_limit = crew->thread_count;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void ovi_crew_close(struct ovi_crew *crew)
{
	if (!crew->is_open)
		return;

	pthread_mutex_lock(&crew->mutex);
	crew->is_closing = 1;
	pthread_cond_broadcast(&crew->has_work);
	pthread_mutex_unlock(&crew->mutex);
	for (size_t i = 0; i < crew->thread_count; i++)
		pthread_join(crew->threads[i], NULL);

	pthread_cond_destroy(&crew->has_result);
	pthread_cond_destroy(&crew->has_work);
	pthread_mutex_destroy(&crew->mutex);
	crew->is_open = 0;
}

void *ovi_crew_free(struct ovi_crew *crew)
{
	return crew->given - crew->returned < crew->room ? job_at(crew, crew->given) : NULL;
}

void ovi_crew_give(struct ovi_crew *crew)
{
	int is_idle;

	pthread_mutex_lock(&crew->mutex);
	crew->is_done[crew->given % crew->room] = 0;
	crew->given++;
	is_idle = crew->idle_count > 0;
	/* One job alone the caller does as fast itself. */
	if (!is_idle && crew->thread_count < crew->thread_limit && crew->given - crew->begun > 1)
		start_thread(crew);
	pthread_mutex_unlock(&crew->mutex);
	if (is_idle)
		pthread_cond_signal(&crew->has_work);
}

void *ovi_crew_take(struct ovi_crew *crew)
{
	size_t number = crew->returned;

	if (number == crew->given)
		return NULL;

	pthread_mutex_lock(&crew->mutex);
	while (!crew->is_done[number % crew->room]) {
		if (crew->begun < crew->given) {
			do_next(crew);
			continue;
		}
		crew->is_waiting = 1;
		pthread_cond_wait(&crew->has_result, &crew->mutex);
		crew->is_waiting = 0;
	}
	pthread_mutex_unlock(&crew->mutex);

	return job_at(crew, number);
}

void ovi_crew_return(struct ovi_crew *crew)
{
	pthread_mutex_lock(&crew->mutex);
	crew->returned++;
	pthread_mutex_unlock(&crew->mutex);
}
