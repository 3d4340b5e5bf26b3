#include "bench.h"

#include "cleanup.h"
#include "cli.h"
#include "conditions.h"
#include "environment.h"
#include "exact.h"
#include "fail.h"
#include "image.h"
#include "output.h"
#include "place.h"
#include "record.h"
#include "rounds.h"
#include "runner.h"
#include "site.h"
#include "strbuf.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* There are fewer benchmarks. */
#define MAX_BENCHES 256

/* With --strict. */
#define EXIT_UNFIT 2

/* A ratio known no better than by this much hides changes that matter. */
#define WIDE_INTERVAL 0.2

enum {
	KEY_BASE = 256,
	KEY_JSON,
	KEY_LIST,
	KEY_ROUNDS,
	KEY_SEED,
	KEY_STRICT,
	KEY_UNPINNED,
};

static const struct cli_option options[] = {
	{ "dir", 'd', "DIR", "work in a directory of DIR instead of an image" },
	{ "filesystem", 'f', "NAME",
	  "of the image: xfs (default), ext4, btrfs, tmpfs or all (in turn)" },
	{ "tier", 't', "NAME",
	  "of work: quick (default, a minute), gate (quick in 20 rounds, for --base), full (many "
	  "minutes) or exact (counts)" },
	{ "only", 'b', "ID", "only this benchmark; may be repeated" },
	{ "list", KEY_LIST, NULL, "list the benchmarks, what their floors are, and do nothing" },
	{ "base", KEY_BASE, "PROGRAM",
	  "the ovl2-bench of another build, measured in turn with this one" },
	{ "rounds", KEY_ROUNDS, "N",
	  "processes that measure it all, 1 to 1000, instead of the tier's" },
	{ "seed", KEY_SEED, "N", "draws the same order of samples again" },
	{ "strict", KEY_STRICT, NULL, "refuse a host that is not quiet, or not of one speed" },
	{ "unpinned", KEY_UNPINNED, NULL, "let the kernel choose processors for everything" },
	{ "json", KEY_JSON, NULL, "print the document ovl2-bench/1 instead of tables" },
	{ "output", 'o', "FILE", "write the document to FILE as well" },
	{ 0 },
};

static const struct cli_program program = {
	.name = "ovl2-bench",
	.usage = "[OPTION...]",
	.about =
		"Measures what layers cost: creating, mounting, reading as a tar, filling from a tar.\n"
		"Beside each figure stands its floor, the same work by bare system calls taken in the\n"
		"same minute, and the ratio of the two; that ratio carries over to other machines.\n"
		"Everything is measured in rounds, each a fresh process: a figure is the median of\n"
		"rounds and its interval is over rounds. With --base each benchmark is measured by\n"
		"both builds in turn, so that what the machine does meanwhile meets both of them.\n"
		"\n"
		"Tier exact counts instead: the system calls of one operation and, by valgrind, its\n"
		"instructions, which are the same on every run, however busy the host is.\n"
		"\n"
		"Works on an image of its own in TMPDIR (default /var/tmp), with mounts that nobody\n"
		"else sees, and leaves nothing behind. Needs root.",
	.options = options,
	.exit_codes =
		"  0    everything was measured, or skipped for a reason that is given\n"
		"  1    something failed: what is said to have FAILED, or the whole run\n"
		"  2    with --strict: the host was not fit to measure on, before or meanwhile\n"
		"  64   the command line makes no sense\n"
		"  130  interrupted: what was complete by then is in the document (143: SIGTERM)",
	.examples = "  ovl2-bench\n"
		    "  ovl2-bench --only mount_depth --filesystem ext4\n"
		    "  ovl2-bench --dir /var/lib --tier full --output bench.json\n"
		    "  ovl2-bench --tier exact --output exact.json\n"
		    "  ovl2-bench --base ../before/ovl2-bench --tier gate --output new.json\n"
		    "  ovl2-bench --only apply --json | jq '.results[].ratio'",
};

static const char *const filesystems[] = { "xfs", "ext4", "btrfs", "tmpfs" };

#define FILESYSTEMS ARRAY_SIZE(filesystems)

