/* Programs and devices that engines need besides the kernel: tried, not only looked for. */

#include "families.h"

#include "answer.h"
#include "cleanup.h"
#include "fail.h"
#include "file.h"
#include "privilege.h"
#include "sys.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* What rootless engines want for a user: one container's ids. */
#define WANTED_IDS 65536

/* ---------------------------------------------------------------- programs -- */

/* Absolute path of `program` in PATH or where system programs are; free(3), or NULL. */
static char *find_program(const char *program)
{
	static const char usual[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	const char *path = getenv("PATH");
	cleanup_free char *all = NULL;
	char *rest;
	char *dir;

	if (asprintf(&all, "%s:%s", path ? path : "", usual) < 0)
		return NULL;
	rest = all;
	while ((dir = strsep(&rest, ":"))) {
		char *found;

		if (*dir != '/' || asprintf(&found, "%s/%s", dir, program) < 0)
			continue;
		if (access(found, X_OK) == 0)
			return found;
		free(found);
	}

	return NULL;
}

/* "1.10": a digit, a dot and a digit. */
static int has_version(const char *line)
{
	for (; *line; line++)
		if (isdigit((unsigned char)line[0]) && line[1] == '.' &&
		    isdigit((unsigned char)line[2]))
			return 1;

	return 0;
}

/* Cuts `text` to the line that tells the version of `program`, or else to the first one. */
static void cut_to_version(char *text, const char *program)
{
	cleanup_free char *copy = strdup(text);
	char *rest = copy;
	char *line;

	while ((line = strsep(&rest, "\n")))
		if (strstr(line, program) && has_version(line))
			break;
	if (line)
		memmove(text, text + (line - copy), strlen(line) + 1);
	text[strcspn(text, "\n")] = '\0';
}

/* What "PROGRAM ARGUMENT" says its version is, of either output; its exit code. */
static int ask_program(const char *path, const char *argument, char *line, size_t size)
{
	cleanup_fd int out = -1;
	char rest[512];
	size_t length = 0;
	ssize_t more;
	int ends[2];
	pid_t child;
	int status;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	out = ends[0];
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		execl(path, path, argument, NULL);
		_exit(127);
	}
	close(ends[1]);
	if (child < 0)
		return -1;
	while (length < size - 1 && (more = read(out, line + length, size - 1 - length)) > 0)
		length += (size_t)more;
	line[length] = '\0';
	cut_to_version(line, strrchr(path, '/') + 1);
	/* What it still has to say is read, so that it does not end by SIGPIPE. */
	while (read(out, rest, sizeof(rest)) > 0)
		continue;
	if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
		return -1;

	return WEXITSTATUS(status);
}

/* Is it there, and does it run? */
static int program_runs(const char *program, const char *argument,
                        struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_free char *path = find_program(program);
	char line[8192];
	int code;

	if (!path)
		return ovi_answer(0, ret_evidence, 0, "no %s in PATH", program);
	code = ask_program(path, argument, line, sizeof(line));
	if (code < 0)
		return ovi_fail(err, OVL2_E_SYSTEM, "run %s: it did not end well", path);
	if (code == 127)
		return ovi_answer(0, ret_evidence, 0, "%s does not run", path);

	return ovi_answer(1, ret_evidence, 0, "%s says '%.100s'", path, line);
}

static int mkfs_xfs(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	(void)directory;

	return program_runs("mkfs.xfs", "-V", ret_evidence, err);
}

static int mkfs_ext4(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	(void)directory;

	return program_runs("mkfs.ext4", "-V", ret_evidence, err);
}

static int mkfs_erofs(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	(void)directory;

	return program_runs("mkfs.erofs", "--help", ret_evidence, err);
}

static int fuse_overlayfs(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	(void)directory;

	return program_runs("fuse-overlayfs", "--version", ret_evidence, err);
}

