#include "probe.h"

#include "cleanup.h"
#include "cli.h"
#include "commands.h"
#include "data_root.h"
#include "environment.h"
#include "fail.h"
#include "file.h"
#include "format.h"
#include "strbuf.h"
#include "waiver.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#define DEFAULT_DIRECTORY "/var/lib"
#define DEFAULT_TIMEOUT_MS 5000
#define MAX_TIMEOUT_S 3600

/* Files in other formats besides what is printed. */
#define MAX_FILES 16

#define MAX_PATTERNS 128

enum {
	OPTION_TIMEOUT = 256,
	OPTION_COLOR,
	OPTION_LIST,
	OPTION_FROM,
	OPTION_ROOT,
	OPTION_WAIVERS,
	OPTION_WRITE,
	OPTION_STRICT,
	OPTION_EXIT_ZERO
};

static const struct cli_option options[] = {
	{ "json", 'j', NULL, "print the answers as JSON" },
	{ "format", 'f', "NAME", "print another format, see below" },
	{ "output", 'o', "FILE", "write the answers as JSON to FILE as well" },
	{ "write", OPTION_WRITE, "NAME=FILE",
	  "write format NAME to FILE as well; can be repeated" },
	{ "profile", 'p', "NAME", "judge for this engine (docker)" },
	{ "only", 'O', "ID", "ask this probe only, a pattern as in *quota*; can be repeated" },
	{ "waivers", OPTION_WAIVERS, "FILE", "accept what FILE accepts, until it expires" },
	{ "from", OPTION_FROM, "FILE", "ask nothing: take the answers from JSON of before" },
	{ "root", OPTION_ROOT, "DIR", "the host's / is mounted on DIR: look for the engine there" },
	{ "jobs", 'J', "N", "run N probes at once (1)" },
	{ "timeout", OPTION_TIMEOUT, "SECONDS", "for each probe (5)" },
	{ "strict", OPTION_STRICT, NULL, "exit with 1 for warnings, too" },
	{ "exit-zero", OPTION_EXIT_ZERO, NULL, "exit with 0 whatever the answers are" },
	{ "color", OPTION_COLOR, "WHEN", "always, never or auto" },
	{ "list", OPTION_LIST, NULL, "list the probes and end" },
	{ .name = NULL },
};

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *about;
} commands[] = {
	{ "list", command_list, "lists the probes" },
	{ "profiles", command_profiles, "lists the profiles, or what one needs and why" },
	{ "explain", command_explain, "explains a probe, and what to do" },
	{ "diff", command_diff, "tells what changed between two runs" },
};

static void print_more(FILE *out)
{
	fputs("\nCommands:\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-18s %s\n", commands[i].name, commands[i].about);
	fputs("\nFormats:\n", out);
	for (const struct probe_format *format = probe_formats; format->name; format++)
		fprintf(out, "  %-18s %s\n", format->name, format->about);
	fputs("\nProfiles:\n", out);
	for (const struct probe_profile *profile = probe_profiles; profile->id; profile++)
		fprintf(out, "  %-18s %s\n", profile->id, profile->title);
}

static const struct cli_program program = {
	.name = "ovl2-probe",
	.usage = "[OPTION...] [DIR]\n       ovl2-probe COMMAND ...",
	.about = "Tells whether this host can keep container layers in DIR (" DEFAULT_DIRECTORY
		 "; with\n"
		 "--profile where that engine's configuration says that it keeps them).\n"
		 "Every answer comes from trying it, in a directory of its own under DIR that is\n"
		 "deleted again; nothing is mounted where others could see it.",
	.options = options,
	.print_more = print_more,
	.examples = "  sudo ovl2-probe\n"
		    "  sudo ovl2-probe --profile podman\n"
		    "  sudo ovl2-probe --json /var/lib/docker > probe.json\n"
		    "  ovl2-probe --from probe.json --format junit > junit.xml\n"
		    "  sudo ovl2-probe --only d_type --only 'mount_*' /mnt\n"
		    "  ovl2-probe explain d_type",
	.exit_codes = "  0  qualified\n"
		      "  1  not qualified: a required probe failed\n"
		      "  2  undetermined: a required probe could not tell or --only left it out,\n"
		      "     or DIR is not usable\n"
		      "  64 the command line makes no sense\n"
		      "  --format nagios: 0 to 3 as Nagios has them; ansible: always 0;\n"
		      "  --strict and --exit-zero are about the others",
};

