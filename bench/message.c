#include "message.h"

#include "cleanup.h"
#include "fail.h"

#include <jansson.h>
#include <string.h>

#define GREETING "ovl2-bench-round/1"

/* ------------------------------------------------------------------ lines -- */

/* Takes `message` over, which may be NULL. */
static int send_line(FILE *out, json_t *message, struct ovl2_error *err)
{
	int r = json_dumpf(message, out, JSON_COMPACT);

	json_decref(message);
	if (r < 0 || fputc('\n', out) == EOF)
		return ovi_fail_errno(err, "tell of a round");

	return 0;
}

/* 0 at the end; the caller owns the message. */
static int read_line(FILE *in, json_t **ret_message, struct ovl2_error *err)
{
	cleanup_free char *line = NULL;
	size_t room = 0;
	ssize_t length = getline(&line, &room, in);
	json_t *message;

	if (length < 0)
		return ferror(in) ? ovi_fail_errno(err, "listen to a round") : 0;
	message = json_loadb(line, (size_t)length, 0, NULL);
	if (!message)
		return ovi_fail(err, OVL2_E_UNSUPPORTED, "listen to a round: it broke off");
	*ret_message = message;

	return 1;
}

static json_int_t integer(const json_t *message, const char *name)
{
	return json_integer_value(json_object_get(message, name));
}

static double number(const json_t *message, const char *name)
{
	return json_number_value(json_object_get(message, name));
}

/* "" when there is none. */
static const char *text(const json_t *message, const char *name)
{
	const char *value = json_string_value(json_object_get(message, name));

	return value ? value : "";
}

/* ------------------------------------------------------------ what is asked -- */

int message_send_round(int socket, const struct round *round, const struct bench *const *benches,
                       struct ovl2_error *err)
{
	json_t *ids = json_array();
	cleanup_free char *line = NULL;
	json_t *message;

	for (; *benches; benches++)
		json_array_append_new(ids, json_string((*benches)->id));
	message = json_pack("{s:I, s:I, s:I, s:s, s:i, s:b, s:f, s:f, s:f, s:o}", "number",
	                    (json_int_t)round->number, "count", (json_int_t)round->count, "seed",
	                    (json_int_t)round->seed, "tier", bench_tier_name(round->tier), "cpu",
	                    round->cpu, "shown", round->is_shown, "start_ns", round->start_ns,
	                    "done", round->done, "share", round->share, "benchmarks", ids);
	line = json_dumps(message, JSON_COMPACT);
	json_decref(message);
	if (!line)
		return ovi_fail_memory(err);
	if (dprintf(socket, "%s\n", line) < 0)
		return ovi_fail_errno(err, "tell a round what to do");

	return 0;
}

static const struct bench **find_benches(const json_t *ids)
{
	const struct bench **benches = calloc(json_array_size(ids) + 1, sizeof(void *));
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(ids) && benches; i++) {
		const char *id = json_string_value(json_array_get(ids, i));
		const struct bench *bench = id ? bench_find(id) : NULL;

		if (bench)
			benches[count++] = bench;
	}

	return benches;
}

int message_read_round(FILE *in, struct round *ret_round, const struct bench ***ret_benches,
                       struct ovl2_error *err)
{
	json_t *message = NULL;
	int r = read_line(in, &message, err);

	if (r == 0)
		r = ovi_fail(err, OVL2_E_INVALID, "nobody asked for this round");
	if (r < 0)
		return r;

	*ret_round = (struct round){
		.number = (size_t)integer(message, "number"),
		.count = (size_t)integer(message, "count"),
		.seed = (uint64_t)integer(message, "seed"),
		.cpu = (int)integer(message, "cpu"),
		.is_shown = json_is_true(json_object_get(message, "shown")),
		.start_ns = number(message, "start_ns"),
		.done = number(message, "done"),
		.share = number(message, "share"),
	};
	r = bench_tier_find(text(message, "tier"), &ret_round->tier);
	if (r < 0)
		r = ovi_fail(err, OVL2_E_UNSUPPORTED, "there is no tier '%s' in this build",
		             text(message, "tier"));
	else
		*ret_benches = find_benches(json_object_get(message, "benchmarks"));
	json_decref(message);
	if (r < 0)
		return r;

	return *ret_benches ? 0 : ovi_fail_memory(err);
}

/* ----------------------------------------------------------- what is answered -- */

int message_send_greeting(FILE *out, struct ovl2_error *err)
{
	return send_line(out, json_pack("{s:s}", "format", GREETING), err);
}

int message_read_greeting(FILE *in, struct ovl2_error *err)
{
	json_t *message = NULL;
	int is_greeting;

	if (read_line(in, &message, NULL) <= 0)
		return ovi_fail(err, OVL2_E_UNSUPPORTED,
		                "no round of ovl2-bench, or one of a build that is too old");
	is_greeting = strcmp(text(message, "format"), GREETING) == 0;
	json_decref(message);
	if (!is_greeting)
		return ovi_fail(err, OVL2_E_UNSUPPORTED, "it is not of the format " GREETING);

	return 0;
}

static json_t *numbers(const double *values, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_real(values[i]));

	return list;
}

