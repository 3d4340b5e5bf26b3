/* Mounting and unmounting layers: Docker's Get and Put. */

#include <ovl2.h>

#include "cleanup.h"
#include "fail.h"
#include "hold.h"
#include "layer.h"
#include "options.h"
#include "strbuf.h"
#include "sys.h"
#include "view.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>

/* What a call asks for, defaults filled in. */
struct request {
	enum ovl2_mount_method method;
	const char *label;
	int read_only;
};

static int read_request(const struct ovl2_store *store, const struct ovl2_mount_options *options,
                        struct request *ret_request, struct ovl2_error *err)
{
	struct ovl2_mount_options own = { .size = 0 };
	int r;

	r = ovi_options_read(options, &own, sizeof(own), err);
	if (r < 0)
		return r;
	if (own.label && strlen(own.label) >= OVI_LABEL_SIZE)
		return ovi_fail(err, OVL2_E_INVALID, "a mount label has at most %d characters",
		                OVI_LABEL_SIZE - 1);

	*ret_request = (struct request){
		.method = own.method ? own.method : store->options.mount_method,
		.label = own.label && *own.label ? own.label : NULL,
		.read_only = own.read_only,
	};

	return 0;
}

static int make_target(struct ovi_layer *layer, const char *name, struct ovl2_error *err)
{
	if (ovi_sys.mkdirat(layer->dir, name, 0700) < 0 && errno != EEXIST)
		return ovi_fail_errno(err, "create '%s/%s'", layer->id, name);

	return 0;
}

/* A second mount is the first one, so it has to be what was asked for. */
static int join(struct ovi_layer *layer, struct ovi_hold *hold, const struct request *request,
                struct ovl2_error *err)
{
	if (strcmp(hold->label, request->label ? request->label : "") != 0)
		return ovi_fail(err, OVL2_E_BUSY, "it is mounted with the label '%s'", hold->label);
	if (request->read_only && hold->is_writable)
		return ovi_fail(err, OVL2_E_BUSY, "it is mounted writable");
	if (!request->read_only && !hold->is_writable && !layer->record.is_committed)
		return ovi_fail(err, OVL2_E_BUSY, "it is mounted read-only");

	hold->count++;

	return ovi_hold_write(layer, hold, err);
}

static void unmount(struct ovi_layer *layer)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };

	ovi_strbuf_addf(&path, "%s/%s/merged", layer->store->path, layer->id);
	if (!path.failed && ovi_sys.umount2(path.text, UMOUNT_NOFOLLOW) < 0)
		ovi_store_log(layer->store, OVL2_LOG_WARNING, "unmount '%s': %s", path.text,
		              strerrordesc_np(errno));
}

static int mount_first(struct ovi_layer *layer, const struct request *request,
                       struct ovl2_error *err)
{
	cleanup_view struct ovi_view view = { .lower = NULL };
	struct ovi_hold hold = { .count = 1 };
	char target[OVL2_ID_SIZE + 8];
	int r;

	hold.is_writable = !request->read_only && !layer->record.is_committed;
	snprintf(hold.label, sizeof(hold.label), "%s", request->label ? request->label : "");

	r = ovi_view_init(&view, layer, hold.is_writable, request->label, err);
	/* Docker makes these when it needs them; a layer of ours has them from the start. */
	if (r == 0 && layer->record.is_foreign)
		r = make_target(layer, "merged", err);
	if (r == 0 && layer->record.is_foreign && hold.is_writable)
		r = make_target(layer, "work", err);
	if (r < 0)
		return r;

	snprintf(target, sizeof(target), "%s/merged", layer->id);
	r = ovi_overlay_attach(&view.overlay, request->method, target, err);
	if (r < 0)
		return r;

	r = ovi_hold_write(layer, &hold, err);
	if (r < 0)
		unmount(layer);

	return r;
}

static int mount_layer(struct ovl2_store *store, const char *id, const struct request *request,
                       struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	struct ovi_hold hold;
	cleanup_fd int lock = -1;
	int r;

	r = ovi_store_lock(store, LOCK_SH, &lock, err);
	if (r == 0)
		r = ovi_layer_open_locked(store, id, &layer, err);
	if (r == 0)
		r = ovi_hold_read(&layer, &hold, err);
	if (r < 0)
		return r;

	return hold.count ? join(&layer, &hold, request, err) : mount_first(&layer, request, err);
}

int ovl2_layer_mount(struct ovl2_store *store, const char *id,
                     const struct ovl2_mount_options *options, char **ret_path,
                     struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	struct request request;
	int r;

	r = ovi_id_check(id, err);
	if (r == 0)
		r = read_request(store, options, &request, err);
	if (r < 0)
		return r;

	/* Before mounting: afterwards nothing may fail. */
	ovi_strbuf_addf(&path, "%s/%s/merged", store->path, id);
	if (path.failed)
		return ovi_fail_memory(err);

	r = mount_layer(store, id, &request, err);
	if (r < 0)
		return ovi_fail_within(err, r, "mount layer '%s'", id);
	if (ret_path)
		*ret_path = ovi_strbuf_steal(&path);

	return 0;
}

