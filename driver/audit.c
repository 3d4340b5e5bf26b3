#include "audit.h"

#include "audit_pax.h"
#include "fail.h"

#include <stdlib.h>
#include <string.h>

/* More than this is no name and no set of attributes. libarchive's limit as well. */
#define MAX_SPECIAL_BYTES ((uint64_t)1024 * 1024)

#define MAX_MAJOR ((1U << 12) - 1)
#define MAX_MINOR ((1U << 20) - 1)

/* POSIX.1-1988 ustar; GNU tar has other things behind the device numbers. */
struct header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[8];
	char user[32];
	char group[32];
	char device_major[8];
	char device_minor[8];
	char prefix[155];
	char rest[12];
};

_Static_assert(sizeof(struct header) == OVI_TAR_BLOCK, "a header is one block");

/* Where GNU tar says that more of the map of a sparse file follows. */
#define SPARSE_MORE_IN_HEADER 482
#define SPARSE_MORE_IN_MAP 504

void ovi_audit_release(struct ovi_audit *audit)
{
	ovi_strbuf_release(&audit->text);
	ovi_strbuf_release(&audit->name);
	free(audit->queue);
	*audit = (struct ovi_audit){ 0 };
}

/* ------------------------------------------------------------------ failing -- */

static int fail_at(const struct ovi_audit *audit, struct ovl2_error *err, const char *problem)
{
	return ovi_fail(err, OVL2_E_CORRUPT, "the tar is damaged at byte %llu: %s",
	                (unsigned long long)audit->at, problem);
}

/* By the name in an extended header, or else in its own. */
static int fail_header(const struct ovi_audit *audit, const struct header *header,
                       struct ovl2_error *err, const char *problem)
{
	int has_prefix = memcmp(header->magic, "ustar", 6) == 0 && header->prefix[0];

	if (audit->name.length)
		return ovi_fail(err, OVL2_E_CORRUPT, "tar entry '%s': %s", audit->name.text,
		                problem);

	return ovi_fail(err, OVL2_E_CORRUPT, "tar entry '%.*s%s%.*s': %s",
	                has_prefix ? (int)sizeof(header->prefix) : 0, header->prefix,
	                has_prefix ? "/" : "", (int)sizeof(header->name), header->name, problem);
}

/* ------------------------------------------------------------------ numbers -- */

/* GNU tar's for what octal cannot hold: two's complement, the first bit set. */
static int read_base256(const unsigned char *field, size_t size, int64_t *ret_value)
{
	int64_t value = field[0] & 0x40 ? (int64_t)(field[0] & 0x7f) - 0x80 : field[0] & 0x7f;

	for (size_t i = 1; i < size; i++) {
		if (value > INT64_MAX / 256 || value < INT64_MIN / 256)
			return -1;
		value = value * 256 + field[i];
	}
	*ret_value = value;

	return 0;
}

/* Blanks, octal digits, then blanks and NULs up to the end: nothing else. */
static int read_number(const char *text, size_t size, int64_t *ret_value)
{
	const unsigned char *field = (const unsigned char *)text;
	int64_t value = 0;
	size_t i = 0;

	if (field[0] & 0x80)
		return read_base256(field, size, ret_value);
	while (i < size && field[i] == ' ')
		i++;
	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
		value = value * 8 + (field[i] - '0');
	for (; i < size; i++)
		if (field[i] != ' ' && field[i] != '\0')
			return -1;
	*ret_value = value;

	return 0;
}

#define READ_NUMBER(field, ret_value) read_number((field), sizeof(field), (ret_value))

static int is_checksum_right(const struct header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	const unsigned char *field = (const unsigned char *)header->checksum;
	unsigned int sum = 0;
	int high = 0;
	int64_t said;

	for (size_t i = 0; i < sizeof(*header); i++) {
		sum += bytes[i];
		high += bytes[i] >> 7;
	}
	for (size_t i = 0; i < sizeof(header->checksum); i++) {
		sum += (unsigned int)' ' - field[i];
		high -= field[i] >> 7;
	}
	if (READ_NUMBER(header->checksum, &said) < 0)
		return 0;

	/* Some old programs added signed characters. */
	return said == (int64_t)sum || said == (int64_t)sum - 256 * (int64_t)high;
}

