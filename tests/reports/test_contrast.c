// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "assets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Can what the page says be read? Its colours are variables; contrast is that of WCAG 2.1,
 * 1.4.3 for text (4.5) and 1.4.11 for drawings (3).
 */

#define TEXT 4.5
#define DRAWING 3.0

struct theme {
	const char *title;

	/* What stands ahead of its variables; what it leaves out is as in the first. */
	const char *start;
};

static const struct theme themes[] = {
	{ "light", ":root {" },
	{ "dark", "(prefers-color-scheme: dark) {" },
	{ "paper", "@media print {" },
};

static const struct pair {
	const char *above;
	const char *ground;
	double least;
} pairs[] = {
	{ "fg", "bg", TEXT },
	{ "fg", "card", TEXT },
	{ "mut", "bg", TEXT },
	{ "mut", "card", TEXT },
	{ "link", "bg", TEXT },
	{ "fg", "pass-bg", TEXT },
	{ "fg", "fail-bg", TEXT },
	{ "fg", "unknown-bg", TEXT },
	{ "fg", "info-bg", TEXT },
	{ "pass", "pass-bg", TEXT },
	{ "fail", "fail-bg", TEXT },
	{ "warn", "warn-bg", TEXT },
	{ "unknown", "unknown-bg", TEXT },
	{ "info", "info-bg", TEXT },
	{ "bg", "pass", TEXT },
	{ "bg", "fail", TEXT },
	{ "bg", "unknown", TEXT },
	{ "bg", "info", TEXT },
	{ "grey", "bg", DRAWING },
	{ "c1", "bg", DRAWING },
	{ "c2", "bg", DRAWING },
	{ "c3", "bg", DRAWING },
	{ "c4", "bg", DRAWING },
	{ "c5", "bg", DRAWING },
	{ "c6", "bg", DRAWING },
};

/* 0 when the theme leaves it out. */
static int find_color(const char *start, const char *name, unsigned int *ret_rgb)
{
	cleanup_free char *variable = test_path("--%s: #", name);
	const char *theme = strstr(report_page_css, start);
	const char *at;

	assert_non_null(theme);
	at = strstr(theme, variable);
	if (!at || at > strchr(strstr(theme, "--"), '}'))
		return 0;

	return sscanf(at + strlen(variable), "%6x", ret_rgb) == 1;
}

static double linear(unsigned int byte)
{
	double part = (byte & 0xff) / 255.0;

	return part <= 0.04045 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4);
}

static double luminance(const char *start, const char *name)
{
	unsigned int rgb = 0;

	if (!find_color(start, name, &rgb) && !find_color(themes[0].start, name, &rgb))
		fail_msg("there is no colour '%s'", name);

	return 0.2126 * linear(rgb >> 16) + 0.7152 * linear(rgb >> 8) + 0.0722 * linear(rgb);
}

static double contrast(double a, double b)
{
	return (fmax(a, b) + 0.05) / (fmin(a, b) + 0.05);
}

static void theme_can_be_read(void **state)
{
	const struct theme *theme = ((const struct test_place *)*state)->row;
	size_t poor = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		double found = contrast(luminance(theme->start, pairs[i].above),
		                        luminance(theme->start, pairs[i].ground));

		if (found >= pairs[i].least)
			continue;
		print_message("%s on %s: %.2f, not %.1f\n", pairs[i].above, pairs[i].ground, found,
		              pairs[i].least);
		poor++;
	}
	assert_int_equal(poor, 0);
}

/* The examples of the standard's own formula. */
static void contrast_is_the_standards(void **state)
{
	(void)state;
	assert_true(fabs(contrast(linear(0), linear(255)) - 21) < 1e-9);
	assert_true(fabs(contrast(linear(0x76), linear(255)) - 4.54) < 0.005);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(themes) + 1] = {
		cmocka_unit_test(contrast_is_the_standards),
	};

	for (size_t i = 0; i < ARRAY_SIZE(themes); i++)
		tests[1 + i] = test_case(themes[i].title, theme_can_be_read, &themes[i]);

	return test_run("contrast", tests, ARRAY_SIZE(tests), argc, argv);
}
