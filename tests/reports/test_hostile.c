#include "support/test.h"

#include "page_check.h"

#include <jansson.h>
#include <stdlib.h>

/*
 * Documents in which every free text begins with something that would like to be
 * markup, a command of a shell or gnuplot, or control of a terminal.
 */

#define CANARY "canary"

struct row {
	const char *title;
	const char *text;
};

static const struct row rows[] = {
	{ "script element", "<script>document.title='x'</script>" },
	{ "end of an attribute", "\"><img src=x onerror=alert(1)><a b='" },
	{ "end of style and title", "</style></title><script>1</script>" },
	{ "end of CDATA and comment", "]]>--><!-- <![CDATA[" },
	{ "entities", "&lt;&nbsp;&#x0;&amp;&undefined;" },
	{ "shell in backticks", "`touch " CANARY "`" },
	{ "shell substitution", "$(touch " CANARY ")" },
	{ "end of a gnuplot string", "\" . system(\"touch " CANARY "\") . \"" },
	{ "end of a gnuplot string by escape", "\\\" . system('touch " CANARY "') #" },
	{ "gnuplot commands on lines", "x\nsystem 'touch " CANARY "'\n!touch " CANARY "\n" },
	{ "end of a data block", "\n\n\ne\nEOD\n# x\n" },
	{ "pipe as file name", "< touch " CANARY },
	{ "gnuplot markup", "_{a}^{b}@c&{d}/x{/=20 y}%d%s\\n" },
	{ "columns", "1 2 3\t4,5;6 NaN" },
	{ "terminal control", "\x1b]0;x\x07\x1b[2J\x1b[31m\r\x08\x7f\xc2\x9b"
	                      "31m" },
	{ "text direction", "\xe2\x80\xaegnp.exe\xe2\x80\xac\xe2\x81\xa6x\xe2\x81\xa9" },
	{ "not for XML", "\x01\x02\xef\xbf\xbe\xef\xbf\xbf" },
	{ "letters from everywhere", "Ωλ漢字 🐳 é" },
};

/* Words whose meaning is fixed by the format. */
static int is_free_text(const char *name)
{
	static const char *const fixed[] = { "format", "verdict", "answer",   "want",
		                             "level",  "metric",  "parameter" };

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (strcmp(name, fixed[i]) == 0)
			return 0;

	return 1;
}

static json_t *poison(const json_t *value, const char *text);

static json_t *poison_string(const char *string, const char *text)
{
	cleanup_free char *longer = test_path("%s%s", text, string);
	json_t *poisoned = json_string(longer);

	assert_non_null(poisoned);

	return poisoned;
}

static json_t *poison_object(const json_t *object, const char *text)
{
	json_t *copy = json_object();
	const char *name;
	json_t *member;

	json_object_foreach((json_t *)object, name, member)
	{
		if (is_free_text(name))
			json_object_set_new(copy, name, poison(member, text));
		else
			json_object_set(copy, name, member);
	}

	return copy;
}

static json_t *poison(const json_t *value, const char *text)
{
	json_t *copy;
	json_t *element;
	size_t i;

	if (json_is_string(value))
		return poison_string(json_string_value(value), text);
	if (json_is_object(value))
		return poison_object(value, text);
	if (!json_is_array(value))
		return json_deep_copy(value);

	copy = json_array();
	json_array_foreach(value, i, element) json_array_append_new(copy, poison(element, text));

	return copy;
}

static void write_poisoned(const char *sample, const char *text, const char *path)
{
	json_error_t why;
	json_t *document = json_load_file(sample, 0, &why);
	json_t *poisoned;

	if (!document)
		fail_msg("%s: %s", sample, why.text);
	poisoned = poison(document, text);
	assert_int_equal(json_dump_file(poisoned, path, 0), 0);
	json_decref(document);
	json_decref(poisoned);
}

static struct test_output report(struct test_place *place, const char *text)
{
	cleanup_free char *probe = test_path("%s/probe.json", place->path);
	cleanup_free char *bench = test_path("%s/bench.json", place->path);
	cleanup_free char *page = test_path("%s/report.html", place->path);
	const char *const argv[] = {
		REPORT_PROGRAM, "--color=never", "--html", page, "--note", text, "--title",
		text,           probe,           bench,    NULL
	};

	write_poisoned(SAMPLES "/probe-refused.json", text, probe);
	write_poisoned(SAMPLES "/bench-quick.json", text, bench);
	assert_sys(chdir(place->path));

	return test_spawn(argv);
}

static void text_stays_text(void **state)
{
	struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_output struct test_output output = report(place, row->text);
	cleanup_free char *page = test_path("%s/report.html", place->path);

	assert_string_equal(output.err, "");
	assert_int_equal(output.status, 0);
	page_assert_sound(page);
	page_assert_count(page, "//*[local-name() = 'svg']", "8");
	assert_int_not_equal(access(CANARY, F_OK), 0);

	/* Line feeds are the only control that reaches a terminal. */
	for (const char *c = output.out; *c; c++)
		if (((unsigned char)*c < ' ' && *c != '\n' && *c != '\t') || *c == 0x7f)
			fail_msg("control character %d in: %s", *c, c);
}

static void long_text_is_no_trouble(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *page = test_path("%s/report.html", place->path);
	cleanup_output struct test_output output = { 0 };
	char text[401];

	/* In every one of some thousand places: far more than anybody writes. */
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	output = report(place, text);
	assert_int_equal(output.status, 0);
	page_assert_sound(page);
}

static void ten_kilobytes_in_one_field(void **state)
{
	struct test_place *place = *state;
	cleanup_free char *path = test_path("%s/probe.json", place->path);
	cleanup_free char *page = test_path("%s/report.html", place->path);
	const char *const argv[] = { REPORT_PROGRAM, "--html", page, path, NULL };
	cleanup_output struct test_output output = { 0 };
	json_t *document = json_load_file(SAMPLES "/probe-refused.json", 0, NULL);
	json_t *host = json_object_get(document, "host");
	char text[10001];

	memset(text, '<', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	json_object_set_new(host, "name", json_string(text));
	assert_int_equal(json_dump_file(document, path, 0), 0);
	json_decref(document);

	output = test_spawn(argv);
	assert_string_equal(output.err, "");
	assert_int_equal(output.status, 0);
	page_assert_sound(page);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 2] = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[count++] = test_case(rows[i].title, text_stays_text, &rows[i]);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(long_text_is_no_trouble);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(ten_kilobytes_in_one_field);

	return test_run("hostile", tests, count, argc, argv);
}
