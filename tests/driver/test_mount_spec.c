// SPDX-License-Identifier: MIT
#include "mounted.h"

#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

/*
 * What ovl2_layer_mount_spec() says, given to mount(8): it has to make the mount that
 * ovl2_layer_mount() makes, wherever the store is.
 */

struct home_row {
	const char *title;
	const char *name;
};

static const struct home_row home_rows[] = {
	{ "home, plain", "store" },
	{ "home with a space", "a b" },
	{ "home with a comma", "a,b" },
	{ "home with a colon", "a:b" },
	{ "home with a backslash", "a\\b" },
	{ "home with a backslash and a comma", "a\\,b" },
	{ "home with an option in it", "a,upperdir=b" },
	{ "home with all of them", ",: \\,:\\\\ =" },
	{ "home with single quotes", "a'b'" },
	{ "home with a newline", "a\nb" },
	{ "home that is not UTF-8", "a\377b" },
	{ "home with a double quote", "a\"b" },
};

static const struct test_entry base_entries[] = {
	{ 'd', "etc", NULL, 0, 0, 0, 1000000000, NULL },
	{ 'f', "etc/conf", "base", 0, 0, 0, 1000000000, NULL },
	{ 'f', "gone", "base", 0, 0, 0, 1000000000, NULL },
};

static const struct test_entry box_entries[] = {
	{ '-', "gone", NULL, 0, 0, 0, 0, NULL },
	{ 'f', "etc/conf", "box", 0, 0, 0, 1100000000, NULL },
};

/* "box" is a container on "middle" on "base". */
static struct ovl2_store *open_stack(const struct test_place *place, const char *home)
{
	cleanup_free char *run = run_path(place);
	const struct ovl2_store_options options = store_options(run);
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_store_open(home, &options, &store, &err), &err);
	create_layer(store, "base", NULL);
	change_layer(store, "base", base_entries, ARRAY_SIZE(base_entries));
	create_layer(store, "middle", "base");
	create_container(store, "box", "middle");
	change_layer(store, "box", box_entries, ARRAY_SIZE(box_entries));

	return store;
}

/* The parts say the same as the whole. */
static void check_parts(const struct ovl2_mount_spec *spec)
{
	const char *at = spec->text;

	for (size_t i = 0; i < spec->option_count; i++) {
		size_t length = strlen(spec->options[i]);

		assert_int_equal(strncmp(at, spec->options[i], length), 0);
		at += length;
		assert_int_equal(*at, i + 1 < spec->option_count ? ',' : '\0');
		at++;
	}
	assert_true(strncmp(spec->options[0], "lowerdir=", strlen("lowerdir=")) == 0);
	for (size_t i = 0; i < spec->lower_count; i++)
		assert_int_equal(access(spec->lower[i], F_OK), 0);
	assert_int_equal(spec->upper == NULL, spec->work == NULL);
	if (spec->upper && spec->work) {
		assert_int_equal(access(spec->upper, F_OK), 0);
		assert_int_equal(access(spec->work, F_OK), 0);
	}
}

/* Content, flags and options of a mount, without the directories' names. */
static char *describe_mount(const char *path)
{
	cleanup_free char *tree = test_tree_describe_at(path, TEST_TREE_ROOT);
	cleanup_free char *flags = mounted_flags(path);
	cleanup_free char *options = mounted_options(path);
	char *rest = options;
	char *option;
	struct ovi_strbuf text = { 0 };

	ovi_strbuf_addf(&text, "%s%s", tree, flags);
	while ((option = strsep(&rest, ",")))
		if (!strstr(option, "dir=/") && !strstr(option, "dir+=") && !strchr(option, '/'))
			ovi_strbuf_addf(&text, " %s", option);

	return ovi_strbuf_steal(&text);
}

