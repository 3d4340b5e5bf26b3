#include "support/test.h"

#include "escape.h"
#include "text.h"

/*
 * Figures as people read them, and text from documents made harmless.
 */

struct row {
	const char *title;
	struct report_word (*format)(double number);
	double number;
	const char *text;
};

static struct report_word megabytes_in(double ns)
{
	return report_byte_rate(1e6, ns);
}

static struct report_word thousand_files_in(double ns)
{
	return report_file_rate(1000, ns);
}

static const struct row rows[] = {
	{ "nothing measured", report_duration, 0, "-" },
	{ "nanoseconds", report_duration, 12.345, "12.3 ns" },
	{ "microseconds", report_duration, 561000, "561 µs" },
	{ "just below a millisecond", report_duration, 999400, "999 µs" },
	{ "rounds up to a millisecond", report_duration, 999700, "1.00 ms" },
	{ "milliseconds", report_duration, 46.04e6, "46.0 ms" },
	{ "minutes stay seconds", report_duration, 123.4e9, "123 s" },
	{ "below a nanosecond", report_duration, 0.5, "0.50 ns" },
	{ "megabytes", megabytes_in, 2e6, "500 MB/s" },
	{ "gigabytes", megabytes_in, 5e5, "2.00 GB/s" },
	{ "bytes without time", megabytes_in, 0, "-" },
	{ "files, three digits", thousand_files_in, 2.187e6, "457,000 files/s" },
	{ "files, millions of them", thousand_files_in, 2.187e5, "4.57 M files/s" },
	{ "files, just a million", thousand_files_in, 1.0003e6, "1.00 M files/s" },
	{ "few files", thousand_files_in, 1e12, "1 files/s" },
	{ "ratio", report_ratio, 1.0449, "1.04×" },
	{ "large ratio", report_ratio, 123.4, "123×" },
	{ "no ratio", report_ratio, 0, "-" },
	{ "no bytes", report_size, 0, "0.00 bytes" },
	{ "gibibytes", report_size, 25222688768.0, "23.5 GiB" },
	{ "whole, small", report_whole, 42, "42" },
	{ "whole, with commas", report_whole, 1234567, "1,234,567" },
	{ "whole, below zero", report_whole, -123456, "-123,456" },
};

static void figure_reads_so(void **state)
{
	const struct row *row = ((struct test_place *)*state)->row;

	assert_string_equal(row->format(row->number).text, row->text);
}

static void interval_has_one_unit(void **state)
{
	(void)state;
	assert_string_equal(report_ratio_interval(1.02, 1.06).text, "1.02 to 1.06×");
}

struct amount {
	const char *parameter;
	double value;
	const char *text;
};

static const struct amount amounts[] = {
	{ "lowers", 128, "128 lowers" },
	{ "lowers", 1, "1 lower" },
	{ "directories", 1, "1 directory" },
	{ "directories", 64, "64 directories" },
	{ "files below", 10000, "10,000 files below" },
	{ "bytes", 4096, "4,096 bytes" },
	{ "bytes", 16777216, "16 MiB" },
	{ "bytes", 1048577, "1,048,577 bytes" },
	{ "lowers", 0.5, "0.5 lowers" },
	{ "", 7, "7" },
};

static void amount_reads_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(amounts); i++) {
		cleanup_strbuf struct ovi_strbuf text = { 0 };

		report_add_amount(&text, amounts[i].value, amounts[i].parameter);
		assert_string_equal(text.text, amounts[i].text);
	}
}

struct escape {
	const char *title;
	const char *text;
	const char *escaped;
	const char *plain;
};

static const struct escape escapes[] = {
	{ "plain text", "a b\tc", "a b\tc", "a b\tc" },
	{ "line feeds stay", "a\nb", "a\nb", "a\nb" },
	{ "markup", "<a href='x'>\"&\"", "&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot;",
	  "<a href='x'>\"&\"" },
	{ "terminal control", "a\033[31mb\r", "a�[31mb�", "a?[31mb?" },
	{ "C1 control",
	  "a\xc2\x9b"
	  "b",
	  "a�b", "a?b" },
	{ "direction override", "a\xe2\x80\xaeg\xe2\x80\xac", "a�g�", "a?g?" },
	{ "not a character of XML", "a\xef\xbf\xbf", "a�", "a?" },
	{ "letters beyond ASCII", "Zürich – 東京", "Zürich – 東京", "Zürich – 東京" },
	{ "nothing", "", "", "" },
};

static void text_is_made_harmless(void **state)
{
	const struct escape *row = ((struct test_place *)*state)->row;
	cleanup_strbuf struct ovi_strbuf escaped = { 0 };
	cleanup_strbuf struct ovi_strbuf plain = { 0 };

	ovi_escape_xml(&escaped, row->text);
	ovi_escape_controls(&plain, row->text);
	assert_string_equal(escaped.text ? escaped.text : "", row->escaped);
	assert_string_equal(plain.text ? plain.text : "", row->plain);
}

static void command_is_quoted_for_a_shell(void **state)
{
	json_t *words = json_pack("[s, s, s, s]", "ovl2-probe", "/a dir", "it's", "");
	cleanup_strbuf struct ovi_strbuf line = { 0 };

	(void)state;
	report_add_command(&line, words);
	json_decref(words);
	assert_string_equal(line.text, "ovl2-probe '/a dir' 'it'\\''s' ''");
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + ARRAY_SIZE(escapes) + 3] = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[count++] = test_case(rows[i].title, figure_reads_so, &rows[i]);
	for (size_t i = 0; i < ARRAY_SIZE(escapes); i++)
		tests[count++] = test_case(escapes[i].title, text_is_made_harmless, &escapes[i]);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(interval_has_one_unit);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(amount_reads_so);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(command_is_quoted_for_a_shell);

	return test_run("text", tests, count, argc, argv);
}
