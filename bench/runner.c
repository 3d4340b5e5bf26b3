#include "runner.h"

#include "cleanup.h"
#include "fail.h"
#include "tool.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* One sample spans this many times what the clock can tell apart. */
#define MIN_SAMPLE_RESOLUTIONS 1000

/* Each operation of a batch has its own before and after: no use in more. */
#define MAX_BATCH 64

/*
 * Single calls depend on what is cached more than whole trees do: they are warm when all
 * arms together were not this much faster than the time before.
 */
#define STILL_WARMING 0.9
#define WARM_UP_MOST 5

/* A case may take this long in blocks that are more than the least. */
#define BLOCKS_NS 50e6
#define BLOCKS_MOST 7

struct run {
	const struct runner_options *options;
	struct place *place;
	struct runner_results *results;
	double resolution_ns;
	uint64_t random;
	cpu_set_t all;
};

struct measurement {
	const struct bench *bench;
	struct bench_case *c;

	/* What is measured, and where its samples go. */
	const struct bench_arm *arms[RUNNER_ARMS];
	struct runner_series *series[RUNNER_ARMS];
	size_t arm_count;
	size_t batch;

	/* What one operation of each arm takes, with what is before and after it. */
	double pass_ns;
};

double runner_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);

	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

double *runner_add_latency(struct bench_latency *latency, size_t more)
{
	double *added;

	if (latency->count + more > latency->room) {
		size_t room = 2 * (latency->count + more);
		double *values = realloc(latency->values_ns, room * sizeof(*values));

		if (!values)
			return NULL;
		latency->values_ns = values;
		latency->room = room;
	}
	added = latency->values_ns + latency->count;
	latency->count += more;

	return added;
}

/*
 * The smallest step that two readings show. clock_getres(2) says 1 ns everywhere
 * and leaves out what reading the clock takes.
 */
static double measure_resolution(void)
{
	double smallest = 1e9;

	for (int i = 0; i < 1000; i++) {
		double from = runner_clock_ns();
		double to;

		do
			to = runner_clock_ns();
		while (to <= from);
		if (to - from < smallest)
			smallest = to - from;
	}

	return smallest;
}

static int is_stopped(const struct run *run)
{
	return run->options->stop && *run->options->stop;
}

static int call_hook(bench_hook *hook, struct bench_case *c, struct ovl2_error *err)
{
	return hook ? hook(c, err) : 0;
}

/* The timed part of one operation. */
static int time_once(const struct bench_arm *arm, struct bench_case *c, double *ret_ns,
                     struct ovl2_error *err)
{
	double from;
	double to;
	int r;

	r = call_hook(arm->before, c, err);
	if (r < 0)
		return r;

	c->told_ns = 0;
	c->start_ns = 0;
	from = runner_clock_ns();
	r = arm->run(c, err);
	to = runner_clock_ns();
	if (r < 0)
		return r;

	*ret_ns = c->told_ns > 0 ? c->told_ns : to - from;

	return call_hook(arm->after, c, err);
}

/* The mean of a batch: one sample. 1 when the run was stopped meanwhile. */
static int take_sample(const struct run *run, const struct measurement *m, size_t arm,
                       double *ret_ns, struct ovl2_error *err)
{
	double sum = 0;

	for (size_t i = 0; i < m->batch; i++) {
		double once = 0;
		int r;

		if (is_stopped(run))
			return 1;
		r = time_once(m->arms[arm], m->c, &once, err);
		if (r < 0)
			return ovi_fail_within(err, r, "%s", m->arms[arm]->title);
		sum += once;
	}
	*ret_ns = sum / (double)m->batch;
	m->series[arm]->start_ns = m->c->start_ns;

	return 0;
}

/* One operation of each arm; `fastest` is the least that any took so far. */
static int pass(const struct run *run, struct measurement *m, double *fastest,
                struct ovl2_error *err)
{
	double from = runner_clock_ns();

	for (size_t arm = 0; arm < m->arm_count; arm++) {
		double once = 0;
		int r = take_sample(run, m, arm, &once, err);

		if (r != 0)
			return r;
		if (once < *fastest)
			*fastest = once;
	}
	m->pass_ns = runner_clock_ns() - from;

	return 0;
}

/* Fills caches and finds out how many operations make one sample. */
static int warm_up(const struct run *run, struct measurement *m, struct ovl2_error *err)
{
	int is_short = m->bench->is_throughput || run->options->tier == BENCH_TIER_SMOKE;
	double fastest = 1e18;
	double before = 1e18;
	double batch;

	m->batch = 1;
	m->pass_ns = 1e17;
	for (int i = 0; i < WARM_UP_MOST && m->pass_ns < STILL_WARMING * before; i++) {
		int r;

		before = m->pass_ns;
		r = pass(run, m, &fastest, err);
		if (r != 0)
			return r;
		if (is_short)
			break;
	}

	batch = MIN_SAMPLE_RESOLUTIONS * run->resolution_ns / fastest;
	if (batch > 1)
		m->batch = batch < MAX_BATCH ? (size_t)batch + 1 : MAX_BATCH;

	return 0;
}

