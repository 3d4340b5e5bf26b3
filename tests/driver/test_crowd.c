// SPDX-License-Identifier: MIT
#include "fixture.h"

#include "support/filesystem.h"

#include "image.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/*
 * Nothing that was said to be done is lost. Processes with several threads each create,
 * fill, mount, diff, unmount and remove layers of one store at once; each layer has one
 * thread that changes it, which notes in shared memory what it is about to do and what
 * was done. Then processes are killed wherever they are, or the filesystem's device goes
 * away under all of them. Who comes next must find each layer as noted, or as it was
 * about to be: and that whole.
 *
 * OVL2_TEST_STRESS=N does N times as much.
 */

#define PROCESSES 4
#define THREADS 3

/* Layers: of a thread, of a process, of all. */
#define SLOTS_EACH 4
#define SLOTS_TOGETHER ((size_t)THREADS * SLOTS_EACH)
#define SLOTS (PROCESSES * SLOTS_TOGETHER)

/* How often there is a crash, and how much is done before each at least and at most. */
#define KILLS 12
#define KILL_DEEDS 20, 80
#define CUTS 4
#define CUT_DEEDS 60, 180

/* Nobody waits for so long: it hangs. */
#define PATIENCE_MS 60000

/* A mount of a process that was killed ends a moment after the process. */
#define ATTEMPTS 100

/* A layer is absent, empty, or has the content that was applied as number so and so. */
enum { ABSENT, EMPTY, FIRST_CONTENT };

struct state {
	unsigned int content;
	int is_mounted;
};

/* A layer: of a container for odd numbers, which are never filled. */
struct slot {
	struct state noted;
	struct state intended;

	/* Before a removal that has been noted: only durability always keeps it away. */
	struct state removed;
};

enum deed { CREATE, APPLY, MOUNT, DIFF, UNMOUNT, REMOVE, DEEDS };

static const char *const deed_names[] = { "created",   "filled",    "mounted",
	                                  "read back", "unmounted", "removed" };

/* In memory that all processes have. */
struct crowd {
	struct slot slots[SLOTS];
	atomic_uint contents;
	atomic_size_t done[DEEDS];
	atomic_int is_device_gone;
	atomic_int is_over;
};

struct row {
	const char *title;
	struct test_filesystem filesystem;
	enum ovl2_durability durability;
};

struct scene {
	const struct row *row;
	struct crowd *crowd;
	char *disk;
	char *home;
	char *run;
	int image;

	/* Layers that are not as any note says they may be, and those that were under way. */
	size_t violations;
	size_t under_way;
};

struct worker {
	struct scene *scene;
	struct ovl2_store *store;
	size_t number;
	unsigned int seed;
	struct ovl2_error err;
	int result;
};

static size_t stress_factor(void)
{
	const char *text = getenv("OVL2_TEST_STRESS");
	size_t factor = text ? strtoul(text, NULL, 10) : 1;

	return factor ? factor : 1;
}

static void pause_ms(unsigned int ms)
{
	const struct timespec time = { .tv_nsec = (long)ms * 1000000 };

	nanosleep(&time, NULL);
}

static int is_container(size_t slot)
{
	return slot % 2 == 1;
}

static void name_slot(size_t slot, char ret_id[32])
{
	(void)snprintf(ret_id, 32, "layer-%zu", slot);
}

/* --------------------------------------------------------------------- content -- */

static const char *const files[] = { "a", "dir/b", "dir/c" };

static char *content_text(unsigned int content)
{
	return test_path("content %u.%6000s", content, "end");
}

static int fill(struct ovl2_store *store, const char *id, unsigned int content,
                struct ovl2_error *err)
{
	const struct test_tar_entry directory = { .name = "dir", .type = '5' };
	cleanup_free char *text = content_text(content);
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int fd = -1;

	test_tar_add(&tar, &directory);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		const struct test_tar_entry entry = { .name = files[i], .content = text };

		test_tar_add(&tar, &entry);
	}
	test_tar_end(&tar);
	fd = test_tar_open(&tar);

	return ovl2_layer_apply(store, id, NULL, fd, NULL, err);
}

/* How often the text of `content` is in there. */
static size_t count_content(const char *bytes, size_t length, unsigned int content)
{
	cleanup_free char *text = content_text(content);
	const char *end = bytes + length;
	size_t count = 0;

	while ((bytes = memmem(bytes, (size_t)(end - bytes), text, strlen(text)))) {
		bytes += strlen(text);
		count++;
	}

	return count;
}

