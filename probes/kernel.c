#include "families.h"

#include "answer.h"
#include "cleanup.h"
#include "fail.h"
#include "modules.h"
#include "sys.h"
#include "trial.h"
#include "userns.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* -------------------------------------------------------------- overlayfs -- */

/* One question does not need the directory. */
static int kernel_version(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	(void)directory;

	return ovl2_probe_kernel_version(ret_evidence, err);
}

/* Loads the module as well, where there is one and that is allowed. */
static int ask_for_type(const char *type, struct ovl2_evidence *ret_evidence,
                        struct ovl2_error *err)
{
	cleanup_fd int fs = ovi_sys.fsopen(type, FSOPEN_CLOEXEC);

	if (fs >= 0)
		return ovi_answer(1, ret_evidence, 0, "fsopen(2) knows '%s'", type);

	/* Before Linux 5.2: ENODEV comes first of all that is wrong with this call. */
	if (errno == ENOSYS && ovi_sys.mount("none", "/proc/self/fdinfo", type, 0, "") < 0 &&
	    errno != ENODEV && errno != EPERM)
		return ovi_answer(1, ret_evidence, 0, "mount(2) knows '%s'", type);
	if (errno == ENODEV)
		return ovi_answer(0, ret_evidence, 0, "fsopen(2) of '%s': %s", type,
		                  strerror(errno));

	return ovi_fail_errno(err, "fsopen(2) of '%s'", type);
}

static int overlay_available(int directory, struct ovl2_evidence *ret_evidence,
                             struct ovl2_error *err)
{
	(void)directory;

	return ask_for_type("overlay", ret_evidence, err);
}

static int erofs_available(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	(void)directory;

	return ask_for_type("erofs", ret_evidence, err);
}

static int overlay_at_boot(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	char line[256];
	int r;

	(void)directory;
	if (modules_is_built_in("overlay"))
		return ovi_answer(1, ret_evidence, 0, "overlayfs is built into the kernel");

	/* The module is "overlay"; hardening guides ban it as "overlayfs" as well. */
	r = modules_find_ban("overlay", line, sizeof(line), err);
	if (r == 0)
		r = modules_find_ban("overlayfs", line, sizeof(line), err);
	if (r < 0)
		return r;
	if (r > 0)
		return ovi_answer(0, ret_evidence, 0, "modprobe is told not to load it: %.200s",
		                  line);

	return ovi_answer(1, ret_evidence, 0, "no line of modprobe.d bans it");
}

static int kernel_modules(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	struct utsname name;
	char path[160];

	(void)directory;
	if (ovi_sys.uname(&name) < 0)
		return ovi_fail_errno(err, "ask the kernel for its name");
	if (access("/proc/modules", F_OK) < 0)
		return probe_unknown(err, PROBE_REASON_NOT_APPLICABLE,
		                     "this kernel has no modules");

	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", name.release);
	if (access(path, R_OK) == 0)
		return ovi_answer(1, ret_evidence, 0, "there is '%s'", path);
	if (errno != ENOENT)
		return ovi_fail_errno(err, "look for '%s'", path);

	return ovi_answer(0, ret_evidence, 0, "there is no '%s': nothing can be loaded any more",
	                  path);
}

static int overlay_defaults(int directory, struct ovl2_evidence *ret_evidence,
                            struct ovl2_error *err)
{
	static const char *const names[] = { "metacopy", "redirect_dir", "index", "nfs_export" };
	char changed[128] = "";
	size_t found = 0;

	(void)directory;
	if (access("/sys/module/overlay", F_OK) < 0)
		return probe_unknown(err, PROBE_REASON_NOSUPPORT,
		                     "overlayfs is not loaded: /sys/module/overlay is missing");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int value = modules_parameter("overlay", names[i], err);

		if (value < 0)
			return value;
		found += value > 0;
		if (value == 'Y')
			snprintf(changed + strlen(changed), sizeof(changed) - strlen(changed),
			         " %s=Y", names[i]);
	}
	if (*changed)
		return ovi_answer(0, ret_evidence, 0, "switched on for every mount:%s", changed);

	return ovi_answer(1, ret_evidence, 0, "%zu parameters that change layers are off", found);
}

/* ------------------------------------------------------------ system calls -- */

