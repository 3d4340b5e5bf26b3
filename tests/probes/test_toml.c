// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "toml.h"

/* Which string an engine would find in its configuration. */

struct row {
	const char *title;
	const char *text;
	const char *name;
	const char *value; /* NULL: there is none */
	const char *error; /* or what it fails with */
};

static const struct row rows[] = {
	{ "at the top", "root = \"/srv\"", "root", "/srv", NULL },
	{ "literal", "root = '/a\\b'", "root", "/a\\b", NULL },
	{ "escaped", "root = \"/a\\\"b\\\\c\"", "root", "/a\"b\\c", NULL },
	{ "a comment behind it", "root = \"/srv\" # \"/x\"\n", "root", "/srv", NULL },
	{ "only a comment", "# root = \"/srv\"\n", "root", NULL, NULL },
	{ "in its table", "root = \"/x\"\n[crio]\nroot = \"/srv\"\n", "crio.root", "/srv", NULL },
	{ "in another table", "[grpc]\nroot = \"/x\"\n", "root", NULL, NULL },
	{ "in an array of tables", "[[crio]]\nroot = \"/x\"\n", "crio.root", NULL, NULL },
	{ "a dotted key", "storage.graphroot = \"/srv\"", "storage.graphroot", "/srv", NULL },
	{ "a quoted table", "[ plugins . 'io.a.v1.b' ]\nroot_path = \"/srv\"\n",
	  "plugins.io.a.v1.b.root_path", "/srv", NULL },
	{ "the last one counts", "root = \"/x\"\nroot = \"/srv\"\n", "root", "/srv", NULL },
	{ "inside a string of many lines", "note = \"\"\"\nroot = \"/x\"\n\"\"\"\n", "root", NULL,
	  NULL },
	{ "lines that end as on Windows", "[crio]\r\nroot = \"/srv\"\r\n", "crio.root", "/srv",
	  NULL },
	{ "nothing", "", "root", NULL, NULL },
	{ "no string", "root = 7\n", "root", NULL, "root: not a string" },
	{ "a string without end", "root = \"/srv\n", "root", NULL, "root: a string without end" },
	{ "an escape at the end", "root = \"/srv\\", "root", NULL, "root: an escape other than" },
	{ "another escape", "root = \"\\u0041\"", "root", NULL, "root: an escape other than" },
	{ "of many lines", "root = \"\"\"\n/srv\"\"\"\n", "root", NULL,
	  "root: a string of many lines" },
};

static void string_is_found(void **state)
{
	const struct row *row = ((const struct test_place *)*state)->row;
	cleanup_free char *value = NULL;
	struct ovl2_error err = { 0 };
	int r = toml_find(row->text, row->name, &value, &err);

	if (row->error) {
		assert_fails(r, OVL2_E_INVALID, &err);
		assert_contains(err.message, row->error);
		return;
	}
	assert_ok(r, &err);
	assert_int_equal(r, row->value != NULL);
	if (row->value)
		assert_string_equal(value, row->value);
}

static const struct row lists[] = {
	{ "on one line", "imports = [\"/a\", '/b/*']\n", "imports", "/a\n/b/*\n", NULL },
	{ "on many lines", "imports = [ # these\n\n  \"/a\", # one\n  \"/b]\",\n]\nroot = \"/\"\n",
	  "imports", "/a\n/b]\n", NULL },
	{ "an empty list", "imports = []\n", "imports", "", NULL },
	{ "no list", "[x]\nimports = ['/a']\n", "imports", "", NULL },
	{ "a string in place of a list", "imports = '/a'\n", "imports", NULL,
	  "imports: not a list" },
	{ "numbers in a list", "imports = [1]\n", "imports", NULL, "imports: not a string" },
	{ "a list without end", "imports = [\n'/a',\n", "imports", NULL, "a list without end" },
};

static void list_is_found(void **state)
{
	const struct row *row = ((const struct test_place *)*state)->row;
	cleanup_free char *lines = NULL;
	struct ovl2_error err = { 0 };
	int r = toml_find_list(row->text, row->name, &lines, &err);

	if (row->error) {
		assert_fails(r, OVL2_E_INVALID, &err);
		assert_contains(err.message, row->error);
		return;
	}
	assert_ok(r, &err);
	assert_string_equal(lines, row->value);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + ARRAY_SIZE(lists)];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[i] = test_case(rows[i].title, string_is_found, &rows[i]);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		tests[ARRAY_SIZE(rows) + i] = test_case(lists[i].title, list_is_found, &lists[i]);

	return test_run("toml", tests, ARRAY_SIZE(tests), argc, argv);
}
