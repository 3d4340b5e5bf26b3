#pragma once

/*
 * A string that grows. Start from all zeroes; release with ovi_strbuf_release()
 * or cleanup_strbuf. Always terminated once something was added. Running out of
 * memory sticks: later additions do nothing, and ovi_strbuf_failed() says so
 * once at the end.
 */

#include <stddef.h>

struct ovi_strbuf {
	char *text;
	size_t length;
	size_t room;
	int failed;
};

#define cleanup_strbuf __attribute__((cleanup(ovi_strbuf_release)))

void ovi_strbuf_release(struct ovi_strbuf *buf);

void ovi_strbuf_add(struct ovi_strbuf *buf, const char *text);
void ovi_strbuf_add_bytes(struct ovi_strbuf *buf, const void *bytes, size_t length);
void ovi_strbuf_addf(struct ovi_strbuf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Room for `length` bytes behind what is there, to be filled in by the caller and
 * then counted with ovi_strbuf_filled(). NULL when out of memory.
 */
char *ovi_strbuf_reserve(struct ovi_strbuf *buf, size_t length);
void ovi_strbuf_filled(struct ovi_strbuf *buf, size_t length);

/* Cuts back to `length`, which must not exceed the current one. */
void ovi_strbuf_cut(struct ovi_strbuf *buf, size_t length);

static inline int ovi_strbuf_failed(const struct ovi_strbuf *buf)
{
	return buf->failed;
}

/* Hands the text over; release it with free(3). NULL if anything failed. */
char *ovi_strbuf_steal(struct ovi_strbuf *buf);
