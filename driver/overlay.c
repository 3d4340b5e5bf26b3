#include "overlay.h"

#include "advice.h"
#include "cleanup.h"
#include "fail.h"
#include "id.h"
#include "kernel_log.h"
#include "sys.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/single_threaded.h>
#include <sys/statvfs.h>

/* One fsconfig(2) string: 256 bytes with its NUL (fs/fsopen.c, strndup_user). */
#define MAX_STRING_BYTES 255

static const char *const method_names[] = {
	[OVL2_MOUNT_AUTO] = "auto",
	[OVL2_MOUNT_ABSOLUTE] = "absolute",
	[OVL2_MOUNT_RELATIVE] = "relative",
	[OVL2_MOUNT_APPEND] = "append",
	[OVL2_MOUNT_FD] = "fd",
};

const char *ovl2_mount_method_name(enum ovl2_mount_method method)
{
	return (size_t)method < ARRAY_SIZE(method_names) ? method_names[method] : NULL;
}

/* ------------------------------------------------------------- the choice -- */

/* The store's path, as mount data wants it: overlayfs.rst, "escaped with a backslash". */
static void add_escaped(struct ovi_strbuf *data, const char *special, const char *path)
{
	for (;;) {
		size_t plain = strcspn(path, special);

		ovi_strbuf_add_bytes(data, path, plain);
		path += plain;
		if (!*path)
			break;
		ovi_strbuf_add(data, "\\");
		ovi_strbuf_add_bytes(data, path++, 1);
	}
	ovi_strbuf_add(data, "/");
}

static void add_path(struct ovi_strbuf *data, const char *prefix, const char *path)
{
	ovi_strbuf_add(data, prefix);
	ovi_strbuf_add(data, path);
}

void ovi_overlay_data(const struct ovi_overlay *overlay, enum ovl2_mount_method method,
                      struct ovi_strbuf *data)
{
	cleanup_strbuf struct ovi_strbuf root = { 0 };

	if (method == OVL2_MOUNT_APPEND || method == OVL2_MOUNT_FD)
		return;

	ovi_strbuf_add(&root, "");
	if (method == OVL2_MOUNT_ABSOLUTE)
		add_escaped(&root, ":,\\", overlay->home_path);

	/* Room for nearly all there is, so that it is not copied as it grows. */
	ovi_strbuf_reserve(data, overlay->lower_count * (root.length + OVI_LINK_SIZE) + 512);
	ovi_strbuf_add(data, "lowerdir=");
	for (size_t i = 0; i < overlay->lower_count; i++) {
		if (i > 0)
			ovi_strbuf_add(data, ":");
		add_path(data, root.text, overlay->lower[i]);
	}
	if (overlay->upper) {
		ovi_strbuf_add(data, ",upperdir=");
		add_path(data, root.text, overlay->upper);
		ovi_strbuf_add(data, ",workdir=");
		add_path(data, root.text, overlay->work);
	}
	if (overlay->options && *overlay->options)
		add_path(data, ",", overlay->options);
	if (overlay->label)
		ovi_strbuf_addf(data, ",context=\"%s\"", overlay->label);
	data->failed |= root.failed;
}

size_t ovi_option_length(const char *data)
{
	int is_quoted = 0;
	size_t at = 0;

	for (; data[at] && (is_quoted || data[at] != ','); at++) {
		if (data[at] == '"')
			is_quoted = !is_quoted;
		else if (data[at] == '\\' && data[at + 1])
			at++;
	}

	return at;
}

static int fits_strings(const struct ovi_overlay *overlay)
{
	cleanup_strbuf struct ovi_strbuf escaped = { 0 };
	size_t root = strlen(overlay->home_path) + 1;

	for (size_t i = 0; i < overlay->lower_count; i++)
		if (root + strlen(overlay->lower[i]) > MAX_STRING_BYTES)
			return 0;

	add_escaped(&escaped, "\\", overlay->home_path);
	root = escaped.length;

	return !overlay->upper || (root + strlen(overlay->upper) <= MAX_STRING_BYTES &&
	                           root + strlen(overlay->work) <= MAX_STRING_BYTES);
}