struct request {
	struct site_options site;
	const char *tier;
	size_t rounds;
	uint64_t seed;
	const struct bench *benches[MAX_BENCHES + 1];
	size_t bench_count;
	int is_strict;
	int is_unpinned;

	/* Path of a program, or NULL; free(3). */
	char *base;

	/* Of --filesystem: one, or all; none when it was not said. */
	const char *filesystems[FILESYSTEMS];
	size_t filesystem_count;

	/* Found out by run(). */
	int is_unfit;
	int has_failed;

	int is_list;
	int is_json;
	const char *output;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	static const char notice[] = "\novl2-bench: ends after this operation, then cleans up\n";

	stop = number;
	rounds_forward(number);
	if (write(STDERR_FILENO, notice, sizeof(notice) - 1) < 0)
		return;
}

/* ----------------------------------------------------------- command line -- */

static uint64_t parse_number(const char *option, const char *text, uint64_t least, uint64_t most)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < least || value > most)
		cli_usage_error(&program,
		                "option '--%s' takes a number from %llu to %llu, not '%s'", option,
		                (unsigned long long)least, (unsigned long long)most, text);

	return value;
}

/* What is measured is the quick tier's. */
static const char gate_tier[] = "gate";

/* Pairs of builds scatter by 6 % or so: 20 of them find a change of 4 %. */
#define GATE_ROUNDS 20

static enum bench_tier parse_tier(const char *text)
{
	enum bench_tier tier;

	/* smoke: one tiny operation of each, for the test suite. */
	if (strcmp(text, gate_tier) == 0)
		return BENCH_TIER_QUICK;
	if (bench_tier_find(text, &tier) < 0)
		cli_usage_error(&program, "there is no tier '%s', but quick, gate, full and exact",
		                text);

	return tier;
}

static void add_filesystems(struct request *request, const char *text)
{
	int is_all = strcmp(text, "all") == 0;

	request->filesystem_count = 0;
	for (size_t i = 0; i < FILESYSTEMS; i++)
		if (is_all || strcmp(text, filesystems[i]) == 0)
			request->filesystems[request->filesystem_count++] = filesystems[i];
	if (!request->filesystem_count)
		cli_usage_error(&program,
		                "there are images with xfs, ext4, btrfs and tmpfs, not with '%s'",
		                text);
}

static void add_only(struct request *request, const char *id)
{
	const struct bench *bench = bench_find(id);

	if (!bench)
		cli_usage_error(&program, "there is no benchmark '%s': --list shows them", id);
	for (size_t i = 0; i < request->bench_count; i++)
		if (request->benches[i] == bench)
			return;
	request->benches[request->bench_count++] = bench;
}

/* What a tier has when none was asked for by its id. */
static void add_tier(struct request *request)
{
	int is_quick = request->site.tier == BENCH_TIER_QUICK;

	for (const struct bench *const *b = bench_registry; *b; b++)
		if (!is_quick || !(*b)->is_full_only)
			request->benches[request->bench_count++] = *b;
}

/* Also where the rounds are, whose working directory and mounts are the same. */
static char *find_base(const char *path)
{
	char *base = realpath(path, NULL);

	if (!base || access(base, X_OK) < 0)
		cli_usage_error(&program, "--base: run '%s': %s", path, strerror(errno));

	return base;
}

static void parse_option(struct request *request, int key, const char *value)
{
	switch (key) {
	case 'd':
		request->site.directory = value;
		break;
	case 'f':
		add_filesystems(request, value);
		break;
	case 't':
		request->site.tier = parse_tier(value);
		request->tier = value;
		break;
	case 'b':
		add_only(request, value);
		break;
	case 'o':
		request->output = value;
		break;
	case KEY_BASE:
		request->base = find_base(value);
		break;
	case KEY_LIST:
		request->is_list = 1;
		break;
	case KEY_JSON:
		request->is_json = 1;
		break;
	case KEY_STRICT:
		request->is_strict = 1;
		break;
	case KEY_UNPINNED:
		request->is_unpinned = 1;
		break;
	case KEY_ROUNDS:
		request->rounds = parse_number("rounds", value, 1, 1000);
		break;
	default:
		request->seed = parse_number("seed", value, 0, INT64_MAX);
		break;
	}
}

