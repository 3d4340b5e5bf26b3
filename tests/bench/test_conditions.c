#include "support/test.h"

#include "conditions.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* What is said of hosts, which are directories with the files that the kernel has. */

static void put(int dir, const char *path, const char *text)
{
	char parent[128];
	int fd;

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
		if (mkdirat(dir, parent, 0700) < 0)
			assert_int_equal(errno, EEXIST);
	}
	fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_sys(fd);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

#define GOVERNOR "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
#define NO_TURBO "sys/devices/system/cpu/intel_pstate/no_turbo"
#define BOOST "sys/devices/system/cpu/cpufreq/boost"
#define QUIET "some avg10=0.12 avg60=0.00 avg300=0.00 total=1000000\nfull avg10=90.00 total=7\n"
#define BUSY "some avg10=12.50 avg60=0.00 avg300=0.00 total=1000000\nfull avg10=0.00 total=7\n"

struct host {
	const char *title;
	const char *path;
	const char *text;

	/* In the only complaint; NULL for none. */
	const char *complaint;
};

static const struct host hosts[] = {
	{ "nothing is known of it", "proc/version", "", NULL },
	{ "nobody waits", "proc/pressure/cpu", QUIET, NULL },
	{ "little load", "proc/loadavg", "0.01 0.05 0.11 1/80 2\n", NULL },
	{ "load", "proc/loadavg", "4000.25 0.05 0.11 1/80 2\n", "load average is 4000.2" },
	{ "processors are waited for", "proc/pressure/cpu", BUSY, "a processor 12 %" },
	{ "disks are waited for", "proc/pressure/io", BUSY, "a disk 12 %" },
	{ "speed follows load", GOVERNOR, "schedutil\n", "'schedutil'" },
	{ "one speed", GOVERNOR, "performance\n", NULL },
	{ "Intel's turbo", NO_TURBO, "0\n", "turbo is on" },
	{ "Intel's turbo is off", NO_TURBO, "1\n", NULL },
	{ "AMD's turbo", BOOST, "1\n", "turbo is on" },
	{ "AMD's turbo is off", BOOST, "0\n", NULL },
};

static void check_host(void **state)
{
	const struct test_place *place = *state;
	const struct host *host = place->row;
	struct conditions conditions;
	char text[256] = "";

	put(place->fd, host->path, host->text);
	conditions_read(place->fd, 0, &conditions);
	if (!host->complaint) {
		assert_int_equal(conditions_complain(&conditions, 0, text), 0);
		return;
	}
	assert_true(conditions_complain(&conditions, 0, text) > 0);
	assert_contains(text, host->complaint);
	assert_int_equal(conditions_complain(&conditions, 1, text), 0);
}

static void run_is_held_to_what_others_took_meanwhile(void **state)
{
	const struct test_place *place = *state;
	struct conditions_change change;
	struct conditions before;
	struct conditions after;
	char text[256];

	put(place->fd, "proc/stat", "cpu  100 0 100 700 50 0 0 50 9 9\ncpu0 1 2 3\n");
	put(place->fd, "proc/pressure/cpu", "some avg10=0.00 total=1000\n");
	conditions_read(place->fd, 1e9, &before);
	assert_true(before.all_ticks == 1000 && before.stolen_ticks == 50);

	/* Two seconds later: 4 of 200 ticks stolen, 0.3 s of waiting. */
	put(place->fd, "proc/stat", "cpu  200 0 150 746 50 0 0 54 9 9\ncpu0 1 2 3\n");
	put(place->fd, "proc/pressure/cpu", "some avg10=0.00 total=301000\n");
	conditions_read(place->fd, 3e9, &after);
	conditions_compare(&before, &after, &change);
	assert_true(change.stolen_percent > 1.99 && change.stolen_percent < 2.01);
	assert_true(change.cpu_waits_percent > 14.9 && change.cpu_waits_percent < 15.1);
	assert_true(change.io_waits_percent == -1);

	assert_true(conditions_complain_during(&change, 0, text) > 0);
	assert_contains(text, "2.0 % of the processors");
	assert_true(conditions_complain_during(&change, 1, text) > 0);
	assert_contains(text, "15 % of the run");
	assert_int_equal(conditions_complain_during(&change, 2, text), 0);

	/* Nothing happens in no time, and nothing is complained about. */
	conditions_compare(&after, &after, &change);
	assert_int_equal(conditions_complain_during(&change, 0, text), 0);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(hosts) + 1];
	size_t count = 0;

	for (; count < ARRAY_SIZE(hosts); count++)
		tests[count] = test_case(hosts[count].title, check_host, &hosts[count]);
	tests[count++] =
		(struct CMUnitTest)cmocka_unit_test(run_is_held_to_what_others_took_meanwhile);

	return test_run("conditions", tests, count, argc, argv);
}
