// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

/*
 * Stores that are damaged, and stores that Docker wrote. A damaged layer is named
 * and never mounted: an overlay made from half of the truth shows somebody the
 * wrong files.
 */

/* --------------------------------------------------------- Docker's store -- */

#define BASE_LINK "AAAAAAAAAAAAAAAAAAAAAAAAAA"
#define MIDDLE_LINK "BBBBBBBBBBBBBBBBBBBBBBBBBB"
#define TOP_LINK "CCCCCCCCCCCCCCCCCCCCCCCCCC"

/* As Docker leaves it: link, lower, committed, and no record of ours. */
static const struct test_entry docker_store[] = {
	{ 'd', "store", NULL, 0710, 0, 0, 0, NULL },
	{ 'd', "store/l", NULL, 0710, 0, 0, 0, NULL },
	{ 'l', "store/l/" BASE_LINK, "../base/diff", 0, 0, 0, 0, NULL },
	{ 'l', "store/l/" MIDDLE_LINK, "../middle/diff", 0, 0, 0, 0, NULL },
	{ 'l', "store/l/" TOP_LINK, "../top/diff", 0, 0, 0, 0, NULL },

	{ 'd', "store/base", NULL, 0710, 0, 0, 0, NULL },
	{ 'd', "store/base/diff", NULL, 0755, 0, 0, 0, NULL },
	{ 'f', "store/base/diff/from base", "base", 0, 0, 0, 0, NULL },
	{ 'f', "store/base/diff/deleted", "base", 0, 0, 0, 0, NULL },
	{ 'f', "store/base/link", BASE_LINK, 0, 0, 0, 0, NULL },
	{ 'f', "store/base/committed", NULL, 0600, 0, 0, 0, NULL },

	{ 'd', "store/middle", NULL, 0710, 0, 0, 0, NULL },
	{ 'd', "store/middle/diff", NULL, 0755, 0, 0, 0, NULL },
	{ 'f', "store/middle/diff/from middle", "middle", 0, 0, 0, 0, NULL },
	{ 'c', "store/middle/diff/deleted", "0:0", 0, 0, 0, 0, NULL },
	{ 'f', "store/middle/link", MIDDLE_LINK, 0, 0, 0, 0, NULL },
	{ 'f', "store/middle/lower", "l/" BASE_LINK, 0, 0, 0, 0, NULL },
	{ 'f', "store/middle/committed", NULL, 0600, 0, 0, 0, NULL },
	{ 'd', "store/middle/work", NULL, 0700, 0, 0, 0, NULL },

	{ 'd', "store/top", NULL, 0710, 0, 0, 0, NULL },
	{ 'd', "store/top/diff", NULL, 0755, 0, 0, 0, NULL },
	{ 'f', "store/top/diff/from top", "top", 0, 0, 0, 0, NULL },
	{ 'f', "store/top/link", TOP_LINK, 0, 0, 0, 0, NULL },
	{ 'f', "store/top/lower", "l/" MIDDLE_LINK ":l/" BASE_LINK, 0, 0, 0, 0, NULL },
	{ 'd', "store/top/work", NULL, 0700, 0, 0, 0, NULL },
};

static struct ovl2_store *open_docker_store(const struct test_place *place)
{
	test_tree_make(place->fd, docker_store, ARRAY_SIZE(docker_store));
	return open_store(place);
}

static void store_of_docker_is_served(void **state)
{
	cleanup_store struct ovl2_store *store = open_docker_store(*state);
	char parent[OVL2_ID_SIZE];
	cleanup_free char *layers = NULL;
	cleanup_free char *text = NULL;
	struct ovl2_error err = { 0 };

	layers = list_layers(store);
	test_text_assert_same(layers,
	                      "base parent=- depth=0 mounts=0 committed foreign\n"
	                      "middle parent=base depth=1 mounts=0 committed foreign\n"
	                      "top parent=middle depth=2 mounts=0 foreign\n",
	                      "layers");
	assert_int_equal(ovl2_layer_parent(store, "top", parent, &err), 1);
	assert_string_equal(parent, "middle");
	text = describe_layer(store, "top", TEST_TREE_NAMES);
	assert_string_equal(text, "f from base\nf from middle\nf from top\n");
}

