// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/*
 * A store used by many at once: threads with one handle, processes with their own,
 * some of which are killed wherever they are. And mounts that others have a hand on.
 *
 * OVL2_TEST_STRESS=N does N times as much.
 */

/* ------------------------------------------------------------ who holds a mount -- */

/* A process that has a file of the mount open until it is killed. */
static pid_t start_holder(const char *file)
{
	int ready[2];
	char byte;
	pid_t child;

	assert_sys(pipe2(ready, O_CLOEXEC));
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (open(file, O_RDONLY | O_CREAT | O_CLOEXEC, 0600) < 0 ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_true(child > 0);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);

	return child;
}

static void stop_holder(pid_t child)
{
	assert_sys(kill(child, SIGKILL));
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void refused_unmount_names_the_processes(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;
	cleanup_free char *file = NULL;
	cleanup_free char *expected = NULL;
	struct ovl2_error err = { 0 };
	pid_t holder;

	create_container(store, "box", NULL);
	path = mount_layer(store, "box");
	file = test_path("%s/file", path);
	holder = start_holder(file);
	expected = test_path("%d (test-driver-sha", (int)holder);

	assert_fails(ovl2_layer_unmount(store, "box", &err), OVL2_E_BUSY, &err);
	assert_contains(err.message, expected);
	err = (struct ovl2_error){ 0 };
	assert_fails(ovl2_store_cleanup(store, &err), OVL2_E_BUSY, &err);
	assert_contains(err.message, expected);

	stop_holder(holder);
	assert_int_equal(unmount_layer(store, "box"), 0);
}

static void mount_below_is_named_as_what_it_is(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;
	cleanup_free char *below = NULL;
	struct ovl2_error err = { 0 };

	create_container(store, "box", NULL);
	path = mount_layer(store, "box");
	below = test_path("%s/below", path);
	assert_sys(mkdir(below, 0755));
	assert_sys(mount("tmpfs", below, "tmpfs", 0, NULL));

	assert_fails(ovl2_layer_unmount(store, "box", &err), OVL2_E_BUSY, &err);
	assert_contains(err.message, "a mount below");
	assert_sys(umount2(below, 0));
	assert_int_equal(unmount_layer(store, "box"), 0);
}

/* The kernel ends a mount some time after its last user. */
static int mount_soon(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	const struct timespec pause_ns = { .tv_nsec = 10000000 };
	int r = OVL2_E_BUSY;

	for (int i = 0; i < 500 && r == OVL2_E_BUSY; i++) {
		r = ovl2_layer_mount(store, id, NULL, NULL, err);
		if (r == OVL2_E_BUSY)
			nanosleep(&pause_ns, NULL);
	}

	return r;
}

static void detached_upper_is_not_mounted_twice(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;
	cleanup_free char *file = NULL;
	cleanup_free char *work = NULL;
	struct ovl2_error err = { 0 };
	pid_t holder;

	create_container(store, "box", NULL);
	path = mount_layer(store, "box");
	file = test_path("%s/file", path);
	holder = start_holder(file);
	assert_sys(umount2(path, MNT_DETACH));

	assert_fails(ovl2_layer_mount(store, "box", NULL, NULL, &err), OVL2_E_BUSY, &err);
	assert_contains(err.message, "detached");
	assert_int_equal(test_is_mounted(path), 0);

	stop_holder(holder);
	assert_ok(mount_soon(store, "box", &err), &err);
	/* Asking has left nothing behind. */
	work = layer_fact(store, "box", "WorkDir");
	assert_int_equal(unmount_layer(store, "box"), 0);
	assert_int_equal(count_files(work), 1);
}

/* Refused while it lives elsewhere, also by who comes after a cleanup; then as ever. */
static void assert_lives_on(struct ovl2_store *store)
{
	const struct ovl2_layer_options options = { .size = sizeof(options), .parent = "box" };
	const struct ovl2_mount_options reader = { .size = sizeof(reader), .read_only = 1 };
	struct ovl2_error err = { 0 };

	/* Read-only as well: it would show what changes below it. */
	assert_fails(ovl2_layer_mount(store, "box", &reader, NULL, &err), OVL2_E_BUSY, &err);
	assert_fails(ovl2_layer_mount(store, "box", NULL, NULL, &err), OVL2_E_BUSY, &err);
	assert_contains(err.message, "mount namespace");
	assert_int_equal(unmount_layer(store, "box"), 0);
	assert_ok(ovl2_store_cleanup(store, &err), &err);
	assert_fails(ovl2_layer_mount(store, "box", NULL, NULL, &err), OVL2_E_BUSY, &err);
	assert_fails(ovl2_layer_remove(store, "box", &err), OVL2_E_BUSY, &err);
	assert_fails(ovl2_layer_create(store, "child", &options, &err), OVL2_E_BUSY, &err);
}

static void bind_mount_keeps_the_upper_in_use(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *elsewhere = test_path("%s/elsewhere", place->path);
	cleanup_free char *path = NULL;
	struct ovl2_error err = { 0 };

	create_container(store, "box", NULL);
	path = mount_layer(store, "box");
	assert_sys(mkdir(elsewhere, 0755));
	assert_sys(mount(path, elsewhere, NULL, MS_BIND, NULL));
	assert_int_equal(unmount_layer(store, "box"), 0);
	assert_int_equal(test_is_mounted(path), 0);

	assert_lives_on(store);
	assert_sys(umount2(elsewhere, 0));
	assert_ok(mount_soon(store, "box", &err), &err);
	assert_int_equal(unmount_layer(store, "box"), 0);
	assert_ok(ovl2_layer_remove(store, "box", &err), &err);
}

/* Of a process that has its own copy of all mounts, as one with unshare -m. */
static pid_t start_namespace(void)
{
	int ready[2];
	char byte;
	pid_t child;

	assert_sys(pipe2(ready, O_CLOEXEC));
	child = fork();
	if (child == 0) {
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);

	return child;
}

static void copied_namespace_keeps_the_upper_in_use(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_error err = { 0 };
	pid_t other;

	create_container(store, "box", NULL);
	free(mount_layer(store, "box"));
	other = start_namespace();
	assert_int_equal(unmount_layer(store, "box"), 0);

	assert_lives_on(store);
	stop_holder(other);
	assert_ok(mount_soon(store, "box", &err), &err);
	assert_int_equal(unmount_layer(store, "box"), 0);
}

/* Is it mounted whenever this process holds it? */
static int mounts_again_and_again(struct ovl2_store *store)
{
	for (int i = 0; i < 200; i++) {
		cleanup_free char *path = NULL;
		struct ovl2_error err = { 0 };

		if (ovl2_layer_mount(store, "box", NULL, &path, &err) < 0 ||
		    !test_is_mounted(path) || ovl2_layer_unmount(store, "box", &err) < 0)
			return print_error("round %d: %s\n", i, err.message), 0;
	}

	return 1;
}

/* A process and one that it forked have descriptors in common; not what they lock by. */
static void forked_handle_locks_for_itself(void **state)
{
	struct ovl2_store *store = open_store(*state);
	struct ovl2_error err = { 0 };
	int is_fine;
	int status;
	pid_t child;

	create_container(store, "box", NULL);
	free(mount_layer(store, "box"));
	assert_int_equal(unmount_layer(store, "box"), 0);

	child = fork();
	if (child == 0)
		_exit(!mounts_again_and_again(store));
	is_fine = mounts_again_and_again(store);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(is_fine);

	assert_ok(ovl2_layer_remove(store, "box", &err), &err);
	ovl2_store_close(store);
}

/* A cleanup unmounts as well. */
static void cleanup_remembers_what_lives_on(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_error err = { 0 };
	pid_t other;

	create_container(store, "box", NULL);
	free(mount_layer(store, "box"));
	other = start_namespace();
	assert_ok(ovl2_store_cleanup(store, &err), &err);

	assert_lives_on(store);
	stop_holder(other);
	assert_ok(mount_soon(store, "box", &err), &err);
	assert_int_equal(unmount_layer(store, "box"), 0);
}

/* ----------------------------------------------------------------------- stress -- */

#define PROCESSES 4
#define THREADS 3
#define STEPS 100
#define OPENERS 4
#define OPENS 100
#define IDS 6
#define KILLS 8

static size_t stress_factor(void)
{
	const char *text = getenv("OVL2_TEST_STRESS");
	size_t factor = text ? strtoul(text, NULL, 10) : 1;

	return factor ? factor : 1;
}

struct opener {
	const char *home;
	struct ovl2_store_options options;
	struct ovl2_error err;
};

struct worker {
	struct ovl2_store *store;
	unsigned int seed;
	size_t steps;
	size_t done;
	struct ovl2_error err;
	int result; /* a code that may not occur, or 0 */
};

static int ignore_fact(void *data, const struct ovl2_fact *fact)
{
	(void)data;
	(void)fact;
	return 0;
}

static int apply_small(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	const struct test_tar_entry entry = { .name = "file", .content = "content" };
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int fd = -1;

	test_tar_add(&tar, &entry);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);

	return ovl2_layer_apply(store, id, NULL, fd, NULL, err);
}

