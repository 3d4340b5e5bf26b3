#include "gnuplot.h"

#include "cleanup.h"
#include "escape.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* Longer labels do not fit into any drawing. */
#define LABEL_BYTES 60

/* Where the child finds its files; any numbers above the standard three. */
enum { SCRIPT_FD = 10, DATA_FD = 11 };

static int memory_file(const char *name, const char *text, int *ret_fd, struct ovl2_error *err)
{
	cleanup_fd int fd = memfd_create(name, MFD_CLOEXEC);
	size_t length = strlen(text);

	if (fd < 0)
		return ovi_fail_errno(err, "make a file in memory");

	while (length > 0) {
		ssize_t written = write(fd, text, length);

		if (written < 0)
			return ovi_fail_errno(err, "write to a file in memory");
		text += written;
		length -= (size_t)written;
	}
	*ret_fd = steal_fd(&fd);

	return 0;
}

static int read_back(int fd, struct ovi_strbuf *text, struct ovl2_error *err)
{
	char buffer[16384];
	off_t offset = 0;

	for (;;) {
		ssize_t length = pread(fd, buffer, sizeof(buffer), offset);

		if (length < 0)
			return ovi_fail_errno(err, "read what gnuplot wrote");
		if (length == 0)
			return 0;
		ovi_strbuf_add_bytes(text, buffer, (size_t)length);
		offset += length;
	}
}

/*
 * posix_spawnp() with this process's PATH but an environment of its own, so that no
 * GNUPLOT_* or GNUTERM of the user's changes the drawing.
 */
static int spawn(const posix_spawn_file_actions_t *actions, pid_t *ret_pid)
{
	static const char *const argv[] = {
		"gnuplot", "-d", "-c", "/dev/fd/10", "/dev/fd/11", NULL
	};
	static const char *const environment[] = { "LC_ALL=C", "PATH=/usr/bin:/bin", NULL };

	/* The casts drop a const that POSIX promises to keep. */
	return posix_spawnp(ret_pid, "gnuplot", actions, NULL, (char *const *)argv,
	                    (char *const *)environment);
}

static int start(int script, int data, int drawing, int complaints, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int r;

	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return r;

	if (!(r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)) &&
	    !(r = posix_spawn_file_actions_adddup2(&actions, drawing, 1)) &&
	    !(r = posix_spawn_file_actions_adddup2(&actions, complaints, 2)) &&
	    !(r = posix_spawn_file_actions_adddup2(&actions, script, SCRIPT_FD)) &&
	    !(r = posix_spawn_file_actions_adddup2(&actions, data, DATA_FD)))
		r = spawn(&actions, ret_pid);
	posix_spawn_file_actions_destroy(&actions);

	return r;
}

static int wait_for(pid_t pid, int *ret_status, struct ovl2_error *err)
{
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return ovi_fail_errno(err, "wait for gnuplot");

	return 0;
}

static int fail_gnuplot(int status, int complaints, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf text = { 0 };
	const char *reason;

	if (read_back(complaints, &text, NULL) < 0 || ovi_strbuf_failed(&text) || !text.length)
		return ovi_fail(err, OVL2_E_SYSTEM, "run gnuplot: it ended with status 0x%x",
		                status);

	/* gnuplot shows the line, a caret below it, then the reason. */
	while (text.length && text.text[text.length - 1] == '\n')
		ovi_strbuf_cut(&text, text.length - 1);
	reason = strrchr(text.text, '\n');

	return ovi_fail(err, OVL2_E_SYSTEM, "run gnuplot: %s", reason ? reason + 1 : text.text);
}

int report_gnuplot(const char *script, const char *data, struct ovi_strbuf *svg,
                   struct ovl2_error *err)
{
	cleanup_fd int script_fd = -1;
	cleanup_fd int data_fd = -1;
	cleanup_fd int drawing_fd = -1;
	cleanup_fd int complaints_fd = -1;
	int status = 0;
	pid_t pid = 0;
	int r;

	if ((r = memory_file("script", script, &script_fd, err)) < 0 ||
	    (r = memory_file("data", data, &data_fd, err)) < 0 ||
	    (r = memory_file("drawing", "", &drawing_fd, err)) < 0 ||
	    (r = memory_file("complaints", "", &complaints_fd, err)) < 0)
		return r;

	errno = start(script_fd, data_fd, drawing_fd, complaints_fd, &pid);
	if (errno)
		return ovi_fail_errno(err, "run gnuplot");

	r = wait_for(pid, &status, err);
	if (r < 0)
		return r;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return fail_gnuplot(status, complaints_fd, err);

	return read_back(drawing_fd, svg, err);
}

/*
 * To gnuplot a quote would end the column, a line feed the row, and a backslash
 * would escape the quote. To whoever reads the drawing as XML, "&#" would begin a
 * character reference and "]]>" end something, since gnuplot escapes neither.
 */
static void add_label_byte(struct ovi_strbuf *data, char before, char c)
{
	if ((before == '&' && c == '#') || (before == ']' && c == '>'))
		ovi_strbuf_add(data, " ");
	if (c == '"' || c == '\\' || c == '\n' || c == '\t')
		ovi_strbuf_add(data, " ");
	else
		ovi_strbuf_add_bytes(data, &c, 1);
}

void report_add_column(struct ovi_strbuf *data, const char *text)
{
	cleanup_strbuf struct ovi_strbuf plain = { 0 };
	char before = '\0';
	size_t length;

	ovi_escape_controls(&plain, text);
	data->failed |= plain.failed;
	length = plain.length;
	if (length > LABEL_BYTES) {
		length = LABEL_BYTES;
		while (length > 0 && ((unsigned char)plain.text[length] & 0xc0) == 0x80)
			length--;
	}

	ovi_strbuf_add(data, "\"");
	for (size_t i = 0; i < length; i++) {
		add_label_byte(data, before, plain.text[i]);
		before = plain.text[i];
	}
	ovi_strbuf_add(data, length < plain.length ? "…\" " : "\" ");
}
