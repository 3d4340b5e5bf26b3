#pragma once

/* Directory trees as a whole. */

#include <ovl2.h>

/*
 * Deletes `name` below directory `dir`: a file, or a directory with all that is in
 * it, however deep. Links are deleted, never followed; what is mounted below is
 * not entered (OVL2_E_BUSY). A missing `name` is fine.
 */
int ovi_tree_remove(int dir, const char *name, struct ovl2_error *err);
