/*
 * What overlayfs does once it is mounted. That an option was taken says nothing: the
 * kernel switches some off without a word. So each probe reads the option back, uses the
 * feature, and looks at what it left in the upper directory.
 */

#include "families.h"

#include "cleanup.h"
#include "sandbox.h"
#include "sys.h"
#include "trial.h"
#include "userns.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#define PLAIN "lowerdir=lower,upperdir=upper,workdir=work"
#define TWO_LOWERS "lowerdir=lower:lower2,upperdir=upper,workdir=work"

/* A path by which attributes of `name` in the overlay can be had; into `path`. */
static const char *in_overlay(const struct trial *t, const char *name, char *path, size_t size)
{
	snprintf(path, size, "/proc/self/fd/%d/%s", t->root, name);

	return path;
}

static int attribute_is(struct trial *t, const char *path, const char *name, const char *value)
{
	char found[256] = "";
	long length = trial_attribute(t, path, name, found, sizeof(found));

	return length == (long)strlen(value) && memcmp(found, value, strlen(value)) == 0;
}

/* Option `name` is on, and not only asked for. */
static void expect_option(struct trial *t, const char *name, const char *value)
{
	if (trial_ok(t) && t->is_attached)
		trial_expect(t, trial_has_option(t, name, value),
		             "the kernel took %s%s%s and switched it off", name, *value ? "=" : "",
		             value);
}

/* ---------------------------------------------------------------- the basics -- */

static int overlay_basic(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "lower/kept", "text");
	trial_file(&t, t.dir, "lower/gone", "text");
	trial_directory(&t, t.dir, "lower2/dir");
	trial_file(&t, t.dir, "lower2/dir/below", "text");
	trial_mount(&t, TWO_LOWERS);
	trial_file(&t, t.root, "made", "text");
	trial_file(&t, t.root, "kept", " and more");
	trial_call(&t, ovi_sys.unlinkat(t.root, "gone", 0), "delete a file of the lower");
	trial_call(&t, ovi_sys.unlinkat(t.root, "dir/below", 0), "delete a file below");
	trial_call_no(&t, ovi_sys.unlinkat(t.root, "dir", AT_REMOVEDIR), ENOTEMPTY,
	              "delete a directory whose files were deleted");
	trial_directory(&t, t.root, "dir");
	trial_expect(&t, trial_lists(&t, t.root, ".", "made"), "a new file is not listed");
	trial_expect(&t, !trial_lists(&t, t.root, ".", "gone"), "a deleted file is listed");
	trial_expect(&t, !trial_exists(&t, t.root, "dir/below"),
	             "a directory made anew shows what was in the old one");
	trial_expect(&t, trial_has_text(&t, t.dir, "upper/kept", "text and more"),
	             "what was written is not in the upper");
	trial_expect(&t, trial_has_text(&t, t.dir, "lower/kept", "text"),
	             "the lower was written to");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "create, copy up, delete, and a directory made anew work");
}

static int overlay_read_only(int directory, struct ovl2_evidence *ret_evidence,
                             struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "lower2/file", "text");
	trial_mount(&t, "lowerdir=lower:lower2");
	trial_expect(&t, trial_has_text(&t, t.root, "file", "text"), "a lower does not show");
	trial_call_fails(&t, ovi_sys.openat(t.root, "new", O_WRONLY | O_CREAT, 0600), EROFS,
	                 "a file was made without an upper");

	return trial_answer(&t, ret_evidence, err, 0, "two lowers show and cannot be written to");
}

static int whiteout_made(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "lower/gone", "text");
	trial_mount(&t, PLAIN);
	trial_call(&t, ovi_sys.unlinkat(t.root, "gone", 0), "delete a file of the lower");
	trial_expect(&t, trial_is_whiteout(&t, "upper/gone"), "no whiteout is in the upper");
	trial_expect(&t, !trial_exists(&t, t.root, "gone"), "the deleted file is found");
	trial_expect(&t, !trial_lists(&t, t.root, ".", "gone"), "the deleted file is listed");

	return trial_answer(&t, ret_evidence, err, 0, "unlinkat left char 0:0 in the upper");
}

