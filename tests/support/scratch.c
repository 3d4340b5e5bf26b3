// SPDX-License-Identifier: MIT
#include "test.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Trees of tests are shallow; nftw(3) goes on without one when it runs out. */
#define WALK_FDS 16

char *test_path(const char *format, ...)
{
	char *path = NULL;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&path, format, args);
	va_end(args);
	if (length < 0)
		fail_msg("out of memory");

	return path;
}

char *test_scratch_create(void)
{
	const char *candidates[] = { getenv("TMPDIR"), "/var/tmp", "/tmp" };

	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
		char *path;

		if (!candidates[i] || candidates[i][0] != '/')
			continue;
		path = test_path("%s/ovl2-test-XXXXXX", candidates[i]);
		if (mkdtemp(path))
			return path;
		free(path);
	}
	fail_msg("create a scratch directory: %s", strerror(errno));

	return NULL;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)walk;

	if (remove(path) < 0)
		print_error("remove '%s' (%d): %s\n", path, type, strerror(errno));

	return 0;
}

static int remove_below(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	return walk->level ? remove_entry(path, status, type, walk) : 0;
}

void test_remove_tree(const char *path, int keep_root)
{
	(void)nftw(path, keep_root ? remove_below : remove_entry, WALK_FDS,
	           FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Also what is too deep for nftw(3), which only has paths. */
void test_scratch_remove(char *path)
{
	const char *argv[] = { "find", path, "-xdev", "-delete", NULL };
	struct test_output output;

	test_unmount_below(path);
	output = test_spawn(argv);
	if (output.status)
		print_error("%s", output.err);
	test_output_release(&output);
	free(path);
}
