#include "view.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "hold.h"
#include "sys.h"
#include "volatile.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

void ovi_view_release(struct ovi_view *view)
{
	ovi_pins_release(&view->pins);
}

int ovi_view_init(struct ovi_view *view, struct ovi_layer *layer, int is_writable,
                  int by_descriptor, const char *label, struct ovl2_error *err)
{
	struct ovl2_store *store = layer->store;
	size_t first = is_writable ? 1 : 0;
	int r;

	r = ovi_pins_open(layer, by_descriptor, &view->pins, err);
	if (r < 0)
		return r;

	ovi_layer_path(view->upper, layer->id, "diff");
	ovi_layer_path(view->work, layer->id, "work");
	view->overlay = (struct ovi_overlay){
		.home = store->home,
		.home_path = store->path,
		.lower = view->pins.names + first,
		.lower_fds = view->pins.fds + first,
		.lower_count = view->pins.count - first,
		.upper = is_writable ? view->upper : NULL,
		.work = is_writable ? view->work : NULL,
		.upper_fd = view->pins.upper,
		.work_fd = view->pins.work,
		.options = store->mount_options,
		.label = label,
	};

	return 0;
}

enum { AS_LOWERS, WITH_UPPER };

/* `options` NULL: the store's own. */
static int open_view(struct ovl2_store *store, const char *id, const char *options, int with_upper,
                     int *ret_root, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	cleanup_view struct ovi_view view = { .upper = "" };
	struct ovi_hold hold;
	int r;

	if (!*id)
		return ovi_dir_open(store->home, OVI_EMPTY, ret_root, err);

	r = ovi_layer_open(store, id, &layer, err);
	if (r == 0)
		r = ovi_volatile_check(store, layer.dir, err);
	if (r >= 0)
		r = ovi_hold_read(&layer, &hold, err);
	/* Its upper must not be a lower as well: what is mounted is the view. */
	if (r == 0 && hold.count && hold.is_writable)
		return ovi_dir_open(layer.dir, "merged", ret_root, err);
	if (r == 0)
		r = ovi_view_init(&view, &layer, with_upper, 1, NULL, err);
	if (r == 0 && options)
		view.overlay.options = options;
	if (r == 0)
		r = ovi_overlay_open(&view.overlay, ret_root, err);

	return r < 0 ? ovi_fail_within(err, r, "look at layer '%s'", id) : 0;
}

int ovi_view_open(struct ovl2_store *store, const char *id, int *ret_root, struct ovl2_error *err)
{
	return open_view(store, id, NULL, AS_LOWERS, ret_root, err);
}

int ovi_view_open_content(struct ovl2_store *store, const char *id, int are_user_marks,
                          int *ret_root, struct ovl2_error *err)
{
	const char *options = "";

	/*
	 * metacopy=on turns redirects on as well, and to ask for both is an error on some
	 * kernels. The store's own options name what this kernel knows.
	 */
	if (are_user_marks)
		options = "userxattr";
	else if (strstr(store->mount_options, "metacopy="))
		options = "metacopy=on";
	else if (strstr(store->mount_options, "redirect_dir="))
		options = "redirect_dir=on";

	return open_view(store, id, options, AS_LOWERS, ret_root, err);
}

int ovi_view_is_plain(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	char path[OVL2_ID_SIZE + 8];
	struct stat st;

	snprintf(path, sizeof(path), "%s/lower", id);
	if (ovi_sys.fstatat(store->home, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;

	return errno == ENOENT ? 1 : ovi_fail_errno(err, "look at '%s'", path);
}

int ovi_view_open_plain(struct ovl2_store *store, const char *id, int *ret_root,
                        struct ovl2_error *err)
{
	char path[OVL2_ID_SIZE + 8];

	snprintf(path, sizeof(path), "%s/diff", id);

	return ovi_dir_open(store->home, path, ret_root, err);
}

int ovi_view_open_indexed(struct ovl2_store *store, const char *id, int *ret_root,
                          struct ovl2_error *err)
{
	const char *options =
		strstr(store->mount_options, "metacopy=") ? "index=on,metacopy=on" : "index=on";

	return open_view(store, id, options, WITH_UPPER, ret_root, err);
}
