// SPDX-License-Identifier: MIT
#include "mounted.h"

#include "support/filesystem.h"

#include "fail.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

/*
 * Many threads that mount and unmount at once, among many mounts that stay. What is
 * asserted is that nothing is lost or left over; how long it took is only told.
 *
 * OVL2_STORM_CYCLES and OVL2_STORM_LIVE make it as long as wanted: 100000 and 1000 are
 * what a busy host does in a day.
 */

#define THREADS 64
#define MAX_DEPTH 128

/* Layers that the threads take turns with: some are met by two at once. */
#define SHARED 96

/* What may be allocated more after the first tenth than during it. */
#define MAX_GROWTH_KIB (24 << 10)

/*
 * Freed memory is kept by the address sanitizer to see late uses: so little that
 * what leaks still shows in the size of the process.
 */
/* NOLINTBEGIN(bugprone-reserved-identifier): the name is the sanitizer's. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "quarantine_size_mb=4:thread_local_quarantine_size_kb=16";
}
/* NOLINTEND(bugprone-reserved-identifier) */

struct storm {
	struct ovl2_store *store;
	size_t cycle_count;
	uint64_t *latency_ns; /* one a cycle */

	atomic_size_t next;
	atomic_int failed;
	struct ovl2_error err; /* of the first that failed */

	/* After a tenth of the cycles. */
	long early_kib;
};

static size_t count_from_environment(const char *name, size_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Memory that this process has resident. */
static long resident_kib(void)
{
	cleanup_free char *text = test_file_read("/proc/self/status");
	const char *line = strstr(text, "VmRSS:");

	assert_non_null(line);
	return strtol(line + strlen("VmRSS:"), NULL, 10);
}

/* ------------------------------------------------------------------- layers -- */

static void create_chain(struct ovl2_store *store)
{
	for (int i = 0; i < MAX_DEPTH; i++) {
		cleanup_free char *id = test_path("layer-%d", i);
		cleanup_free char *parent = i ? test_path("layer-%d", i - 1) : NULL;
		const struct test_tar_entry entries[] = { { .name = id, .content = "here" } };

		create_layer(store, id, parent);
		apply_entries(store, id, entries, ARRAY_SIZE(entries));
	}
}

/* Containers "NAME-0" and so on, on 1 to 128 lowers each. */
static void create_containers(struct ovl2_store *store, const char *name, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cleanup_free char *id = test_path("%s-%zu", name, i);
		cleanup_free char *parent = test_path("layer-%zu", i * 7 % MAX_DEPTH);

		create_container(store, id, parent);
	}
}

static struct ovl2_store *open_stormy_store(const struct test_place *place, const char *type)
{
	const struct test_filesystem filesystem = { .type = type, .bytes = 2ULL << 30 };
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;
	int r = test_filesystem_mount(&filesystem, place->path, &err);

	if (r == OVL2_E_UNSUPPORTED)
		test_skip("%s: %s", type, err.message);
	assert_ok(r, &err);
	store = open_store(place);
	create_chain(store);

	return store;
}

/* -------------------------------------------------------------------- storm -- */

static void fail_storm(struct storm *storm, const struct ovl2_error *err)
{
	if (atomic_exchange(&storm->failed, 1) == 0)
		storm->err = *err;
}

/* Is the file of the lowest layer there? */
static int shows_lowest(const char *path, struct ovl2_error *err)
{
	char file[4096];

	snprintf(file, sizeof(file), "%s/layer-0", path);

	return access(file, F_OK) == 0 ? 0 : ovi_fail_errno(err, "look for '%s'", file);
}

static int do_cycle(struct storm *storm, size_t cycle, struct ovl2_error *err)
{
	cleanup_free char *path = NULL;
	char id[32];
	uint64_t from;
	int r;

	/* A step that shares no factor with the count: all of them, in no order. */
	snprintf(id, sizeof(id), "box-%zu", cycle * 37 % SHARED);
	from = now_ns();
	r = ovl2_layer_mount(storm->store, id, NULL, &path, err);
	storm->latency_ns[cycle] = now_ns() - from;
	if (r == 0)
		r = shows_lowest(path, err);
	if (r == 0)
		r = ovl2_layer_unmount(storm->store, id, err);

	return r;
}