static int whiteout_hides(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_call(&t, ovi_sys.mknodat(t.dir, "lower/hidden", S_IFCHR, 0), "make a whiteout");
	trial_file(&t, t.dir, "lower2/hidden", "text");
	trial_mount(&t, "lowerdir=lower:lower2");
	trial_expect(&t, !trial_exists(&t, t.root, "hidden"), "what it hides is found");
	trial_expect(&t, !trial_lists(&t, t.root, ".", "hidden"), "what it hides is listed");

	return trial_answer(&t, ret_evidence, err, 0, "char 0:0 in a lower hides the one below");
}

static int opaque_made(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_directory(&t, t.dir, "lower/dir");
	trial_mount(&t, PLAIN);
	trial_call(&t, ovi_sys.unlinkat(t.root, "dir", AT_REMOVEDIR), "delete a directory");
	trial_directory(&t, t.root, "dir");
	trial_expect(&t, attribute_is(&t, "upper/dir", "trusted.overlay.opaque", "y"),
	             "the new directory is not marked opaque");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "rmdir and mkdir left trusted.overlay.opaque=y");
}

static int xattr_whiteout(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_directory(&t, t.dir, "lower/dir");
	trial_file(&t, t.dir, "lower/dir/hidden", "");
	trial_set_attribute(&t, "lower/dir/hidden", "trusted.overlay.whiteout", "y", 1);
	trial_set_attribute(&t, "lower/dir", "trusted.overlay.opaque", "x", 1);
	trial_directory(&t, t.dir, "lower2/dir");
	trial_file(&t, t.dir, "lower2/dir/hidden", "text");
	trial_mount(&t, "lowerdir=lower:lower2");
	trial_expect(&t, !trial_exists(&t, t.root, "dir/hidden"), "what it hides is found");
	trial_expect(&t, !trial_lists(&t, t.root, "dir", "hidden"), "what it hides is listed");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "an empty file with trusted.overlay.whiteout hides the one below");
}

static int attributes_copied_up(int directory, struct ovl2_evidence *ret_evidence,
                                struct ovl2_error *err)
{
	/* cap_net_bind_service, as setcap writes it. */
	static const char capability[20] = { 1, 0, 0, 2, 0, 4 };
	cleanup_trial struct trial t = TRIAL_INIT;
	char found[20] = "";
	struct stat st = { 0 };

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "lower/file", "text");
	trial_chown(&t, "lower/file", 1000, 1001);
	trial_set_attribute(&t, "lower/file", "security.capability", capability,
	                    sizeof(capability));
	trial_mount(&t, PLAIN);
	trial_call(&t, ovi_sys.fchmodat(t.root, "file", 0751), "chmod a file of the lower");
	trial_call(&t, ovi_sys.fstatat(t.dir, "upper/file", &st, AT_SYMLINK_NOFOLLOW),
	           "look at the copy");
	trial_expect(&t, st.st_uid == 1000 && st.st_gid == 1001 && (st.st_mode & 07777) == 0751,
	             "owner or mode of the copy are not those of the lower");
	trial_expect(&t,
	             trial_attribute(&t, "upper/file", "security.capability", found,
	                             sizeof(found)) == (long)sizeof(found) &&
	                     memcmp(found, capability, sizeof(found)) == 0,
	             "the copy has no capabilities");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "a copy in the upper has owner, mode and capabilities of the lower");
}

static int inode_numbers(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	struct stat before = { 0 };
	struct stat after = { 0 };

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "lower/file", "text");
	trial_mount(&t, PLAIN);
	trial_call(&t, ovi_sys.fstatat(t.root, "file", &before, 0), "look at a file");
	trial_file(&t, t.root, "file", " and more");
	trial_call(&t, ovi_sys.fstatat(t.root, "file", &after, 0), "look at it again");
	trial_expect(&t, before.st_ino == after.st_ino && before.st_dev == after.st_dev,
	             "a file has another inode number once it was written to");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "inode and device stay when a file is copied up");
}

