// SPDX-License-Identifier: MIT
#include "support/test.h"
#include "support/tree.h"

#include "draft.h"
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A file is there when it is complete, and until then nothing is: with files that have no
 * name, and where there are none.
 */

struct row {
	const char *title;
	void (*hinder)(void);

	/* Has the file a name while it is written? */
	int is_named;
};

static struct ovi_sys before;

static int openat_without_nameless(int dir, const char *path, int flags, mode_t mode)
{
	if ((flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}

	return before.openat(dir, path, flags, mode);
}

static void forbid_nameless(void)
{
	ovi_sys.openat = openat_without_nameless;
}

static int missing_faccessat(int dir, const char *path, int mode, int flags)
{
	(void)dir;
	(void)path;
	(void)mode;
	(void)flags;
	errno = ENOENT;

	return -1;
}

/* Without proc(5) a file that has no name does not get one. */
static void hide_proc(void)
{
	ovi_sys.faccessat = missing_faccessat;
}

static void hinder_nothing(void)
{
}

static const struct row rows[] = {
	{ "nameless file", hinder_nothing, 0 },
	{ "filesystem without nameless files", forbid_nameless, 1 },
	{ "no proc(5)", hide_proc, 1 },
};

static size_t count_entries(const struct test_place *place)
{
	cleanup_free char *text = test_tree_describe_at(place->path, TEST_TREE_NAMES);
	size_t count = 0;

	for (const char *at = text; *at; at++)
		count += *at == '\n';

	return count;
}

static void begin(const struct test_place *place, const char *path, struct ovi_draft *draft)
{
	const struct row *row = place->row;
	struct ovl2_error err = { 0 };

	ovi_sys = before;
	row->hinder();
	assert_ok(ovi_draft_begin(path, draft, &err), &err);
	assert_int_equal(write(draft->fd, "new", 3), 3);
}

static void assert_content(const char *path, const char *content)
{
	cleanup_free char *text = test_file_read(path);

	assert_string_equal(text, content);
}

static void file_is_there_when_it_is_published(void **state)
{
	const struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_free char *path = test_path("%s/file", place->path);
	cleanup_draft struct ovi_draft draft = OVI_DRAFT_NONE;
	struct ovl2_error err = { 0 };
	struct stat st;

	begin(place, path, &draft);
	assert_int_equal(count_entries(place), row->is_named);
	assert_int_equal(access(path, F_OK), -1);
	assert_ok(ovi_draft_publish(&draft, &err), &err);
	ovi_draft_release(&draft);
	assert_int_equal(count_entries(place), 1);
	assert_content(path, "new");
	assert_sys(stat(path, &st));
	assert_int_equal(st.st_mode & 07777, 0644);
}

static void file_is_replaced_when_it_is_published(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/file", place->path);
	cleanup_draft struct ovi_draft draft = OVI_DRAFT_NONE;
	struct ovl2_error err = { 0 };

	test_file_write(path, "old, and longer");
	begin(place, path, &draft);
	assert_content(path, "old, and longer");
	assert_ok(ovi_draft_publish(&draft, &err), &err);
	assert_int_equal(count_entries(place), 1);
	assert_content(path, "new");
}

static void file_that_is_not_published_leaves_nothing(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/file", place->path);
	cleanup_draft struct ovi_draft draft = OVI_DRAFT_NONE;

	test_file_write(path, "old");
	begin(place, path, &draft);
	ovi_draft_release(&draft);
	assert_int_equal(count_entries(place), 1);
	assert_content(path, "old");
}

static int full_renameat2(int from, const char *source, int to, const char *target,
                          unsigned int flags)
{
	(void)from;
	(void)source;
	(void)to;
	(void)target;
	(void)flags;
	errno = ENOSPC;

	return -1;
}

static void file_that_cannot_be_published_leaves_nothing(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/file", place->path);
	cleanup_draft struct ovi_draft draft = OVI_DRAFT_NONE;
	struct ovl2_error err = { 0 };

	test_file_write(path, "old");
	begin(place, path, &draft);
	ovi_sys.renameat2 = full_renameat2;
	assert_fails(ovi_draft_publish(&draft, &err), OVL2_E_SYSTEM, &err);
	assert_contains(err.message, path);
	ovi_draft_release(&draft);
	assert_int_equal(count_entries(place), 1);
	assert_content(path, "old");
}

/* ------------------------------------------------------------ what is no file -- */

static void pipe_is_written_to_and_stays(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/pipe", place->path);
	cleanup_draft struct ovi_draft draft = OVI_DRAFT_NONE;
	struct ovl2_error err = { 0 };
	char text[8] = "";
	cleanup_fd int reader = -1;
	struct stat st;

	assert_sys(mkfifo(path, 0600));
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_sys(reader);
	assert_ok(ovi_draft_begin(path, &draft, &err), &err);
	assert_int_equal(write(draft.fd, "new", 3), 3);
	assert_ok(ovi_draft_publish(&draft, &err), &err);
	assert_int_equal(read(reader, text, sizeof(text) - 1), 3);
	assert_string_equal(text, "new");
	assert_sys(stat(path, &st));
	assert_true(S_ISFIFO(st.st_mode));
}

static void directory_is_refused_at_once(void **state)
{
	const struct test_place *place = *state;
	cleanup_draft struct ovi_draft draft = OVI_DRAFT_NONE;
	cleanup_free char *missing = test_path("%s/missing/file", place->path);
	struct ovl2_error err = { 0 };

	assert_fails(ovi_draft_begin(place->path, &draft, &err), OVL2_E_SYSTEM, &err);
	assert_int_equal(err.sys, EISDIR);
	assert_fails(ovi_draft_begin(missing, &draft, &err), OVL2_E_NOT_FOUND, &err);
	assert_int_equal(count_entries(place), 0);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *title;
		void (*run)(void **state);
	} cases[] = {
		{ "is there when published", file_is_there_when_it_is_published },
		{ "is replaced when published", file_is_replaced_when_it_is_published },
		{ "leaves nothing if not published", file_that_is_not_published_leaves_nothing },
		{ "leaves nothing if it cannot be", file_that_cannot_be_published_leaves_nothing },
	};
	struct CMUnitTest tests[ARRAY_SIZE(cases) * ARRAY_SIZE(rows) + 2] = {
		cmocka_unit_test(pipe_is_written_to_and_stays),
		cmocka_unit_test(directory_is_refused_at_once),
	};
	char titles[ARRAY_SIZE(cases) * ARRAY_SIZE(rows)][80];
	size_t count = 2;

	before = ovi_sys;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t j = 0; j < ARRAY_SIZE(rows); j++) {
			(void)snprintf(titles[count - 2], sizeof(titles[0]), "%s %s", rows[j].title,
			               cases[i].title);
			tests[count] = test_case(titles[count - 2], cases[i].run, &rows[j]);
			count++;
		}

	return test_run("draft", tests, count, argc, argv);
}
