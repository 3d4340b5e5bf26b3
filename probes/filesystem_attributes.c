#include "families.h"

#include "cleanup.h"
#include "fail.h"
#include "mounts.h"
#include "privilege.h"
#include "sys.h"
#include "trial.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

/* ------------------------------------------------------------- attributes -- */

/* Sets it on a file, reads it back, takes it away. */
static int try_attribute(int directory, const char *name, const void *value, size_t size,
                         struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	char found[64];
	long length;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "file", "text");
	trial_set_attribute(&t, "file", name, value, size);
	t.is_no = t.reason.sys == EPERM && privilege_has(PRIVILEGE_SYS_ADMIN);
	length = trial_attribute(&t, "file", name, found, sizeof(found));
	trial_expect(&t, length == (long)size && memcmp(found, value, size) == 0,
	             "attribute %s is read back otherwise", name);
	trial_call(&t, ovi_sys.lremovexattr("file", name), "remove attribute %s", name);

	return trial_answer(&t, ret_evidence, err, 0, "%s is set, read and removed", name);
}

static int xattr_trusted(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	return try_attribute(directory, "trusted.overlay.opaque", "y", 1, ret_evidence, err);
}

static int xattr_user(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	return try_attribute(directory, "user.overlay.opaque", "y", 1, ret_evidence, err);
}

/* cap_net_bind_service, effective and permitted: what setcap writes. */
static int xattr_security(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	static const unsigned char value[20] = { 1, 0, 0, 2, 0, 4 };

	return try_attribute(directory, "security.capability", value, sizeof(value), ret_evidence,
	                     err);
}

/*
 * Version 2, then tag, permissions and id of owner, this user, group, mask and others: one
 * that a user namespace maps as well.
 */
static int xattr_acl(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	unsigned char value[] = {
		2, 0, 0,    0,    1,    0,    6,    0, 0xff, 0xff, 0xff, 0xff, 2,    0,    4,
		0, 0, 0,    0,    0,    4,    0,    4, 0,    0xff, 0xff, 0xff, 0xff, 0x10, 0,
		4, 0, 0xff, 0xff, 0xff, 0xff, 0x20, 0, 0,    0,    0xff, 0xff, 0xff, 0xff,
	};
	uint32_t id = htole32(geteuid());

	memcpy(value + 16, &id, sizeof(id));
	return try_attribute(directory, "system.posix_acl_access", value, sizeof(value),
	                     ret_evidence, err);
}

/* Twice what composefs, SELinux, an ACL and capabilities take together. */
#define WANTED_ROOM 2000
#define ATTRIBUTE_BYTES 200
#define MOST_ATTRIBUTES 100

/* A full inode says ENOSPC like a full disk: so the disk is asked as well. */
static int is_disk_full(int dir)
{
	struct statfs fs;

	return ovi_sys.fstatfs(dir, &fs) == 0 && fs.f_blocks > 0 && fs.f_bavail < 16;
}

static int xattr_room(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	const char *class = privilege_has(PRIVILEGE_SYS_ADMIN) ? "trusted" : "user";
	cleanup_trial struct trial t = TRIAL_INIT;
	char value[ATTRIBUTE_BYTES];
	uint64_t bytes = 0;

	memset(value, 'v', sizeof(value));
	trial_begin(&t, directory);
	trial_file(&t, t.dir, "file", "text");
	for (int i = 0; i < MOST_ATTRIBUTES && trial_ok(&t); i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s.overlay.%d", class, i);
		if (ovi_sys.lsetxattr("file", name, value, sizeof(value), 0) == 0) {
			bytes += sizeof(value);
			continue;
		}
		if ((errno == ENOSPC && i > 0 && !is_disk_full(t.dir)) || errno == E2BIG)
			break;
		trial_failed(&t, "set attribute number %d", i + 1);
	}
	if (trial_ok(&t) && bytes < WANTED_ROOM)
		return ovi_answer(0, ret_evidence, bytes,
		                  "a file has room for %llu bytes of attributes, less than %d",
		                  (unsigned long long)bytes, WANTED_ROOM);

	return trial_answer(
		&t, ret_evidence, err, bytes, "a file has room for %llu bytes of attributes%s",
		(unsigned long long)bytes,
		bytes == (uint64_t)MOST_ATTRIBUTES * ATTRIBUTE_BYTES ? " and more" : "");
}

