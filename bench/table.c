#include "record.h"

#include "cleanup.h"

#include <libsmartcols.h>
#include <math.h>
#include <string.h>

enum { COLUMN_WIDTH = 96 };

struct column {
	const char *name;
	int flags;
};

enum {
	COLUMN_VARIANT,
	COLUMN_VALUE,
	COLUMN_OURS,
	COLUMN_FLOOR,
	COLUMN_RATIO,
	COLUMN_FINDS,
	COLUMN_P50,
	COLUMN_P90,
	COLUMN_P99,
	COLUMN_P999,
	COLUMN_PEER,
	COLUMN_MORE_PEERS,
	COLUMN_AFTER_PEERS = COLUMN_MORE_PEERS + BENCH_MORE_PEERS,
	COLUMN_BYTES_RATE = COLUMN_AFTER_PEERS,
	COLUMN_FILES_RATE,
	COLUMN_DATA,
	COLUMN_PEAK,
	COLUMN_COUNT
};

static const struct column columns[COLUMN_COUNT] = {
	[COLUMN_VARIANT] = { "", 0 },
	[COLUMN_VALUE] = { NULL, SCOLS_FL_RIGHT },
	[COLUMN_OURS] = { "OURS", SCOLS_FL_RIGHT },
	[COLUMN_FLOOR] = { "FLOOR", SCOLS_FL_RIGHT },
	[COLUMN_RATIO] = { "RATIO [INTERVAL]", SCOLS_FL_RIGHT },
	[COLUMN_FINDS] = { "FINDS", SCOLS_FL_RIGHT },
	[COLUMN_P50] = { "P50 OF ONE", SCOLS_FL_RIGHT },
	[COLUMN_P90] = { "P90", SCOLS_FL_RIGHT },
	[COLUMN_P99] = { "P99", SCOLS_FL_RIGHT },
	[COLUMN_P999] = { "P99.9", SCOLS_FL_RIGHT },
	[COLUMN_PEER] = { "PEER", SCOLS_FL_RIGHT },
	[COLUMN_MORE_PEERS] = { "PEER 2", SCOLS_FL_RIGHT },
	[COLUMN_MORE_PEERS + 1] = { "PEER 3", SCOLS_FL_RIGHT },
	[COLUMN_BYTES_RATE] = { "MB/S", SCOLS_FL_RIGHT },
	[COLUMN_FILES_RATE] = { "FILES/S", SCOLS_FL_RIGHT },
	[COLUMN_DATA] = { "DATA BYTES", SCOLS_FL_RIGHT },
	[COLUMN_PEAK] = { "PEAK MIB", SCOLS_FL_RIGHT },
};

/* Which columns a benchmark has, and where they are in its table; -1 for not. */
struct layout {
	int index[COLUMN_COUNT];
};

static void format_time(char text[COLUMN_WIDTH], double ns)
{
	if (ns < 1e6)
		snprintf(text, COLUMN_WIDTH, "%.1f us", ns / 1e3);
	else if (ns < 1e9)
		snprintf(text, COLUMN_WIDTH, "%.2f ms", ns / 1e6);
	else
		snprintf(text, COLUMN_WIDTH, "%.2f s", ns / 1e9);
}

static int set(struct libscols_line *line, const struct layout *layout, int column,
               const char *text)
{
	if (layout->index[column] < 0)
		return 0;

	return scols_line_set_data(line, (size_t)layout->index[column], text);
}

static int set_time(struct libscols_line *line, const struct layout *layout, int column,
                    const struct runner_series *series)
{
	char text[COLUMN_WIDTH];

	if (!series->title)
		return 0;
	format_time(text, series->summary.median);

	return set(line, layout, column, text);
}

/* Ours, and the floor's behind it. */
static int set_pair(struct libscols_line *line, const struct layout *layout, int column,
                    double ours_ns, double floor_ns)
{
	char ours[COLUMN_WIDTH];
	char floor[COLUMN_WIDTH];
	char text[2 * COLUMN_WIDTH + 4];

	format_time(ours, ours_ns);
	format_time(floor, floor_ns);
	snprintf(text, sizeof(text), "%s (%s)", ours, floor);

	return set(line, layout, column, text);
}

