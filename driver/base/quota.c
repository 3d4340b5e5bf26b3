#include "quota.h"

#include "fail.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* What XFS's quota calls count in, on every filesystem ("basic blocks"). */
#define BLOCK_BYTES 512

/* Does this kernel have quotactl_fd(2), whatever it says about the filesystem? */
static int has_quotactl_fd(void)
{
	return ovi_sys.quotactl_fd(-1, QCMD(Q_XGETQSTATV, PRJQUOTA), 0, NULL) < 0 &&
	       errno != ENOSYS;
}

/*
 * The commands of XFS: the kernel translates them for ext4 and others as well
 * (fs/quota/quota.c). Before Linux 5.14 they want the block device by name.
 */
static int call(int dir, unsigned int command, uint32_t project, void *argument)
{
	struct stat st;
	char device[48];

	if (ovi_sys.quotactl_fd(dir, QCMD(command, PRJQUOTA), project, argument) == 0)
		return 0;
	if (errno != ENOSYS)
		return -1;
	if (has_quotactl_fd()) {
		errno = ENOSYS;
		return -1;
	}

	if (ovi_sys.fstatat(dir, "", &st, AT_EMPTY_PATH) < 0)
		return -1;
	snprintf(device, sizeof(device), "/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));

	return ovi_sys.quotactl(QCMD(command, PRJQUOTA), device, project, argument);
}

static const char *reason_of(int sys)
{
	switch (sys) {
	case ENOSYS:
		return has_quotactl_fd() ? "none is switched on, or this filesystem has none"
		                         : "this kernel is built without quotas";
	case ESRCH:
		return "not enabled when the filesystem was mounted";
	case EINVAL:
	case EOPNOTSUPP:
		return "this filesystem has no project quotas";
	case ENODEV:
	case ENOTBLK:
	case ENXIO:
		return "the filesystem is on no block device";
	default:
		return NULL;
	}
}

int ovi_quota_read_state(int dir, struct ovi_quota_state *ret_state, struct ovl2_error *err)
{
	struct fs_quota_statv statv = { .qs_version = FS_QSTATV_VERSION1 };
	struct ovi_quota_state state = { 0 };

	if (call(dir, Q_XGETQSTATV, 0, &statv) < 0) {
		int sys = errno;
		const char *reason = reason_of(sys);

		errno = sys;
		if (!reason)
			return ovi_fail_errno(err, "ask for the state of project quotas");
		snprintf(state.reason, sizeof(state.reason), "%s (quotactl Q_XGETQSTATV: %s)",
		         reason, strerrordesc_np(sys));
		*ret_state = state;
		return 0;
	}

	state.is_accounted = !!(statv.qs_flags & FS_QUOTA_PDQ_ACCT);
	state.is_enforced = !!(statv.qs_flags & FS_QUOTA_PDQ_ENFD);
	if (!state.is_accounted)
		snprintf(state.reason, sizeof(state.reason), "not enabled for projects");
	else if (!state.is_enforced)
		snprintf(state.reason, sizeof(state.reason),
		         "counted, but limits are not enforced");
	*ret_state = state;

	return 0;
}

int ovi_quota_require(int home, const char *path, struct ovl2_error *err)
{
	uint32_t project = ovi_quota_get_project(home);
	struct ovi_quota_state state = { 0 };
	int r;

	r = ovi_quota_read_state(home, &state, err);
	if (r < 0)
		return r;
	if (!state.is_enforced)
		return ovi_fail(
			err, OVL2_E_UNSUPPORTED,
			"a quota was asked for and '%s' has none (%s): mount it with prjquota "
			"(xfs, ext4 with tune2fs -O project -Q prjquota), or do without",
			path, state.reason);

	/* Nothing of another project can be moved into it (EXDEV from rename(2)). */
	if (project)
		return ovi_fail(err, OVL2_E_UNSUPPORTED,
		                "a quota was asked for and '%s' is itself in project %u: take it "
		                "out (chattr -P -p 0), or do without",
		                path, project);

	return 0;
}

static int is_free(const struct fs_disk_quota *quota)
{
	return quota->d_bcount == 0 && quota->d_icount == 0 && quota->d_blk_hardlimit == 0 &&
	       quota->d_blk_softlimit == 0 && quota->d_ino_hardlimit == 0 &&
	       quota->d_ino_softlimit == 0;
}

int ovi_quota_find_free(int dir, uint32_t first, uint32_t *ret_project, struct ovl2_error *err)
{
	/* Even a million ids in use leave one of 2^30 taken once in a thousand. */
	for (int attempt = 0; attempt < 16; attempt++) {
		struct fs_disk_quota quota = { 0 };
		uint32_t project;

		if (getrandom(&project, sizeof(project), 0) != sizeof(project))
			return ovi_fail_errno(err, "get random bytes");
		project = first + project % (UINT32_MAX - first);

		/* XFS has no record of an id that was never used. */
		if (call(dir, Q_XGETQUOTA, project, &quota) < 0) {
			if (errno != ENOENT)
				return ovi_fail_errno(err, "read the quota of project %u", project);
		} else if (!is_free(&quota)) {
			continue;
		}
		*ret_project = project;
		return 0;
	}

	return ovi_fail(err, OVL2_E_BUSY, "find a project id of %u and up that is not in use",
	                first);
}

uint32_t ovi_quota_get_project(int dir)
{
	struct fsxattr attributes;

	if (ovi_sys.ioctl(dir, FS_IOC_FSGETXATTR, &attributes) < 0 ||
	    !(attributes.fsx_xflags & FS_XFLAG_PROJINHERIT))
		return 0;

	return attributes.fsx_projid;
}

int ovi_quota_set_project(int dir, uint32_t project, struct ovl2_error *err)
{
	struct fsxattr attributes;

	if (ovi_sys.ioctl(dir, FS_IOC_FSGETXATTR, &attributes) < 0)
		return ovi_fail_errno(err, "read the project id of a directory");
	attributes.fsx_projid = project;
	attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	if (ovi_sys.ioctl(dir, FS_IOC_FSSETXATTR, &attributes) < 0)
		return ovi_fail_errno(err, "give a directory project id %u", project);

	return 0;
}

int ovi_quota_set_limits(int dir, uint32_t project, uint64_t bytes, uint64_t inodes,
                         struct ovl2_error *err)
{
	uint64_t blocks = bytes / BLOCK_BYTES + (bytes % BLOCK_BYTES != 0);
	struct fs_disk_quota quota = {
		.d_version = FS_DQUOT_VERSION,
		.d_id = project,
		.d_flags = FS_PROJ_QUOTA,
		.d_fieldmask = FS_DQ_BHARD | FS_DQ_BSOFT | FS_DQ_IHARD | FS_DQ_ISOFT,
		.d_blk_hardlimit = blocks,
		.d_blk_softlimit = blocks,
		.d_ino_hardlimit = inodes,
		.d_ino_softlimit = inodes,
	};

	if (call(dir, Q_XSETQLIM, project, &quota) < 0)
		return ovi_fail_errno(err, "limit project %u to %llu bytes and %llu inodes",
		                      project, (unsigned long long)bytes,
		                      (unsigned long long)inodes);

	return 0;
}

int ovi_quota_read_usage(int dir, uint32_t project, struct ovl2_usage *ret_usage,
                         struct ovl2_error *err)
{
	struct fs_disk_quota quota = { 0 };

	if (call(dir, Q_XGETQUOTA, project, &quota) < 0)
		return ovi_fail_errno(err, "read the quota of project %u", project);

	*ret_usage = (struct ovl2_usage){
		.bytes = quota.d_bcount * BLOCK_BYTES,
		.inodes = quota.d_icount,
		.limit_bytes = quota.d_blk_hardlimit * BLOCK_BYTES,
		.limit_inodes = quota.d_ino_hardlimit,
	};

	return 0;
}

/* Returns whether it was on. A thread has capabilities of its own. */
static int set_resource_capability(int on)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uint32_t bit = 1u << CAP_SYS_RESOURCE;
	int was_on;

	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	was_on = !!(data[0].effective & bit);
	data[0].effective = on ? data[0].effective | bit : data[0].effective & ~bit;
	if (was_on != on)
		syscall(SYS_capset, &header, data);

	return was_on;
}

int ovi_quota_enter(void)
{
	return set_resource_capability(0);
}

void ovi_quota_leave(int had_resource_capability)
{
	if (had_resource_capability)
		set_resource_capability(1);
}
