#include "hyperfine.h"

#include "tool.h"

#include "cleanup.h"
#include "fail.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int hyperfine_is_there(void)
{
	return tool_has("hyperfine");
}

/* {"results": [{"min": 0.0123, ...}]}, seconds. */
static int read_fastest(int fd, double *ret_ns, struct ovl2_error *err)
{
	double seconds = 0;
	json_t *document;
	int r;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return ovi_fail_errno(err, "read what hyperfine wrote");
	document = json_loadfd(fd, 0, NULL);
	r = json_unpack(document, "{s:[{s:F}]}", "results", "min", &seconds);
	json_decref(document);
	if (r < 0 || seconds <= 0)
		return ovi_fail(err, OVL2_E_SYSTEM, "hyperfine wrote no time");
	*ret_ns = seconds * 1e9;

	return 0;
}

int hyperfine_run(const char *command, unsigned int runs, double *ret_ns, struct ovl2_error *err)
{
	char count[32];
	const char *const argv[] = {
		"hyperfine",   "--shell=none", "--style=none", "--output=pipe", "--export-json",
		"/dev/stdout", "--runs",       count,          command,         NULL,
	};
	cleanup_fd int output = memfd_create("hyperfine", MFD_CLOEXEC);
	int r;

	if (output < 0)
		return ovi_fail_errno(err, "make room for the times of '%s'", command);
	snprintf(count, sizeof(count), "%u", runs);
	r = tool_run(argv, (struct tool_files){ -1, output }, err);
	if (r < 0)
		return ovi_fail_within(err, r, "%s", command);

	return read_fastest(output, ret_ns, err);
}
