// SPDX-License-Identifier: MIT
#include "mounted.h"

#include "support/filesystem.h"

#include "fail.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

/*
 * The store of somebody who is root in a user namespace only, twice: with a range of
 * ids as newuidmap(1) maps it, and with the one id that `unshare -Ur` maps. All of it
 * runs as a process without any privilege outside.
 */

/* Where the filesystems are: a path that everybody may walk, seen by this process only. */
#define AREA "/mnt"

struct map {
	const char *title;

	/* Outside; 0 inside. */
	uid_t uid;

	/* How many ids from there on. */
	unsigned int count;
};

static const struct map range = { "a range of ids", 100000, 65536 };
static const struct map single = { "a single id", 65534, 1 };
static const struct map *current_map;

static int has_id(uid_t uid)
{
	return uid < current_map->count;
}

/* ------------------------------------------------------------------ in and out -- */

static void write_map(pid_t pid, const char *name, const char *text)
{
	cleanup_free char *path = test_path("/proc/%d/%s", pid, name);
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		print_error("write '%s': %s\n", path, strerror(errno));
		exit(1);
	}
}

static void write_maps(pid_t pid, const struct map *map)
{
	cleanup_free char *text = test_path("0 %u %u\n", map->uid, map->count);

	/* What makes a single map possible for those who have no newuidmap(1). */
	if (map->count == 1)
		write_map(pid, "setgroups", "deny\n");
	write_map(pid, "uid_map", text);
	write_map(pid, "gid_map", text);
}

