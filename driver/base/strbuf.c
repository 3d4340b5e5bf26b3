#include "strbuf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ovi_strbuf_release(struct ovi_strbuf *buf)
{
	int saved = errno;

	free(buf->text);
	*buf = (struct ovi_strbuf){ 0 };
	errno = saved;
}

/* Makes room for `extra` bytes and a terminator. */
static int reserve(struct ovi_strbuf *buf, size_t extra)
{
	size_t wanted = buf->length + extra + 1;
	size_t room = buf->room ? buf->room : 64;
	char *text;

	if (buf->failed)
		return 0;
	if (wanted <= buf->room)
		return 1;

	while (room < wanted)
		room *= 2;
	text = realloc(buf->text, room);
	if (!text) {
		buf->failed = 1;
		return 0;
	}
	buf->text = text;
	buf->room = room;

	return 1;
}

void ovi_strbuf_add_bytes(struct ovi_strbuf *buf, const void *bytes, size_t length)
{
	if (!reserve(buf, length))
		return;

	memcpy(buf->text + buf->length, bytes, length);
	buf->length += length;
	buf->text[buf->length] = '\0';
}

void ovi_strbuf_add(struct ovi_strbuf *buf, const char *text)
{
	ovi_strbuf_add_bytes(buf, text, strlen(text));
}

void ovi_strbuf_addf(struct ovi_strbuf *buf, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0 || !reserve(buf, (size_t)length))
		return;

	va_start(args, format);
	vsnprintf(buf->text + buf->length, (size_t)length + 1, format, args);
	va_end(args);
	buf->length += (size_t)length;
}

char *ovi_strbuf_reserve(struct ovi_strbuf *buf, size_t length)
{
	return reserve(buf, length) ? buf->text + buf->length : NULL;
}

void ovi_strbuf_filled(struct ovi_strbuf *buf, size_t length)
{
	buf->length += length;
	buf->text[buf->length] = '\0';
}

void ovi_strbuf_cut(struct ovi_strbuf *buf, size_t length)
{
	if (!buf->text || length > buf->length)
		return;

	buf->length = length;
	buf->text[length] = '\0';
}

char *ovi_strbuf_steal(struct ovi_strbuf *buf)
{
	char *text;

	if (!reserve(buf, 0))
		return NULL;

	buf->text[buf->length] = '\0';
	text = buf->text;
	*buf = (struct ovi_strbuf){ 0 };

	return text;
}
