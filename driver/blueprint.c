#include "blueprint.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "file.h"
#include "quota.h"
#include "sys.h"

#include <fcntl.h>

/* Made with the mode that it is to have: nobody else gets into a stage. */
static int make_diff(const struct ovi_blueprint *blueprint, int stage, struct ovl2_error *err)
{
	const struct stat *root = &blueprint->root;
	cleanup_fd int diff = -1;
	struct stat st;
	int r;

	if (ovi_sys.mkdirat(stage, "diff", root->st_mode & 0777) < 0 ||
	    ovi_sys.fstatat(stage, "diff", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(err, "create the layer's diff directory");
	/* Unless the umask, or the special bits, had a say in it. */
	if (st.st_uid == root->st_uid && st.st_gid == root->st_gid &&
	    (st.st_mode & 07777) == (root->st_mode & 07777))
		return 0;

	r = ovi_dir_open(stage, "diff", &diff, err);
	if (r < 0)
		return r;
	if (ovi_sys.fchownat(diff, "", root->st_uid, root->st_gid, AT_EMPTY_PATH) < 0 ||
	    ovi_sys.fchmod(diff, root->st_mode & 07777) < 0)
		return ovi_fail_errno(err, "set owner and mode of the layer's diff directory");

	return 0;
}

/*
 * Puts the layer under its quota: before anything is in it, since only what is made
 * afterwards inherits the project.
 */
static int limit(struct ovi_record *record, int stage, struct ovl2_error *err)
{
	int r;

	if (record->project_id)
		return ovi_quota_set_project(stage, record->project_id, err);
	if (!record->quota_bytes && !record->quota_inodes)
		return 0;

	/* The id before the limits: a stage that tells its id can be cleaned up after. */
	r = ovi_quota_find_free(stage, OVI_FIRST_PROJECT, &record->project_id, err);
	if (r == 0)
		r = ovi_quota_set_project(stage, record->project_id, err);
	if (r == 0)
		r = ovi_quota_set_limits(stage, record->project_id, record->quota_bytes,
		                         record->quota_inodes, err);

	return r;
}

static int write_record(const struct ovi_record *record, int stage, struct ovl2_error *err)
{
	int r = 0;

	if (record->is_committed)
		r = ovi_file_write(stage, OVI_COMMITTED_NAME, "", 0, err);
	if (r == 0 && !record->is_foreign)
		r = ovi_record_create(stage, record, err);

	return r;
}

int ovi_blueprint_build(struct ovi_blueprint *blueprint, int stage, struct ovl2_error *err)
{
	const struct ovi_strbuf *lower = &blueprint->lower;
	int r;

	r = limit(&blueprint->record, stage, err);
	if (r == 0)
		r = make_diff(blueprint, stage, err);
	if (r == 0)
		r = ovi_file_write(stage, "link", blueprint->link + 2, OVI_LINK_LENGTH, err);
	if (r == 0 && lower->length)
		r = ovi_file_write(stage, "lower", lower->text, lower->length, err);
	if (r == 0)
		r = write_record(&blueprint->record, stage, err);
	if (r < 0)
		return r;

	if (ovi_sys.mkdirat(stage, "work", 0700) < 0 || ovi_sys.mkdirat(stage, "merged", 0700) < 0)
		return ovi_fail_errno(err, "create the layer's work and merged directories");

	return 0;
}
