#include "families.h"
#include "place.h"
#include "walk.h"

#include "cleanup.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

/*
 * What a store costs that has many layers: opening it, listing it, looking for one
 * layer, mounting one and checking all. Stores of their own, which grow from value to value, in
 * stacks of ten layers as images are. The floors do what has to be done whatever the
 * code: the same directories read, the same files opened.
 */

#define STACK 10
#define MOUNT_LOWERS 5

/* Ten thousand layers take a while to make; a first look does without. */
#define FULL_TIER_ONLY 10000

static const uint64_t layer_values[] = { 100, 1000, FULL_TIER_ONLY, 0 };

struct state {
	char path[64];
	struct ovl2_store *store;
	struct ovl2_mount_spec *spec;
	int home;

	/* The layer to look for, in the middle of all. */
	char id[32];
};

static void name_layer(uint64_t number, char ret_id[32])
{
	snprintf(ret_id, 32, "layer-%06llu", (unsigned long long)number);
}

static int open_store(struct state *state, struct ovl2_store **ret_store, struct ovl2_error *err)
{
	const struct ovl2_store_options options = {
		.size = sizeof(options),
		.durability = OVL2_DURABILITY_NONE,
		.run_directory = PLACE_ROOT "/run",
	};

	return ovl2_store_open(state->path, &options, ret_store, err);
}

/* Stacks of ten; what an earlier case made stays. */
static int make_layers(struct state *state, uint64_t count, struct ovl2_error *err)
{
	char last[32];
	int r;

	name_layer(count - 1, last);
	r = ovl2_layer_exists(state->store, last, err);
	for (uint64_t i = 0; i < count && r == 0; i++) {
		struct ovl2_layer_options options = { .size = sizeof(options) };
		char parent[32];
		char id[32];

		name_layer(i, id);
		if (i % STACK) {
			name_layer(i - 1, parent);
			options.parent = parent;
		}
		r = ovl2_layer_create(state->store, id, &options, err);
	}

	return r < 0 ? r : 0;
}

static int setup(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = NULL;
	int r;

	if (c->value >= FULL_TIER_ONLY && c->place->tier != BENCH_TIER_FULL) {
		snprintf(c->skipped, sizeof(c->skipped),
		         "so many layers are made for --tier full only");
		return 0;
	}
	if (c->value > layer_values[0] && c->place->tier == BENCH_TIER_SMOKE) {
		snprintf(c->skipped, sizeof(c->skipped),
		         "so many layers are not made for a smoke test");
		return 0;
	}

	state = calloc(1, sizeof(*state));
	if (!state)
		return ovi_fail_memory(err);
	c->state = state;
	state->home = -1;
	snprintf(state->path, sizeof(state->path), PLACE_ROOT "/scale-%llu",
	         (unsigned long long)c->value);
	r = open_store(state, &state->store, err);
	if (r == 0)
		r = make_layers(state, c->value, err);
	if (r < 0)
		return r;
	state->home = open(state->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state->home < 0)
		return ovi_fail_errno(err, "open '%s'", state->path);
	name_layer(c->value / 2 + MOUNT_LOWERS, state->id);

	return place_settle(c->place, err);
}

static int teardown(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	(void)err;
	if (!state)
		return 0;
	ovl2_mount_spec_free(state->spec);
	ovl2_store_close(state->store);
	ovi_close_fd(&state->home);
	free(state);
	c->state = NULL;

	return 0;
}

/* ------------------------------------------------------------------------- open -- */

static int run_open(struct bench_case *c, struct ovl2_error *err)
{
	struct ovl2_store *store = NULL;
	int r = open_store(c->state, &store, err);

	ovl2_store_close(store);

	return r;
}

static int run_open_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	if (walk_touch(AT_FDCWD, state->path, O_RDONLY | O_DIRECTORY) < 0 ||
	    walk_touch(state->home, ".ovl2/format", O_RDONLY) < 0 ||
	    walk_touch(state->home, ".ovl2/staging", O_RDONLY | O_DIRECTORY) < 0 ||
	    walk_touch(state->home, ".ovl2/trash", O_RDONLY | O_DIRECTORY) < 0)
		return ovi_fail_errno(err, "open the store's own files");

	return 0;
}

/* ------------------------------------------------------------------------- list -- */

static int count_layer(void *data, const struct ovl2_layer_info *layer)
{
	(void)layer;
	++*(uint64_t *)data;

	return 0;
}

static int run_list(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	uint64_t count = 0;
	int r = ovl2_store_list(state->store, count_layer, &count, err);

	if (r == 0 && count != c->value)
		return ovi_fail(err, OVL2_E_SYSTEM, "%llu layers were listed",
		                (unsigned long long)count);

	return r;
}

