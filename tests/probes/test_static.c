// SPDX-License-Identifier: MIT
#include "support/filesystem.h"
#include "support/test.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>

/* ovl2-probe as one file that is carried to a host on which nothing else is. */

static const char native[] = STATIC_DIRECTORY "/x86-64/bin/ovl2-probe";
static const char foreign[] = STATIC_DIRECTORY "/arm64/bin/ovl2-probe";

#define MAX_BYTES (3L * 1024 * 1024)

/* The oldest kernel that its C library starts on: 3.2 on x86-64, 3.7, the first, on arm64. */
#define ANY_KERNEL "OS: Linux, ABI: 3."

static void assert_one_file(const char *path)
{
	const char *const argv[] = { "readelf", "--program-headers", "--dynamic", "--notes", path,
		                     NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	struct stat st;

	assert_int_equal(output.status, 0);
	assert_null(strstr(output.out, "INTERP"));
	assert_null(strstr(output.out, "NEEDED"));
	assert_contains(output.out, ANY_KERNEL);
	assert_sys(stat(path, &st));
	print_message("%s: %lld bytes\n", path, (long long)st.st_size);
	assert_true(st.st_size < MAX_BYTES);
}

static void require_foreign(void)
{
	struct stat st;

	if (stat(foreign, &st) < 0)
		test_skip("arm64 was not built here");
}

static void program_is_one_small_file(void **state)
{
	(void)state;
	assert_one_file(native);
}

static void program_for_arm64_is_one_small_file(void **state)
{
	(void)state;
	require_foreign();
	assert_one_file(foreign);
}

/* The probes' answers, one a line; free(3). */
static char *answers_of(const char *text)
{
	json_t *document = json_loads(text, 0, NULL);
	cleanup_free char *lines = strdup("");
	json_t *probe;
	size_t i;

	assert_non_null(document);
	json_array_foreach(json_object_get(document, "probes"), i, probe)
	{
		char *longer = test_path("%s%s %s\n", lines,
		                         json_string_value(json_object_get(probe, "id")),
		                         json_string_value(json_object_get(probe, "answer")));

		free(lines);
		lines = longer;
	}
	json_decref(document);

	return steal_ptr(&lines);
}

static void it_answers_as_the_installed_program_does(void **state)
{
	const struct test_place *place = *state;
	const char *const alone[] = { native, "--json", place->path, NULL };
	const char *const installed[] = { OVL2_PROBE, "--json", place->path, NULL };
	cleanup_output struct test_output one = test_spawn(alone);
	cleanup_output struct test_output other = test_spawn(installed);
	cleanup_free char *answers = answers_of(one.out);
	cleanup_free char *expected = answers_of(other.out);

	assert_int_equal(one.status, other.status);
	assert_string_equal(answers, expected);
	assert_true(strlen(answers) > 0);
}

/* An empty root with the program in it, and /proc or not. */
static struct test_output run_alone(const struct test_place *place, const char *options)
{
	cleanup_free char *script =
		test_path("cp '%s' '%s/probe' && %s chroot '%s' /probe --json /", native,
	                  place->path, options, place->path);
	const char *const argv[] = { "sh", "-c", script, NULL };

	return test_spawn(argv);
}

static void it_needs_nothing_else_on_the_host(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *proc = test_path("mkdir '%s/proc' && mount -t proc proc '%s/proc' &&",
	                                    place->path, place->path);
	cleanup_output struct test_output output = run_alone(place, proc);
	cleanup_free char *answers = answers_of(output.out);

	assert_contains(answers, "\nd_type yes\n");
	assert_contains(answers, "\nbacking_fs yes\n");
}

/* Without even /proc it cannot tell, and says so: neither a crash nor a verdict. */
static void without_proc_it_could_not_tell(void **state)
{
	cleanup_output struct test_output output = run_alone(*state, "");
	cleanup_free char *answers = answers_of(output.out);

	assert_int_equal(output.status, 2);
	assert_contains(answers, "\nd_type unknown\n");
}

/* Under an emulator: what it says of the host is the host's, as far as calls get through. */
static void program_for_arm64_runs(void **state)
{
	const struct test_place *place = *state;
	const char *const argv[] = { "qemu-aarch64", foreign, "--json", place->path, NULL };
	cleanup_output struct test_output output = { 0 };
	cleanup_free char *answers = NULL;

	require_foreign();
	output = test_spawn(argv);
	if (output.status == 127)
		test_skip("no qemu-aarch64 here");
	answers = answers_of(output.out);
	assert_contains(answers, "\nd_type yes\n");
	assert_contains(answers, "\nbacking_fs yes\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(program_is_one_small_file),
		cmocka_unit_test(program_for_arm64_is_one_small_file),
		cmocka_unit_test(it_answers_as_the_installed_program_does),
		cmocka_unit_test(it_needs_nothing_else_on_the_host),
		cmocka_unit_test(without_proc_it_could_not_tell),
		cmocka_unit_test(program_for_arm64_runs),
	};

	test_enter_namespace();
	return test_run("static", tests, ARRAY_SIZE(tests), argc, argv);
}
