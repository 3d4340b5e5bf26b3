// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static struct mounts parse(const char *text)
{
	struct mounts mounts = { 0 };
	char *own = strdup(text);

	assert_non_null(own);
	assert_int_equal(mounts_parse(own, &mounts), 0);

	return mounts;
}

static void lines_are_taken_apart(void **state)
{
	cleanup_mounts struct mounts mounts =
		parse("36 35 98:7 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root "
	              "rw,errors=continue\n"
	              "40 36 0:50 / /m\\040x\\011\\134 ro - overlay overlay "
	              "rw,lowerdir=a:b,index=off\n");
	const struct mounts_entry *entry = mounts_find_id(&mounts, 40);

	(void)state;
	assert_int_equal(mounts.count, 2);
	assert_string_equal(mounts.list[0].target, "/mnt2");
	assert_string_equal(mounts.list[0].options, "rw,noatime");
	assert_string_equal(mounts.list[0].type, "ext3");
	assert_string_equal(mounts.list[0].source, "/dev/root");
	assert_string_equal(mounts.list[0].super_options, "rw,errors=continue");
	assert_true(mounts.list[0].device == makedev(98, 7));
	assert_non_null(entry);
	assert_string_equal(entry->target, "/m x\t\\");
}

static void broken_lines_are_left_out(void **state)
{
	cleanup_mounts struct mounts mounts =
		parse("\n36\n36 35\n36 35 98:7 / /x rw\n36 35 98:7 / /x rw - ext3 src\n"
	              "x 35 98:7 / /x rw - ext3 src rw\n36 35 98 / /x rw - ext3 src rw\n"
	              "37 35 98:7 / /x rw - ext3 src rw");

	(void)state;
	assert_int_equal(mounts.count, 1);
	assert_int_equal(mounts.list[0].id, 37);
}

static void the_topmost_is_found(void **state)
{
	cleanup_mounts struct mounts mounts = parse("1 0 8:1 / /x rw - ext4 a rw\n"
	                                            "2 0 8:1 / /x rw - ext4 b rw\n");

	(void)state;
	assert_int_equal(mounts_find_target(&mounts, "/x")->id, 2);
	assert_int_equal(mounts_find_device(&mounts, makedev(8, 1))->id, 2);
	assert_null(mounts_find_target(&mounts, "/"));
	assert_null(mounts_find_id(&mounts, 3));
	assert_null(mounts_find_device(&mounts, makedev(8, 2)));
}

static void options_are_found_whole(void **state)
{
	static const char options[] = "rw,index=off,userxattr,xino=,lowerdir=a,index_x=1";
	size_t length = 99;

	(void)state;
	assert_memory_equal(mounts_option(options, "index", &length), "off", 3);
	assert_int_equal(length, 3);
	assert_non_null(mounts_option(options, "userxattr", &length));
	assert_int_equal(length, 0);
	assert_non_null(mounts_option(options, "xino", &length));
	assert_int_equal(length, 0);
	assert_null(mounts_option(options, "user", &length));
	assert_null(mounts_option("", "user", &length));
}

/* What the kernel writes of a name with everything that has to be escaped. */
static void names_come_back_as_they_were(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *target = test_path("%s/a b\tc\nd\\e#f", place->path);
	cleanup_mounts struct mounts mounts = { 0 };
	const struct mounts_entry *entry;

	assert_sys(mkdir(target, 0755));
	assert_sys(mount("a source", target, "tmpfs", MS_NODEV, "size=64k"));
	assert_int_equal(mounts_read(&mounts), 0);
	entry = mounts_find_target(&mounts, target);
	assert_non_null(entry);
	assert_string_equal(entry->type, "tmpfs");
	assert_string_equal(entry->source, "a source");
	assert_contains(entry->options, "nodev");
	assert_contains(entry->super_options, "size=64k");
	assert_sys(umount2(target, 0));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_taken_apart),
		cmocka_unit_test(broken_lines_are_left_out),
		cmocka_unit_test(the_topmost_is_found),
		cmocka_unit_test(options_are_found_whole),
		cmocka_unit_test(names_come_back_as_they_were),
	};

	test_enter_namespace();
	return test_run("mounts", tests, ARRAY_SIZE(tests), argc, argv);
}