/* What stands in the way of reading these fields in one way only; or NULL. */
static const char *check_fields(const struct header *header, int64_t *ret_size)
{
	int64_t unused;
	int64_t uid;
	int64_t gid;

	if (READ_NUMBER(header->size, ret_size) < 0 || *ret_size < 0)
		return "its size is no size";
	if (READ_NUMBER(header->mode, &unused) < 0 || unused < 0)
		return "its mode is no mode";
	if (READ_NUMBER(header->uid, &uid) < 0 || READ_NUMBER(header->gid, &gid) < 0 || uid < 0 ||
	    gid < 0)
		return "its owner is not a uid or gid of Linux";
	if (READ_NUMBER(header->mtime, &unused) < 0)
		return "its time is no time";

	return NULL;
}

static const char *check_device(const struct header *header)
{
	int64_t major;
	int64_t minor;

	if (READ_NUMBER(header->device_major, &major) < 0 ||
	    READ_NUMBER(header->device_minor, &minor) < 0 || major < 0 || major > MAX_MAJOR ||
	    minor < 0 || minor > MAX_MINOR)
		return "its device number is out of range";

	return NULL;
}

/* ---------------------------------------------------------- extended headers -- */

static int begin_special(struct ovi_audit *audit, const struct header *header, uint64_t size,
                         struct ovl2_error *err)
{
	int is_pax = header->type == 'x' || header->type == 'g';
	int is_second =
		(header->type == 'x' && audit->has_pax) ||
		(header->type == 'L' && audit->has_name) ||
		(header->type == 'K' && audit->has_link) ||
		(header->type == 'g' && (audit->has_pax || audit->has_name || audit->has_link));

	if (is_second)
		return fail_header(audit, header, err,
		                   "it has two extended headers of the same kind");
	if (size == 0 || size > MAX_SPECIAL_BYTES)
		return fail_header(audit, header, err,
		                   size ? "its extended header is larger than 1 MiB"
		                        : "its extended header is empty");
	audit->special = header->type;
	audit->special_size = (size_t)size;
	audit->left = (size + OVI_TAR_BLOCK - 1) / OVI_TAR_BLOCK * OVI_TAR_BLOCK;
	audit->state = OVI_AUDIT_SPECIAL;
	ovi_strbuf_cut(&audit->text, 0);
	audit->has_pax |= header->type == 'x';
	audit->has_name |= header->type == 'L';
	audit->has_link |= header->type == 'K';

	return is_pax || size > 1 ? 0 : fail_header(audit, header, err, "its long name is empty");
}

/* A name, a NUL, and nothing but NULs. */
static int end_long_name(struct ovi_audit *audit, struct ovl2_error *err)
{
	const char *text = audit->text.text;
	size_t length = strnlen(text, audit->text.length);

	for (size_t i = length; i < audit->text.length; i++)
		if (text[i])
			return fail_at(audit, err, "a long name has a NUL in it");
	if (audit->special == 'L') {
		ovi_strbuf_cut(&audit->name, 0);
		ovi_strbuf_add_bytes(&audit->name, text, length);
		if (ovi_pax_has_dots(text, length))
			return fail_at(audit, err, "a name with '..' in it is not safe");
	}

	return audit->name.failed ? ovi_fail_memory(err) : 0;
}

