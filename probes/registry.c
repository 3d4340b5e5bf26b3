#include "families.h"

#include "cleanup.h"

#include <string.h>

static const struct probe *const families[] = {
	probe_kernel_family,  probe_limits_family,     probe_filesystem_family,
	probe_files_family,   probe_attributes_family, probe_bugs_family,
	probe_overlay_family, probe_features_family,   probe_privilege_family,
	probe_tools_family,
};

const struct probe *probe_at(size_t index)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		for (const struct probe *probe = families[i]; probe->id; probe++)
			if (index-- == 0)
				return probe;

	return NULL;
}

const struct probe *probe_find(const char *id)
{
	const struct probe *probe;

	for (size_t i = 0; (probe = probe_at(i)); i++)
		if (strcmp(probe->id, id) == 0)
			return probe;

	return NULL;
}
