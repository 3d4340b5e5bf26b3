#pragma once

/*
 * POSIX lists of access, as attributes of the kernel: a file's own, and what is made in
 * a directory inherits. Tars of container engines have these attributes as they are;
 * GNU tar, star and bsdtar have text, which libarchive takes apart.
 */

#include "strbuf.h"

#include <ovl2.h>

#include <stddef.h>

struct archive_entry;

/* Is it the attribute of one? And of one that is inherited? */
int ovi_acl_is(const char *key);
int ovi_acl_is_default(const char *key);

/*
 * The next list that the entry has as text and not as an attribute too, as the value of
 * `ret_key`: 1, or 0 when there is no more, or -1 without memory. One that is no POSIX
 * list, or has names without numbers, keeps the key of the text, and no value. `at` is 0
 * at first. What was read of the entry's attributes is read anew.
 */
int ovi_acl_next(struct archive_entry *entry, size_t *at, const char **ret_key,
                 struct ovi_strbuf *value);

/*
 * Puts a list into `mapped`, its users and groups by the maps of the options. What is no
 * list is left to the kernel, which refuses it.
 *
 * Errors: OVL2_E_CORRUPT for an id outside of the maps.
 */
int ovi_acl_map(const void *value, size_t length, const struct ovl2_apply_options *options,
                struct ovi_strbuf *mapped, struct ovl2_error *err);

/* Takes away what `name`, new in `dir`, inherited. */
int ovi_acl_disinherit(int dir, const char *name, struct ovl2_error *err);
