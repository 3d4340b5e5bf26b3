#pragma once

/*
 * An open directory that several hold on to: the walk that is in it, and those who
 * read files of it later, in other threads.
 */

#include <ovl2.h>

#include <stdatomic.h>

struct ovi_folder {
	int fd;
	atomic_uint users;
};

/* Takes `fd` over, closes it when out of memory. Held once. */
struct ovi_folder *ovi_folder_new(int fd);

/* Opens directory `name` of `parent`, never through a link. */
int ovi_folder_open(const struct ovi_folder *parent, const char *name,
                    struct ovi_folder **ret_folder, struct ovl2_error *err);

struct ovi_folder *ovi_folder_hold(struct ovi_folder *folder);

/* The last one closes it. NULL is fine. */
void ovi_folder_drop(struct ovi_folder *folder);

static inline void ovi_folder_drop_ptr(struct ovi_folder **folder)
{
	ovi_folder_drop(*folder);
}

#define cleanup_folder __attribute__((cleanup(ovi_folder_drop_ptr)))
