#include "names.h"

#include "fail.h"
#include "sys.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES 32768

/* Of a list without order, when others have all of the memory: a few long names. */
#define LEAST_BUFFER_BYTES 1024

/* getdents64(2) */
struct entry {
	uint64_t inode;
	int64_t offset;
	unsigned short length;
	unsigned char type;
	char name[];
};

/* What is done for so many takes some milliseconds. */
#define NAMES_UNASKED 256

void ovi_names_init(struct ovi_names *names, int dir)
{
	*names = (struct ovi_names){ .dir = dir, .limit = OVI_NAMES_BYTES };
}

/* Tells the other lists how much of the memory this one has. */
static void count_memory(struct ovi_names *names)
{
	size_t bytes = names->room + names->order_room * sizeof(*names->order);

	if (!names->together)
		return;
	*names->together += bytes - names->counted;
	names->counted = bytes;
}

static void free_list(struct ovi_names *names)
{
	int saved = errno;

	free(names->text);
	free(names->order);
	names->text = NULL;
	names->order = NULL;
	names->room = 0;
	names->order_room = 0;
	names->length = 0;
	names->count = 0;
	names->at = 0;
	count_memory(names);
	errno = saved;
}

void ovi_names_release(struct ovi_names *names)
{
	int saved = errno;

	free_list(names);
	free(names->bounds);
	names->bounds = NULL;
	errno = saved;
}

/* Where it was matters to who lists a few at a time; those that were passed by, to nobody. */
void ovi_names_leave(struct ovi_names *names)
{
	names->position = names->is_unordered ? lseek(names->dir, 0, SEEK_CUR) : 0;
	if (names->at == names->count)
		free_list(names);
}

int ovi_names_return(struct ovi_names *names, int dir, struct ovl2_error *err)
{
	names->dir = dir;
	if (names->position > 0 && lseek(dir, names->position, SEEK_SET) < 0)
		return ovi_fail_errno(err, "go on in a directory");

	return 0;
}

static int compare(const void *a, const void *b, void *text)
{
	const char *one = (const char *)text + *(const uint32_t *)a + 1;
	const char *other = (const char *)text + *(const uint32_t *)b + 1;

	return strcmp(one, other);
}

/* Some filesystems list in this order already, and a copy of a sorted tree may. */
static void sort(struct ovi_names *names)
{
	for (size_t i = 1; i < names->count; i++)
		if (compare(&names->order[i - 1], &names->order[i], names->text) > 0) {
			qsort_r(names->order, names->count, sizeof(*names->order), compare,
			        names->text);
			return;
		}
}

static int grow(struct ovi_names *names, size_t length)
{
	if (names->length + length > names->room) {
		size_t room = names->room + (names->room < 512 ? 512 : names->room / 2);

		if (room > names->limit)
			room = names->limit;
		if (room < names->length + length)
			room = names->length + length;
		char *text = realloc(names->text, room);

		if (!text)
			return -1;
		names->text = text;
		names->room = room;
	}
	if (names->count == names->order_room) {
		size_t room = names->order_room ? names->order_room * 2 : 32;
		uint32_t *order = realloc(names->order, room * sizeof(*order));

		if (!order)
			return -1;
		names->order = order;
		names->order_room = room;
	}

	return 0;
}

static void keep_name(char to[NAME_MAX + 1], const char *name)
{
	memcpy(to, name, strlen(name) + 1);
}

static int need_bounds(struct ovi_names *names)
{
	if (!names->bounds)
		names->bounds = calloc(1, sizeof(*names->bounds));

	return names->bounds ? 0 : -1;
}

/* Without memory to say where it is to go on, the list stays. */
void ovi_names_forget(struct ovi_names *names)
{
	if (!names->text || names->is_unordered || need_bounds(names) < 0)
		return;
	if (names->at > 0 && names->at < names->count)
		keep_name(names->bounds->after, names->text + names->order[names->at - 1] + 1);
	free_list(names);
	names->is_at_end = 0;
}

/* Keeps the first half; what comes from there on is for the next listing. */
static int drop_half(struct ovi_names *names)
{
	size_t kept = names->count / 2;
	size_t length = 0;
	size_t room = 1;
	char *text;

	if (need_bounds(names) < 0)
		return -1;
	sort(names);
	for (size_t i = 0; i < kept; i++)
		room += strlen(names->text + names->order[i] + 1) + 2;
	text = malloc(room);
	if (!text)
		return -1;
	keep_name(names->bounds->ceiling, names->text + names->order[kept] + 1);
	names->has_ceiling = 1;
	for (size_t i = 0; i < kept; i++) {
		const char *name = names->text + names->order[i];
		size_t size = 1 + strlen(name + 1) + 1;

		memcpy(text + length, name, size);
		names->order[i] = (uint32_t)length;
		length += size;
	}
	free(names->text);
	names->text = text;
	names->length = length;
	names->room = room;
	names->count = kept;

	return 0;
}

