// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

/* What is under reports/fleet, run by the tools it is for. */

static struct test_output shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static struct test_output shell(const char *format, ...)
{
	cleanup_free char *script = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&script, format, args) < 0)
		script = NULL;
	va_end(args);
	assert_non_null(script);

	return test_spawn((const char *const[]){ "sh", "-euc", script, NULL });
}

static void assert_went_well(const struct test_output *output)
{
	if (output->status != 0)
		fail_msg("exit code %d: %s%s", output->status, output->out, output->err);
}

static void require_tool(const char *name, const char *package)
{
	cleanup_output struct test_output output = shell("command -v '%s'", name);

	if (output.status != 0)
		test_skip("no %s: apt-get install %s", name, package);
}

/* systemd looks for the program where it is installed. */
static void units_are_accepted_by_systemd(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output = { 0 };

	require_tool("systemd-analyze", "systemd");
	output = shell("mkdir '%s/bin' && cp '" OVL2_PROBE "' '%s/bin/ovl2-probe' && "
	               "mount --bind '%s/bin' /usr/local/bin && "
	               "systemd-analyze verify --man=no " FLEET "/systemd/ovl2-probe.service " FLEET
	               "/systemd/ovl2-probe.timer",
	               place->path, place->path, place->path);
	umount2("/usr/local/bin", MNT_DETACH);
	assert_went_well(&output);
	assert_string_equal(output.err, "");
}

/* What the unit runs, with its settings, and where the answers are afterwards. */
static void unit_leaves_answers_where_others_look(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output = shell(
		"cd '%s' && mkdir bin layers root && cp '" OVL2_PROBE "' bin/ovl2-probe\n"
		"PATH=$PWD/bin:$PATH OVL2_PROFILE=docker OVL2_OPTIONS=$PWD/layers "
		"OVL2_TEXTFILE_DIRECTORY=$PWD/root/textfile\n"
		"export PATH OVL2_PROFILE OVL2_OPTIONS OVL2_TEXTFILE_DIRECTORY\n"
		"mkdir -p root/textfile root/facts root/state\n"
		"line=$(sed -n '/^ExecStart=/,/[^\\\\]$/p' " FLEET
		"/systemd/ovl2-probe.service | sed -n '1,/[^\\\\]$/p')\n"
		"line=$(printf '%%s' \"${line#ExecStart=}\" | tr -d '\\\\\\n' |"
		" sed \"s#/var/lib/ovl2#$PWD/root/state#; s#/etc/ansible/facts.d#$PWD/root/facts#\")\n"
		"eval \"$line\" || [ $? -le 2 ]\n"
		"jq -e .verdict root/state/probe.json && jq -e .verdict root/facts/ovl2.fact && "
		"grep '^ovl2_probe_qualified' root/textfile/ovl2.prom",
		place->path);

	assert_went_well(&output);
	assert_contains(output.out, "ovl2_probe_qualified{profile=\"docker\"");
}

static void rules_pass_their_tests(void **state)
{
	cleanup_output struct test_output output = { 0 };

	(void)state;
	require_tool("promtool", "prometheus");
	output = shell("cd " FLEET "/prometheus && promtool check rules ovl2.rules.yml && "
	               "promtool test rules ovl2.rules.test.yml");
	assert_went_well(&output);
	assert_contains(output.out, "SUCCESS");
}

static void files_agree_with_what_is_exported(void **state)
{
	cleanup_output struct test_output output =
		shell(CHECKER " " FLEET " " OVL2_PROBE " " SAMPLES "/probe-refused.json");

	(void)state;
	assert_went_well(&output);
	print_message("%s", output.out);
}

/* The loop of the DaemonSet, on a directory in place of the host. */
static void pod_leaves_features_on_the_host(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output =
		shell("cd '%s' && mkdir -p bin host/var/lib/containerd host/etc/kubernetes && "
	              "cp '" OVL2_PROBE "' bin/ovl2-probe\n"
	              "python3 - <<'END' >loop\n"
	              "import yaml\n"
	              "with open('" FLEET "/kubernetes/daemonset.yaml') as file:\n"
	              "    daemon = yaml.safe_load(file)\n"
	              "print(daemon['spec']['template']['spec']['containers'][0]['args'][0])\n"
	              "END\n"
	              "sed -i \"s#/host#$PWD/host#g; s#/tmp/asked#$PWD/asked#\" loop\n"
	              "PATH=$PWD/bin:$PATH OVL2_PROFILE=kubernetes sh loop >log 2>&1 & loop=$!\n"
	              "for i in $(seq 300); do [ -e asked ] && break; sleep 0.1; done\n"
	              "kill -TERM $loop && wait $loop || { cat log; exit 1; }\n"
	              "cat host/etc/kubernetes/node-feature-discovery/features.d/ovl2-kubernetes\n"
	              "jq -e .target.path host/var/lib/ovl2/probe.json",
	              place->path);

	assert_went_well(&output);
	assert_contains(output.out, "feature.node.kubernetes.io/ovl2.kubernetes.verdict=");
	assert_contains(output.out, "/host/var/lib/containerd");
}

/*
 * Three hosts with networks and roots of their own, reached by ssh: one that qualifies,
 * one whose ext4 does not type its entries, one that would put overlay on overlay.
 */
static void role_sorts_real_hosts(void **state)
{
	const struct test_place *place = *state;
	cleanup_output struct test_output output = { 0 };

	require_tool("ansible-playbook", "ansible-core");
	require_tool("/usr/sbin/sshd", "openssh-server");
	require_tool("ip", "iproute2");
	output = shell(
		"cd '%s' && mkdir hosts out\n"
		"cat >play <<'END'\n"
		"cd " FLEET "/ansible\n"
		"export ANSIBLE_NOCOLOR=1 ANSIBLE_PIPELINING=1 ANSIBLE_LOCALHOST_WARNING=0\n"
		"play() { ansible-playbook -i \"$1/hosts/inventory.ini\" -e \"ovl2_probe_program=" OVL2_PROBE
		"\" -e \"ovl2_probe_fetch_directory=$1/out\" site.yml "
		"-e ovl2_probe_require_qualified=true; }\n"
		"play \"$1\" || [ $? -eq 2 ]\n"
		"END\n" HOSTS " \"$PWD/hosts\" sh -eu play \"$PWD\"\n"
		"for host in good bare nested; do echo \"$host $(jq -r .verdict out/$host.json) "
		"$(jq -r .target.path out/$host.json)\"; done",
		place->path);
	assert_went_well(&output);
	assert_contains(output.out, "good is qualified for docker");
	assert_contains(output.out, "bare is not_qualified for docker: d_type");
	assert_contains(output.out, "nested is not_qualified for docker: backing_fs");
	assert_contains(output.out, "good qualified /var/lib/docker\n");
	assert_contains(output.out, "nested not_qualified /var/lib/docker\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_are_accepted_by_systemd),
		cmocka_unit_test(unit_leaves_answers_where_others_look),
		cmocka_unit_test(rules_pass_their_tests),
		cmocka_unit_test(files_agree_with_what_is_exported),
		cmocka_unit_test(pod_leaves_features_on_the_host),
		cmocka_unit_test(role_sorts_real_hosts),
	};

	test_enter_namespace();
	return test_run("rollout", tests, ARRAY_SIZE(tests), argc, argv);
}
