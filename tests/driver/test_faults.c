// SPDX-License-Identifier: MIT
#include "fixture.h"

#include "support/fault.h"
#include "support/filesystem.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

/*
 * Every system call of an operation fails in turn, or the process ends there. The
 * call must say so or have coped; nothing may leak; and the store that is opened
 * next must show the state from before or the state from after, never a third.
 *
 * OVL2_TEST_FAULTS=all tries every errno on the operations that only read as well.
 */

/* More calls than any operation here makes: a sweep that does not end is a bug. */
#define MAX_CALLS 5000

struct operation {
	const char *name;
	int (*run)(struct ovl2_store *store, struct ovl2_error *err);

	/*
	 * Done to the store before, in its directory; and what then brings it from
	 * wherever the call got to the one state that it may end in. NULL for most.
	 */
	void (*damage)(int home);
	int (*settle)(struct ovl2_store *store, struct ovl2_error *err);

	/* Changes nothing: which errno it is that a call fails with makes no difference. */
	int is_reader;
};

/* "base" with content, "child" of it with changes, "empty", "held" mounted. */
static void prepare(struct ovl2_store *store)
{
	const struct ovl2_layer_options empty = {
		.size = sizeof(empty),
		.parent = "base",
		.digest = 1,
	};
	struct ovl2_error err = { 0 };
	static const struct test_entry base[] = {
		{ 'd', "d", NULL, 0, 0, 0, 1000000000, NULL },
		{ 'f', "d/file", "text", 0, 0, 0, 1000000000, "user.a=b" },
		{ 'f', "gone", "gone", 0, 0, 0, 1000000000, NULL },
	};
	static const struct test_entry child[] = {
		{ '-', "gone", NULL, 0, 0, 0, 0, NULL },
		{ 'f', "d/new", "new", 0, 0, 0, 1000000000, NULL },
	};

	create_layer(store, "base", NULL);
	change_layer(store, "base", base, ARRAY_SIZE(base));
	create_container(store, "child", "base");
	change_layer(store, "child", child, ARRAY_SIZE(child));
	assert_ok(ovl2_layer_create(store, "empty", &empty, &err), &err);
	create_container(store, "held", "base");
	free(mount_layer(store, "held"));
}

static int run_create(struct ovl2_store *store, struct ovl2_error *err)
{
	const struct ovl2_layer_options options = { .size = sizeof(options), .parent = "base" };

	return ovl2_layer_create(store, "new", &options, err);
}

static int run_remove(struct ovl2_store *store, struct ovl2_error *err)
{
	return ovl2_layer_remove(store, "child", err);
}

static int run_mount(struct ovl2_store *store, struct ovl2_error *err)
{
	return ovl2_layer_mount(store, "child", NULL, NULL, err);
}

static int run_unmount(struct ovl2_store *store, struct ovl2_error *err)
{
	return ovl2_layer_unmount(store, "held", err);
}

static int run_apply(struct ovl2_store *store, struct ovl2_error *err)
{
	const struct test_tar_entry entries[] = {
		{ .name = "d", .type = '5' },
		{ .name = "d/one",
		  .content = "one",
		  .pax = (const char *const[]){ "SCHILY.xattr.user.key=value", NULL } },
		{ .name = "d/.wh.file" },
		{ .name = "link", .type = '2', .link = "d/one" },
		{ .name = "same", .type = '1', .link = "d/one" },
		{ .name = "null", .type = '3', .device_major = 1, .device_minor = 3 },
	};
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int fd = -1;

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		test_tar_add(&tar, &entries[i]);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);

	return ovl2_layer_apply(store, "empty", NULL, fd, NULL, err);
}

static int run_diff(struct ovl2_store *store, struct ovl2_error *err)
{
	cleanup_fd int fd = test_sink_open();

	return ovl2_layer_diff(store, "child", NULL, fd, err);
}

static int run_compare(struct ovl2_store *store, struct ovl2_error *err)
{
	const struct ovl2_diff_options options = { .size = sizeof(options),
		                                   .method = OVL2_DIFF_COMPARE };
	cleanup_fd int fd = test_sink_open();

	return ovl2_layer_diff(store, "child", &options, fd, err);
}

static int run_digest(struct ovl2_store *store, struct ovl2_error *err)
{
	return ovl2_layer_digest(store, "base", err);
}

