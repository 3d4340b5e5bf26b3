// SPDX-License-Identifier: MIT
#include "support/tar.h"
#include "support/test.h"
#include "support/tree.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Every command of `ovl2`, run as a program: as text, as JSON, and when it fails. */

#define MAX_ARGUMENTS 24

#define EXIT_OK 0
#define EXIT_FAILED 1
#define EXIT_USAGE 64

/* Runs `ovl2 WORDS...`, the words NULL-terminated, on the store of this place. */
static struct test_output run_words(const struct test_place *place, const char *const words[])
{
	cleanup_free char *home = test_path("%s/store", place->path);
	cleanup_free char *run = test_path("%s/run", place->path);
	const char *argv[MAX_ARGUMENTS] = { OVL2_PROGRAM, "--home", home, "--run-dir", run };
	size_t count = 5;

	for (; *words; words++) {
		assert_true(count < MAX_ARGUMENTS - 1);
		argv[count++] = *words;
	}

	return test_spawn(argv);
}

#define ovl2(place, ...) run_words((place), (const char *const[]){ __VA_ARGS__, NULL })

/* Runs a command that has to work. */
static void must(struct test_output output)
{
	if (output.status != EXIT_OK)
		fail_msg("exit %d: %s", output.status, output.err);
	assert_string_equal(output.err, "");
	test_output_release(&output);
}

/* The JSON that a command answered; json_decref() it. */
static json_t *answer(struct test_output output)
{
	json_error_t error;
	json_t *json;

	if (output.status != EXIT_OK)
		fail_msg("exit %d: %s", output.status, output.err);
	json = json_loads(output.out, 0, &error);
	if (!json)
		fail_msg("%s in: %s", error.text, output.out);
	test_output_release(&output);

	return json;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text)
		fail_msg("no text '%s'", key);

	return text;
}

static char *write_tar(const struct test_place *place)
{
	const struct test_tar_entry entries[] = {
		{ .name = "etc", .type = '5' },
		{ .name = "etc/conf", .content = "12345" },
		{ .name = "etc/other", .content = "123" },
	};
	char *path = test_path("%s/layer.tar", place->path);
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		test_tar_add(&tar, &entries[i]);
	test_tar_end(&tar);
	assert_int_equal(write(fd, tar.bytes.text, tar.bytes.length), tar.bytes.length);

	return path;
}

static off_t size_of(const char *path)
{
	struct stat st;

	assert_sys(stat(path, &st));

	return st.st_size;
}

/* "base" from a tar, "web" on it for a container, with a change. */
static void prepare(const struct test_place *place)
{
	cleanup_free char *tar = write_tar(place);
	cleanup_output struct test_output mounted = { 0 };
	cleanup_free char *file = NULL;

	must(ovl2(place, "create", "base"));
	mounted = ovl2(place, "apply", "base", tar);
	assert_string_equal(mounted.out, "8\n");
	test_output_release(&mounted);
	must(ovl2(place, "create", "--parent", "base", "--read-write", "web"));
	mounted = ovl2(place, "mount", "web");
	assert_int_equal(mounted.status, EXIT_OK);
	mounted.out[strcspn(mounted.out, "\n")] = '\0';
	file = test_path("%s/etc/new", mounted.out);
	test_file_write(file, "1234567");
	free(steal_ptr(&file));
	file = test_path("%s/etc/other", mounted.out);
	assert_sys(unlink(file));
	must(ovl2(place, "umount", "web"));
}

/* ---------------------------------------------------------------- answers -- */

static void container_is_made_from_a_tar_and_changed(void **state)
{
	struct test_place *place = *state;
	cleanup_output struct test_output changes = { 0 };
	cleanup_output struct test_output size = { 0 };

	prepare(place);
	changes = ovl2(place, "changes", "web");
	assert_string_equal(changes.out, "C /etc\nA /etc/new\nD /etc/other\n");
	size = ovl2(place, "size", "web");
	assert_string_equal(size.out, "7\n");
}

static void diff_of_one_layer_fills_another(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *tar = test_path("%s/web.tar", place->path);
	cleanup_output struct test_output changes = { 0 };
	cleanup_output struct test_output applied = { 0 };

	prepare(place);
	must(ovl2(place, "diff", "--output", tar, "web"));
	must(ovl2(place, "create", "--parent", "base", "copy"));
	applied = ovl2(place, "apply", "copy", tar);
	assert_string_equal(applied.out, "7\n");
	changes = ovl2(place, "changes", "copy");
	assert_string_equal(changes.out, "C /etc\nA /etc/new\nD /etc/other\n");
}

