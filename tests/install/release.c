// SPDX-License-Identifier: MIT
#include "release.h"

#include <stdio.h>
#include <stdlib.h>

const char *const release_programs[] = { "ovl2", "ovl2-bench", "ovl2-probe", "ovl2-report" };

const char release_build[] = SOURCE "/.build/package";

static char *scratch;
static char *prefix;

static const char environment[] =
	"export PREFIX='%s' LC_ALL=C.UTF-8; export PATH=\"$PREFIX/bin:$PATH\";"
	"LIB=$(dirname -- \"$(find \"$PREFIX/lib\" -name 'libovl2.so.?')\");"
	"export LD_LIBRARY_PATH=$LIB PKG_CONFIG_PATH=$LIB/pkgconfig CMAKE_PREFIX_PATH=$PREFIX;"
	"%s";

static char *run(const char *line)
{
	const char *const argv[] = { "bash", "-euo", "pipefail", "-c", line, NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	size_t length = strlen(output.out);

	if (output.status != 0)
		fail_msg("%s: exit %d: %s%s", line, output.status, output.err, output.out);
	if (length && output.out[length - 1] == '\n')
		output.out[length - 1] = '\0';

	return steal_ptr(&output.out);
}

char *release_shell(const char *format, ...)
{
	cleanup_free char *line = NULL;
	cleanup_free char *whole = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&line, format, args) < 0)
		fail_msg("out of memory");
	va_end(args);
	whole = test_path(environment, release_install(), line);

	return run(whole);
}

const char *release_install(void)
{
	cleanup_free char *install = NULL;

	if (prefix)
		return prefix;

	free(run("cd " SOURCE " && cmake --preset package >/dev/null && "
	         "cmake --build --preset package"));
	scratch = test_scratch_create();
	prefix = test_path("%s/usr", scratch);
	install = test_path("cmake --install %s --prefix %s", release_build, prefix);
	free(run(install));

	return prefix;
}

void release_remove(void)
{
	if (scratch)
		test_scratch_remove(scratch);
	free(prefix);
	scratch = prefix = NULL;
}

void release_need(const char *program, const char *package)
{
	const char *const argv[] = { "sh", "-c", "command -v \"$0\"", program, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	if (output.status != 0)
		test_skip("%s is not installed; apt-get install %s", program, package);
}
