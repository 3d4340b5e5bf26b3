#include "hold.h"

#include "cleanup.h"
#include "fail.h"
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

/* Flags and label. */
#define WORDS_SIZE (OVI_LABEL_SIZE + OVI_FLAGS_SIZE)

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

/* One for each layer, at the number of its directory's inode; all zeroes for none. */
struct slot {
	uint32_t count;
	uint32_t marks;
};

/* Of a slot: the mount is writable; what else is to be known of it is in words. */
#define WRITABLE 1U
#define WORDED 2U

/* An id never begins with a dot. */
#define COUNTS ".counts"

static int open_counts(struct ovl2_store *store, int *ret_fd, struct ovl2_error *err)
{
	int none = -1;
	int fd = atomic_load(&store->counts);

	if (fd < 0) {
		fd = ovi_sys.openat(store->run, COUNTS, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
		if (fd < 0)
			return ovi_fail_errno(err, "open the mount counts in the run directory");
		if (!atomic_compare_exchange_strong(&store->counts, &none, fd)) {
			close(fd);
			fd = none;
		}
	}
	*ret_fd = fd;

	return 0;
}

static int find_slot(const struct ovi_layer *layer, int *ret_fd, off_t *ret_offset,
                     struct ovl2_error *err)
{
	uint64_t inode = layer->version.own.inode;
	struct stat st;

	if (!inode && ovi_sys.fstatat(layer->dir, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "look at layer '%s'", layer->id);
	if (!inode)
		inode = st.st_ino;
	if (inode > INT64_MAX / sizeof(struct slot))
		return ovi_fail(
			err, OVL2_E_UNSUPPORTED,
			"layer '%s' has inode %llu: a store needs a filesystem with smaller "
			"numbers",
			layer->id, (unsigned long long)inode);
	*ret_offset = (off_t)(inode * sizeof(struct slot));

	return open_counts(layer->store, ret_fd, err);
}

static int read_slot(const struct ovi_layer *layer, struct slot *ret_slot, struct ovl2_error *err)
{
	struct slot slot = { .count = 0 };
	off_t offset = 0;
	ssize_t length;
	int fd = -1;
	int r;

	r = find_slot(layer, &fd, &offset, err);
	if (r < 0)
		return r;
	length = ovi_sys.pread(fd, &slot, sizeof(slot), offset);
	if (length < 0)
		return ovi_fail_errno(err, "read the mount count of layer '%s'", layer->id);
	/* None so far in the file. */
	if (length != sizeof(slot))
		slot = (struct slot){ .count = 0 };
	*ret_slot = slot;

	return 0;
}

/* Of a size and at a place that a page has as a whole: it is there, or it is not. */
static int write_slot(const struct ovi_layer *layer, const struct slot *slot,
                      struct ovl2_error *err)
{
	off_t offset = 0;
	int fd = -1;
	int r;

	r = find_slot(layer, &fd, &offset, err);
	if (r < 0)
		return r;
	if (ovi_sys.pwrite(fd, slot, sizeof(*slot), offset) != sizeof(*slot))
		return ovi_fail_errno(err, "write the mount count of layer '%s'", layer->id);

	return 0;
}

static int fail_damaged(const struct ovi_layer *layer, struct ovl2_error *err)
{
	return ovi_fail(err, OVL2_E_CORRUPT,
	                "the mount count of layer '%s' in the run directory is damaged", layer->id);
}

/* Flags and label, "nodev,nosuid label", with "-" for no flags: a link's target. */
static int read_words(const struct ovi_layer *layer, struct ovi_hold *hold, struct ovl2_error *err)
{
	char text[WORDS_SIZE];
	ssize_t length;
	char *space;

	length = ovi_sys.readlinkat(layer->store->run, layer->id, text, sizeof(text) - 1);
	if (length < 0 && errno != EINVAL && errno != ENOENT)
		return ovi_fail_errno(err, "read the mount flags of layer '%s'", layer->id);
	text[length > 0 ? length : 0] = '\0';
	space = strchr(text, ' ');
	if (!space || space == text || (size_t)(space - text) >= sizeof(hold->flags))
		return fail_damaged(layer, err);

	*space = '\0';
	if (strcmp(text, "-") != 0)
		memcpy(hold->flags, text, strlen(text) + 1);
	snprintf(hold->label, sizeof(hold->label), "%s", space + 1);

	return 0;
}

/* The layer is locked. */
static int write_words(const struct ovi_layer *layer, const struct ovi_hold *hold,
                       struct ovl2_error *err)
{
	char text[WORDS_SIZE];
	int run = layer->store->run;

	snprintf(text, sizeof(text), "%s %s", *hold->flags ? hold->flags : "-", hold->label);
	if ((ovi_sys.unlinkat(run, layer->id, 0) < 0 && errno != ENOENT) ||
	    ovi_sys.symlinkat(text, run, layer->id) < 0)
		return ovi_fail_errno(err, "write the mount flags of layer '%s'", layer->id);

	return 0;
}

static int read_count(const struct ovi_layer *layer, struct ovi_hold *hold, struct ovl2_error *err)
{
	struct slot slot = { .count = 0 };
	int r;

	r = read_slot(layer, &slot, err);
	if (r < 0)
		return r;
	if (!slot.count && !slot.marks) {
		hold->count = 1;
		hold->is_writable = !layer->record.is_committed;
		return 0;
	}
	if (!slot.count || (slot.marks & ~(WRITABLE | WORDED)))
		return fail_damaged(layer, err);
	hold->count = slot.count;
	hold->is_writable = (slot.marks & WRITABLE) != 0;

	return slot.marks & WORDED ? read_words(layer, hold, err) : 0;
}

int ovi_hold_read(struct ovi_layer *layer, struct ovi_hold *ret_hold, struct ovl2_error *err)
{
	int r;

	*ret_hold = (struct ovi_hold){ .count = 0 };
	r = ovi_hold_is_mounted(layer->dir, layer->id, err);

	return r > 0 ? read_count(layer, ret_hold, err) : r;
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
	struct slot slot = { .count = 0 };
	int r = read_slot(layer, &slot, err);

	return r < 0 || !slot.count ? r : check_unused(layer, err);
}

static struct slot make_slot(const struct ovi_hold *hold)
{
	return (struct slot){
		.count = hold->count,
		.marks = (hold->is_writable ? WRITABLE : 0) |
		         (*hold->flags || *hold->label ? WORDED : 0),
	};
}

int ovi_hold_claim(struct ovi_layer *layer, const struct ovi_hold *hold, struct ovl2_error *err)
{
	const struct slot slot = make_slot(hold);
	int r = 0;

	/* Not mounted, but counted: of a process that ended, or a mount that lives on. */
	if (!layer->record.is_committed)
		r = ovi_hold_check_detached(layer, err);
	if (r == 0 && (slot.marks & WORDED))
		r = write_words(layer, hold, err);

	return r < 0 ? r : write_slot(layer, &slot, err);
}

int ovi_hold_write(struct ovi_layer *layer, const struct ovi_hold *hold, struct ovl2_error *err)
{
	const struct slot slot = make_slot(hold);

	return write_slot(layer, &slot, err);
}

int ovi_hold_forget(struct ovi_layer *layer, struct ovl2_error *err)
{
	const struct slot none = { .count = 0 };
	struct slot slot = { .count = 0 };
	int r;

	r = read_slot(layer, &slot, err);
	if (r < 0 || (!slot.count && !slot.marks))
		return r;
	r = write_slot(layer, &none, err);
	if (r == 0 && (slot.marks & WORDED) &&
	    ovi_sys.unlinkat(layer->store->run, layer->id, 0) < 0 && errno != ENOENT)
		return ovi_fail_errno(err, "forget the mount flags of layer '%s'", layer->id);

	return r;
}
