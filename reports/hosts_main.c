/*
 * ovl2-report hosts: many bench documents side by side.
 */

#include "cleanup.h"
#include "cli.h"
#include "hosts.h"
#include "output.h"

#include <getopt.h>

enum { KEY_HTML = 'o', KEY_JSON = 'j', KEY_CSV = 256, KEY_TITLE };

static const struct cli_option options[] = {
	{ "html", KEY_HTML, "FILE", "write them as one HTML page" },
	{ "json", KEY_JSON, NULL, "print them as JSON, ovl2-hosts/1" },
	{ "csv", KEY_CSV, NULL, "print a table, one line a case and host (RFC 4180)" },
	{ "title", KEY_TITLE, "TEXT", "the page's title" },
	{ 0 },
};

static const struct cli_program program = {
	.name = "ovl2-report hosts",
	.usage = "[OPTION...] BENCH.json...",
	.about =
		"Lays what ovl2-bench measured on several hosts, kernels or filesystems side by\n"
		"side: a column a document, or of a history a column a place. What carries over from one machine to another is the\n"
		"ratio to the floor, the same work by bare system calls in the same run.\n"
		"For what ovl2-probe found there is 'ovl2-report matrix'.",
	.options = options,
	.exit_codes = "  0   done\n"
		      "  1   a document was refused or the page could not be written\n"
		      "  64  the command line makes no sense",
	.examples = "  ovl2-report hosts old-kernel.json new-kernel.json\n"
		    "  ovl2-report hosts --html hosts.html xfs.json ext4.json btrfs.json\n"
		    "  ovl2-bench --filesystem all --output all.json; ovl2-report hosts all.json",
};

struct settings {
	const char *html;
	const char *title;
	int is_json;
	int is_csv;
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
		case KEY_CSV:
			settings->is_csv = 1;
			break;
		default:
			settings->title = optarg;
		}
	}
	if (settings->is_json && settings->is_csv)
		cli_usage_error(&program, "--json and --csv both want to be printed");
	if (optind == argc)
		cli_usage_error(&program, "no document given");
}

static int write_page(const struct settings *settings, const json_t *hosts, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf page = { 0 };
	struct ovl2_error without_plots = { 0 };
	int r = report_hosts_add_page(&page, hosts, settings->title, &without_plots, err);

	return r < 0 ? r
	             : report_write_page(program.name, settings->html, &page, &without_plots, err);
}

int report_hosts_main(int argc, char **argv)
{
	struct settings settings = { 0 };
	cleanup_strbuf struct ovi_strbuf text = { 0 };
	struct ovl2_error err = { 0 };
	json_t *hosts = NULL;
	int r;

	read_options(&settings, argc, argv);
	r = report_hosts_read(argv + optind, (size_t)(argc - optind), &hosts, &err);
	if (r == 0 && settings.html)
		r = write_page(&settings, hosts, &err);
	if (r == 0 && settings.is_json)
		return cli_print_json(&program, hosts);
	if (r == 0 && settings.is_csv)
		report_hosts_add_csv(&text, hosts);
	else if (r == 0)
		report_hosts_add_text(&text, hosts);
	json_decref(hosts);
	if (r < 0 || ovi_strbuf_failed(&text))
		return cli_report_error(&program, &err);
	fputs(text.text, stdout);

	return cli_finish_output(&program);
}
