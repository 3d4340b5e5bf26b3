// SPDX-License-Identifier: MIT
#include "fixture.h"

#include "support/filesystem.h"

#include "scratch.h"

#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * Quotas of layers, on ext4 and XFS with project quotas; where this kernel has none
 * only that they are refused. OVL2_TEST_LAB, which the kernel lab sets, makes a
 * missing quota a failure instead of something to skip.
 */

#define MIB (1ULL << 20)

/* The first id that the driver takes. */
#define FIRST_PROJECT 0x40000000u

static const char block[1 << 16];

static struct ovl2_layer_options container(const char *parent, uint64_t bytes, uint64_t inodes)
{
	return (struct ovl2_layer_options){
		.size = sizeof(struct ovl2_layer_options),
		.parent = parent,
		.read_write = 1,
		.quota_bytes = bytes,
		.quota_inodes = inodes,
	};
}

static void create(struct ovl2_store *store, const char *id, struct ovl2_layer_options options)
{
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_layer_create(store, id, &options, &err), &err);
}

static struct ovl2_usage usage_of(struct ovl2_store *store, const char *id)
{
	struct ovl2_usage usage = { 0 };
	struct ovl2_error err = { 0 };
	int r = ovl2_layer_usage(store, id, &usage, &err);

	assert_ok(r, &err);
	assert_int_equal(r, 1);

	return usage;
}

/* Writes up to `most` bytes; how many went in, and why no more did. */
static uint64_t write_file(const char *directory, const char *name, uint64_t most, int *ret_errno)
{
	cleanup_free char *path = test_path("%s/%s", directory, name);
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	uint64_t written = 0;

	assert_true(fd >= 0);
	*ret_errno = 0;
	while (written < most) {
		ssize_t length = write(fd, block, sizeof(block));

		if (length < 0) {
			*ret_errno = errno;
			break;
		}
		written += (uint64_t)length;
	}
	if (fsync(fd) < 0)
		*ret_errno = errno;

	return written;
}

static void assert_is_limit(int sys)
{
	if (sys != EDQUOT && sys != ENOSPC)
		fail_msg("stopped by '%s', not by a quota", strerror(sys));
}

/* ------------------------------------------------------------ the kernel's side -- */

static int ask_quota(const char *path, unsigned int command, uint32_t id,
                     struct fs_disk_quota *ret_quota)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return (int)syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), id, ret_quota);
}

/*
 * How many projects of the driver's range are limited on the filesystem of `path`:
 * what the stores of other cases had stays, when those were deleted and not asked.
 */
static size_t count_limited(const char *path)
{
	uint32_t id = FIRST_PROJECT;
	size_t count = 0;

	for (;;) {
		struct fs_disk_quota quota = { 0 };

		if (ask_quota(path, Q_XGETNEXTQUOTA, id, &quota) < 0) {
			assert_true(errno == ENOENT || errno == ESRCH);
			return count;
		}
		count += quota.d_blk_hardlimit || quota.d_ino_hardlimit;
		id = quota.d_id + 1;
	}
}

/*
 * Linux drops quotas that nobody has any more in the background, and who lists them at
 * that moment on ext4 can come to an end too early.
 */
static void assert_limited(const char *path, size_t expected)
{
	const struct timespec pause_ns = { .tv_nsec = 10000000 };

	for (int i = 0; i < 100 && count_limited(path) != expected; i++)
		nanosleep(&pause_ns, NULL);
	assert_int_equal(count_limited(path), expected);
}

static void set_project(const char *path, uint32_t project)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fsxattr attributes;

	assert_sys(ioctl(fd, FS_IOC_FSGETXATTR, &attributes));
	attributes.fsx_projid = project;
	attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	assert_sys(ioctl(fd, FS_IOC_FSSETXATTR, &attributes));
}

/* ---------------------------------------------------------------------- limits -- */

static void bytes_are_limited(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *path = NULL;
	struct ovl2_usage usage;
	uint64_t written;
	int sys;

	create(store, "limited", container(NULL, 8 * MIB, 0));
	path = mount_layer(store, "limited");
	written = write_file(path, "file", 64 * MIB, &sys);

	assert_is_limit(sys);
	assert_in_range(written, 4 * MIB, 8 * MIB);
	usage = usage_of(store, "limited");
	assert_int_equal(usage.limit_bytes, 8 * MIB);
	assert_in_range(usage.bytes, 4 * MIB, 8 * MIB);
	unmount_layer(store, "limited");
}

