#include "xattr.h"

#include "cleanup.h"
#include "fail.h"
#include "sys.h"

#include <stdio.h>
#include <string.h>

/* XATTR_LIST_MAX and XATTR_SIZE_MAX of Linux. */
#define MAX_BYTES 65536

struct ovi_xattr_path ovi_xattr_path(int dir, const char *name)
{
	struct ovi_xattr_path path;

	snprintf(path.text, sizeof(path.text), "/proc/self/fd/%d/%s", dir, name);

	return path;
}

int ovi_xattr_list(int dir, const char *name, struct ovi_xattr_names *ret_names,
                   struct ovl2_error *err)
{
	struct ovi_xattr_path path = ovi_xattr_path(dir, name);
	char small[512];
	cleanup_free char *large = NULL;
	char *from = small;
	ssize_t length;

	*ret_names = (struct ovi_xattr_names){ 0 };
	length = ovi_sys.llistxattr(path.text, small, sizeof(small));
	if (length < 0 && errno == ERANGE) {
		large = malloc(MAX_BYTES);
		if (!large)
			return ovi_fail_memory(err);
		from = large;
		length = ovi_sys.llistxattr(path.text, large, MAX_BYTES);
	}
	if (length == 0 || (length < 0 && errno == EOPNOTSUPP))
		return 0;
	if (length < 0)
		return ovi_fail_errno(err, "list the attributes of '%s'", name);

	ret_names->text = malloc((size_t)length);
	if (!ret_names->text)
		return ovi_fail_memory(err);
	memcpy(ret_names->text, from, (size_t)length);
	ret_names->length = (size_t)length;

	return 0;
}

int ovi_xattr_read(int dir, const char *name, const char *key, char **ret_value, size_t *ret_length,
                   struct ovl2_error *err)
{
	struct ovi_xattr_path path = ovi_xattr_path(dir, name);
	cleanup_free char *large = NULL;
	char small[512];
	char *from = small;
	ssize_t length;

	*ret_value = NULL;
	*ret_length = 0;
	length = ovi_sys.lgetxattr(path.text, key, small, sizeof(small));
	if (length < 0 && errno == ERANGE) {
		large = malloc(MAX_BYTES);
		if (!large)
			return ovi_fail_memory(err);
		from = large;
		length = ovi_sys.lgetxattr(path.text, key, large, MAX_BYTES);
	}
	if (length < 0 && (errno == ENODATA || errno == EOPNOTSUPP))
		return 0;
	if (length < 0)
		return ovi_fail_errno(err, "read attribute '%s' of '%s'", key, name);

	*ret_value = malloc((size_t)length + 1);
	if (!*ret_value)
		return ovi_fail_memory(err);
	memcpy(*ret_value, from, (size_t)length);
	(*ret_value)[length] = '\0';
	*ret_length = (size_t)length;

	return 0;
}

static int begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

int ovi_xattr_is_overlay(const char *key)
{
	return begins_with(key, "trusted.overlay.") || begins_with(key, "user.overlay.");
}

int ovi_xattr_is_content(const char *key)
{
	if (ovi_xattr_is_overlay(key))
		return 0;

	return strcmp(key, "security.capability") == 0 || begins_with(key, "user.") ||
	       begins_with(key, "system.posix_acl_");
}

int ovi_xattr_clear(int dir, const char *name, struct ovl2_error *err)
{
	struct ovi_xattr_path path = ovi_xattr_path(dir, name);
	struct ovi_xattr_names names;
	int r;

	r = ovi_xattr_list(dir, name, &names, err);
	if (r < 0)
		return r;
	for (size_t at = 0; at < names.length && r == 0; at += strlen(names.text + at) + 1) {
		const char *key = names.text + at;

		if (ovi_xattr_is_content(key) && ovi_sys.lremovexattr(path.text, key) < 0)
			r = ovi_fail_errno(err, "take attribute '%s' off '%s'", key, name);
	}
	free(names.text);

	return r;
}

/* --------------------------------------------------------------- all of a file -- */

