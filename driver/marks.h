#pragma once

/*
 * What overlayfs keeps in the attributes of an upper. Their names begin with
 * "trusted.overlay.", or with "user.overlay." where it was mounted with userxattr.
 */

#include <ovl2.h>

/* Of one directory. */
struct ovi_marks {
	int is_opaque;     /* "y": nothing below shows through */
	int has_whiteouts; /* "x": empty files with an attribute are whiteouts (Linux >= 6.7) */
	int is_redirected; /* its content is below, under another name */
};

int ovi_marks_read(int dir, int are_user, struct ovi_marks *ret_marks, struct ovl2_error *err);

/*
 * The same of the root of an upper, and sets `are_user`, unless it is, to whether that was
 * filled through a mount with userxattr: then its root has attributes of that kind (the
 * uuid, since Linux 6.6, or that a child was copied up) and none of the other; a container
 * cannot give it the latter.
 */
int ovi_marks_read_root(int root, int *are_user, struct ovi_marks *ret_marks,
                        struct ovl2_error *err);

/* 1 when the empty file `name` in `dir` is marked as a whiteout. */
int ovi_marks_are_whiteout(int dir, const char *name, int are_user, struct ovl2_error *err);
