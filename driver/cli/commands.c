#include "command.h"

#include "cleanup.h"
#include "print.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Rows of a table, which the formatter takes for a block. */
/* clang-format off */
#define END { NULL, 0, NULL, NULL }

#define DIFF_OPTIONS                                                                              \
	{ "parent", 'p', "ID", "compare with this layer ('' for nothing; default: its parent)" }, \
	{ "method", KEY_DIFF_METHOD, "NAME", "auto, upper or compare" }
/* clang-format on */

static int take_option(const struct command *command, struct context *context, int argc,
                       char **argv)
{
	int key;

	while ((key = cli_next_option(&command->program, argc, argv)) >= 0) {
		if (key >= KEY_OWN || (key < KEY_STORAGE_OPT && key != KEY_HOME))
			return key;
		context_take(context, &command->program, key);
	}

	return -1;
}

/* The operands, of which there must be so many. */
static char **take_operands(const struct command *command, int argc, char **argv, int least,
                            int most)
{
	int count = argc - optind;

	if (count < least)
		cli_usage_error(&command->program, "which layer?");
	if (count > most)
		cli_usage_error(&command->program, "'%s' is one argument too many",
		                argv[optind + most]);

	return argv + optind;
}

static struct ovl2_store *open_store(const struct command *command, const struct context *context)
{
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };

	if (ovl2_store_open(context->home, &context->options, &store, &err) < 0)
		exit(cli_report_error(&command->program, &err));

	return store;
}

/* How every command ends. */
static int finish(const struct command *command, struct ovl2_store *store, int r,
                  const struct ovl2_error *err)
{
	ovl2_store_close(store);
	if (r < 0)
		return cli_report_error(&command->program, err);

	return cli_finish_output(&command->program);
}

static int finish_json(const struct command *command, struct ovl2_store *store, json_t *json)
{
	ovl2_store_close(store);

	return cli_print_json(&command->program, json);
}

/* ------------------------------------------------------------ create, remove -- */

enum { KEY_READ_WRITE = KEY_OWN, KEY_SIZE, KEY_INODES };