/* A diff has all the files, and nobody else's. */
static int read_back(struct ovl2_store *store, const char *id, const struct state *noted,
                     struct ovl2_error *err)
{
	cleanup_fd int sink = test_sink_open();
	cleanup_free char *bytes = NULL;
	size_t length = 0;
	size_t found;
	int r = ovl2_layer_diff(store, id, NULL, sink, err);

	if (r < 0 || noted->content < FIRST_CONTENT)
		return r;
	bytes = test_sink_read(sink, &length);
	found = count_content(bytes, length, noted->content);
	if (found == ARRAY_SIZE(files))
		return 0;
	(void)snprintf(err->message, sizeof(err->message),
	               "the diff of '%s' has %zu files of content %u", id, found, noted->content);

	return OVL2_E_CORRUPT;
}

/* ----------------------------------------------------------------------- worker -- */

/* What comes next for a layer in that state. */
static enum deed choose(size_t slot, const struct state *state, unsigned int random)
{
	if (state->content == ABSENT)
		return CREATE;
	if (state->is_mounted)
		return random % 3 ? UNMOUNT : DIFF;
	if (state->content == EMPTY && !is_container(slot))
		return APPLY;

	return (enum deed[]){ MOUNT, DIFF, REMOVE, MOUNT }[random % 4];
}

static struct state outcome(struct crowd *crowd, enum deed deed, struct state state)
{
	switch (deed) {
	case CREATE:
		state.content = EMPTY;
		break;
	case APPLY:
		state.content = FIRST_CONTENT + atomic_fetch_add(&crowd->contents, 1);
		break;
	case REMOVE:
		state.content = ABSENT;
		break;
	case MOUNT:
		state.is_mounted = 1;
		break;
	case UNMOUNT:
		state.is_mounted = 0;
		break;
	default:
		break;
	}

	return state;
}

/* Images stand on the layer that all share, or on nothing; containers on the first. */
static int create(struct ovl2_store *store, size_t slot, const char *id, unsigned int random,
                  struct ovl2_error *err)
{
	const struct ovl2_layer_options options = {
		.size = sizeof(options),
		.parent = is_container(slot) || random % 2 ? "base" : NULL,
		.read_write = is_container(slot),
	};

	return ovl2_layer_create(store, id, &options, err);
}

static int run_deed(struct worker *worker, size_t slot, enum deed deed)
{
	const struct slot *plan = &worker->scene->crowd->slots[slot];
	struct ovl2_store *store = worker->store;
	char id[32];

	name_slot(slot, id);
	switch (deed) {
	case CREATE:
		return create(store, slot, id, (unsigned int)rand_r(&worker->seed), &worker->err);
	case APPLY:
		return fill(store, id, plan->intended.content, &worker->err);
	case MOUNT:
		return ovl2_layer_mount(store, id, NULL, NULL, &worker->err);
	case UNMOUNT:
		return ovl2_layer_unmount(store, id, &worker->err);
	case REMOVE:
		return ovl2_layer_remove(store, id, &worker->err);
	default:
		return read_back(store, id, &plan->noted, &worker->err);
	}
}

/* Notes what is to come, does it, and notes that it is done. */
static int do_step(struct worker *worker)
{
	struct crowd *crowd = worker->scene->crowd;
	size_t number = worker->number * SLOTS_EACH + (size_t)rand_r(&worker->seed) % SLOTS_EACH;
	struct slot *slot = &crowd->slots[number];
	enum deed deed = choose(number, &slot->noted, (unsigned int)rand_r(&worker->seed));
	int r;

	slot->intended = outcome(crowd, deed, slot->noted);
	atomic_signal_fence(memory_order_seq_cst);
	r = run_deed(worker, number, deed);
	for (int i = 0; r == OVL2_E_BUSY && i < ATTEMPTS; i++) {
		pause_ms(10);
		r = run_deed(worker, number, deed);
	}
	if (r < 0)
		return r;
	if (deed == REMOVE)
		slot->removed = slot->noted;
	else if (deed == CREATE)
		slot->removed = (struct state){ .content = ABSENT };
	atomic_signal_fence(memory_order_seq_cst);
	slot->noted = slot->intended;
	atomic_fetch_add(&crowd->done[deed], 1);

	return 0;
}

