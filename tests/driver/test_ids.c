// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <stdio.h>

/*
 * An id that breaks the rules is refused by every call, before anything is looked
 * at: an id is never a path.
 */

struct row {
	const char *title;
	const char *id;
	int is_valid;
};

/* One more than fits. */
#define TEN "0123456789"
#define LONGEST TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "01234567"

static const struct row rows[] = {
	{ "empty id is refused", "", 0 },
	{ "dot is refused", ".", 0 },
	{ "dot dot is refused", "..", 0 },
	{ "name of the link directory is refused", "l", 0 },
	{ "leading dot is refused", ".hidden", 0 },
	{ "our own directory is refused", ".ovl2", 0 },
	{ "leading dash is refused", "-rf", 0 },
	{ "leading underscore is refused", "_a", 0 },
	{ "slash is refused", "a/b", 0 },
	{ "leading slash is refused", "/etc", 0 },
	{ "way out is refused", "../victim", 0 },
	{ "comma is refused", "a,b", 0 },
	{ "colon is refused", "a:b", 0 },
	{ "backslash is refused", "a\\b", 0 },
	{ "space is refused", "a b", 0 },
	{ "newline is refused", "a\nb", 0 },
	{ "trailing newline is refused", "a\n", 0 },
	{ "escape is refused", "a\033[31m", 0 },
	{ "letter outside of ASCII is refused", "caf\303\251", 0 },
	{ "129 characters are refused", LONGEST "x", 0 },
	{ "128 characters are taken", LONGEST, 1 },
	{ "one digit is taken", "0", 1 },
	{ "another letter than l is taken", "k", 1 },
	{ "l as a beginning is taken", "l0", 1 },
	{ "dots, dashes and underscores inside are taken", "a.-_.", 1 },
};

static int no_fact(void *data, const struct ovl2_fact *fact)
{
	(void)data;
	(void)fact;

	return 0;
}

static int no_change(void *data, const struct ovl2_change *change)
{
	(void)data;
	(void)change;

	return 0;
}

static void refuse_everywhere(struct ovl2_store *store, const char *id)
{
	const struct ovl2_layer_options options = { .size = sizeof(options), .parent = id };
	const struct ovl2_diff_options diff = { .size = sizeof(diff), .parent = id };
	struct ovl2_mount_spec *spec = NULL;
	cleanup_fd int fd = test_sink_open();
	struct ovl2_error err = { 0 };
	uint64_t bytes;

	assert_fails(ovl2_layer_create(store, id, NULL, &err), OVL2_E_INVALID, &err);
	assert_fails(ovl2_layer_create(store, "child", &options, &err), OVL2_E_INVALID, &err);
	assert_fails(ovl2_layer_remove(store, id, &err), OVL2_E_INVALID, &err);
	assert_fails(ovl2_layer_exists(store, id, &err), OVL2_E_INVALID, &err);
	assert_fails(ovl2_layer_parent(store, id, NULL, &err), OVL2_E_INVALID, &err);
	assert_fails(ovl2_layer_metadata(store, id, no_fact, NULL, &err), OVL2_E_INVALID, &err);
	assert_fails(ovl2_layer_mount(store, id, NULL, NULL, &err), OVL2_E_INVALID, &err);
	assert_fails(ovl2_layer_mount_spec(store, id, NULL, &spec, &err), OVL2_E_INVALID, &err);
	assert_fails(ovl2_layer_unmount(store, id, &err), OVL2_E_INVALID, &err);
	assert_fails(ovl2_layer_apply(store, id, NULL, fd, NULL, &err), OVL2_E_INVALID, &err);
	assert_fails(ovl2_layer_diff(store, id, NULL, fd, &err), OVL2_E_INVALID, &err);
	assert_fails(ovl2_layer_diff_size(store, id, NULL, &bytes, &err), OVL2_E_INVALID, &err);
	assert_fails(ovl2_layer_changes(store, id, NULL, no_change, NULL, &err), OVL2_E_INVALID,
	             &err);

	/* As a parent to compare with, "" has a meaning of its own. */
	if (*id)
		assert_fails(ovl2_layer_diff(store, "base", &diff, fd, &err), OVL2_E_INVALID, &err);
}

static void take(struct ovl2_store *store, const char *id)
{
	struct ovl2_error err = { 0 };
	char *path;

	create_layer(store, id, "base");
	path = mount_layer(store, id);
	free(path);
	assert_int_equal(unmount_layer(store, id), 0);
	assert_int_equal(ovl2_layer_exists(store, id, &err), 1);
	assert_ok(ovl2_layer_remove(store, id, &err), &err);
}

static void check_row(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;

	create_layer(store, "base", NULL);
	before = test_tree_describe(place->fd, TEST_TREE_NO_TIMES);
	if (row->is_valid)
		take(store, row->id);
	else
		refuse_everywhere(store, row->id);
	after = test_tree_describe(place->fd, TEST_TREE_NO_TIMES);

	/* A child commits its parent, which is seen in the parent's record. */
	if (!row->is_valid)
		test_text_assert_same(before, after, "stores");
}

static void missing_id_is_refused(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_error err = { 0 };

	assert_fails(ovl2_layer_create(store, NULL, NULL, &err), OVL2_E_INVALID, &err);
	assert_fails(ovl2_layer_remove(store, NULL, &err), OVL2_E_INVALID, &err);
	assert_fails(ovl2_layer_exists(store, NULL, &err), OVL2_E_INVALID, &err);
	assert_fails(ovl2_layer_mount(store, NULL, NULL, NULL, &err), OVL2_E_INVALID, &err);
}

static void unknown_layer_is_named_by_every_call(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_mount_spec *spec = NULL;
	cleanup_fd int fd = test_sink_open();
	struct ovl2_error err = { 0 };
	uint64_t bytes;
	const int results[] = {
		ovl2_layer_remove(store, "gone", &err),
		ovl2_layer_parent(store, "gone", NULL, &err),
		ovl2_layer_metadata(store, "gone", no_fact, NULL, &err),
		ovl2_layer_mount(store, "gone", NULL, NULL, &err),
		ovl2_layer_mount_spec(store, "gone", NULL, &spec, &err),
		ovl2_layer_unmount(store, "gone", &err),
		ovl2_layer_apply(store, "gone", NULL, fd, NULL, &err),
		ovl2_layer_diff(store, "gone", NULL, fd, &err),
		ovl2_layer_diff_size(store, "gone", NULL, &bytes, &err),
		ovl2_layer_changes(store, "gone", NULL, no_change, NULL, &err),
	};

	for (size_t i = 0; i < ARRAY_SIZE(results); i++)
		assert_int_equal(results[i], OVL2_E_NOT_FOUND);
	assert_int_equal(ovl2_layer_exists(store, "gone", &err), 0);
	assert_contains(err.message, "'gone'");
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 2] = {
		cmocka_unit_test(missing_id_is_refused),
		cmocka_unit_test(unknown_layer_is_named_by_every_call),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[i + 2] = test_case(rows[i].title, check_row, &rows[i]);

	test_enter_namespace();
	return test_run("ids", tests, ARRAY_SIZE(tests), argc, argv);
}