static int unmount_last(struct ovi_layer *layer, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };
	struct ovi_hold none = { .count = 0 };

	ovi_strbuf_addf(&path, "%s/%s/merged", layer->store->path, layer->id);
	if (path.failed)
		return ovi_fail_memory(err);
	if (ovi_sys.umount2(path.text, UMOUNT_NOFOLLOW) < 0) {
		if (errno == EBUSY)
			return ovi_fail_errno(err, "files under '%s' are in use (fuser -vm '%s')",
			                      path.text, path.text);
		return ovi_fail_errno(err, "unmount '%s'", path.text);
	}

	return ovi_hold_write(layer, &none, err);
}

static int unmount_layer(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	struct ovi_hold hold;
	cleanup_fd int lock = -1;
	int r;

	r = ovi_store_lock(store, LOCK_SH, &lock, err);
	if (r == 0)
		r = ovi_layer_open_locked(store, id, &layer, err);
	if (r == 0)
		r = ovi_hold_read(&layer, &hold, err);
	if (r < 0)
		return r;
	if (hold.count == 1)
		return unmount_last(&layer, err);

	/* Of what is not mounted, only the count may be left over. */
	if (hold.count)
		hold.count--;
	r = ovi_hold_write(&layer, &hold, err);

	return r < 0 ? r : (int)hold.count;
}

int ovl2_layer_unmount(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	int r = unmount_layer(store, id, err);

	return r < 0 ? ovi_fail_within(err, r, "unmount layer '%s'", id ? id : "") : r;
}

/* ------------------------------------------------------------------- spec -- */

/* The spec and all that it points to, in one piece of memory each. */
struct spec {
	struct ovl2_mount_spec public;
	char **paths;
	size_t count;
	char *data;
};

void ovl2_mount_spec_free(struct ovl2_mount_spec *public)
{
	struct spec *spec = (struct spec *)public;

	if (!spec)
		return;

	for (size_t i = 0; i < spec->count; i++)
		free(spec->paths[i]);
	free(spec->paths);
	free(spec->data);
	free(spec);
}

static const char *add_path(struct spec *spec, const char *home, const char *name)
{
	char *path = NULL;

	if (!name)
		return NULL;
	if (asprintf(&path, "%s/%s", home, name) < 0)
		return NULL;
	spec->paths[spec->count++] = path;

	return path;
}

static int fill_spec(struct spec *spec, const struct ovi_overlay *overlay, const char *id,
                     struct ovl2_error *err)
{
	struct ovl2_mount_spec *public = &spec->public;
	cleanup_strbuf struct ovi_strbuf data = { 0 };
	char target[OVL2_ID_SIZE + 8];
	size_t wanted;

	spec->paths = calloc(overlay->lower_count + 3, sizeof(*spec->paths));
	if (!spec->paths)
		return ovi_fail_memory(err);

	for (size_t i = 0; i < overlay->lower_count; i++)
		add_path(spec, overlay->home_path, overlay->lower[i]);
	public->upper = add_path(spec, overlay->home_path, overlay->upper);
	public->work = add_path(spec, overlay->home_path, overlay->work);
	snprintf(target, sizeof(target), "%s/merged", id);
	public->target = add_path(spec, overlay->home_path, target);

	ovi_strbuf_add(&data, "");
	ovi_overlay_data(overlay, public->method, &data);
	wanted = overlay->lower_count + (overlay->upper ? 3 : 1);
	if (data.failed || spec->count != wanted)
		return ovi_fail_memory(err);

	public->lower = (const char *const *)spec->paths;
	public->lower_count = overlay->lower_count;
	public->data_bytes = data.length;
	spec->data = ovi_strbuf_steal(&data);
	public->data = spec->data;

	return 0;
}

int ovl2_layer_mount_spec(struct ovl2_store *store, const char *id,
                          const struct ovl2_mount_options *options,
                          struct ovl2_mount_spec **ret_spec, struct ovl2_error *err)
{
	cleanup_layer struct ovi_layer layer = OVI_LAYER_NONE;
	cleanup_view struct ovi_view view = { .lower = NULL };
	struct request request;
	enum ovl2_mount_method method;
	struct spec *spec;
	int r;

	r = read_request(store, options, &request, err);
	if (r == 0)
		r = ovi_layer_open(store, id, &layer, err);
	if (r == 0)
		r = ovi_view_init(&view, &layer, !request.read_only && !layer.record.is_committed,
		                  request.label, err);
	if (r == 0)
		r = ovi_overlay_choose(&view.overlay, request.method, &method, err);
	if (r < 0)
		return r;

	spec = calloc(1, sizeof(*spec));
	if (!spec)
		return ovi_fail_memory(err);
	spec->public.method = (int)method;
	r = fill_spec(spec, &view.overlay, id, err);
	if (r < 0) {
		ovl2_mount_spec_free(&spec->public);
		return r;
	}
	*ret_spec = &spec->public;

	return 0;
}