static void inodes_are_limited(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *path = NULL;
	struct ovl2_usage usage;
	int count = 0;

	create(store, "limited", container(NULL, 0, 64));
	path = mount_layer(store, "limited");
	for (; count < 200; count++) {
		cleanup_free char *file = test_path("%s/%d", path, count);
		cleanup_fd int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0)
			break;
	}

	assert_is_limit(errno);
	assert_in_range(count, 32, 64);
	usage = usage_of(store, "limited");
	assert_int_equal(usage.limit_inodes, 64);
	assert_int_equal(usage.limit_bytes, 0);
	assert_int_equal(usage.inodes, 64);
	unmount_layer(store, "limited");
}

static void full_layer_leaves_others_alone(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *full = NULL;
	cleanup_free char *other = NULL;
	cleanup_free char *free_one = NULL;
	int sys;

	create(store, "full", container(NULL, 4 * MIB, 0));
	create(store, "other", container(NULL, 4 * MIB, 0));
	create(store, "free", container(NULL, 0, 0));
	full = mount_layer(store, "full");
	other = mount_layer(store, "other");
	free_one = mount_layer(store, "free");
	write_file(full, "file", 64 * MIB, &sys);
	assert_is_limit(sys);

	assert_int_equal(write_file(other, "file", 2 * MIB, &sys), 2 * MIB);
	assert_int_equal(sys, 0);
	assert_int_equal(write_file(free_one, "file", 16 * MIB, &sys), 16 * MIB);
	assert_int_equal(sys, 0);
	assert_int_equal(ovl2_layer_usage(store, "free", NULL, NULL), 0);
	unmount_layer(store, "full");
	unmount_layer(store, "other");
	unmount_layer(store, "free");
}

static void what_the_parent_holds_does_not_count(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *path = NULL;
	cleanup_free char *facts = NULL;
	struct ovl2_usage usage;
	int sys;

	create(store, "base", container(NULL, 0, 0));
	path = mount_layer(store, "base");
	write_file(path, "file", 16 * MIB, &sys);
	unmount_layer(store, "base");
	create(store, "limited", container("base", 4 * MIB, 0));

	usage = usage_of(store, "limited");
	assert_in_range(usage.bytes, 0, MIB);
	assert_in_range(usage.inodes, 4, 16);
	facts = layer_fact(store, "limited", "Quota");
	assert_string_equal(facts, "4194304 bytes, 0 inodes");
}

static void default_of_the_store_is_for_containers(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *run = run_path(place);
	struct ovl2_store_options options = store_options(run);
	struct ovl2_error err = { 0 };
	cleanup_store struct ovl2_store *store = NULL;

	assert_ok(ovl2_store_options_parse("overlay2.size=6M", &options, &err), &err);
	store = open_store_with(place, &options);
	create_layer(store, "image", NULL);
	create(store, "usual", container("image", 0, 0));
	create(store, "special", container("image", 9 * MIB, 0));

	assert_int_equal(ovl2_layer_usage(store, "image", NULL, &err), 0);
	assert_int_equal(usage_of(store, "usual").limit_bytes, 6 * MIB);
	assert_int_equal(usage_of(store, "special").limit_bytes, 9 * MIB);
}

static void apply_stops_at_the_limit(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	struct ovl2_layer_options options = container(NULL, 2 * MIB, 0);
	cleanup_free char *content = malloc(4 * MIB);
	const struct test_tar_entry small = { .name = "small", .content = "fits" };
	const struct test_tar_entry large = {
		.name = "large",
		.content = content,
		.content_length = 4 * MIB,
	};
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;
	struct ovl2_error err = { 0 };
	cleanup_fd int fd = -1;

	/* Zeroes would be a hole. */
	memset(content, 'x', 4 * MIB);
	options.read_write = 0;
	create(store, "layer", options);
	before = describe_layer(store, "layer", TEST_TREE_NO_TIMES);
	test_tar_add(&tar, &large);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);

	assert_fails(ovl2_layer_apply(store, "layer", NULL, fd, NULL, &err), OVL2_E_SYSTEM, &err);
	assert_is_limit(err.sys);
	after = describe_layer(store, "layer", TEST_TREE_NO_TIMES);
	test_text_assert_same(after, before, "layer");

	/* The limit outlives the failed attempt, and the one that succeeds. */
	assert_int_equal(usage_of(store, "layer").limit_bytes, 2 * MIB);
	apply_entries(store, "layer", &small, 1);
	assert_int_equal(usage_of(store, "layer").limit_bytes, 2 * MIB);
}