static void diff_to_standard_output_is_the_same_tar(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *tar = test_path("%s/web.tar", place->path);
	const char *script = OVL2_PROGRAM " --home \"$0/store\" --run-dir \"$0/run\" diff web "
					  "| cmp - \"$0/web.tar\"";
	const char *argv[] = { "sh", "-c", script, place->path, NULL };
	cleanup_free char *names = NULL;
	cleanup_fd int fd = -1;
	struct stat status;

	prepare(place);
	must(ovl2(place, "diff", "--output", tar, "web"));
	must(test_spawn(argv));

	fd = open(tar, O_RDONLY | O_CLOEXEC);
	assert_sys(fstat(fd, &status));
	assert_int_equal(status.st_mode & 0777, 0644);
	names = test_tar_list_names(fd);
	assert_contains(names, "f etc/.wh.other\n");
}

static void mount_prints_where_and_counts(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *expected = test_path("%s/store/web/merged\n", place->path);
	cleanup_output struct test_output first = { 0 };
	cleanup_output struct test_output second = { 0 };

	prepare(place);
	first = ovl2(place, "mount", "web");
	second = ovl2(place, "mount", "--method", "auto", "web");
	assert_string_equal(first.out, expected);
	assert_string_equal(second.out, expected);
	expected[strlen(expected) - 1] = '\0';
	must(ovl2(place, "umount", "web"));
	assert_true(test_is_mounted(expected));
	must(ovl2(place, "umount", "web"));
	assert_false(test_is_mounted(expected));
}

/* What it prints is a command that makes the same mount. */
static void printed_mount_command_mounts(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *merged = test_path("%s/store/web/merged", place->path);
	cleanup_free char *file = test_path("%s/etc/new", merged);
	cleanup_output struct test_output printed = { 0 };
	const char *argv[] = { "sh", "-c", NULL, NULL };

	prepare(place);
	printed = ovl2(place, "mount", "--print", "--nodev", "web");
	assert_int_equal(printed.status, EXIT_OK);
	assert_true(strncmp(printed.out, "mount -t overlay overlay -o '", 29) == 0);
	assert_contains(printed.out, ",nodev'");
	assert_false(test_is_mounted(merged));

	argv[2] = printed.out;
	must(test_spawn(argv));
	assert_true(test_is_mounted(merged));
	assert_int_equal(access(file, F_OK), 0);
	assert_sys(umount2(merged, 0));
}

/* Creates "deep" on so many layers. */
static void create_deep(const struct test_place *place, int depth)
{
	cleanup_free char *parent = NULL;

	for (int i = 0; i < depth; i++) {
		cleanup_free char *id = test_path("deep-%d", i);

		if (parent)
			must(ovl2(place, "create", "--storage-opt", "max_depth=500", "--parent",
			          parent, id));
		else
			must(ovl2(place, "create", id));
		free(parent);
		parent = steal_ptr(&id);
	}
	must(ovl2(place, "create", "--storage-opt", "max_depth=500", "--read-write", "--parent",
	          parent, "deep"));
}

/* By short names where absolute paths are too long for mount(8), from any directory. */
static void printed_mount_of_many_lowers_mounts(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *merged = test_path("%s/store/deep/merged", place->path);
	cleanup_output struct test_output printed = { 0 };
	const char *argv[] = { "sh", "-ec", NULL, NULL };

	create_deep(place, 120);
	printed = ovl2(place, "mount", "--print", "deep");
	assert_int_equal(printed.status, EXIT_OK);
	assert_contains(printed.out, "LIBMOUNT_FORCE_MOUNT2=always mount");
	argv[2] = printed.out;
	must(test_spawn(argv));
	assert_true(test_is_mounted(merged));
	assert_sys(umount2(merged, 0));
}

static void mount_that_no_command_can_make_is_not_printed(void **state)
{
	struct test_place *place = *state;
	cleanup_output struct test_output printed = { 0 };
	json_t *spec;

	create_deep(place, 140);
	printed = ovl2(place, "mount", "--print", "deep");
	assert_int_equal(printed.status, EXIT_FAILED);
	assert_string_equal(printed.out, "");
	assert_contains(printed.err, "140 lowers are more: ovl2 mount, or --json");

	spec = answer(ovl2(place, "mount", "--print", "--json", "deep"));
	assert_true(strlen(json_string_value(json_array_get(json_object_get(spec, "options"), 0))) >
	            4095);
	json_decref(spec);
}

