// SPDX-License-Identifier: MIT
#include "support/test.h"
#include "support/tree.h"

#include "probe.h"

#include <stdio.h>
#include <sys/stat.h>

/* What engines ask for, where they keep their layers, and what people accept. */

static struct test_output shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static struct test_output shell(const char *format, ...)
{
	char script[4096];
	va_list args;

	va_start(args, format);
	assert_true(vsnprintf(script, sizeof(script), format, args) < (int)sizeof(script));
	va_end(args);

	return test_spawn((const char *const[]){ "sh", "-euc", script, NULL });
}

static void every_need_is_a_probe_with_a_source(void **state)
{
	size_t count = 0;

	(void)state;
	for (const struct probe_profile *profile = probe_profiles; profile->id; profile++) {
		assert_true(*profile->title);
		assert_true(profile->takes_all || profile->needs->id);
		for (const struct probe_need *need = profile->needs; need->id; need++, count++) {
			if (!probe_find(need->id))
				fail_msg("%s needs '%s', which is no probe", profile->id, need->id);
			if (strncmp(need->source, "https://", 8) != 0)
				fail_msg("%s: %s has no source", profile->id, need->id);
			for (const struct probe_need *other = profile->needs; other < need; other++)
				assert_string_not_equal(other->id, need->id);
		}
	}
	print_message("%zu needs of %zu profiles\n", count, (size_t)12);
}

static void every_probe_is_explained(void **state)
{
	const struct probe *probe;
	size_t count = 0;

	(void)state;
	for (; (probe = probe_at(count)); count++) {
		const char *const texts[] = { probe->id,  probe->group, probe->title, probe->why,
			                      probe->how, probe->since, probe->remedy };

		for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
			assert_true(texts[i] && *texts[i]);
		if (probe->title[strlen(probe->title) - 1] != '?')
			fail_msg("%s asks no question: '%s'", probe->id, probe->title);
		assert_ptr_equal(probe_find(probe->id), probe);
		/* Commands to paste are indented by two spaces, each on a line. */
		assert_contains(probe->remedy, "\n  ");
	}
	print_message("%zu probes\n", count);
	assert_true(count >= 75);
}

/* -------------------------------------------------------------- data roots -- */

struct root_row {
	const char *title;
	const char *profile;

	/* Below the root: a configuration, and the directory that it leads to. */
	const char *file;
	const char *text;
	const char *directory;

	/* And another one; in those of a command line newlines stand for zero bytes. */
	const char *more_file;
	const char *more_text;
};

