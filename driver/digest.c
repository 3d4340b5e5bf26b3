#include "digest.h"

#include "cleanup.h"
#include "diff.h"
#include "dir.h"
#include "fail.h"
#include "layer.h"
#include "sys.h"

#include <string.h>
#include <sys/file.h>

/* Where the tar goes whose digest alone is wanted. */
static int drop(void *data, const void *bytes, size_t length)
{
	(void)data;
	(void)bytes;
	(void)length;

	return 0;
}

int ovi_digest_compute(struct ovl2_store *store, const char *id, char ret_digest[OVL2_DIGEST_SIZE],
                       struct ovl2_error *err)
{
	const struct ovl2_diff_options options = {
		.size = sizeof(options),
		.write = drop,
		.digest = ret_digest,
	};

	return ovl2_layer_diff(store, id, &options, -1, err);
}

static int ask(void *data, const struct ovl2_diff_progress *so_far)
{
	(void)so_far;

	return ovi_ask(data, NULL);
}

int ovi_digest_add_to_stage(const struct ovi_stage *stage, const char *id, int root,
                            struct ovi_asker *asker, struct ovl2_error *err)
{
	struct ovl2_store *store = stage->store;
	struct ovi_record record = { .is_foreign = 0 };
	const struct ovl2_diff_options options = {
		.size = sizeof(options),
		.write = drop,
		.progress = ask,
		.progress_data = asker,
		.digest = record.digest,
	};
	int r;

	r = ovi_record_read(stage->dir, id, &record, err);
	if (r < 0 || !record.wants_digest || !record.is_committed)
		return r;
	r = ovi_diff_aside(store, record.parent, root, &options, err);

	return r < 0 ? r : ovi_record_write(stage->dir, &record, 0, err);
}

/* Unless it is another layer by now. */
static int write_digest(struct ovl2_store *store, const struct ovi_layer *read, const char *digest,
                        struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	int flush;
	int r;

	r = ovi_store_lock(store, LOCK_SH, &lock, err);
	if (r == 0)
		r = ovi_layer_open_locked(store, read->id, &layer, err);
	if (r < 0)
		return r;
	if (strcmp(layer.link, read->link) != 0)
		return ovi_fail(err, OVL2_E_NOT_FOUND,
		                "it was removed meanwhile, and another has its id");

	layer.record.wants_digest = 1;
	memcpy(layer.record.digest, digest, sizeof(layer.record.digest));
	flush = ovi_store_is_durable(store) || !*layer.record.boot;
	r = ovi_record_write(layer.dir, &layer.record, flush, err);
	if (r == 0 && flush)
		r = ovi_dir_flush(layer.dir, read->id, err);

	return r < 0 ? r : 1;
}

int ovi_digest_add(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	char digest[OVL2_DIGEST_SIZE];
	int r;

	r = ovi_layer_open(store, id, &layer, err);
	if (r < 0 || *layer.record.digest)
		return r;
	if (layer.record.is_foreign)
		return ovi_fail(
			err, OVL2_E_UNSUPPORTED,
			"Docker made it and it has no record to keep one in: adopt it first");
	if (!layer.record.is_committed)
		return ovi_fail(err, OVL2_E_BUSY,
		                "it is not committed, and what it holds can still change");
	r = ovi_digest_compute(store, id, digest, err);

	return r < 0 ? r : write_digest(store, &layer, digest, err);
}

int ovl2_layer_digest(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	int r = ovi_digest_add(store, id, err);

	return r < 0 ? ovi_fail_within(err, r, "keep a digest of layer '%s'", id ? id : "") : r;
}
