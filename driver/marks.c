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

/* The attributes' names of an open file. */
struct list {
	char small[1024];
	char *large; /* for more than that; to be freed */
	const char *names;
	ssize_t length;
};

static int read_list(int fd, struct list *list, struct ovl2_error *err)
{
	list->large = NULL;
	list->names = list->small;
	list->length = ovi_sys.flistxattr(fd, list->small, sizeof(list->small));
	if (list->length < 0 && errno == ERANGE) {
		list->large = malloc(MAX_BYTES);
		if (!list->large)
			return ovi_fail_memory(err);
		list->names = list->large;
		list->length = ovi_sys.flistxattr(fd, list->large, MAX_BYTES);
	}
	if (list->length < 0 && errno != EOPNOTSUPP)
		return ovi_fail_errno(err, "list the attributes of a directory");

	return 0;
}

static int has_user_marks(const struct list *list)
{
	int has_user = 0;

	for (ssize_t at = 0; at < list->length; at += (ssize_t)strlen(list->names + at) + 1) {
		if (strncmp(list->names + at, TRUSTED, strlen(TRUSTED)) == 0)
			return 0;
		if (strncmp(list->names + at, USER, strlen(USER)) == 0)
			has_user = 1;
	}

	return has_user;
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

static int read_marks(int dir, const struct list *list, int are_user, struct ovi_marks *ret_marks,
                      struct ovl2_error *err)
{
	const struct ovi_attributes *known = names_of(are_user);
	int r = 0;

	*ret_marks = (struct ovi_marks){ 0 };
	for (ssize_t at = 0; at < list->length && r == 0;
	     at += (ssize_t)strlen(list->names + at) + 1) {
		const char *key = list->names + at;

		/* With userxattr the kernel follows none (ovl_fs_params_verify). */
		if (!are_user && strcmp(key, known->redirect) == 0)
			ret_marks->is_redirected = 1;
		if (strcmp(key, known->opaque) == 0)
			r = read_opaque(dir, key, ret_marks, err);
	}

	return r;
}

int ovi_marks_read(int dir, int are_user, struct ovi_marks *ret_marks, struct ovl2_error *err)
{
	struct list list;
	int r;

	r = read_list(dir, &list, err);
	if (r == 0)
		r = read_marks(dir, &list, are_user, ret_marks, err);
	free(list.large);

	return r;
}

int ovi_marks_read_root(int root, int *are_user, struct ovi_marks *ret_marks,
                        struct ovl2_error *err)
{
	struct list list;
	int r;

	r = read_list(root, &list, err);
	if (r == 0 && !*are_user)
		*are_user = has_user_marks(&list);
	if (r == 0)
		r = read_marks(root, &list, *are_user, ret_marks, err);
	free(list.large);

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
