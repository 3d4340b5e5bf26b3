#include "bare.h"
#include "families.h"
#include "place.h"

#include "cleanup.h"
#include "fail.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

/*
 * What every start of a container pays: mounting its layer on the image's. The
 * floor does what the library ends up doing, and nothing else: one method, its
 * data or descriptors at hand, the same directories.
 *
 * Values stand on both sides of each limit. 71 lowers fit into the 4095 bytes of
 * mount(2) with absolute paths; 135 with relative ones, or one less where options
 * are added; 500 into fsconfig(2). Docker's own limit is 128, of which an image
 * has 127 and the container's -init layer is one.
 */

/* mount(2) copies one page and cuts its last byte off, without saying so. */
#define DATA_LIMIT_BYTES 4095

#define GRID 1, 2, 4, 8, 16, 32, 64, 71, 72, 100, 127, 128

static const uint64_t absolute_values[] = { GRID, 0 };
static const uint64_t relative_values[] = { GRID, 134, 135, 136, 0 };
static const uint64_t context_values[] = { GRID, 134, 135, 136, 256, 499, 500, 0 };
static const uint64_t few_values[] = { 1, 64, 127, 0 };

struct state {
	char id[PLACE_ID_SIZE];
	int is_created;
	struct ovl2_mount_options options;
	struct bare bare;

	/* For the method relative, whose floor changes directory and back. */
	int directory;
};

/* ------------------------------------------------------------------ setup -- */

static enum ovl2_mount_method find_method(const char *name)
{
	static const enum ovl2_mount_method all[] = { OVL2_MOUNT_ABSOLUTE, OVL2_MOUNT_RELATIVE,
		                                      OVL2_MOUNT_APPEND, OVL2_MOUNT_FD };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (strcmp(name, ovl2_mount_method_name(all[i])) == 0)
			return all[i];

	return OVL2_MOUNT_AUTO;
}

/* Says so in the case when the kernel lacks this method. */
static void check_method(struct bench_case *c, enum ovl2_mount_method method)
{
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };
	int r;

	if (method == OVL2_MOUNT_AUTO)
		return;
	r = ovl2_probe_mount_method(c->place->root, method, &evidence, &err);
	if (r == 0)
		snprintf(c->skipped, sizeof(c->skipped), "%s", evidence.text);
	else if (r < 0)
		snprintf(c->skipped, sizeof(c->skipped), "%s", err.message);
}

/* The spec that a new layer on `lowers` would have. */
static int read_spec(struct bench_case *c, uint64_t lowers, enum ovl2_mount_method method,
                     struct ovl2_mount_spec **ret_spec, struct ovl2_error *err)
{
	const struct ovl2_mount_options options = { .size = sizeof(options), .method = method };
	char id[PLACE_ID_SIZE];
	int r;

	r = place_create_layer(c->place, lowers, id, err);
	if (r < 0)
		return r;
	r = ovl2_layer_mount_spec(c->place->hasty, id, &options, ret_spec, err);
	ovl2_layer_remove(c->place->hasty, id, NULL);

	return r;
}

/*
 * The data of a depth that does not fit, which the library does not make: each
 * lower costs the same, so two that fit tell all.
 */
static int extrapolate_data(struct bench_case *c, enum ovl2_mount_method method,
                            struct ovl2_error *err)
{
	struct ovl2_mount_spec *one = NULL;
	struct ovl2_mount_spec *two = NULL;
	int r;

	r = read_spec(c, 1, method, &one, err);
	if (r == 0)
		r = read_spec(c, 2, method, &two, err);
	if (r == 0)
		c->data_bytes =
			one->data_bytes + (c->value - 1) * (two->data_bytes - one->data_bytes);
	ovl2_mount_spec_free(one);
	ovl2_mount_spec_free(two);

	return r;
}

static int prepare(struct bench_case *c, struct state *state, struct ovl2_error *err)
{
	int r;

	r = place_create_layer(c->place, c->value, state->id, err);
	if (r < 0)
		return r;
	state->is_created = 1;

	r = bare_open(c->place->hasty, state->id, &state->options, NULL, &state->bare, err);
	if (r < 0)
		return r;
	if (state->bare.spec->method == OVL2_MOUNT_ABSOLUTE ||
	    state->bare.spec->method == OVL2_MOUNT_RELATIVE) {
		c->data_bytes = state->bare.spec->data_bytes;
		c->data_limit_bytes = DATA_LIMIT_BYTES;
	}

	return 0;
}

