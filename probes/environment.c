#include "environment.h"

#include "cleanup.h"
#include "sys.h"

#include <archive.h>
#include <dirent.h>
#include <fcntl.h>
#include <libmount.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#define OVERLAY_PARAMETERS "/sys/module/overlay/parameters"

#define cleanup_table __attribute__((cleanup(unref_table)))

static void unref_table(struct libmnt_table **table)
{
	mnt_unref_table(*table);
}

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

static json_t *list_libraries(void)
{
	const char *mount = NULL;
	const char *archive = strchr(archive_version_string(), ' ');

	mnt_get_library_version(&mount);

	return json_pack("{s:o, s:o, s:s, s:o}", "libarchive",
	                 text_or_null(archive ? archive + 1 : NULL), "libmount",
	                 text_or_null(mount), "jansson", jansson_version_str(), "libcrypto",
	                 text_or_null(OpenSSL_version(OPENSSL_VERSION_STRING)));
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
	                 read_overlay_parameters(), "libraries", list_libraries());
}

/* The mount that `dir` is on, by the number the kernel gives it, not by its path. */
static struct libmnt_fs *find_mount(struct libmnt_table *table, int dir)
{
	struct libmnt_iter *each = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *found = NULL;
	struct libmnt_fs *fs;
	struct statx st;

	if (each && ovi_sys.statx(dir, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) == 0 &&
	    (st.stx_mask & STATX_MNT_ID))
		while (!found && mnt_table_next_fs(table, each, &fs) == 0)
			if ((uint64_t)mnt_fs_get_id(fs) == st.stx_mnt_id)
				found = fs;
	mnt_free_iter(each);

	return found;
}

json_t *environment_target(int dir, const char *path)
{
	cleanup_table struct libmnt_table *table = NULL;
	struct libmnt_fs *fs = NULL;
	char device[32] = "";

	table = mnt_new_table_from_file("/proc/self/mountinfo");
	if (table)
		fs = find_mount(table, dir);
	if (!fs && table)
		/* Linux before 5.8 does not number them for statx(2). */
		fs = mnt_table_find_mountpoint(table, path, MNT_ITER_BACKWARD);
	if (fs)
		snprintf(device, sizeof(device), "%u:%u", major(mnt_fs_get_devno(fs)),
		         minor(mnt_fs_get_devno(fs)));

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "path", text_or_null(path), "filesystem",
	                 text_or_null(fs ? mnt_fs_get_fstype(fs) : NULL), "mount_point",
	                 text_or_null(fs ? mnt_fs_get_target(fs) : NULL), "mount_options",
	                 text_or_null(fs ? mnt_fs_get_options(fs) : NULL), "device",
	                 text_or_null(fs ? device : NULL), "source",
	                 text_or_null(fs ? mnt_fs_get_source(fs) : NULL));
}
