/*
 * libovl2 - a store of filesystem layers on top of Linux overlayfs.
 *
 * A store is a directory, in the on-disk layout of Docker's overlay2 driver. A
 * layer is a directory of changes inside the store, with at most one parent.
 * Mounting a layer shows it on top of its parents.
 *
 *     struct ovl2_error err = { 0 };
 *     struct ovl2_store *store = NULL;
 *     char *merged = NULL;
 *
 *     if (ovl2_store_open("/var/lib/ovl2", NULL, &store, &err) < 0 ||
 *         ovl2_layer_create(store, "base", NULL, &err) < 0 ||
 *         ovl2_layer_apply(store, "base", NULL, tar_fd, NULL, &err) < 0 ||
 *         ovl2_layer_mount(store, "base", NULL, &merged, &err) < 0)
 *             fprintf(stderr, "%s\n", err.message);
 *
 * Rules that hold for every function in this file:
 *
 *  - Result. An int is 0 (or a count, or 1 and 0 for yes and no) on success and
 *    a negative enum ovl2_code on failure. Nothing else signals failure; errno
 *    means nothing here.
 *  - Outputs. Parameters named ret_* come right before the error, are written on
 *    success only, and may be NULL when the answer is not wanted. The caller
 *    owns what they receive.
 *  - Errors. The last parameter may be NULL. It is written on failure only and
 *    never needs freeing.
 *  - Zero means default, for every member of every struct. Option structs begin
 *    with their size; a NULL options pointer means all defaults.
 *  - Ids. 1 to 128 characters of [A-Za-z0-9_.-], the first one a letter or a
 *    digit, and not "l". Anything else is OVL2_E_INVALID.
 *  - Callbacks. Called on the calling thread; what they are handed is valid
 *    during the call only. Returning non-zero ends the listing early and without
 *    error.
 *  - Threads. A handle may be used by many threads, a store by many handles and
 *    processes at once; calls lock what they change. No call forks, or changes the
 *    umask or the root of the process; nor the working directory, but for some
 *    microseconds where no other thread is there to see it (OVL2_MOUNT_RELATIVE).
 */

#ifndef OVL2_H
#define OVL2_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OVL2_API __attribute__((visibility("default")))

/* Room for an id and its terminating NUL. */
#define OVL2_ID_SIZE 129

/* ---------------------------------------------------------------- errors -- */

/*
 * Why a call failed: the part a program acts on. A code names what the caller
 * can do about it, not which system call happened to say no.
 */
enum ovl2_code {
	OVL2_OK = 0,

	/* The call broke a rule written in this file. */
	OVL2_E_INVALID = -1,

	/* No such store or layer. */
	OVL2_E_NOT_FOUND = -2,

	/* The id is taken, or the layer already has content. */
	OVL2_E_EXISTS = -3,

	/* Mounted, or has children. Goes away when they do. */
	OVL2_E_BUSY = -4,

	/* Needs a privilege this process lacks. */
	OVL2_E_PERMISSION = -5,

	/* This kernel or filesystem cannot do it. */
	OVL2_E_UNSUPPORTED = -6,

	/* The store, or the tar that was read, breaks its own format. */
	OVL2_E_CORRUPT = -7,

	OVL2_E_NO_MEMORY = -8,

	/* Anything else, a full disk included; ovl2_error.sys says what. */
	OVL2_E_SYSTEM = -9,

	/* More than the limits that the call was given. */
	OVL2_E_LIMIT = -10,

	/* The caller's own callback asked for it. */
	OVL2_E_CANCELLED = -11
};

/*
 * What failed: the part a person reads. Start from all zeroes. Fixed size, so
 * reporting a failure never allocates and nothing needs freeing.
 */
struct ovl2_error {
	int code; /* enum ovl2_code */
	int sys;  /* errno of the failing system call, or 0 */

	/* One line, no newline: "open layer 'a1b2': No such file or directory". */
	char message[512];
};

/* ----------------------------------------------------------------- store -- */

struct ovl2_store;

enum ovl2_log_level { OVL2_LOG_WARNING, OVL2_LOG_DEBUG };

/* How an overlay is handed to the kernel. */
enum ovl2_mount_method {
	/* fd where the kernel has it, else the fastest that fits of the others. */
	OVL2_MOUNT_AUTO,

