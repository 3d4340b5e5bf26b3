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

int ovi_attributes_choose(int dir, const char *name, const struct ovi_attributes **ret_attributes,
                          struct ovl2_error *err)
{
	static const char key[] = "trusted.ovl2.try";
	struct ovi_xattr_path path = ovi_xattr_path(dir, name);

	if (ovi_sys.lsetxattr(path.text, key, "y", 1, 0) == 0) {
		if (ovi_sys.lremovexattr(path.text, key) < 0)
			return ovi_fail_errno(err, "take attribute '%s' away again", key);
		*ret_attributes = &ovi_trusted_attributes;
		return 0;
	}
	if (errno == EROFS)
		*ret_attributes = &ovi_trusted_attributes;
	else if (errno == EPERM)
		*ret_attributes = &ovi_user_attributes;
	else
		return ovi_fail_errno(err, "try to set attribute '%s'", key);

	return 0;
}
