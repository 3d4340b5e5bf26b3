#include "probe.h"

#include "cleanup.h"
#include "cli.h"
#include "fail.h"
#include "strbuf.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#define DEFAULT_DIRECTORY "/var/lib"
#define DEFAULT_TIMEOUT_MS 5000
#define MAX_TIMEOUT_S 3600

enum { OPTION_TIMEOUT = 256, OPTION_COLOR, OPTION_LIST };

static const struct cli_option options[] = {
	{ "json", 'j', NULL, "print the answers as JSON" },
	{ "output", 'o', "FILE", "write the answers as JSON to FILE as well" },
	{ "profile", 'p', "NAME", "judge for this engine (docker)" },
	{ "only", 'O', "ID", "ask this probe only; may be repeated" },
	{ "list", OPTION_LIST, NULL, "list the probes and end" },
	{ "timeout", OPTION_TIMEOUT, "SECONDS", "for each probe (5)" },
	{ "color", OPTION_COLOR, "WHEN", "always, never or auto" },
	{ .name = NULL },
};

static const struct cli_program program = {
	.name = "ovl2-probe",
	.usage = "[OPTION...] [DIR]",
	.about = "Tells whether this host can keep container layers in DIR (" DEFAULT_DIRECTORY
		 ").\n"
		 "Every answer comes from trying it, in a directory of its own under DIR that is\n"
		 "deleted again; nothing is mounted where others could see it.",
	.options = options,
	.examples = "  sudo ovl2-probe\n"
		    "  sudo ovl2-probe --json /var/lib/docker > probe.json\n"
		    "  sudo ovl2-probe --only d_type --only max_depth /mnt",
	.exit_codes = "  0  qualified\n"
		      "  1  not qualified: a required probe failed\n"
		      "  2  undetermined: a required probe could not tell, or DIR is not usable\n"
		      "  64 the command line makes no sense",
};

struct request {
	const struct probe_profile *profile;
	const char *only[PROBE_MAX_FINDINGS + 1];
	size_t only_count;
	int timeout_ms;
	int as_json;
	const char *output;
	const char *color;
	const char *directory;
};

/* ----------------------------------------------------------- command line -- */

static const struct probe_profile *choose_profile(const char *name)
{
	const struct probe_profile *profile = probe_profile_find(name);
	cleanup_strbuf struct ovi_strbuf names = { 0 };

	if (profile)
		return profile;

	for (profile = probe_profiles; profile->id; profile++)
		ovi_strbuf_addf(&names, " %s", profile->id);
	cli_usage_error(&program, "there is no profile '%s', only%s", name, names.text);
}

static void add_only(struct request *request, const char *id)
{
	cleanup_strbuf struct ovi_strbuf ids = { 0 };
	const struct probe *probe;

	if (probe_find(id)) {
		if (request->only_count < PROBE_MAX_FINDINGS)
			request->only[request->only_count++] = id;
		return;
	}

	for (size_t i = 0; (probe = probe_at(i)); i++)
		ovi_strbuf_addf(&ids, " %s", probe->id);
	cli_usage_error(&program, "there is no probe '%s', only%s", id, ids.text);
}

static int parse_timeout(const char *text)
{
	double seconds;
	char *end;

	seconds = strtod(text, &end);
	if (end == text || *end || !(seconds > 0) || seconds > MAX_TIMEOUT_S)
		cli_usage_error(&program, "'%s' is not a number of seconds up to %d", text,
		                MAX_TIMEOUT_S);

	/* At least one, so that 0.0001 is not "do not wait" but very short. */
	return seconds < 0.001 ? 1 : (int)(seconds * 1000);
}

static const char *choose_color(const char *when)
{
	if (strcmp(when, "always") != 0 && strcmp(when, "never") != 0 && strcmp(when, "auto") != 0)
		cli_usage_error(&program, "colors are always, never or auto, not '%s'", when);

	return when;
}

static int list_probes(void)
{
	const struct probe *probe;

	for (size_t i = 0; (probe = probe_at(i)); i++)
		printf("%-14s  %s\n", probe->id, probe->title);

	return cli_finish_output(&program);
}

