// SPDX-License-Identifier: MIT
#include "test.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Files in memory rather than pipes: both can be long, and nothing must be pumped. */
static int open_sink(void)
{
	int fd = memfd_create("output", MFD_CLOEXEC);

	if (fd < 0)
		fail_msg("memfd_create: %s", strerror(errno));

	return fd;
}

static char *read_sink(int fd)
{
	struct stat status;
	char *text;

	assert_sys(fstat(fd, &status));
	text = calloc(1, (size_t)status.st_size + 1);
	assert_non_null(text);
	assert_int_equal(pread(fd, text, (size_t)status.st_size, 0), status.st_size);

	return text;
}

struct test_output test_spawn(const char *const argv[])
{
	cleanup_fd int out = open_sink();
	cleanup_fd int err = open_sink();
	struct test_output output = { 0 };
	posix_spawn_file_actions_t actions;
	int status = 0;
	pid_t child;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	r = posix_spawnp(&child, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r == 0)
		assert_int_equal(waitpid(child, &status, 0), child);

	/* What a shell says of a program that is not there. */
	if (r != 0)
		output.status = 127;
	else if (WIFSIGNALED(status))
		output.status = 128 + WTERMSIG(status);
	else
		output.status = WEXITSTATUS(status);
	output.out = read_sink(out);
	output.err = read_sink(err);

	return output;
}

void test_output_release(struct test_output *output)
{
	free(output->out);
	free(output->err);
	*output = (struct test_output){ 0 };
}
