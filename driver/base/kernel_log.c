#include "kernel_log.h"

#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A record is at most this long (CONSOLE_EXT_LOG_MAX), or read(2) is EINVAL. */
#define RECORD_BYTES 8192

int ovi_kernel_log_open(void)
{
	int log = ovi_sys.openat(AT_FDCWD, "/dev/kmsg", O_RDONLY | O_NONBLOCK, 0);

	if (log >= 0)
		lseek(log, 0, SEEK_END);

	return log;
}

int ovi_kernel_log_next(int log, char *line, size_t size)
{
	char record[RECORD_BYTES];

	while (log >= 0) {
		ssize_t length = ovi_sys.read(log, record, sizeof(record) - 1);
		char *text;

		/* EPIPE: records were overwritten before they were read. */
		if (length < 0 && errno == EPIPE)
			continue;
		if (length <= 0)
			break;

		/* "priority,sequence,time,flags;text\n", then its key=value lines. */
		record[length] = '\0';
		text = strchr(record, ';');
		if (!text || strncmp(text + 1, "overlay", strlen("overlay")) != 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		snprintf(line, size, "%s", text + 1);
		return 1;
	}

	return 0;
}

void ovi_kernel_log_read(int log, char *line, size_t size)
{
	line[0] = '\0';
	while (ovi_kernel_log_next(log, line, size))
		;
}
