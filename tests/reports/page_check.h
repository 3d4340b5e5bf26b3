#pragma once

/*
 * What holds for every page, whatever is in it.
 */

/* The file's content; free(3) it. Fails the test when there is none. */
char *page_read(const char *path);

/* The answer of an XPath expression on the page; free(3) it. */
char *page_query(const char *path, const char *expression);

/* Asserts that an XPath expression counts this many nodes. */
void page_assert_count(const char *path, const char *nodes, const char *count);

/*
 * Asserts that the page is well-formed, below a mebibyte, and neither runs nor
 * loads anything; that ids are unique, references lead somewhere, and drawings and
 * tables have names.
 */
void page_assert_sound(const char *path);