static json_t *arms_json(struct runner_result *result)
{
	json_t *arms = json_array();

	for (size_t arm = 0; arm < RUNNER_ARMS; arm++) {
		const struct runner_series *series = runner_series(result, arm);
		json_t *one = json_null();

		if (series->title)
			one = json_pack("{s:o, s:o, s:f}", "values_ns",
			                numbers(series->values_ns, result->count), "calls_ns",
			                numbers(series->calls.values_ns, series->calls.count),
			                "start_ns", series->start_ns);
		json_array_append_new(arms, one);
	}

	return arms;
}

int message_send_result(FILE *out, struct runner_result *result, struct ovl2_error *err)
{
	return send_line(
		out,
		json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:s*, s:o, s:o}",
	                  "benchmark", result->bench->id, "variant", result->variant, "value",
	                  (json_int_t)result->value, "bytes", (json_int_t)result->bytes, "files",
	                  (json_int_t)result->files, "data_bytes", (json_int_t)result->data_bytes,
	                  "data_limit_bytes", (json_int_t)result->data_limit_bytes,
	                  "peak_rss_bytes", (json_int_t)result->peak_rss_bytes, "failed",
	                  result->is_failed, "skipped", result->skipped, "ratios",
	                  numbers(result->ratios, result->count), "arms", arms_json(result)),
		err);
}

/* The variant's own name, or NULL. */
static const char *find_variant(const struct bench *bench, const char *name)
{
	for (const struct bench_variant *v = bench->variants; v->name; v++)
		if (strcmp(v->name, name) == 0)
			return v->name;

	return NULL;
}

static const char *arm_title(const struct bench *bench, size_t arm)
{
	const struct bench_arm *const first[] = { &bench->ours, &bench->floor, &bench->peer };

	return arm < ARRAY_SIZE(first) ? first[arm]->title
	                               : bench->more_peers[arm - ARRAY_SIZE(first)].arm.title;
}

static int take_numbers(const json_t *list, double *values, size_t count, struct ovl2_error *err)
{
	if (json_array_size(list) != count)
		return ovi_fail(err, OVL2_E_UNSUPPORTED, "a round has other numbers than it says");
	for (size_t i = 0; i < count; i++)
		values[i] = json_number_value(json_array_get(list, i));

	return 0;
}

static int take_calls(const json_t *list, struct bench_latency *calls, struct ovl2_error *err)
{
	size_t count = json_array_size(list);
	double *values;

	if (!count)
		return 0;
	values = runner_add_latency(calls, count);

	return values ? take_numbers(list, values, count, err) : ovi_fail_memory(err);
}

static int take_figures(const json_t *message, struct runner_result *result, struct ovl2_error *err)
{
	const json_t *ratios = json_object_get(message, "ratios");
	const json_t *arms = json_object_get(message, "arms");
	int r;

	for (size_t arm = 0; arm < RUNNER_ARMS; arm++)
		if (json_is_object(json_array_get(arms, arm)))
			runner_series(result, arm)->title = arm_title(result->bench, arm);
	result->count = json_array_size(ratios);
	r = runner_make_room(result, result->count, err);
	if (r == 0)
		r = take_numbers(ratios, result->ratios, result->count, err);

	for (size_t arm = 0; arm < RUNNER_ARMS && r == 0; arm++) {
		struct runner_series *series = runner_series(result, arm);
		const json_t *one = json_array_get(arms, arm);

		if (!series->title)
			continue;
		series->start_ns = number(one, "start_ns");
		r = take_numbers(json_object_get(one, "values_ns"), series->values_ns,
		                 result->count, err);
		if (r == 0)
			r = take_calls(json_object_get(one, "calls_ns"), &series->calls, err);
	}

	return r;
}

static int take_result(const json_t *message, struct runner_results *results,
                       struct ovl2_error *err)
{
	const struct bench *bench = bench_find(text(message, "benchmark"));
	const char *variant = bench ? find_variant(bench, text(message, "variant")) : NULL;
	struct runner_result *result;

	/* Another build may have more of them. */
	if (!variant)
		return 0;
	result = runner_add_result(results);
	if (!result)
		return ovi_fail_memory(err);
	result->bench = bench;
	result->variant = variant;
	result->value = (uint64_t)integer(message, "value");
	result->bytes = (uint64_t)integer(message, "bytes");
	result->files = (uint64_t)integer(message, "files");
	result->data_bytes = (uint64_t)integer(message, "data_bytes");
	result->data_limit_bytes = (uint64_t)integer(message, "data_limit_bytes");
	result->peak_rss_bytes = (uint64_t)integer(message, "peak_rss_bytes");
	result->is_failed = json_is_true(json_object_get(message, "failed"));
	if (*text(message, "skipped"))
		return runner_skip(result, text(message, "skipped"), err);

	return take_figures(message, result, err);
}

int message_read_result(FILE *in, struct runner_results *results, struct ovl2_error *err)
{
	json_t *message = NULL;
	int r = read_line(in, &message, err);

	if (r <= 0)
		return r;
	r = take_result(message, results, err);
	json_decref(message);

	return r < 0 ? r : 1;
}
