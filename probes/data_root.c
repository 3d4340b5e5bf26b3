#include "data_root.h"

#include "cleanup.h"
#include "daemon.h"
#include "fail.h"
#include "host_file.h"
#include "strbuf.h"
#include "toml.h"

#include <glob.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* containerd passes over a file that it has read before; nobody needs more levels. */
#define MAX_IMPORTS 3

/* What a search knows. */
struct search {
	const char *root;

	/* "/var/lib/docker" as the host sees it, and what says so. */
	struct ovi_strbuf path;
	struct ovi_strbuf why;

	/* Where layers are in it. */
	const char *below;
};

/* ---------------------------------------------------------- configuration -- */

static void set(struct ovi_strbuf *buf, const char *text)
{
	ovi_strbuf_cut(buf, 0);
	ovi_strbuf_add(buf, text);
}

/* $HOME, $USER and $UID, as storage.conf(5) has them. */
static void add_expanded(struct ovi_strbuf *path, const char *text)
{
	while (*text) {
		const char *home = getenv("HOME");
		const char *user = getenv("USER");

		if (strncmp(text, "$HOME", 5) == 0 && home) {
			ovi_strbuf_add(path, home);
			text += 5;
		} else if (strncmp(text, "$USER", 5) == 0 && user) {
			ovi_strbuf_add(path, user);
			text += 5;
		} else if (strncmp(text, "$UID", 4) == 0) {
			ovi_strbuf_addf(path, "%u", (unsigned int)geteuid());
			text += 4;
		} else {
			ovi_strbuf_add_bytes(path, text++, 1);
		}
	}
}

/* Takes what file `path` says about `name`: 1, or 0 when it says nothing. */
static int take(struct search *search, const char *path, const char *name, const char *value,
                struct ovl2_error *err)
{
	ovi_strbuf_cut(&search->path, 0);
	add_expanded(&search->path, value);
	ovi_strbuf_cut(&search->why, 0);
	ovi_strbuf_addf(&search->why, "'%s' in %s", name, path);
	if (search->path.failed || search->why.failed)
		return ovi_fail_memory(err);
	if (search->path.length == 0 || search->path.text[0] != '/')
		return ovi_fail(err, OVL2_E_INVALID,
		                "'%s': %s is '%s', not an absolute path; give the directory", path,
		                name, value);

	return 1;
}

static int take_json(struct search *search, const char *path, const char *name,
                     struct ovl2_error *err)
{
	cleanup_free char *text = NULL;
	json_error_t why;
	json_t *document;
	const json_t *value;
	int r;

	r = host_read(search->root, path, &text, err);
	if (r <= 0)
		return r;
	document = json_loads(text, 0, &why);
	if (!document)
		return ovi_fail(err, OVL2_E_INVALID, "'%s': not JSON: line %d: %s", path, why.line,
		                why.text);

	r = 0;
	value = json_object_get(document, name);
	if (value && !json_is_string(value))
		r = ovi_fail(err, OVL2_E_INVALID, "'%s': %s: not a string", path, name);
	else if (value)
		r = take(search, path, name, json_string_value(value), err);
	json_decref(document);

	return r;
}

static int take_toml(struct search *search, const char *path, const char *name,
                     struct ovl2_error *err)
{
	cleanup_free char *text = NULL;
	cleanup_free char *value = NULL;
	int r;

	r = host_read(search->root, path, &text, err);
	if (r <= 0)
		return r;
	r = toml_find(text, name, &value, err);
	if (r < 0)
		return ovi_fail_within(err, r, "'%s'", path);

	return r && *value ? take(search, path, name, value, err) : 0;
}

/* The last of the drop-in files that match wins, as for the engines. */
static int take_toml_last(struct search *search, const char *pattern, const char *name,
                          struct ovl2_error *err)
{
	cleanup_free char *joined = NULL;
	size_t skip = strlen(search->root);
	glob_t files = { 0 };
	int r = 0;

	if (asprintf(&joined, "%s%s", search->root, pattern) < 0) {
		joined = NULL;
		return ovi_fail_memory(err);
	}
	if (glob(joined, 0, NULL, &files) == 0)
		for (size_t i = files.gl_pathc; i > 0 && r == 0; i--)
			r = take_toml(search, files.gl_pathv[i - 1] + skip, name, err);
	globfree(&files);

	return r;
}

/* What `daemon` was told on its command line about its root. */
static int take_option(struct search *search, const struct daemon *daemon, const char *const *names,
                       struct ovl2_error *err)
{
	cleanup_daemon_option struct daemon_option option = { 0 };
	cleanup_free char *name = NULL;
	int r;

