// SPDX-License-Identifier: MIT
#include "fixture.h"

#include "support/fault.h"
#include "support/filesystem.h"

#include "image.h"
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

/*
 * What disks really do, on filesystems of our own: the device goes away under a call,
 * with or without what the journal had; the filesystem turns read-only by an error;
 * there is room for so many more blocks, or inodes. The call fails and says so or it
 * has done all of it; and the store that is found afterwards, on a filesystem that was
 * mounted anew, shows the state from before or the state from after.
 *
 * OVL2_TEST_FAULTS=all lets it happen before every system call, not before some.
 */

/* The filesystem, which lives in memory and can be mounted again. */
struct disk {
	const char *type;
	const char *options;
	char *path;
	int image;
	char device[IMAGE_DEVICE_SIZE];
};

/* ------------------------------------------------------------------ operations -- */

static int run_create(struct ovl2_store *store, struct ovl2_error *err)
{
	const struct ovl2_layer_options options = { .size = sizeof(options), .parent = "base" };

	return ovl2_layer_create(store, "new", &options, err);
}

static int run_apply(struct ovl2_store *store, struct ovl2_error *err)
{
	static char content[20000];
	const struct test_tar_entry entries[] = {
		{ .name = "d", .type = '5' },
		{ .name = "d/one", .content = content, .content_length = sizeof(content) },
		{ .name = "d/.wh.file" },
		{ .name = "same", .type = '1', .link = "d/one" },
	};
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_fd int fd = -1;

	memset(content, 'c', sizeof(content));
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		test_tar_add(&tar, &entries[i]);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);

	return ovl2_layer_apply(store, "empty", NULL, fd, NULL, err);
}

static int run_remove(struct ovl2_store *store, struct ovl2_error *err)
{
	return ovl2_layer_remove(store, "box", err);
}

static int run_mount(struct ovl2_store *store, struct ovl2_error *err)
{
	/* For the first time: overlayfs has to make what it works in. */
	return ovl2_layer_mount(store, "held", NULL, NULL, err);
}

static int run_mount_by_path(struct ovl2_store *store, struct ovl2_error *err)
{
	const struct ovl2_mount_options options = { .size = sizeof(options),
		                                    .method = OVL2_MOUNT_ABSOLUTE };

	return ovl2_layer_mount(store, "held", &options, NULL, err);
}

static int run_unmount(struct ovl2_store *store, struct ovl2_error *err)
{
	return ovl2_layer_unmount(store, "held", err);
}

static int run_digest(struct ovl2_store *store, struct ovl2_error *err)
{
	return ovl2_layer_digest(store, "base", err);
}

static int run_repair(struct ovl2_store *store, struct ovl2_error *err)
{
	return ovl2_store_repair(store, NULL, NULL, NULL, err);
}

static void damage(int home)
{
	static const struct test_entry entries[] = {
		{ '-', "box/link", NULL, 0, 0, 0, 0, NULL },
		{ 'd', "box/link", NULL, 0, 0, 0, 0, NULL },
		{ 'f', "box/lower", "l/", 0, 0, 0, 0, NULL },
		{ 'f', "base/ovl2.json", "{", 0, 0, 0, 0, NULL },
		{ '-', "base/committed", NULL, 0, 0, 0, 0, NULL },
		{ '-', "empty/diff", NULL, 0, 0, 0, 0, NULL },
		{ 'l', "l/AAAAAAAAAAAAAAAAAAAAAAAAAA", "../gone/diff", 0, 0, 0, 0, NULL },
	};

	test_tree_make(home, entries, ARRAY_SIZE(entries));
	assert_sys(syncfs(home));
}

/* All that repair does about these is a rename. */
static void damage_entries(int home)
{
	static const struct test_entry entries[] = {
		{ '-', "empty/diff", NULL, 0, 0, 0, 0, NULL },
		{ 'l', "l/AAAAAAAAAAAAAAAAAAAAAAAAAA", "../gone/diff", 0, 0, 0, 0, NULL },
	};

	test_tree_make(home, entries, ARRAY_SIZE(entries));
	assert_sys(syncfs(home));
}

struct operation {
	const char *name;
	int (*run)(struct ovl2_store *store, struct ovl2_error *err);

	/* Done to the store before. */
	void (*damage)(int home);

	/* "held" is mounted when it runs. */
	int needs_mount;

	/* "held" is mounted for writing when it has succeeded. */
	int mounts;

	/* Every case makes the store anew: fewer of them. */
	size_t stride;
};