static void layer_of_docker_is_diffed_and_removed(void **state)
{
	cleanup_store struct ovl2_store *store = open_docker_store(*state);
	cleanup_free char *changes = NULL;
	cleanup_free char *names = NULL;
	cleanup_fd int diff = -1;
	struct ovl2_error err = { 0 };

	changes = list_changes(store, "middle", NULL);
	assert_string_equal(changes, "D /deleted\nA /from middle\n");
	diff = diff_layer(store, "middle", OVL2_DIFF_AUTO);
	names = test_tar_list_names(diff);
	assert_contains(names, "f .wh.deleted\n");
	assert_contains(names, "f from middle\n");

	assert_fails(ovl2_layer_remove(store, "middle", &err), OVL2_E_BUSY, &err);
	assert_ok(ovl2_layer_remove(store, "top", &err), &err);
	assert_ok(ovl2_layer_remove(store, "middle", &err), &err);
}

static void layer_of_docker_gets_a_child(void **state)
{
	cleanup_store struct ovl2_store *store = open_docker_store(*state);
	cleanup_free char *text = NULL;

	create_container(store, "child", "middle");
	text = describe_layer(store, "child", TEST_TREE_NAMES);
	assert_string_equal(text, "f from base\nf from middle\n");
}

/* Docker reads what we write: link, lower and committed have its form. */
static void our_layers_have_dockers_files(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_free char *link_path = test_path("%s/base/link", home);
	cleanup_free char *lower_path = test_path("%s/child/lower", home);
	cleanup_free char *committed_path = test_path("%s/base/committed", home);
	cleanup_free char *base_lower_path = test_path("%s/base/lower", home);
	cleanup_free char *link = NULL;
	cleanup_free char *lower = NULL;
	cleanup_free char *expected = NULL;
	cleanup_free char *symlink_path = NULL;
	char target[64] = "";

	create_layer(store, "base", NULL);
	create_layer(store, "child", "base");
	link = test_file_read(link_path);
	lower = test_file_read(lower_path);
	expected = test_path("l/%s", link);
	symlink_path = test_path("%s/l/%s", home, link);

	assert_int_equal(strlen(link), 26);
	assert_int_equal(strspn(link, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), 26);
	assert_string_equal(lower, expected);
	assert_sys(readlink(symlink_path, target, sizeof(target) - 1));
	assert_string_equal(target, "../base/diff");
	assert_sys(access(committed_path, F_OK));
	assert_int_equal(access(base_lower_path, F_OK), -1);
}

/* ----------------------------------------------------------------- damage -- */

#define MAX_ENTRIES 3

struct row {
	const char *title;

	/* The layer that is not to be mounted. */
	const char *layer;

	/* Done to docker_store. */
	struct test_entry entries[MAX_ENTRIES];

	/*
	 * Layers that repair cannot give back: "middle top", "-middle" when the damage
	 * deletes it; NULL for none. A record of ours helps.
	 */
	const char *lost;
	const char *lost_of_ours;
};

