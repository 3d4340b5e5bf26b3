// SPDX-License-Identifier: MIT
#include "fixture.h"
#include "support/fault.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/*
 * What changes while it is read: a layer whose container runs, a tar that somebody still
 * writes. The change comes before each system call of the operation in turn. It fails,
 * and says why, or what it made is one whole of what there was: before, or after.
 */

/* ------------------------------------------------------------------------- tar -- */

#define CONTENT_BYTES 200000

struct tar_row {
	const char *title;

	/* What has the content: "f", or a name that a layer keeps no content of. */
	const char *name;

	/* Said at least once. */
	const char *says;
};

static const struct tar_row tar_rows[] = {
	{ "tar shrinks in a file", "f", "the tar became shorter while it was read" },
	{ "tar shrinks in what is passed over", ".wh.f", "ends in the middle of an entry" },
};

struct tar_file {
	int fd;
	const struct test_tar *tar;
};

static void shrink_tar(void *data)
{
	const struct tar_file *file = data;

	assert_sys(ftruncate(file->fd, CONTENT_BYTES / 2));
}

static void grow_tar(void *data)
{
	const struct tar_file *file = data;
	const struct ovi_strbuf *bytes = &file->tar->bytes;

	assert_int_equal(pwrite(file->fd, bytes->text, bytes->length, 0), bytes->length);
}

static void build_tar(struct test_tar *tar, const char *name)
{
	static char content[CONTENT_BYTES];
	const struct test_tar_entry entries[] = {
		{ .name = "first", .content = "text" },
		{ .name = name, .content = content, .content_length = sizeof(content) },
	};

	memset(content, 'x', sizeof(content));
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		test_tar_add(tar, &entries[i]);
	test_tar_end(tar);
}

struct shrinking {
	const struct test_tar *tar;
	const char *says;

	/* What the layer shows when nothing shrinks. */
	const char *whole;
};

static char *apply_whole(struct ovl2_store *store, const struct test_tar *tar)
{
	cleanup_fd int fd = test_tar_open(tar);
	struct ovl2_error err = { 0 };

	create_layer(store, "whole", NULL);
	assert_ok(ovl2_layer_apply(store, "whole", NULL, fd, NULL, &err), &err);

	return describe_layer(store, "whole", TEST_TREE_NO_TIMES);
}

/* Before call `at`; returns whether there was one. All of it is in the layer, or nothing. */
static int check_shrinking(struct ovl2_store *store, const struct shrinking *shrinking, size_t at,
                           size_t *said)
{
	cleanup_fd int fd = test_tar_open(shrinking->tar);
	struct tar_file file = { .fd = fd, .tar = shrinking->tar };
	cleanup_free char *shown = NULL;
	struct ovl2_error err = { 0 };
	size_t calls;
	int r;

	create_layer(store, "layer", NULL);
	test_fault_arm_event(at, shrink_tar, &file);
	r = ovl2_layer_apply(store, "layer", NULL, fd, NULL, &err);
	calls = test_fault_disarm();
	shown = describe_layer(store, "layer", TEST_TREE_NO_TIMES);
	if (r < 0) {
		assert_fails(r, OVL2_E_CORRUPT, &err);
		assert_string_equal(shown, "");
		*said += strstr(err.message, shrinking->says) != NULL;
	} else {
		assert_string_equal(shown, shrinking->whole);
	}
	assert_ok(ovl2_layer_remove(store, "layer", &err), &err);

	return at <= calls;
}

static void check_tar(void **state)
{
	struct test_place *place = *state;
	const struct tar_row *row = place->row;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_free char *whole = NULL;
	struct shrinking shrinking = { .tar = &tar, .says = row->says };
	size_t said = 0;
	size_t at = 1;

	build_tar(&tar, row->name);
	shrinking.whole = whole = apply_whole(store, &tar);
	while (check_shrinking(store, &shrinking, at, &said))
		at++;
	assert_true(said > 0);
}

