// SPDX-License-Identifier: MIT
#include "boot.h"

#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

static struct ovi_sys real;
static char boot_path[64];

static int open_other_boot(int dir, const char *path, int flags, mode_t mode)
{
	if (!strcmp(path, "/proc/sys/kernel/random/boot_id"))
		return real.openat(AT_FDCWD, boot_path, flags & ~O_NOFOLLOW, mode);

	return real.openat(dir, path, flags, mode);
}

void test_boot(const struct test_place *place, int number)
{
	static int id = -1;
	cleanup_free char *run = test_path("%s/run", place->path);

	if (id < 0) {
		id = memfd_create("boot", MFD_CLOEXEC);
		assert_sys(id);
		(void)snprintf(boot_path, sizeof(boot_path), "/proc/self/fd/%d", id);
		real = ovi_sys;
		ovi_sys.openat = open_other_boot;
	}
	test_remove_tree(run);
	assert_sys(ftruncate(id, 0));
	assert_sys(lseek(id, 0, SEEK_SET));
	assert_int_equal(dprintf(id, "00000000-0000-0000-0000-%012d\n", number), 37);
}
