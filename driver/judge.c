/* What is wrong with a store, from a survey of it. */

#include "survey.h"

#include "cleanup.h"
#include "fail.h"
#include "file.h"
#include "hold.h"
#include "layer.h"
#include "sys.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *ovi_remedy_text(enum ovi_remedy remedy)
{
	static const char *const texts[] = {
		[OVI_REMEDY_NONE] = NULL,
		[OVI_REMEDY_QUARANTINE] = "move the layer to the quarantine",
		[OVI_REMEDY_WRITE_LINK] = "write its link file anew",
		[OVI_REMEDY_WRITE_ENTRY] = "make its entry in l anew",
		[OVI_REMEDY_WRITE_LOWER] = "write its lowers anew",
		[OVI_REMEDY_WRITE_RECORD] = "write its record anew from its files",
		[OVI_REMEDY_WRITE_MARK] = "mark it as committed, for us and for Docker",
		[OVI_REMEDY_WRITE_COUNT] = "count its mount once",
		[OVI_REMEDY_MAKE_TARGETS] = "make them anew, empty",
		[OVI_REMEDY_PUT_ENTRY_ASIDE] = "move the entry to the quarantine",
	};

	return texts[remedy];
}

struct court {
	struct ovl2_store *store;
	struct ovi_survey *survey;
	ovi_finding_fn *each;
	void *data;
};

__attribute__((format(printf, 6, 7))) static int
find(struct court *court, struct ovi_found_layer *layer, const char *kind, enum ovi_remedy remedy,
     struct ovl2_error *err, const char *format, ...)
{
	struct ovi_finding finding = { .kind = kind, .remedy = remedy, .layer = layer };
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	finding.text = text;
	layer->is_judged = 1;

	return court->each(court->data, &finding, err);
}

static const char *state_text(enum ovi_file_state state)
{
	static const char *const texts[] = {
		[OVI_FILE_MISSING] = "missing",
		[OVI_FILE_DAMAGED] = "damaged",
		[OVI_FILE_LOST] = "empty, as after a power cut",
		[OVI_FILE_GOOD] = "another layer's",
	};

	return texts[state];
}

/* Returns 1 when the layer is lost, whatever else is wrong with it. */
static int judge_whole(struct court *court, struct ovi_found_layer *layer, struct ovl2_error *err)
{
	const struct ovi_record *record = &layer->record;
	int r;

	if (!layer->has_content)
		r = find(court, layer, "content", OVI_REMEDY_QUARANTINE, err,
		         "its diff is not a directory");
	else if (layer->record_state == OVI_FILE_LOST)
		r = find(court, layer, "unflushed", OVI_REMEDY_QUARANTINE, err,
		         "its record is empty: it was not flushed before the machine went down");
	else if (layer->record_state == OVI_FILE_GOOD && *record->boot &&
	         strcmp(record->boot, court->store->boot) != 0)
		r = find(court, layer, "unflushed", OVI_REMEDY_QUARANTINE, err,
		         "it was not flushed before the machine went down");
	else if (layer->footing != OVI_FOOTING_FOUND)
		r = find(court, layer, "lower", OVI_REMEDY_QUARANTINE, err,
		         "what it stands on cannot be told or is not there: '%.100s'",
		         layer->lower);
	else
		return 0;

	return r ? r : 1;
}

static int judge_link(struct court *court, struct ovi_found_layer *layer, struct ovl2_error *err)
{
	const struct ovi_found_link *link = ovi_survey_find_link(court->survey, layer->own_link);
	int r = 0;

	if (strcmp(layer->link, layer->own_link) != 0)
		r = find(court, layer, "link", OVI_REMEDY_WRITE_LINK, err, "its link file is %s",
		         state_text(layer->link_state));
	if (r == 0 && !link)
		r = find(court, layer, "entry", OVI_REMEDY_WRITE_ENTRY, err,
		         "its entry '%s' is missing", layer->own_link);
	else if (r == 0 && strcmp(link->target, layer->id) != 0)
		r = find(court, layer, "entry", OVI_REMEDY_WRITE_ENTRY, err,
		         "its entry '%s' leads to %s%s", layer->own_link,
		         *link->target ? "layer " : "no layer", link->target);

	return r;
}