static const struct row rows[] = {
	{ "empty link", "middle", { { 'f', "middle/link", "", 0, 0, 0, 0, NULL } }, NULL, NULL },
	{ "missing link",
	  "middle",
	  { { '-', "middle/link", NULL, 0, 0, 0, 0, NULL } },
	  NULL,
	  NULL },
	{ "link that is no link name",
	  "middle",
	  { { 'f', "middle/link", "../../etc", 0, 0, 0, 0, NULL } },
	  NULL,
	  NULL },
	{ "link with a newline",
	  "middle",
	  { { 'f', "middle/link", MIDDLE_LINK "\n", 0, 0, 0, 0, NULL } },
	  NULL,
	  NULL },
	{ "link of another layer",
	  "middle",
	  { { 'f', "middle/link", BASE_LINK, 0, 0, 0, 0, NULL } },
	  NULL,
	  NULL },
	{ "link that is a directory",
	  "middle",
	  { { 'd', "middle/link", NULL, 0, 0, 0, 0, NULL } },
	  NULL,
	  NULL },
	{ "link that is very long",
	  "middle",
	  { { 'f', "middle/link", MIDDLE_LINK MIDDLE_LINK MIDDLE_LINK, 0, 0, 0, 0, NULL } },
	  NULL,
	  NULL },
	{ "empty lower", "top", { { 'f', "top/lower", "", 0, 0, 0, 0, NULL } }, "top", NULL },
	{ "lower of a newline",
	  "top",
	  { { 'f', "top/lower", "\n", 0, 0, 0, 0, NULL } },
	  "top",
	  NULL },
	{ "lower that is cut",
	  "top",
	  { { 'f', "top/lower", "l/" MIDDLE_LINK ":l/AAAAA", 0, 0, 0, 0, NULL } },
	  NULL,
	  NULL },
	{ "lower that ends in a colon",
	  "top",
	  { { 'f', "top/lower", "l/" MIDDLE_LINK ":l/" BASE_LINK ":", 0, 0, 0, 0, NULL } },
	  "top",
	  NULL },
	{ "lower without its middle",
	  "top",
	  { { 'f', "top/lower", "l/" BASE_LINK ":", 0, 0, 0, 0, NULL } },
	  "top",
	  NULL },
	{ "lower with an unknown link",
	  "top",
	  { { 'f', "top/lower", "l/ZZZZZZZZZZZZZZZZZZZZZZZZZZ", 0, 0, 0, 0, NULL } },
	  "top",
	  NULL },
	{ "lower outside of the store",
	  "top",
	  { { 'f', "top/lower", "../../etc:l/" BASE_LINK, 0, 0, 0, 0, NULL } },
	  "top",
	  NULL },
	{ "absolute lower",
	  "top",
	  { { 'f', "top/lower", "/etc", 0, 0, 0, 0, NULL } },
	  "top",
	  NULL },
	{ "the store itself as a lower",
	  "top",
	  { { 'f', "top/lower", "l/", 0, 0, 0, 0, NULL } },
	  "top",
	  NULL },
	{ "lower that is garbage",
	  "top",
	  { { 'f', "top/lower", "\001\377\002", 0, 0, 0, 0, NULL } },
	  "top",
	  NULL },
	{ "lower with itself",
	  "top",
	  { { 'f', "top/lower", "l/" TOP_LINK ":l/" MIDDLE_LINK, 0, 0, 0, 0, NULL } },
	  "top",
	  NULL },
	{ "lower with a layer twice",
	  "top",
	  { { 'f', "top/lower", "l/" MIDDLE_LINK ":l/" MIDDLE_LINK ":l/" BASE_LINK, 0, 0, 0, 0,
	      NULL } },
	  "top",
	  NULL },
	{ "lower in a circle",
	  "base",
	  { { 'f', "base/lower", "l/" TOP_LINK ":l/" MIDDLE_LINK, 0, 0, 0, 0, NULL } },
	  NULL,
	  NULL },
	{ "short link that dangles",
	  "top",
	  { { '-', "l/" MIDDLE_LINK, NULL, 0, 0, 0, 0, NULL },
	    { 'l', "l/" MIDDLE_LINK, "../gone/diff", 0, 0, 0, 0, NULL } },
	  NULL,
	  NULL },
	{ "short link out of the store",
	  "top",
	  { { '-', "l/" MIDDLE_LINK, NULL, 0, 0, 0, 0, NULL },
	    { 'l', "l/" MIDDLE_LINK, "/etc", 0, 0, 0, 0, NULL } },
	  NULL,
	  NULL },
	{ "short link to another layer",
	  "top",
	  { { '-', "l/" MIDDLE_LINK, NULL, 0, 0, 0, 0, NULL },
	    { 'l', "l/" MIDDLE_LINK, "../base/diff", 0, 0, 0, 0, NULL } },
	  NULL,
	  NULL },
	{ "short link that is missing",
	  "top",
	  { { '-', "l/" MIDDLE_LINK, NULL, 0, 0, 0, 0, NULL } },
	  NULL,
	  NULL },
	{ "short link that is a directory",
	  "top",
	  { { '-', "l/" MIDDLE_LINK, NULL, 0, 0, 0, 0, NULL },
	    { 'd', "l/" MIDDLE_LINK, NULL, 0, 0, 0, 0, NULL } },
	  NULL,
	  NULL },
	{ "parent that is gone",
	  "top",
	  { { '-', "middle", NULL, 0, 0, 0, 0, NULL } },
	  "top -middle",
	  "top -middle" },
	{ "parent without content",
	  "top",
	  { { '-', "middle/diff", NULL, 0, 0, 0, 0, NULL } },
	  "middle top",
	  "middle top" },
	{ "content of the parent is a link",
	  "top",
	  { { '-', "middle/diff", NULL, 0, 0, 0, 0, NULL },
	    { 'l', "middle/diff", "/etc", 0, 0, 0, 0, NULL } },
	  "middle top",
	  "middle top" },
	{ "own content is gone",
	  "top",
	  { { '-', "top/diff", NULL, 0, 0, 0, 0, NULL } },
	  "top",
	  "top" },
	{ "own content is a link",
	  "top",
	  { { '-', "top/diff", NULL, 0, 0, 0, 0, NULL },
	    { 'l', "top/diff", "/etc", 0, 0, 0, 0, NULL } },
	  "top",
	  "top" },
};