static int check_label(const char *label, struct ovl2_error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.,:-";

	if (label && (!*label || label[strspn(label, allowed)]))
		return ovi_fail(err, OVL2_E_INVALID,
		                "mount label '%s' has characters other than letters, digits and "
		                "'_.,:-'",
		                label);

	return 0;
}

/* `data` becomes what mount(2) is to be given: see ovi_overlay_data(). */
static int check_method(const struct ovi_overlay *overlay, enum ovl2_mount_method method,
                        struct ovi_strbuf *data, struct ovl2_error *err)
{
	ovi_strbuf_cut(data, 0);
	ovi_overlay_data(overlay, method, data);
	if (data->failed)
		return ovi_fail_memory(err);

	if (data->length > OVI_MAX_DATA_BYTES)
		return ovi_fail(err, OVL2_E_UNSUPPORTED,
		                "%zu lowers need %zu bytes of mount data and method %s takes %d: "
		                "use method fd or append (Linux >= 6.15 or 6.7)",
		                overlay->lower_count, data->length, method_names[method],
		                OVI_MAX_DATA_BYTES);

	return 0;
}

/* Does this kernel take lowers one by one? It will not learn it while we run. */
enum { UNKNOWN, YES, NO };
static atomic_int takes_descriptors = UNKNOWN; /* by descriptor: Linux >= 6.15 */
static atomic_int takes_strings = UNKNOWN;     /* by name: Linux >= 6.7 */

/*
 * Before Linux 6.5 any name is taken for overlayfs, as text for mount(2) that nobody looks
 * at yet (legacy_parse_param() in fs/fs_context.c). Then errno is that of later ones.
 */
static int looks_at_names(int fs)
{
	if (ovi_sys.fsconfig(fs, FSCONFIG_SET_STRING, "ovl2", "/", 0) < 0)
		return 1;
	errno = EINVAL;

	return 0;
}

/* Asked with O_PATH, as layers are opened: Linux 6.13 and 6.14 take others only. */
static int takes(atomic_int *known, unsigned int command, int home)
{
	const char *name = command == FSCONFIG_SET_STRING ? "/" : NULL;
	cleanup_fd int fs = -1;
	cleanup_fd int path = -1;

	if (atomic_load(known) == UNKNOWN) {
		path = ovi_sys.openat(home, ".", O_PATH | O_DIRECTORY, 0);
		fs = ovi_sys.fsopen("overlay", FSOPEN_CLOEXEC);
		if (path < 0)
			return 0;
		if (fs >= 0 && (!name || looks_at_names(fs)) &&
		    ovi_sys.fsconfig(fs, command, "lowerdir+", name, name ? 0 : path) == 0)
			atomic_store(known, YES);
		/* EINVAL before 6.7, EOPNOTSUPP before 6.5; anything else tells nothing. */
		else if (errno == ENOSYS ||
		         (fs >= 0 && (errno == EBADF || errno == EINVAL || errno == EOPNOTSUPP)))
			atomic_store(known, NO);
	}

	return atomic_load(known) == YES;
}

int ovi_overlay_by_descriptor(int home, enum ovl2_mount_method wanted)
{
	return wanted == OVL2_MOUNT_FD ||
	       (wanted == OVL2_MOUNT_AUTO && takes(&takes_descriptors, FSCONFIG_SET_FD, home));
}

/*
 * Libc tells where there never was another thread (glibc >= 2.32). Where there was one,
 * the directory has a link for each thread, and two as every directory has.
 */
static int is_alone(void)
{
	struct stat st;

	if (__libc_single_threaded)
		return 1;

	return ovi_sys.fstatat(AT_FDCWD, "/proc/self/task", &st, 0) == 0 && st.st_nlink == 3;
}

/* To go to the store and back costs as much as to walk to it this often. */
#define FEW_LOWERS 8

