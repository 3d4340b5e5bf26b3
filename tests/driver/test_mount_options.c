// SPDX-License-Identifier: MIT
#include "mounted.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

/* Flags and options of mounts: each looked up in the mount table, then used. */

#define NOBODY 65534

/* A device of the layer, and a set-id program in it that says who runs it. */
#define PROGRAM "/usr/bin/test"

static void copy_program(const char *to)
{
	cleanup_fd int in = open(PROGRAM, O_RDONLY | O_CLOEXEC);
	cleanup_fd int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	ssize_t length = 1;

	assert_true(in >= 0 && out >= 0);
	while (length > 0)
		assert_sys(length = sendfile(out, in, NULL, 1 << 20));
	assert_sys(fchmod(out, 04755));
}

/* "base" holds them, and "box" is a container on it. */
static void create_box(struct ovl2_store *store)
{
	cleanup_free char *path = NULL;
	cleanup_free char *device = NULL;
	cleanup_free char *program = NULL;

	create_layer(store, "base", NULL);
	path = mount_layer(store, "base");
	device = test_path("%s/null", path);
	program = test_path("%s/program", path);
	assert_sys(mknod(device, S_IFCHR | 0666, makedev(1, 3)));
	copy_program(program);
	unmount_layer(store, "base");
	create_container(store, "box", "base");
}

/* 0, or the errno of opening `name` in the mount. */
static int open_in(const char *path, const char *name, int flags)
{
	cleanup_free char *file = test_path("%s/%s", path, name);
	cleanup_fd int fd = open(file, flags | O_CLOEXEC, 0600);

	return fd < 0 ? errno : 0;
}

enum { RUN_AS_ROOT, RUN_AS_NOBODY, RUN_REFUSED };

/* What the set-id program becomes when nobody runs it. */
static int run_as_nobody(const char *path)
{
	static const char *const argv[] = { "test", "-O", "/", NULL };
	static const char *const environment[] = { NULL };
	cleanup_free char *file = test_path("%s/program", path);
	cleanup_fd int fd = open(file, O_PATH | O_CLOEXEC);
	pid_t child;
	int status;

	assert_true(fd >= 0);
	child = fork();
	if (child == 0) {
		/* By descriptor: the way there is not for everybody. */
		if (setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
		    setresuid(NOBODY, NOBODY, NOBODY) == 0)
			fexecve(fd, (char *const *)argv, (char *const *)environment);
		_exit(errno == EACCES ? RUN_REFUSED : 100 + errno);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));

	return WEXITSTATUS(status);
}

struct flag_row {
	const char *title;
	struct ovl2_mount_options options;
	const char *flags;
	int opening;
	int running;
};

static const struct flag_row flag_rows[] = {
	{ "no flags", { .size = 0 }, "", 0, RUN_AS_ROOT },
	{ "nodev", { .nodev = 1 }, "nodev", EACCES, RUN_AS_ROOT },
	{ "nosuid", { .nosuid = 1 }, "nosuid", 0, RUN_AS_NOBODY },
	{ "noexec", { .noexec = 1 }, "noexec", 0, RUN_REFUSED },
	{ "all flags",
	  { .nodev = 1, .nosuid = 1, .noexec = 1 },
	  "nosuid,nodev,noexec",
	  EACCES,
	  RUN_REFUSED },
	{ "all flags, read-only",
	  { .nodev = 1, .nosuid = 1, .noexec = 1, .read_only = 1 },
	  "nosuid,nodev,noexec",
	  EACCES,
	  RUN_REFUSED },
};

static void check_flags(const struct flag_row *row, const char *path)
{
	static const char *const all[] = { "nodev", "nosuid", "noexec" };
	cleanup_free char *flags = mounted_flags(path);
	cleanup_free char *source = mounted_source(path);

	/* As Docker's, and what mount(8) and monitoring look for. */
	assert_string_equal(source, ",overlay,");
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		cleanup_free char *flag = test_path(",%s,", all[i]);

		if (!strstr(flags, flag) != !strstr(row->flags, all[i]))
			fail_msg("%s: the mount has '%s'", all[i], flags);
	}
	if (!strstr(flags, row->options.read_only ? ",ro," : ",rw,"))
		fail_msg("the mount has '%s'", flags);
}

static void check_flag_row(void **state)
{
	struct test_place *place = *state;
	const struct flag_row *row = place->row;
	cleanup_store struct ovl2_store *store = open_store(place);
	struct ovl2_mount_options options = row->options;
	int write_result = options.read_only ? EROFS : 0;

	options.size = sizeof(options);
	create_box(store);
	for (int method = OVL2_MOUNT_AUTO; method <= OVL2_MOUNT_FD; method++) {
		cleanup_free char *path = NULL;

		options.method = method;
		if (!has_method(place, method))
			continue;
		path = mount_layer_with(store, "box", &options);
		check_flags(row, path);
		assert_int_equal(open_in(path, "null", O_RDONLY), row->opening);
		assert_int_equal(run_as_nobody(path), row->running);
		assert_int_equal(open_in(path, "new", O_WRONLY | O_CREAT), write_result);
		unmount_layer(store, "box");
	}
}

