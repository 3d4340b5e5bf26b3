/* Is the store whole? Its files, then whether each layer can be had. */

#include <ovl2.h>

#include "cleanup.h"
#include "digest.h"
#include "dir.h"
#include "fail.h"
#include "layer.h"
#include "options.h"
#include "survey.h"
#include "sys.h"
#include "view.h"
#include "way.h"
#include "xattr.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

struct report {
	ovl2_problem_fn *each;
	void *data;
	int count;
	int is_stopped;
};

static int tell(struct report *report, const struct ovl2_problem *problem)
{
	report->count++;
	if (report->each && report->each(report->data, problem))
		report->is_stopped = 1;

	return report->is_stopped;
}

static int tell_finding(void *data, const struct ovi_finding *finding, struct ovl2_error *err)
{
	const struct ovl2_problem problem = {
		.kind = finding->kind,
		.id = finding->layer ? finding->layer->id : NULL,
		.text = finding->text,
		.remedy = ovi_remedy_text(finding->remedy),
	};

	(void)err;

	return tell(data, &problem);
}

/* What became of trying something with the layer. */
static int tell_result(struct report *report, const char *kind, const char *id, int result,
                       const struct ovl2_error *reason, struct ovl2_error *err)
{
	const struct ovl2_problem problem = { .kind = kind, .id = id, .text = reason->message };

	/* Removed since it was seen; or this process may not, which is no one's damage. */
	if (result >= 0 || result == OVL2_E_NOT_FOUND)
		return 0;
	if (result == OVL2_E_PERMISSION || result == OVL2_E_NO_MEMORY) {
		if (err)
			*err = *reason;
		return result;
	}

	return tell(report, &problem);
}

/* --------------------------------------------------------------- mountability -- */

static int try_mount(struct ovl2_store *store, const struct ovi_found_layer *layer,
                     struct report *report, struct ovl2_error *err)
{
	struct ovl2_error reason = { 0 };
	cleanup_fd int root = -1;
	int r = ovi_view_open(store, layer->id, &root, &reason);

	return tell_result(report, "mount", layer->id, r, &reason, err);
}

/* ----------------------------------------------------------------------- walk -- */

/* All that is in a layer's diff directory. */
struct walk {
	int (*visit)(struct walk *walk, int dir, const char *name, unsigned char type,
	             struct ovl2_error *err);
	void *data;
	const char *id;
	struct ovi_way way;
};

static int enter(struct walk *walk, struct ovi_folder *parent, const char *name,
                 struct ovl2_error *err)
{
	struct ovi_folder *folder = NULL;
	int r = ovi_folder_open(parent, name, &folder, err);

	return r < 0 ? r : ovi_way_enter(&walk->way, name, folder, err);
}

/* One step, at the directory where the walk is. */
static int walk_next(struct walk *walk, struct ovl2_error *err)
{
	struct ovi_level *level = ovi_way_here(&walk->way);
	struct ovi_folder *folder = level->spots[OVI_SELF].folder;
	unsigned char type;
	const char *name;
	int r;

	r = ovi_names_peek(&level->names, &name, &type, err);
	if (r < 0)
		return ovi_fail_within(err, r, "layer '%s', '/%s'", walk->id, walk->way.path.text);
	if (!name)
		return ovi_way_leave(&walk->way, err);
	r = walk->visit(walk, folder->fd, name, type, err);
	if (r == 0 && type == DT_DIR)
		r = enter(walk, folder, name, err);
	ovi_names_next(&level->names);

	return r;
}

static int walk_layer(struct ovl2_store *store, struct walk *walk, struct ovl2_error *err)
{
	cleanup_fd int dir = -1;
	int diff = -1;
	int r;

	r = ovi_dir_open(store->home, walk->id, &dir, err);
	if (r == OVL2_E_NOT_FOUND)
		return 0;
	if (r == 0)
		r = ovi_dir_open(dir, "diff", &diff, err);
	if (r == 0)
		r = ovi_way_enter(&walk->way, "diff", ovi_folder_new(diff), err);
	while (r == 0 && walk->way.count > 0)
		r = walk_next(walk, err);
	ovi_way_release(&walk->way);

	return r;
}

/* -------------------------------------------------------------------- content -- */

