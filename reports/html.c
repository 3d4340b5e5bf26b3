#include "html.h"

#include "text.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

void report_add_markup(struct ovi_strbuf *page, const char *markup, ...)
{
	va_list args;

	va_start(args, markup);
	for (;;) {
		size_t length = strcspn(markup, "%");
		const char *text;

		ovi_strbuf_add_bytes(page, markup, length);
		text = va_arg(args, const char *);
		/* As many holes as strings. */
		assert(!text == !markup[length]);
		if (!text)
			break;
		report_add_escaped(page, text);
		markup += length + 1;
	}
	va_end(args);
}
