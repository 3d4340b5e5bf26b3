// SPDX-License-Identifier: MIT
#include "catalogue.h"

#include "dir.h"

/*
 * All probes, on every filesystem that carries layers well: what is the same on all of
 * them, and what each is known for.
 */

static void everywhere_the_same(void **state)
{
	static const struct catalogue_row rows[] = {
		{ "kernel_version", "yes", NULL },
		{ .id = NULL },
	};
	struct test_place *place = *state;

	catalogue_check(place->path, rows);
	assert_int_equal(ovi_dir_is_empty(place->fd, "place", NULL), 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everywhere_the_same),
	};

	test_enter_namespace();

	return test_run_everywhere("catalogue", tests, ARRAY_SIZE(tests), argc, argv);
}