static void damage(const struct row *row, const char *home)
{
	cleanup_fd int root = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t count = 0;

	while (count < MAX_ENTRIES && row->entries[count].path)
		count++;
	test_tree_make(root, row->entries, count);
}

static void check_row(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	const struct ovl2_layer_options options = { .size = sizeof(options), .parent = row->layer };
	cleanup_free char *home = store_path(place);
	cleanup_store struct ovl2_store *store = open_docker_store(place);
	struct test_resources before;
	struct ovl2_error err = { 0 };

	damage(row, home);
	before = test_resources_count();

	assert_fails(ovl2_layer_mount(store, row->layer, NULL, NULL, &err), OVL2_E_CORRUPT, &err);
	assert_int_equal(test_count_mounts_below(home), 0);
	test_resources_assert_same(before);
	assert_fails(ovl2_layer_create(store, "child", &options, &err), OVL2_E_CORRUPT, &err);
	assert_int_equal(ovl2_layer_exists(store, "child", &err), 0);

	/* Opening the store anew makes no difference. */
	ovl2_store_close(steal_ptr(&store));
	store = open_store(place);
	assert_fails(ovl2_layer_mount(store, row->layer, NULL, NULL, &err), OVL2_E_CORRUPT, &err);
	assert_int_equal(test_count_mounts_below(home), 0);
}

/* What cannot be mounted any more can be got rid of. */
static void layer_with_damaged_lowers_is_removed(void **state)
{
	static const struct row damaged = { .entries = {
						    { 'f', "top/lower", "l/", 0, 0, 0, 0, NULL },
					    } };
	struct test_place *place = *state;
	cleanup_free char *home = store_path(place);
	cleanup_free char *links = test_path("%s/l", home);
	cleanup_store struct ovl2_store *store = open_docker_store(place);
	struct ovl2_error err = { 0 };

	damage(&damaged, home);
	assert_fails(ovl2_layer_mount(store, "top", NULL, NULL, &err), OVL2_E_CORRUPT, &err);
	assert_ok(ovl2_layer_remove(store, "top", &err), &err);
	assert_int_equal(ovl2_layer_exists(store, "top", &err), 0);
	assert_int_equal(count_files(links), 2);
}

