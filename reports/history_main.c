/*
 * ovl2-report history: many runs in one file, and what became of them.
 */

#include "cleanup.h"
#include "cli.h"
#include "fail.h"
#include "history.h"
#include "output.h"
#include "trend.h"

#include <getopt.h>

enum { KEY_HTML = 'o', KEY_JSON = 'j', KEY_FORCE = 'f', KEY_LABEL = 'l', KEY_TITLE = 256 };

static const struct cli_option options[] = {
	{ "label", KEY_LABEL, "TEXT", "name the run that is appended, by a commit say" },
	{ "html", KEY_HTML, "FILE", "write the trends as one HTML page" },
	{ "json", KEY_JSON, NULL, "print the trends as JSON, ovl2-trend/1" },
	{ "title", KEY_TITLE, "TEXT", "the page's title" },
	{ "force", KEY_FORCE, NULL, "take runs of different machines for one history" },
	{ 0 },
};

static const struct cli_program program = {
	.name = "ovl2-report history",
	.usage = "[OPTION...] HISTORY.jsonl [BENCH.json]",
	.about =
		"Appends a document of ovl2-bench to a history, one line a run, and tells which\n"
		"benchmarks changed their level in it, since when and by how much; without a\n"
		"document only tells. A change is one that lasts: at least five runs on either side.\n"
		"Runs of another machine, kernel or filesystem than the newest are left out.\n"
		"'ovl2-report compare' takes a history as its base.",
	.options = options,
	.exit_codes = "  0   done, whatever changed\n"
		      "  1   a document or a line was refused: nothing was appended\n"
		      "  64  the command line makes no sense",
	.examples =
		"  ovl2-report history --label \"$(git rev-parse --short HEAD)\" h.jsonl new.json\n"
		"  ovl2-report history --html trend.html h.jsonl\n"
		"  tail -n 1 h.jsonl | ovl2-report -",
};

struct settings {
	const char *html;
	const char *label;
	const char *title;
	int is_json;
	int is_forced;
};

static void read_options(struct settings *settings, int argc, char **argv)
{
	int key;

	while ((key = cli_next_option(&program, argc, argv)) >= 0) {
		switch (key) {
		case KEY_HTML:
			settings->html = optarg;
			break;
		case KEY_LABEL:
			settings->label = optarg;
			break;
		case KEY_TITLE:
			settings->title = optarg;
			break;
		case KEY_JSON:
			settings->is_json = 1;
			break;
		default:
			settings->is_forced = 1;
		}
	}
	if (argc - optind < 1 || argc - optind > 2)
		cli_usage_error(&program,
		                "give a history, and a document to append if there is one");
	if (settings->label && argc - optind == 1)
		cli_usage_error(&program, "--label names what is appended: give a document");
}

static int append(const struct settings *settings, const char *history, const char *path,
                  struct ovl2_error *err)
{
	cleanup_documents struct report_documents documents = { 0 };
	int r = report_document_read(path, &documents, err);

	if (r == 0 && !documents.bench)
		return ovi_fail(err, OVL2_E_INVALID, "read '%s': not a document of ovl2-bench",
		                path);

	return r < 0 ? r : report_history_append(history, documents.bench, settings->label, err);
}

static int write_page(const struct settings *settings, const struct report_trend *trend,
                      struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf page = { 0 };
	struct ovl2_error without_plots = { 0 };
	int r = report_trend_add_page(&page, trend, settings->title, &without_plots, err);

	return r < 0 ? r
	             : report_write_page(program.name, settings->html, &page, &without_plots, err);
}

int report_history_main(int argc, char **argv)
{
	struct settings settings = { 0 };
	cleanup_history struct report_history history = { 0 };
	cleanup_trend struct report_trend trend = { 0 };
	cleanup_strbuf struct ovi_strbuf text = { 0 };
	struct ovl2_error err = { 0 };
	const json_t *newest;
	size_t elsewhere = 0;
	char why[256];

	read_options(&settings, argc, argv);
	if ((argc - optind == 2 && append(&settings, argv[optind], argv[optind + 1], &err) < 0) ||
	    report_history_read(argv[optind], &history, &err) < 0)
		return cli_report_error(&program, &err);
	newest = history.runs[history.count - 1].documents.bench;
	if (!settings.is_forced)
		elsewhere = report_history_keep_place(&history, newest, why, sizeof(why));
	if (report_trend_find(&history, &trend, &err) < 0)
		return cli_report_error(&program, &err);
	trend.elsewhere = elsewhere;
	if (settings.html && write_page(&settings, &trend, &err) < 0)
		return cli_report_error(&program, &err);
	if (settings.is_json)
		return cli_print_json(&program, report_trend_describe(&trend));
	report_trend_add_text(&text, &trend);
	if (ovi_strbuf_failed(&text))
		return cli_report_error(&program, &err);
	fputs(text.text, stdout);

	return cli_finish_output(&program);
}
