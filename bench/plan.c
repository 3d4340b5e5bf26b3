#include "plan.h"

#include "cleanup.h"
#include "fail.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#define cleanup_archive __attribute__((cleanup(free_archive)))

static void free_archive(struct archive **archive)
{
	archive_read_free(*archive);
}

/* "./usr/" -> "usr"; the root itself becomes ".". */
static char *clean_path(const char *path)
{
	char *copy;
	size_t length;

	while (path[0] == '/' || (path[0] == '.' && path[1] == '/'))
		path++;
	copy = strdup(*path ? path : ".");
	if (!copy)
		return NULL;
	length = strlen(copy);
	while (length > 1 && copy[length - 1] == '/')
		copy[--length] = '\0';

	return copy;
}

/* libarchive reads from memory without copying: its block is a piece of the map. */
static int take_body(struct archive *archive, const struct plan *plan, struct plan_entry *entry,
                     struct ovl2_error *err)
{
	const char *map = plan->map;
	const void *block;
	la_int64_t offset;
	size_t size;
	int r;

	r = archive_read_data_block(archive, &block, &size, &offset);
	if (r != ARCHIVE_OK)
		return ovi_fail(err, OVL2_E_CORRUPT, "read the body of '%s'", entry->path);
	if (offset != 0 || size < entry->size || (const char *)block < map ||
	    (const char *)block + entry->size > map + plan->map_bytes)
		return ovi_fail(err, OVL2_E_CORRUPT, "the body of '%s' is not in one piece",
		                entry->path);
	entry->body = block;

	return 0;
}

/* "a/.wh.b" -> "a/b", a character device 0/0. */
static void take_whiteout(struct plan_entry *entry)
{
	static const char prefix[] = ".wh.";
	char *slash = strrchr(entry->path, '/');
	char *name = slash ? slash + 1 : entry->path;

	if (strncmp(name, prefix, strlen(prefix)) != 0)
		return;
	memmove(name, name + strlen(prefix), strlen(name + strlen(prefix)) + 1);
	entry->mode = S_IFCHR;
	entry->device = 0;
}

static int take_xattrs(struct archive_entry *header, struct plan_entry *entry,
                       struct ovl2_error *err)
{
	int count = archive_entry_xattr_reset(header);
	const char *name;
	const void *value;
	size_t size;

	if (count <= 0)
		return 0;
	entry->xattrs = calloc((size_t)count, sizeof(*entry->xattrs));
	if (!entry->xattrs)
		return ovi_fail_memory(err);
	while (archive_entry_xattr_next(header, &name, &value, &size) == ARCHIVE_OK) {
		struct plan_xattr *xattr = &entry->xattrs[entry->xattr_count++];

		*xattr = (struct plan_xattr){ strdup(name), calloc(1, size + 1), size };
		if (!xattr->name || !xattr->value)
			return ovi_fail_memory(err);
		memcpy(xattr->value, value, size);
	}

	return 0;
}

static int add_entry(struct archive *archive, struct archive_entry *header, struct plan *plan,
                     struct ovl2_error *err)
{
	struct plan_entry *list;
	struct plan_entry *entry;
	const char *target = archive_entry_hardlink(header);
	int r;

	list = realloc(plan->list, (plan->count + 1) * sizeof(*list));
	if (!list)
		return ovi_fail_memory(err);
	plan->list = list;
	entry = &list[plan->count++];
	*entry = (struct plan_entry){
		.is_hard_link = target != NULL,
		.path = clean_path(archive_entry_pathname(header)),
		.mode = archive_entry_mode(header),
		.device = archive_entry_rdev(header),
		.uid = (uid_t)archive_entry_uid(header),
		.gid = (gid_t)archive_entry_gid(header),
		.modified = { archive_entry_mtime(header), archive_entry_mtime_nsec(header) },
	};
	if (target)
		entry->target = clean_path(target);
	else if (archive_entry_symlink(header))
		entry->target = strdup(target = archive_entry_symlink(header));
	if (!entry->path || (target && !entry->target))
		return ovi_fail_memory(err);

	if (!target)
		take_whiteout(entry);
	if (target || !S_ISREG(entry->mode))
		return 0;
	entry->size = (size_t)archive_entry_size(header);
	r = take_xattrs(header, entry, err);

	return r < 0 || !entry->size ? r : take_body(archive, plan, entry, err);
}