/* In the child: nobody of importance, then root of its own namespaces. */
static int become_root_inside(const struct map *map, int ready, int mapped)
{
	char byte = 0;

	if (setgroups(0, NULL) < 0 || setresgid(map->uid, map->uid, map->uid) < 0 ||
	    setresuid(map->uid, map->uid, map->uid) < 0)
		return -1;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -1;
	if (write(ready, &byte, 1) != 1 || read(mapped, &byte, 1) != 1)
		return -1;
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return -1;

	/* Who changes its ids loses /proc/self, and the leak checker its way to look. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return -1;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;

	return setenv("TMPDIR", AREA, 1);
}

/* Runs `tests` there, and returns their exit code. */
static int run_inside(const struct map *map, const char *name, const struct CMUnitTest *tests,
                      size_t count, char **argv)
{
	int ready[2];
	int mapped[2];
	int status;
	pid_t child;
	char byte = 0;

	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(mapped, O_CLOEXEC) < 0)
		return 1;
	child = fork();
	if (child == 0) {
		current_map = map;
		if (become_root_inside(map, ready[1], mapped[0]) < 0) {
			print_message("skipped: user namespaces: %s\n", strerror(errno));
			exit(TEST_EXIT_SKIPPED);
		}
		exit(test_run(name, tests, count, argv[1] ? 2 : 1, argv));
	}
	close(ready[1]);
	close(mapped[0]);
	if (read(ready[0], &byte, 1) == 1) {
		write_maps(child, map);
		if (write(mapped[1], &byte, 1) != 1)
			print_error("tell the child: %s\n", strerror(errno));
	}
	close(ready[0]);
	close(mapped[1]);
	waitpid(child, &status, 0);

	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int run_on(const char *type, const struct map *map, const struct CMUnitTest *tests,
                  size_t count, char **argv)
{
	const struct test_filesystem filesystem = { .type = type };
	cleanup_free char *name = test_path("rootless, on %s, with %s", type, map->title);
	struct ovl2_error err = { 0 };
	int r = test_filesystem_mount(&filesystem, AREA, &err);

	/* Marks of overlayfs are attributes, which tmpfs has since Linux 6.6. */
	if (r == 0 && !test_has_attributes(AREA)) {
		umount2(AREA, MNT_DETACH);
		r = ovi_fail(&err, OVL2_E_UNSUPPORTED, "files have no attributes here");
	}
	if (r == OVL2_E_UNSUPPORTED) {
		print_message("skipped: %s: %s\n", type, err.message);
		return TEST_EXIT_SKIPPED;
	}
	if (r < 0 || chown(AREA, map->uid, map->uid) < 0) {
		print_error("%s: %s\n", type, err.message);
		return 1;
	}
	print_message("%s\n", name);
	r = run_inside(map, name, tests, count, argv);
	umount2(AREA, MNT_DETACH);

	return r;
}

/* ------------------------------------------------------------------- the store -- */

static const struct test_entry base_entries[] = {
	{ 'd', "dir", NULL, 0, 0, 0, 1000000000, NULL },
	{ 'f', "dir/one", "one", 0, 0, 0, 1000000000, NULL },
	{ 'f', "dir/two", "two", 0600, 0, 0, 1000000000, "user.mine=1" },
	{ 'l', "link", "dir/one", 0, 0, 0, 0, NULL },
	{ 'p', "fifo", NULL, 0, 0, 0, 1000000000, NULL },
};

static const struct test_entry box_entries[] = {
	{ '-', "dir/one", NULL, 0, 0, 0, 0, NULL },
	{ 'f', "dir/two", "changed", 0600, 0, 0, 1100000000, "user.mine=2" },
	{ 'f', "dir/three", "three", 04755, 0, 0, 1100000000, NULL },
};

static void create_stack(struct ovl2_store *store)
{
	create_layer(store, "base", NULL);
	change_layer(store, "base", base_entries, ARRAY_SIZE(base_entries));
	create_layer(store, "middle", "base");
	create_container(store, "box", "middle");
	change_layer(store, "box", box_entries, ARRAY_SIZE(box_entries));
}

static void store_uses_user_attributes(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *fact = store_fact(store, "userxattr");
	cleanup_free char *options = store_fact(store, "Mount Options");

	assert_string_equal(fact, "true");
	assert_contains(options, "userxattr");
}

static void check_mount(struct ovl2_store *store, int method, int read_only)
{
	const struct ovl2_mount_options options = {
		.size = sizeof(options),
		.method = method,
		.read_only = read_only,
	};
	cleanup_free char *path = mount_layer_with(store, "box", &options);
	cleanup_free char *shown = mounted_options(path);
	cleanup_free char *names = test_tree_describe_at(path, TEST_TREE_NAMES);

	assert_contains(shown, ",userxattr,");
	assert_string_equal(names, "d dir\nf dir/three\nf dir/two\np fifo\nl link -> dir/one\n");
	unmount_layer(store, "box");
}

static void every_method_mounts(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	size_t count = 0;

	create_stack(store);
	for (int method = OVL2_MOUNT_AUTO; method <= OVL2_MOUNT_FD; method++) {
		if (!has_method(place, method))
			continue;
		check_mount(store, method, 0);
		check_mount(store, method, 1);
		count++;
	}

	/* Auto, and those that need nothing newer than overlays in user namespaces. */
	assert_true(count >= 3);
}

static void flags_and_missing_syncs_work(void **state)
{
	const struct ovl2_mount_options options = {
		.size = sizeof(options),
		.nodev = 1,
		.nosuid = 1,
		.noexec = 1,
		.skip_sync = 1,
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;
	cleanup_free char *flags = NULL;
	cleanup_free char *shown = NULL;

	create_stack(store);
	path = mount_layer_with(store, "box", &options);
	flags = mounted_flags(path);
	shown = mounted_options(path);
	assert_contains(flags, ",nodev,");
	assert_contains(flags, ",nosuid,");
	assert_contains(flags, ",noexec,");
	assert_contains(shown, "volatile");
	unmount_layer(store, "box");
}

static void committed_layer_cannot_be_written(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;
	cleanup_free char *file = NULL;

	create_stack(store);
	path = mount_layer(store, "middle");
	file = test_path("%s/new", path);
	assert_int_equal(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), -1);
	assert_int_equal(errno, EROFS);
	unmount_layer(store, "middle");
}

static void changes_are_the_same_by_both_methods(void **state)
{
	const struct ovl2_diff_options compare = { .size = sizeof(compare),
		                                   .method = OVL2_DIFF_COMPARE };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *by_upper = NULL;
	cleanup_free char *by_comparing = NULL;

	create_stack(store);
	by_upper = list_changes(store, "box", NULL);
	by_comparing = list_changes(store, "box", &compare);
	assert_string_equal(by_upper, "C /dir\nD /dir/one\nA /dir/three\nC /dir/two\n");
	assert_string_equal(by_comparing, by_upper);
}

static void diff_goes_into_another_layer(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;
	cleanup_free char *list = NULL;
	struct ovl2_error err = { 0 };
	cleanup_fd int tar = -1;

	create_stack(store);
	tar = diff_layer(store, "box", OVL2_DIFF_AUTO);
	list = test_tar_list(tar);
	assert_null(strstr(list, "overlay."));
	assert_int_equal(lseek(tar, 0, SEEK_SET), 0);
	create_layer(store, "copy", "middle");
	assert_ok(ovl2_layer_apply(store, "copy", NULL, tar, NULL, &err), &err);
	before = describe_layer(store, "box", TEST_TREE_NO_DIRECTORY_TIMES);
	after = describe_layer(store, "copy", TEST_TREE_NO_DIRECTORY_TIMES);
	test_text_assert_same(before, after, "the layer and its copy");
}

static int apply_one(struct ovl2_store *store, const char *id, const struct test_tar_entry *entry,
                     struct ovl2_error *err)
{
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int fd = -1;

	test_tar_add(&tar, entry);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);

	return ovl2_layer_apply(store, id, NULL, fd, NULL, err);
}