static int judge_lower(struct court *court, struct ovi_found_layer *layer, struct ovl2_error *err)
{
	int is_there = layer->lower_state != OVI_FILE_MISSING;

	if (layer->lower_state != OVI_FILE_DAMAGED && is_there == (*layer->own_lower != '\0') &&
	    strcmp(layer->lower, layer->own_lower) == 0)
		return 0;

	return find(court, layer, "lower", OVI_REMEDY_WRITE_LOWER, err,
	            "its lowers are %s: '%.100s'",
	            layer->lower_state == OVI_FILE_GOOD ? "not those of its parent"
	                                                : state_text(layer->lower_state),
	            layer->lower);
}

static int judge_record(struct court *court, struct ovi_found_layer *layer, struct ovl2_error *err)
{
	int is_ours = layer->record_state == OVI_FILE_GOOD;

	if (layer->record_state == OVI_FILE_DAMAGED)
		return find(court, layer, "record", OVI_REMEDY_WRITE_RECORD, err,
		            "its record is damaged");
	if (is_ours && !layer->has_targets)
		return find(court, layer, "directory", OVI_REMEDY_MAKE_TARGETS, err,
		            "its work or merged is missing or is not a directory");
	if (layer->has_children && !layer->has_mark)
		return find(court, layer, "mark", OVI_REMEDY_WRITE_MARK, err,
		            "it has children and is not marked as committed");
	if (is_ours && layer->record.is_committed != layer->has_mark)
		return find(court, layer, "mark", OVI_REMEDY_WRITE_MARK, err,
		            "its record and its mark do not agree on whether it is committed");

	return 0;
}

static int judge_count(struct court *court, struct ovi_found_layer *layer, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer open = { .store = court->store, .dir = -1 };
	struct ovi_hold hold;
	int r;

	if (!layer->is_mounted)
		return 0;
	memcpy(open.id, layer->id, sizeof(open.id));
	open.dir = ovi_sys.openat(court->store->home, layer->id, O_RDONLY | O_DIRECTORY, 0);
	if (open.dir < 0)
		return ovi_fail_errno(err, "open layer '%s'", layer->id);
	r = ovi_hold_read(&open, &hold, err);
	if (r == OVL2_E_CORRUPT)
		return find(court, layer, "count", OVI_REMEDY_WRITE_COUNT, err,
		            "the count of its mounts is damaged");

	return r;
}

static int judge_layer(struct court *court, struct ovi_found_layer *layer, struct ovl2_error *err)
{
	int r = judge_whole(court, layer, err);

	if (r)
		return r < 0 ? r : 0;
	r = judge_link(court, layer, err);
	if (r == 0)
		r = judge_lower(court, layer, err);
	if (r == 0)
		r = judge_record(court, layer, err);
	if (r == 0)
		r = judge_count(court, layer, err);

	return r;
}

static int judge_entry(struct court *court, const char *name, struct ovl2_error *err)
{
	char text[512];
	struct ovi_finding finding = {
		.kind = "stray",
		.remedy = OVI_REMEDY_PUT_ENTRY_ASIDE,
		.text = text,
		.entry = name,
	};

	snprintf(text, sizeof(text), "'l/%s' is no layer's", name);

	return court->each(court->data, &finding, err);
}

int ovi_survey_judge(struct ovl2_store *store, struct ovi_survey *survey, ovi_finding_fn *each,
                     void *data, struct ovl2_error *err)
{
	struct court court = { store, survey, each, data };
	char *name = survey->strangers.text;
	int r = 0;

	for (size_t i = 0; i < survey->layer_count && r == 0; i++)
		r = judge_layer(&court, &survey->layers[i], err);
	for (size_t i = 0; i < survey->link_count && r == 0; i++)
		if (!survey->links[i].owner)
			r = judge_entry(&court, survey->links[i].name + 2, err);
	for (; name && *name && r == 0; name += strlen(name) + 1) {
		name[strcspn(name, "\n")] = '\0';
		r = judge_entry(&court, name, err);
	}

	return r;
}
