#include "output.h"

#include "cleanup.h"
#include "fail.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int output_open(const char *path, struct output *output, struct ovl2_error *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	cleanup_strbuf struct ovi_strbuf parent = { 0 };
	cleanup_fd int directory = -1;
	struct stat st;

	/* "results.json", "/results.json", "a/b/results.json" */
	if (slash)
		ovi_strbuf_add_bytes(&parent, path, (size_t)(slash - path) + 1);
	else
		ovi_strbuf_add(&parent, ".");
	if (parent.failed)
		return ovi_fail_memory(err);
	if (!*name)
		return ovi_fail(err, OVL2_E_INVALID, "'%s' is a directory, not a file", path);

	directory = open(parent.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return ovi_fail_errno(err, "open the directory '%s' to write '%s'", parent.text,
		                      name);
	if (faccessat(directory, ".", W_OK, AT_EACCESS) < 0)
		return ovi_fail_errno(err, "write to the directory '%s'", parent.text);
	if (fstatat(directory, name, &st, 0) == 0 && !S_ISREG(st.st_mode))
		return ovi_fail(err, OVL2_E_INVALID, "'%s' is not a regular file", path);

	output->name = strdup(name);
	if (!output->name)
		return ovi_fail_memory(err);
	output->directory = steal_fd(&directory);

	return 0;
}

static int write_documents(int fd, const json_t *documents)
{
	for (size_t i = 0; i < json_array_size(documents); i++)
		if (json_dumpfd(json_array_get(documents, i), fd, JSON_INDENT(2)) < 0 ||
		    write(fd, "\n", 1) != 1)
			return -1;

	return fsync(fd);
}

int output_write(const struct output *output, const json_t *documents, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf aside = { 0 };
	cleanup_fd int fd = -1;

	ovi_strbuf_addf(&aside, ".%s.%ld", output->name, (long)getpid());
	if (aside.failed)
		return ovi_fail_memory(err);
	fd = openat(output->directory, aside.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return ovi_fail_errno(err, "create '%s'", aside.text);

	if (write_documents(fd, documents) < 0 ||
	    renameat(output->directory, aside.text, output->directory, output->name) < 0) {
		ovi_fail_errno(err, "write '%s'", output->name);
		unlinkat(output->directory, aside.text, 0);
		return OVL2_E_SYSTEM;
	}

	return 0;
}

void output_close(struct output *output)
{
	ovi_close_fd(&output->directory);
	output->directory = -1;
	free(output->name);
	output->name = NULL;
}
