#include "image.h"

#include "cleanup.h"
#include "fail.h"
#include "strbuf.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

/* Another process may take the device between asking for a free one and taking it. */
#define MAX_TRIES 64

struct image {
	char *mount_point;
};

struct kind {
	const char *filesystem;
	const char *mkfs;

	/*
	 * Quiet, over whatever is there, and complete when it returns: ext4 would
	 * otherwise go on writing its inode tables in the background.
	 */
	const char *arguments[4];
};

static const struct kind kinds[] = {
	{ "xfs", "mkfs.xfs", { "-q", "-f" } },
	{ "ext4", "mkfs.ext4", { "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0" } },
	{ "btrfs", "mkfs.btrfs", { "-q", "-f" } },
	{ "tmpfs", NULL, { 0 } },
};

static const struct kind *find_kind(const char *filesystem)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].filesystem, filesystem) == 0)
			return &kinds[i];

	return NULL;
}

int image_can_make(const char *filesystem)
{
	const struct kind *kind = find_kind(filesystem);

	return kind && (!kind->mkfs || tool_has(kind->mkfs));
}

int image_enter_namespace(struct ovl2_error *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return ovi_fail_errno(err, "make a private mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return ovi_fail_errno(err, "make the mounts of this process private");

	return 0;
}

int image_check_room(const char *directory, uint64_t bytes, struct ovl2_error *err)
{
	struct statvfs fs;
	uint64_t available;

	if (statvfs(directory, &fs) < 0)
		return ovi_fail_errno(err, "look at the directory '%s'", directory);
	available = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (available >= bytes)
		return 0;

	ovi_fail(err, OVL2_E_SYSTEM,
	         "'%s' has %llu MiB free and %llu MiB may be needed: name a directory with more "
	         "room (TMPDIR is where images are made)",
	         directory, (unsigned long long)(available >> 20),
	         (unsigned long long)(bytes >> 20));
	if (err)
		err->sys = ENOSPC;

	return OVL2_E_SYSTEM;
}

/* A file without a name, also where the filesystem has no O_TMPFILE. */
static int open_nameless(const char *directory, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	int fd;

	fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;

	ovi_strbuf_addf(&path, "%s/ovl2-image-XXXXXX", directory);
	if (path.failed)
		return ovi_fail_memory(err);
	fd = mkostemp(path.text, O_CLOEXEC);
	if (fd < 0)
		return ovi_fail_errno(err, "make an image in '%s'", directory);
	unlink(path.text);

	return fd;
}

int image_attach(int file, char ret_device[IMAGE_DEVICE_SIZE], struct ovl2_error *err)
{
	/* Autoclear: the device is free again once nobody has it open or mounted. */
	struct loop_config config = {
		.fd = (unsigned int)file,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	cleanup_fd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (control < 0)
		return ovi_fail(err, OVL2_E_UNSUPPORTED,
		                "no loop devices here: open '/dev/loop-control': %s",
		                strerror(errno));
	for (int i = 0; i < MAX_TRIES; i++) {
		cleanup_fd int device = -1;
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		if (number < 0)
			return ovi_fail_errno(err, "find a free loop device");
		snprintf(ret_device, IMAGE_DEVICE_SIZE, "/dev/loop%d", number);
		device = open(ret_device, O_RDWR | O_CLOEXEC);
		if (device >= 0 && ioctl(device, LOOP_CONFIGURE, &config) == 0)
			return steal_fd(&device);
		if (errno != EBUSY && errno != ENXIO)
			return ovi_fail_errno(err, "attach an image to '%s'", ret_device);
	}

	return ovi_fail(err, OVL2_E_BUSY, "every loop device was taken by somebody else");
}

static int make_filesystem(const struct kind *kind, const struct image_options *options,
                           const char *device, struct ovl2_error *err)
{
	static const char *const none[] = { NULL };
	const char *const *more = options->mkfs_options ? options->mkfs_options : none;
	const char *argv[32] = { kind->mkfs };
	size_t count = 1;

	for (size_t i = 0; i < ARRAY_SIZE(kind->arguments) && kind->arguments[i]; i++)
		argv[count++] = kind->arguments[i];
	for (; *more; more++) {
		if (count >= ARRAY_SIZE(argv) - 2)
			return ovi_fail(err, OVL2_E_INVALID, "too many options for '%s'",
			                kind->mkfs);
		argv[count++] = *more;
	}
	argv[count++] = device;
	argv[count] = NULL;

	return tool_run(argv, (struct tool_files){ -1, -1 }, err);
}

static int mount_tmpfs(const struct image_options *options, struct ovl2_error *err)
{
	char data[256];

	snprintf(data, sizeof(data), "mode=0755,size=%llu%s%s", (unsigned long long)options->bytes,
	         options->mount_options ? "," : "",
	         options->mount_options ? options->mount_options : "");
	if (mount("tmpfs", options->mount_point, "tmpfs", 0, data) < 0)
		return ovi_fail_errno(err, "mount a tmpfs on '%s'", options->mount_point);

	return 0;
}

static int mount_file(const struct kind *kind, const struct image_options *options,
                      struct ovl2_error *err)
{
	const char *directory = options->directory ? options->directory : getenv("TMPDIR");
	cleanup_fd int device = -1;
	cleanup_fd int file = -1;
	char path[IMAGE_DEVICE_SIZE];
	int r;

	if (!directory || !*directory)
		directory = "/var/tmp";
	r = image_check_room(directory, options->bytes, err);
	if (r < 0)
		return r;

	file = open_nameless(directory, err);
	if (file < 0)
		return file;
	if (ftruncate(file, (off_t)options->bytes) < 0)
		return ovi_fail_errno(err, "grow an image in '%s'", directory);
	device = image_attach(file, path, err);
	if (device < 0)
		return device;

	r = make_filesystem(kind, options, path, err);
	if (r < 0)
		return r;
	if (mount(path, options->mount_point, kind->filesystem, 0, options->mount_options) < 0)
		return ovi_fail_errno(err, "mount an image with %s on '%s'", kind->filesystem,
		                      options->mount_point);

	return 0;
}

int image_open(const struct image_options *options, struct image **ret_image,
               struct ovl2_error *err)
{
	const struct kind *kind = find_kind(options->filesystem);
	struct image *image;
	int r;

	if (!kind)
		return ovi_fail(err, OVL2_E_INVALID,
		                "there are images with ext4, xfs, btrfs and tmpfs, not with '%s'",
		                options->filesystem);

	image = calloc(1, sizeof(*image));
	if (!image)
		return ovi_fail_memory(err);
	image->mount_point = strdup(options->mount_point);
	if (!image->mount_point)
		r = ovi_fail_memory(err);
	else
		r = kind->mkfs ? mount_file(kind, options, err) : mount_tmpfs(options, err);
	if (r < 0) {
		free(image->mount_point);
		free(image);
		return r;
	}
	*ret_image = image;

	return 0;
}

void image_close(struct image *image)
{
	if (!image)
		return;

	/* Detached if it must be: what still uses it ends with this process. */
	if (umount2(image->mount_point, 0) < 0)
		umount2(image->mount_point, MNT_DETACH);
	free(image->mount_point);
	free(image);
}