static const struct operation operations[] = {
	{ .name = "create", .run = run_create },
	{ .name = "apply", .run = run_apply },
	{ .name = "mount", .run = run_mount, .mounts = 1 },
	{ .name = "mount by path", .run = run_mount_by_path, .mounts = 1 },
	{ .name = "unmount", .run = run_unmount, .needs_mount = 1 },
	{ .name = "remove", .run = run_remove },
	{ .name = "digest", .run = run_digest },
	{ .name = "repair", .run = run_repair, .damage = damage, .stride = 4 },
	{ .name = "repair by renames", .run = run_repair, .damage = damage_entries, .stride = 4 },
};

/* -------------------------------------------------------------------- the disk -- */

static void mount_disk(struct disk *disk)
{
	struct ovl2_error err = { 0 };
	cleanup_fd int loop = -1;

	loop = image_attach(disk->image, disk->device, &err);
	assert_ok(loop, &err);
	assert_sys(mount(disk->device, disk->path, disk->type, 0, disk->options));
}

static void make_disk(struct disk *disk, const struct test_filesystem *filesystem)
{
	struct ovl2_error err = { 0 };

	ovi_close_fd(&disk->image);
	disk->image = test_filesystem_make(filesystem, &err);
	if (disk->image == OVL2_E_UNSUPPORTED)
		test_skip("%s", err.message);
	assert_ok(disk->image, &err);
	disk->type = filesystem->type;
	disk->options = filesystem->options;
	mount_disk(disk);
}

static void lose_device(void *data)
{
	const struct disk *disk = data;

	test_filesystem_shut_down(disk->path, 0);
}

static void lose_device_after_the_log(void *data)
{
	const struct disk *disk = data;

	test_filesystem_shut_down(disk->path, 1);
}

/* As when ext4 finds an error in itself, with errors=remount-ro. */
static void turn_read_only(void *data)
{
	const struct disk *disk = data;
	cleanup_free char *path =
		test_path("/sys/fs/ext4/%s/trigger_fs_error", disk->device + strlen("/dev/"));

	test_file_write(path, "test");
}

/* ----------------------------------------------------------------------- state -- */

static struct ovl2_store *open_disk(const struct test_place *place, const struct disk *disk)
{
	/* Mount counts are not on the disk. */
	cleanup_free char *run = run_path(place);
	cleanup_free char *home = test_path("%s/store", disk->path);
	struct ovl2_store_options options = store_options(run);
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };

	options.durability = OVL2_DURABILITY_ALWAYS;
	assert_ok(ovl2_store_open(home, &options, &store, &err), &err);

	return store;
}

static char *describe_disk(struct ovl2_store *store, const struct disk *disk)
{
	static const char *const ids[] = { "base", "box", "empty", "held", "new" };
	cleanup_free char *layers = list_layers(store);
	struct ovi_strbuf text = { 0 };

	ovi_strbuf_add(&text, layers);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		cleanup_free char *path = test_path("%s/store/%s/diff", disk->path, ids[i]);
		cleanup_free char *content = NULL;
		cleanup_free char *digest = NULL;

		if (ovl2_layer_exists(store, ids[i], NULL) != 1)
			continue;
		content = test_tree_describe_at(path, TEST_TREE_NO_TIMES);
		digest = layer_fact(store, ids[i], "Digest");
		ovi_strbuf_addf(&text, "%s%s:\n%s", ids[i], digest ? " with digest" : "", content);
	}

	return ovi_strbuf_steal(&text);
}

/*
 * What is found by who comes next: nothing wrong that is not put right, and nothing at all
 * when the call is done; content as it was written. `where` is for the message.
 */
static char *find_state(const struct test_place *place, const struct disk *disk, const char *where,
                        int is_done)
{
	const struct ovl2_check_options all = { .size = sizeof(all), .deep = 1, .content = 1 };
	cleanup_store struct ovl2_store *store = open_disk(place, disk);
	struct ovl2_error err = { 0 };
	int left;

	/* What a call has done is on the disk: there is nothing to put right. */
	left = is_done ? ovl2_store_check(store, &all, NULL, NULL, &err) : 0;
	if (left != 0)
		fail_msg("done, %s; then %d problems found %s", where, left, err.message);
	assert_ok(ovl2_store_collect(store, NULL, &err), &err);
	left = ovl2_store_repair(store, NULL, NULL, NULL, &err);
	assert_ok(left, &err);
	assert_int_equal(left, 0);
	left = ovl2_store_check(store, &all, NULL, NULL, &err);
	assert_ok(left, &err);
	assert_int_equal(left, 0);

	return describe_disk(store, disk);
}

