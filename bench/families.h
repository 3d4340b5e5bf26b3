#pragma once

/* The rows of registry.c, each defined in the file of its family. */

#include "bench.h"

/* mount.c */
extern const struct bench bench_mount_depth;
extern const struct bench bench_unmount_depth;

/* storm.c */
extern const struct bench bench_mount_storm;
extern const struct bench bench_many_mounts;

/* scale.c */
extern const struct bench bench_scale_open;
extern const struct bench bench_scale_list;
extern const struct bench bench_scale_exists;
extern const struct bench bench_scale_mount;

/* layer.c */
extern const struct bench bench_create_remove;

/* diff.c */
extern const struct bench bench_diff;
extern const struct bench bench_diff_pipe;
extern const struct bench bench_diff_file;
extern const struct bench bench_changes;
extern const struct bench bench_diff_size;

/* apply.c */
extern const struct bench bench_apply;
