#include "probe.h"

#include <string.h>

#define DOCKER_MANUAL "https://docs.docker.com/engine/storage/drivers/overlayfs-driver/"
#define OVERLAY_GO \
	"https://github.com/moby/moby/blob/v24.0.9/daemon/graphdriver/overlay2/overlay.go"
#define CHECK_GO "https://github.com/moby/moby/blob/v24.0.9/daemon/graphdriver/overlay2/check.go"
#define OVERLAYUTILS_GO                                                              \
	"https://github.com/moby/moby/blob/v24.0.9/daemon/graphdriver/overlayutils/" \
	"overlayutils.go"
#define KERNEL_OVERLAYFS "https://docs.kernel.org/filesystems/overlayfs.html"

static const struct probe_need docker[] = {
	{ "kernel_version", PROBE_REQUIRED, 1, DOCKER_MANUAL "#prerequisites" },
	{ "backing_fs", PROBE_REQUIRED, 1, OVERLAYUTILS_GO " (SupportsOverlay)" },
	{ "d_type", PROBE_REQUIRED, 1, OVERLAY_GO " (Init, ErrDTypeNotSupported)" },
	{ "opaque_copy_up", PROBE_WANTED, 0, CHECK_GO " (doesSupportNativeDiff)" },
	{ "project_quota", PROBE_ADVISED, 1, OVERLAY_GO " (CreateReadWrite)" },
	{ "mount_absolute", PROBE_REQUIRED, 1, OVERLAY_GO " (Get)" },

	/* Docker changes to it when the absolute form is longer than a page. */
	{ "mount_relative", PROBE_REQUIRED, 1, OVERLAY_GO " (Get, mountFrom)" },
	{ "mount_append", PROBE_ADVISED, 1, KERNEL_OVERLAYFS "#multiple-lower-layers" },
	{ "mount_fd", PROBE_ADVISED, 1, KERNEL_OVERLAYFS "#multiple-lower-layers" },
	{ "max_depth", PROBE_REQUIRED, 1, OVERLAY_GO " (maxDepth)" },
	{ .id = NULL },
};

const struct probe_profile probe_profiles[] = {
	{ "docker", "Docker, overlay2 graph driver", docker },
	{ .id = NULL },
};

const struct probe_profile *probe_profile_find(const char *id)
{
	for (const struct probe_profile *profile = probe_profiles; profile->id; profile++)
		if (strcmp(profile->id, id) == 0)
			return profile;

	return NULL;
}
