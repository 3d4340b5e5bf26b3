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

/* On almost every group; once around them all they are the same. */
#define INHERITED                                                                         \
	" fill=\"none\" color=\"black\" stroke=\"currentColor\" stroke-linecap=\"round\"" \
	" stroke-linejoin=\"round\" font-family=\"sans-serif\" font-size=\"14.00\""       \
	" stroke-width=\"1.00\""

static const char *const inherited[] = {
	" fill=\"none\"",
	" color=\"black\"",
	" stroke=\"currentColor\"",
	" stroke-linecap=\"round\"",
	" stroke-linejoin=\"round\"",
	" font-family=\"sans-serif\"",
	" font-size=\"14.00\"",
	" stroke-width=\"1.00\"",
	" class=\"gridline\"",
};

static size_t inherited_length(const char *text)
{
	for (size_t i = 0; *text == ' ' && i < sizeof(inherited) / sizeof(inherited[0]); i++)
		if (strncmp(text, inherited[i], strlen(inherited[i])) == 0)
			return strlen(inherited[i]);

	return 0;
}

static const struct edit *edit_at(const char *text)
{
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++)
		if (strncmp(text, edits[i].found, strlen(edits[i].found)) == 0)
			return &edits[i];

	return NULL;
}

/* A drawing's body, between its description and its end. */
struct body {
	const char *at;
	const char *end;

	/* Where its definitions are; NULL when there are none. */
	const char *definitions;
	const char *definitions_end;
};

/* Series without a title get one like "gnuplot_plot_3", which says nothing. */
static size_t nameless_title_length(const struct body *body)
{
	const char *end;

	if (strncmp(body->at, "<title>gnuplot_plot_", 20) != 0)
		return 0;
	end = strstr(body->at, "</title>");

	return end ? (size_t)(end - body->at) + 8 : 0;
}

/* A third of a drawing is groups that nothing is in. */
static size_t empty_group_length(const struct body *body)
{
	const char *end = strncmp(body->at, "<g ", 3) == 0 ? strchr(body->at, '>') : NULL;

	if (!end)
		return 0;
	end += 1 + strspn(end + 1, " \t\n");

	return strncmp(end, "</g>", 4) == 0 ? (size_t)(end - body->at) + 4 : 0;
}

/* The ground of a drawing, which is not filled. */
static size_t ground_length(const struct body *body)
{
	static const char start[] = "<rect x=\"0\" y=\"0\" ";
	static const char unfilled[] = " fill=\"none\"/";
	const char *end;

	if (strncmp(body->at, start, strlen(start)) != 0)
		return 0;
	end = strchr(body->at, '>');
	if (!end || strncmp(end - strlen(unfilled), unfilled, strlen(unfilled)) != 0)
		return 0;

	return (size_t)(end - body->at) + 1;
}

/* Is there a reference to this id, "href='#ID'" or "url(#ID)"? */
static int is_referred_to(const struct body *body, const char *id, size_t length)
{
	const char *at = body->at;

	while ((at = strchr(at, '#')) && at < body->end) {
		at++;
		if (strncmp(at, id, length) == 0 && strchr("'\")", at[length]))
			return 1;
	}

	return 0;
}

/* gnuplot defines all of its points and boxes, drawings use two or three. */
static size_t unused_definition_length(const struct body *body)
{
	const char *tag_end;
	const char *id;
	const char *end;
	size_t length;

	if (*body->at != '<' || body->at <= body->definitions || body->at >= body->definitions_end)
		return 0;
	tag_end = strchr(body->at, '>');
	id = strstr(body->at, " id=");
	end = strncmp(body->at, "<filter ", 8) == 0 ? strstr(body->at, "</filter>") : tag_end;
	if (!end || !id || id > tag_end)
		return 0;
	id += 5;
	length = strcspn(id, "'\"");
	if (is_referred_to(body, id, length))
		return 0;

	return (size_t)(end - body->at) + (end == tag_end ? 1 : strlen("</filter>"));
}

/* What at this place, which is not within a tag, can go without a difference to the eye. */
static size_t droppable_length(const struct body *body)
{
	size_t length = nameless_title_length(body);

	if (!length)
		length = ground_length(body);
	if (!length)
		length = empty_group_length(body);
	if (!length)
		length = unused_definition_length(body);
	/* Runs of white space mean nothing in a drawing. */
	if (!length)
		length = strspn(body->at, " \t\n") > 1 ? 1 : 0;

	return length;
}

/* Only inside tags: what looks like an attribute in a label is a label. */
static void add_body(struct ovi_strbuf *page, struct body body, const char *id)
{
	int is_tag = 0;

	while (body.at < body.end) {
		const struct edit *edit = is_tag ? edit_at(body.at) : NULL;
		size_t droppable = is_tag ? inherited_length(body.at) : droppable_length(&body);

		if (edit) {
			ovi_strbuf_addf(page, "%s%s-", edit->replacement, id);
			body.at += strlen(edit->found);
			continue;
		}
		if (droppable) {
			body.at += droppable;
			continue;
		}
		if (*body.at == '<' || *body.at == '>')
			is_tag = *body.at == '<';
		ovi_strbuf_add_bytes(page, body.at++, 1);
	}
}

int report_add_svg(struct ovi_strbuf *page, const char *drawing, const char *id, const char *title,
                   const char *description)
{
	const char *box = strstr(drawing, "viewBox=\"");
	const char *box_end = box ? strchr(box + 9, '"') : NULL;
	const char *start = strstr(drawing, "</desc>");
	const char *end = start ? strstr(start, "</svg>") : NULL;
	struct body body = { .end = end };

	if (!box_end || !end)
		return -1;
	body.at = start + strlen("</desc>");
	body.definitions = strstr(start, "<defs>");
	body.definitions_end = body.definitions ? strstr(body.definitions, "</defs>") : NULL;

	ovi_strbuf_add(page,
	               "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\"" INHERITED " ");
	ovi_strbuf_add_bytes(page, box, (size_t)(box_end - box) + 1);
	ovi_strbuf_addf(page,
	                " role=\"img\" aria-labelledby=\"%s-title %s-desc\">\n"
	                "<title id=\"%s-title\">",
	                id, id, id);
	ovi_escape_xml(page, title);
	ovi_strbuf_addf(page, "</title>\n<desc id=\"%s-desc\">", id);
	ovi_escape_xml(page, description);
	ovi_strbuf_add(page, "</desc>");
	add_body(page, body, id);
	ovi_strbuf_add(page, "</svg>\n");

	return 0;
}
