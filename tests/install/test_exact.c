// SPDX-License-Identifier: MIT
#include "release.h"

#include <stdio.h>

/* Counts of what is installed, which valgrind can run: equal in two runs, and a gate. */

#define FEW "--only layer_create --only diff_size --only scale_exists"

static void two_runs_are_equal_to_the_instruction(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *said = NULL;

	release_need("valgrind", "valgrind");
	/* The second from another place, which is no reason to count otherwise. */
	said = release_shell("cd '%s'; ovl2-bench --tier exact " FEW " --output a.json >/dev/null;"
	                     "cp -r \"$PREFIX\" a-copy-of-it;"
	                     "MORE=environment a-copy-of-it/bin/ovl2-bench --tier exact " FEW
	                     " --output b.json >/dev/null;"
	                     "ovl2-report compare --strict a.json b.json",
	                     place->path);
	/* Of four cases, calls and instructions. */
	assert_contains(said, "\n8 equivalent");
}

static void planted_call_regresses(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *said = NULL;

	release_need("valgrind", "valgrind");
	said = release_shell("cd '%s'; ovl2-bench --tier exact --only diff_size --output a.json"
	                     "  >/dev/null;"
	                     "LD_PRELOAD=" PLANTED " ovl2-bench --tier exact --only diff_size"
	                     "  --output b.json >/dev/null;"
	                     "ovl2-report compare a.json b.json || echo \"exit $?\"",
	                     place->path);
	assert_contains(said, "system calls: getppid +");
	assert_contains(said, "1 regressed");
	assert_contains(said, "exit 3");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_runs_are_equal_to_the_instruction),
		cmocka_unit_test(planted_call_regresses),
	};
	int r = test_run("exact", tests, ARRAY_SIZE(tests), argc, argv);

	release_remove();

	return r;
}
