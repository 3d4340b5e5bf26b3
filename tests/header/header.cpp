/* SPDX-License-Identifier: MIT */
#include <ovl2.h>

/* The same from C++: linkage is C, and every option struct can be zeroed. */
int header_example_cpp(ovl2_store *store, int tar_fd);

int header_example_cpp(ovl2_store *store, int tar_fd)
{
	ovl2_error err = ovl2_error();
	ovl2_layer_options options = ovl2_layer_options();
	uint64_t bytes = 0;

	options.size = sizeof(options);
	options.parent = "base";
	if (ovl2_layer_create(store, "child", &options, &err) < 0)
		return err.code;

	return ovl2_layer_apply(store, "child", NULL, tar_fd, &bytes, &err);
}