static int set_latency(struct libscols_line *line, const struct layout *layout,
                       const struct runner_result *result)
{
	const struct stats_tail *ours = &result->ours.latency;
	const struct stats_tail *floor = &result->floor.latency;

	if (!ours->count)
		return 0;

	return set_pair(line, layout, COLUMN_P50, ours->p50, floor->p50) |
	       set_pair(line, layout, COLUMN_P90, ours->p90, floor->p90) |
	       set_pair(line, layout, COLUMN_P99, ours->p99, floor->p99) |
	       set_pair(line, layout, COLUMN_P999, ours->p999, floor->p999);
}

/* Per second, of what one operation does in `ns`. */
static int set_rate(struct libscols_line *line, const struct layout *layout, int column,
                    double amount, double ns)
{
	char text[COLUMN_WIDTH];

	if (amount == 0)
		return 0;
	snprintf(text, sizeof(text), "%.0f", amount / ns * 1e9);

	return set(line, layout, column, text);
}

static int set_figures(struct libscols_line *line, const struct layout *layout,
                       const struct runner_result *result)
{
	double ours = result->ours.summary.median;
	char text[COLUMN_WIDTH];
	int r = 0;

	r |= set_time(line, layout, COLUMN_OURS, &result->ours);
	r |= set_time(line, layout, COLUMN_FLOOR, &result->floor);
	r |= set_time(line, layout, COLUMN_PEER, &result->peer);
	for (int i = 0; i < BENCH_MORE_PEERS; i++)
		r |= set_time(line, layout, COLUMN_MORE_PEERS + i, &result->more_peers[i]);
	snprintf(text, sizeof(text), "%.2f [%.2f, %.2f]", result->ratio.median, result->ratio.low,
	         result->ratio.high);
	r |= set(line, layout, COLUMN_RATIO, text);
	snprintf(text, sizeof(text), "%.1f %%", result->detectable * 100);
	r |= set(line, layout, COLUMN_FINDS, isfinite(result->detectable) ? text : "-");
	r |= set_latency(line, layout, result);
	r |= set_rate(line, layout, COLUMN_BYTES_RATE, (double)result->bytes / 1e6, ours);
	r |= set_rate(line, layout, COLUMN_FILES_RATE, (double)result->files, ours);

	return r;
}

static int add_line(struct libscols_table *table, const struct layout *layout,
                    const struct runner_result *result)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char text[COLUMN_WIDTH];
	int r = 0;

	if (!line)
		return -1;
	r |= set(line, layout, COLUMN_VARIANT, result->variant);
	if (result->value) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)result->value);
		r |= set(line, layout, COLUMN_VALUE, text);
	}
	if (result->data_bytes) {
		snprintf(text, sizeof(text), "%llu%s", (unsigned long long)result->data_bytes,
		         result->data_bytes > result->data_limit_bytes ? " (too long)" : "");
		r |= set(line, layout, COLUMN_DATA, text);
	}
	if (result->peak_rss_bytes) {
		snprintf(text, sizeof(text), "%.1f", (double)result->peak_rss_bytes / (1 << 20));
		r |= set(line, layout, COLUMN_PEAK, text);
	}
	if (result->skipped)
		r |= set(line, layout, COLUMN_OURS, result->is_failed ? "FAILED" : "-");
	else
		r |= set_figures(line, layout, result);

	return r;
}

static int is_wanted(int column, const struct record *record, const struct bench *bench)
{
	if (column == COLUMN_VALUE)
		return bench->parameter != NULL;

	for (size_t i = 0; i < record->results->count; i++) {
		const struct runner_result *result = &record->results->list[i];

		if (result->bench != bench)
			continue;
		if ((column >= COLUMN_P50 && column <= COLUMN_P999 && result->ours.latency.count) ||
		    (column == COLUMN_PEER && result->peer.title) ||
		    (column >= COLUMN_MORE_PEERS && column < COLUMN_AFTER_PEERS &&
		     result->more_peers[column - COLUMN_MORE_PEERS].title) ||
		    (column == COLUMN_BYTES_RATE && result->bytes) ||
		    (column == COLUMN_FILES_RATE && result->files) ||
		    (column == COLUMN_DATA && result->data_bytes) ||
		    (column == COLUMN_PEAK && result->peak_rss_bytes))
			return 1;
	}

	return column < COLUMN_P50;
}

