// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "dir.h"
#include "environment.h"
#include "probe.h"

#include <stdio.h>
#include <string.h>

/* The tables, and the way from answers to a verdict. */

static void tables_are_whole(void **state)
{
	static const char *const groups[] = { "kernel", "filesystem", "overlay", "security",
		                              "tools" };
	const struct probe *probe;
	size_t group = 0;

	(void)state;
	for (size_t i = 0; (probe = probe_at(i)); i++) {
		assert_ptr_equal(probe_find(probe->id), probe);
		while (group < ARRAY_SIZE(groups) && strcmp(probe->group, groups[group]) != 0)
			group++;
		if (group == ARRAY_SIZE(groups))
			fail_msg("%s is out of order in '%s'", probe->id, probe->group);
		assert_non_null(probe->how);
		assert_int_equal(probe->title[strlen(probe->title) - 1], '?');
		assert_non_null(probe->why);
		assert_non_null(probe->since);
		assert_non_null(probe->remedy);
		assert_non_null(probe->run);
	}
	assert_null(probe_find("gone"));

	for (const struct probe_profile *profile = probe_profiles; profile->id; profile++) {
		assert_ptr_equal(probe_profile_find(profile->id), profile);
		for (const struct probe_need *need = profile->needs; need->id; need++) {
			assert_non_null(probe_find(need->id));
			assert_non_null(strstr(need->source, "https://"));
		}
	}
	assert_null(probe_profile_find("gone"));
}

/* One survey of `place` with a single need that `only` d_type can meet. */
static void survey(const struct test_place *place, const struct probe_need *need,
                   struct probe_survey *ret_survey)
{
	const struct probe_need needs[] = { *need, { .id = NULL } };
	const struct probe_profile profile = { .id = "test", .title = "A test", .needs = needs };
	const struct probe_runner runner = {
		.target = place->fd,
		.timeout_ms = 5000,
		.signals = -1,
	};
	struct ovl2_error err = { 0 };

	ret_survey->profile = &profile;
	ret_survey->path = place->path;
	assert_ok(probe_survey_run(ret_survey, NULL, &runner, &err), &err);
	ret_survey->profile = NULL;
}

struct row {
	struct probe_need need;
	enum probe_verdict verdict;
	enum probe_conclusion conclusion;
};

static void need_decides(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	struct probe_survey result = { 0 };

	survey(place, &row->need, &result);
	assert_int_equal(result.count, 1);
	assert_int_equal(result.findings[0].verdict, row->verdict);
	assert_int_equal(result.verdict_counts[row->verdict], 1);
	assert_int_equal(result.conclusion, row->conclusion);
	probe_survey_release(&result);
}

static void target_is_the_mount_it_is_on(void **state)
{
	struct test_place *place = *state;
	json_t *target = environment_target(place->fd, place->path);
	const char *filesystem = json_string_value(json_object_get(target, "filesystem"));
	const char *mount = json_string_value(json_object_get(target, "mount_point"));

	assert_non_null(target);
	assert_string_equal(json_string_value(json_object_get(target, "path")), place->path);
	assert_string_equal(filesystem, place->filesystem);
	assert_int_equal(strncmp(place->path, mount, strlen(mount)), 0);
	json_decref(target);
}

int main(int argc, char **argv)
{
	static const struct row rows[] = {
		{ { "d_type", PROBE_REQUIRED, 1, "" }, PROBE_PASS, PROBE_QUALIFIED },
		{ { "d_type", PROBE_REQUIRED, 0, "" }, PROBE_FAIL, PROBE_NOT_QUALIFIED },
		{ { "d_type", PROBE_WANTED, 0, "" }, PROBE_WARN, PROBE_QUALIFIED },
		{ { "d_type", PROBE_ADVISED, 0, "" }, PROBE_INFO, PROBE_QUALIFIED },
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_whole),
		test_case("required and met", need_decides, &rows[0]),
		test_case("required and not met", need_decides, &rows[1]),
		test_case("wanted and not met", need_decides, &rows[2]),
		test_case("advised and not met", need_decides, &rows[3]),
		cmocka_unit_test(target_is_the_mount_it_is_on),
	};

	test_enter_namespace();

	return test_run_everywhere("survey", tests, ARRAY_SIZE(tests), argc, argv);
}
