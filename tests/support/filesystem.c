// SPDX-License-Identifier: MIT
#include "filesystem.h"

#include "test.h"

#include "fail.h"
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* XFS refuses to be smaller than 300 MiB; the file is sparse. */
#define DEFAULT_BYTES (512ULL << 20)

/* Of ext4, f2fs and xfs; no header has it for all. */
#define SHUTDOWN _IOR('X', 125, uint32_t)
#define SHUTDOWN_LOG_FLUSHED 1
#define SHUTDOWN_LOG_LOST 2

const char *const test_filesystem_types[] = { "ext4", "xfs", "btrfs", "tmpfs", NULL };

/* Of a name that test_resources_count() knows, though it has it no more. */
static int open_image(uint64_t bytes, struct ovl2_error *err)
{
	cleanup_free char *directory = test_scratch_create();
	cleanup_free char *path = test_path("%s/image-%d", directory, getpid());
	cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	test_scratch_remove(steal_ptr(&directory));
	if (fd < 0)
		return ovi_fail_errno(err, "create '%s'", path);
	if (ftruncate(fd, (off_t)bytes) < 0)
		return ovi_fail_errno(err, "grow '%s'", path);

	return steal_fd(&fd);
}

static int make(const struct test_filesystem *filesystem, int image, struct ovl2_error *err)
{
	cleanup_free char *program = test_path("mkfs.%s", filesystem->type);
	cleanup_free char *path = test_path("/proc/%d/fd/%d", getpid(), image);
	cleanup_output struct test_output output = { 0 };
	const char *argv[16] = { program, "-q" };
	size_t count = 2;

	for (size_t i = 0; filesystem->mkfs && filesystem->mkfs[i] && count < 14; i++)
		argv[count++] = filesystem->mkfs[i];
	argv[count] = path;

	output = test_spawn(argv);
	if (output.status == 127)
		return ovi_fail(err, OVL2_E_UNSUPPORTED, "%s is not installed", program);
	if (output.status != 0)
		return ovi_fail(err, OVL2_E_SYSTEM, "%s: %s", program, output.err);

	return 0;
}

int test_filesystem_make(const struct test_filesystem *filesystem, struct ovl2_error *err)
{
	uint64_t bytes = filesystem->bytes ? filesystem->bytes : DEFAULT_BYTES;
	cleanup_fd int image = open_image(bytes, err);
	int r;

	if (image < 0)
		return image;
	if ((r = make(filesystem, image, err)) < 0)
		return r;

	return steal_fd(&image);
}

static int mount_image(const struct test_filesystem *filesystem, const char *target,
                       struct ovl2_error *err)
{
	cleanup_fd int image = test_filesystem_make(filesystem, err);
	cleanup_fd int loop = -1;
	char device[IMAGE_DEVICE_SIZE];

	if (image < 0)
		return image;
	if ((loop = image_attach(image, device, err)) < 0)
		return loop;

	if (mount(device, target, filesystem->type, 0, filesystem->options) == 0)
		return 0;
	if (errno == ENODEV)
		return ovi_fail(err, OVL2_E_UNSUPPORTED, "this kernel has no %s", filesystem->type);

	return ovi_fail_errno(err, "mount %s with '%s'", filesystem->type,
	                      filesystem->options ? filesystem->options : "");
}

static int mount_memory(const struct test_filesystem *filesystem, const char *target,
                        struct ovl2_error *err)
{
	uint64_t bytes = filesystem->bytes ? filesystem->bytes : DEFAULT_BYTES;
	cleanup_free char *size = test_path("size=%llu,mode=0755%s%s", (unsigned long long)bytes,
	                                    filesystem->options ? "," : "",
	                                    filesystem->options ? filesystem->options : "");

	if (mount("tmpfs", target, "tmpfs", 0, size) < 0)
		return ovi_fail_errno(err, "mount tmpfs with '%s'", size);

	return 0;
}

int test_filesystem_mount(const struct test_filesystem *filesystem, const char *target,
                          struct ovl2_error *err)
{
	if (!strcmp(filesystem->type, "tmpfs"))
		return mount_memory(filesystem, target, err);

	return mount_image(filesystem, target, err);
}

void test_filesystem_shut_down(const char *path, int keeps_log)
{
	uint32_t how = keeps_log ? SHUTDOWN_LOG_FLUSHED : SHUTDOWN_LOG_LOST;
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_sys(ioctl(fd, SHUTDOWN, &how));
}