/* ------------------------------------------------------------ lowers only -- */

static void committed_layer_has_no_upper_in_the_mount_table(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);

	create_box(store);
	create_layer(store, "child", "base");
	create_layer(store, "grandchild", "child");
	for (int method = OVL2_MOUNT_AUTO; method <= OVL2_MOUNT_FD; method++) {
		const struct ovl2_mount_options options = { .size = sizeof(options),
			                                    .method = method };
		cleanup_free char *path = NULL;
		cleanup_free char *shown = NULL;
		cleanup_free char *flags = NULL;

		if (!has_method(place, method))
			continue;
		path = mount_layer_with(store, "child", &options);
		shown = mounted_options(path);
		flags = mounted_flags(path);
		assert_null(strstr(shown, "upperdir"));
		assert_null(strstr(shown, "workdir"));
		assert_contains(flags, ",ro,");
		assert_int_equal(open_in(path, "new", O_WRONLY | O_CREAT), EROFS);
		assert_int_equal(open_in(path, "program", O_WRONLY), EROFS);
		assert_int_equal(open_in(path, "program", O_RDONLY), 0);
		unmount_layer(store, "child");
	}
}

/* Its files are there, but what overlayfs would hide must not be reachable raw. */
static void committed_base_layer_is_an_overlay_too(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;
	cleanup_free char *shown = NULL;

	create_box(store);
	path = mount_layer(store, "base");
	shown = mounted_options(path);
	assert_contains(shown, "lowerdir");
	assert_null(strstr(shown, "upperdir"));
	assert_int_equal(open_in(path, "new", O_WRONLY | O_CREAT), EROFS);
	unmount_layer(store, "base");
}

/* 500 below and the layer itself are one more than overlayfs takes. */
static void lower_501_is_refused_before_anything_is_done(void **state)
{
	const struct ovl2_mount_options options = { .size = sizeof(options), .read_only = 1 };
	struct test_place *place = *state;
	cleanup_free char *run = run_path(place);
	cleanup_free char *home = store_path(place);
	struct ovl2_store_options deep = store_options(run);
	cleanup_store struct ovl2_store *store = NULL;
	struct ovl2_mount_spec *spec = NULL;
	struct ovl2_error err = { 0 };
	char parent[32] = "";

	deep.max_depth = 500;
	store = open_store_with(place, &deep);
	for (int i = 0; i < 500; i++) {
		char id[32];

		snprintf(id, sizeof(id), "layer-%d", i);
		create_layer(store, id, *parent ? parent : NULL);
		memcpy(parent, id, sizeof(parent));
	}
	create_container(store, "top", parent);

	assert_fails(ovl2_layer_mount(store, "top", &options, NULL, &err), OVL2_E_UNSUPPORTED,
	             &err);
	assert_contains(err.message, "501 lowers are more than overlayfs's 500");
	assert_fails(ovl2_layer_mount_spec(store, "top", &options, &spec, &err), OVL2_E_UNSUPPORTED,
	             &err);
	assert_int_equal(test_count_mounts_below(home), 0);

	/* As an upper it is no lower. Linux takes 500 of them since 6.7. */
	if (ovl2_layer_mount(store, "top", NULL, NULL, &err) == 0)
		unmount_layer(store, "top");
	else
		assert_fails(err.code, OVL2_E_UNSUPPORTED, &err);
}

/* ----------------------------------------------------------- second mounts -- */

struct second_row {
	const char *title;
	struct ovl2_mount_options first;
	struct ovl2_mount_options second;
	const char *reason; /* NULL: joins */
};

static const struct second_row second_rows[] = {
	{ "second mount alike", { .nodev = 1 }, { .nodev = 1 }, NULL },
	{ "second mount by another method",
	  { .method = OVL2_MOUNT_RELATIVE },
	  { .size = 0 },
	  NULL },
	{ "second mount without nodev", { .nodev = 1 }, { .size = 0 }, "the flags 'nodev'" },
	{ "second mount with noexec", { .size = 0 }, { .noexec = 1 }, "the flags ''" },
	{ "second mount with nosuid for nodev",
	  { .nodev = 1 },
	  { .nosuid = 1 },
	  "the flags 'nodev'" },
	{ "second mount with a label", { .size = 0 }, { .label = "a:b:c" }, "the label ''" },
	{ "second mount without syncs", { .size = 0 }, { .skip_sync = 1 }, "the flags ''" },
	{ "second mount with syncs", { .skip_sync = 1 }, { .size = 0 }, "'skip_sync'" },
	{ "second mount read-only", { .size = 0 }, { .read_only = 1 }, "writable" },
	{ "second mount writable", { .read_only = 1 }, { .size = 0 }, "read-only" },
};

