/*
 * ovl2-report matrix: many probe documents side by side.
 */

#include "cleanup.h"
#include "cli.h"
#include "matrix.h"
#include "output.h"

#include <getopt.h>
#include <string.h>

enum { KEY_HTML = 'o', KEY_JSON = 'j', KEY_MARKDOWN = 256, KEY_TITLE, KEY_COLOR };

static const struct cli_option options[] = {
	{ "html", KEY_HTML, "FILE", "write the matrix as one HTML page" },
	{ "json", KEY_JSON, NULL, "print it as JSON, ovl2-matrix/1" },
	{ "markdown", KEY_MARKDOWN, NULL, "print what differs as a Markdown table" },
	{ "title", KEY_TITLE, "TEXT", "the page's title" },
	{ "color", KEY_COLOR, "WHEN", "always, never or auto" },
	{ 0 },
};

static const struct cli_program program = {
	.name = "ovl2-report matrix",
	.usage = "[OPTION...] FILE.json...",
	.about = "Lays what ovl2-probe wrote on many hosts, kernels or filesystems side by side:\n"
		 "a column a document. A star marks probes whose answers differ.",
	.options = options,
	.exit_codes = "  0   the matrix was made, whatever the verdicts\n"
		      "  1   a document was refused or the page could not be written\n"
		      "  64  the command line makes no sense",
	.examples = "  ovl2-report matrix old-kernel.json new-kernel.json\n"
		    "  ovl2-report matrix --html matrix.html fleet/*.json",
};

struct settings {
	const char *html;
	const char *title;
	const char *color;
	int is_json;
	int is_markdown;
};

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
		case KEY_MARKDOWN:
			settings->is_markdown = 1;
			break;
		case KEY_TITLE:
			settings->title = optarg;
			break;
		default:
			settings->color = optarg;
		}
	}
	if (settings->is_json && settings->is_markdown)
		cli_usage_error(&program, "--json and --markdown both want to be printed");
	if (settings->color && strcmp(settings->color, "always") != 0 &&
	    strcmp(settings->color, "never") != 0 && strcmp(settings->color, "auto") != 0)
		cli_usage_error(&program, "--color is always, never or auto, not '%s'",
		                settings->color);
	if (optind == argc)
		cli_usage_error(&program, "no document given");
}

static int write_page(const struct settings *settings, const json_t *matrix, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf page = { 0 };
	int r = report_matrix_add_page(&page, matrix, settings->title, err);

	return r < 0 ? r : report_write_file(settings->html, page.text, page.length, err);
}

static int print_markdown(const json_t *matrix, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf text = { 0 };
	int r = report_matrix_add_markdown(&text, matrix, err);

	if (r == 0)
		fputs(text.text, stdout);

	return r;
}

int report_matrix_main(int argc, char **argv)
{
	struct settings settings = { 0 };
	struct ovl2_error err = { 0 };
	json_t *matrix = NULL;
	int r;

	read_options(&settings, argc, argv);
	r = report_matrix_read(argv + optind, (size_t)(argc - optind), &matrix, &err);
	if (r == 0 && settings.html)
		r = write_page(&settings, matrix, &err);
	if (r == 0 && settings.is_json)
		return cli_print_json(&program, matrix);
	if (r == 0)
		r = settings.is_markdown
		            ? print_markdown(matrix, &err)
		            : report_matrix_print(stdout, matrix,
		                                  cli_wants_color(settings.color, stdout), &err);
	json_decref(matrix);
	if (r < 0)
		return cli_report_error(&program, &err);

	return cli_finish_output(&program);
}
