// SPDX-License-Identifier: MIT
#include "fixture.h"

#include "inodes.h"
#include "names.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* What a diff is made of, at sizes that no test of the whole could have. */

#define NAMES 2000

/* More than are kept in memory, but not in a multiple of what the test steps by. */
#define MANY_FILES 200000

static void make_names(int dir)
{
	for (unsigned int i = 0; i < NAMES; i++) {
		cleanup_free char *name = test_path("%0*u", 4 + (int)(i % 40), i * 7919 % NAMES);

		assert_sys(mknodat(dir, name, S_IFREG | 0600, 0));
	}
}

/* Whatever fits at a time, all names come, once, in order. */
static void check_order(int dir, size_t limit)
{
	cleanup_names struct ovi_names names;
	struct ovl2_error err = { 0 };
	char last[256] = "";
	unsigned char type;
	const char *name;
	size_t count = 0;
	int r;

	assert_int_equal(lseek(dir, 0, SEEK_SET), 0);
	ovi_names_init(&names, dir);
	names.limit = limit;
	while ((r = ovi_names_peek(&names, &name, &type, &err)) > 0) {
		assert_true(strcmp(last, name) < 0);
		assert_int_equal(type, DT_REG);
		assert_true(names.length <= limit + 257);
		(void)snprintf(last, sizeof(last), "%s", name);
		count++;
		ovi_names_next(&names);
	}
	assert_ok(r, &err);
	assert_int_equal(count, NAMES);
}

static void names_come_in_order_within_any_memory(void **state)
{
	static const size_t limits[] = { 300, 1000, 30000, OVI_NAMES_BYTES };
	struct test_place *place = *state;
	int dir;

	assert_sys(mkdirat(place->fd, "names", 0755));
	dir = openat(place->fd, "names", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	make_names(dir);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		check_order(dir, limits[i]);
	close(dir);
}

static void unordered_names_come_all(void **state)
{
	struct test_place *place = *state;
	cleanup_names struct ovi_names names;
	struct ovl2_error err = { 0 };
	unsigned char type;
	const char *name;
	size_t count = 0;
	int dir;
	int r;

	assert_sys(mkdirat(place->fd, "names", 0755));
	dir = openat(place->fd, "names", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_names(dir);
	ovi_names_init(&names, dir);
	names.is_unordered = 1;
	for (; (r = ovi_names_peek(&names, &name, &type, &err)) > 0; ovi_names_next(&names))
		count++;
	close(dir);
	assert_ok(r, &err);
	assert_int_equal(count, NAMES);
}

/* Meets one name of file `number`; what it is called in round 0 is the first. */
static void meet(struct ovi_inodes *inodes, unsigned int round, unsigned int number)
{
	const struct stat status = {
		.st_dev = number % 2,
		.st_ino = (ino_t)(number / 2) * 64 + 128,
		.st_nlink = 2 + number % 2,
		.st_mode = S_IFREG,
	};
	cleanup_free char *path = test_path("%u/a/path/of/some/length/%u", round, number);
	cleanup_free char *expected = test_path("0/a/path/of/some/length/%u", number);
	struct ovl2_error err = { 0 };
	const char *first = NULL;
	int r;

	if (round == 2 && status.st_nlink == 2)
		return;
	r = ovi_inodes_meet(inodes, &status, path, &first, &err);
	assert_ok(r, &err);
	assert_int_equal(r, round > 0);
	if (round > 0)
		assert_string_equal(first, expected);
}

/* Many files at once, met in another order the second and the third time. */
static void check_inodes(int place, unsigned int files)
{
	cleanup_inodes struct ovi_inodes inodes;

	ovi_inodes_init(&inodes, place);
	for (unsigned int round = 0; round < 3; round++)
		for (unsigned int i = 0; i < files; i++)
			meet(&inodes, round,
			     (unsigned int)((uint64_t)i * (round ? 1009 : 1) % files));
	assert_int_equal(inodes.count, 0);
}

static void files_are_known_until_their_last_name(void **state)
{
	(void)state;
	check_inodes(-1, 5000);
}

/* Where no file can be made, more memory it is. */
static void many_files_are_known_without_a_place_for_them(void **state)
{
	(void)state;
	check_inodes(-1, MANY_FILES);
}

/* 32 MiB of table and 4 MiB of paths in memory, were it not for the files. */
static void many_files_are_kept_out_of_memory(void **state)
{
	struct test_place *place = *state;
	cleanup_inodes struct ovi_inodes inodes;

	ovi_inodes_init(&inodes, place->fd);
	for (unsigned int i = 0; i < MANY_FILES; i++)
		meet(&inodes, 0, i);
	assert_null(inodes.table.slots);
	assert_true(inodes.paths.room < 3u << 20);
	ovi_inodes_release(&inodes);

	check_inodes(place->fd, MANY_FILES);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_come_in_order_within_any_memory),
		cmocka_unit_test(unordered_names_come_all),
		cmocka_unit_test(files_are_known_until_their_last_name),
		cmocka_unit_test(many_files_are_known_without_a_place_for_them),
		cmocka_unit_test(many_files_are_kept_out_of_memory),
	};

	test_enter_namespace();
	return test_run("diff parts", tests, ARRAY_SIZE(tests), argc, argv);
}
