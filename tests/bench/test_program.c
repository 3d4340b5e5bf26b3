#include "support/test.h"

#include "bench.h"
#include "loops.h"
#include "place.h"
#include "scratch.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* ovl2-bench as its users meet it: its documents, its messages, what it leaves. */

/* ------------------------------------------------------------- documents -- */

struct field {
	const char *name;
	json_type type;
	int may_be_null;
};

/* reports/FORMAT.md, ovl2-bench/1. */
static const struct field document_fields[] = {
	{ "format", JSON_STRING, 0 },    { "version", JSON_STRING, 0 },
	{ "command", JSON_ARRAY, 0 },    { "started", JSON_STRING, 0 },
	{ "duration_ms", JSON_REAL, 0 }, { "tier", JSON_STRING, 0 },
	{ "seed", JSON_INTEGER, 0 },     { "host", JSON_OBJECT, 0 },
	{ "target", JSON_OBJECT, 0 },    { "conditions", JSON_OBJECT, 0 },
	{ "warnings", JSON_ARRAY, 0 },   { "benchmarks", JSON_ARRAY, 0 },
	{ "results", JSON_ARRAY, 0 },    { 0 },
};

static const struct field benchmark_fields[] = {
	{ "id", JSON_STRING, 0 },
	{ "title", JSON_STRING, 0 },
	{ "group", JSON_STRING, 0 },
	{ "parameter", JSON_STRING, 1 },
	{ "metric", JSON_STRING, 0 },
	{ "growth", JSON_ARRAY, 0 },
	{ 0 },
};

static const struct field result_fields[] = {
	{ "benchmark", JSON_STRING, 0 },
	{ "variant", JSON_STRING, 0 },
	{ "value", JSON_INTEGER, 1 },
	{ "rounds", JSON_INTEGER, 0 },
	{ "blocks", JSON_INTEGER, 0 },
	{ "ours", JSON_OBJECT, 1 },
	{ "floor", JSON_OBJECT, 1 },
	{ "peer", JSON_OBJECT, 1 },
	{ "more_peers", JSON_ARRAY, 0 },
	{ "ratio", JSON_OBJECT, 1 },
	{ "bytes", JSON_INTEGER, 1 },
	{ "files", JSON_INTEGER, 1 },
	{ "data_bytes", JSON_INTEGER, 1 },
	{ "data_limit_bytes", JSON_INTEGER, 1 },
	{ "peak_rss_bytes", JSON_INTEGER, 1 },
	{ "skipped", JSON_STRING, 1 },
	{ 0 },
};

static const struct field series_fields[] = {
	{ "title", JSON_STRING, 0 },
	{ "median_ns", JSON_INTEGER, 0 },
	{ "low_ns", JSON_INTEGER, 0 },
	{ "high_ns", JSON_INTEGER, 0 },
	{ "confidence", JSON_REAL, 0 },
	{ "start_ns", JSON_INTEGER, 1 },
	{ "latency", JSON_OBJECT, 1 },
	{ "values_ns", JSON_ARRAY, 0 },
	{ 0 },
};

static const struct field growth_fields[] = {
	{ "variant", JSON_STRING, 0 },
	{ "shape", JSON_STRING, 0 },
	{ "terms_ns", JSON_ARRAY, 0 },
	{ "spread_ns", JSON_ARRAY, 0 },
	{ "exponent", JSON_REAL, 0 },
	{ "memory_exponent", JSON_REAL, 1 },
	{ 0 },
};

static const struct field ratio_fields[] = {
	{ "median", JSON_REAL, 0 },     { "low", JSON_REAL, 0 },     { "high", JSON_REAL, 0 },
	{ "detectable", JSON_REAL, 1 }, { "values", JSON_ARRAY, 0 }, { 0 },
};

static void check_fields(const json_t *object, const struct field *fields)
{
	for (const struct field *field = fields; field->name; field++) {
		const json_t *value = json_object_get(object, field->name);

		if (!value) {
			fail_msg("the document lacks the field '%s'", field->name);
			continue;
		}
		if (json_is_null(value) && field->may_be_null)
			continue;
		if (json_typeof(value) != field->type)
			fail_msg("field '%s' has type %d, not %d", field->name, json_typeof(value),
			         field->type);
	}
}