/* As containerd has it: every option as a word of its own. */
static void printed_mount_in_json_has_every_option(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *upper = test_path("upperdir=%s/store/web/diff", place->path);
	int has_upper = 0;
	size_t index;
	json_t *option;
	json_t *spec;

	prepare(place);
	spec = answer(ovl2(place, "mount", "--print", "--method", "fd", "--json", "web"));
	assert_string_equal(text_of(spec, "type"), "overlay");
	assert_string_equal(text_of(spec, "method"), "fd");
	json_array_foreach(json_object_get(spec, "options"), index, option) has_upper |=
		strcmp(json_string_value(option), upper) == 0;
	assert_true(has_upper);
	json_decref(spec);
}

static void flags_of_a_mount_are_told_when_they_differ(void **state)
{
	struct test_place *place = *state;
	cleanup_output struct test_output first = { 0 };
	cleanup_output struct test_output second = { 0 };
	cleanup_output struct test_output third = { 0 };

	prepare(place);
	first = ovl2(place, "mount", "--nodev", "--nosuid", "--noexec", "--skip-sync", "web");
	assert_int_equal(first.status, EXIT_OK);
	second = ovl2(place, "mount", "web");
	assert_int_equal(second.status, EXIT_FAILED);
	assert_contains(second.err, "nodev,nosuid,noexec,skip_sync");
	third = ovl2(place, "mount", "--read-only", "web");
	assert_int_equal(third.status, EXIT_FAILED);
	must(ovl2(place, "umount", "web"));
}

static void cleanup_undoes_every_mount(void **state)
{
	struct test_place *place = *state;
	cleanup_output struct test_output mounted = { 0 };
	cleanup_free char *home = test_path("%s/store", place->path);

	prepare(place);
	mounted = ovl2(place, "mount", "web");
	assert_int_equal(test_count_mounts_below(home), 1);
	must(ovl2(place, "cleanup"));
	assert_int_equal(test_count_mounts_below(home), 0);
}

static void list_shows_layers_under_their_parents(void **state)
{
	struct test_place *place = *state;
	cleanup_output struct test_output output = { 0 };
	char *base;
	char *web;

	prepare(place);
	output = ovl2(place, "list");
	assert_int_equal(output.status, EXIT_OK);
	base = strstr(output.out, "base");
	web = strstr(output.out, "web");
	assert_non_null(base);
	assert_non_null(web);
	assert_true(base < web);
	assert_contains(output.out, "read-write");
	assert_contains(output.out, "committed");
}

static void inspect_and_status_show_their_keys(void **state)
{
	struct test_place *place = *state;
	cleanup_output struct test_output inspect = { 0 };
	cleanup_output struct test_output status = { 0 };

	prepare(place);
	inspect = ovl2(place, "inspect", "web");
	assert_contains(inspect.out, "UpperDir");
	assert_contains(inspect.out, "/store/web/diff");
	status = ovl2(place, "status");
	assert_contains(status.out, "Backing Filesystem");
	assert_contains(status.out, "Supports d_type");
}

static void removed_layers_are_gone(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *home = test_path("%s/store/web", place->path);

	prepare(place);
	must(ovl2(place, "remove", "web", "base"));
	assert_int_equal(access(home, F_OK), -1);
}

/* ------------------------------------------------------------------- json -- */

static void every_command_answers_in_json(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *tar = write_tar(place);
	cleanup_free char *out = test_path("%s/out.tar", place->path);
	json_t *json;

	json = answer(ovl2(place, "--json", "create", "base"));
	assert_string_equal(text_of(json, "id"), "base");
	assert_true(json_is_null(json_object_get(json, "parent")));
	json_decref(json);

	json = answer(ovl2(place, "apply", "--json", "base", tar));
	assert_int_equal(json_integer_value(json_object_get(json, "bytes")), 8);
	json_decref(json);

	json = answer(ovl2(place, "create", "--json", "--parent", "base", "--read-write", "web"));
	assert_string_equal(text_of(json, "parent"), "base");
	assert_true(json_is_true(json_object_get(json, "read_write")));
	json_decref(json);

	json = answer(ovl2(place, "mount", "--json", "web"));
	assert_contains(text_of(json, "path"), "/store/web/merged");
	json_decref(json);

	json = answer(ovl2(place, "umount", "--json", "web"));
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(json, 0), "mounts_left")), 0);
	json_decref(json);

	json = answer(ovl2(place, "size", "--json", "base"));
	assert_int_equal(json_integer_value(json_object_get(json, "bytes")), 8);
	json_decref(json);

	json = answer(ovl2(place, "changes", "--json", "base"));
	assert_int_equal(json_array_size(json), 3);
	assert_string_equal(text_of(json_array_get(json, 1), "path"), "/etc/conf");
	json_decref(json);

	json = answer(ovl2(place, "diff", "--json", "--output", out, "base"));
	assert_string_equal(text_of(json, "output"), out);
	assert_int_equal(json_integer_value(json_object_get(json, "entries")), 4);
	assert_int_equal(json_integer_value(json_object_get(json, "tar_bytes")), size_of(out));
	json_decref(json);
}

