#include "page.h"

#include "assets.h"
#include "document.h"
#include "fail.h"
#include "html.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* Figures shown in large below the verdict. */
#define MAX_TILES 5

struct banner {
	const char *verdict;
	const char *class;
	const char *mark;
	const char *words;
	const char *sentence;
};

static const struct banner banners[] = {
	{ "qualified", "pass", "✓", "Qualified",
	  "Everything that the profile requires was tried and works." },
	{ "not_qualified", "fail", "✗", "Not qualified",
	  "Something that the profile requires does not work here." },
	{ "undetermined", "unknown", "?", "Undetermined",
	  "Nothing required failed, but something required could not be found out." },
	{ NULL, "info", "i", "Benchmarks only", "The host was not probed: there is no verdict." },
};

static const struct banner *banner_of(const json_t *probe)
{
	const struct banner *banner = banners;

	while (banner->verdict && strcmp(report_string(probe, "verdict"), banner->verdict) != 0)
		banner++;

	return banner;
}

void report_add_head(struct ovi_strbuf *page, const char *title)
{
	ovi_strbuf_add(page, "<!DOCTYPE html>\n"
	                     "<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
	                     "<meta charset=\"utf-8\" />\n"
	                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
	                     "'none'; style-src 'unsafe-inline'; img-src data:\" />\n"
	                     "<meta name=\"viewport\" content=\"width=device-width, "
	                     "initial-scale=1\" />\n"
	                     "<meta name=\"color-scheme\" content=\"light dark\" />\n");
	html(page, "<title>%</title>\n<style>\n", title);
	ovi_strbuf_add(page, report_page_css);
	ovi_strbuf_add(page, "</style>\n</head>\n<body>\n");
}

static void add_fact(struct ovi_strbuf *page, const char *name, const char *value)
{
	if (*value)
		html(page, "<div><dt>%</dt><dd>%</dd></div>\n", name, value);
}

static void add_title(struct ovi_strbuf *page, const json_t *main_document, const char *title)
{
	const json_t *host = json_object_get(main_document, "host");
	const json_t *target = json_object_get(main_document, "target");
	const char *started = report_string(main_document, "started");

	html(page,
	     "<header>\n<p class=\"kicker\">ovl2 report</p>\n<h1>%</h1>\n<dl class=\"facts\">\n",
	     title);
	add_fact(page, "Host", report_string(host, "name"));
	add_fact(page, "Target", report_string(target, "path"));
	add_fact(page, "Filesystem", report_string(target, "filesystem"));
	add_fact(page, "Kernel", report_string(host, "kernel"));
	html(page, "<div><dt>Date</dt><dd><time>%</time></dd></div>\n</dl>\n</header>\n<main>\n",
	     started);
}

static void add_counts(struct ovi_strbuf *page, const json_t *probe)
{
	static const struct {
		const char *verdict;
		const char *mark;
		const char *words;
	} rows[] = {
		{ "pass", "✓", "passed" },          { "fail", "✗", "failed" },
		{ "warn", "!", "warned" },          { "unknown", "?", "could not tell" },
		{ "info", "i", "for information" }, { "waived", "~", "waived" },
	};

	struct report_word left_out = report_whole((double)report_count_not_asked(probe));

	ovi_strbuf_add(page, "<ul class=\"counts\">\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t count = report_count_verdict(probe, rows[i].verdict);
		struct report_word number = report_whole((double)count);

		if (count)
			html(page,
			     "<li class=\"badge %\"><span aria-hidden=\"true\">%</span> % %</li>\n",
			     rows[i].verdict, rows[i].mark, number.text, rows[i].words);
	}
	if (report_count_not_asked(probe))
		html(page,
		     "<li class=\"badge unknown\"><span aria-hidden=\"true\">?</span> partial: % "
		     "required were not asked</li>\n",
		     left_out.text);
	ovi_strbuf_add(page, "</ul>\n");
}