static int run_cleanup(struct ovl2_store *store, struct ovl2_error *err)
{
	return ovl2_store_cleanup(store, err);
}

static int run_repair(struct ovl2_store *store, struct ovl2_error *err)
{
	return ovl2_store_repair(store, NULL, NULL, NULL, err);
}

static int run_check(struct ovl2_store *store, struct ovl2_error *err)
{
	const struct ovl2_check_options options = { .size = sizeof(options),
		                                    .deep = 1,
		                                    .content = 1 };

	return ovl2_store_check(store, &options, NULL, NULL, err);
}

static int run_collect(struct ovl2_store *store, struct ovl2_error *err)
{
	return ovl2_store_collect(store, NULL, err);
}

static int run_sync(struct ovl2_store *store, struct ovl2_error *err)
{
	return ovl2_store_sync(store, err);
}

/* Of each kind of remedy one. */
static void damage(int home)
{
	static const struct test_entry entries[] = {
		{ '-', "child/link", NULL, 0, 0, 0, 0, NULL },
		{ 'd', "child/link", NULL, 0, 0, 0, 0, NULL },
		{ 'f', "child/lower", "l/", 0, 0, 0, 0, NULL },
		{ 'f', "base/ovl2.json", "{", 0, 0, 0, 0, NULL },
		{ '-', "base/committed", NULL, 0, 0, 0, 0, NULL },
		{ '-', "empty/diff", NULL, 0, 0, 0, 0, NULL },
		{ 'l', "l/AAAAAAAAAAAAAAAAAAAAAAAAAA", "../gone/diff", 0, 0, 0, 0, NULL },
	};

	test_tree_make(home, entries, ARRAY_SIZE(entries));
}

static int settle(struct ovl2_store *store, struct ovl2_error *err)
{
	int r = ovl2_store_repair(store, NULL, NULL, NULL, err);

	return r == 0 ? ovl2_store_check(store, NULL, NULL, NULL, err) : r;
}

static const struct operation operations[] = {
	{ .name = "create", .run = run_create },
	{ .name = "remove", .run = run_remove },
	{ .name = "mount", .run = run_mount },
	{ .name = "unmount", .run = run_unmount },
	{ .name = "apply", .run = run_apply },
	{ .name = "diff", .run = run_diff, .is_reader = 1 },
	{ .name = "compare", .run = run_compare, .is_reader = 1 },
	{ .name = "digest", .run = run_digest },
	{ .name = "cleanup", .run = run_cleanup },
	{ .name = "check", .run = run_check, .is_reader = 1 },
	{ .name = "collect", .run = run_collect },
	{ .name = "sync", .run = run_sync },
	{ .name = "repair", .run = run_repair, .damage = damage, .settle = settle },
};

/* ------------------------------------------------------------------ state -- */

/*
 * What the layer shows when it is mounted. A mount takes long beside all else here, so
 * a store whose every file is as it was last time is taken to show the same.
 */
static void add_shown(struct ovl2_store *store, const char *home, struct ovi_strbuf *text)
{
	static char *last_home;
	static char *last_shown;
	cleanup_free char *now = test_tree_describe_at(home, TEST_TREE_NO_TIMES);

	if (!last_home || strcmp(now, last_home) != 0) {
		free(last_shown);
		free(last_home);
		last_shown = describe_layer(store, "child", TEST_TREE_NAMES);
		last_home = steal_ptr(&now);
	}
	ovi_strbuf_addf(text, "child shows:\n%s", last_shown);
}

/* Times differ from store to store, and with them the digests. */
static const char *describe_digest(struct ovl2_store *store, const char *id)
{
	cleanup_free char *kept = layer_fact(store, id, "Digest");
	cleanup_free char *is = NULL;

	if (!kept)
		return "no digest";
	is = diff_digest(store, id);

	return strcmp(kept, is) == 0 ? "its digest" : "another's digest";
}

