#include "page_check.h"

#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

char *page_read(const char *path)
{
	FILE *file = fopen(path, "re");
	struct stat status;
	char *text;

	if (!file)
		fail_msg("open '%s': %s", path, strerror(errno));
	assert_sys(fstat(fileno(file), &status));
	text = calloc(1, (size_t)status.st_size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)status.st_size, file), status.st_size);
	fclose(file);

	return text;
}

char *page_query(const char *path, const char *expression)
{
	const char *const argv[] = { "xmllint", "--nonet", "--xpath", expression, path, NULL };
	struct test_output output = test_spawn(argv);
	char *answer = output.out;

	if (output.status == 127)
		fail_msg("no xmllint: apt-get install libxml2-utils");
	if (output.status != 0)
		fail_msg("%s: %s", expression, output.err);
	answer[strcspn(answer, "\n")] = '\0';
	free(output.err);

	return answer;
}

void page_assert_count(const char *path, const char *nodes, const char *count)
{
	cleanup_free char *expression = test_path("count(%s)", nodes);
	cleanup_free char *answer = page_query(path, expression);

	if (strcmp(answer, count) != 0)
		fail_msg("%s is %s, not %s", expression, answer, count);
}

static const char loading_elements[] =
	"//*[contains(' script iframe object embed link base img audio video ', "
	"concat(' ', local-name(), ' '))]";

void page_assert_sound(const char *path)
{
	/* Nodes of which a page has none. */
	static const char *const forbidden[] = {
		loading_elements,
		"//@*[starts-with(name(), 'on')]",
		"//@href[not(starts-with(., '#') or starts-with(., 'data:'))]",
		"//@src | //@srcset | //@action",
		"//@href[starts-with(., '#')][not(substring(., 2) = //@id)]",
		"//@id[. = ../preceding::*/@id or . = ../ancestor::*/@id]",
		"//*[local-name() = 'svg'][not(@role = 'img') or not(@aria-labelledby)]",
		"//*[local-name() = 'table'][not(*[local-name() = 'caption'])]",
		"//*[local-name() = 'th'][not(@scope)]",
		"//*[local-name() = 'figure'][not(*[local-name() = 'figcaption'])]",
		"//*[local-name() = 'svg'][not(*[local-name() = 'title'] and *[local-name() = 'desc'])]",
		"//*[local-name() = 'table'][not(.//*[local-name() = 'th'])]",
		"//*[local-name() = 'nav'][not(@aria-label)]",
		"//*[local-name() = 'html'][not(@lang)]",
		"//*[local-name() = 'h3'][not(preceding::*[local-name() = 'h2'])]",
	};

	/* Landmarks, of which a page has one each. */
	static const char *const landmarks[] = {
		"//*[local-name() = 'main']",
		"//*[local-name() = 'body']/*[local-name() = 'header']",
		"//*[local-name() = 'body']/*[local-name() = 'footer']",
		"//*[local-name() = 'h1']",
	};
	cleanup_free char *page = page_read(path);
	const char *style;

	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
		page_assert_count(path, forbidden[i], "0");
	for (size_t i = 0; i < ARRAY_SIZE(landmarks); i++)
		page_assert_count(path, landmarks[i], "1");

	assert_true(strlen(page) < (size_t)1024 * 1024);
	style = strstr(page, "<style>");
	assert_non_null(style);
	*strstr(style, "</style>") = '\0';
	assert_null(strstr(style, "url("));
	assert_null(strstr(style, "@import"));
}
