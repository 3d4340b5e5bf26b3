#pragma once

/*
 * The questions to the host at the end of ovl2.h: host.c asks about the kernel and
 * the filesystem, host_mount.c about mounting, host_quota.c about quotas. Here is what
 * tests want to see from inside.
 */

#include "answer.h"

/*
 * ovl2_probe_opaque_copy_up() for one name of the mark and with overlay options; NULL
 * for both takes what this process can set. With
 * trusted.overlay.opaque and "userxattr" a healthy kernel shows the bug: the mark is
 * then an attribute like any other, and copied up.
 */
int ovi_opaque_copy_up(int directory, const char *mark, const char *overlay_options,
                       struct ovl2_evidence *ret_evidence, struct ovl2_error *err);

/* "xfs", "extfs" as Docker has it; "unknown" for a magic nobody told us about. */
const char *ovi_filesystem_name(uint64_t magic);
