#pragma once

/*
 * Loop devices whose image lies in one directory: those of a single test, however
 * many others are at work on this machine.
 */

#include <stddef.h>

size_t loops_count(const char *directory);

/* The kernel frees a loop device after the last mount, not at once: waits for it. */
void loops_assert_gone(const char *directory);