static int end_special(struct ovi_audit *audit, struct ovl2_error *err)
{
	struct ovi_pax pax = { .path = &audit->name };
	const char *problem;

	audit->state = OVI_AUDIT_HEADER;
	if (audit->text.failed)
		return ovi_fail_memory(err);
	if (audit->special == 'L' || audit->special == 'K')
		return end_long_name(audit, err);

	/* What a global header says of all entries is not taken over. */
	problem = ovi_pax_check(audit->text.text, audit->text.length,
	                        audit->special == 'x' ? &pax : NULL);
	if (audit->name.failed)
		return ovi_fail_memory(err);
	if (problem && audit->name.length)
		return ovi_fail(err, OVL2_E_CORRUPT, "tar entry '%s': %s", audit->name.text,
		                problem);
	if (problem)
		return fail_at(audit, err, problem);
	if (pax.has_size) {
		audit->has_size = 1;
		audit->size = pax.size;
	}

	return 0;
}

static int take_special(struct ovi_audit *audit, const char *bytes, size_t length,
                        struct ovl2_error *err)
{
	size_t wanted = audit->special_size - audit->text.length;

	ovi_strbuf_add_bytes(&audit->text, bytes, length < wanted ? length : wanted);
	audit->left -= length;

	return audit->left ? 0 : end_special(audit, err);
}

/* ------------------------------------------------------------------ entries -- */

static int push(struct ovi_audit *audit, struct ovl2_error *err)
{
	if (audit->first == audit->count) {
		audit->first = 0;
		audit->count = 0;
	}
	if (audit->count == audit->room) {
		size_t room = audit->room ? 2 * audit->room : 64;
		struct ovi_audit_entry *queue =
			reallocarray(audit->queue, room, sizeof(*audit->queue));

		if (!queue)
			return ovi_fail_memory(err);
		audit->queue = queue;
		audit->room = room;
	}
	audit->queue[audit->count++] = audit->entry;

	return 0;
}

/* The body comes next, and the extended headers have been for this entry. */
static int end_entry(struct ovi_audit *audit, struct ovl2_error *err)
{
	uint64_t size = audit->entry.size;
	int r;

	audit->left = (size + OVI_TAR_BLOCK - 1) / OVI_TAR_BLOCK * OVI_TAR_BLOCK;
	audit->state = audit->left ? OVI_AUDIT_BODY : OVI_AUDIT_HEADER;
	r = push(audit, err);
	audit->is_started = 0;
	audit->has_pax = 0;
	audit->has_name = 0;
	audit->has_link = 0;
	audit->has_size = 0;
	ovi_strbuf_cut(&audit->name, 0);

	return r;
}

static const char *check_entry(struct ovi_audit *audit, const struct header *header, uint64_t size)
{
	char type = '0';
	int is_file;

	if (header->type)
		type = header->type;
	is_file = type == '0' || type == '7' || type == 'S';
	if (!strchr("01234567S", type))
		return "it is of a type that a layer cannot hold";
	if (type == '3' || type == '4') {
		const char *problem = check_device(header);

		if (problem)
			return problem;
	}
	if (audit->has_size && audit->size && !is_file)
		return "it has a size and cannot have one";
	if (type == '1' && size)
		return "it is a hard link with content";
	if (audit->has_size)
		size = audit->size;
	if (size > INT64_MAX - OVI_TAR_BLOCK)
		return "its size is no size";
	audit->entry.type = type;
	audit->entry.size = is_file ? size : 0;
	audit->has_more_map =
		type == 'S' && ((const unsigned char *)header)[SPARSE_MORE_IN_HEADER] != 0;

	return NULL;
}

static int is_empty(const unsigned char *block)
{
	return block[0] == 0 && memcmp(block, block + 1, OVI_TAR_BLOCK - 1) == 0;
}

static int inspect_empty(struct ovi_audit *audit, struct ovl2_error *err)
{
	if (audit->has_pax || audit->has_name || audit->has_link)
		return fail_at(audit, err, "it ends behind an extended header");
	audit->state = OVI_AUDIT_END_MARK;

	return 0;
}

static int inspect_header(struct ovi_audit *audit, const struct header *header,
                          struct ovl2_error *err)
{
	const char *problem;
	int64_t size = 0;