/* What was changed since the record was written, by when the kernel says it was. */
struct changes {
	struct timespec since;
	size_t count;
	int is_directory;
	struct ovi_strbuf first;
};

static int note_change(struct walk *walk, int dir, const char *name, unsigned char type,
                       struct ovl2_error *err)
{
	struct changes *changes = walk->data;
	struct stat st;

	if (ovi_sys.fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(err, "look at '%s'", name);
	if (st.st_ctim.tv_sec < changes->since.tv_sec ||
	    (st.st_ctim.tv_sec == changes->since.tv_sec &&
	     st.st_ctim.tv_nsec <= changes->since.tv_nsec))
		return 0;

	/* A directory changes with what comes and goes in it: a file says more. */
	if (!changes->count++ || (changes->is_directory && type != DT_DIR)) {
		ovi_strbuf_cut(&changes->first, 0);
		ovi_strbuf_addf(&changes->first, "/%s%s",
		                walk->way.path.text ? walk->way.path.text : "", name);
		changes->is_directory = type == DT_DIR;
	}

	return 0;
}

static int find_changes(struct ovl2_store *store, const char *id, struct changes *changes,
                        struct ovl2_error *err)
{
	struct walk walk = { .visit = note_change, .data = changes, .id = id };
	cleanup_fd int dir = -1;
	struct stat st;
	int r;

