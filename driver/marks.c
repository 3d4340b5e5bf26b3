#include "marks.h"

#include "attributes.h"
#include "cleanup.h"
#include "fail.h"
#include "sys.h"
#include "xattr.h"

#include <string.h>

#define TRUSTED "trusted.overlay."
#define USER "user.overlay."

/* XATTR_LIST_MAX of Linux. */
#define MAX_BYTES 65536

static const struct ovi_attributes *names_of(int are_user)
{
	return are_user ? &ovi_user_attributes : &ovi_trusted_attributes;
}

/* The attributes' names of an open file: in `small`, or in `*ret_large` to be freed. */
static ssize_t list(int fd, char *small, size_t size, char **ret_large)
{
	ssize_t length = ovi_sys.flistxattr(fd, small, size);

	if (length < 0 && errno == ERANGE) {
		*ret_large = malloc(MAX_BYTES);
		if (!*ret_large)
			return -1;
		length = ovi_sys.flistxattr(fd, *ret_large, MAX_BYTES);
	}

	return length < 0 && errno == EOPNOTSUPP ? 0 : length;
}

int ovi_marks_are_user(int upper, struct ovl2_error *err)
{
	cleanup_free char *large = NULL;
	char small[1024];
	ssize_t length = list(upper, small, sizeof(small), &large);
	const char *names = large ? large : small;
	int are_user = 0;

	if (length < 0)
		return ovi_fail_errno(err, "list the attributes of the layer's root");

	for (ssize_t at = 0; at < length; at += (ssize_t)strlen(names + at) + 1) {
		if (strncmp(names + at, TRUSTED, strlen(TRUSTED)) == 0)
			return 0;
		if (strncmp(names + at, USER, strlen(USER)) == 0)
			are_user = 1;
	}

	return are_user;
}

/* The value's first byte is all there is to know of an opaque mark. */
static int read_opaque(int dir, const char *key, struct ovi_marks *marks, struct ovl2_error *err)
{
	char value[8];
	ssize_t length = ovi_sys.fgetxattr(dir, key, value, sizeof(value));

	if (length < 0 && errno != ENODATA && errno != ERANGE)
		return ovi_fail_errno(err, "read attribute '%s'", key);
	marks->is_opaque = length == 1 && value[0] == 'y';
	marks->has_whiteouts = length == 1 && value[0] == 'x';

	return 0;
}

int ovi_marks_read(int dir, int are_user, struct ovi_marks *ret_marks, struct ovl2_error *err)
{
	const struct ovi_attributes *known = names_of(are_user);
	cleanup_free char *large = NULL;
	char small[1024];
	ssize_t length = list(dir, small, sizeof(small), &large);
	const char *names = large ? large : small;
	int r = 0;

	*ret_marks = (struct ovi_marks){ 0 };
	if (length < 0)
		return ovi_fail_errno(err, "list the attributes of a directory");

	for (ssize_t at = 0; at < length && r == 0; at += (ssize_t)strlen(names + at) + 1) {
		const char *key = names + at;

		/* With userxattr the kernel follows none (ovl_fs_params_verify). */
		if (!are_user && strcmp(key, known->redirect) == 0)
			ret_marks->is_redirected = 1;
		if (strcmp(key, known->opaque) == 0)
			r = read_opaque(dir, key, ret_marks, err);
	}

	return r;
}

int ovi_marks_are_whiteout(int dir, const char *name, int are_user, struct ovl2_error *err)
{
	const char *key = names_of(are_user)->whiteout;
	struct ovi_xattr_path path = ovi_xattr_path(dir, name);

	if (ovi_sys.lgetxattr(path.text, key, NULL, 0) >= 0)
		return 1;
	if (errno == ENODATA || errno == EOPNOTSUPP)
		return 0;

	return ovi_fail_errno(err, "read attribute '%s' of '%s'", key, name);
}