static int tmpfile_inside(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int fd = -1;

	trial_begin(&t, directory);
	trial_mount(&t, PLAIN);
	fd = trial_call(&t, ovi_sys.openat(t.root, ".", O_TMPFILE | O_RDWR, 0600),
	                "open with O_TMPFILE");

	return trial_answer(&t, ret_evidence, err, 0, "O_TMPFILE made a file without a name");
}

static int copy_inside(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int from = -1;
	cleanup_fd int to = -1;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "lower/from", "text");
	trial_mount(&t, PLAIN);
	from = trial_call(&t, ovi_sys.openat(t.root, "from", O_RDONLY, 0), "open a file");
	to = trial_call(&t, ovi_sys.openat(t.root, "to", O_WRONLY | O_CREAT, 0600), "make a file");
	trial_call(&t, (int)ovi_sys.copy_file_range(from, to, 4), "copy_file_range");
	trial_expect(&t, trial_has_text(&t, t.dir, "upper/to", "text"),
	             "the copy is not what it should be");

	return trial_answer(&t, ret_evidence, err, 0, "copy_file_range copied a file of the lower");
}

/* ------------------------------------------------------------------- renames -- */

static int redirect_off(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_directory(&t, t.dir, "lower/dir");
	trial_mount(&t, PLAIN);
	trial_call_fails(&t, ovi_sys.renameat2(t.root, "dir", t.root, "moved", 0), EXDEV,
	                 "a directory of the lower was renamed: redirect_dir is on");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "renaming a directory of the lower says EXDEV, as engines expect");
}

static int redirect_dir(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_directory(&t, t.dir, "lower/dir");
	trial_file(&t, t.dir, "lower/dir/below", "text");
	trial_mount(&t, PLAIN ",redirect_dir=on");
	expect_option(&t, "redirect_dir", "on");
	/* Where no attribute can be set Linux 6.1 leaves it on, and does not rename. */
	trial_call_no(&t, ovi_sys.renameat2(t.root, "dir", t.root, "moved", 0), EXDEV,
	              "rename a directory");
	trial_expect(&t, trial_has_text(&t, t.root, "moved/below", "text"),
	             "what is below does not come along");
	trial_expect(&t, attribute_is(&t, "upper/moved", "trusted.overlay.redirect", "dir"),
	             "no redirect is in the upper");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "a renamed directory left trusted.overlay.redirect");
}

/* ---------------------------------------------------------- data left below -- */

static int metacopy(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	char value[64];

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "lower/file", "text");
	trial_mount(&t, PLAIN ",redirect_dir=on,metacopy=on");
	expect_option(&t, "metacopy", "on");
	trial_call(&t, ovi_sys.fchmodat(t.root, "file", 0600), "chmod a file of the lower");
	trial_expect(&t,
	             trial_attribute(&t, "upper/file", "trusted.overlay.metacopy", value,
	                             sizeof(value)) >= 0,
	             "chmod copied the content up");
	trial_expect(&t, trial_has_text(&t, t.root, "file", "text"), "its content is lost");

	return trial_answer(&t, ret_evidence, err, 0, "chmod copied nothing but the metadata up");
}

static int data_only_lower(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "lower/file", "____");
	trial_set_attribute(&t, "lower/file", "trusted.overlay.metacopy", "", 0);
	trial_set_attribute(&t, "lower/file", "trusted.overlay.redirect", "/blob", 5);
	trial_file(&t, t.dir, "lower2/blob", "text");
	trial_mount(&t, "lowerdir=lower::lower2,redirect_dir=on,metacopy=on");
	trial_expect(&t, trial_has_text(&t, t.root, "file", "text"),
	             "a file does not have the content of the blob that it names");
	trial_expect(&t, !trial_exists(&t, t.root, "blob"), "the blob itself shows");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "a file of a lower has its content in a lower for data only");
}

/* ------------------------------------------------------------------- indexes -- */

static int index_hard_links(int directory, struct ovl2_evidence *ret_evidence,
                            struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "lower/a", "text");
	trial_call(&t, ovi_sys.linkat(t.dir, "lower/a", t.dir, "lower/b", 0), "link a file");
	trial_mount(&t, PLAIN ",index=on");
	expect_option(&t, "index", "on");
	trial_file(&t, t.root, "a", " and more");
	trial_expect(&t, trial_has_text(&t, t.root, "b", "text and more"),
	             "two names of a file are two files once one was written to");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "what was written by one name of a file is read by the other");
}

