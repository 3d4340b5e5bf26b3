#include "volatile.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "file.h"
#include "sys.h"
#include "tree.h"

#include <string.h>

#define VOLATILE_NAME "volatile"
#define VOLATILE_BYTES 64
#define KERNEL_MARK "work/work/incompat"

int ovi_volatile_mark(const struct ovl2_store *store, int layer, const char *id,
                      struct ovl2_error *err)
{
	int r;

	r = ovi_file_replace(layer, VOLATILE_NAME, store->boot, 1, err);
	return r < 0 ? r : ovi_dir_flush(layer, id, err);
}

int ovi_volatile_check(const struct ovl2_store *store, int layer, struct ovl2_error *err)
{
	cleanup_free char *then = NULL;
	struct ovl2_error reason = { 0 };
	int r;

	r = ovi_file_read(layer, VOLATILE_NAME, VOLATILE_BYTES, &then, NULL, &reason);
	if (r == OVL2_E_NOT_FOUND)
		return 0;
	if (r < 0) {
		if (err)
			*err = reason;
		return r;
	}
	if (strcmp(store->boot, then) != 0)
		return ovi_fail(
			err, OVL2_E_CORRUPT,
			"it was mounted without syncs when the machine went down: its content "
			"cannot be trusted: remove it");

	return 1;
}

int ovi_volatile_settle(const struct ovl2_store *store, int layer, struct ovl2_error *err)
{
	int r;

	r = ovi_store_flush(store, err);
	if (r == 0)
		r = ovi_tree_remove(layer, KERNEL_MARK, err);
	if (r == 0)
		r = ovi_tree_remove(layer, VOLATILE_NAME, err);

	return r;
}
