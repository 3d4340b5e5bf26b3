#include "audit.h"

#include "cleanup.h"
#include "fail.h"

#include <stdlib.h>
#include <string.h>

/* More than this is no name and no set of attributes. libarchive's limit as well. */
#define MAX_SPECIAL_BYTES ((uint64_t)1024 * 1024)

#define MAX_MAJOR ((1U << 12) - 1)
#define MAX_MINOR ((1U << 20) - 1)

/* What is in front of one entry: extended headers of all kinds, and a sparse map. */
#define MAX_RAW_BYTES ((size_t)8 * 1024 * 1024)

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

/* GNU tar's map of a sparse file: parts in the header, then blocks of them; more follow? */
#define SPARSE_IN_HEADER 386
#define SPARSE_PARTS_IN_HEADER 4
#define SPARSE_MORE_IN_HEADER 482
#define SPARSE_PARTS_IN_MAP 21
#define SPARSE_MORE_IN_MAP 504

/* What is there of the file, in octal as all numbers. */
struct sparse_part {
	char offset[12];
	char length[12];
};

void ovi_audit_release(struct ovi_audit *audit)
{
	ovi_strbuf_release(&audit->raw);
	ovi_strbuf_release(&audit->name);
	ovi_strbuf_release(&audit->link);
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

/* The sum of a block's bytes, eight at a time: in four lanes of which none can overflow. */
static unsigned int sum_bytes(const unsigned char *block)
{
	const uint64_t mask = 0x00ff00ff00ff00ff;
	uint64_t lanes = 0;

	for (size_t i = 0; i < OVI_TAR_BLOCK; i += 8) {
		uint64_t word;

		memcpy(&word, block + i, sizeof(word));
		lanes += (word & mask) + (word >> 8 & mask);
	}

	return (unsigned int)((lanes & 0xffff) + (lanes >> 16 & 0xffff) + (lanes >> 32 & 0xffff) +
	                      (lanes >> 48));
}

static int is_checksum_right(const struct header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	const unsigned char *field = (const unsigned char *)header->checksum;
	int64_t sum = sum_bytes(bytes);
	int64_t high = 0;
	int64_t said;

	for (size_t i = 0; i < sizeof(header->checksum); i++)
		sum += ' ' - field[i];
	if (READ_NUMBER(header->checksum, &said) < 0)
		return 0;
	if (said == sum)
		return 1;

	/* Some old programs added signed characters. */
	for (size_t i = 0; i < sizeof(*header); i++)
		high += bytes[i] >> 7;
	for (size_t i = 0; i < sizeof(header->checksum); i++)
		high -= field[i] >> 7;

	return said == sum - 256 * high;
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
	audit->special_start = audit->raw.length;
	audit->has_pax |= header->type == 'x';
	audit->has_name |= header->type == 'L';
	audit->has_link |= header->type == 'K';

	return is_pax || size > 1 ? 0 : fail_header(audit, header, err, "its long name is empty");
}

/* A name, a NUL, and nothing but NULs. */
static int end_long_name(struct ovi_audit *audit, const char *text, struct ovl2_error *err)
{
	struct ovi_strbuf *name = audit->special == 'L' ? &audit->name : &audit->link;
	size_t length = strnlen(text, audit->special_size);

	for (size_t i = length; i < audit->special_size; i++)
		if (text[i])
			return fail_at(audit, err, "a long name has a NUL in it");
	ovi_strbuf_cut(name, 0);
	ovi_strbuf_add_bytes(name, text, length);
	if (audit->special == 'L' && ovi_pax_has_dots(text, length))
		return fail_at(audit, err, "a name with '..' in it is not safe");

	return name->failed ? ovi_fail_memory(err) : 0;
}

static int end_pax(struct ovi_audit *audit, const char *text, struct ovl2_error *err)
{
	struct ovi_pax *pax = &audit->pax;
	const char *problem;

	/* What a global header says of all entries is not taken over. */
	if (audit->special == 'x') {
		*pax = (struct ovi_pax){ .path = &audit->name, .link = &audit->link };
		audit->records_start = audit->special_start;
		audit->records_size = audit->special_size;
	}
	problem = ovi_pax_check(text, audit->special_size, audit->special == 'x' ? pax : NULL);
	if (audit->name.failed || audit->link.failed)
		return ovi_fail_memory(err);
	if (problem && audit->name.length)
		return ovi_fail(err, OVL2_E_CORRUPT, "tar entry '%s': %s", audit->name.text,
		                problem);

	return problem ? fail_at(audit, err, problem) : 0;
}

static int end_special(struct ovi_audit *audit, struct ovl2_error *err)
{
	const char *text = audit->raw.text + audit->special_start;

	audit->state = OVI_AUDIT_HEADER;

	return audit->special == 'L' || audit->special == 'K' ? end_long_name(audit, text, err)
	                                                      : end_pax(audit, text, err);
}

static int keep_raw(struct ovi_audit *audit, const void *bytes, size_t length,
                    struct ovl2_error *err)
{
	if (length > MAX_RAW_BYTES - audit->raw.length)
		return fail_at(audit, err, "the headers of one entry are larger than 8 MiB");
	ovi_strbuf_add_bytes(&audit->raw, bytes, length);

	return audit->raw.failed ? ovi_fail_memory(err) : 0;
}

static int take_special(struct ovi_audit *audit, const unsigned char *bytes, size_t length,
                        struct ovl2_error *err)
{
	int r = keep_raw(audit, bytes, length, err);

	audit->left -= length;
	if (r < 0)
		return r;

	return audit->left ? 0 : end_special(audit, err);
}

/* ------------------------------------------------------------------ entries -- */

static int is_zero(const void *bytes, size_t size)
{
	const unsigned char *at = bytes;

	return at[0] == 0 && memcmp(at, at + 1, size - 1) == 0;
}

/* What GNU tar and POSIX say of the end of a header, where nothing special is in it. */
static int has_plain_end(const struct header *header)
{
	if (memcmp(header->magic, "ustar  ", 8) == 0)
		return is_zero(header->prefix, sizeof(header->prefix) + sizeof(header->rest));

	return memcmp(header->magic,
	              "ustar\0"
	              "00",
	              8) == 0 &&
	       is_zero(header->rest, sizeof(header->rest));
}

static int has_binary_number(const struct header *header)
{
	return (header->mode[0] | header->uid[0] | header->gid[0] | header->size[0] |
	        header->mtime[0]) &
	       0x80;
}

/* Is it one of those that can only be read in one way, and need no special care? */
static int is_usual(const struct ovi_audit *audit, const struct header *header)
{
	int has_link = header->link[0] || audit->link.length;
	int must_have_link = header->type == '1' || header->type == '2';

	if (!header->type || !strchr("0125", header->type) || !has_plain_end(header) ||
	    has_binary_number(header) || audit->pax.is_unusual)
		return 0;
	if (has_link != must_have_link || (!header->name[0] && !audit->name.length))
		return 0;

	/* Two who name it, and none has the last word. */
	return !(audit->has_name && audit->pax.has_path) &&
	       !(audit->has_link && audit->pax.has_link);
}

static void add_field(struct ovi_strbuf *text, const char *field, size_t size)
{
	ovi_strbuf_add_bytes(text, field, strnlen(field, size));
}

/* Puts what the header itself says where no extended header said anything. */
static void read_names(struct ovi_audit *audit, const struct header *header)
{
	ovi_strbuf_add(&audit->link, "");
	if (!audit->link.length)
		add_field(&audit->link, header->link, sizeof(header->link));
	if (audit->name.length)
		return;
	if (header->magic[5] == '\0' && header->prefix[0]) {
		add_field(&audit->name, header->prefix, sizeof(header->prefix));
		if (audit->name.length && audit->name.text[audit->name.length - 1] != '/')
			ovi_strbuf_add(&audit->name, "/");
	}
	add_field(&audit->name, header->name, sizeof(header->name));
}

/* All fields were checked. */
static void read_fields(struct ovi_audit *audit, const struct header *header)
{
	const struct ovi_pax *pax = &audit->pax;
	struct ovi_audit_entry *entry = &audit->entry;
	int64_t uid = 0;
	int64_t gid = 0;
	int64_t mtime = 0;

	READ_NUMBER(header->uid, &uid);
	READ_NUMBER(header->gid, &gid);
	READ_NUMBER(header->mtime, &mtime);
	entry->uid = pax->has_uid ? pax->uid : (uint64_t)uid;
	entry->gid = pax->has_gid ? pax->gid : (uint64_t)gid;
	entry->mtime = (struct timespec){ .tv_sec = mtime };
	if (pax->has_mtime)
		entry->mtime = pax->mtime;
}

/* The header itself is the last one: shows the entry. */
static int end_entry(struct ovi_audit *audit, struct ovl2_error *err)
{
	struct ovi_audit_entry *entry = &audit->entry;
	/* Of a sparse file, blocks of its map follow it. */
	const struct header *header =
		(const struct header *)(audit->raw.text + audit->header_start);
	int64_t mode = 0;

	if (entry->type == 'S' && audit->map_bytes != entry->size)
		return fail_header(audit, header, err,
		                   "the map of a sparse file does not fit what is there of it");
	audit->left = (entry->size + OVI_TAR_BLOCK - 1) / OVI_TAR_BLOCK * OVI_TAR_BLOCK;
	audit->state = audit->left ? OVI_AUDIT_BODY : OVI_AUDIT_HEADER;
	audit->is_shown = 1;
	entry->is_unusual = !is_usual(audit, header);
	entry->xattrs = NULL;
	READ_NUMBER(header->mode, &mode);
	entry->mode = (mode_t)mode & 07777;
	if (entry->is_unusual)
		return 1;

	read_names(audit, header);
	read_fields(audit, header);
	if (audit->name.failed || audit->link.failed)
		return ovi_fail_memory(err);
	entry->name = audit->name.text;
	entry->link = audit->link.text;
	if (audit->pax.has_xattrs) {
		entry->xattrs = audit->raw.text + audit->records_start;
		entry->xattrs_end = entry->xattrs + audit->records_size;
	}

	/* A file that is named as a directory. */
	entry->is_unusual = entry->type == '0' && audit->name.text[audit->name.length - 1] == '/';

	return 1;
}

/* The entry that was shown has been seen, its extended headers with it. */
static void forget_entry(struct ovi_audit *audit)
{
	audit->is_shown = 0;
	audit->is_started = 0;
	audit->has_pax = 0;
	audit->has_name = 0;
	audit->has_link = 0;
	audit->pax = (struct ovi_pax){ 0 };
	ovi_strbuf_cut(&audit->raw, 0);
	ovi_strbuf_cut(&audit->name, 0);
	ovi_strbuf_cut(&audit->link, 0);
}

/* Adds up what the parts say is there. They end with the first that has no offset. */
static const char *add_parts(struct ovi_audit *audit, const unsigned char *block, size_t count)
{
	const struct sparse_part *part = (const struct sparse_part *)block;

	for (size_t i = 0; i < count && part[i].offset[0]; i++) {
		int64_t offset;
		int64_t length;

		if (READ_NUMBER(part[i].offset, &offset) < 0 || offset < 0 ||
		    READ_NUMBER(part[i].length, &length) < 0 || length < 0 ||
		    (uint64_t)length > INT64_MAX - audit->map_bytes)
			return "the map of a sparse file is no map";
		audit->map_bytes += (uint64_t)length;
	}

	return NULL;
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
	if (audit->pax.has_size && audit->pax.size && !is_file)
		return "it has a size and cannot have one";
	if (type == '1' && size)
		return "it is a hard link with content";
	if (audit->pax.has_size)
		size = audit->pax.size;
	if (size > INT64_MAX - OVI_TAR_BLOCK)
		return "its size is no size";
	audit->entry.type = type;
	audit->entry.size = is_file ? size : 0;
	audit->has_more_map = 0;
	audit->map_bytes = 0;
	if (type != 'S')
		return NULL;
	audit->has_more_map = ((const unsigned char *)header)[SPARSE_MORE_IN_HEADER] != 0;

	return add_parts(audit, (const unsigned char *)header + SPARSE_IN_HEADER,
	                 SPARSE_PARTS_IN_HEADER);
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
	int r;

	if (!is_checksum_right(header))
		return fail_at(audit, err,
		               audit->at ? "the checksum of a header is wrong" : "this is no tar");
	problem = check_fields(header, &size);
	if (problem)
		return fail_header(audit, header, err, problem);
	if (!audit->is_started)
		audit->entry.start = audit->at;
	audit->is_started = 1;
	audit->header_start = audit->raw.length;
	r = keep_raw(audit, header, sizeof(*header), err);
	if (r < 0)
		return r;
	if (header->type && strchr("xgLK", header->type))
		return begin_special(audit, header, (uint64_t)size, err);
	problem = check_entry(audit, header, (uint64_t)size);
	if (problem)
		return fail_header(audit, header, err, problem);

	return audit->has_more_map ? 0 : end_entry(audit, err);
}

static int inspect_map(struct ovi_audit *audit, const unsigned char *block, struct ovl2_error *err)
{
	int r = keep_raw(audit, block, OVI_TAR_BLOCK, err);
	const char *problem = add_parts(audit, block, SPARSE_PARTS_IN_MAP);

	audit->has_more_map = block[SPARSE_MORE_IN_MAP] != 0;
	if (r == 0 && problem)
		return fail_at(audit, err, problem);

	return r < 0 || audit->has_more_map ? r : end_entry(audit, err);
}

static int inspect(struct ovi_audit *audit, const unsigned char *block, struct ovl2_error *err)
{
	if (audit->has_more_map)
		return inspect_map(audit, block, err);
	if (audit->state == OVI_AUDIT_END_MARK) {
		if (!is_zero(block, OVI_TAR_BLOCK))
			return fail_at(audit, err, "an empty block is followed by another entry");
		audit->state = OVI_AUDIT_ENDED;
		return 0;
	}
	if (is_zero(block, OVI_TAR_BLOCK))
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

void ovi_audit_pass(struct ovi_audit *audit, size_t length)
{
	audit->left -= length;
	audit->offset += length;
	if (!audit->left)
		audit->state = OVI_AUDIT_HEADER;
}

/* What is next of these bytes. `ret_taken` is its part of them. */
static int take(struct ovi_audit *audit, const unsigned char *bytes, size_t length,
                size_t *ret_taken, struct ovl2_error *err)
{
	int r;

	if (audit->state == OVI_AUDIT_BODY) {
		*ret_taken = min_size(length, audit->left);
		ovi_audit_pass(audit, *ret_taken);
		return 0;
	}
	if (audit->is_shown)
		forget_entry(audit);
	if (audit->state == OVI_AUDIT_SPECIAL) {
		*ret_taken = min_size(length, audit->left);
		r = take_special(audit, bytes, *ret_taken, err);
	} else {
		*ret_taken = min_size(length, OVI_TAR_BLOCK - audit->filled);
		r = take_block(audit, bytes, *ret_taken, err);
	}
	audit->offset += *ret_taken;

	return r;
}

int ovi_audit_feed(struct ovi_audit *audit, const void *bytes, size_t length, size_t *ret_taken,
                   struct ovl2_error *err)
{
	const unsigned char *at = bytes;
	int r = 0;

	*ret_taken = 0;
	while (r == 0 && *ret_taken < length && audit->state != OVI_AUDIT_ENDED) {
		size_t taken;

		r = take(audit, at + *ret_taken, length - *ret_taken, &taken, err);
		*ret_taken += taken;
	}

	return r;
}

int ovi_audit_end(const struct ovi_audit *audit, struct ovl2_error *err)
{
	int is_started = audit->is_started && !audit->is_shown;

	if (audit->state == OVI_AUDIT_ENDED || audit->state == OVI_AUDIT_END_MARK)
		return 0;
	if (audit->state != OVI_AUDIT_HEADER || audit->filled || audit->has_more_map ||
	    (is_started && (audit->has_pax || audit->has_name || audit->has_link)))
		return fail_at(audit, err, "it ends in the middle of an entry");

	return 0;
}