	r = daemon_find_option(search->root, daemon, names, &option, err);
	if (r <= 0)
		return r;
	if (asprintf(&name, "--%s", names[0]) < 0) {
		name = NULL;
		return ovi_fail_memory(err);
	}

	return take(search, option.where, name, option.value, err);
}

/* The configuration that `daemon` was told to read; a copy of `usual` when none. */
static int find_config(const struct search *search, const struct daemon *daemon,
                       const char *const *names, const char *usual, char **ret_path,
                       struct ovl2_error *err)
{
	cleanup_daemon_option struct daemon_option option = { 0 };
	int r;

	r = daemon_find_option(search->root, daemon, names, &option, err);
	if (r < 0)
		return r;
	*ret_path = option.value ? steal_ptr(&option.value) : strdup(usual);

	return *ret_path ? 0 : ovi_fail_memory(err);
}

static int take_default(struct search *search, const char *path)
{
	set(&search->path, path);
	set(&search->why, "the engine's default, no configuration says otherwise");

	return 1;
}

/* A file of the user's own, "~/.config" and "~/.local/share" when not told otherwise. */
static char *user_path(const char *variable, const char *below_home, const char *name)
{
	const char *directory = getenv(variable);
	const char *home = getenv("HOME");
	char *path = NULL;
	int r;

	if (directory && *directory == '/')
		r = asprintf(&path, "%s/%s", directory, name);
	else
		r = asprintf(&path, "%s/%s/%s", home ? home : "", below_home, name);

	return r < 0 ? NULL : path;
}

static char *user_config(const char *name)
{
	return user_path("XDG_CONFIG_HOME", ".config", name);
}

static char *user_data(const char *name)
{
	return user_path("XDG_DATA_HOME", ".local/share", name);
}

/* ---------------------------------------------------------------- engines -- */

static int find_docker(struct search *search, struct ovl2_error *err)
{
	static const struct daemon dockerd = { "dockerd", "docker.service" };
	static const char *const roots[] = { "data-root", "g", "graph", NULL };
	static const char *const configs[] = { "config-file", NULL };
	cleanup_free char *path = NULL;
	int r;

	search->below = "overlay2";
	r = find_config(search, &dockerd, configs, "/etc/docker/daemon.json", &path, err);
	if (r == 0)
		r = take_option(search, &dockerd, roots, err);
	if (r == 0)
		r = take_json(search, path, "data-root", err);
	if (r == 0)
		r = take_json(search, path, "graph", err);

	return r ? r : take_default(search, "/var/lib/docker");
}

static int find_docker_rootless(struct search *search, struct ovl2_error *err)
{
	cleanup_free char *config = user_config("docker/daemon.json");
	cleanup_free char *data = user_data("docker");
	int r;

	search->below = "overlay2";
	if (!config || !data)
		return ovi_fail_memory(err);
	r = take_json(search, config, "data-root", err);

	return r ? r : take_default(search, data);
}

static int take_imported(struct search *search, const char *path, const char *name, int levels,
                         struct ovl2_error *err);

/* The files that match `pattern`, which is relative to the file that names it. */
static int take_matches(struct search *search, const char *path, const char *pattern,
                        const char *name, int levels, struct ovl2_error *err)
{
	const char *slash = *pattern == '/' ? path : strrchr(path, '/');
	size_t skip = strlen(search->root);
	cleanup_free char *joined = NULL;
	glob_t files = { 0 };
	int r = 0;

	if (asprintf(&joined, "%s%.*s%s%s", search->root, (int)(slash - path), path,
	             *pattern == '/' ? "" : "/", pattern) < 0) {
		joined = NULL;
		return ovi_fail_memory(err);
	}
	if (glob(joined, 0, NULL, &files) == 0)
		for (size_t i = files.gl_pathc; i > 0 && r == 0; i--)
			r = take_imported(search, files.gl_pathv[i - 1] + skip, name, levels - 1,
			                  err);
	globfree(&files);

	return r;
}

/*
 * What a configuration of containerd says, or the files that it imports: those go before
 * it, the later before the earlier (containerd-config.toml(5), "imports").
 */
static int take_imported(struct search *search, const char *path, const char *name, int levels,
                         struct ovl2_error *err)
{
	cleanup_free char *text = NULL;
	cleanup_free char *imports = NULL;
	char *last;
	int r;

	if (levels == 0)
		return 0;
	r = host_read(search->root, path, &text, err);
	if (r <= 0)
		return r;
	r = toml_find_list(text, "imports", &imports, err);
	if (r < 0)
		return ovi_fail_within(err, r, "'%s'", path);