/* Whose owner has no id in here is refused by name, not given to somebody else. */
static void owner_of_a_file_needs_an_id(void **state)
{
	const struct test_tar_entry entry = {
		.name = "owned", .content = "x", .uid = 1000, .gid = 1000
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *text = NULL;
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	if (has_id(1000)) {
		assert_ok(apply_one(store, "base", &entry, &err), &err);
		text = describe_layer(store, "base", TEST_TREE_NO_TIMES);
		assert_contains(text, " 1000:1000 ");
		return;
	}
	assert_true(apply_one(store, "base", &entry, &err) < 0);
	assert_contains(err.message, "owner of 'owned'");

	/* Nothing of it is there, and the layer can still be filled. */
	text = describe_layer(store, "base", TEST_TREE_NAMES);
	assert_string_equal(text, "");
}

static void device_is_refused_by_name(void **state)
{
	const struct test_tar_entry entry = {
		.name = "null", .type = '3', .device_major = 1, .device_minor = 3
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	assert_fails(apply_one(store, "base", &entry, &err), OVL2_E_PERMISSION, &err);
	assert_contains(err.message, "null");
}

static void quota_is_refused(void **state)
{
	const struct ovl2_layer_options options = { .size = sizeof(options),
		                                    .read_write = 1,
		                                    .quota_bytes = 1 << 20 };
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_error err = { 0 };
	int r = ovl2_layer_create(store, "box", &options, &err);

	assert_true(r == OVL2_E_UNSUPPORTED || r == OVL2_E_PERMISSION);
	assert_contains(err.message, "quota");
	assert_int_equal(ovl2_layer_exists(store, "box", &err), 0);
}

static void default_run_directory_is_named(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *home = store_path(place);
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };

	assert_fails(ovl2_store_open(home, NULL, &store, &err), OVL2_E_PERMISSION, &err);
	assert_contains(err.message, "/run/ovl2");
}

static void label_that_cannot_be_is_explained(void **state)
{
	const struct ovl2_mount_options options = { .size = sizeof(options), .label = "a:b:c" };
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_error err = { 0 };

	if (access("/sys/fs/selinux/enforce", F_OK) == 0)
		test_skip("labels mount here");
	create_stack(store);
	assert_true(ovl2_layer_mount(store, "box", &options, NULL, &err) < 0);
	assert_contains(err.message, "mount");
}

/* As root's: what a store here needs is answered with yes. */
static void probes_can_tell(void **state)
{
	struct test_place *place = *state;
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };

	assert_int_equal(ovl2_probe_kernel_version(&evidence, &err), 1);
	assert_int_equal(ovl2_probe_backing_fs(place->fd, &evidence, &err), 1);
	assert_int_equal(ovl2_probe_d_type(place->fd, &evidence, &err), 1);
	assert_int_equal(ovl2_probe_opaque_copy_up(place->fd, &evidence, &err), 0);
	assert_int_equal(ovl2_probe_max_depth(place->fd, &evidence, &err), 1);
	assert_true(evidence.value >= 128);
	for (int method = OVL2_MOUNT_ABSOLUTE; method <= OVL2_MOUNT_FD; method++) {
		int r = ovl2_probe_mount_method(place->fd, method, &evidence, &err);

		assert_true(r == 0 || r == 1);
		if (method <= OVL2_MOUNT_RELATIVE)
			assert_int_equal(r, 1);
	}

	/* Quotas belong to those who own the filesystem. */
	assert_int_not_equal(ovl2_probe_project_quota(place->fd, &evidence, &err), 1);
	assert_int_equal(count_files(place->path), 0);
}

