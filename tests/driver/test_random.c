// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/*
 * Random changes in a mounted layer. Whatever was done, the diff of the layer
 * applied to a new child of the same parent shows the same; so does the diff made
 * by comparing; and the diff of the copy is the diff of the original, byte by
 * byte. The seed is the case's name, so a failure can be run again alone.
 */

#define STEPS 150
#define NAMES 8

/*
 * Of each kind of layer, on each filesystem: a thousand sequences in all, which take a
 * minute, most of it waiting for umount(2). OVL2_TEST_SEEDS asks for others.
 */
#define DEFAULT_SEEDS 42
#define MAX_SEEDS 2000

/* Where changes are described: everything but times of directories. */
#define FLAGS (TEST_TREE_NO_DIRECTORY_TIMES)

struct row {
	const char *options;
	uint64_t seed;
};

struct walk {
	uint64_t state;
	int root;
};

/* splitmix64: all we need is to be the same everywhere. */
static uint64_t next(struct walk *walk)
{
	uint64_t z = walk->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static unsigned int pick(struct walk *walk, unsigned int limit)
{
	return (unsigned int)(next(walk) % limit);
}

/* A few names on three levels, so that they meet again and again. */
static char *pick_path(struct walk *walk)
{
	switch (pick(walk, 3)) {
	case 0:
		return test_path("n%u", pick(walk, NAMES));
	case 1:
		return test_path("n%u/n%u", pick(walk, NAMES), pick(walk, NAMES));
	default:
		return test_path("n%u/n%u/n%u", pick(walk, NAMES), pick(walk, NAMES),
		                 pick(walk, NAMES));
	}
}

static void write_file(struct walk *walk, const char *path, int flags)
{
	cleanup_fd int fd =
		openat(walk->root, path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags,
	               0600 + pick(walk, 0100));
	char content[3000];
	size_t length = pick(walk, sizeof(content));
	struct stat status;

	/* Not one of ours, or not a file: nothing to write to. */
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return;
	memset(content, 'a' + (int)pick(walk, 26), sizeof(content));
	/* Behind a hole, now and then. */
	if (pick(walk, 4) == 0)
		assert_sys(lseek(fd, pick(walk, 300000), SEEK_END));
	assert_int_equal(write(fd, content, length), length);
}

/* Of a device that this machine does not have. */
static void make_special(struct walk *walk, const char *path)
{
	static const mode_t types[] = { S_IFIFO, S_IFCHR, S_IFBLK };

	(void)mknodat(walk->root, path, types[pick(walk, ARRAY_SIZE(types))] | pick(walk, 01000),
	              makedev(4095, pick(walk, 1 << 20)));
}

/* Somebody's own rights, and maybe those of what will be made there. */
static void set_acl(struct walk *walk, const char *path)
{
	const struct {
		struct posix_acl_xattr_header header;
		struct posix_acl_xattr_entry entries[5];
	} acl = {
		.header = { POSIX_ACL_XATTR_VERSION },
		.entries = {
			{ ACL_USER_OBJ, (__le16)pick(walk, 8), (__le32)ACL_UNDEFINED_ID },
			{ ACL_USER, (__le16)pick(walk, 8), pick(walk, 3) },
			{ ACL_GROUP_OBJ, (__le16)pick(walk, 8), (__le32)ACL_UNDEFINED_ID },
			{ ACL_MASK, (__le16)pick(walk, 8), (__le32)ACL_UNDEFINED_ID },
			{ ACL_OTHER, (__le16)pick(walk, 8), (__le32)ACL_UNDEFINED_ID },
		},
	};
	cleanup_free char *whole = test_path("/proc/self/fd/%d/%s", walk->root, path);
	const char *key =
		pick(walk, 2) ? XATTR_NAME_POSIX_ACL_ACCESS : XATTR_NAME_POSIX_ACL_DEFAULT;

	(void)lsetxattr(whole, key, &acl, sizeof(acl), 0);
}

/* CAP_NET_RAW, as a program has it. */
static void set_capability(struct walk *walk, const char *path)
{
	const struct vfs_cap_data capability = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data = { { .permitted = 1 << 13 } },
	};
	cleanup_free char *whole = test_path("/proc/self/fd/%d/%s", walk->root, path);
	struct stat status;

	if (fstatat(walk->root, path, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode))
		(void)lsetxattr(whole, XATTR_NAME_CAPS, &capability, sizeof(capability), 0);
}