	/* From the last line to the first. */
	for (r = 0; r == 0 && *imports; *last = '\0') {
		imports[strlen(imports) - 1] = '\0';
		last = strrchr(imports, '\n');
		last = last ? last + 1 : imports;
		r = take_matches(search, path, last, name, levels, err);
	}

	return r ? r : take_toml(search, path, name, err);
}

static int find_containerd(struct search *search, struct ovl2_error *err)
{
	static const char plugin[] = "plugins.io.containerd.snapshotter.v1.overlayfs.root_path";
	static const struct daemon containerd = { "containerd", "containerd.service" };
	static const char *const roots[] = { "root", NULL };
	static const char *const configs[] = { "config", "c", NULL };
	cleanup_free char *path = NULL;
	int r;

	search->below = "io.containerd.snapshotter.v1.overlayfs";
	r = find_config(search, &containerd, configs, "/etc/containerd/config.toml", &path, err);
	if (r == 0)
		r = take_imported(search, path, plugin, MAX_IMPORTS, err);
	if (r == 0)
		r = take_option(search, &containerd, roots, err);
	if (r == 0)
		r = take_imported(search, path, "root", MAX_IMPORTS, err);

	return r ? r : take_default(search, "/var/lib/containerd");
}

static int find_podman(struct search *search, struct ovl2_error *err)
{
	const char *given = *search->root ? NULL : getenv("CONTAINERS_STORAGE_CONF");
	int r = 0;

	search->below = "overlay";
	if (given && *given)
		r = take_toml(search, given, "storage.graphroot", err);
	if (r == 0)
		r = take_toml(search, "/etc/containers/storage.conf", "storage.graphroot", err);
	if (r == 0)
		r = take_toml(search, "/usr/share/containers/storage.conf", "storage.graphroot",
		              err);

	return r ? r : take_default(search, "/var/lib/containers/storage");
}

static int find_podman_rootless(struct search *search, struct ovl2_error *err)
{
	static const char rootless[] = "storage.rootless_storage_path";
	cleanup_free char *config = user_config("containers/storage.conf");
	cleanup_free char *data = user_data("containers/storage");
	int r;

	search->below = "overlay";
	if (!config || !data)
		return ovi_fail_memory(err);
	r = take_toml(search, config, "storage.graphroot", err);
	if (r == 0)
		r = take_toml(search, config, rootless, err);
	if (r == 0)
		r = take_toml(search, "/etc/containers/storage.conf", rootless, err);

	return r ? r : take_default(search, data);
}

static int find_crio(struct search *search, struct ovl2_error *err)
{
	int r;

	r = take_toml_last(search, "/etc/crio/crio.conf.d/*", "crio.root", err);
	if (r == 0)
		r = take_toml(search, "/etc/crio/crio.conf", "crio.root", err);

	return r ? r : find_podman(search, err);
}

static int find_buildkit(struct search *search, struct ovl2_error *err)
{
	cleanup_free char *config = user_config("buildkit/buildkitd.toml");
	cleanup_free char *data = user_data("buildkit");
	int is_root = geteuid() == 0;
	int r;

	search->below = "runc-overlayfs";
	if (!config || !data)
		return ovi_fail_memory(err);
	r = take_toml(search, is_root ? "/etc/buildkit/buildkitd.toml" : config, "root", err);

	return r ? r : take_default(search, is_root ? "/var/lib/buildkit" : data);
}

/* Does the kubelet talk to CRI-O? By what it was told, else by what is installed. */
static int uses_crio(const struct search *search, struct ovl2_error *err)
{
	static const char *const files[] = { "/var/lib/kubelet/kubeadm-flags.env",
		                             "/var/lib/kubelet/config.yaml" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *text = NULL;
		int r = host_read(search->root, files[i], &text, err);

		if (r < 0)
			return r;
		if (text && strstr(text, "crio.sock"))
			return 1;
		if (text && strstr(text, "containerd.sock"))
			return 0;
	}

	return host_is_directory(search->root, "/etc/crio") &&
	       !host_is_directory(search->root, "/etc/containerd");
}

static int find_kubernetes(struct search *search, struct ovl2_error *err)
{
	int crio = uses_crio(search, err);
	int r;

	if (crio < 0)
		return crio;
	r = crio ? find_crio(search, err) : find_containerd(search, err);
	ovi_strbuf_add(&search->why, crio ? "; the kubelet's runtime is CRI-O"
	                                  : "; the kubelet's runtime is containerd");

	return r;
}