/* Where the content is opened, and where it is only looked at. */
static void content_that_is_gone_is_told_of_repair(void **state)
{
	static const struct row damaged = { .entries = {
						    { '-', "middle/diff", NULL, 0, 0, 0, 0, NULL },
					    } };
	const struct ovl2_layer_options options = { .size = sizeof(options), .parent = "top" };
	struct test_place *place = *state;
	cleanup_free char *home = store_path(place);
	cleanup_store struct ovl2_store *store = open_docker_store(place);
	struct ovl2_error err = { 0 };

	damage(&damaged, home);
	assert_fails(ovl2_layer_mount(store, "top", NULL, NULL, &err), OVL2_E_CORRUPT, &err);
	assert_contains(err.message, "'middle/diff' is not a directory of the store: ovl2 check");
	assert_fails(ovl2_layer_create(store, "child", &options, &err), OVL2_E_CORRUPT, &err);
	assert_contains(err.message, "'middle/diff' is not a directory of the store: ovl2 check");
}

/* ----------------------------------------------------------------- repair -- */

static const char *const ids[] = { "base", "middle", "top" };

/* What each layer shows when it is whole. */
static const char *const views[] = {
	"f deleted\nf from base\n",
	"f from base\nf from middle\n",
	"f from base\nf from middle\nf from top\n",
};

static int count_problem(void *data, const struct ovl2_problem *problem)
{
	size_t *layers = data;

	assert_string_not_equal(problem->text, "");
	*layers += problem->id != NULL;
	return 0;
}

/* A layer is served, with all that it has, or it is in the quarantine. */
static void assert_served_or_aside(struct ovl2_store *store, const char *home, const char *lost)
{
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		cleanup_free char *aside = test_path("%s/.ovl2/quarantine/%s", home, ids[i]);
		const char *at = lost ? strstr(lost, ids[i]) : NULL;
		cleanup_free char *text = NULL;

		if (at) {
			assert_int_equal(ovl2_layer_exists(store, ids[i], NULL), 0);
			assert_int_equal(access(aside, F_OK), at > lost && at[-1] == '-' ? -1 : 0);
			continue;
		}
		text = describe_layer(store, ids[i], TEST_TREE_NAMES);
		assert_string_equal(text, views[i]);
	}
}

static void repair(struct ovl2_store *store, const char *home)
{
	const struct ovl2_repair_options dry = { .size = sizeof(dry), .dry_run = 1 };
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;
	struct ovl2_error err = { 0 };
	size_t layers = 0;
	int found;

	before = test_tree_describe_at(home, 0);
	found = ovl2_store_check(store, NULL, count_problem, &layers, &err);
	assert_ok(found, &err);
	assert_true(found > 0 && layers > 0);
	assert_int_equal(ovl2_store_repair(store, &dry, NULL, NULL, &err), found);
	after = test_tree_describe_at(home, 0);
	test_text_assert_same(after, before, "store after check and dry run");

	layers = 0;
	assert_int_equal(ovl2_store_repair(store, NULL, count_problem, &layers, &err), 0);
	assert_true(layers > 0);
	assert_int_equal(ovl2_store_check(store, NULL, count_problem, &layers, &err), 0);
}

static void repair_row(void **state, int is_ours)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_free char *home = store_path(place);
	cleanup_store struct ovl2_store *store = open_docker_store(place);
	struct ovl2_error err = { 0 };

	for (size_t i = 0; is_ours && i < ARRAY_SIZE(ids); i++)
		assert_int_equal(ovl2_layer_adopt(store, ids[i], &err), 1);
	assert_int_equal(ovl2_store_check(store, NULL, NULL, NULL, &err), 0);
	damage(row, home);
	repair(store, home);
	assert_served_or_aside(store, home, is_ours ? row->lost_of_ours : row->lost);
	assert_int_equal(test_count_mounts_below(home), 0);
}