static void *run_thread(void *data)
{
	struct storm *storm = data;
	struct ovl2_error err = { 0 };
	size_t cycle;

	while (!atomic_load(&storm->failed) &&
	       (cycle = atomic_fetch_add(&storm->next, 1)) < storm->cycle_count) {
		if (do_cycle(storm, cycle, &err) < 0)
			fail_storm(storm, &err);
		if (cycle == storm->cycle_count / 10)
			storm->early_kib = resident_kib();
	}

	return NULL;
}

static void run_storm(struct storm *storm)
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_thread, storm), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (atomic_load(&storm->failed))
		fail_msg("%s", storm->err.message);
}

static int compare(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a;
	uint64_t other = *(const uint64_t *)b;

	return one < other ? -1 : one > other;
}

/* Of each tenth of the cycles: flat, where nothing piles up. */
static void tell_latency(const struct storm *storm)
{
	size_t count = storm->cycle_count / 10;

	for (size_t i = 0; i < 10; i++) {
		uint64_t *tenth = storm->latency_ns + i * count;

		qsort(tenth, count, sizeof(*tenth), compare);
		print_message("  tenth %2zu: p50 %llu us, p99 %llu us\n", i + 1,
		              (unsigned long long)tenth[count / 2] / 1000,
		              (unsigned long long)tenth[count * 99 / 100] / 1000);
	}
}

/* How many layers a file of mount counts, eight bytes each, has as mounted. */
static size_t count_slots(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t slots[4096];
	size_t count = 0;
	ssize_t length;

	assert_true(fd >= 0);
	while ((length = read(fd, slots, sizeof(slots))) > 0)
		for (size_t i = 0; i < (size_t)length / sizeof(*slots); i++)
			count += slots[i] != 0;
	assert_true(length == 0);

	return count;
}

static size_t count_holds(const struct test_place *place)
{
	cleanup_free char *run = run_path(place);
	cleanup_dir DIR *dir = opendir(run);
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		cleanup_free char *path = test_path("%s/%s/.counts", run, entry->d_name);

		if (entry->d_name[0] != '.')
			count += count_slots(path);
	}

	return count;
}

/* Mounted as many, counted as many. */
static void assert_live(const struct test_place *place, size_t count)
{
	cleanup_free char *home = store_path(place);

	assert_int_equal(test_count_mounts_below(home), count);
	assert_int_equal(count_holds(place), count);
}

static void storm_leaves_nothing(void **state)
{
	struct test_place *place = *state;
	size_t live = count_from_environment("OVL2_STORM_LIVE", 200);
	struct ovl2_store *store = open_stormy_store(place, place->row);
	struct storm storm = {
		.cycle_count = count_from_environment("OVL2_STORM_CYCLES", 2000),
	};
	struct test_resources before;
	long late_kib;

	storm.latency_ns = calloc(storm.cycle_count, sizeof(*storm.latency_ns));
	assert_non_null(storm.latency_ns);
	create_containers(store, "box", SHARED);
	create_containers(store, "live", live);
	ovl2_store_close(store);
	before = test_resources_count();

	storm.store = open_store(place);
	for (size_t i = 0; i < live; i++) {
		cleanup_free char *id = test_path("live-%zu", i);

		free(mount_layer(storm.store, id));
	}
	run_storm(&storm);
	late_kib = resident_kib();
	print_message("  %zu cycles, %zu live mounts; %ld KiB after a tenth, %ld at the end\n",
	              storm.cycle_count, live, storm.early_kib, late_kib);
	tell_latency(&storm);
	assert_true(late_kib - storm.early_kib < MAX_GROWTH_KIB);
	assert_live(place, live);

	for (size_t i = 0; i < live; i++) {
		cleanup_free char *id = test_path("live-%zu", i);

		assert_int_equal(unmount_layer(storm.store, id), 0);
	}
	assert_live(place, 0);
	ovl2_store_close(storm.store);
	test_resources_assert_same(before);
	free(storm.latency_ns);
}