/* A filesystem of memory, attached nowhere. */
static int open_memory(struct ovl2_error *err)
{
	cleanup_fd int fs = ovi_sys.fsopen("tmpfs", FSOPEN_CLOEXEC);
	int tree;

	if (fs < 0)
		return ovi_fail_errno(err, "fsopen");
	if (ovi_sys.fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return ovi_fail_errno(err, "fsconfig");
	tree = ovi_sys.fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (tree < 0)
		return ovi_fail_errno(err, "fsmount");

	return tree;
}

/* No when the kernel refused, could not tell otherwise. */
static int judge(int r, struct ovl2_evidence *ret_evidence, const struct ovl2_error *reason,
                 struct ovl2_error *err)
{
	if (ovi_is_refusal(reason))
		return ovi_answer(0, ret_evidence, 0, "%s", reason->message);
	if (err)
		*err = *reason;

	return r;
}

static int use_mount_api(struct ovl2_error *err)
{
	cleanup_fd int tree = open_memory(err);
	cleanup_fd int file = -1;
	cleanup_fd int copy = -1;

	if (tree < 0)
		return tree;
	file = ovi_sys.openat(tree, "file", O_WRONLY | O_CREAT, 0600);
	if (file < 0)
		return ovi_fail_errno(err, "create a file on a mount attached nowhere");
	copy = ovi_sys.open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (copy < 0)
		return ovi_fail_errno(err, "open_tree");

	return 0;
}

static int mount_api(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	struct ovl2_error reason = { 0 };
	int r = use_mount_api(&reason);

	(void)directory;
	if (r < 0)
		return judge(r, ret_evidence, &reason, err);

	return ovi_answer(1, ret_evidence, 0,
	                  "fsopen, fsconfig, fsmount and open_tree work, on a mount that is "
	                  "attached nowhere");
}

static int use_mount_setattr(struct ovl2_error *err)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };
	cleanup_fd int tree = open_memory(err);
	cleanup_fd int file = -1;

	if (tree < 0)
		return tree;
	if (ovi_sys.mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
		return ovi_fail_errno(err, "mount_setattr");
	file = ovi_sys.openat(tree, "file", O_WRONLY | O_CREAT, 0600);
	if (file >= 0)
		return ovi_fail(err, OVL2_E_UNSUPPORTED,
		                "a mount made read-only can be written to");
	if (errno != EROFS)
		return ovi_fail_errno(err, "create a file on a read-only mount");

	return 0;
}

static int mount_setattr_works(int directory, struct ovl2_evidence *ret_evidence,
                               struct ovl2_error *err)
{
	struct ovl2_error reason = { 0 };
	int r = use_mount_setattr(&reason);

	(void)directory;
	if (r < 0)
		return judge(r, ret_evidence, &reason, err);

	return ovi_answer(1, ret_evidence, 0, "mount_setattr(2) made a mount read-only");
}

static int mount_messages(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_fd int fs = ovi_sys.fsopen("overlay", FSOPEN_CLOEXEC);
	struct ovl2_error reason = { 0 };
	char words[256];
	ssize_t length;

	(void)directory;
	if (fs < 0)
		return judge(ovi_fail_errno(&reason, "fsopen"), ret_evidence, &reason, err);

	/* Before 6.5 overlayfs takes any option, and minds when it is mounted. */
	if (ovi_sys.fsconfig(fs, FSCONFIG_SET_STRING, "no_such_option", "1", 0) == 0)
		return ovi_answer(0, ret_evidence, 0,
		                  "fsconfig(2) takes an option that there is none of");
	if (errno != EINVAL)
		return ovi_fail_errno(err, "fsconfig");

	/* ENODATA: there is no message. */
	length = ovi_sys.read(fs, words, sizeof(words) - 1);
	if (length < 0 && errno != ENODATA)
		return ovi_fail_errno(err, "read a mount context");
	words[length > 0 ? length : 0] = '\0';
	words[strcspn(words, "\n")] = '\0';
	if (strlen(words) <= 2)
		return ovi_answer(0, ret_evidence, 0, "fsconfig(2) fails and leaves no message");

	/* After "e ", for an error. */
	return ovi_answer(1, ret_evidence, 0, "fsconfig(2) left \"%s\"", words + 2);
}