/* A count that depends on more than the operation would not be one. */
static void check_exact(const struct request *request)
{
	if (request->site.directory || request->filesystem_count || request->rounds ||
	    request->base)
		cli_usage_error(&program, "tier exact counts one operation, on a tmpfs of its own");
	for (size_t i = 0; i < request->bench_count; i++)
		if (!exact_has(request->benches[i]))
			cli_usage_error(&program, "'%s' is not in tier exact: --list shows what is",
			                request->benches[i]->id);
}

static void parse(struct request *request, int argc, char **argv)
{
	uint32_t random = 0;
	int key;

	/* Any number will do that differs from run to run. */
	if (getrandom(&random, sizeof(random), 0) < 0)
		random = (uint32_t)getpid();
	request->seed = random;
	request->tier = "quick";

	while ((key = cli_next_option(&program, argc, argv)) != -1)
		parse_option(request, key, optarg);
	if (optind < argc)
		cli_usage_error(&program, "unexpected '%s'", argv[optind]);
	if (request->site.directory && request->filesystem_count)
		cli_usage_error(&program, "--filesystem is for an image and --dir means none");
	if (!request->rounds && strcmp(request->tier, gate_tier) == 0)
		request->rounds = GATE_ROUNDS;
	if (request->site.tier == BENCH_TIER_EXACT)
		check_exact(request);
	if (request->base && request->filesystem_count > 1)
		cli_usage_error(&program, "--base is compared on one filesystem");
	if (!request->bench_count)
		add_tier(request);
}

static void print_bench(const struct bench *bench)
{
	printf("  %s: %s%s\n", bench->id, bench->title,
	       bench->is_full_only ? "" : " (in the quick tier)");
	if (exact_has(bench))
		printf("      exact: its system calls and instructions\n");
	printf("      floor: %s\n", bench->floor.title);
	if (bench->peer.run)
		printf("      peer: %s\n", bench->peer.title);
	for (const struct bench_variant *v = bench->variants; v->name; v++) {
		printf("      %s", v->name);
		for (const uint64_t *value = v->values; value && *value; value++)
			printf("%s%llu", value == v->values ? ": " : ", ",
			       (unsigned long long)*value);
		printf("%s%s\n", v->values ? " " : "", v->values ? bench->parameter : "");
	}
}

/* By group; within one, as they are run. */
static int list_benchmarks(void)
{
	for (const struct bench *const *b = bench_registry; *b; b++) {
		const struct bench *const *earlier = bench_registry;

		while (strcmp((*earlier)->group, (*b)->group) != 0)
			earlier++;
		if (earlier != b)
			continue;
		printf("%s%s\n", b == bench_registry ? "" : "\n", (*b)->group);
		for (const struct bench *const *same = b; *same; same++)
			if (strcmp((*same)->group, (*b)->group) == 0)
				print_bench(*same);
	}

	return cli_finish_output(&program);
}

/* --------------------------------------------------------------- warnings -- */

static void warn(json_t *warnings, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void warn(json_t *warnings, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_array_append_new(warnings, json_string(text));
	fprintf(stderr, "%s: warning: %s\n", program.name, text);
}

/* Those that are not installed, each once; `list` has room. */
static size_t add_missing(const char *peer, const char **list, size_t count)
{
	if (!peer || tool_has(peer))
		return count;
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], peer) == 0)
			return count;
	list[count] = peer;

	return count + 1;
}

static void warn_of_missing_peers(const struct request *request, json_t *warnings)
{
	const char *list[MAX_BENCHES * (1 + BENCH_MORE_PEERS)];
	size_t count = 0;

	for (size_t i = 0; i < request->bench_count; i++) {
		const struct bench *bench = request->benches[i];

		count = add_missing(bench->peer_program, list, count);
		for (size_t j = 0; j < BENCH_MORE_PEERS; j++)
			count = add_missing(bench->more_peers[j].program, list, count);
	}
	for (size_t i = 0; i < count; i++)
		warn(warnings, "there is no program '%s': it is left out as a peer", list[i]);
}

