#pragma once

/*
 * Tars made to do harm, or only odd: a table, from which each is made. Some give the
 * path of a directory that must not be touched, as "@" in names and links; "^" stands
 * for a path there that is longer than the kernel takes.
 */

#include "support/tar.h"

#include <stddef.h>

#define CORPUS_MAX_ENTRIES 6

enum corpus_outcome {
	/* Applied; `names` is what the layer shows. */
	CORPUS_APPLIED,

	/* Refused as damaged or unsafe. */
	CORPUS_REFUSED,

	/* Refused, one way or another: the name is too long, say. */
	CORPUS_FAILS,

	/* Either, as long as nothing else is touched. */
	CORPUS_HARMLESS,
};

struct corpus_bytes {
	const char *bytes;
	size_t length;
};

struct corpus_row {
	const char *title;
	enum corpus_outcome outcome;
	const char *names;
	struct test_tar_entry entries[CORPUS_MAX_ENTRIES];

	/* For what entries cannot say; comes after them. */
	void (*add)(struct test_tar *tar);

	/* Without the two empty blocks at the end. */
	int without_end;

	/* Put over the last header at `patch_at`; its checksum is right again then. */
	size_t patch_at;
	struct corpus_bytes patch;

	/* Records of a pax header in front of the last entry, as they are. */
	struct corpus_bytes records;
};

/* By subject: form and names; single fields of headers; what a layer makes of it. */
extern const struct corpus_row corpus_rows[];
extern const size_t corpus_count;
extern const struct corpus_row corpus_header_rows[];
extern const size_t corpus_header_count;
extern const struct corpus_row corpus_layer_rows[];
extern const size_t corpus_layer_count;

/* Row `index` of all of them; NULL behind the last. */
const struct corpus_row *corpus_row(size_t index);

void corpus_build(const struct corpus_row *row, const char *victim, struct test_tar *tar);

/* ------------------------------------------------------------- for tables -- */

#define GOOD                                      \
	{                                         \
		.name = "good", .content = "good" \
	}
#define INTO(path)                                \
	{                                         \
		.name = (path), .content = "harm" \
	}
#define DIRECTORY(path)                     \
	{                                   \
		.name = (path), .type = '5' \
	}
#define LINK(path, target)                                    \
	{                                                     \
		.name = (path), .type = '2', .link = (target) \
	}
#define HARD_LINK(path, target)                               \
	{                                                     \
		.name = (path), .type = '1', .link = (target) \
	}
#define PAX(...)                     \
	.pax = (const char *const[]) \
	{                            \
		__VA_ARGS__, NULL    \
	}
#define XATTR(key)                                            \
	{                                                     \
		.name = "file", PAX("SCHILY.xattr." key "=y") \
	}
