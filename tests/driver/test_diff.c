// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* What a diff can be asked for, where it can go to, and what an upper can hold. */

/* Enough that they are read by several threads, some of them large. */
#define FILES 600
#define LARGE_BYTES ((size_t)300 << 10)

/* A file of `length` bytes that differ from file to file. */
static void write_bytes(int dir, const char *name, int salt, size_t length)
{
	cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	cleanup_free char *bytes = malloc(length + 1);

	assert_true(fd >= 0);
	assert_non_null(bytes);
	for (size_t i = 0; i < length; i++)
		bytes[i] = (char)(i * 31 + (size_t)salt * 7 + i / 511);
	assert_int_equal(write(fd, bytes, length), length);
}

/* Small files and large ones, names for one file, and directories. */
static void create_many(struct ovl2_store *store)
{
	cleanup_free char *path = NULL;
	int root;

	create_layer(store, "many", NULL);
	path = mount_layer(store, "many");
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0);
	for (int i = 0; i < FILES; i++) {
		cleanup_free char *dir = test_path("d%d", i % 7);
		cleanup_free char *name = test_path("d%d/file %d", i % 7, i);
		cleanup_free char *other = test_path("d%d/other %d", (i + 3) % 7, i);

		(void)mkdirat(root, dir, 0755);
		write_bytes(root, name, i, i % 29 ? (size_t)i * 11 : LARGE_BYTES + (size_t)i);
		if (i % 13 == 12)
			assert_sys(linkat(root, name, root, other, 0));
	}
	close(root);
	unmount_layer(store, "many");
}

/* -------------------------------------------------------------------- outputs -- */

struct bytes {
	char *at;
	size_t length;
};

static void release_bytes(struct bytes *bytes)
{
	free(bytes->at);
}

#define cleanup_bytes __attribute__((cleanup(release_bytes)))

static struct bytes diff_with(struct ovl2_store *store, const char *id,
                              const struct ovl2_diff_options *options)
{
	cleanup_fd int sink = test_sink_open();
	struct ovl2_error err = { 0 };
	struct bytes bytes;

	assert_ok(ovl2_layer_diff(store, id, options, sink, &err), &err);
	bytes.at = test_sink_read(sink, &bytes.length);

	return bytes;
}

static struct bytes plain_diff(struct ovl2_store *store, const char *id)
{
	const struct ovl2_diff_options options = { .size = sizeof(options), .threads = 1 };

	return diff_with(store, id, &options);
}

static void assert_same_bytes(const struct bytes *one, const struct bytes *other)
{
	assert_int_equal(one->length, other->length);
	assert_memory_equal(one->at, other->at, one->length);
}

static void any_number_of_threads_gives_the_same_bytes(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_bytes struct bytes plain = { 0 };

	create_many(store);
	plain = plain_diff(store, "many");
	for (uint32_t threads = 0; threads <= 12; threads += 3) {
		const struct ovl2_diff_options options = { .size = sizeof(options),
			                                   .threads = threads };
		cleanup_bytes struct bytes bytes = diff_with(store, "many", &options);

		assert_same_bytes(&plain, &bytes);
	}
}

/* Takes what comes, and after `limit` bytes no more. */
struct taker {
	char *at;
	size_t length;
	size_t limit;
};

static int take(void *data, const void *bytes, size_t length)
{
	struct taker *taker = data;

	assert_true(length > 0);
	if (taker->length + length > taker->limit)
		return 1;
	memcpy(taker->at + taker->length, bytes, length);
	taker->length += length;

	return 0;
}

static void callback_gets_the_same_bytes(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_bytes struct bytes plain = { 0 };
	cleanup_free char *room = NULL;
	struct taker taker = { 0 };
	const struct ovl2_diff_options options = { .size = sizeof(options),
		                                   .write = take,
		                                   .write_data = &taker };
	struct ovl2_error err = { 0 };

	create_many(store);
	plain = plain_diff(store, "many");
	room = malloc(plain.length);
	assert_non_null(room);
	taker = (struct taker){ .at = room, .limit = plain.length };
	assert_ok(ovl2_layer_diff(store, "many", &options, -1, &err), &err);
	assert_int_equal(taker.length, plain.length);
	assert_memory_equal(taker.at, plain.at, plain.length);

	/* One who has enough. */
	taker = (struct taker){ .at = room, .limit = plain.length / 2 };
	assert_fails(ovl2_layer_diff(store, "many", &options, -1, &err), OVL2_E_CANCELLED, &err);
	assert_fails(ovl2_layer_diff(store, "many", &options, 1, &err), OVL2_E_INVALID, &err);
}

struct drain {
	int fd;
	struct ovi_strbuf bytes;
};