	/* mount(2) with absolute paths. 4095 bytes of data. */
	OVL2_MOUNT_ABSOLUTE,

	/*
	 * mount(2) with names relative to the store: in a process of one thread, from there
	 * and back (fchdir(2), signals held back); else from a thread of its own that
	 * changed directory (unshare(CLONE_FS)). 4095 bytes of data: 128 lowers with
	 * ids of any length.
	 */
	OVL2_MOUNT_RELATIVE,

	/*
	 * fsopen(2) and one "lowerdir+" string a lower: in a process of one thread from
	 * there as well. 500 lowers; Linux >= 6.7.
	 */
	OVL2_MOUNT_APPEND,

	/* fsopen(2) and one descriptor a lower. 500 lowers; Linux >= 6.15. */
	OVL2_MOUNT_FD
};

/* "auto", "absolute", "relative", "append", "fd"; NULL for no such method. */
OVL2_API const char *ovl2_mount_method_name(enum ovl2_mount_method method);

/* When is a layer on disk? */
enum ovl2_durability {
	/* When the call that made or filled it returns: one syncfs(2) each. */
	OVL2_DURABILITY_COMMIT,

	/*
	 * When the kernel gets round to it, or ovl2_store_sync() is called. A layer
	 * that was not flushed when the machine went down is not trusted: the first
	 * ovl2_store_open() after a boot puts it in the store's quarantine. For
	 * throw-away stores, and for making many layers at once.
	 */
	OVL2_DURABILITY_NONE,

	/* As commit, and removals too are on disk when the call returns. */
	OVL2_DURABILITY_ALWAYS
};

/* Under which names overlayfs keeps its marks in the layers of a store. */
enum ovl2_attributes {
	/* trusted.overlay.*, or user.overlay.* where this process may not set those. */
	OVL2_ATTRIBUTES_AUTO,

	/* trusted.overlay.*: what Docker writes as root. */
	OVL2_ATTRIBUTES_TRUSTED,

	/* user.overlay.*, mounted with userxattr: in a user namespace. Linux >= 5.11. */
	OVL2_ATTRIBUTES_USER
};

struct ovl2_store_options {
	/* sizeof(struct ovl2_store_options): lets later versions add members. */
	size_t size;

	/*
	 * Receives what a return value cannot carry: a fallback taken, a cleanup
	 * that failed. Never the error being returned. NULL discards. Called on
	 * the calling thread; must not call back into the same store.
	 */
	void (*log)(void *log_data, enum ovl2_log_level level, const char *message);
	void *log_data;

	/* Upper bound for lowers under one layer, at most 500; 0 means 128. */
	uint32_t max_depth;

	/* enum ovl2_mount_method for every mount that does not choose its own. */
	int mount_method;

	/* enum ovl2_durability. */
	int durability;

	/* Opens on kernels before 4.0 as well ("overlay2.override_kernel_check"). */
	int override_kernel_check;

	/*
	 * Size limit of read-write layers created without one, bytes ("overlay2.size").
	 * Opening fails with OVL2_E_UNSUPPORTED where limits cannot be enforced.
	 */
	uint64_t quota_bytes;

	/* Where mount counts live; must vanish at reboot. NULL means "/run/ovl2". */
	const char *run_directory;

	/*
	 * Overlay options of every mount, with commas between; of index, redirect_dir,
	 * metacopy, xino, nfs_export, uuid and fsync. NULL means, as far as this kernel
	 * knows them, "index=off,redirect_dir=nofollow,metacopy=off":
	 *
	 *  - index=off, since with an index a lower belongs to one upper, and sharing
	 *    lowers is what layers are for (EBUSY, ESTALE otherwise);
	 *  - redirect_dir=nofollow, since a redirect names a path in the layers below: it
	 *    ties an upper to them, and one forged in a layer leads anywhere;
	 *  - metacopy=off, since a file whose data stays below is in no layer as a whole,
	 *    and a forged one shows the data of another.
	 *
	 * They are given explicitly because a host may have set other defaults
	 * (/sys/module/overlay/parameters).
	 */
	const char *mount_options;

	/* enum ovl2_attributes. */
	int attributes;

	/* Non-zero is ovl2_layer_options.digest for every layer created. */
	int digest;

	/* Non-zero fails with OVL2_E_NOT_FOUND where there is no store, and makes none. */
	int must_exist;
};

