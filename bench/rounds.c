#include "rounds.h"

#include "message.h"
#include "place.h"
#include "site.h"

#include "cleanup.h"
#include "fail.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Where a round finds the socket to the process that asked for it. */
#define ROUND_SOCKET 3

/* The process of the round that runs, or 0. */
static volatile sig_atomic_t running;

void rounds_forward(int signal)
{
	if (running)
		kill(running, signal);
}

/* ---------------------------------------------------------- being a round -- */

/* For print_progress(), which is called without any of it. */
static struct {
	const struct round *round;
	uint64_t done;
	uint64_t total;
} shown;

static uint64_t weigh(const struct bench *bench)
{
	uint64_t weight = 0;

	for (const struct bench_variant *v = bench->variants; v->name; v++) {
		size_t count = 0;

		while (v->values && v->values[count])
			count++;
		weight += bench->weight * (count ? count : 1);
	}

	return weight;
}

static void print_progress(const struct bench *bench, const struct bench_case *c)
{
	const struct round *round = shown.round;
	double spent = runner_clock_ns() - round->start_ns;
	double done = round->done + round->share * (double)shown.done / (double)shown.total;
	char value[32] = "";
	char left[48] = "";

	if (done > 0)
		snprintf(left, sizeof(left), ", %.0f s left", spent / done * (1 - done) / 1e9);
	if (c->value)
		snprintf(value, sizeof(value), " %llu", (unsigned long long)c->value);
	fprintf(stderr, "\r\033[Kround %zu of %zu: %s %s%s%s", round->number + 1, round->count,
	        bench->id, c->variant, value, left);
	shown.done += bench->weight;
}

/*
 * In an order of its own, those ahead that are to find an empty store; ends with NULL;
 * free(3).
 */
static const struct bench **order(const struct bench *const *benches, uint64_t *random)
{
	size_t count = 0;
	size_t early = 0;

	while (benches[count])
		count++;

	const struct bench **ordered = calloc(count + 1, sizeof(void *));
	cleanup_free size_t *drawn = calloc(count + 1, sizeof(*drawn));

	if (!ordered || !drawn) {
		free(ordered);
		return NULL;
	}
	for (size_t i = 0; i < count; i++)
		drawn[i] = i;
	stats_shuffle(drawn, count, random);
	for (size_t i = 0; i < count; i++)
		if (benches[drawn[i]]->is_first)
			ordered[early++] = benches[drawn[i]];
	for (size_t i = 0; i < count; i++)
		if (!benches[drawn[i]]->is_first)
			ordered[early++] = benches[drawn[i]];

	return ordered;
}

static int measure(const struct bench *const *benches, const struct round *round,
                   const volatile sig_atomic_t *stop_flag, FILE *out, struct ovl2_error *err)
{
	struct runner_options options = {
		.seed = round->seed,
		.tier = round->tier,
		.cpu = round->cpu,
		.stop = stop_flag,
		.progress = round->is_shown ? print_progress : NULL,
	};
	cleanup_free const struct bench **ordered = order(benches, &options.seed);
	struct runner_results results = { 0 };
	struct place *place = NULL;
	int r;

	if (!ordered)
		return ovi_fail_memory(err);

	r = place_open(round->tier, &place, err);
	if (r == 0)
		r = runner_run(ordered, place, &options, &results, err);
	place_close(place);
	for (size_t i = 0; i < results.count && r == 0; i++)
		r = message_send_result(out, &results.list[i], err);
	runner_results_release(&results);

	return r;
}

static int answer(FILE *in, FILE *out, const volatile sig_atomic_t *stop_flag,
                  struct ovl2_error *err)
{
	cleanup_free const struct bench **benches = NULL;
	struct round round;
	int r;

	r = message_read_round(in, &round, &benches, err);
	if (r == 0)
		r = message_send_greeting(out, err);
	if (r < 0)
		return r;
	shown.round = &round;
	for (size_t i = 0; benches[i]; i++)
		shown.total += weigh(benches[i]);

