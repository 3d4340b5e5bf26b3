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

#define CONTAINERD_OVERLAY_GO \
	"https://github.com/containerd/containerd/blob/main/plugins/snapshots/overlay/overlay.go"
#define CONTAINERD_CHECK_GO                                                             \
	"https://github.com/containerd/containerd/blob/main/plugins/snapshots/overlay/" \
	"overlayutils/check.go"
#define CONTAINERD_USERNS \
	"https://github.com/containerd/containerd/blob/main/docs/user-namespaces/README.md"
#define DOCKER_CONTAINERD "https://docs.docker.com/engine/storage/containerd/"
#define DOCKER_ROOTLESS "https://docs.docker.com/engine/security/rootless/"
#define STORAGE_OVERLAY_GO \
	"https://github.com/containers/storage/blob/main/drivers/overlay/overlay.go"
#define STORAGE_CHECK_GO "https://github.com/containers/storage/blob/main/drivers/overlay/check.go"
#define STORAGE_CONF \
	"https://github.com/containers/storage/blob/main/docs/containers-storage.conf.5.md"
#define PODMAN_ROOTLESS \
	"https://github.com/containers/podman/blob/main/docs/tutorials/rootless_tutorial.md"
#define PODMAN_TROUBLE "https://github.com/containers/podman/blob/main/troubleshooting.md"
#define KUBELET_EVICTION \
	"https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/"
#define KUBERNETES_PIDS "https://kubernetes.io/docs/concepts/policy/pid-limiting/"
#define KIND_ISSUES "https://kind.sigs.k8s.io/docs/user/known-issues/"
#define MOBY_MOUNTS "https://github.com/moby/moby/issues/45760"
#define CONTAINERD_BUSY "https://github.com/containerd/containerd/issues/3405"
#define DEBIAN_DIRECT "https://bugs.debian.org/1057843"
#define CHECK_CONFIG "https://github.com/moby/moby/blob/v24.0.9/contrib/check-config.sh"
#define KUBERNETES_USERNS "https://kubernetes.io/docs/concepts/workloads/pods/user-namespaces/"
#define KUBERNETES_QUOTA \
	"https://github.com/kubernetes/enhancements/tree/master/keps/sig-node/1029-ephemeral-storage-quotas"
#define BUILDKIT_UTILS "https://github.com/moby/buildkit/blob/master/docs/rootless.md"
#define COMPOSEFS "https://github.com/composefs/composefs"

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

static const struct probe_need containerd[] = {
	{ "overlay_available", PROBE_REQUIRED, 1, CONTAINERD_OVERLAY_GO " (NewSnapshotter)" },
	{ "d_type", PROBE_REQUIRED, 1, CONTAINERD_OVERLAY_GO " (NewSnapshotter, SupportsDType)" },
	{ "backing_fs", PROBE_REQUIRED, 1, CONTAINERD_CHECK_GO " (SupportsOverlay)" },
	{ "overlay_basic", PROBE_REQUIRED, 1, CONTAINERD_CHECK_GO " (SupportsOverlay)" },
	{ "overlay_read_only", PROBE_REQUIRED, 1, CONTAINERD_OVERLAY_GO " (mounts, View)" },
	{ "whiteout_made", PROBE_REQUIRED, 1,
	  KERNEL_OVERLAYFS "#whiteouts-and-opaque-directories" },
	{ "opaque_made", PROBE_REQUIRED, 1, KERNEL_OVERLAYFS "#whiteouts-and-opaque-directories" },
	{ "xattr_trusted", PROBE_REQUIRED, 1, KERNEL_OVERLAYFS "#upper-and-lower" },
	{ "xattr_security", PROBE_WANTED, 1, KERNEL_OVERLAYFS "#permission-model" },
	{ "mount_absolute", PROBE_REQUIRED, 1, CONTAINERD_OVERLAY_GO " (mounts)" },
	{ "overlay_defaults", PROBE_WANTED, 1, CONTAINERD_OVERLAY_GO " (index=off)" },
	{ "mount_api", PROBE_ADVISED, 1, CONTAINERD_CHECK_GO },
	{ "idmapped_lower", PROBE_ADVISED, 1, CONTAINERD_CHECK_GO " (SupportsIDMappedMounts)" },
	{ "volatile_mount", PROBE_ADVISED, 1, CONTAINERD_OVERLAY_GO " (mount_options)" },
	{ "fs_verity", PROBE_ADVISED, 1,
	  "https://github.com/containerd/containerd/blob/main/docs/fsverity.md" },
	{ "leaked_mount", PROBE_WANTED, 1, CONTAINERD_BUSY },
	{ .id = NULL },
};

