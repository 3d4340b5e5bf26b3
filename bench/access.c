#include "families.h"
#include "fill.h"
#include "stack.h"
#include "walk.h"

#include "cleanup.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

/*
 * What reading costs in a container: the same calls in a mounted layer and, as the
 * floor, in a plain directory of the same filesystem that has the same files. It is
 * the kernel that works; the library has chosen the options and the method. Mounted
 * anew before each operation, the overlay knows no name yet; the filesystem below,
 * and so the floor, does.
 */

#define MAX_NAMES 100
#define SMOKE_NAMES 4

#define COMPONENTS 32
#define PAGE 4096
#define ATTRIBUTE "user.ovl2.bench"

/* Each lower has so many entries where directories are read. */
#define ENTRIES_OF_LOWER 100

static const uint64_t lower_values[] = { 1, 16, 127, 500, 0 };
static const uint64_t entry_values[] = { 100, 10000, 100000, 1000000, 0 };

struct state;

struct access {
	/* Makes the files, in the lowers and in the plain directory. */
	int (*fill)(struct state *state, struct ovl2_error *err);

	/* The operation, in `dir`, whose path is `path`. */
	int (*work)(struct state *state, int dir, const char *path, struct ovl2_error *err);

	/* Lowers where they are not what the values are. */
	uint64_t lowers;

	/* Mounted once, and everything was looked up before. */
	int is_warm;
};

struct state {
	struct bench_case *c;
	struct stack stack;

	char names[MAX_NAMES][COMPONENTS * 2 + 8];
	size_t count;
	uint64_t size;

	/* What a directory must turn out to hold. */
	uint64_t expected;
};

/* ---------------------------------------------------------------- content -- */

static int top(const struct state *state)
{
	return state->stack.lowers[0];
}

static int bottom(const struct state *state)
{
	return state->stack.lowers[state->stack.lower_count - 1];
}

static int make_names(const struct state *state, int dir, struct ovl2_error *err)
{
	int r = 0;

	for (size_t i = 0; i < state->count && r == 0; i++)
		r = fill_file(dir, state->names[i], state->size, i, err);

	return r;
}

static int fill_in(const struct state *state, int lower, struct ovl2_error *err)
{
	int r = make_names(state, lower, err);

	return r < 0 ? r : make_names(state, state->stack.plain, err);
}

static int fill_top(struct state *state, struct ovl2_error *err)
{
	return fill_in(state, top(state), err);
}

static int fill_middle(struct state *state, struct ovl2_error *err)
{
	return fill_in(state, state->stack.lowers[state->stack.lower_count / 2], err);
}

static int fill_bottom(struct state *state, struct ovl2_error *err)
{
	return fill_in(state, bottom(state), err);
}

static int fill_pages(struct state *state, struct ovl2_error *err)
{
	state->size = PAGE;

	return fill_bottom(state, err);
}

static int fill_nothing(struct state *state, struct ovl2_error *err)
{
	(void)state;
	(void)err;

	return 0;
}

/* Below every whiteout there is a file, where there is a below. */
static int fill_whiteouts(struct state *state, struct ovl2_error *err)
{
	if (top(state) != bottom(state)) {
		int r = make_names(state, bottom(state), err);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < state->count; i++)
		if (mknodat(top(state), state->names[i], S_IFCHR, makedev(0, 0)) < 0)
			return ovi_fail_errno(err, "create a whiteout");

	return 0;
}

