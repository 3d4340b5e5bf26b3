#include "hold.h"

#include "cleanup.h"
#include "fail.h"
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

/* A count, its mode, flags and label. */
#define HOLD_SIZE (OVI_LABEL_SIZE + OVI_FLAGS_SIZE + 32)

/* statvfs(3) has it too, but asks the filesystem, which an overlay forwards. */
int ovi_hold_is_mounted(int layer, const char *id, struct ovl2_error *err)
{
	struct statx merged;
	struct statx parent;

	if (ovi_sys.statx(layer, "merged", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &merged) < 0)
		return errno == ENOENT ? 0 : ovi_fail_errno(err, "look at '%s/merged'", id);

	/* Linux >= 5.8 */
	if (merged.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)
		return (merged.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;

	if (ovi_sys.statx(layer, "", AT_EMPTY_PATH, STATX_TYPE, &parent) < 0)
		return ovi_fail_errno(err, "look at '%s'", id);

	return merged.stx_dev_major != parent.stx_dev_major ||
	       merged.stx_dev_minor != parent.stx_dev_minor;
}

/* "3 rw nodev,nosuid label", with "-" for no flags. */
static int parse(const char *text, struct ovi_hold *hold)
{
	char mode[3] = "";
	int end = 0;

	if (sscanf(text, "%u %2[rwo] %63s%n", &hold->count, mode, hold->flags, &end) != 3 ||
	    !hold->count)
		return -1;
	if (strcmp(hold->flags, "-") == 0)
		hold->flags[0] = '\0';
	if (text[end] == ' ')
		snprintf(hold->label, sizeof(hold->label), "%s", text + end + 1);
	hold->is_writable = strcmp(mode, "rw") == 0;

	return 0;
}

/*
 * The count is the target of a symbolic link: made, read and replaced by one system
 * call each, and there as a whole or not at all.
 */
static int read_count(struct ovi_layer *layer, struct ovi_hold *hold, struct ovl2_error *err)
{
	char text[HOLD_SIZE];
	ssize_t length;

	length = ovi_sys.readlinkat(layer->store->run, layer->id, text, sizeof(text) - 1);
	if (length < 0 && errno == ENOENT) {
		hold->count = 1;
		hold->is_writable = !layer->record.is_committed;
		return 0;
	}
	if (length < 0 && errno != EINVAL)
		return ovi_fail_errno(err, "read the mount count of layer '%s'", layer->id);
	text[length > 0 ? length : 0] = '\0';
	if (parse(text, hold) < 0)
		return ovi_fail(err, OVL2_E_CORRUPT,
		                "the mount count of layer '%s' in the run directory is damaged",
		                layer->id);

	return 0;
}

int ovi_hold_read(struct ovi_layer *layer, struct ovi_hold *ret_hold, struct ovl2_error *err)
{
	struct ovi_hold hold = { .count = 0 };
	int r;

	r = ovi_hold_is_mounted(layer->dir, layer->id, err);
	if (r > 0)
		r = read_count(layer, &hold, err);
	if (r < 0)
		return r;
	*ret_hold = hold;

	return 0;
}

static int replace_count(struct ovi_layer *layer, const char *text, struct ovl2_error *err)
{
	char aside[OVL2_ID_SIZE + 8];
	int run = layer->store->run;

	/* An id never begins with a dot, and the layer is locked. */
	snprintf(aside, sizeof(aside), ".%s", layer->id);
	if ((ovi_sys.unlinkat(run, aside, 0) < 0 && errno != ENOENT) ||
	    ovi_sys.symlinkat(text, run, aside) < 0 ||
	    ovi_sys.renameat2(run, aside, run, layer->id, 0) < 0)
		return ovi_fail_errno(err, "write the mount count of layer '%s'", layer->id);

	return 0;
}

/*
 * With index=on the kernel refuses an upper that is in use (EBUSY); with index=off it
 * only warns. An upper that is its own work directory is refused as well, but later and
 * with another error, before anything is written: so this asks without mounting.
 */
static int is_in_use(int diff)
{
	char path[64];
	cleanup_fd int fs = -1;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", diff);
	fs = ovi_sys.fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0)
		return 0;
	if (ovi_sys.fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", path, 0) < 0 ||
	    ovi_sys.fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", path, 0) < 0 ||
	    ovi_sys.fsconfig(fs, FSCONFIG_SET_STRING, "workdir", path, 0) < 0 ||
	    ovi_sys.fsconfig(fs, FSCONFIG_SET_STRING, "index", "on", 0) < 0)
		return errno == EBUSY;

	return ovi_sys.fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 && errno == EBUSY;
}

/* With a count there may be such a mount. */
static int check_unused(struct ovi_layer *layer, struct ovl2_error *err)
{
	cleanup_fd int diff = -1;

	diff = ovi_sys.openat(layer->dir, "diff", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (diff < 0)
		return ovi_fail_errno(err, "open '%s/diff'", layer->id);
	if (is_in_use(diff))
		return ovi_fail(err, OVL2_E_BUSY,
		                "its last mount is still in use, detached, bound elsewhere or in "
		                "another mount namespace: end what uses it first (grep overlay "
		                "/proc/*/mountinfo)");

	return 0;
}

int ovi_hold_check_detached(struct ovi_layer *layer, struct ovl2_error *err)
{
	struct stat st;

	if (ovi_sys.fstatat(layer->store->run, layer->id, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT
		               ? 0
		               : ovi_fail_errno(err, "look at the mount count of '%s'", layer->id);

	return check_unused(layer, err);
}

/* 0 when it is there now, 1 when there was another. */
static int make_count(struct ovi_layer *layer, const char *text, struct ovl2_error *err)
{
	if (ovi_sys.symlinkat(text, layer->store->run, layer->id) == 0)
		return 0;
	if (errno == EEXIST)
		return 1;

	return ovi_fail_errno(err, "write the mount count of layer '%s'", layer->id);
}

static void word_count(const struct ovi_hold *hold, char ret_text[HOLD_SIZE])
{
	snprintf(ret_text, HOLD_SIZE, "%u %s %s %s", hold->count, hold->is_writable ? "rw" : "ro",
	         *hold->flags ? hold->flags : "-", hold->label);
}

int ovi_hold_claim(struct ovi_layer *layer, const struct ovi_hold *hold, struct ovl2_error *err)
{
	char text[HOLD_SIZE];
	int r;

	word_count(hold, text);
	r = make_count(layer, text, err);
	if (r <= 0)
		return r;

	/* Not mounted, but counted: of a process that ended, or a mount that lives on. */
	r = layer->record.is_committed ? 0 : check_unused(layer, err);

	return r < 0 ? r : replace_count(layer, text, err);
}

int ovi_hold_write(struct ovi_layer *layer, const struct ovi_hold *hold, struct ovl2_error *err)
{
	char text[HOLD_SIZE];
	int r;

	if (!hold->count) {
		if (ovi_sys.unlinkat(layer->store->run, layer->id, 0) < 0 && errno != ENOENT)
			return ovi_fail_errno(err, "forget the mount count of layer '%s'",
			                      layer->id);
		return 0;
	}

	word_count(hold, text);
	r = make_count(layer, text, err);

	return r > 0 ? replace_count(layer, text, err) : r;
}
