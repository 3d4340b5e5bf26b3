#include "terminal.h"

#include "cleanup.h"
#include "escape.h"
#include "fail.h"
#include "text.h"

#include <libsmartcols/libsmartcols.h>
#include <string.h>

static void release_table(struct libscols_table **table)
{
	scols_unref_table(*table);
}

static const char *color_of(const char *verdict)
{
	static const char *const colors[][2] = {
		{ "qualified", "\033[1;32m" },    { "not_qualified", "\033[1;31m" },
		{ "undetermined", "\033[1;35m" }, { "fail", "\033[31m" },
		{ "unknown", "\033[35m" },        { "warn", "\033[33m" },
		{ "info", "\033[36m" },           { "waived", "\033[33m" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(colors); i++)
		if (strcmp(verdict, colors[i][0]) == 0)
			return colors[i][1];

	return "";
}

static void add_colored(struct ovi_strbuf *text, const char *words, const char *verdict, int color)
{
	ovi_strbuf_addf(text, "%s%s%s", color ? color_of(verdict) : "", words,
	                color ? "\033[0m" : "");
}

/* Every line of a text that came with line breaks, indented. */
static void add_indented(struct ovi_strbuf *text, const char *label, const char *lines)
{
	const char *indent = label;

	while (*lines) {
		size_t length = strcspn(lines, "\n");
		char *line = strndup(lines, length);

		ovi_strbuf_addf(text, "      %-10s", indent);
		if (line)
			ovi_escape_controls(text, line);
		ovi_strbuf_add(text, "\n");
		text->failed |= !line;
		free(line);
		lines += length + (lines[length] == '\n');
		indent = "";
	}
}

static void add_verdict(struct ovi_strbuf *text, const json_t *probe, int color)
{
	static const char *const words[][2] = {
		{ "qualified", "QUALIFIED" },
		{ "not_qualified", "NOT QUALIFIED" },
		{ "undetermined", "UNDETERMINED" },
	};
	const char *verdict = report_string(probe, "verdict");
	const json_t *target = json_object_get(probe, "target");
	const char *filesystem = report_string(target, "filesystem");

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(verdict, words[i][0]) == 0)
			add_colored(text, words[i][1], verdict, color);
	ovi_strbuf_add(text, " for ");
	ovi_escape_controls(text, report_string(json_object_get(probe, "profile"), "title"));
	ovi_strbuf_add(text, " on ");
	ovi_escape_controls(text, report_string(target, "path"));
	if (*filesystem) {
		ovi_strbuf_add(text, " (");
		ovi_escape_controls(text, filesystem);
		ovi_strbuf_add(text, ")");
	}
	ovi_strbuf_add(text, "\n");
}

static void add_counts(struct ovi_strbuf *text, const json_t *probe)
{
	static const char *const verdicts[] = {
		"pass", "fail", "warn", "unknown", "waived", "info"
	};
	const char *separator = "";

	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		size_t count = report_count_verdict(probe, verdicts[i]);

		if (!count)
			continue;
		ovi_strbuf_addf(text, "%s%zu %s", separator, count, verdicts[i]);
		separator = ", ";
	}
	if (report_count_not_asked(probe))
		ovi_strbuf_addf(text, "%spartial: %zu required not asked", separator,
		                report_count_not_asked(probe));
	ovi_strbuf_add(text, "\n");
}

static void add_waiver(struct ovi_strbuf *text, const json_t *waiver)
{
	cleanup_strbuf struct ovi_strbuf words = { 0 };

	if (!json_is_object(waiver))
		return;
	ovi_strbuf_addf(&words, "until %s: %s", report_string(waiver, "expires"),
	                report_string(waiver, "reason"));
	text->failed |= words.failed;
	add_indented(text, "waiver", words.text ? words.text : "");
}