static int openat2_works(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	const struct open_how how = {
		.flags = O_RDONLY,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int root = -1;
	cleanup_fd int fd = -1;
	char text[16] = "";

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "lower/file", "inside");
	trial_call(&t, ovi_sys.symlinkat("/../file", t.dir, "lower/link"), "make a symlink");
	root = trial_call(&t, ovi_sys.openat(t.dir, "lower", O_RDONLY | O_DIRECTORY, 0),
	                  "open a directory");
	fd = trial_call(&t, ovi_sys.openat2(root, "link", &how), "openat2 with RESOLVE_IN_ROOT");
	trial_call(&t, ovi_sys.read(fd, text, sizeof(text) - 1), "read what was opened");
	trial_expect(&t, strcmp(text, "inside") == 0, "a link led out of the root given");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "openat2(2) with RESOLVE_IN_ROOT kept a link to '/../file' inside");
}

/* struct mnt_id_req and struct statmount, as far as they are needed here (Linux 6.8). */
struct mount_request {
	uint32_t size;
	uint32_t spare;
	uint64_t id;
	uint64_t mask;
};

#define CALL_STATMOUNT 457
#define WANT_SUPERBLOCK 1
#define UNIQUE_MOUNT_ID 0x4000u /* STATX_MNT_ID_UNIQUE */

static int statmount_works(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	struct mount_request request = { .size = sizeof(request), .mask = WANT_SUPERBLOCK };
	uint64_t answer[128] = { 0 };
	struct statx st = { 0 };

	if (ovi_sys.statx(directory, "", AT_EMPTY_PATH, UNIQUE_MOUNT_ID, &st) < 0)
		return ovi_fail_errno(err, "statx");
	request.id = st.stx_mnt_id;
	if (!(st.stx_mask & UNIQUE_MOUNT_ID))
		return ovi_answer(0, ret_evidence, 0, "statx(2) gives no unique mount id");
	if (syscall(CALL_STATMOUNT, &request, answer, sizeof(answer), 0) == 0)
		return ovi_answer(1, ret_evidence, 0,
		                  "statmount(2) tells of the mount the directory is on");
	if (errno == ENOSYS)
		return ovi_answer(0, ret_evidence, 0, "statmount(2): %s", strerror(errno));

	return ovi_fail_errno(err, "statmount");
}

/* Asked about no descriptor: a filesystem without quotas may say ENOSYS itself. */
static int quota_by_descriptor(int directory, struct ovl2_evidence *ret_evidence,
                               struct ovl2_error *err)
{
	(void)directory;
	if (ovi_sys.quotactl_fd(-1, 0, 0, NULL) < 0 && errno == EBADF)
		return ovi_answer(1, ret_evidence, 0, "quotactl_fd(2) is there");
	if (errno == ENOSYS)
		return ovi_answer(0, ret_evidence, 0, "quotactl_fd(2): %s", strerror(errno));

	return ovi_fail_errno(err, "quotactl_fd");
}

/* ------------------------------------------------------------- namespaces -- */

static int mount_in_userns(void *data, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	(void)data;
	if (ovi_sys.mount("tmpfs", "/proc", "tmpfs", 0, "") < 0)
		return ovi_fail_errno(err, "mount tmpfs in a user namespace");

	return ovi_answer(1, ret_evidence, 0, "unshare, id maps and a mount in it work");
}

static int user_namespaces(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	struct ovl2_error reason = { 0 };
	int r = userns_run(geteuid(), getegid(), mount_in_userns, NULL, ret_evidence, &reason);

	(void)directory;
	if (r >= 0)
		return r;

	/* Whatever forbids it: there is none to be had. */
	if (r == OVL2_E_UNSUPPORTED || r == OVL2_E_PERMISSION)
		return ovi_answer(0, ret_evidence, 0, "%s", reason.message);
	if (err)
		*err = reason;

	return r;
}

/* Mounts on `path` in a namespace of its own, says so, and waits for the end. */
static void __attribute__((noreturn)) hold_mount(const char *path, int ready, int done)
{
	int sys = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ovi_sys.unshare(CLONE_NEWNS) < 0 ||
	    ovi_sys.mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    ovi_sys.mount("tmpfs", path, "tmpfs", 0, "") < 0)
		sys = errno;
	if (write(ready, &sys, sizeof(sys)) == sizeof(sys))
		sys = (int)read(done, &sys, 1);
	_exit(sys != 0);
}

