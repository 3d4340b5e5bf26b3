#include "acl.h"

#include "cleanup.h"
#include "fail.h"
#include "owner.h"
#include "sys.h"
#include "xattr.h"

#include <archive.h>
#include <archive_entry.h>
#include <limits.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>
#include <string.h>

int ovi_acl_is(const char *key)
{
	return strcmp(key, XATTR_NAME_POSIX_ACL_ACCESS) == 0 || ovi_acl_is_default(key);
}

int ovi_acl_is_default(const char *key)
{
	return strcmp(key, XATTR_NAME_POSIX_ACL_DEFAULT) == 0;
}

/* ------------------------------------------------------------------ from text -- */

static const struct {
	int type;
	const char *key;
	const char *text_key;
} kinds[] = {
	{ ARCHIVE_ENTRY_ACL_TYPE_ACCESS, XATTR_NAME_POSIX_ACL_ACCESS, "SCHILY.acl.access" },
	{ ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, XATTR_NAME_POSIX_ACL_DEFAULT, "SCHILY.acl.default" },
	{ ARCHIVE_ENTRY_ACL_TYPE_NFS4, NULL, "SCHILY.acl.ace" },
};

/* In the order that the kernel wants. Permissions have the same bits. */
static const struct {
	int tag;
	unsigned short kernel;
} tags[] = {
	{ ARCHIVE_ENTRY_ACL_USER_OBJ, ACL_USER_OBJ },   { ARCHIVE_ENTRY_ACL_USER, ACL_USER },
	{ ARCHIVE_ENTRY_ACL_GROUP_OBJ, ACL_GROUP_OBJ }, { ARCHIVE_ENTRY_ACL_GROUP, ACL_GROUP },
	{ ARCHIVE_ENTRY_ACL_MASK, ACL_MASK },           { ARCHIVE_ENTRY_ACL_OTHER, ACL_OTHER },
};

/* All entries of the list with one tag; -1 for one of somebody without a number. */
static int add_tag(struct archive_entry *entry, int type, size_t tag, struct ovi_strbuf *value)
{
	int is_named = tags[tag].kernel == ACL_USER || tags[tag].kernel == ACL_GROUP;
	const char *name;
	int permissions;
	int found_type;
	int found;
	int id;

	archive_entry_acl_reset(entry, type);
	while (archive_entry_acl_next(entry, type, &found_type, &permissions, &found, &id, &name) ==
	       ARCHIVE_OK) {
		const struct posix_acl_xattr_entry one = {
			.e_tag = tags[tag].kernel,
			.e_perm = (unsigned short)(permissions &
			                           (ACL_READ | ACL_WRITE | ACL_EXECUTE)),
			.e_id = is_named ? (unsigned int)id : (unsigned int)ACL_UNDEFINED_ID,
		};

		if (found != tags[tag].tag)
			continue;
		/* Numbers that do not fit are made the largest that does. */
		if (is_named && (id < 0 || id == INT_MAX))
			return -1;
		ovi_strbuf_add_bytes(value, (const char *)&one, sizeof(one));
	}

	return 0;
}

static int read_list(struct archive_entry *entry, int type, struct ovi_strbuf *value)
{
	const struct posix_acl_xattr_header header = { .a_version = POSIX_ACL_XATTR_VERSION };
	int r = 0;

	ovi_strbuf_cut(value, 0);
	ovi_strbuf_add_bytes(value, (const char *)&header, sizeof(header));
	for (size_t i = 0; i < ARRAY_SIZE(tags) && r == 0; i++)
		r = add_tag(entry, type, i, value);

	return r;
}

static int has_attribute(struct archive_entry *entry, const char *wanted)
{
	const void *value;
	const char *key;
	size_t length;

	archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &key, &value, &length) == ARCHIVE_OK)
		if (strcmp(key, wanted) == 0)
			return 1;

	return 0;
}

int ovi_acl_next(struct archive_entry *entry, size_t *at, const char **ret_key,
                 struct ovi_strbuf *value)
{
	int types = archive_entry_acl_types(entry);

	while (*at < ARRAY_SIZE(kinds)) {
		size_t kind = (*at)++;

		if (!(types & kinds[kind].type) ||
		    (kinds[kind].key && has_attribute(entry, kinds[kind].key)))
			continue;
		*ret_key = kinds[kind].key;
		if (!kinds[kind].key || read_list(entry, kinds[kind].type, value) < 0) {
			*ret_key = kinds[kind].text_key;
			ovi_strbuf_cut(value, 0);
		}
		return value->failed ? -1 : 1;
	}

	return 0;
}

/* -------------------------------------------------------------------- on disk -- */

static int map_id(struct posix_acl_xattr_entry *entry, const struct ovl2_apply_options *options,
                  struct ovl2_error *err)
{
	int64_t id = entry->e_id;
	uid_t mapped;
	int r = 0;

	if (entry->e_tag == ACL_USER)
		r = ovi_owner_map(options->uid_map, options->uid_map_count, id, &mapped);
	else if (entry->e_tag == ACL_GROUP)
		r = ovi_owner_map(options->gid_map, options->gid_map_count, id, &mapped);
	else
		return 0;
	if (r < 0)
		return ovi_fail(err, OVL2_E_CORRUPT,
		                "%s %lld in its list of access is not in the id map",
		                entry->e_tag == ACL_USER ? "uid" : "gid", (long long)id);
	entry->e_id = mapped;

	return 0;
}

int ovi_acl_map(const void *value, size_t length, const struct ovl2_apply_options *options,
                struct ovi_strbuf *mapped, struct ovl2_error *err)
{
	size_t at = sizeof(struct posix_acl_xattr_header);
	struct posix_acl_xattr_entry entry;

	ovi_strbuf_cut(mapped, 0);
	ovi_strbuf_add_bytes(mapped, value, length);
	if (mapped->failed)
		return ovi_fail_memory(err);
	for (; at + sizeof(entry) <= length; at += sizeof(entry)) {
		int r;

		memcpy(&entry, mapped->text + at, sizeof(entry));
		r = map_id(&entry, options, err);
		if (r < 0)
			return r;
		memcpy(mapped->text + at, &entry, sizeof(entry));
	}

	return 0;
}

int ovi_acl_disinherit(int dir, const char *name, struct ovl2_error *err)
{
	static const char *const keys[] = { XATTR_NAME_POSIX_ACL_ACCESS,
		                            XATTR_NAME_POSIX_ACL_DEFAULT };
	struct ovi_xattr_path path = ovi_xattr_path(dir, name);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (ovi_sys.lremovexattr(path.text, keys[i]) < 0 && errno != ENODATA)
			return ovi_fail_errno(err, "take inherited '%s' off '%s'", keys[i], name);

	return 0;
}