static int xattr_symlink(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	char found[8];

	trial_begin(&t, directory);
	trial_call(&t, ovi_sys.symlinkat("nowhere", t.dir, "link"), "make a symlink");
	trial_set_attribute(&t, "link", "trusted.overlay.origin", "x", 1);
	t.is_no = t.reason.sys == EPERM && privilege_has(PRIVILEGE_SYS_ADMIN);
	trial_expect(&t,
	             trial_attribute(&t, "link", "trusted.overlay.origin", found, sizeof(found)) ==
	                     1,
	             "the attribute of a symlink is gone");

	return trial_answer(&t, ret_evidence, err, 0, "a symlink has trusted.overlay.origin");
}

/* ------------------------------------------------------- handles, identity -- */

static int file_handles(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int fd = -1;
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	int mount_id;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "file", "text");
	trial_call(&t, name_to_handle_at(t.dir, "file", &handle.head, &mount_id, 0),
	           "name_to_handle_at");
	fd = trial_call_no(&t, open_by_handle_at(t.dir, &handle.head, O_RDONLY | O_CLOEXEC), ESTALE,
	                   "open_by_handle_at");
	trial_expect(&t, lseek(fd, 0, SEEK_END) == 4, "the handle opened another file");

	return trial_answer(&t, ret_evidence, err, handle.head.handle_bytes,
	                    "a handle of %u bytes opened the file it was made of",
	                    handle.head.handle_bytes);
}

/* FS_IOC_GETFSUUID and its argument, Linux 6.9. */
struct filesystem_uuid {
	uint8_t length;
	uint8_t bytes[16];
};
#define GET_UUID _IOR(0x15, 0, struct filesystem_uuid)

static int is_zero(const void *bytes, size_t size)
{
	static const char zero[16];

	return memcmp(bytes, zero, size) == 0;
}

/* Before Linux 6.9: the id that ext4 gives is made of its UUID. */
static int ask_old_uuid(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	struct statfs fs;

	if (ovi_sys.fstatfs(directory, &fs) < 0)
		return ovi_fail_errno(err, "statfs");
	if (fs.f_type != EXT4_SUPER_MAGIC && fs.f_type != BTRFS_SUPER_MAGIC)
		return probe_unknown(err, PROBE_REASON_NOSUPPORT,
		                     "ioctl FS_IOC_GETFSUUID is not there (Linux >= 6.9), or this "
		                     "filesystem has no UUID");

	return ovi_answer(!is_zero(&fs.f_fsid, sizeof(fs.f_fsid)), ret_evidence, 0,
	                  "statfs says that the id of the filesystem is%s zero",
	                  is_zero(&fs.f_fsid, sizeof(fs.f_fsid)) ? "" : " not");
}

static int fs_uuid(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	struct filesystem_uuid uuid = { 0 };

	if (ovi_sys.ioctl(directory, GET_UUID, &uuid) < 0) {
		if (errno == ENOTTY || errno == EOPNOTSUPP)
			return ask_old_uuid(directory, ret_evidence, err);
		return ovi_fail_errno(err, "ioctl FS_IOC_GETFSUUID");
	}
	if (is_zero(uuid.bytes, sizeof(uuid.bytes)))
		return ovi_answer(0, ret_evidence, 0, "ioctl FS_IOC_GETFSUUID says it is all zero");

	return ovi_answer(1, ret_evidence, 0, "ioctl FS_IOC_GETFSUUID gave %u bytes", uuid.length);
}

/* Of a mount other than that of `device`, with this UUID; or NULL. */
static const char *find_twin(const struct mounts *mounts, dev_t device,
                             const struct filesystem_uuid *uuid)
{
	for (size_t i = 0; i < mounts->count; i++) {
		const struct mounts_entry *entry = &mounts->list[i];
		struct filesystem_uuid other = { 0 };
		cleanup_fd int fd = -1;
		struct stat st;

		/* Only those on disks: a network could keep us waiting. */
		if (entry->device == device || strncmp(entry->source, "/dev/", 5) != 0)
			continue;
		fd = ovi_sys.openat(AT_FDCWD, entry->target, O_RDONLY | O_NONBLOCK, 0);
		if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != entry->device)
			continue;
		if (ovi_sys.ioctl(fd, GET_UUID, &other) == 0 && other.length == uuid->length &&
		    memcmp(other.bytes, uuid->bytes, sizeof(other.bytes)) == 0)
			return entry->target;
	}

	return NULL;
}

