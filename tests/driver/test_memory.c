// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

/*
 * No operation holds a layer in memory. Each is done in a process of its own, and what its
 * greatest resident size has grown by over the size before the call has a bound, which
 * the text of the layer's names, paths or attributes exceeds by far. Names are long, so
 * that few are enough. A sanitizer makes memory that is used larger and none smaller.
 */

#define LIMIT_BYTES ((size_t)20 << 20)
#define LAYER_BYTES (LIMIT_BYTES + LIMIT_BYTES / 4)

/* Long names; and how many of them are that much text. */
#define NAME_BYTES ((size_t)250)
#define NAMES (LAYER_BYTES / NAME_BYTES)

/* A path of so many long names, and how many such paths are that much text. */
#define PATH_NAMES 12
#define PATHS (LAYER_BYTES / (PATH_NAMES * NAME_BYTES))

#define LEVELS 100

/* Together a path of 200 KiB, and so many files there. */
#define LONG_LEVELS 800
#define LONG_FILES 150
#define SPARSE_BYTES ((off_t)20 << 30)

/* Attributes of a file: less than the mebibyte that a tar may spend on them. */
#define XATTR_BYTES ((size_t)60 << 10)
#define XATTRS 12
#define XATTR_FILES (3 * LAYER_BYTES / (XATTRS * XATTR_BYTES))

static int open_directory(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_sys(fd);

	return fd;
}

/* In no order, as names of real files are. */
static void name_it(size_t number, char ret_name[NAME_MAX + 1])
{
	snprintf(ret_name, NAME_MAX + 1, "%08x-%0*d", (unsigned int)(number * 2654435761U),
	         (int)NAME_BYTES - 9, 0);
}

static int make_directory(int dir, const char *name)
{
	assert_sys(mkdirat(dir, name, 0755));

	return open_directory(dir, name);
}

static void make_nodes(int dir, size_t count, mode_t mode)
{
	char name[NAME_MAX + 1];

	for (size_t i = 0; i < count; i++) {
		name_it(i, name);
		assert_sys(mknodat(dir, name, mode, makedev(0, 0)));
	}
}

/* -------------------------------------------------------------------- layers -- */

/* All first names come before all second ones. */
static void make_many_links(int base, int upper)
{
	cleanup_fd int first = make_directory(upper, "first");
	cleanup_fd int second = make_directory(upper, "second");
	char name[NAME_MAX + 1];

	(void)base;
	for (size_t i = 0; i < PATH_NAMES; i++) {
		int next;

		name_it(i, name);
		next = make_directory(first, name);
		close(first);
		first = next;
	}
	make_nodes(first, PATHS, S_IFREG | 0644);
	for (size_t i = 0; i < PATHS; i++) {
		name_it(i, name);
		assert_sys(linkat(first, name, second, name, 0));
	}
}

static void make_deep(int base, int upper)
{
	cleanup_fd int dir = make_directory(upper, "deep");

	(void)base;
	for (size_t i = 0; i < LEVELS; i++) {
		int next;

		make_nodes(dir, NAMES / LEVELS, S_IFREG | 0644);
		next = make_directory(dir, "d");
		close(dir);
		dir = next;
	}
}

static void make_long(int base, int upper)
{
	cleanup_fd int dir = make_directory(upper, "long");
	char name[NAME_MAX + 1];

	(void)base;
	for (size_t i = 0; i < LONG_LEVELS; i++) {
		int next;

		name_it(i, name);
		next = make_directory(dir, name);
		close(dir);
		dir = next;
	}
	make_nodes(dir, LONG_FILES, S_IFREG | 0644);
}

