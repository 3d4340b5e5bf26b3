// SPDX-License-Identifier: MIT
#include "support/filesystem.h"
#include "support/test.h"

#include "leftovers.h"

#include "dir.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* ovl2-probe as people and other programs see it. */

static const char *const ids[] = { "kernel_version", "backing_fs",    "d_type",
	                           "opaque_copy_up", "project_quota", "mount_absolute",
	                           "mount_relative", "mount_append",  "mount_fd",
	                           "max_depth" };

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n';

	return count;
}

static struct test_output probe(const char *option, const char *directory)
{
	const char *argv[] = { OVL2_PROBE, option, directory, NULL };

	return test_spawn(argv);
}

static void assert_empty(const struct test_place *place)
{
	cleanup_fd int fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_sys(fd);
	assert_int_equal(ovi_dir_is_empty(fd, place->path, NULL), 1);
}

/* ------------------------------------------------------------------- JSON -- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text || !*text)
		fail_msg("'%s' is no text", key);

	return text;
}

static int is_one_of(const char *text, const char *a, const char *b, const char *c)
{
	return strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

static int is_text_or_null(const json_t *value)
{
	return json_is_null(value) || (json_is_string(value) && *json_string_value(value));
}

static void check_host(const json_t *host)
{
	static const char *const texts[] = { "name", "kernel", "kernel_build", "machine" };
	static const char *const numbers[] = { "cpu_count", "memory_bytes", "page_bytes" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		text_of(host, texts[i]);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		assert_true(json_integer_value(json_object_get(host, numbers[i])) > 0);
	assert_true(is_text_or_null(json_object_get(host, "os")));
	assert_true(is_text_or_null(json_object_get(host, "cpu")));
	assert_true(json_is_real(json_object_get(host, "load_average")));
	assert_true(json_is_object(json_object_get(host, "overlay_parameters")));
	text_of(json_object_get(host, "libraries"), "libarchive");
	text_of(json_object_get(host, "libraries"), "libmount");
}

static void check_target(const json_t *target, const struct test_place *place)
{
	unsigned int major;
	unsigned int minor;

	assert_string_equal(text_of(target, "path"), place->path);
	assert_string_equal(text_of(target, "filesystem"), place->filesystem);
	assert_int_equal(text_of(target, "mount_point")[0], '/');
	assert_non_null(strstr(text_of(target, "mount_options"), "rw"));
	assert_int_equal(sscanf(text_of(target, "device"), "%u:%u", &major, &minor), 2);
	text_of(target, "source");
}

static void check_probe(const json_t *probe, const char *id)
{
	const char *answer = text_of(probe, "answer");
	const char *want = text_of(probe, "want");
	const char *level = text_of(probe, "level");
	const char *verdict = text_of(probe, "verdict");
	const json_t *value = json_object_get(probe, "value");
	const json_t *remedy = json_object_get(probe, "remedy");

	assert_string_equal(text_of(probe, "id"), id);
	text_of(probe, "title");
	text_of(probe, "why");
	text_of(probe, "how");
	text_of(probe, "group");
	text_of(probe, "since");
	text_of(probe, "evidence");
	text_of(probe, "source");
	assert_true(is_one_of(answer, "yes", "no", "unknown"));
	assert_true(is_one_of(want, "yes", "no", "no"));
	assert_true(is_one_of(level, "required", "wanted", "advised"));
	assert_true(json_is_null(value) || json_integer_value(value) > 0);
	assert_true(json_real_value(json_object_get(probe, "duration_ms")) > 0);
	assert_true(json_is_null(remedy) == (strcmp(verdict, "pass") == 0));
	assert_true(is_text_or_null(remedy));

	assert_true(json_is_null(json_object_get(probe, "reason")) ==
	            (strcmp(answer, "unknown") != 0));

	if (strcmp(answer, "unknown") == 0)
		assert_string_equal(verdict, "unknown");
	else if (strcmp(answer, want) == 0)
		assert_string_equal(verdict, "pass");
	else
		assert_string_equal(verdict, strcmp(level, "required") == 0 ? "fail"
		                             : strcmp(level, "wanted") == 0 ? "warn"
		                                                            : "info");
}

static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *document = json_loads(text, 0, &error);

	if (!document)
		fail_msg("line %d: %s", error.line, error.text);
	assert_string_equal(text_of(document, "format"), "ovl2-probe/1");

	return document;
}

/* How many probes of `document` have this verdict, and its own count of them. */
static void check_count(const json_t *document, const char *verdict)
{
	const json_t *probes = json_object_get(document, "probes");
	const json_t *counts = json_object_get(document, "counts");
	json_int_t count = 0;

	for (size_t i = 0; i < json_array_size(probes); i++)
		count += strcmp(text_of(json_array_get(probes, i), "verdict"), verdict) == 0;
	assert_true(json_is_integer(json_object_get(counts, verdict)));
	assert_int_equal(json_integer_value(json_object_get(counts, verdict)), count);
}