	return measure(benches, &round, stop_flag, out, err);
}

int rounds_serve(const volatile sig_atomic_t *stop_flag, struct ovl2_error *err)
{
	cleanup_fd int end = fcntl(ROUND_SOCKET, F_DUPFD_CLOEXEC, ROUND_SOCKET + 1);
	FILE *in = end < 0 ? NULL : fdopen(end, "r");
	FILE *out;
	int r;

	if (!in || fcntl(ROUND_SOCKET, F_SETFD, FD_CLOEXEC) < 0)
		return ovi_fail(err, OVL2_E_INVALID, "nobody asked for this round");
	end = -1;
	out = fdopen(ROUND_SOCKET, "w");
	r = out ? answer(in, out, stop_flag, err)
	        : ovi_fail_errno(err, "answer to who asked for this round");
	fclose(in);
	if (out && fclose(out) != 0 && r == 0)
		r = ovi_fail_errno(err, "answer to who asked for this round");

	return r;
}

/* ------------------------------------------------------- asking for rounds -- */

/* In the child, with its end of the socket. */
static void be_round(int end, pid_t parent, const char *program)
{
	static char argument[] = ROUNDS_ARGUMENT;
	char *const argv[] = { (char *)program, argument, NULL };

	/* Whatever ends the run ends its round; and Ctrl-C is for the run, which passes it on. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && setpgid(0, 0) == 0 &&
	    dup2(end, ROUND_SOCKET) == ROUND_SOCKET)
		execv(program, argv);
	_exit(1);
}

static int start(const struct round *round, const struct bench *const *benches, const char *program,
                 int *ret_end, struct ovl2_error *err)
{
	pid_t parent = getpid();
	cleanup_fd int ours = -1;
	cleanup_fd int its = -1;
	int ends[2];
	pid_t pid;
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return ovi_fail_errno(err, "make a socket for a round");
	/* Not where the child's is to be. */
	ours = ends[0];
	its = fcntl(ends[1], F_DUPFD_CLOEXEC, ROUND_SOCKET + 1);
	close(ends[1]);
	if (its < 0)
		return ovi_fail_errno(err, "tell a round what to do");
	r = message_send_round(ours, round, benches, err);
	if (r < 0)
		return r;

	pid = fork();
	if (pid < 0)
		return ovi_fail_errno(err, "start a round");
	if (pid == 0)
		be_round(its, parent, program);
	running = pid;
	*ret_end = steal_fd(&ours);

	return 0;
}