static void warn_before(const struct request *request, json_t *warnings)
{
#ifndef __OPTIMIZE__
	warn(warnings, "this is a debug build: configure with --preset release to measure");
#endif
#if defined(__SANITIZE_ADDRESS__)
	warn(warnings, "this build has sanitizers, which cost more than what is measured");
#endif
	if (request->rounds && request->rounds < 6)
		warn(warnings, "%zu rounds are too few for an interval of 95 %%: 6 are the least",
		     request->rounds);
	warn_of_missing_peers(request, warnings);
}

/* How many things may spoil the figures; each is a warning. */
static size_t warn_of_host(const struct conditions *before, json_t *warnings)
{
	char text[256];
	size_t count = 0;

	while (conditions_complain(before, count, text) > 0) {
		warn(warnings, "%s", text);
		count++;
	}

	return count;
}

static size_t warn_of_run(const struct conditions_change *change, json_t *warnings)
{
	char text[256];
	size_t count = 0;

	while (conditions_complain_during(change, count, text) > 0) {
		warn(warnings, "%s", text);
		count++;
	}

	return count;
}

static int is_wide(const struct runner_result *result)
{
	return !result->skipped &&
	       result->ratio.high - result->ratio.low > WIDE_INTERVAL * result->ratio.median;
}

/* How many rose or fell over the rounds, of which chance explains one in twenty at most. */
static size_t count_drifting(const struct runner_results *results)
{
	cleanup_free double *p = calloc(results->count + 1, sizeof(*p));
	struct stats_drift drift;
	size_t drifting = 0;
	size_t count = 0;

	for (size_t i = 0; i < results->count && p; i++) {
		const struct runner_result *result = &results->list[i];

		if (result->skipped ||
		    stats_find_drift(result->ours.values_ns, result->count, &drift) < 0)
			continue;
		p[count++] = drift.p;
	}
	if (!p || !count || stats_adjust(p, count) < 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		drifting += p[i] < STATS_ALPHA;

	return drifting;
}

static void warn_after(const struct runner_results *results, json_t *warnings)
{
	size_t drifting = count_drifting(results);
	size_t measured = 0;
	size_t wide = 0;

	for (size_t i = 0; i < results->count; i++) {
		const struct runner_result *result = &results->list[i];

		measured += !result->skipped;
		wide += (size_t)is_wide(result);
		if (result->is_failed)
			warn(warnings, "%s %s failed: %s", result->bench->id, result->variant,
			     result->skipped);
	}
	if (drifting)
		warn(warnings,
		     "%zu of %zu times rose or fell all through the run: the host did not stay the "
		     "same",
		     drifting, measured);
	if (wide)
		warn(warnings,
		     "%zu of %zu ratios are known no better than by %.0f %%: they cannot show a "
		     "smaller change",
		     wide, measured, WIDE_INTERVAL * 100 / 2);
}

/* ------------------------------------------------------------------ a run -- */

static void choose_filesystem(struct request *request, json_t *warnings)
{
	if (request->site.filesystem || request->site.directory)
		return;

	request->site.filesystem = "xfs";
	if (image_can_make("xfs"))
		return;
	request->site.filesystem = "ext4";
	warn(warnings, "there is no mkfs.xfs: the image is ext4 (apt install xfsprogs)");
}

/*
 * What is looked at: the directory that the user named, while its path still leads
 * there, or the image.
 */
static int describe_directory(const char *directory, struct record *record, struct ovl2_error *err)
{
	cleanup_fd int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[PATH_MAX];

	if (dir < 0 || !realpath(directory, path))
		return ovi_fail_errno(err, "open the directory '%s'", directory);
	record->target = environment_target(dir, path);

	return record->target ? 0 : ovi_fail_memory(err);
}

static int describe_image(const struct site *site, struct record *record, struct ovl2_error *err)
{
	json_t *bytes = json_integer((json_int_t)site->image_bytes);

	record->target = environment_target(site->root, PLACE_HOME);
	if (json_object_set_new(record->target, "image_bytes", bytes) < 0)
		return ovi_fail_memory(err);

	return 0;
}

static int open_site(const struct request *request, struct record *record, struct site *site,
                     struct ovl2_error *err)
{
	int r;

	record->host = environment_host();
	if (!record->host)
		return ovi_fail_memory(err);
	if (request->site.directory) {
		r = describe_directory(request->site.directory, record, err);
		return r < 0 ? r : site_open(&request->site, site, err);
	}

	r = site_open(&request->site, site, err);

	return r < 0 ? r : describe_image(site, record, err);
}

/* The last: the first ones are where interrupts go. -1 when it is not to be pinned. */
static int choose_cpu(const struct request *request)
{
	cpu_set_t set;

	if (request->is_unpinned || sched_getaffinity(0, sizeof(set), &set) < 0)
		return -1;
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--)
		if (CPU_ISSET((size_t)cpu, &set))
			return cpu;

	return -1;
}

