#include "escape.h"

/*
 * Length of the character at `text` if it may not be shown: C0 and C1 controls but
 * for tab and line feed, bidirectional marks, U+FFFE and U+FFFF; else 0. The text
 * is valid UTF-8.
 */
static size_t forbidden_length(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	if (*c < ' ' || *c == 0x7f)
		return *c != '\t' && *c != '\n';
	if (c[0] == 0xc2 && c[1] < 0xa0)
		return 2;
	if (c[0] == 0xe2 && c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae)
		return 3;
	if (c[0] == 0xe2 && c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9)
		return 3;
	if (c[0] == 0xef && c[1] == 0xbf && c[2] >= 0xbe)
		return 3;

	return 0;
}

static const char *entity_of(char c)
{
	switch (c) {
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '&':
		return "&amp;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void ovi_escape_xml(struct ovi_strbuf *buf, const char *text)
{
	const char *start = text;

	for (;;) {
		const char *entity = entity_of(*text);
		size_t bad = *text ? forbidden_length(text) : 0;

		if (*text && !entity && !bad) {
			text++;
			continue;
		}
		ovi_strbuf_add_bytes(buf, start, (size_t)(text - start));
		if (!*text)
			return;
		ovi_strbuf_add(buf, entity ? entity : "\xef\xbf\xbd");
		text += entity ? 1 : bad;
		start = text;
	}
}

void ovi_escape_controls(struct ovi_strbuf *buf, const char *text)
{
	while (*text) {
		size_t bad = forbidden_length(text);

		if (bad)
			ovi_strbuf_add(buf, "?");
		else
			ovi_strbuf_add_bytes(buf, text, 1);
		text += bad ? bad : 1;
	}
}
