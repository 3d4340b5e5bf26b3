// SPDX-License-Identifier: MIT
#include "fixture.h"

#include "sys.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

/* What a store's handle remembers of layers ends with them, and with changes by others. */

/* How many changes of each kind: most fall within a clock tick of one of ours. */
#define ROUNDS 20

static void create_stack(struct ovl2_store *store)
{
	create_layer(store, "base", NULL);
	create_layer(store, "middle", "base");
	create_layer(store, "top", "middle");
}

static void run_container(struct ovl2_store *store, const char *id)
{
	create_container(store, id, "top");
	free(mount_layer(store, id));
	assert_int_equal(unmount_layer(store, id), 0);
}

static void remove_layer(struct ovl2_store *store, const char *id)
{
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_layer_remove(store, id, &err), &err);
}

/* Path of the link in l/ that leads to the layer; free(3) it. */
static char *link_of(const struct test_place *place, const char *id)
{
	cleanup_free char *file = test_path("%s/store/%s/link", place->path, id);
	cleanup_free char *name = test_file_read(file);

	return test_path("%s/store/l/%s", place->path, name);
}

static void damage(const char *link)
{
	assert_sys(unlink(link));
	assert_sys(symlink("../gone/diff", link));
}

static void damage_between_two_creates_is_seen(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *link = NULL;
	struct ovl2_error err = { 0 };

	create_stack(store);
	link = link_of(place, "base");
	run_container(store, "first");
	for (int i = 0; i < ROUNDS; i++) {
		damage(link);
		create_container(store, "second", "top");
		assert_fails(ovl2_layer_mount(store, "second", NULL, NULL, &err), OVL2_E_CORRUPT,
		             &err);
		assert_fails(ovl2_layer_mount(store, "first", NULL, NULL, &err), OVL2_E_CORRUPT,
		             &err);
		remove_layer(store, "second");

		assert_sys(unlink(link));
		assert_sys(symlink("../base/diff", link));
		run_container(store, "second");
		remove_layer(store, "second");
	}
}

/* An id that comes again is another layer. */
static void layer_made_anew_is_not_the_one_before(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	static const struct test_entry old[] = { { .type = 'f', .path = "old", .mode = 0644 } };

	create_stack(store);
	for (int i = 0; i < ROUNDS; i++) {
		cleanup_free char *text = NULL;

		create_container(store, "box", "top");
		text = describe_layer(store, "box", TEST_TREE_NAMES);
		assert_string_equal(text, "");
		change_layer(store, "box", old, ARRAY_SIZE(old));
		remove_layer(store, "box");
	}
}

static size_t count_deleted(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char target[512];
		ssize_t length = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		target[length > 0 ? length : 0] = '\0';
		count += strstr(target, " (deleted)") != NULL;
	}
	closedir(dir);

	return count;
}

/* Its space would not come free. */
static void removed_layers_are_held_by_nobody(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	size_t before = count_deleted();

	create_stack(store);
	run_container(store, "box");
	remove_layer(store, "box");
	assert_int_equal(count_deleted(), before);
	remove_layer(store, "top");
	remove_layer(store, "middle");
	remove_layer(store, "base");
	assert_int_equal(count_deleted(), before);
}

/* ------------------------------------------------------------------- by others -- */

static struct ovi_sys real;
static const char *link_to_damage;

/* The last step of a stage: its parent was looked at, its link is not made yet. */
static int damage_before_merged(int dir, const char *path, mode_t mode)
{
	if (strcmp(path, "merged") == 0)
		damage(link_to_damage);

	return real.mkdirat(dir, path, mode);
}

static void damage_during_a_create_is_seen(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *link = NULL;
	struct ovl2_error err = { 0 };

	create_stack(store);
	run_container(store, "first");
	remove_layer(store, "first");
	run_container(store, "first");
	link = link_of(place, "base");
	link_to_damage = link;
	real = ovi_sys;
	ovi_sys.mkdirat = damage_before_merged;
	create_container(store, "second", "top");
	ovi_sys = real;

	assert_fails(ovl2_layer_mount(store, "second", NULL, NULL, &err), OVL2_E_CORRUPT, &err);
}

