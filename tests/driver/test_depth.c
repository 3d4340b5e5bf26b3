// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <stdio.h>
#include <sys/stat.h>

/*
 * Every mount method at the depths where something changes: what fits must show
 * the right layers, and what does not must be refused rather than cut.
 */

/* What mount(2) carries: a page, less a byte. */
#define MAX_DATA_BYTES 4095

struct row {
	const char *title;
	enum ovl2_mount_method method;
	uint32_t depth;
};

static const struct row rows[] = {
	{ "absolute, 1 lower", OVL2_MOUNT_ABSOLUTE, 1 },
	{ "absolute, 2 lowers", OVL2_MOUNT_ABSOLUTE, 2 },
	{ "absolute, 71 lowers", OVL2_MOUNT_ABSOLUTE, 71 },
	{ "absolute, 72 lowers", OVL2_MOUNT_ABSOLUTE, 72 },
	{ "absolute, 128 lowers", OVL2_MOUNT_ABSOLUTE, 128 },
	{ "relative, 1 lower", OVL2_MOUNT_RELATIVE, 1 },
	{ "relative, 2 lowers", OVL2_MOUNT_RELATIVE, 2 },
	{ "relative, 71 lowers", OVL2_MOUNT_RELATIVE, 71 },
	{ "relative, 72 lowers", OVL2_MOUNT_RELATIVE, 72 },
	{ "relative, 128 lowers", OVL2_MOUNT_RELATIVE, 128 },
	{ "append, 1 lower", OVL2_MOUNT_APPEND, 1 },
	{ "append, 2 lowers", OVL2_MOUNT_APPEND, 2 },
	{ "append, 72 lowers", OVL2_MOUNT_APPEND, 72 },
	{ "append, 128 lowers", OVL2_MOUNT_APPEND, 128 },
	{ "append, 500 lowers", OVL2_MOUNT_APPEND, 500 },
	{ "fd, 1 lower", OVL2_MOUNT_FD, 1 },
	{ "fd, 2 lowers", OVL2_MOUNT_FD, 2 },
	{ "fd, 72 lowers", OVL2_MOUNT_FD, 72 },
	{ "fd, 128 lowers", OVL2_MOUNT_FD, 128 },
	{ "fd, 500 lowers", OVL2_MOUNT_FD, 500 },
	{ "auto, 1 lower", OVL2_MOUNT_AUTO, 1 },
	{ "auto, 128 lowers", OVL2_MOUNT_AUTO, 128 },
	{ "auto, 500 lowers", OVL2_MOUNT_AUTO, 500 },
};

/* Each layer puts its number in "top-number", which the next one hides. */
static void create_numbered(struct ovl2_store *store, uint32_t i)
{
	cleanup_free char *id = test_path("layer-%u", i);
	cleanup_free char *below = i ? test_path("layer-%u", i - 1) : NULL;
	cleanup_free char *number = test_path("%u", i);
	cleanup_free char *own = test_path("file-%u", i);
	const struct test_tar_entry entries[] = {
		{ .name = "top-number", .content = number },
		{ .name = own, .content = number },
	};

	create_layer(store, id, below);
	apply_entries(store, id, entries, ARRAY_SIZE(entries));
}

/* A container "top" on a stack of so many layers; those that exist are used. */
static void create_stack(struct ovl2_store *store, uint32_t depth)
{
	cleanup_free char *parent = test_path("layer-%u", depth - 1);
	struct ovl2_error err = { 0 };

	for (uint32_t i = 0; i < depth; i++) {
		cleanup_free char *id = test_path("layer-%u", i);

		if (ovl2_layer_exists(store, id, NULL) != 1)
			create_numbered(store, i);
	}
	if (ovl2_layer_exists(store, "top", NULL) == 1)
		assert_ok(ovl2_layer_remove(store, "top", &err), &err);
	create_container(store, "top", parent);
}

