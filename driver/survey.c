#include "survey.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "file.h"
#include "hold.h"
#include "overlay.h"
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define LOWER_MAX_BYTES ((size_t)OVI_MAX_LOWERS * OVI_LINK_SIZE)

void ovi_survey_release(struct ovi_survey *survey)
{
	int saved = errno;

	for (size_t i = 0; i < survey->layer_count; i++) {
		free(survey->layers[i].lower);
		free(survey->layers[i].own_lower);
	}
	free(survey->layers);
	free(survey->links);
	ovi_strbuf_release(&survey->strangers);
	*survey = (struct ovi_survey){ 0 };
	errno = saved;
}

static int compare_layers(const void *a, const void *b)
{
	return strcmp(((const struct ovi_found_layer *)a)->id,
	              ((const struct ovi_found_layer *)b)->id);
}

static int compare_links(const void *a, const void *b)
{
	return strcmp(((const struct ovi_found_link *)a)->name,
	              ((const struct ovi_found_link *)b)->name);
}

struct ovi_found_layer *ovi_survey_find_layer(const struct ovi_survey *survey, const char *id)
{
	struct ovi_found_layer key = { .footing = OVI_FOOTING_UNKNOWN };

	if (!survey->layer_count)
		return NULL;
	snprintf(key.id, sizeof(key.id), "%s", id);

	return bsearch(&key, survey->layers, survey->layer_count, sizeof(key), compare_layers);
}

struct ovi_found_link *ovi_survey_find_link(const struct ovi_survey *survey, const char *name)
{
	struct ovi_found_link key = { .owner = NULL };

	if (!survey->link_count)
		return NULL;
	snprintf(key.name, sizeof(key.name), "%s", name);

	return bsearch(&key, survey->links, survey->link_count, sizeof(key), compare_links);
}

/* ---------------------------------------------------------------- as found -- */

/*
 * Reads a file of a layer. What is there but cannot be such a file is damaged; a disk
 * that cannot be read is no finding but a failure.
 */
static int read_part(int dir, const char *name, size_t limit, char **ret_text,
                     enum ovi_file_state *ret_state, struct ovl2_error *err)
{
	struct ovl2_error reason = { 0 };
	size_t length = 0;
	int r;

	r = ovi_file_read(dir, name, limit, ret_text, &length, &reason);
	if (r == OVL2_E_NOT_FOUND) {
		*ret_state = OVI_FILE_MISSING;
	} else if (r == OVL2_E_CORRUPT || reason.sys == ELOOP) {
		*ret_state = OVI_FILE_DAMAGED;
	} else if (r < 0) {
		if (err)
			*err = reason;
		return r;
	} else {
		*ret_state = length && length == strlen(*ret_text) ? OVI_FILE_GOOD : OVI_FILE_LOST;
	}

	return 0;
}

static int read_link(int dir, struct ovi_found_layer *layer, struct ovl2_error *err)
{
	cleanup_free char *text = NULL;
	int r;

	r = read_part(dir, "link", OVI_LINK_SIZE, &text, &layer->link_state, err);
	if (r < 0 || layer->link_state != OVI_FILE_GOOD)
		return r;
	snprintf(layer->link, sizeof(layer->link), "l/%s", text);
	if (strlen(text) != OVI_LINK_LENGTH ||
	    !ovi_link_is_valid(layer->link, strlen(layer->link))) {
		layer->link_state = OVI_FILE_DAMAGED;
		layer->link[0] = '\0';
	}

	return 0;
}

static int read_lower(int dir, struct ovi_found_layer *layer, struct ovl2_error *err)
{
	cleanup_chain struct ovi_chain chain = { 0 };
	int r;

	r = read_part(dir, "lower", LOWER_MAX_BYTES, &layer->lower, &layer->lower_state, err);
	if (r == 0 && !layer->lower)
		layer->lower = strdup("");
	if (r < 0)
		return r;
	if (!layer->lower)
		return ovi_fail_memory(err);
	if (layer->lower_state != OVI_FILE_GOOD)
		return 0;

	r = ovi_chain_parse(layer->lower, &chain, NULL);
	if (r == OVL2_E_CORRUPT)
		layer->lower_state = OVI_FILE_DAMAGED;

	return r == OVL2_E_CORRUPT ? 0 : r;
}