/* Single mounts vary by tens of percents, whole trees by a few, and take longer. */
static size_t least_blocks(const struct run *run, const struct bench *bench)
{
	switch (run->options->tier) {
	case BENCH_TIER_FULL:
		return bench->is_throughput ? 2 : 10;
	case BENCH_TIER_SMOKE:
		return 1;
	default:
		return bench->is_throughput ? 1 : 3;
	}
}

/* After the warm-up: what takes little time is measured more often. */
static size_t count_blocks(const struct run *run, const struct measurement *m)
{
	size_t least = least_blocks(run, m->bench);
	double more = BLOCKS_NS / (m->pass_ns * (double)m->batch);

	if (run->options->blocks)
		return run->options->blocks;
	if (run->options->tier == BENCH_TIER_SMOKE || more <= (double)least)
		return least;

	return more < BLOCKS_MOST ? (size_t)more : least > BLOCKS_MOST ? least : BLOCKS_MOST;
}

static int take_blocks(struct run *run, const struct measurement *m, size_t blocks,
                       struct ovl2_error *err)
{
	size_t order[RUNNER_ARMS];

	for (size_t i = 0; i < m->arm_count; i++)
		order[i] = i;
	for (size_t block = 0; block < blocks; block++) {
		stats_shuffle(order, m->arm_count, &run->random);
		for (size_t i = 0; i < m->arm_count; i++) {
			double *value = &m->series[order[i]]->values_ns[block];
			int r = take_sample(run, m, order[i], value, err);

			if (r != 0)
				return r;
		}
	}

	return 0;
}

struct runner_series *runner_series(struct runner_result *result, size_t arm)
{
	struct runner_series *const first[] = { &result->ours, &result->floor, &result->peer };

	return arm < ARRAY_SIZE(first) ? first[arm] : &result->more_peers[arm - ARRAY_SIZE(first)];
}

int runner_make_room(struct runner_result *result, size_t count, struct ovl2_error *err)
{
	int r = 0;

	for (size_t arm = 0; arm < RUNNER_ARMS; arm++) {
		struct runner_series *series = runner_series(result, arm);

		if (!series->title)
			continue;
		series->values_ns = calloc(count, sizeof(*series->values_ns));
		if (!series->values_ns)
			r = -1;
	}
	result->ratios = calloc(count, sizeof(*result->ratios));

	return r < 0 || !result->ratios ? ovi_fail_memory(err) : 0;
}

int runner_summarise(struct runner_result *result, struct ovl2_error *err)
{
	size_t size = result->count * sizeof(double);
	cleanup_free double *scratch = malloc(size);

	if (!scratch)
		return ovi_fail_memory(err);

	for (size_t arm = 0; arm < RUNNER_ARMS; arm++) {
		struct runner_series *series = runner_series(result, arm);

		if (!series->title)
			continue;
		memcpy(scratch, series->values_ns, size);
		stats_summarise(scratch, result->count, &series->summary);
		stats_find_tail(series->calls.values_ns, series->calls.count, &series->latency);
	}
	memcpy(scratch, result->ratios, size);
	stats_summarise(scratch, result->count, &result->ratio);
	result->detectable = stats_detectable_between(scratch, result->count);

	return 0;
}

static int measure(struct run *run, struct measurement *m, struct runner_result *result,
                   struct ovl2_error *err)
{
	int r;

	for (size_t i = 0; i < m->arm_count; i++)
		m->series[i]->title = m->arms[i]->title;
	r = warm_up(run, m, err);
	m->c->ours_latency.count = 0;
	m->c->floor_latency.count = 0;
	if (r != 0)
		return r;

	result->count = count_blocks(run, m);
	r = runner_make_room(result, result->count, err);
	if (r == 0)
		r = take_blocks(run, m, result->count, err);
	for (size_t i = 0; i < result->count && r == 0; i++)
		result->ratios[i] = result->ours.values_ns[i] / result->floor.values_ns[i];

	return r;
}

static void release_series(struct runner_series *series)
{
	free(series->values_ns);
	free(series->calls.values_ns);
	*series = (struct runner_series){ 0 };
}

static void drop_samples(struct runner_result *result)
{
	for (size_t arm = 0; arm < RUNNER_ARMS; arm++)
		release_series(runner_series(result, arm));
	free(result->ratios);
	result->ratios = NULL;
	result->count = 0;
}

int runner_skip(struct runner_result *result, const char *reason, struct ovl2_error *err)
{
	drop_samples(result);
	result->skipped = strdup(reason);

	return result->skipped ? 0 : ovi_fail_memory(err);
}

static void add_arm(struct measurement *m, const struct bench_arm *arm, const char *program,
                    const char *device, struct runner_series *series)
{
	if (!arm->run || (program && !tool_has(program)) ||
	    (device && access(device, R_OK | W_OK) < 0))
		return;
	m->arms[m->arm_count] = arm;
	m->series[m->arm_count] = series;
	m->arm_count++;
}

