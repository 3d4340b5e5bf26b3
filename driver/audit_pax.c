#include "audit_pax.h"

#include "cleanup.h"

#include <ctype.h>
#include <string.h>

/* Linux's, 12 and 20 bits of a dev_t; and 2^32-1 means "leave it" to chown(2). */
#define MAX_MAJOR ((1U << 12) - 1)
#define MAX_MINOR ((1U << 20) - 1)
#define MAX_ID (UINT32_MAX - 1)

#define XATTR_PREFIX "SCHILY.xattr."

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

/* "-1234.5678": seconds that an int64_t holds, and a fraction, of which nine digits count. */
static int read_time(const char *text, size_t length, struct timespec *ret_time)
{
	int is_negative = length && *text == '-';
	long fraction = 0;
	long unit = 100000000;
	const char *dot;
	uint64_t seconds;
	size_t whole;

	text += is_negative;
	length -= (size_t)is_negative;
	dot = memchr(text, '.', length);
	whole = dot ? (size_t)(dot - text) : length;
	if (read_decimal(text, whole, INT64_MAX, &seconds) < 0)
		return -1;
	for (size_t i = whole + 1; i < length; i++) {
		if (!isdigit((unsigned char)text[i]))
			return -1;
		fraction += (text[i] - '0') * unit;
		unit /= 10;
	}

	/* The fraction of a timespec counts upwards, before 1970 as well. */
	ret_time->tv_sec = is_negative ? -(int64_t)seconds : (int64_t)seconds;
	ret_time->tv_nsec = fraction;
	if (is_negative && fraction) {
		ret_time->tv_sec--;
		ret_time->tv_nsec = 1000000000 - fraction;
	}

	return 0;
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

static void take_name(const struct record *record, struct ovi_strbuf *name)
{
	ovi_strbuf_cut(name, 0);
	ovi_strbuf_add_bytes(name, record->value, record->value_length);
}

static const char *check_path(const struct record *record, struct ovi_pax *pax)
{
	const char *problem = check_name(record, 0);

	if (problem)
		return problem;
	if (ovi_pax_has_dots(record->value, record->value_length))
		return "a name with '..' in it is not safe";
	/* The name of a sparse file is the one that counts, wherever it stands. */
	if (pax->path && (!pax->has_sparse_name || is_key(record, "GNU.sparse.name")))
		take_name(record, pax->path);
	pax->has_path = 1;

	return NULL;
}

static const char *check_link(const struct record *record, struct ovi_pax *pax)
{
	const char *problem = check_name(record, 0);

	if (problem)
		return problem;
	if (pax->link)
		take_name(record, pax->link);
	pax->has_link = 1;

	return NULL;
}

static const char *check_size(const struct record *record, struct ovi_pax *pax)
{
	pax->has_size = 1;

	return check_number(record, INT64_MAX, "the size in its pax header is no size", &pax->size);
}

static const char *check_mtime(const struct record *record, struct ovi_pax *pax)
{
	pax->has_mtime = 1;

	return read_time(record->value, record->value_length, &pax->mtime) < 0
	               ? "the time in its pax header is no time"
	               : NULL;
}

static const char *check_uid(const struct record *record, struct ovi_pax *pax)
{
	pax->has_uid = 1;

	return check_number(record, MAX_ID,
	                    "the owner in its pax header is not a uid or gid of Linux", &pax->uid);
}

static const char *check_gid(const struct record *record, struct ovi_pax *pax)
{
	pax->has_gid = 1;

	return check_number(record, MAX_ID,
	                    "the owner in its pax header is not a uid or gid of Linux", &pax->gid);
}

static const char *check_user_name(const struct record *record, struct ovi_pax *pax)
{
	(void)pax;

	return check_name(record, 1);
}

/* Says nothing that a layer keeps. */
static const char *check_nothing(const struct record *record, struct ovi_pax *pax)
{
	(void)record;
	(void)pax;

	return NULL;
}

static const char *check_sparse_name(const struct record *record, struct ovi_pax *pax)
{
	pax->is_unusual = 1;
	pax->has_sparse_name = 1;

	return check_path(record, pax);
}

static const char *check_major(const struct record *record, struct ovi_pax *pax)
{
	uint64_t value;

	pax->is_unusual = 1;

	return check_number(record, MAX_MAJOR, "its device number is out of range", &value);
}

static const char *check_minor(const struct record *record, struct ovi_pax *pax)
{
	uint64_t value;

	pax->is_unusual = 1;

	return check_number(record, MAX_MINOR, "its device number is out of range", &value);
}

/* Any other key is unusual. */
static const struct {
	const char *key;
	const char *(*check)(const struct record *record, struct ovi_pax *pax);
} keys[] = {
	{ "GNU.sparse.name", check_sparse_name },
	{ "SCHILY.devmajor", check_major },
	{ "SCHILY.devminor", check_minor },
	{ "atime", check_nothing },
	{ "comment", check_nothing },
	{ "ctime", check_nothing },
	{ "gid", check_gid },
	{ "gname", check_user_name },
	{ "linkpath", check_link },
	{ "mtime", check_mtime },
	{ "path", check_path },
	{ "size", check_size },
	{ "uid", check_uid },
	{ "uname", check_user_name },
};

static int is_xattr(const struct record *record)
{
	return record->key_length > strlen(XATTR_PREFIX) &&
	       memcmp(record->key, XATTR_PREFIX, strlen(XATTR_PREFIX)) == 0;
}

static const char *check_value(const struct record *record, struct ovi_pax *pax)
{
	if (is_xattr(record)) {
		pax->has_xattrs = 1;
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (is_key(record, keys[i].key))
			return keys[i].check(record, pax);
	pax->is_unusual = 1;

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
	struct ovi_pax unused = { 0 };

	while (length) {
		struct record record;
		size_t total = read_record(text, length, &record);
		const char *problem;

		if (!total)
			return "a record of its pax header is malformed";
		if (memchr(record.key, '\0', record.key_length))
			return "a key in its pax header has a NUL in it";
		problem = check_value(&record, pax ? pax : &unused);
		if (problem)
			return problem;
		text += total;
		length -= total;
	}

	return NULL;
}

int ovi_pax_next_xattr(const char **at, const char *end, struct ovi_pax_xattr *ret_xattr)
{
	while (*at < end) {
		struct record record;
		size_t total = read_record(*at, (size_t)(end - *at), &record);

		if (!total)
			break;
		*at += total;
		if (!is_xattr(&record))
			continue;
		*ret_xattr = (struct ovi_pax_xattr){
			.key = record.key + strlen(XATTR_PREFIX),
			.key_length = record.key_length - strlen(XATTR_PREFIX),
			.value = record.value,
			.value_length = record.value_length,
		};
		return 1;
	}

	return 0;
}