static int index_guards_upper(int directory, struct ovl2_evidence *ret_evidence,
                              struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int second = -1;

	trial_begin(&t, directory);
	trial_directory(&t, t.dir, "work2");
	trial_mount(&t, PLAIN ",index=on");
	expect_option(&t, "index", "on");
	if (trial_ok(&t)) {
		second = trial_tree(&t, "lowerdir=lower,upperdir=upper,workdir=work2,index=on");
		if (trial_ok(&t))
			trial_refuse(&t, "an upper that is in use was mounted a second time");
		else if (t.reason.sys == EBUSY)
			t.result = 0;
	}

	return trial_answer(&t, ret_evidence, err, 0, "an upper in use is refused with EBUSY");
}

static int nfs_export(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	cleanup_fd int fd = -1;
	int mount_id;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "lower/file", "text");
	trial_mount(&t, PLAIN ",index=on,nfs_export=on");
	expect_option(&t, "nfs_export", "on");
	trial_call(&t, name_to_handle_at(t.root, "file", &handle.head, &mount_id, 0),
	           "name_to_handle_at");
	fd = trial_call(&t, open_by_handle_at(t.root, &handle.head, O_RDONLY | O_CLOEXEC),
	                "open_by_handle_at");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "a file of the overlay was opened by its handle");
}

static int xino(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	struct stat one = { 0 };
	struct stat other = { 0 };
	int is_mounted = 0;

	trial_begin(&t, directory);
	if (trial_ok(&t) && !sandbox_is_private())
		trial_unknown(&t, PROBE_REASON_NOPERM, "no mounts of its own for this process");
	is_mounted = trial_call(&t, ovi_sys.mount("tmpfs", "lower2", "tmpfs", 0, "size=64k"),
	                        "mount a tmpfs") == 0;
	trial_file(&t, t.dir, "lower/one", "text");
	trial_file(&t, t.dir, "lower2/other", "text");
	trial_mount(&t, TWO_LOWERS ",xino=on");
	expect_option(&t, "xino", "on");
	trial_call(&t, ovi_sys.fstatat(t.root, "one", &one, 0), "look at a file");
	trial_call(&t, ovi_sys.fstatat(t.root, "other", &other, 0), "look at another");
	trial_expect(&t, one.st_dev == other.st_dev && one.st_ino != other.st_ino,
	             "files of two filesystems have two device numbers, or one inode number");
	trial_unmount(&t);
	if (is_mounted)
		ovi_sys.umount2("lower2", MNT_DETACH);

	return trial_answer(&t, ret_evidence, err, 0,
	                    "files of two filesystems show one device and inodes of their own");
}

/* ------------------------------------------------------------------- writing -- */

static int volatile_mount(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int second = -1;

	trial_begin(&t, directory);
	trial_mount(&t, PLAIN ",volatile");
	trial_file(&t, t.root, "made", "text");
	trial_expect(&t, trial_exists(&t, t.dir, "work/work/incompat/volatile"),
	             "no mark of a volatile mount is in work");
	trial_unmount(&t);
	if (trial_ok(&t)) {
		second = trial_tree(&t, PLAIN);
		if (trial_ok(&t))
			trial_refuse(&t, "an upper that was not flushed was mounted again");
		else if (t.reason.sys == EINVAL)
			t.result = 0;
	}

	return trial_answer(&t, ret_evidence, err, 0,
	                    "a volatile mount leaves a mark and is refused until it is taken away");
}

static int fsync_modes(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_mount(&t, PLAIN ",fsync=auto");

	return trial_answer(&t, ret_evidence, err, 0, "overlayfs takes fsync=auto");
}

