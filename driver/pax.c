#include "pax.h"

#include "xattr.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

/* Field sizes of ustar. */
#define NAME_BYTES 100
#define PREFIX_BYTES 155

/* Eleven and seven octal digits. */
#define MAX_SIZE 077777777777ULL
#define MAX_ID 07777777U

struct ustar {
	char name[NAME_BYTES];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char target[NAME_BYTES];
	char magic[8];
	char user[32];
	char group[32];
	char device_major[8];
	char device_minor[8];
	char prefix[PREFIX_BYTES];
	char padding[12];
};

_Static_assert(sizeof(struct ustar) == OVI_TAR_BLOCK, "a header is a block");

/* `size` - 1 digits and a NUL. */
static void put_octal(char *field, size_t size, uint64_t value)
{
	field[--size] = '\0';
	while (size > 0) {
		field[--size] = (char)('0' + (value & 7));
		value >>= 3;
	}
}

/*
 * Sum of all bytes with the field itself as blanks; six digits, NUL, blank. Eight bytes
 * at a time, as four sums of 16 bits: 64 times twice 255 is half of what those hold.
 */
static void put_checksum(struct ustar *header)
{
	const uint64_t every_other = 0x00ff00ff00ff00ffULL;
	uint64_t sums = 0;

	memset(header->checksum, ' ', sizeof(header->checksum));
	for (size_t at = 0; at < sizeof(*header); at += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, (const char *)header + at, sizeof(word));
		sums += (word & every_other) + (word >> 8 & every_other);
	}
	sums = (sums & 0xffff) + (sums >> 16 & 0xffff) + (sums >> 32 & 0xffff) + (sums >> 48);
	put_octal(header->checksum, 7, sums);
}

static int is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return 0;

	return 1;
}

/* How many bytes of continuation follow such a first byte of UTF-8; -1 for none such. */
static int continuation(unsigned char first)
{
	if (first < 0x80)
		return 0;
	if (first >= 0xc2 && first < 0xe0)
		return 1;
	if (first >= 0xe0 && first < 0xf0)
		return 2;

	return first >= 0xf0 && first < 0xf5 ? 3 : -1;
}

static int is_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		unsigned char first = *at++;
		int left = continuation(first);

		/* Overlong forms, halves of surrogate pairs, and what is beyond U+10FFFF. */
		if (left < 0 || (first == 0xe0 && *at < 0xa0) || (first == 0xed && *at >= 0xa0) ||
		    (first == 0xf0 && *at < 0x90) || (first == 0xf4 && *at >= 0x90))
			return 0;
		for (; left > 0; left--)
			if ((*at++ & 0xc0) != 0x80)
				return 0;
	}

	return 1;
}

/* --------------------------------------------------------- extended headers -- */

/* Room for the digits of 64 bits. */
#define DIGITS 20

/* Puts the digits in front of `end`, and returns where they begin. printf(3) is slow. */
static char *put_decimal(char *end, uint64_t value)
{
	do {
		*--end = (char)('0' + value % 10);
		value /= 10;
	} while (value);

	return end;
}

/* "LENGTH KEY=VALUE\n", where the length counts its own digits. */
static void add_record(struct ovi_strbuf *records, const char *key, const char *value,
                       size_t value_length)
{
	size_t key_length = strlen(key);
	size_t rest = key_length + value_length + 3;
	size_t length = rest + 1;
	char digits[DIGITS];
	char *begin = put_decimal(digits + DIGITS, length);

	while (rest + (size_t)(digits + DIGITS - begin) != length)
		begin = put_decimal(digits + DIGITS, ++length);
	ovi_strbuf_add_bytes(records, begin, (size_t)(digits + DIGITS - begin));
	ovi_strbuf_add_bytes(records, " ", 1);
	ovi_strbuf_add_bytes(records, key, key_length);
	ovi_strbuf_add_bytes(records, "=", 1);
	ovi_strbuf_add_bytes(records, value, value_length);
	ovi_strbuf_add_bytes(records, "\n", 1);
}

