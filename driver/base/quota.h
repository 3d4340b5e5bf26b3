#pragma once

/*
 * Project quotas, as XFS and ext4 have them. A directory that carries a project id
 * hands it down to all that is created in it, and the kernel counts and limits what
 * one id uses. Everything takes a descriptor of a directory on the filesystem in
 * question; no block device node is needed since Linux 5.14 (quotactl_fd).
 */

#include <ovl2.h>

#include <stdint.h>

/*
 * Ids of ours begin here, far above those that people give out by hand and those of
 * engines, which count up from 1.
 */
#define OVI_FIRST_PROJECT 0x40000000u

struct ovi_quota_state {
	int is_accounted;
	int is_enforced;

	/* Why not, a few words; "" when both. */
	char reason[160];
};

/*
 * What is switched on. A filesystem or kernel without project quotas is an answer,
 * not a failure.
 */
int ovi_quota_read_state(int dir, struct ovi_quota_state *ret_state, struct ovl2_error *err);

/*
 * Fails unless layers in `home`, which messages call `path`, can be given quotas.
 *
 * Errors: OVL2_E_UNSUPPORTED saying what is missing.
 */
int ovi_quota_require(int home, const char *path, struct ovl2_error *err);

/*
 * A project id that neither uses space nor has limits, found by trying random ones
 * of `first` and up; ids below are left to people and other programs.
 */
int ovi_quota_find_free(int dir, uint32_t first, uint32_t *ret_project, struct ovl2_error *err);

/* The project id that directory `dir` hands down; 0 when it has none, or cannot. */
uint32_t ovi_quota_get_project(int dir);

/* Gives directory `dir`, and all that will be created in it, a project id. */
int ovi_quota_set_project(int dir, uint32_t project, struct ovl2_error *err);

/* Limits a project on the filesystem of `dir`; 0 means no limit. */
int ovi_quota_set_limits(int dir, uint32_t project, uint64_t bytes, uint64_t inodes,
                         struct ovl2_error *err);

/* What the kernel counts of a project on the filesystem of `dir`, and its limits. */
int ovi_quota_read_usage(int dir, uint32_t project, struct ovl2_usage *ret_usage,
                         struct ovl2_error *err);

/*
 * From here to ovi_quota_leave() limits hold for this thread too. ext4 lets a holder
 * of CAP_SYS_RESOURCE exceed every limit (ignore_hardlimit in fs/quota/dquot.c), so
 * it is put down. Returns whether it was there, which ovi_quota_leave() takes.
 */
int ovi_quota_enter(void);
void ovi_quota_leave(int had_resource_capability);
