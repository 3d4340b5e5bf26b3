/* Deleting what nobody can use any more. */

#include <ovl2.h>

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "options.h"
#include "store.h"
#include "survey.h"
#include "sys.h"
#include "tree.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

static int has_layer(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	struct stat st;

	if (ovi_sys.fstatat(store->home, id, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;

	return errno == ENOENT ? 0 : ovi_fail_errno(err, "look for layer '%s'", id);
}

static int is_referred_to(const struct ovi_survey *survey, const char *link)
{
	for (size_t i = 0; i < survey->layer_count; i++)
		if (strstr(survey->layers[i].lower, link))
			return 1;

	return 0;
}

/*
 * Entries of `l` that lead to a layer that is gone, or to one that has another: what a
 * call leaves that ended before it published its layer. Others that are wrong are for
 * repair, since they may be all there is left of something.
 */
static int collect_entries(struct ovl2_store *store, int dry_run, struct ovl2_error *err)
{
	cleanup_survey struct ovi_survey survey = { .layers = NULL };
	int count = 0;
	int r;

	r = ovi_survey_take(store, &survey, err);
	for (size_t i = 0; i < survey.link_count && r == 0; i++) {
		const struct ovi_found_link *link = &survey.links[i];

		if (link->owner || !*link->target || is_referred_to(&survey, link->name))
			continue;
		if (!dry_run && ovi_sys.unlinkat(store->home, link->name, 0) < 0)
			r = ovi_fail_errno(err, "delete '%s'", link->name);
		count++;
	}

	return r < 0 ? r : count;
}

/* Flags and labels of mounts: see hold.c. */
static int collect_words(struct ovl2_store *store, int dry_run, struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	int count = 0;
	int r;

	r = ovi_dir_list(store->run, "run directory", &listing, err);
	for (size_t i = 0; i < listing.count && r >= 0; i++) {
		const char *name = listing.names[i].name;

		r = ovi_id_is_valid(name) ? has_layer(store, name, err) : 1;
		count += r == 0;
		if (r == 0 && !dry_run && ovi_sys.unlinkat(store->run, name, 0) < 0)
			r = ovi_fail_errno(err, "delete the mount flags of '%s'", name);
	}

	return r < 0 ? r : count;
}

static int collect_quarantine(struct ovl2_store *store, int dry_run, struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	cleanup_fd int dir = -1;
	int r;

	r = ovi_dir_open(store->home, OVI_QUARANTINE, &dir, err);
	if (r == 0)
		r = ovi_dir_list(dir, OVI_QUARANTINE, &listing, err);
	for (size_t i = 0; i < listing.count && r == 0 && !dry_run; i++)
		r = ovi_tree_remove(dir, listing.names[i].name, err);

	return r < 0 ? r : (int)listing.count;
}

int ovl2_store_collect(struct ovl2_store *store, const struct ovl2_collect_options *options,
                       struct ovl2_error *err)
{
	static int (*const parts[])(struct ovl2_store * store, int dry_run,
	                            struct ovl2_error *err) = {
		ovi_store_collect,
		collect_entries,
		collect_words,
		collect_quarantine,
	};
	struct ovl2_collect_options own = { .size = 0 };
	cleanup_lock struct ovi_lock lock = OVI_LOCK_NONE;
	size_t part_count = ARRAY_SIZE(parts);
	int count = 0;
	int r;

	r = ovi_options_read(options, &own, sizeof(own), err);
	if (r == 0)
		r = ovi_store_lock(store, LOCK_EX, &lock, err);
	/* The last one is only for who asks for it. */
	if (!own.quarantine)
		part_count--;
	for (size_t i = 0; i < part_count && r >= 0; i++) {
		r = parts[i](store, own.dry_run, err);
		count += r;
	}

	return r < 0 ? ovi_fail_within(err, r, "collect in '%s'", store->path) : count;
}