static void json_is_as_documented(void **state)
{
	static const char *const verdicts[] = { "pass", "fail", "warn", "unknown", "info" };
	struct test_place *place = *state;
	struct test_resources before = test_resources_count();
	cleanup_output struct test_output output = probe("--json", place->path);
	json_t *document = parse(output.out);
	const json_t *command = json_object_get(document, "command");
	const json_t *probes = json_object_get(document, "probes");
	const char *started = text_of(document, "started");
	struct tm tm;

	assert_int_equal(output.status, 0);
	assert_string_equal(output.err, "");
	text_of(document, "version");
	assert_int_equal(json_array_size(command), 3);
	assert_string_equal(json_string_value(json_array_get(command, 1)), "--json");
	assert_non_null(strptime(started, "%Y-%m-%dT%H:%M:%SZ", &tm));
	assert_true(json_real_value(json_object_get(document, "duration_ms")) > 0);
	check_host(json_object_get(document, "host"));
	check_target(json_object_get(document, "target"), place);
	assert_string_equal(text_of(json_object_get(document, "profile"), "id"), "docker");
	text_of(json_object_get(document, "profile"), "title");
	assert_string_equal(text_of(document, "verdict"), "qualified");

	assert_int_equal(json_array_size(probes), ARRAY_SIZE(ids));
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		check_probe(json_array_get(probes, i), ids[i]);
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
		check_count(document, verdicts[i]);
	json_decref(document);

	assert_empty(place);
	assert_nothing_left(before);
}

/* ------------------------------------------------------------ for people -- */

static void lines_are_printed(void **state)
{
	struct test_place *place = *state;
	cleanup_output struct test_output output = probe("--color=never", place->path);
	cleanup_free char *verdict =
		test_path("\nQUALIFIED for docker on %s (%s)\n", place->path, place->filesystem);

	assert_int_equal(output.status, 0);
	assert_string_equal(output.err, "");
	assert_contains(output.out, verdict);
	assert_contains(output.out, "pass     d_type          yes      getdents64 typed");
	assert_null(strchr(output.out, '\033'));
}

static void colors_come_when_asked_for(void **state)
{
	struct test_place *place = *state;
	cleanup_output struct test_output output = probe("--color=always", place->path);

	assert_int_equal(output.status, 0);
	assert_contains(output.out, "\033[32mpass");
}

