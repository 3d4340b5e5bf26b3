// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "support/filesystem.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

/* The tools that every other test trusts. */

static void place_is_on_the_filesystem_it_names(void **state)
{
	const struct {
		const char *type;
		unsigned long magic;
	} known[] = {
		{ "ext4", 0xEF53 },
		{ "xfs", 0x58465342 },
		{ "btrfs", 0x9123683E },
		{ "tmpfs", 0x01021994 },
	};
	struct test_place *place = *state;
	struct statfs status;

	assert_sys(fstatfs(place->fd, &status));
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(known[i].type, place->filesystem))
			assert_int_equal((unsigned long)status.f_type, known[i].magic);
}

static void place_is_empty_and_new(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *file = test_path("%s/file", place->path);
	cleanup_fd int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
}

static void unmounting_a_filesystem_leaves_nothing(void **state)
{
	struct test_place *place = *state;
	const struct test_filesystem filesystem = { .type = place->filesystem };
	struct test_resources before = test_resources_count();
	cleanup_free char *target = test_path("%s/inner", place->path);
	struct ovl2_error err = { 0 };

	assert_sys(mkdir(target, 0755));
	assert_ok(test_filesystem_mount(&filesystem, target, &err), &err);
	assert_true(test_is_mounted(target));
	assert_int_equal(test_resources_count().mounts, before.mounts + 1);
	assert_int_equal(test_resources_count().loops,
	                 before.loops + (strcmp(place->filesystem, "tmpfs") != 0));
	test_unmount_below(target);

	assert_false(test_is_mounted(target));
	test_resources_assert_same(before);
}

static void unknown_filesystem_is_unsupported(void **state)
{
	struct test_place *place = *state;
	const struct test_filesystem filesystem = { .type = "nosuchfs" };
	struct ovl2_error err = { 0 };

	assert_fails(test_filesystem_mount(&filesystem, place->path, &err), OVL2_E_UNSUPPORTED,
	             &err);
}

static void spawn_keeps_both_outputs_and_the_status(void **state)
{
	const char *argv[] = { "sh", "-c", "echo out; echo err >&2; exit 3", NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;
	assert_string_equal(output.out, "out\n");
	assert_string_equal(output.err, "err\n");
	assert_int_equal(output.status, 3);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(place_is_on_the_filesystem_it_names),
		cmocka_unit_test(place_is_empty_and_new),
		cmocka_unit_test(unmounting_a_filesystem_leaves_nothing),
		cmocka_unit_test(unknown_filesystem_is_unsupported),
		cmocka_unit_test(spawn_keeps_both_outputs_and_the_status),
	};

	test_enter_namespace();
	return test_run_everywhere("support", tests, ARRAY_SIZE(tests), argc, argv);
}
