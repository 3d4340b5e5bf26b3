// SPDX-License-Identifier: MIT
#include "mounted.h"

#include <libmount/libmount.h>

static char *read_options(const char *path, const char *(*get)(struct libmnt_fs *))
{
	struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_fs *fs = table ? mnt_table_find_target(table, path, MNT_ITER_BACKWARD) : NULL;
	char *options;

	if (!fs)
		fail_msg("nothing is mounted on '%s'", path);
	options = test_path(",%s,", get(fs));
	mnt_unref_table(table);

	return options;
}

char *mounted_flags(const char *path)
{
	return read_options(path, mnt_fs_get_vfs_options);
}

char *mounted_options(const char *path)
{
	return read_options(path, mnt_fs_get_fs_options);
}

char *mounted_source(const char *path)
{
	return read_options(path, mnt_fs_get_source);
}

char *mount_layer_with(struct ovl2_store *store, const char *id,
                       const struct ovl2_mount_options *options)
{
	struct ovl2_error err = { 0 };
	char *path = NULL;

	assert_ok(ovl2_layer_mount(store, id, options, &path, &err), &err);
	assert_non_null(path);

	return path;
}

int has_method(const struct test_place *place, enum ovl2_mount_method method)
{
	struct ovl2_evidence evidence = { 0 };

	return method == OVL2_MOUNT_AUTO ||
	       ovl2_probe_mount_method(place->fd, method, &evidence, NULL) == 1;
}
