#include "bench.h"

#include "families.h"

#include <string.h>

const struct bench *const bench_registry[] = {
	/* First: removing looks at every layer of the store, and the others add many. */
	&bench_create_remove,

	&bench_mount_depth,   &bench_unmount_depth, &bench_many_mounts,
	&bench_mount_storm,   &bench_diff,          &bench_diff_pipe,
	&bench_diff_file,     &bench_apply,         &bench_changes,
	&bench_diff_size,     &bench_scale_open,    &bench_scale_list,
	&bench_scale_exists,  &bench_scale_mount,   NULL,
};

const struct bench *bench_find(const char *id)
{
	for (const struct bench *const *b = bench_registry; *b; b++)
		if (strcmp((*b)->id, id) == 0)
			return *b;

	return NULL;
}
