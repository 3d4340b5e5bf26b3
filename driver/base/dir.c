#include "dir.h"

#include "cleanup.h"
#include "fail.h"
#include "strbuf.h"
#include "sys.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#define BUFFER_BYTES 32768

/* Of names: some 5,000 of them. A removal has one such list for each level it is in. */
#define PART_BYTES ((size_t)64 << 10)

/* getdents64(2) */
struct entry {
	uint64_t inode;
	int64_t offset;
	unsigned short length;
	unsigned char type;
	char name[];
};

void ovi_listing_release(struct ovi_listing *listing)
{
	int saved = errno;

	free(listing->names);
	free(listing->text);
	*listing = (struct ovi_listing){ 0 };
	errno = saved;
}

static int is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct ovi_name *)a)->name, ((const struct ovi_name *)b)->name);
}

/* Each name as a type byte, the text and its NUL: pointers only once all is read. */
static size_t add_entries(struct ovi_strbuf *text, const char *buffer, ssize_t length)
{
	size_t count = 0;

	for (ssize_t at = 0; at < length;) {
		const struct entry *entry = (const struct entry *)(buffer + at);

		at += entry->length;
		if (is_dots(entry->name))
			continue;
		ovi_strbuf_add_bytes(text, &entry->type, 1);
		ovi_strbuf_add_bytes(text, entry->name, strlen(entry->name) + 1);
		count++;
	}

	return count;
}

static int index_names(struct ovi_strbuf *text, size_t count, struct ovi_listing *ret_listing,
                       struct ovl2_error *err)
{
	cleanup_free struct ovi_name *names = NULL;
	char *at;

	names = calloc(count + 1, sizeof(*names));
	if (!names || text->failed)
		return ovi_fail_memory(err);

	at = text->text;
	for (size_t i = 0; i < count; i++) {
		names[i].type = (unsigned char)*at++;
		names[i].name = at;
		at += strlen(at) + 1;
	}
	qsort(names, count, sizeof(*names), compare_names);

	ret_listing->names = steal_ptr(&names);
	ret_listing->count = count;
	ret_listing->text = ovi_strbuf_steal(text);

	return 0;
}

/* From where `dir` is; 1 when it stopped at about `limit` bytes of names, 0 at the end. */
static int list_from_here(int dir, const char *what, size_t limit, struct ovi_listing *ret_listing,
                          struct ovl2_error *err)
{
	_Alignas(struct entry) char buffer[BUFFER_BYTES];
	cleanup_strbuf struct ovi_strbuf text = { 0 };
	size_t count = 0;
	ssize_t length;
	int r;

	do {
		length = ovi_sys.getdents(dir, buffer, sizeof(buffer));
		if (length < 0)
			return ovi_fail_errno(err, "list '%s'", what);
		count += add_entries(&text, buffer, length);
	} while (length > 0 && text.length < limit);
	r = index_names(&text, count, ret_listing, err);

	return r < 0 ? r : length > 0;
}

int ovi_dir_list(int dir, const char *what, struct ovi_listing *ret_listing, struct ovl2_error *err)
{
	if (lseek(dir, 0, SEEK_SET) < 0)
		return ovi_fail_errno(err, "rewind '%s'", what);

	return list_from_here(dir, what, SIZE_MAX, ret_listing, err);
}

int ovi_dir_list_more(int dir, const char *what, struct ovi_listing *ret_listing,
                      struct ovl2_error *err)
{
	return list_from_here(dir, what, PART_BYTES, ret_listing, err);
}

int ovi_dir_is_empty(int dir, const char *what, struct ovl2_error *err)
{
	_Alignas(struct entry) char buffer[1024];
	ssize_t length;

	if (lseek(dir, 0, SEEK_SET) < 0)
		return ovi_fail_errno(err, "rewind '%s'", what);

	while ((length = ovi_sys.getdents(dir, buffer, sizeof(buffer))) > 0) {
		cleanup_strbuf struct ovi_strbuf text = { 0 };

		if (add_entries(&text, buffer, length) > 0)
			return 0;
	}
	if (length < 0)
		return ovi_fail_errno(err, "list '%s'", what);

	return 1;
}

/*
 * Would a change be taken? That there is no such attribute is found out in a transaction
 * of the filesystem's journal, which none begins once it has given up for good.
 */
static int takes_changes(int dir)
{
	return ovi_sys.fremovexattr(dir, "user.ovl2.none") == 0 || errno == ENODATA ||
	       errno == EOPNOTSUPP || errno == EPERM || errno == EACCES;
}

int ovi_dir_flush(int dir, const char *what, struct ovl2_error *err)
{
	/*
	 * Linux 6.1.170 returns 0 when ext4 found an error in itself after the change and
	 * before the call: the journal is dead, there is nothing to wait for, and what was
	 * not written never will be. A change after the call that is taken proves that the
	 * journal was alive during it.
	 */
	if (ovi_sys.fsync(dir) < 0 || !takes_changes(dir))
		return ovi_fail_errno(err, "flush '%s'", what);

	return 0;
}

int ovi_dir_open(int dir, const char *name, int *ret_fd, struct ovl2_error *err)
{
	int fd = ovi_sys.openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

	if (fd < 0)
		return ovi_fail_errno(err, "open directory '%s'", name);
	*ret_fd = fd;

	return 0;
}
