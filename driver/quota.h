#pragma once

/*
 * Project quotas, as XFS and ext4 have them. A directory that carries a project id
 * hands it down to all that is created in it, and the kernel counts and limits what
 * one id uses. Everything takes a descriptor of a directory on the filesystem in
 * question; no block device node is needed since Linux 5.14 (quotactl_fd).
 */

#include <ovl2.h>

#include <stdint.h>

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
 * A project id that neither uses space nor has limits, found by trying random ones
 * of `first` and up; ids below are left to people and other programs.
 */
int ovi_quota_find_free(int dir, uint32_t first, uint32_t *ret_project, struct ovl2_error *err);

/* Gives directory `dir`, and all that will be created in it, a project id. */
int ovi_quota_set_project(int dir, uint32_t project, struct ovl2_error *err);

/* Limits a project on the filesystem of `dir`; 0 means no limit. */
int ovi_quota_set_limits(int dir, uint32_t project, uint64_t bytes, uint64_t inodes,
                         struct ovl2_error *err);
