#pragma once

/* Asking from inside a user namespace, as a rootless engine would. */

#include <ovl2.h>

#include <sys/types.h>

typedef int userns_fn(void *data, struct ovl2_evidence *ret_evidence, struct ovl2_error *err);

/*
 * Runs `function` as root of a new user namespace with mounts of its own, in which `uid`
 * and `gid` are 0 and nobody else is anything; returns what it returned.
 *
 * A namespace that cannot be had is OVL2_E_UNSUPPORTED, whatever forbids it; to become
 * `uid` not being allowed is OVL2_E_PERMISSION.
 */
int userns_run(uid_t uid, gid_t gid, userns_fn *function, void *data,
               struct ovl2_evidence *ret_evidence, struct ovl2_error *err);

/*
 * A user namespace in which the ids from `first` on, `count` of them, are 0 and up;
 * `ret_fd` keeps it.
 */
int userns_open(uid_t first, unsigned int count, int *ret_fd, struct ovl2_error *err);