static void remove_while_held(struct trial *t)
{
	int ready[2] = { -1, -1 };
	int done[2] = { -1, -1 };
	pid_t child = -1;
	int sys = 0;

	trial_call(t, pipe2(ready, O_CLOEXEC), "create a pipe");
	trial_call(t, pipe2(done, O_CLOEXEC), "create a pipe");
	if (trial_ok(t))
		child = fork();
	if (child == 0) {
		ovi_close_fd(&done[1]);
		hold_mount("lower", ready[1], done[0]);
	}
	ovi_close_fd(&ready[1]);
	ovi_close_fd(&done[0]);
	trial_call(t, child, "start a process");
	trial_call(t, read(ready[0], &sys, sizeof(sys)), "wait for a process");
	errno = sys;
	trial_call(t, sys ? -1 : 0, "mount in another namespace");
	if (trial_ok(t) && ovi_sys.unlinkat(t->dir, "lower", AT_REMOVEDIR) < 0) {
		if (errno == EBUSY)
			trial_refuse(t, "a directory that is mounted on elsewhere: rmdir says %s",
			             strerror(errno));
		else
			trial_failed(t, "delete a directory that is mounted on elsewhere");
	}
	ovi_close_fd(&ready[0]);
	ovi_close_fd(&done[1]);
	if (child > 0)
		waitpid(child, NULL, 0);
}

static int remove_mounted(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	remove_while_held(&t);

	return trial_answer(&t, ret_evidence, err, 0,
	                    "rmdir deleted a directory that was mounted on in another namespace");
}

