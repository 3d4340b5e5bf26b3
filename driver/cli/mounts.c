#include "command.h"

#include "cleanup.h"
#include "fail.h"
#include "print.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
	END_OF_OPTIONS,
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

/* fsconfig(2) takes so many in one option, and mount(8) uses it since util-linux 2.39. */
#define MAX_OPTION_BYTES 255

static int has_long_option(const struct ovl2_mount_spec *spec)
{
	for (size_t i = 0; i < spec->option_count; i++)
		if (strlen(strchrnul(spec->options[i], '=')) > MAX_OPTION_BYTES + 1)
			return 1;

	return 0;
}

static void print_command(const struct ovl2_mount_spec *spec)
{
	if (spec->directory) {
		fputs("(cd ", stdout);
		print_quoted(spec->directory);
		fputs(" && ", stdout);
	}
	if (has_long_option(spec))
		fputs("LIBMOUNT_FORCE_MOUNT2=always ", stdout);
	fputs("mount -t overlay overlay -o ", stdout);
	print_quoted(spec->text);
	putchar(' ');
	print_quoted(spec->target);
	puts(spec->directory ? ")" : "");
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
	if (r == 0 && context->as_json)
		json = spec_as_json(spec);
	else if (r == 0 && spec->text)
		print_command(spec);
	else if (r == 0)
		r = ovi_fail(&err, OVL2_E_UNSUPPORTED,
		             "print the mount of '%s': mount(8) passes on a page of options, and "
		             "%zu lowers are more: ovl2 mount, or --json for a list",
		             id, spec->lower_count);
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

const struct command command_mount = {
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
};

static int run_umount(const struct command *command, struct context *context, int argc, char **argv)
{
	return run_each(command, context, argc, argv, ovl2_layer_unmount, "mounts_left");
}

const struct command command_umount = {
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
};
