#include "html.h"

#include "escape.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdlib.h>
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
		ovi_escape_xml(page, text);
		markup += length + 1;
	}
	va_end(args);
}

void report_add_download(struct ovi_strbuf *page, const char *name, const char *type,
                         const char *bytes, size_t length)
{
	unsigned char *encoded = malloc(length / 3 * 4 + 5);

	if (!encoded) {
		page->failed = 1;
		return;
	}
	EVP_EncodeBlock(encoded, (const unsigned char *)bytes, (int)length);
	html(page, "<a download=\"%\" href=\"data:%;base64,%\">%</a>", name, type,
	     (const char *)encoded, name);
	free(encoded);
}