static void add_probe(struct ovi_strbuf *text, const json_t *probe, int color)
{
	const char *verdict = report_string(probe, "verdict");
	char padded[16];

	snprintf(padded, sizeof(padded), "%-8s", verdict);
	ovi_strbuf_add(text, "\n");
	add_colored(text, padded, verdict, color);
	ovi_escape_controls(text, report_string(probe, "id"));
	ovi_strbuf_add(text, ": ");
	ovi_escape_controls(text, report_string(probe, "title"));
	ovi_strbuf_addf(text, " %s\n", report_string(probe, "answer"));
	add_indented(text, "evidence", report_string(probe, "evidence"));
	add_waiver(text, json_object_get(probe, "waiver"));
	add_indented(text, "why", report_string(probe, "why"));
	add_indented(text, "remedy", report_string(probe, "remedy"));
}

static void add_probes(struct ovi_strbuf *text, const json_t *probe, int color)
{
	static const char *const order[] = { "fail", "unknown", "waived", "warn", "info" };

	add_verdict(text, probe, color);
	add_counts(text, probe);
	for (size_t k = 0; k < ARRAY_SIZE(order); k++) {
		json_t *one;
		size_t i;

		json_array_foreach(json_object_get(probe, "probes"), i,
		                   one) if (strcmp(report_string(one, "verdict"), order[k]) == 0)
			add_probe(text, one, color);
	}
}

/* The page's typography in plain letters, for terminals that know no others. */
static int set_plain(struct libscols_line *line, size_t column, const char *words)
{
	cleanup_strbuf struct ovi_strbuf text = { 0 };
	cleanup_strbuf struct ovi_strbuf plain = { 0 };

	ovi_escape_controls(&text, words);
	for (const char *c = text.text ? text.text : ""; *c; c++) {
		int is_micro = strncmp(c, "µ", strlen("µ")) == 0;
		int is_times = strncmp(c, "×", strlen("×")) == 0;

		if (is_micro || is_times)
			ovi_strbuf_add(&plain, is_micro ? "u" : "x");
		else
			ovi_strbuf_add_bytes(&plain, c, 1);
		c += is_micro || is_times;
	}
	if (ovi_strbuf_failed(&text) || ovi_strbuf_failed(&plain))
		return -1;

	return scols_line_set_data(line, column, plain.text ? plain.text : "");
}

enum { OPERATION, OURS, FLOOR, RATIO, INTERVAL, PEER, PEER_TITLE, COLUMNS };

static int add_line(struct libscols_table *table, const struct report_result *result)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	cleanup_strbuf struct ovi_strbuf label = { 0 };

	report_add_label(&label, result);
	if (!line || ovi_strbuf_failed(&label))
		return -1;

	if (set_plain(line, OPERATION, label.text) < 0 ||
	    set_plain(line, OURS, report_figure(result, &result->ours).text) < 0 ||
	    set_plain(line, FLOOR, report_figure(result, &result->floor).text) < 0 ||
	    set_plain(line, RATIO, report_ratio(result->ratio).text) < 0 ||
	    set_plain(line, INTERVAL,
	              report_ratio_interval(result->ratio_low, result->ratio_high).text) < 0)
		return -1;
	if (!result->peers[0].title)
		return 0;

	return set_plain(line, PEER, report_figure(result, &result->peers[0]).text) < 0 ||
	                       set_plain(line, PEER_TITLE, result->peers[0].title) < 0
	               ? -1
	               : 0;
}

static int add_columns(struct libscols_table *table)
{
	static const struct {
		const char *name;
		int flags;
	} columns[COLUMNS] = {
		[OPERATION] = { "OPERATION", 0 },
		[OURS] = { "OURS", SCOLS_FL_RIGHT },
		[FLOOR] = { "FLOOR", SCOLS_FL_RIGHT },
		[RATIO] = { "TIME/FLOOR", SCOLS_FL_RIGHT },
		[INTERVAL] = { "INTERVAL", SCOLS_FL_RIGHT },
		[PEER] = { "PEER", SCOLS_FL_RIGHT },
		[PEER_TITLE] = { "", 0 },
	};

	for (size_t i = 0; i < COLUMNS; i++)
		if (!scols_table_new_column(table, columns[i].name, 0, columns[i].flags))
			return -1;

	return 0;
}

