#pragma once

/*
 * All that the files of a store say, believed or not, and what follows from it: which
 * link is whose, what every layer stands on. For check and repair.
 */

#include "chain.h"
#include "record.h"
#include "store.h"
#include "strbuf.h"

#include <ovl2.h>

#include <stddef.h>

enum ovi_file_state {
	OVI_FILE_MISSING,

	/* Not a file, or not what such a file holds. */
	OVI_FILE_DAMAGED,

	/* Empty, or NUL bytes: what a power cut leaves of a file that was not flushed. */
	OVI_FILE_LOST,

	OVI_FILE_GOOD
};

/* How far finding out what a layer stands on has got. */
enum ovi_footing { OVI_FOOTING_UNKNOWN, OVI_FOOTING_ASKED, OVI_FOOTING_NONE, OVI_FOOTING_FOUND };

struct ovi_found_layer {
	char id[OVL2_ID_SIZE];

	/* As found. `record` counts only when its state is good. */
	int has_content; /* diff is a directory */
	int has_mark;    /* Docker's `committed` */
	int has_targets; /* work and merged are directories, as a layer of ours has them */
	int is_mounted;
	enum ovi_file_state link_state;
	char link[OVI_LINK_SIZE]; /* "" unless good */
	enum ovi_file_state lower_state;
	char *lower; /* "" when missing */
	enum ovi_file_state record_state;
	struct ovi_record record;

	/*
	 * As it must be: the link, "" until it has one; the layer below, NULL for a
	 * base layer; the text of `lower`.
	 */
	char own_link[OVI_LINK_SIZE];
	int has_children;
	enum ovi_footing footing;
	struct ovi_found_layer *parent;
	char *own_lower;

	/* What the lowers of its children say that its own are; NULL for nothing. */
	const char *hearsay;
	int is_hearsay_divided;

	/* Something is wrong with it: set by ovi_survey_judge(). */
	int is_judged;
};

/* An entry of `l`. */
struct ovi_found_link {
	char name[OVI_LINK_SIZE];

	/* Where it leads, "" for nowhere in the store; and whose it is. */
	char target[OVL2_ID_SIZE];
	struct ovi_found_layer *owner;
};

struct ovi_survey {
	struct ovi_found_layer *layers; /* sorted by id */
	size_t layer_count;
	struct ovi_found_link *links; /* sorted by name */
	size_t link_count;

	/* Names in `l` that cannot be a link's, with a newline behind each. */
	struct ovi_strbuf strangers;
};

#define cleanup_survey __attribute__((cleanup(ovi_survey_release)))

void ovi_survey_release(struct ovi_survey *survey);

/* Reads everything and draws the conclusions. The store must be locked exclusively. */
int ovi_survey_take(struct ovl2_store *store, struct ovi_survey *ret_survey,
                    struct ovl2_error *err);

/* What repair would do about a finding. */
enum ovi_remedy {
	OVI_REMEDY_NONE,
	OVI_REMEDY_QUARANTINE,
	OVI_REMEDY_WRITE_LINK,
	OVI_REMEDY_WRITE_ENTRY,
	OVI_REMEDY_WRITE_LOWER,
	OVI_REMEDY_WRITE_RECORD,
	OVI_REMEDY_WRITE_MARK,
	OVI_REMEDY_WRITE_COUNT,
	OVI_REMEDY_MAKE_TARGETS,
	OVI_REMEDY_PUT_ENTRY_ASIDE
};

struct ovi_finding {
	const char *kind; /* as in struct ovl2_problem */
	enum ovi_remedy remedy;
	const char *text;

	/* NULL for what belongs to no layer; then the name of an entry in `l`. */
	struct ovi_found_layer *layer;
	const char *entry;
};

/* Returns negative with `err` filled to end the listing, 1 to end it without error. */
typedef int ovi_finding_fn(void *data, const struct ovi_finding *finding, struct ovl2_error *err);

/*
 * Lists what is wrong, in an order in which it can be put right one after the other.
 */
int ovi_survey_judge(struct ovl2_store *store, struct ovi_survey *survey, ovi_finding_fn *each,
                     void *data, struct ovl2_error *err);

/* What the remedy of a finding is, in words; NULL for none. */
const char *ovi_remedy_text(enum ovi_remedy remedy);

/* NULL when there is none. */
struct ovi_found_layer *ovi_survey_find_layer(const struct ovi_survey *survey, const char *id);
struct ovi_found_link *ovi_survey_find_link(const struct ovi_survey *survey, const char *name);