static int comes_too_late(const struct ovi_names *names, const char *name)
{
	return names->has_ceiling && strcmp(name, names->bounds->ceiling) >= 0;
}

static int is_full(const struct ovi_names *names, size_t size)
{
	return names->length + size + (names->count + 1) * sizeof(*names->order) > names->limit;
}

static int add(struct ovi_names *names, const struct entry *entry)
{
	size_t size = 1 + strlen(entry->name) + 1;

	if (entry->name[0] == '.' &&
	    (!entry->name[1] || (entry->name[1] == '.' && !entry->name[2])))
		return 0;
	if (names->bounds && *names->bounds->after &&
	    strcmp(entry->name, names->bounds->after) <= 0)
		return 0;
	if (comes_too_late(names, entry->name))
		return 0;
	if (!names->is_unordered && names->count > 1 && is_full(names, size) &&
	    drop_half(names) < 0)
		return -1;
	if (comes_too_late(names, entry->name))
		return 0;
	if (grow(names, size) < 0)
		return -1;

	names->order[names->count++] = (uint32_t)names->length;
	names->text[names->length] = (char)entry->type;
	memcpy(names->text + names->length + 1, entry->name, size - 1);
	names->length += size;

	return 0;
}

/* What the other lists leave for this one. */
static size_t memory_left(const struct ovi_names *names)
{
	size_t others = names->together ? *names->together - names->counted : 0;

	return others < OVI_NAMES_TOGETHER_BYTES ? OVI_NAMES_TOGETHER_BYTES - others : 0;
}

static void set_limit(struct ovi_names *names)
{
	size_t left = memory_left(names);

	names->limit = left < OVI_NAMES_LEAST_BYTES ? OVI_NAMES_LEAST_BYTES
	               : left < OVI_NAMES_BYTES     ? left
	                                            : OVI_NAMES_BYTES;
}

static int read_entries(struct ovi_names *names, size_t size, struct ovl2_error *err)
{
	_Alignas(struct entry) char buffer[BUFFER_BYTES];
	ssize_t length;

	do {
		int r = ovi_ask(names->asker, err);

		if (r != 0)
			return r;
		length = ovi_sys.getdents(names->dir, buffer, size);
		for (ssize_t at = 0; at < length;) {
			const struct entry *entry = (const struct entry *)(buffer + at);

			if (add(names, entry) < 0)
				return ovi_fail_memory(err);
			at += entry->length;
		}
	} while (length > 0 && !(names->is_unordered && names->count > 0));
	if (length < 0)
		return ovi_fail_errno(err, "list a directory");
	names->is_at_end = length == 0;

	return 0;
}

/* All that is left; where nobody asked for an order, the next few. */
static int list(struct ovi_names *names, struct ovl2_error *err)
{
	size_t size = BUFFER_BYTES;
	int r;

	names->length = 0;
	names->count = 0;
	names->at = 0;
	names->has_ceiling = 0;
	if (names->is_listed && !names->is_unordered && lseek(names->dir, 0, SEEK_SET) < 0)
		return ovi_fail_errno(err, "rewind a directory");

	names->is_listed = 1;
	if (names->together)
		set_limit(names);
	if (names->is_unordered && memory_left(names) < BUFFER_BYTES)
		size = LEAST_BUFFER_BYTES;
	r = read_entries(names, size, err);
	count_memory(names);
	if (r == 0 && !names->is_unordered)
		sort(names);

	return r;
}

int ovi_names_peek(struct ovi_names *names, const char **ret_name, unsigned char *ret_type,
                   struct ovl2_error *err)
{
	const char *text;
	int r;

	*ret_name = NULL;
	if (names->dir < 0)
		return 0;
	if (!names->is_listed ||
	    (names->at == names->count && (names->has_ceiling || !names->is_at_end))) {
		r = list(names, err);
		if (r < 0)
			return r;
	}
	if (names->at == names->count)
		return 0;

	if (++names->unasked >= NAMES_UNASKED) {
		names->unasked = 0;
		r = ovi_ask(names->asker, err);
		if (r != 0)
			return r;
	}
	text = names->text + names->order[names->at];
	*ret_type = (unsigned char)*text;
	*ret_name = text + 1;

	return 1;
}

void ovi_names_next(struct ovi_names *names)
{
	/* The last one of several listings: where the next one begins. */
	if (names->at + 1 == names->count && names->has_ceiling)
		keep_name(names->bounds->after, names->text + names->order[names->at] + 1);
	names->at++;

	/* Whoever goes down into the last one has nothing more to do here. */
	if (names->at == names->count && names->is_at_end && !names->has_ceiling)
		ovi_names_release(names);
}
