// SPDX-License-Identifier: MIT
#include "mounted.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/*
 * No call makes another process, or becomes another program, or changes what the process
 * has once for all its threads: umask, root, and working directory, which only a mount by
 * relative paths may move. All of them are made where the kernel ends whoever does that.
 * Threads are allowed.
 */

/* More than mount(2) takes by absolute paths. */
#define DEPTH 100

#ifdef SYS_fork
enum { FORK = SYS_fork, VFORK = SYS_vfork };
#else
/* Newer machines have one call for all of it. */
enum { FORK = SYS_execve, VFORK = SYS_execve };
#endif

/* Of clone3(2) a filter cannot see the flags: without it glibc takes clone(2). */
static struct sock_filter no_processes[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FORK, 8, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, VFORK, 7, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 6, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, 5, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 5, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 2),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
};

/* Of the process, or of a thread that has its own: nobody needs these. */
static struct sock_filter no_root[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_umask, 3, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_chroot, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pivot_root, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};

static struct sock_filter no_chdir[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_chdir, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fchdir, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};

static const struct sock_fprog filters[] = {
	{ .len = ARRAY_SIZE(no_processes), .filter = no_processes },
	{ .len = ARRAY_SIZE(no_root), .filter = no_root },

	/* The last: only where nothing is mounted by relative paths. */
	{ .len = ARRAY_SIZE(no_chdir), .filter = no_chdir },
};

static int forbid(size_t count)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filters[i]) < 0)
			return -1;

	return 0;
}

/* ------------------------------------------------------------------ the calls -- */

static int create(struct ovl2_store *store, const char *id, const char *parent, int read_write,
                  struct ovl2_error *err)
{
	const struct ovl2_layer_options options = {
		.size = sizeof(options),
		.parent = parent,
		.read_write = read_write,
		.digest = !read_write,
	};

	return ovl2_layer_create(store, id, &options, err);
}

static int apply(struct ovl2_store *store, const char *id, int tar, struct ovl2_error *err)
{
	return lseek(tar, 0, SEEK_SET) < 0 ? -1 : ovl2_layer_apply(store, id, NULL, tar, NULL, err);
}

/* "box" on DEPTH layers. */
static int make_layers(struct ovl2_store *store, struct ovl2_error *err)
{
	const struct test_tar_entry entry = { .name = "dir/file", .content = "text" };
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int fd = -1;
	char parent[32] = "";
	int r = 0;

	test_tar_add(&tar, &entry);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);
	for (int i = 0; i < DEPTH && r == 0; i++) {
		char id[32];

		(void)snprintf(id, sizeof(id), "layer-%d", i);
		r = create(store, id, *parent ? parent : NULL, 0, err);
		if (r == 0)
			r = apply(store, id, fd, err);
		memcpy(parent, id, sizeof(parent));
	}

	return r < 0 ? r : create(store, "box", parent, 1, err);
}

static int mount_by_each_method(struct ovl2_store *store, struct ovl2_error *err)
{
	int mounted = 0;

	for (int method = OVL2_MOUNT_AUTO; method <= OVL2_MOUNT_FD; method++) {
		const struct ovl2_mount_options options = { .size = sizeof(options),
			                                    .method = method };
		cleanup_free char *path = NULL;
		cleanup_free char *file = NULL;
		int r = ovl2_layer_mount(store, "box", &options, &path, err);

		if (r == OVL2_E_UNSUPPORTED)
			continue;
		if (r < 0)
			return r;
		file = test_path("%s/new", path);
		test_file_write(file, "text");
		r = ovl2_layer_unmount(store, "box", err);
		if (r < 0)
			return r;
		mounted++;
	}

	/* Auto and relative, everywhere. */
	return mounted >= 2 ? 0 : -1;
}

static void *wait_for_end(void *end)
{
	char byte;

	(void)!read(*(int *)end, &byte, 1);

	return NULL;
}

/* Where there are threads a mount by relative paths is made by another. */
static int mount_beside_a_thread(struct ovl2_store *store, struct ovl2_error *err)
{
	pthread_t thread;
	int end[2];
	int r;

	if (pipe2(end, O_CLOEXEC) < 0 || pthread_create(&thread, NULL, wait_for_end, &end[0]) != 0)
		return -1;
	r = mount_by_each_method(store, err);
	close(end[1]);
	pthread_join(thread, NULL);
	close(end[0]);

	return r;
}

/* With threads, to every compression and back. */
static int copy_layer(struct ovl2_store *store, struct ovl2_error *err)
{
	static const char *const names[] = { "plain", "gzip", "zstd" };
	int r = 0;

	for (int kind = 0; kind < (int)ARRAY_SIZE(names) && r == 0; kind++) {
		char digest[OVL2_DIGEST_SIZE];
		const struct ovl2_diff_options options = {
			.size = sizeof(options),
			.compression = kind,
			.threads = 4,
			.digest = digest,
		};
		cleanup_fd int tar = test_sink_open();

		r = ovl2_layer_diff(store, "box", &options, tar, err);
		if (r == 0)
			r = create(store, names[kind], "layer-0", 0, err);
		if (r == 0)
			r = apply(store, names[kind], tar, err);
	}

	return r;
}

static int ignore_change(void *data, const struct ovl2_change *change)
{
	(void)data;
	(void)change;

	return 0;
}

