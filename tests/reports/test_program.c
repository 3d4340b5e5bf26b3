#include "support/test.h"

#include "document.h"
#include "escape.h"
#include "page_check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char qualified[] = SAMPLES "/probe-qualified.json";
static const char refused[] = SAMPLES "/probe-refused.json";
static const char bench[] = SAMPLES "/bench-quick.json";

#define MAX_FILES 3

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static size_t count_entries(const char *path)
{
	cleanup_dir DIR *dir = opendir(path);
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;

	return count - 2;
}

/* ------------------------------------------------------------------ pages -- */

struct page_row {
	const char *title;
	const char *files[MAX_FILES];
	const char *verdict;
	const char *drawings;
};

static const struct page_row page_rows[] = {
	{ "page of a qualified host with benchmarks", { qualified, bench }, "Qualified", "8" },
	{ "page of documents the other way round", { bench, qualified }, "Qualified", "8" },
	{ "page of a refused host", { refused }, "Not qualified", "0" },
	{ "page of benchmarks alone", { bench }, "Benchmarks only", "8" },
};

static void page_is_sound(void **state)
{
	struct test_place *place = *state;
	const struct page_row *row = place->row;
	cleanup_free char *path = test_path("%s/report.html", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "--html",      path,
		                     row->files[0],  row->files[1], NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	cleanup_free char *verdict = NULL;

	assert_string_equal(output.err, "");
	assert_int_equal(output.status, 0);
	page_assert_sound(path);
	verdict = page_query(path, "string(//*[@id = 'verdict'])");
	assert_string_equal(verdict, row->verdict);
	page_assert_count(path, "//*[local-name() = 'svg']", row->drawings);

	/* The page and nothing beside it. */
	assert_int_equal(count_entries(place->path), 1);
}

/* The text as the page has it. */
static void assert_shown(const char *page, const char *text)
{
	cleanup_strbuf struct ovi_strbuf escaped = { 0 };

	ovi_escape_xml(&escaped, text);
	assert_contains(page, escaped.text ? escaped.text : "");
}

static void page_has_every_question_and_remedy(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/report.html", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "--html", path, refused, NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	cleanup_documents struct report_documents documents = { 0 };
	cleanup_free char *page = NULL;
	struct ovl2_error err = { 0 };
	json_t *probe;
	size_t i;

	assert_int_equal(output.status, 0);
	page = page_read(path);
	assert_ok(report_document_read(refused, &documents, &err), &err);
	json_array_foreach(json_object_get(documents.probe, "probes"), i, probe)
	{
		assert_shown(page, report_string(probe, "title"));
		assert_shown(page, report_string(probe, "evidence"));
		assert_shown(page, report_string(probe, "remedy"));
	}
	page_assert_count(path, "//*[local-name() = 'article']", "6");
}

static void limits_are_read_off_the_data(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/report.html", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "--html", path, bench, NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	cleanup_free char *page = NULL;

	assert_int_equal(output.status, 0);
	page = page_read(path);
	assert_contains(page, "<text>absolute: 71 fit a page</text>");
	assert_contains(page, "<text>relative: 135 fit a page</text>");
	assert_contains(page, "<text>one page less a byte: 4095</text>");
	assert_contains(page, "Absolute names fit up to 71 lowers.");
}

/* What a drawing shows can be saved as a table, without the network. */
static void every_drawing_has_its_data(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/report.html", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "--html", path, bench, NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	cleanup_free char *script =
		test_path("xmllint --xpath 'string(//*[@download = \"bars-2.csv\"]/@href)' '%s' | "
	                  "sed 's/^data:text.csv;base64,//' | base64 -d",
	                  path);
	const char *const decode[] = { "sh", "-c", script, NULL };
	cleanup_output struct test_output table = { 0 };

	assert_int_equal(output.status, 0);
	page_assert_count(path, "//*[local-name() = 'figure' and not(.//*[@download])]", "0");
	table = test_spawn(decode);
	assert_contains(table.out, "benchmark,variant,parameter,value,arm,title,median_ns,");
	assert_contains(table.out, "\"diff\",\"small\",\"\",,floor,");
}

/* The sample, with three tools and what starting them took in one of its results. */
static void write_with_tools(const char *path)
{
	json_t *document = json_load_file(bench, 0, NULL);
	json_t *results = json_object_get(document, "results");
	json_t *result;
	size_t i;

	assert_non_null(document);
	json_array_foreach(results, i, result)
	{
		json_t *ours = json_object_get(result, "ours");
		json_t *peer;
		json_t *third;

		if (strcmp(report_string(result, "benchmark"), "diff") != 0)
			continue;
		peer = json_deep_copy(ours);
		json_object_set_new(peer, "title", json_string("first <tool>"));
		json_object_set_new(result, "peer", peer);
		third = json_deep_copy(ours);
		json_object_set_new(third, "title", json_string("third tool"));
		json_object_set_new(third, "start_ns", json_integer(4321000));
		json_object_set_new(third, "median_ns",
		                    json_real(2 * report_number(ours, "median_ns")));
		json_object_set_new(result, "more_peers", json_pack("[n, o]", third));
	}
	assert_int_equal(json_dump_file(document, path, 0), 0);
	json_decref(document);
}

static void all_tools_are_shown(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/report.html", place->path);
	cleanup_free char *document = test_path("%s/bench.json", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "--html", path, document, NULL };
	const char *const markdown[] = { REPORT_PROGRAM, "--format", "markdown", document, NULL };
	const char *const go[] = { REPORT_PROGRAM, "--format", "go", document, NULL };
	cleanup_output struct test_output output = { 0 };
	cleanup_output struct test_output summary = { 0 };
	cleanup_output struct test_output lines = { 0 };

	write_with_tools(document);
	output = test_spawn(argv);
	assert_int_equal(output.status, 0);
	page_assert_sound(path);
	page_assert_count(path, "//*[local-name() = 'td' and . = 'third tool']", "3");
	page_assert_count(path, "//*[local-name() = 'td' and . = 'first <tool>']", "3");
	page_assert_count(path,
	                  "//*[local-name() = 'td' and . = 'third tool']"
	                  "/following-sibling::*[2][. = '2.00×']",
	                  "3");
	page_assert_count(path, "//*[local-name() = 'small' and . = 'less 4.32 ms to start']", "6");
	page_assert_count(
		path, "//*[@id = 'bars-2']//*[local-name() = 'text' and . = 'third tool']", "1");

	summary = test_spawn(markdown);
	assert_contains(summary.out, "third tool |\n");
	lines = test_spawn(go);
	assert_contains(lines.out, "BenchmarkDiff/variant=small/arm=peer3 1 ");
	assert_null(strstr(lines.out, "arm=peer2"));
}

/* A document of twenty times the sample's benchmarks: the page stays small and says how. */
static void large_document_makes_a_small_page(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/report.html", place->path);
	cleanup_free char *large = test_path("%s/bench.json", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "--html", path, large, NULL };
	cleanup_output struct test_output output = { 0 };
	json_t *document = json_load_file(bench, 0, NULL);
	json_t *benchmarks = json_object_get(document, "benchmarks");
	json_t *results = json_object_get(document, "results");
	size_t benchmark_count = json_array_size(benchmarks);
	size_t result_count = json_array_size(results);

	assert_non_null(document);
	for (size_t i = 0; i < 19 * benchmark_count; i++) {
		json_t *copy = json_copy(json_array_get(benchmarks, i % benchmark_count));

		json_object_set_new(
			copy, "id",
			json_sprintf("%s_%zu", report_string(copy, "id"), i / benchmark_count));
		json_object_set_new(copy, "group", json_sprintf("group %zu", i / benchmark_count));
		json_array_append_new(benchmarks, copy);
	}
	for (size_t i = 0; i < 19 * result_count; i++) {
		json_t *copy = json_copy(json_array_get(results, i % result_count));

		json_object_set_new(
			copy, "benchmark",
			json_sprintf("%s_%zu", report_string(copy, "benchmark"), i / result_count));
		json_array_append_new(results, copy);
	}
	assert_int_equal(json_dump_file(document, large, 0), 0);
	json_decref(document);

	output = test_spawn(argv);
	assert_int_equal(output.status, 0);
	page_assert_sound(path);
	page_assert_count(path, "//*[contains(text(), 'more benchmarks are not drawn')]", "1");
	page_assert_count(path, "//*[contains(text(), 'more results are left out')]", "1");
	page_assert_count(path, "//*[starts-with(@id, 'ratios-') and local-name() = 'figure']",
	                  "23");
}

static void notes_and_title_are_shown(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/report.html", place->path);
	const char *const argv[] = { REPORT_PROGRAM,  "--html",  path,    "--note",  "first & one",
		                     "--note=second", "--title", "A <b>", qualified, NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	cleanup_free char *page = page_read(path);

	assert_int_equal(output.status, 0);
	assert_contains(page, "</b> first &amp; one</p>");
	assert_contains(page, "</b> second</p>");
	assert_contains(page, "<h1>A &lt;b&gt;</h1>");
}

static void without_gnuplot_the_page_says_so(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/report.html", place->path);
	cleanup_free char *nowhere = test_path("PATH=%s", place->path);
	const char *const argv[] = { "env", nowhere,   REPORT_PROGRAM, "--html",
		                     path,  qualified, bench,          NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	cleanup_free char *page = page_read(path);

	assert_int_equal(output.status, 0);
	assert_string_equal(output.err, "ovl2-report: no drawings: run gnuplot: "
	                                "No such file or directory\n");
	assert_contains(page, "no drawings: run gnuplot: No such file or directory");
	page_assert_sound(path);
	page_assert_count(path, "//*[local-name() = 'svg']", "0");
	page_assert_count(
		path, "//*[@id = 'results']//*[local-name() = 'tr'][not(@class = 'group')]", "85");
}

/* ----------------------------------------------------------------- output -- */

static void unwritable_page_is_an_error(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *taken = test_path("%s/taken", place->path);
	const char *const missing[] = { REPORT_PROGRAM, "--html", "/nowhere/report.html", qualified,
		                        NULL };
	const char *const directory[] = { REPORT_PROGRAM, "--html", taken, qualified, NULL };
	cleanup_output struct test_output first = test_spawn(missing);
	cleanup_output struct test_output second = { 0 };

	assert_int_equal(first.status, 1);
	assert_string_equal(first.err, "ovl2-report: write '/nowhere/report.html': "
	                               "No such file or directory\n");

	assert_sys(mkdir(taken, 0755));
	second = test_spawn(directory);
	assert_int_equal(second.status, 1);
	assert_contains(second.err, "Is a directory");
	assert_int_equal(count_entries(place->path), 1);
}

static void page_replaces_the_old_one(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/report.html", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "--html", path, refused, NULL };
	cleanup_output struct test_output output = { 0 };
	struct stat status;

	write_text(path, "old");
	output = test_spawn(argv);
	assert_int_equal(output.status, 0);
	assert_sys(stat(path, &status));
	assert_true(status.st_size > 1000);
	assert_int_equal(count_entries(place->path), 1);
}

/* Renaming a file over /dev/stdout would take it from everybody. */
static void pipe_is_written_to_and_stays(void **state)
{
	struct test_place *place = *state;
	const char *const argv[] = {
		"sh",
		"-ec",
		"mkfifo pipe; cat pipe >got & \"$0\" --html pipe \"$1\"; wait; test -p pipe",
		REPORT_PROGRAM,
		refused,
		NULL
	};
	cleanup_output struct test_output output = { 0 };
	cleanup_free char *page = NULL;

	assert_sys(chdir(place->path));
	output = test_spawn(argv);
	assert_string_equal(output.err, "");
	assert_int_equal(output.status, 0);
	page = page_read("got");
	assert_contains(page, "</html>");
	assert_int_equal(count_entries("."), 2);
}

static void documents_of_two_hosts_are_told(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *other = test_path("%s/bench.json", place->path);
	cleanup_free char *path = test_path("%s/report.html", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "--html", path, qualified, other, NULL };
	json_t *document = json_load_file(bench, 0, NULL);
	cleanup_output struct test_output output = { 0 };
	cleanup_free char *page = NULL;

	json_object_set_new(json_object_get(document, "host"), "name", json_string("node-18"));
	assert_int_equal(json_dump_file(document, other, 0), 0);
	json_decref(document);
	output = test_spawn(argv);
	assert_int_equal(output.status, 0);
	page = page_read(path);
	assert_contains(page, "not the same for probes and benchmarks");
}

static void full_standard_output_is_an_error(void **state)
{
	const char *const argv[] = { "sh",           "-c",    "exec \"$0\" \"$1\" >/dev/full",
		                     REPORT_PROGRAM, refused, NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;
	assert_int_equal(output.status, 1);
	assert_contains(output.err, "No space left on device");
}

static void standard_input_is_a_document(void **state)
{
	const char *const argv[] = {
		"sh", "-c", "exec \"$0\" - \"$2\" <\"$1\"", REPORT_PROGRAM, refused, bench, NULL
	};
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;
	assert_int_equal(output.status, 0);
	assert_contains(output.out, "NOT QUALIFIED for Docker");
	assert_contains(output.out, "mount_depth, auto, 128 lowers");
}

static void summary_is_as_recorded(void **state)
{
	const char *const argv[] = { REPORT_PROGRAM, refused, bench, NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	cleanup_free char *recorded = page_read(SAMPLES "/summary-refused.txt");

	(void)state;
	assert_string_equal(output.out, recorded);
	assert_string_equal(output.err, "");
}

static void colors_come_when_asked_for(void **state)
{
	const char *const never[] = { REPORT_PROGRAM, "--color=never", refused, NULL };
	const char *const always[] = { REPORT_PROGRAM, "--color=always", refused, NULL };
	cleanup_output struct test_output without = test_spawn(never);
	cleanup_output struct test_output with = test_spawn(always);

	(void)state;
	assert_null(strchr(without.out, '\033'));
	assert_contains(with.out, "\033[1;31mNOT QUALIFIED\033[0m");
}

static void summary_for_programs_is_json(void **state)
{
	const char *const argv[] = { REPORT_PROGRAM, "--json", refused, bench, NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	json_t *summary = json_loads(output.out, 0, NULL);
	const char *verdict = NULL;
	const char *first = NULL;
	double ratio = 0;
	int fails = -1;

	(void)state;
	assert_non_null(summary);
	assert_string_equal(report_string(summary, "format"), "ovl2-report/1");
	assert_int_equal(json_unpack(summary, "{s:{s:s, s:{s:i}, s:[{s:s}]}}", "probe", "verdict",
	                             &verdict, "counts", "fail", &fails, "not_passed", "id",
	                             &first),
	                 0);
	assert_string_equal(verdict, "not_qualified");
	assert_int_equal(fails, 1);
	assert_string_equal(first, "d_type");
	assert_int_equal(json_unpack(summary, "{s:{s:[{s:{s:F}}]}}", "bench", "headline", "ratio",
	                             "median", &ratio),
	                 0);
	assert_true(ratio > 1);
	json_decref(summary);
}

/* --------------------------------------------------------------- refusals -- */

struct refusal {
	const char *title;

	/* Content of a file handed over first; NULL for none. */
	const char *text;
	const char *arguments[MAX_FILES];
	int status;
	const char *message;
};

#define PROBE_HEAD                                                                        \
	"{\"format\":\"ovl2-probe/1\",\"version\":\"1\",\"command\":[],\"started\":\"\"," \
	"\"host\":{},\"target\":{},\"profile\":{\"id\":\"d\",\"title\":\"D\"},"
#define BENCH_HEAD                                                                        \
	"{\"format\":\"ovl2-bench/1\",\"version\":\"1\",\"command\":[],\"started\":\"\"," \
	"\"complete\":true,\"host\":{},\"target\":{},"
#define ONE_PROBE(level, verdict)                                           \
	"{\"id\":\"a\",\"title\":\"A\",\"answer\":\"no\",\"want\":\"yes\"," \
	"\"level\":" level ",\"verdict\":\"" verdict "\"}"
#define ONE_BENCHMARK "{\"id\":\"a\",\"title\":\"A\",\"metric\":\"time\"}"

static const struct refusal refusals[] = {
	{ "no document", NULL, { NULL }, 64, "no document given" },
	{ "unknown option", NULL, { "--nope", bench }, 64, "unknown option '--nope'" },
	{ "unknown color", NULL, { "--color=blue", bench }, 64, "not 'blue'" },
	{ "missing file",
	  NULL,
	  { "/nowhere.json" },
	  1,
	  "read '/nowhere.json': No such file or directory" },
	{ "directory", NULL, { "/" }, 1, "read '/': Is a directory" },
	{ "empty file", "", { NULL }, 1, "not JSON: line 1: '[' or '{' expected" },
	{ "not JSON", "hello", { NULL }, 1, "not JSON: line 1" },
	{ "cut short", "{\"format\": \"ovl2-probe/1\",\n", { NULL }, 1, "not JSON: line 2" },
	{ "not UTF-8", "{\"format\": \"\xff\"}", { NULL }, 1, "not JSON" },
	{ "same field twice", "{\"format\": \"a\", \"format\": \"b\"}", { NULL }, 1, "duplicate" },
	{ "trailing text", "{} {}", { NULL }, 1, "not JSON" },
	{ "not an object", "[1]", { NULL }, 1, "format: missing" },
	{ "no format", "{}", { NULL }, 1, "format: missing" },
	{ "other program's format",
	  "{\"format\": \"hyperfine\"}",
	  { NULL },
	  1,
	  "'hyperfine' is neither 'ovl2-probe/1' nor 'ovl2-bench/1'" },
	{ "later version", "{\"format\": \"ovl2-probe/2\"}", { NULL }, 1, "'ovl2-probe/2'" },
	{ "format is no string", "{\"format\": 1}", { NULL }, 1, "format: missing" },
	{ "two probe documents", NULL, { qualified, refused }, 1, "a second 'ovl2-probe/1'" },
	{ "two bench documents", NULL, { bench, bench }, 1, "a second 'ovl2-bench/1'" },
	{ "field missing", "{\"format\": \"ovl2-probe/1\"}", { NULL }, 1, "': version: missing" },
	{ "probes is no array",
	  PROBE_HEAD "\"verdict\":\"qualified\",\"probes\":{}}",
	  { NULL },
	  1,
	  "probes: expected an array, found an object" },
	{ "probe is no object",
	  PROBE_HEAD "\"verdict\":\"qualified\",\"probes\":[1]}",
	  { NULL },
	  1,
	  "probes[0]: expected an object, found 1" },
	{ "null where a string belongs",
	  PROBE_HEAD "\"verdict\":\"not_qualified\",\"probes\":[" ONE_PROBE("null", "fail") "]}",
	  { NULL },
	  1,
	  "probes[0].level: expected a string, found null" },
	{ "unknown word",
	  PROBE_HEAD "\"verdict\":\"qualified\",\"probes\":[" ONE_PROBE("\"nice\"", "fail") "]}",
	  { NULL },
	  1,
	  "probes[0].level: expected one of 'required', 'wanted', 'advised', found 'nice'" },
	{ "verdict contradicts the probes",
	  PROBE_HEAD
	  "\"verdict\":\"qualified\",\"probes\":[" ONE_PROBE("\"required\"", "fail") "]}",
	  { NULL },
	  1,
	  "'qualified' contradicts the probes, from which follows 'not_qualified'" },
	{ "verdict hides what is unknown",
	  PROBE_HEAD
	  "\"verdict\":\"qualified\",\"probes\":[" ONE_PROBE("\"required\"", "unknown") "]}",
	  { NULL },
	  1,
	  "from which follows 'undetermined'" },
	{ "verdict hides what was not asked",
	  PROBE_HEAD "\"verdict\":\"qualified\",\"not_asked\":[\"d_type\"],\"probes\":[]}",
	  { NULL },
	  1,
	  "from which follows 'undetermined'" },
	{ "negative time",
	  BENCH_HEAD "\"benchmarks\":[" ONE_BENCHMARK
	             "],\"results\":[{\"benchmark\":\"a\",\"ours\":"
	             "{\"title\":\"t\",\"median_ns\":-1,\"low_ns\":0,\"high_ns\":0}}]}",
	  { NULL },
	  1,
	  "results[0].ours.median_ns: expected a number not below zero, found -1" },
	{ "sample is no number",
	  BENCH_HEAD "\"benchmarks\":[" ONE_BENCHMARK
	             "],\"results\":[{\"benchmark\":\"a\",\"ours\":"
	             "{\"title\":\"t\",\"median_ns\":1,\"low_ns\":0,\"high_ns\":0,"
	             "\"values_ns\":[1,\"x\"]}}]}",
	  { NULL },
	  1,
	  "results[0].ours.values_ns[1]: expected a number not below zero, found a" },
	{ "result of no benchmark",
	  BENCH_HEAD "\"benchmarks\":[],\"results\":[{\"benchmark\":\"b\",\"skipped\":\"x\"}]}",
	  { NULL },
	  1,
	  "results[0].benchmark: no benchmark has the id 'b'" },
	{ "neither figures nor reason",
	  BENCH_HEAD "\"benchmarks\":[" ONE_BENCHMARK "],\"results\":[{\"benchmark\":\"a\"}]}",
	  { NULL },
	  1,
	  "results[0]: neither figures in 'ours' nor a reason in 'skipped'" },
	{ "parameter is no string",
	  "{\"format\":\"ovl2-probe/1\",\"version\":[\"x\"]}",
	  { NULL },
	  1,
	  "version: expected a string, found an array" },
};

static void document_is_refused(void **state)
{
	struct test_place *place = *state;
	const struct refusal *row = place->row;
	cleanup_free char *path = test_path("%s/given.json", place->path);
	cleanup_free char *page = test_path("%s/report.html", place->path);
	const char *argv[MAX_FILES + 5] = { REPORT_PROGRAM, "--html", page };
	cleanup_output struct test_output output = { 0 };
	size_t count = 3;

	if (row->text) {
		write_text(path, row->text);
		argv[count++] = path;
	}
	for (size_t i = 0; i < MAX_FILES && row->arguments[i]; i++)
		argv[count++] = row->arguments[i];
	output = test_spawn(argv);

	assert_int_equal(output.status, row->status);
	assert_contains(output.err, row->message);
	assert_memory_equal(output.err, "ovl2-report: ", 13);
	if (row->text && !strstr(output.err, "/given.json'"))
		fail_msg("the file is not named in: %s", output.err);

	/* One line, and no page. */
	assert_ptr_equal(strchr(output.err, '\n'), output.err + strlen(output.err) - 1);
	assert_string_equal(output.out, "");
	assert_int_not_equal(access(page, F_OK), 0);
}

static void help_has_an_example(void **state)
{
	const char *const argv[] = { REPORT_PROGRAM, "--help", NULL };
	cleanup_output struct test_output output = test_spawn(argv);

	(void)state;
	assert_int_equal(output.status, 0);
	assert_contains(output.out, "ovl2-report --html report.html probe.json bench.json");
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest single[] = {
		cmocka_unit_test(page_has_every_question_and_remedy),
		cmocka_unit_test(limits_are_read_off_the_data),
		cmocka_unit_test(every_drawing_has_its_data),
		cmocka_unit_test(all_tools_are_shown),
		cmocka_unit_test(large_document_makes_a_small_page),
		cmocka_unit_test(notes_and_title_are_shown),
		cmocka_unit_test(without_gnuplot_the_page_says_so),
		cmocka_unit_test(unwritable_page_is_an_error),
		cmocka_unit_test(page_replaces_the_old_one),
		cmocka_unit_test(pipe_is_written_to_and_stays),
		cmocka_unit_test(documents_of_two_hosts_are_told),
		cmocka_unit_test(full_standard_output_is_an_error),
		cmocka_unit_test(standard_input_is_a_document),
		cmocka_unit_test(summary_is_as_recorded),
		cmocka_unit_test(colors_come_when_asked_for),
		cmocka_unit_test(summary_for_programs_is_json),
		cmocka_unit_test(help_has_an_example),
	};
	struct CMUnitTest tests[ARRAY_SIZE(single) + ARRAY_SIZE(page_rows) + ARRAY_SIZE(refusals)];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(page_rows); i++)
		tests[count++] = test_case(page_rows[i].title, page_is_sound, &page_rows[i]);
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		tests[count++] = test_case(refusals[i].title, document_is_refused, &refusals[i]);
	memcpy(&tests[count], single, sizeof(single));
	count += ARRAY_SIZE(single);

	return test_run("program", tests, count, argc, argv);
}