static int do_step(struct worker *worker, struct ovl2_error *err)
{
	struct ovl2_layer_options options = { .size = sizeof(options), .parent = "base" };
	struct ovl2_store *store = worker->store;
	unsigned int choice = (unsigned int)rand_r(&worker->seed);
	char id[32];
	char other[32];

	(void)snprintf(id, sizeof(id), "layer-%u", choice % IDS);
	(void)snprintf(other, sizeof(other), "layer-%u", choice / IDS % IDS);
	options.read_write = (int)(choice >> 20 & 1);
	switch ((choice >> 8) % 10) {
	case 0:
		options.parent = other;
		return ovl2_layer_create(store, id, &options, err);
	case 1:
	case 2:
		return ovl2_layer_create(store, id, &options, err);
	case 3:
		return ovl2_layer_remove(store, id, err);
	case 4:
	case 5:
		return ovl2_layer_mount(store, id, NULL, NULL, err);
	case 6:
	case 7:
		return ovl2_layer_unmount(store, id, err);
	case 8:
		return apply_small(store, id, err);
	default:
		return ovl2_layer_metadata(store, id, ignore_fact, NULL, err);
	}
}

/* What others do may be in the way; nothing else may be. */
static void *work(void *data)
{
	struct worker *worker = data;

	for (; worker->done < worker->steps && !worker->result; worker->done++) {
		int r = do_step(worker, &worker->err);

		if (r < 0 && r != OVL2_E_BUSY && r != OVL2_E_EXISTS && r != OVL2_E_NOT_FOUND)
			worker->result = r;
	}

	return NULL;
}