static void set_random_xattr(struct walk *walk, const char *path)
{
	static const char *const values[] = { "one", "two", "three" };
	cleanup_free char *xattr = test_path("user.k%u=%s", pick(walk, 3), values[pick(walk, 3)]);
	cleanup_free char *whole = test_path("/proc/self/fd/%d/%s", walk->root, path);
	char *value = strchr(xattr, '=');
	struct stat status;

	*value++ = '\0';
	if (fstatat(walk->root, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
		assert_sys(setxattr(whole, xattr, value, strlen(value), 0));
}

static void set_time(struct walk *walk, const char *path)
{
	const struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_sec = 1000000000 + pick(walk, 100000), .tv_nsec = pick(walk, 1000000000) },
	};

	(void)utimensat(walk->root, path, times, AT_SYMLINK_NOFOLLOW);
}

static void remove_path(struct walk *walk, const char *path)
{
	cleanup_free char *whole = test_path("/proc/self/fd/%d/%s", walk->root, path);

	test_remove_tree(whole);
}

/*
 * One change. What is not possible just then (no such file, a directory in the
 * way) fails, and is no change: the next one will do.
 */
static void step(struct walk *walk)
{
	cleanup_free char *path = pick_path(walk);
	cleanup_free char *other = pick_path(walk);
	struct stat status;

	switch (pick(walk, 17)) {
	case 0:
	case 1:
		write_file(walk, path, O_CREAT | O_EXCL);
		break;
	case 2:
		write_file(walk, path, O_TRUNC);
		break;
	case 3:
		write_file(walk, path, O_APPEND);
		break;
	case 4:
	case 5:
		(void)mkdirat(walk->root, path, 0700 + pick(walk, 0100));
		break;
	case 6:
		if (fstatat(walk->root, path, &status, AT_SYMLINK_NOFOLLOW) == 0)
			remove_path(walk, path);
		break;
	case 7:
		if (fstatat(walk->root, path, &status, AT_SYMLINK_NOFOLLOW) == 0)
			remove_path(walk, path);
		(void)mkdirat(walk->root, path, 0755);
		break;
	case 8:
		(void)renameat(walk->root, path, walk->root, other);
		break;
	case 9:
		(void)symlinkat(other, walk->root, path);
		break;
	case 10:
		(void)linkat(walk->root, path, walk->root, other, 0);
		break;
	case 11:
		if (fstatat(walk->root, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    !S_ISLNK(status.st_mode))
			(void)fchmodat(walk->root, path, pick(walk, 010000), 0);
		break;
	case 12:
		make_special(walk, path);
		break;
	case 13:
		set_acl(walk, path);
		break;
	case 14:
		set_capability(walk, path);
		break;
	case 15:
		(void)fchownat(walk->root, path, pick(walk, 3), pick(walk, 3), AT_SYMLINK_NOFOLLOW);
		break;
	default:
		set_random_xattr(walk, path);
		set_time(walk, path);
	}
}

static void change_below(const char *path, uint64_t seed)
{
	struct walk walk = { .state = seed,
		             .root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };

	assert_true(walk.root >= 0);
	for (int i = 0; i < STEPS; i++)
		step(&walk);
	close(walk.root);
}

static void change_randomly(struct ovl2_store *store, const char *id, uint64_t seed)
{
	cleanup_free char *path = mount_layer(store, id);

	change_below(path, seed);
	unmount_layer(store, id);
}

static void check_copy(struct ovl2_store *store, const char *original, const char *copy,
                       enum ovl2_diff_method method)
{
	cleanup_fd int diff = diff_layer(store, original, method);
	cleanup_free char *expected = describe_layer(store, original, FLAGS);
	cleanup_free char *shown = NULL;
	struct ovl2_error err = { 0 };

	create_layer(store, copy, "base");
	assert_ok(ovl2_layer_apply(store, copy, NULL, diff, NULL, &err), &err);
	shown = describe_layer(store, copy, FLAGS);
	test_text_assert_same(expected, shown, "views");
}

static void check_same_bytes(struct ovl2_store *store, const char *one, const char *other)
{
	cleanup_fd int one_diff = diff_layer(store, one, OVL2_DIFF_AUTO);
	cleanup_fd int other_diff = diff_layer(store, other, OVL2_DIFF_AUTO);
	cleanup_free char *one_list = test_tar_list(one_diff);
	cleanup_free char *other_list = test_tar_list(other_diff);
	cleanup_free char *one_bytes = NULL;
	cleanup_free char *other_bytes = NULL;
	size_t one_length;
	size_t other_length;

	test_text_assert_same(one_list, other_list, "diffs");
	one_bytes = test_sink_read(one_diff, &one_length);
	other_bytes = test_sink_read(other_diff, &other_length);
	assert_int_equal(one_length, other_length);
	assert_memory_equal(one_bytes, other_bytes, one_length);
}

static void check_seed(void **state)
{
	struct test_place *place = *state;
	const uint64_t seed = ((const struct row *)place->row)->seed;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *changes = NULL;
	cleanup_free char *compared = NULL;
	const struct ovl2_diff_options compare = {
		.size = sizeof(compare),
		.method = OVL2_DIFF_COMPARE,
	};

	create_layer(store, "bottom", NULL);
	change_randomly(store, "bottom", seed);
	create_layer(store, "base", "bottom");
	change_randomly(store, "base", seed + 1000);
	create_container(store, "upper", "base");
	change_randomly(store, "upper", seed + 2000);

	check_copy(store, "upper", "walked", OVL2_DIFF_UPPER);
	check_copy(store, "upper", "compared", OVL2_DIFF_COMPARE);
	check_same_bytes(store, "upper", "walked");

	/* A file written with what it had before is a change to the walk only. */
	changes = list_changes(store, "walked", NULL);
	compared = list_changes(store, "walked", &compare);
	assert_true(strlen(compared) <= strlen(changes));
}

/* ---------------------------------------------------------- other mount options -- */

/*
 * To a mount with userxattr the marks that ours left in the base are attributes as any
 * other, and it shows them; a layer has none of them.
 */
static void leave_out_marks(char *text)
{
	static const char mark[] = " trusted.overlay.opaque=y";
	char *at;

	while ((at = strstr(text, mark)))
		memmove(at, at + strlen(mark), strlen(at + strlen(mark)) + 1);
}

static char *change_foreign(struct ovl2_store *store, const struct row *row)
{
	char *path = mount_foreign(store, "upper", row->options);
	char *shown;

	change_below(path, row->seed + 2000);
	unmount_foreign(path);

	/* Mounted anew: as whoever comes next sees it. */
	path = mount_foreign(store, "upper", row->options);
	shown = test_tree_describe_at(path, FLAGS);
	unmount_foreign(path);
	leave_out_marks(shown);

	return shown;
}

/*
 * The same of a layer that somebody else's mounts made, with options that ours never
 * have: what the copy shows is what that mount showed.
 */
static void check_foreign(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *expected = NULL;
	static const enum ovl2_diff_method methods[] = { OVL2_DIFF_AUTO, OVL2_DIFF_COMPARE };

	create_layer(store, "base", NULL);
	change_randomly(store, "base", row->seed);
	create_container(store, "upper", "base");
	expected = change_foreign(store, row);

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		cleanup_fd int diff = diff_layer(store, "upper", methods[i]);
		const char *copy = i ? "compared" : "walked";
		cleanup_free char *shown = NULL;
		struct ovl2_error err = { 0 };

		create_layer(store, copy, "base");
		assert_ok(ovl2_layer_apply(store, copy, NULL, diff, NULL, &err), &err);
		shown = describe_layer(store, copy, FLAGS);
		leave_out_marks(shown);
		test_text_assert_same(expected, shown, copy);
	}
	check_same_bytes(store, "upper", "walked");
}