/*
 * By which is fastest (bench `mount_depth`): names from the store are shorter walks, but
 * take a thread where there are others.
 */
static enum ovl2_mount_method choose_without_fd(const struct ovi_overlay *overlay,
                                                struct ovi_strbuf *data)
{
	static const enum ovl2_mount_method alone[] = {
		OVL2_MOUNT_RELATIVE,
		OVL2_MOUNT_ABSOLUTE,
		OVL2_MOUNT_APPEND,
	};
	static const enum ovl2_mount_method others[] = {
		OVL2_MOUNT_ABSOLUTE,
		OVL2_MOUNT_APPEND,
		OVL2_MOUNT_RELATIVE,
	};
	const enum ovl2_mount_method *order =
		overlay->lower_count > FEW_LOWERS && is_alone() ? alone : others;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (check_method(overlay, order[i], data, NULL) == 0 &&
		    (order[i] != OVL2_MOUNT_APPEND ||
		     takes(&takes_strings, FSCONFIG_SET_STRING, overlay->home)))
			return order[i];

	return OVL2_MOUNT_APPEND;
}

static int choose(const struct ovi_overlay *overlay, enum ovl2_mount_method wanted,
                  enum ovl2_mount_method *ret_method, struct ovi_strbuf *data,
                  struct ovl2_error *err)
{
	enum ovl2_mount_method method = wanted;
	int r;

	if (!ovl2_mount_method_name(wanted))
		return ovi_fail(err, OVL2_E_INVALID, "there is no mount method %d", (int)wanted);
	r = check_label(overlay->label, err);
	if (r < 0)
		return r;
	if (overlay->lower_count > OVI_MAX_LOWERS)
		return ovi_fail(err, OVL2_E_UNSUPPORTED, "%zu lowers are more than overlayfs's %d",
		                overlay->lower_count, OVI_MAX_LOWERS);

	if (wanted == OVL2_MOUNT_AUTO)
		method = ovi_overlay_by_descriptor(overlay->home, wanted)
		                 ? OVL2_MOUNT_FD
		                 : choose_without_fd(overlay, data);

	r = check_method(overlay, method, data, err);
	if (r < 0)
		return r;
	*ret_method = method;

	return 0;
}

int ovi_overlay_choose(const struct ovi_overlay *overlay, enum ovl2_mount_method wanted,
                       enum ovl2_mount_method *ret_method, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf data = { 0 };

	return choose(overlay, wanted, ret_method, &data, err);
}

/* ------------------------------------------------- through the mount context -- */

/*
 * Fails with "`action` '`operand`'" and, where the kernel left one, its own
 * reason. The errno of a failed mount is nearly always EINVAL; the filesystem
 * context keeps the sentence that explains it.
 */
static int fail_context(struct ovl2_error *err, int fs, const char *action, const char *operand)
{
	int sys = errno;
	char reason[256];
	ssize_t length;

	length = ovi_sys.read(fs, reason, sizeof(reason) - 1);
	errno = sys;
	if (length <= 2)
		return ovi_fail_errno(err, "%s '%s'", action, operand);

	/* "e text": a severity letter, a space, the text. */
	reason[length] = '\0';
	reason[strcspn(reason, "\n")] = '\0';

	/*
	 * How a kernel says that it knows this parameter not at all, or not so; or, before
	 * Linux 6.5, that it takes no more than mount(2) does.
	 */
	if (strstr(reason, "Unknown parameter") || strstr(reason, "Bad value") ||
	    strstr(reason, "options too large"))
		errno = EOPNOTSUPP;

	return ovi_fail_errno(err, "%s '%s' (%s)", action, operand, reason + 2);
}

/*
 * Until Linux 6.15 fsconfig(2) says EBADF to every O_PATH descriptor, whatever it is
 * for. Ours are open, so that can mean nothing else.
 */
