#include "sandbox.h"

#include "sys.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

static int is_private;

/*
 * Overlayfs takes no layers from another namespace (clone_private_mount), and the
 * kernel moves the working directory to the new one but no descriptors: hence the
 * way round.
 */
int sandbox_enter(int target)
{
	int moved;

	if (fchdir(target) < 0 || unshare(CLONE_NEWNS) < 0)
		return target;

	/* The root of a chroot is often not a mount, and then cannot be made private. */
	is_private = mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	moved = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return moved < 0 ? target : moved;
}

int sandbox_is_private(void)
{
	return is_private;
}