static void check_series(const json_t *series, json_int_t rounds)
{
	json_int_t low = json_integer_value(json_object_get(series, "low_ns"));
	json_int_t median = json_integer_value(json_object_get(series, "median_ns"));
	json_int_t high = json_integer_value(json_object_get(series, "high_ns"));

	check_fields(series, series_fields);
	assert_int_equal(json_array_size(json_object_get(series, "values_ns")), rounds);
	assert_true(0 < low && low <= median && median <= high);
}

static void check_result(const json_t *result)
{
	json_int_t rounds = json_integer_value(json_object_get(result, "rounds"));
	const json_t *peer = json_object_get(result, "peer");
	const json_t *each;
	size_t i;

	check_fields(result, result_fields);
	if (!json_is_null(json_object_get(result, "skipped"))) {
		assert_int_equal(rounds, 0);
		assert_true(json_is_null(json_object_get(result, "ours")));
		assert_true(json_is_null(json_object_get(result, "floor")));
		assert_true(json_is_null(json_object_get(result, "ratio")));
		return;
	}

	assert_true(rounds > 0);
	check_series(json_object_get(result, "ours"), rounds);
	check_series(json_object_get(result, "floor"), rounds);
	check_fields(json_object_get(result, "ratio"), ratio_fields);
	assert_true(json_real_value(json_object_get(json_object_get(result, "ratio"), "low")) > 0);
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(result, "ratio"), "values")),
		rounds);
	assert_true(json_integer_value(json_object_get(result, "blocks")) > 0);
	if (!json_is_null(peer))
		check_series(peer, rounds);
	json_array_foreach(json_object_get(result, "more_peers"), i, each)
	{
		if (!json_is_null(each))
			check_series(each, rounds);
	}
}

static json_t *parse_document(const char *text)
{
	json_error_t error;
	json_t *document = json_loads(text, 0, &error);
	json_t *each;
	size_t i;

	if (!document)
		fail_msg("line %d: %s in: %s", error.line, error.text, text);
	check_fields(document, document_fields);
	assert_string_equal(json_string_value(json_object_get(document, "format")), "ovl2-bench/1");
	json_array_foreach(json_object_get(document, "benchmarks"), i, each)
		check_fields(each, benchmark_fields);
	json_array_foreach(json_object_get(document, "results"), i, each) check_result(each);

	return document;
}

static int is_complete(const json_t *document)
{
	return json_is_true(json_object_get(document, "complete"));
}

static const json_t *find_result(const json_t *document, const char *variant, json_int_t value)
{
	json_t *each;
	size_t i;

	json_array_foreach(json_object_get(document, "results"), i, each)
	{
		const char *name = json_string_value(json_object_get(each, "variant"));

		if (strcmp(name, variant) == 0 &&
		    json_integer_value(json_object_get(each, "value")) == value)
			return each;
	}
	fail_msg("there is no result of %s at %d", variant, (int)value);

	return NULL;
}

/* --------------------------------------------------------------- the runs -- */

/* All of a file, of which /proc gives no more than a page at once; free(3), or NULL. */
static char *read_whole(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t length = 0;
	ssize_t got = 1;

	while (fd >= 0 && got > 0) {
		text = realloc(text, length + 65536);
		assert_non_null(text);
		got = read(fd, text + length, 65535);
		length += got > 0 ? (size_t)got : 0;
		text[length] = '\0';
	}

	return text;
}

/* Images are made in the place of the test, so that they can be told from others'. */
static void keep_images_here(const struct test_place *place)
{
	assert_sys(setenv("TMPDIR", place->path, 1));
}

static void assert_nothing_left(const struct test_place *place, size_t mounts)
{
	loops_assert_gone(place->path);
	assert_int_equal(test_resources_count().mounts, mounts);
}

