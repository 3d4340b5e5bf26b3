#pragma once

/* The rows of registry.c, each defined in the file of its family. */

#include "bench.h"

/* mount.c */
extern const struct bench bench_mount_depth;
extern const struct bench bench_mount_new;
extern const struct bench bench_unmount_depth;
extern const struct bench bench_mount_options;
extern const struct bench bench_mount_switch;
extern const struct bench bench_mount_data;
extern const struct bench bench_mount_again;
extern const struct bench bench_mount_spec;

/* storm.c */
extern const struct bench bench_mount_storm;
extern const struct bench bench_many_mounts;

/* scale.c */
extern const struct bench bench_scale_open;
extern const struct bench bench_scale_list;
extern const struct bench bench_scale_exists;
extern const struct bench bench_scale_mount;
extern const struct bench bench_scale_check;

/* files.c */
extern const struct bench bench_scale_files;

/* layer.c */
extern const struct bench bench_create_remove;
extern const struct bench bench_layer_create;
extern const struct bench bench_layer_remove;

/* layers.c */
extern const struct bench bench_layer_remove_files;
extern const struct bench bench_diff_parallel;
extern const struct bench bench_apply_parallel;

/* diff.c */
extern const struct bench bench_diff;
extern const struct bench bench_diff_shapes;
extern const struct bench bench_diff_pipe;
extern const struct bench bench_diff_file;
extern const struct bench bench_changes;
extern const struct bench bench_diff_size;

/* changes.c */
extern const struct bench bench_changes_below;

/* apply.c */
extern const struct bench bench_apply;
extern const struct bench bench_apply_shapes;

/* access.c */
extern const struct bench bench_lookup_top;
extern const struct bench bench_lookup_middle;
extern const struct bench bench_lookup_bottom;
extern const struct bench bench_lookup_again;
extern const struct bench bench_lookup_miss;
extern const struct bench bench_lookup_miss_again;
extern const struct bench bench_lookup_whiteout;
extern const struct bench bench_lookup_opaque;
extern const struct bench bench_lookup_directory;
extern const struct bench bench_lookup_deep;
extern const struct bench bench_open_read;
extern const struct bench bench_open_read_again;
extern const struct bench bench_read_sequential;
extern const struct bench bench_map_touch;
extern const struct bench bench_xattr_get;
extern const struct bench bench_xattr_list;
extern const struct bench bench_execute;
extern const struct bench bench_readdir_merged;
extern const struct bench bench_readdir_stat;
extern const struct bench bench_readdir_pure;
extern const struct bench bench_walk_merged;

/* copy_up.c */
extern const struct bench bench_copy_up_open;
extern const struct bench bench_copy_up_chmod;
extern const struct bench bench_copy_up_chown;
extern const struct bench bench_copy_up_utimes;
extern const struct bench bench_copy_up_setxattr;
extern const struct bench bench_copy_up_rename;
extern const struct bench bench_copy_up_link;
extern const struct bench bench_copy_up_update;
extern const struct bench bench_copy_up_deep;
extern const struct bench bench_copy_up_hard_link;
extern const struct bench bench_copy_up_parallel;
extern const struct bench bench_whiteout_unlink;
extern const struct bench bench_whiteout_tree;
extern const struct bench bench_rename_directory;
extern const struct bench bench_create_files;
extern const struct bench bench_create_directories;
extern const struct bench bench_fsync_file;
extern const struct bench bench_syncfs_files;

/* graphtest.c */
extern const struct bench bench_graph_exists;
extern const struct bench bench_graph_get_empty;
extern const struct bench bench_graph_diff_base;
extern const struct bench bench_graph_diff_small_upper;
extern const struct bench bench_graph_diff_10k_file_upper;
extern const struct bench bench_graph_diff_10k_files_bottom;
extern const struct bench bench_graph_diff_20_layers;
extern const struct bench bench_graph_diff_apply_100;
extern const struct bench bench_graph_read_20_layers;

/* commands.c */
extern const struct bench bench_command_start;
extern const struct bench bench_command_diff;
extern const struct bench bench_command_apply;
extern const struct bench bench_command_create;
extern const struct bench bench_command_mount;

/* probes.c */
extern const struct bench bench_probe_host;
