#include "fail.h"

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

/* Cuts what does not fit: the end of an operand is worth least. */
__attribute__((format(printf, 4, 0))) static void store(struct ovl2_error *err, enum ovl2_code code,
                                                        int sys, const char *format, va_list args)
{
	size_t used;

	if (!err)
		return;

	err->code = code;
	err->sys = sys;
	vsnprintf(err->message, sizeof(err->message), format, args);
	if (sys) {
		const char *reason = strerrordesc_np(sys);
		size_t room;

		if (!reason)
			reason = "unknown error";
		room = sizeof(err->message) - strlen(reason) - 3;
		used = strlen(err->message);
		if (used > room)
			used = room;
		snprintf(err->message + used, sizeof(err->message) - used, ": %s", reason);
	}
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