static const struct cli_option create_options[] = {
	{ "parent", 'p', "ID", "the layer below (default: none, a base layer)" },
	{ "read-write", KEY_READ_WRITE, NULL, "for a container: stays writable after apply" },
	{ "size", KEY_SIZE, "BYTES", "quota on content, as 10G; needs project quota" },
	{ "inodes", KEY_INODES, "COUNT", "quota on the number of files" },
	COMMON_OPTIONS,
	END,
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

static const struct cli_option only_common[] = {
	COMMON_OPTIONS,
	END,
};

/* Commands that do one thing to each of several layers: stop at the first failure. */
static int run_each(const struct command *command, struct context *context, int argc, char **argv,
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

static int remove_layer(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	int r = ovl2_layer_remove(store, id, err);

	return r < 0 ? r : 1;
}

static int run_remove(const struct command *command, struct context *context, int argc, char **argv)
{
	return run_each(command, context, argc, argv, remove_layer, "removed");
}

/* -------------------------------------------------------------- mount, umount -- */

enum {
	KEY_LABEL = KEY_OWN,
	KEY_METHOD,
	KEY_USERNS,
	KEY_READ_ONLY,
	KEY_NODEV,
	KEY_NOSUID,
	KEY_NOEXEC,
	KEY_SKIP_SYNC,
	KEY_PRINT
};

static const struct cli_option mount_options[] = {
	{ "label", KEY_LABEL, "LABEL", "SELinux label of all that is in the mount" },
	{ "method", KEY_METHOD, "NAME", "auto, absolute, relative, append or fd" },
	{ "userns", KEY_USERNS, "FILE", "map ids as this user namespace: /proc/PID/ns/user" },
	{ "read-only", KEY_READ_ONLY, NULL, "mount without an upper" },
	{ "nodev", KEY_NODEV, NULL, "device files in it cannot be opened" },
	{ "nosuid", KEY_NOSUID, NULL, "set-id bits in it have no effect" },
	{ "noexec", KEY_NOEXEC, NULL, "programs in it cannot be run" },
	{ "skip-sync", KEY_SKIP_SYNC, NULL, "no fsync in it until the last umount (volatile)" },
	{ "print", KEY_PRINT, NULL, "only print the mount command, or with --json its parts" },
	COMMON_OPTIONS,
	END,
};

static int parse_method(const struct command *command, const char *text)
{
	const char *name;

	for (int method = 0; (name = ovl2_mount_method_name(method)); method++)
		if (strcmp(name, text) == 0)
			return method;

	cli_usage_error(&command->program,
	                "there is no mount method '%s': auto, absolute, relative, append or fd",
	                text);
}

/* Shell words in single quotes; a quote inside ends them for a moment. */
static void print_quoted(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
	putchar('\'');
}

/* As containerd and OCI runtimes describe a mount. */
static json_t *spec_as_json(const struct ovl2_mount_spec *spec)
{
	json_t *options = json_array();

	for (size_t i = 0; i < spec->option_count; i++)
		json_array_append_new(options, json_of_bytes(spec->options[i]));

	return json_pack("{ss ss so so ss sI}", "type", "overlay", "source", "overlay", "target",
	                 json_of_bytes(spec->target), "options", options, "method",
	                 ovl2_mount_method_name(spec->method), "data_bytes",
	                 (json_int_t)spec->data_bytes);
}

static int print_mount(const struct command *command, const struct context *context,
                       const struct ovl2_mount_options *options, const char *id)
{
	struct ovl2_store *store = open_store(command, context);
	struct ovl2_mount_spec *spec = NULL;
	struct ovl2_error err = { 0 };
	json_t *json = NULL;
	int r;

	r = ovl2_layer_mount_spec(store, id, options, &spec, &err);
	if (r == 0 && context->as_json) {
		json = spec_as_json(spec);
	} else if (r == 0) {
		fputs("mount -t overlay overlay -o ", stdout);
		print_quoted(spec->text);
		putchar(' ');
		print_quoted(spec->target);
		putchar('\n');
	}
	ovl2_mount_spec_free(spec);

	return json ? finish_json(command, store, json) : finish(command, store, r, &err);
}

static int take_mount_flag(struct ovl2_mount_options *options, int key)
{
	int *const flags[] = {
		[0] = &options->read_only,
		[KEY_NODEV - KEY_READ_ONLY] = &options->nodev,
		[KEY_NOSUID - KEY_READ_ONLY] = &options->nosuid,
		[KEY_NOEXEC - KEY_READ_ONLY] = &options->noexec,
		[KEY_SKIP_SYNC - KEY_READ_ONLY] = &options->skip_sync,
	};

	if (key == KEY_PRINT)
		return 1;
	*flags[key - KEY_READ_ONLY] = 1;

	return 0;
}

/* Open until the program ends. */
static int open_namespace(const struct command *command, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		cli_usage_error(&command->program, "open '%s': %s", path, strerror(errno));

	return fd;
}

static int run_mount(const struct command *command, struct context *context, int argc, char **argv)
{
	struct ovl2_mount_options options = { .size = sizeof(options) };
	cleanup_free char *path = NULL;
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;
	int only_print = 0;
	const char *id;
	int key;
	int r;

	while ((key = take_option(command, context, argc, argv)) >= 0) {
		if (key == KEY_LABEL)
			options.label = optarg;
		else if (key == KEY_METHOD)
			options.method = parse_method(command, optarg);
		else if (key == KEY_USERNS)
			options.user_namespace = open_namespace(command, optarg);
		else
			only_print |= take_mount_flag(&options, key);
	}
	id = take_operands(command, argc, argv, 1, 1)[0];
	if (only_print)
		return print_mount(command, context, &options, id);

	store = open_store(command, context);
	r = ovl2_layer_mount(store, id, &options, &path, &err);
	if (r == 0 && context->as_json)
		return finish_json(command, store, json_pack("{ss ss}", "id", id, "path", path));
	if (r == 0)
		puts(path);

	return finish(command, store, r, &err);
}

static int run_umount(const struct command *command, struct context *context, int argc, char **argv)
{
	return run_each(command, context, argc, argv, ovl2_layer_unmount, "mounts_left");
}

/* ----------------------------------------------------------------- diff, apply -- */

enum { KEY_DIFF_METHOD = KEY_OWN, KEY_COMPRESS, KEY_THREADS, KEY_DIGEST };

static const struct cli_option diff_options[] = {
	DIFF_OPTIONS,
	{ "output", 'o', "FILE", "write there instead of standard output" },
	{ "compress", KEY_COMPRESS, "NAME", "none, gzip or zstd" },
	{ "threads", KEY_THREADS, "COUNT", "to read and compress with (default: as many as pay)" },
	{ "digest", KEY_DIGEST, NULL,
	  "print the sha256 of the tar (OCI DiffID) to standard error" },
	COMMON_OPTIONS,
	END,
};

static const struct cli_option changes_options[] = {
	DIFF_OPTIONS,
	COMMON_OPTIONS,
	END,
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

static uint32_t parse_threads(const struct command *command, const char *text)
{
	char *end = NULL;
	unsigned long count = strtoul(text, &end, 10);

	if (end == text || *end || count < 1 || count > 1024)
		cli_usage_error(&command->program, "'%s' is not a number of threads", text);

	return (uint32_t)count;
}

/* What the diff family can be asked for. */
struct diff_request {
	struct ovl2_diff_options options;
	const char *output;
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
			options->threads = parse_threads(command, optarg);
		else if (key == KEY_DIGEST)
			options->digest = request->digest;
		else
			options->method = parse_diff_method(command, optarg);
	}
}

/* Into a file beside `output` that takes its name when the diff is complete. */
static int diff_to_file(struct ovl2_store *store, const char *id,
                        const struct ovl2_diff_options *options, const char *output,
                        struct ovl2_error *err)
{
	cleanup_free char *aside = NULL;
	cleanup_fd int fd = -1;
	int r;

	if (asprintf(&aside, "%s.XXXXXX", output) < 0) {
		aside = NULL;
		snprintf(err->message, sizeof(err->message), "out of memory");
		return OVL2_E_NO_MEMORY;
	}
	fd = mkostemp(aside, O_CLOEXEC);
	if (fd < 0) {
		snprintf(err->message, sizeof(err->message), "create '%s': %s", aside,
		         strerror(errno));
		return OVL2_E_SYSTEM;
	}

	r = ovl2_layer_diff(store, id, options, fd, err);
	if (r == 0 && (fchmod(fd, 0644) < 0 || rename(aside, output) < 0)) {
		snprintf(err->message, sizeof(err->message), "write '%s': %s", output,
		         strerror(errno));
		r = OVL2_E_SYSTEM;
	}
	if (r < 0)
		unlink(aside);

	return r;
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
	r = request.output ? diff_to_file(store, id, &request.options, request.output, &err)
	                   : ovl2_layer_diff(store, id, &request.options, STDOUT_FILENO, &err);
	if (r == 0 && context->as_json)
		return finish_json(command, store,
		                   json_pack("{ss ss ss*}", "id", id, "output", request.output,
		                             "sha256", *request.digest ? request.digest : NULL));
	if (r == 0 && *request.digest)
		fprintf(stderr, "sha256:%s\n", request.digest);

	return finish(command, store, r, &err);
}

static int run_apply(const struct command *command, struct context *context, int argc, char **argv)
{
	struct ovl2_error err = { 0 };
	cleanup_fd int fd = -1;
	struct ovl2_store *store;
	uint64_t bytes = 0;
	char **operands;
	int r;

	take_option(command, context, argc, argv);
	operands = take_operands(command, argc, argv, 1, 2);
	if (!operands[1] && isatty(STDIN_FILENO))
		cli_usage_error(&command->program, "which tar? Name a file or redirect one");
	if (operands[1] && strcmp(operands[1], "-") != 0) {
		fd = open(operands[1], O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			snprintf(err.message, sizeof(err.message), "open '%s': %s", operands[1],
			         strerror(errno));
			return cli_report_error(&command->program, &err);
		}
	}

	store = open_store(command, context);
	r = ovl2_layer_apply(store, operands[0], NULL, fd >= 0 ? fd : STDIN_FILENO, &bytes, &err);
	if (r == 0 && context->as_json)
		return finish_json(
			command, store,
			json_pack("{ss sI}", "id", operands[0], "bytes", (json_int_t)bytes));
	if (r == 0)
		printf("%llu\n", (unsigned long long)bytes);

	return finish(command, store, r, &err);
}

/* -------------------------------------------------------------- changes, size -- */

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

/* ------------------------------------------------------ list, inspect, status -- */

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

/* ------------------------------------------------------------ check and repair -- */

enum { KEY_DEEP = KEY_OWN, KEY_NO_MOUNT, KEY_DRY_RUN, KEY_YES, KEY_QUARANTINE };

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
	COMMON_OPTIONS,
	END,
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

static const struct cli_option repair_options[] = {
	{ "dry-run", KEY_DRY_RUN, NULL, "only say what would be done" },
	{ "yes", KEY_YES, NULL, "do it" },
	COMMON_OPTIONS,
	END,
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

static const struct cli_option gc_options[] = {
	{ "quarantine", KEY_QUARANTINE, NULL, "delete what is in the quarantine as well" },
	COMMON_OPTIONS,
	END,
};

/* Commands on the whole store that end with a count. */
static int finish_count(const struct command *command, const struct context *context,
                        struct ovl2_store *store, int count, const struct ovl2_error *err)
{
	if (count < 0)
		return finish(command, store, count, err);
	if (context->as_json)
		return finish_json(command, store, json_pack("{si}", "count", count));
	printf("%d\n", count);

	return finish(command, store, 0, NULL);
}

static int run_gc(const struct command *command, struct context *context, int argc, char **argv)
{
	struct ovl2_collect_options options = { .size = sizeof(options) };
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;

	while (take_option(command, context, argc, argv) >= 0)
		options.quarantine = 1;
	take_operands(command, argc, argv, 0, 0);

	store = open_store(command, context);

	return finish_count(command, context, store, ovl2_store_collect(store, &options, &err),
	                    &err);
}

static int run_sync(const struct command *command, struct context *context, int argc, char **argv)
{
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;

	take_option(command, context, argc, argv);
	take_operands(command, argc, argv, 0, 0);

	store = open_store(command, context);

	return finish_count(command, context, store, ovl2_store_sync(store, &err), &err);
}

static int run_adopt(const struct command *command, struct context *context, int argc, char **argv)
{
	return run_each(command, context, argc, argv, ovl2_layer_adopt, "adopted");
}

/* ------------------------------------------------------------------- the table -- */

const struct command commands[] = {
	{
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
		.run = run_create,
	},
	{
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
	},
	{
		.name = "mount",
		.title = "mount a layer on its parents, print where",
		.program = {
			.name = "ovl2 mount",
			.usage = "[OPTION...] ID",
			.about = "Mounts a layer on its merged directory and prints its path. Mounts are counted:\n"
"each wants its umount. A committed layer is mounted read-only.",
			.options = mount_options,
			.examples = "  cd \"$(ovl2 mount web)\"\n"
"  ovl2 mount --method fd web",
		},
		.run = run_mount,
	},
	{
		.name = "umount",
		.title = "undo a mount",
		.program = {
			.name = "ovl2 umount",
			.usage = "[OPTION...] ID...",
			.about = "Undoes one mount of each layer named.",
			.options = only_common,
			.examples = "  ovl2 umount web",
		},
		.run = run_umount,
	},
	{
		.name = "diff",
		.title = "write what a layer changed as a tar",
		.program = {
			.name = "ovl2 diff",
			.usage = "[OPTION...] ID",
			.about = "Writes what a layer changed as an uncompressed pax tar with OCI whiteouts.",
			.options = diff_options,
			.examples = "  ovl2 diff web > web.tar\n"
				    "  ovl2 diff --compress zstd --digest -o web.tar.zst web\n"
"  ovl2 diff --parent base -o all.tar web",
		},
		.run = run_diff,
	},
	{
		.name = "apply",
		.title = "fill a layer from a tar",
		.program = {
			.name = "ovl2 apply",
			.usage = "[OPTION...] ID [FILE]",
			.about = "Fills an empty layer from a tar, compressed or not, and prints its size in bytes.",
			.options = only_common,
			.examples = "  ovl2 apply base rootfs.tar.zst\n"
"  ovl2 diff web | ovl2 apply copy",
		},
		.run = run_apply,
	},
	{
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
	},
	{
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
	},
	{
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
	},
	{
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
	},
	{
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
	},
	{
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
	},
	{
		.name = "check",
		.title = "look for damage in the store",
		.program = {
			.name = "ovl2 check",
			.usage = "[OPTION...]",
			.about = "Looks for damage: links, lowers, records and marks that do not fit together, content\n"
"that is missing, layers that cannot be mounted. Changes nothing.",
			.options = check_options,
			.examples = "  ovl2 check --home /var/lib/docker/overlay2\n"
"  ovl2 check --deep --json | jq .left",
			.exit_codes = "  0   nothing is wrong\n"
"  1   something is, or it could not be checked\n"
"  64  the command line makes no sense",
		},
		.run = run_check,
	},
	{
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
	},
	{
		.name = "gc",
		.title = "delete what nobody can use",
		.program = {
			.name = "ovl2 gc",
			.usage = "[OPTION...]",
			.about = "Deletes leftovers of interrupted commands, links that lead to no layer and mount counts\n"
"of layers that are gone, and prints how many. Layers are never deleted, unless they are in\n"
"the quarantine and it is asked for.",
			.options = gc_options,
			.examples = "  ovl2 gc\n"
"  ovl2 gc --quarantine",
		},
		.run = run_gc,
	},
	{
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
	},
	{
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
	},
	{ .name = NULL },
};
