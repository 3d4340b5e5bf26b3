#include "host.h"

#include "cleanup.h"
#include "fail.h"
#include "quota.h"
#include "scratch.h"
#include "sys.h"

#include <fcntl.h>
#include <string.h>

static const int64_t limit_bytes = 1 << 20;
static const int64_t tried_bytes = 2 << 20;
static const int64_t needed_bytes = 8 << 20;

/* Writes until the limit is felt. How many bytes went in, or negative. */
static int64_t write_past_limit(int dir, struct ovl2_error *err)
{
	unsigned char block[16384];
	cleanup_fd int fd = -1;
	int64_t written = 0;

	memset(block, 'q', sizeof(block));
	fd = ovi_sys.openat(dir, "file", O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return ovi_fail_errno(err, "create a file to fill");

	while (written < tried_bytes) {
		ssize_t length = ovi_sys.write(fd, block, sizeof(block));

		if (length < 0 && (errno == ENOSPC || errno == EDQUOT))
			return written;
		if (length < 0)
			return ovi_fail_errno(err, "fill a file");
		written += length;
	}

	/* Where blocks are found late, the limit is met late. */
	if (ovi_sys.fsync(fd) < 0) {
		if (errno == ENOSPC || errno == EDQUOT)
			return limit_bytes;
		return ovi_fail_errno(err, "write out a file");
	}

	return written;
}

static int try_limit(int dir, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	uint32_t project;
	int64_t written;
	int could_exceed;
	int r;

	r = ovi_quota_find_free(dir, OVI_FIRST_PROJECT, &project, err);
	if (r == 0)
		r = ovi_quota_set_project(dir, project, err);
	if (r == 0)
		r = ovi_quota_set_limits(dir, project, (uint64_t)limit_bytes, 0, err);
	if (r < 0)
		return r;

	/* Root in a container, for whom the quota is meant, could not exceed it. */
	could_exceed = ovi_quota_enter();
	written = write_past_limit(dir, err);
	ovi_quota_leave(could_exceed);

	/* Before a failure to write is looked at: the limit must not stay. */
	r = ovi_quota_set_limits(dir, project, 0, 0, written < 0 ? NULL : err);
	if (written < 0)
		return (int)written;
	if (r < 0)
		return r;
	if (written > limit_bytes)
		return ovi_answer(0, ret_evidence, 0,
		                  "quotas are on, but a project limited to 1 MiB could write 2");

	return ovi_answer(1, ret_evidence, 0,
	                  "a project limited to 1 MiB was stopped after %lld bytes",
	                  (long long)written);
}

static int check_room(int dir, struct ovl2_error *err)
{
	struct statfs fs;

	/* Asked before there is a limit: XFS would answer for the project then. */
	if (ovi_sys.fstatfs(dir, &fs) < 0)
		return ovi_fail_errno(err, "ask for the free space");
	if ((int64_t)fs.f_bavail * fs.f_bsize >= needed_bytes)
		return 0;

	errno = ENOSPC;

	return ovi_fail_errno(err, "try a quota: less than %lld bytes are free",
	                      (long long)needed_bytes);
}

int ovl2_probe_project_quota(int directory, struct ovl2_evidence *ret_evidence,
                             struct ovl2_error *err)
{
	cleanup_scratch struct ovi_scratch scratch = OVI_SCRATCH_INIT;
	struct ovi_quota_state state;
	int r;

	r = ovi_quota_read_state(directory, &state, err);
	if (r < 0)
		return r;
	if (!state.is_enforced)
		return ovi_answer(0, ret_evidence, 0, "no project quotas here: %s", state.reason);

	r = ovi_scratch_create(directory, &scratch, err);
	if (r == 0)
		r = check_room(scratch.dir, err);
	if (r < 0)
		return r;

	return try_limit(scratch.dir, ret_evidence, err);
}
