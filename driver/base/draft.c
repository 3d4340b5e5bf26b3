#include "draft.h"

#include "cleanup.h"
#include "fail.h"
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* Of names that somebody else has. */
#define MAX_TRIES 100

struct own_path {
	char text[32];
};

/* linkat(2) by descriptor alone takes a capability. */
static struct own_path own_path(int fd)
{
	struct own_path path;

	snprintf(path.text, sizeof(path.text), "/proc/self/fd/%d", fd);

	return path;
}

static int link_to(const struct ovi_draft *draft, const char *name)
{
	return ovi_sys.linkat(AT_FDCWD, own_path(draft->fd).text, AT_FDCWD, name,
	                      AT_SYMLINK_FOLLOW);
}

static int link_aside(struct ovi_draft *draft)
{
	return link_to(draft, draft->aside);
}

static int create_aside(struct ovi_draft *draft)
{
	draft->fd = ovi_sys.openat(AT_FDCWD, draft->aside, O_WRONLY | O_CREAT | O_EXCL, 0600);

	return draft->fd < 0 ? -1 : 0;
}

/* Finds a name beside the path for which `make` works; -1 with errno. */
static int take_name(struct ovi_draft *draft, int (*make)(struct ovi_draft *draft))
{
	for (int i = 0; i < MAX_TRIES; i++) {
		unsigned int number;

		if (getrandom(&number, sizeof(number), 0) != sizeof(number) ||
		    asprintf(&draft->aside, "%s.%08x", draft->path, number) < 0) {
			draft->aside = NULL;
			return -1;
		}
		if (make(draft) == 0)
			return 0;
		ovi_free_ptr(&draft->aside);
		draft->aside = NULL;
		if (errno != EEXIST)
			break;
	}

	return -1;
}

/* -1 where there is no such file, or where it could not get a name. */
static int open_nameless(const char *path)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *directory = slash ? strndup(path, (size_t)(slash + 1 - path)) : NULL;
	cleanup_fd int fd = -1;

	if (slash && !directory)
		return -1;
	fd = ovi_sys.openat(AT_FDCWD, directory ? directory : ".", O_TMPFILE | O_WRONLY, 0600);
	if (fd < 0 || ovi_sys.faccessat(AT_FDCWD, own_path(fd).text, F_OK, 0) < 0)
		return -1;

	return steal_fd(&fd);
}

int ovi_draft_begin(const char *path, struct ovi_draft *ret_draft, struct ovl2_error *err)
{
	struct ovi_draft draft = { .fd = -1, .path = path };
	struct stat st = { .st_mode = S_IFREG };

	if (ovi_sys.fstatat(AT_FDCWD, path, &st, 0) == 0 && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return ovi_fail_errno(err, "write '%s'", path);
	}
	draft.is_stream = !S_ISREG(st.st_mode);
	if (draft.is_stream)
		draft.fd = ovi_sys.openat(AT_FDCWD, path, O_WRONLY | O_NOCTTY, 0);
	else
		draft.fd = open_nameless(path);
	if (draft.fd < 0 && (draft.is_stream || take_name(&draft, create_aside) < 0))
		return ovi_fail_errno(err, "create '%s'", path);
	*ret_draft = draft;

	return 0;
}

int ovi_draft_publish(struct ovi_draft *draft, struct ovl2_error *err)
{
	if (draft->is_stream)
		return 0;
	if (ovi_sys.fchmod(draft->fd, 0644) < 0)
		return ovi_fail_errno(err, "set the mode of '%s'", draft->path);
	if (!draft->aside) {
		if (link_to(draft, draft->path) == 0)
			return 0;

		/* What is there is replaced by a rename alone. */
		if (errno != EEXIST || take_name(draft, link_aside) < 0)
			return ovi_fail_errno(err, "name '%s'", draft->path);
	}
	if (ovi_sys.renameat2(AT_FDCWD, draft->aside, AT_FDCWD, draft->path, 0) < 0)
		return ovi_fail_errno(err, "rename to '%s'", draft->path);
	ovi_free_ptr(&draft->aside);
	draft->aside = NULL;

	return 0;
}

void ovi_draft_release(struct ovi_draft *draft)
{
	if (draft->aside)
		ovi_sys.unlinkat(AT_FDCWD, draft->aside, 0);
	ovi_free_ptr(&draft->aside);
	draft->aside = NULL;
	ovi_close_fd(&draft->fd);
	draft->fd = -1;
}