	r = ovi_dir_open(store->home, id, &dir, err);
	if (r < 0)
		return r;
	if (ovi_sys.fstatat(dir, OVI_RECORD_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(err, "look at the record");
	changes->since = st.st_ctim;
	ovi_strbuf_add(&changes->first, "");
	r = note_change(&walk, dir, "diff", DT_DIR, err);
	if (changes->count) {
		ovi_strbuf_cut(&changes->first, 0);
		ovi_strbuf_add(&changes->first, "/");
	}

	return r < 0 ? r : walk_layer(store, &walk, err);
}

/* Where to look: only times can tell, since one digest is kept of all that is in there. */
static int fail_changed(struct ovl2_store *store, const struct ovi_found_layer *layer,
                        const char *now, struct ovl2_error *err)
{
	struct changes changes = { .count = 0 };
	cleanup_strbuf struct ovi_strbuf where = { 0 };
	int r = find_changes(store, layer->id, &changes, NULL);

	if (r == 0 && changes.count == 1)
		ovi_strbuf_addf(&where, "'%s' was changed", changes.first.text);
	else if (r == 0 && changes.count)
		ovi_strbuf_addf(&where, "'%s' and %zu others were changed", changes.first.text,
		                changes.count - 1);
	else
		ovi_strbuf_add(&where, "no file says that it was changed, the disk may be at "
		                       "fault");
	ovi_strbuf_release(&changes.first);

	return ovi_fail(err, OVL2_E_CORRUPT,
	                "its content is not what it was: %s: sha256 %s, now %s",
	                where.failed ? "" : where.text, layer->record.digest, now);
}

static int check_content(struct ovl2_store *store, const struct ovi_found_layer *layer,
                         struct report *report, struct ovl2_error *err)
{
	char digest[OVL2_DIGEST_SIZE] = "";
	struct ovl2_error reason = { 0 };
	int r = ovi_digest_compute(store, layer->id, digest, &reason);

	if (r == 0 && strcmp(digest, layer->record.digest) != 0)
		r = fail_changed(store, layer, digest, &reason);

	return tell_result(report, "digest", layer->id, r, &reason, err);
}

/* To whom it may be news that there is nothing to compare with. */
static void log_unkept(const struct ovl2_store *store, const struct ovi_survey *survey)
{
	size_t committed = 0;
	size_t kept = 0;

	for (size_t i = 0; i < survey->layer_count; i++) {
		committed += (size_t)survey->layers[i].has_mark;
		kept += *survey->layers[i].record.digest != '\0';
	}
	if (kept < committed)
		ovi_store_log(store, OVL2_LOG_WARNING,
		              "of %zu committed layers %zu have no digest: their content was not "
		              "compared (ovl2_layer_digest keeps one)",
		              committed, committed - kept);
}

/* ----------------------------------------------------------------- attributes -- */

/* Why this attribute would show the wrong files, or NULL. */
static const char *judge_attribute(int dir, const char *name, const char *key, int is_directory)
{
	cleanup_free char *value = NULL;
	size_t length = 0;

	if (strcmp(key, "trusted.overlay.metacopy") == 0)
		return "has its content in a layer below, which is not looked for (metacopy)";
	if (strcmp(key, "trusted.overlay.redirect") == 0)
		return "was renamed, and what is below its old name is not looked for (redirect_dir)";
	if (strcmp(key, "trusted.overlay.opaque") != 0)
		return NULL;
	if (!is_directory)
		return "is marked as opaque and is no directory";
	if (ovi_xattr_read(dir, name, key, &value, &length, NULL) < 0)
		return "has an opaque mark that cannot be read";
	if (length != 1 || (*value != 'y' && *value != 'x'))
		return "has an opaque mark that means nothing";

	return NULL;
}

static int check_entry(struct walk *walk, int dir, const char *name, unsigned char type,
                       struct ovl2_error *err)
{
	struct ovi_xattr_names names = { .text = NULL };
	cleanup_free char *text = NULL;
	int r;

	if (type != DT_DIR && type != DT_REG)
		return 0;
	r = ovi_xattr_list(dir, name, &names, err);
	text = names.text;
	if (r < 0)
		return ovi_fail_within(err, r, "layer '%s', '/%s%s'", walk->id, walk->way.path.text,
		                       name);
	for (size_t at = 0; at < names.length; at += strlen(names.text + at) + 1) {
		const char *why = judge_attribute(dir, name, names.text + at, type == DT_DIR);
		cleanup_strbuf struct ovi_strbuf line = { 0 };
		struct ovl2_problem problem = { .kind = "attribute", .id = walk->id };

		if (!why)
			continue;
		ovi_strbuf_addf(&line, "'/%s%s' %s", walk->way.path.text, name, why);
		if (line.failed)
			return ovi_fail_memory(err);
		problem.text = line.text;
		if (tell(walk->data, &problem))
			return 1;
	}

	return 0;
}

static int check_attributes(struct ovl2_store *store, const struct ovi_found_layer *layer,
                            struct report *report, struct ovl2_error *err)
{
	struct walk walk = { .visit = check_entry, .data = report, .id = layer->id };

	return walk_layer(store, &walk, err);
}

/* ---------------------------------------------------------------------- check -- */

/* What stands on something damaged cannot be mounted, which is no news. */
static int is_sound(const struct ovi_found_layer *layer)
{
	while (layer && !layer->is_judged)
		layer = layer->parent;

	return !layer;
}

/* Layers that stand under others are mounted with those. */
static int check_layers(struct ovl2_store *store, const struct ovl2_check_options *options,
                        const struct ovi_survey *survey, struct report *report,
                        struct ovl2_error *err)
{
	int r = 0;

	for (size_t i = 0; i < survey->layer_count && r == 0; i++) {
		const struct ovi_found_layer *layer = &survey->layers[i];

		if (!is_sound(layer))
			continue;
		if (!options->no_mount && !layer->has_children)
			r = try_mount(store, layer, report, err);
		if (r == 0 && options->deep)
			r = check_attributes(store, layer, report, err);
		if (r == 0 && options->content && *layer->record.digest)
			r = check_content(store, layer, report, err);
	}
	if (r == 0 && options->content)
		log_unkept(store, survey);

	return r;
}

int ovl2_store_check(struct ovl2_store *store, const struct ovl2_check_options *options,
                     ovl2_problem_fn *each, void *data, struct ovl2_error *err)
{
	struct report report = { .each = each, .data = data };
	cleanup_survey struct ovi_survey survey = { .layers = NULL };
	struct ovl2_check_options own = { .size = 0 };
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	int r;

	r = ovi_options_read(options, &own, sizeof(own), err);
	if (r == 0)
		r = ovi_store_lock(store, LOCK_EX, &lock, err);
	if (r == 0)
		r = ovi_survey_take(store, &survey, err);
	if (r == 0)
		r = ovi_survey_judge(store, &survey, tell_finding, &report, err);
	if (r < 0 || report.is_stopped)
		return r < 0 ? r : report.count;

	/* The rest takes long: others may go on, but nothing may be taken away. */
	ovi_lock_release(&lock);
	r = ovi_store_lock(store, LOCK_SH, &lock, err);
	if (r == 0)
		r = check_layers(store, &own, &survey, &report, err);

	return r < 0 ? r : report.count;
}