static void parse_options(int argc, char **argv, struct request *request)
{
	int key;

	while ((key = cli_next_option(&program, argc, argv)) != -1) {
		switch (key) {
		case 'j':
			request->as_json = 1;
			break;
		case 'o':
			request->output = optarg;
			break;
		case 'p':
			request->profile = choose_profile(optarg);
			break;
		case 'O':
			add_only(request, optarg);
			break;
		case OPTION_LIST:
			exit(list_probes());
		case OPTION_TIMEOUT:
			request->timeout_ms = parse_timeout(optarg);
			break;
		default:
			request->color = choose_color(optarg);
			break;
		}
	}

	if (argc - optind > 1)
		cli_usage_error(&program, "one directory at a time, not '%s' as well",
		                argv[optind + 1]);
	if (optind < argc)
		request->directory = argv[optind];
}

/* ----------------------------------------------------------------- output -- */

/* Whoever reads `path` sees the old file or the whole new one. */
static int write_output(json_t *document, const char *path, struct ovl2_error *err)
{
	cleanup_free char *temporary = NULL;
	cleanup_fd int fd = -1;
	int r = 0;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
		temporary = NULL;
		return ovi_fail_memory(err);
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return ovi_fail_errno(err, "create a file beside '%s'", path);

	if (fchmod(fd, 0644) < 0 || json_dumpfd(document, fd, JSON_INDENT(2)) < 0 ||
	    write(fd, "\n", 1) != 1 || fsync(fd) < 0 || rename(temporary, path) < 0) {
		r = ovi_fail_errno(err, "write '%s'", path);
		unlink(temporary);
	}

	return r;
}

static int show(const struct request *request, const struct probe_survey *survey, char **argv,
                struct ovl2_error *err)
{
	json_t *document = probe_survey_json(survey, argv);
	int r = 0;

	if (!document)
		return ovi_fail_memory(err);
	if (request->output)
		r = write_output(document, request->output, err);

	if (request->as_json) {
		if (cli_print_json(&program, document) != 0)
			return PROBE_UNDETERMINED;
	} else {
		probe_survey_print(survey, cli_wants_color(request->color, stdout), stdout);
		json_decref(document);
		if (cli_finish_output(&program) != 0)
			return PROBE_UNDETERMINED;
	}

	return r < 0 ? r : (int)survey->conclusion;
}

/* -------------------------------------------------------------------- run -- */

/*
 * Signals are read like input, between the steps that they would interrupt, so
 * that there is always somebody left to clean up.
 */
static int block_signals(struct ovl2_error *err)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return ovi_fail_errno(err, "block signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		return ovi_fail_errno(err, "wait for signals");

	return fd;
}

/* Ends as a program does that never blocked `sig`: shells look at that. */
static void die_of(int sig)
{
	sigset_t set;

	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int run(const struct request *request, char **argv, struct ovl2_error *err)
{
	struct probe_survey survey = { .profile = request->profile };
	struct probe_runner runner = { .timeout_ms = request->timeout_ms };
	cleanup_free char *path = NULL;
	cleanup_fd int directory = -1;
	cleanup_fd int signals = -1;
	int r;

	directory = open(request->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory >= 0)
		path = realpath(request->directory, NULL);
	if (!path)
		return ovi_fail_errno(err, "open directory '%s'", request->directory);

	signals = block_signals(err);
	if (signals < 0)
		return signals;

	survey.path = path;
	runner.target = directory;
	runner.signals = signals;
	r = probe_survey_run(&survey, request->only_count ? request->only : NULL, &runner, err);
	if (r > 0)
		die_of(r);
	if (r == 0)
		r = show(request, &survey, argv, err);
	probe_survey_release(&survey);

	return r;
}

int main(int argc, char **argv)
{
	struct request request = {
		.profile = &probe_profiles[0],
		.timeout_ms = DEFAULT_TIMEOUT_MS,
		.directory = DEFAULT_DIRECTORY,
	};
	struct ovl2_error err = { 0 };
	int r;

	parse_options(argc, argv, &request);
	r = run(&request, argv, &err);
	if (r < 0) {
		cli_report_error(&program, &err);
		return PROBE_UNDETERMINED;
	}

	return r;
}
