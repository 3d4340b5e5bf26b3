#include "bare.h"
#include "families.h"
#include "fill.h"
#include "place.h"
#include "walk.h"

#include "cleanup.h"
#include "fail.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The benchmarks of Docker's graph drivers (daemon/graphdriver/graphtest), with their
 * names, files and sizes, so that figures can be set side by side: `go test -bench` there,
 * `ovl2-bench --only graph_...` here. The bytes in the files are ours.
 */

#define EXISTS_CALLS 1000
#define FILES_A_DIRECTORY 100
#define FILE_BYTES 64
#define MAX_LAYERS 20

struct graph {
	/* Files of the layer below and of the one that is diffed. */
	uint64_t base_files;
	uint64_t upper_files;

	/* So many layers, each with the files of addManyLayers; 0 for the two above. */
	uint64_t layers;

	/* The three files of DriverBenchDiffBase in place of them. */
	int is_base;
};

struct state {
	char ids[MAX_LAYERS + 1][PLACE_ID_SIZE];
	size_t layer_count;
	struct ovl2_mount_spec *spec; /* of the topmost */
	int is_mounted;

	/* The floor's: the same files in a plain directory; where it mounts. */
	int plain;
	struct bare bare;
	uint64_t bytes;

	/* The diff of diff_apply, and the layer that it is applied to. */
	int tar;
	char applied[PLACE_ID_SIZE];
};

static const struct graph *detail(const struct bench_case *c)
{
	return c->bench->detail;
}

/* A hundredth of it where it is only looked whether it works. */
static uint64_t scaled(const struct bench_case *c, uint64_t count)
{
	return c->place->tier == BENCH_TIER_SMOKE && count > 100 ? count / 100 : count;
}

/* ------------------------------------------------------------------ content -- */

/* addManyFiles: "directory-0/file-0" and on, a hundred in each. */
static int fill_many(int dir, uint64_t count, uint64_t seed, struct ovl2_error *err)
{
	for (uint64_t i = 0; i < count; i += FILES_A_DIRECTORY) {
		cleanup_fd int inner = -1;
		char name[40];
		int r;

		snprintf(name, sizeof(name), "directory-%llu", (unsigned long long)i);
		r = fill_directory(dir, name, &inner, err);
		for (uint64_t j = i; j < count && j < i + FILES_A_DIRECTORY && r == 0; j++) {
			snprintf(name, sizeof(name), "file-%llu", (unsigned long long)j);
			/* Upper and base have files of the same names. */
			unlinkat(inner, name, 0);
			r = fill_file(inner, name, FILE_BYTES, seed + j, err);
		}
		if (r < 0)
			return r;
	}

	return 0;
}

/* DriverBenchDiffBase. */
static int fill_base(int dir, struct ovl2_error *err)
{
	cleanup_fd int inner = -1;
	int r = fill_file(dir, "file-a", 64, 3, err);

	if (r == 0)
		r = fill_directory(dir, "dir-b", &inner, err);
	if (r == 0)
		r = fill_file(inner, "file-b", 128, 3, err);

	return r < 0 ? r : fill_file(dir, "file-c", 16384, 3, err);
}

/* addLayerFiles: what layer `index` of addManyLayers writes. */
static int fill_layer(int dir, uint64_t index, struct ovl2_error *err)
{
	cleanup_fd int inner = -1;
	char name[40];
	int r;

	unlinkat(dir, "top-id", 0);
	snprintf(name, sizeof(name), "layer-%llu", (unsigned long long)index);
	r = fill_file(dir, "top-id", PLACE_ID_SIZE - 1, index, err);
	if (r == 0)
		r = fill_directory(dir, name, &inner, err);
	if (r == 0)
		r = fill_file(inner, "layer-id", PLACE_ID_SIZE - 1, index, err);

	return r < 0 ? r : fill_file(inner, "parent-id", PLACE_ID_SIZE - 1, index + 1, err);
}

static int fill(const struct bench_case *c, int dir, uint64_t index, uint64_t files,
                struct ovl2_error *err)
{
	const struct graph *graph = detail(c);

	if (graph->layers)
		return fill_layer(dir, index, err);

	return graph->is_base ? fill_base(dir, err) : fill_many(dir, files, index * 3, err);
}

/* A layer on the one before, filled through its mount. */
static int add_layer(struct bench_case *c, uint64_t files, struct ovl2_error *err)
{
	struct state *state = c->state;
	size_t index = state->layer_count;
	cleanup_fd int dir = -1;
	char *path = NULL;
	int r;

	r = place_create(c->place, index ? state->ids[index - 1] : NULL, 1, state->ids[index], err);
	if (r < 0)
		return r;
	state->layer_count++;
	r = ovl2_layer_mount(c->place->hasty, state->ids[index], NULL, &path, err);
	if (r < 0)
		return r;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(path);
	r = dir < 0 ? ovi_fail_errno(err, "open a layer") : fill(c, dir, index, files, err);
	ovi_close_fd(&dir);
	dir = -1;

	return r < 0 ? r : ovl2_layer_unmount(c->place->hasty, state->ids[index], err);
}