/* "base" with content; "box" above it, changed; "empty"; "held". All of it is on disk. */
static void fill_disk(const struct test_place *place, const struct disk *disk,
                      const struct operation *operation)
{
	static const struct test_entry base[] = {
		{ 'd', "d", NULL, 0, 0, 0, 1000000000, NULL },
		{ 'f', "d/file", "text", 0, 0, 0, 1000000000, "user.a=b" },
	};
	static const struct test_entry box[] = {
		{ 'f', "d/new", "new", 0, 0, 0, 1000000000, NULL },
	};
	cleanup_free char *home = test_path("%s/store", disk->path);
	cleanup_store struct ovl2_store *store = open_disk(place, disk);
	cleanup_fd int fd = -1;

	create_layer(store, "base", NULL);
	change_layer(store, "base", base, ARRAY_SIZE(base));
	create_container(store, "box", "base");
	change_layer(store, "box", box, ARRAY_SIZE(box));
	create_layer(store, "empty", "base");
	create_container(store, "held", "base");
	fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_sys(syncfs(fd));
	if (operation->damage)
		operation->damage(fd);
}

struct sweep {
	const struct test_place *place;
	const struct operation *operation;
	const struct test_filesystem *filesystem;
	struct disk disk;

	/* Is there a store in its first state on the disk? */
	int is_ready;

	char *before;
	char *after;
	size_t cases;
	size_t failed;
};

static void unmount_all(struct sweep *sweep)
{
	test_unmount_below(sweep->disk.path);
}

static void start(struct sweep *sweep)
{
	if (!sweep->is_ready) {
		unmount_all(sweep);
		make_disk(&sweep->disk, sweep->filesystem);
		fill_disk(sweep->place, &sweep->disk, sweep->operation);
	}
	sweep->is_ready = 1;
}

/* Learns the two states, and how many calls there are. */
static size_t learn(struct sweep *sweep)
{
	struct ovl2_store *store;
	struct ovl2_error err = { 0 };
	size_t calls;

	if (!sweep->operation->damage) {
		start(sweep);
		sweep->before = find_state(sweep->place, &sweep->disk, "undisturbed", 0);
	}
	start(sweep);
	store = open_disk(sweep->place, &sweep->disk);
	if (sweep->operation->needs_mount)
		free(mount_layer(store, "held"));
	test_fault_arm(TEST_FAULT_NONE, 0, 0);
	assert_ok(sweep->operation->run(store, &err), &err);
	calls = test_fault_disarm();
	ovl2_store_close(store);
	test_unmount_below(sweep->disk.path);
	mount_disk(&sweep->disk);
	sweep->after = find_state(sweep->place, &sweep->disk, "undisturbed", 0);
	if (!sweep->before)
		sweep->before = test_path("%s", sweep->after);
	sweep->is_ready = 0;

	return calls;
}

/* `where` is for the message. */
static void check_state(struct sweep *sweep, const char *where, int result)
{
	cleanup_free char *now = find_state(sweep->place, &sweep->disk, where, result >= 0);
	int is_before = strcmp(now, sweep->before) == 0;
	int is_after = strcmp(now, sweep->after) == 0;

	sweep->cases++;
	sweep->failed += result < 0;
	if (result >= 0 ? !is_after : !is_before && !is_after) {
		print_error("%s, %s, result %d:\n", sweep->operation->name, where, result);
		test_text_assert_same(result < 0 ? sweep->before : sweep->after, now, "states");
	}
	sweep->is_ready = is_before && !sweep->operation->damage;
}

static void finish(struct sweep *sweep, const char *title)
{
	print_message("%s: %zu cases, %zu calls that failed, 0 violations\n", title, sweep->cases,
	              sweep->failed);
	unmount_all(sweep);
	ovi_close_fd(&sweep->disk.image);
	free(sweep->disk.path);
	free(sweep->before);
	free(sweep->after);
}

static struct sweep new_sweep(const struct test_place *place, const struct operation *operation,
                              const struct test_filesystem *filesystem)
{
	struct sweep sweep = {
		.place = place,
		.operation = operation,
		.filesystem = filesystem,
		.disk = { .image = -1, .path = test_path("%s/disk", place->path) },
	};

	assert_sys(mkdir(sweep.disk.path, 0755));

	return sweep;
}

/* ----------------------------------------------------------------------- events -- */

struct event {
	const char *name;
	void (*happen)(void *disk);
	struct test_filesystem filesystem;

	/* Before each how many calls it happens, unless all are asked for. */
	size_t stride;

	/*
	 * The kernel does not tell: see be_silent(). Happens before each call that flushes
	 * and before no other: only those believe it.
	 */
	int is_silent;
};

