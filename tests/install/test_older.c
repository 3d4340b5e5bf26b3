// SPDX-License-Identifier: MIT
#include "release.h"

/* What is installed, on a kernel that lacks what this one has. */

static void bench_measures_mounts_without_descriptors(void **state)
{
	cleanup_free char *said = NULL;

	(void)state;

	/* It ends with 1 where something failed. */
	said = release_shell("LD_PRELOAD=" OLDER " ovl2-bench --tier smoke --filesystem ext4"
	                     " --only mount_depth --only mount_new --only mount_storm"
	                     " --only many_mounts --only graph_read_20_layers 2>/dev/null");
	assert_contains(said, "\n32 lowers      64 ");
	assert_contains(said, "\nauto        127 ");
	assert_int_equal(strstr(said, "FAILED") != NULL, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bench_measures_mounts_without_descriptors),
	};
	int r = test_run("older", tests, ARRAY_SIZE(tests), argc, argv);

	release_remove();

	return r;
}