static void check_second_row(void **state)
{
	struct test_place *place = *state;
	const struct second_row *row = place->row;
	cleanup_store struct ovl2_store *store = open_store(place);
	struct ovl2_mount_options first = row->first;
	struct ovl2_mount_options second = row->second;
	cleanup_free char *path = NULL;
	cleanup_free char *count = NULL;
	struct ovl2_error err = { 0 };

	first.size = second.size = sizeof(first);
	create_layer(store, "base", NULL);
	create_container(store, "box", "base");
	path = mount_layer_with(store, "box", &first);
	if (row->reason) {
		assert_fails(ovl2_layer_mount(store, "box", &second, NULL, &err), OVL2_E_BUSY,
		             &err);
		assert_contains(err.message, row->reason);
	} else {
		assert_ok(ovl2_layer_mount(store, "box", &second, NULL, &err), &err);
	}
	count = layer_fact(store, "box", "Mounts");
	assert_string_equal(count, row->reason ? "1" : "2");
	while (unmount_layer(store, "box"))
		;
	assert_false(test_is_mounted(path));
}

/* ------------------------------------------------------------------ labels -- */

#define LABEL_16 "abcdefghijklmnop"
#define LABEL_255                                                                                 \
	LABEL_16 LABEL_16 LABEL_16 LABEL_16 LABEL_16 LABEL_16 LABEL_16 LABEL_16 LABEL_16 LABEL_16 \
		LABEL_16 LABEL_16 LABEL_16 LABEL_16 LABEL_16 "abcdefghijklmno"

struct label_row {
	const char *title;
	const char *label;
	const char *data; /* what is in the mount data; NULL: refused */
};

static const struct label_row label_rows[] = {
	{ "label of a container", "system_u:object_r:container_file_t:s0:c1,c2",
	  ",context=\"system_u:object_r:container_file_t:s0:c1,c2\"" },
	{ "label with a range", "u:r:t-x.y:s0-s15:c0.c1023",
	  ",context=\"u:r:t-x.y:s0-s15:c0.c1023\"" },
	{ "label of 255 characters", LABEL_255, ",context=\"" LABEL_255 "\"" },
	{ "label of 256 characters", LABEL_255 "x", NULL },
	{ "label with a quote", "a\"b", NULL },
	{ "label with a backslash", "a\\b", NULL },
	{ "label with a space", "a b", NULL },
	{ "label with a newline", "a\nb", NULL },
	{ "label with an option", "a,b=c", NULL },
};

static void check_label_row(void **state)
{
	struct test_place *place = *state;
	const struct label_row *row = place->row;
	const struct ovl2_mount_options options = {
		.size = sizeof(options),
		.label = row->label,
		.method = OVL2_MOUNT_RELATIVE,
	};
	cleanup_store struct ovl2_store *store = open_store(place);
	struct ovl2_mount_spec *spec = NULL;
	struct ovl2_error err = { 0 };
	const char *last;

	create_layer(store, "base", NULL);
	create_container(store, "box", "base");
	if (!row->data) {
		assert_fails(ovl2_layer_mount_spec(store, "box", &options, &spec, &err),
		             OVL2_E_INVALID, &err);
		assert_fails(ovl2_layer_mount(store, "box", &options, NULL, &err), OVL2_E_INVALID,
		             &err);
		return;
	}
	assert_ok(ovl2_layer_mount_spec(store, "box", &options, &spec, &err), &err);
	assert_contains(spec->data, row->data);
	assert_contains(spec->text, row->data);
	last = spec->options[spec->option_count - 1];
	assert_string_equal(last, row->data + 1);
	ovl2_mount_spec_free(spec);
}

/* Where there is SELinux a label that it knows is mounted; elsewhere that is said. */
static void check_label_by(struct ovl2_store *store, int method)
{
	const struct ovl2_mount_options options = {
		.size = sizeof(options),
		.label = "system_u:object_r:container_file_t:s0",
		.method = method,
	};
	cleanup_free char *path = NULL;
	cleanup_free char *shown = NULL;
	struct ovl2_error err = { 0 };
	int r = ovl2_layer_mount(store, "box", &options, &path, &err);

	if (access("/sys/fs/selinux/enforce", F_OK) < 0) {
		assert_true(r < 0);
		assert_contains(err.message, "context");
		assert_contains(err.message, "no SELinux here: leave the label out");
		return;
	}
	assert_ok(r, &err);
	shown = mounted_options(path);
	assert_contains(shown, options.label);
	unmount_layer(store, "box");
}

