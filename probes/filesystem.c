#include "families.h"

#include "answer.h"
#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "mounts.h"
#include "privilege.h"
#include "sys.h"
#include "trial.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

/* ------------------------------------------------------------------ mount -- */

static int writable(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "file", "text");
	t.is_no = t.reason.sys == EROFS || (t.dir >= 0 && ovi_is_refusal(&t.reason));

	return trial_answer(&t, ret_evidence, err, 0, "a directory and a file could be made");
}

/* Mapping is refused as exec(2) is, and nothing has to be run. */
static int exec_allowed(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int fd = -1;
	void *map;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "file", "text");
	fd = trial_call(&t, ovi_sys.openat(t.dir, "file", O_RDONLY, 0), "open a file");
	if (trial_ok(&t)) {
		map = mmap(NULL, 4, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
		if (map == MAP_FAILED)
			trial_failed(&t, "mmap with PROT_EXEC");
		else
			munmap(map, 4);
	}
	t.is_no = t.reason.sys == EPERM;

	return trial_answer(&t, ret_evidence, err, 0, "mmap with PROT_EXEC maps a file");
}

static int devices_allowed(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int fd = -1;

	trial_begin(&t, directory);
	trial_call(&t, ovi_sys.mknodat(t.dir, "null", S_IFCHR | 0600, makedev(1, 3)),
	           "make a device");
	fd = trial_call_no(&t, ovi_sys.openat(t.dir, "null", O_RDWR, 0), EACCES, "open a device");

	return trial_answer(&t, ret_evidence, err, 0, "char 1:3 was made and opened");
}

static int setuid_allowed(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	struct statvfs fs;

	if (fstatvfs(directory, &fs) < 0)
		return ovi_fail_errno(err, "statvfs");

	return ovi_answer(!(fs.f_flag & ST_NOSUID), ret_evidence, 0, "the mount is %s nosuid",
	                  fs.f_flag & ST_NOSUID ? "with" : "without");
}

static int async_writes(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	struct statvfs fs;

	if (fstatvfs(directory, &fs) < 0)
		return ovi_fail_errno(err, "statvfs");

	return ovi_answer(!(fs.f_flag & ST_SYNCHRONOUS), ret_evidence, 0, "the mount is %s sync",
	                  fs.f_flag & ST_SYNCHRONOUS ? "with" : "without");
}

/* The number of the mount that `name` is on; 0 where the kernel does not tell (before 5.8). */
static uint64_t mount_of(int dir, const char *name)
{
	struct statx st = { 0 };

	if (ovi_sys.statx(dir, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
	                  STATX_MNT_ID, &st) < 0 ||
	    !(st.stx_mask & STATX_MNT_ID))
		return 0;

	return st.stx_mnt_id;
}

static int single_mount(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	uint64_t own = mount_of(directory, "");
	int r;

	if (!own)
		return probe_unknown(err, PROBE_REASON_NOSUPPORT,
		                     "statx tells no mounts (Linux >= 5.8)");
	r = ovi_dir_list(directory, "the directory", &listing, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < listing.count; i++) {
		uint64_t id = mount_of(directory, listing.names[i].name);

		if (id && id != own)
			return ovi_answer(0, ret_evidence, 0,
			                  "'%.200s' in it is a mount of its own",
			                  listing.names[i].name);
	}

	return ovi_answer(1, ret_evidence, 0, "nothing is mounted in it");
}

/* ------------------------------------------------------------------- room -- */

/* What the kubelet keeps free (its defaults), in percent. */
#define WANTED_SPACE 15
#define WANTED_INODES 5

static int space_headroom(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	struct statvfs fs;
	uint64_t left;
	uint64_t percent;

	if (fstatvfs(directory, &fs) < 0)
		return ovi_fail_errno(err, "statvfs");
	if (fs.f_blocks == 0)
		return probe_unknown(err, PROBE_REASON_NOT_APPLICABLE,
		                     "this filesystem does not say how large it is");
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	percent = (uint64_t)fs.f_bavail * 100 / fs.f_blocks;

	return ovi_answer(percent >= WANTED_SPACE, ret_evidence, left, "%llu MiB are free, %llu %%",
	                  (unsigned long long)left >> 20, (unsigned long long)percent);
}

static int inode_headroom(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	struct statvfs fs;
	uint64_t percent;

	if (fstatvfs(directory, &fs) < 0)
		return ovi_fail_errno(err, "statvfs");
	if (fs.f_files == 0)
		return probe_unknown(err, PROBE_REASON_NOT_APPLICABLE,
		                     "this filesystem makes inodes as they are needed");
	percent = (uint64_t)fs.f_favail * 100 / fs.f_files;

	return ovi_answer(percent >= WANTED_INODES, ret_evidence, fs.f_favail,
	                  "%llu inodes are free, %llu %%", (unsigned long long)fs.f_favail,
	                  (unsigned long long)percent);
}

/* -------------------------------------------------------------------- use -- */

