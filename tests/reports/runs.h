#pragma once

/* Histories to test with, computed from the sample: the same at every call. */

#include <jansson.h>
#include <stddef.h>

/*
 * The sample as run `index` of a history: its own start and label ("run-3"), our times up
 * and down by half a percent from run to run. From `since` on "diff, real" is `factor`
 * times as slow. Release with json_decref().
 */
json_t *runs_make(const char *sample, size_t index, size_t since, double factor);

/* Multiplies our times of "diff, real". */
void runs_slow_down(json_t *bench, double factor);

/* Writes `count` of them to `path`, one a line. */
void runs_write(const char *path, const char *sample, size_t count, size_t since, double factor);