/* Under the id of a layer that we made and never mounted. */
static void layer_replaced_by_another_handle_is_read(void **state)
{
	const struct test_tar_entry entries[] = { { .name = "file", .content = "text" } };
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_store struct ovl2_store *other = open_store(place);

	create_stack(store);
	for (int i = 0; i < ROUNDS; i++) {
		cleanup_free char *path = NULL;
		cleanup_free char *file = NULL;

		create_container(store, "box", "top");
		remove_layer(other, "box");
		create_layer(other, "box", "base");
		apply_entries(other, "box", entries, ARRAY_SIZE(entries));

		path = mount_layer(store, "box");
		file = test_path("%s/file", path);
		assert_sys(access(file, F_OK));
		assert_int_equal(open(file, O_WRONLY | O_CLOEXEC), -1);
		assert_int_equal(errno, EROFS);
		assert_int_equal(unmount_layer(store, "box"), 0);
		remove_layer(store, "box");
	}
}

/* By another process, while we wait for the lock: 2 locks, the store's and the layer's. */
static struct ovl2_store *replacing_store;
static int lock_count;

static int apply_before_flock(int fd, int operation)
{
	const struct test_tar_entry entries[] = { { .name = "file", .content = "text" } };

	if (operation != LOCK_UN && ++lock_count == 2) {
		ovi_sys = real;
		apply_entries(replacing_store, "box", entries, ARRAY_SIZE(entries));
	}

	return real.flock(fd, operation);
}

static void layer_replaced_while_we_wait_is_opened_anew(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_store struct ovl2_store *other = open_store(place);
	cleanup_free char *path = NULL;
	cleanup_free char *file = NULL;

	create_stack(store);
	run_container(store, "box");
	real = ovi_sys;
	replacing_store = other;
	lock_count = 0;
	ovi_sys.flock = apply_before_flock;
	path = mount_layer(store, "box");
	assert_int_equal(lock_count, 2);

	file = test_path("%s/file", path);
	assert_sys(access(file, F_OK));
	assert_int_equal(unmount_layer(store, "box"), 0);
}

/* --------------------------------------------------------------------- savings -- */

static size_t followed_count;
static size_t opened_count;

static ssize_t count_readlinkat(int dir, const char *path, char *buffer, size_t size)
{
	followed_count += strncmp(path, "l/", 2) == 0;

	return real.readlinkat(dir, path, buffer, size);
}

static int count_openat(int dir, const char *path, int flags, mode_t mode)
{
	opened_count++;

	return real.openat(dir, path, flags, mode);
}

static struct timespec change_time(const char *path)
{
	struct stat st;

	assert_sys(stat(path, &st));

	return st.st_ctim;
}

static int is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/*
 * Are changes told apart that follow upon each other at once, of both kinds? From Linux
 * 6.13 on, and not everywhere.
 */
static int has_fine_times(const struct test_place *place)
{
	cleanup_free char *file = test_path("%s/file", place->path);

	for (int i = 0; i < 8; i++) {
		struct timespec before = change_time(place->path);
		struct timespec between;

		assert_sys(symlink("to", file));
		between = change_time(place->path);
		assert_sys(unlink(file));
		if (is_same_time(before, between) ||
		    is_same_time(between, change_time(place->path)))
			return 0;
	}

	return 1;
}

static void our_own_changes_leave_what_is_known(void **state)
{
	cleanup_store struct ovl2_store *store = NULL;

	if (!has_fine_times(*state))
		test_skip("times of changes are those of clock ticks here");
	store = open_store(*state);
	create_stack(store);
	/* The first one's parent becomes one: that changes it. */
	run_container(store, "first");
	run_container(store, "second");

	real = ovi_sys;
	followed_count = 0;
	for (int i = 0; i < ROUNDS; i++) {
		ovi_sys.readlinkat = count_readlinkat;
		run_container(store, "box");
		ovi_sys = real;
		remove_layer(store, "box");
	}
	assert_int_equal(followed_count, 0);
}

