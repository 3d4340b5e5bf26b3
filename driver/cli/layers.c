#include "command.h"

#include "print.h"

#include <stdio.h>
#include <unistd.h>

enum { KEY_READ_WRITE = KEY_OWN, KEY_SIZE, KEY_INODES, KEY_DIGEST };

static const struct cli_option create_options[] = {
	{ "parent", 'p', "ID", "the layer below (default: none, a base layer)" },
	{ "read-write", KEY_READ_WRITE, NULL, "for a container: stays writable after apply" },
	{ "size", KEY_SIZE, "BYTES", "quota on content, as 10G; needs project quota" },
	{ "inodes", KEY_INODES, "COUNT", "quota on the number of files" },
	{ "digest", KEY_DIGEST, NULL, "keep the sha256 of what it holds, for check --content" },
	COMMON_OPTIONS,
	END_OF_OPTIONS,
};

static void parse_quota(const struct command *command, const char *key,
                        struct ovl2_layer_options *options)
{
	struct ovl2_error err = { 0 };
	char text[128];

	snprintf(text, sizeof(text), "%s=%s", key, optarg);
	if (ovl2_layer_options_parse(text, options, &err) < 0)
		cli_usage_error(&command->program, "%s", err.message);
}

static int run_create(const struct command *command, struct context *context, int argc, char **argv)
{
	struct ovl2_layer_options options = { .size = sizeof(options) };
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;
	const char *id;
	int key;
	int r;

	while ((key = take_option(command, context, argc, argv)) >= 0) {
		if (key == 'p')
			options.parent = optarg;
		else if (key == KEY_READ_WRITE)
			options.read_write = 1;
		else if (key == KEY_DIGEST)
			options.digest = 1;
		else
			parse_quota(command, key == KEY_SIZE ? "size" : "inodes", &options);
	}
	id = take_operands(command, argc, argv, 1, 1)[0];

	store = open_store(command, context);
	r = ovl2_layer_create(store, id, &options, &err);
	if (r == 0 && context->as_json)
		return finish_json(
			command, store,
			json_pack("{ss so sb}", "id", id, "parent",
		                  options.parent ? json_string(options.parent) : json_null(),
		                  "read_write", options.read_write));

	return finish(command, store, r, &err);
}

const struct command command_create = {
	.name = "create",
	.title = "make an empty layer",
	.program = {
		.name = "ovl2 create",
		.usage = "[OPTION...] ID",
		.about = "Makes an empty layer, on top of another or alone.",
		.options = create_options,
		.examples = "  ovl2 create base\n"
		"  ovl2 create --parent base --read-write web",
	},
	.makes_store = 1,
	.run = run_create,
};

static int remove_layer(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	int r = ovl2_layer_remove(store, id, err);

	return r < 0 ? r : 1;
}

static int run_remove(const struct command *command, struct context *context, int argc, char **argv)
{
	return run_each(command, context, argc, argv, remove_layer, "removed");
}

const struct command command_remove = {
	.name = "remove",
	.title = "delete layers",
	.program = {
		.name = "ovl2 remove",
		.usage = "[OPTION...] ID...",
		.about = "Deletes layers and their content. Refused while one is mounted or has children.",
		.options = only_common,
		.examples = "  ovl2 remove web",
	},
	.run = run_remove,
};

static int run_list(const struct command *command, struct context *context, int argc, char **argv)
{
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;
	json_t *list = json_array();
	int r;

	take_option(command, context, argc, argv);
	take_operands(command, argc, argv, 0, 0);

	store = open_store(command, context);
	r = ovl2_store_list(store, collect_layer, list, &err);
	if (r == 0 && context->as_json)
		return finish_json(command, store, list);
	if (r == 0)
		print_layers(list);
	json_decref(list);

	return finish(command, store, r, &err);
}

const struct command command_list = {
	.name = "list",
	.title = "show the layers as a tree",
	.program = {
		.name = "ovl2 list",
		.usage = "[OPTION...]",
		.about = "Shows the layers, each under its parent.",
		.options = only_common,
		.examples = "  ovl2 list\n"
		"  ovl2 list --json | jq -r '.[].id'",
	},
	.run = run_list,
};

static int run_inspect(const struct command *command, struct context *context, int argc,
                       char **argv)
{
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;
	json_t *facts = json_array();
	const char *id;
	int r;

	take_option(command, context, argc, argv);
	id = take_operands(command, argc, argv, 1, 1)[0];

	store = open_store(command, context);
	r = ovl2_layer_metadata(store, id, collect_fact, facts, &err);
	if (r == 0 && context->as_json)
		return finish_json(command, store, facts_as_object(facts));
	if (r == 0)
		print_facts(facts, 0);
	json_decref(facts);

	return finish(command, store, r, &err);
}

const struct command command_inspect = {
	.name = "inspect",
	.title = "show where a layer lives",
	.program = {
		.name = "ovl2 inspect",
		.usage = "[OPTION...] ID",
		.about = "Shows a layer's directories, parent and state.",
		.options = only_common,
		.examples = "  ovl2 inspect --json web | jq -r .UpperDir",
	},
	.run = run_inspect,
};
