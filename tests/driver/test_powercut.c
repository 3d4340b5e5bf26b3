// SPDX-License-Identifier: MIT
#include "boot.h"
#include "fixture.h"

#include "support/blocklog.h"
#include "support/filesystem.h"

#include "image.h"
#include "strbuf.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/*
 * What a power cut leaves. A store is made on an ext4 whose device logs every write
 * and flush (qemu-storage-daemon, through FUSE). From the log come the states that the
 * disk can be in when the power goes: all writes up to a flush, and any of those that
 * came after it. Each is mounted, so that the filesystem recovers, and the store in it
 * opened: it must be what it was after one of the calls, and no earlier than the last
 * that had returned.
 *
 * OVL2_TEST_POWERCUT=N tries N subsets of the unflushed writes at each flush, not 2.
 */

#define IMAGE_BYTES ((size_t)24 << 20)

static const char *const ids[] = { "base", "box", "child", "other" };

/* --------------------------------------------------------------- what is done -- */

/* Large enough to have blocks of their own, and a small one. */
static int fill(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	static char large[10000];
	const struct test_tar_entry entries[] = {
		{ .name = "dir", .type = '5' },
		{ .name = "dir/large", .content = large },
		{ .name = "small", .content = "small" },
	};
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int fd = -1;

	memset(large, 'x', sizeof(large) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		test_tar_add(&tar, &entries[i]);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);

	return ovl2_layer_apply(store, id, NULL, fd, NULL, err);
}

static int make(struct ovl2_store *store, const char *id, const char *parent, int read_write,
                struct ovl2_error *err)
{
	const struct ovl2_layer_options options = {
		.size = sizeof(options),
		.parent = parent,
		.read_write = read_write,
	};

	return ovl2_layer_create(store, id, &options, err);
}

static int do_step(struct ovl2_store *store, size_t step, struct ovl2_error *err)
{
	switch (step) {
	case 0:
		return make(store, "base", NULL, 0, err);
	case 1:
		return fill(store, "base", err);
	case 2:
		return make(store, "child", "base", 0, err);
	case 3:
		return fill(store, "child", err);
	case 4:
		return make(store, "box", "child", 1, err);
	case 5:
		return make(store, "other", "base", 0, err);
	case 6:
		return fill(store, "other", err);
	case 7:
		return ovl2_layer_remove(store, "box", err);
	default:
		return ovl2_store_sync(store, err) < 0 ? -1 : 0;
	}
}

#define STEPS 9

static void describe_one(struct ovl2_store *store, const char *home, const char *id,
                         struct ovi_strbuf *text)
{
	cleanup_free char *path = test_path("%s/%s/diff", home, id);
	cleanup_free char *content = NULL;

	if (ovl2_layer_exists(store, id, NULL) != 1)
		return;
	content = test_tree_describe_at(path, TEST_TREE_NO_TIMES);
	ovi_strbuf_addf(text, "%s:\n%send of %s\n", id, content, id);
}

/* What the layers are and hold. */
static char *describe_store(struct ovl2_store *store, const char *home)
{
	cleanup_free char *layers = list_layers(store);
	struct ovi_strbuf text = { 0 };

	ovi_strbuf_add(&text, layers);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		describe_one(store, home, ids[i], &text);

	return ovi_strbuf_steal(&text);
}

/* ------------------------------------------------------------ the logged device -- */

struct row {
	const char *title;
	enum ovl2_durability durability;

	/* From when on what a call did must last: right away, or only after a sync. */
	int is_durable_at_once;

	/* Number of steps: removals last only where durability is always. */
	size_t steps;
};

struct cut {
	struct test_place *place;
	const struct row *row;
	char *image;
	char *log_path;
	char *export;
	pid_t daemon;

	/* What the store is after so many steps, and how long the log was then. */
	char *expected[STEPS + 1];
	size_t acknowledged[STEPS + 1];