static int uuid_unique(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_mounts struct mounts mounts = { 0 };
	struct filesystem_uuid uuid = { 0 };
	const char *twin;
	struct stat st;

	if (ovi_sys.ioctl(directory, GET_UUID, &uuid) < 0 &&
	    (errno == ENOTTY || errno == EOPNOTSUPP))
		return probe_unknown(err, PROBE_REASON_NOSUPPORT,
		                     "ioctl FS_IOC_GETFSUUID is not there (Linux >= 6.9), or this "
		                     "filesystem has no UUID");
	if (uuid.length == 0 || fstat(directory, &st) < 0)
		return ovi_fail_errno(err, "ioctl FS_IOC_GETFSUUID");
	if (is_zero(uuid.bytes, sizeof(uuid.bytes)))
		return probe_unknown(err, PROBE_REASON_NOT_APPLICABLE,
		                     "this filesystem's UUID is all zero: see fs_uuid");
	if (mounts_read(&mounts) < 0)
		return ovi_fail_errno(err, "read /proc/self/mountinfo");

	twin = find_twin(&mounts, st.st_dev, &uuid);
	if (twin)
		return ovi_answer(0, ret_evidence, 0, "'%.200s' has the same UUID", twin);

	return ovi_answer(1, ret_evidence, 0, "no other filesystem on a disk has this UUID");
}

/* Whether directories of the target can be told to fold case, not whether one does. */
static int casefold_off(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int fd = -1;
	int flags = 0;

	trial_begin(&t, directory);
	fd = trial_call(&t, ovi_sys.openat(t.dir, "lower", O_RDONLY | O_DIRECTORY, 0),
	                "open a directory");
	if (trial_ok(&t) && ovi_sys.ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0) {
		if (errno == ENOTTY || errno == EOPNOTSUPP)
			return ovi_answer(1, ret_evidence, 0, "directories have no flags here");
		trial_failed(&t, "ioctl FS_IOC_GETFLAGS");
	}
	flags |= FS_CASEFOLD_FL;
	trial_call_fails(&t, ovi_sys.ioctl(fd, FS_IOC_SETFLAGS, &flags), EOPNOTSUPP,
	                 "ioctl FS_IOC_SETFLAGS made a directory fold case");

	return trial_answer(&t, ret_evidence, err, 0, "no directory can be told to fold case");
}

static int project_ids(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int parent = -1;
	cleanup_fd int child = -1;
	struct fsxattr attributes = { 0 };

	trial_begin(&t, directory);
	parent = trial_call(&t, ovi_sys.openat(t.dir, "lower", O_RDONLY | O_DIRECTORY, 0),
	                    "open a directory");
	trial_call(&t, ovi_sys.ioctl(parent, FS_IOC_FSGETXATTR, &attributes),
	           "ioctl FS_IOC_FSGETXATTR");
	attributes.fsx_projid = 0x40000001;
	attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	trial_call(&t, ovi_sys.ioctl(parent, FS_IOC_FSSETXATTR, &attributes),
	           "ioctl FS_IOC_FSSETXATTR");
	trial_directory(&t, t.dir, "lower/child");
	child = trial_call(&t, ovi_sys.openat(t.dir, "lower/child", O_RDONLY | O_DIRECTORY, 0),
	                   "open a directory");
	trial_call(&t, ovi_sys.ioctl(child, FS_IOC_FSGETXATTR, &attributes),
	           "ioctl FS_IOC_FSGETXATTR");
	trial_expect(&t, attributes.fsx_projid == 0x40000001,
	             "a directory in a project is of project %u", attributes.fsx_projid);

	return trial_answer(&t, ret_evidence, err, 0,
	                    "a directory took a project id and handed it down");
}

