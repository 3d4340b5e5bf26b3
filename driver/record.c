#include "record.h"

#include "cleanup.h"
#include "fail.h"
#include "file.h"
#include "id.h"
#include "strbuf.h"
#include "sys.h"

#include <fcntl.h>
#include <jansson.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#define RECORD_FORMAT 1

#define cleanup_json __attribute__((cleanup(json_decrefp)))

#define SUM_LENGTH ((size_t)2 * SHA256_DIGEST_LENGTH)

/* Of all members the last one: what stands in front of it is what is summed up. */
#define SUM_MEMBER ",\"sha256\":\""

static void hash(const char *text, char ret_hex[SUM_LENGTH + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)text, strlen(text), digest);
	for (size_t i = 0; i < sizeof(digest); i++) {
		*ret_hex++ = digits[digest[i] >> 4];
		*ret_hex++ = digits[digest[i] & 15];
	}
	*ret_hex = '\0';
}

/* Hex digest of `record` without its own "sha256" member. */
static int compute_sum(json_t *record, char ret_hex[SUM_LENGTH + 1], struct ovl2_error *err)
{
	cleanup_free char *text = NULL;

	text = json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS);
	if (!text)
		return ovi_fail_memory(err);

	hash(text, ret_hex);

	return 0;
}

/*
 * Is it as we wrote it, with the right sum? Then what was summed up need not be made again
 * from what was parsed.
 */
static int has_own_sum(const char *text)
{
	const size_t tail = strlen(SUM_MEMBER) + SUM_LENGTH + strlen("\"}");
	char whole[OVI_RECORD_MAX_BYTES + 1];
	char sum[SUM_LENGTH + 1];
	size_t length = strlen(text);

	if (length <= tail || length >= sizeof(whole) ||
	    memcmp(text + length - tail, SUM_MEMBER, strlen(SUM_MEMBER)) != 0 ||
	    strcmp(text + length - 2, "\"}") != 0)
		return 0;
	length -= tail;
	snprintf(whole, sizeof(whole), "%.*s}", (int)length, text);
	hash(whole, sum);

	return memcmp(text + length + strlen(SUM_MEMBER), sum, SUM_LENGTH) == 0;
}

/* The record as it stands in the file. */
static int word(const struct ovi_record *record, struct ovi_strbuf *text, struct ovl2_error *err)
{
	char sum[SUM_LENGTH + 1];
	cleanup_json json_t *json = NULL;
	cleanup_free char *summed = NULL;

	json = json_pack("{si ss ss* ss* ss* sb sb sI sI sI}", "format", RECORD_FORMAT, "id",
	                 record->id, "parent", *record->parent ? record->parent : NULL, "boot",
	                 *record->boot ? record->boot : NULL, "digest",
	                 record->wants_digest ? record->digest : NULL, "read_write",
	                 record->is_read_write, "committed", record->is_committed, "quota_bytes",
	                 (json_int_t)record->quota_bytes, "quota_inodes",
	                 (json_int_t)record->quota_inodes, "project_id",
	                 (json_int_t)record->project_id);
	summed = json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	if (!summed)
		return ovi_fail_memory(err);
	hash(summed, sum);
	ovi_strbuf_add_bytes(text, summed, strlen(summed) - 1);
	ovi_strbuf_addf(text, SUM_MEMBER "%s\"}", sum);

	return text->failed ? ovi_fail_memory(err) : 0;
}

int ovi_record_create(int layer, const struct ovi_record *record, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf text = { 0 };
	int r = word(record, &text, err);

	return r < 0 ? r : ovi_file_write(layer, OVI_RECORD_NAME, text.text, text.length, err);
}

int ovi_record_write(int layer, const struct ovi_record *record, int flush, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf text = { 0 };
	int r = word(record, &text, err);

	return r < 0 ? r : ovi_file_replace(layer, OVI_RECORD_NAME, text.text, flush, err);
}

static int check_sum(json_t *json, struct ovl2_error *err)
{
	char sum[SUM_LENGTH + 1];
	cleanup_free char *stored = NULL;
	const char *text;
	int r;

	text = json_string_value(json_object_get(json, "sha256"));
	stored = strdup(text ? text : "");
	if (!stored)
		return ovi_fail_memory(err);

	json_object_del(json, "sha256");
	r = compute_sum(json, sum, err);
	if (r < 0)
		return r;
	if (strcmp(stored, sum) != 0)
		return ovi_fail(err, OVL2_E_CORRUPT, "its checksum does not match");

	return 0;
}

