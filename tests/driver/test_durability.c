// SPDX-License-Identifier: MIT
#include "boot.h"
#include "fixture.h"

#include "strbuf.h"

#include <stdio.h>
#include <sys/stat.h>

/* Which layers are trusted after the machine went down. */

struct warnings {
	struct ovi_strbuf text;
};

static void note(void *data, enum ovl2_log_level level, const char *message)
{
	struct warnings *warnings = data;

	if (level == OVL2_LOG_WARNING)
		ovi_strbuf_addf(&warnings->text, "%s\n", message);
}

static struct ovl2_store *open_with(const struct test_place *place, enum ovl2_durability durability,
                                    struct warnings *warnings)
{
	cleanup_free char *run = run_path(place);
	struct ovl2_store_options options = store_options(run);

	options.durability = (int)durability;
	options.log = warnings ? note : NULL;
	options.log_data = warnings;

	return open_store_with(place, &options);
}

static const struct test_tar_entry one_file[] = { { .name = "file", .content = "content" } };

static void assert_quarantined(const struct test_place *place, struct ovl2_store *store,
                               const char *id)
{
	cleanup_free char *path = test_path("%s/store/.ovl2/quarantine/%s/diff", place->path, id);

	assert_int_equal(ovl2_layer_exists(store, id, NULL), 0);
	assert_int_equal(access(path, F_OK), 0);
}

static void unflushed_layers_of_an_earlier_boot_are_put_aside(void **state)
{
	struct test_place *place = *state;
	struct ovl2_store *store;
	struct warnings warnings = { .text = { 0 } };
	cleanup_free char *links = test_path("%s/store/l", place->path);
	cleanup_free char *text = NULL;

	test_boot(place, 1);
	store = open_with(place, OVL2_DURABILITY_COMMIT, NULL);
	create_layer(store, "kept", NULL);
	apply_entries(store, "kept", one_file, ARRAY_SIZE(one_file));
	ovl2_store_close(store);
	store = open_with(place, OVL2_DURABILITY_NONE, NULL);
	create_layer(store, "lost", "kept");
	apply_entries(store, "lost", one_file, ARRAY_SIZE(one_file));
	create_container(store, "lost-too", "lost");
	ovl2_store_close(store);

	/* A crash of the process alone loses nothing: same boot. */
	store = open_with(place, OVL2_DURABILITY_NONE, NULL);
	assert_int_equal(ovl2_layer_exists(store, "lost", NULL), 1);
	ovl2_store_close(store);

	test_boot(place, 2);
	store = open_with(place, OVL2_DURABILITY_COMMIT, &warnings);
	assert_quarantined(place, store, "lost");
	assert_quarantined(place, store, "lost-too");
	assert_contains(warnings.text.text, "'lost' is now");
	assert_contains(warnings.text.text, "not flushed");
	text = describe_layer(store, "kept", TEST_TREE_NAMES);
	assert_string_equal(text, "f file\n");
	assert_int_equal(count_files(links), 1);

	/* The ids are free again. */
	create_layer(store, "lost", "kept");
	ovl2_store_close(store);
	ovi_strbuf_release(&warnings.text);
}

/* Its name was on disk already, what is in it was not. */
static void layer_with_a_blank_record_is_put_aside(void **state)
{
	struct test_place *place = *state;
	struct ovl2_store *store;
	cleanup_free char *record = test_path("%s/store/blank/ovl2.json", place->path);
	cleanup_free char *zeroes = test_path("%s/store/zeroes/ovl2.json", place->path);
	cleanup_free char *text = NULL;

	test_boot(place, 1);
	store = open_with(place, OVL2_DURABILITY_NONE, NULL);
	create_layer(store, "blank", NULL);
	create_layer(store, "zeroes", NULL);
	ovl2_store_close(store);
	assert_sys(truncate(record, 0));
	assert_sys(truncate(zeroes, 0));
	assert_sys(truncate(zeroes, 300));

	test_boot(place, 2);
	store = open_with(place, OVL2_DURABILITY_NONE, NULL);
	assert_quarantined(place, store, "blank");
	assert_quarantined(place, store, "zeroes");
	text = list_layers(store);
	assert_string_equal(text, "");
	ovl2_store_close(store);
}

static void synced_layers_survive(void **state)
{
	struct test_place *place = *state;
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;

	test_boot(place, 1);
	store = open_with(place, OVL2_DURABILITY_NONE, NULL);
	create_layer(store, "base", NULL);
	create_container(store, "child", "base");
	assert_int_equal(ovl2_store_sync(store, &err), 2);
	assert_int_equal(ovl2_store_sync(store, &err), 0);
	create_container(store, "late", "base");
	ovl2_store_close(store);

	test_boot(place, 2);
	store = open_with(place, OVL2_DURABILITY_NONE, NULL);
	assert_int_equal(ovl2_layer_exists(store, "base", NULL), 1);
	assert_int_equal(ovl2_layer_exists(store, "child", NULL), 1);
	assert_quarantined(place, store, "late");
	free(mount_layer(store, "child"));
	unmount_layer(store, "child");
	ovl2_store_close(store);
}

static void flushed_child_takes_its_parents_along(void **state)
{
	struct test_place *place = *state;
	struct ovl2_store *store;

	test_boot(place, 1);
	store = open_with(place, OVL2_DURABILITY_NONE, NULL);
	create_layer(store, "base", NULL);
	create_layer(store, "middle", "base");
	create_layer(store, "filled", "middle");
	create_layer(store, "other", "base");
	ovl2_store_close(store);

	store = open_with(place, OVL2_DURABILITY_COMMIT, NULL);
	create_layer(store, "child", "middle");
	apply_entries(store, "filled", one_file, ARRAY_SIZE(one_file));
	ovl2_store_close(store);

	test_boot(place, 2);
	store = open_with(place, OVL2_DURABILITY_COMMIT, NULL);
	assert_quarantined(place, store, "other");
	free(mount_layer(store, "child"));
	unmount_layer(store, "child");
	free(mount_layer(store, "filled"));
	unmount_layer(store, "filled");
	ovl2_store_close(store);
}

/* What is filled without a flush is not trusted either, whatever it was before. */
static void unflushed_content_makes_a_layer_unflushed(void **state)
{
	struct test_place *place = *state;
	struct ovl2_store *store;

	test_boot(place, 1);
	store = open_with(place, OVL2_DURABILITY_COMMIT, NULL);
	create_layer(store, "base", NULL);
	ovl2_store_close(store);
	store = open_with(place, OVL2_DURABILITY_NONE, NULL);
	apply_entries(store, "base", one_file, ARRAY_SIZE(one_file));
	ovl2_store_close(store);

	test_boot(place, 2);
	store = open_with(place, OVL2_DURABILITY_COMMIT, NULL);
	assert_quarantined(place, store, "base");
	ovl2_store_close(store);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unflushed_layers_of_an_earlier_boot_are_put_aside),
		cmocka_unit_test(layer_with_a_blank_record_is_put_aside),
		cmocka_unit_test(synced_layers_survive),
		cmocka_unit_test(flushed_child_takes_its_parents_along),
		cmocka_unit_test(unflushed_content_makes_a_layer_unflushed),
	};

	test_enter_namespace();
	return test_run_everywhere("durability", tests, ARRAY_SIZE(tests), argc, argv);
}
