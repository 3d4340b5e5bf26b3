#include "families.h"
#include "fill.h"
#include "stack.h"

#include "cleanup.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/*
 * What writing costs in a container. The first change to a file of a lower copies it
 * up; the floor does what that takes with a program's means, a nameless file that shares
 * blocks or is synced, and then linked, and makes the same change to the copy. Deleting leaves a
 * whiteout; there the floor does the same in a plain directory, as it does where nothing is copied.
 * Each operation starts with an empty upper, everything before it being on disk.
 */

#define MAX_THREADS 64
#define PART_BYTES (64u << 10)
#define BLOCK_BYTES 4096
#define ATTRIBUTE "user.ovl2.bench"

#define FILE_NAME "file"
#define TREE "tree"

/* So many files are written where their number is not the value. */
#define FILES 100
#define SMOKE_FILES 4

/* Values beyond these are for the full tier; and what a smoke test does. */
#define MAX_SMOKE_VALUE 4096

struct write {
	/* Makes what is in the lower, in `dir`; NULL for nothing. */
	int (*fill)(const struct bench_case *c, int dir, struct ovl2_error *err);

	/* The operation, in the mounted layer; and, NULL for the same, in a plain directory. */
	int (*work)(const struct bench_case *c, int dir, struct ovl2_error *err);
	int (*plain)(const struct bench_case *c, int dir, struct ovl2_error *err);
};

struct state {
	struct stack stack;
};

static const struct write *detail(const struct bench_case *c)
{
	return c->bench->detail;
}

static uint64_t count_files(const struct bench_case *c)
{
	return c->place->tier == BENCH_TIER_SMOKE ? SMOKE_FILES : FILES;
}

static int has_metacopy(const struct bench_case *c)
{
	return strcmp(c->variant, "metacopy=on") == 0;
}

/* ---------------------------------------------------------------- content -- */

/* A file of `value` bytes. */
static int fill_one(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	return fill_file(dir, FILE_NAME, c->value, 1, err);
}

static int fill_mebibyte(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	(void)c;

	return fill_file(dir, FILE_NAME, 1u << 20, 1, err);
}

/* "d/d/.../file" */
static int fill_deep(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	cleanup_fd int deeper = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (uint64_t i = 0; i < c->value; i++) {
		int next = -1;
		int r = fill_directory(deeper, "d", &next, err);

		if (r < 0)
			return r;
		ovi_close_fd(&deeper);
		deeper = next;
	}

	return fill_file(deeper, FILE_NAME, BLOCK_BYTES, 1, err);
}

static int fill_links(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	int r = fill_file(dir, FILE_NAME, BLOCK_BYTES, 1, err);
	char name[32];

	for (uint64_t i = 1; i < c->value && r == 0; i++) {
		snprintf(name, sizeof(name), "link-%llu", (unsigned long long)i);
		if (linkat(dir, FILE_NAME, dir, name, 0) < 0)
			return ovi_fail_errno(err, "link '%s'", name);
	}

	return r;
}

/* One file a thread. */
static int fill_parts(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	return fill_files(dir, FILE_NAME, c->value, PART_BYTES, err);
}

/* A directory with `value` small files. */
static int fill_tree(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	cleanup_fd int tree = -1;
	int r = fill_directory(dir, TREE, &tree, err);

	return r < 0 ? r : fill_files(tree, FILE_NAME, c->value, 64, err);
}

/* --------------------------------------------------------------- copying -- */

/*
 * By sharing blocks where the filesystem can, as overlayfs does, which then leaves the
 * file to the next sync; else it is synced before it has a name.
 */
static int copy_data(int from, int to, off_t size)
{
	if (size == 0 || ioctl(to, FICLONE, from) == 0)
		return 0;
	while (size > 0) {
		ssize_t length = copy_file_range(from, NULL, to, NULL, (size_t)size, 0);

		if (length <= 0)
			return -1;
		size -= length;
	}

	return fsync(to);
}

