// SPDX-License-Identifier: MIT
#include "release.h"

#include <stdio.h>

/* The manual pages say what the programs say, in a form that both readers take. */

static void page_has_no_mistakes(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *page =
		test_path("%s/share/man/man1/%s.1", release_install(), (const char *)place->row);
	cleanup_free char *groff = NULL;

	release_need("man", "man-db");
	groff = release_shell("man -l --warnings=w '%s' 2>&1 >/dev/null", page);
	assert_string_equal(groff, "");
	release_need("mandoc", "mandoc");
	free(release_shell("mandoc -T lint -W warning '%s'", page));
}

/* Whether in its own help or in that of one of its commands. */
static void page_has_every_option_and_command(void **state)
{
	const struct test_place *place = *state;
	const char *program = place->row;
	cleanup_free char *missing = NULL;
	cleanup_free char *count = NULL;

	release_need("man", "man-db");
	missing = release_shell(
		"page=$(MANWIDTH=500 man -l $PREFIX/share/man/man1/%s.1 | col -bx);"
		"help=$(%s --help);"
		"commands=$(sed -n '/^Commands:/,/^$/{/(ovl2-/d;s/^  \\([a-z]*\\) .*/\\1/p}' <<<\"$help\");"
		"for c in $commands; do help+=$'\\n'$(%s $c --help); done;"
		"for word in $commands $(grep -oE '^ +(-., )?--[a-z-]+' <<<\"$help\" |"
		"  grep -oE '[-][-].*' | sort -u); do"
		"  grep -qwF -- \"$word\" <<<\"$page\" || echo \"$word\"; done",
		program, program, program);
	assert_string_equal(missing, "");

	count = release_shell("MANWIDTH=500 man -l $PREFIX/share/man/man1/%s.1 | col -bx |"
	                      "grep -cE '^ +(-., )?--help$'",
	                      program);
	assert_string_equal(count, "1");
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(release_programs) * 2];
	char titles[ARRAY_SIZE(tests)][64];
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		const char *program = release_programs[i / 2];

		(void)snprintf(titles[i], sizeof(titles[i]), "%s(1) %s", program,
		               i % 2 ? "has every option and command" : "has no mistakes");
		tests[i] = test_case(
			titles[i], i % 2 ? page_has_every_option_and_command : page_has_no_mistakes,
			program);
	}
	r = test_run("manual", tests, ARRAY_SIZE(tests), argc, argv);
	release_remove();

	return r;
}
