#pragma once

/*
 * Listing directories by descriptor, without "." and "..", through the table of
 * system calls.
 */

#include <ovl2.h>

#include <stddef.h>

struct ovi_name {
	const char *name;
	unsigned char type; /* DT_* */
};

/* A whole listing, sorted by bytes. Start from all zeroes. */
struct ovi_listing {
	struct ovi_name *names;
	size_t count;

	/* The names' memory. */
	char *text;
};

#define cleanup_listing __attribute__((cleanup(ovi_listing_release)))

void ovi_listing_release(struct ovi_listing *listing);

/*
 * Lists `dir`, an open directory, from its start. `what` names it in errors.
 */
int ovi_dir_list(int dir, const char *what, struct ovi_listing *ret_listing,
                 struct ovl2_error *err);

/*
 * Lists as many more names of `dir` as fit into bounded memory, from where it is. 1 when
 * there may be more, for another call; 0 when those were the last. What was listed may
 * be deleted meanwhile.
 */
int ovi_dir_list_more(int dir, const char *what, struct ovi_listing *ret_listing,
                      struct ovl2_error *err);

/* 1 when `dir` has no entries, 0 when it has, without reading all of it. */
int ovi_dir_is_empty(int dir, const char *what, struct ovl2_error *err);

/*
 * Puts on disk what was made, renamed or deleted in `dir`, an open directory. Success means
 * that it is there, also where fsync(2) says so of a filesystem that gave up before.
 */
int ovi_dir_flush(int dir, const char *what, struct ovl2_error *err);

/* Opens directory `name` under `dir` for listing, never through a link. */
int ovi_dir_open(int dir, const char *name, int *ret_fd, struct ovl2_error *err);