static int print_headline(FILE *out, const struct report_figures *figures)
{
	struct libscols_table *table __attribute__((cleanup(release_table))) = scols_new_table();

	if (!table || add_columns(table) < 0)
		return -1;
	scols_table_set_stream(table, out);

	for (size_t i = 0; i < figures->headline_count; i++)
		if (add_line(table, figures->headline[i]) < 0)
			return -1;

	return scols_print_table(table);
}

static void add_bench_head(struct ovi_strbuf *text, const json_t *bench)
{
	const char *filesystem = report_string(json_object_get(bench, "target"), "filesystem");
	json_t *warning;
	size_t i;

	ovi_strbuf_add(text, "Benchmarks on ");
	ovi_escape_controls(text, *filesystem ? filesystem : "an unnamed filesystem");
	if (!json_is_true(json_object_get(bench, "complete")))
		ovi_strbuf_add(text, ", interrupted");
	ovi_strbuf_add(text, "\n");
	json_array_foreach(json_object_get(bench, "warnings"), i, warning)
	{
		ovi_strbuf_add(text, "note: ");
		ovi_escape_controls(text, json_string_value(warning));
		ovi_strbuf_add(text, "\n");
	}
}

static int add_count(struct libscols_table *table, const struct report_result *result,
                     const json_t *json)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	double instructions = report_number(json, "instruction_count");
	cleanup_strbuf struct ovi_strbuf label = { 0 };

	report_add_label(&label, result);
	if (!line || ovi_strbuf_failed(&label) || set_plain(line, 0, label.text) < 0)
		return -1;
	if (*report_string(json, "skipped"))
		return set_plain(line, 1, "-");
	if (set_plain(line, 1, report_whole(report_number(json, "call_count")).text) < 0)
		return -1;

	return set_plain(line, 2, instructions > 0 ? report_whole(instructions).text : "-");
}

static int print_counts(FILE *out, const json_t *exact)
{
	struct libscols_table *table __attribute__((cleanup(release_table))) = scols_new_table();
	const json_t *results = json_object_get(exact, "results");
	cleanup_figures struct report_figures figures = { 0 };

	if (!table || report_figures_init(&figures, exact, NULL) < 0 ||
	    !scols_table_new_column(table, "ONE OPERATION", 0, 0) ||
	    !scols_table_new_column(table, "SYSTEM CALLS", 0, SCOLS_FL_RIGHT) ||
	    !scols_table_new_column(table, "INSTRUCTIONS", 0, SCOLS_FL_RIGHT))
		return -1;
	scols_table_set_stream(table, out);
	for (size_t i = 0; i < figures.result_count; i++)
		if (add_count(table, &figures.results[i], json_array_get(results, i)) < 0)
			return -1;

	return scols_print_table(table);
}

int report_print(FILE *out, const struct report_documents *documents,
                 const struct report_figures *figures, int color, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf text = { 0 };

	if (documents->probe)
		add_probes(&text, documents->probe, color);
	if (documents->probe && documents->bench)
		ovi_strbuf_add(&text, "\n");
	if (documents->bench)
		add_bench_head(&text, documents->bench);
	if (ovi_strbuf_failed(&text))
		return ovi_fail_memory(err);

	if (text.text)
		fputs(text.text, out);
	if (figures->headline_count && print_headline(out, figures) < 0)
		return ovi_fail(err, OVL2_E_SYSTEM, "print the table of benchmarks");
	if (documents->exact && print_counts(out, documents->exact) < 0)
		return ovi_fail(err, OVL2_E_SYSTEM, "print the table of counts");

	return 0;
}
