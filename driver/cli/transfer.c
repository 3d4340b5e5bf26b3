#include "command.h"

#include "cleanup.h"
#include "draft.h"
#include "print.h"
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Rows of a table, which the formatter takes for a block. */
/* clang-format off */
#define DIFF_OPTIONS                                                                              \
	{ "parent", 'p', "ID", "compare with this layer ('' for nothing; default: its parent)" }, \
	{ "method", KEY_DIFF_METHOD, "NAME", "auto, upper or compare" }
/* clang-format on */

enum { KEY_DIFF_METHOD = KEY_OWN, KEY_COMPRESS, KEY_LEVEL, KEY_THREADS, KEY_DIGEST, KEY_PROGRESS };

static const struct cli_option diff_options[] = {
	DIFF_OPTIONS,
	{ "output", 'o', "FILE", "write there instead of standard output" },
	{ "compress", KEY_COMPRESS, "NAME", "none, gzip or zstd" },
	{ "level", KEY_LEVEL, "NUMBER",
	  "of compression, 1 to 9, of zstd to 22 (default: its own)" },
	{ "threads", KEY_THREADS, "COUNT", "to read and compress with (default: as many as pay)" },
	{ "digest", KEY_DIGEST, NULL,
	  "print the sha256 of the tar (OCI DiffID) to standard error" },
	PROGRESS_OPTION,
	COMMON_OPTIONS,
	END_OF_OPTIONS,
};

static const struct cli_option changes_options[] = {
	DIFF_OPTIONS,
	COMMON_OPTIONS,
	END_OF_OPTIONS,
};

static int parse_diff_method(const struct command *command, const char *text)
{
	static const char *const names[] = {
		[OVL2_DIFF_AUTO] = "auto",
		[OVL2_DIFF_UPPER] = "upper",
		[OVL2_DIFF_COMPARE] = "compare",
	};

	for (int i = 0; i < (int)ARRAY_SIZE(names); i++)
		if (strcmp(names[i], text) == 0)
			return i;

	cli_usage_error(&command->program, "there is no diff method '%s': auto, upper or compare",
	                text);
}

static int parse_compression(const struct command *command, const char *text)
{
	static const char *const names[] = {
		[OVL2_COMPRESSION_NONE] = "none",
		[OVL2_COMPRESSION_GZIP] = "gzip",
		[OVL2_COMPRESSION_ZSTD] = "zstd",
	};

	for (int i = 0; i < (int)ARRAY_SIZE(names); i++)
		if (strcmp(names[i], text) == 0)
			return i;

	cli_usage_error(&command->program, "there is no compression '%s': none, gzip or zstd",
	                text);
}

/* What the diff family can be asked for. */
struct diff_request {
	struct ovl2_diff_options options;
	const char *output;
	const char *when;
	struct progress progress;
	char digest[OVL2_DIGEST_SIZE];
};

static void parse_diff(const struct command *command, struct context *context, int argc,
                       char **argv, struct diff_request *request)
{
	struct ovl2_diff_options *options = &request->options;
	int key;

	while ((key = take_option(command, context, argc, argv)) >= 0) {
		if (key == 'p')
			options->parent = optarg;
		else if (key == 'o')
			request->output = optarg;
		else if (key == KEY_COMPRESS)
			options->compression = parse_compression(command, optarg);
		else if (key == KEY_THREADS)
			options->threads = (uint32_t)parse_number(command, optarg, 1024);
		else if (key == KEY_LEVEL)
			options->compression_level = (int)parse_number(command, optarg, 22);
		else if (key == KEY_PROGRESS)
			request->when = parse_progress(command, optarg);
		else if (key == KEY_DIGEST)
			options->digest = request->digest;
		else
			options->method = parse_diff_method(command, optarg);
	}
}

static int diff_to_file(struct ovl2_store *store, const char *id,
                        const struct ovl2_diff_options *options, const char *output,
                        struct ovl2_error *err)
{
	cleanup_draft struct ovi_draft draft = OVI_DRAFT_NONE;
	int r;

	r = ovi_draft_begin(output, &draft, err);
	if (r == 0)
		r = ovl2_layer_diff(store, id, options, draft.fd, err);

	return r == 0 ? ovi_draft_publish(&draft, err) : r;
}

static int tell_progress(void *data, const struct ovl2_diff_progress *so_far)
{
	return progress_tell(data, so_far->entries, so_far->bytes);
}