static size_t count_cases(const struct bench *bench)
{
	size_t count = 0;

	for (const struct bench_variant *v = bench->variants; v->name; v++) {
		size_t values = 0;

		while (v->values && v->values[values])
			values++;
		count += values ? values : 1;
	}

	return count;
}

/*
 * One operation of each case, in one run of the smoke tier: what does not run is found
 * here. Made for the first case that asks, for all; NULL when that failed.
 */
static const json_t *find_smoke(const struct test_place *place)
{
	static json_t *document;
	static int is_tried;
	const char *const argv[] = { OVL2_BENCH, "--tier", "smoke", "--json", NULL };
	size_t mounts = test_resources_count().mounts;
	cleanup_output struct test_output output = { 0 };

	if (!is_tried) {
		is_tried = 1;
		keep_images_here(place);
		output = test_spawn(argv);
		if (output.status != 0)
			fail_msg("status %d: %s", output.status, output.err);
		document = parse_document(output.out);
		assert_nothing_left(place, mounts);
	}
	if (!document)
		fail_msg("the run of all benchmarks failed");

	return document;
}

static void check_bench_ran(void **state)
{
	const struct test_place *place = *state;
	const struct bench *bench = place->row;
	const json_t *smoke = find_smoke(place);
	size_t count = 0;
	size_t measured = 0;
	json_t *each;
	size_t i;

	assert_true(is_complete(smoke));
	json_array_foreach(json_object_get(smoke, "results"), i, each)
	{
		const json_t *skipped = json_object_get(each, "skipped");

		if (strcmp(json_string_value(json_object_get(each, "benchmark")), bench->id) != 0)
			continue;
		count++;
		measured += json_is_null(skipped);
		if (!json_is_null(skipped))
			print_message("%s: %s\n", bench->id, json_string_value(skipped));
	}
	assert_int_equal(count, count_cases(bench));

	/* Something of it must run anywhere, or nobody would see it break. */
	assert_true(measured > 0 || bench->peer_program);
}

/* 4095 bytes take 71 absolute lowers under a path like Docker's, and not 72. */
static void depth_beyond_the_limit_is_skipped_with_its_size(void **state)
{
	const char *const argv[] = { OVL2_BENCH, "--tier",      "smoke", "--json",
		                     "--only",   "mount_depth", NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	const json_t *growth;
	const json_t *result;
	json_t *document;

	(void)state;

	assert_int_equal(output.status, 0);
	document = parse_document(output.out);

	result = find_result(document, "absolute", 71);
	assert_true(json_is_null(json_object_get(result, "skipped")));
	assert_true(json_integer_value(json_object_get(result, "data_bytes")) <= 4095);
	result = find_result(document, "absolute", 72);
	assert_non_null(json_string_value(json_object_get(result, "skipped")));
	assert_true(json_integer_value(json_object_get(result, "data_bytes")) > 4095);
	assert_int_equal(json_integer_value(json_object_get(result, "data_limit_bytes")), 4095);

	/* A depth is a sweep, so it says how time grows. */
	growth = json_array_get(
		json_object_get(json_array_get(json_object_get(document, "benchmarks"), 0),
	                        "growth"),
		0);
	check_fields(growth, growth_fields);
	assert_true(json_array_size(json_object_get(growth, "terms_ns")) > 0);
	assert_int_equal(json_array_size(json_object_get(growth, "terms_ns")),
	                 json_array_size(json_object_get(growth, "spread_ns")));

	/* Docker's own limit fits when paths are relative. */
	result = find_result(document, "relative", 128);
	assert_true(json_is_null(json_object_get(result, "skipped")));

	/* More than overlayfs takes is refused by the library, in words. */
	result = find_result(document, "auto", 501);
	assert_contains(json_string_value(json_object_get(result, "skipped")),
	                "would be on 501 lowers and this store takes 500");
	json_decref(document);
}

/* One page less a byte; where one more is needed another method is taken, or none. */
static void mount_data_is_measured_to_the_byte(void **state)
{
	const char *const argv[] = { OVL2_BENCH, "--tier",     "smoke", "--json",
		                     "--only",   "mount_data", NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	const json_t *result;
	json_t *document;

	(void)state;

	assert_int_equal(output.status, 0);
	document = parse_document(output.out);
	for (json_int_t bytes = 4094; bytes <= 4095; bytes++) {
		result = find_result(document, "relative", bytes);
		assert_true(json_is_null(json_object_get(result, "skipped")));
		assert_int_equal(json_integer_value(json_object_get(result, "data_bytes")), bytes);
	}
	result = find_result(document, "relative", 4096);
	assert_contains(json_string_value(json_object_get(result, "skipped")),
	                "need 4096 bytes of mount data and method relative takes 4095");
	json_decref(document);
}

static size_t count_entries(const char *path)
{
	DIR *dir = opendir(path);
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);

	return count - 2;
}

static void directory_is_left_as_it_was(void **state)
{
	const struct test_place *place = *state;
	const char *const argv[] = { OVL2_BENCH, "--tier", "smoke", "--dir",  place->path, "--only",
		                     "apply",    "--only", "diff",  "--json", NULL };
	size_t mounts = test_resources_count().mounts;
	cleanup_output struct test_output output = test_spawn(argv);
	json_t *document;

	if (output.status != 0)
		fail_msg("status %d: %s", output.status, output.err);
	document = parse_document(output.out);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(document, "target"), "path")),
		place->path);
	json_decref(document);
	assert_int_equal(count_entries(place->path), 0);
	assert_nothing_left(place, mounts);
}