static void the_store_answers_in_json(void **state)
{
	struct test_place *place = *state;
	json_t *json;

	prepare(place);
	json = answer(ovl2(place, "list", "--json"));
	assert_int_equal(json_array_size(json), 2);
	assert_string_equal(text_of(json_array_get(json, 1), "parent"), "base");
	json_decref(json);

	json = answer(ovl2(place, "inspect", "--json", "web"));
	assert_contains(text_of(json, "LowerDir"), "/store/base/diff");
	assert_string_equal(text_of(json, "Parent"), "base");
	json_decref(json);

	json = answer(ovl2(place, "status", "--json"));
	assert_true(json_array_size(json) >= 11);
	json_decref(json);

	json = answer(ovl2(place, "cleanup", "--json"));
	assert_true(json_is_true(json_object_get(json, "clean")));
	json_decref(json);

	json = answer(ovl2(place, "remove", "--json", "web"));
	assert_string_equal(text_of(json_array_get(json, 0), "id"), "web");
	json_decref(json);
}

/* ------------------------------------------------------------ tars in and out -- */

/* Runs a shell script: $0 is `ovl2`, $1 this place. */
static struct test_output run_script(const struct test_place *place, const char *script)
{
	const char *argv[] = { "sh", "-ec", script, OVL2_PROGRAM, place->path, NULL };

	return test_spawn(argv);
}

#define OVL2 "\"$0\" --home \"$1/store\" --run-dir \"$1/run\" "

static void tar_beyond_a_limit_leaves_the_layer_empty(void **state)
{
	static const char *const limits[][3] = {
		{ "--max-entries", "2", "2 allowed" },
		{ "--max-bytes", "7", "7 bytes" },
		{ "--max-depth", "1", "1 directories" },
	};
	struct test_place *place = *state;
	cleanup_free char *tar = write_tar(place);
	cleanup_output struct test_output applied = { 0 };

	must(ovl2(place, "create", "base"));
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		cleanup_output struct test_output output =
			ovl2(place, "apply", limits[i][0], limits[i][1], "base", tar);

		assert_int_equal(output.status, EXIT_FAILED);
		assert_contains(output.err, limits[i][2]);
	}
	applied = ovl2(place, "apply", "--max-entries", "3", "--max-bytes", "8", "--max-depth", "2",
	               "base", tar);
	assert_string_equal(applied.out, "8\n");
}

static void owners_are_mapped_range_by_range(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *tar = test_path("%s/owned.tar", place->path);
	cleanup_output struct test_output output = { 0 };

	must(ovl2(place, "create", "base"));
	must(run_script(place, "echo 1 >\"$1/a\" && echo 2 >\"$1/b\" && chown 7:9 \"$1/b\" &&"
	                       "tar -C \"$1\" -cf \"$1/owned.tar\" a b"));
	output = ovl2(place, "apply", "--uid-map", "0:1000:1", "--uid-map", "1:70000:10",
	              "--gid-map", "0:300:10", "base", tar);
	assert_string_equal(output.out, "4\n");
	test_output_release(&output);

	output = run_script(place, "cd \"$1/store/base/diff\" && stat -c %u:%g a b");
	assert_string_equal(output.out, "1000:300\n70006:309\n");
}

static void attributes_left_out_are_counted(void **state)
{
	static const char *const pax[] = { "SCHILY.xattr.trusted.other=x",
		                           "SCHILY.xattr.security.other=y", NULL };
	const struct test_tar_entry entry = { .name = "file", .content = "123", .pax = pax };
	struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/attributes.tar", place->path);
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_output struct test_output output = { 0 };
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	json_t *json;

	test_tar_add(&tar, &entry);
	test_tar_end(&tar);
	assert_int_equal(write(fd, tar.bytes.text, tar.bytes.length), tar.bytes.length);
	must(ovl2(place, "create", "base"));
	must(ovl2(place, "create", "other"));

	output = ovl2(place, "apply", "base", path);
	assert_int_equal(output.status, EXIT_OK);
	assert_string_equal(output.out, "3\n");
	assert_contains(output.err, "left out 2 extended attributes");
	json = answer(ovl2(place, "apply", "--json", "other", path));
	assert_int_equal(json_integer_value(json_object_get(json, "dropped_xattrs")), 2);
	assert_int_equal(json_integer_value(json_object_get(json, "entries")), 1);
	assert_int_equal(json_integer_value(json_object_get(json, "content_bytes")), 3);
	json_decref(json);
}