/* What checks of engines are called while they run, and stay called after a crash. */
static int is_leftover(const char *name)
{
	static const char *const prefixes[] = {
		"check-overlayfs-support", "opaque-bug-check",     "metacopy-check",
		"d-type-check-",           "userxattr-check",      "compat",
		"redirect-check",          "multiple-lower-check",
	};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return 1;

	return 0;
}

static int no_leftovers(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	int r = ovi_dir_list(directory, "the directory", &listing, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < listing.count; i++)
		if (listing.names[i].type == DT_DIR && is_leftover(listing.names[i].name))
			return ovi_answer(0, ret_evidence, 0,
			                  "'%.200s' is what a check left behind",
			                  listing.names[i].name);

	return ovi_answer(1, ret_evidence, 0, "no check of an engine left anything");
}

static int is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 &&
	       (path[length] == '/' || path[length] == '\0' || length == 1);
}

/* How many of the mounted overlays have their upper below `path`. */
static size_t count_uppers(const struct mounts *mounts, const char *path)
{
	size_t count = 0;

	for (size_t i = 0; i < mounts->count; i++) {
		const struct mounts_entry *entry = &mounts->list[i];
		char upper[PATH_MAX];
		size_t length = 0;
		const char *value = mounts_option(entry->super_options, "upperdir", &length);

		if (strcmp(entry->type, "overlay") != 0 || !value)
			continue;
		snprintf(upper, sizeof(upper), "%.*s", (int)length, value);
		count += is_below(upper, path);
	}

	return count;
}

static int not_in_use(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_mounts struct mounts mounts = { 0 };
	char link[32];
	char path[PATH_MAX];
	ssize_t length;
	size_t count;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", directory);
	length = ovi_sys.readlinkat(AT_FDCWD, link, path, sizeof(path) - 1);
	if (length < 0)
		return ovi_fail_errno(err, "read '%s'", link);
	path[length] = '\0';

	if (mounts_read(&mounts) < 0)
		return ovi_fail_errno(err, "read /proc/self/mountinfo");
	count = count_uppers(&mounts, path);

	return ovi_answer(count == 0, ret_evidence, count,
	                  "%zu overlays are mounted with an upper in it", count);
}

/* ------------------------------------------------------------------ table -- */

