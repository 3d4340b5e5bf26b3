#include "dataset.h"
#include "families.h"
#include "hyperfine.h"
#include "place.h"
#include "tool.h"
#include "walk.h"

#include "cleanup.h"
#include "fail.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

/*
 * Whole commands, as people type them: ovl2 beside the tools that can do the same. Each
 * does the same work: attributes and ACLs, owners by number, and where something is
 * written, on disk at the end. What starting the program takes, its --version, is taken
 * off every time; the benchmark command_start shows how much that is.
 */

#define WORK "commands"
#define WORK_PATH PLACE_ROOT "/" WORK
#define TARGET WORK_PATH "/target"

/* Where containers-storage keeps its own, and names of its layers. */
#define STORAGE "containers-storage"
#define STORAGE_GRAPH WORK_PATH "/graph"
#define STORAGE_RUN WORK_PATH "/run"
#define STORAGE_OPTIONS " -g " STORAGE_GRAPH " -R " STORAGE_RUN " -s overlay "
#define FILLED "filled"
#define FRESH "fresh"
#define TOP "top"

/* So often a program is started to find out what that takes at least. */
#define STARTS 10

/* A start that took longer than the whole command was disturbed: it is timed again. */
#define MAX_STARTS_TIMED 5

#define ATTRIBUTES "--xattrs --acls --numeric-owner"
#define TAR "tar --xattrs-include='*' " ATTRIBUTES
#define BSDTAR "bsdtar " ATTRIBUTES

/* One line of shell, and on disk when it is done. */
#define SYNCED(line) "sh -c \"" line " && sync -f " WORK_PATH "\""

#define TAR_START "tar --version"
#define BSDTAR_START "bsdtar --version"
#define CP_START "cp --version"
#define STORAGE_START STORAGE " version"
#define SYNC_START(start) "sh -c \"" start " && sync --version\""
#define TWICE_START(start) "sh -c \"" start " && " start "\""

struct start {
	const char *command;

	/* The least that it took so far. */
	double ns;
};

struct state {
	/* Ours, the one beside this program or in PATH; with the store that it works on. */
	char program[PATH_MAX];
	char ovl2[PATH_MAX + 128];

	/* What `program` says its version with, once and twice. */
	char start[PATH_MAX + 16];
	char start_twice[2 * PATH_MAX + 64];
	struct start starts[3 + BENCH_MORE_PEERS];

	struct dataset *dataset;
	char tar[64];

	/* The layer that is worked on, "" for none; and the one that it is created on. */
	char id[PLACE_ID_SIZE];
	const char *parent;
	struct ovl2_mount_spec *spec;
};

/* ------------------------------------------------------------------ timing -- */

static int time_start(struct state *state, const char *command, int is_again, double *ret_ns,
                      struct ovl2_error *err)
{
	struct start *start = state->starts;
	double ns = 0;
	int r = 0;

	while (start->command && strcmp(start->command, command) != 0)
		start++;
	if (!start->command || is_again)
		r = hyperfine_run(command, STARTS, &ns, err);
	if (r < 0)
		return r;
	if (!start->command || (is_again && ns < start->ns))
		*start = (struct start){ command, ns };
	*ret_ns = start->ns;

	return 0;
}

/* Times a command, less what the command `start` takes. */
static int time_command(struct bench_case *c, const char *start, struct ovl2_error *err,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));

static int time_command(struct bench_case *c, const char *start, struct ovl2_error *err,
                        const char *format, ...)
{
	char command[4 * PATH_MAX];
	double start_ns = 0;
	double ns = 0;
	va_list args;
	int length;
	int r;

	va_start(args, format);
	length = vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= sizeof(command))
		return ovi_fail(err, OVL2_E_INVALID, "a command of %d bytes is too long", length);

	r = hyperfine_run(command, 1, &ns, err);
	for (int i = 0; i < MAX_STARTS_TIMED && r == 0; i++) {
		r = time_start(c->state, start, i > 0, &start_ns, err);
		c->told_ns = ns - start_ns;
		c->start_ns = start_ns;
		if (r == 0 && c->told_ns > 0)
			return 0;
	}

	if (r < 0)
		return r;
	snprintf(c->skipped, sizeof(c->skipped),
	         "'%.200s' took no longer than '%.200s': others are at work", command, start);

	return ovi_fail(err, OVL2_E_BUSY, "%s", c->skipped);
}

/* ----------------------------------------------------------------- set-up -- */