static int setup(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = calloc(1, sizeof(*state));
	struct ovl2_error reason = { 0 };
	int r;

	if (!state)
		return ovi_fail_memory(err);
	c->state = state;
	state->bare = (struct bare)BARE_NONE;
	state->options.size = sizeof(state->options);
	state->options.method = find_method(c->variant);
	state->directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (state->directory < 0)
		return ovi_fail_errno(err, "open the working directory");

	check_method(c, state->options.method);
	if (*c->skipped)
		return 0;

	r = prepare(c, state, &reason);
	if (r == OVL2_E_UNSUPPORTED && state->is_created) {
		snprintf(c->skipped, sizeof(c->skipped), "%s", reason.message);
		if (state->options.method == OVL2_MOUNT_APPEND ||
		    state->options.method == OVL2_MOUNT_FD)
			return 0;
		c->data_limit_bytes = DATA_LIMIT_BYTES;
		return extrapolate_data(c,
		                        OVL2_MOUNT_RELATIVE == state->options.method
		                                ? OVL2_MOUNT_RELATIVE
		                                : OVL2_MOUNT_ABSOLUTE,
		                        err);
	}
	if (r < 0 && err)
		*err = reason;

	return r;
}

static int teardown(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r = 0;

	if (!state)
		return 0;
	/* There, and mounted, still only if a hook failed. */
	if (state->directory >= 0 && fchdir(state->directory) < 0)
		r = ovi_fail_errno(err, "change back to the working directory");
	if (state->is_created) {
		if (state->bare.spec)
			umount2(state->bare.spec->target, MNT_DETACH);
		r = ovl2_layer_remove(c->place->hasty, state->id, err);
	}
	bare_close(&state->bare);
	ovi_close_fd(&state->directory);
	free(state);
	c->state = NULL;

	return r;
}

/* ------------------------------------------------------------------- ours -- */

static int mount_ours(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	return ovl2_layer_mount(c->place->store, state->id, &state->options, NULL, err);
}

static int unmount_ours(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r = ovl2_layer_unmount(c->place->store, state->id, err);

	return r < 0 ? r : 0;
}

/* ------------------------------------------------------------------ floor -- */

static int before_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	if (state->bare.spec->method == OVL2_MOUNT_RELATIVE && fchdir(c->place->home) < 0)
		return ovi_fail_errno(err, "change directory to '%s'", PLACE_HOME);

	return 0;
}

static int mount_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return bare_mount(&state->bare, err);
}

static int unmount_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return bare_unmount(&state->bare, err);
}

static int after_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	int r = unmount_floor(c, err);

	if (r == 0 && state->bare.spec->method == OVL2_MOUNT_RELATIVE &&
	    fchdir(state->directory) < 0)
		return ovi_fail_errno(err, "change back to the working directory");

	return r;
}

static int mount_before_unmount(struct bench_case *c, struct ovl2_error *err)
{
	int r = before_floor(c, err);
	const struct state *state = c->state;

	if (r == 0)
		r = mount_floor(c, err);
	if (r == 0 && fchdir(state->directory) < 0)
		return ovi_fail_errno(err, "change back to the working directory");

	return r;
}

/* ------------------------------------------------------------------- rows -- */

static const struct bench_variant mount_variants[] = {
	{ "auto", context_values },      { "absolute", absolute_values },
	{ "relative", relative_values }, { "append", context_values },
	{ "fd", context_values },        { 0 },
};

const struct bench bench_mount_depth = {
	.id = "mount_depth",
	.title = "Mount a layer on this many lowers",
	.group = "mount",
	.parameter = "lowers",
	.variants = mount_variants,
	.weight = 1,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_mount", NULL, mount_ours, unmount_ours },
	.floor = { "bare system calls, data at hand", before_floor, mount_floor, after_floor },
};

static const struct bench_variant unmount_variants[] = {
	{ "auto", few_values },
	{ 0 },
};

const struct bench bench_unmount_depth = {
	.id = "unmount_depth",
	.title = "Unmount a layer from this many lowers",
	.group = "mount",
	.parameter = "lowers",
	.variants = unmount_variants,
	.weight = 1,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_unmount", mount_ours, unmount_ours, NULL },
	.floor = { "umount2(2)", mount_before_unmount, unmount_floor, NULL },
};