static void add_number(struct ovi_strbuf *records, const char *key, uint64_t value)
{
	char digits[DIGITS];
	char *begin = put_decimal(digits + DIGITS, value);

	add_record(records, key, begin, (size_t)(digits + DIGITS - begin));
}

/* What is before 1970 counts down: 0.25 s before it is "-0.25". */
static void add_time(struct ovi_strbuf *records, const char *key, struct timespec time)
{
	int is_negative = time.tv_sec < 0;
	char text[DIGITS + 12];
	char *end = text + sizeof(text);
	char *begin = end;

	if (is_negative && time.tv_nsec > 0) {
		time.tv_sec++;
		time.tv_nsec = 1000000000 - time.tv_nsec;
	}
	if (time.tv_nsec) {
		/* Ten digits, the first a one, in whose place comes the point. */
		begin = put_decimal(end, 1000000000ULL + (uint64_t)time.tv_nsec);
		*begin = '.';
		while (end[-1] == '0')
			end--;
	}
	begin = put_decimal(begin, is_negative ? -(uint64_t)time.tv_sec : (uint64_t)time.tv_sec);
	if (is_negative)
		*--begin = '-';
	add_record(records, key, begin, (size_t)(end - begin));
}

/*
 * An '=' would end the key of a record. For such there are libarchive's records, with
 * the key's odd bytes as %XX and the value in base 64.
 */
static void add_odd_xattr(struct ovi_strbuf *records, const struct ovi_xattr *xattr)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";
	cleanup_strbuf struct ovi_strbuf key = { 0 };
	cleanup_strbuf struct ovi_strbuf value = { 0 };

	ovi_strbuf_add(&key, "LIBARCHIVE.xattr.");
	for (const char *at = xattr->key; *at; at++)
		if (*at <= ' ' || *at == '=' || *at == '%' || (unsigned char)*at >= 0x7f)
			ovi_strbuf_addf(&key, "%%%02X", (unsigned char)*at);
		else
			ovi_strbuf_add_bytes(&key, at, 1);

	ovi_strbuf_add(&value, "");
	for (size_t i = 0; i < xattr->length; i += 3) {
		size_t count = xattr->length - i < 3 ? xattr->length - i : 3;
		uint32_t bits = 0;

		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (j < count ? (unsigned char)xattr->value[i + j] : 0);
		for (size_t j = 0; j <= count; j++)
			ovi_strbuf_add_bytes(&value, &digits[bits >> (18 - 6 * j) & 63], 1);
	}
	if (key.failed || value.failed)
		records->failed = 1;
	else
		add_record(records, key.text, value.text, value.length);
}

static void add_xattr(struct ovi_strbuf *records, const struct ovi_xattr *xattr)
{
	char key[sizeof("SCHILY.xattr.") + 256];

	if (strchr(xattr->key, '=')) {
		add_odd_xattr(records, xattr);
		return;
	}
	snprintf(key, sizeof(key), "SCHILY.xattr.%s", xattr->key);
	add_record(records, key, xattr->value, xattr->length);
}

/* ------------------------------------------------------------------ headers -- */

/*
 * Where a path is cut to go into prefix and name: at the first slash that leaves no
 * more than a name behind it. 0: need not be; -1: cannot be.
 */
static ssize_t split(const char *path, size_t length)
{
	const char *slash;

	if (length <= NAME_BYTES)
		return 0;
	if (length > PREFIX_BYTES + 1 + NAME_BYTES)
		return -1;
	slash = strchr(path + length - NAME_BYTES - 1, '/');
	if (!slash || slash == path || !slash[1] || slash - path > PREFIX_BYTES)
		return -1;

	return slash - path;
}

/*
 * Names in ustar are bytes, which readers take for characters of their own locale; in
 * records they are UTF-8. Bytes that are not stay bytes as long as they fit.
 */
static int wants_record(const char *name, int fits)
{
	return !fits || (!is_ascii(name) && is_utf8(name));
}