static void repair_foreign_row(void **state)
{
	repair_row(state, 0);
}

static void repair_own_row(void **state)
{
	repair_row(state, 1);
}

static void mounted_layer_is_not_repaired(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *home = store_path(place);
	cleanup_free char *link = test_path("%s/top/link", home);
	cleanup_free char *merged = test_path("%s/top/merged", home);
	cleanup_store struct ovl2_store *store = open_docker_store(place);
	struct ovl2_error err = { 0 };

	free(mount_layer(store, "top"));
	test_file_write(link, "damaged");
	assert_int_equal(ovl2_store_repair(store, NULL, NULL, NULL, &err), 1);
	/* An unmount needs no link. */
	assert_sys(umount2(merged, 0));
	assert_int_equal(ovl2_store_repair(store, NULL, NULL, NULL, &err), 0);
	assert_int_equal(ovl2_store_check(store, NULL, NULL, NULL, &err), 0);
}

static void collecting_takes_dead_links_and_the_quarantine(void **state)
{
	struct test_place *place = *state;
	const struct ovl2_collect_options all = { .size = sizeof(all), .quarantine = 1 };
	const struct ovl2_collect_options ask = {
		.size = sizeof(ask),
		.quarantine = 1,
		.dry_run = 1,
	};
	cleanup_free char *home = store_path(place);
	cleanup_free char *aside = test_path("%s/.ovl2/quarantine", home);
	cleanup_free char *stages = test_path("%s/.ovl2/staging", home);
	cleanup_free char *links = test_path("%s/l", home);
	cleanup_store struct ovl2_store *store = open_docker_store(place);
	cleanup_fd int root = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct test_entry gone[] = { { '-', "top/diff", NULL, 0, 0, 0, 0, NULL } };
	const struct test_entry dead[] = {
		{ 'l', "l/DDDDDDDDDDDDDDDDDDDDDDDDDD", "../gone/diff", 0, 0, 0, 0, NULL },
		{ 'd', ".ovl2/staging/left", NULL, 0, 0, 0, 0, NULL },
	};
	struct ovl2_error err = { 0 };

	test_tree_make(root, gone, ARRAY_SIZE(gone));
	assert_int_equal(ovl2_store_repair(store, NULL, NULL, NULL, &err), 0);
	test_tree_make(root, dead, ARRAY_SIZE(dead));
	assert_int_equal(ovl2_store_collect(store, &ask, &err), 3);
	assert_int_equal(count_files(links), 3);
	assert_int_equal(count_files(stages), 1);
	assert_int_equal(ovl2_store_collect(store, NULL, &err), 2);
	assert_int_equal(count_files(links), 2);
	assert_int_equal(count_files(stages), 0);
	assert_int_equal(count_files(aside), 1);
	assert_int_equal(ovl2_store_collect(store, &all, &err), 1);
	assert_int_equal(count_files(aside), 0);
	assert_int_equal(ovl2_store_check(store, NULL, NULL, NULL, &err), 0);
}

/* Makes "base" and "child" on it, and damages both: is each found, and made good? */
static void assert_two_are_mended(const struct test_place *place, struct ovl2_store *store,
                                  const struct test_entry *damage, size_t count)
{
	cleanup_free char *home = store_path(place);
	struct ovl2_error err = { 0 };
	cleanup_fd int root = -1;
	size_t layers = 0;

	create_layer(store, "base", NULL);
	create_container(store, "child", "base");
	root = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	test_tree_make(root, damage, count);
	assert_int_equal(ovl2_store_check(store, NULL, count_problem, &layers, &err), 2);
	assert_int_equal(layers, 2);
	assert_int_equal(ovl2_store_repair(store, NULL, NULL, NULL, &err), 0);
	assert_int_equal(ovl2_store_check(store, NULL, NULL, NULL, &err), 0);
}

