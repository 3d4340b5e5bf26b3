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