/* Where attributes are read: by descriptor where there is one. */
struct source {
	int fd;
	struct ovi_xattr_path path;
};

static ssize_t list_from(const struct source *source, char *list, size_t size)
{
	return source->fd >= 0 ? ovi_sys.flistxattr(source->fd, list, size)
	                       : ovi_sys.llistxattr(source->path.text, list, size);
}

static ssize_t get_from(const struct source *source, const char *key, void *value, size_t size)
{
	return source->fd >= 0 ? ovi_sys.fgetxattr(source->fd, key, value, size)
	                       : ovi_sys.lgetxattr(source->path.text, key, value, size);
}

void ovi_xattrs_release(struct ovi_xattrs *xattrs)
{
	int saved = errno;

	for (size_t i = 0; i < xattrs->count; i++) {
		free(xattrs->list[i].key);
		free(xattrs->list[i].value);
	}
	free(xattrs->list);
	*xattrs = (struct ovi_xattrs){ 0 };
	errno = saved;
}

static int add_xattr(struct ovi_xattrs *xattrs, const char *key, const char *value, size_t length)
{
	struct ovi_xattr *xattr;

	if (xattrs->count == xattrs->room) {
		size_t room = xattrs->room ? xattrs->room * 2 : 4;
		struct ovi_xattr *list = realloc(xattrs->list, room * sizeof(*list));

		if (!list)
			return -1;
		xattrs->list = list;
		xattrs->room = room;
	}

	xattr = &xattrs->list[xattrs->count++];
	xattr->key = strdup(key);
	xattr->value = malloc(length + 1);
	xattr->length = length;
	if (!xattr->key || !xattr->value)
		return -1;
	memcpy(xattr->value, value, length);

	return 0;
}

static int read_value(const struct source *source, const char *key, struct ovi_xattrs *xattrs,
                      struct ovl2_error *err)
{
	cleanup_free char *large = NULL;
	char small[512];
	const char *value = small;
	ssize_t length = get_from(source, key, small, sizeof(small));

	if (length < 0 && errno == ERANGE) {
		large = malloc(MAX_BYTES);
		if (!large)
			return ovi_fail_memory(err);
		value = large;
		length = get_from(source, key, large, MAX_BYTES);
	}
	/* Removed just now. */
	if (length < 0 && errno == ENODATA)
		return 0;
	if (length < 0)
		return ovi_fail_errno(err, "read attribute '%s'", key);
	if (add_xattr(xattrs, key, value, (size_t)length) < 0)
		return ovi_fail_memory(err);

	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(((const struct ovi_xattr *)a)->key, ((const struct ovi_xattr *)b)->key);
}

int ovi_xattrs_read(int fd, int dir, const char *name, struct ovi_xattrs *ret_xattrs,
                    struct ovl2_error *err)
{
	struct source source = { .fd = fd };
	cleanup_free char *large = NULL;
	char small[512];
	const char *list = small;
	ssize_t length;
	int r = 0;

	if (fd < 0)
		source.path = ovi_xattr_path(dir, name);
	length = list_from(&source, small, sizeof(small));
	if (length == 0)
		return 0;
	if (length < 0 && errno == ERANGE) {
		large = malloc(MAX_BYTES);
		if (!large)
			return ovi_fail_memory(err);
		list = large;
		length = list_from(&source, large, MAX_BYTES);
	}
	if (length < 0 && errno == EOPNOTSUPP)
		return 0;
	if (length < 0)
		return ovi_fail_errno(err, "list the attributes of '%s'", name);

	for (const char *key = list; key < list + length && r == 0; key += strlen(key) + 1) {
		if (strcmp(key, "trusted.overlay.metacopy") == 0)
			ret_xattrs->is_metacopy = 1;
		if (ovi_xattr_is_content(key))
			r = read_value(&source, key, ret_xattrs, err);
	}
	if (r == 0 && ret_xattrs->count > 1)
		qsort(ret_xattrs->list, ret_xattrs->count, sizeof(*ret_xattrs->list), compare_keys);

	return r;
}
