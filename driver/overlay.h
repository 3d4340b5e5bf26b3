#pragma once

/*
 * One overlay: its directories in, a mount out. The only place that builds
 * overlay mounts; the four methods and the choice between them live here.
 */

#include "strbuf.h"

#include <ovl2.h>

#include <stddef.h>

/* The kernel's OVL_MAX_STACK: the 501st lower is EINVAL. */
#define OVI_MAX_LOWERS 500

/* mount(2) copies one page and cuts the last byte off, without saying so. */
#define OVI_MAX_DATA_BYTES 4095

/*
 * The directories of one overlay. Names are relative to `home`, so that they
 * stay short and no path is walked twice. Borrowed, never freed here.
 */
struct ovi_overlay {
	int home;
	const char *home_path; /* absolute, of the same directory */

	/* Topmost first. One or more; two or more when there is no `upper`. */
	const char *const *lower;
	size_t lower_count;

	/* The same as O_PATH descriptors, -1 for what is not open; or NULL. */
	const int *lower_fds;

	/*
	 * Where lowers are opened by method fd, if not in home: a copy of home's mount
	 * with other ids. 0 for home.
	 */
	int tree;

	/* Both, or neither for a read-only overlay. Same filesystem. */
	const char *upper;
	const char *work;

	/* The same as O_PATH descriptors, or 0 for what is not open. */
	int upper_fd;
	int work_fd;

	/* Further overlay options with commas between, or "" or NULL. */
	const char *options;

	/* SELinux label, or NULL. */
	const char *label;

	/* MOUNT_ATTR_NODEV, _NOSUID, _NOEXEC. Without an upper it is read-only anyway. */
	unsigned int attributes;
};

/*
 * The method to use: `wanted`, or for auto fd, which is the fastest at every depth
 * when the lowers are open already (bench `mount_depth`), needs no switch at any depth
 * and says why when it fails. Where the kernel has no such thing, which the first
 * attempt of the process finds out: the fastest that fits of absolute, relative and
 * append.
 *
 * Errors: OVL2_E_UNSUPPORTED when the wanted method cannot carry this overlay,
 * OVL2_E_INVALID for a label that cannot be quoted.
 */
int ovi_overlay_choose(const struct ovi_overlay *overlay, enum ovl2_mount_method wanted,
                       enum ovl2_mount_method *ret_method, struct ovl2_error *err);

/* Is this the method fd, or one that is chosen where there is a kernel that has it? */
int ovi_overlay_by_descriptor(int home, enum ovl2_mount_method wanted);

/* Adds what mount(2) would be given by `method`; nothing for fd and append. */
void ovi_overlay_data(const struct ovi_overlay *overlay, enum ovl2_mount_method method,
                      struct ovi_strbuf *data);

/*
 * How long the first option of mount data is: up to a comma that is not escaped and not
 * inside quotes.
 */
size_t ovi_option_length(const char *data);

/*
 * Builds the overlay by the chosen method and attaches it to `target` under home. `err`
 * must not be NULL, and may be filled in where a second way succeeds.
 */
int ovi_overlay_attach(const struct ovi_overlay *overlay, enum ovl2_mount_method wanted,
                       const char *target, struct ovl2_error *err);

/*
 * Builds the overlay attached nowhere: `ret_root` is its root directory, usable
 * with the *at() calls, and the only thing that keeps it alive. Not listed in
 * any mount table, gone when the descriptor or the process is.
 */
int ovi_overlay_open(const struct ovi_overlay *overlay, int *ret_root, struct ovl2_error *err);

/*
 * The same by exactly this method, which must not be auto, whatever the kernel
 * thinks of it: how a probe finds out. Where it takes mount(2), that happens in a
 * mount namespace that only one thread is in.
 */
int ovi_overlay_open_by(const struct ovi_overlay *overlay, enum ovl2_mount_method method,
                        int *ret_root, struct ovl2_error *err);
