// SPDX-License-Identifier: MIT
#include "fixture.h"

#include "inodes.h"
#include "names.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* What a diff is made of, at sizes that no test of the whole could have. */

#define NAMES 2000

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

/* Many files at once, met in another order the second and the third time. */
static void files_are_known_until_their_last_name(void **state)
{
	cleanup_inodes struct ovi_inodes inodes = { 0 };
	const unsigned int files = 5000;

	(void)state;
	for (unsigned int round = 0; round < 3; round++)
		for (unsigned int i = 0; i < files; i++) {
			unsigned int number = i * (round ? 1009 : 1) % files;
			const struct stat status = { .st_ino = number * 64 + 128,
				                     .st_nlink = 2 + number % 2,
				                     .st_mode = S_IFREG };
			cleanup_free char *path = test_path("%u/%u", round, number);
			cleanup_free char *expected = test_path("0/%u", number);
			const char *first;
			int failed;

			if (round == 2 && status.st_nlink == 2)
				continue;
			first = ovi_inodes_meet(&inodes, &status, path, &failed);
			assert_int_equal(failed, 0);
			if (round == 0)
				assert_null(first);
			else
				assert_string_equal(first, expected);
		}
	assert_int_equal(inodes.count, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_come_in_order_within_any_memory),
		cmocka_unit_test(unordered_names_come_all),
		cmocka_unit_test(files_are_known_until_their_last_name),
	};

	test_enter_namespace();
	return test_run("diff parts", tests, ARRAY_SIZE(tests), argc, argv);
}
