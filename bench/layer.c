#include "families.h"
#include "place.h"
#include "seed.h"

#include "cleanup.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/*
 * What docker create and docker rm cost in storage: a layer made and deleted, once
 * without any sync and once as it comes, with the layer on disk when the call
 * returns. The floor makes the very files and directories that the library makes,
 * in a staging directory, publishes them by a rename and deletes them by way of a
 * trash directory, with the same syncs; it checks nothing and locks nothing. The peer
 * is what Docker's driver calls, which knows no sync; where ours is durable one follows.
 */

#define FLOOR "layer-floor"
#define FLOOR_HOME PLACE_ROOT "/" FLOOR
#define SEED "layer-seed"
#define SEED_HOME PLACE_ROOT "/" SEED

/* link, lower, the record; diff, work, merged. */
#define MAX_ENTRIES 16

static const uint64_t values[] = { 1, 16, 127, 0 };

struct entry {
	char name[64];

	/* NULL for a directory. */
	char *content;
	size_t size;
};

struct state {
	struct ovl2_store *store;
	const char *parent;
	int is_durable;

	/* Of the layer made last. */
	char id[PLACE_ID_SIZE];

	/* What a layer consists of, as the library made one. */
	struct entry entries[MAX_ENTRIES];
	size_t count;
	int floor;
};

/* ------------------------------------------------------------------ setup -- */

