#include "audit_pax.h"

#include <ctype.h>
#include <string.h>

/* Linux's, 12 and 20 bits of a dev_t; and 2^32-1 means "leave it" to chown(2). */
#define MAX_MAJOR ((1U << 12) - 1)
#define MAX_MINOR ((1U << 20) - 1)
#define MAX_ID (UINT32_MAX - 1)

struct record {
	const char *key;
	size_t key_length;
	const char *value;
	size_t value_length;
};

static int is_key(const struct record *record, const char *key)
{
	return record->key_length == strlen(key) &&
	       memcmp(record->key, key, record->key_length) == 0;
}

/* Digits and nothing else. */
static int read_decimal(const char *text, size_t length, uint64_t limit, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (length == 0)
		return -1;
	for (size_t i = 0; i < length; i++) {
		unsigned int digit = (unsigned char)text[i] - (unsigned int)'0';

		if (digit > 9 || value > (limit - digit) / 10)
			return -1;
		value = value * 10 + digit;
	}
	*ret_value = value;

	return 0;
}

/* "-1234.5678": seconds that an int64_t holds, and a fraction. */
static int is_time(const char *text, size_t length)
{
	const char *dot;
	uint64_t seconds;
	size_t whole;

	if (length && *text == '-') {
		text++;
		length--;
	}
	dot = memchr(text, '.', length);
	whole = dot ? (size_t)(dot - text) : length;
	if (read_decimal(text, whole, INT64_MAX, &seconds) < 0)
		return 0;
	for (size_t i = whole + 1; i < length; i++)
		if (!isdigit((unsigned char)text[i]))
			return 0;

	return 1;
}

static const char *check_number(const struct record *record, uint64_t limit, const char *problem,
                                uint64_t *ret_value)
{
	return read_decimal(record->value, record->value_length, limit, ret_value) < 0 ? problem
	                                                                               : NULL;
}

int ovi_pax_has_dots(const char *name, size_t length)
{
	for (size_t i = 0; i + 2 <= length; i++)
		if (name[i] == '.' && name[i + 1] == '.' && (i == 0 || name[i - 1] == '/') &&
		    (i + 2 == length || name[i + 2] == '/'))
			return 1;

	return 0;
}

static const char *check_name(const struct record *record, int may_be_empty)
{
	if (memchr(record->value, '\0', record->value_length))
		return "a name in its pax header has a NUL in it";
	if (!record->value_length && !may_be_empty)
		return "a name in its pax header is empty";

	return NULL;
}

static const char *check_value(const struct record *record, struct ovi_pax *pax)
{
	uint64_t value;
	const char *problem;

	if (is_key(record, "path") || is_key(record, "GNU.sparse.name")) {
		problem = check_name(record, 0);
		if (!problem && ovi_pax_has_dots(record->value, record->value_length))
			problem = "a name with '..' in it is not safe";
		if (!problem && pax) {
			ovi_strbuf_cut(pax->path, 0);
			ovi_strbuf_add_bytes(pax->path, record->value, record->value_length);
			pax->has_path = 1;
		}
		return problem;
	}
	if (is_key(record, "linkpath"))
		return check_name(record, 0);
	if (is_key(record, "uname") || is_key(record, "gname"))
		return check_name(record, 1);
	if (is_key(record, "size")) {
		problem = check_number(record, INT64_MAX, "the size in its pax header is no size",
		                       &value);
		if (!problem && pax) {
			pax->has_size = 1;
			pax->size = value;
		}
		return problem;
	}
	if (is_key(record, "uid") || is_key(record, "gid"))
		return check_number(record, MAX_ID,
		                    "the owner in its pax header is not a uid or gid of Linux",
		                    &value);
	if (is_key(record, "SCHILY.devmajor"))
		return check_number(record, MAX_MAJOR, "its device number is out of range", &value);
	if (is_key(record, "SCHILY.devminor"))
		return check_number(record, MAX_MINOR, "its device number is out of range", &value);
	if (is_key(record, "mtime") && !is_time(record->value, record->value_length))
		return "the time in its pax header is no time";

	return NULL;
}

/* Takes the record at the start of `text` apart. Returns its length, 0 if it has none. */
static size_t read_record(const char *text, size_t length, struct record *record)
{
	const char *space = memchr(text, ' ', length < 21 ? length : 21);
	const char *equals;
	const char *end;
	uint64_t total;

	/* The length is in decimal, without a sign, a zero or a blank in front. */
	if (!space || *text == '0' ||
	    read_decimal(text, (size_t)(space - text), length, &total) < 0)
		return 0;
	if (total < (uint64_t)(space - text) + 4 || text[total - 1] != '\n')
		return 0;
	end = text + total - 1;
	record->key = space + 1;
	equals = memchr(record->key, '=', (size_t)(end - record->key));
	if (!equals || equals == record->key)
		return 0;
	record->key_length = (size_t)(equals - record->key);
	record->value = equals + 1;
	record->value_length = (size_t)(end - record->value);

	return (size_t)total;
}

const char *ovi_pax_check(const char *text, size_t length, struct ovi_pax *pax)
{
	while (length) {
		struct record record;
		size_t total = read_record(text, length, &record);
		const char *problem;

		if (!total)
			return "a record of its pax header is malformed";
		if (memchr(record.key, '\0', record.key_length))
			return "a key in its pax header has a NUL in it";
		problem = check_value(&record, pax);
		if (problem)
			return problem;
		text += total;
		length -= total;
	}

	return NULL;
}
