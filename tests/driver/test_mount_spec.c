// SPDX-License-Identifier: MIT
#include "mounted.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

/*
 * What ovl2_layer_mount_spec() says, given to mount(8): it has to make the mount that
 * ovl2_layer_mount() makes, wherever the store is and however many lowers there are.
 */

/* What mount(2) carries: a page, less a byte. */
#define MAX_DATA_BYTES 4095

#define MAX_LABEL_BYTES 255

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

/* The parts say the same as the whole, where that has absolute paths too. */
static void check_text(const struct ovl2_mount_spec *spec)
{
	const char *at = spec->text;

	for (size_t i = 0; i < spec->option_count; i++) {
		size_t length = strlen(spec->options[i]);

		assert_int_equal(strncmp(at, spec->options[i], length), 0);
		at += length;
		assert_int_equal(*at, i + 1 < spec->option_count ? ',' : '\0');
		at++;
	}
}

static void check_parts(const struct ovl2_mount_spec *spec)
{
	if (spec->text && !spec->directory)
		check_text(spec);
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
	const char *const directory = spec->directory ? spec->directory : "/";
	const char *const argv[] = { "env",     "-C", directory,  "mount",      "-t", "overlay",
		                     "overlay", "-o", spec->text, spec->target, NULL };
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

/* ------------------------------------------------------------------ lengths -- */

/* Opens a store with "box-N" on N lowers, each with a file of its own. */
static struct ovl2_store *open_deep_stack(const struct test_place *place, const char *home,
                                          const uint32_t *depths, size_t count)
{
	cleanup_free char *run = run_path(place);
	struct ovl2_store_options options = store_options(run);
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };
	uint32_t made = 0;

	options.max_depth = 500;
	assert_ok(ovl2_store_open(home, &options, &store, &err), &err);
	for (size_t i = 0; i < count; i++) {
		cleanup_free char *box = test_path("box-%u", depths[i]);
		cleanup_free char *parent = test_path("layer-%u", depths[i]);

		while (made < depths[i]) {
			cleanup_free char *below = made ? test_path("layer-%u", made) : NULL;
			cleanup_free char *id = test_path("layer-%u", ++made);
			const struct test_tar_entry entry = { .name = id, .content = id };

			create_layer(store, id, below);
			apply_entries(store, id, &entry, 1);
		}
		create_container(store, box, parent);
		/* The first mount marks the upper, and shows otherwise than the next (uuid). */
		free(mount_layer(store, box));
		unmount_layer(store, box);
	}

	return store;
}

/*
 * mount(8) passes on a page, cut without a word: so a text that is longer has the layers
 * by their short names, and one that is longer even so is none.
 */
static void text_is_whole_at_every_depth(void **state)
{
	static const uint32_t depths[] = { 1, 71, 72, 127, 500 };
	const struct ovl2_mount_options plain = { .size = sizeof(plain) };
	struct test_place *place = *state;
	cleanup_free char *home = test_path("%s/a b,c:d\\e", place->path);
	cleanup_store struct ovl2_store *store = NULL;

	if (!has_method(place, OVL2_MOUNT_APPEND))
		test_skip("this kernel mounts no more than a page of names");
	store = open_deep_stack(place, home, depths, ARRAY_SIZE(depths));
	for (size_t i = 0; i < ARRAY_SIZE(depths); i++) {
		cleanup_free char *id = test_path("box-%u", depths[i]);
		struct ovl2_mount_spec *spec = NULL;
		struct ovl2_error err = { 0 };

		assert_ok(ovl2_layer_mount_spec(store, id, &plain, &spec, &err), &err);
		assert_int_equal(spec->lower_count, depths[i]);
		assert_int_equal(spec->text == NULL, depths[i] == 500);
		if (spec->text)
			compare(store, id, &plain);
		else
			check_parts(spec);
		if (depths[i] == 1)
			assert_null(spec->directory);
		else if (depths[i] == 127)
			assert_string_equal(spec->directory, home);
		ovl2_mount_spec_free(spec);
	}
}

/* NULL where the method cannot carry it. */
static struct ovl2_mount_spec *spec_with_label(struct ovl2_store *store, uint32_t depth,
                                               enum ovl2_mount_method method, size_t length)
{
	char label[MAX_LABEL_BYTES + 1] = "";
	const struct ovl2_mount_options options = {
		.size = sizeof(options),
		.label = label,
		.method = (int)method,
	};
	cleanup_free char *id = test_path("layer-%u", depth);
	struct ovl2_mount_spec *spec = NULL;
	struct ovl2_error err = { 0 };
	int r;