#define SMALL_EXT4                                                                   \
	{                                                                            \
		.type = "ext4", .bytes = 16ULL << 20, .options = "errors=remount-ro" \
	}

static const struct event events[] = {
	{
		.name = "ext4 loses its device",
		.happen = lose_device,
		.filesystem = SMALL_EXT4,
		.stride = 5,
	},
	{
		.name = "ext4 loses its device after the log",
		.happen = lose_device_after_the_log,
		.filesystem = SMALL_EXT4,
		.stride = 9,
	},
	{
		.name = "ext4 turns read-only",
		.happen = turn_read_only,
		.filesystem = SMALL_EXT4,
		.stride = 5,
	},
	{
		.name = "ext4 turns read-only and does not tell",
		.happen = turn_read_only,
		.filesystem = SMALL_EXT4,
		.stride = 1,
		.is_silent = 1,
	},
	{
		.name = "xfs loses its device",
		.happen = lose_device,
		.filesystem = { .type = "xfs", .bytes = 320ULL << 20 },
		.stride = 17,
	},
};

static struct ovi_sys outspoken;

static int fsync_in_silence(int fd)
{
	return outspoken.fsync(fd) < 0 && errno != EROFS && errno != EIO ? -1 : 0;
}

static int syncfs_in_silence(int fd)
{
	return outspoken.syncfs(fd) < 0 && errno != EROFS && errno != EIO ? -1 : 0;
}

/*
 * As Linux 6.1.170 is when the journal of ext4 has given up: with nothing left to wait for
 * fsync(2) and syncfs(2) return 0, and what was changed before is lost.
 */
static void be_silent(void)
{
	outspoken = ovi_sys;
	ovi_sys.fsync = fsync_in_silence;
	ovi_sys.syncfs = syncfs_in_silence;
}

static void be_outspoken(void)
{
	ovi_sys.fsync = outspoken.fsync;
	ovi_sys.syncfs = outspoken.syncfs;
}

struct event_row {
	char title[80];
	const struct operation *operation;
	const struct event *event;
};

static void check_event_at(struct sweep *sweep, const struct event *event, size_t at)
{
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;
	char where[96];
	int r;

	start(sweep);
	store = open_disk(sweep->place, &sweep->disk);
	if (sweep->operation->needs_mount)
		free(mount_layer(store, "held"));
	test_fault_arm_event(at, event->happen, &sweep->disk);
	if (event->is_silent)
		be_silent();
	r = sweep->operation->run(store, &err);
	if (event->is_silent)
		be_outspoken();
	/* Or after the last one, before anything else gets to the disk. */
	if (test_fault_disarm() < at)
		event->happen(&sweep->disk);
	ovl2_store_close(store);
	if (r < 0)
		assert_fails(r, err.code, &err);
	(void)snprintf(where, sizeof(where), "%s before call %zu, %s", event->name, at,
	               test_fault_name());
	unmount_all(sweep);
	mount_disk(&sweep->disk);
	check_state(sweep, where, r);
}

static void check_event_row(void **state)
{
	const struct test_place *place = *state;
	const struct event_row *row = place->row;
	struct sweep sweep = new_sweep(place, row->operation, &row->event->filesystem);
	size_t stride = row->event->stride;
	size_t calls;

	test_fault_count_only(row->event->is_silent ? "sync" : "");
	calls = learn(&sweep);
	if (row->operation->stride && !row->event->is_silent)
		stride *= row->operation->stride;
	if (getenv("OVL2_TEST_FAULTS"))
		stride = 1;
	for (size_t at = 1; at <= calls; at += stride)
		check_event_at(&sweep, row->event, at);
	check_event_at(&sweep, row->event, calls + 1);
	/* A sweep in which nothing ever fails is none; but an unmount need not write. */
	assert_true(sweep.failed > 0 || !calls || row->operation->needs_mount);
	finish(&sweep, row->title);
}

/* ------------------------------------------------------------------------- room -- */

#define MAX_ROOM 400

/* What there is too little of: takes all, then gives `room` of it back. */
struct supply {
	const char *name;
	void (*take)(const struct disk *disk, size_t room);
	struct test_filesystem filesystem;
};

static void take_blocks(const struct disk *disk, size_t room)
{
	static const char block[1024] = "ballast";
	cleanup_free char *path = test_path("%s/ballast", disk->path);
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	off_t size = 0;

	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) == sizeof(block))
		size += (off_t)sizeof(block);
	assert_int_equal(errno, ENOSPC);
	assert_sys(fsync(fd));
	assert_sys(ftruncate(fd, size - (off_t)(room * sizeof(block))));
	assert_sys(syncfs(fd));
}