/* Does the mount show every layer, and the topmost one's number? */
static void check_stack(const char *path, uint32_t depth)
{
	cleanup_free char *top = test_path("%s/top-number", path);
	cleanup_free char *expected = test_path("%u", depth - 1);
	cleanup_free char *number = test_file_read(top);

	assert_string_equal(number, expected);
	assert_int_equal(count_files(path), depth + 1);
	for (uint32_t i = 0; i < depth; i++) {
		cleanup_free char *file = test_path("%s/file-%u", path, i);
		cleanup_free char *content = test_file_read(file);
		cleanup_free char *own = test_path("%u", i);

		assert_string_equal(content, own);
	}
}

/* Length of the data for mount(2), as ovl2_layer_mount_spec() has it. */
static int spec_bytes(struct ovl2_store *store, enum ovl2_mount_method method, size_t *ret_bytes,
                      struct ovl2_error *err)
{
	const struct ovl2_mount_options options = {
		.size = sizeof(options),
		.method = (int)method,
	};
	struct ovl2_mount_spec *spec = NULL;
	int r = ovl2_layer_mount_spec(store, "top", &options, &spec, err);

	if (r < 0)
		return r;
	*ret_bytes = spec->data_bytes;
	assert_int_equal(spec->data_bytes, strlen(spec->data));
	if (method != OVL2_MOUNT_AUTO)
		assert_int_equal(spec->method, method);
	ovl2_mount_spec_free(spec);

	return 0;
}

static int is_supported(const struct test_place *place, enum ovl2_mount_method method)
{
	struct ovl2_evidence evidence = { 0 };

	return method == OVL2_MOUNT_AUTO ||
	       ovl2_probe_mount_method(place->fd, method, &evidence, NULL) == 1;
}

/*
 * The store of a filesystem's rows, beside their places, so that its layers are
 * made only once.
 */
static struct ovl2_store *open_deep_store(const struct test_place *place)
{
	const struct test_place shared = { .path = test_path("%s/../deep", place->path) };
	cleanup_free char *path = shared.path;
	cleanup_free char *run = run_path(&shared);
	struct ovl2_store_options options = store_options(run);

	assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
	options.max_depth = 500;
	return open_store_with(&shared, &options);
}

static void check_row(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	const struct ovl2_mount_options options = {
		.size = sizeof(options),
		.method = (int)row->method,
	};
	cleanup_store struct ovl2_store *store = NULL;
	cleanup_free char *path = NULL;
	struct ovl2_error err = { 0 };
	struct test_resources before;
	size_t bytes = 0;

	if (!is_supported(place, row->method))
		test_skip("this kernel does not mount by '%s'",
		          ovl2_mount_method_name(row->method));
	if (row->depth > 128 && !is_supported(place, OVL2_MOUNT_APPEND))
		test_skip("this kernel mounts no more than a page of names");
	before = test_resources_count();
	store = open_deep_store(place);
	create_stack(store, row->depth);

	if (spec_bytes(store, row->method, &bytes, &err) < 0) {
		/* Absolute names of a store this deep in the tree are too long. */
		assert_int_equal(row->method, OVL2_MOUNT_ABSOLUTE);
		assert_true(row->depth >= 71);
		assert_fails(ovl2_layer_mount(store, "top", &options, &path, &err),
		             OVL2_E_UNSUPPORTED, &err);
		assert_contains(err.message, "4095");
		ovl2_store_close(steal_ptr(&store));
		test_resources_assert_same(before);
		return;
	}

	assert_true(bytes <= MAX_DATA_BYTES);
	assert_ok(ovl2_layer_mount(store, "top", &options, &path, &err), &err);
	check_stack(path, row->depth);
	unmount_layer(store, "top");

	/* An open store may keep the directories of its lowers open. */
	ovl2_store_close(steal_ptr(&store));
	test_resources_assert_same(before);
}