static const struct root_row root_rows[] = {
	{ "Docker's data-root", "docker", "etc/docker/daemon.json",
	  "{\"data-root\": \"/srv/docker\"}", "srv/docker", NULL, NULL },
	{ "Docker's layers below it", "docker", "etc/docker/daemon.json",
	  "{\"data-root\": \"/srv/docker\"}", "srv/docker/overlay2", NULL, NULL },
	{ "Docker's default", "docker", NULL, NULL, "var/lib/docker/overlay2", NULL, NULL },
	{ "containerd's root", "containerd", "etc/containerd/config.toml",
	  "version = 2\n# root = \"/no\"\nroot = \"/srv/ctr\" # here\n[plugins]\n", "srv/ctr", NULL,
	  NULL },
	{ "containerd's snapshotter", "docker-containerd", "etc/containerd/config.toml",
	  "version = 3\n[plugins.'io.containerd.snapshotter.v1.overlayfs']\n"
	  "  root_path = \"/srv/snap\"\n",
	  "srv/snap", NULL, NULL },
	{ "Podman's graphroot", "podman", "etc/containers/storage.conf",
	  "[storage]\ndriver = \"overlay\"\ngraphroot = \"/srv/graph\"\n", "srv/graph", NULL,
	  NULL },
	{ "CRI-O's root", "cri-o", "etc/crio/crio.conf.d/10-x.conf",
	  "[crio]\nroot = \"/srv/crio\"\n", "srv/crio", NULL, NULL },
	{ "BuildKit's root", "buildkit", "etc/buildkit/buildkitd.toml", "root = \"/srv/bk\"\n",
	  "srv/bk", NULL, NULL },
	{ "an import of containerd's", "containerd", "etc/containerd/config.toml",
	  "root = \"/no\"\nimports = [\n  \"conf.d/*.toml\", # late\n]\n", "srv/imported",
	  "etc/containerd/conf.d/20-x.toml", "root = '/srv/imported'\n" },
	{ "dockerd's unit", "docker", "usr/lib/systemd/system/docker.service",
	  "[Service]\nExecStart=/usr/bin/dockerd -H fd:// \\\n  --data-root=/srv/unit\n",
	  "srv/unit", NULL, NULL },
	{ "dockerd's unit, changed", "docker", "usr/lib/systemd/system/docker.service",
	  "[Service]\nExecStart=/usr/bin/dockerd --data-root=/no\n", "srv/with blank",
	  "etc/systemd/system/docker.service.d/override.conf",
	  "[Service]\nExecStart=\nExecStart=-/usr/bin/dockerd -g '/srv/with blank'\n" },
	{ "dockerd's unit, with a variable", "docker", "etc/systemd/system/docker.service",
	  "[Service]\nEnvironmentFile=-/etc/default/docker\n"
	  "ExecStart=/usr/bin/dockerd $DOCKER_OPTS\n",
	  "srv/variable", "etc/default/docker",
	  "DOCKER_OPTS=\"--debug --data-root /srv/variable\"\n" },
	{ "dockerd as it runs", "docker", "usr/lib/systemd/system/docker.service",
	  "[Service]\nExecStart=/usr/bin/dockerd --data-root=/no\n", "srv/run", "proc/42/cmdline",
	  "/usr/bin/dockerd\n--data-root\n/srv/run\n" },
	{ "dockerd's other configuration", "docker", "srv/daemon.json",
	  "{\"data-root\": \"/srv/other\"}", "srv/other", "proc/42/cmdline",
	  "dockerd\n--config-file=/srv/daemon.json\n" },
	{ "containerd as k3s runs it", "kubernetes", NULL, NULL, "srv/k3s", "proc/7/cmdline",
	  "containerd\n-c\n/srv/config.toml\n--root\n/srv/k3s\n" },
	{ "Kubernetes on containerd", "kubernetes", NULL, NULL, "var/lib/containerd", NULL, NULL },
};

static void write_below(const struct test_place *place, const char *name, const char *text)
{
	cleanup_free char *path = test_path("%s/%s", place->path, name);
	cleanup_output struct test_output made = { 0 };
	cleanup_output struct test_output cut = { 0 };

	made = shell("mkdir -p \"$(dirname '%s')\"", path);
	assert_int_equal(made.status, 0);
	test_file_write(path, text);
	if (strstr(name, "cmdline"))
		cut = shell("tr '\\n' '\\0' <'%s' >'%s.new' && mv '%s.new' '%s'", path, path, path,
		            path);
	assert_int_equal(cut.status, 0);
}

static void layers_are_looked_for_where_the_engine_says(void **state)
{
	const struct test_place *place = *state;
	const struct root_row *row = place->row;
	cleanup_free char *expected = test_path("%s/%s", place->path, row->directory);
	cleanup_output struct test_output output = { 0 };

	if (row->file)
		write_below(place, row->file, row->text);
	if (row->more_file)
		write_below(place, row->more_file, row->more_text);
	output = shell("mkdir -p '%s' && cd '%s' && { " OVL2_PROBE
	               " --root . --profile %s --json || :; } | jq -r .target.path",
	               expected, place->path, row->profile);
	assert_int_equal(output.status, 0);
	output.out[strcspn(output.out, "\n")] = '\0';
	assert_string_equal(output.out, expected);
}

/* Those in containers are no more this host's than the units that are masked. */
static void other_daemons_are_passed_over(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output = { 0 };

	write_below(place, "proc/42/cmdline", "dockerd\n--data-root=/srv/container\n");
	write_below(place, "proc/43/cmdline", "mydockerd\n--data-root=/srv/other\n");
	output = shell(
		"cd '%s' && mkdir -p proc/1/ns proc/42/ns srv/container srv/other etc/systemd/system "
		"var/lib/docker dev && ln -s 'pid:[1]' proc/1/ns/pid && "
		"ln -s 'pid:[2]' proc/42/ns/pid && mknod dev/null c 1 3 && "
		"ln -s /dev/null etc/systemd/system/docker.service && { " OVL2_PROBE
		" --root . --profile docker --json || :; } | jq -r .target.path",
		place->path);
	assert_contains(output.out, "/var/lib/docker\n");
}

