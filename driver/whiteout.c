#include "whiteout.h"

#include "cleanup.h"
#include "fail.h"
#include "sys.h"
#include "xattr.h"

#include <string.h>

#define AUFS_PREFIX OVI_WHITEOUT_PREFIX OVI_WHITEOUT_PREFIX

enum ovi_entry ovi_entry_classify(const char *name, const char **ret_target)
{
	const char *target = name + strlen(OVI_WHITEOUT_PREFIX);

	if (strncmp(name, OVI_WHITEOUT_PREFIX, strlen(OVI_WHITEOUT_PREFIX)) != 0)
		return OVI_ENTRY_PLAIN;
	if (strchr(name, '/') || !*target || strcmp(target, ".") == 0 || strcmp(target, "..") == 0)
		return OVI_ENTRY_INVALID;
	if (strcmp(name, AUFS_PREFIX ".opq") == 0)
		return OVI_ENTRY_OPAQUE;
	if (strncmp(name, AUFS_PREFIX, strlen(AUFS_PREFIX)) == 0)
		return OVI_ENTRY_RESERVED;

	*ret_target = target;

	return OVI_ENTRY_WHITEOUT;
}

int ovi_opaque_set(int dir, const char *name, const struct ovi_attributes *attributes,
                   struct ovl2_error *err)
{
	struct ovi_xattr_path path = ovi_xattr_path(dir, name);

	if (ovi_sys.lsetxattr(path.text, attributes->opaque, "y", 1, 0) < 0)
		return ovi_fail_errno(err, "mark '%s' as opaque", name);

	return 0;
}

int ovi_opaque_read(int dir, const char *name, const struct ovi_attributes *attributes,
                    struct ovl2_error *err)
{
	cleanup_free char *value = NULL;
	size_t length;
	int r;

	r = ovi_xattr_read(dir, name, attributes->opaque, &value, &length, err);

	return r < 0 ? r : value && strcmp(value, "y") == 0;
}