/*
 * Adds one option in the form Docker's --storage-opt takes to `options`, whose
 * size must be set: "overlay2.override_kernel_check=true", "overlay2.size=10G".
 * The prefix may be left out. Ours in addition: "mount_method=", "max_depth=",
 * "durability=none|commit|always", "attributes=auto|trusted|user", "digest=".
 *
 * Errors: OVL2_E_INVALID for an unknown key (named) or a value that does not
 * parse.
 */
OVL2_API int ovl2_store_options_parse(const char *text, struct ovl2_store_options *options,
                                      struct ovl2_error *err);

/*
 * Opens the store at directory `path`, creating an empty one if the directory is
 * empty or missing (its parent must exist).
 *
 * `options` is copied. Release the store with ovl2_store_close(). A store that
 * Docker wrote is accepted.
 *
 * Open it after unshare(2) or setns(2) into a mount namespace, not before: overlayfs
 * takes no layers from another one.
 *
 * Errors: OVL2_E_UNSUPPORTED when the kernel or the filesystem under `path`
 * cannot hold an overlay upper layer; OVL2_E_PERMISSION when not privileged to
 * mount; OVL2_E_CORRUPT when the directory is neither empty nor a store.
 */
OVL2_API int ovl2_store_open(const char *path, const struct ovl2_store_options *options,
                             struct ovl2_store **ret_store, struct ovl2_error *err);

/* Closes `store`; mounts stay. NULL is fine. */
OVL2_API void ovl2_store_close(struct ovl2_store *store);

/* One line of a report: what, its value, and how that was found out. */
struct ovl2_fact {
	const char *key;
	const char *value;
	const char *how; /* may be NULL */
};

typedef int ovl2_fact_fn(void *data, const struct ovl2_fact *fact);

/*
 * Reports the state of the store: the keys of `docker info` ("Backing
 * Filesystem", "Supports d_type", "Native Overlay Diff", "Using metacopy",
 * "userxattr") and ours ("Mount Method", "Mount Options", "Project Quota",
 * "Max Depth", "Durability", "Layers"). Asks the kernel anew at every call.
 */
OVL2_API int ovl2_store_status(struct ovl2_store *store, ovl2_fact_fn *each, void *data,
                               struct ovl2_error *err);

/* Unmounts every mounted layer and deletes what interrupted calls left behind. */
OVL2_API int ovl2_store_cleanup(struct ovl2_store *store, struct ovl2_error *err);

/*
 * Flushes all that was made with durability none: from then on it survives a power
 * cut. Returns how many layers that were.
 */
OVL2_API int ovl2_store_sync(struct ovl2_store *store, struct ovl2_error *err);

struct ovl2_layer_info {
	const char *id;
	const char *parent;   /* NULL for a base layer */
	uint32_t depth;       /* lowers below it */
	uint32_t mount_count; /* mounts not yet undone */
	int is_read_write;    /* created for a container rather than an image */
	int is_committed;     /* has or had a child, or was applied: read-only now */
	int is_foreign;       /* made by Docker: has no record of ours */
};

typedef int ovl2_layer_fn(void *data, const struct ovl2_layer_info *layer);

/*
 * Lists the layers, sorted by id.
 *
 * Errors: OVL2_E_CORRUPT naming the first layer whose files make no sense.
 */
OVL2_API int ovl2_store_list(struct ovl2_store *store, ovl2_layer_fn *each, void *data,
                             struct ovl2_error *err);

/* ------------------------------------------------------ check and repair -- */

/* Something that is wrong in a store, and what there is to do about it. */
struct ovl2_problem {
	/*
	 * What it is about: "link", "entry" (of l), "lower", "record", "mark",
	 * "directory", "content", "unflushed", "count" (of mounts), "stray", "mount",
	 * "attribute", "digest".
	 */
	const char *kind;

	/* The layer; NULL for what belongs to none. */
	const char *id;

	/* One line each: what is wrong; what repair does, NULL if it can do nothing. */
	const char *text;
	const char *remedy;

	/* Was it put right by this call? */
	int is_repaired;
};

typedef int ovl2_problem_fn(void *data, const struct ovl2_problem *problem);

struct ovl2_check_options {
	size_t size;

	/* Non-zero looks at the overlay attributes of every file as well. */
	int deep;

