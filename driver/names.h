#pragma once

/*
 * The names in a directory, in the order of their bytes, within bounded memory: a
 * directory that has more of them than that is listed again for what did not fit. Several
 * lists can have one bound together.
 */

#include <ovl2.h>

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Some 350,000 names of 12 characters: larger directories are listed more than once. */
#define OVI_NAMES_BYTES ((size_t)6 << 20)

/* Of all lists that have a bound together; and what one gets when others have all of it. */
#define OVI_NAMES_TOGETHER_BYTES ((size_t)10 << 20)
#define OVI_NAMES_LEAST_BYTES ((size_t)1 << 20)

/* Asked now and then, by who works for long with nothing to tell: non-zero ends it. */
struct ovi_asker {
	int (*ask)(void *data, struct ovl2_error *err);
	void *data;
};

/* 0 where there is nobody to ask. */
static inline int ovi_ask(const struct ovi_asker *asker, struct ovl2_error *err)
{
	return asker ? asker->ask(asker->data, err) : 0;
}

struct ovi_names_bounds {
	char after[NAME_MAX + 1];
	char ceiling[NAME_MAX + 1];
};

struct ovi_names {
	int dir;      /* borrowed */
	size_t limit; /* bytes at a time */

	/* What all lists take that have a bound together, this one among them; or NULL. */
	size_t *together;
	size_t counted;

	/* A type byte, the name and its NUL, one after the other; and where, sorted. */
	char *text;
	size_t length;
	size_t room;
	uint32_t *order;
	size_t count;
	size_t order_room;
	size_t at;

	/*
	 * Only names behind `after` are of interest, if it is not ""; those from `ceiling`
	 * on came too late. NULL until one of them is needed.
	 */
	struct ovi_names_bounds *bounds;
	int has_ceiling;
	int is_listed;
	int is_at_end;

	/* Borrowed, or NULL; and how many names were shown since. */
	const struct ovi_asker *asker;
	unsigned int unasked;

	/* Set by those who do not care: names come as they are listed, a few at a time. */
	int is_unordered;
	off_t position;
};

#define cleanup_names __attribute__((cleanup(ovi_names_release)))

/* Begins; reads nothing yet. `dir` is at its beginning; -1 is a directory without names. */
void ovi_names_init(struct ovi_names *names, int dir);

/*
 * Before `dir` is closed with names still to come, and when the same directory is open
 * again, as `dir`.
 */
void ovi_names_leave(struct ovi_names *names);
int ovi_names_return(struct ovi_names *names, int dir, struct ovl2_error *err);

/* Gives back the memory of a list that is gone on with later: it is listed again then. */
void ovi_names_forget(struct ovi_names *names);

void ovi_names_release(struct ovi_names *names);

/*
 * 1 and the first name not yet passed by, valid until ovi_names_next(), with its DT_*
 * type; 0 when there is none.
 */
int ovi_names_peek(struct ovi_names *names, const char **ret_name, unsigned char *ret_type,
                   struct ovl2_error *err);

void ovi_names_next(struct ovi_names *names);
