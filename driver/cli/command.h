#pragma once

/*
 * The commands of `ovl2`, each a call or two of libovl2, in a file for each family:
 * layers, mounts, transfer (tars in and out) and care (of the store as a whole).
 *
 * To add one: write its options, its function and its struct command in the file of
 * its family, declare it below and list it in main.c.
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

	/* Makes the store where there is none; for others that is a mistyped --home. */
	int makes_store;

	/* Parses what follows the name and does it; returns an exit code. */
	int (*run)(const struct command *command, struct context *context, int argc, char **argv);
};

extern const struct command command_create;
extern const struct command command_remove;
extern const struct command command_mount;
extern const struct command command_umount;
extern const struct command command_diff;
extern const struct command command_digest;
extern const struct command command_apply;
extern const struct command command_changes;
extern const struct command command_size;
extern const struct command command_list;
extern const struct command command_inspect;
extern const struct command command_status;
extern const struct command command_cleanup;
extern const struct command command_check;
extern const struct command command_repair;
extern const struct command command_gc;
extern const struct command command_adopt;
extern const struct command command_sync;

/* Keys of the options that every command takes, before its name or after it. */
enum {
	KEY_HOME = 'H',
	KEY_STORAGE_OPT = 256,
	KEY_JSON,
	KEY_RUN_DIRECTORY,
	KEY_MOUNT_OPTIONS,
	KEY_OWN
};

/* Rows of a table of options, which the formatter takes for a block. */
/* clang-format off */
#define END_OF_OPTIONS { NULL, 0, NULL, NULL }

#define COMMON_OPTIONS                                                               \
	{ "home", KEY_HOME, "DIR", "the store (default /var/lib/ovl2)" },            \
	{ "json", KEY_JSON, NULL, "answer in JSON" },                                \
	{ "storage-opt", KEY_STORAGE_OPT, "KEY=VALUE",                               \
	  "size, max_depth, mount_method, durability, attributes, digest" },    \
	{ "mount-options", KEY_MOUNT_OPTIONS, "TEXT",                                \
	  "instead of index=off,redirect_dir=nofollow,metacopy=off" },               \
	{ "run-dir", KEY_RUN_DIRECTORY, "DIR", "mount counts (default /run/ovl2)" }
/* clang-format on */

/* clang-format off */
#define PROGRESS_OPTION                                                              \
	{ "progress", KEY_PROGRESS, "WHEN", "show how far it is: always, never or auto" }
/* clang-format on */

/* Values of options; each ends the program with a message when it makes no sense. */
uint64_t parse_number(const struct command *command, const char *text, uint64_t most);
const char *parse_progress(const struct command *command, const char *text);

/* Takes such an option; fails the program when the value makes no sense. */
void context_take(struct context *context, const struct cli_program *program, int key);

/* For commands that take no others. */
extern const struct cli_option only_common[];

/* The next option of the command's own; -1 after the last. Takes the common ones. */
int take_option(const struct command *command, struct context *context, int argc, char **argv);

/* The operands, of which there must be so many. */
char **take_operands(const struct command *command, int argc, char **argv, int least, int most);

/* Opens the store, or ends the program with a message. */
struct ovl2_store *open_store(const struct command *command, const struct context *context);

/*
 * How every command ends: each closes the store and returns an exit code. With the
 * message of a failure, if `r` is negative; with `json`, which it releases; with a count.
 */
int finish(const struct command *command, struct ovl2_store *store, int r,
           const struct ovl2_error *err);
int finish_json(const struct command *command, struct ovl2_store *store, json_t *json);
int finish_count(const struct command *command, const struct context *context,
                 struct ovl2_store *store, int count, const struct ovl2_error *err);

/*
 * A whole command that does one thing to each of several layers: stops at the first
 * failure. JSON has what `call` returned under `result_name`.
 */
int run_each(const struct command *command, struct context *context, int argc, char **argv,
             int (*call)(struct ovl2_store *, const char *, struct ovl2_error *),
             const char *result_name);