static void depth_129_is_refused_by_default(void **state)
{
	const struct ovl2_layer_options options = { .size = sizeof(options), .parent = "top" };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;
	struct ovl2_error err = { 0 };

	create_stack(store, 128);
	path = mount_layer(store, "top");
	check_stack(path, 128);
	unmount_layer(store, "top");

	assert_fails(ovl2_layer_create(store, "over", &options, &err), OVL2_E_UNSUPPORTED, &err);
	assert_contains(err.message, "128");
	assert_int_equal(ovl2_layer_exists(store, "over", &err), 0);
}

static void depth_500_is_the_end(void **state)
{
	const struct ovl2_layer_options options = { .size = sizeof(options), .parent = "top" };
	struct test_place *place = *state;
	cleanup_free char *run = NULL;
	struct ovl2_store_options deeper = { 0 };
	cleanup_free char *home = NULL;
	cleanup_store struct ovl2_store *store = NULL;
	struct ovl2_store *other = NULL;
	struct ovl2_error err = { 0 };

	if (!is_supported(place, OVL2_MOUNT_APPEND))
		test_skip("this kernel mounts no more than a page of names");
	run = run_path(place);
	deeper = store_options(run);
	home = store_path(place);
	store = open_deep_store(place);
	create_stack(store, 500);
	assert_fails(ovl2_layer_create(store, "over", &options, &err), OVL2_E_UNSUPPORTED, &err);

	deeper.max_depth = 501;
	assert_fails(ovl2_store_open(home, &deeper, &other, &err), OVL2_E_INVALID, &err);
}

/*
 * Grows a path byte by byte over the boundary: data of exactly 4095 bytes mounts,
 * one byte more is refused.
 */
static void data_of_a_page_is_refused_and_a_byte_less_mounts(void **state)
{
	const struct ovl2_mount_options options = {
		.size = sizeof(options),
		.method = OVL2_MOUNT_ABSOLUTE,
	};
	struct test_place *place = *state;
	cleanup_free char *run = run_path(place);
	const struct ovl2_store_options open_options = store_options(run);
	cleanup_free char *home = store_path(place);
	cleanup_free char *path = NULL;
	struct ovl2_store *store = open_store(place);
	struct ovl2_error err = { 0 };
	uint32_t depth = 40;
	size_t fitting = 0;
	size_t bytes = 0;

	create_stack(store, depth);
	ovl2_store_close(store);

	/* A store one byte further down costs a byte for each directory. */
	for (size_t extra = 0; extra < 100; extra++) {
		cleanup_free char *moved = test_path("%s/%0*d", place->path, (int)extra + 1, 0);

		assert_sys(rename(home, moved));
		free(home);
		home = steal_ptr(&moved);
		assert_ok(ovl2_store_open(home, &open_options, &store, &err), &err);
		if (spec_bytes(store, OVL2_MOUNT_ABSOLUTE, &bytes, &err) < 0)
			break;
		fitting = bytes;
		assert_true(bytes <= MAX_DATA_BYTES);
		assert_ok(ovl2_layer_mount(store, "top", &options, &path, &err), &err);
		check_stack(path, depth);
		free(steal_ptr(&path));
		unmount_layer(store, "top");
		ovl2_store_close(steal_ptr(&store));
	}

	/* The largest that fitted was less than one step from the limit. */
	assert_true(fitting + depth + 2 > MAX_DATA_BYTES);
	assert_fails(ovl2_layer_mount(store, "top", &options, &path, &err), OVL2_E_UNSUPPORTED,
	             &err);
	ovl2_store_close(store);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 3] = {
		cmocka_unit_test(depth_129_is_refused_by_default),
		cmocka_unit_test(depth_500_is_the_end),
		cmocka_unit_test(data_of_a_page_is_refused_and_a_byte_less_mounts),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[i + 3] = test_case(rows[i].title, check_row, &rows[i]);

	test_enter_namespace();
	return test_run_everywhere("depth", tests, ARRAY_SIZE(tests), argc, argv);
}