/* What the store says of itself and holds, and what a layer on another shows. */
static char *describe_store(struct ovl2_store *store, const char *home)
{
	static const char *const ids[] = { "base", "child", "empty", "new" };
	cleanup_free char *layers = list_layers(store);
	struct ovi_strbuf text = { 0 };

	ovi_strbuf_add(&text, layers);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		cleanup_free char *diff = test_path("%s/%s/diff", home, ids[i]);
		cleanup_free char *content = NULL;
		if (ovl2_layer_exists(store, ids[i], NULL) != 1)
			continue;
		content = test_tree_describe_at(diff, TEST_TREE_NO_TIMES);
		ovi_strbuf_addf(&text, "%s, %s:\n%s", ids[i], describe_digest(store, ids[i]),
		                content);
	}
	if (ovl2_layer_exists(store, "child", NULL) == 1)
		add_shown(store, home, &text);

	return ovi_strbuf_steal(&text);
}

/* With a handle of its own: what one remembers is none of the other's business. */
static char *describe_run(const struct operation *operation, const struct test_place *run)
{
	cleanup_store struct ovl2_store *store = open_store(run);
	cleanup_free char *home = store_path(run);
	struct ovl2_error err = { 0 };

	if (operation->settle) {
		int left = operation->settle(store, &err);

		assert_ok(left, &err);
		assert_int_equal(left, 0);
	}

	return describe_store(store, home);
}

struct sweep {
	const struct test_place *place;
	const struct operation *operation;
	enum test_fault_kind kind;
	int sys;

	/* The store in question; NULL when there is none in its first state. */
	struct test_place run;

	/* The only two states that are allowed. */
	char *before;
	char *after;
	size_t calls;
};

/* A store in its first state: the one there is, if nothing has changed it. */
static void start(struct sweep *sweep)
{
	cleanup_free char *home = NULL;
	cleanup_fd int fd = -1;
	struct ovl2_store *store;

	if (sweep->run.path)
		return;
	sweep->run = *sweep->place;
	sweep->run.path = test_path("%s/run", sweep->place->path);
	assert_sys(mkdir(sweep->run.path, 0755));
	store = open_store(&sweep->run);
	prepare(store);
	ovl2_store_close(store);
	if (!sweep->operation->damage)
		return;
	home = store_path(&sweep->run);
	fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	sweep->operation->damage(fd);
}

static void finish(struct sweep *sweep)
{
	if (!sweep->run.path)
		return;
	test_unmount_below(sweep->run.path);
	test_remove_tree(sweep->run.path);
	free(steal_ptr(&sweep->run.path));
}

/* Runs it once without a fault: learns the states, and how many calls there are. */
static void learn(struct sweep *sweep)
{
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;

	start(sweep);
	if (!sweep->operation->settle)
		sweep->before = describe_run(sweep->operation, &sweep->run);
	store = open_store(&sweep->run);
	test_fault_arm(TEST_FAULT_NONE, 0, 0);
	assert_ok(sweep->operation->run(store, &err), &err);
	sweep->calls = test_fault_disarm();
	ovl2_store_close(store);
	sweep->after = describe_run(sweep->operation, &sweep->run);
	if (!sweep->before)
		sweep->before = test_path("%s", sweep->after);
	finish(sweep);
	assert_in_range(sweep->calls, 3, MAX_CALLS);
}

/*
 * A mount that was made or undone although the call failed shows in the count;
 * that is neither state, but it is allowed if the mount table says the same.
 */
static void check_state(struct sweep *sweep, size_t at, const char *call, int result)
{
	cleanup_free char *now = describe_run(sweep->operation, &sweep->run);
	int is_before = !strcmp(now, sweep->before);

	if (!is_before && strcmp(now, sweep->after) != 0)
		result = result < 0 ? -1 : 0;
	else if (result < 0 || !is_before || !strcmp(sweep->before, sweep->after))
		result = 1;
	if (result != 1) {
		print_error("%s, call %zu of %zu (%s), result %d:\n", sweep->operation->name, at,
		            sweep->calls, call, result);
		test_text_assert_same(result < 0 ? sweep->before : sweep->after, now, "states");
	}
	/* What was damaged is put right now. */
	if (!is_before || sweep->operation->damage)
		finish(sweep);
}

static size_t count_descriptors(void)
{
	return count_files("/proc/self/fd");
}

