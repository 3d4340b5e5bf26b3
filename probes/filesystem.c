#include "families.h"

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
	{ .id = NULL },
};