/* Docker may write it still: what was there when it was opened is not all. */
static void tar_grows_while_it_is_read(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_tar struct test_tar tar = { 0 };
	struct tar_file file = { .tar = &tar };
	cleanup_free char *shown = NULL;
	struct ovl2_error err = { 0 };
	int r;

	build_tar(&tar, "f");
	file.fd = test_bytes_open(tar.bytes.text, CONTENT_BYTES / 2);
	create_layer(store, "layer", NULL);
	test_fault_count_only("pread");
	test_fault_arm_event(1, grow_tar, &file);
	r = ovl2_layer_apply(store, "layer", NULL, file.fd, NULL, &err);
	test_fault_disarm();
	test_fault_count_only("");
	close(file.fd);
	assert_ok(r, &err);
	shown = describe_layer(store, "layer", TEST_TREE_NAMES);
	assert_string_equal(shown, "f f\nf first\n");
}

/* ----------------------------------------------------------------------- layer -- */

/* Packed as one of many, and by itself. */
#define SMALL_BYTES 40000
#define LARGE_BYTES 300000

enum output { TO_FILE, TO_CALLBACK };

struct layer_row {
	const char *title;
	struct test_entry before;

	/* Put in its place; no type: it is cut to half. */
	struct test_entry after;
	size_t bytes;
	enum output output;
	const char *says;
};

#define ENTRY(letter, text)                                      \
	{                                                        \
		.type = (letter), .path = "x", .content = (text) \
	}
#define REPLACED "it was replaced while it was read"

static const struct layer_row layer_rows[] = {
	{ "small file shrinks", ENTRY('f', NULL), { 0 }, SMALL_BYTES, TO_FILE, "it shrank while" },
	{ "large file shrinks, into a file",
	  ENTRY('f', NULL),
	  { 0 },
	  LARGE_BYTES,
	  TO_FILE,
	  "the file shrank while it was read" },
	{ "large file shrinks, into a callback",
	  ENTRY('f', NULL),
	  { 0 },
	  LARGE_BYTES,
	  TO_CALLBACK,
	  "the file shrank while it was read" },
	{ "fifo in place of a file", ENTRY('f', "text"), ENTRY('p', NULL), 0, TO_FILE, REPLACED },
	{ "file in place of a fifo", ENTRY('p', NULL), ENTRY('f', "text"), 0, TO_FILE, REPLACED },
	{ "device in place of a link", ENTRY('l', "target"), ENTRY('c', "1:3"), 0, TO_FILE,
	  REPLACED },
	{ "whiteout in place of a device", ENTRY('c', "1:3"), ENTRY('c', "0:0"), 0, TO_FILE,
	  REPLACED },
};

/* "x" in the layer, and "x" beside the store, which takes its place. */
struct moving_layer {
	struct ovl2_store *store;
	const struct layer_row *row;
	const struct test_place *place;
	int upper;
	char *before;
	char *after;
};

static void change_layer_now(void *data)
{
	const struct moving_layer *moving = data;
	cleanup_fd int fd = -1;

	if (moving->row->after.type) {
		assert_sys(renameat(moving->place->fd, "x", moving->upper, "x"));
		return;
	}
	fd = openat(moving->upper, "x", O_WRONLY | O_CLOEXEC);
	assert_sys(fd);
	assert_sys(ftruncate(fd, (off_t)moving->row->bytes / 2));
}

static void reset_layer(const struct moving_layer *moving)
{
	const struct layer_row *row = moving->row;
	cleanup_free char *content = calloc(1, row->bytes + 1);
	struct test_entry before[] = { { .type = '-', .path = "x" }, row->before };
	const struct test_entry after[] = { { .type = '-', .path = "x" }, row->after };

	memset(content, 'x', row->bytes);
	if (row->bytes)
		before[1].content = content;
	test_tree_make(moving->upper, before, ARRAY_SIZE(before));
	if (row->after.type)
		test_tree_make(moving->place->fd, after, ARRAY_SIZE(after));
}

static int write_sink(void *data, const void *bytes, size_t length)
{
	return write(*(int *)data, bytes, length) == (ssize_t)length ? 0 : -1;
}

/* The names in the diff, in a tar that can be read; NULL when it fails. */
static char *pack(const struct moving_layer *moving, struct ovl2_error *err)
{
	cleanup_fd int sink = test_sink_open();
	const int to_callback = moving->row->output == TO_CALLBACK;
	const struct ovl2_diff_options options = { .size = sizeof(options),
		                                   .method = OVL2_DIFF_UPPER,
		                                   .write = to_callback ? write_sink : NULL,
		                                   .write_data = to_callback ? &sink : NULL };
	int r = ovl2_layer_diff(moving->store, "layer", &options, to_callback ? -1 : sink, err);

	return r < 0 ? NULL : test_tar_list_names(sink);
}