static int fs_verity(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	struct fsverity_enable_arg enable = { .version = 1,
		                              .hash_algorithm = 1,
		                              .block_size = 4096 };
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int fd = -1;
	union {
		struct fsverity_digest head;
		char room[sizeof(struct fsverity_digest) + 64];
	} digest = { .head.digest_size = 64 };

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "file", "text");
	fd = trial_call(&t, ovi_sys.openat(t.dir, "file", O_RDONLY, 0), "open a file");
	trial_call(&t, ovi_sys.ioctl(fd, FS_IOC_ENABLE_VERITY, &enable),
	           "ioctl FS_IOC_ENABLE_VERITY");
	trial_call(&t, ovi_sys.ioctl(fd, FS_IOC_MEASURE_VERITY, &digest),
	           "ioctl FS_IOC_MEASURE_VERITY");
	trial_call_fails(&t, ovi_sys.openat(t.dir, "file", O_WRONLY, 0), EPERM,
	                 "open a sealed file to write");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "a file was sealed, measured and could not be written any more");
}

/* clang-format off */
#define ATTRIBUTES_ON \
	"ext4: mount without the option nouser_xattr. tmpfs: boot Linux 6.6 or newer.\n" \
	"Otherwise put the data root on another filesystem:\n" \
	"  mkfs.xfs -n ftype=1 /dev/DISK"
/* clang-format on */

