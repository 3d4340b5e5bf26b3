#include "attributes.h"

#include "fail.h"
#include "sys.h"
#include "xattr.h"

#include <errno.h>

const struct ovi_attributes ovi_trusted_attributes = {
	.option = "",
	.opaque = "trusted.overlay.opaque",
	.redirect = "trusted.overlay.redirect",
	.metacopy = "trusted.overlay.metacopy",
	.whiteout = "trusted.overlay.whiteout",
};

const struct ovi_attributes ovi_user_attributes = {
	.option = "userxattr",
	.opaque = "user.overlay.opaque",
	.redirect = "user.overlay.redirect",
	.metacopy = "user.overlay.metacopy",
	.whiteout = "user.overlay.whiteout",
};

/*
 * Taking away what is not there needs the same right as setting it, changes nothing,
 * and so disturbs nobody who asks at the same time (fs/xattr.c: xattr_permission()).
 */
int ovi_attributes_choose(int dir, const char *name, const struct ovi_attributes **ret_attributes,
                          struct ovl2_error *err)
{
	static const char key[] = "trusted.ovl2.try";
	struct ovi_xattr_path path = ovi_xattr_path(dir, name);

	if (ovi_sys.lremovexattr(path.text, key) == 0 || errno == ENODATA || errno == EROFS)
		*ret_attributes = &ovi_trusted_attributes;
	else if (errno == EPERM)
		*ret_attributes = &ovi_user_attributes;
	else
		return ovi_fail_errno(err, "try to take attribute '%s' away", key);

	return 0;
}
