// SPDX-License-Identifier: MIT
#include "fixture.h"

#include "strbuf.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

char *store_path(const struct test_place *place)
{
	return test_path("%s/store", place->path);
}

char *run_path(const struct test_place *place)
{
	return test_path("%s/run", place->path);
}

struct ovl2_store_options store_options(const char *run)
{
	return (struct ovl2_store_options){
		.size = sizeof(struct ovl2_store_options),
		.durability = OVL2_DURABILITY_NONE,
		.run_directory = run,
	};
}

struct ovl2_store *open_store_with(const struct test_place *place,
                                   const struct ovl2_store_options *options)
{
	cleanup_free char *home = store_path(place);
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_store_open(home, options, &store, &err), &err);
	assert_non_null(store);

	return store;
}

struct ovl2_store *open_store(const struct test_place *place)
{
	cleanup_free char *run = run_path(place);
	const struct ovl2_store_options options = store_options(run);

	return open_store_with(place, &options);
}

void create_layer(struct ovl2_store *store, const char *id, const char *parent)
{
	const struct ovl2_layer_options options = { .size = sizeof(options), .parent = parent };
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_layer_create(store, id, &options, &err), &err);
}

void create_container(struct ovl2_store *store, const char *id, const char *parent)
{
	const struct ovl2_layer_options options = {
		.size = sizeof(options),
		.parent = parent,
		.read_write = 1,
	};
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_layer_create(store, id, &options, &err), &err);
}

char *mount_layer(struct ovl2_store *store, const char *id)
{
	struct ovl2_error err = { 0 };
	char *path = NULL;

	assert_ok(ovl2_layer_mount(store, id, NULL, &path, &err), &err);
	assert_non_null(path);

	return path;
}

int unmount_layer(struct ovl2_store *store, const char *id)
{
	struct ovl2_error err = { 0 };
	int left = ovl2_layer_unmount(store, id, &err);

	assert_ok(left, &err);
	return left;
}

void change_layer(struct ovl2_store *store, const char *id, const struct test_entry *entries,
                  size_t count)
{
	cleanup_free char *path = mount_layer(store, id);
	int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(root >= 0);
	test_tree_make(root, entries, count);
	close(root);
	unmount_layer(store, id);
}

char *mount_foreign(struct ovl2_store *store, const char *id, const char *options)
{
	cleanup_free char *lower = layer_fact(store, id, "LowerDir");
	cleanup_free char *upper = layer_fact(store, id, "UpperDir");
	cleanup_free char *work = layer_fact(store, id, "WorkDir");
	char *merged = layer_fact(store, id, "MergedDir");
	cleanup_free char *data =
		test_path("lowerdir=%s,upperdir=%s,workdir=%s,%s", lower, upper, work, options);

	if (mount("overlay", merged, "overlay", 0, data) < 0) {
		int sys = errno;

		free(merged);
		test_skip("overlay with %s: %s", options, strerror(sys));
	}

	return merged;
}

void unmount_foreign(char *path)
{
	assert_sys(umount(path));
	free(path);
}

char *describe_layer(struct ovl2_store *store, const char *id, int flags)
{
	cleanup_free char *path = mount_layer(store, id);
	char *text = test_tree_describe_at(path, flags);

	unmount_layer(store, id);
	return text;
}

uint64_t apply_entries(struct ovl2_store *store, const char *id,
                       const struct test_tar_entry *entries, size_t count)
{
	cleanup_tar struct test_tar tar = { 0 };
	struct ovl2_error err = { 0 };
	uint64_t bytes = UINT64_MAX;
	cleanup_fd int fd = -1;

	for (size_t i = 0; i < count; i++)
		test_tar_add(&tar, &entries[i]);
	test_tar_end(&tar);
	fd = test_tar_open(&tar);
	assert_ok(ovl2_layer_apply(store, id, NULL, fd, &bytes, &err), &err);

	return bytes;
}

int diff_layer(struct ovl2_store *store, const char *id, enum ovl2_diff_method method)
{
	const struct ovl2_diff_options options = {
		.size = sizeof(options),
		.method = (int)method,
	};
	struct ovl2_error err = { 0 };
	int fd = test_sink_open();

	assert_ok(ovl2_layer_diff(store, id, &options, fd, &err), &err);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);

	return fd;
}

static int add_change(void *data, const struct ovl2_change *change)
{
	static const char letters[] = {
		[OVL2_CHANGE_MODIFY] = 'C',
		[OVL2_CHANGE_ADD] = 'A',
		[OVL2_CHANGE_DELETE] = 'D',
	};

	ovi_strbuf_addf(data, "%c %s\n", letters[change->kind], change->path);
	return 0;
}

char *diff_digest(struct ovl2_store *store, const char *id)
{
	char digest[OVL2_DIGEST_SIZE] = "";
	const struct ovl2_diff_options options = { .size = sizeof(options), .digest = digest };
	cleanup_fd int sink = test_sink_open();
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_layer_diff(store, id, &options, sink, &err), &err);

	return test_path("sha256:%s", digest);
}

char *list_changes(struct ovl2_store *store, const char *id,
                   const struct ovl2_diff_options *options)
{
	struct ovi_strbuf text = { 0 };
	struct ovl2_error err = { 0 };

	ovi_strbuf_add(&text, "");
	assert_ok(ovl2_layer_changes(store, id, options, add_change, &text, &err), &err);

	return ovi_strbuf_steal(&text);
}

struct wanted_fact {
	const char *key;
	char *value;
};

static int take_fact(void *data, const struct ovl2_fact *fact)
{
	struct wanted_fact *wanted = data;

	if (strcmp(fact->key, wanted->key) != 0)
		return 0;
	wanted->value = test_path("%s", fact->value);

	return 1;
}

char *layer_fact(struct ovl2_store *store, const char *id, const char *key)
{
	struct wanted_fact wanted = { .key = key };
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_layer_metadata(store, id, take_fact, &wanted, &err), &err);
	return wanted.value;
}

char *store_fact(struct ovl2_store *store, const char *key)
{
	struct wanted_fact wanted = { .key = key };
	struct ovl2_error err = { 0 };

	assert_ok(ovl2_store_status(store, take_fact, &wanted, &err), &err);
	return wanted.value;
}

static int add_layer(void *data, const struct ovl2_layer_info *layer)
{
	ovi_strbuf_addf(data, "%s parent=%s depth=%u mounts=%u%s%s%s\n", layer->id,
	                layer->parent ? layer->parent : "-", layer->depth, layer->mount_count,
	                layer->is_read_write ? " rw" : "", layer->is_committed ? " committed" : "",
	                layer->is_foreign ? " foreign" : "");
	return 0;
}

char *list_layers(struct ovl2_store *store)
{
	struct ovi_strbuf text = { 0 };
	struct ovl2_error err = { 0 };

	ovi_strbuf_add(&text, "");
	assert_ok(ovl2_store_list(store, add_layer, &text, &err), &err);

	return ovi_strbuf_steal(&text);
}

size_t count_files(const char *path)
{
	cleanup_dir DIR *dir = opendir(path);
	struct dirent *entry;
	size_t count = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;

	return count;
}

int missing_openat2(int dir, const char *path, const struct open_how *how)
{
	(void)dir;
	(void)path;
	(void)how;
	errno = ENOSYS;

	return -1;
}