static int wait_for(struct ovl2_error *err)
{
	pid_t pid = running;
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return ovi_fail_errno(err, "wait for a round");
	running = 0;
	if (WIFSIGNALED(status))
		return ovi_fail(err, OVL2_E_SYSTEM, "a round was ended by signal %d",
		                WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return ovi_fail(err, OVL2_E_SYSTEM, "a round failed, and said above why");

	return 0;
}

/* All that a round says until it ends. */
static int read_round(int end, struct runner_results *results, struct ovl2_error *err)
{
	FILE *in = fdopen(end, "r");
	int r;

	if (!in) {
		close(end);
		return ovi_fail_errno(err, "listen to a round");
	}
	r = message_read_greeting(in, err);
	if (r == 0)
		do
			r = message_read_result(in, results, err);
		while (r > 0);
	fclose(in);

	return r;
}

/* ------------------------------------------------------ rounds become a run -- */

static struct runner_result *find_result(struct runner_results *results,
                                         const struct runner_result *one)
{
	struct runner_result *result = (struct runner_result *)rounds_find(results, one);

	if (result)
		return result;
	result = runner_add_result(results);
	if (!result)
		return NULL;
	result->bench = one->bench;
	result->variant = one->variant;
	result->value = one->value;

	return result;
}

static void take_facts(struct runner_result *result, const struct runner_result *one)
{
	result->bytes = one->bytes;
	result->files = one->files;
	result->data_bytes = one->data_bytes;
	result->data_limit_bytes = one->data_limit_bytes;
	if (one->peak_rss_bytes > result->peak_rss_bytes)
		result->peak_rss_bytes = one->peak_rss_bytes;
}

static double median_of(double *values, size_t count)
{
	stats_sort(values, count);

	return stats_median(values, count);
}

/* The blocks of one round become one value. */
static int add_values(struct runner_result *result, struct runner_result *one, size_t rounds,
                      struct ovl2_error *err)
{
	int r;

	if (result->count == 0) {
		for (size_t arm = 0; arm < RUNNER_ARMS; arm++)
			runner_series(result, arm)->title = runner_series(one, arm)->title;
		r = runner_make_room(result, rounds, err);
		if (r < 0)
			return r;
	}

	for (size_t arm = 0; arm < RUNNER_ARMS; arm++) {
		struct runner_series *series = runner_series(result, arm);
		struct runner_series *more = runner_series(one, arm);
		double *calls;

		if (!series->title)
			continue;
		series->values_ns[result->count] = median_of(more->values_ns, one->count);
		series->start_ns +=
			(more->start_ns - series->start_ns) / (double)(result->count + 1);
		if (!more->calls.count)
			continue;
		calls = runner_add_latency(&series->calls, more->calls.count);
		if (!calls)
			return ovi_fail_memory(err);
		memcpy(calls, more->calls.values_ns, more->calls.count * sizeof(*calls));
	}
	result->ratios[result->count] = median_of(one->ratios, one->count);
	if (!result->count || one->count < result->blocks)
		result->blocks = one->count;
	result->count++;

	return 0;
}

static int merge(struct runner_results *results, struct runner_results *round, size_t rounds,
                 struct ovl2_error *err)
{
	int r = 0;

	for (size_t i = 0; i < round->count && r == 0; i++) {
		struct runner_result *one = &round->list[i];
		struct runner_result *result = find_result(results, one);

		if (!result)
			return ovi_fail_memory(err);
		take_facts(result, one);
		/* A case that failed once has no figures, whatever other rounds say. */
		if (result->skipped)
			continue;
		result->is_failed = one->is_failed;
		r = one->skipped ? runner_skip(result, one->skipped, err)
		                 : add_values(result, one, rounds, err);
	}

	return r;
}

/* As they were asked for, not as the first round happened to take them. */
static int sort_results(const struct bench *const *benches, struct runner_results *results,
                        struct ovl2_error *err)
{
	struct runner_result *sorted = calloc(results->count + 1, sizeof(*sorted));
	size_t count = 0;

	if (!sorted)
		return ovi_fail_memory(err);
	for (; *benches; benches++)
		for (size_t i = 0; i < results->count; i++)
			if (results->list[i].bench == *benches)
				sorted[count++] = results->list[i];
	free(results->list);
	results->list = sorted;

	return 0;
}

struct run {
	const struct bench *const *benches;
	const struct site *site;
	const struct rounds_options *options;

	/* Of each build. */
	struct runner_results *results;
	struct round round;
	uint64_t random;
};

static int do_round(const struct run *run, const struct bench *const *benches, const char *program,
                    struct runner_results *results, struct ovl2_error *err)
{
	struct runner_results one = { 0 };
	int end = -1;
	int ended;
	int r;

	r = start(&run->round, benches, program, &end, err);
	if (r < 0)
		return r;
	r = read_round(end, &one, err);
	ended = wait_for(r == 0 ? err : NULL);
	if (r == 0)
		r = ended;
	/* Told to end before it could listen: it is one that did not begin. */
	if (r < 0 && *run->options->stop)
		r = 0;
	else if (r == 0)
		r = merge(results, &one, run->round.count, err);
	runner_results_release(&one);

	return r;
}

/* An interval of 0.95 takes 6, which is what a minute has. */
static size_t count_rounds(const struct rounds_options *options)
{
	if (options->count)
		return options->count;

	switch (options->tier) {
	case BENCH_TIER_FULL:
		return 20;
	case BENCH_TIER_SMOKE:
		return 1;
	default:
		return 6;
	}
}

/* ---------------------------------------------------- this build and the base -- */

static int do_build(struct run *run, const struct bench *const *benches, size_t build,
                    struct ovl2_error *err)
{
	const char *program = build == ROUNDS_OWN ? "/proc/self/exe" : run->options->base;
	int r = do_round(run, benches, program, &run->results[build], err);

	if (r < 0)
		return build == ROUNDS_OWN ? r : ovi_fail_within(err, r, "base '%s'", program);
	run->round.done += run->round.share;

	return site_clear(run->site, err);
}

/* All benchmarks in an order drawn anew, each by both builds in turn: `twice` or once. */
static int do_block(struct run *run, int twice, struct ovl2_error *err)
{
	cleanup_free const struct bench **ordered = order(run->benches, &run->random);
	size_t count = 0;
	int r = 0;

	if (!ordered)
		return ovi_fail_memory(err);
	while (ordered[count])
		count++;
	run->round.share = 1 / (double)(run->round.count * count * ROUNDS_BUILDS);
	for (size_t i = 0; i < count && r == 0; i++) {
		const struct bench *const one[] = { ordered[i], NULL };
		size_t builds[] = { ROUNDS_OWN, ROUNDS_BASE, ROUNDS_OWN, ROUNDS_BASE };
		size_t part = ARRAY_SIZE(builds) / (twice ? 1 : 2);

		run->round.seed = stats_draw(&run->random);
		stats_shuffle(builds, part, &run->random);
		for (size_t k = 0; k < part && r == 0 && !*run->options->stop; k++)
			r = do_build(run, one, builds[k], err);
	}

	return r;
}

/* Returns how many rounds, or a failure. */
static int do_rounds(struct run *run, struct ovl2_error *err)
{
	int twice = run->options->base && run->round.number + 1 < run->round.count;
	int r;

	if (run->options->base) {
		r = do_block(run, twice, err);
	} else {
		run->round.share = 1 / (double)run->round.count;
		run->round.seed = stats_draw(&run->random);
		r = do_build(run, run->benches, ROUNDS_OWN, err);
	}

	return r < 0 ? r : 1 + twice;
}

static int finish(const struct bench *const *benches, struct runner_results *results,
                  struct ovl2_error *err)
{
	int r = 0;

	for (size_t i = 0; i < results->count && r == 0; i++)
		if (!results->list[i].skipped)
			r = runner_summarise(&results->list[i], err);

	return r < 0 ? r : sort_results(benches, results, err);
}

int rounds_run(const struct bench *const *benches, const struct site *site,
               const struct rounds_options *options, struct runner_results *results,
               struct ovl2_error *err)
{
	struct run run = {
		.benches = benches,
		.site = site,
		.options = options,
		.results = results,
		.random = options->seed,
		.round = {
			.count = count_rounds(options),
			.tier = options->tier,
			.cpu = options->cpu,
			.is_shown = options->is_shown,
			.start_ns = runner_clock_ns(),
		},
	};
	int r = 0;

	while (run.round.number < run.round.count && !*options->stop && r >= 0) {
		r = do_rounds(&run, err);
		run.round.number += r > 0 ? (size_t)r : 0;
	}
	for (size_t build = 0; build < ROUNDS_BUILDS && r >= 0; build++)
		r = finish(benches, &results[build], err);
	results[ROUNDS_OWN].is_complete = r >= 0 && !*options->stop;

	return r < 0 ? r : 0;
}

const struct runner_result *rounds_find(const struct runner_results *results,
                                        const struct runner_result *one)
{
	for (size_t i = 0; i < results->count; i++) {
		const struct runner_result *result = &results->list[i];

		if (result->bench == one->bench && result->variant == one->variant &&
		    result->value == one->value)
			return result;
	}

	return NULL;
}
