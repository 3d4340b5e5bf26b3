#include "fill.h"

#include "cleanup.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define BLOCK_WORDS 1024

int fill_directory(int dir, const char *name, int *ret_fd, struct ovl2_error *err)
{
	int fd;

	if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		return ovi_fail_errno(err, "create the directory '%s'", name);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return ovi_fail_errno(err, "open the directory '%s'", name);
	*ret_fd = fd;

	return 0;
}

int fill_file(int dir, const char *name, uint64_t size, uint64_t seed, struct ovl2_error *err)
{
	cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	uint64_t block[BLOCK_WORDS];
	uint64_t word = seed * 0x9e3779b97f4a7c15 + 1;

	if (fd < 0)
		return ovi_fail_errno(err, "create '%s'", name);
	while (size > 0) {
		size_t part = size < sizeof(block) ? (size_t)size : sizeof(block);

		/* xorshift: no filesystem can shorten or share it. */
		for (size_t i = 0; i <= (part - 1) / sizeof(*block); i++) {
			word ^= word << 13;
			word ^= word >> 7;
			word ^= word << 17;
			block[i] = word;
		}
		if (write(fd, block, part) != (ssize_t)part)
			return ovi_fail_errno(err, "write '%s'", name);
		size -= part;
	}

	return 0;
}

int fill_files(int dir, const char *prefix, uint64_t count, uint64_t size, struct ovl2_error *err)
{
	char name[NAME_MAX + 1];
	int r = 0;

	for (uint64_t i = 0; i < count && r == 0; i++) {
		snprintf(name, sizeof(name), "%s%llu", prefix, (unsigned long long)i);
		r = fill_file(dir, name, size, i, err);
	}

	return r;
}
