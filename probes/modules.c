#include "modules.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int modules_is_built_in(const char *module)
{
	char path[96];

	/* A loaded module tells its state, built-in code has none. */
	snprintf(path, sizeof(path), "/sys/module/%s", module);
	if (access(path, F_OK) < 0)
		return 0;
	snprintf(path, sizeof(path), "/sys/module/%s/initstate", module);

	return access(path, F_OK) < 0;
}

int modules_parameter(const char *module, const char *name, struct ovl2_error *err)
{
	cleanup_fd int fd = -1;
	char path[96];
	char letter = '\0';

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s", module, name);
	fd = ovi_sys.openat(AT_FDCWD, path, O_RDONLY, 0);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return ovi_fail_errno(err, "open '%s'", path);
	if (ovi_sys.read(fd, &letter, 1) < 0)
		return ovi_fail_errno(err, "read '%s'", path);

	return letter;
}

/* "install overlay /bin/false", "blacklist overlay". */
static int bans(const char *line, const char *module)
{
	char copy[256];
	char *rest = copy;
	char *words[3] = { NULL, NULL, NULL };

	snprintf(copy, sizeof(copy), "%s", line);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		char *word;

		while ((word = strsep(&rest, " \t\n")) && !*word)
			continue;
		words[i] = word;
	}
	if (!words[0] || !words[1] || strcmp(words[1], module) != 0)
		return 0;
	if (strcmp(words[0], "blacklist") == 0)
		return 1;

	return strcmp(words[0], "install") == 0 && words[2] &&
	       (strstr(words[2], "/false") || strstr(words[2], "/true") ||
	        strcmp(words[2], "false") == 0 || strcmp(words[2], "true") == 0);
}

static int search_file(const char *directory, const char *name, const char *module, char *ret_line,
                       size_t size)
{
	char path[PATH_MAX];
	char line[256];
	int found = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (!found && fgets(line, sizeof(line), file)) {
		found = bans(line, module);
		line[strcspn(line, "\n")] = '\0';
		if (found)
			snprintf(ret_line, size, "%s: %s", path, line);
	}
	fclose(file);

	return found;
}

static int search_directory(const char *path, const char *module, char *ret_line, size_t size,
                            struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	cleanup_fd int dir = ovi_sys.openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	int r;

	if (dir < 0 && errno == ENOENT)
		return 0;
	if (dir < 0)
		return ovi_fail_errno(err, "open '%s'", path);

	r = ovi_dir_list(dir, path, &listing, err);
	for (size_t i = 0; i < listing.count && r == 0; i++) {
		const char *dot = strrchr(listing.names[i].name, '.');

		if (dot && strcmp(dot, ".conf") == 0)
			r = search_file(path, listing.names[i].name, module, ret_line, size);
	}

	return r;
}

int modules_find_ban(const char *module, char *ret_line, size_t size, struct ovl2_error *err)
{
	static const char *const directories[] = { "/etc/modprobe.d", "/run/modprobe.d",
		                                   "/usr/local/lib/modprobe.d",
		                                   "/usr/lib/modprobe.d", "/lib/modprobe.d" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(directories) && r == 0; i++)
		r = search_directory(directories[i], module, ret_line, size, err);

	return r;
}
