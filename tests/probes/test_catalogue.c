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
		{ "overlay_basic", "yes", NULL },
		{ "overlay_read_only", "yes", NULL },
		{ "whiteout_made", "yes", NULL },
		{ "whiteout_hides", "yes", NULL },
		{ "opaque_made", "yes", NULL },
		{ "attributes_copied_up", "yes", NULL },
		{ "inode_numbers", "yes", NULL },
		{ "copy_inside", "yes", NULL },
		{ "redirect_off", "yes", "EXDEV" },
		{ "redirect_dir", "yes", NULL },
		{ "metacopy", "yes", NULL },
		{ "index_guards_upper", "yes", "EBUSY" },
		{ "overlay_stacking", "yes", NULL },
		{ "mount_data_page", "yes", "4095 bytes" },
		{ "mkfs_ext4", "yes", "1." },
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