static void progress_is_shown_when_asked_for(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *tar = write_tar(place);
	cleanup_free char *out = test_path("%s/out.tar", place->path);
	cleanup_output struct test_output applied = { 0 };
	cleanup_output struct test_output packed = { 0 };

	must(ovl2(place, "create", "base"));
	applied = ovl2(place, "apply", "--progress", "always", "base", tar);
	assert_string_equal(applied.out, "8\n");
	assert_contains(applied.err, "3 entries, 0.0 MiB in ");
	packed = ovl2(place, "diff", "--progress", "always", "-o", out, "base");
	assert_int_equal(packed.status, EXIT_OK);
	assert_contains(packed.err, "4 entries, 0.0 MiB in ");
	must(ovl2(place, "diff", "-o", out, "base"));
}

static void level_of_compression_is_a_choice(void **state)
{
	must(run_script(*state,
	                "cd \"$1\"; seq 20000 >numbers; tar -cf numbers.tar numbers\n" OVL2
	                "create base\n" OVL2 "apply base numbers.tar >size\n" OVL2
	                "diff base >0\n" OVL2 "diff --compress gzip --level 1 base >1\n" OVL2
	                "diff --compress gzip --level 9 base >9\n"
	                "zcat <1 | cmp - 0; zcat <9 | cmp - 0\n"
	                "! cmp -s 9 1"));
}

/*
 * A signal in the middle: the layer is as it was, nothing is left, and the shell is told.
 * It is sent when most of the tar was read, which takes the first part of it.
 */
static void interrupted_apply_leaves_nothing(void **state)
{
	struct test_place *place = *state;
	cleanup_output struct test_output output = { 0 };
	cleanup_free char *home = test_path("%s/store", place->path);
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;

	must(ovl2(place, "create", "base"));
	must(run_script(place,
	                "cd \"$1\"; mkfifo pipe; mkdir many; seq 9 | split -l 1 - many/\n"
	                "head -c 3M /dev/zero >many/zeroes; tar -cf many.tar many/zeroes many"));
	before = test_tree_describe_at(home, TEST_TREE_NO_TIMES);
	output = run_script(place, "cd \"$1\"\n" OVL2 "apply base <pipe & pid=$!; exec >pipe\n"
	                           "head -c 2M many.tar; kill -TERM $pid\n"
	                           "tail -c +2097153 many.tar || true; exec >&-; wait $pid");
	after = test_tree_describe_at(home, TEST_TREE_NO_TIMES);
	assert_int_equal(output.status, 128 + SIGTERM);
	assert_contains(output.err, ": cancelled\n");
	test_text_assert_same(before, after, "stores");
}

/*
 * A tar that takes minutes, and a signal as soon as some of it is in the file, whatever
 * that is called: nothing is left of it, also of one that cannot be caught. A shell has what
 * it puts in the background ignore SIGINT, unless it is told otherwise.
 */
static void interrupted_diff_leaves_no_file(void **state)
{
	struct test_place *place = *state;

	must(ovl2(place, "create", "--read-write", "base"));
	must(run_script(
		place,
		"cd \"$1\"; truncate -s 1T store/base/diff/large; mkdir out\n"
		"echo before >out/15.tar\n"
		"begun() { for file in /proc/$1/fd/*; do\n"
		"	case $(readlink $file) in */out/*) test ! -s $file || return 0;; esac\n"
		"done; return 1; }\n"
		"for signal in 2 9 15; do\n"
		"	env --default-signal=INT " OVL2
		"diff --compress gzip -o out/$signal.tar base 2>errors & pid=$!\n"
		"	until begun $pid; do kill -0 $pid; sleep 0.01; done\n"
		"	kill -$signal $pid; status=0; wait $pid 2>wait || status=$?\n"
		"	test $status = $((128 + signal))\n"
		"	test $signal = 9 || grep -q \": cancelled$\" errors\n"
		"done\n"
		"test \"$(ls out)\" = 15.tar; test \"$(cat out/15.tar)\" = before"));
}

/* ----------------------------------------------------------------- failure -- */

struct row {
	const char *title;
	const char *words[5];
	int status;

	/* What the message has to name. */
	const char *names;
};