static void add_tile(struct ovi_strbuf *page, const struct report_result *result)
{
	struct ovi_strbuf label = { 0 };

	report_add_case(&label, result);
	html(page,
	     "<div class=\"tile\"><dt>%<span>%</span></dt><dd>%<span>% the floor</span></dd></div>\n",
	     result->benchmark->title, label.text ? label.text : "",
	     report_figure(result, &result->ours).text, report_ratio(result->ratio).text);
	ovi_strbuf_release(&label);
}

/* Is this the last headline figure of its benchmark: the deepest mount, the real data? */
static int is_last(const struct report_figures *figures, size_t index)
{
	return index + 1 == figures->headline_count ||
	       figures->headline[index + 1]->benchmark != figures->headline[index]->benchmark;
}

/* Before how many benchmarks of the same group does this one's last figure come? */
static size_t rank(const struct report_figures *figures, size_t index)
{
	size_t count = 0;

	for (size_t i = 0; i < index; i++)
		count += is_last(figures, i) &&
		         strcmp(figures->headline[i]->benchmark->group,
		                figures->headline[index]->benchmark->group) == 0;

	return count;
}

/* The first benchmark of each group, then the second of each, as long as there is room. */
static void add_tiles(struct ovi_strbuf *page, const struct report_figures *figures)
{
	size_t count = 0;

	if (!figures->headline_count)
		return;

	ovi_strbuf_add(page, "<dl class=\"tiles\">\n");
	for (size_t round = 0; round < MAX_TILES; round++)
		for (size_t i = 0; i < figures->headline_count && count < MAX_TILES; i++) {
			if (!is_last(figures, i) || rank(figures, i) != round)
				continue;
			add_tile(page, figures->headline[i]);
			count++;
		}
	ovi_strbuf_add(page, "</dl>\n");
}

static void add_banner(struct ovi_strbuf *page, const json_t *probe,
                       const struct report_page_options *options)
{
	const struct banner *banner = banner_of(probe);
	const json_t *profile = json_object_get(probe, "profile");
	const json_t *target = json_object_get(probe, "target");

	html(page,
	     "<section class=\"banner %\" aria-labelledby=\"verdict\">\n"
	     "<div class=\"seal\" aria-hidden=\"true\">%</div>\n<div>\n<h2 id=\"verdict\">%</h2>\n",
	     banner->class, banner->mark, banner->words);
	if (probe)
		html(page, "<p class=\"scope\">for <b>%</b> on <code>%</code></p>\n",
		     report_string(profile, "title"), report_string(target, "path"));
	html(page, "<p>%</p>\n", banner->sentence);
	if (probe)
		add_counts(page, probe);
	for (size_t i = 0; i < options->note_count; i++)
		html(page, "<p class=\"note\"><b>Note:</b> %</p>\n", options->notes[i]);
	ovi_strbuf_add(page, "</div>\n</section>\n");
}

static void add_contents(struct ovi_strbuf *page, const struct report_documents *documents)
{
	ovi_strbuf_add(page, "<nav aria-label=\"Contents\">\n");
	if (documents->probe)
		ovi_strbuf_add(page, "<a href=\"#probes\">Probes</a>\n");
	if (documents->bench)
		ovi_strbuf_add(page, "<a href=\"#bench\">Benchmarks</a>\n"
		                     "<a href=\"#results\">All results</a>\n");
	if (documents->exact)
		ovi_strbuf_add(page, "<a href=\"#counts\">Counts</a>\n");
	ovi_strbuf_add(page, "<a href=\"#environment\">Environment</a>\n"
	                     "<a href=\"#reproduce\">How to reproduce</a>\n</nav>\n");
}

static void add_command(struct ovi_strbuf *page, const json_t *document)
{
	struct ovi_strbuf line = { 0 };

	if (!document)
		return;
	report_add_command(&line, json_object_get(document, "command"));
	html(page, "<pre><code>%</code></pre>\n", line.text ? line.text : "");
	page->failed |= line.failed;
	ovi_strbuf_release(&line);
}

