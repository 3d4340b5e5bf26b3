#include "conditions.h"

#include "cleanup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Above this share of the processors in use, figures of a run mean little. */
#define BUSY_SHARE 0.5

/* An idle host shows below one; so does what the run itself starts. */
#define MAX_WAITS_PERCENT 5

/* A hundredth is as much as the changes that are looked for. */
#define MAX_STOLEN_PERCENT 1

#define CPU_DIRECTORY "sys/devices/system/cpu/"

/* "" when there is no such file. */
static void read_text(int root, const char *path, char *ret_text, size_t size)
{
	cleanup_fd int fd = openat(root, path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, ret_text, size - 1);

	ret_text[length > 0 ? length : 0] = '\0';
}

/* The number behind `key` in the first line; -1 when it is not there. */
static double find_number(const char *text, const char *key)
{
	const char *found = strstr(text, key);

	return found ? strtod(found + strlen(key), NULL) : -1;
}

static void read_pressure(int root, const char *path, double *ret_percent, double *ret_us)
{
	char text[256];

	read_text(root, path, text, sizeof(text));
	*ret_percent = find_number(text, "some avg10=");
	*ret_us = find_number(text, "total=");
}

/* proc(5): user nice system idle iowait irq softirq steal, then parts of these. */
static void read_ticks(int root, struct conditions *conditions)
{
	char text[256];
	char *rest = text + strlen("cpu");

	conditions->all_ticks = conditions->stolen_ticks = -1;
	read_text(root, "proc/stat", text, sizeof(text));
	if (strncmp(text, "cpu ", strlen("cpu ")) != 0)
		return;

	conditions->all_ticks = 0;
	for (int i = 0; i < 8; i++) {
		conditions->stolen_ticks = strtod(rest, &rest);
		conditions->all_ticks += conditions->stolen_ticks;
	}
}

static int read_turbo(int root)
{
	char text[8];

	read_text(root, CPU_DIRECTORY "intel_pstate/no_turbo", text, sizeof(text));
	if (*text)
		return *text == '0';
	read_text(root, CPU_DIRECTORY "cpufreq/boost", text, sizeof(text));

	return *text ? *text == '1' : -1;
}

void conditions_read(int root, double now_ns, struct conditions *ret_conditions)
{
	char text[64];

	*ret_conditions = (struct conditions){
		.now_ns = now_ns,
		.processors = sysconf(_SC_NPROCESSORS_ONLN),
		.has_turbo = read_turbo(root),
	};
	read_text(root, "proc/loadavg", text, sizeof(text));
	ret_conditions->load = *text ? strtod(text, NULL) : -1;
	read_pressure(root, "proc/pressure/cpu", &ret_conditions->cpu_waits_percent,
	              &ret_conditions->cpu_waits_us);
	read_pressure(root, "proc/pressure/io", &ret_conditions->io_waits_percent,
	              &ret_conditions->io_waits_us);
	read_ticks(root, ret_conditions);
	read_text(root, CPU_DIRECTORY "cpu0/cpufreq/scaling_governor", ret_conditions->governor,
	          sizeof(ret_conditions->governor));
	ret_conditions->governor[strcspn(ret_conditions->governor, "\n")] = '\0';
}

static double part(double from, double to, double whole)
{
	return from < 0 || to < from || whole <= 0 ? -1 : 100 * (to - from) / whole;
}

void conditions_compare(const struct conditions *before, const struct conditions *after,
                        struct conditions_change *ret_change)
{
	double us = (after->now_ns - before->now_ns) / 1e3;

	*ret_change = (struct conditions_change){
		.stolen_percent = part(before->stolen_ticks, after->stolen_ticks,
		                       after->all_ticks - before->all_ticks),
		.cpu_waits_percent = part(before->cpu_waits_us, after->cpu_waits_us, us),
		.io_waits_percent = part(before->io_waits_us, after->io_waits_us, us),
	};
}

int conditions_complain(const struct conditions *before, size_t number, char ret_text[256])
{
	const struct conditions *c = before;
	size_t found = 0;

	if (c->load > BUSY_SHARE * (double)c->processors && found++ == number)
		return snprintf(ret_text, 256,
		                "load average is %.1f on %ld processors: others are at work",
		                c->load, c->processors);
	if (c->cpu_waits_percent > MAX_WAITS_PERCENT && found++ == number)
		return snprintf(ret_text, 256,
		                "others waited for a processor %.0f %% of the last ten seconds",
		                c->cpu_waits_percent);
	if (c->io_waits_percent > MAX_WAITS_PERCENT && found++ == number)
		return snprintf(ret_text, 256,
		                "others waited for a disk %.0f %% of the last ten seconds",
		                c->io_waits_percent);
	if (*c->governor && strcmp(c->governor, "performance") != 0 && found++ == number)
		return snprintf(ret_text, 256,
		                "the frequency governor is '%s': speed follows load (cpupower "
		                "frequency-set -g performance)",
		                c->governor);
	if (c->has_turbo == 1 && found++ == number)
		return snprintf(ret_text, 256,
		                "turbo is on: speed follows temperature (intel_pstate/no_turbo, "
		                "cpufreq/boost)");

	return 0;
}

int conditions_complain_during(const struct conditions_change *change, size_t number,
                               char ret_text[256])
{
	size_t found = 0;

	if (change->stolen_percent > MAX_STOLEN_PERCENT && found++ == number)
		return snprintf(ret_text, 256,
		                "the hypervisor gave %.1f %% of the processors to others meanwhile",
		                change->stolen_percent);
	if (change->cpu_waits_percent > MAX_WAITS_PERCENT && found++ == number)
		return snprintf(ret_text, 256,
		                "somebody waited for a processor %.0f %% of the run: others were "
		                "at work",
		                change->cpu_waits_percent);

	return 0;
}

static json_t *known(double value)
{
	return value < 0 ? json_null() : json_real(value);
}

json_t *conditions_json(const struct conditions *before, const struct conditions_change *change,
                        int cpu)
{
	return json_pack("{s:o, s:o, s:o, s:{s:o, s:o, s:o}, s:{s:o, s:o, s:o}}", "cpu",
	                 cpu < 0 ? json_null() : json_integer(cpu), "governor",
	                 *before->governor ? json_string(before->governor) : json_null(), "turbo",
	                 before->has_turbo < 0 ? json_null() : json_boolean(before->has_turbo),
	                 "before", "load_average", known(before->load), "cpu_waits_percent",
	                 known(before->cpu_waits_percent), "io_waits_percent",
	                 known(before->io_waits_percent), "during", "stolen_percent",
	                 known(change->stolen_percent), "cpu_waits_percent",
	                 known(change->cpu_waits_percent), "io_waits_percent",
	                 known(change->io_waits_percent));
}
