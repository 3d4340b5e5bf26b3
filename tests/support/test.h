#pragma once

/*
 * What the tests share. Includes cmocka with everything cmocka wants first, so a
 * test includes only this.
 *
 *     int main(int argc, char **argv)
 *     {
 *             test_enter_namespace();
 *             return test_run_everywhere("layer", tests, ARRAY_SIZE(tests), argc, argv);
 *     }
 *
 * A test that needs a directory takes it from its place:
 *
 *     static void new_layer_exists(void **state)
 *     {
 *             struct test_place *place = *state;
 *
 *             ovl2_store_open(place->path, ...);
 *     }
 *
 * Every test program takes an optional pattern ("*opaque*") that chooses cases,
 * and ends with 77 when all that it had to do was skipped.
 */

#include "cleanup.h"

#include <ovl2.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* cmocka wants those above first. */
#include <cmocka.h>

/* Exit code of a program whose cases were all skipped, as automake has it. */
#define TEST_EXIT_SKIPPED 77

/* Fails with the library's own message instead of "-6 != 0". */
#define assert_ok(result, err)                                       \
	do {                                                         \
		int result_ = (result);                              \
                                                                     \
		if (result_ < 0)                                     \
			fail_msg("%d: %s", result_, (err)->message); \
	} while (0)

/*
 * Asserts that a call failed with this code, and that it said so consistently:
 * same code in the struct, and a message of one line that a person can read.
 */
#define assert_fails(result, expected, err)                                                       \
	do {                                                                                      \
		int failed_ = (result);                                                           \
                                                                                                  \
		if (failed_ != (expected))                                                        \
			fail_msg("returned %d, not %d: %s", failed_, (expected), (err)->message); \
		assert_int_equal((err)->code, (expected));                                        \
		assert_string_not_equal((err)->message, "");                                      \
		assert_null(strchr((err)->message, '\n'));                                        \
	} while (0)

/* Like assert_ok() for system calls: fails with errno's text. */
#define assert_sys(result)                                            \
	do {                                                          \
		if ((result) < 0)                                     \
			fail_msg("%s: %s", #result, strerror(errno)); \
	} while (0)

/* Asserts that `text` contains `part`, and shows both when not. */
#define assert_contains(text, part)                                     \
	do {                                                            \
		if (!strstr((text), (part)))                            \
			fail_msg("'%s' is not in: %s", (part), (text)); \
	} while (0)

/* -------------------------------------------------------------- programs -- */

/*
 * Gives the process a mount namespace of its own, so that nothing a test mounts
 * is seen outside or survives the process. Exits 77 when not allowed to.
 */
void test_enter_namespace(void);

/* Prints why and skips the running test. */
void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/*
 * Where one case works: a fresh, empty directory (mode 0755), removed with
 * everything mounted below it when the case ends. `row` is the initial_state that
 * the case was registered with.
 */
struct test_place {
	const char *filesystem; /* "ext4", ...; NULL for wherever the scratch is */
	char *path;             /* absolute */
	int fd;                 /* of the directory */
	void *row;
};

/* Runs `tests` in group `name`, each in a place of its own in the scratch area. */
int test_run(const char *name, const struct CMUnitTest *tests, size_t count, int argc, char **argv);

/*
 * Runs `tests` on ext4, xfs, btrfs and tmpfs in turn, one cmocka group each, so
 * that a failure names the filesystem: "new_layer_exists, on xfs". Needs
 * test_enter_namespace().
 */
int test_run_everywhere(const char *name, const struct CMUnitTest *tests, size_t count, int argc,
                        char **argv);

/* A row of a table as a case of its own: `title` names it. */
#define test_case(title, function, row)                                                  \
	(struct CMUnitTest)                                                              \
	{                                                                                \
		.name = (title), .test_func = (function), .initial_state = (void *)(row) \
	}

/* --------------------------------------------------------------- scratch -- */

/* A new directory under TMPDIR, /var/tmp or /tmp; free(3) and remove it. */
char *test_scratch_create(void);

/* Unmounts everything below `path`, removes the tree, and frees `path`. */
void test_scratch_remove(char *path);

/* Unmounts everything mounted at or below `path`, last mounted first. */
void test_unmount_below(const char *path);

/* Removes `path` and all below it, however deep. */
void test_remove_tree(const char *path);

/* Formats a path into memory of the caller; fails the test when there is none. */
char *test_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ------------------------------------------------------------- leftovers -- */

/* What a process could leave behind. */
struct test_resources {
	size_t fds;
	size_t mounts;
	size_t loops;
};

struct test_resources test_resources_count(void);

/* Asserts that there is as much of everything as there was. */
void test_resources_assert_same(struct test_resources before);

/*
 * Can files in directory `path` have attributes of users? tmpfs has them since Linux
 * 6.6.
 */
int test_has_attributes(const char *path);

/* Is something mounted exactly on `path`? */
int test_is_mounted(const char *path);

/* How many mounts are at or below `path`? */
size_t test_count_mounts_below(const char *path);

/* --------------------------------------------------------------- programs -- */

struct test_output {
	int status; /* exit code, or 128 plus the signal */
	char *out;
	char *err;
};

/*
 * Runs argv[0] (found through PATH) and waits; both outputs are collected.
 * Release with test_output_release().
 */
struct test_output test_spawn(const char *const argv[]);

void test_output_release(struct test_output *output);

#define cleanup_output __attribute__((cleanup(test_output_release)))

/* --------------------------------------------------------------- kernel log -- */

/*
 * A window on the kernel log: open it, act, then look for lines that contain all
 * given words. -1 when the log cannot be read here.
 */
int test_kernel_log_open(void);

/* How many records since then contain both words; shows them in the output. */
size_t test_kernel_log_count(int log, const char *first, const char *second);
