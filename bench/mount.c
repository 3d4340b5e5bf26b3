#include "bare.h"
#include "families.h"
#include "place.h"

#include "cleanup.h"
#include "fail.h"
#include "strbuf.h"
#include "tree.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

/*
 * What every start of a container pays: mounting its layer on the image's. The
 * floor does what the library ends up doing, and nothing else: one method, its
 * data or descriptors at hand, the same directories.
 *
 * Values stand on both sides of each limit. 71 lowers fit into the 4095 bytes of
 * mount(2) with absolute paths; 135 with relative ones, or one less where options
 * are added; 500 into fsconfig(2), and the library refuses one more. Docker's own limit
 * is 128, of which an image has 127 and the container's -init layer is one.
 */

/* mount(2) copies one page and cuts its last byte off, without saying so. */
#define DATA_LIMIT_BYTES 4095

#define GRID 1, 2, 4, 8, 16, 32, 64, 71, 72, 100, 127, 128, 129

static const uint64_t absolute_values[] = { GRID, 0 };
static const uint64_t relative_values[] = { GRID, 134, 135, 136, 0 };
static const uint64_t context_values[] = { GRID, 134, 135, 136, 256, 499, 500, 501, 0 };
static const uint64_t few_values[] = { 1, 64, 127, 0 };

struct state {
	/* With options of its own, or NULL; and the one to work with. */
	struct ovl2_store *own;
	struct ovl2_store *store;

	/* As long as an id may be. */
	char id[129];
	int is_created;
	struct ovl2_mount_options options;
	struct bare bare;

	/* What each new layer is made on; the place's. */
	const char *parent;

