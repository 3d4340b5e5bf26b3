#include "command.h"

#include "print.h"

#include <stdio.h>

enum { KEY_DEEP = KEY_OWN, KEY_NO_MOUNT, KEY_CONTENT, KEY_DRY_RUN, KEY_YES, KEY_QUARANTINE };

static int run_status(const struct command *command, struct context *context, int argc, char **argv)
{
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;
	json_t *facts = json_array();
	int r;

	take_option(command, context, argc, argv);
	take_operands(command, argc, argv, 0, 0);

	store = open_store(command, context);
	r = ovl2_store_status(store, collect_fact, facts, &err);
	if (r == 0 && context->as_json)
		return finish_json(command, store, facts);
	if (r == 0)
		print_facts(facts, 1);
	json_decref(facts);

	return finish(command, store, r, &err);
}

const struct command command_status = {
	.name = "status",
	.title = "show the store and its filesystem",
	.program = {
		.name = "ovl2 status",
		.usage = "[OPTION...]",
		.about = "Shows the keys of `docker info` and more, each with how it was found.",
		.options = only_common,
		.examples = "  ovl2 status --home /var/lib/docker/overlay2",
	},
	.run = run_status,
};

static int run_cleanup(const struct command *command, struct context *context, int argc,
                       char **argv)
{
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;
	int r;

	take_option(command, context, argc, argv);
	take_operands(command, argc, argv, 0, 0);

	store = open_store(command, context);
	r = ovl2_store_cleanup(store, &err);
	if (r == 0 && context->as_json)
		return finish_json(command, store, json_pack("{sb}", "clean", 1));

	return finish(command, store, r, &err);
}

const struct command command_cleanup = {
	.name = "cleanup",
	.title = "unmount all layers, delete leftovers",
	.program = {
		.name = "ovl2 cleanup",
		.usage = "[OPTION...]",
		.about = "Unmounts every layer and deletes what interrupted commands left behind.",
		.options = only_common,
		.examples = "  ovl2 cleanup",
	},
	.run = run_cleanup,
};

/* Problems that are left are a failure, as with fsck(8). */
static int finish_problems(const struct command *command, const struct context *context,
                           struct ovl2_store *store, json_t *problems, int left)
{
	int r;

	ovl2_store_close(store);
	if (context->as_json) {
		r = cli_print_json(&command->program,
		                   json_pack("{so si}", "problems", problems, "left", left));
	} else {
		print_problems(problems);
		json_decref(problems);
		printf("%d problem%s left\n", left, left == 1 ? "" : "s");
		r = cli_finish_output(&command->program);
	}

	return r ? r : left > 0;
}

static const struct cli_option check_options[] = {
	{ "deep", KEY_DEEP, NULL, "look at the overlay attributes of every file as well" },
	{ "no-mount", KEY_NO_MOUNT, NULL, "look at the store's own files only" },
	{ "content", KEY_CONTENT, NULL, "read all layers whose digest was kept, and compare" },
	COMMON_OPTIONS,
	END_OF_OPTIONS,
};

static int run_check(const struct command *command, struct context *context, int argc, char **argv)
{
	struct ovl2_check_options options = { .size = sizeof(options) };
	struct ovl2_error err = { 0 };
	json_t *problems = json_array();
	struct ovl2_store *store;
	int key;
	int left;

	while ((key = take_option(command, context, argc, argv)) >= 0) {
		if (key == KEY_DEEP)
			options.deep = 1;
		else if (key == KEY_CONTENT)
			options.content = 1;
		else
			options.no_mount = 1;
	}
	take_operands(command, argc, argv, 0, 0);

	store = open_store(command, context);
	left = ovl2_store_check(store, &options, collect_problem, problems, &err);
	if (left >= 0)
		return finish_problems(command, context, store, problems, left);
	json_decref(problems);

	return finish(command, store, left, &err);
}

const struct command command_check = {
	.name = "check",
	.title = "look for damage in the store",
	.program = {
		.name = "ovl2 check",
		.usage = "[OPTION...]",
		.about = "Looks for damage: links, lowers, records and marks that do not fit together, content\n"
		"that is missing, layers that cannot be mounted; with --content, also content that is\n"
		"not what it was. Changes nothing.",
		.options = check_options,
		.examples = "  ovl2 check --home /var/lib/docker/overlay2\n"
		"  ovl2 check --deep --json | jq .left\n"
		"  ovl2 check --content",
		.exit_codes = "  0   nothing is wrong\n"
		"  1   something is, or it could not be checked\n"
		"  64  the command line makes no sense",
	},
	.run = run_check,
};

static const struct cli_option repair_options[] = {
	{ "dry-run", KEY_DRY_RUN, NULL, "only say what would be done" },
	{ "yes", KEY_YES, NULL, "do it" },
	COMMON_OPTIONS,
	END_OF_OPTIONS,
};