static void take_inodes(const struct disk *disk, size_t room)
{
	cleanup_free char *directory = test_path("%s/ballast", disk->path);
	size_t count = 0;

	assert_sys(mkdir(directory, 0700));
	for (;; count++) {
		cleanup_free char *path = test_path("%s/%zu", directory, count);
		cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		if (fd < 0)
			break;
	}
	assert_int_equal(errno, ENOSPC);
	for (; room > 0 && count > 0; room--) {
		cleanup_free char *path = test_path("%s/%zu", directory, --count);

		assert_sys(unlink(path));
	}
}

static const char *const few_blocks[] = { "-b", "1024", "-m", "0", NULL };
static const char *const few_inodes[] = { "-b", "1024", "-m", "0", "-N", "112", NULL };

static const struct supply supplies[] = {
	{ "blocks", take_blocks, { .type = "ext4", .bytes = 4ULL << 20, .mkfs = few_blocks } },
	{ "inodes", take_inodes, { .type = "ext4", .bytes = 4ULL << 20, .mkfs = few_inodes } },
};

struct room_row {
	char title[80];
	const struct operation *operation;
	const struct supply *supply;
};

/*
 * A mount that was said to be writable is: overlayfs that cannot make its work directory
 * mounts read-only, and says so in the kernel log alone.
 */
static void write_in_mount(const struct disk *disk)
{
	cleanup_free char *path = test_path("%s/store/held/merged/d/file", disk->path);
	cleanup_fd int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0)
		fail_msg("write in the mount: %s", strerror(errno));
	assert_sys(unlink(path));
}

static int run_with_room(struct sweep *sweep, const struct supply *supply, size_t room)
{
	cleanup_free char *ballast = test_path("%s/ballast", sweep->disk.path);
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;
	char where[64];
	int r;

	start(sweep);
	store = open_disk(sweep->place, &sweep->disk);
	if (sweep->operation->needs_mount)
		free(mount_layer(store, "held"));
	supply->take(&sweep->disk, room);
	r = sweep->operation->run(store, &err);
	if (r < 0) {
		assert_fails(r, OVL2_E_SYSTEM, &err);
		assert_true(err.sys == ENOSPC || (sweep->operation->mounts && err.sys == EROFS));
	}
	test_remove_tree(ballast);
	if (r >= 0 && sweep->operation->mounts) {
		write_in_mount(&sweep->disk);
		sweep->is_ready = 0;
	}
	ovl2_store_close(store);
	(void)snprintf(where, sizeof(where), "%s for %zu", supply->name, room);
	unmount_all(sweep);
	mount_disk(&sweep->disk);
	if (!sweep->is_ready) {
		sweep->cases++;
		return r;
	}
	check_state(sweep, where, r);

	return r;
}

static void check_room_row(void **state)
{
	const struct test_place *place = *state;
	const struct room_row *row = place->row;
	struct sweep sweep = new_sweep(place, row->operation, &row->supply->filesystem);
	size_t room = 0;

	learn(&sweep);
	while (run_with_room(&sweep, row->supply, room) < 0 && room < MAX_ROOM)
		room++;
	assert_true(room < MAX_ROOM);
	finish(&sweep, row->title);
}

int main(int argc, char **argv)
{
	static struct event_row rows[ARRAY_SIZE(operations) * ARRAY_SIZE(events)];
	static struct room_row room_rows[ARRAY_SIZE(operations) * ARRAY_SIZE(supplies)];
	struct CMUnitTest tests[ARRAY_SIZE(rows) + ARRAY_SIZE(room_rows)];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		for (size_t j = 0; j < ARRAY_SIZE(events); j++) {
			struct event_row *row = &rows[count];

			(void)snprintf(row->title, sizeof(row->title), "%s, %s", operations[i].name,
			               events[j].name);
			row->operation = &operations[i];
			row->event = &events[j];
			tests[count++] = test_case(row->title, check_event_row, row);
		}
	for (size_t i = 0; i < ARRAY_SIZE(room_rows); i++) {
		struct room_row *row = &room_rows[i];

		row->operation = &operations[i / ARRAY_SIZE(supplies)];
		row->supply = &supplies[i % ARRAY_SIZE(supplies)];
		(void)snprintf(row->title, sizeof(row->title), "%s, few %s", row->operation->name,
		               row->supply->name);
		tests[count++] = test_case(row->title, check_room_row, row);
	}

	test_enter_namespace();
	test_fault_install();
	return test_run("disk", tests, count, argc, argv);
}
