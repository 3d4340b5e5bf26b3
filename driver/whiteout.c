#include "whiteout.h"

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
