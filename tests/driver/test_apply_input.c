// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

/*
 * One tar, however its bytes come: from a file that can be read at any place, through
 * a pipe in odd pieces, compressed. What is in the layer is always what the tar says.
 */

/* Around what is read at once, what is handed over at once, and none. */
static const size_t sizes[] = { 0,    1,    100,   511,   512,   513,    4096,
	                        4097, 9000, 65535, 65536, 65537, 262144, 300001 };

/* Enough for threads to be started, and for several buffers. */
#define FILE_COUNT 420

enum way {
	FROM_FILE,
	FROM_THE_MIDDLE,
	FROM_PIPE,
	FROM_GZIP,
	FROM_ZSTD,
};

struct row {
	const char *title;
	enum way way;
};

static const struct row rows[] = {
	{ "tar from a file", FROM_FILE },
	{ "tar from the middle of a file", FROM_THE_MIDDLE },
	{ "tar from a pipe in odd pieces", FROM_PIPE },
	{ "tar compressed by gzip", FROM_GZIP },
	{ "tar compressed by zstd", FROM_ZSTD },
};

static char *make_content(size_t number, size_t size)
{
	char *content = malloc(size + 1);

	for (size_t i = 0; i < size; i++)
		content[i] = (char)('a' + (number * 7 + i * i / 3 + i / 1000) % 26);
	content[size] = '\0';

	return content;
}

/* Mostly small ones; every so often one that takes another way through the reader. */
static void add_file(struct test_tar *tar, int root, size_t number)
{
	static const char *const attribute[] = { "SCHILY.xattr.user.key=value", NULL };
	static const char *const fraction[] = { "mtime=1600000000", "uname=x", NULL };
	static const char *const unusual[] = { "VENDOR.key=1", NULL };
	const char *const *const records[] = { NULL, NULL, fraction, NULL, attribute, unusual };
	size_t size = number % 5 ? sizes[number % 6] : sizes[number / 5 % ARRAY_SIZE(sizes)];
	cleanup_free char *content = make_content(number, size);
	cleanup_free char *name = test_path("d%zu/file%zu", number / 50, number);
	const char *const *pax = records[number % ARRAY_SIZE(records)];
	const struct test_tar_entry entry = { .name = name,
		                              .content = content,
		                              .mtime = 1600000000,
		                              .uid = number % 3,
		                              .mode = number % 7 ? 0644 : 04755,
		                              .pax = pax };
	const struct test_entry expected = {
		'f',
		name,
		content,
		entry.mode,
		(uid_t)entry.uid,
		0,
		entry.mtime,
		pax == attribute ? "user.key=value" : NULL,
	};

	test_tar_add(tar, &entry);
	test_tree_make(root, &expected, 1);
}

static void add_all(struct test_tar *tar, int root)
{
	for (size_t i = 0; i < FILE_COUNT; i++) {
		cleanup_free char *name = test_path("d%zu", i / 50);
		const struct test_tar_entry entry = { .name = name, .type = '5', .mode = 0755 };
		const struct test_entry expected = { 'd', name, NULL, 0, 0, 0, 0, NULL };

		if (i % 50 == 0) {
			test_tar_add(tar, &entry);
			test_tree_make(root, &expected, 1);
		}
		add_file(tar, root, i);
	}
	test_tar_end(tar);
}

struct pipe {
	const struct test_tar *tar;
	int end;
};

static void *write_pipe(void *data)
{
	const struct pipe *pipe = data;
	size_t done = 0;

	while (done < pipe->tar->bytes.length) {
		size_t left = pipe->tar->bytes.length - done;
		ssize_t r =
			write(pipe->end, pipe->tar->bytes.text + done, left < 7001 ? left : 7001);

		if (r < 0)
			break;
		done += (size_t)r;
	}
	close(pipe->end);

	return NULL;
}

static void apply_pipe(struct ovl2_store *store, const struct test_tar *tar)
{
	struct ovl2_error err = { 0 };
	pthread_t thread;
	int ends[2];
	struct pipe data = { .tar = tar };
	int r;

	assert_sys(pipe2(ends, O_CLOEXEC));
	data.end = ends[1];
	assert_int_equal(pthread_create(&thread, NULL, write_pipe, &data), 0);
	r = ovl2_layer_apply(store, "layer", NULL, ends[0], NULL, &err);
	close(ends[0]);
	pthread_join(thread, NULL);
	assert_ok(r, &err);
}

static int open_tar(const struct test_tar *tar, enum way way)
{
	static const char front[12345] = "not a tar";
	cleanup_fd int plain = test_tar_open(tar);
	int fd;

	switch (way) {
	case FROM_GZIP:
		return test_compress(plain, "gzip");
	case FROM_ZSTD:
		return test_compress(plain, "zstd");
	case FROM_THE_MIDDLE:
		fd = test_bytes_open(front, sizeof(front));
		assert_sys(lseek(fd, 0, SEEK_END));
		assert_int_equal(write(fd, tar->bytes.text, tar->bytes.length), tar->bytes.length);
		assert_int_equal(write(fd, front, sizeof(front)), sizeof(front));
		assert_sys(lseek(fd, sizeof(front), SEEK_SET));
		return fd;
	default:
		return steal_fd(&plain);
	}
}