static void leftovers_of_a_killed_run_are_collected(void **state)
{
	const struct test_place *place = *state;
	const char *const argv[] = { OVL2_BENCH,  "--tier", "smoke",         "--dir",
		                     place->path, "--only", "create_remove", NULL };

	assert_sys(mkdirat(place->fd, OVI_SCRATCH_PREFIX "killedkilled", 0700));
	assert_sys(mkdirat(place->fd, OVI_SCRATCH_PREFIX "killedkilled/deep", 0700));
	assert_sys(mkdirat(place->fd, "somebody-elses", 0700));

	cleanup_output struct test_output output = test_spawn(argv);

	assert_int_equal(output.status, 0);
	assert_int_equal(count_entries(place->path), 1);
	assert_sys(faccessat(place->fd, "somebody-elses", F_OK, 0));
}

static void table_has_ours_floor_and_ratio(void **state)
{
	const char *const argv[] = {
		OVL2_BENCH, "--tier", "smoke", "--only", "create_remove", NULL
	};
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;

	assert_int_equal(output.status, 0);
	assert_contains(output.out, "create_remove: ");
	assert_contains(output.out, "OURS");
	assert_contains(output.out, "FLOOR");
	assert_contains(output.out, "RATIO");
	assert_contains(output.out, "commit");
}

/* One value a round, whatever the number of blocks behind it. */
static void rounds_are_what_is_counted(void **state)
{
	const char *const argv[] = { OVL2_BENCH, "--tier",        "smoke",  "--rounds", "7",
		                     "--only",   "create_remove", "--json", NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	json_t *document;
	json_t *each;
	size_t i;

	(void)state;

	assert_int_equal(output.status, 0);
	document = parse_document(output.out);
	assert_true(is_complete(document));
	json_array_foreach(json_object_get(document, "results"), i, each)
	{
		assert_int_equal(json_integer_value(json_object_get(each, "rounds")), 7);
		assert_int_equal(json_integer_value(json_object_get(each, "blocks")), 1);
		assert_true(json_real_value(json_object_get(json_object_get(each, "ratio"),
		                                            "detectable")) > 0);
	}
	json_decref(document);
}

/* A document of each, one after the other, which differ in their target. */
static void all_filesystems_have_a_document_each(void **state)
{
	static const char *const names[] = { "xfs", "ext4", "btrfs", "tmpfs" };
	const struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/all.json", place->path);
	const char *const argv[] = { OVL2_BENCH, "--tier",    "smoke",    "--filesystem", "all",
		                     "--only",   "diff_size", "--output", path,           NULL };
	size_t mounts = test_resources_count().mounts;
	cleanup_output struct test_output output = { 0 };
	cleanup_free char *text = NULL;
	const char *rest;

	keep_images_here(place);
	output = test_spawn(argv);
	assert_int_equal(output.status, 0);
	text = read_whole(path);
	rest = text;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		json_error_t why;
		json_t *document = json_loads(rest, JSON_DISABLE_EOF_CHECK, &why);
		const json_t *target = json_object_get(document, "target");

		assert_non_null(document);
		assert_string_equal(json_string_value(json_object_get(target, "filesystem")),
		                    names[i]);
		assert_true(json_array_size(json_object_get(document, "results")) > 0);
		assert_contains(output.out, names[i]);
		json_decref(document);
		rest += why.position;
	}
	assert_string_equal(rest, "\n");
	assert_nothing_left(place, mounts);
}