static int set_descriptor(int fs, const char *key, int fd, const char *name, struct ovl2_error *err)
{
	if (ovi_sys.fsconfig(fs, FSCONFIG_SET_FD, key, NULL, fd) == 0)
		return 0;
	if (errno == EBADF)
		errno = EOPNOTSUPP;

	return fail_context(err, fs, key, name);
}

/* One directory of an overlay; fd is of it, or no descriptor (0, -1). */
struct directory {
	const char *key;
	const char *name;
	int fd;
};

/* How a mount context is told of the layers. */
enum telling { BY_DESCRIPTOR, BY_NAME, BY_PATH };

static int set_string(int fs, const struct directory *directory, const char *text,
                      struct ovl2_error *err)
{
	if (ovi_sys.fsconfig(fs, FSCONFIG_SET_STRING, directory->key, text, 0) < 0)
		return fail_context(err, fs, directory->key, directory->name);

	return 0;
}

static int set_path(const struct ovi_overlay *overlay, int fs, const struct directory *directory,
                    struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };

	/* The kernel takes backslashes out of upperdir and workdir, not of lowerdir+. */
	if (strcmp(directory->key, "lowerdir+") == 0)
		ovi_strbuf_addf(&path, "%s/", overlay->home_path);
	else
		add_escaped(&path, "\\", overlay->home_path);
	ovi_strbuf_add(&path, directory->name);

	return path.failed ? ovi_fail_memory(err) : set_string(fs, directory, path.text, err);
}

/* `parent`: where the name is opened; by name the kernel walks it from where we are. */
static int set_directory(const struct ovi_overlay *overlay, int fs, enum telling telling,
                         int parent, const struct directory *directory, struct ovl2_error *err)
{
	cleanup_fd int fd = -1;

	if (telling == BY_NAME)
		return set_string(fs, directory, directory->name, err);
	if (telling == BY_PATH)
		return set_path(overlay, fs, directory, err);
	if (directory->fd > 0)
		return set_descriptor(fs, directory->key, directory->fd, directory->name, err);

	fd = ovi_sys.openat(parent, directory->name, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return ovi_fail_errno(err, "open '%s/%s'", overlay->home_path, directory->name);

	return set_descriptor(fs, directory->key, fd, directory->name, err);
}

static int set_layers(const struct ovi_overlay *overlay, int fs, enum telling telling,
                      struct ovl2_error *err)
{
	const struct directory rest[] = {
		{ "upperdir", overlay->upper, overlay->upper_fd },
		{ "workdir", overlay->work, overlay->work_fd },
	};
	int below = overlay->tree > 0 ? overlay->tree : overlay->home;
	int r = 0;

	for (size_t i = 0; i < overlay->lower_count && r == 0; i++) {
		const struct directory lower = {
			.key = "lowerdir+",
			.name = overlay->lower[i],
			.fd = overlay->lower_fds ? overlay->lower_fds[i] : -1,
		};

		r = set_directory(overlay, fs, telling, below, &lower, err);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rest) && overlay->upper && r == 0; i++)
		r = set_directory(overlay, fs, telling, overlay->home, &rest[i], err);

	return r;
}

static int set_options(const struct ovi_overlay *overlay, int fs, struct ovl2_error *err)
{
	cleanup_free char *copy = NULL;
	char *rest;
	char *option;

	/* As mount(2) has it: the first column of /proc/mounts. */
	if (ovi_sys.fsconfig(fs, FSCONFIG_SET_STRING, "source", "overlay", 0) < 0)
		return fail_context(err, fs, "name the source", "overlay");
	if (overlay->label &&
	    ovi_sys.fsconfig(fs, FSCONFIG_SET_STRING, "context", overlay->label, 0) < 0)
		return fail_context(err, fs, "set mount label", overlay->label);
	if (!overlay->options)
		return 0;

	copy = strdup(overlay->options);
	if (!copy)
		return ovi_fail_memory(err);

	rest = copy;
	while ((option = strsep(&rest, ","))) {
		char *value = strchr(option, '=');
		unsigned int command = value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;

		if (!*option)
			continue;
		if (value)
			*value++ = '\0';
		if (ovi_sys.fsconfig(fs, command, option, value, 0) < 0)
			return fail_context(err, fs, "set overlay option", option);
	}

	return 0;
}

