#include "families.h"

/* One question does not need the directory. */
static int kernel_version(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	(void)directory;

	return ovl2_probe_kernel_version(ret_evidence, err);
}

const struct probe probe_kernel_family[] = {
	{
		.id = "kernel_version",
		.group = "kernel",
		.title = "Is the kernel at least 4.0?",
		.why = "Overlayfs takes more than one lower directory since then, and an image "
		       "is a stack of them.",
		.how = "uname, and the first two numbers of the release.",
		.since = "Linux 4.0",
		.remedy = NEWER_KERNEL,
		.run = kernel_version,
	},
	{ .id = NULL },
};
