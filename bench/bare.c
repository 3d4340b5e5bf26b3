#include "bare.h"

#include "cleanup.h"
#include "fail.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

/* ---------------------------------------------------------------- at hand -- */

static int is_directory(const char *option)
{
	return strncmp(option, "lowerdir=", strlen("lowerdir=")) == 0 ||
	       strncmp(option, "upperdir=", strlen("upperdir=")) == 0 ||
	       strncmp(option, "workdir=", strlen("workdir=")) == 0;
}

static void copy_more_options(struct bare *bare)
{
	const struct ovl2_mount_spec *spec = bare->spec;
	size_t length = 0;

	for (size_t i = 0; i < spec->option_count && length < sizeof(bare->more); i++)
		if (!is_directory(spec->options[i]))
			length += (size_t)snprintf(bare->more + length, sizeof(bare->more) - length,
			                           "%s%s", length ? "," : "", spec->options[i]);
}

static int open_path(const char *path, int *ret_fd, struct ovl2_error *err)
{
	*ret_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0)
		return ovi_fail_errno(err, "open '%s'", path);

	return 0;
}

static int open_lowers(struct bare *bare, const struct bare *deeper, struct ovl2_error *err)
{
	const struct ovl2_mount_spec *spec = bare->spec;
	int r = 0;

	if (deeper && deeper->lower_count >= spec->lower_count) {
		bare->is_shared = 1;
		bare->lower_count = spec->lower_count;
		bare->lowers = deeper->lowers + deeper->lower_count - spec->lower_count;
		return 0;
	}

	bare->lowers = calloc(spec->lower_count, sizeof(*bare->lowers));
	if (!bare->lowers)
		return ovi_fail_memory(err);
	while (bare->lower_count < spec->lower_count && r == 0) {
		size_t i = bare->lower_count;

		r = open_path(spec->lower[i], &bare->lowers[i], err);
		if (r == 0)
			bare->lower_count++;
	}

	return r;
}

static int fill(struct ovl2_store *store, const char *id, const struct ovl2_mount_options *options,
                const struct bare *deeper, struct bare *bare, struct ovl2_error *err)
{
	int r;

	r = ovl2_layer_mount_spec(store, id, options, &bare->spec, err);
	if (r < 0)
		return r;
	copy_more_options(bare);
	bare->home_bytes = strlen(bare->spec->target) - strlen(id) - strlen("/merged");
	if (bare->spec->method != OVL2_MOUNT_FD)
		return 0;

	r = open_lowers(bare, deeper, err);
	if (r < 0 || !bare->spec->upper)
		return r;
	r = open_path(bare->spec->upper, &bare->upper, err);
	if (r == 0)
		r = open_path(bare->spec->work, &bare->work, err);

	return r;
}

int bare_open(struct ovl2_store *store, const char *id, const struct ovl2_mount_options *options,
              const struct bare *deeper, struct bare *ret_bare, struct ovl2_error *err)
{
	struct bare bare = BARE_NONE;
	int r;

	r = fill(store, id, options, deeper, &bare, err);
	if (r < 0)
		bare_close(&bare);
	else
		*ret_bare = bare;

	return r;
}

void bare_close(struct bare *bare)
{
	for (size_t i = 0; i < bare->lower_count && !bare->is_shared; i++)
		close(bare->lowers[i]);
	if (!bare->is_shared)
		free(bare->lowers);
	ovi_close_fd(&bare->upper);
	ovi_close_fd(&bare->work);
	ovl2_mount_spec_free(bare->spec);
	*bare = (struct bare)BARE_NONE;
}

/* -------------------------------------------------------------- bare calls -- */

static int set_more_options(const struct bare *bare, int fs)
{
	char copy[sizeof(bare->more)];
	char *rest = copy;
	char *option;

	snprintf(copy, sizeof(copy), "%s", bare->more);
	while ((option = strsep(&rest, ","))) {
		char *value = strchr(option, '=');
		unsigned int command = value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;

		if (!*option)
			continue;
		if (value)
			*value++ = '\0';
		if (fsconfig(fs, command, option, value, 0) < 0)
			return -1;
	}

	return 0;
}

static int set_descriptors(const struct bare *bare, int fs)
{
	for (size_t i = 0; i < bare->lower_count; i++)
		if (fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, bare->lowers[i]) < 0)
			return -1;
	if (bare->upper < 0)
		return 0;
	if (fsconfig(fs, FSCONFIG_SET_FD, "upperdir", NULL, bare->upper) < 0)
		return -1;

	return fsconfig(fs, FSCONFIG_SET_FD, "workdir", NULL, bare->work);
}

static int set_strings(const struct bare *bare, int fs)
{
	const struct ovl2_mount_spec *spec = bare->spec;
	size_t home = bare->home_bytes;

	for (size_t i = 0; i < spec->lower_count; i++)
		if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", spec->lower[i] + home, 0) < 0)
			return -1;
	if (!spec->upper)
		return 0;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", spec->upper + home, 0) < 0)
		return -1;

	return fsconfig(fs, FSCONFIG_SET_STRING, "workdir", spec->work + home, 0);
}

static int mount_by_context(const struct bare *bare)
{
	cleanup_fd int tree = -1;
	cleanup_fd int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	int r;

	if (fs < 0)
		return -1;
	r = bare->lowers ? set_descriptors(bare, fs) : set_strings(bare, fs);

	/* What mount(2) is told as well, and every mount table shows. */
	if (r < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", "overlay", 0) < 0)
		return -1;
	if (set_more_options(bare, fs) < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	tree = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (tree < 0)
		return -1;

	return move_mount(tree, "", AT_FDCWD, bare->spec->target, MOVE_MOUNT_F_EMPTY_PATH);
}

int bare_mount(const struct bare *bare, struct ovl2_error *err)
{
	const struct ovl2_mount_spec *spec = bare->spec;
	int r;

	if (spec->method == OVL2_MOUNT_FD || spec->method == OVL2_MOUNT_APPEND)
		r = mount_by_context(bare);
	else
		r = mount("overlay", spec->target, "overlay", 0, spec->data);
	if (r < 0)
		return ovi_fail_errno(err, "mount %zu lowers by %s on '%s'", spec->lower_count,
		                      ovl2_mount_method_name(spec->method), spec->target);

	return 0;
}

int bare_unmount(const struct bare *bare, struct ovl2_error *err)
{
	if (umount2(bare->spec->target, 0) < 0)
		return ovi_fail_errno(err, "unmount '%s'", bare->spec->target);

	return 0;
}
