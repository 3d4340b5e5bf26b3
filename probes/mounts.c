#include "mounts.h"

#include "cleanup.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

/* Of all lines together: a host has many mounts, and one line has up to 500 lowers. */
#define MAX_BYTES ((size_t)256 * 1024 * 1024)

void mounts_release(struct mounts *mounts)
{
	free(mounts->list);
	free(mounts->text);
	*mounts = (struct mounts){ 0 };
}

/* In place: space, tab, newline and backslash come as three octal digits. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*to++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + text[3] - '0');
			text += 3;
			continue;
		}
		*to++ = *text;
	}
	*to = '\0';
}

/* The next field, terminated and unescaped; NULL at the end of the line. */
static char *next_field(char **line)
{
	char *field = strsep(line, " ");

	if (field)
		unescape(field);

	return field;
}

/*
 * "36 35 98:0 /root /target rw,noatime shared:1 - ext3 /dev/root rw,errors=continue".
 * Returns 0 for a line that has not all of it.
 */
static int parse_line(char *line, struct mounts_entry *ret_entry)
{
	struct mounts_entry entry = { 0 };
	unsigned int device[2];
	char *field;

	field = next_field(&line);
	if (!field || sscanf(field, "%d", &entry.id) != 1 || !next_field(&line))
		return 0;
	field = next_field(&line);
	if (!field || sscanf(field, "%u:%u", &device[0], &device[1]) != 2)
		return 0;
	entry.device = makedev(device[0], device[1]);

	if (!next_field(&line))
		return 0;
	entry.target = next_field(&line);
	entry.options = next_field(&line);

	/* Optional fields, ended by a dash. */
	do
		field = next_field(&line);
	while (field && strcmp(field, "-") != 0);
	entry.type = next_field(&line);
	entry.source = next_field(&line);
	entry.super_options = next_field(&line);
	*ret_entry = entry;

	return entry.super_options != NULL;
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n';

	return count + 1;
}

int mounts_parse(char *text, struct mounts *ret_mounts)
{
	struct mounts mounts = { .text = text };
	char *line;

	mounts.list = calloc(count_lines(text), sizeof(*mounts.list));
	if (!mounts.list) {
		mounts_release(&mounts);
		errno = ENOMEM;
		return -1;
	}
	while ((line = strsep(&text, "\n")))
		mounts.count += (size_t)parse_line(line, &mounts.list[mounts.count]);
	*ret_mounts = mounts;

	return 0;
}

int mounts_read(struct mounts *ret_mounts)
{
	struct ovl2_error reason = { 0 };
	char *text = NULL;

	if (ovi_file_read(AT_FDCWD, "/proc/self/mountinfo", MAX_BYTES, &text, NULL, &reason) < 0) {
		errno = reason.sys ? reason.sys : EIO;
		return -1;
	}

	return mounts_parse(text, ret_mounts);
}

const struct mounts_entry *mounts_find_id(const struct mounts *mounts, int id)
{
	for (size_t i = 0; i < mounts->count; i++)
		if (mounts->list[i].id == id)
			return &mounts->list[i];

	return NULL;
}

/* Later ones lie on top. */
const struct mounts_entry *mounts_find_device(const struct mounts *mounts, dev_t device)
{
	for (size_t i = mounts->count; i > 0; i--)
		if (mounts->list[i - 1].device == device)
			return &mounts->list[i - 1];

	return NULL;
}

const struct mounts_entry *mounts_find_target(const struct mounts *mounts, const char *target)
{
	for (size_t i = mounts->count; i > 0; i--)
		if (strcmp(mounts->list[i - 1].target, target) == 0)
			return &mounts->list[i - 1];

	return NULL;
}

const char *mounts_option(const char *options, const char *name, size_t *ret_length)
{
	size_t length = strlen(name);

	while (*options) {
		size_t whole = strcspn(options, ",");

		if (whole >= length && strncmp(options, name, length) == 0 &&
		    (whole == length || options[length] == '=')) {
			options += length + (whole > length);
			*ret_length = strcspn(options, ",");
			return options;
		}
		options += whole + (options[whole] == ',');
	}

	return NULL;
}