static void everything_can_be_removed(void **state)
{
	struct test_place *place = *state;
	struct test_resources before = test_resources_count();
	struct ovl2_store *store = open_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_free char *text = NULL;
	struct ovl2_error err = { 0 };

	create_stack(store);
	free(mount_layer(store, "box"));
	assert_fails(ovl2_layer_remove(store, "box", &err), OVL2_E_BUSY, &err);
	assert_ok(ovl2_store_cleanup(store, &err), &err);
	assert_int_equal(test_count_mounts_below(home), 0);
	assert_ok(ovl2_layer_remove(store, "box", &err), &err);
	assert_ok(ovl2_layer_remove(store, "middle", &err), &err);
	assert_ok(ovl2_layer_remove(store, "base", &err), &err);
	text = list_layers(store);
	assert_string_equal(text, "");
	ovl2_store_close(store);
	test_resources_assert_same(before);
}

static int print_problem(void *data, const struct ovl2_problem *problem)
{
	(void)data;
	print_message("  %s: %s\n", problem->id ? problem->id : "-", problem->text);

	return 0;
}

static int count_problems(struct ovl2_store *store)
{
	const struct ovl2_check_options all = { .size = sizeof(all), .deep = 1, .content = 1 };
	struct ovl2_error err = { 0 };
	int count = ovl2_store_check(store, &all, print_problem, NULL, &err);

	assert_ok(count, &err);
	return count;
}

/* A link that is lost is found, made again, and the layer mounts as before. */
static void damage_is_found_and_put_right(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *link = test_path("%s/store/middle/link", place->path);
	cleanup_free char *name = NULL;
	cleanup_free char *entry = NULL;
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;
	struct ovl2_error err = { 0 };

	create_stack(store);
	before = describe_layer(store, "box", 0);
	assert_int_equal(count_problems(store), 0);

	name = test_file_read(link);
	entry = test_path("%s/store/l/%s", place->path, name);
	assert_sys(unlink(entry));
	assert_true(count_problems(store) > 0);
	assert_ok(ovl2_store_repair(store, NULL, print_problem, NULL, &err), &err);
	assert_int_equal(count_problems(store), 0);
	after = describe_layer(store, "box", 0);
	test_text_assert_same(before, after, "the layer before and after");
}

static void store_is_looked_after(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *record = test_path("%s/store/box/ovl2.json", place->path);
	uint64_t bytes = 0;
	struct ovl2_error err = { 0 };

	create_stack(store);
	assert_int_equal(ovl2_layer_digest(store, "base", &err), 1);
	assert_sys(unlink(record));
	assert_int_equal(ovl2_layer_adopt(store, "box", &err), 1);
	assert_ok(ovl2_layer_diff_size(store, "box", NULL, &bytes, &err), &err);
	assert_int_equal(bytes, strlen("changed") + strlen("three"));
	assert_ok(ovl2_store_sync(store, &err), &err);
	assert_ok(ovl2_store_collect(store, NULL, &err), &err);
	assert_int_equal(count_problems(store), 0);
}