static void only_what_is_asked_for_is_asked(void **state)
{
	struct test_place *place = *state;
	const char *argv[] = { OVL2_PROBE,       "--only", "d_type",    "--only",
		               "kernel_version", "--json", place->path, NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	json_t *document = parse(output.out);

	/* Both pass, but a verdict for the profile takes the others as well. */
	assert_int_equal(output.status, 2);
	assert_string_equal(text_of(document, "verdict"), "undetermined");
	assert_true(json_is_true(json_object_get(document, "partial")));
	assert_int_equal(json_array_size(json_object_get(document, "not_asked")), 4);
	assert_int_equal(json_array_size(json_object_get(document, "probes")), 2);
	json_decref(document);
}

static void output_goes_to_a_file_as_well(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/probe.json", place->path);
	const char *argv[] = { OVL2_PROBE, "--output", path, place->path, NULL };
	cleanup_output struct test_output output = test_spawn(argv);
	json_t *document = json_load_file(path, 0, NULL);

	assert_int_equal(output.status, 0);
	assert_contains(output.out, "QUALIFIED");
	assert_string_equal(text_of(document, "verdict"), "qualified");
	json_decref(document);
	assert_sys(unlink(path));
	assert_empty(place);
}

/* ------------------------------------------------------------- exit codes -- */

struct usage_row {
	const char *argv[5];
	int status;
	const char *words;
};

static void command_line_is_judged(void **state)
{
	struct test_place *place = *state;
	const struct usage_row *row = place->row;
	cleanup_output struct test_output output = test_spawn(row->argv);

	assert_int_equal(output.status, row->status);
	assert_contains(row->status ? output.err : output.out, row->words);
	if (row->status)
		assert_int_equal(count_lines(output.err), 1);
}

static void missing_types_do_not_qualify(void **state)
{
	static const char *const without[] = { "-O", "^filetype", NULL };
	const struct test_filesystem ext4 = { .type = "ext4", .bytes = 32 << 20, .mkfs = without };
	struct test_place *place = *state;
	struct ovl2_error err = { 0 };
	cleanup_output struct test_output output = { 0 };
	int r = test_filesystem_mount(&ext4, place->path, &err);

	if (r == OVL2_E_UNSUPPORTED)
		test_skip("%s", err.message);
	assert_ok(r, &err);

	output = probe("--color=never", place->path);
	assert_int_equal(output.status, 1);
	assert_contains(output.out, "\nfail     d_type          no       getdents64 returned "
	                            "DT_UNKNOWN");
	assert_contains(output.out, "\n         Overlayfs finds whiteouts");
	assert_contains(output.out, "\n           tune2fs -O filetype");
	assert_contains(output.out, "\nNOT QUALIFIED for docker on ");
	assert_contains(output.out, ": d_type\n");
}

static void read_only_cannot_be_determined(void **state)
{
	struct test_place *place = *state;
	cleanup_output struct test_output output = { 0 };

	assert_sys(mount(place->path, place->path, NULL, MS_BIND, NULL));
	assert_sys(mount(NULL, place->path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	output = probe("--color=never", place->path);
	assert_int_equal(output.status, 2);
	assert_contains(output.out, "pass     kernel_version  yes");
	assert_contains(output.out,
	                "unknown  d_type          unknown  create a scratch directory in ");
	assert_contains(output.out, ": Read-only file system");
	assert_contains(output.out, "UNDETERMINED for docker");
}

/*
 * As somebody else, in a directory of his. The program is copied to where he may
 * read it, whatever the build directory's permissions are.
 */
static void unprivileged_cannot_tell(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *program = test_path("%s/ovl2-probe", place->path);
	cleanup_free char *home = test_path("%s/home", place->path);
	cleanup_free char *area = test_path("%s/..", place->path);
	const char *copy[] = { "cp", OVL2_PROBE, program, NULL };
	const char *argv[] = { "setpriv",
		               "--reuid=65534",
		               "--regid=65534",
		               "--clear-groups",
		               "--inh-caps=-all",
		               program,
		               "--color=never",
		               home,
		               NULL };
	cleanup_output struct test_output copied = test_spawn(copy);
	cleanup_output struct test_output output = { 0 };

	assert_int_equal(copied.status, 0);
	assert_sys(mkdir(home, 0700));
	assert_sys(chown(home, 65534, 65534));
	assert_sys(chmod(area, 0755));

	output = test_spawn(argv);
	assert_int_equal(output.status, 2);
	assert_string_equal(output.err, "");
	assert_contains(output.out, "pass     d_type          yes");
	assert_contains(output.out, "unknown  backing_fs      unknown");
	assert_contains(output.out, "unknown  mount_absolute  unknown");
	assert_contains(output.out, "Operation not permitted");
	assert_sys(rmdir(home));
}

/* ------------------------------------------------------------------- ends -- */

static int end_after(const char *const argv[], int sig, useconds_t delay_us)
{
	int status = 0;
	pid_t child = fork();

	assert_sys(child);
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(null, STDOUT_FILENO);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	usleep(delay_us);
	assert_sys(kill(child, sig));
	assert_int_equal(waitpid(child, &status, 0), child);

	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* At moments all over a run, the first before it has done anything. */
#define END_COUNT 24
#define END_STEP_US 2500

static void signal_leaves_nothing(void **state)
{
	struct test_place *place = *state;
	const char *const argv[] = { OVL2_PROBE, place->path, NULL };
	int sig = *(const int *)place->row;
	struct test_resources before = test_resources_count();
	size_t ended = 0;

	for (useconds_t i = 0; i < END_COUNT; i++) {
		int status = end_after(argv, sig, i * END_STEP_US);

		assert_true(status == 0 || status == 128 + sig);
		ended += status != 0;
		assert_empty(place);
		assert_nothing_left(before);
	}
	assert_true(ended > 0);
}

/* Far too short for most probes: whichever way each goes, nothing stays. */
static void time_limit_leaves_nothing(void **state)
{
	struct test_place *place = *state;
	struct test_resources before = test_resources_count();

	for (int i = 0; i < 10; i++) {
		cleanup_output struct test_output output = probe("--timeout=0.001", place->path);

		assert_true(output.status >= 0 && output.status <= 2);
		assert_contains(output.out, " for docker on ");
		assert_empty(place);
		assert_nothing_left(before);
	}
}

/* Each sweeps what the others may have made and not locked yet. */
static void runs_do_not_disturb_each_other(void **state)
{
	struct test_place *place = *state;
	pid_t children[8];
	int status;

	for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
		children[i] = fork();
		assert_sys(children[i]);
		if (children[i] == 0) {
			int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

			dup2(null, STDOUT_FILENO);
			execl(OVL2_PROBE, OVL2_PROBE, place->path, (char *)NULL);
			_exit(127);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	assert_empty(place);
}

struct kill_row {
	const char *program;
	const char *profile;
	const char *jobs;
	size_t count;
	useconds_t step_us;
};

/*
 * Nothing of a process that is killed is the sanitizers' to see: the whole catalogue is
 * asked by the program as it is shipped, if that was built, and eight probes are killed
 * at a time.
 */
static const struct kill_row kill_rows[] = {
	{ OVL2_PROBE, "docker", "1", END_COUNT, END_STEP_US },
	{ OVL2_PROBE_STATIC, "all", "8", 48, 3000 },
};

/* Nobody can clean up after SIGKILL but the next run; mounts are gone at once. */
static void next_run_cleans_up_after_kill(void **state)
{
	struct test_place *place = *state;
	const struct kill_row *row = place->row;
	const char *program = access(row->program, X_OK) == 0 ? row->program : OVL2_PROBE;
	const char *const argv[] = { program,   "--profile", row->profile, "--jobs",
		                     row->jobs, place->path, NULL };
	struct test_resources before = test_resources_count();
	size_t killed = 0;

	for (useconds_t i = 0; i < row->count; i++) {
		int status = end_after(argv, SIGKILL, i * row->step_us);

		assert_true(status <= 2 || status == 128 + SIGKILL);
		killed += status == 128 + SIGKILL;
		assert_nothing_left(before);
	}
	print_message("%s: killed at %zu of %zu moments\n", row->profile, killed, row->count);
	assert_true(killed > row->count / 4);

	for (int attempt = 0; attempt < 50; attempt++) {
		cleanup_output struct test_output output = probe("--color=never", place->path);
		cleanup_fd int fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		/* The killed one's child may take a moment to follow it. */
		assert_int_equal(output.status, 0);
		if (ovi_dir_is_empty(fd, place->path, NULL) == 1)
			break;
		usleep(20000);
	}
	assert_empty(place);
	assert_nothing_left(before);
}

static int run_programs_own(int argc, char **argv)
{
	static const int sigint = SIGINT;
	static const int sigterm = SIGTERM;
	static const struct usage_row rows[] = {
		{ { OVL2_PROBE, "--profile", "lxc" },
		  64,
		  "there is no profile 'lxc', only docker" },
		{ { OVL2_PROBE, "--only", "dtype" }, 64, "only kernel_version overlay_available" },
		{ { OVL2_PROBE, "--timeout", "soon" }, 64, "'soon' is not a number of seconds" },
		{ { OVL2_PROBE, "--color", "red" }, 64, "always, never or auto" },
		{ { OVL2_PROBE, "/", "/tmp" }, 64, "one directory at a time" },
		{ { OVL2_PROBE, "/nowhere" }, 2, "open directory '/nowhere': No such file" },
		{ { OVL2_PROBE, "/etc/passwd" }, 2, "open directory '/etc/passwd': Not a dir" },
		{ { OVL2_PROBE, "--list" }, 0, "Can 128 lowers be mounted?" },
	};
	const struct CMUnitTest tests[] = {
		test_case("unknown profile", command_line_is_judged, &rows[0]),
		test_case("unknown probe", command_line_is_judged, &rows[1]),
		test_case("bad time limit", command_line_is_judged, &rows[2]),
		test_case("bad color", command_line_is_judged, &rows[3]),
		test_case("two directories", command_line_is_judged, &rows[4]),
		test_case("no such directory", command_line_is_judged, &rows[5]),
		test_case("not a directory", command_line_is_judged, &rows[6]),
		test_case("list of probes", command_line_is_judged, &rows[7]),
		cmocka_unit_test(missing_types_do_not_qualify),
		cmocka_unit_test(read_only_cannot_be_determined),
		cmocka_unit_test(unprivileged_cannot_tell),
		test_case("interrupted", signal_leaves_nothing, &sigint),
		test_case("terminated", signal_leaves_nothing, &sigterm),
		test_case("next_run_cleans_up_after_kill", next_run_cleans_up_after_kill,
		          &kill_rows[0]),
		test_case("kill_of_any_probe_leaves_nothing", next_run_cleans_up_after_kill,
		          &kill_rows[1]),
		cmocka_unit_test(time_limit_leaves_nothing),
		cmocka_unit_test(runs_do_not_disturb_each_other),
	};

	return test_run("program", tests, ARRAY_SIZE(tests), argc, argv);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest everywhere[] = {
		cmocka_unit_test(json_is_as_documented),
		cmocka_unit_test(lines_are_printed),
		cmocka_unit_test(colors_come_when_asked_for),
		cmocka_unit_test(only_what_is_asked_for_is_asked),
		cmocka_unit_test(output_goes_to_a_file_as_well),
	};
	int failed;

	test_enter_namespace();
	failed = run_programs_own(argc, argv);

	return test_run_everywhere("program", everywhere, ARRAY_SIZE(everywhere), argc, argv) |
	       failed;
}
