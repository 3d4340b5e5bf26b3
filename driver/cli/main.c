#include "command.h"

#include "cleanup.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* As the help lists them. */
static const struct command *const commands[] = {
	&command_create, &command_remove,  &command_mount, &command_umount, &command_diff,
	&command_apply,  &command_changes, &command_size,  &command_list,   &command_inspect,
	&command_status, &command_cleanup, &command_check, &command_repair, &command_gc,
	&command_adopt,  &command_digest,  &command_sync,
};

static const struct cli_option options[] = {
	COMMON_OPTIONS,
	END_OF_OPTIONS,
};

static void print_commands(FILE *out)
{
	fprintf(out, "\nCommands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->title);
	fprintf(out, "  %-10s %s\n", "probe", "can this host carry container layers? (ovl2-probe)");
	fprintf(out, "  %-10s %s\n", "bench", "how fast does it? (ovl2-bench)");
	fprintf(out, "  %-10s %s\n", "report", "both as a document (ovl2-report)");
}

static const struct cli_program ovl2 = {
	.name = "ovl2",
	.usage = "[OPTION...] COMMAND [ARGUMENT...]",
	.has_commands = 1,
	.about = "Keeps container layers on disk, in the layout of Docker's overlay2, and mounts\n"
		 "any stack of them with Linux overlayfs.",
	.options = options,
	.examples = "  ovl2 create base && ovl2 apply base rootfs.tar.gz\n"
		    "  ovl2 create --parent base --read-write web\n"
		    "  cd \"$(ovl2 mount web)\"\n"
		    "  ovl2 diff web > web.tar",
	.exit_codes = "  0   done\n"
		      "  1   not done; the message says what, why and what to do\n"
		      "  64  the command line makes no sense",
	.print_more = print_commands,
};

/* "ovl2 NAME" is "ovl2-NAME" beside this program, or on the PATH. Returns if not. */
static void run_program(const char *name, char **argv)
{
	char path[PATH_MAX];
	char beside[PATH_MAX + 64];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (strchr(name, '/'))
		return;
	path[length > 0 ? length : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash)
		slash[1] = '\0';

	snprintf(beside, sizeof(beside), "%sovl2-%s", path, name);
	argv[0] = beside;
	execv(beside, argv);
	argv[0] = beside + strlen(path);
	execvp(argv[0], argv);
}

static void log_to_stderr(void *data, enum ovl2_log_level level, const char *message)
{
	(void)data;

	if (level == OVL2_LOG_WARNING)
		fprintf(stderr, "ovl2: warning: %s\n", message);
}

int main(int argc, char **argv)
{
	struct context context = {
		.home = "/var/lib/ovl2",
		.options = { .size = sizeof(context.options), .log = log_to_stderr },
	};
	const char *name;
	int key;

	/* A reader that has seen enough is an error to report, not a reason to die. */
	signal(SIGPIPE, SIG_IGN);

	while ((key = cli_next_option(&ovl2, argc, argv)) >= 0)
		context_take(&context, &ovl2, key);
	if (optind == argc)
		cli_usage_error(&ovl2, "which command?");

	argv += optind;
	argc -= optind;
	name = argv[0];
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i]->name, name) == 0) {
			optind = 0; /* glibc: start over */
			return commands[i]->run(commands[i], &context, argc, argv);
		}
	}

	run_program(name, argv);
	cli_usage_error(&ovl2, "there is no command '%s'", name);
}
