#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void context_take(struct context *context, const struct cli_program *program, int key)
{
	struct ovl2_error err = { 0 };

	if (key == KEY_HOME)
		context->home = optarg;
	else if (key == KEY_JSON)
		context->as_json = 1;
	else if (key == KEY_RUN_DIRECTORY)
		context->options.run_directory = optarg;
	else if (key == KEY_MOUNT_OPTIONS)
		context->options.mount_options = optarg;
	else if (ovl2_store_options_parse(optarg, &context->options, &err) < 0)
		cli_usage_error(program, "%s", err.message);
}

uint64_t parse_number(const struct command *command, const char *text, uint64_t most)
{
	char *end = NULL;
	unsigned long long number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || number < 1 || number > most)
		cli_usage_error(&command->program, "'%s' is not a number from 1 to %llu", text,
		                (unsigned long long)most);

	return number;
}

const char *parse_progress(const struct command *command, const char *text)
{
	if (strcmp(text, "always") != 0 && strcmp(text, "never") != 0 && strcmp(text, "auto") != 0)
		cli_usage_error(&command->program,
		                "progress is shown always, never or auto, not '%s'", text);

	return text;
}

int take_option(const struct command *command, struct context *context, int argc, char **argv)
{
	int key;

	while ((key = cli_next_option(&command->program, argc, argv)) >= 0) {
		if (key >= KEY_OWN || (key < KEY_STORAGE_OPT && key != KEY_HOME))
			return key;
		context_take(context, &command->program, key);
	}

	return -1;
}

char **take_operands(const struct command *command, int argc, char **argv, int least, int most)
{
	int count = argc - optind;

	if (count < least)
		cli_usage_error(&command->program, "which layer?");
	if (count > most)
		cli_usage_error(&command->program, "'%s' is one argument too many",
		                argv[optind + most]);

	return argv + optind;
}

struct ovl2_store *open_store(const struct command *command, const struct context *context)
{
	struct ovl2_store_options options = context->options;
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };

	options.must_exist = !command->makes_store;
	if (ovl2_store_open(context->home, &options, &store, &err) < 0)
		exit(cli_report_error(&command->program, &err));

	return store;
}

int finish(const struct command *command, struct ovl2_store *store, int r,
           const struct ovl2_error *err)
{
	ovl2_store_close(store);
	if (r < 0)
		return cli_report_error(&command->program, err);

	return cli_finish_output(&command->program);
}

int finish_json(const struct command *command, struct ovl2_store *store, json_t *json)
{
	ovl2_store_close(store);

	return cli_print_json(&command->program, json);
}

int finish_count(const struct command *command, const struct context *context,
                 struct ovl2_store *store, int count, const struct ovl2_error *err)
{
	if (count < 0)
		return finish(command, store, count, err);
	if (context->as_json)
		return finish_json(command, store, json_pack("{si}", "count", count));
	printf("%d\n", count);

	return finish(command, store, 0, NULL);
}

int run_each(const struct command *command, struct context *context, int argc, char **argv,
             int (*call)(struct ovl2_store *, const char *, struct ovl2_error *),
             const char *result_name)
{
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;
	json_t *done = json_array();
	char **ids;
	int r = 0;

	take_option(command, context, argc, argv);
	ids = take_operands(command, argc, argv, 1, argc);

	store = open_store(command, context);
	for (; *ids && r >= 0; ids++) {
		r = call(store, *ids, &err);
		if (r >= 0)
			json_array_append_new(done,
			                      json_pack("{ss si}", "id", *ids, result_name, r));
	}
	if (r >= 0 && context->as_json)
		return finish_json(command, store, done);
	json_decref(done);

	return finish(command, store, r, &err);
}

const struct cli_option only_common[] = {
	COMMON_OPTIONS,
	END_OF_OPTIONS,
};
