#pragma once

/*
 * The tables of all probes, each in the file of its family and ending with a row
 * whose id is NULL.
 */

#include "probe.h"

extern const struct probe probe_kernel_family[];
extern const struct probe probe_limits_family[];
extern const struct probe probe_filesystem_family[];
extern const struct probe probe_files_family[];
extern const struct probe probe_attributes_family[];
extern const struct probe probe_overlay_family[];
extern const struct probe probe_features_family[];
extern const struct probe probe_bugs_family[];
extern const struct probe probe_privilege_family[];
extern const struct probe probe_tools_family[];

/* Remedies of more than one family. */
/* clang-format off */
#define OTHER_FILESYSTEM \
	"Put the data root on XFS, ext4 or Btrfs, for example on a disk of its own:\n" \
	"  mkfs.xfs -n ftype=1 /dev/DISK\n" \
	"  mount /dev/DISK /var/lib/docker"

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