struct request {
	const struct probe_profile *profile; /* NULL: not named */
	const char *only[MAX_PATTERNS + 1];
	size_t only_count;
	struct probe_runner runner;
	const struct probe_format *format;
	struct {
		const struct probe_format *format;
		const char *path;
	} files[MAX_FILES];
	size_t file_count;
	const char *color;
	const char *directory; /* NULL: not given */
	const char *root;      /* NULL: not given */
	const char *from;
	const char *waivers;
	int is_strict;
	int exits_zero;
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

static void add_only(struct request *request, const char *pattern)
{
	cleanup_strbuf struct ovi_strbuf ids = { 0 };
	const struct probe *probe;

	for (size_t i = 0; (probe = probe_at(i)); i++) {
		if (fnmatch(pattern, probe->id, 0) == 0) {
			if (request->only_count == MAX_PATTERNS)
				cli_usage_error(&program, "more than %d patterns", MAX_PATTERNS);
			request->only[request->only_count++] = pattern;
			return;
		}
		ovi_strbuf_addf(&ids, " %s", probe->id);
	}

	cli_usage_error(&program, "there is no probe '%s', only%s", pattern, ids.text);
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

static int parse_jobs(const char *text)
{
	char *end;
	long jobs = strtol(text, &end, 10);

	if (end == text || *end || jobs < 1 || jobs > PROBE_MAX_JOBS)
		cli_usage_error(&program, "'%s' is not a number of jobs from 1 to %d", text,
		                PROBE_MAX_JOBS);

	return (int)jobs;
}

static const char *choose_color(const char *when)
{
	if (strcmp(when, "always") != 0 && strcmp(when, "never") != 0 && strcmp(when, "auto") != 0)
		cli_usage_error(&program, "colors are always, never or auto, not '%s'", when);

	return when;
}

static const struct probe_format *choose_format(const char *name)
{
	const struct probe_format *format = probe_format_find(name);

	if (!format)
		cli_usage_error(&program, "there is no format '%s'; --help lists them", name);

	return format;
}

static void add_file(struct request *request, const struct probe_format *format, const char *path)
{
	if (request->file_count == MAX_FILES)
		cli_usage_error(&program, "more than %d files", MAX_FILES);

	request->files[request->file_count].format = format;
	request->files[request->file_count++].path = path;
}

static void add_write(struct request *request, const char *text)
{
	size_t length = strcspn(text, "=");
	cleanup_free char *name = strndup(text, length);

	if (!text[length] || !text[length + 1] || !name)
		cli_usage_error(&program, "'%s' is not of the form NAME=FILE", text);
	add_file(request, choose_format(name), text + length + 1);
}

static void take_option(struct request *request, int key)
{
	switch (key) {
	case 'j':
		request->format = probe_format_find("json");
		break;
	case 'f':
		request->format = choose_format(optarg);
		break;
	case 'o':
		add_file(request, probe_format_find("json"), optarg);
		break;
	case 'p':
		request->profile = choose_profile(optarg);
		break;
	case 'O':
		add_only(request, optarg);
		break;
	case 'J':
		request->runner.jobs = parse_jobs(optarg);
		break;
	case OPTION_WRITE:
		add_write(request, optarg);
		break;
	case OPTION_WAIVERS:
		request->waivers = optarg;
		break;
	case OPTION_FROM:
		request->from = optarg;
		break;
	case OPTION_ROOT:
		request->root = optarg;
		break;
	case OPTION_LIST:
		/* getopt(3) is in the middle of another command line. */
		optind = 0;
		exit(command_list(1, (char *[]){ (char *)"list", NULL }));
	case OPTION_STRICT:
		request->is_strict = 1;
		break;
	case OPTION_EXIT_ZERO:
		request->exits_zero = 1;
		break;
	case OPTION_TIMEOUT:
		request->runner.timeout_ms = parse_timeout(optarg);
		break;
	default:
		request->color = choose_color(optarg);
		break;
	}
}

static void parse_options(int argc, char **argv, struct request *request)
{
	int key;

	while ((key = cli_next_option(&program, argc, argv)) != -1)
		take_option(request, key);

	if (argc - optind > 1)
		cli_usage_error(&program, "one directory at a time, not '%s' as well",
		                argv[optind + 1]);
	if (optind < argc)
		request->directory = argv[optind];
	if (request->from && (request->directory || request->profile || request->only_count > 0))
		cli_usage_error(&program, "--from asks nothing: without DIR, --profile and --only");
	if (request->is_strict && request->exits_zero)
		cli_usage_error(&program, "--strict or --exit-zero");
	if (request->root && (request->from || request->directory))
		cli_usage_error(&program,
		                "--root is for finding the directory: without DIR and --from");
}

/* ----------------------------------------------------------------- output -- */

/* Whoever reads `path` sees the old file or the whole new one. */
static int write_file(const char *path, const struct ovi_strbuf *text, struct ovl2_error *err)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash + 1 - path) : 0;
	cleanup_free char *temporary = NULL;
	cleanup_fd int fd = -1;
	int r;