static int copy_file(int dir, const char *name, const char *copy, int without_data)
{
	cleanup_fd int from = openat(dir, name, O_RDONLY | O_CLOEXEC);
	cleanup_fd int to = openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	char path[32];
	struct stat st;

	if (from < 0 || to < 0 || fstat(from, &st) < 0)
		return -1;
	if (without_data ? ftruncate(to, st.st_size) < 0 : copy_data(from, to, st.st_size) < 0)
		return -1;
	if (fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0 ||
	    futimens(to, (const struct timespec[]){ st.st_atim, st.st_mtim }) < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", to);

	return linkat(AT_FDCWD, path, dir, copy, AT_SYMLINK_FOLLOW);
}

typedef int change_fn(int dir, const char *name);

static int change(const struct bench_case *c, int dir, change_fn *fn, struct ovl2_error *err)
{
	(void)c;
	if (fn(dir, FILE_NAME) < 0)
		return ovi_fail_errno(err, "change a file of a lower");

	return 0;
}

static int copy_and_change(const struct bench_case *c, int dir, change_fn *fn,
                           struct ovl2_error *err)
{
	if (copy_file(dir, FILE_NAME, "copy", has_metacopy(c)) < 0 || fn(dir, "copy") < 0)
		return ovi_fail_errno(err, "copy a file and change it");

	return 0;
}

static int open_to_write(int dir, const char *name)
{
	cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -1 : 0;
}

static int change_mode(int dir, const char *name)
{
	return fchmodat(dir, name, 0700, 0);
}

static int change_owner(int dir, const char *name)
{
	return fchownat(dir, name, 1, 1, 0);
}

static int change_times(int dir, const char *name)
{
	return utimensat(dir, name, NULL, 0);
}

static int change_attribute(int dir, const char *name)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : fsetxattr(fd, ATTRIBUTE, "value", 5, 0);
}

/* Four bytes in the middle, as a database's page or a log's header is. */
static int change_bytes(int dir, const char *name)
{
	cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	return fd < 0 || pwrite(fd, "ovl2", 4, 1 << 19) != 4 ? -1 : 0;
}

static int change_name(int dir, const char *name)
{
	return renameat(dir, name, dir, "renamed");
}

static int add_name(int dir, const char *name)
{
	return linkat(dir, name, dir, "linked", 0);
}

/* The two hooks of a change. */
#define CHANGE(name)                                                                         \
	static int up_##name(const struct bench_case *c, int dir, struct ovl2_error *err)    \
	{                                                                                    \
		return change(c, dir, name, err);                                            \
	}                                                                                    \
	static int plain_##name(const struct bench_case *c, int dir, struct ovl2_error *err) \
	{                                                                                    \
		return copy_and_change(c, dir, name, err);                                   \
	}

CHANGE(open_to_write)
CHANGE(change_mode)
CHANGE(change_owner)
CHANGE(change_times)
CHANGE(change_attribute)
CHANGE(change_bytes)
CHANGE(change_name)
CHANGE(add_name)

/* ------------------------------------------------------- deep, and parallel -- */

