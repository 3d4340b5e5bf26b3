#pragma once

/*
 * The commands of `ovl2`: a table of them, each a call or two of libovl2.
 *
 * To add one: write its options, its function and its row in commands.c. Nothing
 * else changes.
 */

#include "cli.h"

#include <ovl2.h>

/* What stands before or after the command, for all of them. */
struct context {
	const char *home;
	int as_json;
	struct ovl2_store_options options;
};

struct command {
	/* "create": what is typed. The help's name is "ovl2 create". */
	const char *name;

	/* One line for the list of commands. */
	const char *title;

	struct cli_program program;

	/* Parses what follows the name and does it; returns an exit code. */
	int (*run)(const struct command *command, struct context *context, int argc, char **argv);
};

/* Ends with a row whose name is NULL. */
extern const struct command commands[];

/* Keys of the options that every command takes, before its name or after it. */
enum {
	KEY_HOME = 'H',
	KEY_STORAGE_OPT = 256,
	KEY_JSON,
	KEY_RUN_DIRECTORY,
	KEY_MOUNT_OPTIONS,
	KEY_OWN
};

/* Rows of a table, which the formatter takes for a block. */
/* clang-format off */
#define COMMON_OPTIONS                                                               \
	{ "home", KEY_HOME, "DIR", "the store (default /var/lib/ovl2)" },            \
	{ "json", KEY_JSON, NULL, "answer in JSON" },                                \
	{ "storage-opt", KEY_STORAGE_OPT, "KEY=VALUE",                               \
	  "size, max_depth, mount_method, durability, attributes; as Docker's" },    \
	{ "mount-options", KEY_MOUNT_OPTIONS, "TEXT",                                \
	  "instead of index=off,redirect_dir=nofollow,metacopy=off" },               \
	{ "run-dir", KEY_RUN_DIRECTORY, "DIR", "mount counts (default /run/ovl2)" }
/* clang-format on */

/* Takes such an option; fails the program when the value makes no sense. */
void context_take(struct context *context, const struct cli_program *program, int key);
