#include "chain.h"

#include "cleanup.h"
#include "fail.h"
#include "file.h"
#include "overlay.h"
#include "strbuf.h"
#include "sys.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* 500 links with colons between. */
#define LOWER_MAX_BYTES ((size_t)OVI_MAX_LOWERS * OVI_LINK_SIZE)

/* Read-only once more than one chain has them. */
struct ovi_links {
	atomic_uint users;
	char links[][OVI_LINK_SIZE];
};

void ovi_chain_release(struct ovi_chain *chain)
{
	int saved = errno;

	if (chain->owner && atomic_fetch_sub(&chain->owner->users, 1) == 1)
		free(chain->owner);
	free(chain->ids);
	*chain = (struct ovi_chain){ 0 };
	errno = saved;
}

void ovi_chain_share(const struct ovi_chain *from, struct ovi_chain *ret_to)
{
	*ret_to = *from;
	ret_to->ids = NULL;
	if (from->owner)
		atomic_fetch_add(&from->owner->users, 1);
}

/* The content itself must be in the store, not a link to somewhere else. */
static int check_content(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	char path[OVI_LAYER_PATH_SIZE];
	struct stat st;

	ovi_layer_path(path, id, "diff");
	if (ovi_sys.fstatat(store->home, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return ovi_fail_errno(err, "look at '%s'", path);
		st.st_mode = 0;
	}
	if (!S_ISDIR(st.st_mode))
		return ovi_fail(
			err, OVL2_E_CORRUPT,
			"'%s' is not a directory of the store: ovl2 check, then ovl2 repair", path);

	return 0;
}

/* By hand: it must be written "../<id>/diff", and nothing else. */
int ovi_link_follow(const struct ovl2_store *store, const char *link, char ret_id[OVL2_ID_SIZE],
                    struct ovl2_error *err)
{
	char target[OVL2_ID_SIZE + 16];
	ssize_t length;
	char *slash;

	length = ovi_sys.readlinkat(store->home, link, target, sizeof(target) - 1);
	if (length < 0 && (errno == ENOENT || errno == EINVAL))
		return ovi_fail(err, OVL2_E_CORRUPT, "'%s' is not a link in the store", link);
	if (length < 0)
		return ovi_fail_errno(err, "read link '%s'", link);
	target[length] = '\0';

	slash = strrchr(target, '/');
	if (strncmp(target, "../", 3) == 0 && slash && slash >= target + 3 &&
	    strcmp(slash, "/diff") == 0) {
		*slash = '\0';
		if (ovi_id_is_valid(target + 3)) {
			memcpy(ret_id, target + 3, strlen(target + 3) + 1);
			return 0;
		}
		*slash = '/';
	}

	return ovi_fail(err, OVL2_E_CORRUPT, "link '%s' leads to '%s' instead of a layer", link,
	                target);
}

static int resolve(struct ovl2_store *store, const char *link, char ret_id[OVL2_ID_SIZE],
                   struct ovl2_error *err)
{
	int r = ovi_link_follow(store, link, ret_id, err);

	return r < 0 ? r : check_content(store, ret_id, err);
}

static int compare_pointers(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* No layer twice, and not the one whose lowers they are: the kernel says ELOOP. */
static int check_distinct(char (*ids)[OVL2_ID_SIZE], size_t count, const char *id,
                          struct ovl2_error *err)
{
	cleanup_free const char **sorted = NULL;

	sorted = calloc(count + 1, sizeof(*sorted));
	if (!sorted)
		return ovi_fail_memory(err);

	for (size_t i = 0; i < count; i++)
		sorted[i] = ids[i];
	sorted[count] = id;
	qsort(sorted, count + 1, sizeof(*sorted), compare_pointers);

	for (size_t i = 0; i < count; i++)
		if (strcmp(sorted[i], sorted[i + 1]) == 0)
			return ovi_fail(err, OVL2_E_CORRUPT, "layer '%s' is in it twice",
			                sorted[i]);

	return 0;
}

int ovi_chain_parse(const char *text, struct ovi_chain *chain, struct ovl2_error *err)
{
	size_t most = strlen(text) / (OVI_LINK_SIZE - 1) + 1;
	const char *at = text;

	chain->owner = calloc(1, sizeof(*chain->owner) + most * OVI_LINK_SIZE);
	if (!chain->owner)
		return ovi_fail_memory(err);
	atomic_store(&chain->owner->users, 1);
	chain->links = chain->owner->links;

	for (;;) {
		size_t length = strcspn(at, ":");

		if (!ovi_link_is_valid(at, length))
			return ovi_fail(err, OVL2_E_CORRUPT, "'%.40s' is not a link name", at);
		memcpy(chain->links[chain->count++], at, length);
		if (!at[length])
			return 0;
		at += length + 1;
	}
}

/*
 * A layer's lowers are its parent and its parent's lowers. One level is enough to
 * look at: no circle of layers can each have one lower more than the next.
 */
static int check_parent(struct ovl2_store *store, const char *parent, const char *text,
                        struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	cleanup_free char *above = NULL;
	const char *rest = strchr(text, ':');
	struct ovl2_error reason = { 0 };
	int r;

	ovi_strbuf_addf(&path, "%s/lower", parent);
	if (path.failed)
		return ovi_fail_memory(err);
	r = ovi_file_read(store->home, path.text, LOWER_MAX_BYTES, &above, NULL, &reason);
	if (r < 0 && r != OVL2_E_NOT_FOUND) {
		if (err)
			*err = reason;
		return r;
	}
	if (strcmp(rest ? rest + 1 : "", above ? above : "") != 0)
		return ovi_fail(err, OVL2_E_CORRUPT, "they are not those of its parent '%s'",
		                parent);

	return 0;
}

int ovi_chain_read(struct ovl2_store *store, int layer, const char *id, struct ovi_chain *ret_chain,
                   struct ovl2_error *err)
{
	cleanup_chain struct ovi_chain chain = { 0 };
	cleanup_free char *text = NULL;
	struct ovl2_error reason = { 0 };
	size_t length = 0;
	int r;

	r = ovi_file_read(layer, "lower", LOWER_MAX_BYTES, &text, &length, &reason);
	if (r == OVL2_E_NOT_FOUND) {
		*ret_chain = (struct ovi_chain){ 0 };
		return 0;
	}
	if (r == 0 && length != strlen(text))
		r = ovi_fail(&reason, OVL2_E_CORRUPT, "it has NUL bytes in it");
	if (r == 0)
		r = ovi_chain_parse(text, &chain, &reason);
	if (r == 0)
		r = resolve(store, chain.links[0], chain.parent, &reason);
	if (r == 0)
		r = check_parent(store, chain.parent, text, &reason);
	if (r < 0) {
		if (err)
			*err = reason;
		return ovi_fail_within(err, r, "read the lowers of layer '%s'", id);
	}

	*ret_chain = chain;
	chain = (struct ovi_chain){ 0 };

	return 0;
}

int ovi_chain_resolve(struct ovl2_store *store, const char *id, struct ovi_chain *chain,
                      struct ovl2_error *err)
{
	cleanup_free char(*ids)[OVL2_ID_SIZE] = NULL;
	int r = 0;

	if (chain->ids || !chain->count)
		return 0;

	ids = calloc(chain->count, sizeof(*ids));
	if (!ids)
		return ovi_fail_memory(err);
	for (size_t i = 0; i < chain->count && r == 0; i++)
		r = resolve(store, chain->links[i], ids[i], err);
	if (r == 0)
		r = check_distinct(ids, chain->count, id, err);
	if (r < 0)
		return ovi_fail_within(err, r, "resolve the lowers of layer '%s'", id);
	chain->ids = steal_ptr(&ids);

	return 0;
}

int ovi_link_read(struct ovl2_store *store, int layer, const char *id, char ret_link[OVI_LINK_SIZE],
                  struct ovl2_error *err)
{
	cleanup_free char *text = NULL;
	char link[OVI_LINK_SIZE];
	char target[OVL2_ID_SIZE];
	size_t length = 0;
	int r;

	r = ovi_file_read(layer, "link", OVI_LINK_SIZE, &text, &length, err);
	if (r == OVL2_E_NOT_FOUND)
		return ovi_fail(err, OVL2_E_CORRUPT, "layer '%s' has no link file", id);
	if (r < 0)
		return ovi_fail_within(err, r, "layer '%s'", id);

	snprintf(link, sizeof(link), "l/%s", text);
	if (length != OVI_LINK_LENGTH || !ovi_link_is_valid(link, strlen(link)))
		return ovi_fail(err, OVL2_E_CORRUPT, "the link file of layer '%s' is damaged", id);
	r = resolve(store, link, target, err);
	if (r < 0)
		return ovi_fail_within(err, r, "layer '%s'", id);
	if (strcmp(target, id) != 0)
		return ovi_fail(err, OVL2_E_CORRUPT, "link '%s' of layer '%s' leads to layer '%s'",
		                link, id, target);
	memcpy(ret_link, link, sizeof(link));

	return 0;
}