	/* Non-zero leaves out mounting: only the store's own files are looked at. */
	int no_mount;

	/*
	 * Non-zero reads the content of every layer whose digest was kept, and compares.
	 * How many layers have none is told to the store's log.
	 */
	int content;
};

/*
 * Looks for damage: links, entries, lowers, records and marks that do not fit
 * together, content that is missing, layers that cannot be mounted, attributes that
 * would show the wrong files, content that is not what it was. Changes nothing.
 * Returns the number of problems.
 */
OVL2_API int ovl2_store_check(struct ovl2_store *store, const struct ovl2_check_options *options,
                              ovl2_problem_fn *each, void *data, struct ovl2_error *err);

struct ovl2_repair_options {
	size_t size;

	/* Non-zero only says what would be done. */
	int dry_run;
};

/*
 * Puts right what follows from the rest of the store, and moves what cannot be put
 * right to the store's quarantine; deletes nothing. Layers that are mounted are left
 * as they are. Can be interrupted at any point and run again. Returns the number of
 * problems that remain.
 */
OVL2_API int ovl2_store_repair(struct ovl2_store *store, const struct ovl2_repair_options *options,
                               ovl2_problem_fn *each, void *data, struct ovl2_error *err);

struct ovl2_collect_options {
	size_t size;

	/* Non-zero deletes what is in the quarantine as well. */
	int quarantine;

	/* Non-zero deletes nothing and only counts. */
	int dry_run;
};

/*
 * Deletes what nobody can use any more: leftovers of interrupted calls, entries of `l`
 * that lead to no layer, what was noted of mounts of layers that are gone. Returns how
 * many.
 */
OVL2_API int ovl2_store_collect(struct ovl2_store *store,
                                const struct ovl2_collect_options *options, struct ovl2_error *err);

/* ----------------------------------------------------------------- layer -- */

struct ovl2_layer_options {
	size_t size;

	/* Id of the layer below; NULL makes a base layer. */
	const char *parent;

	/*
	 * Non-zero for the writable layer of a container. Zero for a layer of an
	 * image: it is committed, and from then on mounted read-only, once a tar
	 * has been applied to it or it got a child.
	 */
	int read_write;

	/*
	 * Project quota of this layer; 0 means the store's if it is read-write, else
	 * none. Writing beyond it fails with EDQUOT or ENOSPC, as the filesystem has it.
	 */
	uint64_t quota_bytes;
	uint64_t quota_inodes;

	/*
	 * Non-zero keeps the sha256 of the layer's diff once it is committed, for
	 * ovl2_store_check() with `content`: by ovl2_layer_apply(), or with its first
	 * child. Costs reading it once.
	 */
	int digest;
};

/*
 * Adds one option in the form Docker's `create --storage-opt` takes to
 * `options`, whose size must be set: "size=10G"; also "inodes=100000", "digest=true".
 *
 * Errors: OVL2_E_INVALID for an unknown key or a value that does not parse.
 */
OVL2_API int ovl2_layer_options_parse(const char *text, struct ovl2_layer_options *options,
                                      struct ovl2_error *err);

/*
 * Creates layer `id`, empty, on top of options->parent. Appears whole or not at
 * all. The parent is committed by this and read-only from then on.
 *
 * Errors: OVL2_E_EXISTS when the id is taken (the layer there is not touched);
 * OVL2_E_NOT_FOUND when the parent is missing; OVL2_E_BUSY when the parent is
 * mounted writable; OVL2_E_UNSUPPORTED when there would be too many lowers, or a
 * quota is asked for where the filesystem has none.
 */
OVL2_API int ovl2_layer_create(struct ovl2_store *store, const char *id,
                               const struct ovl2_layer_options *options, struct ovl2_error *err);

/*
 * Removes layer `id` and its content, also one that cannot be mounted any more because
 * its lowers are damaged.
 *
 * Errors: OVL2_E_BUSY while it is mounted or is the parent of another layer;
 * OVL2_E_CORRUPT when its link or record is damaged; OVL2_E_NOT_FOUND.
 */
OVL2_API int ovl2_layer_remove(struct ovl2_store *store, const char *id, struct ovl2_error *err);

/*
 * Gives a layer that Docker made a record of ours, from what its files say; flushes
 * it first, since nobody knows that it ever was. Docker can still read it. Returns 1,
 * or 0 when it has a record already.
 */
