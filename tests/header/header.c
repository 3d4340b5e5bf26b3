/* SPDX-License-Identifier: MIT */
#include <ovl2.h>

/* Numbers that programs were compiled with; abidiff does not look at those. */
#define STAYS(constant, value) typedef char stays_##constant[(constant) == (value) ? 1 : -1]

STAYS(OVL2_OK, 0);
STAYS(OVL2_E_INVALID, -1);
STAYS(OVL2_E_NOT_FOUND, -2);
STAYS(OVL2_E_EXISTS, -3);
STAYS(OVL2_E_BUSY, -4);
STAYS(OVL2_E_PERMISSION, -5);
STAYS(OVL2_E_UNSUPPORTED, -6);
STAYS(OVL2_E_CORRUPT, -7);
STAYS(OVL2_E_NO_MEMORY, -8);
STAYS(OVL2_E_SYSTEM, -9);
STAYS(OVL2_E_LIMIT, -10);
STAYS(OVL2_E_CANCELLED, -11);
STAYS(OVL2_LOG_WARNING, 0);
STAYS(OVL2_LOG_DEBUG, 1);
STAYS(OVL2_MOUNT_AUTO, 0);
STAYS(OVL2_MOUNT_ABSOLUTE, 1);
STAYS(OVL2_MOUNT_RELATIVE, 2);
STAYS(OVL2_MOUNT_APPEND, 3);
STAYS(OVL2_MOUNT_FD, 4);
STAYS(OVL2_DURABILITY_COMMIT, 0);
STAYS(OVL2_DURABILITY_NONE, 1);
STAYS(OVL2_DURABILITY_ALWAYS, 2);
STAYS(OVL2_ATTRIBUTES_AUTO, 0);
STAYS(OVL2_ATTRIBUTES_TRUSTED, 1);
STAYS(OVL2_ATTRIBUTES_USER, 2);
STAYS(OVL2_DIFF_AUTO, 0);
STAYS(OVL2_DIFF_UPPER, 1);
STAYS(OVL2_DIFF_COMPARE, 2);
STAYS(OVL2_COMPRESSION_NONE, 0);
STAYS(OVL2_COMPRESSION_GZIP, 1);
STAYS(OVL2_COMPRESSION_ZSTD, 2);
STAYS(OVL2_CHANGE_MODIFY, 0);
STAYS(OVL2_CHANGE_ADD, 1);
STAYS(OVL2_CHANGE_DELETE, 2);
STAYS(OVL2_ID_SIZE, 129);
STAYS(OVL2_DIGEST_SIZE, 65);

/* The example in ovl2.h, as a C99 program would write it. */
int header_example(int tar_fd, char **merged);

int header_example(int tar_fd, char **merged)
{
	struct ovl2_error err = { 0 };
	struct ovl2_store_options options = { 0 };
	struct ovl2_store *store = NULL;
	int r;

	options.size = sizeof(options);
	options.mount_method = OVL2_MOUNT_FD;
	if ((r = ovl2_store_open("/var/lib/ovl2", &options, &store, &err)) < 0 ||
	    (r = ovl2_layer_create(store, "base", NULL, &err)) < 0 ||
	    (r = ovl2_layer_apply(store, "base", NULL, tar_fd, NULL, &err)) < 0)
		return r;
	r = ovl2_layer_mount(store, "base", NULL, merged, &err);
	ovl2_store_close(store);

	return r;
}
