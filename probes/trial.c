#include "trial.h"

#include "cleanup.h"
#include "dir.h"
#include "kernel_log.h"
#include "modules.h"
#include "mounts.h"
#include "probe.h"
#include "sandbox.h"
#include "sys.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* --------------------------------------------------------------- failures -- */

/* A formatted text as long as a message. */
#define FORMAT_INTO(text, format)                             \
	do {                                                  \
		va_list args_;                                \
                                                              \
		va_start(args_, format);                      \
		vsnprintf(text, sizeof(text), format, args_); \
		va_end(args_);                                \
	} while (0)

void trial_failed(struct trial *t, const char *format, ...)
{
	int sys = errno;
	char text[256];

	FORMAT_INTO(text, format);
	errno = sys;
	t->result = ovi_fail_errno(&t->reason, "%s", text);
}

void trial_refuse(struct trial *t, const char *format, ...)
{
	char text[256];

	FORMAT_INTO(text, format);
	t->result = ovi_fail(&t->reason, OVL2_E_UNSUPPORTED, "%s", text);
}

void trial_unknown(struct trial *t, int reason, const char *format, ...)
{
	char text[256];

	FORMAT_INTO(text, format);
	t->result = probe_unknown(&t->reason, (enum probe_reason)reason, "%s", text);
}

int trial_answer(struct trial *t, struct ovl2_evidence *ret_evidence, struct ovl2_error *err,
                 uint64_t value, const char *format, ...)
{
	char words[160];
	char text[400];

	if (trial_ok(t)) {
		FORMAT_INTO(text, format);
		return ovi_answer(1, ret_evidence, value, "%s", text);
	}

	ovi_kernel_log_read(t->log, words, sizeof(words));
	if (*words)
		ovi_fail_add(&t->reason, OVI_KERNEL_LOG_MARK "%s)", words);
	if (t->is_no || (!t->is_unasked && ovi_is_refusal(&t->reason)))
		return ovi_answer(0, ret_evidence, value, "%s", t->reason.message);
	if (err)
		*err = t->reason;

	return t->result;
}

/* ---------------------------------------------------------- beginning, end -- */

void trial_begin(struct trial *t, int directory)
{
	static const char *const names[] = { "lower", "lower2", "upper", "work", "merged", NULL };

	t->log = ovi_kernel_log_open();
	t->result = ovi_scratch_create(directory, &t->scratch, &t->reason);
	if (t->result < 0) {
		t->is_unasked = 1;
		return;
	}

	t->dir = t->scratch.dir;
	if (ovi_sys.fchdir(t->dir) < 0)
		trial_failed(t, "change to the scratch directory");
	else
		t->result = ovi_make_directories(t->dir, names, &t->reason);
	t->is_unasked = !trial_ok(t);
}

void trial_unmount(struct trial *t)
{
	ovi_close_fd(&t->root);
	t->root = -1;
	if (t->is_attached)
		ovi_sys.umount2("merged", MNT_DETACH);
	t->is_attached = 0;
}

void trial_release(struct trial *t)
{
	trial_unmount(t);
	ovi_close_fd(&t->log);
	ovi_scratch_release(&t->scratch);
}

/* ------------------------------------------------------------------ mounts -- */

/* "e overlay: Unknown parameter 'x'": what the kernel left in the mount context. */
static void read_context(int fs, char *words, size_t size)
{
	ssize_t length = ovi_sys.read(fs, words, size - 1);

	words[length > 0 ? length : 0] = '\0';
	words[strcspn(words, "\n")] = '\0';
	if (strlen(words) > 2)
		memmove(words, words + 2, strlen(words) - 1);
	else
		words[0] = '\0';
}

static void fail_context(struct trial *t, int fs, const char *action, const char *option)
{
	int sys = errno;
	char words[200];

	read_context(fs, words, sizeof(words));
	errno = sys;
	if (*words)
		trial_failed(t, "%s '%s' (%s)", action, option, words);
	else
		trial_failed(t, "%s '%s'", action, option);
}