	/* Those who read whole directories leave names with a dot alone. */
	if (asprintf(&temporary, "%.*s.%s.XXXXXX", (int)length, path, path + length) < 0) {
		temporary = NULL;
		return ovi_fail_memory(err);
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return ovi_fail_errno(err, "create a file beside '%s'", path);

	r = ovi_write_all(fd, text->text, text->length, path, err);
	if (r == 0 && (fchmod(fd, 0644) < 0 || fsync(fd) < 0 || rename(temporary, path) < 0))
		r = ovi_fail_errno(err, "write '%s'", path);
	if (r < 0)
		unlink(temporary);

	return r;
}

static int add_format(struct ovi_strbuf *text, const struct probe_format *format,
                      const struct probe_survey *survey, struct ovl2_error *err)
{
	format->add(text, survey);

	return ovi_strbuf_failed(text) ? ovi_fail_memory(err) : 0;
}

static int write_files(const struct request *request, const struct probe_survey *survey,
                       struct ovl2_error *err)
{
	for (size_t i = 0; i < request->file_count; i++) {
		cleanup_strbuf struct ovi_strbuf text = { 0 };
		int r;

		r = add_format(&text, request->files[i].format, survey, err);
		if (r == 0)
			r = write_file(request->files[i].path, &text, err);
		if (r < 0)
			return r;
	}

	return 0;
}

static int choose_exit_code(const struct request *request, const struct probe_survey *survey)
{
	size_t warnings = survey->verdict_counts[PROBE_WARN];

	if (request->format->exit_code)
		return request->format->exit_code(survey);
	if (request->exits_zero)
		return 0;
	if (!request->is_strict || survey->conclusion != PROBE_QUALIFIED || !warnings)
		return (int)survey->conclusion;
	fprintf(stderr, "%s: %zu warning%s, and --strict takes none\n", program.name, warnings,
	        warnings == 1 ? "" : "s");

	return PROBE_NOT_QUALIFIED;
}

static int show(const struct request *request, const struct probe_survey *survey,
                struct ovl2_error *err)
{
	const struct probe_format *format = request->format;
	cleanup_strbuf struct ovi_strbuf text = { 0 };
	int r = 0;

	if (format == probe_formats)
		format_add_human(&text, survey, cli_wants_color(request->color, stdout));
	else
		r = add_format(&text, format, survey, err);
	if (r < 0 || ovi_strbuf_failed(&text))
		return ovi_fail_memory(err);
	fwrite(text.text, 1, text.length, stdout);
	if (cli_finish_output(&program) != 0)
		return PROBE_UNDETERMINED;

	r = write_files(request, survey, err);
	if (r < 0)
		return r;

	return choose_exit_code(request, survey);
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

/* What the engine's configuration tells to ask about. */
struct found {
	struct probe_data_root first;

	/* The profile's second directory, if it has one. */
	struct probe_data_root second;
	int second_fd;
};

#define cleanup_found __attribute__((cleanup(release_found)))

static void release_found(struct found *found)
{
	probe_data_root_release(&found->first);
	probe_data_root_release(&found->second);
	ovi_close_fd(&found->second_fd);
}

/* Nothing is found when the command line says what to ask about. */
static int find_directories(const struct request *request, struct found *ret_found,
                            struct ovl2_error *err)
{
	const char *root = request->root ? request->root : "";
	const char *engine = request->profile ? request->profile->id : probe_profiles[0].id;
	int r;

	if (request->directory || !(request->profile || request->root))
		return 0;

	root = strcmp(root, "/") == 0 ? "" : root;
	r = probe_data_root_find(engine, root, &ret_found->first, err);
	if (r >= 0)
		r = probe_data_root_find_also(engine, root, &ret_found->second, err);
	if (r <= 0)
		return r;

