#include "store.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "file.h"
#include "memo.h"
#include "options.h"
#include "overlay.h"
#include "process.h"
#include "quarantine.h"
#include "quota.h"
#include "scratch.h"
#include "strbuf.h"
#include "sys.h"
#include "tree.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

#define FORMAT_TEXT "ovl2 store 1\n"
#define DEFAULT_RUN "/run/ovl2"

/* Docker's limit, which every kernel and every id length can mount. */
#define DEFAULT_MAX_DEPTH 128
#define STAGE_ATTEMPTS 8

void ovi_store_log(const struct ovl2_store *store, enum ovl2_log_level level, const char *format,
                   ...)
{
	char message[512];
	va_list args;

	if (!store->options.log)
		return;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	store->options.log(store->options.log_data, level, message);
}

/* ------------------------------------------------------------------ locks -- */

static int open_lock(int home, const char *path, int *ret_fd, struct ovl2_error *err)
{
	*ret_fd = ovi_sys.openat(home, OVI_PRIVATE "/lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);

	return *ret_fd < 0 ? ovi_fail_errno(err, "open the lock of store '%s'", path) : 0;
}

static int lock_file(int fd, const char *path, int operation, struct ovl2_error *err)
{
	while (ovi_sys.flock(fd, operation) < 0)
		if (errno != EINTR)
			return ovi_fail_errno(err, "lock store '%s'", path);

	return 0;
}

int ovi_store_is_own(const struct ovl2_store *store)
{
	return ovi_process_id() == store->process;
}

static int take_spare(struct ovl2_store *store)
{
	int fd = -1;

	if (!ovi_store_is_own(store))
		return -1;
	for (size_t i = 0; i < OVI_SPARE_LOCKS && fd < 0; i++)
		fd = atomic_exchange(&store->spare_locks[i], -1);

	return fd;
}

static int keep_spare(struct ovl2_store *store, int fd)
{
	if (!ovi_store_is_own(store))
		return 0;
	for (size_t i = 0; i < OVI_SPARE_LOCKS; i++) {
		int none = -1;

		if (atomic_compare_exchange_strong(&store->spare_locks[i], &none, fd))
			return 1;
	}

	return 0;
}

int ovi_store_lock(struct ovl2_store *store, int operation, struct ovi_lock *ret_lock,
                   struct ovl2_error *err)
{
	cleanup_fd int fd = take_spare(store);
	int r = 0;

	if (fd < 0)
		r = open_lock(store->home, store->path, &fd, err);
	if (r == 0)
		r = lock_file(fd, store->path, operation, err);
	if (r < 0)
		return r;
	*ret_lock = (struct ovi_lock){ .store = store, .fd = steal_fd(&fd) };

	return 0;
}

void ovi_lock_release(struct ovi_lock *lock)
{
	cleanup_fd int fd = steal_fd(&lock->fd);
	int saved = errno;

	if (fd >= 0 && ovi_sys.flock(fd, LOCK_UN) == 0 && keep_spare(lock->store, fd))
		steal_fd(&fd);
	errno = saved;
}

int ovi_store_is_durable(const struct ovl2_store *store)
{
	return store->options.durability != OVL2_DURABILITY_NONE;
}

void ovi_store_mark(const struct ovl2_store *store, struct ovi_record *record)
{
	if (ovi_store_is_durable(store))
		record->boot[0] = '\0';
	else
		memcpy(record->boot, store->boot, sizeof(record->boot));
}

int ovi_store_sync(struct ovl2_store *store, struct ovl2_error *err)
{
	if (ovi_store_is_durable(store) && ovi_sys.syncfs(store->home) < 0)
		return ovi_fail_errno(err, "flush the filesystem of '%s'", store->path);

	return 0;
}

int ovi_store_flush(const struct ovl2_store *store, struct ovl2_error *err)
{
	if (ovi_sys.syncfs(store->home) < 0)
		return ovi_fail_errno(err, "flush the filesystem of '%s'", store->path);

	/*
	 * syncfs(2) did nothing and said 0 if an error had made the filesystem read-only
	 * (sync_filesystem() in fs/sync.c), or ext4 was shut down, before the commit "ext4:
	 * return error on syncfs after shutdown" of 2024.
	 */
	return ovi_dir_flush(store->home, store->path, err);
}

/* ---------------------------------------------------------------- staging -- */

/*
 * One attempt: 1 when the stage is ours, 0 when a collector, who cannot know a new
 * stage from a leftover before it is locked, was quicker.
 */
static int try_stage(struct ovi_stage *stage, struct ovl2_error *err)
{
	struct ovl2_store *store = stage->store;
	char random[OVI_LINK_LENGTH + 1];
	cleanup_fd int dir = -1;
	struct stat st;
	int r;

	r = ovi_random_name(random, err);
	if (r < 0)
		return r;
	snprintf(stage->name, sizeof(stage->name), OVI_PRIVATE "/staging/%s", random);

	if (ovi_sys.mkdirat(store->home, stage->name, 0700) < 0)
		return ovi_fail_errno(err, "create '%s/%s'", store->path, stage->name);
	dir = ovi_sys.openat(store->home, stage->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (dir >= 0 && ovi_sys.flock(dir, LOCK_EX | LOCK_NB) == 0 &&
	    ovi_sys.fstatat(store->home, stage->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		stage->dir = steal_fd(&dir);
		return 1;
	}
	if (errno == ENOENT || errno == EWOULDBLOCK)
		return 0;

	r = ovi_fail_errno(err, "open and lock '%s/%s'", store->path, stage->name);
	ovi_sys.unlinkat(store->home, stage->name, AT_REMOVEDIR);

	return r;
}

int ovi_stage_create(struct ovl2_store *store, struct ovi_stage *ret_stage, struct ovl2_error *err)
{
	struct ovi_stage stage = { .store = store, .dir = -1 };

	for (int i = 0; i < STAGE_ATTEMPTS; i++) {
		int r = try_stage(&stage, err);

		if (r < 0)
			return r;
		if (r > 0) {
			*ret_stage = stage;
			return 0;
		}
	}

	return ovi_fail(err, OVL2_E_BUSY, "others deleted %d stages of '%s' while they were made",
	                STAGE_ATTEMPTS, store->path);
}

/* Is there a layer of this project? When that cannot be told: as if there were. */
static int is_project_of_a_layer(struct ovl2_store *store, uint32_t project)
{
	cleanup_listing struct ovi_listing listing = { 0 };

	if (ovi_dir_list(store->home, store->path, &listing, NULL) < 0)
		return 1;
	for (size_t i = 0; i < listing.count; i++) {
		cleanup_fd int layer = -1;

		if (ovi_id_is_valid(listing.names[i].name) &&
		    ovi_dir_open(store->home, listing.names[i].name, &layer, NULL) == 0 &&
		    ovi_quota_get_project(layer) == project)
			return 1;
	}

	return 0;
}

void ovi_store_release_project(struct ovl2_store *store, uint32_t project)
{
	struct ovl2_error reason = { 0 };

	if (project < OVI_FIRST_PROJECT || is_project_of_a_layer(store, project))
		return;
	if (ovi_quota_set_limits(store->home, project, 0, 0, &reason) < 0)
		ovi_store_log(store, OVL2_LOG_WARNING, "a quota stayed: %s", reason.message);
}

void ovi_stage_remove(struct ovi_stage *stage)
{
	struct ovl2_error reason = { 0 };
	uint32_t project;
	int saved = errno;

	if (stage->dir < 0)
		return;

	project = ovi_quota_get_project(stage->dir);
	if (ovi_tree_remove(stage->store->home, stage->name, &reason) < 0)
		ovi_store_log(stage->store, OVL2_LOG_WARNING, "left behind: %s", reason.message);
	ovi_store_release_project(stage->store, project);
	close(stage->dir);
	stage->dir = -1;
	errno = saved;
}

/* Returns 0 when it is locked, that is, whoever made it still works on it; else 1. */
static int collect_one(struct ovl2_store *store, int parent, const char *name, int dry_run,
                       struct ovl2_error *err)
{
	cleanup_fd int dir = -1;
	uint32_t project = 0;
	int r;

	if (ovi_dir_open(parent, name, &dir, NULL) == 0) {
		if (ovi_sys.flock(dir, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
			return 0;
		project = ovi_quota_get_project(dir);
	}
	if (dry_run)
		return 1;
	r = ovi_tree_remove(parent, name, err);
	if (r < 0)
		return r;
	ovi_store_release_project(store, project);

	return 1;
}

static int collect(struct ovl2_store *store, const char *path, int dry_run, struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	cleanup_fd int dir = -1;
	int count = 0;
	int r;

	r = ovi_dir_open(store->home, path, &dir, err);
	if (r == 0)
		r = ovi_dir_list(dir, path, &listing, err);
	for (size_t i = 0; i < listing.count && r >= 0; i++) {
		r = collect_one(store, dir, listing.names[i].name, dry_run, err);
		count += r > 0;
	}

	return r < 0 ? r : count;
}

int ovi_store_collect(struct ovl2_store *store, int dry_run, struct ovl2_error *err)
{
	int stages = collect(store, OVI_STAGING, dry_run, err);
	int trash = stages < 0 ? stages : collect(store, OVI_TRASH, dry_run, err);

	return trash < 0 ? trash : stages + trash;
}

/* ------------------------------------------------------------------- open -- */

/* What may stand in a directory that is to become a store. */
static int is_harmless(const char *name)
{
	return strcmp(name, "lost+found") == 0 || strcmp(name, "l") == 0 ||
	       strcmp(name, OVI_PRIVATE) == 0 ||
	       strncmp(name, OVI_SCRATCH_PREFIX, strlen(OVI_SCRATCH_PREFIX)) == 0;
}

enum kind { KIND_NEW, KIND_OURS, KIND_DOCKER };

/* Returns an enum kind. */
static int recognise(int home, const char *path, struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	cleanup_free char *format = NULL;
	struct ovl2_error reason = { 0 };
	struct stat st;
	int r;

	r = ovi_file_read(home, OVI_PRIVATE "/format", sizeof(FORMAT_TEXT), &format, NULL, &reason);
	if (r == 0 && strcmp(format, FORMAT_TEXT) == 0)
		return KIND_OURS;
	if (r == 0)
		return ovi_fail(err, OVL2_E_CORRUPT,
		                "store '%s' is of a format not known here: '%.40s'", path, format);
	if (r != OVL2_E_NOT_FOUND) {
		if (err)
			*err = reason;
		return ovi_fail_within(err, r, "open store '%s'", path);
	}

	r = ovi_dir_list(home, path, &listing, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < listing.count; i++)
		if (!is_harmless(listing.names[i].name))
			r = 1;
	if (r == 0)
		return KIND_NEW;
	if (ovi_sys.fstatat(home, "l", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return KIND_DOCKER;

	return ovi_fail(err, OVL2_E_CORRUPT,
	                "'%s' is neither empty nor a layer store: choose another directory", path);
}

/* Fails unless this host can carry a store in the filesystem of `dir`. */
static int check_host(int dir, const char *path, const struct ovl2_store_options *options,
                      struct ovl2_error *err)
{
	struct ovl2_evidence evidence = { .value = 0 };
	int r;

	r = ovl2_probe_kernel_version(&evidence, err);
	if (r < 0)
		return r;
	if (r == 0 && !options->override_kernel_check)
		return ovi_fail(err, OVL2_E_UNSUPPORTED,
		                "open store '%s': %s: update it, or set "
		                "overlay2.override_kernel_check=true",
		                path, evidence.text);

	r = ovl2_probe_backing_fs(dir, &evidence, err);
	if (r < 0)
		return ovi_fail_within(err, r, "open store '%s'", path);
	if (r == 0)
		return ovi_fail(err, OVL2_E_UNSUPPORTED,
		                "open store '%s': overlayfs cannot write here: %s: put it on ext4, "
		                "xfs or btrfs",
		                path, evidence.text);

	r = ovl2_probe_d_type(dir, &evidence, err);
	if (r < 0)
		return ovi_fail_within(err, r, "open store '%s'", path);
	if (r == 0)
		return ovi_fail(err, OVL2_E_UNSUPPORTED,
		                "open store '%s': deleted files would show, for %s: make the "
		                "filesystem anew with d_type (mkfs.xfs -n ftype=1, or tune2fs -O "
		                "filetype and e2fsck -f)",
		                path, evidence.text);

	return 0;
}

static int make_directory(int dir, const char *name, const char *path, struct ovl2_error *err)
{
	if (ovi_sys.mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return ovi_fail_errno(err, "create '%s/%s'", path, name);

	return 0;
}

/* Makes the store's own directories; the format file, made last, makes it a store. */
static int make_store(int home, const char *path, struct ovl2_error *err)
{
	static const char *const names[] = {
		"l", OVI_PRIVATE, OVI_EMPTY, OVI_STAGING, OVI_TRASH, OVI_QUARANTINE,
	};
	cleanup_fd int lock = -1;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names) && r == 0; i++)
		r = make_directory(home, names[i], path, err);
	if (r == 0)
		r = open_lock(home, path, &lock, err);
	if (r == 0)
		r = lock_file(lock, path, LOCK_EX, err);
	if (r == 0)
		r = ovi_file_replace(home, OVI_PRIVATE "/format", FORMAT_TEXT, 1, err);
	if (r < 0)
		return r;

	return ovi_dir_flush(home, path, err);
}

/* The store's own directory under the run directory: by identity, not by path. */
static int name_run(int home, char *ret_name, size_t size, struct ovl2_error *err)
{
	struct stat st;

	if (ovi_sys.fstatat(home, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "look at the store");
	snprintf(ret_name, size, "%u-%u-%llu", major(st.st_dev), minor(st.st_dev),
	         (unsigned long long)st.st_ino);

	return 0;
}

static int open_run(struct ovl2_store *store, const char *path, struct ovl2_error *err)
{
	cleanup_fd int run = -1;
	char name[64];
	int r;

	if (ovi_sys.mkdirat(AT_FDCWD, path, 0700) < 0 && errno != EEXIST)
		return ovi_fail_errno(err, "create run directory '%s'", path);
	r = ovi_dir_open(AT_FDCWD, path, &run, err);
	if (r < 0)
		return ovi_fail_within(err, r, "open run directory");
	r = name_run(store->home, name, sizeof(name), err);
	if (r == 0)
		r = make_directory(run, name, path, err);
	if (r < 0)
		return r;

	return ovi_dir_open(run, name, &store->run, err);
}

/*
 * Was this store opened since boot? Then its host and filesystem were checked, and this is
 * its run directory; -1 when it was not.
 */
static int find_run(int home, const char *path)
{
	cleanup_fd int run = -1;
	char name[64];
	int own = -1;

	if (name_run(home, name, sizeof(name), NULL) < 0 ||
	    ovi_dir_open(AT_FDCWD, path, &run, NULL) < 0 || ovi_dir_open(run, name, &own, NULL) < 0)
		return -1;

	return own;
}

static void add_option(struct ovl2_store *store, const char *option)
{
	size_t length = strlen(store->mount_options);

	if (*option)
		snprintf(store->mount_options + length, sizeof(store->mount_options) - length,
		         "%s%s", length ? "," : "", option);
}

/*
 * Why these: see mount_options in ovl2.h. A parameter's file is there when the kernel
 * knows the option; redirect_always_follow came with "nofollow" (Linux 4.15).
 */
static void choose_mount_options(struct ovl2_store *store)
{
	static const struct {
		const char *parameter;
		const char *option;
	} known[] = {
		{ "index", "index=off" },
		{ "redirect_always_follow", "redirect_dir=nofollow" },
		{ "metacopy", "metacopy=off" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		char path[128];
		struct stat st;

		snprintf(path, sizeof(path), "/sys/module/overlay/parameters/%s",
		         known[i].parameter);
		if (ovi_sys.fstatat(AT_FDCWD, path, &st, 0) == 0)
			add_option(store, known[i].option);
	}
}

/*
 * One option of a caller: nothing that would bring in other directories or labels, and
 * nothing that is to be asked for at each mount (fsync=volatile is skip_sync).
 */
static int check_mount_option(const char *option, size_t length, struct ovl2_error *err)
{
	static const char *const allowed[] = {
		"index=", "redirect_dir=", "metacopy=", "xino=", "nfs_export=", "uuid=", "fsync=",
	};
	static const char characters[] = "abcdefghijklmnopqrstuvwxyz_=";

	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		if (strncmp(option, allowed[i], strlen(allowed[i])) == 0 &&
		    length > strlen(allowed[i]) && strspn(option, characters) >= length &&
		    strncmp(option, "fsync=volatile", length) != 0)
			return 0;

	return ovi_fail(err, OVL2_E_INVALID,
	                "mount option '%.*s' is none of index, redirect_dir, metacopy, xino, "
	                "nfs_export, uuid and fsync, with a value (for fsync=volatile: skip_sync)",
	                (int)length, option);
}

static int take_mount_options(struct ovl2_store *store, const char *options, struct ovl2_error *err)
{
	if (!options) {
		choose_mount_options(store);
		return 0;
	}
	if (strlen(options) >= sizeof(store->mount_options) / 2)
		return ovi_fail(err, OVL2_E_INVALID, "mount options of more than %zu characters",
		                sizeof(store->mount_options) / 2 - 1);

	for (const char *at = options; *at;) {
		size_t length = strcspn(at, ",");
		int r = check_mount_option(at, length, err);

		if (r < 0)
			return r;
		at += length + (at[length] == ',');
	}
	add_option(store, options);

	return 0;
}

static int take_attributes(struct ovl2_store *store, struct ovl2_error *err)
{
	int r = 0;

	if (store->options.attributes == OVL2_ATTRIBUTES_AUTO)
		r = ovi_attributes_choose(store->home, OVI_EMPTY, &store->attributes, err);
	else
		store->attributes = store->options.attributes == OVL2_ATTRIBUTES_USER
		                            ? &ovi_user_attributes
		                            : &ovi_trusted_attributes;
	if (r == 0)
		add_option(store, store->attributes->option);

	return r;
}

/*
 * Opens the directory, or where it is missing the one that is to hold it: what
 * must be known of the filesystem is asked before anything is made on it.
 */
static int open_or_parent(const char *path, int *ret_dir, struct ovl2_error *err)
{
	cleanup_free char *parent = NULL;
	char *slash;
	int fd;

	fd = ovi_sys.openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd >= 0) {
		*ret_dir = fd;
		return 1;
	}
	if (errno != ENOENT)
		return ovi_fail_errno(err, "open store '%s'", path);

	parent = strdup(path);
	if (!parent)
		return ovi_fail_memory(err);
	while (strlen(parent) > 1 && parent[strlen(parent) - 1] == '/')
		parent[strlen(parent) - 1] = '\0';
	slash = strrchr(parent, '/');
	if (slash)
		slash[slash == parent] = '\0';

	fd = ovi_sys.openat(AT_FDCWD, slash ? parent : ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return ovi_fail_errno(err, "create store '%s'", path);
	*ret_dir = fd;

	return 0;
}

/* `ret_run`: as find_run() has it. */
static int open_home(const char *path, const struct ovl2_store_options *options, int *ret_home,
                     int *ret_run, struct ovl2_error *err)
{
	cleanup_fd int dir = -1;
	cleanup_fd int run = -1;
	int exists;
	int kind = KIND_NEW;
	int r;

	exists = open_or_parent(path, &dir, err);
	if (exists < 0)
		return exists;
	if (exists) {
		kind = recognise(dir, path, err);
		if (kind < 0)
			return kind;
	}
	if (kind == KIND_NEW && options->must_exist)
		return ovi_fail(err, OVL2_E_NOT_FOUND,
		                "there is no store in '%s': creating a layer makes one", path);

	if (kind == KIND_OURS)
		run = find_run(dir, options->run_directory);
	if (run < 0) {
		r = check_host(dir, path, options, err);
		if (r < 0)
			return r;
	}
	if (options->quota_bytes) {
		r = ovi_quota_require(dir, path, err);
		if (r < 0)
			return ovi_fail_within(err, r, "open store '%s'", path);
	}
	if (!exists) {
		close(steal_fd(&dir));
		if (ovi_sys.mkdirat(AT_FDCWD, path, 0700) < 0 && errno != EEXIST)
			return ovi_fail_errno(err, "create store '%s'", path);
		r = ovi_dir_open(AT_FDCWD, path, &dir, err);
		if (r < 0)
			return r;
	}
	if (kind != KIND_OURS) {
		r = make_store(dir, path, err);
		if (r < 0)
			return r;
	}
	*ret_home = steal_fd(&dir);
	*ret_run = steal_fd(&run);

	return 0;
}

static int check_options(const struct ovl2_store_options *options, struct ovl2_error *err)
{
	if (options->max_depth > OVI_MAX_LOWERS)
		return ovi_fail(err, OVL2_E_INVALID, "max_depth %u is more than overlayfs's %d",
		                options->max_depth, OVI_MAX_LOWERS);
	if (!ovl2_mount_method_name(options->mount_method))
		return ovi_fail(err, OVL2_E_INVALID, "there is no mount method %d",
		                options->mount_method);
	if (options->attributes < OVL2_ATTRIBUTES_AUTO ||
	    options->attributes > OVL2_ATTRIBUTES_USER)
		return ovi_fail(err, OVL2_E_INVALID, "there are no attributes %d",
		                options->attributes);
	if (options->durability < OVL2_DURABILITY_COMMIT ||
	    options->durability > OVL2_DURABILITY_ALWAYS)
		return ovi_fail(err, OVL2_E_INVALID, "there is no durability %d",
		                options->durability);

	return 0;
}

static int fill(struct ovl2_store *store, const char *path, struct ovl2_error *err)
{
	struct stat st;
	int r;

	r = open_home(path, &store->options, &store->home, &store->run, err);
	if (r == 0)
		r = ovi_boot_read(store->boot, err);
	if (r < 0)
		return r;
	if (ovi_sys.fstatat(store->home, "", &st, AT_EMPTY_PATH) < 0)
		return ovi_fail_errno(err, "look at the store");
	store->device = st.st_dev;
	store->path = realpath(path, NULL);
	if (!store->path)
		return ovi_fail_errno(err, "resolve '%s'", path);

	/* Before the run directory says that this boot has seen the store. */
	if (store->run < 0) {
		r = ovi_quarantine_unflushed(store, err);
		if (r < 0)
			return r;
		r = open_run(store, store->options.run_directory, err);
	}
	store->options.run_directory = NULL;
	if (r == 0)
		r = take_mount_options(store, store->options.mount_options, err);
	store->options.mount_options = NULL;
	if (r == 0)
		r = take_attributes(store, err);

	if (r == 0)
		r = ovi_store_collect(store, 0, err);

	return r < 0 ? r : 0;
}

int ovl2_store_open(const char *path, const struct ovl2_store_options *options,
                    struct ovl2_store **ret_store, struct ovl2_error *err)
{
	struct ovl2_store_options own = { .size = 0 };
	struct ovl2_store *store;
	int r;

	if (!path || !*path || !ret_store)
		return ovi_fail(err, OVL2_E_INVALID, "a store needs a path");
	r = ovi_options_read(options, &own, sizeof(own), err);
	if (r == 0)
		r = check_options(&own, err);
	if (r < 0)
		return r;

	store = calloc(1, sizeof(*store));
	if (!store)
		return ovi_fail_memory(err);
	store->home = -1;
	store->run = -1;
	atomic_init(&store->counts, -1);
	for (size_t i = 0; i < OVI_SPARE_LOCKS; i++)
		atomic_init(&store->spare_locks[i], -1);
	store->process = ovi_process_id();
	store->memo = ovi_memo_new();
	if (!store->memo) {
		ovl2_store_close(store);
		return ovi_fail_memory(err);
	}
	store->options = own;
	if (!store->options.run_directory)
		store->options.run_directory = DEFAULT_RUN;
	if (!store->options.max_depth)
		store->options.max_depth = DEFAULT_MAX_DEPTH;

	r = fill(store, path, err);
	if (r < 0) {
		ovl2_store_close(store);
		return r;
	}
	*ret_store = store;

	return 0;
}

void ovl2_store_close(struct ovl2_store *store)
{
	if (!store)
		return;

	if (store->home >= 0)
		close(store->home);
	if (store->run >= 0)
		close(store->run);
	if (store->counts >= 0)
		close(store->counts);
	for (size_t i = 0; i < OVI_SPARE_LOCKS; i++)
		if (store->spare_locks[i] >= 0)
			close(store->spare_locks[i]);
	ovi_memo_free(store->memo);
	free(store->path);
	free(store);
}