/* --------------------------------------------------------------------- release -- */

static void removal_frees_the_id(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	const size_t before = count_limited(place->path);
	struct ovl2_error err = { 0 };

	create(store, "one", container(NULL, 4 * MIB, 100));
	create(store, "two", container(NULL, 4 * MIB, 100));
	assert_limited(place->path, before + 2);
	assert_ok(ovl2_layer_remove(store, "one", &err), &err);
	assert_limited(place->path, before + 1);
	create(store, "one", container(NULL, 5 * MIB, 0));
	assert_int_equal(usage_of(store, "one").limit_bytes, 5 * MIB);
	assert_ok(ovl2_layer_remove(store, "one", &err), &err);
	assert_ok(ovl2_layer_remove(store, "two", &err), &err);
	assert_limited(place->path, before);
}

static void failed_creation_frees_the_id(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	const struct ovl2_layer_options options = container("parent", 4 * MIB, 0);
	const size_t before = count_limited(place->path);
	cleanup_free char *path = NULL;
	struct ovl2_error err = { 0 };

	create(store, "parent", container(NULL, 0, 0));
	path = mount_layer(store, "parent");
	assert_fails(ovl2_layer_create(store, "child", &options, &err), OVL2_E_BUSY, &err);
	assert_limited(place->path, before);
	unmount_layer(store, "parent");
}

/* What a removal leaves that was interrupted after its first step. */
static void interrupted_removal_frees_the_id_later(void **state)
{
	struct test_place *place = *state;
	struct ovl2_store *store = open_store(place);
	const size_t before = count_limited(place->path);
	cleanup_free char *home = store_path(place);
	cleanup_free char *layer = test_path("%s/gone", home);
	cleanup_free char *trash = test_path("%s/.ovl2/trash/ABCDEFGHIJKLMNOPQRSTUVWXYZ", home);

	create(store, "gone", container(NULL, 4 * MIB, 0));
	create(store, "stays", container(NULL, 4 * MIB, 0));
	ovl2_store_close(store);
	assert_sys(rename(layer, trash));
	assert_limited(place->path, before + 2);

	store = open_store(place);
	assert_limited(place->path, before + 1);
	assert_int_equal(usage_of(store, "stays").limit_bytes, 4 * MIB);
	ovl2_store_close(store);
}

static void repaired_record_keeps_its_quota(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	const size_t before = count_limited(place->path);
	cleanup_free char *record = test_path("%s/store/limited/ovl2.json", place->path);
	cleanup_free char *path = NULL;
	struct ovl2_usage usage;
	struct ovl2_error err = { 0 };
	int sys;

	create(store, "limited", container(NULL, 4 * MIB, 100));
	test_file_write(record, "{");
	assert_int_equal(ovl2_store_repair(store, NULL, NULL, NULL, &err), 0);
	usage = usage_of(store, "limited");
	assert_int_equal(usage.limit_bytes, 4 * MIB);
	assert_int_equal(usage.limit_inodes, 100);
	path = mount_layer(store, "limited");
	write_file(path, "file", 16 * MIB, &sys);
	assert_is_limit(sys);
	unmount_layer(store, "limited");
	assert_ok(ovl2_layer_remove(store, "limited", &err), &err);
	assert_limited(place->path, before);
}

/* What a probe leaves that was killed while it tried a quota. */
static void limit_of_a_killed_probe_is_released(void **state)
{
	struct test_place *place = *state;
	const size_t before = count_limited(place->path);
	cleanup_free char *scratch =
		test_path("%s/" OVI_SCRATCH_PREFIX "abcdefghijkl", place->path);
	struct fs_disk_quota limit = {
		.d_version = FS_DQUOT_VERSION,
		.d_flags = FS_PROJ_QUOTA,
		.d_fieldmask = FS_DQ_BHARD,
		.d_blk_hardlimit = 2048,
	};
	struct ovl2_error err = { 0 };

	assert_sys(mkdir(scratch, 0700));
	set_project(scratch, FIRST_PROJECT + 77);
	assert_sys(ask_quota(place->path, Q_XSETQLIM, FIRST_PROJECT + 77, &limit));
	assert_limited(place->path, before + 1);
	assert_int_equal(ovi_scratch_sweep(place->fd, &err), 1);
	assert_limited(place->path, before);
}

