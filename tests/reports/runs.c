#include "runs.h"

#include "support/test.h"

#include <stdio.h>

static void scale(json_t *object, const char *name, double factor)
{
	json_object_set_new(object, name,
	                    json_real(json_number_value(json_object_get(object, name)) * factor));
}

static void scale_result(json_t *result, double factor)
{
	json_t *ours = json_object_get(result, "ours");
	json_t *ratio = json_object_get(result, "ratio");
	json_t *values = json_object_get(ours, "values_ns");
	json_t *value;
	size_t i;

	if (!json_is_object(ours))
		return;
	scale(ours, "median_ns", factor);
	scale(ours, "low_ns", factor);
	scale(ours, "high_ns", factor);
	json_array_foreach(values, i, value)
		json_array_set_new(values, i, json_real(json_number_value(value) * factor));
	if (!json_is_object(ratio))
		return;
	scale(ratio, "median", factor);
	scale(ratio, "low", factor);
	scale(ratio, "high", factor);
}

static int is_diff(const json_t *result)
{
	const char *id = json_string_value(json_object_get(result, "benchmark"));
	const char *variant = json_string_value(json_object_get(result, "variant"));

	return strcmp(id, "diff") == 0 && strcmp(variant, "real") == 0;
}

void runs_slow_down(json_t *bench, double factor)
{
	json_t *result;
	size_t i;

	json_array_foreach(json_object_get(bench, "results"), i, result) if (is_diff(result))
		scale_result(result, factor);
}

json_t *runs_make(const char *sample, size_t index, size_t since, double factor)
{
	json_t *bench = json_load_file(sample, 0, NULL);
	json_t *result;
	size_t i;

	assert_non_null(bench);
	json_object_set_new(bench, "started", json_sprintf("2026-11-25T%02zu:00:00Z", index));
	json_object_set_new(bench, "label", json_sprintf("run-%zu", index));
	json_array_foreach(json_object_get(bench, "results"), i, result)
		scale_result(result, 1 + 0.005 * ((double)((index * 7 + i) % 5) - 2) / 2);
	if (index >= since)
		runs_slow_down(bench, factor);

	return bench;
}

void runs_write(const char *path, const char *sample, size_t count, size_t since, double factor)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	for (size_t i = 0; i < count; i++) {
		json_t *bench = runs_make(sample, i, since, factor);

		assert_int_equal(json_dumpf(bench, file, JSON_COMPACT), 0);
		assert_true(fputc('\n', file) >= 0);
		json_decref(bench);
	}
	assert_int_equal(fclose(file), 0);
}