static int look_at_changes(struct ovl2_store *store, struct ovl2_error *err)
{
	int r = 0;

	for (int method = OVL2_DIFF_UPPER; method <= OVL2_DIFF_COMPARE && r == 0; method++) {
		const struct ovl2_diff_options options = { .size = sizeof(options),
			                                   .method = method };
		uint64_t bytes;

		r = ovl2_layer_changes(store, "box", &options, ignore_change, NULL, err);
		if (r == 0)
			r = ovl2_layer_diff_size(store, "box", &options, &bytes, err);
	}

	return r;
}

static int ignore_problem(void *data, const struct ovl2_problem *problem)
{
	(void)data;
	(void)problem;

	return 0;
}

static int ignore_fact(void *data, const struct ovl2_fact *fact)
{
	(void)data;
	(void)fact;

	return 0;
}

static int take_care(struct ovl2_store *store, struct ovl2_error *err)
{
	const struct ovl2_check_options all = { .size = sizeof(all), .deep = 1, .content = 1 };
	int r = ovl2_store_check(store, &all, ignore_problem, NULL, err);

	if (r == 0)
		r = ovl2_store_repair(store, NULL, ignore_problem, NULL, err);
	if (r == 0)
		r = ovl2_store_collect(store, NULL, err);
	if (r >= 0)
		r = ovl2_store_sync(store, err);
	if (r >= 0)
		r = ovl2_store_status(store, ignore_fact, NULL, err);
	if (r == 0)
		r = ovl2_store_cleanup(store, err);

	return r < 0 ? r : ovl2_layer_remove(store, "box", err);
}

static int use_all(const struct test_place *place,
                   int (*const uses[])(struct ovl2_store *, struct ovl2_error *))
{
	cleanup_free char *home = store_path(place);
	cleanup_free char *run = run_path(place);
	const struct ovl2_store_options options = store_options(run);
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };
	int r = ovl2_store_open(home, &options, &store, &err);

	for (size_t i = 0; uses[i] && r == 0; i++) {
		r = uses[i](store, &err);
		if (r != 0)
			print_error("use %zu: %d: %s\n", i, r, err.message);
	}
	ovl2_store_close(store);

	return r == 0 ? 0 : 1;
}

static int use_everything(const struct test_place *place)
{
	static int (*const uses[])(struct ovl2_store *, struct ovl2_error *) = {
		make_layers, mount_by_each_method, mount_beside_a_thread,
		copy_layer,  look_at_changes,      take_care,
		NULL,
	};

	return use_all(place, uses);
}

/* Create, apply, diff, check, remove, and what mounts a view to look at. */
static int use_in_place(const struct test_place *place)
{
	static int (*const uses[])(struct ovl2_store *, struct ovl2_error *) = {
		make_layers, copy_layer, look_at_changes, take_care, NULL,
	};

	return use_all(place, uses);
}

/* ------------------------------------------------------------------ the tests -- */

static int make_a_process(const struct test_place *place)
{
	(void)place;

	return fork() == 0 ? 0 : 1;
}

static int become_a_program(const struct test_place *place)
{
	(void)place;

	return execl("/bin/true", "true", NULL);
}

static int change_umask(const struct test_place *place)
{
	(void)place;

	return (int)umask(022);
}

static int change_root(const struct test_place *place)
{
	return chroot(place->path);
}

static int exchange_root(const struct test_place *place)
{
	return (int)syscall(SYS_pivot_root, place->path, place->path);
}

static int change_directory(const struct test_place *place)
{
	return chdir(place->path);
}

static int change_directory_by_descriptor(const struct test_place *place)
{
	return fchdir(place->fd);
}

/* How a process ends that does this behind the first `count` filters. */
static int end_of(int (*use)(const struct test_place *), size_t count,
                  const struct test_place *place)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (forbid(count) < 0)
			_exit(TEST_EXIT_SKIPPED);
		_exit(use(place));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == TEST_EXIT_SKIPPED)
		test_skip("this kernel does not filter system calls");

	return status;
}

static void the_filters_end_who_does_any_of_it(void **state)
{
	static int (*const uses[])(const struct test_place *) = {
		make_a_process,
		become_a_program,
		change_umask,
		change_root,
		exchange_root,
		change_directory,
		change_directory_by_descriptor,
	};

	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		int status = end_of(uses[i], ARRAY_SIZE(filters), *state);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("use %zu ended with status %d", i, status);
	}
}

static void no_call_makes_a_process_or_changes_umask_or_root(void **state)
{
	assert_int_equal(end_of(use_everything, ARRAY_SIZE(filters) - 1, *state), 0);
}

static void no_call_but_a_relative_mount_changes_directory(void **state)
{
	/* Without descriptors a view of so many layers is a mount by relative paths. */
	if (!has_method(*state, OVL2_MOUNT_FD))
		test_skip("this kernel mounts views by relative paths");
	assert_int_equal(end_of(use_in_place, ARRAY_SIZE(filters), *state), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_filters_end_who_does_any_of_it),
		cmocka_unit_test(no_call_makes_a_process_or_changes_umask_or_root),
		cmocka_unit_test(no_call_but_a_relative_mount_changes_directory),
	};

	test_enter_namespace();
	return test_run("processes", tests, ARRAY_SIZE(tests), argc, argv);
}