OVL2_API int ovl2_layer_adopt(struct ovl2_store *store, const char *id, struct ovl2_error *err);

/*
 * Keeps the digest of a committed layer that was made without the option. Returns 1, or
 * 0 when one is kept already: what it held then is what it must hold.
 *
 * Errors: OVL2_E_BUSY for a layer that is not committed; OVL2_E_UNSUPPORTED for one that
 * Docker made and nobody adopted.
 */
OVL2_API int ovl2_layer_digest(struct ovl2_store *store, const char *id, struct ovl2_error *err);

/* 1 when there is a layer `id`, 0 when not. */
OVL2_API int ovl2_layer_exists(struct ovl2_store *store, const char *id, struct ovl2_error *err);

/* 1 and the parent's id when layer `id` has a parent, 0 when it is a base layer. */
OVL2_API int ovl2_layer_parent(struct ovl2_store *store, const char *id,
                               char ret_parent[OVL2_ID_SIZE], struct ovl2_error *err);

/*
 * Reports where layer `id` lives: LowerDir (absent for a base layer; topmost
 * first, colons between), UpperDir, WorkDir and MergedDir as Docker's GraphDriver
 * data has them, then Parent, Depth, State, Mounts, and, where there are any, Digest
 * and Quota and Usage.
 */
OVL2_API int ovl2_layer_metadata(struct ovl2_store *store, const char *id, ovl2_fact_fn *each,
                                 void *data, struct ovl2_error *err);

/* What a project quota counts, and where it stops; a limit of 0 is none. */
struct ovl2_usage {
	uint64_t bytes; /* on disk, as du(1) counts */
	uint64_t inodes;
	uint64_t limit_bytes;
	uint64_t limit_inodes;
};

/*
 * 1 and what the kernel counts of layer `id`, its record and directories included,
 * when it has a quota; 0 when it has none, and ovl2_layer_diff_size() has to add up.
 */
OVL2_API int ovl2_layer_usage(struct ovl2_store *store, const char *id,
                              struct ovl2_usage *ret_usage, struct ovl2_error *err);

/* ----------------------------------------------------------------- mount -- */

struct ovl2_mount_options {
	size_t size;

	/* SELinux label of everything in the mount (context=). */
	const char *label;

	/* enum ovl2_mount_method; 0 means the store's. */
	int method;

	/* Non-zero mounts without an upper: nothing can be written. */
	int read_only;

	/* Non-zero forbids device files, set-id programs, programs (mount(8)). */
	int nodev;
	int nosuid;
	int noexec;

	/*
	 * Non-zero leaves out every fsync(2) and sync(2) in the mount (volatile, Linux >=
	 * 5.10): for what can be thrown away. The last unmount flushes it all at once and
	 * makes the layer an ordinary one again. If the machine goes down before that, the
	 * layer cannot be trusted: mounting it is OVL2_E_CORRUPT, and it can only be removed.
	 */
	int skip_sync;

	/*
	 * Descriptor of the user namespace the mount is for (/proc/<pid>/ns/user), or 0:
	 * uid 0 of a lower then is in the mount what that namespace maps 0 to. The lowers
	 * stay as they are, for every namespace at once; what is written is on disk with
	 * the ids of the namespace, and belongs to it from then on. Needs Linux >= 6.13 and a
	 * filesystem with id-mapped mounts (ext4, xfs, btrfs; tmpfs since 6.3); elsewhere
	 * OVL2_E_UNSUPPORTED, and layers have to be applied with an id map instead.
	 */
	int user_namespace;
};

/*
 * Mounts layer `id` on its directory `<store>/<id>/merged`, whose path
 * `ret_path` receives; release it with free(3).
 *
 * Mounts are counted: a second call finds the first one's mount, whichever
 * process made it, and each wants its ovl2_layer_unmount(). The mount outlives
 * the store handle and the process. A committed layer is mounted read-only.
 *
 * Errors: OVL2_E_NOT_FOUND; OVL2_E_BUSY when it is already mounted with another
 * label or writability than asked for; OVL2_E_UNSUPPORTED when the method cannot
 * carry so many lowers or this kernel lacks it; OVL2_E_CORRUPT.
 */
OVL2_API int ovl2_layer_mount(struct ovl2_store *store, const char *id,
                              const struct ovl2_mount_options *options, char **ret_path,
                              struct ovl2_error *err);

