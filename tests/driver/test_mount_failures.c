// SPDX-License-Identifier: MIT
#include "mounted.h"

#include "support/filesystem.h"

#include "overlay.h"
#include "sys.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/*
 * Mounts that fail, for real: the message must have the kernel's own words and the
 * cure. The words come from the kernel log, which others write to at the same time,
 * so that a failure that lacks them is tried again.
 */

#define ATTEMPTS 20

/* Two lowers, an upper and a work directory straight in the place. */
struct stack {
	const char *lower[2];
	const char *upper;
	const char *work;
	const char *options;
};

struct row {
	const char *title;
	struct stack stack;

	/* Entries made before; NULL ends. */
	const char *const *directories;

	/* What else must be as it is, or NULL; it may skip the case. */
	void (*prepare)(const struct test_place *place);

	const char *words;
	const char *cure;
};

static const char *const plain[] = { "one", "two", "upper", "work", "merged", NULL };
static const char *const nested[] = { "one", "one/in", "upper", "work", "merged", NULL };
static const char *const volatiles[] = {
	"one",
	"two",
	"upper",
	"work",
	"merged",
	"work/work",
	"work/work/incompat",
	"work/work/incompat/volatile",
	NULL,
};

static const char *const leftovers[] = {
	"one",
	"two",
	"upper",
	"work",
	"merged",
	"work/work",
	"work/work/a",
	"work/work/a/b",
	"work/work/a/b/c",
	"work/work/a/b/c/d",
	NULL,
};
static const char *const without_work[] = { "one", "two", "upper", "merged", NULL };
static const char *const without_target[] = { "one", "two", "upper", "work", NULL };

#define PLAIN                                           \
	{                                               \
		{ "two", "one" }, "upper", "work", NULL \
	}

static void make_directories(const struct test_place *place, const char *const *names)
{
	for (; *names; names++)
		assert_true(mkdirat(place->fd, *names, 0755) == 0 || errno == EEXIST);
}

static int attach(const struct test_place *place, const struct stack *stack,
                  enum ovl2_mount_method method, struct ovl2_error *err)
{
	const struct ovi_overlay overlay = {
		.home = place->fd,
		.home_path = place->path,
		.lower = stack->lower,
		.lower_count = 2,
		.upper = stack->upper,
		.work = stack->work,
		.options = stack->options,
	};

	return ovi_overlay_attach(&overlay, method, "merged", err);
}

/* The upper is that of another mount. */
static void use_upper(const struct test_place *place)
{
	const struct stack stack = {
		.lower = { "two", "one" }, .upper = "upper", .work = "other", .options = "index=off"
	};
	cleanup_free char *merged = test_path("%s/merged", place->path);
	cleanup_free char *elsewhere = test_path("%s/elsewhere", place->path);
	struct ovl2_error err = { 0 };

	assert_sys(mkdirat(place->fd, "other", 0755));
	assert_sys(mkdirat(place->fd, "elsewhere", 0755));
	assert_ok(attach(place, &stack, OVL2_MOUNT_AUTO, &err), &err);
	assert_sys(mount(merged, elsewhere, NULL, MS_MOVE, NULL));
}

/* The upper was made on other lowers, and an index remembers which. */
static void use_other_lowers(const struct test_place *place)
{
	const struct stack stack = { .lower = { "three", "four" },
		                     .upper = "upper",
		                     .work = "work",
		                     .options = "index=on" };
	cleanup_free char *merged = test_path("%s/merged", place->path);
	struct ovl2_error err = { 0 };

	assert_sys(mkdirat(place->fd, "three", 0755));
	assert_sys(mkdirat(place->fd, "four", 0755));
	assert_ok(attach(place, &stack, OVL2_MOUNT_AUTO, &err), &err);
	assert_sys(umount2(merged, 0));
}

static void mount_over_work(const struct test_place *place)
{
	cleanup_free char *work = test_path("%s/work", place->path);

	assert_sys(mount("tmpfs", work, "tmpfs", 0, NULL));
}

/* Inodes for an upper and a work directory, and none to work with. */
static void fill_disk(const struct test_place *place)
{
	static const char *const names[] = { "full/upper", "full/work", NULL };
	cleanup_free char *path = test_path("%s/full", place->path);

	assert_sys(mkdir(path, 0755));
	assert_sys(mount("tmpfs", path, "tmpfs", 0, "nr_inodes=3"));
	make_directories(place, names);
}

