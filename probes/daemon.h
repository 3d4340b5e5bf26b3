#pragma once

/*
 * What a daemon of the host was told on its command line: by the process that runs, else
 * by the systemd unit that would start it.
 */

#include <ovl2.h>

struct daemon {
	/* Last part of its path: "dockerd". */
	const char *program;

	/* "docker.service" */
	const char *unit;
};

/* An option's value and whose command line has it. Start from all zeroes. */
struct daemon_option {
	char *value;
	char *where;
};

#define cleanup_daemon_option __attribute__((cleanup(daemon_option_release)))

void daemon_option_release(struct daemon_option *option);

/*
 * Finds the option that one of `names` ("data-root", "g"; NULL at the end) is; of several
 * the last, as the daemons do. Processes of containers are not the host's daemon: those of
 * other PID namespaces than that of the host's first process, and of other users than root.
 *
 * Returns 1, or 0 when it is not told.
 */
int daemon_find_option(const char *root, const struct daemon *daemon, const char *const *names,
                       struct daemon_option *ret_option, struct ovl2_error *err);