static int parse(struct plan *plan, struct ovl2_error *err)
{
	cleanup_archive struct archive *archive = archive_read_new();
	struct archive_entry *header;
	int r;

	if (!archive)
		return ovi_fail_memory(err);
	archive_read_support_format_tar(archive);
	if (archive_read_open_memory(archive, plan->map, plan->map_bytes) != ARCHIVE_OK)
		return ovi_fail(err, OVL2_E_CORRUPT, "open a tar: %s",
		                archive_error_string(archive));

	while ((r = archive_read_next_header(archive, &header)) == ARCHIVE_OK) {
		r = add_entry(archive, header, plan, err);
		if (r < 0)
			return r;
	}
	if (r != ARCHIVE_EOF)
		return ovi_fail(err, OVL2_E_CORRUPT, "read a tar: %s",
		                archive_error_string(archive));

	return 0;
}

int plan_init(struct plan *plan, int fd, size_t bytes, struct ovl2_error *err)
{
	int r;

	*plan = (struct plan){ .map_bytes = bytes };
	plan->map = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (plan->map == MAP_FAILED) {
		plan->map = NULL;
		return ovi_fail_errno(err, "map a tar");
	}

	r = parse(plan, err);
	if (r < 0)
		plan_release(plan);

	return r;
}

void plan_release(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct plan_entry *entry = &plan->list[i];

		for (size_t j = 0; j < entry->xattr_count; j++) {
			free(entry->xattrs[j].name);
			free(entry->xattrs[j].value);
		}
		free(entry->xattrs);
		free(entry->path);
		free(entry->target);
	}
	free(plan->list);
	if (plan->map)
		munmap(plan->map, plan->map_bytes);
	*plan = (struct plan){ 0 };
}

/* -------------------------------------------------------------- executing -- */

static int make_file(const struct plan_entry *entry, int root)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, entry->modified };
	cleanup_fd int fd =
		openat(root, entry->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t done = 0;

	if (fd < 0)
		return -1;
	while (done < entry->size) {
		ssize_t written = write(fd, entry->body + done, entry->size - done);

		if (written < 0)
			return -1;
		done += (size_t)written;
	}
	if (fchown(fd, entry->uid, entry->gid) < 0 || fchmod(fd, entry->mode & 07777) < 0)
		return -1;
	for (size_t i = 0; i < entry->xattr_count; i++) {
		const struct plan_xattr *xattr = &entry->xattrs[i];

		if (fsetxattr(fd, xattr->name, xattr->value, xattr->size, 0) < 0)
			return -1;
	}

	return futimens(fd, times);
}

static int make_entry(const struct plan_entry *entry, int root)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, entry->modified };

	if (entry->is_hard_link)
		return linkat(root, entry->target, root, entry->path, 0);
	if (S_ISREG(entry->mode))
		return make_file(entry, root);
	if (S_ISDIR(entry->mode)) {
		if (mkdirat(root, entry->path, 0700) < 0 && errno != EEXIST)
			return -1;
		if (fchownat(root, entry->path, entry->uid, entry->gid, 0) < 0)
			return -1;
		return fchmodat(root, entry->path, entry->mode & 07777, 0);
	}
	if (S_ISLNK(entry->mode)) {
		if (symlinkat(entry->target, root, entry->path) < 0 ||
		    fchownat(root, entry->path, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
			return -1;
		return utimensat(root, entry->path, times, AT_SYMLINK_NOFOLLOW);
	}

	/* Devices and pipes; mknodat(2) says what else there is. */
	if (mknodat(root, entry->path, entry->mode, entry->device) < 0 ||
	    fchownat(root, entry->path, entry->uid, entry->gid, 0) < 0 ||
	    fchmodat(root, entry->path, entry->mode & 07777, 0) < 0)
		return -1;

	return utimensat(root, entry->path, times, 0);
}

int plan_execute(const struct plan *plan, int root, struct ovl2_error *err)
{
	for (size_t i = 0; i < plan->count; i++)
		if (make_entry(&plan->list[i], root) < 0)
			return ovi_fail_errno(err, "create '%s'", plan->list[i].path);

	/* Backwards: what lies in a directory came after it. */
	for (size_t i = plan->count; i-- > 0;) {
		const struct plan_entry *entry = &plan->list[i];
		const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, entry->modified };

		if (S_ISDIR(entry->mode) && utimensat(root, entry->path, times, 0) < 0)
			return ovi_fail_errno(err, "set the times of '%s'", entry->path);
	}

	return 0;
}