static void check_call(struct sweep *sweep, size_t at)
{
	struct ovl2_error err = { 0 };
	cleanup_free char *call = NULL;
	struct ovl2_store *store;
	size_t before;
	size_t after;
	int r;

	start(sweep);
	before = count_descriptors();
	store = open_store(&sweep->run);
	test_fault_arm(sweep->kind, at, sweep->sys);
	r = sweep->operation->run(store, &err);
	test_fault_disarm();
	call = test_path("%s", test_fault_name());
	/* An open store keeps some. */
	ovl2_store_close(store);
	after = count_descriptors();

	if (r < 0 && (r != err.code || !err.message[0]))
		fail_msg("%s, %s: %d without a message", sweep->operation->name, call, r);
	if (after != before)
		fail_msg("%s, call %zu (%s): %zu descriptors before, %zu after",
		         sweep->operation->name, at, call, before, after);
	check_state(sweep, at, call, r);
}

static void check_crash(struct sweep *sweep, size_t at)
{
	pid_t child;
	int status;

	start(sweep);
	child = fork();
	if (child == 0) {
		struct ovl2_store *store = open_store(&sweep->run);

		test_fault_arm(TEST_FAULT_CRASH, at, 0);
		(void)sweep->operation->run(store, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || (WEXITSTATUS(status) && WEXITSTATUS(status) != TEST_FAULT_EXIT))
		fail_msg("%s, call %zu: status %x", sweep->operation->name, at, status);
	check_state(sweep, at, "crash", WEXITSTATUS(status) ? -1 : 0);
}

struct row {
	const char *title;
	const struct operation *operation;
	enum test_fault_kind kind;
	int sys;
};

/*
 * Thousands of stores are made and unmade, and an unmount flushes what is below: in
 * memory that costs nothing. Before Linux 6.6 files there have no attributes.
 */
static void use_memory(const struct test_place *place)
{
	static const char *const no_journal[] = { "-O", "^has_journal", NULL };
	const struct test_filesystem memory = { .type = "tmpfs" };
	const struct test_filesystem image = { .type = "ext4", .mkfs = no_journal };
	struct ovl2_error err = { 0 };

	assert_ok(test_filesystem_mount(&memory, place->path, &err), &err);
	if (test_has_attributes(place->path))
		return;
	assert_sys(umount2(place->path, 0));
	assert_ok(test_filesystem_mount(&image, place->path, &err), &err);
}

static void check_row(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	struct sweep sweep = {
		.place = place,
		.operation = row->operation,
		.kind = row->kind,
		.sys = row->sys,
	};

	use_memory(place);
	learn(&sweep);
	print_message("%zu calls\n", sweep.calls);
	for (size_t at = 1; at <= sweep.calls; at++)
		if (row->kind == TEST_FAULT_CRASH)
			check_crash(&sweep, at);
		else
			check_call(&sweep, at);
	finish(&sweep);
	free(sweep.before);
	free(sweep.after);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		enum test_fault_kind kind;
		int sys;
		int is_variant; /* of the one before */
	} faults[] = {
		{ "EIO", TEST_FAULT_ONCE, EIO, 0 },
		{ "EPERM", TEST_FAULT_ONCE, EPERM, 1 },
		{ "ENOMEM", TEST_FAULT_ONCE, ENOMEM, 1 },
		{ "ENOSPC for good", TEST_FAULT_STICKY, ENOSPC, 0 },
		{ "EROFS for good", TEST_FAULT_STICKY, EROFS, 1 },
		{ "short counts", TEST_FAULT_SHORT, 0, 0 },
		{ "the end of the process", TEST_FAULT_CRASH, 0, 0 },
	};
	struct row rows[ARRAY_SIZE(operations) * ARRAY_SIZE(faults)];
	struct CMUnitTest tests[ARRAY_SIZE(rows)];
	char titles[ARRAY_SIZE(rows)][64];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		for (size_t j = 0; j < ARRAY_SIZE(faults); j++) {
			if (operations[i].is_reader && faults[j].is_variant &&
			    !getenv("OVL2_TEST_FAULTS"))
				continue;
			(void)snprintf(titles[count], sizeof(titles[0]), "%s with %s",
			               operations[i].name, faults[j].name);
			rows[count] = (struct row){ titles[count], &operations[i], faults[j].kind,
				                    faults[j].sys };
			tests[count] = test_case(titles[count], check_row, &rows[count]);
			count++;
		}

	test_enter_namespace();
	test_fault_install();
	return test_run("faults", tests, count, argc, argv);
}
