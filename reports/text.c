#include "text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct scale {
	double factor;
	const char *unit;
};

/* Three significant digits: "1.23", "12.3", "123"; no exponent. */
static struct report_word three_digits(double number, const char *unit)
{
	struct report_word word = { { 0 } };
	int decimals = number < 9.995 ? 2 : number < 99.95 ? 1 : 0;

	snprintf(word.text, sizeof(word.text), "%.*f%s", decimals, number, unit);

	return word;
}

/* Picks the largest unit that leaves one digit before the point. */
static struct report_word scaled(double number, const struct scale *scales)
{
	while (scales[1].unit && number < scales->factor * 0.9995)
		scales++;

	return three_digits(number / scales->factor, scales->unit);
}

static struct report_word none(void)
{
	return (struct report_word){ "-" };
}

struct report_word report_duration(double ns)
{
	static const struct scale scales[] = {
		{ 1e9, " s" }, { 1e6, " ms" }, { 1e3, " µs" }, { 1, " ns" }, { 0, NULL },
	};

	return ns > 0 ? scaled(ns, scales) : none();
}

struct report_word report_byte_rate(double bytes, double ns)
{
	static const struct scale scales[] = {
		{ 1e9, " GB/s" }, { 1e6, " MB/s" }, { 1e3, " kB/s" }, { 1, " B/s" }, { 0, NULL },
	};

	return ns > 0 ? scaled(bytes / ns * 1e9, scales) : none();
}

struct report_word report_whole(double number)
{
	struct report_word word = { { 0 } };
	char digits[40];
	size_t length;
	size_t used = 0;

	snprintf(digits, sizeof(digits), "%.0f", number < 1e15 ? number : 1e15);
	length = strlen(digits);
	for (size_t i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-')
			word.text[used++] = ',';
		word.text[used++] = digits[i];
	}

	return word;
}

struct report_word report_file_rate(double files, double ns)
{
	struct report_word word;
	double rate = ns > 0 ? files / ns * 1e9 : 0;
	double unit = rate > 0 ? pow(10, floor(log10(rate)) - 2) : 1;

	if (rate <= 0)
		return none();
	if (rate >= 999500)
		return three_digits(rate / 1e6, " M files/s");

	word = report_whole(unit > 1 ? round(rate / unit) * unit : round(rate));
	strncat(word.text, " files/s", sizeof(word.text) - strlen(word.text) - 1);

	return word;
}

struct report_word report_ratio(double ratio)
{
	return ratio > 0 ? three_digits(ratio, "×") : none();
}

struct report_word report_ratio_interval(double low, double high)
{
	struct report_word word = three_digits(low, " to ");
	struct report_word end = three_digits(high, "×");

	strncat(word.text, end.text, sizeof(word.text) - strlen(word.text) - 1);

	return word;
}

struct report_word report_size(double bytes)
{
	static const struct scale scales[] = {
		{ 0x1p40, " TiB" }, { 0x1p30, " GiB" }, { 0x1p20, " MiB" },
		{ 0x1p10, " KiB" }, { 1, " bytes" },    { 0, NULL },
	};

	return scaled(bytes, scales);
}

static int ends_with(const char *word, const char *end)
{
	size_t length = strlen(word);

	return length > strlen(end) && strcmp(word + length - strlen(end), end) == 0;
}

void report_add_amount(struct ovi_strbuf *buf, double value, const char *parameter)
{
	const double mebibyte = 0x1p20;
	size_t length = strlen(parameter);

	if (strcmp(parameter, "bytes") == 0 && value >= mebibyte && fmod(value, mebibyte) == 0) {
		ovi_strbuf_addf(buf, "%s MiB", report_whole(value / mebibyte).text);
		return;
	}
	if (floor(value) == value)
		ovi_strbuf_add(buf, report_whole(value).text);
	else
		ovi_strbuf_addf(buf, "%.10g", value);
	if (length)
		ovi_strbuf_add(buf, " ");
	if (value == 1 && ends_with(parameter, "ies")) {
		ovi_strbuf_add_bytes(buf, parameter, length - strlen("ies"));
		ovi_strbuf_add(buf, "y");
		return;
	}
	if (value == 1 && ends_with(parameter, "s"))
		length--;
	ovi_strbuf_add_bytes(buf, parameter, length);
}

void report_add_command(struct ovi_strbuf *buf, const json_t *words)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-./=:,+@%";
	const char *separator = "";
	json_t *word;
	size_t i;

	json_array_foreach(words, i, word)
	{
		const char *text = json_string_value(word);

		ovi_strbuf_add(buf, separator);
		separator = " ";
		if (*text && text[strspn(text, plain)] == '\0') {
			ovi_strbuf_add(buf, text);
			continue;
		}
		ovi_strbuf_add(buf, "'");
		for (; *text; text++)
			ovi_strbuf_add_bytes(buf, *text == '\'' ? "'\\''" : text,
			                     *text == '\'' ? 4 : 1);
		ovi_strbuf_add(buf, "'");
	}
}
