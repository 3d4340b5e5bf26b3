#pragma once

/*
 * Where a probe runs: a process of its own with a mount namespace of its own, so that
 * whatever it mounts is seen by nobody and gone with it.
 */

/*
 * Gives the calling process its own mounts; `target` is the directory asked about.
 * Returns the descriptor to use for it from now on: another one, or the same where that
 * is not allowed.
 */
int sandbox_enter(int target);

/* 1 when mounts of this process are its own: it may attach what it mounts. */
int sandbox_is_private(void);
