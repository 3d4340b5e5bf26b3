#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More than any table of ours has. */
#define MAX_OPTIONS 40

enum { KEY_HELP = 'h', KEY_VERSION = 'V', KEY_LONG_ONLY = 256 };

static void print_option(const struct cli_option *option, FILE *out)
{
	char left[64];
	char letter[8] = "    ";

	if (option->key < KEY_LONG_ONLY)
		snprintf(letter, sizeof(letter), "-%c, ", option->key);
	snprintf(left, sizeof(left), "%s--%s%s%s", letter, option->name, option->value ? " " : "",
	         option->value ? option->value : "");
	fprintf(out, "  %-28s %s\n", left, option->help);
}

void cli_print_help(const struct cli_program *program, FILE *out)
{
	static const struct cli_option common[] = {
		{ "help", KEY_HELP, NULL, "show this help" },
		{ "version", KEY_VERSION, NULL, "show the version" },
	};

	fprintf(out, "Usage: %s %s\n\n%s\n\nOptions:\n", program->name, program->usage,
	        program->about);
	for (const struct cli_option *option = program->options; option->name; option++)
		print_option(option, out);
	print_option(&common[0], out);
	print_option(&common[1], out);
	if (program->print_more)
		program->print_more(out);
	if (program->exit_codes)
		fprintf(out, "\nExit codes:\n%s\n", program->exit_codes);
	fprintf(out, "\nExamples:\n%s\n", program->examples);
}

/* getopt's two forms of the same table. `letters` has room for MAX_OPTIONS * 2 + 8. */
static void fill_getopt(const struct cli_program *program, struct option *names, char *letters)
{
	size_t count = 0;

	/* '+' stops at the first operand; ':' is the answer to a missing value. */
	letters += sprintf(letters, program->has_commands ? "+:hV" : ":hV");
	names[count++] = (struct option){ "help", no_argument, NULL, KEY_HELP };
	names[count++] = (struct option){ "version", no_argument, NULL, KEY_VERSION };

	for (const struct cli_option *o = program->options; o->name && count < MAX_OPTIONS; o++) {
		int has_value = o->value ? required_argument : no_argument;

		names[count++] = (struct option){ o->name, has_value, NULL, o->key };
		if (o->key < KEY_LONG_ONLY)
			letters += sprintf(letters, "%c%s", o->key, o->value ? ":" : "");
	}
	names[count] = (struct option){ 0 };
}

int cli_next_option(const struct cli_program *program, int argc, char **argv)
{
	struct option names[MAX_OPTIONS + 1];
	char letters[MAX_OPTIONS * 2 + 8];
	int key;

	fill_getopt(program, names, letters);
	opterr = 0;
	key = getopt_long(argc, argv, letters, names, NULL);
	switch (key) {
	case KEY_HELP:
		cli_print_help(program, stdout);
		exit(cli_finish_output(program));
	case KEY_VERSION:
		printf("%s %s\n", program->name, OVL2_VERSION);
		exit(cli_finish_output(program));
	case ':':
		cli_usage_error(program, "option '%s' needs a value", argv[optind - 1]);
	case '?':
		if (optopt && optopt < KEY_LONG_ONLY && strncmp(argv[optind - 1], "--", 2) != 0)
			cli_usage_error(program, "unknown option '-%c'", optopt);
		cli_usage_error(program, "unknown option '%s'", argv[optind - 1]);
	default:
		return key;
	}
}

void cli_usage_error(const struct cli_program *program, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "; see '%s --help'\n", program->name);
	exit(CLI_EXIT_USAGE);
}

int cli_report_error(const struct cli_program *program, const struct ovl2_error *err)
{
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", program->name, err->message);

	return 1;
}

int cli_wants_color(const char *when, FILE *out)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (when && strcmp(when, "always") == 0)
		return 1;
	if (when && strcmp(when, "never") == 0)
		return 0;

	return isatty(fileno(out)) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

int cli_print_json(const struct cli_program *program, json_t *value)
{
	int r;

	if (!value) {
		fprintf(stderr, "%s: out of memory\n", program->name);
		return 1;
	}

	r = json_dumpf(value, stdout, JSON_INDENT(2));
	json_decref(value);
	putchar('\n');
	if (r < 0) {
		fprintf(stderr, "%s: the answer cannot be written as JSON\n", program->name);
		return 1;
	}

	return cli_finish_output(program);
}

int cli_finish_output(const struct cli_program *program)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;

	fprintf(stderr, "%s: write to standard output: %s\n", program->name, strerror(errno));

	return 1;
}
