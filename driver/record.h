#pragma once

/*
 * A layer's record, `<id>/ovl2.json`: one small JSON object with a checksum of
 * itself. A layer without one is foreign: Docker made it.
 */

#include <ovl2.h>

#define OVI_RECORD_NAME "ovl2.json"
#define OVI_RECORD_MAX_BYTES 4096

/* A boot id of Linux, a UUID, and a NUL. */
#define OVI_BOOT_SIZE 37

/* Docker's mark of a layer that has had a child: an empty file. */
#define OVI_COMMITTED_NAME "committed"

struct ovi_record {
	char id[OVL2_ID_SIZE];
	char parent[OVL2_ID_SIZE]; /* "" for a base layer */

	int is_read_write;
	int is_committed;

	/* 0 when there is no quota. */
	uint64_t quota_bytes;
	uint64_t quota_inodes;
	uint32_t project_id;

	/*
	 * Is a digest of the content to be kept once that is final? The digest, in
	 * hexadecimal, "" until then.
	 */
	int wants_digest;
	char digest[OVL2_DIGEST_SIZE];

	/* Of the boot that it has not been flushed in yet; "" for a layer on disk. */
	char boot[OVI_BOOT_SIZE];

	/* Read from disk? Otherwise pieced together from a foreign layer's files. */
	int is_foreign;
};

/* Creates the record in `layer`, a directory that nobody sees yet. */
int ovi_record_create(int layer, const struct ovi_record *record, struct ovl2_error *err);

/*
 * Creates the record in layer directory `layer`, or replaces it as a whole, which
 * with `flush` holds across a power cut.
 */
int ovi_record_write(int layer, const struct ovi_record *record, int flush, struct ovl2_error *err);

/*
 * Reads the record in layer directory `layer`, which is that of layer `id`. Where
 * there is none: is_foreign, is_committed by Docker's marker, and no parent.
 *
 * Errors: OVL2_E_CORRUPT for a damaged record, or one of another layer.
 */
int ovi_record_read(int layer, const char *id, struct ovi_record *ret_record,
                    struct ovl2_error *err);

/* The id of this boot. */
int ovi_boot_read(char ret_boot[OVI_BOOT_SIZE], struct ovl2_error *err);