static int own_uuid(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	char value[64];

	trial_begin(&t, directory);
	trial_mount(&t, PLAIN ",uuid=on");
	expect_option(&t, "uuid", "on");
	trial_expect(&t,
	             trial_attribute(&t, "upper", "trusted.overlay.uuid", value, sizeof(value)) ==
	                     16,
	             "no UUID was written to the upper");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "an overlay has a UUID that stays with its upper");
}

/* ------------------------------------------------------------------- nesting -- */

static int overlay_stacking(int directory, struct ovl2_evidence *ret_evidence,
                            struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int tree = -1;

	trial_begin(&t, directory);
	trial_directory(&t, t.dir, "upper2");
	trial_directory(&t, t.dir, "work2");
	trial_file(&t, t.dir, "lower/file", "text");
	trial_mount(&t, PLAIN);
	if (trial_ok(&t) && !t.is_attached)
		trial_unknown(&t, PROBE_REASON_NOPERM, "no mounts of its own for this process");
	tree = trial_tree(&t, "lowerdir=merged,upperdir=upper2,workdir=work2");
	trial_expect(&t, trial_has_text(&t, tree, "file", "text"),
	             "the lower overlay does not show");

	return trial_answer(&t, ret_evidence, err, 0, "an overlay was mounted as lower of another");
}

static int nested_attributes(int directory, struct ovl2_evidence *ret_evidence,
                             struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	char path[64];

	trial_begin(&t, directory);
	trial_directory(&t, t.dir, "lower/dir");
	trial_mount(&t, PLAIN);
	if (trial_ok(&t))
		trial_set_attribute(&t, in_overlay(&t, "dir", path, sizeof(path)),
		                    "trusted.overlay.opaque", "y", 1);
	trial_expect(&t, attribute_is(&t, "upper/dir", "trusted.overlay.overlay.opaque", "y"),
	             "overlayfs's own attribute was not escaped in the upper");
	trial_expect(&t, attribute_is(&t, path, "trusted.overlay.opaque", "y"),
	             "the attribute is not read back");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "trusted.overlay.* of an overlay inside are kept as another name");
}

/* ------------------------------------------------------------------ rootless -- */

static int userxattr_mount(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_directory(&t, t.dir, "lower/dir");
	trial_mount(&t, PLAIN ",userxattr");
	trial_call(&t, ovi_sys.unlinkat(t.root, "dir", AT_REMOVEDIR), "delete a directory");
	trial_directory(&t, t.root, "dir");
	trial_expect(&t, attribute_is(&t, "upper/dir", "user.overlay.opaque", "y"),
	             "the new directory has no user.overlay.opaque");

	return trial_answer(&t, ret_evidence, err, 0, "opaque marks are user.overlay.opaque");
}

/* The working directory came along into the new namespace; descriptors did not. */
static int in_user_namespace(void *data, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_fd int directory = ovi_sys.openat(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY, 0);
	cleanup_trial struct trial t = TRIAL_INIT;

	(void)data;
	if (directory < 0)
		return ovi_fail_errno(err, "open the directory");
	trial_begin(&t, directory);
	trial_file(&t, t.dir, "lower/gone", "text");
	trial_directory(&t, t.dir, "lower/dir");
	trial_mount(&t, PLAIN ",userxattr");
	t.is_no = !trial_ok(&t) && t.reason.sys == EPERM;
	trial_call(&t, ovi_sys.unlinkat(t.root, "gone", 0), "delete a file of the lower");
	trial_call(&t, ovi_sys.unlinkat(t.root, "dir", AT_REMOVEDIR), "delete a directory");
	trial_call_no(&t, ovi_sys.mkdirat(t.root, "dir", 0755), EIO, "make the directory anew");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "create, delete and a directory made anew work without privileges");
}

static int rootless_overlay(int directory, struct ovl2_evidence *ret_evidence,
                            struct ovl2_error *err)
{
	if (ovi_sys.fchdir(directory) < 0)
		return ovi_fail_errno(err, "change to the directory");

	return userns_run(geteuid(), getegid(), in_user_namespace, NULL, ret_evidence, err);
}

