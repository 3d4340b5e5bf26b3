#pragma once

/*
 * test_resources_assert_same() without the loop devices: those are the whole
 * machine's, and other tests may be running.
 */

#include "support/test.h"

static inline void assert_nothing_left(struct test_resources before)
{
	struct test_resources now = test_resources_count();

	assert_int_equal(now.fds, before.fds);
	assert_int_equal(now.mounts, before.mounts);
}