/*
 * Is the filesystem read-only that is mounted on `path` under `dir`, or that `dir` is of
 * where the path is empty? Before Linux 5.8 faccessat(2) takes no descriptor alone, and
 * fstatfs(2) tells: the slow way, because xfs finishes all removals first to say how much
 * is free.
 */
static int is_read_only(int dir, const char *path)
{
	int flags = AT_EACCESS | (*path ? 0 : AT_EMPTY_PATH);
	struct statfs fs;

	if (ovi_sys.faccessat(dir, path, W_OK, flags) == 0)
		return 0;
	if (*path || (errno != EINVAL && errno != ENOSYS))
		return errno == EROFS;

	return ovi_sys.fstatfs(dir, &fs) < 0 || (fs.f_flags & ST_RDONLY);
}

/*
 * Where overlayfs cannot make the directory that it works in, for want of room, it mounts
 * read-only and tells nobody but the kernel log (ovl_get_workdir in fs/overlayfs/super.c).
 */
static int check_writable(const struct ovi_overlay *overlay, int dir, const char *path,
                          struct ovl2_error *err)
{
	if (!overlay->upper || !is_read_only(dir, path))
		return 0;
	errno = EROFS;

	return ovi_fail_errno(err, "make an overlay of '%s/%s' writable", overlay->home_path,
	                      overlay->upper);
}

static int create_tree(const struct ovi_overlay *overlay, enum telling telling, int *ret_tree,
                       struct ovl2_error *err)
{
	cleanup_fd int fs = -1;
	int r;

	fs = ovi_sys.fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0)
		return ovi_fail_errno(err, "open an overlay mount context");

	r = set_layers(overlay, fs, telling, err);
	if (r == 0)
		r = set_options(overlay, fs, err);
	if (r < 0)
		return r;

	if (ovi_sys.fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail_context(err, fs, "create overlay in", overlay->home_path);

	*ret_tree = ovi_sys.fsmount(fs, FSMOUNT_CLOEXEC,
	                            overlay->attributes | (overlay->upper ? 0 : MOUNT_ATTR_RDONLY));
	if (*ret_tree < 0)
		return fail_context(err, fs, "create mount in", overlay->home_path);

	return check_writable(overlay, *ret_tree, "", err);
}

/* --------------------------------------------------------- through mount(2) -- */

static unsigned long mount_flags(const struct ovi_overlay *overlay)
{
	unsigned long flags = overlay->upper ? 0 : MS_RDONLY;

	flags |= overlay->attributes & MOUNT_ATTR_NODEV ? MS_NODEV : 0;
	flags |= overlay->attributes & MOUNT_ATTR_NOSUID ? MS_NOSUID : 0;
	flags |= overlay->attributes & MOUNT_ATTR_NOEXEC ? MS_NOEXEC : 0;

	return flags;
}

/* `path` is where `target` under home is to be found from here. */
static int mount_data(const struct ovi_overlay *overlay, const char *data, const char *path,
                      const char *target, struct ovl2_error *err)
{
	int r;

	if (ovi_sys.mount("overlay", path, "overlay", mount_flags(overlay), data) < 0)
		return ovi_fail_errno(err, "mount %zu lowers on '%s/%s'", overlay->lower_count,
		                      overlay->home_path, target);

	r = check_writable(overlay, AT_FDCWD, path, err);
	if (r < 0)
		ovi_sys.umount2(path, 0);

	return r;
}

/* A mount made by who has a working directory, or mounts as well, to himself. */
struct aside {
	const struct ovi_overlay *overlay;
	int in_namespace; /* of its own */
	const char *data; /* NULL: by names in a mount context, attached to nothing */
	const char *target;

	int *ret_tree; /* what is attached to nothing */
	int *ret_root; /* non-NULL: open the mount, then detach it */
	struct ovl2_error *err;
	int result;
};

