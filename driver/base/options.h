#pragma once

/*
 * Option structs that grow. Each begins with the size its caller was compiled with.
 */

#include "fail.h"

#include <string.h>

/*
 * Copies what the caller gave into `own`, which is all zeroes and of `own_size`.
 * NULL is all defaults. Members that the caller did not know are zero; members that
 * are not known here must be.
 */
static inline int ovi_options_read(const void *given, void *own, size_t own_size,
                                   struct ovl2_error *err)
{
	const unsigned char *bytes = given;
	size_t size = own_size;

	if (given)
		memcpy(&size, given, sizeof(size));
	if (size < sizeof(size) || size > 4096)
		return ovi_fail(err, OVL2_E_INVALID, "options of size %zu: set their size member",
		                size);
	for (size_t i = own_size; given && i < size; i++)
		if (bytes[i])
			return ovi_fail(
				err, OVL2_E_INVALID,
				"options of size %zu ask for what this library does not know",
				size);
	if (given)
		memcpy(own, given, size < own_size ? size : own_size);
	memcpy(own, &own_size, sizeof(own_size));

	return 0;
}