static int run_repair(const struct command *command, struct context *context, int argc, char **argv)
{
	struct ovl2_repair_options options = { .size = sizeof(options) };
	struct ovl2_error err = { 0 };
	json_t *problems = json_array();
	struct ovl2_store *store;
	int is_sure = 0;
	int key;
	int left;

	while ((key = take_option(command, context, argc, argv)) >= 0) {
		if (key == KEY_DRY_RUN)
			options.dry_run = 1;
		else
			is_sure = 1;
	}
	take_operands(command, argc, argv, 0, 0);
	if (options.dry_run == is_sure)
		cli_usage_error(&command->program, "either --dry-run or --yes");

	store = open_store(command, context);
	left = ovl2_store_repair(store, &options, collect_problem, problems, &err);
	if (left >= 0)
		return finish_problems(command, context, store, problems, left);
	print_problems(problems);
	json_decref(problems);

	return finish(command, store, left, &err);
}

const struct command command_repair = {
	.name = "repair",
	.title = "put the store right, deleting nothing",
	.program = {
		.name = "ovl2 repair",
		.usage = "--dry-run|--yes [OPTION...]",
		.about = "Puts right what follows from the rest of the store and moves what cannot be put right\n"
		"to .ovl2/quarantine. Layers that are mounted are left as they are.",
		.options = repair_options,
		.examples = "  ovl2 repair --dry-run\n"
		"  ovl2 repair --yes",
		.exit_codes = "  0   nothing is wrong any more\n"
		"  1   something still is, or it could not be repaired\n"
		"  64  the command line makes no sense",
	},
	.run = run_repair,
};

static const struct cli_option gc_options[] = {
	{ "dry-run", KEY_DRY_RUN, NULL, "only count what is left to delete" },
	{ "quarantine", KEY_QUARANTINE, NULL, "delete what is in the quarantine as well" },
	COMMON_OPTIONS,
	END_OF_OPTIONS,
};

static int run_gc(const struct command *command, struct context *context, int argc, char **argv)
{
	struct ovl2_collect_options options = { .size = sizeof(options) };
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;
	int key;

	while ((key = take_option(command, context, argc, argv)) >= 0) {
		if (key == KEY_DRY_RUN)
			options.dry_run = 1;
		else
			options.quarantine = 1;
	}
	take_operands(command, argc, argv, 0, 0);

	store = open_store(command, context);

	return finish_count(command, context, store, ovl2_store_collect(store, &options, &err),
	                    &err);
}

const struct command command_gc = {
	.name = "gc",
	.title = "delete what nobody can use",
	.program = {
		.name = "ovl2 gc",
		.usage = "[OPTION...]",
		.about = "Deletes leftovers of interrupted commands, links that lead to no layer and what was noted of\n"
		"mounts of layers that are gone, and prints how many. Layers are never deleted, unless they are in\n"
		"the quarantine and it is asked for.",
		.options = gc_options,
		.examples = "  ovl2 gc\n"
		"  ovl2 gc --quarantine --dry-run\n"
		"  ovl2 gc --quarantine",
	},
	.run = run_gc,
};

static int run_adopt(const struct command *command, struct context *context, int argc, char **argv)
{
	return run_each(command, context, argc, argv, ovl2_layer_adopt, "adopted");
}

const struct command command_adopt = {
	.name = "adopt",
	.title = "give Docker's layers a record",
	.program = {
		.name = "ovl2 adopt",
		.usage = "[OPTION...] ID...",
		.about = "Gives layers that Docker made a record of ours. Docker can still read them.",
		.options = only_common,
		.examples = "  ovl2 adopt web",
	},
	.run = run_adopt,
};

static int run_digest(const struct command *command, struct context *context, int argc, char **argv)
{
	return run_each(command, context, argc, argv, ovl2_layer_digest, "kept");
}

const struct command command_digest = {
	.name = "digest",
	.title = "keep what layers hold, to compare later",
	.program = {
		.name = "ovl2 digest",
		.usage = "[OPTION...] ID...",
		.about = "Keeps the sha256 of what committed layers hold in their records, which\n"
		"`ovl2 check --content` compares with. A digest that is kept already stays.",
		.options = only_common,
		.examples = "  ovl2 digest base && ovl2 inspect base\n"
		"  ovl2 create --digest base && ovl2 apply base rootfs.tar.zst",
	},
	.run = run_digest,
};

static int run_sync(const struct command *command, struct context *context, int argc, char **argv)
{
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;

	take_option(command, context, argc, argv);
	take_operands(command, argc, argv, 0, 0);

	store = open_store(command, context);

	return finish_count(command, context, store, ovl2_store_sync(store, &err), &err);
}

const struct command command_sync = {
	.name = "sync",
	.title = "flush layers made with durability=none",
	.program = {
		.name = "ovl2 sync",
		.usage = "[OPTION...]",
		.about = "Flushes all layers that were made with durability=none and prints how many.",
		.options = only_common,
		.examples = "  ovl2 create --storage-opt durability=none base && ovl2 sync",
	},
	.run = run_sync,
};
