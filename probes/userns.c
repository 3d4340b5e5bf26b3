#include "userns.h"

#include "cleanup.h"
#include "fail.h"
#include "file.h"
#include "sys.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct message {
	int result;
	struct ovl2_evidence evidence;
	struct ovl2_error err;
};

static int write_file(const char *path, const char *text, struct ovl2_error *err)
{
	cleanup_fd int fd = ovi_sys.openat(AT_FDCWD, path, O_WRONLY, 0);

	if (fd < 0)
		return ovi_fail_errno(err, "open '%s'", path);

	return ovi_write_all(fd, text, strlen(text), path, err);
}

/* ------------------------------------------------------------------ child -- */

static int become(uid_t uid, gid_t gid, struct ovl2_error *err)
{
	if (uid == geteuid())
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return ovi_fail_errno(err, "become user %u", (unsigned int)uid);

	return 0;
}

/* Its files in /proc would be root's, who it no longer is. */
static int enter(uid_t uid, gid_t gid, struct ovl2_error *err)
{
	char map[32];
	int r;

	prctl(PR_SET_DUMPABLE, 1);
	if (ovi_sys.unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
		ovi_fail_errno(err, "unshare a user namespace");
		return err->code = OVL2_E_UNSUPPORTED;
	}

	r = write_file("/proc/self/setgroups", "deny", err);
	snprintf(map, sizeof(map), "0 %u 1", (unsigned int)uid);
	if (r == 0)
		r = write_file("/proc/self/uid_map", map, err);
	snprintf(map, sizeof(map), "0 %u 1", (unsigned int)gid);
	if (r == 0)
		r = write_file("/proc/self/gid_map", map, err);

	return r;
}

/* Changes of identity take the signal back, so it is asked for after them. */
static void follow_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
}

struct run {
	uid_t uid;
	gid_t gid;
	userns_fn *function;
	void *data;
};

static void __attribute__((noreturn)) run_inside(const struct run *run, int pipe_end, pid_t parent)
{
	struct message message = { 0 };

	message.result = become(run->uid, run->gid, &message.err);
	if (message.result == 0)
		message.result = enter(run->uid, run->gid, &message.err);
	follow_parent(parent);
	if (message.result == 0)
		message.result = run->function(run->data, &message.evidence, &message.err);
	_exit(write(pipe_end, &message, sizeof(message)) == sizeof(message) ? 0 : 1);
}

/* ----------------------------------------------------------------- parent -- */

int userns_run(uid_t uid, gid_t gid, userns_fn *function, void *data,
               struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	const struct run run = { uid, gid, function, data };
	struct message message = { 0 };
	pid_t self = getpid();
	ssize_t length;
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return ovi_fail_errno(err, "create a pipe");
	child = fork();
	if (child == 0)
		run_inside(&run, ends[1], self);
	ovi_close_fd(&ends[1]);
	length = child < 0 ? -1 : read(ends[0], &message, sizeof(message));
	if (child < 0)
		ovi_fail_errno(&message.err, "start a process");
	ovi_close_fd(&ends[0]);
	if (child < 0)
		message.result = message.err.code;
	else
		waitpid(child, NULL, 0);
	if (child >= 0 && length != sizeof(message))
		message.result = ovi_fail(&message.err, OVL2_E_SYSTEM,
		                          "a process in a user namespace ended without a word");

	if (message.result < 0 && err)
		*err = message.err;
	if (message.result >= 0 && ret_evidence)
		*ret_evidence = message.evidence;

	return message.result;
}

/* The child only holds the namespace, until its parent has a descriptor of it. */
static void __attribute__((noreturn)) hold_namespace(int ready, int done, pid_t parent)
{
	int sys = ovi_sys.unshare(CLONE_NEWUSER) < 0 ? errno : 0;

	follow_parent(parent);
	if (write(ready, &sys, sizeof(sys)) == sizeof(sys))
		sys = (int)read(done, &sys, 1);
	_exit(sys != 0);
}

static int map_child(pid_t child, uid_t first, unsigned int count, int *ret_fd,
                     struct ovl2_error *err)
{
	static const char *const files[] = { "uid_map", "gid_map" };
	char path[64];
	char map[64];
	int r = 0;
	int fd;

	snprintf(map, sizeof(map), "0 %u %u", (unsigned int)first, count);
	for (size_t i = 0; i < ARRAY_SIZE(files) && r == 0; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)child, files[i]);
		r = write_file(path, map, err);
	}
	if (r < 0)
		return r;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)child);
	fd = ovi_sys.openat(AT_FDCWD, path, O_RDONLY, 0);
	if (fd < 0)
		return ovi_fail_errno(err, "open '%s'", path);
	*ret_fd = fd;

	return 0;
}

int userns_open(uid_t first, unsigned int count, int *ret_fd, struct ovl2_error *err)
{
	pid_t self = getpid();
	int ready[2];
	int done[2];
	pid_t child;
	int sys = 0;
	int r;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return ovi_fail_errno(err, "create a pipe");
	if (pipe2(done, O_CLOEXEC) < 0) {
		r = ovi_fail_errno(err, "create a pipe");
		ovi_close_fd(&ready[0]);
		ovi_close_fd(&ready[1]);
		return r;
	}

	child = fork();
	if (child == 0) {
		ovi_close_fd(&done[1]);
		hold_namespace(ready[1], done[0], self);
	}
	ovi_close_fd(&ready[1]);
	ovi_close_fd(&done[0]);
	if (child < 0 || read(ready[0], &sys, sizeof(sys)) != sizeof(sys) || sys) {
		errno = sys ? sys : errno;
		r = ovi_fail_errno(err, "unshare a user namespace");
	} else {
		r = map_child(child, first, count, ret_fd, err);
	}
	ovi_close_fd(&ready[0]);
	ovi_close_fd(&done[1]);
	if (child > 0)
		waitpid(child, NULL, 0);

	return r;
}