/* Rights come from the set-uid bit or from capabilities of the file. */
static int may_map(const char *program, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_free char *path = find_program(program);
	char capability[32];
	struct stat st;

	if (!path)
		return ovi_answer(0, ret_evidence, 0, "no %s in PATH", program);
	if (ovi_sys.fstatat(AT_FDCWD, path, &st, 0) < 0)
		return ovi_fail_errno(err, "look at '%s'", path);
	if (st.st_uid == 0 && (st.st_mode & S_ISUID))
		return ovi_answer(1, ret_evidence, 0, "%s is set-uid root", path);
	if (ovi_sys.lgetxattr(path, "security.capability", capability, sizeof(capability)) > 0)
		return ovi_answer(1, ret_evidence, 0, "%s has capabilities", path);
	if (errno != ENODATA && errno != EOPNOTSUPP)
		return ovi_fail_errno(err, "read the capabilities of '%s'", path);
	if ((st.st_mode & S_ISUID) && privilege_is_initial_userns(NULL) == 0)
		return probe_unknown(err, PROBE_REASON_NOPERM,
		                     "whose %s is does not show in this user namespace", path);

	return ovi_answer(0, ret_evidence, 0, "%s is neither set-uid root nor has capabilities",
	                  path);
}

static int newuidmap(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	int r;

	(void)directory;
	r = may_map("newuidmap", ret_evidence, err);

	return r > 0 ? may_map("newgidmap", ret_evidence, err) : r;
}

/* ---------------------------------------------------------------- sub-ids -- */

/* The most ids that a line "NAME:FIRST:COUNT" gives anybody; and to whom. */
static unsigned long find_most(const char *text, char *who, size_t size)
{
	unsigned long most = 0;

	who[0] = '\0';
	while (*text) {
		char name[64];
		unsigned long first;
		unsigned long count;

		if (sscanf(text, "%63[^:\n]:%lu:%lu", name, &first, &count) == 3 && count > most) {
			most = count;
			snprintf(who, size, "%s", name);
		}
		text += strcspn(text, "\n");
		text += *text == '\n';
	}

	return most;
}

static int subordinate_ids(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	static const char *const files[] = { "/etc/subuid", "/etc/subgid" };
	unsigned long most = 0;
	char who[64];

	(void)directory;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *text = NULL;
		struct ovl2_error reason = { 0 };
		int r = ovi_file_read(AT_FDCWD, files[i], 1 << 20, &text, NULL, &reason);

		if (r == OVL2_E_NOT_FOUND)
			return ovi_answer(0, ret_evidence, 0, "there is no %s", files[i]);
		if (r < 0) {
			if (err)
				*err = reason;
			return r;
		}
		most = find_most(text, who, sizeof(who));
		if (most < WANTED_IDS)
			return ovi_answer(0, ret_evidence, most,
			                  "%s gives nobody %d ids, the most are %lu", files[i],
			                  WANTED_IDS, most);
	}

	return ovi_answer(1, ret_evidence, most, "user '%s' may use %lu ids of others", who, most);
}

/* ---------------------------------------------------------------- devices -- */

static int device_opens(const char *path, struct ovl2_evidence *ret_evidence,
                        struct ovl2_error *err)
{
	cleanup_fd int fd = ovi_sys.openat(AT_FDCWD, path, O_RDWR, 0);

	if (fd < 0 && errno != ENOENT && errno != ENODEV && errno != ENXIO)
		return ovi_fail_errno(err, "open '%s'", path);

	return ovi_answer(fd >= 0, ret_evidence, 0, "%s %s", path,
	                  fd >= 0 ? "can be opened" : "is not there");
}

static int fuse_device(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	(void)directory;

	return device_opens("/dev/fuse", ret_evidence, err);
}