/* The kubelet's needs are asked where it keeps its files, when that is somewhere else. */
static void second_directory_is_asked_as_well(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output same = { 0 };
	cleanup_output struct test_output other = { 0 };

	write_below(place, "proc/7/cmdline", "/usr/bin/kubelet\n--root-dir=/srv/kubelet\n");
	same = shell("cd '%s' && mkdir -p var/lib/containerd srv/kubelet && " OVL2_PROBE
	             " --root . --profile kubernetes --only '*_headroom' || :",
	             place->path);
	assert_contains(same.out, "/srv/kubelet as well, on the same filesystem: '--root-dir' in "
	                          "kubelet as it runs\n");
	assert_null(strstr(same.out, "; in '/"));

	other = shell(
		"cd '%s' && mount -t tmpfs -o size=1m tmpfs srv/kubelet && { head -c 1M /dev/zero >srv/kubelet/fill && " OVL2_PROBE
		" --root . --profile kubernetes --only '*_headroom' --json || :; } | "
		"jq -r '.target.also.filesystem, .verdict, (.probes[] | select(.id == "
		"\"space_headroom\") | .answer, .evidence)'; umount srv/kubelet",
		place->path);
	assert_contains(other.out, "tmpfs\nnot_qualified\nno\n");
	assert_contains(other.out, "/srv/kubelet': 0 MiB are free");
}

static void broken_configuration_is_named(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output = shell(
		"cd '%s' && mkdir -p etc/docker && echo '{\"data-root\": 7}' >etc/docker/daemon.json"
		" && " OVL2_PROBE " --root . --profile docker",
		place->path);

	assert_int_equal(output.status, 2);
	assert_contains(output.err, "etc/docker/daemon.json");
	assert_contains(output.err, "data-root: not a string");
}

/* ----------------------------------------------------------------- waivers -- */

static struct test_output waive(const struct test_place *place, const char *entry)
{
	return shell(
		"cd '%s' && printf '{\"format\": \"ovl2-waivers/1\", \"waivers\": [%%s]}' '%s' "
		">waivers.json\n" OVL2_PROBE " --from " SAMPLES "/probe-refused.json "
		"--waivers waivers.json --json",
		place->path, entry);
}

static void waived_failure_stays_visible(void **state)
{
	cleanup_output struct test_output output = waive(
		*state,
		"{\"id\": \"d_type\", \"reason\": \"old disks\", \"expires\": \"2999-12-31\"}");

	/* What could not be told is not waived by it. */
	assert_int_equal(output.status, 2);
	assert_contains(output.out, "\"verdict\": \"waived\"");
	assert_contains(output.out, "\"answer\": \"no\"");
	assert_contains(output.out, "\"reason\": \"old disks\"");
}

static void expired_waiver_fails_again(void **state)
{
	cleanup_output struct test_output output = waive(
		*state,
		"{\"id\": \"d_type\", \"reason\": \"old disks\", \"expires\": \"2020-01-01\"}");

	assert_int_equal(output.status, 1);
	assert_contains(output.out, "\"expired\": true");
	assert_contains(output.out, "\"verdict\": \"fail\"");
}

static void unknown_answer_cannot_be_waived(void **state)
{
	cleanup_output struct test_output output = waive(
		*state, "{\"id\": \"max_depth\", \"reason\": \"x\", \"expires\": \"2999-12-31\"},"
			"{\"id\": \"d_type\", \"reason\": \"x\", \"expires\": \"2999-12-31\"},"
			"{\"id\": \"opaque_copy_up\", \"reason\": \"x\", "
			"\"expires\": \"2999-12-31\"}");

	assert_int_equal(output.status, 2);
	assert_contains(output.out, "\"verdict\": \"undetermined\"");
}

