#pragma once

/*
 * Many hosts in one: which are out, and why. All outputs are made from one document of
 * their own, "ovl2-fleet/1" (FORMAT.md).
 */

#include "strbuf.h"

#include <ovl2.h>

#include <jansson.h>
#include <stdio.h>

/*
 * Reads the probe documents at `paths`; of a directory all files that end in ".json". Of
 * two documents of one host, directory and profile the later one counts. A file that is
 * refused is listed with the reason and the rest is read. Release `ret_fleet` with
 * json_decref(). Memory is that of one document and a few hundred bytes a host.
 *
 * Errors: OVL2_E_NOT_FOUND when there is no document at all.
 */
int report_fleet_read(char *const paths[], size_t count, json_t **ret_fleet,
                      struct ovl2_error *err);

/* Counts, then causes, kernels and filesystems, most hosts first. */
int report_fleet_print(FILE *out, const json_t *fleet, struct ovl2_error *err);

/* A page like a report's, below a mebibyte. `title` may be NULL. */
int report_fleet_add_page(struct ovi_strbuf *page, const json_t *fleet, const char *title,
                          struct ovl2_error *err);

/* `ovl2-report fleet ...`, the rest of the command line. Returns an exit code. */
int report_fleet_main(int argc, char **argv);
