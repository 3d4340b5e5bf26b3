#pragma once

/*
 * Where something ran and what it looked at: the objects `host` and `target` that
 * the documents of probes and benchmarks share (reports/FORMAT.md). What cannot be
 * found out is null.
 */

#include <jansson.h>

/* New references; NULL when out of memory. */
json_t *environment_host(void);

/* `dir` is open on the directory whose absolute path is `path`. */
json_t *environment_target(int dir, const char *path);

/* The libraries linked in and their versions. */
json_t *environment_libraries(void);

/* Now, as the documents have times: "2026-11-25T01:00:00Z". */
void environment_time(char ret_text[32]);
