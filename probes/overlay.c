#include "families.h"

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

const struct probe probe_overlay_family[] = {
	{
		.id = "opaque_copy_up",
		.group = "overlay",
		.title = "Does copying a directory up copy its opaque mark too?",
		.why = "It should not: a diff of such an upper says that everything below the "
		       "directory was deleted. The slower diff by comparing is needed then.",
		.how = "lsetxattr marks a directory of the upper of two lowers opaque; an "
		       "overlay is mounted detached, openat(O_CREAT) in that directory copies it "
		       "up, lgetxattr looks at the copy in the upper.",
		.since = "a bug of Linux before 4.8",
		.remedy = NEWER_KERNEL,
		.run = ovl2_probe_opaque_copy_up,
	},
	{
		.id = "mount_absolute",
		.group = "overlay",
		.title = "Does mount(2) with absolute paths work?",
		.why = "The plainest way to mount a layer, and the fastest. Its 4095 bytes are "
		       "enough for some 70 lowers.",
		.how = "mount(2) with two absolute lowers and an upper, in a thread with a mount "
		       "namespace of its own; a file of each lower is looked up, one is created "
		       "and looked for in the upper.",
		.since = "Linux 4.0",
		.remedy = LOAD_OVERLAY,
		.run = mount_absolute,
	},
	{
		.id = "mount_relative",
		.group = "overlay",
		.title = "Does mount(2) with relative paths work?",
		.why = "Brings 128 lowers into the 4095 bytes that mount(2) takes.",
		.how = "fchdir to the scratch directory in a thread with unshare(CLONE_FS) and a "
		       "mount namespace of its own, mount(2) with relative names; then as for "
		       "mount_absolute.",
		.since = "Linux 4.0",
		.remedy = LOAD_OVERLAY,
		.run = mount_relative,
	},
	{
		.id = "mount_append",
		.group = "overlay",
		.title = "Can lowers be handed over one string at a time?",
		.why = "Lifts the limit of 4095 bytes: up to 500 lowers.",
		.how = "fsopen, fsconfig(SET_STRING, \"lowerdir+\") for each lower, fsmount; then "
		       "as for mount_absolute.",
		.since = "Linux 6.7",
		.remedy = NEWER_KERNEL,
		.run = mount_append,
	},
	{
		.id = "mount_fd",
		.group = "overlay",
		.title = "Can lowers be handed over one descriptor at a time?",
		.why = "Up to 500 lowers without any path: nothing to quote, nothing too long.",
		.how = "fsopen, fsconfig(SET_FD, \"lowerdir+\") with an O_PATH descriptor for each "
		       "lower, fsmount; then as for mount_absolute.",
		.since = "Linux 6.15",
		.remedy = NEWER_KERNEL,
		.run = mount_fd,
	},
	{
		.id = "max_depth",
		.group = "overlay",
		.title = "Can 128 lowers be mounted?",
		.why = "Images may be that deep; one that cannot be mounted cannot be started.",
		.how = "501 directories are made; overlays are mounted of as many as fit into "
		       "4095 bytes by mount(2), of 500 by each newer method, and of 501, which "
		       "should fail.",
		.since = "Linux 4.0",
		.remedy = LOAD_OVERLAY,
		.run = ovl2_probe_max_depth,
	},
	{ .id = NULL },
};