static void label_needs_selinux(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);

	create_layer(store, "base", NULL);
	create_container(store, "box", "base");
	for (int method = OVL2_MOUNT_AUTO; method <= OVL2_MOUNT_FD; method++)
		if (has_method(place, method))
			check_label_by(store, method);
}

/* ----------------------------------------------------------- mount options -- */

struct option_row {
	const char *title;
	const char *options;
	int is_allowed;
	const char *shown; /* in the mount table, or NULL */
};

static const struct option_row option_rows[] = {
	{ "options, none", "", 1, NULL },
	{ "options, index=off", "index=off", 1, NULL },
	{ "options, metacopy=on", "metacopy=on,redirect_dir=on", 1, ",metacopy=on," },
	{ "options, redirect_dir=nofollow", "redirect_dir=nofollow", 1, ",redirect_dir=nofollow," },
	{ "options, xino=off", "xino=off", 1, NULL },
	{ "options, several", "index=off,redirect_dir=on,uuid=off", 1, ",redirect_dir=on," },
	{ "options, lowerdir", "lowerdir=/etc", 0, NULL },
	{ "options, lowerdir behind another", "index=off,lowerdir+=/etc", 0, NULL },
	{ "options, upperdir", "upperdir=/tmp", 0, NULL },
	{ "options, workdir", "workdir=/tmp", 0, NULL },
	{ "options, context", "context=a", 0, NULL },
	{ "options, volatile", "volatile", 0, NULL },
	{ "options, fsync=volatile", "fsync=volatile", 0, NULL },
	{ "options, userxattr", "userxattr", 0, NULL },
	{ "options, without a value", "index", 0, NULL },
	{ "options, an empty value", "index=", 0, NULL },
	{ "options, a path as value", "index=/etc", 0, NULL },
	{ "options, an escaped comma", "index=off\\,x", 0, NULL },
	{ "options, a quote", "index=\"off\"", 0, NULL },
	{ "options, upper case", "INDEX=off", 0, NULL },
};

static void check_option_row(void **state)
{
	struct test_place *place = *state;
	const struct option_row *row = place->row;
	cleanup_free char *run = run_path(place);
	cleanup_free char *home = store_path(place);
	struct ovl2_store_options options = store_options(run);
	cleanup_store struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };
	int r;

	options.mount_options = row->options;
	r = ovl2_store_open(home, &options, &store, &err);
	if (!row->is_allowed) {
		assert_fails(r, OVL2_E_INVALID, &err);
		assert_null(store);
		return;
	}
	assert_ok(r, &err);
	create_layer(store, "base", NULL);
	create_container(store, "box", "base");
	for (int method = OVL2_MOUNT_AUTO; method <= OVL2_MOUNT_FD; method++) {
		const struct ovl2_mount_options by = { .size = sizeof(by), .method = method };
		cleanup_free char *path = NULL;
		cleanup_free char *shown = NULL;

		if (!has_method(place, method))
			continue;
		path = mount_layer_with(store, "box", &by);
		shown = mounted_options(path);
		if (row->shown)
			assert_contains(shown, row->shown);
		unmount_layer(store, "box");
	}
}

/* Whatever the host's defaults are, a store says what it wants. */
static void options_of_a_store_do_not_depend_on_the_host(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *fact = store_fact(store, "Mount Options");

	assert_contains(fact, "index=off");
	assert_contains(fact, "redirect_dir=nofollow");
	assert_contains(fact, "metacopy=off");
}

#define ROWS(rows, function)                          \
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) \
	tests[count++] = test_case((rows)[i].title, function, &(rows)[i])

static const struct CMUnitTest plain_tests[] = {
	cmocka_unit_test(committed_layer_has_no_upper_in_the_mount_table),
	cmocka_unit_test(committed_base_layer_is_an_overlay_too),
	cmocka_unit_test(lower_501_is_refused_before_anything_is_done),
	cmocka_unit_test(label_needs_selinux),
	cmocka_unit_test(options_of_a_store_do_not_depend_on_the_host),
};

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(plain_tests) + ARRAY_SIZE(flag_rows) +
	                        ARRAY_SIZE(second_rows) + ARRAY_SIZE(label_rows) +
	                        ARRAY_SIZE(option_rows)];
	size_t count = ARRAY_SIZE(plain_tests);

	memcpy(tests, plain_tests, sizeof(plain_tests));
	ROWS(flag_rows, check_flag_row);
	ROWS(second_rows, check_second_row);
	ROWS(label_rows, check_label_row);
	ROWS(option_rows, check_option_row);

	test_enter_namespace();
	return test_run_everywhere("mount_options", tests, count, argc, argv);
}
