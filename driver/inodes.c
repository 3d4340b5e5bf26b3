#include "inodes.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct ovi_inode {
	dev_t device;
	ino_t number;
	nlink_t left; /* names not met yet */
	char *path;   /* NULL: slot is free */
};

void ovi_inodes_release(struct ovi_inodes *inodes)
{
	int saved = errno;

	for (size_t i = 0; i < inodes->room; i++)
		free(inodes->slots[i].path);
	free(inodes->slots);
	free(inodes->forgotten);
	*inodes = (struct ovi_inodes){ 0 };
	errno = saved;
}

static size_t home(const struct ovi_inode *inode, size_t room)
{
	uint64_t hash =
		((uint64_t)inode->number ^ ((uint64_t)inode->device << 32)) * 0x9e3779b97f4a7c15ULL;

	return (size_t)(hash >> 20) & (room - 1);
}

/* The slot of this file, or the free one where it belongs. Never full. */
static struct ovi_inode *find(struct ovi_inode *slots, size_t room, dev_t device, ino_t number)
{
	const struct ovi_inode wanted = { .device = device, .number = number };
	size_t at = home(&wanted, room);

	while (slots[at].path && (slots[at].number != number || slots[at].device != device))
		at = (at + 1) & (room - 1);

	return &slots[at];
}

/* Frees a slot, and moves up those that are not where they belong because of it. */
static void forget(struct ovi_inodes *inodes, struct ovi_inode *slot)
{
	size_t mask = inodes->room - 1;
	size_t hole = (size_t)(slot - inodes->slots);

	free(inodes->forgotten);
	inodes->forgotten = slot->path;
	inodes->count--;
	for (size_t at = (hole + 1) & mask; inodes->slots[at].path; at = (at + 1) & mask) {
		size_t distance = (at - home(&inodes->slots[at], inodes->room)) & mask;

		if (distance < ((at - hole) & mask))
			continue;
		inodes->slots[hole] = inodes->slots[at];
		hole = at;
	}
	inodes->slots[hole].path = NULL;
}

static int grow(struct ovi_inodes *inodes)
{
	size_t room = inodes->room ? inodes->room * 2 : 64;
	struct ovi_inode *slots;

	if (inodes->count * 2 < inodes->room)
		return 0;
	slots = calloc(room, sizeof(*slots));
	if (!slots)
		return -1;

	for (size_t i = 0; i < inodes->room; i++) {
		const struct ovi_inode *old = &inodes->slots[i];

		if (old->path)
			*find(slots, room, old->device, old->number) = *old;
	}
	free(inodes->slots);
	inodes->slots = slots;
	inodes->room = room;

	return 0;
}

const char *ovi_inodes_meet(struct ovi_inodes *inodes, const struct stat *st, const char *path,
                            int *ret_failed)
{
	struct ovi_inode *slot;

	*ret_failed = 0;
	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return NULL;
	if (grow(inodes) < 0) {
		*ret_failed = 1;
		return NULL;
	}

	slot = find(inodes->slots, inodes->room, st->st_dev, st->st_ino);
	if (slot->path) {
		const char *first = slot->path;

		if (--slot->left == 0)
			forget(inodes, slot);
		return first;
	}

	slot->left = st->st_nlink - 1;
	slot->path = strdup(path);
	*ret_failed = !slot->path;
	slot->device = st->st_dev;
	slot->number = st->st_ino;
	inodes->count += slot->path != NULL;

	return NULL;
}
