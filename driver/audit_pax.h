#pragma once

/* The records of a pax extended header: "LENGTH KEY=VALUE\n". */

#include "strbuf.h"

#include <stddef.h>
#include <stdint.h>

/* What decides about the layout of the tar, and names the entry. */
struct ovi_pax {
	int has_size;
	uint64_t size;
	int has_path;
	struct ovi_strbuf *path;
};

/*
 * Checks the records in `text`. NULL when they are well formed, or what is wrong with
 * them: part of a sentence, static. `pax` receives what the last record of each key
 * says; NULL checks only their form.
 */
const char *ovi_pax_check(const char *text, size_t length, struct ovi_pax *pax);

/* Is one of the components of this name ".."? */
int ovi_pax_has_dots(const char *name, size_t length);