/*
 * Undoes one ovl2_layer_mount(); the last one unmounts. Returns how many are
 * left. Of a layer that is not mounted: 0, as in Docker.
 *
 * A mount that is bound elsewhere too, or was copied with a mount namespace, lives on
 * there. The log says so, and as long as it lasts mounting the layer writable again,
 * removing it or making a child of it is OVL2_E_BUSY: of two mounts of one upper neither
 * sees what the other does. What keeps only a read-only mount is not looked for.
 *
 * Errors: OVL2_E_BUSY when files in it are in use: the mount then stays, and so
 * does the count.
 */
OVL2_API int ovl2_layer_unmount(struct ovl2_store *store, const char *id, struct ovl2_error *err);

/* What ovl2_layer_mount() would hand to the kernel. */
struct ovl2_mount_spec {
	/* Absolute paths, topmost first. `upper` and `work` are NULL if read-only. */
	const char *const *lower;
	size_t lower_count;
	const char *upper;
	const char *work;
	const char *target;

	/* enum ovl2_mount_method: the one chosen, never auto. */
	int method;

	/* mount(2) data of that method, "" for append and fd; and its length. */
	const char *data;
	size_t data_bytes;

	/*
	 * For other programs: every option with its value, "lowerdir=/a:/b" first, with
	 * absolute paths.
	 */
	const char *const *options;
	size_t option_count;

	/*
	 * All of them as `mount -t overlay -o` takes them. mount(8) passes on 4095 bytes and
	 * cuts the rest off: where absolute paths are longer, these are relative to
	 * `directory`, in which it has to be run then, else NULL; and where they are longer
	 * even so (more than some 135 lowers), both are NULL and mount(8) cannot do it. Since
	 * util-linux 2.39 it wants LIBMOUNT_FORCE_MOUNT2=always in its environment for an
	 * option of more than 255 bytes.
	 */
	const char *text;
	const char *directory;
};

/*
 * As ovl2_layer_mount() without mounting. Release with ovl2_mount_spec_free().
 *
 * Errors: as ovl2_layer_mount(); OVL2_E_UNSUPPORTED with a `user_namespace`, since no
 * option tells other programs to map ids.
 */
OVL2_API int ovl2_layer_mount_spec(struct ovl2_store *store, const char *id,
                                   const struct ovl2_mount_options *options,
                                   struct ovl2_mount_spec **ret_spec, struct ovl2_error *err);

OVL2_API void ovl2_mount_spec_free(struct ovl2_mount_spec *spec);

/* --------------------------------------------------------------- content -- */

/* Ids `container`, `container` + 1, ... in a tar are `host`, `host` + 1, ... on disk. */
struct ovl2_id_range {
	uint32_t container;
	uint32_t host;
	uint32_t count;
};

/* What was read from a tar, so far or in all. */
struct ovl2_apply_counts {
	/* Entries, deletions among them; and those. */
	uint64_t entries;
	uint64_t whiteouts;

	/* Content of files, without holes. */
	uint64_t bytes;

	/*
	 * Attributes left out: those of another host (trusted.*, security.* but for
	 * capabilities), those that this filesystem or its kind of file cannot hold, and
	 * access lists that are not POSIX's or name users without their numbers.
	 */
	uint64_t dropped_xattrs;
};

struct ovl2_apply_options {
	size_t size;

	/*
	 * Limits, 0 for none: of entries; of the sizes of all files, holes included; of
	 * the components in a name. More is OVL2_E_LIMIT.
	 */
	uint64_t max_entries;
	uint64_t max_bytes;
	uint32_t max_depth;

	/*
	 * Who the owners in the tar are on this host; none: they are the same. An owner
	 * that is in no range is OVL2_E_CORRUPT.
	 */
	const struct ovl2_id_range *uid_map;
	size_t uid_map_count;
	const struct ovl2_id_range *gid_map;
	size_t gid_map_count;

	/*
	 * Called after each entry, at least once every 8 MiB of a large one, and now and
	 * then in what there is to do behind the last. Anything but 0 ends the call with
	 * OVL2_E_CANCELLED; the layer stays as it was.
	 */
	int (*progress)(void *progress_data, const struct ovl2_apply_counts *so_far);
	void *progress_data;