struct waiver_row {
	const char *title;
	const char *entry;
	const char *message;
};

static const struct waiver_row waiver_rows[] = {
	{ "waiver without a reason", "{\"id\": \"d_type\", \"expires\": \"2999-12-31\"}",
	  "reason: missing" },
	{ "waiver without an end", "{\"id\": \"d_type\", \"reason\": \"x\"}", "expires: missing" },
	{ "waiver until a day that is not",
	  "{\"id\": \"d_type\", \"reason\": \"x\", "
	  "\"expires\": \"2027-02-31\"}",
	  "not a day" },
	{ "waiver for no probe",
	  "{\"id\": \"nope\", \"reason\": \"x\", \"expires\": \"2999-12-31\"}", "no probe 'nope'" },
	{ "waiver with a misspelt field",
	  "{\"id\": \"d_type\", \"reason\": \"x\", \"expires\": \"2999-12-31\", \"tarqet\": \"/x\"}",
	  "'tarqet' is not known" },
};

static void wrong_waiver_is_refused(void **state)
{
	const struct waiver_row *row = ((const struct test_place *)*state)->row;
	cleanup_output struct test_output output = waive(*state, row->entry);

	assert_int_equal(output.status, 2);
	assert_contains(output.err, row->message);
	assert_string_equal(output.out, "");
}

/* ---------------------------------------------------------------- commands -- */

static void probes_are_listed_and_explained(void **state)
{
	cleanup_output struct test_output list =
		shell(OVL2_PROBE " list --json | jq -r '.[].id' | while read -r id; do " OVL2_PROBE
	                         " explain $id >/dev/null && echo $id; done | wc -l");
	cleanup_output struct test_output explained = shell(OVL2_PROBE " explain d_type");
	cleanup_output struct test_output unknown = shell(OVL2_PROBE " explain nope");

	(void)state;
	assert_true(strtol(list.out, NULL, 10) >= 75);
	assert_contains(explained.out, "Does readdir tell the type of every file?");
	assert_contains(explained.out, "docker");
	assert_contains(explained.out, "What to do");
	assert_int_equal(unknown.status, 64);
	assert_contains(unknown.err, "nope");
}

static void what_got_worse_is_told(void **state)
{
	cleanup_output struct test_output worse = shell(
		OVL2_PROBE " diff " SAMPLES "/probe-qualified.json " SAMPLES "/probe-refused.json");
	cleanup_output struct test_output better = shell(
		OVL2_PROBE " diff " SAMPLES "/probe-refused.json " SAMPLES "/probe-qualified.json");
	cleanup_output struct test_output same = shell(
		OVL2_PROBE " diff " SAMPLES "/probe-refused.json " SAMPLES "/probe-refused.json");

	(void)state;
	assert_int_equal(worse.status, 1);
	assert_contains(worse.out, "d_type");
	assert_int_equal(better.status, 0);
	assert_int_equal(same.status, 0);
}

static void patterns_choose_probes(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output =
		shell("{ " OVL2_PROBE
	              " --only 'whiteout_*' --jobs 3 --json '%s' || :; } | jq -r '.probes[].id'",
	              place->path);

	assert_string_equal(output.out, "whiteout_device\nwhiteout_made\nwhiteout_hides\n");
}

/* In the words of every reader: nobody may take a part that passes for the whole. */
static void partial_run_never_qualifies(void **state)
{
	static const struct {
		const char *format;
		int status;
		const char *words;
	} rows[] = {
		{ "human", 2, "UNDETERMINED for docker on " },
		{ "human", 2,
		  "; partial, not asked: kernel_version, backing_fs, mount_absolute, " },
		{ "json", 2, "\"verdict\": \"undetermined\"" },
		{ "jsonl", 2, "\"partial\":true" },
		{ "tap", 2, "\nnot ok 2 - partial, not asked: kernel_version, " },
		{ "junit", 2, "<error type=\"required\" message=\"partial, not asked: " },
		{ "npd", 2, "partial, not asked: kernel_version, " },
		{ "nagios", 3, "OVL2 UNKNOWN - undetermined for docker on " },
		{ "nagios", 3, ", partial, not asked: kernel_version, " },
		{ "prometheus", 2, ",partial=\"true\"} 1\n" },
		{ "nfd", 2, "docker.qualified=false\n" },
		{ "nfd", 2, "docker.partial=true\n" },
		{ "ansible", 0, "\"partial\": true" },
	};
	const struct test_place *place = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *argv[] = { OVL2_PROBE,     "--only",    "d_type", "--format",
			               rows[i].format, place->path, NULL };
		cleanup_output struct test_output output = test_spawn(argv);

		assert_int_equal(output.status, rows[i].status);
		assert_contains(output.out, rows[i].words);
	}
}

