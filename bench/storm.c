#include "bare.h"
#include "families.h"
#include "place.h"
#include "runner.h"

#include "cleanup.h"
#include "fail.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

/*
 * A host on which many containers start and stop: mounts from many threads at once,
 * and mounts among many that are there already.
 */

/* -------------------------------------------------------------- mount_storm -- */

/* Each thread has a layer of its own, which it mounts and unmounts so often. */
#define MAX_THREADS 64
#define TURNS 2
#define STORM_LOWERS 32

struct storm {
	char ids[MAX_THREADS][PLACE_ID_SIZE];
	struct bare bare[MAX_THREADS];
	size_t layer_count;
};

/* One mount and one unmount of layer `i`. */
typedef int cycle_fn(struct bench_case *c, size_t i, double *ret_ns, struct ovl2_error *err);

struct share {
	struct bench_case *c;
	cycle_fn *cycle;
	size_t layer;
	double *latency_ns;
	struct ovl2_error err;
	int result;
};

/*
 * What the library takes beside other threads: no name from a working directory, which
 * they have in common.
 */
static int open_bare(struct bench_case *c, const char *id, const struct bare *deeper,
                     struct bare *ret_bare, struct ovl2_error *err)
{
	const struct ovl2_mount_options absolute = {
		.size = sizeof(absolute),
		.method = OVL2_MOUNT_ABSOLUTE,
	};
	int r = bare_open(c->place->hasty, id, NULL, deeper, ret_bare, err);

	if (r < 0)
		return r;
	assert(ret_bare->spec);
	if (ret_bare->spec->method == OVL2_MOUNT_FD)
		return 0;
	bare_close(ret_bare);

	return bare_open(c->place->hasty, id, &absolute, NULL, ret_bare, err);
}

static int add_layer(struct bench_case *c, struct storm *storm, struct ovl2_error *err)
{
	size_t i = storm->layer_count;
	int r;

	r = place_create_layer(c->place, STORM_LOWERS, storm->ids[i], err);
	if (r < 0)
		return r;
	storm->bare[i] = (struct bare)BARE_NONE;
	storm->layer_count++;

	/* They have their lowers in common. */
	return open_bare(c, storm->ids[i], i ? &storm->bare[0] : NULL, &storm->bare[i], err);
}

static int setup_storm(struct bench_case *c, struct ovl2_error *err)
{
	struct storm *storm = calloc(1, sizeof(*storm));
	int r = 0;

	if (!storm)
		return ovi_fail_memory(err);
	c->state = storm;
	while (r == 0 && storm->layer_count < c->value)
		r = add_layer(c, storm, err);

	return r;
}

static int teardown_storm(struct bench_case *c, struct ovl2_error *err)
{
	struct storm *storm = c->state;
	int r = 0;

	if (!storm)
		return 0;
	for (size_t i = 0; i < storm->layer_count; i++) {
		/* Mounted still only if a hook failed. */
		if (storm->bare[i].spec)
			umount2(storm->bare[i].spec->target, MNT_DETACH);
		bare_close(&storm->bare[i]);
		if (r == 0)
			r = ovl2_layer_remove(c->place->hasty, storm->ids[i], err);
	}
	free(storm);
	c->state = NULL;

	return r;
}

static int cycle_ours(struct bench_case *c, size_t i, double *ret_ns, struct ovl2_error *err)
{
	const struct storm *storm = c->state;
	double from = runner_clock_ns();
	int r;

	r = ovl2_layer_mount(c->place->store, storm->ids[i], NULL, NULL, err);
	*ret_ns = runner_clock_ns() - from;
	if (r == 0)
		r = ovl2_layer_unmount(c->place->store, storm->ids[i], err);

	return r < 0 ? r : 0;
}

static int cycle_floor(struct bench_case *c, size_t i, double *ret_ns, struct ovl2_error *err)
{
	const struct storm *storm = c->state;
	double from = runner_clock_ns();
	int r;

	r = bare_mount(&storm->bare[i], err);
	*ret_ns = runner_clock_ns() - from;
	if (r == 0)
		r = bare_unmount(&storm->bare[i], err);

	return r;
}