/* How many seeds each of the rows below gets: more on demand. */
static size_t count_seeds(void)
{
	const char *text = getenv("OVL2_TEST_SEEDS");
	long count = text ? strtol(text, NULL, 10) : 0;

	return count > 0 && count <= MAX_SEEDS ? (size_t)count : DEFAULT_SEEDS;
}

int main(int argc, char **argv)
{
	/* NULL: a layer that only the driver mounts. */
	static const char *const options[] = {
		NULL,       "redirect_dir=on", "metacopy=on",
		"index=on", "userxattr",       "redirect_dir=on,index=on,metacopy=on"
	};
	static struct row rows[ARRAY_SIZE(options) * MAX_SEEDS];
	static struct CMUnitTest tests[ARRAY_SIZE(rows)];
	static char titles[ARRAY_SIZE(tests)][64];
	size_t count = 0;

	for (size_t seed = 1; seed <= count_seeds(); seed++)
		for (size_t i = 0; i < ARRAY_SIZE(options); i++, count++) {
			rows[count] = (struct row){ options[i], seed };
			(void)snprintf(titles[count], sizeof(titles[count]), "%s, seed %zu",
			               options[i] ? options[i] : "plain", seed);
			tests[count] =
				test_case(titles[count], options[i] ? check_foreign : check_seed,
			                  &rows[count]);
		}

	test_enter_namespace();
	return test_run_everywhere("random", tests, count, argc, argv);
}
