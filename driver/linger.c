#include "linger.h"

#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

dev_t ovi_linger_superblock(int layer)
{
	struct statx merged;

	/* Of a directory overlayfs tells its own device, whatever is below. */
	if (ovi_sys.statx(layer, "merged", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &merged) < 0)
		return 0;

	return makedev(merged.stx_dev_major, merged.stx_dev_minor);
}

/* ustat(2) knows nothing of mounts: it looks for a superblock, and says EINVAL to none. */
int ovi_linger_is_possible(dev_t superblock)
{
	return superblock && !(ovi_sys.ustat(superblock) < 0 && errno == EINVAL);
}
