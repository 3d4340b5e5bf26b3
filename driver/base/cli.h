#pragma once

/*
 * What our four programs have in common on the command line: options from a
 * table, help made from the same table, errors and exit codes that look alike.
 * Programs only; the library never includes this.
 */

#include <ovl2.h>

#include <jansson.h>
#include <stdio.h>

/* sysexits(3): the command line makes no sense. */
#define CLI_EXIT_USAGE 64

struct cli_option {
	/* Long name. A table ends with a row whose name is NULL. */
	const char *name;

	/* What cli_next_option() returns: a letter for "-x", or 256 and up for none. */
	int key;

	/* Placeholder of the value in the help, "DIR"; NULL for a flag. */
	const char *value;

	const char *help;
};

struct cli_program {
	/* "ovl2-probe", "ovl2 mount": what errors begin with. */
	const char *name;

	/* What follows the name in the usage line: "[OPTION...] [DIR]". */
	const char *usage;

	/* The first operand is a command, and options after it are the command's. */
	int has_commands;

	/* One or more sentences. */
	const char *about;

	const struct cli_option *options;

	/* Lines as typed, each indented by two spaces; ends without newline. */
	const char *examples;

	/* Meanings of the exit codes, same form; or NULL. */
	const char *exit_codes;

	/* Prints what else the help has to say, or NULL. */
	void (*print_more)(FILE *out);
};

/*
 * The next option's key, its value in `optarg`; -1 after the last one, with
 * `optind` at the first operand: options may stand after operands, up to "--", and
 * `argv` is put in order. Handles --help and --version (prints, exits 0) and
 * unknown options (says which, exits 64).
 */
int cli_next_option(const struct cli_program *program, int argc, char **argv);

/* Prints "NAME: message" and how to get help; exits 64. */
void cli_usage_error(const struct cli_program *program, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

void cli_print_help(const struct cli_program *program, FILE *out);

/* Prints "NAME: message" of a failed call to stderr; returns 1, an exit code. */
int cli_report_error(const struct cli_program *program, const struct ovl2_error *err);

/*
 * Is `out` to be coloured? `when` is "always", "never", or "auto" and NULL: a
 * terminal, TERM other than dumb, and NO_COLOR unset or empty (no-color.org).
 */
int cli_wants_color(const char *when, FILE *out);

/* Prints `value` indented with a newline, and releases it. Returns an exit code. */
int cli_print_json(const struct cli_program *program, json_t *value);

/* Flushes stdout: 0, or 1 with a message when what was printed did not arrive. */
int cli_finish_output(const struct cli_program *program);