/* The base is this very program: it has the same cases, measured once more. */
static void base_is_measured_in_the_same_rounds(void **state)
{
	const char *const argv[] = { OVL2_BENCH, "--tier", "smoke",        "--rounds",  "7",
		                     "--only",   "diff",   "--only",       "diff_size", "--base",
		                     OVL2_BENCH, "--json", "--filesystem", "tmpfs",     NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	json_t *document;
	json_t *each;
	size_t i;

	(void)state;

	assert_int_equal(output.status, 0);
	document = parse_document(output.out);
	assert_string_equal(json_string_value(json_object_get(document, "base")), OVL2_BENCH);
	assert_true(json_array_size(json_object_get(document, "results")) > 1);
	json_array_foreach(json_object_get(document, "results"), i, each)
	{
		const json_t *base = json_object_get(each, "base");

		assert_int_equal(json_integer_value(json_object_get(each, "rounds")), 7);
		check_series(json_object_get(base, "ours"), 7);
		check_series(json_object_get(base, "floor"), 7);
		check_fields(json_object_get(base, "ratio"), ratio_fields);
		assert_false(
			json_equal(json_object_get(base, "ours"), json_object_get(each, "ours")));
	}
	json_decref(document);
}

static void base_that_is_no_bench_is_told(void **state)
{
	const struct test_place *place = *state;
	const char *const argv[] = { OVL2_BENCH, "--tier",        "smoke",
		                     "--only",   "create_remove", "--filesystem",
		                     "tmpfs",    "--base",        "/bin/true",
		                     NULL };
	size_t mounts = test_resources_count().mounts;
	cleanup_output struct test_output output = test_spawn(argv);

	assert_int_equal(output.status, 1);
	assert_contains(output.err, "true': no round of ovl2-bench");
	assert_nothing_left(place, mounts);
}

/* The host of the test may be fit or not: what is said and what is done agree. */
static void strict_refuses_what_is_warned_of(void **state)
{
	const char *const argv[] = { OVL2_BENCH,      "--tier",   "smoke",  "--only",
		                     "create_remove", "--strict", "--json", NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	const json_t *conditions;
	json_t *document;

	(void)state;

	if (output.status == 2 && !*output.out) {
		assert_contains(output.err, "not fit to measure on");
		return;
	}
	document = parse_document(output.out);
	conditions = json_object_get(document, "conditions");
	assert_true(json_is_integer(json_object_get(conditions, "cpu")));
	if (output.status == 2)
		assert_contains(output.err, "warning: ");
	else
		assert_int_equal(output.status, 0);
	json_decref(document);
}

/* ----------------------------------------------------------- interruption -- */

/* Does a process that `run` started see a layer mounted? */
static int has_mounted(pid_t run, const void *data)
{
	cleanup_free char *path = test_path("/proc/%d/task/%d/children", run, run);
	cleanup_free char *children = read_whole(path);
	char *rest = children;
	const char *child;

	(void)data;

	while (rest && (child = strsep(&rest, " ")) && *child) {
		cleanup_free char *mounts = test_path("/proc/%s/mounts", child);
		cleanup_free char *text = read_whole(mounts);

		if (text && strstr(text, PLACE_HOME "/"))
			return 1;
	}

	return 0;
}

static pid_t start(const char *const *argv)
{
	pid_t child = fork();

	assert_sys(child);
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(null, 1);
		dup2(null, 2);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}

	return child;
}

/*
 * Waits as long as it takes, which on a busy machine is long, until `child` has come so far
 * or is no more.
 */
static void wait_until(int (*has_come)(pid_t child, const void *data), pid_t child,
                       const void *data)
{
	const struct timespec moment = { .tv_nsec = 10000000 };
	int status;

	while (!has_come(child, data)) {
		if (waitpid(child, &status, WNOHANG) != 0)
			fail_msg("the run ended too early, with status %#x", (unsigned int)status);
		nanosleep(&moment, NULL);
	}
}

/* Started, and so far that a round has a layer mounted. */
static pid_t start_run(const char *output, const char *base)
{
	const char *const argv[] = { OVL2_BENCH, "--only",   "mount_depth", "--rounds",
		                     "1000",     "--output", output,        base ? "--base" : NULL,
		                     base,       NULL };
	pid_t child = start(argv);

	wait_until(has_mounted, child, NULL);

	return child;
}

struct interruption {
	const char *title;
	int signal;
	int status;
	const char *base;
};

static const struct interruption interruptions[] = {
	{ "Ctrl-C writes what is complete and leaves nothing", SIGINT, 130, NULL },
	{ "SIGTERM writes what is complete and leaves nothing", SIGTERM, 143, NULL },
	{ "Ctrl-C beside a base is no different", SIGINT, 130, OVL2_BENCH },
};

static void check_interruption(void **state)
{
	const struct test_place *place = *state;
	const struct interruption *row = place->row;
	size_t mounts = test_resources_count().mounts;
	char *path = test_path("%s/bench.json", place->path);
	cleanup_free char *text = NULL;
	json_t *document;
	pid_t child;
	int status;

	keep_images_here(place);
	child = start_run(path, row->base);
	assert_sys(kill(child, row->signal));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), row->status);

	text = read_whole(path);
	document = parse_document(text);
	assert_false(is_complete(document));
	json_decref(document);
	assert_int_equal(count_entries(place->path), 1);
	free(path);
	assert_nothing_left(place, mounts);
}