static const struct probe_need docker_containerd[] = {
	{ "overlay_available", PROBE_REQUIRED, 1, CONTAINERD_OVERLAY_GO " (NewSnapshotter)" },
	{ "d_type", PROBE_REQUIRED, 1, CONTAINERD_OVERLAY_GO " (NewSnapshotter, SupportsDType)" },
	{ "backing_fs", PROBE_REQUIRED, 1, CONTAINERD_CHECK_GO " (SupportsOverlay)" },
	{ "overlay_basic", PROBE_REQUIRED, 1, CONTAINERD_CHECK_GO " (SupportsOverlay)" },
	{ "overlay_read_only", PROBE_REQUIRED, 1, CONTAINERD_OVERLAY_GO " (mounts, View)" },
	{ "whiteout_made", PROBE_REQUIRED, 1,
	  KERNEL_OVERLAYFS "#whiteouts-and-opaque-directories" },
	{ "opaque_made", PROBE_REQUIRED, 1, KERNEL_OVERLAYFS "#whiteouts-and-opaque-directories" },
	{ "xattr_trusted", PROBE_REQUIRED, 1, KERNEL_OVERLAYFS "#upper-and-lower" },
	{ "xattr_security", PROBE_WANTED, 1, KERNEL_OVERLAYFS "#permission-model" },
	{ "mount_absolute", PROBE_REQUIRED, 1, CONTAINERD_OVERLAY_GO " (mounts)" },
	{ "overlay_defaults", PROBE_WANTED, 1, CONTAINERD_OVERLAY_GO " (index=off)" },
	{ "mount_api", PROBE_ADVISED, 1, CONTAINERD_CHECK_GO },
	{ "idmapped_lower", PROBE_ADVISED, 1, CONTAINERD_CHECK_GO " (SupportsIDMappedMounts)" },
	{ "volatile_mount", PROBE_ADVISED, 1, CONTAINERD_OVERLAY_GO " (mount_options)" },
	{ "fs_verity", PROBE_ADVISED, 1,
	  "https://github.com/containerd/containerd/blob/main/docs/fsverity.md" },
	{ "kernel_version", PROBE_REQUIRED, 1, DOCKER_CONTAINERD },
	{ "max_depth", PROBE_WANTED, 1, DOCKER_CONTAINERD },
	{ "leaked_mount", PROBE_WANTED, 1, CONTAINERD_BUSY },
	{ .id = NULL },
};

static const struct probe_need kubernetes[] = {
	{ "overlay_available", PROBE_REQUIRED, 1, CONTAINERD_OVERLAY_GO " (NewSnapshotter)" },
	{ "d_type", PROBE_REQUIRED, 1, CONTAINERD_OVERLAY_GO " (NewSnapshotter, SupportsDType)" },
	{ "backing_fs", PROBE_REQUIRED, 1, CONTAINERD_CHECK_GO " (SupportsOverlay)" },
	{ "overlay_basic", PROBE_REQUIRED, 1, CONTAINERD_CHECK_GO " (SupportsOverlay)" },
	{ "overlay_read_only", PROBE_REQUIRED, 1, CONTAINERD_OVERLAY_GO " (mounts, View)" },
	{ "whiteout_made", PROBE_REQUIRED, 1,
	  KERNEL_OVERLAYFS "#whiteouts-and-opaque-directories" },
	{ "opaque_made", PROBE_REQUIRED, 1, KERNEL_OVERLAYFS "#whiteouts-and-opaque-directories" },
	{ "xattr_trusted", PROBE_REQUIRED, 1, KERNEL_OVERLAYFS "#upper-and-lower" },
	{ "xattr_security", PROBE_WANTED, 1, KERNEL_OVERLAYFS "#permission-model" },
	{ "mount_absolute", PROBE_REQUIRED, 1, CONTAINERD_OVERLAY_GO " (mounts)" },
	{ "overlay_defaults", PROBE_WANTED, 1, CONTAINERD_OVERLAY_GO " (index=off)" },
	{ "mount_api", PROBE_ADVISED, 1, CONTAINERD_CHECK_GO },
	{ "idmapped_lower", PROBE_ADVISED, 1, CONTAINERD_CHECK_GO " (SupportsIDMappedMounts)" },
	{ "volatile_mount", PROBE_ADVISED, 1, CONTAINERD_OVERLAY_GO " (mount_options)" },
	{ "fs_verity", PROBE_ADVISED, 1,
	  "https://github.com/containerd/containerd/blob/main/docs/fsverity.md" },
	{ "space_headroom", PROBE_REQUIRED, 1, KUBELET_EVICTION "#hard-eviction-thresholds" },
	{ "inode_headroom", PROBE_REQUIRED, 1, KUBELET_EVICTION "#hard-eviction-thresholds" },
	{ "inotify_limits", PROBE_WANTED, 1, KIND_ISSUES "#pod-errors-due-to-too-many-open-files" },
	{ "mount_headroom", PROBE_WANTED, 1, MOBY_MOUNTS },
	{ "process_limits", PROBE_WANTED, 1, KUBERNETES_PIDS },
	{ "key_limits", PROBE_WANTED, 1, CHECK_CONFIG " (root_maxkeys)" },
	{ "project_quota", PROBE_ADVISED, 1, KUBERNETES_QUOTA },
	{ "leaked_mount", PROBE_WANTED, 1, CONTAINERD_BUSY },
	{ "direct_writes", PROBE_WANTED, 1, DEBIAN_DIRECT },
	{ .id = NULL },
};