static void missing_directories_of_ours_are_made_anew(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	const struct test_entry gone[] = {
		{ '-', "base/work", NULL, 0, 0, 0, 0, NULL },
		{ '-', "child/merged", NULL, 0, 0, 0, 0, NULL },
	};

	assert_two_are_mended(place, store, gone, ARRAY_SIZE(gone));
	free(mount_layer(store, "child"));
	assert_int_equal(unmount_layer(store, "child"), 0);
}

static void what_stands_in_for_a_directory_is_put_aside(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_free char *aside = test_path("%s/.ovl2/quarantine/child.work", home);
	cleanup_free char *text = NULL;
	const struct test_entry bad[] = {
		{ '-', "base/merged", NULL, 0, 0, 0, 0, NULL },
		{ 'l', "base/merged", "/etc", 0, 0, 0, 0, NULL },
		{ '-', "child/work", NULL, 0, 0, 0, 0, NULL },
		{ 'f', "child/work", "of somebody", 0, 0, 0, 0, NULL },
	};

	assert_two_are_mended(place, store, bad, ARRAY_SIZE(bad));
	text = test_file_read(aside);
	assert_string_equal(text, "of somebody");
	free(mount_layer(store, "child"));
	assert_int_equal(unmount_layer(store, "child"), 0);
}

static int find_attribute(void *data, const struct ovl2_problem *problem)
{
	assert_string_equal(problem->kind, "attribute");
	assert_string_equal(problem->id, "middle");
	assert_contains(problem->text, "'/dir/file'");
	++*(int *)data;
	return 0;
}

static void deep_check_finds_overlay_attributes(void **state)
{
	struct test_place *place = *state;
	const struct ovl2_check_options deep = { .size = sizeof(deep), .deep = 1 };
	cleanup_store struct ovl2_store *store = open_docker_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_fd int root = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct test_entry bad[] = {
		{ 'd', "middle/diff/dir", NULL, 0, 0, 0, 0, "trusted.overlay.opaque=y" },
		{ 'f', "middle/diff/dir/file", "x", 0, 0, 0, 0, "trusted.overlay.metacopy=" },
	};
	struct ovl2_error err = { 0 };
	int found = 0;

	assert_int_equal(ovl2_store_check(store, &deep, NULL, NULL, &err), 0);
	test_tree_make(root, bad, ARRAY_SIZE(bad));
	assert_int_equal(ovl2_store_check(store, NULL, NULL, NULL, &err), 0);
	assert_int_equal(ovl2_store_check(store, &deep, find_attribute, &found, &err), 1);
	assert_int_equal(found, 1);
}

/* ---------------------------------------------------- our own record (json) -- */

struct record_row {
	const char *title;
	const char *content; /* NULL: the record is cut in half */

	/* Not flushed, as it seems: then the content is not trusted either. */
	int is_lost;
};

static const struct record_row record_rows[] = {
	{ "record that is cut", NULL, 0 },
	{ "empty record", "", 1 },
	{ "record that is no JSON", "\001\377 not json", 0 },
	{ "record of the wrong type", "[]", 0 },
	{ "record without fields", "{}", 0 },
};

static void check_record_row(void **state)
{
	struct test_place *place = *state;
	const struct record_row *row = place->row;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_free char *path = test_path("%s/child/ovl2.json", home);
	cleanup_free char *record = NULL;
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	create_layer(store, "child", "base");
	record = test_file_read(path);
	assert_true(strlen(record) > 20);
	record[strlen(record) / 2] = '\0';
	test_file_write(path, row->content ? row->content : record);

	assert_fails(ovl2_layer_mount(store, "child", NULL, NULL, &err), OVL2_E_CORRUPT, &err);
	assert_contains(err.message, "child");
	assert_int_equal(test_count_mounts_below(home), 0);

	repair(store, home);
	assert_int_equal(ovl2_layer_exists(store, "child", &err), !row->is_lost);
	if (!row->is_lost) {
		free(mount_layer(store, "child"));
		assert_int_equal(unmount_layer(store, "child"), 0);
	}
}