	/* For the methods relative and append, whose floors change directory and back. */
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

/* What the floor needs, of the layer that there is. */
static int prepare_floor(struct bench_case *c, struct state *state, struct ovl2_error *err)
{
	int r = bare_open(state->store, state->id, &state->options, NULL, &state->bare, err);

	if (r < 0)
		return r;
	assert(state->bare.spec);
	if (state->bare.spec->method == OVL2_MOUNT_ABSOLUTE ||
	    state->bare.spec->method == OVL2_MOUNT_RELATIVE) {
		c->data_bytes = state->bare.spec->data_bytes;
		c->data_limit_bytes = DATA_LIMIT_BYTES;
	}

	return 0;
}

static int create_new(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	const struct ovl2_layer_options options = {
		.size = sizeof(options),
		.parent = state->parent,
		.read_write = 1,
	};
	int r;

	place_new_id(c->place, state->id);
	r = ovl2_layer_create(state->store, state->id, &options, err);
	state->is_created = r == 0;

	return r;
}

static int prepare(struct bench_case *c, struct state *state, struct ovl2_error *err)
{
	int r = place_chain(c->place, c->value, &state->parent, err);

	if (r == 0)
		r = create_new(c, err);

	return r < 0 ? r : prepare_floor(c, state, err);
}

static int begin(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return ovi_fail_memory(err);
	c->state = state;
	/* The one that makes the layers: it knows what it has made, as an engine does. */
	state->store = c->place->hasty;
	state->bare = (struct bare)BARE_NONE;
	state->options.size = sizeof(state->options);
	state->options.method = find_method(c->variant);
	state->directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (state->directory < 0)
		return ovi_fail_errno(err, "open the working directory");
	check_method(c, state->options.method);

	return 0;
}

static int setup(struct bench_case *c, struct ovl2_error *err)
{
	struct ovl2_error reason = { 0 };
	struct state *state;
	int r = begin(c, err);

	state = c->state;
	if (r < 0 || *c->skipped)
		return r;

	r = prepare(c, state, &reason);
	if (r == OVL2_E_UNSUPPORTED) {
		snprintf(c->skipped, sizeof(c->skipped), "%s", reason.message);
		if (c->value > PLACE_MAX_DEPTH || state->options.method == OVL2_MOUNT_APPEND ||
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

/* -------------------------------------------------------- other set-ups -- */

/* What a variant's name stands for. */
struct kind {
	const char *name;
	const char *overlay;
	int read_only;
	int skip_sync;
};

static const struct kind kinds[] = {
	{ "read-only", NULL, 1, 0 },
	{ "volatile", NULL, 0, 1 },
	{ "metacopy=on", "index=off,redirect_dir=on,metacopy=on", 0, 0 },
	{ "redirect_dir=on", "index=off,redirect_dir=on,metacopy=off", 0, 0 },
	{ "index=on", "index=on,redirect_dir=nofollow,metacopy=off", 0, 0 },
};

static const struct kind *find_kind(const char *name)
{
	size_t i = 0;

	while (strcmp(kinds[i].name, name) != 0)
		i++;

	return &kinds[i];
}

static int setup_kind(struct bench_case *c, struct ovl2_error *err)
{
	const struct kind *kind = find_kind(c->variant);
	const struct ovl2_store_options options = {
		.size = sizeof(options),
		.max_depth = PLACE_MAX_DEPTH,
		.durability = OVL2_DURABILITY_NONE,
		.run_directory = PLACE_ROOT "/run",
		.mount_options = kind->overlay,
	};
	struct ovl2_error reason = { 0 };
	struct state *state;
	int r = begin(c, err);

	state = c->state;
	if (r == 0)
		r = ovl2_store_open(PLACE_HOME, &options, &state->own, &reason);
	if (r == 0) {
		state->store = state->own;
		state->options.read_only = kind->read_only;
		state->options.skip_sync = kind->skip_sync;
		r = prepare(c, state, &reason);
	}
	if (r == OVL2_E_UNSUPPORTED) {
		snprintf(c->skipped, sizeof(c->skipped), "%s", reason.message);
		return 0;
	}
	if (r < 0 && err && reason.code)
		*err = reason;

	return r;
}

/*
 * mount(2) is handed `value` bytes exactly: each lower is a link and a colon, each
 * character of the id is there twice, in the upper and in the work.
 */
static int choose_lengths(struct bench_case *c, uint64_t *ret_lowers, size_t *ret_id_length,
                          struct ovl2_error *err)
{
	struct ovl2_mount_spec *one = NULL;
	const uint64_t each = strlen("l/ABCDEFGHIJKLMNOPQRSTUVWXYZ:");
	uint64_t rest;
	int r = read_spec(c, 1, OVL2_MOUNT_RELATIVE, &one, err);

	if (r < 0)
		return r;
	/* Without the colon and the id. */
	rest = one->data_bytes - each - 2ul * (PLACE_ID_SIZE - 1);
	ovl2_mount_spec_free(one);

	for (uint64_t lowers = c->value / each; lowers > 0; lowers--) {
		uint64_t used = rest + lowers * each;

		if (used + 2 > c->value || (c->value - used) % 2)
			continue;
		*ret_lowers = lowers;
		*ret_id_length = (c->value - used) / 2;
		return 0;
	}

	return ovi_fail(err, OVL2_E_INVALID, "no id makes %llu bytes",
	                (unsigned long long)c->value);
}

static int setup_data(struct bench_case *c, struct ovl2_error *err)
{
	struct ovl2_layer_options options = { .size = sizeof(options), .read_write = 1 };
	struct ovl2_error reason = { 0 };
	struct state *state;
	uint64_t lowers = 0;
	size_t length = 0;
	int r = begin(c, err);

	state = c->state;
	if (r < 0 || *c->skipped)
		return r;
	r = choose_lengths(c, &lowers, &length, err);
	if (r == 0)
		r = place_chain(c->place, lowers, &options.parent, err);
	if (r < 0)
		return r;
	memset(state->id, 'd', length);
	r = ovl2_layer_create(c->place->hasty, state->id, &options, err);
	if (r < 0)
		return r;
	state->is_created = 1;

	r = prepare_floor(c, state, &reason);
	c->data_bytes = c->value;
	c->data_limit_bytes = DATA_LIMIT_BYTES;
	if (r == OVL2_E_UNSUPPORTED) {
		snprintf(c->skipped, sizeof(c->skipped), "%s", reason.message);
		return 0;
	}
	if (r == 0 && state->bare.spec->method == OVL2_MOUNT_RELATIVE &&
	    state->bare.spec->data_bytes != c->value)
		return ovi_fail(err, OVL2_E_SYSTEM, "mount(2) would be handed %zu bytes",
		                state->bare.spec->data_bytes);
	if (r < 0 && err)
		*err = reason;

	return r;
}

static int setup_new(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state;
	int r = begin(c, err);

	state = c->state;

	return r < 0 ? r : place_chain(c->place, c->value, &state->parent, err);
}

static int setup_mounted(struct bench_case *c, struct ovl2_error *err)
{
	int r = setup(c, err);
	const struct state *state = c->state;

	return r < 0 || *c->skipped
	               ? r
	               : ovl2_layer_mount(state->store, state->id, &state->options, NULL, err);
}

/* --------------------------------------------------------------- teardown -- */

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
	ovl2_store_close(state->own);
	free(state);
	c->state = NULL;

	return r;
}

/* ------------------------------------------------------------------- ours -- */

static int mount_ours(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	return ovl2_layer_mount(state->store, state->id, &state->options, NULL, err);
}

static int unmount_ours(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r = ovl2_layer_unmount(state->store, state->id, err);

	return r < 0 ? r : 0;
}

/* ------------------------------------------------------------------ floor -- */

/* Are names walked from the working directory? */
static int is_from_store(const struct state *state)
{
	enum ovl2_mount_method method = (enum ovl2_mount_method)state->bare.spec->method;

	return method == OVL2_MOUNT_RELATIVE || method == OVL2_MOUNT_APPEND;
}

static int before_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	if (is_from_store(state) && fchdir(c->place->home) < 0)
		return ovi_fail_errno(err, "change directory to '%s'", PLACE_HOME);

	return 0;
}

static int mount_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return bare_mount(&state->bare, err);
}

/* What keeps a volatile upper from being mounted again; the library takes it away, too. */
static int forget_volatile(const struct ovl2_mount_spec *spec, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	cleanup_fd int work = -1;

	ovi_strbuf_addf(&path, "%s/work", spec->work);
	if (path.failed)
		return ovi_fail_memory(err);
	work = open(path.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (work < 0)
		return ovi_fail_errno(err, "open '%s'", path.text);

	return ovi_tree_remove(work, "incompat", err);
}

static int unmount_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	int r = bare_unmount(&state->bare, err);

	return r < 0 || !state->options.skip_sync ? r : forget_volatile(state->bare.spec, err);
}

static int after_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	int r = unmount_floor(c, err);