/* All that its mount opens is its directory, upper and work. */
static void new_layer_is_mounted_without_reading_it(void **state)
{
	cleanup_store struct ovl2_store *store = NULL;

	if (!has_fine_times(*state))
		test_skip("times of changes are those of clock ticks here");
	store = open_store(*state);
	create_stack(store);
	run_container(store, "first");
	create_container(store, "second", "top");

	real = ovi_sys;
	opened_count = 0;
	ovi_sys.openat = count_openat;
	free(mount_layer(store, "second"));
	ovi_sys = real;
	assert_in_range(opened_count, 1, 3);
	assert_int_equal(unmount_layer(store, "second"), 0);
}

/* ----------------------------------------------------------------- descriptors -- */

static size_t count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);

	return count;
}

#define DEPTH 40

/* A container on so many lowers; the lowest has the file "lowest". */
static void create_deep(struct ovl2_store *store)
{
	const struct test_tar_entry entries[] = { { .name = "lowest", .content = "text" } };

	create_layer(store, "layer-0", NULL);
	apply_entries(store, "layer-0", entries, ARRAY_SIZE(entries));
	for (int i = 1; i <= DEPTH; i++) {
		cleanup_free char *id = test_path("layer-%d", i);
		cleanup_free char *parent = test_path("layer-%d", i - 1);

		create_layer(store, id, parent);
	}
	create_container(store, "box", "layer-40");
}

static void mount_by(struct ovl2_store *store, enum ovl2_mount_method method)
{
	const struct ovl2_mount_options options = { .size = sizeof(options), .method = method };
	cleanup_free char *path = NULL;
	cleanup_free char *file = NULL;
	struct ovl2_error err = { 0 };
	int r = ovl2_layer_mount(store, "box", &options, &path, &err);

	/* By this one not on this kernel. */
	if (r == OVL2_E_UNSUPPORTED && method == OVL2_MOUNT_FD)
		return;
	assert_ok(r, &err);
	file = test_path("%s/lowest", path);
	assert_sys(access(file, F_OK));
	assert_int_equal(unmount_layer(store, "box"), 0);
}

static void mounts_by_name_keep_nothing_open(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	size_t before;

	create_deep(store);
	before = count_descriptors();
	mount_by(store, OVL2_MOUNT_RELATIVE);
	mount_by(store, OVL2_MOUNT_ABSOLUTE);
	assert_int_equal(count_descriptors(), before);

	/* And leave it to the next one to open what that needs. */
	mount_by(store, OVL2_MOUNT_FD);
	mount_by(store, OVL2_MOUNT_FD);
}

/* More lowers than the process may have descriptors: some are closed again at once. */
static void few_descriptors_are_enough(void **state)
{
	struct ovl2_store *store;
	struct rlimit before;
	struct rlimit few;
	size_t count = count_descriptors();

	assert_sys(getrlimit(RLIMIT_NOFILE, &before));
	few = before;
	few.rlim_cur = count + 24;
	assert_sys(setrlimit(RLIMIT_NOFILE, &few));
	store = open_store(*state);
	create_deep(store);
	mount_by(store, OVL2_MOUNT_FD);
	mount_by(store, OVL2_MOUNT_FD);
	mount_by(store, OVL2_MOUNT_AUTO);
	assert_true(count_descriptors() < count + 24);
	ovl2_store_close(store);
	assert_sys(setrlimit(RLIMIT_NOFILE, &before));
	assert_int_equal(count_descriptors(), count);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damage_between_two_creates_is_seen),
		cmocka_unit_test(layer_made_anew_is_not_the_one_before),
		cmocka_unit_test(removed_layers_are_held_by_nobody),
		cmocka_unit_test(damage_during_a_create_is_seen),
		cmocka_unit_test(layer_replaced_by_another_handle_is_read),
		cmocka_unit_test(layer_replaced_while_we_wait_is_opened_anew),
		cmocka_unit_test(our_own_changes_leave_what_is_known),
		cmocka_unit_test(new_layer_is_mounted_without_reading_it),
		cmocka_unit_test(mounts_by_name_keep_nothing_open),
		cmocka_unit_test(few_descriptors_are_enough),
	};

	test_enter_namespace();
	return test_run_everywhere("memo", tests, ARRAY_SIZE(tests), argc, argv);
}