/* Asks for a free one; nothing is attached to it. */
static int loop_devices(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_fd int fd = -1;
	int number;

	(void)directory;
	fd = ovi_sys.openat(AT_FDCWD, "/dev/loop-control", O_RDWR, 0);
	if (fd < 0 && (errno == ENOENT || errno == ENODEV))
		return ovi_answer(0, ret_evidence, 0, "/dev/loop-control is not there");
	if (fd < 0)
		return ovi_fail_errno(err, "open '/dev/loop-control'");
	number = ovi_sys.ioctl(fd, LOOP_CTL_GET_FREE, NULL);
	if (number < 0)
		return ovi_fail_errno(err, "ioctl LOOP_CTL_GET_FREE");

	return ovi_answer(1, ret_evidence, (uint64_t)number, "/dev/loop%d is free", number);
}

/* clang-format off */
const struct probe probe_tools_family[] = {
	{
		.id = "mkfs_xfs", .group = "tools",
		.title = "Is there a program that makes XFS?",
		.why = "XFS is what engines recommend for layers, and needed for their size limits.",
		.how = "mkfs.xfs -V.",
		.since = "xfsprogs",
		.remedy = "Install it:\n  apt-get install xfsprogs",
		.run = mkfs_xfs,
	},
	{
		.id = "mkfs_ext4", .group = "tools",
		.title = "Is there a program that makes ext4?",
		.why = "For images of block devices and for a data root of its own.",
		.how = "mkfs.ext4 -V.",
		.since = "e2fsprogs",
		.remedy = "Install it:\n  apt-get install e2fsprogs",
		.run = mkfs_ext4,
	},
	{
		.id = "mkfs_erofs", .group = "tools",
		.title = "Is there a program that makes EROFS?",
		.why = "composefs and containerd's erofs snapshotter write layers as EROFS.",
		.how = "mkfs.erofs --help, which begins with the version.",
		.since = "erofs-utils; containerd wants 1.7",
		.remedy = "Install it:\n  apt-get install erofs-utils",
		.run = mkfs_erofs,
	},
	{
		.id = "fuse_overlayfs", .group = "tools",
		.title = "Is there fuse-overlayfs?",
		.why = "Rootless engines use it where the kernel's overlayfs cannot be used.",
		.how = "fuse-overlayfs --version.",
		.since = "fuse-overlayfs 0.3",
		.remedy = "Install it:\n  apt-get install fuse-overlayfs",
		.run = fuse_overlayfs,
	},
	{
		.id = "fuse_device", .group = "tools",
		.title = "Can FUSE be used?",
		.why = "fuse-overlayfs needs it.",
		.how = "open(/dev/fuse).",
		.since = "Linux 2.6.14",
		.remedy = "Load the module, now and at every boot:\n"
		          "  modprobe fuse\n"
		          "  echo fuse > /etc/modules-load.d/fuse.conf",
		.run = fuse_device,
	},
	{
		.id = "loop_devices", .group = "tools",
		.title = "Can files be used as disks?",
		.why = "EROFS images before Linux 6.12, and ovl2-bench's own image, are mounted so.",
		.how = "ioctl(LOOP_CTL_GET_FREE) of /dev/loop-control.",
		.since = "Linux 3.1",
		.remedy = "Load the module, now and at every boot:\n"
		          "  modprobe loop\n"
		          "  echo loop > /etc/modules-load.d/loop.conf",
		.run = loop_devices,
	},
	{
		.id = "newuidmap", .group = "tools",
		.title = "May users map ids of their own?",
		.why = "A rootless container has more than one user only so.",
		.how = "newuidmap and newgidmap are in PATH and set-uid root or have capabilities.",
		.since = "shadow 4.2",
		.remedy = "Install them:\n  apt-get install uidmap",
		.run = newuidmap,
	},
	{
		.id = "subordinate_ids", .group = "tools",
		.title = "Has a user 65536 subordinate ids?",
		.why = "That many a rootless container needs.",
		.how = "A line of /etc/subuid and one of /etc/subgid give that many to somebody.",
		.since = "shadow 4.2",
		.remedy = "Give them to the user who runs containers:\n"
		          "  usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER",
		.run = subordinate_ids,
	},
	{ .id = NULL },
};
/* clang-format on */
