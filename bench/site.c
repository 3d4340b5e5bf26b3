#include "site.h"

#include "image.h"
#include "place.h"

#include "cleanup.h"
#include "fail.h"
#include "tree.h"

#include <fcntl.h>
#include <sys/mount.h>

/* The most that each tier writes, with room for what a filesystem keeps to itself. */
static uint64_t needed_bytes(enum bench_tier tier)
{
	switch (tier) {
	case BENCH_TIER_FULL:
		return 12ull << 30;
	case BENCH_TIER_SMOKE:
	case BENCH_TIER_EXACT:
		return 512ull << 20;
	default:
		return 2ull << 30;
	}
}

static int open_directory(struct site *site, const struct site_options *options,
                          struct ovl2_error *err)
{
	const char *directory = options->directory;
	int r;

	r = image_check_room(directory, needed_bytes(options->tier), err);
	if (r < 0)
		return r;

	site->parent = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (site->parent < 0)
		return ovi_fail_errno(err, "open the directory '%s'", directory);

	/* What a run left that was killed. */
	r = ovi_scratch_sweep(site->parent, err);
	if (r >= 0)
		r = ovi_scratch_create(site->parent, &site->scratch, err);
	if (r < 0)
		return ovi_fail_within(err, r, "work in '%s'", directory);

	if (mount(site->scratch.path, PLACE_MOUNT_POINT, NULL, MS_BIND, NULL) < 0)
		return ovi_fail_errno(err, "bind '%s' to '%s'", site->scratch.path,
		                      PLACE_MOUNT_POINT);

	return 0;
}

static int open_image(struct site *site, const struct site_options *options, struct ovl2_error *err)
{
	const struct image_options image = {
		.filesystem = options->filesystem,
		.bytes = needed_bytes(options->tier),
		.mount_point = PLACE_MOUNT_POINT,
	};
	int r = image_open(&image, &site->image, err);

	if (r == 0)
		site->image_bytes = image.bytes;

	return r;
}

int site_open(const struct site_options *options, struct site *site, struct ovl2_error *err)
{
	int r;

	r = image_enter_namespace(err);
	if (r == 0)
		r = options->directory ? open_directory(site, options, err)
		                       : open_image(site, options, err);
	if (r < 0)
		return r;

	site->root = open(PLACE_MOUNT_POINT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (site->root < 0)
		return ovi_fail_errno(err, "open '%s'", PLACE_MOUNT_POINT);

	return 0;
}

int site_clear(const struct site *site, struct ovl2_error *err)
{
	int r = ovi_tree_remove(site->root, PLACE_NAME, err);

	if (r < 0)
		return r;

	/* The next round is not to wait for what this one wrote. */
	return syncfs(site->root) < 0 ? ovi_fail_errno(err, "sync '%s'", PLACE_MOUNT_POINT) : 0;
}

void site_close(struct site *site)
{
	ovi_close_fd(&site->root);
	image_close(site->image);
	if (site->scratch.dir >= 0)
		umount2(PLACE_MOUNT_POINT, MNT_DETACH);
	ovi_scratch_release(&site->scratch);
	ovi_close_fd(&site->parent);
}
