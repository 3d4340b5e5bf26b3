/*
 * ovl2-report: makes a document of what ovl2-probe and ovl2-bench wrote.
 */

#include "cleanup.h"
#include "cli.h"
#include "compare.h"
#include "document.h"
#include "export.h"
#include "fail.h"
#include "figures.h"
#include "fleet.h"
#include "history.h"
#include "hosts.h"
#include "matrix.h"
#include "output.h"
#include "page.h"
#include "summary.h"
#include "terminal.h"

#include <getopt.h>
#include <locale.h>
#include <string.h>

#define MAX_NOTES 8

enum { KEY_HTML = 'o', KEY_JSON = 'j', KEY_FORMAT = 'f', KEY_TITLE = 256, KEY_NOTE, KEY_COLOR };

static const struct cli_option options[] = {
	{ "html", KEY_HTML, "FILE", "write the report as one HTML page" },
	{ "json", KEY_JSON, NULL, "print the summary as JSON" },
	{ "format", KEY_FORMAT, "NAME", "print another tool's format instead, see below" },
	{ "title", KEY_TITLE, "TEXT", "the page's title, instead of host and target" },
	{ "note", KEY_NOTE, "TEXT", "show a sentence below the verdict; can be repeated" },
	{ "color", KEY_COLOR, "WHEN", "always, never or auto" },
	{ 0 },
};

/* What the first word may be instead of a document. */
static const struct command {
	const char *name;
	const char *title;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "compare", "says what became slower between two bench documents", report_compare_main },
	{ "history", "keeps many runs, and tells which benchmarks changed", report_history_main },
	{ "hosts", "lays many bench documents side by side", report_hosts_main },
	{ "matrix", "lays many probe documents side by side", report_matrix_main },
	{ "fleet", "tells which of many hosts are out, and why", report_fleet_main },
};

static void print_commands_and_formats(FILE *out)
{
	fputs("\nCommands:\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-14s %s\n", commands[i].name, commands[i].title);
	fputs("\nFormats:\n", out);
	for (const struct report_export *export = report_exports; export->name; export ++)
		fprintf(out, "  %-14s %s\n", export->name, export->about);
}

static const struct cli_program program = {
	.name = "ovl2-report",
	.usage = "[OPTION...] FILE.json...\n       ovl2-report COMMAND [OPTION...] FILE.json...",
	.about =
		"Makes one report of what ovl2-probe and ovl2-bench wrote: one document of each\n"
		"(of times, of counts), or any of them, in any order; '-' is standard input. Prints a summary.\n"
		"Draws with gnuplot; where there is none the page has tables only.\n"
		"Each command has a --help of its own.",
	.options = options,
	.print_more = print_commands_and_formats,
	.exit_codes = "  0   the report was made, whatever its verdict\n"
		      "  1   a document was refused or the page could not be written\n"
		      "  64  the command line makes no sense",
	.examples = "  ovl2-report probe.json\n"
		    "  ovl2-report --html report.html probe.json bench.json\n"
		    "  ovl2-report --format markdown probe.json bench.json >>$GITHUB_STEP_SUMMARY\n"
		    "  ovl2-probe --json /var/lib/docker | ovl2-report --html report.html -",
};

struct settings {
	const char *html;
	const char *color;
	const struct report_export *format;
	int is_json;
	const char *notes[MAX_NOTES];
	struct report_page_options page;
};

static void take_note(struct settings *settings)
{
	if (settings->page.note_count == MAX_NOTES)
		cli_usage_error(&program, "more than %d notes", MAX_NOTES);
	settings->notes[settings->page.note_count++] = optarg;
}

static void take_color(struct settings *settings)
{
	if (strcmp(optarg, "always") != 0 && strcmp(optarg, "never") != 0 &&
	    strcmp(optarg, "auto") != 0)
		cli_usage_error(&program, "--color is always, never or auto, not '%s'", optarg);
	settings->color = optarg;
}

static void take_format(struct settings *settings)
{
	settings->format = report_export_find(optarg);
	if (!settings->format)
		cli_usage_error(&program, "there is no format '%s'; --help lists them", optarg);
}

static void read_options(struct settings *settings, int argc, char **argv)
{
	int key;

	while ((key = cli_next_option(&program, argc, argv)) >= 0) {
		switch (key) {
		case KEY_HTML:
			settings->html = optarg;
			break;
		case KEY_JSON:
			settings->is_json = 1;
			break;
		case KEY_FORMAT:
			take_format(settings);
			break;
		case KEY_TITLE:
			settings->page.title = optarg;
			break;
		case KEY_NOTE:
			take_note(settings);
			break;
		default:
			take_color(settings);
		}
	}
	settings->page.notes = settings->notes;
	if (optind == argc)
		cli_usage_error(&program, "no document given");
}

static int write_page(const struct settings *settings, const struct report_documents *documents,
                      const struct report_figures *figures, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf page = { 0 };
	struct ovl2_error without_plots = { 0 };
	int r;

	r = report_add_page(&page, documents, figures, &settings->page, &without_plots, err);

	return r < 0 ? r
	             : report_write_page(program.name, settings->html, &page, &without_plots, err);
}

static int print_export(const struct report_export *format, const struct report_source *source,
                        struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf text = { 0 };
	int r;

	if (format->needs_bench && !source->documents->bench)
		return ovi_fail(err, OVL2_E_INVALID,
		                "format '%s' is made of a document of ovl2-bench: give one",
		                format->name);
	r = format->add(&text, source, err);
	if (r == 0 && ovi_strbuf_failed(&text))
		r = ovi_fail_memory(err);
	if (r == 0)
		fwrite(text.text, 1, text.length, stdout);

	return r;
}

int main(int argc, char **argv)
{
	struct settings settings = { 0 };
	cleanup_documents struct report_documents documents = { 0 };
	cleanup_figures struct report_figures figures = { 0 };
	struct ovl2_error err = { 0 };

	/* For the width of letters; figures keep their decimal points. */
	setlocale(LC_CTYPE, "");
	for (size_t i = 0; i < ARRAY_SIZE(commands) && argc > 1; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	read_options(&settings, argc, argv);
	for (int i = optind; i < argc; i++)
		if (report_document_read(argv[i], &documents, &err) < 0)
			return cli_report_error(&program, &err);
	if (report_figures_init(&figures, documents.bench, &err) < 0)
		return cli_report_error(&program, &err);

	if (settings.html && write_page(&settings, &documents, &figures, &err) < 0)
		return cli_report_error(&program, &err);
	if (settings.format) {
		const struct report_source source = { &documents, &figures };

		if (print_export(settings.format, &source, &err) < 0)
			return cli_report_error(&program, &err);
		return cli_finish_output(&program);
	}
	if (settings.is_json)
		return cli_print_json(&program, report_summary(&documents, &figures));
	if (report_print(stdout, &documents, &figures, cli_wants_color(settings.color, stdout),
	                 &err) < 0)
		return cli_report_error(&program, &err);

	return cli_finish_output(&program);
}