/* In a process of its own: 0, or 1 with what went wrong on stderr. */
static int run_threads(struct ovl2_store *store, unsigned int seed, size_t steps)
{
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	int status = 0;

	for (size_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.store = store,
			.seed = seed * THREADS + (unsigned int)i,
			.steps = steps,
		};
		if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
			return 1;
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		if (!workers[i].result)
			continue;
		print_error("%s\n", workers[i].err.message);
		status = 1;
	}

	return status;
}

/* A failed assertion here would go on with the tests in a second process: there is none. */
static int run_user(const struct test_place *place, unsigned int seed, size_t steps)
{
	cleanup_free char *home = store_path(place);
	cleanup_free char *run = run_path(place);
	const struct ovl2_store_options options = store_options(run);
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };
	int status;

	if (ovl2_store_open(home, &options, &store, &err) < 0) {
		print_error("%s\n", err.message);
		return 1;
	}
	status = run_threads(store, seed, steps);
	ovl2_store_close(store);

	return status;
}

static pid_t start_process(const struct test_place *place, unsigned int seed, size_t steps)
{
	pid_t child = fork();

	if (child == 0)
		_exit(run_user(place, seed, steps));
	assert_true(child > 0);

	return child;
}

/* One more process, that goes on until it is killed somewhere in the middle. */
static void kill_one(const struct test_place *place, unsigned int seed)
{
	const struct timespec pause_ns = { .tv_nsec = 5000000 + (seed * 7919 % 40) * 500000 };
	pid_t child = start_process(place, seed, SIZE_MAX);
	int status;

	nanosleep(&pause_ns, NULL);
	assert_sys(kill(child, SIGKILL));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
}

static int check_counted(void *data, const struct ovl2_layer_info *layer)
{
	const struct test_place *place = data;
	cleanup_free char *path = test_path("%s/store/%s/merged", place->path, layer->id);

	assert_int_equal(layer->mount_count > 0, test_is_mounted(path));
	return 0;
}

static int show_problem(void *data, const struct ovl2_problem *problem)
{
	(void)data;
	print_error("%s %s: %s\n", problem->kind, problem->id ? problem->id : "-", problem->text);
	return 0;
}

static void assert_whole(struct test_place *place)
{
	const struct ovl2_check_options deep = { .size = sizeof(deep), .deep = 1 };
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *home = store_path(place);
	cleanup_free char *staging = test_path("%s/.ovl2/staging", home);
	cleanup_free char *trash = test_path("%s/.ovl2/trash", home);
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_store_collect(store, NULL, &err), &err);
	assert_int_equal(ovl2_store_check(store, &deep, show_problem, NULL, &err), 0);
	assert_ok(ovl2_store_list(store, check_counted, place, &err), &err);
	assert_int_equal(count_files(staging), 0);
	assert_int_equal(count_files(trash), 0);

	assert_ok(ovl2_store_cleanup(store, &err), &err);
	assert_int_equal(test_count_mounts_below(home), 0);
	assert_int_equal(ovl2_store_check(store, &deep, show_problem, NULL, &err), 0);
}

