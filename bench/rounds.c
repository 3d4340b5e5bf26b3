#include "rounds.h"

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

/* ------------------------------------------------------- what a round tells -- */

/*
 * One case of a round, between two processes of the same program: then follow `count`
 * ratios and, of each arm that ran, `count` values and `call_counts` of single calls.
 */
struct message {
	/* Within what was asked for. */
	size_t bench;
	size_t variant;
	uint64_t value;

	size_t count;
	int has_arm[RUNNER_ARMS];
	size_t call_counts[RUNNER_ARMS];
	uint64_t bytes;
	uint64_t files;
	uint64_t data_bytes;
	uint64_t data_limit_bytes;
	int is_failed;
	char skipped[512];
};

static size_t find_bench(const struct bench *const *benches, const struct bench *bench)
{
	size_t i = 0;

	while (benches[i] != bench)
		i++;

	return i;
}

static size_t find_variant(const struct bench *bench, const char *name)
{
	size_t i = 0;

	while (bench->variants[i].name != name)
		i++;

	return i;
}

static void send_result(const struct bench *const *benches, struct runner_result *result, FILE *out)
{
	struct message message = {
		.bench = find_bench(benches, result->bench),
		.variant = find_variant(result->bench, result->variant),
		.value = result->value,
		.count = result->count,
		.bytes = result->bytes,
		.files = result->files,
		.data_bytes = result->data_bytes,
		.data_limit_bytes = result->data_limit_bytes,
		.is_failed = result->is_failed,
	};

	if (result->skipped)
		snprintf(message.skipped, sizeof(message.skipped), "%s", result->skipped);
	for (size_t arm = 0; arm < RUNNER_ARMS; arm++) {
		const struct runner_series *series = runner_series(result, arm);

		message.has_arm[arm] = series->title != NULL;
		message.call_counts[arm] = series->calls.count;
	}
	fwrite(&message, sizeof(message), 1, out);
	if (result->count)
		fwrite(result->ratios, sizeof(double), result->count, out);
	for (size_t arm = 0; arm < RUNNER_ARMS; arm++) {
		const struct runner_series *series = runner_series(result, arm);

		if (!series->title)
			continue;
		fwrite(series->values_ns, sizeof(double), result->count, out);
		if (series->calls.count)
			fwrite(series->calls.values_ns, sizeof(double), series->calls.count, out);
	}
}

/* ---------------------------------------------------------- being a round -- */

/* For print_progress(), which is called without any of it. */
static struct {
	const struct round *round;
	const struct bench *const *benches;
	const struct bench *last;
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
	double spent = runner_clock_ns() - shown.round->start_ns;
	double done = (double)shown.round->number + (double)shown.done / (double)shown.total;
	char value[32] = "";
	char left[48] = "";

