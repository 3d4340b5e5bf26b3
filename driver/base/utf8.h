#pragma once

/*
 * libarchive reads and writes names by the locale's character set. In here it is
 * UTF-8 for the calling thread, whatever the program's locale: the same names give
 * the same bytes everywhere. Names that are not UTF-8 pass through as they are.
 */

#include <locale.h>

struct ovi_utf8 {
	locale_t own;
	locale_t before;
};

#define cleanup_utf8 __attribute__((cleanup(ovi_utf8_leave), unused))

static inline struct ovi_utf8 ovi_utf8_enter(void)
{
	struct ovi_utf8 utf8 = { newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), (locale_t)0 };

	/* Without such a locale: the program's, which is nearly always UTF-8. */
	if (utf8.own)
		utf8.before = uselocale(utf8.own);

	return utf8;
}

static inline void ovi_utf8_leave(struct ovi_utf8 *utf8)
{
	if (!utf8->own)
		return;

	uselocale(utf8->before);
	freelocale(utf8->own);
}