static void set_options(struct trial *t, int fs, const char *options)
{
	char copy[512];
	char *rest = copy;
	char *option;

	snprintf(copy, sizeof(copy), "%s", options);
	while (trial_ok(t) && (option = strsep(&rest, ","))) {
		char *value = strchr(option, '=');
		unsigned int command = value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;

		if (value)
			*value++ = '\0';
		if (ovi_sys.fsconfig(fs, command, option, value, 0) < 0)
			fail_context(t, fs, "set overlay option", option);
	}
}

static int open_root(struct trial *t, int tree)
{
	if (sandbox_is_private() &&
	    ovi_sys.move_mount(tree, "", AT_FDCWD, "merged", MOVE_MOUNT_F_EMPTY_PATH) == 0)
		t->is_attached = 1;

	return trial_call(t, ovi_sys.openat(tree, ".", O_RDONLY | O_DIRECTORY, 0),
	                  "open the overlay's root");
}

/* Before Linux 5.2, and where a filter hides the newer calls. */
static void mount_old(struct trial *t, const char *options)
{
	if (!sandbox_is_private()) {
		trial_unknown(t, PROBE_REASON_NOPERM, "no mounts of its own for this process");
		return;
	}
	trial_call(t, ovi_sys.mount("overlay", "merged", "overlay", 0, options),
	           "mount overlay with '%s'", options);
	t->is_attached = trial_ok(t);
	t->root = trial_call(t, ovi_sys.openat(t->dir, "merged", O_RDONLY | O_DIRECTORY, 0),
	                     "open the overlay's root");
}

