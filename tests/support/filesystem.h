#pragma once

/*
 * Fresh filesystems to test on. The image is a sparse file without a name and the
 * loop device is released by the kernel with the last mount, so nothing outlives
 * the mount namespace, not even after SIGKILL.
 */

#include <ovl2.h>

#include <stddef.h>
#include <stdint.h>

struct test_filesystem {
	/* "ext4", "xfs", "btrfs" or "tmpfs". */
	const char *type;

	/* 0 means 512 MiB. Sparse, so only what is written takes room. */
	uint64_t bytes;

	/* Further words for mkfs, NULL at the end; or NULL. */
	const char *const *mkfs;

	/* mount(2) data, or NULL. */
	const char *options;
};

/*
 * Makes the filesystem and mounts it on directory `target`.
 *
 * Errors: OVL2_E_UNSUPPORTED when the kernel lacks the filesystem or mkfs is not
 * installed.
 */
int test_filesystem_mount(const struct test_filesystem *filesystem, const char *target,
                          struct ovl2_error *err);

/*
 * Makes the filesystem, not of type tmpfs, and mounts it nowhere. Returns its image, a
 * file without a name, for image_attach(). Errors: as above.
 */
int test_filesystem_make(const struct test_filesystem *filesystem, struct ovl2_error *err);

/*
 * Takes the device away from the ext4 or xfs at `path`: all calls fail from here on, and
 * what was not flushed is lost; with `keeps_log`, what the journal has in memory is kept.
 */
void test_filesystem_shut_down(const char *path, int keeps_log);

/* The types tests run on, NULL at the end. */
extern const char *const test_filesystem_types[];
