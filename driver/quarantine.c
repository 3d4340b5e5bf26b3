#include "quarantine.h"

#include "chain.h"
#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "file.h"
#include "strbuf.h"
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

int ovi_quarantine(struct ovl2_store *store, const char *path, const char *name, const char *why,
                   struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf target = { 0 };
	char random[OVI_LINK_LENGTH + 1];
	int r;

	ovi_strbuf_addf(&target, OVI_QUARANTINE "/%s", name);
	if (target.failed)
		return ovi_fail_memory(err);
	r = ovi_sys.renameat2(store->home, path, store->home, target.text, RENAME_NOREPLACE);
	if (r < 0 && errno == EEXIST) {
		r = ovi_random_name(random, err);
		if (r < 0)
			return r;
		ovi_strbuf_addf(&target, ".%s", random);
		if (target.failed)
			return ovi_fail_memory(err);
		r = ovi_sys.renameat2(store->home, path, store->home, target.text,
		                      RENAME_NOREPLACE);
	}
	if (r < 0)
		return ovi_fail_errno(err, "move '%s' to '%s'", path, target.text);
	ovi_store_log(store, OVL2_LOG_WARNING, "'%s' is now '%s/%s': %s", path, store->path,
	              target.text, why);

	return 0;
}

/*
 * Is there a record without a word in it? Names reach the disk before what is in the
 * files: what was not flushed is empty after a power cut, or all zeroes.
 */
static int is_blank(int dir)
{
	cleanup_free char *text = NULL;

	return ovi_file_read(dir, OVI_RECORD_NAME, OVI_RECORD_MAX_BYTES, &text, NULL, NULL) == 0 &&
	       !*text;
}

/* Returns 1 for a layer that is not to be trusted. */
static int is_unflushed(const struct ovl2_store *store, const char *id)
{
	struct ovi_record record;
	cleanup_fd int dir = -1;

	/* Any other record that cannot be read is found by whoever uses the layer. */
	if (ovi_dir_open(store->home, id, &dir, NULL) < 0)
		return 0;
	if (ovi_record_read(dir, id, &record, NULL) < 0)
		return is_blank(dir);

	return *record.boot && strcmp(record.boot, store->boot) != 0;
}

/* The entry of `l` that is the layer's, whatever else is wrong with it; "" for none. */
static void find_link(struct ovl2_store *store, const char *id, char ret_link[OVI_LINK_SIZE])
{
	char link[OVI_LINK_SIZE + 8];
	char target[OVL2_ID_SIZE];
	cleanup_free char *text = NULL;
	cleanup_fd int dir = -1;

	*ret_link = '\0';
	if (ovi_dir_open(store->home, id, &dir, NULL) < 0 ||
	    ovi_file_read(dir, "link", OVI_LINK_SIZE, &text, NULL, NULL) < 0)
		return;
	snprintf(link, sizeof(link), "l/%s", text);
	if (ovi_link_is_valid(link, strlen(link)) &&
	    ovi_link_follow(store, link, target, NULL) == 0 && strcmp(target, id) == 0)
		memcpy(ret_link, link, OVI_LINK_SIZE);
}

int ovi_quarantine_layer(struct ovl2_store *store, const char *id, const char *why,
                         struct ovl2_error *err)
{
	char link[OVI_LINK_SIZE];
	int r;

	find_link(store, id, link);
	r = ovi_quarantine(store, id, id, why, err);
	/* In the quarantine its name is in the layer's `link`; a dead entry is harmless. */
	if (r == 0 && *link && ovi_sys.unlinkat(store->home, link, 0) < 0)
		ovi_store_log(store, OVL2_LOG_WARNING, "link '%s' stayed: %s", link,
		              strerrordesc_np(errno));

	return r;
}

int ovi_quarantine_unflushed(struct ovl2_store *store, struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	int r;

	r = ovi_store_lock(store, LOCK_EX, &lock, err);
	if (r == 0)
		r = ovi_dir_list(store->home, store->path, &listing, err);
	for (size_t i = 0; i < listing.count && r == 0; i++) {
		const char *id = listing.names[i].name;

		if (!ovi_id_is_valid(id) || !is_unflushed(store, id))
			continue;
		r = ovi_quarantine_layer(store, id,
		                         "it was not flushed before the machine went down", err);
	}

	return r;
}
