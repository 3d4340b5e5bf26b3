#include "host.h"

#include "attributes.h"
#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "kernel_log.h"
#include "overlay.h"
#include "scratch.h"
#include "sys.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

/* ----------------------------------------------------------------- kernel -- */

int ovl2_probe_kernel_version(struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	unsigned int patch = 0;
	unsigned int major;
	unsigned int minor;
	struct utsname name;

	if (ovi_sys.uname(&name) < 0)
		return ovi_fail_errno(err, "ask the kernel for its name");

	/* "6.1.0-31-amd64", "4.4": vendors append what they like. */
	if (sscanf(name.release, "%u.%u.%u", &major, &minor, &patch) < 2)
		return ovi_fail(err, OVL2_E_SYSTEM, "understand kernel release '%s'", name.release);

	return ovi_answer(major >= 4, ret_evidence, major * 1000000ULL + minor * 1000ULL + patch,
	                  "uname says Linux %s", name.release);
}

/* ------------------------------------------------------------- filesystem -- */

const char *ovi_filesystem_name(uint64_t magic)
{
	static const struct {
		uint64_t magic;
		const char *name;
	} names[] = {
		{ AAFS_MAGIC, "apparmorfs" },
		{ 0x61756673, "aufs" },
		{ 0xca451a4e, "bcachefs" },
		{ BTRFS_SUPER_MAGIC, "btrfs" },
		{ CEPH_SUPER_MAGIC, "ceph" },
		{ CIFS_SUPER_MAGIC, "cifs" },
		{ CRAMFS_MAGIC, "cramfs" },
		{ ECRYPTFS_SUPER_MAGIC, "ecryptfs" },
		{ EROFS_SUPER_MAGIC_V1, "erofs" },
		{ EXFAT_SUPER_MAGIC, "exfat" },
		{ EXT4_SUPER_MAGIC, "extfs" },
		{ F2FS_SUPER_MAGIC, "f2fs" },
		{ FUSE_SUPER_MAGIC, "fuse" },
		{ 0x47504653, "gpfs" },
		{ JFFS2_SUPER_MAGIC, "jffs2" },
		{ 0x3153464a, "jfs" },
		{ 0x0bd00bd0, "lustre" },
		{ MSDOS_SUPER_MAGIC, "vfat" },
		{ NFS_SUPER_MAGIC, "nfs" },
		{ OVERLAYFS_SUPER_MAGIC, "overlayfs" },
		{ PROC_SUPER_MAGIC, "proc" },
		{ RAMFS_MAGIC, "ramfs" },
		{ REISERFS_SUPER_MAGIC, "reiserfs" },
		{ SMB2_SUPER_MAGIC, "smb2" },
		{ SMB_SUPER_MAGIC, "smb" },
		{ SQUASHFS_MAGIC, "squashfs" },
		{ SYSFS_MAGIC, "sysfs" },
		{ TMPFS_MAGIC, "tmpfs" },
		{ V9FS_MAGIC, "9p" },
		{ 0xa501fcf5, "vxfs" },
		{ XFS_SUPER_MAGIC, "xfs" },
		{ 0x2fc12fc1, "zfs" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].magic == magic)
			return names[i].name;

	return "unknown";
}

/* Fails unless `name` under `dir` is what overlayfs takes for "deleted": char 0:0. */
static int expect_whiteout(int dir, const char *name, const char *action, struct ovl2_error *err)
{
	struct stat st;

	if (ovi_sys.fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(err, "look at what %s left at '%s'", action, name);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(0, 0))
		return ovi_fail(err, OVL2_E_UNSUPPORTED, "%s leaves no whiteout device at '%s'",
		                action, name);

	return 0;
}

