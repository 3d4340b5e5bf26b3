#include "advice.h"

#include "cleanup.h"
#include "fail.h"

#include <string.h>

struct advice {
	/* In the message, most from fs/overlayfs/super.c and params.c; or NULL for any. */
	const char *words;
	int sys; /* or 0 for any */

	const char *cure;
};

#define REMADE "move it away: work and merged are made anew"

static const struct advice table[] = {
	{ "maximum fs stacking depth", 0, "put the store on a filesystem that is not an overlay" },
	{ "not supported as upperdir", 0, "put the store on ext4, xfs, btrfs or tmpfs" },
	{ "RENAME_WHITEOUT", 0, "put the store on ext4, xfs, btrfs or tmpfs" },
	{ "missing required features", 0, "put the store on ext4, xfs, btrfs or tmpfs" },
	{ "failed to set xattr on upper", 0, "mount the filesystem with user_xattr" },
	{ "need to support d_type", 0, "make the filesystem anew with d_type" },
	{ "case-insensitive", 0, "make the filesystem without casefold" },
	{ "must reside under the same mount", 0, "nothing may be mounted inside a layer" },
	{ "failed to clone", 0, "open the store after unshare(2) or setns(2), not before" },
	{ "incompat feature 'volatile'", 0,
	  "if it was unmounted cleanly: sync, delete work/work/incompat" },
	{ "conflicting lowerdir", 0, "a lower is there twice or inside another: ovl2 check" },
	{ "conflicting options", 0, "leave one of these mount_options out" },
	{ "(errno: 17); mounting read-only", 0,
	  "delete what is in its work directory: none of it is content" },
	{ "mounting read-only", 0,
	  "free blocks or inodes for its work directory, or raise the quota" },
	{ "is in-use", 0,
	  "another mount has this upper: unmount it (grep overlay /proc/*/mountinfo)" },
	{ "mount option \"context=", 0, "no SELinux here: leave the label out" },
	{ "unrecognized mount option", 0,
	  "this kernel does not know it, or not this value: leave it out" },
	{ "options too large", 0, "this kernel takes a page of them: merge layers" },
	{ "Unknown parameter 'context'", 0, "no SELinux here: leave the label out" },
	{ "Unknown parameter", 0, "this kernel does not know it: leave it out" },
	{ "Bad value for", 0, "this kernel does not take that value: leave it out" },
	{ NULL, ELOOP, "a lower is there twice or inside another: ovl2 check" },
	{ NULL, EBUSY,
	  "another mount has this upper: unmount it (grep overlay /proc/*/mountinfo)" },
	{ NULL, ENODEV, "modprobe overlay" },
	{ NULL, ENOSPC,
	  "the filesystem is full (df, df -i), or too many mounts or namespaces: sysctl "
	  "fs.mount-max user.max_mnt_namespaces" },
	{ NULL, ESTALE, "the layers changed under an index: remove the work directory's index" },
	{ NULL, EPERM,
	  "be root, or root of a user namespace with mounts of its own (unshare -Urm, Linux >= "
	  "5.11)" },
	{ NULL, EROFS, "mount the filesystem of the store writable" },
	{ NULL, EMFILE, "let this process open more files: ulimit -n" },
	{ NULL, ENFILE, "let all processes open more files: sysctl fs.file-max" },
	{ "not a directory", EINVAL, REMADE },
	{ NULL, ENOTDIR, REMADE },
	{ "attach overlay to", EINVAL, REMADE },
};

/* What overlayfs said is in the message, in parentheses; or it could not be read. */
static int lacks_words(const struct ovl2_error *err)
{
	return err->sys == EINVAL && !strstr(err->message, "(overlay");
}

static const char *find_cure(const char *words, int sys)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct advice *row = &table[i];

		if ((!row->words || strstr(words, row->words)) && (!row->sys || row->sys == sys))
			return row->cure;
	}

	return NULL;
}

void ovi_advice_add(struct ovl2_error *err, const char *words)
{
	const char *cure;

	if (*words && !strstr(err->message, words))
		ovi_fail_add(err, " (%s)", words);
	cure = find_cure(err->message, err->sys);
	if (!cure && lacks_words(err))
		cure = "the kernel log may have the reason: dmesg";
	if (cure && !strstr(err->message, cure))
		ovi_fail_add(err, ": %s", cure);
}
