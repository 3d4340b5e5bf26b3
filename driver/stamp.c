#include "stamp.h"

#include "fail.h"
#include "sys.h"

#include <fcntl.h>

int ovi_stamp_owner(int fd, const struct ovi_stamp *attributes, const char *path,
                    struct ovl2_error *err)
{
	struct stat st;

	/*
	 * One look is cheaper than one change, and the umask of the process, which may
	 * have shaped the mode, is not ours to read or to change.
	 */
	if (ovi_sys.fstatat(fd, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "look at '%s'", path);
	if ((st.st_uid != attributes->uid || st.st_gid != attributes->gid) &&
	    ovi_sys.fchown(fd, attributes->uid, attributes->gid) < 0)
		return ovi_fail_errno(err, "set owner of '%s'", path);
	if ((st.st_mode & 07777) != attributes->mode && ovi_sys.fchmod(fd, attributes->mode) < 0)
		return ovi_fail_errno(err, "set mode of '%s'", path);

	return 0;
}

int ovi_stamp_time(int fd, const struct ovi_stamp *attributes, const char *path,
                   struct ovl2_error *err)
{
	const struct timespec times[2] = { attributes->mtime, attributes->mtime };

	if (ovi_sys.futimens(fd, times) < 0)
		return ovi_fail_errno(err, "set time of '%s'", path);

	return 0;
}