/* The next one reads on behind the tar. */
static void assert_behind(int fd, enum way way, const struct test_tar *tar)
{
	off_t start = way == FROM_THE_MIDDLE ? 12345 : 0;

	if (way == FROM_FILE || way == FROM_THE_MIDDLE)
		assert_int_equal(lseek(fd, 0, SEEK_CUR), start + (off_t)tar->bytes.length);
}

static void check_row(void **state)
{
	const struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_store struct ovl2_store *store = open_store(place);
	cleanup_free char *expected_path = test_path("%s/expected", place->path);
	cleanup_free char *home = store_path(place);
	cleanup_free char *path = test_path("%s/layer/diff", home);
	cleanup_tar struct test_tar tar = { 0 };
	cleanup_free char *expected = NULL;
	cleanup_free char *found = NULL;
	struct ovl2_error err = { 0 };
	cleanup_fd int root = -1;
	cleanup_fd int fd = -1;

	assert_sys(mkdir(expected_path, 0755));
	root = open(expected_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_sys(root);
	add_all(&tar, root);

	create_layer(store, "layer", NULL);
	if (row->way == FROM_PIPE) {
		apply_pipe(store, &tar);
	} else {
		fd = open_tar(&tar, row->way);
		assert_ok(ovl2_layer_apply(store, "layer", NULL, fd, NULL, &err), &err);
		assert_behind(fd, row->way, &tar);
	}

	expected = test_tree_describe(root, TEST_TREE_NO_DIRECTORY_TIMES);
	found = test_tree_describe_at(path, TEST_TREE_NO_DIRECTORY_TIMES);
	test_text_assert_same(found, expected, "what was applied");
}

static void tar_cut_in_content_is_refused(void **state)
{
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *content = make_content(1, 100000);
	const struct test_tar_entry entry = { .name = "f", .content = content };
	struct ovl2_error err = { 0 };
	cleanup_tar struct test_tar tar = { 0 };

	create_layer(store, "layer", NULL);
	test_tar_add(&tar, &entry);
	for (size_t cut = 1; cut < tar.bytes.length; cut += 9973) {
		cleanup_fd int fd = test_bytes_open(tar.bytes.text, tar.bytes.length - cut);

		assert_fails(ovl2_layer_apply(store, "layer", NULL, fd, NULL, &err), OVL2_E_CORRUPT,
		             &err);
	}
}

/* A name in letters that can be written in two ways stays as it is written. */
static void name_keeps_its_bytes(void **state)
{
	static const char *const names[] = { "path=e\314\201", "path=\303\251", "path=\377\376" };
	cleanup_store struct ovl2_store *store = open_store(*state);
	cleanup_free char *home = store_path(*state);
	cleanup_tar struct test_tar tar = { 0 };
	struct ovl2_error err = { 0 };
	cleanup_fd int fd = -1;

	create_layer(store, "layer", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *unusual = test_path("%s.unusual", names[i]);
		const char *const pax[] = { names[i], NULL };
		const char *const rare[] = { unusual, "VENDOR.key=1", NULL };
		const struct test_tar_entry entry = { .name = "ascii", .pax = pax };
		const struct test_tar_entry other = { .name = "ascii", .pax = rare };

		cleanup_free char *target = test_path("linkpath=%s", names[i] + 5);
		cleanup_free char *link_name = test_path("link-%zu", i);
		const char *const link_pax[] = { target, "VENDOR.key=1", NULL };
		const struct test_tar_entry link = {
			.name = link_name, .type = '2', .link = "x", .pax = link_pax
		};

		test_tar_add(&tar, &entry);
		test_tar_add(&tar, &other);
		test_tar_add(&tar, &link);
	}
	test_tar_end(&tar);
	fd = test_tar_open(&tar);
	assert_ok(ovl2_layer_apply(store, "layer", NULL, fd, NULL, &err), &err);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *path = test_path("%s/layer/diff/%s", home, names[i] + 5);
		cleanup_free char *other = test_path("%s.unusual", path);
		cleanup_free char *link = test_path("%s/layer/diff/link-%zu", home, i);
		char target[16];

		assert_sys(access(path, F_OK));
		assert_sys(access(other, F_OK));
		assert_int_equal(readlink(link, target, sizeof(target)), strlen(names[i] + 5));
		assert_memory_equal(target, names[i] + 5, strlen(names[i] + 5));
	}
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 2] = {
		cmocka_unit_test(tar_cut_in_content_is_refused),
		cmocka_unit_test(name_keeps_its_bytes),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[i + 2] = (struct CMUnitTest){
			.name = rows[i].title,
			.test_func = check_row,
			.initial_state = (void *)&rows[i],
		};

	test_enter_namespace();
	return test_run_everywhere("apply input", tests, ARRAY_SIZE(tests), argc, argv);
}
