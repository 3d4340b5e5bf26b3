/*
 * ovl2-report fleet: which of many hosts are out, and why.
 */

#include "cleanup.h"
#include "cli.h"
#include "document.h"
#include "escape.h"
#include "fail.h"
#include "fleet.h"
#include "output.h"

#include <getopt.h>
#include <string.h>

/* Lines of each list in a terminal; the page and the JSON have more. */
#define MAX_LINES 20

enum { KEY_HTML = 'o', KEY_JSON = 'j', KEY_TITLE = 256 };

static const struct cli_option options[] = {
	{ "html", KEY_HTML, "FILE", "write it as one HTML page" },
	{ "json", KEY_JSON, NULL, "print it as JSON, ovl2-fleet/1" },
	{ "title", KEY_TITLE, "TEXT", "the page's title" },
	{ 0 },
};

static const struct cli_program program = {
	.name = "ovl2-report fleet",
	.usage = "[OPTION...] DIR|FILE.json...",
	.about =
		"Tells which of many hosts cannot carry container layers, and why: grouped by\n"
		"cause, by question, and by kernel and filesystem. Reads what ovl2-probe wrote on\n"
		"them; of a directory all files that end in .json. Of two documents of one host\n"
		"the later one counts.",
	.options = options,
	.exit_codes = "  0   all were read, whatever their verdicts\n"
		      "  1   some were refused, or the page could not be written\n"
		      "  64  the command line makes no sense",
	.examples = "  ovl2-report fleet collected/\n"
		    "  ovl2-report fleet --html fleet.html collected/\n"
		    "  ovl2-report fleet --json collected/ | jq -r '.causes[].names[].name'",
};

static void add_text(struct ovi_strbuf *text, const char *words)
{
	ovi_escape_controls(text, words);
}

static void add_list(struct ovi_strbuf *text, const char *title, const json_t *list,
                     const char *first, const char *second)
{
	json_t *one;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	ovi_strbuf_addf(text, "\n%s\n", title);
	json_array_foreach(list, i, one)
	{
		if (i == MAX_LINES) {
			ovi_strbuf_addf(text, "        and %zu more\n", json_array_size(list) - i);
			break;
		}
		ovi_strbuf_addf(text, "  %5.0f  ", report_number(one, "hosts"));
		add_text(text, report_string(one, first));
		ovi_strbuf_add(text, "  ");
		add_text(text, report_string(one, second));
		ovi_strbuf_add(text, "\n");
	}
}

int report_fleet_print(FILE *out, const json_t *fleet, struct ovl2_error *err)
{
	const json_t *counts = json_object_get(fleet, "counts");
	const json_t *refused = json_object_get(fleet, "refused");
	cleanup_strbuf struct ovi_strbuf text = { 0 };

	ovi_strbuf_addf(&text, "%.0f hosts: %.0f qualified, %.0f not, %.0f undetermined\n",
	                report_number(fleet, "hosts"), report_number(counts, "qualified"),
	                report_number(counts, "not_qualified"),
	                report_number(counts, "undetermined"));
	add_list(&text, "Hosts that are out, by cause", json_object_get(fleet, "causes"), "cause",
	         "verdict");
	add_list(&text, "What is wrong, by question", json_object_get(fleet, "problems"), "id",
	         "title");
	add_list(&text, "By kernel and filesystem", json_object_get(fleet, "places"), "kernel",
	         "filesystem");
	if (json_array_size(refused))
		ovi_strbuf_addf(&text, "\n%zu files could not be read\n", json_array_size(refused));
	if (ovi_strbuf_failed(&text))
		return ovi_fail_memory(err);
	fputs(text.text, out);

	return 0;
}

static int write_page(const char *path, const char *title, const json_t *fleet,
                      struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf page = { 0 };
	int r = report_fleet_add_page(&page, fleet, title, err);

	return r < 0 ? r : report_write_file(path, page.text, page.length, err);
}

/* Each on a line of its own, so that somebody can go after them. */
static int tell_refused(const json_t *fleet)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(fleet, "refused"), i, one)
		fprintf(stderr, "%s: %s\n", program.name, report_string(one, "reason"));

	return i > 0;
}

int report_fleet_main(int argc, char **argv)
{
	const char *html = NULL;
	const char *title = NULL;
	struct ovl2_error err = { 0 };
	json_t *fleet = NULL;
	int is_json = 0;
	int some_refused;
	int key;
	int r;

	while ((key = cli_next_option(&program, argc, argv)) >= 0) {
		if (key == KEY_HTML)
			html = optarg;
		else if (key == KEY_TITLE)
			title = optarg;
		else
			is_json = 1;
	}
	if (optind == argc)
		cli_usage_error(&program, "no directory and no document given");

	r = report_fleet_read(argv + optind, (size_t)(argc - optind), &fleet, &err);
	if (r < 0)
		return cli_report_error(&program, &err);
	some_refused = tell_refused(fleet);
	if (html)
		r = write_page(html, title, fleet, &err);
	if (r == 0 && !is_json)
		r = report_fleet_print(stdout, fleet, &err);
	if (r == 0 && is_json && cli_print_json(&program, json_incref(fleet)) != 0)
		some_refused = 1;
	json_decref(fleet);
	if (r < 0)
		return cli_report_error(&program, &err);

	return cli_finish_output(&program) || some_refused;
}