/* Its configuration file has no field for it: kubelet(8), --root-dir. */
static int find_kubelet(struct search *search, struct ovl2_error *err)
{
	static const struct daemon kubelet = { "kubelet", "kubelet.service" };
	static const char *const roots[] = { "root-dir", NULL };
	int r;

	search->below = "pods";
	r = take_option(search, &kubelet, roots, err);

	return r ? r : take_default(search, "/var/lib/kubelet");
}

static const struct engine {
	const char *profile;
	int (*find)(struct search *search, struct ovl2_error *err);

	/* The second directory, or NULL. */
	int (*find_also)(struct search *search, struct ovl2_error *err);
} engines[] = {
	{ "docker", find_docker, NULL },
	{ "docker-containerd", find_containerd, NULL },
	{ "containerd", find_containerd, NULL },
	{ "kubernetes", find_kubernetes, find_kubelet },
	{ "kubernetes-userns", find_kubernetes, find_kubelet },
	{ "podman", find_podman, NULL },
	{ "podman-rootless", find_podman_rootless, NULL },
	{ "docker-rootless", find_docker_rootless, NULL },
	{ "cri-o", find_crio, NULL },
	{ "buildkit", find_buildkit, NULL },
	{ "composefs", find_podman, NULL },
};

/* ------------------------------------------------------------------- path -- */

/* Into what is there: layers are often on a mount of their own. */
static void descend(struct search *search)
{
	size_t length = search->path.length;

	ovi_strbuf_addf(&search->path, "/%s", search->below);
	if (!search->path.failed && host_is_directory(search->root, search->path.text))
		ovi_strbuf_addf(&search->why, "; its layers are in '%s'", search->below);
	else
		ovi_strbuf_cut(&search->path, length);
}

/* Up to what is there: what will be made lands on that filesystem. */
static void ascend(struct search *search)
{
	cleanup_free char *wanted = search->path.failed ? NULL : strdup(search->path.text);

	while (wanted && search->path.length > 1 &&
	       !host_is_directory(search->root, search->path.text)) {
		const char *slash = strrchr(search->path.text, '/');
		size_t length = (size_t)(slash - search->path.text);

		ovi_strbuf_cut(&search->path, length > 0 ? length : 1);
	}
	if (wanted && strcmp(wanted, search->path.text) != 0)
		ovi_strbuf_addf(&search->why, "; '%s' does not exist yet, this is where it will be",
		                wanted);
}

static int resolve(struct search *search, struct probe_data_root *ret_data_root,
                   struct ovl2_error *err)
{
	cleanup_fd int fd = -1;
	char link[64];
	char *path;

	if (search->path.failed || search->why.failed)
		return ovi_fail_memory(err);
	fd = host_open(search->root, search->path.text);
	if (fd < 0)
		return ovi_fail_errno(err, "open '%s%s'", search->root, search->path.text);

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	path = realpath(link, NULL);
	if (!path)
		return ovi_fail_errno(err, "resolve '%s%s'", search->root, search->path.text);

	ret_data_root->path = path;
	ret_data_root->why = ovi_strbuf_steal(&search->why);

	return 1;
}

static int find(const char *root, int (*engine)(struct search *search, struct ovl2_error *err),
                struct probe_data_root *ret_data_root, struct ovl2_error *err)
{
	struct search search = { .root = root };
	int r = engine(&search, err);

	if (r > 0) {
		descend(&search);
		ascend(&search);
		r = resolve(&search, ret_data_root, err);
	}
	ovi_strbuf_release(&search.path);
	ovi_strbuf_release(&search.why);

	return r;
}

static const struct engine *find_engine(const char *profile)
{
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++)
		if (strcmp(engines[i].profile, profile) == 0)
			return &engines[i];

	return NULL;
}

int probe_data_root_find(const char *profile, const char *root,
                         struct probe_data_root *ret_data_root, struct ovl2_error *err)
{
	const struct engine *engine = find_engine(profile);

	return engine ? find(root, engine->find, ret_data_root, err) : 0;
}

int probe_data_root_find_also(const char *profile, const char *root,
                              struct probe_data_root *ret_data_root, struct ovl2_error *err)
{
	const struct engine *engine = find_engine(profile);

	return engine && engine->find_also ? find(root, engine->find_also, ret_data_root, err) : 0;
}

void probe_data_root_release(struct probe_data_root *data_root)
{
	free(data_root->path);
	free(data_root->why);
	*data_root = (struct probe_data_root){ NULL, NULL };
}
