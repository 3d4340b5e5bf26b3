/* SPDX-License-Identifier: MIT */
#include <ovl2.h>

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