static json_t *diff_as_json(const char *id, const struct diff_request *request)
{
	return json_pack("{ss ss sI sI ss*}", "id", id, "output", request->output, "entries",
	                 (json_int_t)request->progress.entries, "tar_bytes",
	                 (json_int_t)request->progress.bytes, "sha256",
	                 *request->digest ? request->digest : NULL);
}

static int run_diff(const struct command *command, struct context *context, int argc, char **argv)
{
	struct diff_request request = { .options.size = sizeof(request.options) };
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;
	const char *id;
	int r;

	parse_diff(command, context, argc, argv, &request);
	id = take_operands(command, argc, argv, 1, 1)[0];
	if (!request.output && (isatty(STDOUT_FILENO) || context->as_json))
		cli_usage_error(
			&command->program,
			"a tar is nothing for a terminal or JSON: redirect it, or use -o FILE");

	store = open_store(command, context);
	progress_begin(&request.progress, request.when);
	request.options.progress = tell_progress;
	request.options.progress_data = &request.progress;
	r = request.output ? diff_to_file(store, id, &request.options, request.output, &err)
	                   : ovl2_layer_diff(store, id, &request.options, STDOUT_FILENO, &err);
	progress_end(&request.progress);
	if (r == 0 && context->as_json)
		return finish_json(command, store, diff_as_json(id, &request));
	if (r == 0 && *request.digest)
		fprintf(stderr, "sha256:%s\n", request.digest);

	return progress_exit(r, finish(command, store, r, &err));
}

const struct command command_diff = {
	.name = "diff",
	.title = "write what a layer changed as a tar",
	.program = {
		.name = "ovl2 diff",
		.usage = "[OPTION...] ID",
		.about = "Writes what a layer changed as a pax tar with OCI whiteouts. An interrupt leaves no\n"
		"file; --json has entries, tar_bytes and the sha256 asked for. Sockets are left out with a\n"
		"warning; a file named '.wh.NAME' fails it, since in a tar that would delete NAME.",
		.options = diff_options,
		.examples = "  ovl2 diff web > web.tar\n"
			    "  ovl2 diff --compress zstd --digest -o web.tar.zst web\n"
		"  ovl2 diff --parent base -o all.tar web",
	},
	.run = run_diff,
};

static int run_changes(const struct command *command, struct context *context, int argc,
                       char **argv)
{
	struct diff_request request = { .options.size = sizeof(request.options) };
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;
	json_t *list = NULL;
	const char *id;
	int r;

	parse_diff(command, context, argc, argv, &request);
	id = take_operands(command, argc, argv, 1, 1)[0];
	if (context->as_json)
		list = json_array();

	store = open_store(command, context);
	r = ovl2_layer_changes(store, id, &request.options, list ? print_change_json : print_change,
	                       list, &err);
	if (r == 0 && list)
		return finish_json(command, store, list);
	json_decref(list);

	return finish(command, store, r, &err);
}

const struct command command_changes = {
	.name = "changes",
	.title = "list what a layer changed",
	.program = {
		.name = "ovl2 changes",
		.usage = "[OPTION...] ID",
		.about = "Lists what a layer changed: A added, C changed, D deleted. Control characters and\n"
		"backslashes in names are shown as \\nnn; --json has the names as they are.",
		.options = changes_options,
		.examples = "  ovl2 changes web\n"
		"  ovl2 changes --parent base --method compare web",
	},
	.run = run_changes,
};

static int run_size(const struct command *command, struct context *context, int argc, char **argv)
{
	struct diff_request request = { .options.size = sizeof(request.options) };
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;
	uint64_t bytes = 0;
	const char *id;
	int r;

	parse_diff(command, context, argc, argv, &request);
	id = take_operands(command, argc, argv, 1, 1)[0];

	store = open_store(command, context);
	r = ovl2_layer_diff_size(store, id, &request.options, &bytes, &err);
	if (r == 0 && context->as_json)
		return finish_json(command, store,
		                   json_pack("{ss sI}", "id", id, "bytes", (json_int_t)bytes));
	if (r == 0)
		printf("%llu\n", (unsigned long long)bytes);

	return finish(command, store, r, &err);
}

const struct command command_size = {
	.name = "size",
	.title = "add up what a layer holds",
	.program = {
		.name = "ovl2 size",
		.usage = "[OPTION...] ID",
		.about = "Prints the sum of the sizes of the files that a layer changed, in bytes.",
		.options = changes_options,
		.examples = "  ovl2 size web",
	},
	.run = run_size,
};