static const struct row rows[] = {
	{ "no command", { NULL }, EXIT_USAGE, "command" },
	{ "unknown command", { "frobnicate" }, EXIT_USAGE, "'frobnicate'" },
	{ "command that is a path", { "../evil" }, EXIT_USAGE, "'../evil'" },
	{ "unknown option", { "create", "--frobnicate" }, EXIT_USAGE, "frobnicate" },
	{ "option without its value", { "create", "--parent" }, EXIT_USAGE, "parent" },
	{ "no layer", { "create" }, EXIT_USAGE, "layer" },
	{ "a layer too many", { "create", "a", "b" }, EXIT_USAGE, "'b'" },
	{ "unknown mount method", { "mount", "--method", "magic", "web" }, EXIT_USAGE, "'magic'" },
	{ "unknown diff method", { "diff", "--method", "magic", "web" }, EXIT_USAGE, "'magic'" },
	{ "size that is none", { "create", "--size", "big", "x" }, EXIT_USAGE, "big" },
	{ "number of entries that is none",
	  { "apply", "--max-entries", "-1", "x" },
	  EXIT_USAGE,
	  "'-1'" },
	{ "size that is none, of a tar",
	  { "apply", "--max-bytes", "big", "x" },
	  EXIT_USAGE,
	  "big" },
	{ "range that is cut", { "apply", "--uid-map", "0:100000", "x" }, EXIT_USAGE, "0:100000" },
	{ "range of nobody", { "apply", "--gid-map", "0:1:0", "x" }, EXIT_USAGE, "0:1:0" },
	{ "range that goes on", { "apply", "--gid-map", "0:1:2:3", "x" }, EXIT_USAGE, "0:1:2:3" },
	{ "progress that is shown whenever",
	  { "apply", "--progress", "often", "x" },
	  EXIT_USAGE,
	  "often" },
	{ "level that is none", { "diff", "--level", "0", "web" }, EXIT_USAGE, "'0'" },
	{ "unknown storage option", { "list", "--storage-opt", "a=b" }, EXIT_USAGE, "a" },
	{ "bad id", { "create", "../evil" }, EXIT_FAILED, "'../evil'" },
	{ "existing id", { "create", "web" }, EXIT_FAILED, "'web'" },
	{ "missing parent", { "create", "--parent", "gone", "x" }, EXIT_FAILED, "'gone'" },
	{ "removing what is not there", { "remove", "gone" }, EXIT_FAILED, "'gone'" },
	{ "removing a parent", { "remove", "base" }, EXIT_FAILED, "'base'" },
	{ "mounting what is not there", { "mount", "gone" }, EXIT_FAILED, "'gone'" },
	{ "unmounting what is not there", { "umount", "gone" }, EXIT_FAILED, "'gone'" },
	{ "diff of what is not there", { "diff", "gone" }, EXIT_FAILED, "'gone'" },
	{ "changes of what is not there", { "changes", "gone" }, EXIT_FAILED, "'gone'" },
	{ "size of what is not there", { "size", "gone" }, EXIT_FAILED, "'gone'" },
	{ "inspecting what is not there", { "inspect", "gone" }, EXIT_FAILED, "'gone'" },
	{ "missing tar", { "apply", "x", "/nonexistent.tar" }, EXIT_FAILED, "'/nonexistent.tar'" },
	{ "tar that is a directory", { "apply", "web", "/proc" }, EXIT_FAILED, "'/proc'" },
	{ "tar that is none", { "apply", "web", "/proc/version" }, EXIT_FAILED, "'web'" },
	{ "quota where there is none", { "create", "--size", "1G", "x" }, EXIT_FAILED, "quota" },
	{ "output that cannot be written",
	  { "diff", "-o", "/nonexistent/x", "web" },
	  EXIT_FAILED,
	  "/nonexistent/x" },
};

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n';

	return count;
}

static void check_row(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_free char *home = test_path("%s/store", place->path);
	cleanup_output struct test_output output = { 0 };
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;

	prepare(place);
	before = test_tree_describe_at(home, TEST_TREE_NO_TIMES);
	output = run_words(place, row->words);
	after = test_tree_describe_at(home, TEST_TREE_NO_TIMES);

	if (output.status != row->status)
		fail_msg("exit %d: %s", output.status, output.err);
	assert_string_equal(output.out, "");
	assert_true(!strncmp(output.err, "ovl2", 4));
	assert_contains(output.err, row->names);

	/* One line says it; how to get help is a second one. */
	assert_in_range(count_lines(output.err), 1, row->status == EXIT_USAGE ? 2 : 1);
	assert_int_equal(output.err[strlen(output.err) - 1], '\n');
	test_text_assert_same(before, after, "stores");
}

static void unwritable_standard_output_is_an_error(void **state)
{
	struct test_place *place = *state;
	const char *script = OVL2_PROGRAM " --home \"$0/store\" --run-dir \"$0/run\" list "
					  ">/dev/full";
	const char *argv[] = { "sh", "-c", script, place->path, NULL };
	cleanup_output struct test_output output = { 0 };

	prepare(place);
	output = test_spawn(argv);
	assert_int_equal(output.status, EXIT_FAILED);
	assert_contains(output.err, "ovl2");
}