static void *work(void *data)
{
	struct worker *worker = data;

	while (worker->result == 0 && !atomic_load(&worker->scene->crowd->is_over))
		worker->result = do_step(worker);

	return NULL;
}

/* In a process of its own, which must not fail an assertion: 1 when something failed. */
static int run_threads(struct scene *scene, struct ovl2_store *store, size_t process,
                       unsigned int seed)
{
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	int status = 0;

	for (size_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.scene = scene,
			.store = store,
			.number = process * THREADS + i,
			.seed = seed * THREADS + (unsigned int)i,
		};
		if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
			_exit(1);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		if (workers[i].result == 0 || atomic_load(&scene->crowd->is_device_gone))
			continue;
		print_error("%s\n", workers[i].err.message);
		status = 1;
	}

	return status;
}

static int run_process(struct scene *scene, size_t process, unsigned int seed)
{
	struct ovl2_store_options options = store_options(scene->run);
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };
	int status;

	options.durability = (int)scene->row->durability;
	if (ovl2_store_open(scene->home, &options, &store, &err) < 0) {
		print_error("%s\n", err.message);
		return !atomic_load(&scene->crowd->is_device_gone);
	}
	status = run_threads(scene, store, process, seed);
	ovl2_store_close(store);

	return status;
}

static pid_t start_process(struct scene *scene, size_t process, unsigned int seed)
{
	pid_t child = fork();

	if (child == 0)
		_exit(run_process(scene, process, seed));
	assert_true(child > 0);

	return child;
}

/* ------------------------------------------------------------------ what is found -- */

static int is_same(struct state a, struct state b)
{
	return a.content == b.content && a.is_mounted == b.is_mounted;
}

/* A directory on which nothing is mounted is on its parent's device. */
static int is_mount_point(const char *path)
{
	cleanup_free char *parent = test_path("%s/..", path);
	struct stat own;
	struct stat above;

	return stat(path, &own) == 0 && stat(parent, &above) == 0 && own.st_dev != above.st_dev;
}

/* Content by what is in the files; what is half there is no content at all. */
static int find_content(const struct scene *scene, const char *id, unsigned int *ret_content)
{
	unsigned int found[ARRAY_SIZE(files)] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *path = test_path("%s/%s/diff/%s", scene->home, id, files[i]);
		cleanup_free char *text = NULL;
		cleanup_free char *whole = NULL;

		if (access(path, F_OK) < 0)
			continue;
		text = test_file_read(path);
		if (sscanf(text, "content %u.", &found[i]) != 1)
			return -1;
		whole = content_text(found[i]);
		if (strcmp(text, whole) != 0)
			return -1;
	}
	for (size_t i = 1; i < ARRAY_SIZE(files); i++)
		if (found[i] != found[0])
			return -1;
	*ret_content = found[0] ? found[0] : EMPTY;

	return 0;
}

static int find_state(const struct scene *scene, size_t slot, struct state *ret_state)
{
	cleanup_free char *layer = NULL;
	cleanup_free char *merged = NULL;
	char id[32];

	name_slot(slot, id);
	layer = test_path("%s/%s", scene->home, id);
	merged = test_path("%s/merged", layer);
	*ret_state = (struct state){ .content = ABSENT };
	if (access(layer, F_OK) < 0)
		return 0;
	ret_state->is_mounted = is_mount_point(merged);

	return find_content(scene, id, &ret_state->content);
}

/* May a layer be like this? A cut ends all mounts, and may undo a removal. */
static int is_expected(const struct scene *scene, const struct slot *slot, struct state found,
                       int is_cut)
{
	struct state noted = slot->noted;
	struct state intended = slot->intended;
	struct state removed = slot->removed;

	if (is_cut)
		noted.is_mounted = intended.is_mounted = removed.is_mounted = 0;
	if (is_same(found, noted) || is_same(found, intended))
		return 1;

	return is_cut && noted.content == ABSENT &&
	       scene->row->durability != OVL2_DURABILITY_ALWAYS && is_same(found, removed);
}