/* ------------------------------------------------------------------ table -- */

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
	{
		.id = "overlay_available",
		.group = "kernel",
		.title = "Does the kernel have overlayfs?",
		.why = "Image layers are put together by it; nothing else here can work without.",
		.how = "fsopen(\"overlay\"), which also loads the module; before Linux 5.2 "
		       "mount(2) with no options, of which only ENODEV says no.",
		.since = "Linux 3.18",
		.remedy = LOAD_OVERLAY,
		.run = overlay_available,
	},
	{
		.id = "overlay_at_boot",
		.group = "kernel",
		.title = "May overlayfs be loaded after the next boot?",
		.why = "Hardening guides ban it. A module that is loaded now is not after the next "
		       "boot, and then no container starts.",
		.how = "Unless overlayfs is built in: reads modprobe.d in /etc, /run, /usr/lib and "
		       "/lib for 'install overlay /bin/false', 'blacklist overlay' and the same "
		       "with overlayfs.",
		.since = "any Linux",
		.remedy = "Take the line out, or exempt the host from the rule that put it there:\n"
			  "  grep -rE '(install|blacklist) overlay' /etc/modprobe.d",
		.run = overlay_at_boot,
	},
	{
		.id = "kernel_modules",
		.group = "kernel",
		.title = "Are the modules of the running kernel installed?",
		.why = "After an update has replaced the kernel nothing can be loaded until the "
		       "reboot: not overlay, and none of what networks of containers take.",
		.how = "uname, then looks for /lib/modules/RELEASE/modules.dep.",
		.since = "any Linux with modules",
		.remedy = "Boot the kernel that is installed:\n"
			  "  reboot",
		.run = kernel_modules,
	},
	{
		.id = "overlay_defaults",
		.group = "kernel",
		.title = "Are overlayfs's options off unless asked for?",
		.why = "With metacopy, redirect_dir, index or nfs_export on for every mount, what an "
		       "upper holds is not what engines expect: diffs get slow or wrong, and "
		       "layers that were moved say ESTALE.",
		.how = "Reads metacopy, redirect_dir, index and nfs_export in "
		       "/sys/module/overlay/parameters.",
		.since = "Linux 4.10 (redirect_dir), 4.13 (index), 4.16 (nfs_export), 4.19 "
			 "(metacopy)",
		.remedy = "Switch them off, for the next time overlayfs is loaded:\n"
			  "  echo 'options overlay metacopy=off redirect_dir=off index=off "
			  "nfs_export=off' > /etc/modprobe.d/overlay.conf",
		.run = overlay_defaults,
	},
	{
		.id = "erofs_available",
		.group = "kernel",
		.title = "Does the kernel have EROFS?",
		.why = "Composefs and containerd's erofs snapshotter keep layers as EROFS images.",
		.how = "fsopen(\"erofs\"), which also loads the module.",
		.since = "Linux 5.4; images in files without a loop device 6.12",
		.remedy = "Load it, now and at every boot:\n"
			  "  modprobe erofs\n"
			  "  echo erofs > /etc/modules-load.d/erofs.conf",
		.run = erofs_available,
	},
	{
		.id = "mount_api",
		.group = "kernel",
		.title = "Do the newer mount calls work?",
		.why = "They mount without a place to mount on, take more lowers than fit into a "
		       "page, and say what is wrong. Filters of containers may hide them.",
		.how = "fsopen(\"tmpfs\"), fsconfig(CMD_CREATE), fsmount; openat(O_CREAT) on the "
		       "mount that is attached nowhere; open_tree(OPEN_TREE_CLONE).",
		.since = "Linux 5.2",
		.remedy = NEWER_KERNEL,
		.run = mount_api,
	},
	{
		.id = "mount_setattr",
		.group = "kernel",
		.title = "Can the attributes of a mount be changed?",
		.why = "Layers with other ids, and mounts made read-only with all below them, take "
		       "mount_setattr.",
		.how = "mount_setattr(MOUNT_ATTR_RDONLY) on a detached tmpfs; openat(O_CREAT) on it "
		       "has to fail with EROFS.",
		.since = "Linux 5.12",
		.remedy = NEWER_KERNEL,
		.run = mount_setattr_works,
	},
	{
		.id = "mount_messages",
		.group = "kernel",
		.title = "Does overlayfs say what is wrong with an option?",
		.why = "Where it does not, every mistake is EINVAL, and the reason only in the "
		       "kernel log, which not everybody may read.",
		.how = "fsopen(\"overlay\"), fsconfig with an option that there is none of, read of "
		       "the context.",
		.since = "Linux 6.5",
		.remedy = NEWER_KERNEL,
		.run = mount_messages,
	},
	{
		.id = "openat2",
		.group = "kernel",
		.title = "Can paths be kept inside a directory?",
		.why = "Unpacking a layer must not follow its links out of it. openat2 does that in "
		       "the kernel; without it nothing is unpacked here.",
		.how = "openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS) of a symlink to '/../file' "
		       "has to open the file inside.",
		.since = "Linux 5.6",
		.remedy = NEWER_KERNEL,
		.run = openat2_works,
	},
	{
		.id = "statmount",
		.group = "kernel",
		.title = "Can one mount be asked about?",
		.why = "Reading the whole mount table for one mount is slow on a host with "
		       "thousands of containers.",
		.how = "statx(STATX_MNT_ID_UNIQUE) of the directory, statmount of that.",
		.since = "Linux 6.8",
		.remedy = NEWER_KERNEL,
		.run = statmount_works,
	},
	{
		.id = "quota_by_descriptor",
		.group = "kernel",
		.title = "Can quotas be set without a device node?",
		.why = "In a container there is often no node of the disk, and on a mount with "
		       "nodev none can be made.",
		.how = "quotactl_fd on descriptor -1 has to be EBADF; ENOSYS says no.",
		.since = "Linux 5.14",
		.remedy = NEWER_KERNEL,
		.run = quota_by_descriptor,
	},
	{
		.id = "user_namespaces",
		.group = "kernel",
		.title = "Can user namespaces be made?",
		.why = "Rootless engines, and containers whose root is nobody outside, live in one.",
		.how = "fork, unshare(CLONE_NEWUSER | CLONE_NEWNS), writes setgroups, uid_map and "
		       "gid_map, mounts a tmpfs.",
		.since = "Linux 3.8",
		.remedy = "Allow them, if one of these says that they are not:\n"
			  "  sysctl user.max_user_namespaces kernel.unprivileged_userns_clone\n"
			  "  sysctl -w user.max_user_namespaces=28633",
		.run = user_namespaces,
	},
	{
		.id = "remove_mounted",
		.group = "kernel",
		.title = "Can a directory be deleted that is mounted on elsewhere?",
		.why = "Where it cannot, a process in another namespace that still has a container's "
		       "root mounted keeps the container from being deleted: device or resource "
		       "busy.",
		.how = "A child mounts a tmpfs on a directory in a namespace of its own; rmdir of it "
		       "from outside must not be EBUSY.",
		.since = "Linux 3.18; Red Hat 7.4 with fs.may_detach_mounts=1",
		.remedy = "On Red Hat 7:\n"
			  "  sysctl -w fs.may_detach_mounts=1",
		.run = remove_mounted,
	},
	{ .id = NULL },
};
