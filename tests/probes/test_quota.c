// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "dir.h"
#include "sys.h"

#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <string.h>

/*
 * The answers about quotas on kernels and filesystems that this machine need not
 * have: the kernel's side is played here, as quotactl(2) describes it. With a real
 * one they are asked in the kernel lab.
 */

struct kernel {
	/* What quotactl_fd says to a descriptor that cannot be valid, and to ours. */
	int call_errno;
	int state_errno;

	uint16_t flags;

	/* Does writing stop at the limit? With this errno. */
	int limit_errno;

	int answer;
	const char *words;
};

static const struct kernel *kernel;
static uint64_t hard_limit;
static uint64_t used;
static uint32_t project;
static uint32_t directory_project;
static int limits_set;

static int play_quotactl_fd(int fd, unsigned int command, uint32_t id, void *argument)
{
	struct fs_disk_quota *quota = argument;

	if (fd < 0 || kernel->call_errno || kernel->state_errno) {
		errno = kernel->call_errno ? kernel->call_errno
		        : fd < 0           ? EBADF
		                           : kernel->state_errno;
		return -1;
	}

	switch (command) {
	case QCMD(Q_XGETQSTATV, PRJQUOTA):
		((struct fs_quota_statv *)argument)->qs_flags = kernel->flags;
		return 0;
	case QCMD(Q_XGETQUOTA, PRJQUOTA):
		errno = ENOENT;
		return -1;
	case QCMD(Q_XSETQLIM, PRJQUOTA):
		assert_true(id >= 0x40000000u);
		assert_int_equal(quota->d_id, id);
		assert_int_equal(quota->d_flags, FS_PROJ_QUOTA);
		project = id;
		hard_limit = quota->d_blk_hardlimit * 512;
		limits_set++;
		return 0;
	default:
		errno = EINVAL;
		return -1;
	}
}

static int play_quotactl(unsigned int command, const char *device, uint32_t id, void *argument)
{
	(void)command;
	(void)id;
	(void)argument;
	assert_non_null(strstr(device, "/dev/block/"));
	errno = kernel->call_errno;

	return -1;
}

static int play_ioctl(int fd, unsigned long request, void *argument)
{
	struct fsxattr *attributes = argument;

	(void)fd;
	if (request == FS_IOC_FSGETXATTR)
		memset(attributes, 0, sizeof(*attributes));
	else
		directory_project = attributes->fsx_projid;
	if (request == FS_IOC_FSSETXATTR)
		assert_true(attributes->fsx_xflags & FS_XFLAG_PROJINHERIT);

	return 0;
}

static ssize_t play_write(int fd, const void *buffer, size_t size)
{
	if (kernel->limit_errno && hard_limit && used + size > hard_limit) {
		errno = kernel->limit_errno;
		return -1;
	}
	used += size;

	return write(fd, buffer, size);
}

static void kernel_is_asked(void **state)
{
	struct test_place *place = *state;
	struct ovl2_evidence evidence = { 0 };
	struct ovl2_error err = { 0 };
	struct ovi_sys saved = ovi_sys;
	int r;

	kernel = place->row;
	hard_limit = used = 0;
	project = directory_project = 0;
	limits_set = 0;

	ovi_sys.quotactl_fd = play_quotactl_fd;
	ovi_sys.quotactl = play_quotactl;
	ovi_sys.ioctl = play_ioctl;
	ovi_sys.write = play_write;
	r = ovl2_probe_project_quota(place->fd, &evidence, &err);
	ovi_sys = saved;

	assert_int_equal(r, kernel->answer);
	assert_contains(r < 0 ? err.message : evidence.text, kernel->words);
	assert_int_equal(ovi_dir_is_empty(place->fd, "place", NULL), 1);

	/* Set, and taken back, on the id that the directory got. */
	if (kernel->flags & FS_QUOTA_PDQ_ENFD)
		assert_int_equal(limits_set, 2);
	assert_int_equal(hard_limit, 0);
	assert_int_equal(project, directory_project);
}

#define BOTH (FS_QUOTA_PDQ_ACCT | FS_QUOTA_PDQ_ENFD)

int main(int argc, char **argv)
{
	static const struct {
		const char *title;
		struct kernel kernel;
	} rows[] = {
		{ "kernel without quotas", { ENOSYS, 0, 0, 0, 0, "built without quotas" } },
		{ "filesystem without quotas", { 0, ENOSYS, 0, 0, 0, "none is switched on" } },
		{ "not enabled at mount",
		  { 0, ESRCH, 0, 0, 0, "when the filesystem was mounted" } },
		{ "no such kind of quota", { 0, EINVAL, 0, 0, 0, "has no project quotas" } },
		{ "no block device", { 0, ENODEV, 0, 0, 0, "on no block device" } },
		{ "user quotas only",
		  { 0, 0, FS_QUOTA_UDQ_ACCT, 0, 0, "not enabled for projects" } },
		{ "counted only", { 0, 0, FS_QUOTA_PDQ_ACCT, 0, 0, "not enforced" } },
		{ "limit is kept, as on XFS", { 0, 0, BOTH, ENOSPC, 1, "stopped after 1048576" } },
		{ "limit is kept, as on ext4", { 0, 0, BOTH, EDQUOT, 1, "stopped after 1048576" } },
		{ "limit is ignored", { 0, 0, BOTH, 0, 0, "could write 2" } },
		{ "disk breaks", { 0, 0, BOTH, EIO, OVL2_E_SYSTEM, "Input/output error" } },
		{ "not allowed", { 0, EPERM, 0, 0, OVL2_E_PERMISSION, "not permitted" } },
	};
	struct CMUnitTest tests[ARRAY_SIZE(rows)];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[i] = test_case(rows[i].title, kernel_is_asked, &rows[i].kernel);

	return test_run("quota", tests, ARRAY_SIZE(tests), argc, argv);
}
