#include "exact.h"

#include "bench.h"
#include "record.h"

#include "cleanup.h"
#include "strbuf.h"

#include <gnu/libc-version.h>
#include <libsmartcols.h>
#include <string.h>

/* What of a processor valgrind shows to the program, by which libraries choose code. */
static const char *instruction_set(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		return "avx2";
	if (__builtin_cpu_supports("avx"))
		return "avx";

	return __builtin_cpu_supports("sse4.2") ? "sse4.2" : "sse2";
#else
	return "";
#endif
}

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* On what a number of instructions depends besides the sources. */
static json_t *build_json(const struct exact_results *results)
{
#ifdef __OPTIMIZE__
	const int is_optimised = 1;
#else
	const int is_optimised = 0;
#endif

	return json_pack("{s:s, s:b, s:s, s:s, s:s}", "compiler", COMPILER, "optimised",
	                 is_optimised, "libc", gnu_get_libc_version(), "instruction_set",
	                 instruction_set(), "counter", results->creator);
}

/* Sorted by name. */
static json_t *calls_json(const struct exact_result *result)
{
	json_t *calls = json_object();

	for (size_t i = 0; i < TRACE_CALLS; i++)
		if (result->calls.counts[i] && !exact_is_left_out(trace_name(i)))
			json_object_set_new(calls, trace_name(i),
			                    json_integer((json_int_t)result->calls.counts[i]));

	return calls;
}

static json_t *text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static json_t *number_or_null(uint64_t number)
{
	return number ? json_integer((json_int_t)number) : json_null();
}

static json_t *result_json(const struct exact_result *result)
{
	int is_counted = !*result->skipped;

	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "benchmark",
	                 result->which->bench->id, "variant", result->which->variant, "value",
	                 number_or_null(result->which->value), "call_count",
	                 is_counted ? json_integer((json_int_t)exact_count_calls(result))
	                            : json_null(),
	                 "calls", is_counted ? calls_json(result) : json_null(),
	                 "instruction_count", number_or_null(result->instructions), "uncounted",
	                 text_or_null(result->uncounted), "skipped", text_or_null(result->skipped));
}

static json_t *bench_json(const struct bench *bench)
{
	const char *parameter = bench->parameter;

	return json_pack("{s:s, s:s, s:s, s:o}", "id", bench->id, "title", bench->title, "group",
	                 bench->group, "parameter",
	                 parameter ? json_string(parameter) : json_null());
}

/* Are there results of it? */
static int is_counted(const struct exact_results *results, const struct bench *bench)
{
	for (size_t i = 0; i < results->count; i++)
		if (results->list[i].which->bench == bench)
			return 1;

	return 0;
}

json_t *exact_json(const struct record *about, const struct exact_results *counts)
{
	json_t *command = json_array();
	json_t *benchmarks = json_array();
	json_t *results = json_array();
	int failed = 0;
	json_t *document;

	for (int i = 0; i < about->argc; i++)
		failed |= json_array_append_new(command, json_string(about->argv[i]));
	for (size_t i = 0; about->benches[i]; i++)
		if (is_counted(counts, about->benches[i]))
			failed |= json_array_append_new(benchmarks, bench_json(about->benches[i]));
	for (size_t i = 0; i < counts->count; i++)
		failed |= json_array_append_new(results, result_json(&counts->list[i]));

	document = json_pack("{s:s, s:s, s:o, s:s, s:f, s:b, s:O, s:o, s:o, s:o}", "format",
	                     "ovl2-exact/1", "version", OVL2_VERSION, "command", command, "started",
	                     about->started, "duration_ms", about->duration_ms, "complete",
	                     counts->is_complete, "host", about->host, "build", build_json(counts),
	                     "benchmarks", benchmarks, "results", results);
	if (failed) {
		json_decref(document);
		return NULL;
	}

	return document;
}

/* --------------------------------------------------------------------- table -- */

enum { OPERATION, CALLS, INSTRUCTIONS };

static int set_number(struct libscols_line *line, size_t column, uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);

	return scols_line_set_data(line, column, number ? text : "-");
}

/* "mount_depth relative, 16 lowers" */
static void name_case(const struct exact_case *one, struct ovi_strbuf *name)
{
	ovi_strbuf_addf(name, "%s %s", one->bench->id, one->variant);
	if (one->value)
		ovi_strbuf_addf(name, ", %llu %s", (unsigned long long)one->value,
		                one->bench->parameter);
}

static int add_line(struct libscols_table *table, const struct exact_result *result)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	cleanup_strbuf struct ovi_strbuf name = { 0 };

	name_case(result->which, &name);
	if (!line || name.failed || scols_line_set_data(line, OPERATION, name.text) != 0)
		return -1;
	if (result->is_failed)
		return scols_line_set_data(line, CALLS, "FAILED");

	return set_number(line, CALLS, exact_count_calls(result)) |
	       set_number(line, INSTRUCTIONS, result->instructions);
}

static int print_table(const struct exact_results *counts, struct libscols_table *table)
{
	int r = 0;

	if (!scols_table_new_column(table, "ONE OPERATION", 0, 0) ||
	    !scols_table_new_column(table, "SYSTEM CALLS", 0, SCOLS_FL_RIGHT) ||
	    !scols_table_new_column(table, "INSTRUCTIONS", 0, SCOLS_FL_RIGHT))
		return -1;
	for (size_t i = 0; i < counts->count && r == 0; i++)
		r = add_line(table, &counts->list[i]);

	return r == 0 ? scols_print_table(table) : -1;
}

/* Why there is a dash, each reason once for all that it follows. */
static void print_reasons(const struct exact_results *counts, FILE *out)
{
	const char *last = "";

	for (size_t i = 0; i < counts->count; i++) {
		const struct exact_result *result = &counts->list[i];
		const char *reason = *result->skipped ? result->skipped : result->uncounted;

		if (*reason && strcmp(reason, last) != 0)
			fprintf(out, "  from %s %s: %s\n", result->which->bench->id,
			        result->which->variant, reason);
		last = reason;
	}
}

int exact_print(const struct exact_results *counts, FILE *out)
{
	struct libscols_table *table = scols_new_table();
	int r;

	if (!table)
		return -1;
	scols_table_set_stream(table, out);
	r = print_table(counts, table);
	scols_unref_table(table);
	if (r == 0)
		print_reasons(counts, out);

	return r ? -1 : 0;
}