	/* The device as all flushes so far have left it; and as it is tried. */
	unsigned char *flushed;
	unsigned char *tried;
	int tried_fd;

	size_t states;
	size_t writes;
	size_t flushes;
};

static void make_image(struct cut *cut)
{
	const char *const mkfs[] = {
		"mkfs.ext4", "-q",     "-F",       "-E", "lazy_itable_init=0,lazy_journal_init=0",
		"-J",        "size=1", cut->image, NULL,
	};
	cleanup_output struct test_output output = { 0 };

	test_file_write(cut->image, "");
	test_file_write(cut->log_path, "");
	test_file_write(cut->export, "");
	assert_sys(truncate(cut->image, IMAGE_BYTES));
	output = test_spawn(mkfs);
	if (output.status)
		test_skip("mkfs.ext4: %s", output.err);
}

static unsigned char *map(int fd)
{
	void *bytes = mmap(NULL, IMAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(bytes, MAP_FAILED);
	return bytes;
}

/* Copies of the image as it is before anything is logged. */
static void keep_image(struct cut *cut)
{
	cleanup_fd int image = open(cut->image, O_RDONLY | O_CLOEXEC);
	cleanup_fd int flushed = memfd_create("flushed", MFD_CLOEXEC);

	cut->tried_fd = memfd_create("tried", MFD_CLOEXEC);
	assert_sys(ftruncate(flushed, IMAGE_BYTES));
	assert_sys(ftruncate(cut->tried_fd, IMAGE_BYTES));
	cut->flushed = map(flushed);
	cut->tried = map(cut->tried_fd);
	assert_int_equal(read(image, cut->flushed, IMAGE_BYTES), IMAGE_BYTES);
}

static void start_daemon(struct cut *cut)
{
	cleanup_free char *file =
		test_path("driver=file,node-name=f0,filename=%s,locking=off", cut->image);
	cleanup_free char *log =
		test_path("driver=file,node-name=l0,filename=%s,locking=off", cut->log_path);
	cleanup_free char *export =
		test_path("type=fuse,id=e0,node-name=b0,mountpoint=%s,writable=on", cut->export);
	const struct timespec pause_ns = { .tv_nsec = 10000000 };
	struct stat st = { .st_size = 0 };

	cut->daemon = fork();
	if (cut->daemon == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("qemu-storage-daemon", "qemu-storage-daemon", "--blockdev", file,
		       "--blockdev", log, "--blockdev",
		       "driver=blklogwrites,node-name=b0,file=f0,log=l0,log-super-update-interval=1",
		       "--export", export, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 1000 && st.st_size != (off_t)IMAGE_BYTES; i++) {
		if (waitpid(cut->daemon, NULL, WNOHANG) == cut->daemon) {
			cut->daemon = 0;
			test_skip("qemu-storage-daemon is not there or cannot export over FUSE");
		}
		nanosleep(&pause_ns, NULL);
		assert_sys(stat(cut->export, &st));
	}
	assert_int_equal(st.st_size, IMAGE_BYTES);
}

static void stop_daemon(struct cut *cut)
{
	if (cut->daemon <= 0)
		return;
	kill(cut->daemon, SIGTERM);
	assert_int_equal(waitpid(cut->daemon, NULL, 0), cut->daemon);
	cut->daemon = 0;
}

static void mount_device(int image, const char *target)
{
	struct ovl2_error err = { 0 };
	char device[IMAGE_DEVICE_SIZE];
	cleanup_fd int loop = image_attach(image, device, &err);

	assert_ok(loop, &err);
	if (mount(device, target, "ext4", MS_NOATIME, NULL) < 0)
		fail_msg("the filesystem did not survive: mount: %s", strerror(errno));
}

static size_t log_size(const struct cut *cut)
{
	struct stat st;

	assert_sys(stat(cut->log_path, &st));
	return (size_t)st.st_size;
}

static void record(struct cut *cut)
{
	cleanup_free char *target = test_path("%s/disk", cut->place->path);
	struct test_place disk = { .path = target };
	cleanup_free char *home = store_path(&disk);
	cleanup_free char *run = run_path(cut->place);
	struct ovl2_store_options options = store_options(run);
	cleanup_fd int image = open(cut->export, O_RDWR | O_CLOEXEC);
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;

	test_boot(cut->place, 1);
	options.durability = (int)cut->row->durability;
	mount_device(image, target);
	store = open_store_with(&disk, &options);
	for (size_t step = 0;; step++) {
		cut->expected[step] = describe_store(store, home);
		cut->acknowledged[step] = log_size(cut);
		if (step == cut->row->steps)
			break;
		assert_ok(do_step(store, step, &err), &err);
	}
	ovl2_store_close(store);
	/* Gone before it could write back: what is not in the log now never will be. */
	assert_sys(umount2(target, MNT_DETACH));
}

/* --------------------------------------------------------------- after the cut -- */

static int show_problem(void *data, const struct ovl2_problem *problem)
{
	(void)data;
	print_error("%s %s: %s\n", problem->kind, problem->id ? problem->id : "-", problem->text);
	return 0;
}

/* Before the sync has returned a layer may be there or not; what is there is whole. */
static void check_parts(const struct cut *cut, struct ovl2_store *store, const char *home)
{
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_store_repair(store, NULL, NULL, NULL, &err), &err);
	assert_int_equal(ovl2_store_check(store, NULL, show_problem, NULL, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		cleanup_strbuf struct ovi_strbuf text = { 0 };

		describe_one(store, home, ids[i], &text);
		if (text.text)
			assert_contains(cut->expected[cut->row->steps], text.text);
	}
}

/* The store is as it was after step `least` at the earliest and `most` at the latest. */
static void check_store(const struct cut *cut, struct ovl2_store *store, const char *home,
                        size_t least, size_t most)
{
	cleanup_free char *now = NULL;
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_store_collect(store, NULL, &err), &err);
	assert_int_equal(ovl2_store_check(store, NULL, show_problem, NULL, &err), 0);
	now = describe_store(store, home);
	for (size_t step = least; step <= most && step <= cut->row->steps; step++)
		if (!strcmp(now, cut->expected[step]))
			return;
	print_error("state %zu, steps %zu to %zu:\n", cut->states, least, most);
	test_text_assert_same(now, cut->expected[least], "store after the power cut");
}

/* Tries the device as it is in cut->tried. */
static void try_state(struct cut *cut, size_t least, size_t most)
{
	cleanup_free char *target = test_path("%s/disk", cut->place->path);
	struct test_place disk = { .path = target };
	cleanup_free char *home = store_path(&disk);
	cleanup_free char *run = run_path(cut->place);
	struct ovl2_store_options options = store_options(run);
	struct ovl2_store *store;

	test_boot(cut->place, 2);
	cut->states++;
	mount_device(cut->tried_fd, target);
	store = open_store_with(&disk, &options);
	if (cut->row->is_durable_at_once || least == cut->row->steps)
		check_store(cut, store, home, least, most);
	else
		check_parts(cut, store, home);
	ovl2_store_close(store);
	assert_sys(umount2(target, 0));
}

struct pending {
	struct test_block_entry *entries;
	size_t count;
};

static size_t count_acknowledged(const struct cut *cut, size_t at)
{
	size_t step = 0;

	while (step < cut->row->steps && cut->acknowledged[step + 1] <= at)
		step++;

	return step;
}

static void write_entry(unsigned char *device, const struct test_block_entry *entry)
{
	assert_true(entry->offset + entry->length <= IMAGE_BYTES);
	memcpy(device + entry->offset, entry->data, entry->length);
}

/*
 * The power goes before the flush at `at` is done. Everything written since the one
 * before may be on disk or not, each write by itself; `subsets` times at random, after
 * once all and once nothing.
 */
static void cut_before_flush(struct cut *cut, const struct pending *pending, size_t flushed_at,
                             size_t at)
{
	const char *text = getenv("OVL2_TEST_POWERCUT");
	size_t subsets = text ? strtoul(text, NULL, 10) : 2;
	size_t least = count_acknowledged(cut, flushed_at);
	size_t most = count_acknowledged(cut, at) + 1;

	for (size_t round = 0; round < subsets + 2; round++) {
		unsigned int seed = (unsigned int)(at + round);

		memcpy(cut->tried, cut->flushed, IMAGE_BYTES);
		for (size_t i = 0; i < pending->count; i++)
			if (round == 0 || pending->entries[i].is_durable ||
			    (round > 1 && rand_r(&seed) % 2))
				write_entry(cut->tried, &pending->entries[i]);
		try_state(cut, least, most);
	}
}

static void replay(struct cut *cut)
{
	cleanup_block_log struct test_block_log log = { .bytes = NULL };
	struct test_block_entry entry;
	struct pending pending = { .count = 0 };
	size_t flushed_at = 0;
	size_t at = 0;

	test_block_log_read(cut->log_path, &log);
	pending.entries = calloc(log.length / log.sector + 1, sizeof(*pending.entries));
	assert_non_null(pending.entries);
	while (test_block_log_next(&log, &at, &entry)) {
		if (entry.is_flush && pending.count) {
			cut->flushes++;
			if (entry.at > cut->acknowledged[0] && flushed_at >= cut->acknowledged[0])
				cut_before_flush(cut, &pending, flushed_at, entry.at);
			for (size_t i = 0; i < pending.count; i++)
				write_entry(cut->flushed, &pending.entries[i]);
			pending.count = 0;
		}
		if (entry.is_flush)
			flushed_at = entry.at;
		if (entry.data)
			pending.entries[pending.count++] = entry;
		cut->writes += entry.data != NULL;
	}
	cut_before_flush(cut, &pending, flushed_at, log.length);
	free(pending.entries);
}

static void check_row(void **state)
{
	struct test_place *place = *state;
	struct cut cut = {
		.place = place,
		.row = place->row,
		.image = test_path("%s/image", place->path),
		.log_path = test_path("%s/log", place->path),
		.export = test_path("%s/image-%d", place->path, getpid()),
	};
	cleanup_free char *disk = test_path("%s/disk", place->path);
	const struct test_filesystem memory = { .type = "tmpfs" };
	struct ovl2_error err = { 0 };

	assert_ok(test_filesystem_mount(&memory, place->path, &err), &err);
	assert_sys(mkdir(disk, 0755));
	make_image(&cut);
	keep_image(&cut);
	start_daemon(&cut);
	record(&cut);
	stop_daemon(&cut);
	replay(&cut);
	print_message("%zu writes, %zu flushes: %zu states after a power cut\n", cut.writes,
	              cut.flushes, cut.states);
	assert_true(cut.states > 10);

	munmap(cut.flushed, IMAGE_BYTES);
	munmap(cut.tried, IMAGE_BYTES);
	close(cut.tried_fd);
	for (size_t i = 0; i <= STEPS; i++)
		free(cut.expected[i]);
	free(cut.image);
	free(cut.log_path);
	free(cut.export);
}

int main(int argc, char **argv)
{
	static const struct row rows[] = {
		{ "durability commit: what was made stays", OVL2_DURABILITY_COMMIT, 1, 7 },
		{ "durability always: what was removed stays away", OVL2_DURABILITY_ALWAYS, 1, 8 },
		{ "durability none: nothing wrong before a sync, all there after it",
		  OVL2_DURABILITY_NONE, 0, 9 },
	};
	struct CMUnitTest tests[ARRAY_SIZE(rows)];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[i] = (struct CMUnitTest)test_case(rows[i].title, check_row, &rows[i]);

	test_enter_namespace();
	return test_run("powercut", tests, ARRAY_SIZE(tests), argc, argv);
}