static const struct probe_need kubernetes_userns[] = {
	{ "overlay_available", PROBE_REQUIRED, 1, CONTAINERD_OVERLAY_GO " (NewSnapshotter)" },
	{ "d_type", PROBE_REQUIRED, 1, CONTAINERD_OVERLAY_GO " (NewSnapshotter, SupportsDType)" },
	{ "backing_fs", PROBE_REQUIRED, 1, CONTAINERD_CHECK_GO " (SupportsOverlay)" },
	{ "overlay_basic", PROBE_REQUIRED, 1, CONTAINERD_CHECK_GO " (SupportsOverlay)" },
	{ "overlay_read_only", PROBE_REQUIRED, 1, CONTAINERD_OVERLAY_GO " (mounts, View)" },
	{ "whiteout_made", PROBE_REQUIRED, 1,
	  KERNEL_OVERLAYFS "#whiteouts-and-opaque-directories" },
	{ "opaque_made", PROBE_REQUIRED, 1, KERNEL_OVERLAYFS "#whiteouts-and-opaque-directories" },
	{ "xattr_trusted", PROBE_REQUIRED, 1, KERNEL_OVERLAYFS "#upper-and-lower" },
	{ "xattr_security", PROBE_WANTED, 1, KERNEL_OVERLAYFS "#permission-model" },
	{ "mount_absolute", PROBE_REQUIRED, 1, CONTAINERD_OVERLAY_GO " (mounts)" },
	{ "overlay_defaults", PROBE_WANTED, 1, CONTAINERD_OVERLAY_GO " (index=off)" },
	{ "volatile_mount", PROBE_ADVISED, 1, CONTAINERD_OVERLAY_GO " (mount_options)" },
	{ "fs_verity", PROBE_ADVISED, 1,
	  "https://github.com/containerd/containerd/blob/main/docs/fsverity.md" },
	{ "space_headroom", PROBE_REQUIRED, 1, KUBELET_EVICTION "#hard-eviction-thresholds" },
	{ "inode_headroom", PROBE_REQUIRED, 1, KUBELET_EVICTION "#hard-eviction-thresholds" },
	{ "inotify_limits", PROBE_WANTED, 1, KIND_ISSUES "#pod-errors-due-to-too-many-open-files" },
	{ "mount_headroom", PROBE_WANTED, 1, MOBY_MOUNTS },
	{ "process_limits", PROBE_WANTED, 1, KUBERNETES_PIDS },
	{ "key_limits", PROBE_WANTED, 1, CHECK_CONFIG " (root_maxkeys)" },
	{ "project_quota", PROBE_ADVISED, 1, KUBERNETES_QUOTA },
	{ "idmapped_lower", PROBE_REQUIRED, 1, CONTAINERD_USERNS },
	{ "mount_setattr", PROBE_REQUIRED, 1, KUBERNETES_USERNS },
	{ "mount_api", PROBE_REQUIRED, 1, KUBERNETES_USERNS },
	{ "user_namespaces", PROBE_REQUIRED, 1, KUBERNETES_USERNS },
	{ "namespace_limits", PROBE_REQUIRED, 1, KUBERNETES_USERNS },
	{ "subordinate_ids", PROBE_ADVISED, 1, KUBERNETES_USERNS },
	{ "leaked_mount", PROBE_WANTED, 1, CONTAINERD_BUSY },
	{ "direct_writes", PROBE_WANTED, 1, DEBIAN_DIRECT },
	{ .id = NULL },
};

