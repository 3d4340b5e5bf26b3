#pragma once

/*
 * The driver's nouns, for tests: each call here asserts that it works, so that a
 * test reads as what it is about. Stores are not durable (nobody cuts the power),
 * which makes them fast; they live in "store" of a test's place, and their mount
 * counts in "run".
 */

#include "support/tar.h"
#include "support/test.h"
#include "support/tree.h"

struct open_how;

#define cleanup_store __attribute__((cleanup(close_store)))

static inline void close_store(struct ovl2_store **store)
{
	ovl2_store_close(*store);
}

/* Paths in a place. Release with free(3). */
char *store_path(const struct test_place *place);
char *run_path(const struct test_place *place);

/*
 * Options that every test starts from. `run_directory` is borrowed from `run`,
 * which must outlive the call that they are for.
 */
struct ovl2_store_options store_options(const char *run);

/* Opens the store of this place; creates it the first time. */
struct ovl2_store *open_store(const struct test_place *place);

struct ovl2_store *open_store_with(const struct test_place *place,
                                   const struct ovl2_store_options *options);

/* A layer of an image, and one of a container. `parent` may be NULL. */
void create_layer(struct ovl2_store *store, const char *id, const char *parent);
void create_container(struct ovl2_store *store, const char *id, const char *parent);

/* Path of the mount; free(3) it. */
char *mount_layer(struct ovl2_store *store, const char *id);

/* Undoes one mount, and returns how many are left. */
int unmount_layer(struct ovl2_store *store, const char *id);

/* Mounts the layer, makes the entries in it and unmounts it. */
void change_layer(struct ovl2_store *store, const char *id, const struct test_entry *entries,
                  size_t count);

/*
 * Mounts the layer as somebody else's engine could, with overlay options of its own
 * ("redirect_dir=on"), writable. Returns the mount's path; end it with
 * unmount_foreign(), which frees that. Skips the test where this kernel or filesystem
 * cannot do it.
 */
char *mount_foreign(struct ovl2_store *store, const char *id, const char *options);
void unmount_foreign(char *path);

/* Describes what the mounted layer shows. */
char *describe_layer(struct ovl2_store *store, const char *id, int flags);

/* Applies an archive of these entries; returns the size that the driver told. */
uint64_t apply_entries(struct ovl2_store *store, const char *id,
                       const struct test_tar_entry *entries, size_t count);

/* The diff of the layer as a file in memory. */
int diff_layer(struct ovl2_store *store, const char *id, enum ovl2_diff_method method);

/* "sha256:..." of that file, as ovl2_layer_diff() tells it; free(3) it. */
char *diff_digest(struct ovl2_store *store, const char *id);

/* The changes of the layer: "C /dir\nA /dir/file\n". free(3) it. */
char *list_changes(struct ovl2_store *store, const char *id,
                   const struct ovl2_diff_options *options);

/* Value of a key of ovl2_layer_metadata() or ovl2_store_status(); NULL if absent. */
char *layer_fact(struct ovl2_store *store, const char *id, const char *key);
char *store_fact(struct ovl2_store *store, const char *key);

/* "base committed=1 ...\n" a layer of the store. free(3) it. */
char *list_layers(struct ovl2_store *store);

/* How many entries the directory has; 0 when there is no such directory. */
size_t count_files(const char *path);

/* For ovi_sys.openat2: what a kernel says that does not have it. */
int missing_openat2(int dir, const char *path, const struct open_how *how);