static int parse(const char *text, const char *id, struct ovi_record *ret_record,
                 struct ovl2_error *err)
{
	cleanup_json json_t *json = NULL;
	const char *own_id = NULL;
	const char *parent = NULL;
	const char *boot = NULL;
	const char *digest = NULL;
	json_int_t bytes = 0;
	json_int_t inodes = 0;
	json_int_t project = 0;
	json_error_t bad;
	int format = 0;
	int r;

	json = json_loads(text, JSON_REJECT_DUPLICATES, &bad);
	if (!json)
		return ovi_fail(err, OVL2_E_CORRUPT, "not JSON: %s", bad.text);
	r = has_own_sum(text) ? 0 : check_sum(json, err);
	if (r < 0)
		return r;

	if (json_unpack_ex(json, &bad, 0, "{si ss s?s s?s s?s sb sb sI sI sI}", "format", &format,
	                   "id", &own_id, "parent", &parent, "boot", &boot, "digest", &digest,
	                   "read_write", &ret_record->is_read_write, "committed",
	                   &ret_record->is_committed, "quota_bytes", &bytes, "quota_inodes",
	                   &inodes, "project_id", &project) < 0)
		return ovi_fail(err, OVL2_E_CORRUPT, "%s", bad.text);
	if (format != RECORD_FORMAT)
		return ovi_fail(err, OVL2_E_CORRUPT, "format %d is not known here", format);
	if (strcmp(own_id, id) != 0 || (parent && !ovi_id_is_valid(parent)))
		return ovi_fail(err, OVL2_E_CORRUPT, "it is not this layer's");

	snprintf(ret_record->id, sizeof(ret_record->id), "%s", own_id);
	snprintf(ret_record->parent, sizeof(ret_record->parent), "%s", parent ? parent : "");
	snprintf(ret_record->boot, sizeof(ret_record->boot), "%s", boot ? boot : "");
	ret_record->wants_digest = digest != NULL;
	snprintf(ret_record->digest, sizeof(ret_record->digest), "%s", digest ? digest : "");
	ret_record->quota_bytes = (uint64_t)bytes;
	ret_record->quota_inodes = (uint64_t)inodes;
	ret_record->project_id = (uint32_t)project;

	return 0;
}

int ovi_boot_read(char ret_boot[OVI_BOOT_SIZE], struct ovl2_error *err)
{
	cleanup_free char *text = NULL;
	int r;

	r = ovi_file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", OVI_BOOT_SIZE, &text, NULL,
	                  err);
	if (r < 0)
		return r;
	text[strcspn(text, "\n")] = '\0';
	snprintf(ret_boot, OVI_BOOT_SIZE, "%s", text);

	return 0;
}

static int describe_foreign(int layer, const char *id, struct ovi_record *ret_record,
                            struct ovl2_error *err)
{
	struct stat st;

	snprintf(ret_record->id, sizeof(ret_record->id), "%s", id);
	ret_record->is_foreign = 1;
	if (ovi_sys.fstatat(layer, OVI_COMMITTED_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
		ret_record->is_committed = 1;
	else if (errno != ENOENT)
		return ovi_fail_errno(err, "look at '%s/%s'", id, OVI_COMMITTED_NAME);

	return 0;
}

int ovi_record_read(int layer, const char *id, struct ovi_record *ret_record,
                    struct ovl2_error *err)
{
	struct ovi_record record = { .is_foreign = 0 };
	cleanup_free char *text = NULL;
	struct ovl2_error reason = { 0 };
	int r;

	r = ovi_file_read(layer, OVI_RECORD_NAME, OVI_RECORD_MAX_BYTES, &text, NULL, &reason);
	if (r == OVL2_E_NOT_FOUND)
		r = describe_foreign(layer, id, &record, &reason);
	else if (r == 0)
		r = parse(text, id, &record, &reason);
	if (r < 0) {
		if (err)
			*err = reason;
		return ovi_fail_within(err, r, "read '%s/" OVI_RECORD_NAME "'", id);
	}
	*ret_record = record;

	return 0;
}