	ret_found->second_fd = open(ret_found->second.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret_found->second_fd < 0)
		return ovi_fail_errno(err, "open directory '%s'", ret_found->second.path);

	return 0;
}

/* What was found out about one filesystem holds in all of its directories. */
static int is_same_filesystem(int one, int other)
{
	struct stat stats[2];

	return fstat(one, &stats[0]) == 0 && fstat(other, &stats[1]) == 0 &&
	       stats[0].st_dev == stats[1].st_dev;
}

/* Into the document: which directories, and why these. */
static void note_found(const struct found *found, struct probe_survey *survey)
{
	json_t *also;

	if (found->first.path)
		json_object_set_new(survey->target, "chosen", json_string(found->first.why));
	if (!found->second.path)
		return;

	also = environment_target(found->second_fd, found->second.path);
	json_object_set_new(also, "chosen", json_string(found->second.why));
	json_object_set_new(also, "same_filesystem", json_boolean(!survey->also));
	json_object_set_new(survey->target, "also", also);
}

static int ask(const struct request *request, struct probe_survey *survey, struct ovl2_error *err)
{
	const char *directory = request->directory ? request->directory : DEFAULT_DIRECTORY;
	cleanup_found struct found found = { .second_fd = -1 };
	struct probe_also also;
	struct probe_runner runner = request->runner;
	cleanup_fd int target = -1;
	cleanup_fd int signals = -1;
	int r;

	r = find_directories(request, &found, err);
	if (r < 0)
		return r;
	if (found.first.path)
		directory = found.first.path;

	target = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (target >= 0)
		survey->path = realpath(directory, NULL);
	if (!survey->path)
		return ovi_fail_errno(err, "open directory '%s'", directory);
	signals = block_signals(err);
	if (signals < 0)
		return signals;

	survey->profile = request->profile ? request->profile : &probe_profiles[0];
	runner.target = target;
	runner.signals = signals;
	also = (struct probe_also){ found.second.path, found.second_fd };
	if (also.path && !is_same_filesystem(target, also.fd))
		survey->also = &also;
	r = probe_survey_run(survey, request->only_count ? request->only : NULL, &runner, err);
	if (r > 0)
		die_of(r);
	if (r == 0)
		note_found(&found, survey);
	survey->also = NULL;

	return r;
}

static json_t *list_words(char *const *argv)
{
	json_t *words = json_array();

	for (; *argv; argv++) {
		json_t *word = json_string(*argv);

		json_array_append_new(words, word ? word : json_null());
	}

	return words;
}

static int run(const struct request *request, struct probe_survey *survey, char **argv,
               struct ovl2_error *err)
{
	cleanup_waivers struct probe_waivers waivers = { 0 };
	int r = 0;

	/* First, so that a mistake in it is not found out at the end. */
	if (request->waivers)
		r = probe_waivers_read(request->waivers, &waivers, err);
	if (r == 0 && request->from)
		r = probe_survey_read(survey, request->from, err);
	else if (r == 0)
		r = ask(request, survey, err);
	if (r < 0)
		return r;

	if (!survey->command)
		survey->command = list_words(argv);
	if (request->waivers)
		probe_survey_waive(survey, waivers.list, waivers.count);

	return show(request, survey, err);
}

/* Those who read standard output only get the message there. */
static int report_failure(const struct request *request, const struct ovl2_error *err)
{
	const struct probe_format *format = request->format;
	cleanup_strbuf struct ovi_strbuf text = { 0 };

	cli_report_error(&program, err);
	if (!format->add_failure)
		return PROBE_UNDETERMINED;

	format->add_failure(&text, err->message);
	if (text.text)
		fputs(text.text, stdout);

	return cli_finish_output(&program) ? PROBE_UNDETERMINED : format->failure_code;
}

int main(int argc, char **argv)
{
	struct request request = {
		.runner = { .timeout_ms = DEFAULT_TIMEOUT_MS, .jobs = 1 },
		.format = &probe_formats[0],
	};
	struct probe_survey survey = { 0 };
	struct ovl2_error err = { 0 };
	int r;

	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);

	parse_options(argc, argv, &request);
	r = run(&request, &survey, argv, &err);
	if (!survey.loaded)
		free((char *)survey.path);
	probe_survey_release(&survey);

	return r < 0 ? report_failure(&request, &err) : r;
}