/* ------------------------------------------------------------------ set-up -- */

static int setup(struct bench_case *c, struct ovl2_error *err)
{
	const struct graph *graph = detail(c);
	struct state *state = calloc(1, sizeof(*state));
	int r = 0;

	if (!state)
		return ovi_fail_memory(err);
	*state = (struct state){ .plain = -1, .tar = -1, .bare = BARE_NONE };
	c->state = state;

	if (graph->layers)
		for (uint64_t i = 0; i < graph->layers && r == 0; i++)
			r = add_layer(c, 0, err);
	else
		r = add_layer(c, scaled(c, graph->base_files), err);
	if (r == 0 && graph->upper_files)
		r = add_layer(c, scaled(c, graph->upper_files), err);
	if (r == 0)
		r = ovl2_layer_mount_spec(c->place->hasty, state->ids[state->layer_count - 1], NULL,
		                          &state->spec, err);
	if (r < 0)
		return r;
	c->files = scaled(c, graph->upper_files ? graph->upper_files : graph->base_files);

	return place_settle(c->place, err);
}

static const char *top(const struct state *state)
{
	return state->ids[state->layer_count - 1];
}

static int setup_mount(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state;
	int r = setup(c, err);

	state = c->state;

	return r < 0 ? r : bare_open(c->place->hasty, top(state), NULL, NULL, &state->bare, err);
}

/* The floor's directory with what the overlay shows, and the overlay. */
static int setup_read(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state;
	int r = setup(c, err);

	state = c->state;
	if (r == 0)
		r = fill_directory(c->place->root, "plain", &state->plain, err);
	for (uint64_t i = 0; i < detail(c)->layers && r == 0; i++)
		r = fill_layer(state->plain, i, err);
	if (r == 0)
		r = ovl2_layer_mount(c->place->hasty, top(state), NULL, NULL, err);
	state->is_mounted = r == 0;

	return r;
}

static int setup_apply(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state;
	int r = setup(c, err);

	state = c->state;
	if (r < 0)
		return r;
	state->tar = memfd_create("diff", MFD_CLOEXEC);

	return state->tar < 0 ? ovi_fail_errno(err, "make a file in memory") : 0;
}

static int teardown(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r = 0;

	if (!state)
		return 0;
	if (state->is_mounted)
		r = ovl2_layer_unmount(c->place->hasty, top(state), err);
	bare_close(&state->bare);
	ovi_close_fd(&state->plain);
	ovi_close_fd(&state->tar);
	if (r == 0)
		r = place_remove(c->place, "plain", err);
	while (state->layer_count > 0 && r == 0)
		r = ovl2_layer_remove(c->place->hasty, state->ids[--state->layer_count], err);
	ovl2_mount_spec_free(state->spec);
	free(state);
	c->state = NULL;

	return r;
}

/* -------------------------------------------------------------------- work -- */

static int run_exists(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	for (int i = 0; i < EXISTS_CALLS; i++)
		if (ovl2_layer_exists(c->place->store, top(state), err) != 1)
			return ovi_fail(err, OVL2_E_SYSTEM, "a layer is not there");

	return 0;
}

static int run_stat(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	struct stat st;

	for (int i = 0; i < EXISTS_CALLS; i++)
		if (fstatat(c->place->home, top(state), &st, AT_SYMLINK_NOFOLLOW) < 0)
			return ovi_fail_errno(err, "look at a layer");

	return 0;
}

static int run_get(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return ovl2_layer_mount(c->place->hasty, top(state), NULL, NULL, err);
}

static int after_get(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return ovl2_layer_unmount(c->place->hasty, top(state), err);
}

static int run_bare(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return bare_mount(&state->bare, err);
}

static int after_bare(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return bare_unmount(&state->bare, err);
}

static int drop(void *data, const void *bytes, size_t length)
{
	(void)bytes;
	*(uint64_t *)data += length;

	return 0;
}

static int run_diff(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	const struct ovl2_diff_options options = {
		.size = sizeof(options),
		.write = drop,
		.write_data = &state->bytes,
	};

	return ovl2_layer_diff(c->place->hasty, top(state), &options, -1, err);
}

static int run_walk(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	struct walk_count count = { 0 };

	return walk_read(state->spec->upper, &count, err);
}

/* Create on the base, diff, apply: what moving a layer to another host costs both ends. */
static int run_diff_apply(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r = place_create(c->place, state->ids[0], 0, state->applied, err);

	if (r == 0 && ftruncate(state->tar, 0) < 0)
		r = ovi_fail_errno(err, "empty a file in memory");
	lseek(state->tar, 0, SEEK_SET);
	if (r == 0)
		r = ovl2_layer_diff(c->place->hasty, top(state), NULL, state->tar, err);
	lseek(state->tar, 0, SEEK_SET);

	return r < 0 ? r
	             : ovl2_layer_apply(c->place->hasty, state->applied, NULL, state->tar, NULL,
	                                err);
}

