#pragma once

/*
 * An open store: its directories, its locks, and where things are built aside.
 *
 *     <home>/l/<link> -> ../<id>/diff
 *     <home>/<id>/{diff,work,merged,link,lower,committed,ovl2.json}
 *     <home>/.ovl2/{format,lock,empty,staging,trash,quarantine}
 *     <run>/<device>-<inode>/{.counts,<id>}   of mounts, gone at reboot
 *
 * Order of locks: the store, then at most one layer. All are flock(2) on
 * descriptors that one call has to itself, so that threads and processes exclude
 * each other by the same means and a crash releases them.
 */

#include "attributes.h"
#include "id.h"
#include "record.h"

#include <ovl2.h>

#include <stdatomic.h>
#include <sys/types.h>

/* As many calls at once find one; more open their own. */
#define OVI_SPARE_LOCKS 4

#define OVI_PRIVATE ".ovl2"
#define OVI_EMPTY OVI_PRIVATE "/empty"
#define OVI_TRASH OVI_PRIVATE "/trash"
#define OVI_STAGING OVI_PRIVATE "/staging"
#define OVI_QUARANTINE OVI_PRIVATE "/quarantine"

struct ovl2_store {
	/* The store's directory, its filesystem, and its absolute path without links. */
	int home;
	dev_t device;
	char *path;

	/* Where mount counts live: a directory for this store alone. */
	int run;

	/* The file of them, -1 until it is needed. */
	atomic_int counts;

	/* Of this boot: what is not flushed is marked with it. */
	char boot[OVI_BOOT_SIZE];

	/* As given; max_depth filled in. The strings in it are not kept. */
	struct ovl2_store_options options;

	/*
	 * Descriptors of the lock file that nobody uses, -1 for none; of this process: one
	 * that it forked has them in common with it, and so would its locks be.
	 */
	atomic_int spare_locks[OVI_SPARE_LOCKS];
	pid_t process;

	/* What the handle remembers of layers. */
	struct ovi_memo *memo;

	/* Overlay options of every mount: "index=off,redirect_dir=nofollow,...". */
	char mount_options[256];

	/* Under which names overlayfs keeps its marks here. */
	const struct ovi_attributes *attributes;
};

/* Is this the process that opened it? One that it forked shares its descriptors. */
int ovi_store_is_own(const struct ovl2_store *store);

/* Logs through the caller's callback. */
void ovi_store_log(const struct ovl2_store *store, enum ovl2_log_level level, const char *format,
                   ...) __attribute__((format(printf, 3, 4)));

struct ovi_lock {
	struct ovl2_store *store;
	int fd; /* -1 when there is none */
};

#define OVI_LOCK_NONE    \
	{                \
		.fd = -1 \
	}

#define cleanup_lock __attribute__((cleanup(ovi_lock_release)))

/*
 * Locks the store: LOCK_SH for everything but taking layers away, LOCK_EX for
 * that. ovi_lock_release() unlocks.
 */
int ovi_store_lock(struct ovl2_store *store, int operation, struct ovi_lock *ret_lock,
                   struct ovl2_error *err);

/* Safe on OVI_LOCK_NONE, which it leaves. */
void ovi_lock_release(struct ovi_lock *lock);

/* Must what is published be on disk first? */
int ovi_store_is_durable(const struct ovl2_store *store);

/* Has a new layer's record say whether it will be on disk when it is published. */
void ovi_store_mark(const struct ovl2_store *store, struct ovi_record *record);

/*
 * Flushes the filesystem, unless the store's durability is none. For what is published
 * afterwards: only the fsync(2) that follows tells whether the filesystem still writes.
 */
int ovi_store_sync(struct ovl2_store *store, struct ovl2_error *err);

/* Flushes the filesystem whatever the durability: success means that all is on disk. */
int ovi_store_flush(const struct ovl2_store *store, struct ovl2_error *err);

/* A directory in which to build something before it is published by a rename. */
struct ovi_stage {
	struct ovl2_store *store;
	int dir; /* -1 when there is none */
	char name[sizeof(OVI_PRIVATE "/staging/") + OVI_LINK_LENGTH];
};

#define cleanup_stage __attribute__((cleanup(ovi_stage_remove)))

/* Makes an empty stage, mode 0700, locked so that nobody collects it. */
int ovi_stage_create(struct ovl2_store *store, struct ovi_stage *ret_stage, struct ovl2_error *err);

/* Deletes the stage with all that is still in it. Safe on `{ .dir = -1 }`. */
void ovi_stage_remove(struct ovi_stage *stage);

/* Takes the limits off a project of ours, unless a layer still has it. */
void ovi_store_release_project(struct ovl2_store *store, uint32_t project);

/*
 * Deletes what interrupted calls left: stages and trash that nobody locks. Returns how
 * many; with `dry_run` how many there are.
 */
int ovi_store_collect(struct ovl2_store *store, int dry_run, struct ovl2_error *err);