/* "ovl2" where this program is, as it is installed, or in PATH. */
static int find_program(char ret_path[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", ret_path, PATH_MAX - sizeof("/ovl2"));
	char *slash;

	ret_path[length > 0 ? length : 0] = '\0';
	slash = strrchr(ret_path, '/');
	if (slash)
		memcpy(slash, "/ovl2", sizeof("/ovl2"));
	if (slash && access(ret_path, X_OK) == 0)
		return 1;
	memcpy(ret_path, "ovl2", sizeof("ovl2"));

	return tool_has(ret_path);
}

static int setup(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state;

	if (!hyperfine_is_there()) {
		snprintf(c->skipped, sizeof(c->skipped),
		         "there is no hyperfine to time commands with (apt install hyperfine)");
		return 0;
	}
	state = calloc(1, sizeof(*state));
	if (!state)
		return ovi_fail_memory(err);
	c->state = state;
	if (!find_program(state->program)) {
		snprintf(c->skipped, sizeof(c->skipped),
		         "there is no program 'ovl2' beside this one or in PATH");
		return 0;
	}

	snprintf(state->ovl2, sizeof(state->ovl2),
	         "%s --home " PLACE_HOME " --run-dir " PLACE_ROOT "/run", state->program);
	snprintf(state->start, sizeof(state->start), "%s --version", state->program);
	snprintf(state->start_twice, sizeof(state->start_twice),
	         "sh -c \"%s --version && %s --version\"", state->program, state->program);
	if (mkdir(WORK_PATH, 0700) < 0)
		return ovi_fail_errno(err, "create '%s'", WORK_PATH);

	return 0;
}

/* Does what is not timed: `more` ends with NULL, and its other end is at most 4 words. */
static int run_storage(const char *verb, const char *const *more, struct ovl2_error *err)
{
	const char *argv[16] = { STORAGE, verb,        "-g", STORAGE_GRAPH,
		                 "-R",    STORAGE_RUN, "-s", "overlay" };

	for (size_t i = 8; *more && i < ARRAY_SIZE(argv) - 1; i++)
		argv[i] = *more++;

	return tool_run(argv, (struct tool_files){ -1, -1 }, err);
}

static int create_storage_layer(const char *id, const char *parent, struct ovl2_error *err)
{
	return run_storage("create-layer", (const char *const[]){ "-i", id, parent, NULL }, err);
}

static int setup_content(struct bench_case *c, struct ovl2_error *err)
{
	int r = setup(c, err);
	struct state *state = c->state;

	if (r < 0 || *c->skipped)
		return r;
	r = dataset_find(c->place, c->variant, &state->dataset, err);
	if (r == 0)
		r = dataset_archive(c->place, state->dataset, err);
	if (r < 0)
		return r;
	c->bytes = state->dataset->bytes;
	c->files = state->dataset->files;
	snprintf(state->tar, sizeof(state->tar), "/proc/%ld/fd/%d", (long)getpid(),
	         state->dataset->tar);

	return 0;
}

static int setup_diff(struct bench_case *c, struct ovl2_error *err)
{
	int r = setup_content(c, err);
	const struct state *state = c->state;

	if (r < 0 || *c->skipped || !tool_has(STORAGE))
		return r;
	r = create_storage_layer(FILLED, NULL, err);

	return r < 0 ? r
	             : run_storage("applydiff",
	                           (const char *const[]){ "-f", state->tar, FILLED, NULL }, err);
}

static int setup_create(struct bench_case *c, struct ovl2_error *err)
{
	int r = setup(c, err);
	struct state *state = c->state;

	if (r < 0 || *c->skipped)
		return r;
	r = place_chain(c->place, 1, &state->parent, err);

	return r < 0 || !tool_has(STORAGE) ? r : create_storage_layer(FILLED, NULL, err);
}

/* As many layers for containers-storage, and what fuse-overlayfs wants. */
static int setup_peers_of_mount(struct bench_case *c, struct ovl2_error *err)
{
	char below[32] = "";
	int r = 0;

	if (mkdir(TARGET, 0700) < 0 || mkdir(WORK_PATH "/upper", 0700) < 0 ||
	    mkdir(WORK_PATH "/work", 0700) < 0)
		return ovi_fail_errno(err, "make directories in '%s'", WORK_PATH);
	if (!tool_has(STORAGE))
		return 0;
	for (uint64_t i = 0; i < c->value && r == 0; i++) {
		char id[32];

		snprintf(id, sizeof(id), "lower-%llu", (unsigned long long)i);
		r = create_storage_layer(id, *below ? below : NULL, err);
		memcpy(below, id, sizeof(below));
	}

	return r < 0 ? r : create_storage_layer(TOP, below, err);
}

static int setup_mount(struct bench_case *c, struct ovl2_error *err)
{
	const struct ovl2_mount_options options = {
		.size = sizeof(options),
		.method = OVL2_MOUNT_ABSOLUTE,
	};
	struct state *state;
	int r = setup(c, err);

	state = c->state;
	if (r < 0 || *c->skipped)
		return r;
	r = place_create_layer(c->place, c->value, state->id, err);
	if (r < 0)
		return r;
	r = ovl2_layer_mount_spec(c->place->hasty, state->id, &options, &state->spec, err);
	if (r == 0)
		r = setup_peers_of_mount(c, err);

	return r < 0 ? r : place_settle(c->place, err);
}

static int remove_layer(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r = *state->id ? ovl2_layer_remove(c->place->hasty, state->id, err) : 0;

	*state->id = '\0';

	return r;
}

static int teardown(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int removed;
	int r;

	if (!state)
		return 0;
	removed = remove_layer(c, err);
	ovl2_mount_spec_free(state->spec);
	free(state);
	c->state = NULL;

	/* containers-storage keeps that, bound to itself. */
	umount2(STORAGE_GRAPH "/overlay", MNT_DETACH);
	r = place_remove(c->place, WORK, removed < 0 ? NULL : err);

	return removed < 0 ? removed : r;
}

static int settle(struct bench_case *c, struct ovl2_error *err)
{
	return place_settle(c->place, err);
}

/* ------------------------------------------------------------------- start -- */

static int start_ours(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return hyperfine_run(state->start, 1, &c->told_ns, err);
}

static int start_true(struct bench_case *c, struct ovl2_error *err)
{
	return hyperfine_run("true", 1, &c->told_ns, err);
}

static int start_storage(struct bench_case *c, struct ovl2_error *err)
{
	return hyperfine_run(STORAGE_START, 1, &c->told_ns, err);
}

static int start_tar(struct bench_case *c, struct ovl2_error *err)
{
	return hyperfine_run(TAR_START, 1, &c->told_ns, err);
}

static int start_bsdtar(struct bench_case *c, struct ovl2_error *err)
{
	return hyperfine_run(BSDTAR_START, 1, &c->told_ns, err);
}

/* -------------------------------------------------------------------- diff -- */

static int diff_ours(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return time_command(c, state->start, err, "%s diff %s", state->ovl2, state->dataset->id);
}

static int diff_tar(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return time_command(c, TAR_START, err, TAR " --format=pax -C %s -cf - .",
	                    state->dataset->upper);
}

static int diff_bsdtar(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return time_command(c, BSDTAR_START, err, BSDTAR " --format=pax -C %s -cf - .",
	                    state->dataset->upper);
}

static int diff_storage(struct bench_case *c, struct ovl2_error *err)
{
	return time_command(c, STORAGE_START, err,
	                    STORAGE " diff" STORAGE_OPTIONS "--uncompressed " FILLED);
}

/* ------------------------------------------------------------------- apply -- */

/* All must have made the same, or their times say nothing. */
static int check_files(const struct bench_case *c, const char *path, struct ovl2_error *err)
{
	const struct state *state = c->state;
	struct walk_count count = { 0 };
	int r = walk_stat(path, &count, err);

	if (r == 0 && count.files != state->dataset->files)
		return ovi_fail(err, OVL2_E_SYSTEM, "made %llu files of %llu",
		                (unsigned long long)count.files,
		                (unsigned long long)state->dataset->files);

	return r;
}

static int before_apply_ours(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r = place_create(c->place, NULL, 0, state->id, err);

	return r < 0 ? r : place_settle(c->place, err);
}

static int apply_ours(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return time_command(c, state->start, err, "%s apply %s %s", state->ovl2, state->id,
	                    state->tar);
}

static int after_apply_ours(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	char path[sizeof(PLACE_HOME) + PLACE_ID_SIZE + 8];
	int r;

	snprintf(path, sizeof(path), PLACE_HOME "/%s/diff", state->id);
	r = check_files(c, path, err);

	return r < 0 ? r : remove_layer(c, err);
}

static int before_target(struct bench_case *c, struct ovl2_error *err)
{
	if (mkdir(TARGET, 0700) < 0)
		return ovi_fail_errno(err, "create '%s'", TARGET);

	return place_settle(c->place, err);
}

static int apply_tar(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return time_command(c, SYNC_START(TAR_START), err, SYNCED(TAR " -C " TARGET " -xpf %s"),
	                    state->tar);
}

static int apply_bsdtar(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return time_command(c, SYNC_START(BSDTAR_START), err,
	                    SYNCED(BSDTAR " -C " TARGET " -xpf %s"), state->tar);
}

static int copy_tree(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return time_command(c, SYNC_START(CP_START), err,
	                    SYNCED("cp -a --reflink=never %s/. " TARGET), state->dataset->upper);
}

static int after_target(struct bench_case *c, struct ovl2_error *err)
{
	int r = check_files(c, TARGET, err);

	return r < 0 ? r : place_remove(c->place, WORK "/target", err);
}

static int before_apply_storage(struct bench_case *c, struct ovl2_error *err)
{
	int r = create_storage_layer(FRESH, NULL, err);

	return r < 0 ? r : place_settle(c->place, err);
}

static int apply_storage(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return time_command(c, SYNC_START(STORAGE_START), err,
	                    SYNCED(STORAGE " applydiff" STORAGE_OPTIONS "-f %s " FRESH),
	                    state->tar);
}

static int remove_storage_layer(struct bench_case *c, struct ovl2_error *err)
{
	(void)c;

	return run_storage("delete-layer", (const char *const[]){ FRESH, NULL }, err);
}

static int after_apply_storage(struct bench_case *c, struct ovl2_error *err)
{
	int r = check_files(c, STORAGE_GRAPH "/overlay/" FRESH "/diff", err);

	return r < 0 ? r : remove_storage_layer(c, err);
}

/* ------------------------------------------------------------------ create -- */

static int before_create_ours(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	place_new_id(c->place, state->id);

	return place_settle(c->place, err);
}

static int create_ours(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return time_command(c, state->start, err, "%s create --read-write --parent %s %s",
	                    state->ovl2, state->parent, state->id);
}

static int create_directories(struct bench_case *c, struct ovl2_error *err)
{
	return time_command(c, SYNC_START("mkdir --version"), err, "%s",
	                    SYNCED("mkdir -p " TARGET "/diff " TARGET "/work " TARGET "/merged"));
}

static int remove_target(struct bench_case *c, struct ovl2_error *err)
{
	return place_remove(c->place, WORK "/target", err);
}

static int create_storage(struct bench_case *c, struct ovl2_error *err)
{
	return time_command(c, SYNC_START(STORAGE_START), err, "%s",
	                    SYNCED(STORAGE " create-layer" STORAGE_OPTIONS "-i " FRESH " " FILLED));
}

/* ------------------------------------------------------------------- mount -- */

/*
 * Mounted and unmounted in one command: whatever ends this program, the command ends by
 * itself and leaves neither a mount nor the process of fuse-overlayfs.
 */

static int mount_ours(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return time_command(c, state->start_twice, err, "sh -c \"%s mount %s && %s umount %s\"",
	                    state->ovl2, state->id, state->ovl2, state->id);
}

static int mount_util_linux(struct bench_case *c, struct ovl2_error *err)
{
	const struct ovl2_mount_spec *spec = ((const struct state *)c->state)->spec;

	return time_command(c, TWICE_START("mount --version"), err,
	                    "sh -c \"mount -t overlay -o '%s' overlay %s && umount %s\"",
	                    spec->data, spec->target, spec->target);
}

static int mount_storage(struct bench_case *c, struct ovl2_error *err)
{
	return time_command(c, TWICE_START(STORAGE_START), err, "%s",
	                    "sh -c \"" STORAGE " mount" STORAGE_OPTIONS TOP " && " STORAGE
	                    " unmount" STORAGE_OPTIONS TOP "\"");
}

static int mount_fuse(struct bench_case *c, struct ovl2_error *err)
{
	const struct ovl2_mount_spec *spec = ((const struct state *)c->state)->spec;
	cleanup_strbuf struct ovi_strbuf lowers = { 0 };

	for (size_t i = 0; i < spec->lower_count; i++)
		ovi_strbuf_addf(&lowers, "%s%s", i ? ":" : "", spec->lower[i]);
	if (lowers.failed)
		return ovi_fail_memory(err);

	/* Not --version: that runs another program to ask it for its version. */
	return time_command(c, "sh -c \"fuse-overlayfs --help && umount --version\"", err,
	                    "sh -c \"fuse-overlayfs -o lowerdir=%s,upperdir=" WORK_PATH
	                    "/upper,workdir=" WORK_PATH "/work " TARGET " && umount " TARGET "\"",
	                    lowers.text);
}

/* -------------------------------------------------------------------- rows -- */

static const struct bench_variant once[] = { { "program", NULL }, { 0 } };

static const struct bench_variant datasets[] = {
	{ "small", NULL }, { "big", NULL }, { "real", NULL }, { 0 }
};

static const uint64_t lower_values[] = { 1, 32, 0 };
static const struct bench_variant mounts[] = { { "auto", lower_values }, { 0 } };

const struct bench bench_command_start = {
	.id = "command_start",
	.is_spread = 1,
	.title = "Start a program, which says its version: taken off all commands",
	.group = "command",
	.variants = once,
	.is_full_only = 1,
	.weight = 5,
	.setup = setup,
	.teardown = teardown,
	.ours = { "ovl2 --version", NULL, start_ours, NULL },
	.floor = { "true", NULL, start_true, NULL },
	.peer = { STORAGE_START, NULL, start_storage, NULL },
	.peer_program = STORAGE,
	.more_peers = { { { TAR_START, NULL, start_tar, NULL }, "tar", NULL },
	                { { BSDTAR_START, NULL, start_bsdtar, NULL }, "bsdtar", NULL } },
};

const struct bench bench_command_diff = {
	.id = "command_diff",
	.is_spread = 1,
	.title = "Write a layer as a tar into a pipe, as a command",
	.group = "command",
	.variants = datasets,
	.is_throughput = 1,
	.is_full_only = 1,
	.weight = 20,
	.setup = setup_diff,
	.teardown = teardown,
	.ours = { "ovl2 diff", NULL, diff_ours, NULL },
	.floor = { "GNU tar c, with attributes and ACLs", NULL, diff_tar, NULL },
	.peer = { "containers-storage diff", NULL, diff_storage, NULL },
	.peer_program = STORAGE,
	.more_peers = { { { "bsdtar c, with attributes and ACLs", NULL, diff_bsdtar, NULL },
	                  "bsdtar",
	                  NULL } },
};

const struct bench bench_command_apply = {
	.id = "command_apply",
	.is_spread = 1,
	.title = "Fill a layer from a tar until it is on disk, as a command",
	.group = "command",
	.variants = datasets,
	.is_throughput = 1,
	.is_full_only = 1,
	.weight = 40,
	.setup = setup_content,
	.teardown = teardown,
	.ours = { "ovl2 apply", before_apply_ours, apply_ours, after_apply_ours },
	.floor = { "GNU tar x, with attributes and ACLs; sync -f", before_target, apply_tar,
	           after_target },
	.peer = { "containers-storage applydiff; sync -f", before_apply_storage, apply_storage,
	          after_apply_storage },
	.peer_program = STORAGE,
	.more_peers = { { { "bsdtar x, with attributes and ACLs; sync -f", before_target,
	                    apply_bsdtar, after_target },
	                  "bsdtar",
	                  NULL },
	                { { "cp -a --reflink=never of the tree; sync -f", before_target, copy_tree,
	                    after_target },
	                  NULL,
	                  NULL } },
};

const struct bench bench_command_create = {
	.id = "command_create",
	.is_spread = 1,
	.title = "Create a layer on another until it is on disk, as a command",
	.group = "command",
	.variants = once,
	.is_full_only = 1,
	.weight = 10,
	.setup = setup_create,
	.teardown = teardown,
	.ours = { "ovl2 create", before_create_ours, create_ours, remove_layer },
	.floor = { "mkdir of three directories; sync -f", settle, create_directories,
	           remove_target },
	.peer = { "containers-storage create-layer; sync -f", settle, create_storage,
	          remove_storage_layer },
	.peer_program = STORAGE,
};

const struct bench bench_command_mount = {
	.id = "command_mount",
	.is_spread = 1,
	.title = "Mount a layer on this many lowers and unmount it, as commands",
	.group = "command",
	.parameter = "lowers",
	.variants = mounts,
	.is_full_only = 1,
	.weight = 10,
	.setup = setup_mount,
	.teardown = teardown,
	.ours = { "ovl2 mount, ovl2 umount", settle, mount_ours, NULL },
	.floor = { "mount, umount of util-linux", settle, mount_util_linux, NULL },
	.peer = { "containers-storage mount, unmount", settle, mount_storage, NULL },
	.peer_program = STORAGE,
	.more_peers = { { { "fuse-overlayfs, umount", settle, mount_fuse, NULL },
	                  "fuse-overlayfs",
	                  "/dev/fuse" } },
};
