#include "file.h"

#include "cleanup.h"
#include "fail.h"
#include "strbuf.h"
#include "sys.h"

#include <fcntl.h>
#include <string.h>

int ovi_file_read(int dir, const char *name, size_t limit, char **ret_text, size_t *ret_length,
                  struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf text = { 0 };
	cleanup_fd int fd = -1;
	char buffer[4096];
	struct stat st;
	ssize_t length;

	fd = ovi_sys.openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return ovi_fail_errno(err, "open '%s'", name);
	if (ovi_sys.fstatat(fd, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "look at '%s'", name);
	if (!S_ISREG(st.st_mode))
		return ovi_fail(err, OVL2_E_CORRUPT, "'%s' is not a regular file", name);

	/* Not once more at the end of a file that says where that is; those of proc(5) do not. */
	do {
		length = ovi_sys.read(fd, buffer, sizeof(buffer));
		if (length > 0)
			ovi_strbuf_add_bytes(&text, buffer, (size_t)length);
		if (text.length > limit)
			return ovi_fail(err, OVL2_E_CORRUPT, "'%s' is longer than %zu bytes", name,
			                limit);
	} while (length > 0 && (st.st_size == 0 || text.length < (size_t)st.st_size));
	if (length < 0)
		return ovi_fail_errno(err, "read '%s'", name);

	if (ret_length)
		*ret_length = text.length;
	*ret_text = ovi_strbuf_steal(&text);

	return *ret_text ? 0 : ovi_fail_memory(err);
}

int ovi_write_all(int fd, const void *bytes, size_t length, const char *what,
                  struct ovl2_error *err)
{
	const char *at = bytes;

	while (length > 0) {
		ssize_t written = ovi_sys.write(fd, at, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return ovi_fail_errno(err, "write '%s'", what);
		at += written;
		length -= (size_t)written;
	}

	return 0;
}

int ovi_file_write(int dir, const char *name, const void *bytes, size_t length,
                   struct ovl2_error *err)
{
	cleanup_fd int fd = -1;

	fd = ovi_sys.openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
	if (fd < 0)
		return ovi_fail_errno(err, "create '%s'", name);

	return ovi_write_all(fd, bytes, length, name, err);
}

int ovi_file_replace(int dir, const char *name, const char *text, int flush, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf aside = { 0 };
	cleanup_fd int fd = -1;
	int r;

	ovi_strbuf_addf(&aside, "%s.new", name);
	if (aside.failed)
		return ovi_fail_memory(err);

	fd = ovi_sys.openat(dir, aside.text, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return ovi_fail_errno(err, "create '%s'", aside.text);

	r = ovi_write_all(fd, text, strlen(text), aside.text, err);
	if (r == 0 && flush && ovi_sys.fsync(fd) < 0)
		r = ovi_fail_errno(err, "flush '%s'", aside.text);
	if (r == 0 && ovi_sys.renameat2(dir, aside.text, dir, name, 0) < 0)
		r = ovi_fail_errno(err, "rename '%s'", aside.text);
	if (r < 0)
		ovi_sys.unlinkat(dir, aside.text, 0);

	return r;
}