static void *drain_pipe(void *data)
{
	struct drain *drain = data;
	char buffer[70000];
	ssize_t length;

	while ((length = read(drain->fd, buffer, sizeof(buffer))) > 0)
		ovi_strbuf_add_bytes(&drain->bytes, buffer, (size_t)length);

	return NULL;
}

static void pipe_gets_the_same_bytes(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_strbuf struct ovi_strbuf received = { 0 };
	cleanup_bytes struct bytes plain = { 0 };
	struct drain drain = { 0 };
	struct ovl2_error err = { 0 };
	pthread_t reader;
	int ends[2];
	int r;

	create_many(store);
	plain = plain_diff(store, "many");
	assert_sys(pipe2(ends, O_CLOEXEC));
	drain.fd = ends[0];
	assert_int_equal(pthread_create(&reader, NULL, drain_pipe, &drain), 0);
	r = ovl2_layer_diff(store, "many", NULL, ends[1], &err);
	close(ends[1]);
	pthread_join(reader, NULL);
	close(ends[0]);
	received = drain.bytes;

	assert_ok(r, &err);
	assert_int_equal(received.length, plain.length);
	assert_memory_equal(received.text, plain.at, plain.length);
}

/* In the same filesystem, where the kernel can copy or share, and at an offset. */
static void file_gets_the_same_bytes(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_fd int file = openat(place->fd, "out.tar", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cleanup_fd int end = openat(place->fd, "out.tar", O_WRONLY | O_APPEND | O_CLOEXEC);
	cleanup_bytes struct bytes plain = { 0 };
	cleanup_bytes struct bytes twice = { 0 };
	struct ovl2_error err = { 0 };

	create_many(store);
	plain = plain_diff(store, "many");
	assert_ok(ovl2_layer_diff(store, "many", NULL, file, &err), &err);
	assert_ok(ovl2_layer_diff(store, "many", NULL, end, &err), &err);
	twice.at = test_sink_read(file, &twice.length);
	assert_int_equal(twice.length, 2 * plain.length);
	assert_memory_equal(twice.at, plain.at, plain.length);
	assert_memory_equal(twice.at + plain.length, plain.at, plain.length);
}

/* ----------------------------------------------------- compression and digest -- */

static void compressed_diff_is_the_same_tar(void **state)
{
	static const int compressions[] = { OVL2_COMPRESSION_GZIP, OVL2_COMPRESSION_ZSTD };
	static const char *const programs[] = { "gzip", "zstd" };
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_bytes struct bytes plain = { 0 };

	create_many(store);
	plain = plain_diff(store, "many");
	for (size_t i = 0; i < ARRAY_SIZE(compressions); i++) {
		const struct ovl2_diff_options one = { .size = sizeof(one),
			                               .compression = compressions[i],
			                               .compression_level = 1,
			                               .threads = 1 };
		const struct ovl2_diff_options more = { .size = sizeof(more),
			                                .compression = compressions[i],
			                                .compression_level = 1,
			                                .threads = 4 };
		cleanup_bytes struct bytes alone = diff_with(store, "many", &one);
		cleanup_bytes struct bytes together = diff_with(store, "many", &more);
		cleanup_free char *path = test_path("%s/packed", place->path);
		cleanup_free char *command =
			test_path("%s -dc < '%s' > '%s.tar'", programs[i], path, path);
		const char *const argv[] = { "sh", "-c", command, NULL };
		cleanup_output struct test_output output = { 0 };
		cleanup_fd int unpacked = -1;
		cleanup_bytes struct bytes bytes = { 0 };

		assert_same_bytes(&alone, &together);
		assert_true(alone.length < plain.length);
		cleanup_fd int packed = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		assert_int_equal(write(packed, alone.at, alone.length), alone.length);
		output = test_spawn(argv);
		if (output.status == 127)
			continue;
		assert_int_equal(output.status, 0);
		unpacked = openat(place->fd, "packed.tar", O_RDONLY | O_CLOEXEC);
		assert_true(unpacked >= 0);
		bytes.at = test_sink_read(unpacked, &bytes.length);
		assert_same_bytes(&plain, &bytes);
	}
}

static void compressed_diff_can_be_applied(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *expected = NULL;

	create_many(store);
	expected = describe_layer(store, "many", TEST_TREE_LINKS);
	for (int i = OVL2_COMPRESSION_GZIP; i <= OVL2_COMPRESSION_ZSTD; i++) {
		const struct ovl2_diff_options options = { .size = sizeof(options),
			                                   .compression = i };
		cleanup_bytes struct bytes bytes = diff_with(store, "many", &options);
		cleanup_fd int tar = test_bytes_open(bytes.at, bytes.length);
		cleanup_free char *id = test_path("copy-%d", i);
		cleanup_free char *shown = NULL;
		struct ovl2_error err = { 0 };

		create_layer(store, id, NULL);
		assert_ok(ovl2_layer_apply(store, id, NULL, tar, NULL, &err), &err);
		shown = describe_layer(store, id, TEST_TREE_LINKS);
		test_text_assert_same(expected, shown, "layers");
	}
}

static void unknown_compression_is_refused(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	struct ovl2_diff_options options = { .size = sizeof(options), .compression = 9 };
	cleanup_fd int sink = test_sink_open();
	struct ovl2_error err = { 0 };

	create_layer(store, "one", NULL);
	assert_fails(ovl2_layer_diff(store, "one", &options, sink, &err), OVL2_E_INVALID, &err);
	options.compression = OVL2_COMPRESSION_GZIP;
	options.compression_level = 77;
	assert_fails(ovl2_layer_diff(store, "one", &options, sink, &err), OVL2_E_INVALID, &err);
	assert_int_equal(lseek(sink, 0, SEEK_END), 0);
}

static void sha256(const struct bytes *bytes, char ret_text[OVL2_DIGEST_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length;

	assert_int_equal(EVP_Digest(bytes->at, bytes->length, digest, &length, EVP_sha256(), NULL),
	                 1);
	for (unsigned int i = 0; i < length; i++)
		(void)sprintf(ret_text + (size_t)2 * i, "%02x", digest[i]);
}

static void digest_is_that_of_the_tar_whatever_comes_out(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_bytes struct bytes plain = { 0 };
	char expected[OVL2_DIGEST_SIZE];

	create_many(store);
	plain = plain_diff(store, "many");
	sha256(&plain, expected);
	for (int i = OVL2_COMPRESSION_NONE; i <= OVL2_COMPRESSION_ZSTD; i++) {
		char digest[OVL2_DIGEST_SIZE] = "";
		const struct ovl2_diff_options options = { .size = sizeof(options),
			                                   .compression = i,
			                                   .digest = digest };
		cleanup_bytes struct bytes bytes = diff_with(store, "many", &options);

		assert_string_equal(digest, expected);
		assert_true(bytes.length > 0);
	}
}

/* ------------------------------------------------------------------- progress -- */

/* Of those calls that tell of more bytes. */
struct watcher {
	struct ovl2_diff_progress last;
	size_t calls;
	size_t limit;
};

static int watch(void *data, const struct ovl2_diff_progress *progress)
{
	struct watcher *watcher = data;

	assert_true(progress->bytes >= watcher->last.bytes);
	assert_true(progress->entries >= watcher->last.entries);
	watcher->calls += progress->bytes > watcher->last.bytes;
	watcher->last = *progress;

	return watcher->limit && watcher->calls == watcher->limit;
}

static void progress_grows_to_the_whole(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_bytes struct bytes plain = { 0 };
	struct watcher watcher = { 0 };
	const struct ovl2_diff_options options = { .size = sizeof(options),
		                                   .progress = watch,
		                                   .progress_data = &watcher };

	create_many(store);
	plain = diff_with(store, "many", &options);
	assert_true(watcher.calls > 1);
	assert_int_equal(watcher.last.bytes, plain.length);
	/* The root, seven directories, and the files with their other names. */
	assert_int_equal(watcher.last.entries, 1 + 7 + FILES + FILES / 13);
}

static void progress_can_end_it(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_bytes struct bytes plain = { 0 };
	char digest[OVL2_DIGEST_SIZE] = "none";
	struct watcher watcher = { .limit = 2 };
	const struct ovl2_diff_options options = { .size = sizeof(options),
		                                   .progress = watch,
		                                   .progress_data = &watcher,
		                                   .digest = digest };
	cleanup_fd int sink = test_sink_open();
	struct ovl2_error err = { 0 };
	off_t written;

	create_many(store);
	plain = plain_diff(store, "many");
	assert_fails(ovl2_layer_diff(store, "many", &options, sink, &err), OVL2_E_CANCELLED, &err);
	assert_int_equal(watcher.calls, 2);
	assert_string_equal(digest, "none");
	written = lseek(sink, 0, SEEK_END);
	assert_true(written > 0 && (size_t)written < plain.length);
}

/* ---------------------------------------------------------------- odd content -- */

static void holes_are_zeroes_in_the_tar(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *path = NULL;
	cleanup_free char *copy = NULL;
	cleanup_free char *shown = NULL;
	struct ovl2_error err = { 0 };
	cleanup_fd int diff = -1;
	int root;
	int fd;

	create_layer(store, "one", NULL);
	create_layer(store, "two", NULL);
	path = mount_layer(store, "one");
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(root, "sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "middle", 6, 3000001), 6);
	assert_int_equal(pwrite(fd, "end", 3, 5000000), 3);
	assert_sys(ftruncate(fd, 7000000));
	close(fd);
	assert_sys(mknodat(root, "hole only", S_IFREG | 0600, 0));
	fd = openat(root, "hole only", O_WRONLY | O_CLOEXEC);
	assert_sys(ftruncate(fd, 1000000));
	close(fd);
	close(root);
	unmount_layer(store, "one");

	copy = describe_layer(store, "one", 0);
	diff = diff_layer(store, "one", OVL2_DIFF_AUTO);
	assert_ok(ovl2_layer_apply(store, "two", NULL, diff, NULL, &err), &err);
	shown = describe_layer(store, "two", 0);
	test_text_assert_same(copy, shown, "layers");
	assert_contains(shown, " 7000000 ");
}

/* How much it was, and how it begins. */
struct beginning {
	uint64_t bytes;
	char text[8192];
};

static int keep_beginning(void *data, const void *bytes, size_t length)
{
	struct beginning *beginning = data;

	if (beginning->bytes < sizeof(beginning->text)) {
		size_t room = sizeof(beginning->text) - beginning->bytes;

		memcpy(beginning->text + beginning->bytes, bytes, length < room ? length : room);
	}
	beginning->bytes += length;

	return 0;
}

/* Beyond what ustar can say, and nothing that a test should have to read. */
static void file_of_nine_gigabytes_is_told_in_full(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *upper = NULL;
	struct beginning beginning = { .bytes = 0 };
	const struct ovl2_diff_options options = { .size = sizeof(options),
		                                   .write = keep_beginning,
		                                   .write_data = &beginning };
	const off_t size = (off_t)9 << 30;
	struct ovl2_error err = { 0 };
	uint64_t told = 0;
	int root;
	int fd;

	create_layer(store, "one", NULL);
	upper = layer_fact(store, "one", "UpperDir");
	root = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(root, "giant", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	close(root);
	assert_true(fd >= 0);
	if (ftruncate(fd, size) < 0) {
		close(fd);
		test_skip("no file of 9 GiB on %s: %s", place->filesystem, strerror(errno));
	}
	close(fd);

	assert_ok(ovl2_layer_diff(store, "one", &options, -1, &err), &err);
	/* The root's header and the file's, each perhaps extended, and the end. */
	assert_in_range(beginning.bytes - (uint64_t)size, 2048, 4608);
	assert_non_null(memmem(beginning.text, sizeof(beginning.text), " size=9663676416\n", 17));
	assert_ok(ovl2_layer_diff_size(store, "one", NULL, &told, &err), &err);
	assert_int_equal(told, size);
}

static void attributes_come_sorted_and_whole(void **state)
{
	static const char binary[] = "\0line\n=\377";
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *long_value = NULL;
	cleanup_free char *path = NULL;
	cleanup_free char *file = NULL;
	cleanup_free char *expected = NULL;
	cleanup_free char *shown = NULL;
	cleanup_bytes struct bytes plain = { 0 };
	struct ovl2_error err = { 0 };
	cleanup_fd int diff = -1;

	create_layer(store, "one", NULL);
	create_layer(store, "two", NULL);
	path = mount_layer(store, "one");
	file = test_path("%s/file", path);
	test_file_write(file, "text");
	if (setxattr(file, "user.z", "1", 1, 0) < 0) {
		unmount_layer(store, "one");
		test_skip("no user attributes on %s", place->filesystem);
	}
	long_value = test_path("%01500d", 7);
	assert_sys(setxattr(file, "user.long", long_value, strlen(long_value), 0));
	assert_sys(setxattr(file, "user.binary", binary, sizeof(binary) - 1, 0));
	assert_sys(setxattr(file, "user.a=b", "equals", 6, 0));
	assert_sys(setxattr(file, "user.empty", "", 0, 0));
	unmount_layer(store, "one");

	expected = describe_layer(store, "one", 0);
	plain = plain_diff(store, "one");
	diff = diff_layer(store, "one", OVL2_DIFF_AUTO);
	assert_ok(ovl2_layer_apply(store, "two", NULL, diff, NULL, &err), &err);
	shown = describe_layer(store, "two", 0);
	test_text_assert_same(expected, shown, "layers");
	assert_true(memmem(plain.at, plain.length, "SCHILY.xattr.user.binary=", 25) <
	            memmem(plain.at, plain.length, "SCHILY.xattr.user.empty=", 24));
	assert_true(memmem(plain.at, plain.length, "SCHILY.xattr.user.long=", 23) <
	            memmem(plain.at, plain.length, "SCHILY.xattr.user.z=", 20));
}

/* Half a second before it is -0.5, which POSIX writes with one sign. */
static void time_before_the_epoch_has_one_sign(void **state)
{
	static const struct timespec times[2] = { { .tv_sec = -5, .tv_nsec = 250000000 },
		                                  { .tv_sec = -5, .tv_nsec = 250000000 } };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *upper = NULL;
	cleanup_free char *file = NULL;
	cleanup_bytes struct bytes plain = { 0 };
	struct stat status;

	create_layer(store, "one", NULL);
	upper = layer_fact(store, "one", "UpperDir");
	file = test_path("%s/file", upper);
	test_file_write(file, "text");
	assert_sys(utimensat(AT_FDCWD, file, times, 0));
	assert_sys(stat(file, &status));
	if (status.st_mtim.tv_sec != -5 || status.st_mtim.tv_nsec != 250000000)
		test_skip("this filesystem holds no such time");
	plain = plain_diff(store, "one");
	assert_non_null(memmem(plain.at, plain.length, " mtime=-4.75\n", 13));
}

/* Other programs' idea of the same tar. */
static void gnu_tar_reads_the_same_tree(void **state)
{
	static const struct test_entry entries[] = {
		{ 'd', "dir", NULL, 0750, 1, 2, 1000000000, NULL },
		{ 'f', "dir/file", "content", 04711, 4294967294U, 3000000000U, 1000000001, NULL },
		{ 'h', "dir/link", "dir/file", 0, 0, 0, 0, NULL },
		{ 'l', "symlink", "dir/file", 0, 7, 8, 1000000002, NULL },
		{ 'f', "not \303\050 utf-8 \377", "x", 0640, 0, 0, 1000000003, NULL },
		{ 'f', "\303\251t\303\251", "x", 0640, 0, 0, 1000000004, NULL },
		{ 'f', "after 2038", "x", 0640, 0, 0, 4000000000, NULL },
		{ 'f', "before the epoch", "x", 0640, 0, 0, -5, NULL },
		{ 'c', "null", "1:3", 0666, 0, 0, 1000000005, NULL },
		{ 'p', "pipe", NULL, 0620, 1, 2, 1000000006, NULL },
	};
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *long_name = test_path("dir/%0240d", 1);
	const struct test_entry named = { 'f', long_name, "x", 0600, 0, 0, 1000000007, NULL };
	cleanup_free char *command = test_path(
		"tar --warning=no-timestamp --numeric-owner -xpf '%s/diff.tar' -C '%s/out'",
		place->path, place->path);
	const char *const argv[] = { "sh", "-c", command, NULL };
	cleanup_output struct test_output output = { 0 };
	cleanup_free char *out = test_path("%s/out", place->path);
	cleanup_free char *expected = NULL;
	cleanup_free char *extracted = NULL;
	cleanup_fd int tar = openat(place->fd, "diff.tar", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct ovl2_error err = { 0 };

	create_layer(store, "one", NULL);
	change_layer(store, "one", entries, ARRAY_SIZE(entries));
	change_layer(store, "one", &named, 1);
	expected = describe_layer(store, "one", TEST_TREE_LINKS);
	assert_ok(ovl2_layer_diff(store, "one", NULL, tar, &err), &err);
	assert_sys(mkdirat(place->fd, "out", 0755));
	output = test_spawn(argv);
	assert_string_equal(output.err, "");
	assert_int_equal(output.status, 0);
	extracted = test_tree_describe_at(out, TEST_TREE_LINKS);
	test_text_assert_same(expected, extracted, "trees");
}

/* ------------------------------------------------------- uppers of other mounts -- */

static const struct test_entry below[] = {
	{ 'd', "dir", NULL, 0755, 0, 0, 1000000000, NULL },
	{ 'f', "dir/kept", "kept content", 0644, 0, 0, 1000000001, NULL },
	{ 'd', "dir/sub", NULL, 0755, 0, 0, 1000000002, NULL },
	{ 'f', "dir/sub/deep", "deep content", 0644, 0, 0, 1000000003, NULL },
	{ 'f', "data", "data that stays below", 0644, 0, 0, 1000000004, NULL },
	{ 'f', "one", "names of one file", 0644, 0, 0, 1000000005, NULL },
	{ 'h', "two", "one", 0, 0, 0, 0, NULL },
	{ 'd', "gone", NULL, 0755, 0, 0, 1000000006, NULL },
	{ 'f', "gone/old", "old", 0644, 0, 0, 1000000007, NULL },
};

/* What `change` does in a mount with `options` arrives in a copy of the layer. */
static char *check_foreign(struct ovl2_store *store, const char *options, void (*change)(int root))
{
	cleanup_fd int diff = -1;
	cleanup_free char *expected = NULL;
	struct ovl2_error err = { 0 };
	char *shown = NULL;
	char *path;
	int root;

	create_layer(store, "base", NULL);
	change_layer(store, "base", below, ARRAY_SIZE(below));
	create_container(store, "upper", "base");
	path = mount_foreign(store, "upper", options);
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	change(root);
	close(root);
	unmount_foreign(path);
	path = mount_foreign(store, "upper", options);
	expected = test_tree_describe_at(path, TEST_TREE_NO_DIRECTORY_TIMES | TEST_TREE_LINKS);
	unmount_foreign(path);

	diff = diff_layer(store, "upper", OVL2_DIFF_AUTO);
	create_layer(store, "copy", "base");
	assert_ok(ovl2_layer_apply(store, "copy", NULL, diff, NULL, &err), &err);
	shown = describe_layer(store, "copy", TEST_TREE_NO_DIRECTORY_TIMES | TEST_TREE_LINKS);
	test_text_assert_same(expected, shown, options);

	return shown;
}

static int has_xattr(struct ovl2_store *store, const char *name, const char *key)
{
	cleanup_free char *upper = layer_fact(store, "upper", "UpperDir");
	cleanup_free char *path = test_path("%s/%s", upper, name);

	return lgetxattr(path, key, NULL, 0) >= 0;
}

static void rename_directories(int root)
{
	assert_sys(renameat(root, "dir/sub", root, "dir/moved"));
	assert_sys(renameat(root, "dir", root, "elsewhere"));
	write_bytes(root, "elsewhere/new", 1, 20);
	assert_sys(unlinkat(root, "elsewhere/kept", 0));
	assert_sys(mkdirat(root, "dir", 0700));
}

static void renamed_directory_brings_its_content(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *shown = check_foreign(store, "redirect_dir=on", rename_directories);
	cleanup_free char *changes = list_changes(store, "upper", NULL);

	assert_true(has_xattr(store, "elsewhere", "trusted.overlay.redirect"));
	assert_contains(shown, " elsewhere/moved/deep\n");
	assert_contains(changes, "A /elsewhere\n");
	assert_contains(changes, "A /elsewhere/moved/deep\n");
	assert_contains(changes, "D /dir/kept\n");
}

/* What a tar deletes there is looked for where the kernel would find it. */
static void file_in_a_renamed_directory_is_deleted_by_a_tar(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *shown = check_foreign(store, "redirect_dir=on", rename_directories);
	const struct test_tar_entry entries[] = { { .name = "elsewhere/moved/.wh.deep" },
		                                  { .name = "elsewhere/moved/.wh.nothing" } };
	cleanup_free char *home = store_path(*state);
	cleanup_free char *path = test_path("%s/next/diff", home);
	cleanup_free char *found = NULL;

	assert_contains(shown, " elsewhere/moved/deep\n");
	create_layer(store, "next", "upper");
	apply_entries(store, "next", entries, ARRAY_SIZE(entries));
	found = test_tree_describe_at(path, TEST_TREE_NAMES);
	assert_string_equal(found, "d elsewhere\nd elsewhere/moved\nc elsewhere/moved/deep\n");
}

static void rename_over_what_was_deleted(int root)
{
	assert_sys(unlinkat(root, "gone/old", 0));
	assert_sys(unlinkat(root, "gone", AT_REMOVEDIR));
	assert_sys(renameat(root, "dir", root, "gone"));
}

static void renamed_directory_hides_what_had_its_name(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *shown =
		check_foreign(store, "redirect_dir=on", rename_over_what_was_deleted);
	cleanup_free char *changes = list_changes(store, "upper", NULL);

	assert_true(has_xattr(store, "gone", "trusted.overlay.redirect"));
	assert_contains(shown, " gone/sub/deep\n");
	assert_contains(changes, "A /gone/kept\n");
	assert_contains(changes, "D /gone/old\n");
}

static void socket_is_left_out(void **state)
{
	static const struct test_entry entries[] = {
		{ 's', "socket", NULL, 0644, 0, 0, 0, NULL },
		{ 'f', "file", "text", 0644, 0, 0, 0, NULL },
	};
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *names = NULL;
	cleanup_fd int diff = -1;

	create_layer(store, "one", NULL);
	change_layer(store, "one", entries, ARRAY_SIZE(entries));
	diff = diff_layer(store, "one", OVL2_DIFF_AUTO);
	names = test_tar_list_names(diff);
	assert_string_equal(names, "d ./\nf file\n");
}

static void make_again(int root)
{
	const struct test_entry entries[] = {
		{ '-', "d", NULL, 0, 0, 0, 0, NULL },
		{ 'd', "d", NULL, 0, 0, 0, 0, NULL },
		{ 'f', "d/w", "w", 0, 0, 0, 0, NULL },
		{ 'f', "w", "w", 0, 0, 0, 0, NULL },
		{ 'f', "e/w", "w", 0, 0, 0, 0, NULL },
		{ 'f', "e/kept", "new", 0, 0, 0, 0, NULL },
		{ 'f', "e/new", "n", 0, 0, 0, 0, NULL },
		{ '-', "e/file", NULL, 0, 0, 0, 0, NULL },
		{ 'd', "e/file", NULL, 0, 0, 0, 0, NULL },
		{ 'f', "e/file/in", "i", 0, 0, 0, 0, NULL },
		{ 'd', "e/v", NULL, 0, 0, 0, 0, NULL },
		{ 'f', "e/v/in", "i", 0, 0, 0, 0, NULL },
	};

	test_tree_make(root, entries, ARRAY_SIZE(entries));
}

/* No layer is below the lowest: what it deletes is not there, mounted or not. */
static void whiteout_in_the_lowest_layer_is_no_file(void **state)
{
	static const struct test_entry lowest[] = {
		{ 'd', "d", NULL, 0, 0, 0, 0, NULL },     { 'f', "d/gone", NULL, 0, 0, 0, 0, NULL },
		{ 'c', "d/w", "0:0", 0, 0, 0, 0, NULL },  { 'c', "d/v", "0:0", 0, 0, 0, 0, NULL },
		{ 'd', "e", NULL, 0, 0, 0, 0, NULL },     { 'f', "e/kept", "k", 0, 0, 0, 0, NULL },
		{ 'c', "e/w", "0:0", 0, 0, 0, 0, NULL },  { 'c', "w", "0:0", 0, 0, 0, 0, NULL },
		{ 'f', "e/file", "f", 0, 0, 0, 0, NULL }, { 'c', "e/v", "0:0", 0, 0, 0, 0, NULL },
	};
	const struct ovl2_diff_options by_comparing = { .size = sizeof(by_comparing),
		                                        .method = OVL2_DIFF_COMPARE };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *home = store_path(*state);
	cleanup_free char *path = test_path("%s/base/diff", home);
	cleanup_free char *walked = NULL;
	cleanup_free char *compared = NULL;
	cleanup_fd int root = -1;
	char *mounted;

	create_layer(store, "base", NULL);
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_sys(root);
	test_tree_make(root, lowest, ARRAY_SIZE(lowest));
	ovi_close_fd(&root);
	create_container(store, "top", "base");
	mounted = mount_layer(store, "top");
	root = open(mounted, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(mounted);
	assert_sys(root);
	make_again(root);
	ovi_close_fd(&root);
	unmount_layer(store, "top");

	walked = list_changes(store, "top", NULL);
	compared = list_changes(store, "top", &by_comparing);
	assert_string_equal(walked, compared);
	assert_contains(walked, "A /d/w\n");
	assert_contains(walked, "D /d/gone\n");
	assert_contains(walked, "C /e/kept\n");
	assert_contains(walked, "A /e/w\n");
	assert_contains(walked, "A /w\n");
	/* A directory where there is none of that name below, or only a whiteout of it. */
	assert_contains(walked, "C /e/file\n");
	assert_contains(walked, "A /e/file/in\n");
	assert_contains(walked, "A /e/v\n");
	assert_contains(walked, "A /e/v/in\n");
	assert_null(strstr(walked, "/d/v"));
}

static void change_attributes_only(int root)
{
	assert_sys(fchmodat(root, "data", 0600, 0));
	assert_sys(renameat(root, "dir/kept", root, "dir/renamed"));
	assert_sys(fchownat(root, "dir/sub/deep", 12, 34, 0));
}

static void data_that_stayed_below_is_in_the_diff(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *shown = check_foreign(store, "metacopy=on", change_attributes_only);
	struct ovl2_error err = { 0 };
	uint64_t bytes = 0;

	assert_true(has_xattr(store, "data", "trusted.overlay.metacopy"));
	assert_contains(shown, "f 0600 0:0 1000000004.000000000 21 ");
	assert_ok(ovl2_layer_diff_size(store, "upper", NULL, &bytes, &err), &err);
	assert_int_equal(bytes, 21 + 12 + 12);
}

static void write_by_one_name(int root)
{
	write_bytes(root, "one", 3, 40);
}

static void other_names_of_an_indexed_file_change_too(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *shown = check_foreign(store, "index=on", write_by_one_name);
	cleanup_free char *changes = list_changes(store, "upper", NULL);

	assert_contains(shown, " one\n");
	assert_string_equal(changes, "C /one\nC /two\n");
}

static void replace_directory(int root)
{
	assert_sys(unlinkat(root, "gone/old", 0));
	assert_sys(unlinkat(root, "gone", AT_REMOVEDIR));
	assert_sys(mkdirat(root, "gone", 0755));
	write_bytes(root, "gone/new", 2, 10);
	assert_sys(unlinkat(root, "data", 0));
}

static void user_marks_are_understood_and_left_out(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *shown = check_foreign(store, "userxattr", replace_directory);
	cleanup_free char *changes = list_changes(store, "upper", NULL);
	cleanup_bytes struct bytes plain = plain_diff(store, "upper");

	assert_true(has_xattr(store, "gone", "user.overlay.opaque"));
	assert_contains(changes, "D /data\n");
	assert_contains(changes, "A /gone/new\nD /gone/old\n");
	assert_null(strstr(shown, "gone/old"));
	assert_null(memmem(plain.at, plain.length, "user.overlay", 12));
}

/* Whiteouts that need no device (Linux >= 6.7), as nested engines write them. */
static void attribute_whiteouts_are_deletions(void **state)
{
	struct test_place *place = *state;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *upper = NULL;
	cleanup_free char *dir = NULL;
	cleanup_free char *file = NULL;
	cleanup_free char *changes = NULL;
	cleanup_free char *names = NULL;
	cleanup_fd int diff = -1;

	create_layer(store, "base", NULL);
	change_layer(store, "base", below, ARRAY_SIZE(below));
	create_container(store, "upper", "base");
	upper = layer_fact(store, "upper", "UpperDir");
	dir = test_path("%s/dir", upper);
	file = test_path("%s/dir/kept", upper);
	assert_sys(mkdir(dir, 0755));
	test_file_write(file, "");
	assert_sys(setxattr(dir, "trusted.overlay.opaque", "x", 1, 0));
	assert_sys(setxattr(file, "trusted.overlay.whiteout", "", 0, 0));

	changes = list_changes(store, "upper", NULL);
	assert_string_equal(changes, "C /dir\nD /dir/kept\n");
	diff = diff_layer(store, "upper", OVL2_DIFF_AUTO);
	names = test_tar_list_names(diff);
	assert_contains(names, "f dir/.wh.kept\n");
	assert_null(strstr(names, "f dir/kept\n"));
}

/* The roots of layers are merged whatever is on them, and there is nothing to delete. */
static void marks_that_hide_nothing_are_no_changes(void **state)
{
	static const struct test_entry gone = { 'c', "gone", "0:0", 0, 0, 0, 0, NULL };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *upper = NULL;
	cleanup_free char *changes = NULL;
	cleanup_free char *names = NULL;
	cleanup_fd int root = -1;
	cleanup_fd int diff = -1;

	create_layer(store, "base", NULL);
	change_layer(store, "base", below, 4);
	create_container(store, "upper", "base");
	upper = layer_fact(store, "upper", "UpperDir");
	root = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_sys(root);
	assert_sys(fsetxattr(root, "trusted.overlay.opaque", "y", 1, 0));
	test_tree_make(root, &gone, 1);

	changes = list_changes(store, "upper", NULL);
	assert_string_equal(changes, "");
	diff = diff_layer(store, "upper", OVL2_DIFF_UPPER);
	names = test_tar_list_names(diff);
	assert_string_equal(names, "d ./\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_number_of_threads_gives_the_same_bytes),
		cmocka_unit_test(callback_gets_the_same_bytes),
		cmocka_unit_test(pipe_gets_the_same_bytes),
		cmocka_unit_test(file_gets_the_same_bytes),
		cmocka_unit_test(compressed_diff_is_the_same_tar),
		cmocka_unit_test(compressed_diff_can_be_applied),
		cmocka_unit_test(unknown_compression_is_refused),
		cmocka_unit_test(digest_is_that_of_the_tar_whatever_comes_out),
		cmocka_unit_test(progress_grows_to_the_whole),
		cmocka_unit_test(progress_can_end_it),
		cmocka_unit_test(holes_are_zeroes_in_the_tar),
		cmocka_unit_test(file_of_nine_gigabytes_is_told_in_full),
		cmocka_unit_test(attributes_come_sorted_and_whole),
		cmocka_unit_test(time_before_the_epoch_has_one_sign),
		cmocka_unit_test(gnu_tar_reads_the_same_tree),
		cmocka_unit_test(renamed_directory_brings_its_content),
		cmocka_unit_test(renamed_directory_hides_what_had_its_name),
		cmocka_unit_test(socket_is_left_out),
		cmocka_unit_test(file_in_a_renamed_directory_is_deleted_by_a_tar),
		cmocka_unit_test(whiteout_in_the_lowest_layer_is_no_file),
		cmocka_unit_test(data_that_stayed_below_is_in_the_diff),
		cmocka_unit_test(other_names_of_an_indexed_file_change_too),
		cmocka_unit_test(user_marks_are_understood_and_left_out),
		cmocka_unit_test(attribute_whiteouts_are_deletions),
		cmocka_unit_test(marks_that_hide_nothing_are_no_changes),
	};

	test_enter_namespace();
	return test_run_everywhere("diff", tests, ARRAY_SIZE(tests), argc, argv);
}
