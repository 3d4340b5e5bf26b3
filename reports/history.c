#include "history.h"

#include "cleanup.h"
#include "compare.h"
#include "fail.h"
#include "file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static void release_run(struct report_run *run)
{
	report_figures_release(&run->figures);
	report_documents_release(&run->documents);
}

void report_history_release(struct report_history *history)
{
	for (size_t i = 0; i < history->count; i++)
		release_run(&history->runs[i]);
	free(history->runs);
	*history = (struct report_history){ 0 };
}

/* ------------------------------------------------------------------- reading -- */

static int add_run(struct report_history *history, json_t *root, struct ovl2_error *err)
{
	struct report_run *runs =
		realloc(history->runs, (history->count + 1) * sizeof(*history->runs));
	struct report_run run = { 0 };
	int r;

	if (!runs)
		return ovi_fail_memory(err);
	history->runs = runs;

	r = report_document_accept(root, &run.documents, err);
	if (r == 0 && !run.documents.bench)
		r = ovi_fail(err, OVL2_E_INVALID, "not a document of ovl2-bench");
	if (r == 0)
		r = report_figures_init(&run.figures, run.documents.bench, err);
	if (r < 0) {
		release_run(&run);
		return r;
	}
	history->runs[history->count++] = run;

	return 0;
}

static size_t count_lines(const char *text, size_t length)
{
	size_t count = 0;

	for (size_t i = 0; i < length; i++)
		count += text[i] == '\n';

	return count;
}

/* One document after the other, whatever white space is between. */
static int parse(struct report_history *history, const char *text, size_t length,
                 struct ovl2_error *err)
{
	size_t at = strspn(text, " \t\r\n");

	while (at < length) {
		size_t line = count_lines(text, at) + 1;
		json_error_t why;
		json_t *root = json_loadb(text + at, length - at,
		                          JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &why);
		int r;

		if (!root)
			return ovi_fail(err, OVL2_E_INVALID, "line %zu: not JSON: %s",
			                line + (size_t)why.line - 1, why.text);
		r = add_run(history, root, err);
		json_decref(root);
		if (r < 0)
			return ovi_fail_within(err, r, "line %zu", line);
		at += (size_t)why.position;
		at += strspn(text + at, " \t\r\n");
	}

	return 0;
}

/* All of the file, terminated; free(3). */
static int read_all(int fd, char **ret_text, size_t *ret_length, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf text = { 0 };
	char buffer[65536];
	ssize_t length;

	ovi_strbuf_add(&text, "");
	while ((length = read(fd, buffer, sizeof(buffer))) > 0)
		ovi_strbuf_add_bytes(&text, buffer, (size_t)length);
	if (length < 0)
		return ovi_fail_errno(err, "read");
	*ret_length = text.length;
	*ret_text = ovi_strbuf_steal(&text);

	return *ret_text ? 0 : ovi_fail_memory(err);
}

/* What is in it already may be nothing. */
static int read_runs(int fd, struct report_history *history, int *ret_is_open,
                     struct ovl2_error *err)
{
	cleanup_free char *text = NULL;
	size_t length = 0;
	int r = read_all(fd, &text, &length, err);

	if (r < 0)
		return r;
	*ret_is_open = length > 0 && text[length - 1] != '\n';

	return parse(history, text, length, err);
}

int report_history_read(const char *path, struct report_history *history, struct ovl2_error *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int is_open;
	int r;

	if (fd < 0)
		return ovi_fail_errno(err, "read '%s'", path);
	r = read_runs(fd, history, &is_open, err);
	if (r == 0 && history->count == 0)
		r = ovi_fail(err, OVL2_E_NOT_FOUND, "it holds no run");
	if (r < 0) {
		report_history_release(history);
		return ovi_fail_within(err, r, "read '%s'", path);
	}

	return 0;
}

/* ----------------------------------------------------------------- appending -- */

static int is_same_run(const json_t *a, const json_t *b)
{
	return strcmp(report_string(a, "started"), report_string(b, "started")) == 0 &&
	       strcmp(report_string(json_object_get(a, "host"), "name"),
	              report_string(json_object_get(b, "host"), "name")) == 0;
}

static int check_new(int fd, const json_t *bench, struct ovl2_error *err)
{
	cleanup_history struct report_history history = { 0 };
	int is_open = 0;
	int r = read_runs(fd, &history, &is_open, err);

	if (r < 0)
		return r;
	if (is_open)
		return ovi_fail(err, OVL2_E_INVALID, "its last line does not end");
	for (size_t i = 0; i < history.count; i++)
		if (is_same_run(history.runs[i].documents.bench, bench))
			return ovi_fail(err, OVL2_E_EXISTS, "the run of %s is in it",
			                report_string(bench, "started"));

	return 0;
}

static int format_line(const json_t *bench, const char *label, struct ovi_strbuf *line,
                       struct ovl2_error *err)
{
	json_t *copy = json_copy((json_t *)bench);
	char *text = NULL;

	if (copy && (!label || json_object_set_new(copy, "label", json_string(label)) == 0))
		text = json_dumps(copy, JSON_COMPACT);
	json_decref(copy);
	if (!text)
		return ovi_fail(err, OVL2_E_INVALID, "label '%s' is not UTF-8", label ? label : "");
	ovi_strbuf_addf(line, "%s\n", text);
	free(text);

	return ovi_strbuf_failed(line) ? ovi_fail_memory(err) : 0;
}

/* Half a line would be the end of the history: what did not fit is taken back. */
static int write_line(int fd, const struct ovi_strbuf *line, struct ovl2_error *err)
{
	struct stat before;
	int r;

	if (fstat(fd, &before) < 0)
		return ovi_fail_errno(err, "look at it");
	r = ovi_write_all(fd, line->text, line->length, "a line", err);
	if (r < 0 && ftruncate(fd, before.st_size) < 0)
		ovi_fail_add(err, "; cut it back to %lld bytes", (long long)before.st_size);

	return r;
}

int report_history_append(const char *path, const json_t *bench, const char *label,
                          struct ovl2_error *err)
{
	cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
	cleanup_strbuf struct ovi_strbuf line = { 0 };
	int r;

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return ovi_fail_errno(err, "append to '%s'", path);
	r = format_line(bench, label, &line, err);
	if (r == 0)
		r = check_new(fd, bench, err);
	if (r == 0)
		r = write_line(fd, &line, err);

	return r < 0 ? ovi_fail_within(err, r, "append to '%s'", path) : 0;
}

/* -------------------------------------------------------------------- runs -- */

size_t report_history_keep_place(struct report_history *history, const json_t *bench, char *ret_why,
                                 size_t size)
{
	size_t count = history->count;

	history->count = 0;
	for (size_t i = 0; i < count; i++) {
		struct report_run run = history->runs[i];

		if (report_is_other_place(run.documents.bench, bench, ret_why, size))
			release_run(&run);
		else
			history->runs[history->count++] = run;
	}

	return count - history->count;
}

const char *report_run_name(const struct report_run *run)
{
	const char *label = report_string(run->documents.bench, "label");

	return *label ? label : report_string(run->documents.bench, "started");
}