/* Compares the layers of a process with its notes, and goes on from what is there. */
static void compare_slots(struct scene *scene, size_t process, int is_cut)
{
	size_t first = process * SLOTS_TOGETHER;

	for (size_t i = first; i < first + SLOTS_TOGETHER; i++) {
		struct slot *slot = &scene->crowd->slots[i];
		struct state found;
		int r = find_state(scene, i, &found);

		scene->under_way += !is_same(slot->noted, slot->intended);
		if (r < 0 || !is_expected(scene, slot, found, is_cut)) {
			print_error("layer-%zu: noted %u.%d, intended %u.%d, found %u.%d%s\n", i,
			            slot->noted.content, slot->noted.is_mounted,
			            slot->intended.content, slot->intended.is_mounted,
			            found.content, found.is_mounted, r < 0 ? " in part" : "");
			scene->violations++;
		}
		slot->noted = slot->intended = found;
	}
}

static int show_problem(void *data, const struct ovl2_problem *problem)
{
	(void)data;
	print_error("%s %s: %s\n", problem->kind, problem->id ? problem->id : "-", problem->text);
	return 0;
}

/* Counted as mounted is what is mounted, and there are no other layers than ours. */
static int compare_listed(void *data, const struct ovl2_layer_info *layer)
{
	const struct scene *scene = data;
	size_t slot;

	if (strcmp(layer->id, "base") == 0)
		return 0;
	assert_int_equal(sscanf(layer->id, "layer-%zu", &slot), 1);
	assert_true(slot < SLOTS);
	assert_int_not_equal(scene->crowd->slots[slot].noted.content, ABSENT);
	assert_int_equal(layer->mount_count, scene->crowd->slots[slot].noted.is_mounted);

	return 0;
}

/* The store as whoever comes next finds it: compared, and without fault. */
static void compare_store(struct scene *scene, int is_cut)
{
	const struct ovl2_check_options deep = { .size = sizeof(deep), .deep = 1 };
	struct ovl2_store_options options = store_options(scene->run);
	cleanup_store struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_store_open(scene->home, &options, &store, &err), &err);
	assert_ok(ovl2_store_collect(store, NULL, &err), &err);
	for (size_t i = 0; i < PROCESSES; i++)
		compare_slots(scene, i, is_cut);
	assert_int_equal(scene->violations, 0);
	assert_ok(ovl2_store_list(store, compare_listed, scene, &err), &err);
	assert_int_equal(ovl2_store_check(store, &deep, show_problem, NULL, &err), 0);
}

/* ----------------------------------------------------------------------- the scene -- */

static void mount_disk(struct scene *scene)
{
	char device[IMAGE_DEVICE_SIZE];
	struct ovl2_error err = { 0 };
	cleanup_fd int loop = image_attach(scene->image, device, &err);

	assert_ok(loop, &err);
	assert_sys(mount(device, scene->disk, scene->row->filesystem.type, 0, NULL));
}

static void open_scene(const struct test_place *place, struct scene *ret_scene)
{
	const struct row *row = place->row;
	struct scene scene = {
		.row = row,
		.disk = test_path("%s/disk", place->path),
		.home = test_path("%s/disk/store", place->path),
		.run = run_path(place),
	};
	struct ovl2_store_options options = store_options(scene.run);
	cleanup_store struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };

	scene.image = test_filesystem_make(&row->filesystem, &err);
	if (scene.image == OVL2_E_UNSUPPORTED)
		test_skip("%s", err.message);
	assert_ok(scene.image, &err);
	assert_sys(mkdir(scene.disk, 0755));
	mount_disk(&scene);
	options.durability = (int)row->durability;
	assert_ok(ovl2_store_open(scene.home, &options, &store, &err), &err);
	create_layer(store, "base", NULL);
	assert_ok(fill(store, "base", FIRST_CONTENT, &err), &err);

	scene.crowd = mmap(NULL, sizeof(*scene.crowd), PROT_READ | PROT_WRITE,
	                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(scene.crowd, MAP_FAILED);
	atomic_store(&scene.crowd->contents, 1);
	*ret_scene = scene;
}

static void close_scene(struct scene *scene, const char *crashes, size_t count)
{
	print_message("%s, %d processes of %d threads, %zu %s: %zu layers under way, "
	              "%zu violations\n ",
	              scene->row->title, PROCESSES, THREADS, count, crashes, scene->under_way,
	              scene->violations);
	for (size_t i = 0; i < DEEDS; i++)
		print_message(" %zu %s", atomic_load(&scene->crowd->done[i]), deed_names[i]);
	print_message("\n");
	/* Whoever did nothing lost nothing. */
	for (size_t i = 0; i < DEEDS; i++)
		assert_true(atomic_load(&scene->crowd->done[i]) > 0);

	test_unmount_below(scene->disk);
	munmap(scene->crowd, sizeof(*scene->crowd));
	close(scene->image);
	free(scene->disk);
	free(scene->home);
	free(scene->run);
}

