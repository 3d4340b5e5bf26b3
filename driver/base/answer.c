#include "answer.h"

#include "cleanup.h"
#include "fail.h"
#include "kernel_log.h"
#include "sys.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int ovi_answer(int answer, struct ovl2_evidence *evidence, uint64_t value, const char *format, ...)
{
	va_list args;

	if (!evidence)
		return answer;

	evidence->value = value;
	va_start(args, format);
	vsnprintf(evidence->text, sizeof(evidence->text), format, args);
	va_end(args);

	return answer;
}

int ovi_is_refusal(const struct ovl2_error *err)
{
	switch (err->sys) {
	case 0:
		return err->code == OVL2_E_UNSUPPORTED;
	case EINVAL:
	case ENODEV:
	case ENOSYS:
	case ENOTTY:
	case EOPNOTSUPP:
		return 1;
	default:
		return 0;
	}
}

int ovi_answer_refused(struct ovl2_evidence *evidence, uint64_t value, const char *what,
                       const struct ovl2_error *reason, int log)
{
	char words[160];

	ovi_kernel_log_read(log, words, sizeof(words));
	if (!*words)
		return ovi_answer(0, evidence, value, "%s: %.400s", what, reason->message);

	return ovi_answer(0, evidence, value, "%s: %.250s" OVI_KERNEL_LOG_MARK "%s)", what,
	                  reason->message, words);
}

int ovi_make_directories(int dir, const char *const names[], struct ovl2_error *err)
{
	for (; *names; names++)
		if (ovi_sys.mkdirat(dir, *names, 0755) < 0)
			return ovi_fail_errno(err, "create directory '%s' to try with", *names);

	return 0;
}

int ovi_append_file(int dir, const char *name, const char *text, struct ovl2_error *err)
{
	ssize_t length = (ssize_t)strlen(text);
	cleanup_fd int fd = -1;
	ssize_t written;

	fd = ovi_sys.openat(dir, name, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (fd < 0)
		return ovi_fail_errno(err, "open '%s' to write", name);
	written = ovi_sys.write(fd, text, (size_t)length);
	if (written < 0)
		return ovi_fail_errno(err, "write '%s'", name);
	if (written != length)
		return ovi_fail(err, OVL2_E_SYSTEM, "write '%s': cut short", name);

	return 0;
}
