#pragma once

/*
 * Where an engine keeps its layers on this host, from its own configuration: the
 * directory that is worth asking about.
 */

#include <ovl2.h>

struct probe_data_root {
	/* Absolute, an existing directory. */
	char *path;

	/* How it was found, a phrase. */
	char *why;
};

#define cleanup_data_root __attribute__((cleanup(probe_data_root_release)))

/*
 * Finds the data root of the engine that the profile is for. `root` is what the host's
 * "/" is mounted on, as "/host" in a container; "" for the host itself; links are
 * resolved inside of it. Where the engine is not installed yet it is the directory in
 * which its data root will be made. Release with probe_data_root_release().
 *
 * Returns 1, or 0 when the profile is for no engine in particular.
 * Errors: OVL2_E_INVALID when a configuration cannot be understood.
 */
int probe_data_root_find(const char *profile, const char *root,
                         struct probe_data_root *ret_data_root, struct ovl2_error *err);

/*
 * The same for the other directory that the profile's needs are about: that of the kubelet,
 * which keeps volumes and logs there. 0 when it has no other.
 */
int probe_data_root_find_also(const char *profile, const char *root,
                              struct probe_data_root *ret_data_root, struct ovl2_error *err);

void probe_data_root_release(struct probe_data_root *data_root);