/* Before call `at`; returns whether there was one. */
static int check_packing(const struct moving_layer *moving, size_t at, size_t *said)
{
	cleanup_free char *names = NULL;
	struct ovl2_error err = { 0 };
	size_t calls;

	reset_layer(moving);
	test_fault_arm_event(at, change_layer_now, (void *)moving);
	names = pack(moving, &err);
	calls = test_fault_disarm();
	*said += !names && err.code == OVL2_E_BUSY && strstr(err.message, moving->row->says);
	/* A link that is none any more, or one in place of what is opened: errno says so. */
	if (!names && err.code != OVL2_E_BUSY)
		assert_in_set(err.sys, ((const unsigned long[]){ EINVAL, ELOOP }), 2);
	if (names && strcmp(names, moving->before) != 0)
		assert_string_equal(names, moving->after);

	return at <= calls;
}

static void check_layer(void **state)
{
	const struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *path = NULL;
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;
	struct moving_layer moving = { .store = store, .row = place->row, .place = place };
	cleanup_fd int upper = -1;
	struct ovl2_error err = { 0 };
	size_t said = 0;
	size_t at = 1;

	create_container(store, "layer", NULL);
	path = layer_fact(store, "layer", "UpperDir");
	moving.upper = upper = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_sys(upper);
	reset_layer(&moving);
	moving.before = before = pack(&moving, &err);
	change_layer_now(&moving);
	moving.after = after = pack(&moving, &err);
	assert_string_equal(err.message, "");

	while (check_packing(&moving, at, &said))
		at++;
	assert_true(said > 0);
}

/* A mount with metacopy=on that changes the mode of "x" leaves its data below. */
static void leave_data_below(struct ovl2_store *store)
{
	char *path = mount_foreign(store, "layer", "metacopy=on");
	cleanup_free char *x = test_path("%s/x", path);

	assert_sys(chmod(x, 0600));
	unmount_foreign(path);
}

static void file_whose_data_is_below_is_replaced(void **state)
{
	static const struct layer_row row = {
		.after = ENTRY('f', "longer than it was"),
		.output = TO_FILE,
		.says = REPLACED,
	};
	static const struct test_tar_entry base = { .name = "x", .content = "text" };
	const struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	struct moving_layer moving = { .store = store, .row = &row, .place = place };
	size_t said = 0;
	int goes_on = 1;

	create_layer(store, "base", NULL);
	apply_entries(store, "base", &base, 1);
	for (size_t at = 1; goes_on; at++) {
		cleanup_free char *path = NULL;
		cleanup_free char *names = NULL;
		cleanup_fd int upper = -1;
		struct ovl2_error err = { 0 };

		create_container(store, "layer", "base");
		leave_data_below(store);
		path = layer_fact(store, "layer", "UpperDir");
		moving.upper = upper = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_sys(upper);
		test_tree_make(place->fd, &row.after, 1);
		test_fault_arm_event(at, change_layer_now, &moving);
		names = pack(&moving, &err);
		goes_on = at <= test_fault_disarm();
		said += !names && err.code == OVL2_E_BUSY && strstr(err.message, REPLACED);
		if (!names)
			assert_int_equal(err.code, OVL2_E_BUSY);
		else
			assert_string_equal(names, "d ./\nf x\n");
		assert_ok(ovl2_layer_remove(store, "layer", &err), &err);
	}
	assert_true(said > 0);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[2 + ARRAY_SIZE(tar_rows) + ARRAY_SIZE(layer_rows)];
	size_t count = 0;

	tests[count++] = (struct CMUnitTest)cmocka_unit_test(tar_grows_while_it_is_read);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(file_whose_data_is_below_is_replaced);
	for (size_t i = 0; i < ARRAY_SIZE(tar_rows); i++)
		tests[count++] = test_case(tar_rows[i].title, check_tar, &tar_rows[i]);
	for (size_t i = 0; i < ARRAY_SIZE(layer_rows); i++)
		tests[count++] = test_case(layer_rows[i].title, check_layer, &layer_rows[i]);

	test_fault_install();
	test_enter_namespace();
	return test_run("moving", tests, count, argc, argv);
}