/* Both by the newer calls; -1 where there are none, with errno ENOSYS, or on failure. */
static int make_tree(struct trial *t, const char *options)
{
	cleanup_fd int fs = ovi_sys.fsopen("overlay", FSOPEN_CLOEXEC);

	if (fs < 0 && errno == ENOSYS)
		return -1;
	if (fs < 0) {
		trial_failed(t, "fsopen overlay");
		return -1;
	}

	set_options(t, fs, options);
	if (trial_ok(t) && ovi_sys.fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		fail_context(t, fs, "mount overlay with", options);

	return trial_call(t, ovi_sys.fsmount(fs, FSMOUNT_CLOEXEC, 0), "fsmount");
}

void trial_mount(struct trial *t, const char *options)
{
	cleanup_fd int tree = -1;

	if (!trial_ok(t))
		return;

	tree = make_tree(t, options);
	if (tree < 0 && trial_ok(t)) {
		mount_old(t, options);
		return;
	}
	if (trial_ok(t))
		t->root = open_root(t, tree);
}

int trial_tree(struct trial *t, const char *options)
{
	cleanup_fd int tree = -1;

	if (!trial_ok(t))
		return -1;
	tree = make_tree(t, options);
	if (tree < 0 && trial_ok(t))
		trial_unknown(t, PROBE_REASON_NOSUPPORT, "no detached mounts (Linux >= 5.2)");

	return trial_call(t, ovi_sys.openat(tree, ".", O_RDONLY | O_DIRECTORY, 0),
	                  "open the overlay's root");
}

/* What `name` is when mountinfo does not show it. */
static int has_default(struct trial *t, const char *name, const char *value)
{
	int letter = modules_parameter("overlay", name, &t->reason);

	if (letter < 0)
		t->result = letter;

	return (letter == 'Y' && strcmp(value, "on") == 0) ||
	       (letter == 'N' && strcmp(value, "off") == 0);
}

static int is_shown(struct trial *t, const struct mounts *mounts, const char *name,
                    const char *value)
{
	const struct mounts_entry *entry;
	char path[PATH_MAX + 8];
	size_t length = 0;
	const char *shown;

	snprintf(path, sizeof(path), "%s/merged", t->scratch.path);
	entry = mounts_find_target(mounts, path);
	shown = entry ? mounts_option(entry->super_options, name, &length) : NULL;
	if (!shown)
		return has_default(t, name, value);

	return !*value || (length == strlen(value) && strncmp(shown, value, length) == 0);
}

int trial_has_option(struct trial *t, const char *name, const char *value)
{
	cleanup_mounts struct mounts mounts = { 0 };

	if (!t->is_attached) {
		trial_unknown(t, PROBE_REASON_NOPERM, "no mounts of its own for this process");
		return 0;
	}
	if (mounts_read(&mounts) < 0) {
		trial_failed(t, "read /proc/self/mountinfo");
		return 0;
	}

	return is_shown(t, &mounts, name, value);
}

/* ------------------------------------------------------------------- files -- */

void trial_directory(struct trial *t, int at, const char *name)
{
	if (!trial_ok(t))
		return;
	trial_call(t, ovi_sys.mkdirat(at, name, 0755), "create directory '%s'", name);
	t->is_unasked = !trial_ok(t) && at == t->dir;
}

void trial_file(struct trial *t, int at, const char *name, const char *text)
{
	if (!trial_ok(t))
		return;
	t->result = ovi_append_file(at, name, text, &t->reason);
	t->is_unasked = !trial_ok(t) && at == t->dir;
}

long trial_attribute(struct trial *t, const char *path, const char *name, char *value, size_t size)
{
	ssize_t length = -1;

	if (!trial_ok(t))
		return -1;
	length = ovi_sys.lgetxattr(path, name, value, size);
	if (length < 0 && errno != ENODATA)
		trial_failed(t, "read attribute %s of '%s'", name, path);

	return length;
}

void trial_set_attribute(struct trial *t, const char *path, const char *name, const void *value,
                         size_t size)
{
	trial_call(t, ovi_sys.lsetxattr(path, name, value, size, 0), "set attribute %s of '%s'",
	           name, path);
}

void trial_chown(struct trial *t, const char *name, uid_t uid, gid_t gid)
{
	if (!trial_ok(t) || ovi_sys.fchownat(t->dir, name, uid, gid, 0) == 0)
		return;
	if (errno == EINVAL)
		trial_unknown(t, PROBE_REASON_NOPERM,
		              "chown to %u:%u: not ids of this user namespace", uid, gid);
	else
		trial_failed(t, "chown to %u:%u", uid, gid);
}

void trial_read(struct trial *t, int at, const char *name, char *ret_text, size_t size)
{
	cleanup_fd int fd = -1;
	int length;

	fd = trial_call(t, ovi_sys.openat(at, name, O_RDONLY, 0), "open '%s'", name);
	length = trial_call(t, ovi_sys.read(fd, ret_text, size - 1), "read '%s'", name);
	ret_text[length > 0 ? length : 0] = '\0';
}

int trial_has_text(struct trial *t, int at, const char *name, const char *text)
{
	char found[64];

	trial_read(t, at, name, found, sizeof(found));

	return trial_ok(t) && strcmp(found, text) == 0;
}

int trial_lists(struct trial *t, int at, const char *path, const char *name)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	cleanup_fd int dir = -1;

	dir = trial_call(t, ovi_sys.openat(at, path, O_RDONLY | O_DIRECTORY, 0), "open '%s'", path);
	if (!trial_ok(t))
		return 0;

	t->result = ovi_dir_list(dir, path, &listing, &t->reason);
	for (size_t i = 0; i < listing.count; i++)
		if (strcmp(listing.names[i].name, name) == 0)
			return 1;

	return 0;
}

int trial_is_whiteout(struct trial *t, const char *path)
{
	struct stat st = { 0 };

	trial_call(t, ovi_sys.fstatat(t->dir, path, &st, AT_SYMLINK_NOFOLLOW), "look at '%s'",
	           path);

	return S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
}

int trial_exists(struct trial *t, int at, const char *name)
{
	struct stat st;

	if (!trial_ok(t))
		return 0;
	if (ovi_sys.fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	if (errno != ENOENT)
		trial_failed(t, "look for '%s'", name);

	return 0;
}