const struct probe probe_attributes_family[] = {
	{
		.id = "xattr_trusted",
		.group = "filesystem",
		.title = "Are there trusted attributes?",
		.why = "Overlayfs marks opaque directories with trusted.overlay.opaque, and all else "
		       "that it has to remember likewise.",
		.how = "lsetxattr, lgetxattr and lremovexattr of trusted.overlay.opaque.",
		.since = "ext4, xfs, btrfs and tmpfs; not in user namespaces",
		.remedy = ATTRIBUTES_ON,
		.run = xattr_trusted,
	},
	{
		.id = "xattr_user",
		.group = "filesystem",
		.title = "Are there user attributes?",
		.why = "Rootless engines mount with userxattr: overlayfs then marks with "
		       "user.overlay.opaque.",
		.how = "lsetxattr, lgetxattr and lremovexattr of user.overlay.opaque.",
		.since = "ext4, xfs, btrfs; tmpfs 6.6",
		.remedy = ATTRIBUTES_ON,
		.run = xattr_user,
	},
	{
		.id = "xattr_security",
		.group = "filesystem",
		.title = "Can a file have capabilities?",
		.why = "Images have programs with them, ping for one; unpacking those fails "
		       "otherwise: operation not supported.",
		.how = "lsetxattr, lgetxattr and lremovexattr of security.capability.",
		.since = "ext4, xfs, btrfs and tmpfs, if the kernel is built with "
			 "CONFIG_EXT4_FS_SECURITY and the like",
		.remedy = NEWER_KERNEL,
		.run = xattr_security,
	},
	{
		.id = "xattr_acl",
		.group = "filesystem",
		.title = "Can a file have an access control list?",
		.why = "Images may have them, and so may volumes.",
		.how = "lsetxattr, lgetxattr and lremovexattr of system.posix_acl_access.",
		.since = "ext4, xfs, btrfs and tmpfs, mounted without noacl",
		.remedy = "Mount it without the option noacl:\n"
			  "  mount -o remount,acl DIR",
		.run = xattr_acl,
	},
	{
		.id = "xattr_room",
		.group = "filesystem",
		.title = "Has a file room for 2000 bytes of attributes?",
		.why = "Labels, lists, capabilities and overlayfs's own marks share it; when it is "
		       "full, chmod says \"No space left on device\".",
		.how = "lsetxattr of 200 bytes each until ENOSPC, at most 100 times.",
		.since = "ext4 with blocks of 4096 bytes, xfs, btrfs, tmpfs",
		.remedy = "ext4 has to be made anew, which deletes all that is on it:\n"
			  "  mkfs.ext4 -b 4096 -I 512 -O ea_inode /dev/DISK",
		.run = xattr_room,
	},
	{
		.id = "xattr_symlink",
		.group = "filesystem",
		.title = "Can a symlink have trusted attributes?",
		.why = "Overlayfs remembers where a symlink was copied up from that way.",
		.how = "symlinkat, lsetxattr and lgetxattr of trusted.overlay.origin.",
		.since = "ext4, xfs, btrfs and tmpfs",
		.remedy = ATTRIBUTES_ON,
		.run = xattr_symlink,
	},
	{
		.id = "file_handles",
		.group = "filesystem",
		.title = "Can a file be opened by its handle?",
		.why = "Overlayfs's index, nfs_export and xino, and NFS servers in containers, need "
		       "handles.",
		.how = "name_to_handle_at, open_by_handle_at.",
		.since = "ext4, xfs, btrfs and tmpfs",
		.remedy = "Put the data root on XFS, ext4 or Btrfs:\n"
			  "  mkfs.xfs -n ftype=1 /dev/DISK",
		.run = file_handles,
	},
	{
		.id = "fs_uuid",
		.group = "filesystem",
		.title = "Has the filesystem a UUID?",
		.why = "Without, overlayfs quietly leaves index, nfs_export and xino off for layers "
		       "on it.",
		.how = "ioctl(FS_IOC_GETFSUUID); before Linux 6.9 statfs, whose f_fsid ext4 and btrfs "
		       "make of it.",
		.since = "mkfs gives one; images of virtual machines may have none",
		.remedy = "Give it one, while not mounted:\n"
			  "  tune2fs -U random /dev/DISK\n"
			  "  xfs_admin -U generate /dev/DISK",
		.run = fs_uuid,
	},
	{
		.id = "uuid_unique",
		.group = "filesystem",
		.title = "Has no other filesystem the same UUID?",
		.why = "Layers are told apart by UUID and inode for index, nfs_export and xino. Clones of "
		       "a disk have one UUID.",
		.how = "ioctl(FS_IOC_GETFSUUID) of this and of every other mount of a disk.",
		.since = "Linux 6.9 can tell",
		.remedy = "Give one of them another, while not mounted:\n"
			  "  tune2fs -U random /dev/DISK\n"
			  "  xfs_admin -U generate /dev/DISK",
		.run = uuid_unique,
	},
	{
		.id = "casefold_off",
		.group = "filesystem",
		.title = "Is the filesystem without case folding?",
		.why = "Overlayfs refuses filesystems that can fold case as layers before Linux 6.17, "
		       "and directories that do fold it before 6.18.",
		.how = "ioctl(FS_IOC_SETFLAGS) with FS_CASEFOLD_FL on an empty directory has to fail "
		       "with EOPNOTSUPP.",
		.since = "ext4 can since Linux 5.2, with mkfs -O casefold",
		.remedy = "Take the feature away while not mounted, or use a newer kernel:\n"
			  "  tune2fs -O ^casefold /dev/DISK",
		.run = casefold_off,
	},
	{
		.id = "project_ids",
		.group = "filesystem",
		.title = "Can directories be given project ids?",
		.why = "They are what project quotas count by; having them does not mean that there "
		       "are quotas.",
		.how = "ioctl(FS_IOC_FSGETXATTR) and FS_IOC_FSSETXATTR with FS_XFLAG_PROJINHERIT; a "
		       "new directory below has to have the id.",
		.since = "xfs; ext4 4.5 with the feature project; tmpfs none",
		.remedy = "ext4, while not mounted:\n"
			  "  tune2fs -O project,quota /dev/DISK",
		.run = project_ids,
	},
	{
		.id = "fs_verity",
		.group = "filesystem",
		.title = "Can a file be sealed against any change?",
		.why = "Composefs and containerd's content store have the kernel check what is read.",
		.how = "ioctl(FS_IOC_ENABLE_VERITY), FS_IOC_MEASURE_VERITY; openat(O_WRONLY) has to "
		       "be EPERM then.",
		.since =
			"Linux 5.4 with CONFIG_FS_VERITY: ext4 with the feature verity, f2fs; btrfs "
			"5.15",
		.remedy = "ext4, while not mounted, on a kernel with CONFIG_FS_VERITY:\n"
			  "  tune2fs -O verity /dev/DISK",
		.run = fs_verity,
	},
	{ .id = NULL },
};