/*
 * What the thread mounts must not show elsewhere. The root of a chroot is often not a
 * mount, and then says EINVAL, which is nothing about overlayfs.
 */
static int keep_to_thread(struct ovl2_error *err)
{
	if (ovi_sys.mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		return 0;
	if (errno == EINVAL)
		return ovi_fail(err, OVL2_E_SYSTEM,
		                "a mount cannot be kept to one thread in a chroot whose root is "
		                "not a mount (mount --bind DIR DIR before chroot DIR)");

	return ovi_fail_errno(err, "make the thread's mounts private");
}

static int mount_inside(const struct aside *job)
{
	const struct ovi_overlay *overlay = job->overlay;
	int root;
	int r;

	if (ovi_sys.fchdir(overlay->home) < 0)
		return ovi_fail_errno(job->err, "change directory to '%s'", overlay->home_path);

	/*
	 * In this order: the kernel moves the working directory to the new namespace,
	 * but not descriptors, and takes no layer from another namespace
	 * (clone_private_mount).
	 */
	if (job->in_namespace && ovi_sys.unshare(CLONE_NEWNS) < 0)
		return ovi_fail_errno(job->err, "give a thread mounts of its own");
	if (job->in_namespace) {
		r = keep_to_thread(job->err);
		if (r < 0)
			return r;
	}

	if (!job->data)
		return create_tree(overlay, BY_NAME, job->ret_tree, job->err);

	r = mount_data(overlay, job->data, job->target, job->target, job->err);
	if (r < 0 || !job->ret_root)
		return r;

	root = ovi_sys.openat(AT_FDCWD, job->target, O_RDONLY | O_DIRECTORY, 0);
	if (root < 0)
		r = ovi_fail_errno(job->err, "open '%s/%s'", overlay->home_path, job->target);
	else
		*job->ret_root = root;

	/* The namespace ends with the thread; this only hastens it. */
	ovi_sys.umount2(job->target, MNT_DETACH);

	return r;
}

static void *run_aside(void *data)
{
	struct aside *job = data;

	job->result = ovi_sys.unshare(CLONE_FS) < 0 ? ovi_fail_errno(job->err, "unshare a thread")
	                                            : mount_inside(job);

	return NULL;
}

/*
 * The caller waits, so its own processor is free for the thread and has all that it
 * needs in its caches; on another one it may wait for its turn, 2 ms on a busy machine.
 */
static void stay_on_processor(pthread_attr_t *attributes)
{
	int processor = sched_getcpu();
	cpu_set_t set;

	if (processor < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)processor, &set);
	pthread_attr_setaffinity_np(attributes, sizeof(set), &set);
}

enum { ANYWHERE, ON_THIS_PROCESSOR };

/* Signals are the program's: none is to be handled in a thread that it does not know. */
static int start_aside(struct aside *job, int where, pthread_t *ret_thread)
{
	pthread_attr_t attributes;
	sigset_t all;
	int sys;

	sigfillset(&all);
	pthread_attr_init(&attributes);
	sys = pthread_attr_setsigmask_np(&attributes, &all);
	if (where == ON_THIS_PROCESSOR)
		stay_on_processor(&attributes);
	if (!sys)
		sys = pthread_create(ret_thread, &attributes, run_aside, job);
	pthread_attr_destroy(&attributes);

	return sys;
}

/*
 * Threads share one working directory until one of them unshares it, so the
 * caller's is never touched. A thread costs some 30 us, the seed's fork and exec
 * of itself 2.5 ms.
 */
static int wait_aside(struct aside *job)
{
	pthread_t thread;
	int sys = start_aside(job, ON_THIS_PROCESSOR, &thread);

	/* The processor was taken away from us meanwhile, or we are not told which it is. */
	if (sys == EINVAL)
		sys = start_aside(job, ANYWHERE, &thread);
	if (sys) {
		errno = sys;
		return ovi_fail_errno(job->err, "start a thread to mount in");
	}
	pthread_join(thread, NULL);

	return job->result;
}