static void make_sparse(int base, int upper)
{
	cleanup_fd int fd = openat(upper, "sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	(void)base;
	assert_sys(fd);
	assert_sys(ftruncate(fd, SPARSE_BYTES));
}

/* Every other one is deleted, the rest replaced. */
static void make_many_names(int base, int upper)
{
	cleanup_fd int below = make_directory(base, "many");
	cleanup_fd int above = make_directory(upper, "many");
	char name[NAME_MAX + 1];

	make_nodes(below, NAMES, S_IFREG | 0644);
	for (size_t i = 0; i < NAMES; i++) {
		name_it(i, name);
		assert_sys(mknodat(above, name, i % 2 ? S_IFCHR : S_IFREG | 0644, 0));
	}
}

static void make_opaque(int base, int upper)
{
	cleanup_fd int below = make_directory(base, "many");
	cleanup_fd int above = make_directory(upper, "many");

	make_nodes(below, NAMES, S_IFREG | 0644);
	make_nodes(above, NAMES / 2, S_IFREG | 0644);
	assert_sys(fsetxattr(above, "trusted.overlay.opaque", "y", 1, 0));
}

/* Each of them has a time that is set in the end. */
static void make_many_directories(int base, int upper)
{
	cleanup_fd int dir = make_directory(upper, "many");
	char name[NAME_MAX + 1];

	(void)base;
	for (size_t i = 0; i < PATH_NAMES; i++) {
		int next;

		name_it(i, name);
		next = make_directory(dir, name);
		close(dir);
		dir = next;
	}
	for (size_t i = 0; i < PATHS; i++) {
		name_it(i, name);
		assert_sys(mkdirat(dir, name, 0755));
	}
}

static void give_attributes(int fd)
{
	static const char value[XATTR_BYTES];

	for (int i = 0; i < XATTRS; i++) {
		cleanup_free char *key = test_path("user.%d", i);

		assert_sys(fsetxattr(fd, key, value, sizeof(value), 0));
	}
}

static void make_large_attributes(int base, int upper)
{
	cleanup_free char *path = test_path("/proc/self/fd/%d", upper);
	char name[NAME_MAX + 1];

	(void)base;
	if (!test_has_attributes(path))
		test_skip("tmpfs has no attributes of users here");
	for (size_t i = 0; i < XATTR_FILES; i++) {
		cleanup_fd int dir = -1;

		name_it(i, name);
		dir = make_directory(upper, name);
		give_attributes(dir);
	}
}

/* ---------------------------------------------------------------- operations -- */

struct job {
	struct ovl2_store *store;
	int tar;
	struct ovl2_error *err;

	/* What is said of the layer, so that nobody thinks it was not looked at. */
	uint64_t told;
};

/* Into the tar, where a block of zeroes is a hole: a large file of them has to fit. */
static int put_bytes(void *data, const void *bytes, size_t length)
{
	struct job *job = data;
	const char *text = bytes;

	if (length < 4096 || text[0] || memcmp(text, text + 1, length - 1) != 0)
		assert_int_equal(pwrite(job->tar, text, length, (off_t)job->told), length);
	job->told += length;

	return 0;
}

static int count_change(void *data, const struct ovl2_change *change)
{
	(void)change;
	++*(uint64_t *)data;

	return 0;
}

static int diff(struct job *job)
{
	const struct ovl2_diff_options options = {
		.size = sizeof(options),
		.write = put_bytes,
		.write_data = job,
	};
	int r = ovl2_layer_diff(job->store, "web", &options, -1, job->err);

	return r == 0 ? ftruncate(job->tar, (off_t)job->told) : r;
}

static int list(struct job *job)
{
	return ovl2_layer_changes(job->store, "web", NULL, count_change, &job->told, job->err);
}

static int list_by_comparing(struct job *job)
{
	const struct ovl2_diff_options options = {
		.size = sizeof(options),
		.method = OVL2_DIFF_COMPARE,
	};

	return ovl2_layer_changes(job->store, "web", &options, count_change, &job->told, job->err);
}

static int add_up(struct job *job)
{
	job->told = 1;

	return ovl2_layer_diff_size(job->store, "web", NULL, NULL, job->err);
}

static int apply(struct job *job)
{
	job->told = 1;

	return ovl2_layer_apply(job->store, "copy", NULL, job->tar, NULL, job->err);
}

static int remove_layer(struct job *job)
{
	job->told = 1;

	return ovl2_layer_remove(job->store, "web", job->err);
}

static const struct {
	const char *name;
	int (*run)(struct job *job);
} operations[] = {
	{ "diff", diff },   { "changes", list }, { "changes by comparing", list_by_comparing },
	{ "size", add_up }, { "apply", apply },  { "remove", remove_layer },
};

/* -------------------------------------------------------------- measurement -- */

struct report {
	int result;
	uint64_t told;
	size_t grown_bytes;
	struct ovl2_error err;
};

static size_t read_status(const char *key)
{
	cleanup_free char *status = test_file_read("/proc/self/status");
	const char *line = strstr(status, key);

	assert_non_null(line);

	return (size_t)strtoull(line + strlen(key), NULL, 10) << 10;
}

static void run_and_report(int (*run)(struct job *job), struct job *job, int output)
{
	struct report report = { 0 };
	size_t before;

	/* From here on the greatest size is a new one: proc(5). */
	test_file_write("/proc/self/clear_refs", "5");
	before = read_status("VmRSS:");
	job->err = &report.err;
	report.result = run(job);
	report.told = job->told;
	report.grown_bytes = read_status("VmHWM:") - before;
	_exit(write(output, &report, sizeof(report)) != sizeof(report));
}

/* What the process of its own grew by. */
static struct report measure(int (*run)(struct job *job), struct job *job)
{
	struct report report = { .result = -1, .err.message = "ended early" };
	int ends[2];
	pid_t pid;

	assert_sys(pipe2(ends, O_CLOEXEC));
	pid = fork();
	assert_sys(pid);
	if (pid == 0)
		run_and_report(run, job, ends[1]);
	close(ends[1]);
	assert_int_equal(read(ends[0], &report, sizeof(report)), sizeof(report));
	close(ends[0]);
	assert_sys(waitpid(pid, NULL, 0));

	return report;
}

/* ------------------------------------------------------------------------ tests -- */

struct row {
	const char *title;
	void (*make)(int base, int upper);
};

static const struct row rows[] = {
	{ "many names in a directory, and whiteouts", make_many_names },
	{ "many files with two names", make_many_links },
	{ "many names on a deep path", make_deep },
	{ "long paths", make_long },
	{ "large file of one hole", make_sparse },
	{ "opaque directory over a large one", make_opaque },
	{ "many directories", make_many_directories },
	{ "large attributes of directories", make_large_attributes },
};

static int open_content(const struct test_place *place, const char *id)
{
	cleanup_free char *path = test_path("%s/store/%s/diff", place->path, id);

	return open_directory(AT_FDCWD, path);
}

static void memory_is_bounded(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_store struct ovl2_store *store = NULL;
	cleanup_fd int base = -1;
	cleanup_fd int upper = -1;
	cleanup_fd int tar = -1;
	size_t failed = 0;

	/* How fast a disk is matters to nobody here. */
	assert_sys(mount("tmpfs", place->path, "tmpfs", 0, "mode=755"));
	store = open_store(place);
	create_layer(store, "base", NULL);
	base = open_content(place, "base");
	create_container(store, "web", "base");
	create_layer(store, "copy", "base");
	upper = open_content(place, "web");
	tar = open(place->path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_sys(tar);
	row->make(base, upper);

	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		struct job job = { .store = store, .tar = tar };
		struct report report = measure(operations[i].run, &job);

		assert_ok(report.result, &report.err);
		assert_true(report.told > 0);
		print_message("%s, %s: %.1f MiB\n", row->title, operations[i].name,
		              (double)report.grown_bytes / (1 << 20));
		failed += report.grown_bytes > LIMIT_BYTES;
	}
	assert_int_equal(failed, 0);
}

/* Memory that was freed is to be free: a sanitizer keeps it, to see who uses it still. */
static void forgo_quarantine(char **argv)
{
	if (getenv("ASAN_OPTIONS"))
		return;
	setenv("ASAN_OPTIONS", "quarantine_size_mb=0:thread_local_quarantine_size_kb=0", 1);
	execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows)];

	forgo_quarantine(argv);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[i] = test_case(rows[i].title, memory_is_bounded, &rows[i]);
	test_enter_namespace();
	return test_run("memory", tests, ARRAY_SIZE(tests), argc, argv);
}
