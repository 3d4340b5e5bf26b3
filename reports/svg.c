#include "svg.h"

#include "escape.h"

#include <string.h>

/* Where gnuplot 5.4 and 6.0 name something or refer to it. */
static const struct edit {
	const char *found;
	const char *replacement;
} edits[] = {
	{ " id='", " id='" },
	{ " id=\"", " id=\"" },
	{ " xlink:href='#", " href='#" },
	{ " xlink:href=\"#", " href=\"#" },
	{ "url(#", "url(#" },
};

static const struct edit *edit_at(const char *text)
{
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++)
		if (strncmp(text, edits[i].found, strlen(edits[i].found)) == 0)
			return &edits[i];

	return NULL;
}

/* Series without a title get one like "gnuplot_plot_3", which says nothing. */
static size_t nameless_title_length(const char *text)
{
	const char *end;

	if (strncmp(text, "<title>gnuplot_plot_", 20) != 0)
		return 0;
	end = strstr(text, "</title>");

	return end ? (size_t)(end - text) + 8 : 0;
}

/* Only inside tags: what looks like an attribute in a label is a label. */
static void add_body(struct ovi_strbuf *page, const char *text, const char *end, const char *id)
{
	int is_tag = 0;

	while (text < end) {
		const struct edit *edit = is_tag ? edit_at(text) : NULL;
		size_t nameless = is_tag ? 0 : nameless_title_length(text);

		if (edit) {
			ovi_strbuf_addf(page, "%s%s-", edit->replacement, id);
			text += strlen(edit->found);
			continue;
		}
		if (nameless) {
			text += nameless;
			continue;
		}
		if (*text == '<' || *text == '>')
			is_tag = *text == '<';
		ovi_strbuf_add_bytes(page, text++, 1);
	}
}

int report_add_svg(struct ovi_strbuf *page, const char *drawing, const char *id, const char *title,
                   const char *description)
{
	const char *box = strstr(drawing, "viewBox=\"");
	const char *box_end = box ? strchr(box + 9, '"') : NULL;
	const char *body = strstr(drawing, "</desc>");
	const char *end = body ? strstr(body, "</svg>") : NULL;

	if (!box_end || !end)
		return -1;

	ovi_strbuf_add(page, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" ");
	ovi_strbuf_add_bytes(page, box, (size_t)(box_end - box) + 1);
	ovi_strbuf_addf(page,
	                " role=\"img\" aria-labelledby=\"%s-title %s-desc\">\n"
	                "<title id=\"%s-title\">",
	                id, id, id);
	ovi_escape_xml(page, title);
	ovi_strbuf_addf(page, "</title>\n<desc id=\"%s-desc\">", id);
	ovi_escape_xml(page, description);
	ovi_strbuf_add(page, "</desc>");
	add_body(page, body + 7, end, id);
	ovi_strbuf_add(page, "</svg>\n");

	return 0;
}