	if (r == 0 && is_from_store(state) && fchdir(state->directory) < 0)
		return ovi_fail_errno(err, "change back to the working directory");

	return r;
}

/* --------------------------------------------------------------- new layers -- */

static int remove_new(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r = ovl2_layer_remove(state->store, state->id, err);

	state->is_created = r < 0;

	return r;
}

static int unmount_and_remove_new(struct bench_case *c, struct ovl2_error *err)
{
	int r = unmount_ours(c, err);

	return r < 0 ? r : remove_new(c, err);
}

static int before_floor_of_new(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r = create_new(c, err);

	if (r == 0)
		r = bare_open(state->store, state->id, &state->options, NULL, &state->bare, err);

	return r < 0 ? r : before_floor(c, err);
}

static int after_floor_of_new(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r = after_floor(c, err);

	if (r < 0)
		return r;
	bare_close(&state->bare);
	state->bare = (struct bare)BARE_NONE;

	return remove_new(c, err);
}

/* The least that tells a layer that is mounted from one that is not. */
static int look_at_mount(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	struct statx stx;

	if (statx(AT_FDCWD, state->bare.spec->target, 0, STATX_MNT_ID, &stx) < 0 ||
	    !(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return ovi_fail(err, OVL2_E_SYSTEM, "'%s' is not mounted",
		                state->bare.spec->target);

	return 0;
}

/* ------------------------------------------------------------ without mounting -- */

static int spec_ours(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	struct ovl2_mount_spec *spec = NULL;
	int r = ovl2_layer_mount_spec(state->store, state->id, &state->options, &spec, err);

	ovl2_mount_spec_free(spec);

	return r;
}

/* The file that names the lowers, and where each name leads. */
static int read_links(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	cleanup_fd int file = -1;
	char lower[PLACE_MAX_DEPTH * 32];
	char target[PATH_MAX];
	ssize_t length;
	char *rest = lower;
	char *link;

	ovi_strbuf_addf(&path, "%s/lower", state->id);
	if (path.failed)
		return ovi_fail_memory(err);
	file = openat(c->place->home, path.text, O_RDONLY | O_CLOEXEC);
	length = file < 0 ? -1 : read(file, lower, sizeof(lower) - 1);
	if (length < 0)
		return ovi_fail_errno(err, "read '%s'", path.text);
	lower[length] = '\0';
	while ((link = strsep(&rest, ":\n")))
		if (*link && readlinkat(c->place->home, link, target, sizeof(target)) < 0)
			return ovi_fail_errno(err, "follow '%s'", link);

	return 0;
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
	.title = "Mount a layer on this many lowers, again and again",
	.group = "mount",
	.parameter = "lowers",
	.variants = mount_variants,
	.weight = 1,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_mount", NULL, mount_ours, unmount_ours },
	.floor = { "bare system calls, data at hand", before_floor, mount_floor, after_floor },
};

static const struct bench_variant few_variants[] = {
	{ "auto", few_values },
	{ 0 },
};

/* Once each, right after it was made, as containers are: nothing of it is open yet. */
const struct bench bench_mount_new = {
	.id = "mount_new",
	.title = "Mount a layer on this many lowers for the first time, just made",
	.group = "mount",
	.parameter = "lowers",
	.variants = few_variants,
	.weight = 1,
	.setup = setup_new,
	.teardown = teardown,
	.ours = { "ovl2_layer_mount", create_new, mount_ours, unmount_and_remove_new },
	.floor = { "bare system calls, data at hand", before_floor_of_new, mount_floor,
	           after_floor_of_new },
};

const struct bench bench_unmount_depth = {
	.id = "unmount_depth",
	.title = "Unmount a layer from this many lowers",
	.group = "mount",
	.parameter = "lowers",
	.variants = few_variants,
	.weight = 1,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_unmount", mount_ours, unmount_ours, NULL },
	.floor = { "umount2(2)", mount_before_unmount, unmount_floor, NULL },
};

static const uint64_t kind_values[] = { 1, 32, 128, 0 };

static const struct bench_variant kind_variants[] = {
	{ "read-only", kind_values },       { "volatile", kind_values },
	{ "metacopy=on", kind_values },     { "index=on", kind_values },
	{ "redirect_dir=on", kind_values }, { 0 },
};

const struct bench bench_mount_options = {
	.id = "mount_options",
	.title = "Mount a layer with an option on this many lowers",
	.group = "mount",
	.parameter = "lowers",
	.variants = kind_variants,
	.weight = 1,
	.is_full_only = 1,
	.setup = setup_kind,
	.teardown = teardown,
	.ours = { "ovl2_layer_mount", NULL, mount_ours, unmount_ours },
	.floor = { "bare system calls, data at hand", before_floor, mount_floor, after_floor },
};

/* From what mount(2) takes by any method to what only fsconfig(2) does. */
static const uint64_t switch_values[] = {
	60,  62,  64,  66,  68,  69,  70,  71,  72,  73,  74,  76,  80,  84,
	88,  92,  96,  100, 104, 108, 112, 116, 120, 124, 126, 127, 128, 129,
	130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 0,
};

static const struct bench_variant switch_variants[] = { { "auto", switch_values }, { 0 } };

const struct bench bench_mount_switch = {
	.id = "mount_switch",
	.title = "Mount a layer where methods have their limits, with no step in time",
	.group = "mount",
	.parameter = "lowers",
	.variants = switch_variants,
	.weight = 1,
	.is_full_only = 1,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_mount", NULL, mount_ours, unmount_ours },
	.floor = { "bare system calls, data at hand", before_floor, mount_floor, after_floor },
};

static const uint64_t data_values[] = { 4094, 4095, 4096, 0 };

static const struct bench_variant data_variants[] = {
	{ "auto", data_values },
	{ "relative", data_values },
	{ 0 },
};

const struct bench bench_mount_data = {
	.id = "mount_data",
	.title = "Mount a layer whose options are this many bytes for mount(2)",
	.group = "mount",
	.parameter = "bytes",
	.variants = data_variants,
	.weight = 1,
	.is_full_only = 1,
	.setup = setup_data,
	.teardown = teardown,
	.ours = { "ovl2_layer_mount", NULL, mount_ours, unmount_ours },
	.floor = { "bare system calls, data at hand", before_floor, mount_floor, after_floor },
};

const struct bench bench_mount_again = {
	.id = "mount_again",
	.title = "Mount a layer that is mounted already: count it",
	.group = "mount",
	.parameter = "lowers",
	.variants = few_variants,
	.weight = 1,
	.is_full_only = 1,
	.setup = setup_mounted,
	.teardown = teardown,
	.ours = { "ovl2_layer_mount", NULL, mount_ours, unmount_ours },
	.floor = { "statx(2): is it a mount?", NULL, look_at_mount, NULL },
};

static const uint64_t spec_values[] = { 1, 32, 128, 500, 0 };
static const struct bench_variant spec_variants[] = { { "auto", spec_values }, { 0 } };

const struct bench bench_mount_spec = {
	.id = "mount_spec",
	.title = "Say how a layer on this many lowers would be mounted",
	.group = "mount",
	.parameter = "lowers",
	.variants = spec_variants,
	.weight = 1,
	.is_full_only = 1,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2_layer_mount_spec", NULL, spec_ours, NULL },
	.floor = { "read the file of lowers, follow each link", NULL, read_links, NULL },
};
