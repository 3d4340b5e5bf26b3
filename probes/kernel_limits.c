#include "families.h"

#include "answer.h"
#include "cleanup.h"
#include "fail.h"
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/*
 * Limits of the kernel that run out before the disk does. Each is compared with a
 * figure that somebody recommends; the answer's value is what was found.
 */

/* The first numbers in `path`; as many as are read. */
static int read_figures(const char *path, uint64_t *ret_figures, size_t count,
                        struct ovl2_error *err)
{
	cleanup_fd int fd = ovi_sys.openat(AT_FDCWD, path, O_RDONLY, 0);
	char text[128];
	char *at = text;
	ssize_t length;

	if (fd < 0 && errno == ENOENT)
		return probe_unknown(err, PROBE_REASON_NOT_APPLICABLE, "this kernel has no '%s'",
		                     path);
	if (fd < 0)
		return ovi_fail_errno(err, "open '%s'", path);
	length = ovi_sys.read(fd, text, sizeof(text) - 1);
	if (length < 0)
		return ovi_fail_errno(err, "read '%s'", path);
	text[length] = '\0';

	for (size_t i = 0; i < count; i++) {
		char *end;

		ret_figures[i] = strtoull(at, &end, 10);
		if (end == at)
			return ovi_fail(err, OVL2_E_SYSTEM, "no number %zu in '%s'", i + 1, path);
		at = end;
	}

	return 0;
}

struct limit {
	const char *path;
	uint64_t wanted;
};

/* Yes when each is at least what is wanted; the first that is not is the value. */
static int compare_limits(const struct limit *limits, size_t count,
                          struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	uint64_t figures[4] = { 0 };
	char text[256] = "";

	for (size_t i = 0; i < count; i++) {
		const char *name = strrchr(limits[i].path, '/') + 1;
		int r = read_figures(limits[i].path, &figures[i], 1, err);

		if (r < 0)
			return r;
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s %llu",
		         i ? ", " : "", name, (unsigned long long)figures[i]);
	}
	for (size_t i = 0; i < count; i++)
		if (figures[i] < limits[i].wanted)
			return ovi_answer(0, ret_evidence, figures[i], "%s: %llu is less than %llu",
			                  text, (unsigned long long)figures[i],
			                  (unsigned long long)limits[i].wanted);

	return ovi_answer(1, ret_evidence, figures[0], "%s", text);
}

static int namespace_limits(int directory, struct ovl2_evidence *ret_evidence,
                            struct ovl2_error *err)
{
	static const struct limit limits[] = {
		{ "/proc/sys/user/max_mnt_namespaces", 1024 },
		{ "/proc/sys/user/max_pid_namespaces", 1024 },
		{ "/proc/sys/user/max_net_namespaces", 1024 },
		{ "/proc/sys/user/max_user_namespaces", 1024 },
	};

	(void)directory;

	return compare_limits(limits, ARRAY_SIZE(limits), ret_evidence, err);
}

static int inotify_limits(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	static const struct limit limits[] = {
		{ "/proc/sys/fs/inotify/max_user_instances", 512 },
		{ "/proc/sys/fs/inotify/max_user_watches", 65536 },
	};

	(void)directory;

	return compare_limits(limits, ARRAY_SIZE(limits), ret_evidence, err);
}

static int key_limits(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	static const struct limit limits[] = {
		{ "/proc/sys/kernel/keys/root_maxkeys", 10001 },
		{ "/proc/sys/kernel/keys/root_maxbytes", 250000 },
	};

	(void)directory;

	return compare_limits(limits, ARRAY_SIZE(limits), ret_evidence, err);
}

static int process_limits(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	static const struct limit limits[] = {
		{ "/proc/sys/kernel/pid_max", 32768 },
		{ "/proc/sys/kernel/threads-max", 32768 },
		{ "/proc/sys/vm/max_map_count", 65530 },
	};

	(void)directory;

	return compare_limits(limits, ARRAY_SIZE(limits), ret_evidence, err);
}

/* Yes while at least half of `limit` is free. */
static int compare_use(const char *what, uint64_t used, uint64_t limit,
                       struct ovl2_evidence *ret_evidence)
{
	uint64_t left = limit > used ? limit - used : 0;

	return ovi_answer(left >= limit / 2, ret_evidence, left,
	                  "%llu of %llu %s are in use, %llu are left", (unsigned long long)used,
	                  (unsigned long long)limit, what, (unsigned long long)left);
}

static int count_lines(const char *path, uint64_t *ret_count, struct ovl2_error *err)
{
	cleanup_fd int fd = ovi_sys.openat(AT_FDCWD, path, O_RDONLY, 0);
	char block[8192];
	ssize_t length;

	if (fd < 0)
		return ovi_fail_errno(err, "open '%s'", path);

	*ret_count = 0;
	while ((length = ovi_sys.read(fd, block, sizeof(block))) > 0)
		for (ssize_t i = 0; i < length; i++)
			*ret_count += block[i] == '\n';
	if (length < 0)
		return ovi_fail_errno(err, "read '%s'", path);

	return 0;
}

static int mount_headroom(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	uint64_t limit = 0;
	uint64_t used = 0;
	int r;

	(void)directory;
	r = read_figures("/proc/sys/fs/mount-max", &limit, 1, err);
	if (r == 0)
		r = count_lines("/proc/self/mountinfo", &used, err);
	if (r < 0)
		return r;

	return compare_use("mounts", used, limit, ret_evidence);
}