static void failed_diff_leaves_no_file(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *directory = test_path("%s/out", place->path);
	cleanup_free char *tar = test_path("%s/web.tar", directory);
	cleanup_output struct test_output output = { 0 };
	cleanup_free char *names = NULL;

	prepare(place);
	assert_sys(mkdir(directory, 0755));
	output = ovl2(place, "diff", "-o", tar, "gone");
	assert_int_equal(output.status, EXIT_FAILED);
	names = test_tree_describe_at(directory, TEST_TREE_NAMES);
	assert_string_equal(names, "");
}

static void home_that_is_no_store_is_named(void **state)
{
	struct test_place *place = *state;
	const char *argv[] = { OVL2_PROGRAM, "--home", "/proc", "list", NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)place;
	assert_int_equal(output.status, EXIT_FAILED);
	assert_contains(output.err, "/proc");
	assert_int_equal(count_lines(output.err), 1);
}

/* -------------------------------------------------------------------- help -- */

/* Exit 1 while something is wrong, as fsck(8) does; what it is stands in the output. */
static void damage_is_found_and_put_right(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *link = test_path("%s/store/base/link", place->path);
	struct test_output output;
	json_t *json;

	must(ovl2(place, "create", "base"));
	must(ovl2(place, "check", "--deep"));
	test_file_write(link, "damaged");

	output = ovl2(place, "check");
	assert_int_equal(output.status, EXIT_FAILED);
	assert_contains(output.out, "layer 'base': its link file is damaged");
	test_output_release(&output);
	output = ovl2(place, "repair");
	assert_int_equal(output.status, EXIT_USAGE);
	test_output_release(&output);
	output = ovl2(place, "repair", "--dry-run");
	assert_int_equal(output.status, EXIT_FAILED);
	test_output_release(&output);

	json = answer(ovl2(place, "--json", "repair", "--yes"));
	assert_int_equal(json_integer_value(json_object_get(json, "left")), 0);
	assert_int_equal(json_array_size(json_object_get(json, "problems")), 1);
	json_decref(json);
	must(ovl2(place, "check"));
	must(ovl2(place, "gc", "--quarantine", "--dry-run"));
	must(ovl2(place, "gc", "--quarantine"));
	must(ovl2(place, "sync"));
	must(ovl2(place, "adopt", "base"));
}

static void content_is_compared_with_what_it_was(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *tar = write_tar(place);
	cleanup_free char *file = test_path("%s/store/base/diff/etc/conf", place->path);
	struct test_output output;
	json_t *json;

	must(ovl2(place, "create", "--digest", "base"));
	json_decref(answer(ovl2(place, "apply", "--json", "base", tar)));
	json = answer(ovl2(place, "inspect", "--json", "base"));
	assert_contains(text_of(json, "Digest"), "sha256:");
	json_decref(json);
	must(ovl2(place, "check", "--content"));
	json = answer(ovl2(place, "digest", "--json", "base"));
	assert_int_equal(json_integer_value(json_object_get(json_array_get(json, 0), "kept")), 0);
	json_decref(json);

	test_file_write(file, "12346");
	must(ovl2(place, "check"));
	output = ovl2(place, "check", "--content");
	assert_int_equal(output.status, EXIT_FAILED);
	assert_contains(output.out, "layer 'base': its content is not what it was");
	test_output_release(&output);
}

static void every_command_has_help_with_an_example(void **state)
{
	static const char *const names[] = { "create", "remove",  "mount", "umount", "diff",
		                             "apply",  "changes", "size",  "list",   "inspect",
		                             "status", "cleanup", "check", "repair", "gc",
		                             "adopt",  "digest",  "sync" };
	struct test_place *place = *state;
	const char *argv[] = { OVL2_PROGRAM, "--help", NULL };
	cleanup_output struct test_output all = test_spawn(argv);

	assert_int_equal(all.status, EXIT_OK);
	assert_contains(all.out, "Examples:");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_output struct test_output help = ovl2(place, names[i], "--help");
		cleanup_free char *usage = test_path("Usage: ovl2 %s", names[i]);
		cleanup_free char *example = test_path("ovl2 %s", names[i]);
		const char *examples;

		assert_int_equal(help.status, EXIT_OK);
		assert_string_equal(help.err, "");
		assert_contains(help.out, usage);
		examples = strstr(help.out, "Examples:");
		assert_non_null(examples);
		assert_contains(examples, example);
		assert_contains(all.out, names[i]);
	}
}

static void options_may_follow_the_layer(void **state)
{
	struct test_place *place = *state;
	json_t *made;

	prepare(place);
	made = answer(ovl2(place, "create", "other", "--parent", "base", "--json"));
	assert_string_equal(text_of(made, "parent"), "base");
	json_decref(made);
	must(ovl2(place, "remove", "--", "other"));
}