static void choose_arms(struct measurement *m, struct runner_result *result)
{
	const struct bench *bench = m->bench;

	add_arm(m, &bench->ours, NULL, NULL, &result->ours);
	add_arm(m, &bench->floor, NULL, NULL, &result->floor);
	add_arm(m, &bench->peer, bench->peer_program, NULL, &result->peer);
	for (size_t i = 0; i < BENCH_MORE_PEERS; i++)
		add_arm(m, &bench->more_peers[i].arm, bench->more_peers[i].program,
		        bench->more_peers[i].device, &result->more_peers[i]);
}

/* Setup, samples, teardown. 1 when the run was stopped meanwhile. */
static int do_case(struct run *run, struct bench_case *c, struct runner_result *result,
                   struct ovl2_error *err)
{
	const struct bench *bench = result->bench;
	struct measurement m = { .bench = bench, .c = c };
	struct ovl2_error end = { 0 };
	int ended;
	int r;

	choose_arms(&m, result);
	r = call_hook(bench->setup, c, err);
	if (r == 0 && !*c->skipped)
		r = measure(run, &m, result, err);
	ended = call_hook(bench->teardown, c, &end);
	if (r == 0 && ended < 0) {
		r = ended;
		if (err)
			*err = end;
	}

	result->ours.calls = c->ours_latency;
	result->floor.calls = c->floor_latency;
	result->bytes = c->bytes;
	result->files = c->files;
	result->data_bytes = c->data_bytes;
	result->data_limit_bytes = c->data_limit_bytes;
	result->peak_rss_bytes = c->peak_rss_bytes;

	return r;
}

struct runner_result *runner_add_result(struct runner_results *results)
{
	size_t size = (results->count + 1) * sizeof(*results->list);
	struct runner_result *list = realloc(results->list, size);

	if (!list)
		return NULL;
	results->list = list;
	list[results->count] = (struct runner_result){ 0 };

	return &list[results->count++];
}

static void release_result(struct runner_result *result)
{
	drop_samples(result);
	free(result->skipped);
	result->skipped = NULL;
}

/* 1 when the run was stopped meanwhile: this case then leaves no result. */
static int run_case(struct run *run, const struct bench *bench, const struct bench_variant *variant,
                    uint64_t value, struct ovl2_error *err)
{
	struct bench_case c = {
		.place = run->place,
		.bench = bench,
		.variant = variant->name,
		.value = value,
	};
	struct runner_result *result;
	struct ovl2_error failure = { 0 };
	int r;

	if (run->options->progress)
		run->options->progress(bench, &c);

	result = runner_add_result(run->results);
	if (!result)
		return ovi_fail_memory(err);
	result->bench = bench;
	result->variant = variant->name;
	result->value = value;

	r = do_case(run, &c, result, &failure);
	if (is_stopped(run) && r != 0) {
		release_result(result);
		run->results->count--;
		return 1;
	}
	if (*c.skipped)
		return runner_skip(result, c.skipped, err);
	if (r < 0) {
		result->is_failed = 1;
		return runner_skip(result, failure.message, err);
	}
	r = runner_summarise(result, err);

	return r < 0 ? r : is_stopped(run);
}

static int pin(const struct run *run, const struct bench *bench, struct ovl2_error *err)
{
	cpu_set_t set = run->all;

	if (run->options->cpu < 0)
		return 0;
	if (!bench->is_spread && !bench->is_throughput) {
		CPU_ZERO(&set);
		CPU_SET((size_t)run->options->cpu, &set);
	}
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		return ovi_fail_errno(err, "pin '%s' to a processor", bench->id);

	return 0;
}

static int run_bench(struct run *run, const struct bench *bench, struct ovl2_error *err)
{
	static const uint64_t none[] = { 0 };
	int r = pin(run, bench, err);

	for (const struct bench_variant *v = bench->variants; v->name && r == 0; v++) {
		const uint64_t *value = v->values ? v->values : none;

		do
			r = run_case(run, bench, v, *value, err);
		while (r == 0 && *value && *++value);
	}

	return r;
}

int runner_run(const struct bench *const *benches, struct place *place,
               const struct runner_options *options, struct runner_results *results,
               struct ovl2_error *err)
{
	struct run run = {
		.options = options,
		.place = place,
		.results = results,
		.resolution_ns = measure_resolution(),
		.random = options->seed,
	};
	int r = 0;

	if (sched_getaffinity(0, sizeof(run.all), &run.all) < 0)
		return ovi_fail_errno(err, "find the processors of this process");
	for (size_t i = 0; benches[i] && r == 0; i++)
		r = run_bench(&run, benches[i], err);
	results->is_complete = r == 0;

	return r < 0 ? r : 0;
}

void runner_results_release(struct runner_results *results)
{
	for (size_t i = 0; i < results->count; i++)
		release_result(&results->list[i]);
	free(results->list);
	*results = (struct runner_results){ 0 };
}
