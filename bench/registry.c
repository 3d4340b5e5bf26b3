#include "bench.h"

#include "cleanup.h"
#include "families.h"

#include <string.h>

const struct bench *const bench_registry[] = {
	&bench_create_remove,
	&bench_layer_create,
	&bench_layer_remove,
	&bench_layer_remove_files,

	&bench_mount_depth,
	&bench_mount_new,
	&bench_unmount_depth,
	&bench_mount_options,
	&bench_mount_switch,
	&bench_mount_data,
	&bench_mount_again,
	&bench_mount_spec,
	&bench_many_mounts,
	&bench_mount_storm,
	&bench_diff,
	&bench_diff_shapes,
	&bench_diff_pipe,
	&bench_diff_file,
	&bench_apply,
	&bench_apply_shapes,
	&bench_diff_parallel,
	&bench_apply_parallel,
	&bench_changes,
	&bench_changes_below,
	&bench_diff_size,
	&bench_scale_open,
	&bench_scale_list,
	&bench_scale_exists,
	&bench_scale_mount,
	&bench_scale_check,
	&bench_scale_files,

	&bench_lookup_top,
	&bench_lookup_middle,
	&bench_lookup_bottom,
	&bench_lookup_again,
	&bench_lookup_miss,
	&bench_lookup_miss_again,
	&bench_lookup_whiteout,
	&bench_lookup_opaque,
	&bench_lookup_directory,
	&bench_lookup_deep,
	&bench_open_read,
	&bench_open_read_again,
	&bench_read_sequential,
	&bench_map_touch,
	&bench_xattr_get,
	&bench_xattr_list,
	&bench_execute,
	&bench_readdir_merged,
	&bench_readdir_stat,
	&bench_readdir_pure,
	&bench_walk_merged,

	&bench_copy_up_open,
	&bench_copy_up_chmod,
	&bench_copy_up_chown,
	&bench_copy_up_utimes,
	&bench_copy_up_setxattr,
	&bench_copy_up_rename,
	&bench_copy_up_link,
	&bench_copy_up_update,
	&bench_copy_up_deep,
	&bench_copy_up_hard_link,
	&bench_copy_up_parallel,
	&bench_whiteout_unlink,
	&bench_whiteout_tree,
	&bench_rename_directory,
	&bench_create_files,
	&bench_create_directories,
	&bench_fsync_file,
	&bench_syncfs_files,

	&bench_graph_exists,
	&bench_graph_get_empty,
	&bench_graph_diff_base,
	&bench_graph_diff_small_upper,
	&bench_graph_diff_10k_file_upper,
	&bench_graph_diff_10k_files_bottom,
	&bench_graph_diff_20_layers,
	&bench_graph_diff_apply_100,
	&bench_graph_read_20_layers,

	&bench_command_start,
	&bench_command_diff,
	&bench_command_apply,
	&bench_command_create,
	&bench_command_mount,

	&bench_probe_host,

	NULL,
};

const struct bench *bench_find(const char *id)
{
	for (const struct bench *const *b = bench_registry; *b; b++)
		if (strcmp((*b)->id, id) == 0)
			return *b;

	return NULL;
}

static const char *const tier_names[] = {
	[BENCH_TIER_QUICK] = "quick",
	[BENCH_TIER_FULL] = "full",
	[BENCH_TIER_SMOKE] = "smoke",
	[BENCH_TIER_EXACT] = "exact",
};

const char *bench_tier_name(enum bench_tier tier)
{
	return tier_names[tier];
}

int bench_tier_find(const char *name, enum bench_tier *ret_tier)
{
	for (size_t i = 0; i < ARRAY_SIZE(tier_names); i++) {
		if (strcmp(tier_names[i], name) != 0)
			continue;
		*ret_tier = (enum bench_tier)i;
		return 0;
	}

	return -1;
}
