#include "toml.h"

#include "cleanup.h"
#include "fail.h"
#include "strbuf.h"

#include <string.h>

/* Of what can be cut from lines. */
#define SPACE " \t\r"

struct scan {
	const char *name;

	/* The table that lines belong to, with a dot behind it; or empty. */
	struct ovi_strbuf table;

	/* Ends the string of many lines that the line began, or NULL. */
	const char *until;

	char *found;

	/* Wanted is a list: its strings, a line each. NULL for a string. */
	struct ovi_strbuf *items;
	int in_items;
};

/* A key as it is compared: without quotes and blanks. */
static void add_key(struct ovi_strbuf *buf, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!strchr("\"'" SPACE, text[i]))
			ovi_strbuf_add_bytes(buf, &text[i], 1);
}

/* How long the key at the start of `line` is: up to the '=' outside of quotes. */
static size_t key_length(const char *line)
{
	char quote = '\0';
	size_t i;

	for (i = 0; line[i]; i++) {
		if (quote && line[i] == quote)
			quote = '\0';
		else if (!quote && (line[i] == '"' || line[i] == '\''))
			quote = line[i];
		else if (!quote && line[i] == '=')
			break;
	}

	return i;
}

/* Reads the string at the start of `value`, which ends at `ret_end`. */
static int read_string(const char *value, char **ret_text, const char **ret_end,
                       struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf text = { 0 };
	const char quote = *value;

	if (quote != '"' && quote != '\'')
		return ovi_fail(err, OVL2_E_INVALID, "not a string");

	ovi_strbuf_add(&text, "");
	for (value++; *value != quote; value++) {
		if (!*value)
			return ovi_fail(err, OVL2_E_INVALID, "a string without end");
		if (quote == '"' && *value == '\\' && *++value != '"' && *value != '\\')
			return ovi_fail(err, OVL2_E_INVALID, "an escape other than \\\\ and \\\"");
		ovi_strbuf_add_bytes(&text, value, 1);
	}

	*ret_text = ovi_strbuf_steal(&text);
	*ret_end = value + 1;

	return *ret_text ? 0 : ovi_fail_memory(err);
}

/* Items of the list, up to its end or that of the line. */
static int read_items(struct scan *scan, const char *line, struct ovl2_error *err)
{
	for (line += strspn(line, SPACE ","); *line && *line != '#';
	     line += strspn(line, SPACE ",")) {
		cleanup_free char *item = NULL;
		int r;

		if (*line == ']') {
			scan->in_items = 0;
			return 0;
		}
		r = read_string(line, &item, &line, err);
		if (r < 0)
			return ovi_fail_within(err, r, "%s", scan->name);
		ovi_strbuf_addf(scan->items, "%s\n", item);
	}

	return 0;
}

static int read_pair(struct scan *scan, const char *line, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf name = { 0 };
	size_t length = key_length(line);
	const char *value = line + length;
	const char *end;
	char *found = NULL;
	int r;

	if (*value != '=')
		return 0;
	value += 1 + strspn(value + 1, SPACE);
	if (strncmp(value, "\"\"\"", 3) == 0 || strncmp(value, "'''", 3) == 0) {
		const char *ends = *value == '"' ? "\"\"\"" : "'''";

		if (!strstr(value + 3, ends))
			scan->until = ends;
	}

	ovi_strbuf_add(&name, scan->table.text ? scan->table.text : "");
	add_key(&name, line, length);
	if (ovi_strbuf_failed(&name))
		return ovi_fail_memory(err);
	if (strcmp(name.text, scan->name) != 0)
		return 0;
	if (scan->until)
		return ovi_fail(err, OVL2_E_INVALID, "%s: a string of many lines", scan->name);

	if (scan->items) {
		if (*value != '[')
			return ovi_fail(err, OVL2_E_INVALID, "%s: not a list", scan->name);
		ovi_strbuf_cut(scan->items, 0);
		scan->in_items = 1;
		return read_items(scan, value + 1, err);
	}

	r = read_string(value, &found, &end, err);
	if (r < 0)
		return ovi_fail_within(err, r, "%s", scan->name);
	free(scan->found);
	scan->found = found;

	return 0;
}

static void read_table(struct scan *scan, const char *line)
{
	size_t length = strcspn(line, "]");

	/* A name that no key has, for arrays of tables. */
	ovi_strbuf_cut(&scan->table, 0);
	if (line[1] == '[')
		ovi_strbuf_add(&scan->table, "[]");
	else
		add_key(&scan->table, line + 1, length - 1);
	ovi_strbuf_add(&scan->table, ".");
}

static int read_line(struct scan *scan, const char *line, struct ovl2_error *err)
{
	if (scan->until) {
		if (strstr(line, scan->until))
			scan->until = NULL;
		return 0;
	}

	if (scan->in_items)
		return read_items(scan, line, err);

	line += strspn(line, SPACE);
	if (*line == '[')
		read_table(scan, line);
	else if (*line != '#')
		return read_pair(scan, line, err);

	return 0;
}

static int scan_lines(struct scan *scan, const char *text, struct ovl2_error *err)
{
	int r = 0;

	while (*text && r == 0) {
		size_t length = strcspn(text, "\n");
		cleanup_free char *line = strndup(text, length);

		r = line ? read_line(scan, line, err) : ovi_fail_memory(err);
		text += length;
		text += *text == '\n';
	}
	ovi_strbuf_release(&scan->table);

	return r;
}

int toml_find(const char *text, const char *name, char **ret_value, struct ovl2_error *err)
{
	struct scan scan = { .name = name };
	int r;

	r = scan_lines(&scan, text, err);
	if (r < 0) {
		free(scan.found);
		return r;
	}

	*ret_value = scan.found;

	return scan.found != NULL;
}

int toml_find_list(const char *text, const char *name, char **ret_lines, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf items = { 0 };
	struct scan scan = { .name = name, .items = &items };
	int r;

	ovi_strbuf_add(&items, "");
	r = scan_lines(&scan, text, err);
	if (r < 0)
		return r;
	if (scan.in_items)
		return ovi_fail(err, OVL2_E_INVALID, "%s: a list without end", name);

	*ret_lines = ovi_strbuf_steal(&items);

	return *ret_lines ? 0 : ovi_fail_memory(err);
}
