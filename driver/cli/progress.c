#include "progress.h"

#include <ovl2.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MIB (1024.0 * 1024)

/* Often enough for the eye. */
#define INTERVAL_S 0.1

static volatile sig_atomic_t interrupted;

static void note(int number)
{
	interrupted = number;
}

static double seconds_since(const struct timespec *began)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);

	return (double)(now.tv_sec - began->tv_sec) + (double)(now.tv_nsec - began->tv_nsec) / 1e9;
}

void progress_begin(struct progress *progress, const char *when)
{
	/* What waits for a read or a write goes on waiting: then it takes two. */
	const struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESETHAND };
	const int numbers[] = { SIGINT, SIGTERM, SIGHUP };

	*progress = (struct progress){ .is_shown = isatty(STDERR_FILENO) };
	if (when && strcmp(when, "auto") != 0)
		progress->is_shown = strcmp(when, "always") == 0;
	clock_gettime(CLOCK_MONOTONIC, &progress->began);

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		struct sigaction before;

		/* What nohup(1) and shells ignore for it stays ignored. */
		sigaction(numbers[i], NULL, &before);
		if (before.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
	}
}

/* "\033[K" clears what a longer line left. */
static void show(const struct progress *progress, double seconds)
{
	fprintf(stderr, "\r%llu entries, %.1f MiB in %.1f s, %.1f MiB/s\033[K",
	        (unsigned long long)progress->entries, (double)progress->bytes / MIB, seconds,
	        seconds > 0 ? (double)progress->bytes / MIB / seconds : 0);
}

int progress_tell(struct progress *progress, uint64_t entries, uint64_t bytes)
{
	progress->entries = entries;
	progress->bytes = bytes;
	if (progress->is_shown) {
		double seconds = seconds_since(&progress->began);

		if (seconds - progress->shown_s >= INTERVAL_S) {
			progress->shown_s = seconds;
			show(progress, seconds);
		}
	}

	return interrupted != 0;
}

void progress_end(const struct progress *progress)
{
	if (!progress->is_shown)
		return;
	show(progress, seconds_since(&progress->began));
	fputc('\n', stderr);
}

int progress_exit(int result, int exit_code)
{
	int number = interrupted;

	if (result == OVL2_E_CANCELLED && number) {
		signal(number, SIG_DFL);
		raise(number);
	}

	return exit_code;
}
