#include "probe.h"

#include <string.h>

static int mount_absolute(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	return ovl2_probe_mount_method(directory, OVL2_MOUNT_ABSOLUTE, ret_evidence, err);
}

static int mount_relative(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	return ovl2_probe_mount_method(directory, OVL2_MOUNT_RELATIVE, ret_evidence, err);
}

static int mount_append(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	return ovl2_probe_mount_method(directory, OVL2_MOUNT_APPEND, ret_evidence, err);
}

static int mount_fd(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	return ovl2_probe_mount_method(directory, OVL2_MOUNT_FD, ret_evidence, err);
}

/* One question does not need the directory. */
static int kernel_version(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	(void)directory;

	return ovl2_probe_kernel_version(ret_evidence, err);
}

/* clang-format off */
#define NEWER_KERNEL \
	"Boot a newer kernel, on Debian for example:\n" \
	"  apt-get update && apt-get install linux-image-amd64\n" \
	"  reboot"

#define LOAD_OVERLAY \
	"Load overlayfs, now and at every boot:\n" \
	"  modprobe overlay\n" \
	"  echo overlay > /etc/modules-load.d/overlay.conf\n" \
	"If there is no such module, install the kernel's extra modules (Ubuntu):\n" \
	"  apt-get install linux-modules-extra-$(uname -r)\n" \
	"What else the kernel minds is in its log:\n" \
	"  dmesg | grep overlay"
/* clang-format on */

const struct probe probe_registry[] = {
	{
		.id = "kernel_version",
		.title = "Is the kernel at least 4.0?",
		.why = "Overlayfs takes more than one lower directory since then, and an image "
		       "is a stack of them.",
		.since = "Linux 4.0",
		.remedy = NEWER_KERNEL,
		.run = kernel_version,
	},
	{
		.id = "backing_fs",
		.title = "Does overlayfs take this filesystem as an upper?",
		.why = "Containers write to an upper directory here. Overlayfs refuses it on "
		       "another overlay, on NFS and on most FUSE filesystems, or cannot delete "
		       "there.",
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
		.title = "Does readdir tell the type of every file?",
		.why = "Overlayfs finds whiteouts by their type. Without it, deleted files stay "
		       "listed in containers.",
		.since = "xfs: mkfs.xfs -n ftype=1; ext4: the feature filetype",
		.remedy = "ext4 can be converted while not mounted:\n"
			  "  tune2fs -O filetype /dev/DISK && e2fsck -f /dev/DISK\n"
			  "XFS has to be made anew, which deletes all that is on it:\n"
			  "  mkfs.xfs -f -n ftype=1 /dev/DISK",
		.run = ovl2_probe_d_type,
	},
	{
		.id = "opaque_copy_up",
		.title = "Does copying a directory up copy its opaque mark too?",
		.why = "It should not: a diff of such an upper says that everything below the "
		       "directory was deleted. The slower diff by comparing is needed then.",
		.since = "a bug of Linux before 4.8",
		.remedy = NEWER_KERNEL,
		.run = ovl2_probe_opaque_copy_up,
	},
	{
		.id = "project_quota",
		.title = "Are project quotas enforced?",
		.why = "Size limits of layers (--storage-opt size=) need them. Without, one "
		       "container can fill the disk for all.",
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
		.id = "mount_absolute",
		.title = "Does mount(2) with absolute paths work?",
		.why = "The plainest way to mount a layer, and the fastest. Its 4095 bytes are "
		       "enough for some 70 lowers.",
		.since = "Linux 4.0",
		.remedy = LOAD_OVERLAY,
		.run = mount_absolute,
	},
	{
		.id = "mount_relative",
		.title = "Does mount(2) with relative paths work?",
		.why = "Brings 128 lowers into the 4095 bytes that mount(2) takes.",
		.since = "Linux 4.0",
		.remedy = LOAD_OVERLAY,
		.run = mount_relative,
	},
	{
		.id = "mount_append",
		.title = "Can lowers be handed over one string at a time?",
		.why = "Lifts the limit of 4095 bytes: up to 500 lowers.",
		.since = "Linux 6.7",
		.remedy = NEWER_KERNEL,
		.run = mount_append,
	},
	{
		.id = "mount_fd",
		.title = "Can lowers be handed over one descriptor at a time?",
		.why = "Up to 500 lowers without any path: nothing to quote, nothing too long.",
		.since = "Linux 6.15",
		.remedy = NEWER_KERNEL,
		.run = mount_fd,
	},
	{
		.id = "max_depth",
		.title = "Can 128 lowers be mounted?",
		.why = "Images may be that deep; one that cannot be mounted cannot be started.",
		.since = "Linux 4.0",
		.remedy = LOAD_OVERLAY,
		.run = ovl2_probe_max_depth,
	},
	{ .id = NULL },
};

const struct probe *probe_find(const char *id)
{
	for (const struct probe *probe = probe_registry; probe->id; probe++)
		if (strcmp(probe->id, id) == 0)
			return probe;

	return NULL;
}