static int idmapped_lower(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int namespace = -1;
	cleanup_fd int tree = -1;
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_IDMAP };
	struct stat st = { 0 };
	int is_mounted = 0;

	trial_begin(&t, directory);
	if (trial_ok(&t) && !sandbox_is_private())
		trial_unknown(&t, PROBE_REASON_NOPERM, "no mounts of its own for this process");
	trial_file(&t, t.dir, "lower/file", "text");
	if (trial_ok(&t))
		t.result = userns_open(100000, 65536, &namespace, &t.reason);
	attributes.userns_fd = (__u64) namespace;
	tree = trial_call(&t,
	                  ovi_sys.open_tree(AT_FDCWD, "lower", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
	                  "open_tree");
	trial_call(&t,
	           ovi_sys.mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)),
	           "mount_setattr with MOUNT_ATTR_IDMAP");
	is_mounted = trial_call(&t,
	                        ovi_sys.move_mount(tree, "", AT_FDCWD, "lower2",
	                                           MOVE_MOUNT_F_EMPTY_PATH),
	                        "move_mount") == 0;
	trial_mount(&t, "lowerdir=lower2,upperdir=upper,workdir=work");
	trial_call(&t, ovi_sys.fstatat(t.root, "file", &st, 0), "look at a file");
	trial_expect(&t, st.st_uid == 100000, "the owner is not mapped");
	trial_unmount(&t);
	if (is_mounted)
		ovi_sys.umount2("lower2", MNT_DETACH);

	return trial_answer(&t, ret_evidence, err, 0, "a lower with mapped ids shows user 100000");
}

/* ---------------------------------------------------------------- mount data -- */

/* Exactly `length` bytes of options, of which most are slashes. */
static void make_data(char *data, size_t length)
{
	static const char begin[] = "lowerdir=./";
	static const char end[] = "lower,upperdir=upper,workdir=work";
	size_t slashes = length - strlen(begin) - strlen(end);

	snprintf(data, length + 1, "%s", begin);
	memset(data + strlen(begin), '/', slashes);
	snprintf(data + strlen(begin) + slashes, sizeof(end), "%s", end);
}

/* One byte more than fits is refused, or cut without a word: then no upper is there. */
static int mount_data_page(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	cleanup_free char *data = malloc(page + 1);

	if (!data)
		return ovi_fail_memory(err);
	trial_begin(&t, directory);
	if (trial_ok(&t) && !sandbox_is_private())
		trial_unknown(&t, PROBE_REASON_NOPERM, "no mounts of its own for this process");
	if (trial_ok(&t) && page > 4096)
		trial_unknown(&t, PROBE_REASON_NOT_APPLICABLE,
		              "no path is as long as a page of %zu bytes", page);
	if (trial_ok(&t))
		make_data(data, page - 1);
	t.is_attached = trial_call(&t, ovi_sys.mount("overlay", "merged", "overlay", 0, data),
	                           "mount(2) with a page less a byte of options") == 0;
	trial_unmount(&t);
	if (trial_ok(&t))
		make_data(data, page);
	if (trial_ok(&t) && ovi_sys.mount("overlay", "merged", "overlay", 0, data) == 0) {
		t.is_attached = 1;
		trial_refuse(&t, "mount(2) took a whole page of options and cut it");
	}

	return trial_answer(&t, ret_evidence, err, page - 1,
	                    "%zu bytes of options are taken, one more is refused", page - 1);
}

/* --------------------------------------------------------------------- table -- */

#define FEATURE(name, question, reason, steps, linux, cure)                            \
	{                                                                              \
		.id = #name, .group = "overlay", .title = (question), .why = (reason), \
		.how = (steps), .since = (linux), .remedy = (cure), .run = (name),     \
	}

