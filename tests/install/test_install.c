// SPDX-License-Identifier: MIT
#include "release.h"

#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

/*
 * The installed library as a program's author meets it: the program in the README, taken
 * from there, is built in the ways that the README shows and run.
 */

#define README SOURCE "/README.md"

/* Writes program.c, the README's block of C, into the place. */
static void write_program(const struct test_place *place)
{
	free(release_shell("sed -n '/^```c$/,/^```$/{/^```/!p}' " README " >'%s/program.c';"
	                   "grep -q ovl2_layer_mount '%s/program.c'",
	                   place->path, place->path));
}

/* Runs it with the layer that it asks for, in a /var/lib and a /run that nobody else sees. */
static void run_program(const struct test_place *place)
{
	cleanup_free char *out = NULL;

	assert_sys(mount("none", "/var/lib", "tmpfs", 0, NULL));
	assert_sys(mount("none", "/run", "tmpfs", 0, NULL));
	out = release_shell("ovl2 create --read-write web; '%s/program'; mountpoint -q "
	                    "/var/lib/ovl2/web/merged; ovl2 umount web",
	                    place->path);
	assert_string_equal(out, "/var/lib/ovl2/web/merged");
	test_unmount_below("/var/lib");
	test_unmount_below("/run");
}

static void assert_links(const struct test_place *place, int shared)
{
	cleanup_free char *needs = release_shell(
		"readelf -d '%s/program' | grep -c 'NEEDED.*libovl2.so.0' || true", place->path);

	assert_string_equal(needs, shared ? "1" : "0");
}

static void readme_program_builds_with_pkg_config(void **state)
{
	const struct test_place *place = *state;

	write_program(place);
	/* The README's own line, which has a comment behind it. */
	free(release_shell(
		"cd '%s'; eval \"$(sed -n 's/^    \\$ \\(cc program.c .*)\\) .*/\\1/p' " README
		") -Werror -o program\"",
		place->path));
	assert_links(place, 1);
	run_program(place);
}

static void readme_program_builds_static_with_pkg_config(void **state)
{
	const struct test_place *place = *state;

	write_program(place);
	free(release_shell("cd '%s'; cc -o program program.c $(pkg-config --cflags ovl2) "
	                   "-l:libovl2.a -L$LIB -pthread "
	                   "$(pkg-config --libs $(pkg-config --print-requires-private ovl2))",
	                   place->path));
	assert_links(place, 0);
	run_program(place);
}

static void build_with_cmake(const struct test_place *place, const char *package,
                             const char *target)
{
	write_program(place);
	free(release_shell(
		"cd '%s'; printf '%%s\\n' 'cmake_minimum_required(VERSION 3.25)' "
		"'project(program C)' 'find_package(ovl2 %s REQUIRED%s)' "
		"'add_executable(program program.c)' "
		"'target_link_libraries(program PRIVATE %s)' >CMakeLists.txt;"
		"cmake -S . -B build >/dev/null; cmake --build build; cp build/program .",
		place->path, "0.1", package, target));
}

static void readme_program_builds_with_cmake(void **state)
{
	const struct test_place *place = *state;

	build_with_cmake(place, "", "ovl2::ovl2");
	assert_links(place, 1);
	run_program(place);
}

static void readme_program_builds_static_with_cmake(void **state)
{
	const struct test_place *place = *state;

	build_with_cmake(place, " COMPONENTS static", "ovl2::ovl2_static");
	assert_links(place, 0);
	run_program(place);
}

/* Nothing in what was installed names where it was built or first installed. */
static void tree_can_be_moved(void **state)
{
	const struct test_place *place = *state;

	write_program(place);
	free(release_shell("cp -a $PREFIX '%s/moved'; cd '%s'; export PREFIX='%s/moved';"
	                   "PKG_CONFIG_PATH=$(dirname \"$(find $PREFIX -name ovl2.pc)\");"
	                   "flags=$(pkg-config --cflags --libs ovl2); [[ $flags == *$PREFIX* ]];"
	                   "cc -o program program.c $flags; ! grep -rF '%s' $PREFIX/lib/*/cmake "
	                   "$PREFIX/lib/*/pkgconfig; $PREFIX/bin/ovl2 probe --version",
	                   place->path, place->path, place->path, release_install()));
}

static void header_pleases_strict_compilers(void **state)
{
	(void)state;
	free(release_shell("for s in c99 c11 c17; do echo '#include <ovl2.h>' | cc -std=$s "
	                   "-pedantic-errors -Wall -Wextra -Werror -Wconversion -fsyntax-only "
	                   "$(pkg-config --cflags ovl2) -x c -; done;"
	                   "for s in c++11 c++20; do echo '#include <ovl2.h>' | c++ -std=$s "
	                   "-pedantic-errors -Wall -Wextra -Werror -Wconversion -fsyntax-only "
	                   "$(pkg-config --cflags ovl2) -x c++ -; done"));
}

