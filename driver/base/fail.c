#include "fail.h"

#include "cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum ovl2_code code_of_errno(int sys)
{
	switch (sys) {
	case ENOENT:
		return OVL2_E_NOT_FOUND;
	case EEXIST:
		return OVL2_E_EXISTS;
	case EBUSY:
		return OVL2_E_BUSY;
	case EPERM:
	case EACCES:
		return OVL2_E_PERMISSION;
	case ENODEV:
	case ENOSYS:
	case EOPNOTSUPP:
		return OVL2_E_UNSUPPORTED;
	case ENOMEM:
		return OVL2_E_NO_MEMORY;
	default:
		return OVL2_E_SYSTEM;
	}
}

static void replace_control_characters(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

/* Of what does not fit the middle goes: its end says what the matter is. */
__attribute__((format(printf, 3, 0))) static void print(char *text, size_t size, const char *format,
                                                        va_list args)
{
	static const char gap[] = "...";
	cleanup_free char *whole = NULL;
	size_t kept = size / 2;
	va_list again;
	int length;

	va_copy(again, args);
	length = vsnprintf(text, size, format, args);
	if (length >= (int)size) {
		length = vasprintf(&whole, format, again);
		if (length < 0)
			whole = NULL;
	}
	va_end(again);
	if (!whole)
		return;

	memcpy(text + kept, gap, sizeof(gap));
	kept += strlen(gap);
	memcpy(text + kept, whole + length + 1 - (size - kept), size - kept);
}

__attribute__((format(printf, 4, 0))) static void store(struct ovl2_error *err, enum ovl2_code code,
                                                        int sys, const char *format, va_list args)
{
	const char *reason = sys ? strerrordesc_np(sys) : NULL;
	char end[128] = "";
	size_t room;

	if (!err)
		return;

	err->code = code;
	err->sys = sys;
	if (sys)
		snprintf(end, sizeof(end), ": %s", reason ? reason : "unknown error");
	room = sizeof(err->message) - strlen(end);
	print(err->message, room, format, args);
	memcpy(err->message + strlen(err->message), end, strlen(end) + 1);
	replace_control_characters(err->message);
}

int ovi_fail(struct ovl2_error *err, enum ovl2_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	store(err, code, 0, format, args);
	va_end(args);

	return code;
}

int ovi_fail_errno(struct ovl2_error *err, const char *format, ...)
{
	int sys = errno;
	enum ovl2_code code = code_of_errno(sys);
	va_list args;

	va_start(args, format);
	store(err, code, sys, format, args);
	va_end(args);

	return code;
}

int ovi_fail_within(struct ovl2_error *err, int code, const char *format, ...)
{
	char context[sizeof(err->message)];
	size_t length;
	va_list args;

	if (!err)
		return code;

	va_start(args, format);
	vsnprintf(context, sizeof(context), format, args);
	va_end(args);
	replace_control_characters(context);

	length = strlen(context);
	if (length + 2 + strlen(err->message) >= sizeof(err->message))
		return code;

	memmove(err->message + length + 2, err->message, strlen(err->message) + 1);
	memcpy(err->message, context, length);
	memcpy(err->message + length, ": ", 2);

	return code;
}

void ovi_fail_add(struct ovl2_error *err, const char *format, ...)
{
	size_t length = strlen(err->message);
	va_list args;

	va_start(args, format);
	vsnprintf(err->message + length, sizeof(err->message) - length, format, args);
	va_end(args);
	replace_control_characters(err->message);
}