/* clang-format off */
const struct probe probe_features_family[] = {
	FEATURE(overlay_basic, "Can an overlay be used?",
	        "A mount that succeeded says little: files have to be made, changed and deleted.",
	        "Two lowers and an upper are mounted; a file is made, one appended to, one "
	        "deleted, a directory deleted and made anew; then lowers and upper are read.",
	        "Linux 4.0", LOAD_OVERLAY),
	FEATURE(overlay_read_only, "Can lowers be mounted without an upper?",
	        "Committed layers are mounted so, at a tenth of the cost.",
	        "Two lowers are mounted, a file is read, openat(O_CREAT) has to say EROFS.",
	        "Linux 4.0", NEWER_KERNEL),
	FEATURE(whiteout_made, "Does deleting leave a whiteout?",
	        "It is what a diff tells a deletion by. Where entries have no types the deleted "
	        "file stays listed.",
	        "unlinkat of a file of the lower; the upper has to have char 0:0 of that name.",
	        "Linux 3.18", OTHER_FILESYSTEM),
	FEATURE(whiteout_hides, "Does a whiteout in a lower hide what is below?",
	        "Images delete files of the images they are made of.",
	        "mknodat(char 0:0) in the upper one of two lowers; the name must be neither found "
	        "nor listed.",
	        "Linux 3.18", OTHER_FILESYSTEM),
	FEATURE(opaque_made, "Is a directory that was made anew opaque?",
	        "Else what was deleted comes back.",
	        "unlinkat(AT_REMOVEDIR) and mkdirat of a directory of the lower; lgetxattr in the "
	        "upper.",
	        "Linux 3.18", OTHER_FILESYSTEM),
	FEATURE(xattr_whiteout, "Can an attribute be a whiteout?",
	        "Layers that carry overlays of their own (composefs, images of images) cannot "
	        "use devices for it.",
	        "An empty file with trusted.overlay.whiteout in a directory marked x hides one of "
	        "the lower below.",
	        "Linux 6.7", NEWER_KERNEL),
	FEATURE(attributes_copied_up, "Does a copy keep owner, mode and capabilities?",
	        "ping loses its capability otherwise, and files their owner.",
	        "chmod of a lower's file with security.capability; fstatat and lgetxattr of the "
	        "copy in the upper.",
	        "Linux 3.18", OTHER_FILESYSTEM),
	FEATURE(inode_numbers, "Does a file keep its inode number when it is written to?",
	        "Programs that watch or compare files take it for another one otherwise.",
	        "fstatat before and after appending to a file of the lower.",
	        "Linux 4.12, where all layers are on one filesystem", NEWER_KERNEL),
	FEATURE(tmpfile_inside, "Can a file be made without a name inside a container?",
	        "Programs that write files in one step use it and fall back to slower ways.",
	        "openat(O_TMPFILE) in the overlay.", "Linux 6.10", NEWER_KERNEL),
	FEATURE(copy_inside, "Does the kernel copy files inside a container?",
	        "A bug before Linux 5.11 left copies of zero bytes.",
	        "copy_file_range of a lower's file to a new one, which is read in the upper.",
	        "Linux 4.5; right since 5.11", NEWER_KERNEL),
	FEATURE(redirect_off, "Are directories not renamed by redirect unless asked for?",
	        "A diff by reading the upper, as Docker's and Podman's, does not understand "
	        "redirects; engines expect EXDEV.",
	        "renameat2 of a directory of the lower in a mount without options has to say "
	        "EXDEV.",
	        "Linux 4.10", "Switch it off, now and at every boot:\n"
	        "  echo N > /sys/module/overlay/parameters/redirect_dir\n"
	        "  echo options overlay redirect_dir=off > /etc/modprobe.d/overlay.conf"),
	FEATURE(redirect_dir, "Can directories be renamed by redirect?",
	        "Without it a directory is copied to be renamed, file by file.",
	        "Mounted with redirect_dir=on, read back; renameat2; trusted.overlay.redirect in "
	        "the upper.",
	        "Linux 4.10", NEWER_KERNEL),
	FEATURE(metacopy, "Can metadata be copied up alone?",
	        "chown -R of an image costs its whole size otherwise.",
	        "Mounted with metacopy=on, read back; chmod; trusted.overlay.metacopy in the upper; "
	        "the content is read.",
	        "Linux 4.19", NEWER_KERNEL),
	FEATURE(data_only_lower, "Can lowers hold data only?",
	        "composefs keeps content by digest in one.",
	        "A file with metacopy and redirect=/blob over lowerdir=a::b is read; the blob "
	        "itself must not show.",
	        "Linux 6.5", NEWER_KERNEL),
	FEATURE(index_hard_links, "Can hard links of a lower be kept?",
	        "Package managers find two files where there was one otherwise.",
	        "Mounted with index=on, read back; one name is appended to, the other one read.",
	        "Linux 4.13", NEWER_KERNEL),
	FEATURE(index_guards_upper, "Can an upper be guarded against a second mount?",
	        "Two engines on one directory destroy it; without index the kernel only warns.",
	        "An upper that is mounted with index=on is mounted again: EBUSY.",
	        "Linux 4.13", NEWER_KERNEL),
	FEATURE(nfs_export, "Can an overlay be exported by NFS?",
	        "Rarely needed, and switched off without a word where a layer has no UUID or no "
	        "file handles.",
	        "Mounted with nfs_export=on, read back; name_to_handle_at and open_by_handle_at.",
	        "Linux 4.16", NEWER_KERNEL),
	FEATURE(xino, "Do files of two filesystems show as on one?",
	        "find -xdev, du and backups go wrong where a container's root shows two devices.",
	        "A tmpfs as second lower, mounted with xino=on, read back; fstatat of a file of "
	        "each.",
	        "Linux 4.17", NEWER_KERNEL),
	FEATURE(volatile_mount, "Can an upper be mounted without ever flushing it?",
	        "Builds that are thrown away when the host goes down are much faster so.",
	        "Mounted volatile; the mark in work is looked for; a second mount has to be "
	        "refused.",
	        "Linux 5.10", NEWER_KERNEL),
	FEATURE(fsync_modes, "Can it be chosen when copies are flushed?",
	        "Kernels that flush each copy and do not know fsync= make chown -R slow.",
	        "Mounted with fsync=auto.", "Linux 7.0, and stable kernels before", NEWER_KERNEL),
	FEATURE(own_uuid, "Can an overlay have a UUID of its own?",
	        "Watchers that go by filesystem (fanotify) mix overlays up otherwise.",
	        "Mounted with uuid=on; trusted.overlay.uuid of the upper.", "Linux 6.6", NEWER_KERNEL),
	FEATURE(overlay_stacking, "Can an overlay be the lower of another?",
	        "Containers in containers, and hosts that run from an overlay, need it.",
	        "An overlay is mounted whose lower is one.", "Linux 3.18, two levels", NEWER_KERNEL),
	FEATURE(nested_attributes, "Can overlayfs's attributes be set inside an overlay?",
	        "An engine in a container whose root is an overlay writes them.",
	        "lsetxattr(trusted.overlay.opaque) inside; in the upper it has to be escaped.",
	        "Linux 6.7", NEWER_KERNEL),
	FEATURE(userxattr_mount, "Can user attributes take the place of trusted ones?",
	        "Without privileges there are no trusted ones.",
	        "Mounted with userxattr; a directory made anew; user.overlay.opaque in the upper.",
	        "Linux 5.11", NEWER_KERNEL),
	FEATURE(rootless_overlay, "Does overlayfs work in a user namespace?",
	        "Rootless engines use fuse-overlayfs or copies where it does not. A mount that "
	        "succeeds and then cannot make a directory anew says EIO to every package "
	        "manager.",
	        "unshare(CLONE_NEWUSER); mounted with userxattr; a file and a directory deleted, "
	        "the directory made anew.",
	        "Linux 5.11", NEWER_KERNEL),
	FEATURE(idmapped_lower, "Can the ids of a lower be mapped?",
	        "Pods with user namespaces share images so; else every layer is copied by chown.",
	        "open_tree, mount_setattr(MOUNT_ATTR_IDMAP) of a directory here, mounted as a "
	        "lower; the owner of a file is read.",
	        "Linux 5.19; the filesystem has to allow it", NEWER_KERNEL),
	FEATURE(mount_data_page, "Does mount(2) refuse options that do not fit into a page?",
	        "One that cuts them may mount fewer lowers than it was told to.",
	        "mount(2) with a page less a byte of options, then with a page.",
	        "Linux 3.18", NEWER_KERNEL),
	{ .id = NULL },
};
/* clang-format on */