static int read_content(int dir, struct entry *entry, struct ovl2_error *err)
{
	cleanup_fd int fd = openat(dir, entry->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return ovi_fail_errno(err, "open '%s'", entry->name);
	entry->size = (size_t)st.st_size;
	entry->content = calloc(1, entry->size + 1);
	if (!entry->content)
		return ovi_fail_memory(err);
	if (read(fd, entry->content, entry->size) != st.st_size)
		return ovi_fail_errno(err, "read '%s'", entry->name);

	return 0;
}

static int read_sample(struct bench_case *c, struct state *state, const char *id,
                       struct ovl2_error *err)
{
	cleanup_dir DIR *dir = NULL;
	cleanup_fd int fd = openat(c->place->home, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *found;

	if (fd < 0 || !(dir = fdopendir(fd)))
		return ovi_fail_errno(err, "list layer '%s'", id);
	steal_fd(&fd);

	while ((found = readdir(dir))) {
		struct entry *entry = &state->entries[state->count];
		int r;

		if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
			continue;
		if (state->count == MAX_ENTRIES || strlen(found->d_name) >= sizeof(entry->name))
			return ovi_fail(err, OVL2_E_SYSTEM,
			                "layer '%s' has more in it than expected", id);
		snprintf(entry->name, sizeof(entry->name), "%.63s", found->d_name);
		state->count++;
		if (found->d_type == DT_DIR)
			continue;
		r = read_content(dirfd(dir), entry, err);
		if (r < 0)
			return r;
	}

	return 0;
}

static int open_floor(struct state *state, struct ovl2_error *err)
{
	if (mkdir(FLOOR_HOME, 0700) < 0 || mkdir(FLOOR_HOME "/l", 0700) < 0 ||
	    mkdir(FLOOR_HOME "/staging", 0700) < 0 || mkdir(FLOOR_HOME "/trash", 0700) < 0)
		return ovi_fail_errno(err, "create '%s'", FLOOR_HOME);
	state->floor = open(FLOOR_HOME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state->floor < 0)
		return ovi_fail_errno(err, "open '%s'", FLOOR_HOME);

	return 0;
}

static int open_seed(const struct state *state, struct ovl2_error *err)
{
	for (size_t i = 0; i < state->count; i++)
		if (strcmp(state->entries[i].name, "lower") == 0)
			return seed_open(SEED_HOME, state->entries[i].content, err);

	return ovi_fail(err, OVL2_E_SYSTEM, "the layer has no lowers");
}

static int setup(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = calloc(1, sizeof(*state));
	char id[PLACE_ID_SIZE];
	int r;

	if (!state)
		return ovi_fail_memory(err);
	c->state = state;
	state->floor = -1;
	state->is_durable = strcmp(c->variant, "none") != 0;
	state->store = state->is_durable ? c->place->store : c->place->hasty;

	r = place_chain(c->place, c->value, &state->parent, err);
	if (r == 0)
		r = place_create_layer(c->place, c->value, id, err);
	if (r < 0)
		return r;
	r = read_sample(c, state, id, err);
	if (r == 0)
		r = ovl2_layer_remove(c->place->hasty, id, err);
	if (r == 0)
		r = open_floor(state, err);

	return r < 0 ? r : open_seed(state, err);
}

static int teardown(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r;

	if (!state)
		return 0;
	for (size_t i = 0; i < state->count; i++)
		free(state->entries[i].content);
	ovi_close_fd(&state->floor);
	free(state);
	c->state = NULL;

	r = place_remove(c->place, FLOOR, err);

	return r < 0 ? r : place_remove(c->place, SEED, err);
}

static int settle(struct bench_case *c, struct ovl2_error *err)
{
	return place_settle(c->place, err);
}

/* ------------------------------------------------------------------- ours -- */

static int run_create(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	const struct ovl2_layer_options options = {
		.size = sizeof(options),
		.parent = state->parent,
		.read_write = 1,
	};

	place_new_id(c->place, state->id);

	return ovl2_layer_create(state->store, state->id, &options, err);
}

static int run_remove(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	return ovl2_layer_remove(state->store, state->id, err);
}

static int run_ours(struct bench_case *c, struct ovl2_error *err)
{
	int r = run_create(c, err);

	return r < 0 ? r : run_remove(c, err);
}

/* ------------------------------------------------------------------ floor -- */

static int make_entry(int dir, const struct entry *entry)
{
	cleanup_fd int fd = -1;

	if (!entry->content)
		return mkdirat(dir, entry->name, 0700);

	fd = openat(dir, entry->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;

	return write(fd, entry->content, entry->size) == (ssize_t)entry->size ? 0 : -1;
}

static int create_floor(const struct state *state)
{
	cleanup_fd int dir = -1;

	if (mkdirat(state->floor, "staging/new", 0700) < 0)
		return -1;
	dir = openat(state->floor, "staging/new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	for (size_t i = 0; i < state->count; i++)
		if (make_entry(dir, &state->entries[i]) < 0)
			return -1;

	if (symlinkat("../layer/diff", state->floor, "l/ABCDEFGHIJKLMNOPQRSTUVWXYZ") < 0)
		return -1;
	if (state->is_durable && syncfs(state->floor) < 0)
		return -1;
	if (renameat(state->floor, "staging/new", state->floor, "layer") < 0)
		return -1;

	return state->is_durable ? fsync(state->floor) : 0;
}

static int remove_floor(const struct state *state)
{
	cleanup_fd int dir = -1;

	if (renameat(state->floor, "layer", state->floor, "trash/old") < 0 ||
	    unlinkat(state->floor, "l/ABCDEFGHIJKLMNOPQRSTUVWXYZ", 0) < 0)
		return -1;

	dir = openat(state->floor, "trash/old", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	for (size_t i = 0; i < state->count; i++)
		if (unlinkat(dir, state->entries[i].name,
		             state->entries[i].content ? 0 : AT_REMOVEDIR) < 0)
			return -1;

	return unlinkat(state->floor, "trash/old", AT_REMOVEDIR);
}

static int run_create_floor(struct bench_case *c, struct ovl2_error *err)
{
	if (create_floor(c->state) < 0)
		return ovi_fail_errno(err, "create a layer in '%s'", FLOOR_HOME);

	return 0;
}

static int run_remove_floor(struct bench_case *c, struct ovl2_error *err)
{
	if (remove_floor(c->state) < 0)
		return ovi_fail_errno(err, "remove a layer in '%s'", FLOOR_HOME);

	return 0;
}

static int run_floor(struct bench_case *c, struct ovl2_error *err)
{
	int r = run_create_floor(c, err);

	return r < 0 ? r : run_remove_floor(c, err);
}

/* --------------------------------------------------------------- one of them -- */

static int create_and_settle(struct bench_case *c, struct ovl2_error *err)
{
	int r = run_create(c, err);

	return r < 0 ? r : place_settle(c->place, err);
}

static int create_floor_and_settle(struct bench_case *c, struct ovl2_error *err)
{
	int r = run_create_floor(c, err);

	return r < 0 ? r : place_settle(c->place, err);
}

/* ------------------------------------------------------------------- peer -- */

static int run_seed(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	char id[PLACE_ID_SIZE];
	int r;

	place_new_id(c->place, id);
	r = seed_create(SEED_HOME, id, err);
	if (r == 0 && state->is_durable && syncfs(state->floor) < 0)
		r = ovi_fail_errno(err, "flush the filesystem");

	return r < 0 ? r : seed_remove(SEED_HOME, id, err);
}

/* ------------------------------------------------------------------- rows -- */

static const struct bench_variant variants[] = { { "none", values }, { "commit", values }, { 0 } };

const struct bench bench_create_remove = {
	.id = "create_remove",
	.title = "Create a layer on this many lowers and remove it",
	.group = "layer",
	.parameter = "lowers",
	.variants = variants,
	.weight = 2,
	/* Removing looks at every layer of the store. */
	.is_first = 1,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_create, ovl2_layer_remove", settle, run_ours, NULL },
	.floor = { "mkdir, write, symlink, rename, unlink, the same syncs", settle, run_floor,
	           NULL },
	.peer = { "the calls of Docker's overlay2 of 2017, and syncfs where ours is durable",
	          settle, run_seed, NULL },
};

const struct bench bench_layer_create = {
	.id = "layer_create",
	.title = "Create a layer on this many lowers",
	.group = "layer",
	.parameter = "lowers",
	.variants = variants,
	.weight = 2,
	.is_full_only = 1,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_create", settle, run_create, run_remove },
	.floor = { "mkdir, write, symlink, rename, the same syncs", settle, run_create_floor,
	           run_remove_floor },
};

const struct bench bench_layer_remove = {
	.id = "layer_remove",
	.title = "Remove a layer from this many lowers",
	.group = "layer",
	.parameter = "lowers",
	.variants = variants,
	.weight = 2,
	.is_full_only = 1,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_remove", create_and_settle, run_remove, NULL },
	.floor = { "rename, unlink, rmdir", create_floor_and_settle, run_remove_floor, NULL },
};