/* Opens the directory that fill_deep() made. */
static int open_deep(const struct bench_case *c, int dir)
{
	int deeper = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (uint64_t i = 0; i < c->value && deeper >= 0; i++) {
		int next = openat(deeper, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		close(deeper);
		deeper = next;
	}

	return deeper;
}

static int up_deep(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	cleanup_fd int deep = open_deep(c, dir);

	if (deep < 0 || change_mode(deep, FILE_NAME) < 0)
		return ovi_fail_errno(err, "change a file below %llu directories",
		                      (unsigned long long)c->value);

	return 0;
}

/* The directories are made anew, as copying up does, and then the file. */
static int plain_deep(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	cleanup_fd int deep = open_deep(c, dir);
	cleanup_fd int deeper = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (uint64_t i = 0; i < c->value; i++) {
		int next;

		if (mkdirat(deeper, "copy", 0755) < 0)
			return ovi_fail_errno(err, "create a directory");
		next = openat(deeper, "copy", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (next < 0 || fchown(next, 0, 0) < 0)
			return ovi_fail_errno(err, "open a directory");
		close(deeper);
		deeper = next;
	}
	if (deep < 0 || copy_file(deep, FILE_NAME, "copy", 0) < 0 || change_mode(deep, "copy") < 0)
		return ovi_fail_errno(err, "copy a file and change it");

	return 0;
}

struct part {
	pthread_t thread;
	int dir;
	int is_copied;
	int sys;
	char name[32];
};

static void *work_part(void *data)
{
	struct part *part = data;
	char copy[40];
	int r;

	snprintf(copy, sizeof(copy), "copy-%s", part->name);
	r = part->is_copied ? copy_file(part->dir, part->name, copy, 0)
	                    : open_to_write(part->dir, part->name);
	part->sys = r < 0 ? errno : 0;

	return NULL;
}

static int work_parts(const struct bench_case *c, int dir, int is_copied, struct ovl2_error *err)
{
	struct part parts[MAX_THREADS];
	size_t started = 0;
	int sys = 0;

	while (started < c->value && !sys) {
		struct part *part = &parts[started];

		*part = (struct part){ .dir = dir, .is_copied = is_copied };
		snprintf(part->name, sizeof(part->name), FILE_NAME "%zu", started);
		sys = pthread_create(&part->thread, NULL, work_part, part);
		started += sys == 0;
	}
	for (size_t i = 0; i < started; i++) {
		pthread_join(parts[i].thread, NULL);
		if (!sys)
			sys = parts[i].sys;
	}
	errno = sys;

	return sys ? ovi_fail_errno(err, "copy files in many threads") : 0;
}

static int up_parts(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	return work_parts(c, dir, 0, err);
}

static int plain_parts(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	return work_parts(c, dir, 1, err);
}

/* --------------------------------------- deleting, renaming, writing, syncing -- */

static int unlink_tree(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	char name[32];

	for (uint64_t i = 0; i < c->value; i++) {
		snprintf(name, sizeof(name), TREE "/" FILE_NAME "%llu", (unsigned long long)i);
		if (unlinkat(dir, name, 0) < 0)
			return ovi_fail_errno(err, "delete '%s'", name);
	}

	return 0;
}

/* In a layer the new directory is opaque. */
static int replace_tree(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	int r = unlink_tree(c, dir, err);

	if (r < 0)
		return r;
	if (unlinkat(dir, TREE, AT_REMOVEDIR) < 0 || mkdirat(dir, TREE, 0755) < 0)
		return ovi_fail_errno(err, "replace the directory '%s'", TREE);

	return 0;
}

static int rename_tree(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	(void)c;
	if (renameat(dir, TREE, dir, "renamed") < 0)
		return ovi_fail_errno(err, "rename the directory '%s'", TREE);

	return 0;
}

static int create_files(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	return fill_files(dir, "new-", count_files(c), BLOCK_BYTES, err);
}

static int make_directories(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	char name[32];

	for (uint64_t i = 0; i < count_files(c); i++) {
		snprintf(name, sizeof(name), "new-%llu", (unsigned long long)i);
		if (mkdirat(dir, name, 0755) < 0)
			return ovi_fail_errno(err, "create the directory '%s'", name);
	}

	return 0;
}

static int sync_one(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	cleanup_fd int fd = openat(dir, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	char block[BLOCK_BYTES] = "";

	(void)c;
	if (fd < 0 || write(fd, block, sizeof(block)) != sizeof(block) || fsync(fd) < 0)
		return ovi_fail_errno(err, "write a file and sync it");

	return 0;
}

static int sync_all(const struct bench_case *c, int dir, struct ovl2_error *err)
{
	int r = create_files(c, dir, err);

	if (r < 0)
		return r;

	return syncfs(dir) < 0 ? ovi_fail_errno(err, "sync the filesystem") : 0;
}

/* ------------------------------------------------------------------ hooks -- */

static void check_value(struct bench_case *c)
{
	uint64_t most = c->place->tier == BENCH_TIER_FULL ? UINT64_MAX : 16u << 20;

	if (c->place->tier == BENCH_TIER_SMOKE && c->value > MAX_SMOKE_VALUE)
		snprintf(c->skipped, sizeof(c->skipped), "so much is not done for a smoke test");
	else if (c->value > most)
		snprintf(c->skipped, sizeof(c->skipped), "so much is done for --tier full only");
}

/* NULL for what every store has. */
static const char *find_options(const struct bench_case *c)
{
	if (has_metacopy(c))
		return "index=off,redirect_dir=on,metacopy=on";
	if (strcmp(c->variant, "redirect_dir=on") == 0)
		return "index=off,redirect_dir=on,metacopy=off";

	return NULL;
}

static int prepare(const struct bench_case *c, struct state *state, struct ovl2_error *err)
{
	const struct write *write = detail(c);
	const struct stack_options options = {
		.lowers = 1,
		.overlay = find_options(c),
		.is_volatile = strcmp(c->variant, "volatile") == 0,
	};
	int r = stack_open(c->place, &options, &state->stack, err);

	return r < 0 || !write->fill ? r : write->fill(c, state->stack.lowers[0], err);
}

static int setup(struct bench_case *c, struct ovl2_error *err)
{
	struct ovl2_error reason = { 0 };
	struct state *state;
	int r;

	check_value(c);
	if (*c->skipped)
		return 0;
	state = calloc(1, sizeof(*state));
	if (!state)
		return ovi_fail_memory(err);
	c->state = state;
	state->stack = (struct stack)STACK_NONE;

	r = prepare(c, state, &reason);
	if (r == OVL2_E_UNSUPPORTED) {
		snprintf(c->skipped, sizeof(c->skipped), "%s", reason.message);
		return 0;
	}
	if (r < 0 && err)
		*err = reason;

	return r;
}

static int teardown(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r;

	if (!state)
		return 0;
	r = stack_close(&state->stack, err);
	free(state);
	c->state = NULL;

	return r;
}

static int before_ours(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	int r = stack_empty_upper(&state->stack, err);

	if (r == 0)
		r = place_settle(c->place, err);

	return r < 0 ? r : stack_mount(&state->stack, err);
}

static int run_ours(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;

	return detail(c)->work(c, state->stack.merged, err);
}

static int after_ours(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	return stack_unmount(&state->stack, err);
}

static int before_floor(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;
	const struct write *write = detail(c);
	int r = stack_empty_plain(&state->stack, err);

	if (r == 0 && write->fill)
		r = write->fill(c, state->stack.plain, err);

	return r < 0 ? r : place_settle(c->place, err);
}

static int run_floor(struct bench_case *c, struct ovl2_error *err)
{
	const struct state *state = c->state;
	const struct write *write = detail(c);

	return (write->plain ? write->plain : write->work)(c, state->stack.plain, err);
}

/* ------------------------------------------------------------------- rows -- */

/* On both sides of 128 KiB, which kernels read ahead and split writes at. */
static const uint64_t sizes[] = { 1,         4096,    65536,    127 << 10, 128 << 10,
	                          129 << 10, 1 << 20, 16 << 20, 256 << 20, 0 };
static const uint64_t few_sizes[] = { 4096, 1 << 20, 16 << 20, 0 };
static const uint64_t depths[] = { 1, 8, 64, 0 };
static const uint64_t links[] = { 1, 10, 1000, 0 };
static const uint64_t threads[] = { 1, 2, 4, 16, MAX_THREADS, 0 };
static const uint64_t files[] = { 100, 1000, 10000, 0 };

static const struct bench_variant with_sizes[] = { { "metacopy=off", sizes }, { 0 } };
static const struct bench_variant with_metacopy[] = {
	{ "metacopy=off", few_sizes },
	{ "metacopy=on", few_sizes },
	{ 0 },
};
static const struct bench_variant with_depths[] = { { "4 KiB", depths }, { 0 } };
static const struct bench_variant with_links[] = { { "4 KiB", links }, { 0 } };
static const struct bench_variant with_threads[] = { { "64 KiB", threads }, { 0 } };
static const struct bench_variant with_files[] = { { "64 bytes", files }, { 0 } };
static const struct bench_variant with_redirect[] = { { "redirect_dir=on", files }, { 0 } };
static const struct bench_variant plainly[] = { { "upper", NULL }, { 0 } };
static const struct bench_variant one_mebibyte[] = { { "1 MiB", NULL }, { 0 } };
static const struct bench_variant with_syncs[] = { { "ordinary", NULL },
	                                           { "volatile", NULL },
	                                           { 0 } };

/* What all rows of this family have in common; `floor` is the floor's title. */
#define WRITE(floor_title)                                                                        \
	.group = "copy-up", .weight = 2, .is_full_only = 1, .setup = setup, .teardown = teardown, \
	.ours = { "in a mounted layer", before_ours, run_ours, after_ours },                      \
	.floor = { floor_title, before_floor, run_floor, NULL }

#define COPIED WRITE("clone or copy and fsync a nameless file, link it; the same change")
#define SAME WRITE("the same in a plain directory")

const struct bench bench_copy_up_open = {
	.id = "copy_up_open",
	.title = "Open a file of a lower of this many bytes for writing",
	.parameter = "bytes",
	.variants = with_sizes,
	.detail = &(const struct write){ fill_one, up_open_to_write, plain_open_to_write },
	COPIED,
};

const struct bench bench_copy_up_chmod = {
	.id = "copy_up_chmod",
	.title = "Change the mode of a file of a lower of this many bytes",
	.parameter = "bytes",
	.variants = with_metacopy,
	.detail = &(const struct write){ fill_one, up_change_mode, plain_change_mode },
	COPIED,
};

const struct bench bench_copy_up_chown = {
	.id = "copy_up_chown",
	.title = "Change the owner of a file of a lower of this many bytes",
	.parameter = "bytes",
	.variants = with_metacopy,
	.detail = &(const struct write){ fill_one, up_change_owner, plain_change_owner },
	COPIED,
};

const struct bench bench_copy_up_utimes = {
	.id = "copy_up_utimes",
	.title = "Change the times of a file of a lower of this many bytes",
	.parameter = "bytes",
	.variants = with_metacopy,
	.detail = &(const struct write){ fill_one, up_change_times, plain_change_times },
	COPIED,
};

const struct bench bench_copy_up_setxattr = {
	.id = "copy_up_setxattr",
	.title = "Set an attribute of a file of a lower of this many bytes",
	.parameter = "bytes",
	.variants = with_metacopy,
	.detail = &(const struct write){ fill_one, up_change_attribute, plain_change_attribute },
	COPIED,
};

const struct bench bench_copy_up_rename = {
	.id = "copy_up_rename",
	.title = "Rename a file of a lower of this many bytes",
	.parameter = "bytes",
	.variants = with_metacopy,
	.detail = &(const struct write){ fill_one, up_change_name, plain_change_name },
	COPIED,
};

const struct bench bench_copy_up_link = {
	.id = "copy_up_link",
	.title = "Give a file of a lower of this many bytes a second name",
	.parameter = "bytes",
	.variants = with_metacopy,
	.detail = &(const struct write){ fill_one, up_add_name, plain_add_name },
	COPIED,
};

const struct bench bench_copy_up_update = {
	.id = "copy_up_update",
	.title = "Write four bytes in the middle of a file of a lower",
	.variants = one_mebibyte,
	.detail = &(const struct write){ fill_mebibyte, up_change_bytes, plain_change_bytes },
	COPIED,
};

const struct bench bench_copy_up_deep = {
	.id = "copy_up_deep",
	.title = "Change the mode of a file of a lower below this many directories",
	.parameter = "directories",
	.variants = with_depths,
	.detail = &(const struct write){ fill_deep, up_deep, plain_deep },
	COPIED,
};

const struct bench bench_copy_up_hard_link = {
	.id = "copy_up_hard_link",
	.title = "Open a file of a lower with this many names for writing",
	.parameter = "names",
	.variants = with_links,
	.detail = &(const struct write){ fill_links, up_open_to_write, plain_open_to_write },
	COPIED,
};

const struct bench bench_copy_up_parallel = {
	.id = "copy_up_parallel",
	.is_spread = 1,
	.title = "Open a file of a lower each in this many threads for writing",
	.parameter = "threads",
	.variants = with_threads,
	.detail = &(const struct write){ fill_parts, up_parts, plain_parts },
	COPIED,
};

const struct bench bench_whiteout_unlink = {
	.id = "whiteout_unlink",
	.title = "Delete this many files of a lower",
	.parameter = "files",
	.variants = with_files,
	.detail = &(const struct write){ fill_tree, unlink_tree, NULL },
	SAME,
};

const struct bench bench_whiteout_tree = {
	.id = "whiteout_tree",
	.title = "Delete a directory of a lower with this many files and make it anew",
	.parameter = "files",
	.variants = with_files,
	.detail = &(const struct write){ fill_tree, replace_tree, NULL },
	SAME,
};

const struct bench bench_rename_directory = {
	.id = "rename_directory",
	.title = "Rename a directory of a lower with this many files",
	.parameter = "files",
	.variants = with_redirect,
	.detail = &(const struct write){ fill_tree, rename_tree, NULL },
	SAME,
};

const struct bench bench_create_files = {
	.id = "create_files",
	.title = "Create 100 files of 4 KiB",
	.variants = plainly,
	.detail = &(const struct write){ NULL, create_files, NULL },
	SAME,
};

const struct bench bench_create_directories = {
	.id = "create_directories",
	.title = "Create 100 directories",
	.variants = plainly,
	.detail = &(const struct write){ NULL, make_directories, NULL },
	SAME,
};

const struct bench bench_fsync_file = {
	.id = "fsync_file",
	.title = "Create a file of 4 KiB and sync it",
	.variants = with_syncs,
	.detail = &(const struct write){ NULL, sync_one, NULL },
	SAME,
};

const struct bench bench_syncfs_files = {
	.id = "syncfs_files",
	.title = "Create 100 files of 4 KiB and sync the filesystem",
	.variants = with_syncs,
	.detail = &(const struct write){ NULL, sync_all, NULL },
	SAME,
};