/* "1234 0 9223372036854775807": open, unused, limit. */
static int file_headroom(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	uint64_t figures[3] = { 0 };
	int r;

	(void)directory;
	r = read_figures("/proc/sys/fs/file-nr", figures, ARRAY_SIZE(figures), err);
	if (r < 0)
		return r;

	return compare_use("open files", figures[0], figures[2], ret_evidence);
}

static int open_file_limit(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	static const struct limit limits[] = { { "/proc/sys/fs/nr_open", 1048576 } };

	(void)directory;

	return compare_limits(limits, ARRAY_SIZE(limits), ret_evidence, err);
}

/* clang-format off */
#define RAISE(settings) \
	"Raise what is too low, now and at every boot:\n" \
	"  printf '" settings "' > /etc/sysctl.d/90-containers.conf\n" \
	"  sysctl --system"
/* clang-format on */

const struct probe probe_limits_family[] = {
	{
		.id = "namespace_limits",
		.group = "kernel",
		.title = "Are at least 1024 namespaces of each kind allowed?",
		.why = "Each container takes one or more of each; beyond the limit unshare says "
		       "\"No space left on device\", which is not the disk.",
		.how = "Reads max_{mnt,pid,net,user}_namespaces in /proc/sys/user.",
		.since = "Linux 4.9",
		.remedy =
			RAISE("user.max_mnt_namespaces=28633\\nuser.max_pid_namespaces=28633\\n"
	                      "user.max_net_namespaces=28633\\nuser.max_user_namespaces=28633\\n"),
		.run = namespace_limits,
	},
	{
		.id = "mount_headroom",
		.group = "kernel",
		.title = "Is at least half of the mounts allowed still free?",
		.why = "Each running container takes several. Beyond fs.mount-max mounting fails "
		       "with \"No space left on device\", which is not the disk.",
		.how = "Reads /proc/sys/fs/mount-max and counts the lines of /proc/self/mountinfo.",
		.since = "Linux 4.9",
		.remedy = "Find what leaves mounts behind:\n"
			  "  findmnt -rn -o FSTYPE | sort | uniq -c | sort -n\n"
			  "Raise the limit meanwhile:\n"
			  "  sysctl -w fs.mount-max=200000",
		.run = mount_headroom,
	},
	{
		.id = "inotify_limits",
		.group = "kernel",
		.title = "Are there enough inotify instances and watches?",
		.why = "Engines, agents and programs in containers watch files, all as root; \"too "
		       "many open files\" is often this.",
		.how = "Reads max_user_instances (512 wanted) and max_user_watches (65536 wanted) in "
		       "/proc/sys/fs/inotify.",
		.since = "Linux 2.6.13",
		.remedy = RAISE("fs.inotify.max_user_instances=512\\n"
	                        "fs.inotify.max_user_watches=524288\\n"),
		.run = inotify_limits,
	},
	{
		.id = "key_limits",
		.group = "kernel",
		.title = "May root have more than 10000 keys?",
		.why = "Each container takes a keyring of root's; without one it does not start: "
		       "disk quota exceeded.",
		.how = "Reads root_maxkeys (more than 10000 wanted) and root_maxbytes (250000 "
		       "wanted) in /proc/sys/kernel/keys.",
		.since = "Linux 2.6.26; enough by default since 3.16",
		.remedy = RAISE("kernel.keys.root_maxkeys=1000000\\n"
	                        "kernel.keys.root_maxbytes=25000000\\n"),
		.run = key_limits,
	},
	{
		.id = "process_limits",
		.group = "kernel",
		.title = "Are there enough process ids, threads and mappings?",
		.why = "All containers share them.",
		.how = "Reads pid_max (32768 wanted) and threads-max (32768 wanted) in "
		       "/proc/sys/kernel and max_map_count (65530 wanted) in /proc/sys/vm.",
		.since = "any Linux",
		.remedy = RAISE("kernel.pid_max=4194304\\nkernel.threads-max=127000\\n"
	                        "vm.max_map_count=262144\\n"),
		.run = process_limits,
	},
	{
		.id = "file_headroom",
		.group = "kernel",
		.title = "Is at least half of the open files allowed still free?",
		.why = "All processes of the host and of its containers share the table.",
		.how = "Reads /proc/sys/fs/file-nr.",
		.since = "any Linux",
		.remedy =
			"Find who has most files open:\n"
			"  ls -d /proc/[0-9]*/fd | while read d; do echo $(ls $d | wc -l) $d; done "
			"| sort -n | tail\n"
			"Raise the limit:\n"
			"  sysctl -w fs.file-max=9223372036854775807",
		.run = file_headroom,
	},
	{
		.id = "open_file_limit",
		.group = "kernel",
		.title = "May one process have 1048576 files open?",
		.why = "Engines ask for that many for themselves and their containers, and do not "
		       "start when they are refused.",
		.how = "Reads /proc/sys/fs/nr_open.",
		.since = "Linux 2.6.25",
		.remedy = RAISE("fs.nr_open=1048576\\n"),
		.run = open_file_limit,
	},
	{ .id = NULL },
};