	/* Receives the counts of a call that succeeds, or NULL. */
	struct ovl2_apply_counts *counts;
};

/*
 * Fills layer `id` from the tar in `fd` (any compression libarchive reads
 * without a helper program). ".wh.NAME" deletes NAME of the layers below,
 * ".wh..wh..opq" everything in its directory; their order does not matter.
 * All of it appears at once, or nothing. Where a file is long and all zeroes it has
 * a hole afterwards, as before ovl2_layer_diff(), which spells holes out.
 *
 * A directory that names only pass through looks as the layers below have it, and where
 * they have none is root's, with mode 0755. What its own entry says comes first.
 *
 * POSIX access lists are kept, as attributes and in the text of GNU tar and star, the
 * maps applied to them. What is made in a directory with a default list has what the tar
 * says and no more. A hard link has the attributes of its file.
 *
 * `ret_bytes` receives what ovl2_layer_diff_size() would say.
 *
 * The tar is not trusted: names cannot leave the layer, overlayfs's own attributes
 * and whiteout devices are refused, and so is what could be read in two ways
 * (OVL2_E_CORRUPT naming the entry).
 *
 * A name may be as long as a tar can say it, 1 MiB: also longer than the kernel takes at
 * once (PATH_MAX), as a container makes them step by step. A component of more than 255
 * bytes is refused, and so is a symbolic link whose target has 4096 bytes or more.
 *
 * Errors: OVL2_E_EXISTS when the layer has content already; OVL2_E_BUSY while it
 * is mounted; OVL2_E_CORRUPT for a tar that is damaged, truncated or unsafe;
 * OVL2_E_LIMIT; OVL2_E_CANCELLED.
 */
OVL2_API int ovl2_layer_apply(struct ovl2_store *store, const char *id,
                              const struct ovl2_apply_options *options, int fd, uint64_t *ret_bytes,
                              struct ovl2_error *err);

enum ovl2_diff_method {
	/*
	 * Walk the upper when `parent` is the layer's parent, else compare. Also compares
	 * a layer that index=on left with files whose other names are below: their upper
	 * does not tell what became of those.
	 */
	OVL2_DIFF_AUTO,

	/* Read what the layer itself holds. */
	OVL2_DIFF_UPPER,

	/* Compare the two mounted views, file by file: works for any two layers. */
	OVL2_DIFF_COMPARE
};

enum ovl2_compression { OVL2_COMPRESSION_NONE, OVL2_COMPRESSION_GZIP, OVL2_COMPRESSION_ZSTD };

/* Room for a sha256 in hexadecimal and its terminating NUL. */
#define OVL2_DIGEST_SIZE 65

/* How far a diff has come. */
struct ovl2_diff_progress {
	uint64_t entries;
	uint64_t bytes; /* of the tar, before compression */
};

struct ovl2_diff_options {
	size_t size;

	/* The layer to compare with; NULL means the parent, "" means nothing. */
	const char *parent;

	/* enum ovl2_diff_method. */
	int method;

	/* The rest is about ovl2_layer_diff() alone, but for `progress`. */

	/*
	 * enum ovl2_compression; and its level, 0 means the library's default: some 4 MiB
	 * of memory a thread. High levels of zstd take more, 90 MiB at 19 and 650 at 22.
	 */
	int compression;
	int compression_level;

	/*
	 * Threads to read and compress with, the caller's included; 0 means as many as
	 * pay. The bytes do not depend on it.
	 */
	uint32_t threads;

	/*
	 * Takes the tar in place of the descriptor, which must be -1 then: blocks of any
	 * length. Non-zero ends the diff with OVL2_E_CANCELLED.
	 */
	int (*write)(void *write_data, const void *bytes, size_t length);
	void *write_data;

	/*
	 * Told how far it is, at least once every 8 MiB of a large file and every few
	 * milliseconds where there is nothing to write. Non-zero: as above.
	 * ovl2_layer_changes() tells its entries, ovl2_layer_diff_size() its sum as well.
	 */
	int (*progress)(void *progress_data, const struct ovl2_diff_progress *progress);
	void *progress_data;

	/*
	 * Room for OVL2_DIGEST_SIZE characters, or NULL: receives the sha256 of the tar
	 * before compression, the DiffID of OCI images, when the diff is complete.
	 */
	char *digest;
};

