#pragma once

/* The records of a pax extended header: "LENGTH KEY=VALUE\n". */

#include "strbuf.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* What the records say. Start from all zeroes and the two buffers. */
struct ovi_pax {
	int has_size;
	uint64_t size;
	int has_path;
	int has_sparse_name;
	struct ovi_strbuf *path;
	int has_link;
	struct ovi_strbuf *link;
	int has_uid;
	uint64_t uid;
	int has_gid;
	uint64_t gid;
	int has_mtime;
	struct timespec mtime;
	int has_xattrs;

	/* There is something that is not read here: sparse maps, other character sets. */
	int is_unusual;
};

/*
 * Checks the records in `text`. NULL when they are well formed, or what is wrong with
 * them: part of a sentence, static. `pax` receives what the last record of each key
 * says; NULL checks only their form.
 */
const char *ovi_pax_check(const char *text, size_t length, struct ovi_pax *pax);

/* One extended attribute; the key is not terminated. */
struct ovi_pax_xattr {
	const char *key;
	size_t key_length;
	const char *value;
	size_t value_length;
};

/*
 * The next attribute of records that were checked, from `*at` on, which moves behind
 * it. 0 when there is none.
 */
int ovi_pax_next_xattr(const char **at, const char *end, struct ovi_pax_xattr *ret_xattr);

/* Is one of the components of this name ".."? */
int ovi_pax_has_dots(const char *name, size_t length);
