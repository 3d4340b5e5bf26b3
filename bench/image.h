#pragma once

/*
 * A filesystem of one's own: a sparse file, a loop device, a mount. Nobody else
 * sees it and nothing can be left of it, whatever ends this process, SIGKILL
 * included: the file has no name, the device frees itself when the mount goes,
 * and the mount is in a mount namespace that dies with the process.
 *
 *     image_enter_namespace(&err);
 *     image_open(&(struct image_options){ .filesystem = "xfs", .bytes = 2ull << 30,
 *                                         .mount_point = "/mnt" }, &image, &err);
 *     ...
 *     image_close(image);
 */

#include <ovl2.h>

struct image;

struct image_options {
	/* "ext4", "xfs", "btrfs", or "tmpfs", which needs neither file nor device. */
	const char *filesystem;
	uint64_t bytes;

	/*
	 * Further arguments of mkfs, ends with NULL: { "-O", "quota,project", NULL }.
	 * NULL for none.
	 */
	const char *const *mkfs_options;

	/* Data of mount(2), "prjquota"; NULL for none. */
	const char *mount_options;

	/* An existing directory; hidden for this process while the image is open. */
	const char *mount_point;

	/* Where the file is to be; NULL means $TMPDIR, or /var/tmp. */
	const char *directory;
};

/* Is there a mkfs for it? tmpfs needs none. */
int image_can_make(const char *filesystem);

/*
 * Gives this process mounts of its own: what it mounts is seen by nobody else and
 * ends with it. Threads started before keep the old ones.
 */
int image_enter_namespace(struct ovl2_error *err);

/*
 * Is there room for `bytes` in `directory`?
 *
 * Errors: OVL2_E_SYSTEM with sys ENOSPC when not.
 */
int image_check_room(const char *directory, uint64_t bytes, struct ovl2_error *err);

/* "/dev/loop1048575" and a NUL. */
#define IMAGE_DEVICE_SIZE 32

/*
 * Makes `file` a block device. The descriptor returned keeps it until something on it is
 * mounted; then the mount does. Errors: OVL2_E_UNSUPPORTED without loop devices.
 */
int image_attach(int file, char ret_device[IMAGE_DEVICE_SIZE], struct ovl2_error *err);

/*
 * Makes and mounts a filesystem. Call image_enter_namespace() first.
 *
 * Errors: OVL2_E_UNSUPPORTED without mkfs or loop devices; OVL2_E_SYSTEM with
 * sys ENOSPC when `directory` has not enough room for a full image.
 */
int image_open(const struct image_options *options, struct image **ret_image,
               struct ovl2_error *err);

/* Unmounts, and with that removes, the image. NULL is fine. */
void image_close(struct image *image);