/*
 * Writes what layer `id` changed as a pax tar to `fd`, with whiteouts as ".wh.NAME"
 * files. The same tree gives the same bytes. A file that cannot be read fails the
 * call: a stream that ended well is complete.
 *
 * Uppers made under any mount option are understood: what redirect_dir and metacopy
 * left below is read from there. Sockets are left out, each with a warning: no tar holds
 * them.
 *
 * Errors: OVL2_E_BUSY for a file that changed while it was read; OVL2_E_UNSUPPORTED for
 * one named ".wh.NAME", which in a tar would delete NAME; OVL2_E_CANCELLED.
 */
OVL2_API int ovl2_layer_diff(struct ovl2_store *store, const char *id,
                             const struct ovl2_diff_options *options, int fd,
                             struct ovl2_error *err);

/*
 * Adds up the sizes of the files in ovl2_layer_diff(), in bytes as stat(2) has
 * them; directories count 0, a file with several names once.
 */
OVL2_API int ovl2_layer_diff_size(struct ovl2_store *store, const char *id,
                                  const struct ovl2_diff_options *options, uint64_t *ret_bytes,
                                  struct ovl2_error *err);

enum ovl2_change_kind { OVL2_CHANGE_MODIFY, OVL2_CHANGE_ADD, OVL2_CHANGE_DELETE };

struct ovl2_change {
	int kind; /* enum ovl2_change_kind */

	/* From the root of the layer, with a leading slash. Any bytes. */
	const char *path;
};

typedef int ovl2_change_fn(void *data, const struct ovl2_change *change);

/* Lists what layer `id` changed, sorted by path, a directory before its content. */
OVL2_API int ovl2_layer_changes(struct ovl2_store *store, const char *id,
                                const struct ovl2_diff_options *options, ovl2_change_fn *each,
                                void *data, struct ovl2_error *err);

/* ------------------------------------------------------------------ host -- */

/*
 * What the store must know about a host, asked by trying it. Each returns 1 for
 * yes, 0 for no, and a negative code when it could not tell; `ret_evidence`
 * receives what was seen, for yes as for no.
 *
 * `directory` is a descriptor of a directory on the filesystem in question. They
 * work in a scratch directory of their own under it, on mounts that are attached
 * nowhere, and leave nothing behind.
 */
struct ovl2_evidence {
	/* One line: "getdents64 typed directory, file and symlink". */
	char text[512];

	/* The figure in it, where there is one (depth, magic, kernel release). */
	uint64_t value;
};

/*
 * Is the kernel at least 4.0, the first with several lowers? Docker's own check.
 * value: 6001012 for 6.1.12.
 */
OVL2_API int ovl2_probe_kernel_version(struct ovl2_evidence *ret_evidence, struct ovl2_error *err);

/* Is this a filesystem that overlayfs takes as an upper? value: statfs(2) magic. */
OVL2_API int ovl2_probe_backing_fs(int directory, struct ovl2_evidence *ret_evidence,
                                   struct ovl2_error *err);

/* Does readdir tell the type of every file? Without it whiteouts show. */
OVL2_API int ovl2_probe_d_type(int directory, struct ovl2_evidence *ret_evidence,
                               struct ovl2_error *err);

/*
 * Does copying a directory up copy its opaque mark as well? A bug in kernels
 * before 4.8: a diff of the upper would then delete what it should not.
 */
OVL2_API int ovl2_probe_opaque_copy_up(int directory, struct ovl2_evidence *ret_evidence,
                                       struct ovl2_error *err);

/* Are project quotas enforced here? */
OVL2_API int ovl2_probe_project_quota(int directory, struct ovl2_evidence *ret_evidence,
                                      struct ovl2_error *err);

/* Does this method mount two lowers with an upper? `method` must not be auto. */
OVL2_API int ovl2_probe_mount_method(int directory, enum ovl2_mount_method method,
                                     struct ovl2_evidence *ret_evidence, struct ovl2_error *err);

/*
 * Can 128 lowers, Docker's limit, be mounted? value: how many can, by whichever
 * method takes most; at most 500 are tried, the kernel's own limit.
 */
OVL2_API int ovl2_probe_max_depth(int directory, struct ovl2_evidence *ret_evidence,
                                  struct ovl2_error *err);

#ifdef __cplusplus
}
#endif

#endif