/* Fails unless there is no `name` under `dir`. */
static int expect_missing(int dir, const char *name, const char *why, struct ovl2_error *err)
{
	struct stat st;

	if (ovi_sys.fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return ovi_fail(err, OVL2_E_UNSUPPORTED, "'%s' is there %s", name, why);
	if (errno != ENOENT)
		return ovi_fail_errno(err, "look for '%s'", name);

	return 0;
}

/* A lower file that is written to is whole in the upper, and as it was below. */
static int try_copy_up(int scratch, int root, struct ovl2_error *err)
{
	struct stat below;
	struct stat above;
	int r;

	r = ovi_append_file(root, "kept", "upper", err);
	if (r < 0)
		return ovi_fail_within(err, r, "copy up");
	if (ovi_sys.fstatat(scratch, "lower/kept", &below, AT_SYMLINK_NOFOLLOW) < 0 ||
	    ovi_sys.fstatat(scratch, "upper/kept", &above, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(err, "look at what was copied up");
	if (below.st_size != 5 || above.st_size != 10)
		return ovi_fail(err, OVL2_E_UNSUPPORTED, "copy up makes 5 bytes %lld and 10 %lld",
		                (long long)below.st_size, (long long)above.st_size);

	return 0;
}

static int try_deletion(int scratch, int root, struct ovl2_error *err)
{
	int r;

	if (ovi_sys.unlinkat(root, "gone", 0) < 0)
		return ovi_fail_errno(err, "delete a file of the lower layer");
	r = expect_missing(root, "gone", "after it was deleted", err);
	if (r < 0)
		return r;

	return expect_whiteout(scratch, "upper/gone", "deleting", err);
}

/* A directory in the place of a lower one hides it, by an extended attribute. */
static int try_opaque(const struct ovi_scratch *scratch, int root,
                      const struct ovi_attributes *attributes, struct ovl2_error *err)
{
	char path[PATH_MAX + 16];
	char value = '\0';

	if (ovi_sys.unlinkat(root, "d", AT_REMOVEDIR) < 0 || ovi_sys.mkdirat(root, "d", 0755) < 0)
		return ovi_fail_errno(err, "replace a directory of the lower layer");

	snprintf(path, sizeof(path), "%s/upper/d", scratch->path);
	if (ovi_sys.lgetxattr(path, attributes->opaque, &value, 1) < 0)
		return ovi_fail_errno(err, "read the opaque mark of a new directory");
	if (value != 'y')
		return ovi_fail(err, OVL2_E_UNSUPPORTED, "a new directory is not opaque");

	return 0;
}

/* What overlayfs itself uses to replace a file by a whiteout, asked directly. */
static int try_rename_whiteout(int scratch, struct ovl2_error *err)
{
	int r;

	r = ovi_append_file(scratch, "from", "text", err);
	if (r < 0)
		return r;
	if (ovi_sys.renameat2(scratch, "from", scratch, "to", RENAME_WHITEOUT) < 0)
		return ovi_fail_errno(err, "renameat2 with RENAME_WHITEOUT");

	return expect_whiteout(scratch, "from", "RENAME_WHITEOUT", err);
}

static int try_as_upper(const struct ovi_scratch *scratch, struct ovl2_error *err)
{
	static const char *const directories[] = { "lower", "lower/d", "upper", "work", NULL };
	static const char *const lower[] = { "lower" };
	struct ovi_overlay overlay = {
		.home = scratch->dir,
		.home_path = scratch->path,
		.lower = lower,
		.lower_count = ARRAY_SIZE(lower),
		.upper = "upper",
		.work = "work",
	};
	const struct ovi_attributes *attributes;
	cleanup_fd int root = -1;
	int r;

	r = ovi_attributes_choose(scratch->dir, ".", &attributes, err);
	if (r < 0)
		return r;
	overlay.options = attributes->option;

	r = ovi_make_directories(scratch->dir, directories, err);
	if (r == 0)
		r = ovi_append_file(scratch->dir, "lower/kept", "lower", err);
	if (r == 0)
		r = ovi_append_file(scratch->dir, "lower/gone", "lower", err);
	if (r == 0)
		r = ovi_overlay_open(&overlay, &root, err);
	if (r == 0)
		r = ovi_append_file(root, "new", "upper", err);
	if (r == 0)
		r = try_copy_up(scratch->dir, root, err);
	if (r == 0)
		r = try_deletion(scratch->dir, root, err);
	if (r == 0)
		r = try_opaque(scratch, root, attributes, err);
	if (r == 0)
		r = try_rename_whiteout(scratch->dir, err);

	return r;
}

int ovl2_probe_backing_fs(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_scratch struct ovi_scratch scratch = OVI_SCRATCH_INIT;
	struct ovl2_error reason = { 0 };
	cleanup_fd int log = -1;
	struct statfs fs;
	uint64_t magic;
	char name[64];
	int r;

	if (ovi_sys.fstatfs(directory, &fs) < 0)
		return ovi_fail_errno(err, "ask which filesystem it is");
	magic = (uint32_t)fs.f_type;
	snprintf(name, sizeof(name), "%s (0x%llx) as an upper", ovi_filesystem_name(magic),
	         (unsigned long long)magic);

	r = ovi_scratch_create(directory, &scratch, err);
	if (r < 0)
		return r;

	log = ovi_kernel_log_open();
	r = try_as_upper(&scratch, &reason);
	if (r == 0)
		return ovi_answer(1, ret_evidence, magic,
		                  "%s: create, copy up, whiteout, opaque directory and "
		                  "RENAME_WHITEOUT work",
		                  name);
	if (ovi_is_refusal(&reason))
		return ovi_answer_refused(ret_evidence, magic, name, &reason, log);
	if (err)
		*err = reason;

	return ovi_fail_within(err, r, "%s", name);
}

/* ----------------------------------------------------------------- d_type -- */

static const char *type_name(unsigned char type)
{
	switch (type) {
	case DT_UNKNOWN:
		return "DT_UNKNOWN";
	case DT_DIR:
		return "DT_DIR";
	case DT_REG:
		return "DT_REG";
	case DT_LNK:
		return "DT_LNK";
	default:
		return "a wrong type";
	}
}

static int check_types(int dir, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	static const struct ovi_name expected[] = {
		{ "directory", DT_DIR },
		{ "file", DT_REG },
		{ "symlink", DT_LNK },
	};
	cleanup_listing struct ovi_listing listing = { 0 };
	int r;

	r = ovi_dir_list(dir, "the scratch directory", &listing, err);
	if (r < 0)
		return r;
	if (listing.count != ARRAY_SIZE(expected))
		return ovi_fail(err, OVL2_E_SYSTEM, "%zu files were created and %zu are listed",
		                ARRAY_SIZE(expected), listing.count);

	for (size_t i = 0; i < listing.count; i++)
		if (listing.names[i].type != expected[i].type)
			return ovi_answer(0, ret_evidence, 0,
			                  "getdents64 returned %s for a %s, not %s",
			                  type_name(listing.names[i].type), expected[i].name,
			                  type_name(expected[i].type));

	return ovi_answer(1, ret_evidence, 0, "getdents64 typed directory, file and symlink");
}

int ovl2_probe_d_type(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	static const char *const directories[] = { "directory", NULL };
	cleanup_scratch struct ovi_scratch scratch = OVI_SCRATCH_INIT;
	int r;

	r = ovi_scratch_create(directory, &scratch, err);
	if (r == 0)
		r = ovi_make_directories(scratch.dir, directories, err);
	if (r == 0)
		r = ovi_append_file(scratch.dir, "file", "text", err);
	if (r < 0)
		return r;
	if (ovi_sys.symlinkat("file", scratch.dir, "symlink") < 0)
		return ovi_fail_errno(err, "create a symlink to try with");

	return check_types(scratch.dir, ret_evidence, err);
}

/* --------------------------------------------------------- opaque copy-up -- */

/* Has the copy in the upper got the mark? 1, 0, or negative. */
static int read_mark(const struct ovi_scratch *scratch, const char *mark,
                     struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	char path[PATH_MAX + 16];
	char value[8];
	ssize_t length;
	struct stat st;

	if (ovi_sys.fstatat(scratch->dir, "upper/d/f", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(err, "look for the directory that was copied up");

	snprintf(path, sizeof(path), "%s/upper/d", scratch->path);
	length = ovi_sys.lgetxattr(path, mark, value, sizeof(value));
	if (length < 0 && errno == ENODATA)
		return ovi_answer(0, ret_evidence, 0,
		                  "an opaque directory, copied up, is not opaque in the upper");
	if (length < 0)
		return ovi_fail_errno(err, "read the opaque mark of the copy");
	if (length != 1 || value[0] != 'y')
		return ovi_fail(err, OVL2_E_SYSTEM, "the copy's opaque mark is of %zd bytes, not y",
		                length);

	return ovi_answer(1, ret_evidence, 0,
	                  "an opaque directory, copied up, has %s=y in the upper", mark);
}

int ovi_opaque_copy_up(int directory, const char *mark, const char *overlay_options,
                       struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	static const char *const directories[] = { "bottom", "bottom/d", "top", "top/d",
		                                   "upper",  "work",     NULL };
	static const char *const lower[] = { "top", "bottom" };
	cleanup_scratch struct ovi_scratch scratch = OVI_SCRATCH_INIT;
	struct ovi_overlay overlay = {
		.lower = lower,
		.lower_count = ARRAY_SIZE(lower),
		.upper = "upper",
		.work = "work",
		.options = overlay_options,
	};
	const struct ovi_attributes *attributes = &ovi_trusted_attributes;
	cleanup_fd int root = -1;
	char path[PATH_MAX + 16];
	int r;

	r = ovi_scratch_create(directory, &scratch, err);
	if (r == 0)
		r = ovi_make_directories(scratch.dir, directories, err);
	if (r == 0 && !mark)
		r = ovi_attributes_choose(scratch.dir, ".", &attributes, err);
	if (r < 0)
		return r;
	if (!mark) {
		mark = attributes->opaque;
		overlay.options = attributes->option;
	}

	snprintf(path, sizeof(path), "%s/top/d", scratch.path);
	if (ovi_sys.lsetxattr(path, mark, "y", 1, 0) < 0)
		return ovi_fail_errno(err, "mark a directory opaque");

	overlay.home = scratch.dir;
	overlay.home_path = scratch.path;
	r = ovi_overlay_open(&overlay, &root, err);
	if (r == 0)
		r = ovi_append_file(root, "d/f", "text", err);
	if (r < 0)
		return r;

	return read_mark(&scratch, mark, ret_evidence, err);
}

int ovl2_probe_opaque_copy_up(int directory, struct ovl2_evidence *ret_evidence,
                              struct ovl2_error *err)
{
	return ovi_opaque_copy_up(directory, NULL, NULL, ret_evidence, err);
}