static void library_exports_what_the_map_lists(void **state)
{
	cleanup_free char *difference = NULL;

	(void)state;
	difference = release_shell(
		"diff <(nm -D --defined-only $LIB/libovl2.so | sed -n 's/.* T \\([a-z0-9_]*\\)@.*/\\1/p' | sort)"
		" <(grep -oE 'ovl2_[a-z0-9_]+' " SOURCE "/driver/ovl2.map | sort) || true");
	assert_string_equal(difference, "");
}

/* A name of ours must not meet one of the program's or of another library. */
static void static_library_defines_only_our_names(void **state)
{
	cleanup_free char *others = NULL;

	(void)state;
	others = release_shell("nm -g --defined-only $LIB/libovl2.a |"
	                       "awk 'NF == 3 && $3 !~ /^(ovl2|ovi)_/ { print $3 }'");
	assert_string_equal(others, "");
}

/* --------------------------------------------------------------------- ABI -- */

#define ABIDIFF "abidiff --no-show-locs --no-added-syms "

/*
 * driver/ovl2.abi is the promise, as abidw wrote it; what was only added since then is
 * no break. A change that is meant is recorded by writing the description anew.
 */
static void binary_interface_is_the_promised_one(void **state)
{
	cleanup_free char *report = NULL;

	(void)state;
	release_need("abidiff", "abigail-tools");
	report = release_shell(ABIDIFF SOURCE "/driver/ovl2.abi %s/driver/libovl2.so 2>&1 ||"
	                                      "echo CHANGED",
	                       release_build);
	if (strstr(report, "CHANGED"))
		fail_msg(
			"the binary interface of libovl2 has changed; undo that, or if it is meant: "
			"cmake --preset package && cmake --build --preset package --target abi, "
			"and commit driver/ovl2.abi\n%s",
			report);
}

static void broken_interface_is_noticed(void **state)
{
	static const char *const breaks[] = {
		/* where a member lies, a parameter, a function that is gone */
		"/name='ovl2_error'/,/<.class-decl>/s/offset-in-bits='64'/offset-in-bits='96'/",
		"0,/<parameter type-id='[^']*' name='err'/{//d}",
		"s/ovl2_store_sync/ovl2_store_flush/",
	};
	const struct test_place *place = *state;

	release_need("abidiff", "abigail-tools");
	for (size_t i = 0; i < ARRAY_SIZE(breaks); i++) {
		cleanup_free char *result = release_shell(
			"sed \"%s\" " SOURCE "/driver/ovl2.abi >'%s/other.abi';"
			"! cmp -s " SOURCE "/driver/ovl2.abi '%s/other.abi';" ABIDIFF
			"'%s/other.abi' %s/driver/libovl2.so >/dev/null 2>&1 && echo same || echo changed",
			breaks[i], place->path, place->path, place->path, release_build);

		if (strcmp(result, "changed") != 0)
			fail_msg("not noticed: %s", breaks[i]);
	}
}

/* Numbers that a commit elsewhere makes untrue. */
static void readme_counts_right(void **state)
{
	cleanup_free char *readme = release_shell("cat " README);
	cleanup_free char *benchmarks =
		release_shell("echo There are $(ovl2-bench --list | grep -c '^  [a-z0-9_]*: ') "
	                      "benchmarks");
	cleanup_free char *questions =
		release_shell("echo It knows $(ovl2-probe list | wc -l) questions");

	(void)state;
	assert_contains(readme, benchmarks);
	assert_contains(readme, questions);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(readme_program_builds_with_pkg_config),
		cmocka_unit_test(readme_program_builds_static_with_pkg_config),
		cmocka_unit_test(readme_program_builds_with_cmake),
		cmocka_unit_test(readme_program_builds_static_with_cmake),
		cmocka_unit_test(readme_counts_right),
		cmocka_unit_test(tree_can_be_moved),
		cmocka_unit_test(header_pleases_strict_compilers),
		cmocka_unit_test(library_exports_what_the_map_lists),
		cmocka_unit_test(static_library_defines_only_our_names),
		cmocka_unit_test(binary_interface_is_the_promised_one),
		cmocka_unit_test(broken_interface_is_noticed),
	};
	int r;

	test_enter_namespace();
	r = test_run("install", tests, ARRAY_SIZE(tests), argc, argv);
	release_remove();

	return r;
}