/* ------------------------------------------------------------ end of process -- */

/* In a process of its own: storms, and ends without unmounting what is to stay. */
static void storm_and_end(const struct test_place *place)
{
	static uint64_t latency_ns[200];
	struct storm storm = { .latency_ns = latency_ns, .cycle_count = ARRAY_SIZE(latency_ns) };

	storm.store = open_store(place);
	free(mount_layer(storm.store, "live-0"));
	free(mount_layer(storm.store, "live-1"));
	free(mount_layer(storm.store, "live-1"));
	run_storm(&storm);
	free(mount_layer(storm.store, "live-2"));
	_exit(0);
}

static void end_of_the_process_leaves_what_was_asked_to_stay(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_stormy_store(place, place->row);
	int status;
	pid_t child;

	create_containers(store, "box", SHARED);
	create_containers(store, "live", 4);
	child = fork();
	if (child == 0)
		storm_and_end(place);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);

	assert_live(place, 3);
	assert_int_equal(unmount_layer(store, "live-0"), 0);
	assert_int_equal(unmount_layer(store, "live-1"), 1);
	assert_int_equal(unmount_layer(store, "live-1"), 0);
	assert_int_equal(unmount_layer(store, "live-2"), 0);
	assert_live(place, 0);
}

/* In a process of its own: storms until it is killed, and says when it has begun. */
static void storm_until_killed(const struct test_place *place, int begun)
{
	static uint64_t latency_ns[1 << 20];
	struct storm storm = { .latency_ns = latency_ns, .cycle_count = ARRAY_SIZE(latency_ns) };

	storm.store = open_store(place);
	free(mount_layer(storm.store, "live-0"));
	if (write(begun, "", 1) == 1)
		run_storm(&storm);
	_exit(1);
}

/* Whatever it was at, the next process finds all of it, and can put it right. */
static void killed_storm_can_be_cleaned_up(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_stormy_store(place, place->row);
	cleanup_free char *home = store_path(place);
	struct ovl2_error err = { 0 };
	int begun[2];
	char byte;
	int status;
	pid_t child;

	create_containers(store, "box", SHARED);
	create_containers(store, "live", 1);
	assert_sys(pipe2(begun, O_CLOEXEC));
	child = fork();
	if (child == 0)
		storm_until_killed(place, begun[1]);
	close(begun[1]);
	assert_int_equal(read(begun[0], &byte, 1), 1);
	usleep(200000);
	assert_sys(kill(child, SIGKILL));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	close(begun[0]);

	assert_true(test_count_mounts_below(home) >= 1);
	assert_ok(ovl2_store_cleanup(store, &err), &err);
	assert_live(place, 0);
	for (int i = 0; i < SHARED; i++) {
		cleanup_free char *id = test_path("box-%d", i);

		free(mount_layer(store, id));
		assert_int_equal(unmount_layer(store, id), 0);
		assert_ok(ovl2_layer_remove(store, id, &err), &err);
	}
}

/* What a process has by default, however many it may ask for. */
static void limit_descriptors(void)
{
	struct rlimit limit;

	assert_sys(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 1024;
	assert_sys(setrlimit(RLIMIT_NOFILE, &limit));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		test_case("storm_leaves_nothing, on ext4", storm_leaves_nothing, "ext4"),
		test_case("storm_leaves_nothing, on tmpfs", storm_leaves_nothing, "tmpfs"),
		test_case("end_of_the_process_leaves_what_was_asked_to_stay, on ext4",
		          end_of_the_process_leaves_what_was_asked_to_stay, "ext4"),
		test_case("killed_storm_can_be_cleaned_up, on tmpfs",
		          killed_storm_can_be_cleaned_up, "tmpfs"),
	};

	test_enter_namespace();
	limit_descriptors();
	return test_run("storm", tests, ARRAY_SIZE(tests), argc, argv);
}