static char *describe_spec(const struct ovl2_mount_spec *spec)
{
	const char *const argv[] = { "mount", "-t",       "overlay",    "overlay",
		                     "-o",    spec->text, spec->target, NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	char *text;

	if (output.status != 0)
		fail_msg("mount(8): exit %d: %s", output.status, output.err);
	text = describe_mount(spec->target);
	assert_sys(umount2(spec->target, 0));

	return text;
}

static char *describe_ours(struct ovl2_store *store, const char *id,
                           const struct ovl2_mount_options *options)
{
	cleanup_free char *path = mount_layer_with(store, id, options);
	char *text = describe_mount(path);

	unmount_layer(store, id);
	return text;
}

static void compare(struct ovl2_store *store, const char *id,
                    const struct ovl2_mount_options *options)
{
	struct ovl2_mount_spec *spec = NULL;
	struct ovl2_error err = { 0 };
	cleanup_free char *ours = describe_ours(store, id, options);
	cleanup_free char *theirs = NULL;

	assert_ok(ovl2_layer_mount_spec(store, id, options, &spec, &err), &err);
	check_parts(spec);
	theirs = describe_spec(spec);
	ovl2_mount_spec_free(spec);
	test_text_assert_same(ours, theirs, "our mount and that of mount(8)");
}

static void check_home_row(void **state)
{
	const struct ovl2_mount_options plain = { .size = sizeof(plain),
		                                  .method = OVL2_MOUNT_ABSOLUTE };
	struct test_place *place = *state;
	const struct home_row *row = place->row;
	cleanup_free char *home = test_path("%s/%s", place->path, row->name);
	cleanup_store struct ovl2_store *store = open_stack(place, home);
	cleanup_free char *ours = describe_ours(store, "box", &plain);

	assert_contains(ours, "etc/conf");
	assert_null(strstr(ours, "gone"));
	compare(store, "box", &plain);
	compare(store, "middle", &plain);
}

struct flag_row {
	const char *title;
	const char *id;
	struct ovl2_mount_options options;
};

static const struct flag_row flag_rows[] = {
	{ "spec of a container", "box", { .size = 0 } },
	{ "spec of a committed layer", "middle", { .size = 0 } },
	{ "spec of a base layer", "base", { .size = 0 } },
	{ "spec, read-only", "box", { .read_only = 1 } },
	{ "spec with flags", "box", { .nodev = 1, .nosuid = 1, .noexec = 1 } },
	{ "spec with flags, read-only", "box", { .nodev = 1, .noexec = 1, .read_only = 1 } },
	{ "spec without syncs of a committed layer", "base", { .skip_sync = 1 } },
};

static void check_flag_row(void **state)
{
	struct test_place *place = *state;
	const struct flag_row *row = place->row;
	cleanup_free char *home = store_path(place);
	cleanup_store struct ovl2_store *store = open_stack(place, home);
	struct ovl2_mount_options options = row->options;

	options.size = sizeof(options);
	options.method = OVL2_MOUNT_ABSOLUTE;
	compare(store, row->id, &options);
}

static void spec_without_syncs_is_volatile(void **state)
{
	const struct ovl2_mount_options options = { .size = sizeof(options), .skip_sync = 1 };
	struct test_place *place = *state;
	cleanup_free char *home = store_path(place);
	cleanup_store struct ovl2_store *store = open_stack(place, home);
	struct ovl2_mount_spec *spec = NULL;
	cleanup_free char *text = NULL;
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_layer_mount_spec(store, "box", &options, &spec, &err), &err);
	text = describe_spec(spec);
	ovl2_mount_spec_free(spec);
	assert_contains(text, "volatile");

	/* The mark of a mount that is not ours is not ours to take away, but is explained. */
	assert_true(ovl2_layer_mount(store, "box", NULL, NULL, &err) < 0);
	assert_contains(err.message, "work/incompat");
}

/* Nothing is done: the spec of a mounted layer is the same. */
static void spec_changes_nothing(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *home = store_path(place);
	cleanup_store struct ovl2_store *store = open_stack(place, home);
	cleanup_free char *before = test_tree_describe_at(home, 0);
	cleanup_free char *after = NULL;
	struct ovl2_mount_spec *spec = NULL;
	struct ovl2_error err = { 0 };

	for (int method = OVL2_MOUNT_AUTO; method <= OVL2_MOUNT_FD; method++) {
		const struct ovl2_mount_options options = { .size = sizeof(options),
			                                    .method = method };

		assert_ok(ovl2_layer_mount_spec(store, "box", &options, &spec, &err), &err);
		assert_int_not_equal(spec->method, OVL2_MOUNT_AUTO);
		assert_int_equal(spec->data_bytes, strlen(spec->data));
		assert_int_equal(spec->data_bytes == 0, spec->method == OVL2_MOUNT_APPEND ||
		                                                spec->method == OVL2_MOUNT_FD);
		ovl2_mount_spec_free(spec);
	}
	after = test_tree_describe_at(home, 0);
	test_text_assert_same(before, after, "the store");
	assert_int_equal(test_count_mounts_below(home), 0);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[2 + ARRAY_SIZE(home_rows) + ARRAY_SIZE(flag_rows)] = {
		cmocka_unit_test(spec_without_syncs_is_volatile),
		cmocka_unit_test(spec_changes_nothing),
	};
	size_t count = 2;

	for (size_t i = 0; i < ARRAY_SIZE(home_rows); i++)
		tests[count++] = test_case(home_rows[i].title, check_home_row, &home_rows[i]);
	for (size_t i = 0; i < ARRAY_SIZE(flag_rows); i++)
		tests[count++] = test_case(flag_rows[i].title, check_flag_row, &flag_rows[i]);

	test_enter_namespace();
	return test_run("mount_spec", tests, count, argc, argv);
}