/* -------------------------------------------------------------- too little of it -- */

static int apply_some(struct ovl2_store *store, struct ovl2_error *err)
{
	static char content[40000];
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int fd = -1;

	for (int i = 0; i < 6; i++) {
		cleanup_free char *name = test_path("file-%d", i);
		const struct test_tar_entry entry = {
			.name = name,
			.content = content,
			.content_length = sizeof(content),
		};

		test_tar_add(&tar, &entry);
	}
	test_tar_end(&tar);
	fd = test_tar_open(&tar);

	return ovl2_layer_apply(store, "limited", NULL, fd, NULL, err);
}

/* Made and filled, or refused and not there in part; removed again. */
static int make_within(struct ovl2_store *store, const char *content,
                       struct ovl2_layer_options options)
{
	struct ovl2_error err = { 0 };
	int r = ovl2_layer_create(store, "limited", &options, &err);

	if (r == 0)
		r = apply_some(store, &err);
	if (r < 0)
		assert_is_limit(err.sys);
	assert_int_equal(count_files(content), r < 0 ? 0 : 6);
	assert_int_equal(ovl2_store_check(store, NULL, NULL, NULL, &err), 0);
	if (ovl2_layer_exists(store, "limited", &err) == 1)
		assert_ok(ovl2_layer_remove(store, "limited", &err), &err);

	return r;
}

/* One more byte or inode at a time, until a layer can be made and filled. */
static void apply_is_all_or_nothing_at_every_limit(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *content = test_path("%s/store/limited/diff", place->path);
	const size_t before = count_limited(place->path);
	size_t cases = 0;
	size_t failed = 0;

	for (int kind = 0; kind < 2; kind++) {
		int r = -1;

		for (uint64_t limit = 1; r < 0 && limit < 200; limit++) {
			r = make_within(store, content,
			                kind ? container(NULL, limit * 4096, 0)
			                     : container(NULL, 0, limit));
			cases++;
			failed += r < 0;
			assert_limited(place->path, before);
		}
		assert_int_equal(r, 0);
	}
	print_message("%zu cases, %zu calls that failed, 0 violations\n", cases, failed);
	assert_true(failed > 0);
}

/* XFS frees what was deleted some time after. */
static void wait_for_room(struct ovl2_store *store)
{
	const struct timespec pause_ns = { .tv_nsec = 10000000 };

	for (int i = 0; i < 1000 && usage_of(store, "full").bytes > 2 * MIB; i++)
		nanosleep(&pause_ns, NULL);
}

/* A container that is full is not lost: what is in it can be deleted, read, removed. */
static void full_layer_can_be_used_again(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *path = NULL;
	cleanup_free char *file = NULL;
	cleanup_fd int diff = -1;
	struct ovl2_error err = { 0 };
	int sys;

	create(store, "full", container(NULL, 4 * MIB, 0));
	path = mount_layer(store, "full");
	write_file(path, "file", 64 * MIB, &sys);
	assert_is_limit(sys);
	unmount_layer(store, "full");

	diff = diff_layer(store, "full", OVL2_DIFF_AUTO);
	free(mount_layer(store, "full"));
	file = test_path("%s/file", path);
	assert_sys(unlink(file));
	wait_for_room(store);
	assert_int_equal(write_file(path, "other", MIB, &sys), MIB);
	unmount_layer(store, "full");
	assert_int_equal(ovl2_store_check(store, NULL, NULL, NULL, &err), 0);
	assert_ok(ovl2_layer_remove(store, "full", &err), &err);
}

/* --------------------------------------------------------------------- refusals -- */

static void store_in_a_project_is_refused(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	const struct ovl2_layer_options options = container(NULL, 4 * MIB, 0);
	const size_t before = count_limited(place->path);
	cleanup_free char *home = store_path(place);
	struct ovl2_error err = { 0 };

	set_project(home, 42);
	assert_fails(ovl2_layer_create(store, "limited", &options, &err), OVL2_E_UNSUPPORTED, &err);
	assert_contains(err.message, "project 42");
	assert_limited(place->path, before);
}

static void refuse_create(struct ovl2_store *store, struct ovl2_layer_options options)
{
	struct ovl2_error err = { 0 };

	assert_fails(ovl2_layer_create(store, "limited", &options, &err), OVL2_E_UNSUPPORTED, &err);
	assert_contains(err.message, "a quota was asked for");
	assert_int_equal(ovl2_layer_exists(store, "limited", &err), 0);
}