static void add_records(struct ovi_strbuf *records, const struct ovi_pax_entry *entry,
                        size_t path_length)
{
	const char *target = entry->target ? entry->target : "";
	size_t target_length = strlen(target);
	int has_path = wants_record(entry->path, split(entry->path, path_length) >= 0);
	int has_target = wants_record(target, target_length <= NAME_BYTES);

	/* Else readers take both for UTF-8. */
	if ((has_path && !is_utf8(entry->path)) || (has_target && !is_utf8(target)))
		add_record(records, "hdrcharset", "BINARY", 6);
	if (has_path)
		add_record(records, "path", entry->path, path_length);
	if (has_target)
		add_record(records, "linkpath", target, target_length);
	if (entry->size > MAX_SIZE)
		add_number(records, "size", entry->size);
	if (entry->uid > MAX_ID)
		add_number(records, "uid", entry->uid);
	if (entry->gid > MAX_ID)
		add_number(records, "gid", entry->gid);
	if (entry->mtime.tv_nsec || entry->mtime.tv_sec < 0 ||
	    (uint64_t)entry->mtime.tv_sec > MAX_SIZE)
		add_time(records, "mtime", entry->mtime);
	for (size_t i = 0; entry->xattrs && i < entry->xattrs->count; i++)
		add_xattr(records, &entry->xattrs->list[i]);
}

/* Does not end within its field when it is as long as that. */
static void put_text(char *field, size_t size, const char *text, size_t length)
{
	memcpy(field, text, length < size ? length : size);
}

/* What does not fit is in an extended header, and zero or cut here. */
static void put_header(struct ustar *header, const struct ovi_pax_entry *entry, size_t length)
{
	ssize_t prefix = split(entry->path, length);
	const char *name = prefix > 0 ? entry->path + prefix + 1 : entry->path;
	int64_t seconds = entry->mtime.tv_sec;

	memset(header, 0, sizeof(*header));
	put_text(header->name, NAME_BYTES, name, length - (size_t)(name - entry->path));
	if (prefix > 0)
		put_text(header->prefix, PREFIX_BYTES, entry->path, (size_t)prefix);
	if (entry->target)
		put_text(header->target, NAME_BYTES, entry->target, strlen(entry->target));
	put_octal(header->mode, 8, entry->mode & 07777);
	put_octal(header->uid, 8, entry->uid <= MAX_ID ? entry->uid : 0);
	put_octal(header->gid, 8, entry->gid <= MAX_ID ? entry->gid : 0);
	put_octal(header->size, 12, entry->size <= MAX_SIZE ? entry->size : 0);
	put_octal(header->mtime, 12,
	          seconds >= 0 && (uint64_t)seconds <= MAX_SIZE ? (uint64_t)seconds : 0);
	header->type = (char)entry->type;
	memcpy(header->magic, "ustar\00000", 8);
	put_octal(header->device_major, 8, major(entry->device));
	put_octal(header->device_minor, 8, minor(entry->device));
	put_checksum(header);
}

static struct ustar *reserve_header(struct ovi_strbuf *tar)
{
	struct ustar *header = (struct ustar *)ovi_strbuf_reserve(tar, sizeof(*header));

	if (header)
		ovi_strbuf_filled(tar, sizeof(*header));

	return header;
}

void ovi_pax_add(struct ovi_strbuf *tar, const struct ovi_pax_entry *entry)
{
	static const char zeroes[OVI_TAR_BLOCK];
	size_t path_length = strlen(entry->path);
	size_t begin = tar->length;
	struct ustar *header;
	size_t size;

	/* The records first, behind the room for their header, to know their size. */
	if (!reserve_header(tar))
		return;
	add_records(tar, entry, path_length);
	size = tar->length - begin - OVI_TAR_BLOCK;
	if (tar->failed)
		return;
	if (size > 0) {
		const struct ovi_pax_entry extended = {
			.type = 'x',
			.path = "PaxHeader",
			.mode = 0644,
			.size = size,
		};

		put_header((struct ustar *)(tar->text + begin), &extended, strlen(extended.path));
		ovi_strbuf_add_bytes(tar, zeroes, ovi_pax_padding(size));
	} else {
		ovi_strbuf_cut(tar, begin);
	}

	header = reserve_header(tar);
	if (header)
		put_header(header, entry, path_length);
}
