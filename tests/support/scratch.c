// SPDX-License-Identifier: MIT
#include "test.h"

/* The driver's: "tree.h" is the tests' own. */
#include <tree.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

void test_remove_tree(const char *path)
{
	struct ovl2_error err = { 0 };

	if (ovi_tree_remove(AT_FDCWD, path, &err) < 0)
		print_error("remove '%s': %s\n", path, err.message);
}

void test_scratch_remove(char *path)
{
	test_unmount_below(path);
	test_remove_tree(path);
	free(path);
}
