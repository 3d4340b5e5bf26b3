/*
 * What this process, and others on this host, may do: why the other questions have the
 * answers they have.
 */

#include "families.h"

#include "cleanup.h"
#include "file.h"
#include "privilege.h"
#include "sys.h"
#include "trial.h"
#include "userns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* nobody: a user without any right. */
#define NOBODY 65534

static int privileged(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	static const struct {
		enum privilege privilege;
		const char *name;
	} needed[] = {
		{ PRIVILEGE_SYS_ADMIN, "CAP_SYS_ADMIN" },
		{ PRIVILEGE_MKNOD, "CAP_MKNOD" },
		{ PRIVILEGE_CHOWN, "CAP_CHOWN" },
	};

	(void)directory;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		int r = privilege_ask(needed[i].privilege, err);

		if (r < 0)
			return r;
		if (r == 0)
			return ovi_answer(0, ret_evidence, 0, "this process lacks %s",
			                  needed[i].name);
	}

	return ovi_answer(1, ret_evidence, 0,
	                  "this process may mount, make devices and change owners");
}

static int initial_namespace(int directory, struct ovl2_evidence *ret_evidence,
                             struct ovl2_error *err)
{
	int r = privilege_is_initial_userns(err);

	(void)directory;
	if (r < 0)
		return r;

	return ovi_answer(r, ret_evidence, 0,
	                  r ? "user ids here are the host's"
	                    : "this is a user namespace: ids are mapped, and devices cannot be "
	                      "made");
}

/* The number behind `key` in /proc/self/status, -1 when there is none. */
static int read_status(const char *key, struct ovl2_error *err)
{
	cleanup_free char *text = NULL;
	const char *line;
	int r = ovi_file_read(AT_FDCWD, "/proc/self/status", 65536, &text, NULL, err);

	if (r < 0)
		return r;
	line = strstr(text, key);
	if (!line)
		return probe_unknown(err, PROBE_REASON_NOSUPPORT, "no '%s' in /proc/self/status",
		                     key);

	return (int)strtol(line + strlen(key), NULL, 10);
}

static int no_call_filter(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	int mode = read_status("\nSeccomp:\t", err);

	(void)directory;
	if (mode < 0)
		return mode;

	return ovi_answer(mode == 0, ret_evidence, 0,
	                  mode == 0 ? "no system call is filtered (Seccomp: 0)"
	                            : "system calls are filtered (Seccomp: %d)",
	                  mode);
}

static int kernel_log(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_fd int fd = ovi_sys.openat(AT_FDCWD, "/dev/kmsg", O_RDONLY | O_NONBLOCK, 0);

	(void)directory;
	if (fd < 0 && errno != EPERM && errno != EACCES && errno != ENOENT)
		return ovi_fail_errno(err, "open /dev/kmsg");

	return ovi_answer(fd >= 0, ret_evidence, 0,
	                  fd >= 0 ? "/dev/kmsg can be read"
	                          : "/dev/kmsg cannot be read: why a mount fails is only there");
}

/* "none [integrity] confidentiality" */
static int not_locked_down(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	static const char path[] = "/sys/kernel/security/lockdown";
	cleanup_free char *text = NULL;
	struct ovl2_error reason = { 0 };
	int r = ovi_file_read(AT_FDCWD, path, 128, &text, NULL, &reason);

	(void)directory;
	if (r == OVL2_E_NOT_FOUND && access("/sys/kernel/security/lsm", F_OK) < 0)
		return probe_unknown(err, PROBE_REASON_NOSUPPORT,
		                     "securityfs is not mounted on /sys/kernel/security");
	if (r == OVL2_E_NOT_FOUND)
		return ovi_answer(1, ret_evidence, 0, "there is no %s", path);
	if (r < 0) {
		if (err)
			*err = reason;
		return r;
	}

	text[strcspn(text, "\n")] = '\0';

	return ovi_answer(strstr(text, "[none]") != NULL, ret_evidence, 0, "%s is '%.60s'", path,
	                  text);
}

/* -------------------------------------------------------- without privileges -- */

static int make_namespace(void *data, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	(void)data;
	(void)err;

	return ovi_answer(1, ret_evidence, 0, "user %d made a user namespace with a map", NOBODY);
}

static int unprivileged_namespaces(int directory, struct ovl2_evidence *ret_evidence,
                                   struct ovl2_error *err)
{
	struct ovl2_error reason = { 0 };
	int r;

	(void)directory;
	r = userns_run(NOBODY, NOBODY, make_namespace, NULL, ret_evidence, &reason);
	if (r < 0 && reason.code == OVL2_E_UNSUPPORTED)
		return ovi_answer(0, ret_evidence, 0, "user %d: %s", NOBODY, reason.message);
	if (r < 0 && err)
		*err = reason;

	return r;
}

/* A sysctl that is not there forbids nothing. */
static int sysctl_allows(const char *path, long allowed, struct ovl2_evidence *ret_evidence,
                         struct ovl2_error *err)
{
	cleanup_free char *text = NULL;
	struct ovl2_error reason = { 0 };
	int r = ovi_file_read(AT_FDCWD, path, 64, &text, NULL, &reason);
	long value;

	if (r == OVL2_E_NOT_FOUND)
		return ovi_answer(1, ret_evidence, 0, "there is no %s", path);
	if (r < 0) {
		if (err)
			*err = reason;
		return r;
	}
	value = strtol(text, NULL, 10);

	return ovi_answer(value == allowed, ret_evidence, (uint64_t)value, "%s is %ld", path,
	                  value);
}

