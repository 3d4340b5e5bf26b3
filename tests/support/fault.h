#pragma once

/*
 * Failure on demand, through the driver's table of system calls. The calls of an
 * operation are counted once; then the operation runs again for each of them, and
 * that call fails, or the process ends there as if the power was cut.
 *
 * Only for programs linked with ovl2_internal.
 */

#include <stddef.h>

enum test_fault_kind {
	/* Nothing: calls are only counted. */
	TEST_FAULT_NONE,

	/* The call fails with the errno; later ones work again. */
	TEST_FAULT_ONCE,

	/* The call and all later ones of the same name fail: a disk that is full. */
	TEST_FAULT_STICKY,

	/* A read or write moves half of what it was asked to; other calls work. */
	TEST_FAULT_SHORT,

	/* The process ends instead of the call: _exit(TEST_FAULT_EXIT). */
	TEST_FAULT_CRASH,

	/* Something happens to the machine before the call: see test_fault_arm_event(). */
	TEST_FAULT_EVENT,
};

#define TEST_FAULT_EXIT 86

/* Puts the counters into ovi_sys. Once a program. */
void test_fault_install(void);

/* From here on only calls with `part` in their name count: "sync"; "" is all of them. */
void test_fault_count_only(const char *part);

/* Counts from zero again, and fails call number `at` (1 is the first). */
void test_fault_arm(enum test_fault_kind kind, size_t at, int sys);

/* Counts from zero again, and does `event` before call number `at`; no call is touched. */
void test_fault_arm_event(size_t at, void (*event)(void *data), void *data);

/* As it was; returns how many calls there were. */
size_t test_fault_disarm(void);

/* Name of the call that failed ("renameat2"); "" when none did. */
const char *test_fault_name(void);
