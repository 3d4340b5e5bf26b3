#pragma once

/* As much of TOML as it takes to find a string or a list in an engine's configuration. */

#include <ovl2.h>

/*
 * Finds the string with dotted name `name`, its tables included and without quotes:
 * "storage.graphroot", "plugins.io.containerd.snapshotter.v1.overlayfs.root_path".
 * The last one counts. Arrays of tables are passed over.
 *
 * Returns 1 with `ret_value`, to be released with free(3); 0 when there is none.
 * Errors: OVL2_E_INVALID when it is there and no string of one line.
 */
int toml_find(const char *text, const char *name, char **ret_value, struct ovl2_error *err);

/*
 * Finds the list of strings called `name` in the same way, on one line or on many.
 *
 * Returns 0 with `ret_lines`, the strings each with a newline behind it, "" when there is
 * no such list; to be released with free(3).
 * Errors: OVL2_E_INVALID when it is there and no list of strings of one line.
 */
int toml_find_list(const char *text, const char *name, char **ret_lines, struct ovl2_error *err);