static int userns_not_confined(int directory, struct ovl2_evidence *ret_evidence,
                               struct ovl2_error *err)
{
	(void)directory;

	return sysctl_allows("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0,
	                     ret_evidence, err);
}

static int userns_not_forbidden(int directory, struct ovl2_evidence *ret_evidence,
                                struct ovl2_error *err)
{
	(void)directory;

	return sysctl_allows("/proc/sys/kernel/unprivileged_userns_clone", 1, ret_evidence, err);
}

static int selinux_context(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_mount(&t, "lowerdir=lower,upperdir=upper,workdir=work,"
	                "context=system_u:object_r:container_file_t:s0");

	return trial_answer(&t, ret_evidence, err, 0, "an overlay was mounted with a label");
}

/* clang-format off */
const struct probe probe_privilege_family[] = {
	{
		.id = "privileged", .group = "security",
		.title = "May this process do what an engine does?",
		.why = "Without these rights most other questions cannot be answered.",
		.how = "CAP_SYS_ADMIN, CAP_MKNOD and CAP_CHOWN among the effective capabilities.",
		.since = "any Linux",
		.remedy = "Ask as root, in a container with all rights:\n  sudo ovl2-probe",
		.run = privileged,
	},
	{
		.id = "initial_namespace", .group = "security",
		.title = "Is this the host's own user namespace?",
		.why = "In another one the answers are those of a rootless engine.",
		.how = "/proc/self/uid_map maps all ids to themselves.",
		.since = "Linux 3.8",
		.remedy = "Ask on the host, not in a container with mapped users:\n  sudo ovl2-probe",
		.run = initial_namespace,
	},
	{
		.id = "no_call_filter", .group = "security",
		.title = "Are no system calls filtered?",
		.why = "Filters of older engines refuse the newer mount calls and make a kernel look "
		       "older than it is.",
		.how = "Seccomp in /proc/self/status.",
		.since = "Linux 3.8",
		.remedy = "Ask outside of the container, or in one without a filter:\n"
		          "  podman run --security-opt seccomp=unconfined ...",
		.run = no_call_filter,
	},
	{
		.id = "kernel_log", .group = "security",
		.title = "Can the kernel log be read?",
		.why = "mount(2) says EINVAL; what the kernel minds is in its log only.",
		.how = "open(/dev/kmsg).",
		.since = "Linux 3.5",
		.remedy = "Allow it to this process, or to all:\n  sysctl kernel.dmesg_restrict=0",
		.run = kernel_log,
	},
	{
		.id = "not_locked_down", .group = "security",
		.title = "Is the kernel not locked down?",
		.why = "Under lockdown, which comes with secure boot, no unsigned module can be loaded, "
		       "as those of ZFS or of storage vendors are.",
		.how = "read(/sys/kernel/security/lockdown).",
		.since = "Linux 5.4",
		.remedy = "Sign the modules with a key that the firmware knows, or switch secure boot "
			  "off:\n  mokutil --import KEY.der",
		.run = not_locked_down,
	},
	{
		.id = "unprivileged_namespaces", .group = "security",
		.title = "May a user without rights make user namespaces?",
		.why = "Rootless engines begin with it.",
		.how = "A child becomes user 65534; unshare(CLONE_NEWUSER | CLONE_NEWNS), uid_map.",
		.since = "Linux 3.8",
		.remedy = "See the probes userns_not_forbidden, userns_not_confined and "
		          "namespace_limits for what forbids it:\n"
		          "  sysctl user.max_user_namespaces=28633",
		.run = unprivileged_namespaces,
	},
	{
		.id = "userns_not_confined", .group = "security",
		.title = "Does AppArmor leave user namespaces their rights?",
		.why = "Ubuntu 23.10 and later takes them away from programs without a profile.",
		.how = "kernel.apparmor_restrict_unprivileged_userns is 0 or not there.",
		.since = "Ubuntu's kernels",
		.remedy = "Give the engine's helper a profile, here for rootlesskit:\n"
		          "  cat >/etc/apparmor.d/usr.bin.rootlesskit <<'END'\n"
		          "  abi <abi/4.0>,\n"
		          "  include <tunables/global>\n"
		          "  /usr/bin/rootlesskit flags=(unconfined) {\n"
		          "    userns,\n"
		          "  }\n"
		          "  END\n"
		          "  systemctl reload apparmor",
		.run = userns_not_confined,
	},
	{
		.id = "userns_not_forbidden", .group = "security",
		.title = "Does no sysctl forbid user namespaces?",
		.why = "Debian before 11 and hardened kernels forbid them to users.",
		.how = "kernel.unprivileged_userns_clone is 1 or not there.",
		.since = "Debian's kernels",
		.remedy = "Allow them, now and at every boot:\n"
		          "  echo kernel.unprivileged_userns_clone=1 > /etc/sysctl.d/90-userns.conf\n"
		          "  sysctl --system",
		.run = userns_not_forbidden,
	},
	{
		.id = "selinux_context", .group = "security",
		.title = "Can an overlay be mounted with an SELinux label?",
		.why = "With SELinux each container's files have a label of their own.",
		.how = "An overlay is mounted with context=; without SELinux the kernel does not know "
		       "the option.",
		.since = "Linux 4.9, with SELinux",
		.remedy = "Nothing has to be done where SELinux is off. To switch it on, on Fedora:\n"
		          "  grubby --update-kernel ALL --remove-args selinux",
		.run = selinux_context,
	},
	{ .id = NULL },
};
/* clang-format on */
