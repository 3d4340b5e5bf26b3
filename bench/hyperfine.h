#pragma once

/*
 * Whole commands, timed by hyperfine: what a user waits for who types them, start of
 * the program included. Its own floor is a millisecond or two, so nothing shorter is
 * measured this way.
 */

#include <ovl2.h>

/* Is it installed? */
int hyperfine_is_there(void);

/*
 * Runs `command` so often, without a shell, its output read through a pipe and dropped;
 * words are split as sh(1) would. `ret_ns` receives the fastest.
 *
 * Errors: OVL2_E_SYSTEM when the command fails.
 */
int hyperfine_run(const char *command, unsigned int runs, double *ret_ns, struct ovl2_error *err);
