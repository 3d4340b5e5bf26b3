#include "environment.h"

#include "cleanup.h"
#include "mounts.h"
#include "strbuf.h"
#include "sys.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#define OVERLAY_PARAMETERS "/sys/module/overlay/parameters"

void environment_time(char ret_text[32])
{
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(ret_text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* A string, or null for NULL and for what is not UTF-8. */
static json_t *text_or_null(const char *text)
{
	json_t *value = text ? json_string(text) : NULL;

	return value ? value : json_null();
}

/*
 * The rest of the first line of `path` that begins with `key`, without what stands
 * between, quotes and the newline; null when there is none.
 */
static json_t *read_line(const char *path, const char *key, const char *between)
{
	json_t *found = NULL;
	char line[512];
	FILE *file;

	file = fopen(path, "re");
	if (!file)
		return json_null();

	while (!found && fgets(line, sizeof(line), file)) {
		char *value = line + strlen(key);

		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		value += strspn(value, between);
		value[strcspn(value, "\"\n")] = '\0';
		found = text_or_null(value);
	}
	fclose(file);

	return found ? found : json_null();
}

static json_t *read_cpu(void)
{
	json_t *model = read_line("/proc/cpuinfo", "model name", "\t :");

	/* arm64 has no names there; device trees do. */
	return json_is_null(model) ? read_line("/proc/device-tree/model", "", "") : model;
}

static json_t *read_overlay_parameters(void)
{
	json_t *parameters = json_object();
	cleanup_dir DIR *dir = opendir(OVERLAY_PARAMETERS);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[sizeof(OVERLAY_PARAMETERS) + sizeof(entry->d_name) + 1];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", OVERLAY_PARAMETERS, entry->d_name);
		json_object_set_new(parameters, entry->d_name, read_line(path, "", ""));
	}

	return parameters;
}

static json_t *read_load(void)
{
	double load;

	return getloadavg(&load, 1) == 1 ? json_real(load) : json_null();
}

json_t *environment_host(void)
{
	long long page = sysconf(_SC_PAGESIZE);
	struct utsname name = { 0 };

	if (ovi_sys.uname(&name) < 0)
		return NULL;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:I, s:o, s:o}", "name",
	                 text_or_null(name.nodename), "kernel", text_or_null(name.release),
	                 "kernel_build", text_or_null(name.version), "machine",
	                 text_or_null(name.machine), "os",
	                 read_line("/etc/os-release", "PRETTY_NAME=", "\""), "cpu", read_cpu(),
	                 "cpu_count", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "memory_bytes",
	                 (json_int_t)(sysconf(_SC_PHYS_PAGES) * page), "load_average", read_load(),
	                 "page_bytes", (json_int_t)page, "overlay_parameters",
	                 read_overlay_parameters(), "libraries", environment_libraries());
}

/*
 * The mount that `dir` is on: by the number the kernel gives it, not by its path. By its
 * device where statx(2) has no number: before Linux 5.8, and under an emulator.
 */
static const struct mounts_entry *find_mount(const struct mounts *mounts, int dir)
{
	const struct mounts_entry *entry = NULL;
	struct statx st;

	if (ovi_sys.statx(dir, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return NULL;
	if (st.stx_mask & STATX_MNT_ID)
		entry = mounts_find_id(mounts, (int)st.stx_mnt_id);

	return entry ? entry
	             : mounts_find_device(mounts, makedev(st.stx_dev_major, st.stx_dev_minor));
}

/* Of mount and filesystem, as mount(8) shows them: which "rw" counts is the mount's. */
static json_t *join_options(const struct mounts_entry *entry)
{
	cleanup_strbuf struct ovi_strbuf options = { 0 };
	const char *super = entry->super_options;

	if (strncmp(super, "rw", 2) == 0 || strncmp(super, "ro", 2) == 0)
		super += super[2] == ',' ? 3 : 2;
	ovi_strbuf_addf(&options, "%s%s%s", entry->options, *super ? "," : "", super);

	return text_or_null(options.text);
}

json_t *environment_target(int dir, const char *path)
{
	cleanup_mounts struct mounts mounts = { 0 };
	const struct mounts_entry *entry = NULL;
	char device[32] = "";

	if (mounts_read(&mounts) == 0)
		entry = find_mount(&mounts, dir);
	if (entry)
		snprintf(device, sizeof(device), "%u:%u", major(entry->device),
		         minor(entry->device));

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "path", text_or_null(path), "filesystem",
	                 text_or_null(entry ? entry->type : NULL), "mount_point",
	                 text_or_null(entry ? entry->target : NULL), "mount_options",
	                 entry ? join_options(entry) : json_null(), "device",
	                 text_or_null(entry ? device : NULL), "source",
	                 text_or_null(entry ? entry->source : NULL));
}
