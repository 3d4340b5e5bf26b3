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

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(tar_rows) + 1];
	size_t count = 0;

	tests[count++] = (struct CMUnitTest)cmocka_unit_test(tar_grows_while_it_is_read);
	for (size_t i = 0; i < ARRAY_SIZE(tar_rows); i++)
		tests[count++] = test_case(tar_rows[i].title, check_tar, &tar_rows[i]);

	test_fault_install();
	test_enter_namespace();
	return test_run("moving", tests, count, argc, argv);
}
