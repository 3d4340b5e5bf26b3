// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "document.h"
#include "page_check.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* Many hosts at once: which are out, and why. */

#define HOSTS 10000

static const char qualified[] = SAMPLES "/probe-qualified.json";
static const char refused[] = SAMPLES "/probe-refused.json";

/* One document a host in `directory`: every tenth is refused, kernels come in three. */
static void write_hosts(const char *directory, size_t count)
{
	static const char *const kernels[] = { "6.1.0-31-amd64", "6.12.9-amd64", "5.10.0-9-amd64" };
	json_t *documents[] = { json_load_file(qualified, 0, NULL),
		                json_load_file(refused, 0, NULL) };

	assert_non_null(documents[0]);
	assert_non_null(documents[1]);
	for (size_t i = 0; i < count; i++) {
		json_t *document = documents[i % 10 == 0];
		json_t *host = json_object_get(document, "host");
		cleanup_free char *path = test_path("%s/%05zu.json", directory, i);

		json_object_set_new(host, "name", json_sprintf("node-%zu", i));
		json_object_set_new(host, "kernel", json_string(kernels[i % 3]));
		assert_int_equal(json_dump_file(document, path, JSON_COMPACT), 0);
	}
	json_decref(documents[0]);
	json_decref(documents[1]);
}

static json_t *read_fleet(const char *directory)
{
	const char *const argv[] = { REPORT_PROGRAM, "fleet", "--json", directory, NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	json_t *fleet = json_loads(output.out, 0, NULL);

	if (!fleet)
		fail_msg("no JSON: %s%s", output.out, output.err);

	return fleet;
}

static void ten_thousand_hosts_make_one_page(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *page = test_path("%s/fleet.html", place->path);
	const char *const argv[] = {
		"python3",
		"-c",
		"import resource, subprocess, sys, time\n"
		"start = time.time()\n"
		"code = subprocess.call(sys.argv[1:])\n"
		"used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
		"print(f'{time.time() - start:.1f} s, {used // 1024} MiB')\n"
		"sys.exit(code)\n",
		REPORT_PROGRAM,
		"fleet",
		"--html",
		page,
		place->path,
		NULL
	};
	cleanup_output struct test_output output = { 0 };

	write_hosts(place->path, HOSTS);
	output = test_spawn(argv);
	print_message("%d documents: %s", HOSTS, strrchr(output.out, '\n') ? output.out : "");
	assert_int_equal(output.status, 0);
	assert_contains(output.out, "10000 hosts: 9000 qualified, 1000 not, 0 undetermined");
	assert_contains(output.out, "1000  d_type, opaque_copy_up, max_depth  not_qualified");
	page_assert_sound(page);
	page_assert_count(page, "//*[contains(text(), '9,000 of 10,000 hosts qualify')]", "1");
	page_assert_count(page, "//*[@id = 'places']//*[local-name() = 'tbody']/*", "3");
}

static void json_names_every_host_that_is_out(void **state)
{
	const struct test_place *place = *state;
	json_t *fleet;
	json_t *cause;

	write_hosts(place->path, 300);
	fleet = read_fleet(place->path);
	assert_string_equal(report_string(fleet, "format"), "ovl2-fleet/1");
	assert_int_equal(report_number(fleet, "hosts"), 300);
	cause = json_array_get(json_object_get(fleet, "causes"), 0);
	assert_int_equal(json_array_size(json_object_get(cause, "names")), 30);
	assert_string_equal(report_string(cause, "cause"), "d_type, opaque_copy_up, max_depth");
	json_decref(fleet);
}

static void later_document_of_a_host_counts(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/a.json", place->path);
	cleanup_free char *other = test_path("%s/b.json", place->path);
	json_t *document = json_load_file(refused, 0, NULL);
	json_t *later = json_load_file(qualified, 0, NULL);
	json_t *fleet;

	json_object_set_new(document, "started", json_string("2026-01-02T00:00:00Z"));
	json_object_set_new(later, "started", json_string("2026-01-01T00:00:00Z"));
	assert_int_equal(json_dump_file(document, path, 0), 0);
	assert_int_equal(json_dump_file(later, other, 0), 0);
	fleet = read_fleet(place->path);
	assert_int_equal(report_number(fleet, "hosts"), 1);
	assert_int_equal(report_number(json_object_get(fleet, "counts"), "not_qualified"), 1);
	json_decref(document);
	json_decref(later);
	json_decref(fleet);
}

static void refused_files_are_named_and_the_rest_is_read(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/broken.json", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "fleet", place->path, NULL };
	cleanup_output struct test_output output = { 0 };
	FILE *file;

	write_hosts(place->path, 5);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs("{\"format\": \"ovl2-probe/1\"", file) >= 0);
	assert_int_equal(fclose(file), 0);
	output = test_spawn(argv);
	assert_int_equal(output.status, 1);
	assert_contains(output.out, "5 hosts: 4 qualified, 1 not");
	assert_contains(output.out, "1 files could not be read");
	assert_contains(output.err, "broken.json");
}

static void nothing_to_read_is_an_error(void **state)
{
	const struct test_place *place = *state;
	const char *const argv[] = { REPORT_PROGRAM, "fleet", place->path, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	assert_int_equal(output.status, 1);
	assert_contains(output.err, "no document of ovl2-probe");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_hosts_make_one_page),
		cmocka_unit_test(json_names_every_host_that_is_out),
		cmocka_unit_test(later_document_of_a_host_counts),
		cmocka_unit_test(refused_files_are_named_and_the_rest_is_read),
		cmocka_unit_test(nothing_to_read_is_an_error),
	};

	return test_run("fleet", tests, ARRAY_SIZE(tests), argc, argv);
}