static void quota_where_there_is_none_is_refused(void **state)
{
	struct test_place *place = *state;
	struct ovl2_store *store = NULL;
	cleanup_free char *home = NULL;
	cleanup_free char *run = NULL;
	cleanup_free char *before = NULL;
	cleanup_free char *after = NULL;
	struct ovl2_store_options options = { 0 };
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };
	struct stat st;

	if (ovl2_probe_project_quota(place->fd, &evidence, &err) == 1)
		test_skip("project quotas are enforced here: %s", evidence.text);
	home = store_path(place);
	run = run_path(place);
	options = store_options(run);
	options.quota_bytes = 8 * MIB;
	assert_fails(ovl2_store_open(home, &options, &store, &err), OVL2_E_UNSUPPORTED, &err);
	assert_contains(err.message, "a quota was asked for");
	assert_int_equal(stat(home, &st), -1);

	store = open_store(place);
	create_layer(store, "unlimited", NULL);
	assert_int_equal(ovl2_layer_usage(store, "unlimited", NULL, &err), 0);
	before = test_tree_describe_at(home, TEST_TREE_NO_TIMES);
	refuse_create(store, container(NULL, 8 * MIB, 0));
	refuse_create(store, container("unlimited", 0, 100));
	after = test_tree_describe_at(home, TEST_TREE_NO_TIMES);
	test_text_assert_same(before, after, "stores");
	ovl2_store_close(store);
}

/* ------------------------------------------------------------------------ main -- */

static const struct CMUnitTest scenarios[] = {
	cmocka_unit_test(bytes_are_limited),
	cmocka_unit_test(inodes_are_limited),
	cmocka_unit_test(full_layer_leaves_others_alone),
	cmocka_unit_test(what_the_parent_holds_does_not_count),
	cmocka_unit_test(default_of_the_store_is_for_containers),
	cmocka_unit_test(apply_stops_at_the_limit),
	cmocka_unit_test(removal_frees_the_id),
	cmocka_unit_test(failed_creation_frees_the_id),
	cmocka_unit_test(interrupted_removal_frees_the_id_later),
	cmocka_unit_test(store_in_a_project_is_refused),
	cmocka_unit_test(repaired_record_keeps_its_quota),
	cmocka_unit_test(limit_of_a_killed_probe_is_released),
	cmocka_unit_test(apply_is_all_or_nothing_at_every_limit),
	cmocka_unit_test(full_layer_can_be_used_again),
};

static int run_with_quota(const struct test_filesystem *filesystem, int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(scenarios)];
	char *titles[ARRAY_SIZE(scenarios)];
	const char *usual_place = getenv("TMPDIR");
	cleanup_free char *kept = usual_place ? test_path("%s", usual_place) : NULL;
	char *area = test_scratch_create();
	struct ovl2_error err = { 0 };
	int status;

	if (test_filesystem_mount(filesystem, area, &err) < 0) {
		print_message("skipped: %s with project quotas: %s\n", filesystem->type,
		              err.message);
		test_scratch_remove(area);
		return getenv("OVL2_TEST_LAB") ? 1 : 0;
	}

	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		titles[i] = test_path("%s, with quotas on %s", scenarios[i].name, filesystem->type);
		tests[i] = scenarios[i];
		tests[i].name = titles[i];
	}
	/* Places are made below it. */
	setenv("TMPDIR", area, 1);
	status = test_run("quota", tests, ARRAY_SIZE(tests), argc, argv);
	if (kept)
		setenv("TMPDIR", kept, 1);
	else
		unsetenv("TMPDIR");
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		free(titles[i]);
	test_scratch_remove(area);

	return status;
}

int main(int argc, char **argv)
{
	static const char *const mkfs[] = { "-O", "quota,project", "-E", "quotatype=prjquota",
		                            NULL };
	const struct test_filesystem ext4 = {
		.type = "ext4",
		.mkfs = mkfs,
		.options = "prjquota",
	};
	const struct test_filesystem xfs = { .type = "xfs", .options = "prjquota" };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quota_where_there_is_none_is_refused),
	};
	int failed = 0;

	test_enter_namespace();
	failed |= run_with_quota(&ext4, argc, argv) == 1;
	failed |= run_with_quota(&xfs, argc, argv) == 1;
	if (failed)
		return 1;

	return test_run_everywhere("quota", tests, ARRAY_SIZE(tests), argc, argv);
}