/* No option of overlayfs maps ids for who is root in here only: apply does. */
static void mapped_ids_are_refused_and_can_be_applied(void **state)
{
	const struct ovl2_id_range to_root = { .container = 1000, .host = 0, .count = 1 };
	const struct ovl2_apply_options mapped = {
		.size = sizeof(mapped),
		.uid_map = &to_root,
		.uid_map_count = 1,
		.gid_map = &to_root,
		.gid_map_count = 1,
	};
	const struct test_tar_entry entry = {
		.name = "owned", .content = "x", .uid = 1000, .gid = 1000
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_fd int namespace = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	const struct ovl2_mount_options options = { .size = sizeof(options),
		                                    .user_namespace = namespace };
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_free char *text = NULL;
	cleanup_fd int fd = -1;
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	assert_true(ovl2_layer_mount(store, "base", &options, NULL, &err) < 0);
	assert_contains(err.message, "ids");

	test_tar_add(&tar, &entry);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);
	assert_ok(ovl2_layer_apply(store, "base", &mapped, fd, NULL, &err), &err);
	text = describe_layer(store, "base", TEST_TREE_NO_TIMES);
	assert_contains(text, " 0:0 ");
}

static void hundred_lowers_mount(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *names = NULL;

	for (int i = 0; i < 100; i++) {
		cleanup_free char *id = test_path("layer-%d", i);
		cleanup_free char *parent = i ? test_path("layer-%d", i - 1) : NULL;
		const struct test_tar_entry entries[] = { { .name = "number", .content = id } };

		create_layer(store, id, parent);
		apply_entries(store, id, entries, ARRAY_SIZE(entries));
	}
	create_container(store, "top", "layer-99");
	names = describe_layer(store, "top", TEST_TREE_NAMES);
	assert_string_equal(names, "f number\n");
}

int main(int argc, char **argv)
{
	static const char *const types[] = { "tmpfs", "ext4" };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(store_uses_user_attributes),
		cmocka_unit_test(every_method_mounts),
		cmocka_unit_test(flags_and_missing_syncs_work),
		cmocka_unit_test(committed_layer_cannot_be_written),
		cmocka_unit_test(changes_are_the_same_by_both_methods),
		cmocka_unit_test(diff_goes_into_another_layer),
		cmocka_unit_test(owner_of_a_file_needs_an_id),
		cmocka_unit_test(device_is_refused_by_name),
		cmocka_unit_test(quota_is_refused),
		cmocka_unit_test(default_run_directory_is_named),
		cmocka_unit_test(label_that_cannot_be_is_explained),
		cmocka_unit_test(probes_can_tell),
		cmocka_unit_test(everything_can_be_removed),
		cmocka_unit_test(hundred_lowers_mount),
		cmocka_unit_test(damage_is_found_and_put_right),
		cmocka_unit_test(store_is_looked_after),
		cmocka_unit_test(mapped_ids_are_refused_and_can_be_applied),
	};
	const struct map *const maps[] = { &range, &single };
	size_t skipped = 0;
	int failed = 0;

	(void)argc;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	test_enter_namespace();
	for (size_t i = 0; i < ARRAY_SIZE(types) * ARRAY_SIZE(maps); i++) {
		int r = run_on(types[i / 2], maps[i % 2], tests, ARRAY_SIZE(tests), argv);

		skipped += r == TEST_EXIT_SKIPPED;
		failed |= r != 0 && r != TEST_EXIT_SKIPPED;
	}
	if (skipped == ARRAY_SIZE(types) * ARRAY_SIZE(maps))
		return TEST_EXIT_SKIPPED;

	return failed;
}