static int run(struct request *request, struct record *record, struct runner_results *results,
               struct ovl2_error *err)
{
	const struct rounds_options rounds = {
		.count = request->rounds,
		.seed = request->seed,
		.tier = request->site.tier,
		.cpu = choose_cpu(request),
		.is_shown = isatty(STDERR_FILENO),
		.stop = &stop,
		.base = request->base,
	};
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct site site = SITE_NONE;
	struct conditions_change change;
	struct conditions before;
	struct conditions after;
	int r;

	choose_filesystem(request, record->warnings);
	conditions_read(root, runner_clock_ns(), &before);
	warn_before(request, record->warnings);
	request->is_unfit |= warn_of_host(&before, record->warnings) > 0;
	if (request->is_unfit && request->is_strict)
		return ovi_fail(err, OVL2_E_BUSY, "--strict: this host is not fit to measure on");

	r = open_site(request, record, &site, err);
	if (r == 0)
		r = rounds_run(record->benches, &site, &rounds, results, err);
	site_close(&site);
	if (rounds.is_shown)
		fprintf(stderr, "\r\033[K");
	if (r < 0)
		return r;

	warn_after(results, record->warnings);
	conditions_read(root, runner_clock_ns(), &after);
	conditions_compare(&before, &after, &change);
	request->is_unfit |= warn_of_run(&change, record->warnings) > 0;
	record->conditions = conditions_json(&before, &change, rounds.cpu);

	return record->conditions ? 0 : ovi_fail_memory(err);
}

static int has_failed(const struct runner_results *results)
{
	for (size_t i = 0; i < results->count; i++)
		if (results->list[i].is_failed)
			return 1;

	return 0;
}

/* Adds `document`, which it takes, to `documents`; prints it if that is asked for. */
static int show(const struct request *request, json_t *document, json_t *documents,
                struct ovl2_error *err)
{
	if (!document || json_array_append_new(documents, document) < 0)
		return ovi_fail_memory(err);
	if (request->is_json)
		return cli_print_json(&program, json_incref(document)) ? -1 : 0;

	return 0;
}

static int show_tables(const struct request *request, const struct record *record,
                       struct ovl2_error *err)
{
	if (request->is_json)
		return 0;
	if (request->filesystem_count > 1)
		printf("%s\n\n", request->site.filesystem);

	return record_print(record, stdout) < 0 ? ovi_fail_memory(err) : 0;
}

/* On one filesystem, or in a directory: what `common` does not say is of this one. */
static int bench_here(struct request *request, const struct record *common, json_t *documents,
                      struct ovl2_error *err)
{
	struct runner_results results[ROUNDS_BUILDS] = { 0 };
	struct record record = *common;
	double from = runner_clock_ns();
	char started[32];
	int r;

	environment_time(started);
	record.started = started;
	record.results = results;
	record.warnings = json_array();
	r = run(request, &record, results, err);
	if (r == 0) {
		record.duration_ms = (runner_clock_ns() - from) / 1e6;
		r = show(request, record_json(&record), documents, err);
	}
	if (r == 0)
		r = show_tables(request, &record, err);
	request->has_failed |= has_failed(results);

	for (size_t build = 0; build < ROUNDS_BUILDS; build++)
		runner_results_release(&results[build]);
	json_decref(record.host);
	json_decref(record.target);
	json_decref(record.conditions);
	json_decref(record.warnings);