static size_t count_deeds(struct crowd *crowd)
{
	size_t count = 0;

	for (size_t i = 0; i < DEEDS; i++)
		count += atomic_load(&crowd->done[i]);

	return count;
}

/* Until so many more things are done. */
static void let_work(struct crowd *crowd, unsigned int *seed, size_t least, size_t most)
{
	size_t goal = count_deeds(crowd) + least + (size_t)rand_r(seed) % (most - least);

	for (int i = 0; count_deeds(crowd) < goal; i++) {
		assert_true(i < PATIENCE_MS);
		pause_ms(1);
	}
}

static void nothing_done_is_lost_when_processes_are_killed(void **state)
{
	size_t kills = KILLS * stress_factor();
	pid_t children[PROCESSES];
	struct scene scene;
	unsigned int seed = 1;
	int status;

	open_scene(*state, &scene);
	for (size_t i = 0; i < PROCESSES; i++)
		children[i] = start_process(&scene, i, seed++);
	for (size_t i = 0; i < kills; i++) {
		size_t chosen = (size_t)rand_r(&seed) % PROCESSES;

		let_work(scene.crowd, &seed, KILL_DEEDS);
		assert_sys(kill(children[chosen], SIGKILL));
		assert_int_equal(waitpid(children[chosen], &status, 0), children[chosen]);
		assert_true(WIFSIGNALED(status));
		compare_slots(&scene, chosen, 0);
		children[chosen] = start_process(&scene, chosen, seed++);
	}
	let_work(scene.crowd, &seed, KILL_DEEDS);
	atomic_store(&scene.crowd->is_over, 1);
	for (size_t i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	compare_store(&scene, 0);
	close_scene(&scene, "killed", kills);
}

static void cut_once(struct scene *scene, unsigned int *seed)
{
	pid_t children[PROCESSES];
	int status;

	atomic_store(&scene->crowd->is_device_gone, 0);
	for (size_t i = 0; i < PROCESSES; i++)
		children[i] = start_process(scene, i, (*seed)++);
	let_work(scene->crowd, seed, CUT_DEEDS);
	atomic_store(&scene->crowd->is_device_gone, 1);
	test_filesystem_shut_down(scene->disk, 0);
	for (size_t i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	test_unmount_below(scene->disk);
	mount_disk(scene);
	compare_store(scene, 1);
}

static void nothing_done_is_lost_with_the_device(void **state)
{
	size_t cuts = CUTS * stress_factor();
	struct scene scene;
	unsigned int seed = 1;

	open_scene(*state, &scene);
	for (size_t i = 0; i < cuts; i++)
		cut_once(&scene, &seed);
	close_scene(&scene, "times without its device", cuts);
}

#define EXT4                                         \
	{                                            \
		.type = "ext4", .bytes = 64ULL << 20 \
	}
#define XFS                                          \
	{                                            \
		.type = "xfs", .bytes = 320ULL << 20 \
	}

static const struct row kill_rows[] = {
	{ "killed on ext4, durability none", EXT4, OVL2_DURABILITY_NONE },
	{ "killed on xfs, durability commit", XFS, OVL2_DURABILITY_COMMIT },
};

static const struct row cut_rows[] = {
	{ "device of ext4 gone, durability commit", EXT4, OVL2_DURABILITY_COMMIT },
	{ "device of xfs gone, durability always", XFS, OVL2_DURABILITY_ALWAYS },
};

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(kill_rows) + ARRAY_SIZE(cut_rows)];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kill_rows); i++)
		tests[count++] =
			test_case(kill_rows[i].title,
		                  nothing_done_is_lost_when_processes_are_killed, &kill_rows[i]);
	for (size_t i = 0; i < ARRAY_SIZE(cut_rows); i++)
		tests[count++] = test_case(cut_rows[i].title, nothing_done_is_lost_with_the_device,
		                           &cut_rows[i]);

	test_enter_namespace();
	return test_run("crowd", tests, count, argc, argv);
}
