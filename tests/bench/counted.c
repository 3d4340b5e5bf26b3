/*
 * For test_exact.c: a program with parts to count. Built without sanitizers, so that
 * valgrind can run it.
 *
 *     counted CALLS    calls getppid(2) so often between two marks, half of it in a thread
 */

#include "trace.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Functions to count, found by name. */
int plain_part(size_t length);
int planted_part(size_t length);

/* What libc does in ways that depend on the processor, and on where memory is. */
static int work(size_t length)
{
	char *text = malloc(length + 1);
	char *copy;
	int sum;

	if (!text)
		return -1;
	memset(text, 'a', length);
	text[length] = '\0';
	copy = strdup(text);
	sum = copy && strcmp(text, copy) == 0 ? (int)strlen(copy) : -1;
	free(copy);
	free(text);

	return sum;
}

__attribute__((noinline)) int plain_part(size_t length)
{
	int sum = work(length);

	__asm__ volatile("" ::: "memory");

	return sum;
}

/* One instruction more. */
__attribute__((noinline)) int planted_part(size_t length)
{
	int sum = work(length);

	__asm__ volatile("nop" ::: "memory");

	return sum;
}

static void *call(void *data)
{
	for (unsigned long left = *(unsigned long *)data; left > 0; left--)
		syscall(SYS_getppid);

	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long calls = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long half = calls / 2;
	unsigned long rest = calls - half;
	pthread_t thread;

	while (getchar() != EOF)
		;
	/* What is done once in a process is done before. */
	if (work(calls) != (int)calls || plain_part(calls) != (int)calls ||
	    planted_part(calls) != (int)calls)
		return 1;
	if (calls == 0)
		return 0;

	call(&calls);
	trace_mark();
	if (pthread_create(&thread, NULL, call, &half) != 0)
		return 1;
	call(&rest);
	pthread_join(thread, NULL);
	trace_mark();
	call(&calls);

	return 0;
}