/* The next as soon as one is done. */
static void *run_share(void *data)
{
	struct share *share = data;

	for (int turn = 0; turn < TURNS && share->result == 0; turn++)
		share->result =
			share->cycle(share->c, share->layer, &share->latency_ns[turn], &share->err);

	return NULL;
}

static int start_threads(struct share *shares, pthread_t *threads, size_t count,
                         size_t *ret_started, struct ovl2_error *err)
{
	for (*ret_started = 0; *ret_started < count; (*ret_started)++) {
		size_t i = *ret_started;
		int sys = pthread_create(&threads[i], NULL, run_share, &shares[i]);

		if (sys) {
			errno = sys;
			return ovi_fail_errno(err, "start a thread");
		}
	}

	return 0;
}

static int run_storm(struct bench_case *c, cycle_fn *cycle, struct bench_latency *latency,
                     struct ovl2_error *err)
{
	struct share shares[MAX_THREADS] = { { .c = NULL } };
	pthread_t threads[MAX_THREADS];
	size_t started;
	double *latency_ns = runner_add_latency(latency, c->value * TURNS);
	int r;

	if (!latency_ns)
		return ovi_fail_memory(err);
	for (size_t i = 0; i < c->value; i++)
		shares[i] = (struct share){
			.c = c,
			.cycle = cycle,
			.layer = i,
			.latency_ns = latency_ns + i * TURNS,
		};

	r = start_threads(shares, threads, c->value, &started, err);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < started && r == 0; i++) {
		r = shares[i].result;
		if (r < 0 && err)
			*err = shares[i].err;
	}

	return r;
}

static int storm_ours(struct bench_case *c, struct ovl2_error *err)
{
	return run_storm(c, cycle_ours, &c->ours_latency, err);
}

static int storm_floor(struct bench_case *c, struct ovl2_error *err)
{
	return run_storm(c, cycle_floor, &c->floor_latency, err);
}

static const uint64_t thread_values[] = { 1, 4, 16, MAX_THREADS, 0 };

static const struct bench_variant storm_variants[] = {
	{ "32 lowers", thread_values },
	{ 0 },
};

const struct bench bench_mount_storm = {
	.id = "mount_storm",
	.is_spread = 1,
	.title = "Mount and unmount a layer twice in each of this many threads",
	.group = "mount",
	.parameter = "threads",
	.variants = storm_variants,
	.weight = 2,
	.setup = setup_storm,
	.teardown = teardown_storm,
	.ours = { "ovl2_layer_mount, ovl2_layer_unmount", NULL, storm_ours, NULL },
	.floor = { "bare system calls, descriptors at hand", NULL, storm_floor, NULL },
};

/* -------------------------------------------------------------- many_mounts -- */

#define LIVE "live"

struct crowd {
	char id[PLACE_ID_SIZE];
	int is_created;
	struct bare bare;

	/* Those that are there already: each an upper of its own on the same lowers. */
	size_t live_count;
};

static uint64_t crowd_lowers(const struct bench_case *c)
{
	return strcmp(c->variant, "32 lowers") == 0 ? 32 : 1;
}

