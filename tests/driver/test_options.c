// SPDX-License-Identifier: MIT
#include "fixture.h"

/* Options as text, in the form of Docker's --storage-opt. */

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

struct store_row {
	const char *title;
	const char *text;
	int result;
	struct ovl2_store_options expected;
};

static const struct store_row store_rows[] = {
	{ "kernel check is overridden",
	  "overlay2.override_kernel_check=true",
	  0,
	  { .override_kernel_check = 1 } },
	{ "kernel check is kept", "overlay2.override_kernel_check=false", 0, { 0 } },
	{ "one is true", "overlay2.override_kernel_check=1", 0, { .override_kernel_check = 1 } },
	{ "neither true nor false", "overlay2.override_kernel_check=maybe", OVL2_E_INVALID, { 0 } },
	{ "size with a unit", "overlay2.size=10G", 0, { .quota_bytes = 10 * GIB } },
	{ "prefix may be left out", "size=10G", 0, { .quota_bytes = 10 * GIB } },
	{ "keys in capitals", "OVERLAY2.SIZE=1g", 0, { .quota_bytes = GIB } },
	{ "unit in small letters with a b", "size=3mb", 0, { .quota_bytes = 3 * MIB } },
	{ "size in bytes", "size=4096", 0, { .quota_bytes = 4096 } },
	{ "negative size", "size=-1G", OVL2_E_INVALID, { 0 } },
	{ "size that is no number", "size=big", OVL2_E_INVALID, { 0 } },
	{ "empty size", "size=", OVL2_E_INVALID, { 0 } },
	{ "unknown unit", "size=10Q", OVL2_E_INVALID, { 0 } },
	{ "size beyond 64 bits", "size=99999999999T", OVL2_E_INVALID, { 0 } },
	{ "number beyond 64 bits", "size=99999999999999999999999", OVL2_E_INVALID, { 0 } },
	{ "mount method by name", "mount_method=fd", 0, { .mount_method = OVL2_MOUNT_FD } },
	{ "mount method auto", "mount_method=auto", 0, { .mount_method = OVL2_MOUNT_AUTO } },
	{ "unknown mount method", "mount_method=magic", OVL2_E_INVALID, { 0 } },
	{ "depth", "max_depth=500", 0, { .max_depth = 500 } },
	{ "depth beyond the kernel's", "max_depth=501", OVL2_E_INVALID, { 0 } },
	{ "negative depth", "max_depth=-1", OVL2_E_INVALID, { 0 } },
	{ "no durability", "durability=none", 0, { .durability = OVL2_DURABILITY_NONE } },
	{ "durability at commit",
	  "durability=commit",
	  0,
	  { .durability = OVL2_DURABILITY_COMMIT } },
	{ "durability always", "durability=always", 0, { .durability = OVL2_DURABILITY_ALWAYS } },
	{ "digests of all layers", "digest=true", 0, { .digest = 1 } },
	{ "digests perhaps", "digest=perhaps", OVL2_E_INVALID, { 0 } },
	{ "unknown durability", "durability=perhaps", OVL2_E_INVALID, { 0 } },
	{ "unknown key", "overlay2.colour=blue", OVL2_E_INVALID, { 0 } },
	{ "another driver's key", "dm.basesize=10G", OVL2_E_INVALID, { 0 } },
	{ "no value", "overlay2.size", OVL2_E_INVALID, { 0 } },
	{ "no key", "=10G", OVL2_E_INVALID, { 0 } },
	{ "nothing", "", OVL2_E_INVALID, { 0 } },
};

static void check_store_row(void **state)
{
	const struct test_place *place = *state;
	const struct store_row *row = place->row;
	struct ovl2_store_options expected = row->expected;
	struct ovl2_store_options options = { .size = sizeof(options) };
	struct ovl2_error err = { 0 };

	expected.size = sizeof(options);
	if (row->result == 0)
		assert_ok(ovl2_store_options_parse(row->text, &options, &err), &err);
	else
		assert_fails(ovl2_store_options_parse(row->text, &options, &err), row->result,
		             &err);

	assert_memory_equal(&options, &expected, sizeof(options));
}

struct layer_row {
	const char *title;
	const char *text;
	int result;
	uint64_t bytes;
	uint64_t inodes;
};

static const struct layer_row layer_rows[] = {
	{ "layer size", "size=50M", 0, 50 * MIB, 0 },
	{ "layer size in capitals", "SIZE=50MB", 0, 50 * MIB, 0 },
	{ "layer inodes", "inodes=100000", 0, 0, 100000 },
	{ "layer size that is no number", "size=x", OVL2_E_INVALID, 0, 0 },
	{ "negative layer size", "size=-5", OVL2_E_INVALID, 0, 0 },
	{ "layer inodes that are no number", "inodes=many", OVL2_E_INVALID, 0, 0 },
	{ "layer key that is the store's", "durability=none", OVL2_E_INVALID, 0, 0 },
	{ "unknown layer key", "weight=3", OVL2_E_INVALID, 0, 0 },
	{ "layer option without value", "size", OVL2_E_INVALID, 0, 0 },
};

static void check_layer_row(void **state)
{
	const struct test_place *place = *state;
	const struct layer_row *row = place->row;
	struct ovl2_layer_options options = { .size = sizeof(options) };
	struct ovl2_error err = { 0 };
	int r = ovl2_layer_options_parse(row->text, &options, &err);

	if (row->result == 0)
		assert_ok(r, &err);
	else
		assert_fails(r, row->result, &err);

	assert_int_equal(options.quota_bytes, row->bytes);
	assert_int_equal(options.quota_inodes, row->inodes);
	assert_int_equal(options.read_write, 0);
	assert_null(options.parent);
}

static void unknown_key_is_named(void **state)
{
	struct ovl2_store_options options = { .size = sizeof(options) };
	struct ovl2_error err = { 0 };

	(void)state;
	assert_fails(ovl2_store_options_parse("overlay2.colour=blue", &options, &err),
	             OVL2_E_INVALID, &err);
	assert_contains(err.message, "colour");
}

static void options_add_up(void **state)
{
	struct ovl2_store_options options = { .size = sizeof(options) };
	struct ovl2_error err = { 0 };

	(void)state;
	assert_ok(ovl2_store_options_parse("size=1G", &options, &err), &err);
	assert_ok(ovl2_store_options_parse("mount_method=append", &options, &err), &err);
	assert_int_equal(options.quota_bytes, GIB);
	assert_int_equal(options.mount_method, OVL2_MOUNT_APPEND);
}

static void every_mount_method_has_a_name(void **state)
{
	const char *const names[] = { "auto", "absolute", "relative", "append", "fd" };

	(void)state;
	for (int i = OVL2_MOUNT_AUTO; i <= OVL2_MOUNT_FD; i++)
		assert_string_equal(ovl2_mount_method_name((enum ovl2_mount_method)i), names[i]);
	assert_null(ovl2_mount_method_name((enum ovl2_mount_method)(OVL2_MOUNT_FD + 1)));
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(store_rows) + ARRAY_SIZE(layer_rows) + 3];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(store_rows); i++)
		tests[count++] = test_case(store_rows[i].title, check_store_row, &store_rows[i]);
	for (size_t i = 0; i < ARRAY_SIZE(layer_rows); i++)
		tests[count++] = test_case(layer_rows[i].title, check_layer_row, &layer_rows[i]);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(unknown_key_is_named);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(options_add_up);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(every_mount_method_has_a_name);

	return test_run("options", tests, count, argc, argv);
}