const struct probe probe_filesystem_family[] = {
	{
		.id = "backing_fs",
		.group = "filesystem",
		.title = "Does overlayfs take this filesystem as an upper?",
		.why = "Containers write to an upper directory here. Overlayfs refuses it on "
		       "another overlay, on NFS and on most FUSE filesystems, or cannot delete "
		       "there.",
		.how = "fstatfs names the filesystem. Then an overlay with an upper is mounted "
		       "detached in a scratch directory: a file is created, one of the lower is "
		       "appended to and compared below and above, one is unlinked and has to "
		       "leave char 0:0, a directory is removed and made anew and has to be "
		       "marked opaque; renameat2(RENAME_WHITEOUT) in the scratch directory has "
		       "to leave char 0:0.",
		.since = "Linux 4.0",
		.remedy = "Put the data root on XFS, ext4 or Btrfs, for example on a disk of its "
			  "own:\n"
			  "  mkfs.xfs -n ftype=1 /dev/DISK\n"
			  "  mount /dev/DISK /var/lib/docker\n"
			  "In a container, mount a volume there:\n"
			  "  docker run -v layers:/var/lib/docker ...",
		.run = ovl2_probe_backing_fs,
	},
	{
		.id = "d_type",
		.group = "filesystem",
		.title = "Does readdir tell the type of every file?",
		.why = "Overlayfs finds whiteouts by their type. Without it, deleted files stay "
		       "listed in containers.",
		.how = "mkdirat, openat(O_CREAT) and symlinkat make one of each in a scratch "
		       "directory; getdents64 has to give all three their types.",
		.since = "xfs: mkfs.xfs -n ftype=1; ext4: the feature filetype",
		.remedy = "ext4 can be converted while not mounted:\n"
			  "  tune2fs -O filetype /dev/DISK && e2fsck -f /dev/DISK\n"
			  "XFS has to be made anew, which deletes all that is on it:\n"
			  "  mkfs.xfs -f -n ftype=1 /dev/DISK",
		.run = ovl2_probe_d_type,
	},
	{
		.id = "project_quota",
		.group = "filesystem",
		.title = "Are project quotas enforced?",
		.why = "Size limits of layers (--storage-opt size=) need them. Without, one "
		       "container can fill the disk for all.",
		.how = "quotactl_fd(Q_XGETQSTATV) or Q_GETINFO tells whether project quotas are "
		       "on. If so, a scratch directory is given an unused project id and a hard "
		       "limit of 1 MiB, and 2 MiB are written to a file in it: write or fsync "
		       "has to fail. Limit and id are taken back.",
		.since = "xfs: mount option pquota; ext4: features project and quota",
		.remedy = "XFS: mount with project quotas; for the root filesystem add\n"
			  "rootflags=pquota to the kernel command line instead:\n"
			  "  umount DIR && mount -o pquota /dev/DISK DIR\n"
			  "ext4, while not mounted:\n"
			  "  tune2fs -O project,quota -Q prjquota /dev/DISK\n"
			  "  mount -o prjquota /dev/DISK DIR",
		.run = ovl2_probe_project_quota,
	},
	{
		.id = "writable",
		.group = "filesystem",
		.title = "Can files be made here?",
		.why = "Layers are files. A filesystem that is mounted read-only, or became so after "
		       "an error, keeps none.",
		.how = "mkdirat of a scratch directory, openat(O_CREAT), write; EROFS says no.",
		.since = "any Linux",
		.remedy = "See whether the kernel made it read-only after an error, then:\n"
			  "  dmesg | grep -i remount\n"
			  "  mount -o remount,rw DIR",
		.run = writable,
	},
	{
		.id = "exec_allowed",
		.group = "filesystem",
		.title = "May programs be run from here?",
		.why = "An overlay lets its programs run whatever its layers' mount says; volumes "
		       "and what rootless engines unpack here do not.",
		.how = "mmap(PROT_EXEC) of a file; EPERM says no.",
		.since = "any mount without noexec",
		.remedy = "Take noexec out of /etc/fstab, and:\n"
			  "  mount -o remount,exec DIR",
		.run = exec_allowed,
	},
	{
		.id = "devices_allowed",
		.group = "filesystem",
		.title = "Do devices work here?",
		.why = "Volumes, and quotas of overlay2, which makes a node of its disk here, fail on "
		       "a mount with nodev; layers do not.",
		.how = "mknodat of char 1:3, openat; EACCES says no.",
		.since = "any mount without nodev",
		.remedy = "Take nodev out of /etc/fstab, and:\n"
			  "  mount -o remount,dev DIR",
		.run = devices_allowed,
	},
	{
		.id = "setuid_allowed",
		.group = "filesystem",
		.title = "Do set-uid programs work here?",
		.why = "Volumes on a mount with nosuid lose them, rootless builders fail; layers do "
		       "not.",
		.how = "fstatvfs, ST_NOSUID.",
		.since = "any mount without nosuid",
		.remedy = "Take nosuid out of /etc/fstab, and:\n"
			  "  mount -o remount,suid DIR",
		.run = setuid_allowed,
	},
	{
		.id = "async_writes",
		.group = "filesystem",
		.title = "May writes wait in memory?",
		.why = "With the mount option sync every file of a layer waits for the disk when it "
		       "is unpacked.",
		.how = "fstatvfs, ST_SYNCHRONOUS.",
		.since = "any mount without sync",
		.remedy = "Take sync out of /etc/fstab, and:\n"
			  "  mount -o remount,async DIR",
		.run = async_writes,
	},
	{
		.id = "single_mount",
		.group = "filesystem",
		.title = "Is everything here on one mount?",
		.why = "The upper and work directory of a layer have to be on the same mount, and "
		       "what is true here may not be true of a mount below.",
		.how = "statx(STATX_MNT_ID) of the directory and of all that is directly in it.",
		.since = "Linux 5.8 to be told",
		.remedy = "Ask about the mount below instead, or mount at the top:\n"
			  "  findmnt -R DIR",
		.run = single_mount,
	},
	{
		.id = "space_headroom",
		.group = "filesystem",
		.title = "Is 15 % of the space free?",
		.why = "Below that a kubelet deletes images and evicts containers.",
		.how = "fstatvfs: f_bavail of f_blocks.",
		.since = "any filesystem",
		.remedy = "Delete what is not used, or grow the filesystem:\n"
			  "  docker system prune\n"
			  "  xfs_growfs DIR",
		.run = space_headroom,
	},
	{
		.id = "inode_headroom",
		.group = "filesystem",
		.title = "Are 5 % of the inodes free?",
		.why = "Images are many small files: inodes run out before blocks do, and the error "
		       "is the same. Below that a kubelet evicts containers.",
		.how = "fstatvfs: f_favail of f_files.",
		.since = "any filesystem; Btrfs makes inodes as they are needed",
		.remedy = "Delete what is not used. ext4 has as many as it was made with:\n"
			  "  docker system prune\n"
			  "  mkfs.ext4 -i 8192 /dev/DISK",
		.run = inode_headroom,
	},
	{
		.id = "no_leftovers",
		.group = "filesystem",
		.title = "Have all checks of engines tidied up?",
		.why = "Engines try what this filesystem can in directories of fixed names; one that "
		       "is still there after a crash can mislead the next check.",
		.how = "getdents64; compares with the names that Docker, containerd and Podman use.",
		.since = "any Linux",
		.remedy = "With the engine stopped, delete it:\n"
			  "  rm -r DIR/NAME",
		.run = no_leftovers,
	},
	{
		.id = "not_in_use",
		.group = "filesystem",
		.title = "Is no container running on this directory?",
		.why = "Two engines on one data root destroy each other's layers; and measuring "
		       "here would measure theirs.",
		.how = "Looks through /proc/self/mountinfo for overlays whose upperdir is below.",
		.since = "any Linux",
		.remedy = "See whose they are:\n"
			  "  findmnt -t overlay",
		.run = not_in_use,
	},
	{ .id = NULL },
};