static int add_columns(struct libscols_table *table, const struct record *record,
                       const struct bench *bench, struct layout *layout)
{
	int count = 0;

	for (int i = 0; i < COLUMN_COUNT; i++) {
		const char *name = i == COLUMN_VALUE ? bench->parameter : columns[i].name;

		layout->index[i] = -1;
		if (!is_wanted(i, record, bench))
			continue;
		if (!scols_table_new_column(table, name, 0, columns[i].flags))
			return -1;
		layout->index[i] = count++;
	}

	return 0;
}

static void print_title(const char *name, const struct runner_series *series, FILE *out)
{
	char start[COLUMN_WIDTH];

	if (!series->title)
		return;
	fprintf(out, "  %s %s", name, series->title);
	if (series->start_ns > 0) {
		format_time(start, series->start_ns);
		fprintf(out, ", less %s to start", start);
	}
	fprintf(out, "\n");
}

/* What the columns compare; and, below the table, why a case has no figures. */
static void print_titles(const struct runner_result *result, FILE *out)
{
	print_title("ours: ", &result->ours, out);
	print_title("floor:", &result->floor, out);
	print_title("peer: ", &result->peer, out);
	for (int i = 0; i < BENCH_MORE_PEERS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "peer %d:", i + 2);
		print_title(name, &result->more_peers[i], out);
	}
}

static const struct runner_result *find_measured(const struct record *record,
                                                 const struct bench *bench)
{
	for (size_t i = 0; i < record->results->count; i++)
		if (record->results->list[i].bench == bench && record->results->list[i].ours.title)
			return &record->results->list[i];

	return NULL;
}

static void print_reasons(const struct record *record, const struct bench *bench, FILE *out)
{
	const char *last = "";

	for (size_t i = 0; i < record->results->count; i++) {
		const struct runner_result *result = &record->results->list[i];

		if (result->bench != bench || !result->skipped ||
		    strcmp(last, result->skipped) == 0)
			continue;
		last = result->skipped;
		fprintf(out, "  %s", result->variant);
		if (result->value)
			fprintf(out, " %llu", (unsigned long long)result->value);
		fprintf(out, ": %s\n", last);
	}
}

/* "  auto: a + b n, 26.0 us (+- 1.2 us), 2.1 us (+- 0.1 us); exponent 0.92" */
static void print_growth(const struct record *record, const struct bench *bench, FILE *out)
{
	for (const struct bench_variant *v = bench->variants; v->name; v++) {
		struct stats_growth growth;
		struct stats_growth memory;
		char term[COLUMN_WIDTH];
		char spread[COLUMN_WIDTH];

		if (!v->values ||
		    record_find_growth(record, bench, v->name, RECORD_TIME, &growth) < 0)
			continue;
		fprintf(out, "  %s: %s", v->name, stats_shape_name(growth.shape));
		for (size_t i = 0; i < stats_shape_terms(growth.shape); i++) {
			format_time(term, growth.terms[i]);
			format_time(spread, growth.spread[i]);
			fprintf(out, ", %s (+- %s)", term, spread);
		}
		fprintf(out, "; exponent %.2f for many %s", growth.exponent, bench->parameter);
		if (record_find_growth(record, bench, v->name, RECORD_MEMORY, &memory) == 0)
			fprintf(out, ", of memory %.2f", memory.exponent);
		fprintf(out, "\n");
	}
}

static int print_bench(const struct record *record, const struct bench *bench, FILE *out)
{
	struct libscols_table *table = scols_new_table();
	const struct runner_result *measured = find_measured(record, bench);
	struct layout layout;
	int r;

	if (!table)
		return -1;
	scols_table_set_stream(table, out);
	r = add_columns(table, record, bench, &layout);
	for (size_t i = 0; i < record->results->count && r == 0; i++)
		if (record->results->list[i].bench == bench)
			r = add_line(table, &layout, &record->results->list[i]);

	if (r == 0 && !scols_table_is_empty(table)) {
		fprintf(out, "%s: %s\n", bench->id, bench->title);
		if (measured)
			print_titles(measured, out);
		r = scols_print_table(table);
		print_growth(record, bench, out);
		print_reasons(record, bench, out);
		fputc('\n', out);
	}
	scols_unref_table(table);

	return r ? -1 : 0;
}

int record_print(const struct record *record, FILE *out)
{
	for (size_t i = 0; record->benches[i]; i++)
		if (print_bench(record, record->benches[i], out) < 0)
			return -1;

	return 0;
}