/*
 * Where there is one thread, nobody else has its working directory, and with signals held
 * back nobody sees that it is another for a moment: that takes 3 us. A directory that one
 * cannot be sure to get back to is left to a thread.
 */
static int mount_here(struct aside *job)
{
	cleanup_fd int before = -1;
	sigset_t signals;
	sigset_t all;
	int r;

	before = ovi_sys.openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY, 0);
	if (before < 0 || ovi_sys.fchdir(before) < 0)
		return wait_aside(job);

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &signals);
	r = mount_inside(job);
	if (ovi_sys.fchdir(before) < 0 && r == 0) {
		r = ovi_fail_errno(job->err, "return to the working directory");
		if (job->data)
			ovi_sys.umount2(job->target, 0);
	}
	pthread_sigmask(SIG_SETMASK, &signals, NULL);

	return r;
}

static int attach_relative(const struct ovi_overlay *overlay, const char *data, const char *target,
                           struct ovl2_error *err)
{
	struct aside job = {
		.overlay = overlay,
		.data = data,
		.target = target,
		.err = err,
	};

	return is_alone() ? mount_here(&job) : wait_aside(&job);
}

/*
 * Where there are other threads paths are walked from the root, if they fit: that costs
 * less than a thread up to some 250 lowers.
 */
static int build_tree(const struct ovi_overlay *overlay, int by_descriptor, int *ret_tree,
                      struct ovl2_error *err)
{
	struct aside job = { .overlay = overlay, .ret_tree = ret_tree, .err = err };

	if (by_descriptor)
		return create_tree(overlay, BY_DESCRIPTOR, ret_tree, err);
	if (is_alone())
		return mount_here(&job);

	return fits_strings(overlay) ? create_tree(overlay, BY_PATH, ret_tree, err)
	                             : wait_aside(&job);
}

static int attach_tree(const struct ovi_overlay *overlay, int by_descriptor, const char *target,
                       struct ovl2_error *err)
{
	cleanup_fd int tree = -1;
	int r;

	r = build_tree(overlay, by_descriptor, &tree, err);
	if (r < 0)
		return r;

	/* Nothing is visible before this call, so every return above is clean. */
	if (ovi_sys.move_mount(tree, "", overlay->home, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "attach overlay to '%s/%s'", overlay->home_path, target);

	return 0;
}

static int attach_absolute(const struct ovi_overlay *overlay, const char *data, const char *target,
                           struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };

	ovi_strbuf_addf(&path, "%s/%s", overlay->home_path, target);
	if (path.failed)
		return ovi_fail_memory(err);

	return mount_data(overlay, data, path.text, target, err);
}

/* `data` as ovi_overlay_data() has it for this method. */
static int attach_by(const struct ovi_overlay *overlay, enum ovl2_mount_method method,
                     const struct ovi_strbuf *data, const char *target, struct ovl2_error *err)
{
	if (method == OVL2_MOUNT_RELATIVE)
		return attach_relative(overlay, data->text, target, err);
	if (method == OVL2_MOUNT_ABSOLUTE)
		return attach_absolute(overlay, data->text, target, err);

	return attach_tree(overlay, method == OVL2_MOUNT_FD, target, err);
}

/*
 * Lines of the log that were there at an attempt, and at each one before. To fall back to
 * something else is no reason to fail.
 */
static void keep_common(int log, int is_first, struct ovi_strbuf *lines)
{
	struct ovi_strbuf common = { 0 };
	char line[256];

	while (ovi_kernel_log_next(log, line, sizeof(line)))
		if (!strstr(line, "falling back") &&
		    (is_first || (lines->text && strstr(lines->text, line))))
			ovi_strbuf_addf(&common, "%s\n", line);
	ovi_strbuf_release(lines);
	*lines = common;
}

/* The log is everybody's: what is said at each attempt is about this mount. */
#define ATTEMPTS 3