/* A mistyped home is no empty store in which nothing is wrong. */
static void only_create_makes_a_store(void **state)
{
	static const char *const names[] = { "list", "check", "status", "gc" };
	struct test_place *place = *state;
	cleanup_free char *home = test_path("%s/store", place->path);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_output struct test_output output = ovl2(place, names[i]);

		assert_int_equal(output.status, EXIT_FAILED);
		assert_contains(output.err, "there is no store in ");
		assert_contains(output.err, home);
	}
	assert_int_equal(access(home, F_OK), -1);
	must(ovl2(place, "create", "base"));
}

/* Root, but without the right to write in somebody else's directory. */
static void home_without_rights_is_told_with_a_cure(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *yard = test_path("%s/yard", place->path);
	cleanup_free char *home = test_path("%s/yard/store", place->path);
	const char *argv[] = { "setpriv",    "--bounding-set=-dac_override,-dac_read_search",
		               OVL2_PROGRAM, "create",
		               "base",       "--home",
		               home,         NULL };
	cleanup_output struct test_output output = { 0 };

	assert_sys(mkdir(yard, 0755));
	assert_sys(chown(yard, 65534, 65534));
	output = test_spawn(argv);
	assert_int_equal(output.status, EXIT_FAILED);
	assert_contains(output.err, yard);
	assert_contains(output.err, "Permission denied: be root, or name a directory of your own");
	assert_sys(rmdir(yard));
}

static void version_is_told(void **state)
{
	cleanup_output struct test_output output = ovl2((struct test_place *)*state, "--version");

	assert_int_equal(output.status, EXIT_OK);
	assert_contains(output.out, OVL2_VERSION);
}

static void other_programs_are_found_beside_it(void **state)
{
	cleanup_output struct test_output output =
		ovl2((struct test_place *)*state, "report", "--help");

	assert_int_equal(output.status, EXIT_OK);
	assert_contains(output.out, "Usage: ovl2-report");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest scenarios[] = {
		cmocka_unit_test(container_is_made_from_a_tar_and_changed),
		cmocka_unit_test(diff_of_one_layer_fills_another),
		cmocka_unit_test(diff_to_standard_output_is_the_same_tar),
		cmocka_unit_test(mount_prints_where_and_counts),
		cmocka_unit_test(printed_mount_command_mounts),
		cmocka_unit_test(printed_mount_of_many_lowers_mounts),
		cmocka_unit_test(mount_that_no_command_can_make_is_not_printed),
		cmocka_unit_test(printed_mount_in_json_has_every_option),
		cmocka_unit_test(flags_of_a_mount_are_told_when_they_differ),
		cmocka_unit_test(cleanup_undoes_every_mount),
		cmocka_unit_test(list_shows_layers_under_their_parents),
		cmocka_unit_test(inspect_and_status_show_their_keys),
		cmocka_unit_test(removed_layers_are_gone),
		cmocka_unit_test(every_command_answers_in_json),
		cmocka_unit_test(the_store_answers_in_json),
		cmocka_unit_test(tar_beyond_a_limit_leaves_the_layer_empty),
		cmocka_unit_test(owners_are_mapped_range_by_range),
		cmocka_unit_test(attributes_left_out_are_counted),
		cmocka_unit_test(progress_is_shown_when_asked_for),
		cmocka_unit_test(level_of_compression_is_a_choice),
		cmocka_unit_test(interrupted_apply_leaves_nothing),
		cmocka_unit_test(interrupted_diff_leaves_no_file),
		cmocka_unit_test(unwritable_standard_output_is_an_error),
		cmocka_unit_test(failed_diff_leaves_no_file),
		cmocka_unit_test(home_that_is_no_store_is_named),
		cmocka_unit_test(damage_is_found_and_put_right),
		cmocka_unit_test(content_is_compared_with_what_it_was),
		cmocka_unit_test(every_command_has_help_with_an_example),
		cmocka_unit_test(options_may_follow_the_layer),
		cmocka_unit_test(only_create_makes_a_store),
		cmocka_unit_test(home_without_rights_is_told_with_a_cure),
		cmocka_unit_test(version_is_told),
		cmocka_unit_test(other_programs_are_found_beside_it),
	};
	struct CMUnitTest tests[ARRAY_SIZE(scenarios) + ARRAY_SIZE(rows)];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		tests[count++] = scenarios[i];
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[count++] = test_case(rows[i].title, check_row, &rows[i]);

	test_enter_namespace();
	return test_run("ovl2", tests, count, argc, argv);
}