	if (!is_checksum_right(header))
		return fail_at(audit, err,
		               audit->at ? "the checksum of a header is wrong" : "this is no tar");
	problem = check_fields(header, &size);
	if (problem)
		return fail_header(audit, header, err, problem);
	if (!audit->is_started)
		audit->entry.start = audit->at;
	audit->is_started = 1;
	if (header->type && strchr("xgLK", header->type))
		return begin_special(audit, header, (uint64_t)size, err);
	problem = check_entry(audit, header, (uint64_t)size);
	if (problem)
		return fail_header(audit, header, err, problem);

	return audit->has_more_map ? 0 : end_entry(audit, err);
}

static int inspect(struct ovi_audit *audit, const unsigned char *block, struct ovl2_error *err)
{
	if (audit->has_more_map) {
		audit->has_more_map = block[SPARSE_MORE_IN_MAP] != 0;
		return audit->has_more_map ? 0 : end_entry(audit, err);
	}
	if (audit->state == OVI_AUDIT_END_MARK) {
		if (!is_empty(block))
			return fail_at(audit, err, "an empty block is followed by another entry");
		audit->state = OVI_AUDIT_ENDED;
		return 0;
	}
	if (is_empty(block))
		return inspect_empty(audit, err);

	return inspect_header(audit, (const struct header *)block, err);
}

/* Takes what is missing of a block; looks at it where it lies if it is whole. */
static int take_block(struct ovi_audit *audit, const unsigned char *bytes, size_t length,
                      struct ovl2_error *err)
{
	audit->at = audit->offset - audit->filled;
	if (length == OVI_TAR_BLOCK)
		return inspect(audit, bytes, err);

	memcpy(audit->block + audit->filled, bytes, length);
	audit->filled += length;
	if (audit->filled < OVI_TAR_BLOCK)
		return 0;
	audit->filled = 0;

	return inspect(audit, audit->block, err);
}

static size_t min_size(size_t a, uint64_t b)
{
	return a < b ? a : (size_t)b;
}

int ovi_audit_feed(struct ovi_audit *audit, const void *bytes, size_t length,
                   struct ovl2_error *err)
{
	const unsigned char *at = bytes;

	while (length && audit->state != OVI_AUDIT_ENDED) {
		size_t taken = length;
		int r = 0;

		if (audit->state == OVI_AUDIT_BODY) {
			taken = min_size(length, audit->left);
			audit->left -= taken;
			if (!audit->left)
				audit->state = OVI_AUDIT_HEADER;
		} else if (audit->state == OVI_AUDIT_SPECIAL) {
			taken = min_size(length, audit->left);
			r = take_special(audit, (const char *)at, taken, err);
		} else {
			taken = min_size(length, OVI_TAR_BLOCK - audit->filled);
			r = take_block(audit, at, taken, err);
		}
		if (r < 0)
			return r;
		at += taken;
		length -= taken;
		audit->offset += taken;
	}

	return 0;
}

int ovi_audit_end(const struct ovi_audit *audit, struct ovl2_error *err)
{
	if (audit->state == OVI_AUDIT_ENDED || audit->state == OVI_AUDIT_END_MARK)
		return 0;
	if (audit->state != OVI_AUDIT_HEADER || audit->filled || audit->has_more_map ||
	    audit->has_pax || audit->has_name || audit->has_link)
		return fail_at(audit, err, "it ends in the middle of an entry");

	return 0;
}

int ovi_audit_next(struct ovi_audit *audit, uint64_t start, struct ovi_audit_entry *ret_entry,
                   struct ovl2_error *err)
{
	if (audit->first == audit->count || audit->queue[audit->first].start != start)
		return ovi_fail(err, OVL2_E_CORRUPT, "the tar can be read in two ways at byte %llu",
		                (unsigned long long)start);
	*ret_entry = audit->queue[audit->first++];

	return 0;
}
