#include "loops.h"

#include "support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

/* Two minutes: the kernel lets go when it comes to it, which on a busy machine is late. */
#define MAX_WAITS 6000
#define WAIT_NS 20000000

size_t loops_count(const char *directory)
{
	DIR *dir = opendir("/sys/block");
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char *path = test_path("%s/loop/backing_file", entry->d_name);
		int fd = openat(dirfd(dir), path, O_RDONLY | O_CLOEXEC);
		char file[4096] = "";

		free(path);
		if (fd < 0)
			continue;
		if (read(fd, file, sizeof(file) - 1) > 0)
			count += strncmp(file, directory, strlen(directory)) == 0;
		close(fd);
	}
	closedir(dir);

	return count;
}

void loops_assert_gone(const char *directory)
{
	const struct timespec moment = { .tv_nsec = WAIT_NS };

	for (int i = 0; i < MAX_WAITS && loops_count(directory) > 0; i++)
		nanosleep(&moment, NULL);
	assert_int_equal(loops_count(directory), 0);
}