static void add_raw(struct ovi_strbuf *page, const char *name, const json_t *document)
{
	char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;
	size_t length = text ? strlen(text) : 0;

	if (!document)
		return;
	if (page->length + length / 3 * 4 > REPORT_PAGE_BYTES) {
		html(page, "<li>% is too large to be set into this page (%)</li>\n", name,
		     report_size((double)length).text);
		free(text);
		return;
	}

	if (!text) {
		page->failed = 1;
		return;
	}

	ovi_strbuf_add(page, "<li>");
	report_add_download(page, name, "application/json", text, length);
	html(page, " (%)</li>\n", report_size((double)length).text);
	free(text);
}

static void add_reproduce(struct ovi_strbuf *page, const struct report_documents *documents)
{
	const json_t *bench = documents->bench;

	ovi_strbuf_add(page, "<section id=\"reproduce\">\n<h2>How to reproduce</h2>\n"
	                     "<p>As root, on the same host:</p>\n");
	add_command(page, documents->probe);
	add_command(page, bench);
	add_command(page, documents->exact);
	if (json_is_number(json_object_get(bench, "seed")))
		html(page, "<p>The order of the benchmarks' rounds was drawn with seed %.</p>\n",
		     report_whole(report_number(bench, "seed")).text);
	ovi_strbuf_add(page, "<p>What the programs wrote, whole, samples included:</p>\n"
	                     "<ul class=\"raw\">\n");
	add_raw(page, "probe.json", documents->probe);
	add_raw(page, "bench.json", bench);
	add_raw(page, "exact.json", documents->exact);
	ovi_strbuf_add(page, "</ul>\n</section>\n");
}

void report_add_foot(struct ovi_strbuf *page)
{
	html(page,
	     "</main>\n<footer>Made by ovl2-report %. This page loads nothing and runs "
	     "nothing.</footer>\n</body>\n</html>\n",
	     OVL2_VERSION);
}

/* "node-17: /var/lib/docker (xfs)" */
static void add_usual_title(struct ovi_strbuf *title, const json_t *document)
{
	const char *host = report_string(json_object_get(document, "host"), "name");
	const json_t *target = json_object_get(document, "target");
	const char *filesystem = report_string(target, "filesystem");

	ovi_strbuf_addf(title, "%s: %s", *host ? host : "unnamed host",
	                report_string(target, "path"));
	if (*filesystem)
		ovi_strbuf_addf(title, " (%s)", filesystem);
}

int report_add_page(struct ovi_strbuf *page, const struct report_documents *documents,
                    const struct report_figures *figures, const struct report_page_options *options,
                    struct ovl2_error *ret_without_plots, struct ovl2_error *err)
{
	const json_t *timed = documents->bench ? documents->bench : documents->exact;
	const json_t *main_document = documents->probe ? documents->probe : timed;
	cleanup_figures struct report_figures counts = { 0 };
	cleanup_strbuf struct ovi_strbuf title = { 0 };
	int r = report_figures_init(&counts, documents->exact, err);

	if (r < 0)
		return r;

	if (options->title)
		ovi_strbuf_add(&title, options->title);
	else
		add_usual_title(&title, main_document);
	if (ovi_strbuf_failed(&title))
		return ovi_fail_memory(err);

	report_add_head(page, title.text);
	add_title(page, main_document, title.text);
	add_banner(page, documents->probe, options);
	add_tiles(page, figures);
	add_contents(page, documents);
	if (documents->probe)
		report_add_probe_section(page, documents->probe);
	if (documents->bench)
		report_add_bench_section(page, documents->bench, figures, ret_without_plots);
	if (documents->exact)
		report_add_counts_section(page, documents->exact, &counts);
	report_add_environment_section(page, documents);
	add_reproduce(page, documents);
	report_add_foot(page);

	return ovi_strbuf_failed(page) ? ovi_fail_memory(err) : 0;
}