/* A mkfs that never ends: it opens its device, the last argument, and sleeps. */
static void put_slow_mkfs(const struct test_place *place)
{
	static const char script[] = "#!/bin/sh\nfor last; do :; done\nexec 9<>\"$last\"\n"
				     ": >\"${0%/*}/mkfs-runs\"\nexec sleep 1000\n";
	int fd = openat(place->fd, "mkfs.xfs", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

	assert_sys(fd);
	assert_int_equal(write(fd, script, strlen(script)), strlen(script));
	close(fd);
}

static int has_made(pid_t child, const void *data)
{
	const struct test_place *place = data;

	(void)child;

	return faccessat(place->fd, "mkfs-runs", F_OK, 0) == 0;
}

static void kill_ends_the_tools_too(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *path = test_path("PATH=%s:/usr/bin:/bin", place->path);
	const char *const argv[] = { "/usr/bin/env", path,     OVL2_BENCH,      "--tier",
		                     "smoke",        "--only", "create_remove", "--filesystem",
		                     "xfs",          NULL };
	int status;
	pid_t child;

	keep_images_here(place);
	put_slow_mkfs(place);
	child = start(argv);
	wait_until(has_made, child, place);
	assert_int_equal(loops_count(place->path), 1);

	assert_sys(kill(child, SIGKILL));
	assert_int_equal(waitpid(child, &status, 0), child);
	loops_assert_gone(place->path);
}

static void kill_leaves_no_mount_no_loop_no_file(void **state)
{
	const struct test_place *place = *state;
	size_t mounts = test_resources_count().mounts;
	char *path = test_path("%s/bench.json", place->path);
	pid_t child;
	int status;

	keep_images_here(place);
	child = start_run(path, NULL);
	assert_sys(kill(child, SIGKILL));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(count_entries(place->path), 0);
	free(path);
	assert_nothing_left(place, mounts);
}

/* ----------------------------------------------------------- command line -- */

struct refusal {
	const char *title;
	const char *argv[6];
	const char *message;
};

static const struct refusal refusals[] = {
	{ "unknown option", { OVL2_BENCH, "--fast" }, "unknown option '--fast'" },
	{ "unknown benchmark", { OVL2_BENCH, "--only", "mount" }, "no benchmark 'mount'" },
	{ "unknown tier", { OVL2_BENCH, "--tier", "slow" }, "no tier 'slow'" },
	{ "unknown filesystem", { OVL2_BENCH, "--filesystem", "zfs" }, "'zfs'" },
	{ "no rounds", { OVL2_BENCH, "--rounds", "0" }, "from 1 to 1000" },
	{ "rounds that are no number", { OVL2_BENCH, "--rounds", "3x" }, "not '3x'" },
	{ "no base", { OVL2_BENCH, "--base", "/nowhere/bench" }, "run '/nowhere/bench'" },
	{ "negative seed", { OVL2_BENCH, "--seed", "-1" }, "not '-1'" },
	{ "operand", { OVL2_BENCH, "/var/lib" }, "unexpected '/var/lib'" },
	{ "base on all", { OVL2_BENCH, "--filesystem", "all", "--base", "/bin/true" }, "one" },
	{ "image in a directory", { OVL2_BENCH, "--dir", "/tmp", "--filesystem", "xfs" }, "--dir" },
};

static void check_refusal(void **state)
{
	const struct test_place *place = *state;
	const struct refusal *row = place->row;
	cleanup_output struct test_output output = test_spawn(row->argv);

	assert_int_equal(output.status, 64);
	assert_string_equal(output.out, "");
	assert_contains(output.err, row->message);
	assert_contains(output.err, "--help");
}

static void list_names_every_benchmark(void **state)
{
	const char *const argv[] = { OVL2_BENCH, "--list", NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;

	assert_int_equal(output.status, 0);
	for (const struct bench *const *b = bench_registry; *b; b++) {
		assert_contains(output.out, (*b)->id);
		assert_contains(output.out, (*b)->title);
	}
}

/* Each is said once, whatever number of benchmarks has it. */
static void missing_peers_are_named_once(void **state)
{
	const char *const argv[] = {
		"/usr/bin/env", "PATH=/nowhere", OVL2_BENCH,     "--tier", "smoke",
		"--filesystem", "tmpfs",         "--only",       "diff",   "--only",
		"diff_file",    "--only",        "command_diff", NULL
	};
	cleanup_output struct test_output output = test_spawn(argv);
	const char *first;

	(void)state;

	assert_int_equal(output.status, 0);
	first = strstr(output.err, "no program 'bsdtar'");
	assert_non_null(first);
	assert_null(strstr(first + 1, "no program 'bsdtar'"));
	assert_contains(output.err, "no program 'containers-storage'");

	/* Without the clock there is nothing to say at all. */
	assert_contains(output.out, "there is no hyperfine");
}

static double start_of(const json_t *result, const char *arm)
{
	return json_number_value(json_object_get(json_object_get(result, arm), "start_ns"));
}

/* 0 where a busy machine could not tell, and said so. */
static int check_start(const json_t *result, const char *said)
{
	const char *id = json_string_value(json_object_get(result, "benchmark"));
	int is_command = strcmp(id, "command_create") == 0;

	check_result(result);
	if (!json_is_null(json_object_get(result, "skipped"))) {
		assert_contains(said, "others are at work");
		return 0;
	}
	assert_int_equal(start_of(result, "ours") > 0, is_command);
	assert_int_equal(start_of(result, "floor") > 0, is_command);

	return 1;
}

static void what_starting_a_command_takes_is_told(void **state)
{
	const struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/bench.json", place->path);
	const char *const argv[] = { OVL2_BENCH,       "--tier",   "smoke", "--filesystem",
		                     "tmpfs",          "--only",   "diff",  "--only",
		                     "command_create", "--output", path,    NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	json_t *document;
	json_t *result;
	int is_busy = 0;
	size_t i;

	assert_int_equal(output.status, 0);
	document = json_load_file(path, 0, NULL);
	assert_non_null(document);
	json_array_foreach(json_object_get(document, "results"), i, result) is_busy |=
		!check_start(result, output.out);
	assert_true(i > 1);
	json_decref(document);
	if (!is_busy)
		assert_contains(output.out, "  ours:  ovl2 create, less ");
	assert_contains(output.out, "  ours:  ovl2_layer_diff\n");
}

static void output_that_cannot_be_written_fails_at_once(void **state)
{
	const char *const argv[] = { OVL2_BENCH, "--output", "/nowhere/bench.json", NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;

	assert_int_equal(output.status, 1);
	assert_contains(output.err, "/nowhere");
	assert_string_equal(output.out, "");
}

static void missing_directory_is_named(void **state)
{
	const char *const argv[] = { OVL2_BENCH, "--dir", "/nowhere", NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;

	assert_int_equal(output.status, 1);
	assert_contains(output.err, "'/nowhere'");
}

static void plain_user_is_told_to_be_root(void **state)
{
	int program = open(OVL2_BENCH, O_PATH | O_CLOEXEC);
	char text[512] = "";
	int ends[2];
	pid_t child;
	int status;

	(void)state;

	assert_sys(program);
	assert_sys(pipe2(ends, O_CLOEXEC));
	child = fork();
	assert_sys(child);
	if (child == 0) {
		char *const argv[] = { (char *)"ovl2-bench", NULL };
		char *const environment[] = { NULL };

		dup2(ends[1], 2);
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(126);
		/* By descriptor: the way to the program may be closed to others. */
		execveat(program, "", argv, environment, AT_EMPTY_PATH);
		_exit(127);
	}
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	close(ends[0]);
	close(program);
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_contains(text, "needs root");
	assert_int_equal(strcspn(text, "\n"), strlen(text) - 1);
}

#define MAX_TESTS 256

int main(int argc, char **argv)
{
	static const struct CMUnitTest scenarios[] = {
		cmocka_unit_test(depth_beyond_the_limit_is_skipped_with_its_size),
		cmocka_unit_test(mount_data_is_measured_to_the_byte),
		cmocka_unit_test(directory_is_left_as_it_was),
		cmocka_unit_test(leftovers_of_a_killed_run_are_collected),
		cmocka_unit_test(table_has_ours_floor_and_ratio),
		cmocka_unit_test(rounds_are_what_is_counted),
		cmocka_unit_test(all_filesystems_have_a_document_each),
		cmocka_unit_test(base_is_measured_in_the_same_rounds),
		cmocka_unit_test(base_that_is_no_bench_is_told),
		cmocka_unit_test(strict_refuses_what_is_warned_of),
		cmocka_unit_test(kill_leaves_no_mount_no_loop_no_file),
		cmocka_unit_test(kill_ends_the_tools_too),
		cmocka_unit_test(list_names_every_benchmark),
		cmocka_unit_test(missing_peers_are_named_once),
		cmocka_unit_test(what_starting_a_command_takes_is_told),
		cmocka_unit_test(output_that_cannot_be_written_fails_at_once),
		cmocka_unit_test(missing_directory_is_named),
		cmocka_unit_test(plain_user_is_told_to_be_root),
	};
	struct CMUnitTest tests[MAX_TESTS];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		tests[count++] = test_case(refusals[i].title, check_refusal, &refusals[i]);
	for (const struct bench *const *b = bench_registry; *b; b++)
		tests[count++] = test_case((*b)->id, check_bench_ran, *b);
	for (size_t i = 0; i < ARRAY_SIZE(interruptions); i++)
		tests[count++] =
			test_case(interruptions[i].title, check_interruption, &interruptions[i]);
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		tests[count++] = scenarios[i];

	test_enter_namespace();
	return test_run("program", tests, count, argc, argv);
}