static int run_list_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	cleanup_dir DIR *dir = opendir(state->path);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return ovi_fail_errno(err, "list '%s'", state->path);
	while ((entry = readdir(dir)))
		if (r == 0 && strncmp(entry->d_name, "layer-", 6) == 0)
			r = walk_layer(state->home, entry->d_name, err);

	return r;
}

/* ----------------------------------------------------------------------- exists -- */

static int run_exists(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	int r = ovl2_layer_exists(state->store, state->id, err);

	if (r == 0)
		return ovi_fail(err, OVL2_E_NOT_FOUND, "there is no layer '%s'", state->id);

	return r < 0 ? r : 0;
}

static int run_exists_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	struct stat st;

	if (fstatat(state->home, state->id, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(err, "look at '%s'", state->id);

	return 0;
}

/* ------------------------------------------------------------------------ mount -- */

static int setup_mount(struct bench_case *c, struct ovl2_error *err)
{
	const struct ovl2_mount_options absolute = {
		.size = sizeof(absolute),
		.method = OVL2_MOUNT_ABSOLUTE,
	};
	struct state *state;
	int r = setup(c, err);

	state = c->state;
	if (r < 0 || *c->skipped)
		return r;

	return ovl2_layer_mount_spec(state->store, state->id, &absolute, &state->spec, err);
}

static int run_mount(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return ovl2_layer_mount(state->store, state->id, NULL, NULL, err);
}

static int after_mount(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	int r = ovl2_layer_unmount(state->store, state->id, err);

	return r < 0 ? r : 0;
}

static int run_mount_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct ovl2_mount_spec *spec = ((const struct state *)c->state)->spec;

	if (mount("overlay", spec->target, "overlay", 0, spec->data) < 0)
		return ovi_fail_errno(err, "mount on '%s'", spec->target);

	return 0;
}

static int after_mount_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct ovl2_mount_spec *spec = ((const struct state *)c->state)->spec;

	if (umount2(spec->target, 0) < 0)
		return ovi_fail_errno(err, "unmount '%s'", spec->target);

	return 0;
}

/* ------------------------------------------------------------------------ check -- */

static int count_problem(void *data, const struct ovl2_problem *problem)
{
	(void)problem;
	++*(uint64_t *)data;

	return 0;
}

static int run_check(struct bench_case *c, struct ovl2_error *err)
{
	const struct ovl2_check_options options = { .size = sizeof(options), .no_mount = 1 };
	const struct state *state = c->state;
	uint64_t count = 0;
	int r = ovl2_store_check(state->store, &options, count_problem, &count, err);

	if (r >= 0 && count)
		return ovi_fail(err, OVL2_E_CORRUPT, "%llu problems were found",
		                (unsigned long long)count);

	return r < 0 ? r : 0;
}

/* ------------------------------------------------------------------------- rows -- */

static const struct bench_variant variants[] = { { "stacks of 10", layer_values }, { 0 } };

const struct bench bench_scale_open = {
	.id = "scale_open",
	.title = "Open and close a store of this many layers",
	.group = "scale",
	.parameter = "layers",
	.variants = variants,
	.weight = 1,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_store_open, ovl2_store_close", NULL, run_open, NULL },
	.floor = { "open, read: the store's own files", NULL, run_open_floor, NULL },
};

const struct bench bench_scale_list = {
	.id = "scale_list",
	.title = "List all layers of a store of this many",
	.group = "scale",
	.parameter = "layers",
	.variants = variants,
	.weight = 2,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_store_list", NULL, run_list, NULL },
	.floor = { "readdir, and open and read three files of each", NULL, run_list_floor, NULL },
};

const struct bench bench_scale_exists = {
	.id = "scale_exists",
	.title = "Look for a layer in a store of this many",
	.group = "scale",
	.parameter = "layers",
	.variants = variants,
	.weight = 1,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_exists", NULL, run_exists, NULL },
	.floor = { "fstatat(2)", NULL, run_exists_floor, NULL },
};

const struct bench bench_scale_mount = {
	.id = "scale_mount",
	.title = "Mount a layer in a store of this many",
	.group = "scale",
	.parameter = "layers",
	.variants = variants,
	.weight = 1,
	.setup = setup_mount,
	.teardown = teardown,
	.ours = { "ovl2_layer_mount", NULL, run_mount, after_mount },
	.floor = { "mount(2), data at hand", NULL, run_mount_floor, after_mount_floor },
};

const struct bench bench_scale_check = {
	.id = "scale_check",
	.title = "Check a store of this many layers, without mounting them",
	.group = "scale",
	.parameter = "layers",
	.variants = variants,
	.weight = 4,
	.is_full_only = 1,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_store_check", NULL, run_check, NULL },
	.floor = { "readdir, and open and read three files of each", NULL, run_list_floor, NULL },
};
