/* Putting a store right: each step is one rename, and follows from a fresh survey. */

#include <ovl2.h>

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "file.h"
#include "hold.h"
#include "layer.h"
#include "options.h"
#include "quarantine.h"
#include "quota.h"
#include "survey.h"
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

/* What one round puts right can bring the next thing to light. A bound against mistakes. */
#define MAX_ROUNDS 8

struct round {
	struct ovl2_store *store;
	struct ovl2_repair_options options;
	ovl2_problem_fn *each;
	void *data;
	int repaired;
	int left;
	int is_stopped;

	/* What is left is told of in the first round only. */
	int is_later;
};

/* What stands where a file or a directory is to be, and is none, goes to the quarantine first. */
static int make_way(struct ovl2_store *store, const struct ovi_found_layer *layer, const char *name,
                    mode_t type, struct ovl2_error *err)
{
	char path[OVL2_ID_SIZE + 16];
	char aside[OVL2_ID_SIZE + 16];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", layer->id, name);
	if (ovi_sys.fstatat(store->home, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : ovi_fail_errno(err, "look at '%s'", path);
	if ((st.st_mode & S_IFMT) == type)
		return 0;
	snprintf(aside, sizeof(aside), "%s.%s", layer->id, name);

	return ovi_quarantine(store, path, aside,
	                      type == S_IFDIR ? "it is not a directory" : "it is not a file", err);
}

static int write_file(struct ovl2_store *store, const struct ovi_found_layer *layer,
                      const char *name, const char *text, struct ovl2_error *err)
{
	cleanup_fd int dir = -1;
	int r;

	r = make_way(store, layer, name, S_IFREG, err);
	if (r == 0)
		r = ovi_dir_open(store->home, layer->id, &dir, err);

	return r < 0 ? r : ovi_file_replace(dir, name, text, 1, err);
}

/* A base layer has no `lower`: what is there is wrong, and kept. */
static int write_lower(struct ovl2_store *store, const struct ovi_found_layer *layer,
                       struct ovl2_error *err)
{
	char path[OVL2_ID_SIZE + 16];
	char aside[OVL2_ID_SIZE + 16];

	if (*layer->own_lower)
		return write_file(store, layer, "lower", layer->own_lower, err);
	snprintf(path, sizeof(path), "%s/lower", layer->id);
	snprintf(aside, sizeof(aside), "%s.lower", layer->id);

	return ovi_quarantine(store, path, aside, "the layer is a base layer", err);
}

/* Made aside, then renamed over what was there, unless that is not a link. */
static int write_entry(struct ovl2_store *store, const struct ovi_found_layer *layer,
                       struct ovl2_error *err)
{
	cleanup_stage struct ovi_stage stage = { .dir = -1 };
	char target[OVL2_ID_SIZE + 16];
	struct stat st;
	int r = 0;

	if (ovi_sys.fstatat(store->home, layer->own_link, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISLNK(st.st_mode))
		r = ovi_quarantine(store, layer->own_link, layer->own_link + 2, "it is not a link",
		                   err);
	if (r == 0)
		r = ovi_stage_create(store, &stage, err);
	if (r < 0)
		return r;

	snprintf(target, sizeof(target), "../%s/diff", layer->id);
	if (ovi_sys.symlinkat(target, stage.dir, "entry") < 0 ||
	    ovi_sys.renameat2(stage.dir, "entry", store->home, layer->own_link, 0) < 0)
		return ovi_fail_errno(err, "make '%s'", layer->own_link);

	return 0;
}

static int make_targets(struct ovl2_store *store, const struct ovi_found_layer *layer,
                        struct ovl2_error *err)
{
	cleanup_fd int dir = -1;
	int r = make_way(store, layer, "work", S_IFDIR, err);

	if (r == 0)
		r = make_way(store, layer, "merged", S_IFDIR, err);
	if (r == 0)
		r = ovi_dir_open(store->home, layer->id, &dir, err);

	return r < 0 ? r : ovi_layer_make_targets(dir, err);
}

/* The project is in the directory itself, and its limits are the kernel's. */
static void recover_quota(int dir, struct ovi_record *record)
{
	uint32_t project = ovi_quota_get_project(dir);
	struct ovl2_usage usage = { 0 };

	if (project < OVI_FIRST_PROJECT)
		return;
	record->project_id = project;
	if (ovi_quota_read_usage(dir, project, &usage, NULL) < 0)
		return;
	record->quota_bytes = usage.limit_bytes;
	record->quota_inodes = usage.limit_inodes;
}

/*
 * What the files do not tell is taken for what does least harm: a layer that is not
 * committed stays writable.
 */
static int write_record(struct ovl2_store *store, const struct ovi_found_layer *layer,
                        struct ovl2_error *err)
{
	struct ovi_record record = {
		.is_committed = layer->has_mark || layer->has_children,
		.is_read_write = !layer->has_mark && !layer->has_children,
	};
	cleanup_fd int dir = -1;
	int r;

	memcpy(record.id, layer->id, sizeof(record.id));
	if (layer->parent)
		memcpy(record.parent, layer->parent->id, sizeof(record.parent));
	r = make_way(store, layer, OVI_RECORD_NAME, S_IFREG, err);
	if (r == 0)
		r = make_targets(store, layer, err);
	if (r == 0)
		r = ovi_dir_open(store->home, layer->id, &dir, err);
	if (r < 0)
		return r;
	recover_quota(dir, &record);

	return ovi_record_write(dir, &record, 1, err);
}

static int write_mark(struct ovl2_store *store, const struct ovi_found_layer *layer,
                      struct ovl2_error *err)
{
	struct ovi_record record = layer->record;
	cleanup_fd int dir = -1;
	int r;

	r = write_file(store, layer, OVI_COMMITTED_NAME, "", err);
	if (r < 0 || layer->record_state != OVI_FILE_GOOD)
		return r;
	record.is_committed = 1;
	r = ovi_dir_open(store->home, layer->id, &dir, err);

	return r < 0 ? r : ovi_record_write(dir, &record, 1, err);
}

static int write_count(struct ovl2_store *store, const struct ovi_found_layer *layer,
                       struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer open = { .store = store, .dir = -1 };
	const struct ovi_hold hold = {
		.count = 1,
		.is_writable = !layer->has_mark,
	};

	int r;

	memcpy(open.id, layer->id, sizeof(open.id));
	r = ovi_dir_open(store->home, layer->id, &open.dir, err);

	return r < 0 ? r : ovi_hold_write(&open, &hold, err);
}

static int put_entry_aside(struct ovl2_store *store, const char *entry, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	cleanup_strbuf struct ovi_strbuf aside = { 0 };

	ovi_strbuf_addf(&path, "l/%s", entry);
	ovi_strbuf_addf(&aside, "l.%s", entry);
	if (path.failed || aside.failed)
		return ovi_fail_memory(err);

	return ovi_quarantine(store, path.text, aside.text, "it is no layer's", err);
}

static int apply_remedy(struct ovl2_store *store, const struct ovi_finding *finding,
                        struct ovl2_error *err)
{
	const struct ovi_found_layer *layer = finding->layer;

	if (finding->remedy == OVI_REMEDY_PUT_ENTRY_ASIDE)
		return put_entry_aside(store, finding->entry, err);
	/* All others are about a layer. */
	if (!layer)
		return 0;

	switch (finding->remedy) {
	case OVI_REMEDY_QUARANTINE:
		return ovi_quarantine_layer(store, layer->id, finding->text, err);
	case OVI_REMEDY_WRITE_LINK:
		return write_file(store, layer, "link", layer->own_link + 2, err);
	case OVI_REMEDY_WRITE_ENTRY:
		return write_entry(store, layer, err);
	case OVI_REMEDY_WRITE_LOWER:
		return write_lower(store, layer, err);
	case OVI_REMEDY_WRITE_RECORD:
		return write_record(store, layer, err);
	case OVI_REMEDY_WRITE_MARK:
		return write_mark(store, layer, err);
	case OVI_REMEDY_WRITE_COUNT:
		return write_count(store, layer, err);
	case OVI_REMEDY_MAKE_TARGETS:
		return make_targets(store, layer, err);
	case OVI_REMEDY_PUT_ENTRY_ASIDE:
	case OVI_REMEDY_NONE:
		break;
	}

	return 0;
}

static int treat(void *data, const struct ovi_finding *finding, struct ovl2_error *err)
{
	struct round *round = data;
	struct ovl2_problem problem = {
		.kind = finding->kind,
		.id = finding->layer ? finding->layer->id : NULL,
		.text = finding->text,
		.remedy = ovi_remedy_text(finding->remedy),
	};
	/* A count is the one thing that is about the mount. */
	int is_held = finding->layer && finding->layer->is_mounted &&
	              finding->remedy != OVI_REMEDY_WRITE_COUNT;
	int r = 0;

	if (is_held)
		problem.remedy = "unmount the layer, then repair again";
	if (is_held || round->options.dry_run || finding->remedy == OVI_REMEDY_NONE) {
		round->left++;
	} else {
		r = apply_remedy(round->store, finding, err);
		if (r < 0)
			return ovi_fail_within(err, r, "repair '%s'",
			                       problem.id ? problem.id : finding->entry);
		problem.is_repaired = 1;
		round->repaired++;
	}
	if (round->each && (problem.is_repaired || !round->is_later))
		round->is_stopped = round->each(round->data, &problem) != 0;

	return round->is_stopped;
}

static int run_round(struct round *round, struct ovl2_error *err)
{
	cleanup_survey struct ovi_survey survey = { .layers = NULL };
	int r;

	round->repaired = 0;
	round->left = 0;
	r = ovi_survey_take(round->store, &survey, err);

	return r < 0 ? r : ovi_survey_judge(round->store, &survey, treat, round, err);
}

int ovl2_store_repair(struct ovl2_store *store, const struct ovl2_repair_options *options,
                      ovl2_problem_fn *each, void *data, struct ovl2_error *err)
{
	struct round round = { .store = store, .each = each, .data = data };
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	int r;

	r = ovi_options_read(options, &round.options, sizeof(round.options), err);
	if (r == 0)
		r = ovi_store_lock(store, LOCK_EX, &lock, err);
	if (r < 0)
		return r;

	for (int i = 0; i < MAX_ROUNDS; i++) {
		r = run_round(&round, err);
		if (r != 0 || !round.repaired)
			break;
		round.is_later = 1;
	}
	if (r >= 0 && !round.options.dry_run)
		r = ovi_store_flush(store, err);

	return r < 0 ? r : round.left;
}
