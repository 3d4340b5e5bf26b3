#include "place.h"

#include "cleanup.h"
#include "dataset.h"
#include "fail.h"
#include "image.h"
#include "tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

int place_remove(struct place *place, const char *name, struct ovl2_error *err)
{
	return ovi_tree_remove(place->root, name, err);
}

int place_settle(struct place *place, struct ovl2_error *err)
{
	if (syncfs(place->root) < 0)
		return ovi_fail_errno(err, "sync '%s'", PLACE_ROOT);

	return 0;
}

/* ----------------------------------------------------------------- layers -- */

void place_new_id(struct place *place, char ret_id[PLACE_ID_SIZE])
{
	uint64_t number = ++place->last_id;

	/* Spread over all digits, as the hashes are that Docker takes. */
	for (int i = 0; i < 4; i++) {
		number = number * 6364136223846793005u + 1442695040888963407u;
		snprintf(ret_id + (ptrdiff_t)i * 16, 17, "%016llx", (unsigned long long)number);
	}
}

int place_create(struct place *place, const char *parent, int read_write,
                 char ret_id[PLACE_ID_SIZE], struct ovl2_error *err)
{
	const struct ovl2_layer_options options = {
		.size = sizeof(options),
		.parent = parent,
		.read_write = read_write,
	};
	char id[PLACE_ID_SIZE];
	int r;

	place_new_id(place, id);
	r = ovl2_layer_create(place->hasty, id, &options, err);
	if (r == 0)
		memcpy(ret_id, id, sizeof(id));

	return r;
}

int place_chain(struct place *place, uint64_t lowers, const char **ret_id, struct ovl2_error *err)
{
	if (!place->chain) {
		place->chain = calloc(PLACE_MAX_DEPTH + 1, sizeof(*place->chain));
		if (!place->chain)
			return ovi_fail_memory(err);
	}

	while (place->chain_length < lowers) {
		size_t next = place->chain_length;
		int r = place_create(place, next ? place->chain[next - 1] : NULL, 0,
		                     place->chain[next], err);

		if (r < 0)
			return r;
		place->chain_length++;
	}
	*ret_id = place->chain[lowers - 1];

	return 0;
}

int place_create_layer(struct place *place, uint64_t lowers, char ret_id[PLACE_ID_SIZE],
                       struct ovl2_error *err)
{
	const char *parent = NULL;
	int r = 0;

	if (lowers > 0)
		r = place_chain(place, lowers, &parent, err);

	return r < 0 ? r : place_create(place, parent, 1, ret_id, err);
}

int place_find_upper(struct place *place, const char *id, char **ret_path, struct ovl2_error *err)
{
	struct ovl2_mount_spec *spec = NULL;
	int r = ovl2_layer_mount_spec(place->hasty, id, NULL, &spec, err);

	if (r < 0)
		return r;
	*ret_path = strdup(spec->upper);
	ovl2_mount_spec_free(spec);

	return *ret_path ? 0 : ovi_fail_memory(err);
}

/* ---------------------------------------------------------------- opening -- */

static int open_stores(struct place *place, struct ovl2_error *err)
{
	struct ovl2_store_options options = {
		.size = sizeof(options),
		.max_depth = PLACE_MAX_DEPTH,
		.run_directory = PLACE_ROOT "/run",
	};
	int r;

	if (mkdir(PLACE_ROOT, 0700) < 0 || mkdir(PLACE_HOME, 0710) < 0 ||
	    mkdir(PLACE_ROOT "/run", 0700) < 0)
		return ovi_fail_errno(err, "make directories in '%s'", PLACE_ROOT);
	/* Where /run is on a host: in memory. */
	if (mount("tmpfs", PLACE_ROOT "/run", "tmpfs", 0, "size=16m,mode=0700") < 0)
		return ovi_fail_errno(err, "mount a tmpfs on '%s/run'", PLACE_ROOT);
	place->root = open(PLACE_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	place->home = open(PLACE_HOME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->root < 0 || place->home < 0)
		return ovi_fail_errno(err, "open '%s'", PLACE_HOME);

	r = ovl2_store_open(PLACE_HOME, &options, &place->store, err);
	if (r < 0)
		return r;
	options.durability = OVL2_DURABILITY_NONE;

	return ovl2_store_open(PLACE_HOME, &options, &place->hasty, err);
}

int place_open(enum bench_tier tier, struct place **ret_place, struct ovl2_error *err)
{
	struct place *place = calloc(1, sizeof(*place));
	int r;

	if (!place)
		return ovi_fail_memory(err);
	place->tier = tier;
	place->root = -1;
	place->home = -1;

	r = image_enter_namespace(err);
	if (r == 0)
		r = open_stores(place, err);
	if (r < 0) {
		place_close(place);
		return r;
	}
	*ret_place = place;

	return 0;
}

void place_close(struct place *place)
{
	if (!place)
		return;

	datasets_free(place->datasets);
	if (place->hasty)
		ovl2_store_cleanup(place->hasty, NULL);
	ovl2_store_close(place->hasty);
	ovl2_store_close(place->store);
	ovi_close_fd(&place->home);
	ovi_close_fd(&place->root);

	umount2(PLACE_ROOT "/run", MNT_DETACH);
	free(place->chain);
	free(place);
}