static void flipped_bit_in_a_record_is_found(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_free char *path = test_path("%s/child/ovl2.json", home);
	cleanup_free char *record = NULL;
	char *parent;
	char *quota;
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	create_layer(store, "case", NULL);
	create_layer(store, "child", "base");
	record = test_file_read(path);
	parent = strstr(record, "base");
	assert_non_null(parent);

	/* "base" becomes "case", another layer. */
	parent[0] ^= 1;
	test_file_write(path, record);
	assert_fails(ovl2_layer_mount(store, "child", NULL, NULL, &err), OVL2_E_CORRUPT, &err);

	/* A quota that nobody set contradicts nothing else either. */
	parent[0] ^= 1;
	quota = strstr(record, "\"quota_bytes\":0");
	assert_non_null(quota);
	quota[strlen("\"quota_bytes\":")] ^= 1;
	test_file_write(path, record);
	assert_fails(ovl2_layer_mount(store, "child", NULL, NULL, &err), OVL2_E_CORRUPT, &err);
	assert_contains(err.message, "checksum");
}

static void directory_that_is_no_store_is_refused(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *home = store_path(place);
	cleanup_free char *file = test_path("%s/holiday.jpg", home);
	cleanup_free char *run = run_path(place);
	const struct ovl2_store_options options = store_options(run);
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };

	assert_sys(mkdir(home, 0755));
	test_file_write(file, "jpg");
	assert_fails(ovl2_store_open(home, &options, &store, &err), OVL2_E_CORRUPT, &err);
	assert_null(store);
	assert_int_equal(count_files(home), 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest scenarios[] = {
		cmocka_unit_test(store_of_docker_is_served),
		cmocka_unit_test(layer_of_docker_is_diffed_and_removed),
		cmocka_unit_test(layer_of_docker_gets_a_child),
		cmocka_unit_test(our_layers_have_dockers_files),
		cmocka_unit_test(flipped_bit_in_a_record_is_found),
		cmocka_unit_test(directory_that_is_no_store_is_refused),
		cmocka_unit_test(layer_with_damaged_lowers_is_removed),
		cmocka_unit_test(content_that_is_gone_is_told_of_repair),
		cmocka_unit_test(mounted_layer_is_not_repaired),
		cmocka_unit_test(collecting_takes_dead_links_and_the_quarantine),
		cmocka_unit_test(deep_check_finds_overlay_attributes),
		cmocka_unit_test(missing_directories_of_ours_are_made_anew),
		cmocka_unit_test(what_stands_in_for_a_directory_is_put_aside),
	};
	struct CMUnitTest
		tests[ARRAY_SIZE(scenarios) + 3 * ARRAY_SIZE(rows) + ARRAY_SIZE(record_rows)];
	char titles[2 * ARRAY_SIZE(rows)][80];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		tests[count++] = scenarios[i];
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[count++] = test_case(rows[i].title, check_row, &rows[i]);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		(void)snprintf(titles[2 * i], sizeof(titles[0]), "repair: %s", rows[i].title);
		tests[count++] = test_case(titles[2 * i], repair_foreign_row, &rows[i]);
		(void)snprintf(titles[2 * i + 1], sizeof(titles[0]), "repair of ours: %s",
		               rows[i].title);
		tests[count++] = test_case(titles[2 * i + 1], repair_own_row, &rows[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(record_rows); i++)
		tests[count++] = test_case(record_rows[i].title, check_record_row, &record_rows[i]);

	test_enter_namespace();
	return test_run_everywhere("damage", tests, count, argc, argv);
}