static int fill_opaque(struct state *state, struct ovl2_error *err)
{
	cleanup_fd int opaque = -1;
	cleanup_fd int plain = -1;
	int r;

	for (size_t i = 0; i < state->count; i++)
		snprintf(state->names[i], sizeof(state->names[i]), "sub/file-%zu", i);
	r = fill_directory(top(state), "sub", &opaque, err);
	if (r == 0)
		r = fill_directory(state->stack.plain, "sub", &plain, err);
	if (r < 0)
		return r;
	if (fsetxattr(opaque, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return ovi_fail_errno(err, "make a directory opaque");
	if (top(state) == bottom(state))
		return 0;

	/* Its files are hidden. */
	if (mkdirat(bottom(state), "sub", 0755) < 0)
		return ovi_fail_errno(err, "create a directory");

	return make_names(state, bottom(state), err);
}

static int make_directories(const struct state *state, int dir, struct ovl2_error *err)
{
	for (size_t i = 0; i < state->count; i++)
		if (mkdirat(dir, state->names[i], 0755) < 0)
			return ovi_fail_errno(err, "create a directory");

	return 0;
}

static int fill_directories(struct state *state, struct ovl2_error *err)
{
	int r = make_directories(state, state->stack.plain, err);

	for (size_t i = 0; i < state->stack.lower_count && r == 0; i++)
		r = make_directories(state, state->stack.lowers[i], err);

	return r;
}

static int make_deep(const char *path, int dir, struct ovl2_error *err)
{
	char part[COMPONENTS * 2 + 8];

	for (size_t length = 1; length <= strlen(path); length += 2) {
		snprintf(part, sizeof(part), "%.*s", (int)length, path);
		if (mkdirat(dir, part, 0755) < 0)
			return ovi_fail_errno(err, "create the directory '%s'", part);
	}

	return 0;
}

/* "d/d/d/...": one name of many directories, each in all lowers. */
static int fill_deep(struct state *state, struct ovl2_error *err)
{
	int r;

	state->count = 1;
	memset(state->names[0], '/', COMPONENTS * 2 - 1);
	for (size_t i = 0; i < COMPONENTS; i++)
		state->names[0][2 * i] = 'd';
	state->names[0][COMPONENTS * 2 - 1] = '\0';

	r = make_deep(state->names[0], state->stack.plain, err);
	for (size_t i = 0; i < state->stack.lower_count && r == 0; i++)
		r = make_deep(state->names[0], state->stack.lowers[i], err);

	return r;
}

static int fill_attributes(struct state *state, struct ovl2_error *err)
{
	int r = fill_bottom(state, err);

	for (size_t i = 0; i < state->count && r == 0; i++) {
		const int dirs[] = { bottom(state), state->stack.plain };

		for (size_t j = 0; j < ARRAY_SIZE(dirs) && r == 0; j++) {
			cleanup_fd int fd = openat(dirs[j], state->names[i], O_RDONLY | O_CLOEXEC);

			if (fd < 0 || fsetxattr(fd, ATTRIBUTE, "value", 5, 0) < 0)
				r = ovi_fail_errno(err, "set the attribute '%s'", ATTRIBUTE);
		}
	}

	return r;
}

static int fill_large(struct state *state, struct ovl2_error *err)
{
	state->count = 1;
	state->size = state->c->place->tier == BENCH_TIER_SMOKE ? 64 << 10 : 64 << 20;
	state->c->bytes = state->size;

	return fill_bottom(state, err);
}

/* The variant says whether lowers have names in common. */
static int fill_entries(struct state *state, struct ovl2_error *err)
{
	const struct stack *stack = &state->stack;
	int is_same = strcmp(state->c->variant, "same names") == 0;
	int is_smoke = state->c->place->tier == BENCH_TIER_SMOKE;
	uint64_t each = is_smoke ? SMOKE_NAMES : ENTRIES_OF_LOWER;
	char prefix[32] = "entry-";
	int r = is_same ? fill_files(stack->plain, prefix, each, 0, err) : 0;

	for (size_t i = 0; i < stack->lower_count && r == 0; i++) {
		if (!is_same)
			snprintf(prefix, sizeof(prefix), "entry-%zu-", i);
		r = fill_files(stack->lowers[i], prefix, each, 0, err);
		if (r == 0 && !is_same)
			r = fill_files(stack->plain, prefix, each, 0, err);
	}
	state->expected = is_same ? each : each * stack->lower_count;

	return r;
}

static int fill_one_lower(struct state *state, struct ovl2_error *err)
{
	int r = fill_files(bottom(state), "entry-", state->c->value, 0, err);

	state->expected = state->c->value;
	state->c->files = state->c->value;

	return r < 0 ? r : fill_files(state->stack.plain, "entry-", state->c->value, 0, err);
}

static int copy_program(int dir, struct ovl2_error *err)
{
	cleanup_fd int from = open("/bin/true", O_RDONLY | O_CLOEXEC);
	cleanup_fd int to = openat(dir, "true", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	char block[PAGE];
	ssize_t length;

	if (from < 0 || to < 0)
		return ovi_fail_errno(err, "copy '/bin/true'");
	while ((length = read(from, block, sizeof(block))) > 0)
		if (write(to, block, (size_t)length) != length)
			return ovi_fail_errno(err, "copy '/bin/true'");

	return length < 0 ? ovi_fail_errno(err, "read '/bin/true'") : 0;
}

static int fill_program(struct state *state, struct ovl2_error *err)
{
	int r = copy_program(bottom(state), err);

	return r < 0 ? r : copy_program(state->stack.plain, err);
}

/* ------------------------------------------------------------- operations -- */

static int stat_names(struct state *state, int dir, const char *path, struct ovl2_error *err)
{
	struct stat st;

	for (size_t i = 0; i < state->count; i++)
		if (fstatat(dir, state->names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			return ovi_fail_errno(err, "look at '%s/%s'", path, state->names[i]);

	return 0;
}

static int miss_names(struct state *state, int dir, const char *path, struct ovl2_error *err)
{
	struct stat st;

	for (size_t i = 0; i < state->count; i++) {
		if (fstatat(dir, state->names[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			return ovi_fail(err, OVL2_E_SYSTEM, "there is '%s/%s'", path,
			                state->names[i]);
		if (errno != ENOENT)
			return ovi_fail_errno(err, "look for '%s/%s'", path, state->names[i]);
	}

	return 0;
}

static int read_names(struct state *state, int dir, const char *path, struct ovl2_error *err)
{
	char block[PAGE];

	for (size_t i = 0; i < state->count; i++) {
		cleanup_fd int fd = openat(dir, state->names[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0 || read(fd, block, sizeof(block)) != sizeof(block))
			return ovi_fail_errno(err, "read '%s/%s'", path, state->names[i]);
	}

	return 0;
}

static int read_large(struct state *state, int dir, const char *path, struct ovl2_error *err)
{
	static char block[128 << 10];
	cleanup_fd int fd = openat(dir, state->names[0], O_RDONLY | O_CLOEXEC);
	uint64_t bytes = 0;
	ssize_t length = fd;

	while (length >= 0 && bytes < state->size) {
		length = read(fd, block, sizeof(block));
		if (length == 0)
			break;
		bytes += length > 0 ? (uint64_t)length : 0;
	}

	return bytes < state->size ? ovi_fail_errno(err, "read '%s'", path) : 0;
}

static int touch_pages(struct state *state, int dir, const char *path, struct ovl2_error *err)
{
	cleanup_fd int fd = openat(dir, state->names[0], O_RDONLY | O_CLOEXEC);
	const volatile char *map = MAP_FAILED;

	if (fd >= 0)
		map = mmap(NULL, state->size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return ovi_fail_errno(err, "map '%s/%s'", path, state->names[0]);
	for (uint64_t i = 0; i < state->size; i += PAGE)
		(void)map[i];
	munmap((void *)map, state->size);

	return 0;
}

/* Lists `dir`; with `is_long` looks at each entry as well. */
static int list(const struct state *state, int dir, const char *path, int is_long,
                struct ovl2_error *err)
{
	cleanup_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t count = 0;
	struct stat st;

	if (!stream)
		return ovi_fail_errno(err, "list '%s'", path);
	steal_fd(&fd);
	while ((entry = readdir(stream))) {
		count++;
		if (is_long && fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return ovi_fail_errno(err, "look at '%s/%s'", path, entry->d_name);
	}

	/* "." and ".." */
	if (count != state->expected + 2)
		return ovi_fail(err, OVL2_E_SYSTEM, "'%s' has %llu entries, not %llu", path,
		                (unsigned long long)count - 2, (unsigned long long)state->expected);

	return 0;
}

static int list_short(struct state *state, int dir, const char *path, struct ovl2_error *err)
{
	return list(state, dir, path, 0, err);
}

static int list_long(struct state *state, int dir, const char *path, struct ovl2_error *err)
{
	return list(state, dir, path, 1, err);
}

static int walk(struct state *state, int dir, const char *path, struct ovl2_error *err)
{
	struct walk_count count = { 0 };
	int r = walk_stat(path, &count, err);

	(void)dir;
	if (r == 0 && count.files != state->expected)
		return ovi_fail(err, OVL2_E_SYSTEM, "saw %llu files in '%s', not %llu",
		                (unsigned long long)count.files, path,
		                (unsigned long long)state->expected);

	return r;
}

static int get_attributes(struct state *state, int dir, const char *path, struct ovl2_error *err)
{
	char value[16];

	for (size_t i = 0; i < state->count; i++) {
		cleanup_fd int fd = openat(dir, state->names[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0 || fgetxattr(fd, ATTRIBUTE, value, sizeof(value)) != 5)
			return ovi_fail_errno(err, "get an attribute of '%s/%s'", path,
			                      state->names[i]);
	}

	return 0;
}

static int list_attributes(struct state *state, int dir, const char *path, struct ovl2_error *err)
{
	char list[4096];

	for (size_t i = 0; i < state->count; i++) {
		cleanup_fd int fd = openat(dir, state->names[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0 || flistxattr(fd, list, sizeof(list)) < (ssize_t)sizeof(ATTRIBUTE))
			return ovi_fail_errno(err, "list the attributes of '%s/%s'", path,
			                      state->names[i]);
	}

	return 0;
}

static int execute(struct state *state, int dir, const char *path, struct ovl2_error *err)
{
	char program[sizeof(state->stack.path) + 8];
	char *const argv[] = { program, NULL };
	int status;
	pid_t pid;

	(void)dir;
	snprintf(program, sizeof(program), "%s/true", path);
	errno = posix_spawn(&pid, program, NULL, NULL, argv, environ);
	if (errno)
		return ovi_fail_errno(err, "run '%s'", program);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return ovi_fail_errno(err, "wait for '%s'", program);

	return status ? ovi_fail(err, OVL2_E_SYSTEM, "'%s' failed", program) : 0;
}

/* ------------------------------------------------------------------ hooks -- */

static const struct access *detail(const struct bench_case *c)
{
	return c->bench->detail;
}

/* What only some tiers have the time for. */
static int check_size(struct bench_case *c)
{
	if (detail(c)->lowers == 0)
		return 1;
	if (c->value > entry_values[0] && c->place->tier == BENCH_TIER_SMOKE)
		snprintf(c->skipped, sizeof(c->skipped),
		         "so many entries are not made for a smoke test");
	else if (c->value > 100000 && c->place->tier != BENCH_TIER_FULL)
		snprintf(c->skipped, sizeof(c->skipped),
		         "so many entries are made for --tier full only");

	return !*c->skipped;
}

static int prepare(struct state *state, struct ovl2_error *err)
{
	const struct access *access = detail(state->c);
	int is_smoke = state->c->place->tier == BENCH_TIER_SMOKE;
	int r;

	state->count = is_smoke ? SMOKE_NAMES : MAX_NAMES;
	for (size_t i = 0; i < state->count; i++)
		snprintf(state->names[i], sizeof(state->names[i]), "file-%zu", i);
	r = access->fill(state, err);
	if (r == 0)
		r = place_settle(state->c->place, err);
	if (r < 0 || !access->is_warm)
		return r;

	r = stack_mount(&state->stack, err);

	return r < 0 ? r : access->work(state, state->stack.merged, state->stack.path, err);
}

static int setup(struct bench_case *c, struct ovl2_error *err)
{
	const struct access *access = detail(c);
	const struct stack_options options = { .lowers =
		                                       access->lowers ? access->lowers : c->value };
	struct ovl2_error reason = { 0 };
	struct state *state;
	int r;

	if (!check_size(c))
		return 0;
	state = calloc(1, sizeof(*state));
	if (!state)
		return ovi_fail_memory(err);
	c->state = state;
	state->c = c;

	r = stack_open(c->place, &options, &state->stack, &reason);
	if (r == 0)
		r = prepare(state, &reason);
	if (r == OVL2_E_UNSUPPORTED || reason.sys == EOPNOTSUPP) {
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

	return detail(c)->is_warm ? 0 : stack_mount(&state->stack, err);
}

static int run_ours(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	return detail(c)->work(state, state->stack.merged, state->stack.path, err);
}

static int after_ours(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	return detail(c)->is_warm ? 0 : stack_unmount(&state->stack, err);
}

static int run_floor(struct bench_case *c, struct ovl2_error *err)
{
	struct state *state = c->state;

	return detail(c)->work(state, state->stack.plain, STACK_PLAIN, err);
}

/* ------------------------------------------------------------------- rows -- */

static const struct bench_variant by_lowers[] = { { "layer", lower_values }, { 0 } };
static const struct bench_variant by_entries[] = { { "1 lower", entry_values }, { 0 } };
static const struct bench_variant by_names[] = {
	{ "own names", lower_values },
	{ "same names", lower_values },
	{ 0 },
};

/* What all rows of this family have in common. */
#define ACCESS                                                                                   \
	.group = "access", .weight = 1, .is_full_only = 1, .setup = setup, .teardown = teardown, \
	.ours = { "in a mounted layer", before_ours, run_ours, after_ours },                     \
	.floor = { "the same in a plain directory", NULL, run_floor, NULL }

#define BY_LOWERS ACCESS, .parameter = "lowers", .variants = by_lowers

const struct bench bench_lookup_top = {
	.id = "lookup_top",
	.title = "Look up 100 files of the topmost lower",
	.detail = &(const struct access){ .fill = fill_top, .work = stat_names },
	BY_LOWERS,
};

const struct bench bench_lookup_middle = {
	.id = "lookup_middle",
	.title = "Look up 100 files of the lower in the middle",
	.detail = &(const struct access){ .fill = fill_middle, .work = stat_names },
	BY_LOWERS,
};

const struct bench bench_lookup_bottom = {
	.id = "lookup_bottom",
	.title = "Look up 100 files of the lowest lower",
	.detail = &(const struct access){ .fill = fill_bottom, .work = stat_names },
	BY_LOWERS,
};

const struct bench bench_lookup_again = {
	.id = "lookup_again",
	.title = "Look up 100 files of the lowest lower that were looked up before",
	.detail = &(const struct access){ .fill = fill_bottom, .work = stat_names, .is_warm = 1 },
	BY_LOWERS,
};

const struct bench bench_lookup_miss = {
	.id = "lookup_miss",
	.title = "Look for 100 files that are in no lower",
	.detail = &(const struct access){ .fill = fill_nothing, .work = miss_names },
	BY_LOWERS,
};

const struct bench bench_lookup_miss_again = {
	.id = "lookup_miss_again",
	.title = "Look for 100 files that are in no lower, as was found out before",
	.detail = &(const struct access){ .fill = fill_nothing, .work = miss_names, .is_warm = 1 },
	BY_LOWERS,
};

const struct bench bench_lookup_whiteout = {
	.id = "lookup_whiteout",
	.title = "Look for 100 files that the topmost lower deleted",
	.detail = &(const struct access){ .fill = fill_whiteouts, .work = miss_names },
	BY_LOWERS,
};

const struct bench bench_lookup_opaque = {
	.id = "lookup_opaque",
	.title = "Look for 100 files below a directory that hides them",
	.detail = &(const struct access){ .fill = fill_opaque, .work = miss_names },
	BY_LOWERS,
};

const struct bench bench_lookup_directory = {
	.id = "lookup_directory",
	.title = "Look up 100 directories that are in every lower",
	.detail = &(const struct access){ .fill = fill_directories, .work = stat_names },
	BY_LOWERS,
};

const struct bench bench_lookup_deep = {
	.id = "lookup_deep",
	.title = "Look up a path of 32 directories that are in every lower",
	.detail = &(const struct access){ .fill = fill_deep, .work = stat_names },
	BY_LOWERS,
};

const struct bench bench_open_read = {
	.id = "open_read",
	.title = "Open, read and close 100 files of 4 KiB of the lowest lower",
	.detail = &(const struct access){ .fill = fill_pages, .work = read_names },
	BY_LOWERS,
};

const struct bench bench_open_read_again = {
	.id = "open_read_again",
	.title = "Open, read and close 100 files of 4 KiB that were read before",
	.detail = &(const struct access){ .fill = fill_pages, .work = read_names, .is_warm = 1 },
	BY_LOWERS,
};

const struct bench bench_read_sequential = {
	.id = "read_sequential",
	.title = "Read a file of 64 MiB of the lowest lower",
	.is_throughput = 1,
	.detail = &(const struct access){ .fill = fill_large, .work = read_large, .is_warm = 1 },
	BY_LOWERS,
};

const struct bench bench_map_touch = {
	.id = "map_touch",
	.title = "Map a file of 64 MiB of the lowest lower and touch each page",
	.is_throughput = 1,
	.detail = &(const struct access){ .fill = fill_large, .work = touch_pages, .is_warm = 1 },
	BY_LOWERS,
};

const struct bench bench_xattr_get = {
	.id = "xattr_get",
	.title = "Open 100 files of the lowest lower and get an attribute of each",
	.detail = &(const struct access){ .fill = fill_attributes,
	                                  .work = get_attributes,
	                                  .is_warm = 1 },
	BY_LOWERS,
};

const struct bench bench_xattr_list = {
	.id = "xattr_list",
	.title = "Open 100 files of the lowest lower and list the attributes of each",
	.detail = &(const struct access){ .fill = fill_attributes,
	                                  .work = list_attributes,
	                                  .is_warm = 1 },
	BY_LOWERS,
};

const struct bench bench_execute = {
	.id = "execute",
	.title = "Run true(1) of the lowest lower",
	.detail = &(const struct access){ .fill = fill_program, .work = execute },
	BY_LOWERS,
};

const struct bench bench_readdir_merged = {
	.id = "readdir_merged",
	.title = "List a directory that is in every lower, with 100 entries in each",
	.detail = &(const struct access){ .fill = fill_entries, .work = list_short },
	ACCESS,
	.parameter = "lowers",
	.variants = by_names,
};

const struct bench bench_readdir_stat = {
	.id = "readdir_stat",
	.title = "List such a directory and look at each entry, as ls -l does",
	.detail = &(const struct access){ .fill = fill_entries, .work = list_long },
	ACCESS,
	.parameter = "lowers",
	.variants = by_names,
};

const struct bench bench_readdir_pure = {
	.id = "readdir_pure",
	.title = "List a directory of one lower with this many entries",
	.is_throughput = 1,
	.detail = &(const struct access){ .fill = fill_one_lower, .work = list_short, .lowers = 1 },
	ACCESS,
	.parameter = "entries",
	.variants = by_entries,
};

const struct bench bench_walk_merged = {
	.id = "walk_merged",
	.title = "Walk such a tree and look at everything, as find -size does",
	.detail = &(const struct access){ .fill = fill_entries, .work = walk },
	ACCESS,
	.parameter = "lowers",
	.variants = by_names,
};
