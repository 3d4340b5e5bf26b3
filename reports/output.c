#include "output.h"

#include "cleanup.h"
#include "fail.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, bytes, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		bytes += written;
		length -= (size_t)written;
	}

	return 0;
}

/* mkstemp() makes files for their owner alone; this one is a document. */
static int set_usual_mode(int fd)
{
	mode_t mask = umask(0);

	umask(mask);

	return fchmod(fd, 0666 & ~mask);
}

static int write_beside(const char *path, char *beside, const char *bytes, size_t length)
{
	cleanup_fd int fd = mkostemp(beside, O_CLOEXEC);
	int saved;

	if (fd < 0)
		return -1;
	if (set_usual_mode(fd) == 0 && write_all(fd, bytes, length) == 0 &&
	    rename(beside, path) == 0)
		return 0;

	saved = errno;
	unlink(beside);
	errno = saved;

	return -1;
}

/* A device or a pipe must not be replaced by a file. */
static int is_stream(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

static int write_stream(const char *path, const char *bytes, size_t length, struct ovl2_error *err)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 || write_all(fd, bytes, length) < 0)
		return ovi_fail_errno(err, "write '%s'", path);

	return 0;
}

int report_write_file(const char *path, const char *bytes, size_t length, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf beside = { 0 };
	sigset_t all;
	sigset_t before;
	int saved;
	int r;

	if (is_stream(path))
		return write_stream(path, bytes, length, err);

	ovi_strbuf_addf(&beside, "%s.XXXXXX", path);
	if (ovi_strbuf_failed(&beside))
		return ovi_fail_memory(err);

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	r = write_beside(path, beside.text, bytes, length);
	saved = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	if (r < 0)
		return ovi_fail_errno(err, "write '%s'", path);

	return 0;
}

int report_write_page(const char *program, const char *path, const struct ovi_strbuf *page,
                      const struct ovl2_error *without_plots, struct ovl2_error *err)
{
	if (without_plots->code)
		fprintf(stderr, "%s: no drawings: %s\n", program, without_plots->message);

	return report_write_file(path, page->text, page->length, err);
}