static int after_diff_apply(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return ovl2_layer_remove(c->place->hasty, state->applied, err);
}

static int run_read_write(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	struct walk_count count = { 0 };
	int r = walk_read(state->spec->upper, &count, err);

	if (r == 0)
		r = fill_directory(c->place->root, "plain", &state->plain, err);

	return r < 0 ? r : fill_many(state->plain, c->files, 3, err);
}

static int after_read_write(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	ovi_close_fd(&state->plain);
	state->plain = -1;

	return place_remove(c->place, "plain", err);
}

/* DriverBenchDeepLayerRead: the ids of all layers. */
static int read_ids(const char *root, uint64_t layers, struct ovl2_error *err)
{
	char path[PATH_MAX];
	char id[PLACE_ID_SIZE];

	for (uint64_t i = 0; i < 2 * layers + 1; i++) {
		cleanup_fd int fd = -1;

		if (i == 0)
			snprintf(path, sizeof(path), "%s/top-id", root);
		else
			snprintf(path, sizeof(path), "%s/layer-%llu/%s-id", root,
			         (unsigned long long)(i - 1) / 2, i % 2 ? "layer" : "parent");
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, id, sizeof(id)) != PLACE_ID_SIZE - 1)
			return ovi_fail_errno(err, "read '%s'", path);
	}

	return 0;
}

static int run_deep_read(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return read_ids(state->spec->target, detail(c)->layers, err);
}

static int run_plain_read(struct bench_case *c, struct ovl2_error *err)
{
	return read_ids(PLACE_ROOT "/plain", detail(c)->layers, err);
}

/* ------------------------------------------------------------------- table -- */

static const struct bench_variant graph_variants[] = { { "graphtest", NULL }, { 0 } };

#define GRAPH(name, id_, title_, ...)                                         \
	const struct bench bench_graph_##name = { .id = id_,                  \
		                                  .title = title_,            \
		                                  .group = "graphtest",       \
		                                  .variants = graph_variants, \
		                                  .weight = 2,                \
		                                  .is_full_only = 1,          \
		                                  .teardown = teardown,       \
		                                  __VA_ARGS__ }

#define DIFF(name, id_, title_, ...)                                      \
	static const struct graph name##_graph = { __VA_ARGS__ };         \
	GRAPH(name, id_, title_, .detail = &name##_graph, .setup = setup, \
	      .ours = { "ovl2_layer_diff", NULL, run_diff, NULL },        \
	      .floor = { "open, fstat, getxattr, read, close", NULL, run_walk, NULL })

/* clang-format off */
static const struct graph one_file = { .base_files = 1 };

GRAPH(exists, "graph_exists", "Exists: ask a thousand times whether a layer is there",
      .detail = &one_file, .setup = setup,
      .ours = { "ovl2_layer_exists", NULL, run_exists, NULL },
      .floor = { "fstatat", NULL, run_stat, NULL });

static const struct graph no_file = { .base_files = 0 };

GRAPH(get_empty, "graph_get_empty", "GetEmpty: mount an empty base layer",
      .detail = &no_file, .setup = setup_mount,
      .ours = { "ovl2_layer_mount", NULL, run_get, after_get },
      .floor = { "the same mount, all at hand", NULL, run_bare, after_bare });

DIFF(diff_base, "graph_diff_base", "DiffBase: diff a base layer of three files", .is_base = 1);
DIFF(diff_small_upper, "graph_diff_small_upper", "DiffSmallUpper: diff 10 files over 10",
     .base_files = 10, .upper_files = 10);
DIFF(diff_10k_file_upper, "graph_diff_10k_file_upper",
     "Diff10KFileUpper: diff 10,000 files over 10", .base_files = 10, .upper_files = 10000);
DIFF(diff_10k_files_bottom, "graph_diff_10k_files_bottom",
     "Diff10KFilesBottom: diff 10 files over 10,000", .base_files = 10000, .upper_files = 10);
DIFF(diff_20_layers, "graph_diff_20_layers", "Diff20Layers: diff the topmost of 20 layers",
     .layers = MAX_LAYERS);

static const struct graph hundred_files = { .base_files = 100, .upper_files = 100 };

GRAPH(diff_apply_100, "graph_diff_apply_100",
      "DiffApply100: create a layer, diff 100 files over 100, apply that to it",
      .detail = &hundred_files, .setup = setup_apply,
      .ours = { "ovl2_layer_diff, ovl2_layer_apply", NULL, run_diff_apply, after_diff_apply },
      .floor = { "the files read, and written to a plain directory", NULL, run_read_write,
                 after_read_write });

static const struct graph twenty_layers = { .layers = MAX_LAYERS };

GRAPH(read_20_layers, "graph_read_20_layers",
      "Read20Layers: read 41 files of 20 layers through a mount",
      .detail = &twenty_layers, .setup = setup_read,
      .ours = { "open, read, close in a mounted layer", NULL, run_deep_read, NULL },
      .floor = { "the same in a plain directory", NULL, run_plain_read, NULL });
/* clang-format on */