/* As the layer's own mount, but for the directories that only one mount may have. */
static int mount_live(struct bench_case *c, struct crowd *crowd, struct ovl2_error *err)
{
	static const char *const names[] = { "upper", "work", "merged" };
	char paths[ARRAY_SIZE(names)][sizeof(PLACE_ROOT) + 48];
	struct ovl2_mount_spec spec = *crowd->bare.spec;
	struct bare bare = crowd->bare;
	size_t number = crowd->live_count;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(paths[i], sizeof(paths[i]), PLACE_ROOT "/" LIVE "/%s-%zu", names[i],
		         number);
		if (mkdirat(c->place->root, paths[i], 0700) < 0)
			return ovi_fail_errno(err, "create '%s'", paths[i]);
	}
	spec.target = paths[2];
	bare.spec = &spec;
	bare.upper = open(paths[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
	bare.work = open(paths[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (bare.upper < 0 || bare.work < 0)
		r = ovi_fail_errno(err, "open '%s' and '%s'", paths[0], paths[1]);
	else
		r = bare_mount(&bare, err);
	ovi_close_fd(&bare.upper);
	ovi_close_fd(&bare.work);
	crowd->live_count += r == 0;

	return r;
}

static int setup_crowd(struct bench_case *c, struct ovl2_error *err)
{
	const struct ovl2_mount_options by_fd = { .size = sizeof(by_fd), .method = OVL2_MOUNT_FD };
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	struct ovl2_evidence evidence = { .value = 0 };
	int r;

	if (!crowd)
		return ovi_fail_memory(err);
	c->state = crowd;
	crowd->bare = (struct bare)BARE_NONE;

	r = ovl2_probe_mount_method(c->place->root, OVL2_MOUNT_FD, &evidence, err);
	if (r == 0)
		snprintf(c->skipped, sizeof(c->skipped), "%s", evidence.text);
	if (r <= 0)
		return r;

	r = place_create_layer(c->place, crowd_lowers(c), crowd->id, err);
	if (r < 0)
		return r;
	crowd->is_created = 1;
	r = bare_open(c->place->hasty, crowd->id, &by_fd, NULL, &crowd->bare, err);
	if (r == 0 && mkdirat(c->place->root, LIVE, 0700) < 0)
		r = ovi_fail_errno(err, "create '" PLACE_ROOT "/" LIVE "'");
	while (r == 0 && crowd->live_count < c->value)
		r = mount_live(c, crowd, err);

	return r;
}

static int teardown_crowd(struct bench_case *c, struct ovl2_error *err)
{
	struct crowd *crowd = c->state;
	int r;

	if (!crowd)
		return 0;
	while (crowd->live_count > 0) {
		char target[sizeof(PLACE_ROOT) + 48];

		snprintf(target, sizeof(target), PLACE_ROOT "/" LIVE "/merged-%zu",
		         --crowd->live_count);
		umount2(target, MNT_DETACH);
	}
	if (crowd->bare.spec)
		umount2(crowd->bare.spec->target, MNT_DETACH);
	bare_close(&crowd->bare);
	r = place_remove(c->place, LIVE, err);
	if (r == 0 && crowd->is_created)
		r = ovl2_layer_remove(c->place->hasty, crowd->id, err);
	free(crowd);
	c->state = NULL;

	return r;
}

static int mount_ours(struct bench_case *c, struct ovl2_error *err)
{
	const struct crowd *crowd = c->state;

	return ovl2_layer_mount(c->place->store, crowd->id, NULL, NULL, err);
}

static int unmount_ours(struct bench_case *c, struct ovl2_error *err)
{
	const struct crowd *crowd = c->state;
	int r = ovl2_layer_unmount(c->place->store, crowd->id, err);

	return r < 0 ? r : 0;
}

static int mount_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct crowd *crowd = c->state;

	return bare_mount(&crowd->bare, err);
}

static int unmount_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct crowd *crowd = c->state;

	return bare_unmount(&crowd->bare, err);
}

static const uint64_t live_values[] = { 1, 10, 100, 1000, 0 };

static const struct bench_variant crowd_variants[] = {
	{ "1 lower", live_values },
	{ "32 lowers", live_values },
	{ 0 },
};

const struct bench bench_many_mounts = {
	.id = "many_mounts",
	.title = "Mount a layer while this many others are mounted",
	.group = "mount",
	.parameter = "live mounts",
	.variants = crowd_variants,
	.weight = 1,
	.setup = setup_crowd,
	.teardown = teardown_crowd,
	.ours = { "ovl2_layer_mount", NULL, mount_ours, unmount_ours },
	.floor = { "bare system calls, descriptors at hand", NULL, mount_floor, unmount_floor },
};