static void stress(struct test_place *place, int with_kills)
{
	size_t steps = STEPS * stress_factor();
	size_t kills = with_kills ? KILLS * stress_factor() : 0;
	struct ovl2_store *store = open_store(place);
	pid_t children[PROCESSES];

	create_layer(store, "base", NULL);
	ovl2_store_close(store);
	for (unsigned int i = 0; i < PROCESSES; i++)
		children[i] = start_process(place, i + (with_kills ? 100 : 0), steps);

	for (unsigned int i = 0; i < kills; i++)
		kill_one(place, 200 + i);
	for (size_t i = 0; i < PROCESSES; i++) {
		int status;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	print_message("%d processes of %d threads, %zu steps each, %zu killed\n", PROCESSES,
	              THREADS, steps, kills);
	assert_whole(place);
}

static void *open_often(void *data)
{
	struct opener *opener = data;

	for (int i = 0; i < OPENS && !opener->err.message[0]; i++) {
		struct ovl2_store *store = NULL;

		if (ovl2_store_open(opener->home, &opener->options, &store, &opener->err) == 0)
			ovl2_store_close(store);
	}

	return NULL;
}

static void start_openers(pthread_t threads[OPENERS], struct opener openers[OPENERS],
                          const char *home, const char *run)
{
	for (size_t i = 0; i < OPENERS; i++) {
		openers[i] = (struct opener){ .home = home, .options = store_options(run) };
		assert_int_equal(pthread_create(&threads[i], NULL, open_often, &openers[i]), 0);
	}
}

static void join_openers(const pthread_t threads[OPENERS], const struct opener openers[OPENERS])
{
	for (size_t i = 0; i < OPENERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (size_t i = 0; i < OPENERS; i++)
		assert_string_equal(openers[i].err.message, "");
}

static void open_at_once(const struct test_place *place)
{
	cleanup_free char *home = store_path(place);
	cleanup_free char *run = run_path(place);
	struct opener openers[OPENERS];
	pthread_t threads[OPENERS];

	start_openers(threads, openers, home, run);
	join_openers(threads, openers);
}

static void opening_a_new_store_at_once_disturbs_nobody(void **state)
{
	open_at_once(*state);
}

static void opening_an_empty_directory_at_once_disturbs_nobody(void **state)
{
	cleanup_free char *home = store_path(*state);

	assert_sys(mkdir(home, 0700));
	open_at_once(*state);
}

/* Leftovers of a store are collected at open: a removal under way looks like one. */
static void removing_while_others_open_disturbs_nobody(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *home = store_path(*state);
	cleanup_free char *run = run_path(*state);
	struct opener openers[OPENERS];
	pthread_t threads[OPENERS];
	struct ovl2_error err = { 0 };

	start_openers(threads, openers, home, run);
	for (int i = 0; i < OPENS; i++) {
		create_container(store, "box", NULL);
		assert_ok(apply_small(store, "box", &err), &err);
		assert_ok(ovl2_layer_remove(store, "box", &err), &err);
	}
	join_openers(threads, openers);
}

static void many_users_leave_a_whole_store(void **state)
{
	stress(*state, 0);
}

static void killed_users_leave_a_whole_store(void **state)
{
	stress(*state, 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_unmount_names_the_processes),
		cmocka_unit_test(mount_below_is_named_as_what_it_is),
		cmocka_unit_test(detached_upper_is_not_mounted_twice),
		cmocka_unit_test(bind_mount_keeps_the_upper_in_use),
		cmocka_unit_test(copied_namespace_keeps_the_upper_in_use),
		cmocka_unit_test(forked_handle_locks_for_itself),
		cmocka_unit_test(cleanup_remembers_what_lives_on),
		cmocka_unit_test(opening_a_new_store_at_once_disturbs_nobody),
		cmocka_unit_test(opening_an_empty_directory_at_once_disturbs_nobody),
		cmocka_unit_test(removing_while_others_open_disturbs_nobody),
		cmocka_unit_test(many_users_leave_a_whole_store),
		cmocka_unit_test(killed_users_leave_a_whole_store),
	};

	test_enter_namespace();
	return test_run_everywhere("sharing", tests, ARRAY_SIZE(tests), argc, argv);
}