	return r;
}

/* Counts instead. */
static int count(struct request *request, const struct record *common, json_t *documents,
                 struct ovl2_error *err)
{
	struct exact_results counts = { 0 };
	struct record record = *common;
	double from = runner_clock_ns();
	char started[32];
	int r;

	environment_time(started);
	record.started = started;
	record.host = environment_host();
	r = record.host ? exact_run(record.benches, &stop, &counts, err) : ovi_fail_memory(err);
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	record.duration_ms = (runner_clock_ns() - from) / 1e6;
	if (r == 0)
		r = show(request, exact_json(&record, &counts), documents, err);
	if (r == 0 && !request->is_json && exact_print(&counts, stdout) < 0)
		r = ovi_fail_memory(err);
	for (size_t i = 0; i < counts.count; i++)
		request->has_failed |= counts.list[i].is_failed;

	free(counts.list);
	json_decref(record.host);

	return r;
}

static int bench_all(struct request *request, const struct record *common, json_t *documents,
                     struct ovl2_error *err)
{
	int r = 0;

	if (request->site.tier == BENCH_TIER_EXACT)
		return count(request, common, documents, err);
	if (!request->filesystem_count)
		return bench_here(request, common, documents, err);
	for (size_t i = 0; i < request->filesystem_count && r == 0 && !stop; i++) {
		const char *name = request->filesystems[i];

		request->site.filesystem = name;
		if (request->filesystem_count > 1 && !image_can_make(name))
			fprintf(stderr, "%s: warning: there is no mkfs.%s: %s is left out\n",
			        program.name, name, name);
		else
			r = bench_here(request, common, documents, err);
	}

	return r;
}

static int bench(struct request *request, const struct record *common)
{
	struct output output = OUTPUT_NONE;
	json_t *documents = json_array();
	struct ovl2_error err = { 0 };
	int r = 0;

	if (request->output)
		r = output_open(request->output, &output, &err);
	if (r == 0)
		r = bench_all(request, common, documents, &err);
	/* What other filesystems gave stays when one fails. */
	if (request->output && json_array_size(documents)) {
		int written = output_write(&output, documents, r == 0 ? &err : NULL);

		r = r < 0 ? r : written;
	}
	output_close(&output);
	json_decref(documents);
	if (r < 0)
		r = cli_report_error(&program, &err);
	else
		r = cli_finish_output(&program) || request->has_failed;
	if (request->is_strict && request->is_unfit && !request->has_failed)
		r = EXIT_UNFIT;

	return stop ? 128 + stop : r;
}

static void catch_signals(void (*handler)(int number))
{
	const struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

	/* What is measured must not be cut short: operations end, then the run does. */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

/* The run says that it ends; its round just does. */
static void on_forwarded_signal(int number)
{
	stop = number;
}

static int serve(void)
{
	struct ovl2_error err = { 0 };

	catch_signals(on_forwarded_signal);

	return rounds_serve(&stop, &err) < 0 ? cli_report_error(&program, &err) : 0;
}

static int serve_exact(const char *number)
{
	struct ovl2_error err = { 0 };

	return exact_serve(number, &err) < 0 ? cli_report_error(&program, &err) : 0;
}

int main(int argc, char **argv)
{
	struct request request = { 0 };
	struct record common;
	int r;

	if (argc == 3 && strcmp(argv[1], EXACT_ARGUMENT) == 0)
		return serve_exact(argv[2]);
	if (argc == 2 && strcmp(argv[1], ROUNDS_ARGUMENT) == 0)
		return serve();
	parse(&request, argc, argv);
	if (request.is_list)
		return list_benchmarks();
	if (geteuid() != 0) {
		fprintf(stderr, "%s: needs root, to mount: try sudo %s\n", program.name,
		        program.name);
		return 1;
	}

	catch_signals(on_signal);
	common = (struct record){
		.argc = argc,
		.argv = argv,
		.tier = request.tier,
		.seed = request.seed,
		.benches = request.benches,
		.base = request.base,
	};
	r = bench(&request, &common);
	free(request.base);

	return r;
}