/*
 * Most of what overlayfs dislikes it tells nobody but the kernel log. So what failed is
 * tried again with the log being watched, and what is said there is part of the error,
 * with what can be done about it.
 */
static int attach_watched(const struct ovi_overlay *overlay, enum ovl2_mount_method method,
                          const struct ovi_strbuf *data, const char *target, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf lines = { 0 };
	const char *words = "";
	int r;

	for (int i = 0; i < ATTEMPTS; i++) {
		cleanup_fd int log = ovi_kernel_log_open();

		r = attach_by(overlay, method, data, target, err);
		if (r == 0)
			return 0;
		keep_common(log, i == 0, &lines);
	}
	if (lines.length > 0) {
		const char *last;

		lines.text[lines.length - 1] = '\0';
		last = strrchr(lines.text, '\n');
		words = last ? last + 1 : lines.text;
	}
	ovi_advice_add(err, words);

	return r;
}

int ovi_overlay_attach(const struct ovi_overlay *overlay, enum ovl2_mount_method wanted,
                       const char *target, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf data = { 0 };
	enum ovl2_mount_method method = OVL2_MOUNT_AUTO;
	int r;

	r = choose(overlay, wanted, &method, &data, err);
	if (r < 0)
		return r;

	r = attach_by(overlay, method, &data, target, err);
	if (r == OVL2_E_SYSTEM || r == OVL2_E_BUSY)
		r = attach_watched(overlay, method, &data, target, err);
	else if (r < 0)
		ovi_advice_add(err, "");

	return r;
}

/* ------------------------------------------------------- attached nowhere -- */

/*
 * For kernels that do not take layers by descriptor: mounted in a namespace that
 * exists only in one thread, over the first lower (any directory would do), and
 * detached again as soon as the root is open.
 */
static int open_aside(const struct ovi_overlay *overlay, const char *data, int *ret_root,
                      struct ovl2_error *err)
{
	struct aside job = {
		.overlay = overlay,
		.in_namespace = 1,
		.data = data,
		.target = overlay->lower[0],
		.ret_root = ret_root,
		.err = err,
	};

	return wait_aside(&job);
}

static int open_tree_root(const struct ovi_overlay *overlay, int by_descriptor, int *ret_root,
                          struct ovl2_error *err)
{
	cleanup_fd int tree = -1;
	int root;
	int r;

	r = build_tree(overlay, by_descriptor, &tree, err);
	if (r < 0)
		return r;

	/* What fsmount(2) returns is O_PATH: it cannot be read or synced. */
	root = ovi_sys.openat(tree, ".", O_RDONLY | O_DIRECTORY, 0);
	if (root < 0)
		return ovi_fail_errno(err, "open the root of an overlay in '%s'",
		                      overlay->home_path);
	*ret_root = root;

	return 0;
}

int ovi_overlay_open_by(const struct ovi_overlay *overlay, enum ovl2_mount_method method,
                        int *ret_root, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf data = { 0 };
	int r;

	r = check_method(overlay, method, &data, err);
	if (r < 0)
		return r;
	if (method == OVL2_MOUNT_ABSOLUTE || method == OVL2_MOUNT_RELATIVE)
		return open_aside(overlay, data.text, ret_root, err);

	return open_tree_root(overlay, method == OVL2_MOUNT_FD, ret_root, err);
}

int ovi_overlay_open(const struct ovi_overlay *overlay, int *ret_root, struct ovl2_error *err)
{
	struct ovl2_error reason = { 0 };
	int r;

	r = open_tree_root(overlay, 1, ret_root, &reason);
	if (r == OVL2_E_UNSUPPORTED) {
		r = ovi_overlay_open_by(overlay, OVL2_MOUNT_RELATIVE, ret_root, &reason);
		/* What does not fit there; or it is not known here either, and says so. */
		if (r == OVL2_E_UNSUPPORTED)
			return ovi_overlay_open_by(overlay, OVL2_MOUNT_APPEND, ret_root, err);
	}
	if (r < 0 && err)
		*err = reason;

	return r;
}