static void make_file(const struct test_place *place, const char *name)
{
	cleanup_free char *path = test_path("%s/%s", place->path, name);

	test_file_write(path, "");
}

static void make_work_a_file(const struct test_place *place)
{
	make_file(place, "work");
}

static void make_target_a_file(const struct test_place *place)
{
	make_file(place, "merged");
}

/* "upper" is itself the root of an overlay. */
static void mount_overlay_on_upper(const struct test_place *place)
{
	const struct stack stack = { .lower = { "two", "one" }, .upper = "below", .work = "aside" };
	cleanup_free char *merged = test_path("%s/merged", place->path);
	cleanup_free char *deep = test_path("%s/deep", place->path);
	cleanup_free char *work = test_path("%s/deep/work", place->path);
	cleanup_free char *upper = test_path("%s/deep/upper", place->path);
	struct ovl2_error err = { 0 };

	assert_sys(mkdirat(place->fd, "below", 0755));
	assert_sys(mkdirat(place->fd, "aside", 0755));
	assert_sys(mkdirat(place->fd, "deep", 0755));
	assert_ok(attach(place, &stack, OVL2_MOUNT_AUTO, &err), &err);
	assert_sys(mount(merged, deep, NULL, MS_MOVE, NULL));
	assert_sys(mkdir(work, 0755));
	assert_sys(mkdir(upper, 0755));
}

/* "two" is an overlay on an overlay: as many as the kernel stacks. */
static void mount_overlay_twice(const struct test_place *place)
{
	static const struct {
		const char *one;
		const char *other;
		const char *name;
	} steps[] = { { "one", "three", "first" }, { "first", "three", "two" } };
	cleanup_free char *merged = test_path("%s/merged", place->path);
	struct ovl2_error err = { 0 };

	assert_sys(mkdirat(place->fd, "three", 0755));
	assert_sys(mkdirat(place->fd, "first", 0755));
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		const struct stack stack = { .lower = { steps[i].one, steps[i].other } };
		cleanup_free char *to = test_path("%s/%s", place->path, steps[i].name);

		assert_ok(attach(place, &stack, OVL2_MOUNT_AUTO, &err), &err);
		assert_sys(mount(merged, to, NULL, MS_MOVE, NULL));
	}
}

static const struct row rows[] = {
	{ "same lower twice",
	  { { "one", "one" }, "upper", "work", NULL },
	  plain,
	  NULL,
	  "conflicting lowerdir path",
	  "a lower is there twice or inside another" },
	{ "lower inside another",
	  { { "one/in", "one" }, "upper", "work", NULL },
	  nested,
	  NULL,
	  "lowerdir path",
	  "a lower is there twice or inside another" },
	{ "upper in use, with an index",
	  { { "two", "one" }, "upper", "work", "index=on" },
	  plain,
	  use_upper,
	  "is in-use",
	  "another mount has this upper: unmount it" },
	{ "upper of other lowers, with an index",
	  { { "two", "one" }, "upper", "work", "index=on" },
	  plain,
	  use_other_lowers,
	  "Stale file handle",
	  "the layers changed under an index" },
	{ "work on another filesystem", PLAIN, plain, mount_over_work,
	  "must reside under the same mount", "nothing may be mounted inside a layer" },
	{ "volatile before", PLAIN, volatiles, NULL, "incompat feature 'volatile'",
	  "delete work/work/incompat" },
	{ "metacopy without redirects",
	  { { "two", "one" }, "upper", "work", "metacopy=on,redirect_dir=off" },
	  plain,
	  NULL,
	  "conflicting options",
	  "leave one of these mount_options out" },
	{ "export without an index",
	  { { "two", "one" }, "upper", "work", "index=off,nfs_export=on" },
	  plain,
	  NULL,
	  "conflicting options",
	  "leave one of these mount_options out" },
	{ "option of another kernel",
	  { { "two", "one" }, "upper", "work", "nosuch=on" },
	  plain,
	  NULL,
	  "Unknown parameter 'nosuch'",
	  "this kernel does not know it: leave it out" },
	{ "value of another kernel",
	  { { "two", "one" }, "upper", "work", "xino=nosuch" },
	  plain,
	  NULL,
	  "Bad value for 'xino'",
	  "this kernel does not take that value: leave it out" },
	{ "upper on an overlay",
	  { { "two", "one" }, "deep/upper", "deep/work", NULL },
	  plain,
	  mount_overlay_on_upper,
	  "not supported as upperdir",
	  "put the store on ext4, xfs, btrfs or tmpfs" },
	{ "work that cannot be emptied", PLAIN, leftovers, NULL, "(errno: 17)",
	  "delete what is in its work directory" },
	{ "full disk",
	  { { "two", "one" }, "full/upper", "full/work", NULL },
	  plain,
	  fill_disk,
	  "(errno: 28)",
	  "free blocks or inodes for its work directory" },
	{ "work that is a file", PLAIN, without_work, make_work_a_file, "ot a directory",
	  "move it away: work and merged are made anew" },
	{ "target that is a file", PLAIN, without_target, make_target_a_file, "/merged",
	  "move it away: work and merged are made anew" },
	{ "overlays upon overlays", PLAIN, plain, mount_overlay_twice, "maximum fs stacking depth",
	  "put the store on a filesystem that is not an overlay" },
};