/* Whatever else the run leaves out: it is told when a part already failed. */
static void partial_run_can_fail(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output =
		shell(OVL2_PROBE
	              " --only d_type --json '%s' | jq '.probes[0] += {answer: \"no\", verdict: "
	              "\"fail\"} | .verdict = \"not_qualified\"' | " OVL2_PROBE " --from -",
	              place->path);

	assert_int_equal(output.status, 1);
	assert_contains(output.out, "NOT QUALIFIED for docker");
	assert_contains(output.out, ": d_type; partial, not asked: kernel_version, ");
}

static void patterns_that_leave_out_nothing_required_decide(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output = shell(
		OVL2_PROBE
		" --only '[bdk]*' --only 'ma*' --only 'mount_*' --json '%s' | jq -c '[.verdict, .partial, .not_asked]'",
		place->path);

	assert_string_equal(output.out, "[\"qualified\",false,[]]\n");
}

/* A document that claims more than it asked is refused, here and by the report. */
static void partial_document_cannot_claim_to_qualify(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output =
		shell("cd '%s' && jq '.not_asked = [\"d_type\"]' " SAMPLES
	              "/probe-qualified.json >claim.json\n" OVL2_PROBE " --from claim.json",
	              place->path);

	assert_int_equal(output.status, 2);
	assert_contains(output.err, "from which follows 'undetermined'");
}

/* An engine that asks for what cannot be told here is never told that all is well. */
static void undetermined_is_never_qualified(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output = shell(
		"chmod 0777 '%s' && for profile in $(" OVL2_PROBE
		" profiles --json | jq -r '.[].id' | grep -v all); do\n"
		"setpriv --reuid=65534 --regid=65534 --clear-groups " OVL2_PROBE
		" --profile $profile '%s' >/dev/null 2>&1 && echo \"$profile qualified\" || :\n"
		"done",
		place->path, place->path);

	assert_string_equal(output.out, "");
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[16 + ARRAY_SIZE(root_rows) + ARRAY_SIZE(waiver_rows)] = {
		cmocka_unit_test(every_need_is_a_probe_with_a_source),
		cmocka_unit_test(every_probe_is_explained),
		cmocka_unit_test(broken_configuration_is_named),
		cmocka_unit_test(other_daemons_are_passed_over),
		cmocka_unit_test(second_directory_is_asked_as_well),
		cmocka_unit_test(waived_failure_stays_visible),
		cmocka_unit_test(expired_waiver_fails_again),
		cmocka_unit_test(unknown_answer_cannot_be_waived),
		cmocka_unit_test(probes_are_listed_and_explained),
		cmocka_unit_test(what_got_worse_is_told),
		cmocka_unit_test(patterns_choose_probes),
		cmocka_unit_test(undetermined_is_never_qualified),
		cmocka_unit_test(partial_run_never_qualifies),
		cmocka_unit_test(partial_run_can_fail),
		cmocka_unit_test(patterns_that_leave_out_nothing_required_decide),
		cmocka_unit_test(partial_document_cannot_claim_to_qualify),
	};
	size_t count = 16;

	for (size_t i = 0; i < ARRAY_SIZE(root_rows); i++)
		tests[count++] =
			test_case(root_rows[i].title, layers_are_looked_for_where_the_engine_says,
		                  &root_rows[i]);
	for (size_t i = 0; i < ARRAY_SIZE(waiver_rows); i++)
		tests[count++] =
			test_case(waiver_rows[i].title, wrong_waiver_is_refused, &waiver_rows[i]);

	test_enter_namespace();
	return test_run("profiles", tests, count, argc, argv);
}