	if (done > 0)
		snprintf(left, sizeof(left), ", %.0f s left",
		         spent / done * ((double)shown.round->count - done) / 1e9);
	if (c->value)
		snprintf(value, sizeof(value), " %llu", (unsigned long long)c->value);
	fprintf(stderr, "\r\033[Kround %zu of %zu: %s %s%s%s", shown.round->number + 1,
	        shown.round->count, bench->id, c->variant, value, left);
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

static int measure(const struct bench *const *benches, const struct runner_options *options,
                   const struct round *round, FILE *out, struct ovl2_error *err)
{
	struct runner_options own = *options;
	struct runner_results results = { 0 };
	struct place *place = NULL;
	cleanup_free const struct bench **ordered = NULL;
	int r;

	own.seed = round->seed;
	own.cpu = round->cpu;
	ordered = order(benches, &own.seed);
	if (!ordered)
		return ovi_fail_memory(err);

	r = place_open(own.tier, &place, err);
	if (r == 0)
		r = runner_run(ordered, place, &own, &results, err);
	place_close(place);
	for (size_t i = 0; i < results.count && r == 0; i++)
		send_result(benches, &results.list[i], out);
	runner_results_release(&results);

	return r;
}

int rounds_serve(const struct bench *const *benches, const struct runner_options *options,
                 int is_shown, struct ovl2_error *err)
{
	struct runner_options own = *options;
	struct round round;
	FILE *out;
	int r;

	if (recv(ROUND_SOCKET, &round, sizeof(round), MSG_WAITALL) != sizeof(round))
		return ovi_fail(err, OVL2_E_INVALID, "nobody asked for this round");
	out = fdopen(ROUND_SOCKET, "w");
	if (!out || fcntl(ROUND_SOCKET, F_SETFD, FD_CLOEXEC) < 0)
		return ovi_fail_errno(err, "answer to who asked for this round");

	shown.round = &round;
	for (size_t i = 0; benches[i]; i++)
		shown.total += weigh(benches[i]);
	if (is_shown)
		own.progress = print_progress;
	r = measure(benches, &own, &round, out, err);
	if (fclose(out) != 0 && r == 0)
		r = ovi_fail_errno(err, "answer to who asked for this round");

	return r;
}

/* ------------------------------------------------------- asking for rounds -- */

/* In the child, with its end of the socket. */
static void be_round(int end, pid_t parent, char *const *argv)
{
	/* Whatever ends the run ends its round; and Ctrl-C is for the run, which passes it on. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && setpgid(0, 0) == 0 &&
	    dup2(end, ROUND_SOCKET) == ROUND_SOCKET)
		execv("/proc/self/exe", argv);
	_exit(1);
}

static int start(const struct round *round, char *const *argv, int *ret_end, struct ovl2_error *err)
{
	pid_t parent = getpid();
	cleanup_fd int ours = -1;
	cleanup_fd int its = -1;
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return ovi_fail_errno(err, "make a socket for a round");
	/* Not where the child's is to be. */
	ours = ends[0];
	its = fcntl(ends[1], F_DUPFD_CLOEXEC, ROUND_SOCKET + 1);
	close(ends[1]);
	if (its < 0 || write(ours, round, sizeof(*round)) != sizeof(*round))
		return ovi_fail_errno(err, "tell a round what to do");

	pid = fork();
	if (pid < 0)
		return ovi_fail_errno(err, "start a round");
	if (pid == 0)
		be_round(its, parent, argv);
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

static const char *arm_title(const struct bench *bench, size_t arm)
{
	const struct bench_arm *const first[] = { &bench->ours, &bench->floor, &bench->peer };

	return arm < ARRAY_SIZE(first) ? first[arm]->title
	                               : bench->more_peers[arm - ARRAY_SIZE(first)].arm.title;
}

static int read_values(FILE *in, double *values, size_t count, struct ovl2_error *err)
{
	if (!values)
		return ovi_fail_memory(err);
	if (fread(values, sizeof(*values), count, in) != count)
		return ovi_fail(err, OVL2_E_SYSTEM, "a round broke off in the midst of a case");

	return 0;
}

static int read_figures(FILE *in, const struct message *message, struct runner_result *result,
                        struct ovl2_error *err)
{
	int r;

	for (size_t arm = 0; arm < RUNNER_ARMS; arm++)
		if (message->has_arm[arm])
			runner_series(result, arm)->title = arm_title(result->bench, arm);
	result->count = message->count;
	r = runner_make_room(result, message->count, err);
	if (r == 0)
		r = read_values(in, result->ratios, message->count, err);

	for (size_t arm = 0; arm < RUNNER_ARMS && r == 0; arm++) {
		struct runner_series *series = runner_series(result, arm);
		size_t calls = message->call_counts[arm];

		if (!series->title)
			continue;
		r = read_values(in, series->values_ns, message->count, err);
		if (r == 0 && calls)
			r = read_values(in, runner_add_latency(&series->calls, calls), calls, err);
	}

	return r;
}

static int read_result(FILE *in, const struct bench *const *benches, const struct message *message,
                       struct runner_results *results, struct ovl2_error *err)
{
	struct runner_result *result = runner_add_result(results);

	if (!result)
		return ovi_fail_memory(err);
	result->bench = benches[message->bench];
	result->variant = result->bench->variants[message->variant].name;
	result->value = message->value;
	result->bytes = message->bytes;
	result->files = message->files;
	result->data_bytes = message->data_bytes;
	result->data_limit_bytes = message->data_limit_bytes;
	result->is_failed = message->is_failed;
	if (*message->skipped)
		return runner_skip(result, message->skipped, err);

	return read_figures(in, message, result, err);
}

/* All that a round says until it ends. */
static int read_round(int end, const struct bench *const *benches, struct runner_results *results,
                      struct ovl2_error *err)
{
	struct message message;
	FILE *in = fdopen(end, "r");
	int r = 0;

	if (!in) {
		close(end);
		return ovi_fail_errno(err, "listen to a round");
	}
	while (r == 0 && fread(&message, sizeof(message), 1, in) == 1)
		r = read_result(in, benches, &message, results, err);
	fclose(in);

	return r;
}

/* ------------------------------------------------------ rounds become a run -- */

static struct runner_result *find_result(struct runner_results *results,
                                         const struct runner_result *one)
{
	struct runner_result *result;

	for (size_t i = 0; i < results->count; i++) {
		result = &results->list[i];
		if (result->bench == one->bench && result->variant == one->variant &&
		    result->value == one->value)
			return result;
	}

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
		if (!more->calls.count)
			continue;
		calls = runner_add_latency(&series->calls, more->calls.count);
		if (!calls)
			return ovi_fail_memory(err);
		memcpy(calls, more->calls.values_ns, more->calls.count * sizeof(*calls));
	}
	result->ratios[result->count] = median_of(one->ratios, one->count);
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

static int do_round(const struct bench *const *benches, const struct rounds_options *options,
                    const struct round *round, struct runner_results *results,
                    struct ovl2_error *err)
{
	struct runner_results one = { 0 };
	int end = -1;
	int ended;
	int r;

	r = start(round, options->argv, &end, err);
	if (r < 0)
		return r;
	r = read_round(end, benches, &one, err);
	ended = wait_for(r == 0 ? err : NULL);
	if (r == 0)
		r = ended;
	if (r == 0)
		r = merge(results, &one, round->count, err);
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

int rounds_run(const struct bench *const *benches, const struct site *site,
               const struct rounds_options *options, struct runner_results *results,
               struct ovl2_error *err)
{
	struct round round = {
		.count = count_rounds(options),
		.cpu = options->cpu,
		.start_ns = runner_clock_ns(),
	};
	uint64_t random = options->seed;
	int r = 0;

	for (; round.number < round.count && !*options->stop && r == 0; round.number++) {
		round.seed = stats_draw(&random);
		r = do_round(benches, options, &round, results, err);
		if (r == 0)
			r = site_clear(site, err);
	}
	for (size_t i = 0; i < results->count && r == 0; i++)
		if (!results->list[i].skipped)
			r = runner_summarise(&results->list[i], err);
	if (r == 0)
		r = sort_results(benches, results, err);
	results->is_complete = r == 0 && !*options->stop;

	return r;
}