/*
 * Before Linux 6.5 overlayfs parsed its options itself, and did not tell a name that it
 * did not know from a value.
 */
static int has_old_words(const struct row *row, const struct ovl2_error *err)
{
	return (strstr(row->words, "Unknown parameter") || strstr(row->words, "Bad value")) &&
	       strstr(err->message, "unrecognized mount option") &&
	       strstr(err->message, "this kernel does not know it");
}

static int has_words(const struct row *row, const struct ovl2_error *err)
{
	if (has_old_words(row, err))
		return 1;

	return strstr(err->message, row->words) && strstr(err->message, row->cure);
}

static void check_method(const struct test_place *place, const struct row *row,
                         enum ovl2_mount_method method)
{
	cleanup_free char *merged = test_path("%s/merged", place->path);
	struct test_resources before = test_resources_count();
	struct ovl2_error err = { 0 };

	for (int i = 0; i < ATTEMPTS; i++) {
		int r = attach(place, &row->stack, method, &err);

		if (r == 0)
			fail_msg("%s: it mounts", ovl2_mount_method_name(method));
		assert_fails(r, err.code, &err);
		assert_false(test_is_mounted(merged));
		if (has_words(row, &err))
			break;
	}
	if (!has_words(row, &err))
		fail_msg("'%s: %s' is not in: %s", row->words, row->cure, err.message);
	test_resources_assert_same(before);
}

static void check_row(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;

	if (access("/dev/kmsg", R_OK) < 0)
		test_skip("the kernel log cannot be read here");
	make_directories(place, row->directories);
	if (row->prepare)
		row->prepare(place);
	for (int method = OVL2_MOUNT_AUTO; method <= OVL2_MOUNT_FD; method++)
		if (has_method(place, method))
			check_method(place, row, method);
}

/* ----------------------------------------------------------------- others -- */

static struct ovi_sys quiet;
static int noise_count;

/* As a mount of somebody else that fails at the same moment. */
static void make_noise(void)
{
	int sys = errno;
	cleanup_fd int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	cleanup_free char *line =
		test_path("overlayfs: maximum fs stacking depth exceeded (%d)\n", noise_count++);

	if (log >= 0 && write(log, line, strlen(line)) < 0)
		noise_count = -1;
	errno = sys;
}

static int fsconfig_among_others(int fd, unsigned int command, const char *key, const void *value,
                                 int aux)
{
	int r = quiet.fsconfig(fd, command, key, value, aux);

	if (r < 0 && command == FSCONFIG_CMD_CREATE)
		make_noise();

	return r;
}

static int mount_among_others(const char *source, const char *target, const char *type,
                              unsigned long flags, const void *data)
{
	int r = quiet.mount(source, target, type, flags, data);

	if (r < 0)
		make_noise();

	return r;
}