static int read_record(int dir, struct ovi_found_layer *layer, struct ovl2_error *err)
{
	cleanup_free char *text = NULL;
	struct ovl2_error reason = { 0 };
	int r;

	r = read_part(dir, OVI_RECORD_NAME, OVI_RECORD_MAX_BYTES, &text, &layer->record_state, err);
	if (r < 0 || layer->record_state != OVI_FILE_GOOD)
		return r;
	r = ovi_record_read(dir, layer->id, &layer->record, &reason);
	if (r == OVL2_E_CORRUPT)
		layer->record_state = OVI_FILE_DAMAGED;
	else if (r < 0 && err)
		*err = reason;

	return r == OVL2_E_CORRUPT ? 0 : r;
}

/* 1 and what it is, 0 when it is not there; a disk that cannot tell is a failure. */
static int look_at(int dir, const char *name, mode_t *ret_mode, struct ovl2_error *err)
{
	struct stat st;

	if (ovi_sys.fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : ovi_fail_errno(err, "look at '%s'", name);
	*ret_mode = st.st_mode;

	return 1;
}

static int read_parts(int dir, struct ovi_found_layer *layer, struct ovl2_error *err)
{
	mode_t mode = 0;
	int r;

	r = look_at(dir, "diff", &mode, err);
	layer->has_content = r == 1 && S_ISDIR(mode);
	if (r >= 0)
		r = look_at(dir, OVI_COMMITTED_NAME, &mode, err);
	layer->has_mark = r == 1;
	if (r >= 0)
		r = look_at(dir, "work", &mode, err);
	layer->has_targets = r == 1 && S_ISDIR(mode);
	if (r >= 0)
		r = look_at(dir, "merged", &mode, err);
	layer->has_targets &= r == 1 && S_ISDIR(mode);
	if (r >= 0)
		r = ovi_hold_is_mounted(dir, layer->id, err);
	layer->is_mounted = r == 1;
	if (r >= 0)
		r = read_link(dir, layer, err);
	if (r == 0)
		r = read_lower(dir, layer, err);
	if (r == 0)
		r = read_record(dir, layer, err);

	return r;
}

static int read_layer(struct ovl2_store *store, const char *id, struct ovi_found_layer *layer,
                      struct ovl2_error *err)
{
	cleanup_fd int dir = -1;
	int r;

	snprintf(layer->id, sizeof(layer->id), "%s", id);
	r = ovi_dir_open(store->home, id, &dir, err);
	if (r == 0)
		r = read_parts(dir, layer, err);

	return r < 0 ? ovi_fail_within(err, r, "layer '%s'", id) : 0;
}

static int read_layers(struct ovl2_store *store, struct ovi_survey *survey, struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	int r;

	r = ovi_dir_list(store->home, store->path, &listing, err);
	if (r < 0)
		return r;
	survey->layers = calloc(listing.count + 1, sizeof(*survey->layers));
	if (!survey->layers)
		return ovi_fail_memory(err);
	for (size_t i = 0; i < listing.count && r == 0; i++) {
		const struct ovi_name *entry = &listing.names[i];

		if (entry->type == DT_DIR && ovi_id_is_valid(entry->name))
			r = read_layer(store, entry->name, &survey->layers[survey->layer_count++],
			               err);
	}

	return r;
}

static int read_links(struct ovl2_store *store, struct ovi_survey *survey, struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	cleanup_fd int dir = -1;
	int r;

	r = ovi_dir_open(store->home, "l", &dir, err);
	if (r == 0)
		r = ovi_dir_list(dir, "l", &listing, err);
	if (r < 0)
		return r;
	survey->links = calloc(listing.count + 1, sizeof(*survey->links));
	if (!survey->links)
		return ovi_fail_memory(err);

	for (size_t i = 0; i < listing.count; i++) {
		struct ovi_found_link *link = &survey->links[survey->link_count];

		snprintf(link->name, sizeof(link->name), "l/%s", listing.names[i].name);
		if (strlen(listing.names[i].name) != OVI_LINK_LENGTH ||
		    !ovi_link_is_valid(link->name, strlen(link->name))) {
			ovi_strbuf_addf(&survey->strangers, "%s\n", listing.names[i].name);
			continue;
		}
		r = ovi_link_follow(store, link->name, link->target, NULL);
		if (r < 0 && r != OVL2_E_CORRUPT)
			return ovi_fail(err, r, "read link '%s'", link->name);
		survey->link_count++;
	}

	return survey->strangers.failed ? ovi_fail_memory(err) : 0;
}

/* ------------------------------------------------------------ whose link it is -- */

static int compare_claims(const void *a, const void *b)
{
	return strcmp((*(struct ovi_found_layer *const *)a)->link,
	              (*(struct ovi_found_layer *const *)b)->link);
}

/* One claim is enough; of several, the layer that the link leads to has it. */
static void give(const struct ovi_survey *survey, struct ovi_found_layer **claims, size_t count)
{
	const struct ovi_found_link *link = ovi_survey_find_link(survey, claims[0]->link);

	for (size_t i = 0; i < count; i++)
		if (count == 1 || (link && strcmp(link->target, claims[i]->id) == 0))
			memcpy(claims[i]->own_link, claims[i]->link, sizeof(claims[i]->link));
}

static int give_claimed_links(struct ovi_survey *survey, struct ovl2_error *err)
{
	cleanup_free struct ovi_found_layer **claims = NULL;
	size_t count = 0;

	claims = calloc(survey->layer_count + 1, sizeof(struct ovi_found_layer *));
	if (!claims)
		return ovi_fail_memory(err);
	for (size_t i = 0; i < survey->layer_count; i++)
		if (survey->layers[i].link_state == OVI_FILE_GOOD)
			claims[count++] = &survey->layers[i];
	qsort(claims, count, sizeof(struct ovi_found_layer *), compare_claims);

	for (size_t from = 0, to; from < count; from = to) {
		for (to = from + 1; to < count; to++)
			if (strcmp(claims[from]->link, claims[to]->link) != 0)
				break;
		give(survey, claims + from, to - from);
	}

	return 0;
}

static void set_owner(struct ovi_survey *survey, struct ovi_found_layer *layer)
{
	struct ovi_found_link *link = ovi_survey_find_link(survey, layer->own_link);

	if (*layer->own_link && link)
		link->owner = layer;
}

/* A layer whose link file is no help has the entry of `l` that leads to it. */
static void give_entries(struct ovi_survey *survey)
{
	for (size_t i = 0; i < survey->layer_count; i++)
		set_owner(survey, &survey->layers[i]);

	for (size_t i = 0; i < survey->link_count; i++) {
		struct ovi_found_link *link = &survey->links[i];
		struct ovi_found_layer *layer = ovi_survey_find_layer(survey, link->target);

		if (link->owner || !layer || *layer->own_link)
			continue;
		memcpy(layer->own_link, link->name, sizeof(link->name));
		link->owner = layer;
	}
}

static int is_taken(const struct ovi_survey *survey, const char *link)
{
	for (size_t i = 0; i < survey->layer_count; i++)
		if (strcmp(survey->layers[i].own_link, link) == 0)
			return 1;

	return 0;
}

/* Neither file nor entry: a child's record names the layer, its lowers the link. */
static int give_remembered_links(struct ovi_survey *survey, struct ovl2_error *err)
{
	char random[OVI_LINK_LENGTH + 1];
	char link[OVI_LINK_SIZE] = "";

	for (size_t i = 0; i < survey->layer_count; i++) {
		struct ovi_found_layer *child = &survey->layers[i];
		struct ovi_found_layer *layer;

		if (child->record_state != OVI_FILE_GOOD || child->lower_state != OVI_FILE_GOOD)
			continue;
		layer = ovi_survey_find_layer(survey, child->record.parent);
		if (!layer || *layer->own_link)
			continue;
		memcpy(link, child->lower, OVI_LINK_SIZE - 1);
		if (is_taken(survey, link))
			continue;
		memcpy(layer->own_link, link, sizeof(link));
		set_owner(survey, layer);
	}

	for (size_t i = 0; i < survey->layer_count; i++) {
		struct ovi_found_layer *layer = &survey->layers[i];
		int r = *layer->own_link ? 0 : ovi_random_name(random, err);

		if (r < 0)
			return r;
		if (!*layer->own_link)
			snprintf(layer->own_link, sizeof(layer->own_link), "l/%s", random);
	}

	return 0;
}

/* ---------------------------------------------------------- what it stands on -- */

struct by_link {
	struct ovi_found_layer **layers;
	size_t count;
};

static int compare_own_links(const void *a, const void *b)
{
	return strcmp((*(struct ovi_found_layer *const *)a)->own_link,
	              (*(struct ovi_found_layer *const *)b)->own_link);
}

static struct ovi_found_layer *find_owner(const struct by_link *owners, const char *link)
{
	struct ovi_found_layer key = { .footing = OVI_FOOTING_UNKNOWN };
	struct ovi_found_layer *key_pointer = &key;
	struct ovi_found_layer **found;

	snprintf(key.own_link, sizeof(key.own_link), "%s", link);
	found = bsearch(&key_pointer, owners->layers, owners->count,
	                sizeof(struct ovi_found_layer *), compare_own_links);

	return found ? *found : NULL;
}

static const char *behind_first(const char *lower)
{
	const char *colon = strchr(lower, ':');

	return colon ? colon + 1 : "";
}

/* Is what its own `lower` says what the layer it names says as well? */
static int is_consistent(const struct ovi_found_layer *layer, const struct ovi_found_layer *parent)
{
	return layer->lower_state == OVI_FILE_GOOD && parent && parent != layer &&
	       parent->lower_state != OVI_FILE_DAMAGED && parent->lower_state != OVI_FILE_LOST &&
	       strcmp(behind_first(layer->lower), parent->lower) == 0;
}

/* Every readable `lower` is a witness of what the layer at its head stands on. */
static void hear(const struct ovi_survey *survey, const struct by_link *owners)
{
	for (size_t i = 0; i < survey->layer_count; i++) {
		struct ovi_found_layer *child = &survey->layers[i];
		struct ovi_found_layer *layer = NULL;

		if (child->lower_state == OVI_FILE_GOOD)
			layer = find_owner(owners, child->lower);
		if (!layer || layer == child)
			continue;
		if (layer->hearsay && strcmp(layer->hearsay, behind_first(child->lower)) != 0)
			layer->is_hearsay_divided = 1;
		layer->hearsay = behind_first(child->lower);
	}
}

/*
 * The layer below, NULL for none, as its record says; without one as its own lowers
 * say, if the parent agrees; else as its children's say. 0 when there is no telling.
 */
static int find_parent(const struct ovi_survey *survey, const struct by_link *owners,
                       const struct ovi_found_layer *layer, struct ovi_found_layer **ret_parent)
{
	struct ovi_found_layer *parent = NULL;

	if (layer->record_state == OVI_FILE_GOOD) {
		if (*layer->record.parent)
			parent = ovi_survey_find_layer(survey, layer->record.parent);
		*ret_parent = parent;
		return parent || !*layer->record.parent;
	}

	parent = find_owner(owners, layer->lower);
	*ret_parent = parent;
	if (is_consistent(layer, parent))
		return 1;
	if (layer->hearsay && !layer->is_hearsay_divided) {
		parent = *layer->hearsay ? find_owner(owners, layer->hearsay) : NULL;
		*ret_parent = parent;
		return parent || !*layer->hearsay;
	}
	*ret_parent = NULL;
	if (layer->lower_state == OVI_FILE_MISSING)
		return !layer->is_hearsay_divided;
	if (strlen(layer->lower) >= OVI_LINK_SIZE - 1 &&
	    ovi_link_is_valid(layer->lower, OVI_LINK_SIZE - 1))
		*ret_parent = find_owner(owners, layer->lower);

	return *ret_parent != NULL;
}

static size_t count_links(const char *lower)
{
	return (strlen(lower) + 1) / OVI_LINK_SIZE;
}

/* Its parent is known: what must its lowers be, and can they be that? */
static int set_lower(struct ovi_found_layer *layer, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf text = { 0 };
	int is_certain;

	ovi_strbuf_add(&text, "");
	if (layer->parent) {
		ovi_strbuf_add(&text, layer->parent->own_link);
		if (*layer->parent->own_lower)
			ovi_strbuf_addf(&text, ":%s", layer->parent->own_lower);
	}
	if (text.failed)
		return ovi_fail_memory(err);

	/*
	 * Without a record and witnesses the head of a damaged `lower` is believed only
	 * when all of it can be the beginning of what it must have been.
	 */
	is_certain = layer->record_state == OVI_FILE_GOOD || layer->hearsay ||
	             layer->lower_state == OVI_FILE_MISSING ||
	             is_consistent(layer, layer->parent) ||
	             strncmp(layer->lower, text.text, strlen(layer->lower)) == 0;
	layer->footing = is_certain && count_links(text.text) <= OVI_MAX_LOWERS ? OVI_FOOTING_FOUND
	                                                                        : OVI_FOOTING_NONE;
	layer->own_lower = ovi_strbuf_steal(&text);

	return 0;
}

/* Down to a layer whose footing is known, then up again: no recursion, chains are long. */
static int find_footing(const struct ovi_survey *survey, const struct by_link *owners,
                        struct ovi_found_layer *layer, struct ovl2_error *err)
{
	struct ovi_found_layer *path[OVI_MAX_LOWERS + 2];
	size_t depth = 0;
	int r = 0;

	while (layer && layer->footing == OVI_FOOTING_UNKNOWN && depth < ARRAY_SIZE(path)) {
		layer->footing = OVI_FOOTING_ASKED;
		path[depth++] = layer;
		if (!find_parent(survey, owners, layer, &layer->parent)) {
			layer->parent = NULL;
			layer->footing = OVI_FOOTING_NONE;
		}
		layer = layer->parent;
	}

	while (depth > 0 && r == 0) {
		struct ovi_found_layer *at = path[--depth];

		/* A parent that is still being asked is above: they stand in a circle. */
		if (at->footing == OVI_FOOTING_NONE || !at->has_content ||
		    (at->parent && at->parent->footing != OVI_FOOTING_FOUND))
			at->footing = OVI_FOOTING_NONE;
		else
			r = set_lower(at, err);
	}

	return r;
}

static int find_footings(struct ovi_survey *survey, struct ovl2_error *err)
{
	cleanup_free struct ovi_found_layer **sorted = NULL;
	struct by_link owners;
	int r = 0;

	sorted = calloc(survey->layer_count + 1, sizeof(struct ovi_found_layer *));
	if (!sorted)
		return ovi_fail_memory(err);
	for (size_t i = 0; i < survey->layer_count; i++)
		sorted[i] = &survey->layers[i];
	qsort(sorted, survey->layer_count, sizeof(struct ovi_found_layer *), compare_own_links);
	owners = (struct by_link){ sorted, survey->layer_count };

	hear(survey, &owners);
	for (size_t i = 0; i < survey->layer_count && r == 0; i++)
		r = find_footing(survey, &owners, &survey->layers[i], err);
	for (size_t i = 0; i < survey->layer_count; i++)
		if (survey->layers[i].parent)
			survey->layers[i].parent->has_children = 1;

	return r;
}

int ovi_survey_take(struct ovl2_store *store, struct ovi_survey *ret_survey, struct ovl2_error *err)
{
	cleanup_survey struct ovi_survey survey = { .layers = NULL };
	int r;

	r = read_layers(store, &survey, err);
	if (r == 0)
		r = read_links(store, &survey, err);
	if (r == 0)
		r = give_claimed_links(&survey, err);
	if (r < 0)
		return r;
	give_entries(&survey);
	r = give_remembered_links(&survey, err);
	if (r == 0)
		r = find_footings(&survey, err);
	if (r < 0)
		return ovi_fail_within(err, r, "survey store '%s'", store->path);
	*ret_survey = survey;
	survey = (struct ovi_survey){ .layers = NULL };

	return 0;
}