	memset(label, 'a', length);
	r = ovl2_layer_mount_spec(store, id, &options, &spec, &err);
	if (r < 0) {
		assert_fails(r, OVL2_E_UNSUPPORTED, &err);
		assert_contains(err.message, "4095");
	}

	return spec;
}

/* Length of the data with a label of 1 character, on so many lowers that 255 are too many. */
static size_t find_edge(struct ovl2_store *store, enum ovl2_mount_method method,
                        uint32_t *ret_depth)
{
	struct ovl2_mount_spec *spec;
	size_t bytes;

	*ret_depth = 1;
	while ((spec = spec_with_label(store, *ret_depth, method, MAX_LABEL_BYTES))) {
		ovl2_mount_spec_free(spec);
		++*ret_depth;
	}
	spec = spec_with_label(store, *ret_depth, method, 1);
	assert_non_null(spec);
	bytes = spec->data_bytes;
	ovl2_mount_spec_free(spec);

	return bytes;
}

/* A label makes the data longer by a byte each time: 4095 are taken, and not one more. */
static void check_edge(struct ovl2_store *store, enum ovl2_mount_method method)
{
	uint32_t depth;
	size_t bytes = find_edge(store, method, &depth);

	for (size_t length = 1; length <= MAX_LABEL_BYTES; length++, bytes++) {
		struct ovl2_mount_spec *spec = spec_with_label(store, depth, method, length);
		struct ovl2_mount_spec *text = spec_with_label(store, depth, OVL2_MOUNT_FD, length);

		assert_int_equal(spec != NULL, bytes <= MAX_DATA_BYTES);
		if (spec)
			assert_int_equal(spec->data_bytes, bytes);
		assert_non_null(text);
		if (method == OVL2_MOUNT_ABSOLUTE)
			assert_int_equal(text->directory == NULL, bytes <= MAX_DATA_BYTES);
		else
			assert_int_equal(text->text != NULL, bytes <= MAX_DATA_BYTES);
		ovl2_mount_spec_free(spec);
		ovl2_mount_spec_free(text);
	}
	assert_true(bytes > MAX_DATA_BYTES);
}

static void label_counts_into_the_page(void **state)
{
	const uint32_t depth = 140;
	struct test_place *place = *state;
	cleanup_free char *home = store_path(place);
	cleanup_store struct ovl2_store *store = open_deep_stack(place, home, &depth, 1);

	check_edge(store, OVL2_MOUNT_ABSOLUTE);
	check_edge(store, OVL2_MOUNT_RELATIVE);
}

/* The list has the layers as they are: what gives them other ids cannot be told. */
static void spec_cannot_map_ids(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *home = store_path(place);
	cleanup_store struct ovl2_store *store = open_stack(place, home);
	cleanup_fd int namespace = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	const struct ovl2_mount_options options = { .size = sizeof(options),
		                                    .user_namespace = namespace };
	struct ovl2_mount_spec *spec = NULL;
	struct ovl2_error err = { 0 };

	assert_true(namespace >= 0);
	assert_fails(ovl2_layer_mount_spec(store, "box", &options, &spec, &err), OVL2_E_UNSUPPORTED,
	             &err);
	assert_contains(err.message, "ids");
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[5 + ARRAY_SIZE(home_rows) + ARRAY_SIZE(flag_rows)] = {
		cmocka_unit_test(spec_without_syncs_is_volatile),
		cmocka_unit_test(spec_changes_nothing),
		cmocka_unit_test(text_is_whole_at_every_depth),
		cmocka_unit_test(label_counts_into_the_page),
		cmocka_unit_test(spec_cannot_map_ids),
	};
	size_t count = 5;

	for (size_t i = 0; i < ARRAY_SIZE(home_rows); i++)
		tests[count++] = test_case(home_rows[i].title, check_home_row, &home_rows[i]);
	for (size_t i = 0; i < ARRAY_SIZE(flag_rows); i++)
		tests[count++] = test_case(flag_rows[i].title, check_flag_row, &flag_rows[i]);

	test_enter_namespace();
	return test_run("mount_spec", tests, count, argc, argv);
}