/* What was logged last need not be about this mount; what is logged each time is. */
static void words_of_others_are_not_taken(void **state)
{
	const struct stack twice = { { "one", "one" }, "upper", "work", NULL };
	struct test_place *place = *state;

	if (access("/dev/kmsg", R_OK | W_OK) < 0)
		test_skip("the kernel log is not for us");
	make_directories(place, plain);
	for (int method = OVL2_MOUNT_AUTO; method <= OVL2_MOUNT_FD; method++) {
		struct ovl2_error err = { 0 };

		if (!has_method(place, method))
			continue;
		quiet = ovi_sys;
		noise_count = 0;
		ovi_sys.fsconfig = fsconfig_among_others;
		ovi_sys.mount = mount_among_others;
		attach(place, &twice, method, &err);
		ovi_sys = quiet;
		assert_true(noise_count > 0);
		assert_contains(err.message, "conflicting lowerdir path");
		assert_contains(err.message, "a lower is there twice or inside another");
		assert_null(strstr(err.message, "stacking depth"));
	}
}

/* --------------------------------------------------------------- privileges -- */

#define NOBODY 65534

enum { HAS_CURE, LACKS_CURE, MOUNTS, NO_OTHER };

/* In a process of its own, which takes away what is needed and mounts. */
static void check_without(const struct test_place *place, enum ovl2_mount_method first,
                          int (*take)(void), const char *cure)
{
	const struct stack stack = PLAIN;

	make_directories(place, plain);
	for (int method = (int)first; method <= OVL2_MOUNT_FD; method++) {
		struct ovl2_error err = { 0 };
		int status;
		pid_t child;

		if (!has_method(place, method))
			continue;
		child = fork();
		if (child == 0) {
			if (take() < 0)
				_exit(NO_OTHER);
			if (attach(place, &stack, method, &err) == 0)
				_exit(MOUNTS);
			_exit(strstr(err.message, cure) ? HAS_CURE : LACKS_CURE);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), HAS_CURE);
	}
}

static int take_privileges(void)
{
	return setresgid(NOBODY, NOBODY, NOBODY) < 0 ? -1 : setresuid(NOBODY, NOBODY, NOBODY);
}

static void who_may_not_mount_is_told_of_namespaces(void **state)
{
	check_without(*state, OVL2_MOUNT_AUTO, take_privileges,
	              "root of a user namespace with mounts of its own");
}

static int take_descriptors(void)
{
	const struct rlimit none = { 0, 0 };

	return setrlimit(RLIMIT_NOFILE, &none);
}

static void who_has_no_descriptors_left_is_told_of_ulimit(void **state)
{
	/* Those before it need none. */
	check_without(*state, OVL2_MOUNT_APPEND, take_descriptors, "ulimit -n");
}

/* ---------------------------------------------------------------- the store -- */