static const struct probe_need podman[] = {
	{ "overlay_available", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (Init)" },
	{ "backing_fs", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (supportsOverlay)" },
	{ "d_type", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (supportsOverlay, SupportsDType)" },
	{ "whiteout_device", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (supportsOverlay, mknod)" },
	{ "overlay_basic", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (supportsOverlay)" },
	{ "whiteout_made", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (supportsOverlay)" },
	{ "opaque_made", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (supportsOverlay)" },
	{ "mount_absolute", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (get)" },
	{ "mount_relative", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (get, mountOverlayFrom)" },
	{ "max_depth", PROBE_WANTED, 1, STORAGE_OVERLAY_GO " (maxDepth)" },
	{ "opaque_copy_up", PROBE_WANTED, 0, STORAGE_CHECK_GO " (doesSupportNativeDiff)" },
	{ "redirect_off", PROBE_WANTED, 1, STORAGE_CHECK_GO " (doesSupportNativeDiff)" },
	{ "xattr_trusted", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO },
	{ "xattr_security", PROBE_WANTED, 1, STORAGE_OVERLAY_GO },
	{ "metacopy", PROBE_ADVISED, 1, STORAGE_CHECK_GO " (doesMetacopy)" },
	{ "volatile_mount", PROBE_ADVISED, 1, STORAGE_CHECK_GO " (doesVolatile)" },
	{ "idmapped_lower", PROBE_ADVISED, 1, STORAGE_CHECK_GO " (checkIdmapped)" },
	{ "data_only_lower", PROBE_ADVISED, 1, STORAGE_CHECK_GO " (supportsDataOnlyLayers)" },
	{ "reflink", PROBE_ADVISED, 1, STORAGE_CONF },
	{ "project_quota", PROBE_ADVISED, 1, STORAGE_CONF " (size)" },
	{ "selinux_context", PROBE_ADVISED, 1, PODMAN_TROUBLE },
	{ "no_leftovers", PROBE_ADVISED, 1, PODMAN_TROUBLE },
	{ .id = NULL },
};

static const struct probe_need crio[] = {
	{ "overlay_available", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (Init)" },
	{ "backing_fs", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (supportsOverlay)" },
	{ "d_type", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (supportsOverlay, SupportsDType)" },
	{ "whiteout_device", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (supportsOverlay, mknod)" },
	{ "overlay_basic", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (supportsOverlay)" },
	{ "whiteout_made", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (supportsOverlay)" },
	{ "opaque_made", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (supportsOverlay)" },
	{ "mount_absolute", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (get)" },
	{ "mount_relative", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO " (get, mountOverlayFrom)" },
	{ "max_depth", PROBE_WANTED, 1, STORAGE_OVERLAY_GO " (maxDepth)" },
	{ "opaque_copy_up", PROBE_WANTED, 0, STORAGE_CHECK_GO " (doesSupportNativeDiff)" },
	{ "redirect_off", PROBE_WANTED, 1, STORAGE_CHECK_GO " (doesSupportNativeDiff)" },
	{ "xattr_trusted", PROBE_REQUIRED, 1, STORAGE_OVERLAY_GO },
	{ "xattr_security", PROBE_WANTED, 1, STORAGE_OVERLAY_GO },
	{ "metacopy", PROBE_ADVISED, 1, STORAGE_CHECK_GO " (doesMetacopy)" },
	{ "volatile_mount", PROBE_ADVISED, 1, STORAGE_CHECK_GO " (doesVolatile)" },
	{ "idmapped_lower", PROBE_ADVISED, 1, STORAGE_CHECK_GO " (checkIdmapped)" },
	{ "data_only_lower", PROBE_ADVISED, 1, STORAGE_CHECK_GO " (supportsDataOnlyLayers)" },
	{ "reflink", PROBE_ADVISED, 1, STORAGE_CONF },
	{ "project_quota", PROBE_ADVISED, 1, STORAGE_CONF " (size)" },
	{ "selinux_context", PROBE_ADVISED, 1, PODMAN_TROUBLE },
	{ "no_leftovers", PROBE_ADVISED, 1, PODMAN_TROUBLE },
	{ "space_headroom", PROBE_WANTED, 1, KUBELET_EVICTION "#hard-eviction-thresholds" },
	{ "inode_headroom", PROBE_WANTED, 1, KUBELET_EVICTION "#hard-eviction-thresholds" },
	{ .id = NULL },
};

static const struct probe_need podman_rootless[] = {
	{ "user_namespaces", PROBE_REQUIRED, 1, PODMAN_ROOTLESS },
	{ "unprivileged_namespaces", PROBE_REQUIRED, 1, PODMAN_ROOTLESS },
	{ "namespace_limits", PROBE_REQUIRED, 1, PODMAN_ROOTLESS },
	{ "userns_not_confined", PROBE_WANTED, 1, PODMAN_ROOTLESS },
	{ "userns_not_forbidden", PROBE_WANTED, 1, PODMAN_ROOTLESS },
	{ "newuidmap", PROBE_REQUIRED, 1, PODMAN_ROOTLESS },
	{ "subordinate_ids", PROBE_REQUIRED, 1, PODMAN_ROOTLESS },
	{ "backing_fs", PROBE_REQUIRED, 1, PODMAN_ROOTLESS },
	{ "d_type", PROBE_REQUIRED, 1, PODMAN_ROOTLESS },
	{ "xattr_user", PROBE_REQUIRED, 1, PODMAN_ROOTLESS },
	{ "rootless_overlay", PROBE_WANTED, 1, PODMAN_ROOTLESS },
	{ "userxattr_mount", PROBE_WANTED, 1, PODMAN_ROOTLESS },
	{ "fuse_device", PROBE_WANTED, 1, PODMAN_ROOTLESS },
	{ "fuse_overlayfs", PROBE_WANTED, 1, PODMAN_ROOTLESS },
	{ "exec_allowed", PROBE_REQUIRED, 1, PODMAN_ROOTLESS },
	{ "devices_allowed", PROBE_ADVISED, 1, PODMAN_ROOTLESS },
	{ "file_locks", PROBE_WANTED, 1, PODMAN_ROOTLESS },
	{ .id = NULL },
};

static const struct probe_need docker_rootless[] = {
	{ "user_namespaces", PROBE_REQUIRED, 1, DOCKER_ROOTLESS },
	{ "unprivileged_namespaces", PROBE_REQUIRED, 1, DOCKER_ROOTLESS },
	{ "namespace_limits", PROBE_REQUIRED, 1, DOCKER_ROOTLESS },
	{ "userns_not_confined", PROBE_WANTED, 1, DOCKER_ROOTLESS },
	{ "userns_not_forbidden", PROBE_WANTED, 1, DOCKER_ROOTLESS },
	{ "newuidmap", PROBE_REQUIRED, 1, DOCKER_ROOTLESS },
	{ "subordinate_ids", PROBE_REQUIRED, 1, DOCKER_ROOTLESS },
	{ "backing_fs", PROBE_REQUIRED, 1, DOCKER_ROOTLESS },
	{ "d_type", PROBE_REQUIRED, 1, DOCKER_ROOTLESS },
	{ "xattr_user", PROBE_REQUIRED, 1, DOCKER_ROOTLESS },
	{ "rootless_overlay", PROBE_WANTED, 1, DOCKER_ROOTLESS },
	{ "userxattr_mount", PROBE_WANTED, 1, DOCKER_ROOTLESS },
	{ "fuse_device", PROBE_WANTED, 1, DOCKER_ROOTLESS },
	{ "fuse_overlayfs", PROBE_WANTED, 1, DOCKER_ROOTLESS },
	{ "exec_allowed", PROBE_REQUIRED, 1, DOCKER_ROOTLESS },
	{ "devices_allowed", PROBE_ADVISED, 1, DOCKER_ROOTLESS },
	{ "file_locks", PROBE_WANTED, 1, DOCKER_ROOTLESS },
	{ .id = NULL },
};

static const struct probe_need buildkit[] = {
	{ "overlay_available", PROBE_WANTED, 1, BUILDKIT_UTILS },
	{ "backing_fs", PROBE_REQUIRED, 1, CONTAINERD_CHECK_GO " (Supported)" },
	{ "d_type", PROBE_REQUIRED, 1, CONTAINERD_CHECK_GO " (Supported)" },
	{ "overlay_basic", PROBE_REQUIRED, 1, CONTAINERD_CHECK_GO " (Supported)" },
	{ "mount_absolute", PROBE_REQUIRED, 1, CONTAINERD_CHECK_GO " (Supported)" },
	{ "redirect_off", PROBE_WANTED, 1, BUILDKIT_UTILS },
	{ "opaque_copy_up", PROBE_WANTED, 0, CHECK_GO " (doesSupportNativeDiff)" },
	{ "max_depth", PROBE_WANTED, 1, BUILDKIT_UTILS },
	{ "volatile_mount", PROBE_ADVISED, 1, BUILDKIT_UTILS },
	{ "user_namespaces", PROBE_ADVISED, 1, BUILDKIT_UTILS },
	{ "userns_not_confined", PROBE_ADVISED, 1, BUILDKIT_UTILS },
	{ "fuse_overlayfs", PROBE_ADVISED, 1, BUILDKIT_UTILS },
	{ "hard_links", PROBE_REQUIRED, 1, BUILDKIT_UTILS },
	{ .id = NULL },
};

static const struct probe_need composefs[] = {
	{ "erofs_available", PROBE_REQUIRED, 1, COMPOSEFS },
	{ "data_only_lower", PROBE_REQUIRED, 1, COMPOSEFS },
	{ "redirect_dir", PROBE_REQUIRED, 1, COMPOSEFS },
	{ "metacopy", PROBE_REQUIRED, 1, COMPOSEFS },
	{ "xattr_whiteout", PROBE_WANTED, 1, COMPOSEFS },
	{ "nested_attributes", PROBE_WANTED, 1, COMPOSEFS },
	{ "fs_verity", PROBE_WANTED, 1, COMPOSEFS },
	{ "mkfs_erofs", PROBE_WANTED, 1, COMPOSEFS },
	{ "loop_devices", PROBE_WANTED, 1, COMPOSEFS },
	{ "mount_fd", PROBE_ADVISED, 1, COMPOSEFS },
	{ "reflink", PROBE_ADVISED, 1, COMPOSEFS },
	{ "backing_fs", PROBE_REQUIRED, 1, COMPOSEFS },
	{ "d_type", PROBE_REQUIRED, 1, COMPOSEFS },
	{ .id = NULL },
};

/* The kubelet's directory has volumes and logs: that is its "nodefs". */
static const char *const kubelet[] = { "space_headroom", "inode_headroom", "project_quota", NULL };
static const char *const kubelet_userns[] = { "space_headroom", "inode_headroom", "project_quota",
	                                      "idmapped_lower", NULL };

static const struct probe_need nothing[] = { { .id = NULL } };

const struct probe_profile probe_profiles[] = {
	{ "docker", "Docker, overlay2 graph driver", docker, 0, NULL },
	{ "docker-containerd", "Docker, containerd image store", docker_containerd, 0, NULL },
	{ "containerd", "containerd, overlayfs snapshotter", containerd, 0, NULL },
	{ "kubernetes", "Kubernetes node", kubernetes, 0, kubelet },
	{ "kubernetes-userns", "Kubernetes node, pods with user namespaces", kubernetes_userns, 0,
	  kubelet_userns },
	{ "podman", "Podman, as root", podman, 0, NULL },
	{ "podman-rootless", "Podman, without root", podman_rootless, 0, NULL },
	{ "docker-rootless", "Docker, without root", docker_rootless, 0, NULL },
	{ "cri-o", "CRI-O", crio, 0, NULL },
	{ "buildkit", "BuildKit", buildkit, 0, NULL },
	{ "composefs", "composefs and EROFS images", composefs, 0, NULL },
	{ "all", "Every probe, for a look at the host", nothing, 1, NULL },
	{ .id = NULL },
};

const struct probe_profile *probe_profile_find(const char *id)
{
	for (const struct probe_profile *profile = probe_profiles; profile->id; profile++)
		if (strcmp(profile->id, id) == 0)
			return profile;

	return NULL;
}

const struct probe_need *probe_profile_need(const struct probe_profile *profile, const char *id)
{
	for (const struct probe_need *need = profile->needs; need->id; need++)
		if (strcmp(need->id, id) == 0)
			return need;

	return NULL;
}

struct probe_need probe_need_beyond(const char *id)
{
	struct probe_need beyond = { id, PROBE_ADVISED, 1, KERNEL_OVERLAYFS };

	/* Whoever names it knows which answer is the good one. */
	for (const struct probe_profile *profile = probe_profiles; profile->id; profile++) {
		const struct probe_need *need = probe_profile_need(profile, id);

		if (need) {
			beyond.want = need->want;
			beyond.source = need->source;
			break;
		}
	}

	return beyond;
}