static void store_that_is_read_only_wants_to_be_writable(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *home = store_path(*state);
	struct ovl2_error err = { 0 };

	create_layer(store, "base", NULL);
	create_container(store, "box", "base");
	assert_sys(mount(home, home, NULL, MS_BIND, NULL));
	assert_sys(mount(NULL, home, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	ovl2_store_close(store);
	store = open_store(*state);
	assert_true(ovl2_layer_mount(store, "box", NULL, NULL, &err) < 0);
	assert_int_equal(err.sys, EROFS);
	assert_contains(err.message, "mount the filesystem of the store writable");
	assert_sys(umount2(home, MNT_DETACH));
}

/* Overlayfs takes no layers from another mount namespace. */
static void store_of_another_namespace_is_to_be_opened_in_this_one(void **state)
{
	const struct ovl2_mount_options options = { .size = sizeof(options),
		                                    .method = OVL2_MOUNT_RELATIVE };
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_error err = { 0 };
	int status;
	pid_t child;

	if (access("/dev/kmsg", R_OK) < 0)
		test_skip("the kernel log cannot be read here");
	create_layer(store, "base", NULL);
	create_container(store, "box", "base");
	child = fork();
	if (child == 0) {
		if (unshare(CLONE_NEWNS) < 0)
			_exit(NO_OTHER);
		if (ovl2_layer_mount(store, "box", &options, NULL, &err) == 0)
			_exit(MOUNTS);
		_exit(strstr(err.message, "open the store after unshare(2)") ? HAS_CURE
		                                                             : LACKS_CURE);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), HAS_CURE);
}

/* Who cannot read the kernel log is told that there is one. */
static int openat_without_log(int dir, const char *path, int flags, mode_t mode)
{
	if (strcmp(path, "/dev/kmsg") != 0)
		return quiet.openat(dir, path, flags, mode);
	errno = EPERM;

	return -1;
}

static void reason_that_cannot_be_read_is_in_the_kernel_log(void **state)
{
	const struct stack conflict = {
		{ "two", "one" }, "upper", "work", "metacopy=on,redirect_dir=off"
	};
	struct test_place *place = *state;

	make_directories(place, plain);
	for (int method = OVL2_MOUNT_AUTO; method <= OVL2_MOUNT_FD; method++) {
		struct ovl2_error err = { 0 };
		int r;

		if (!has_method(place, method))
			continue;
		quiet = ovi_sys;
		ovi_sys.openat = openat_without_log;
		r = attach(place, &conflict, method, &err);
		ovi_sys = quiet;
		assert_true(r < 0);
		assert_contains(err.message, "the kernel log may have the reason: dmesg");
	}
}

/* ------------------------------------------------------- before the kernel -- */

static size_t call_count;

static int count_fsopen(const char *type, unsigned int flags)
{
	(void)type;
	(void)flags;
	call_count++;
	errno = ENODEV;

	return -1;
}

static int count_mount(const char *source, const char *target, const char *type,
                       unsigned long flags, const void *data)
{
	(void)source;
	(void)target;
	(void)type;
	(void)flags;
	(void)data;
	call_count++;
	errno = ENODEV;

	return -1;
}

static void without_overlayfs(struct ovi_sys *ret_saved)
{
	*ret_saved = ovi_sys;
	ovi_sys.fsopen = count_fsopen;
	ovi_sys.mount = count_mount;
	call_count = 0;
}

static void kernel_without_overlayfs_is_told_of_modprobe(void **state)
{
	const struct stack stack = PLAIN;
	struct test_place *place = *state;
	struct ovl2_error err = { 0 };
	struct ovi_sys saved;

	make_directories(place, plain);
	for (int method = OVL2_MOUNT_ABSOLUTE; method <= OVL2_MOUNT_FD; method++) {
		int r;

		without_overlayfs(&saved);
		r = attach(place, &stack, method, &err);
		ovi_sys = saved;
		assert_fails(r, err.code, &err);
		assert_int_equal(err.sys, ENODEV);
		assert_contains(err.message, "modprobe overlay");
		assert_true(call_count > 0);
	}
}

static void lower_501_makes_no_call(void **state)
{
	struct test_place *place = *state;
	const char *lower[501];
	struct ovi_overlay overlay = {
		.home = place->fd,
		.home_path = place->path,
		.lower = lower,
		.lower_count = ARRAY_SIZE(lower),
	};
	struct ovl2_error err = { 0 };
	struct ovi_sys saved;

	for (size_t i = 0; i < ARRAY_SIZE(lower); i++)
		lower[i] = "one";
	for (int method = OVL2_MOUNT_AUTO; method <= OVL2_MOUNT_FD; method++) {
		int r;

		without_overlayfs(&saved);
		r = ovi_overlay_attach(&overlay, method, "merged", &err);
		ovi_sys = saved;
		assert_fails(r, OVL2_E_UNSUPPORTED, &err);
		assert_contains(err.message, "501");
		assert_contains(err.message, "500");
		assert_int_equal(call_count, 0);
	}
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[8 + ARRAY_SIZE(rows)] = {
		cmocka_unit_test(kernel_without_overlayfs_is_told_of_modprobe),
		cmocka_unit_test(lower_501_makes_no_call),
		cmocka_unit_test(words_of_others_are_not_taken),
		cmocka_unit_test(who_may_not_mount_is_told_of_namespaces),
		cmocka_unit_test(who_has_no_descriptors_left_is_told_of_ulimit),
		cmocka_unit_test(store_that_is_read_only_wants_to_be_writable),
		cmocka_unit_test(store_of_another_namespace_is_to_be_opened_in_this_one),
		cmocka_unit_test(reason_that_cannot_be_read_is_in_the_kernel_log),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[8 + i] = test_case(rows[i].title, check_row, &rows[i]);

	test_enter_namespace();
	return test_run_everywhere("mount_failures", tests, ARRAY_SIZE(tests), argc, argv);
}
