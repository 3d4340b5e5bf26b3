#pragma once

/*
 * Trying something out: a scratch directory, and maybe an overlay of directories in it.
 * The first failure is kept and the steps after it do nothing, so that a probe is a
 * list of steps with one answer at its end:
 *
 *     cleanup_trial struct trial t = TRIAL_INIT;
 *
 *     trial_begin(&t, directory);
 *     trial_file(&t, t.dir, "lower/f", "text");
 *     trial_mount(&t, "lowerdir=lower,upperdir=upper,workdir=work");
 *     trial_call(&t, unlinkat(t.root, "f", 0), "delete a file of the lower");
 *     trial_expect(&t, is_whiteout(t.dir, "upper/f"), "no whiteout is left");
 *
 *     return trial_answer(&t, ret_evidence, err, "unlinkat left a whiteout");
 *
 * The answer is yes when nothing failed, no when the kernel refused (ovi_is_refusal())
 * or an expectation was not met, and "could not tell" after any other failure.
 */

#include "answer.h"
#include "fail.h"
#include "scratch.h"

#include <ovl2.h>

#include <sys/types.h>

struct trial {
	struct ovi_scratch scratch;

	/* The scratch directory; the working directory as well. */
	int dir;

	/* Of the overlay, once there is one. */
	int root;
	int is_attached;

	/* The kernel log since the trial began. */
	int log;

	/* The first failure: 0 or negative. */
	int result;
	struct ovl2_error reason;

	/* The failure is an answer, whatever its errno. */
	int is_no;

	/* It failed before the question was asked: no answer, whatever its errno. */
	int is_unasked;
};

#define TRIAL_INIT                                                            \
	{                                                                     \
		.scratch = OVI_SCRATCH_INIT, .dir = -1, .root = -1, .log = -1 \
	}
#define cleanup_trial __attribute__((cleanup(trial_release)))

/*
 * Makes a scratch directory under `directory` and changes to it. In it are "lower",
 * "lower2", "upper", "work" and "merged", all empty. Not being able to, as not being able
 * to make files in it, is no answer to what is asked then.
 */
void trial_begin(struct trial *t, int directory);

/* Unmounts and deletes all. */
void trial_release(struct trial *t);

static inline int trial_ok(const struct trial *t)
{
	return t->result == 0;
}

/* A system call's failure, from errno. */
void trial_failed(struct trial *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Something is not as it should be: the answer is no. */
void trial_refuse(struct trial *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Could not tell, for this reason. */
void trial_unknown(struct trial *t, int reason, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Makes `call`, which is negative and sets errno on failure. Its result; -1 if skipped. */
#define trial_call(t, call, ...)                           \
	({                                                 \
		long result_ = -1;                         \
                                                           \
		if (trial_ok(t) && (result_ = (call)) < 0) \
			trial_failed(t, __VA_ARGS__);      \
		(int)result_;                              \
	})

/* The same where errno `no` is not a mishap but the answer. */
#define trial_call_no(t, call, no, ...)                         \
	({                                                      \
		int called_ = trial_call(t, call, __VA_ARGS__); \
                                                                \
		if ((t)->reason.sys == (no))                    \
			(t)->is_no = 1;                         \
		called_;                                        \
	})

/* The same for a call that has to fail with `expected`. */
#define trial_call_fails(t, call, expected, ...)             \
	do {                                                 \
		if (trial_ok(t) && (call) >= 0)              \
			trial_refuse(t, __VA_ARGS__);        \
		else if (trial_ok(t) && errno != (expected)) \
			trial_failed(t, __VA_ARGS__);        \
	} while (0)

/*
 * `condition` is looked at only if nothing failed before; if looking fails, that is the
 * failure, and nothing is refused.
 */
#define trial_expect(t, condition, ...)                         \
	do {                                                    \
		if (trial_ok(t) && !(condition) && trial_ok(t)) \
			trial_refuse(t, __VA_ARGS__);           \
	} while (0)

/* Makes a directory, or adds text to a file, which is made if missing; `at` as *at(). */
void trial_directory(struct trial *t, int at, const char *name);
void trial_file(struct trial *t, int at, const char *name, const char *text);

/*
 * Mounts an overlay: `options` as mount(2) takes them, paths from the scratch
 * directory. Attached to "merged" where nobody else sees that.
 */
void trial_mount(struct trial *t, const char *options);

/* Mounts another one, attached nowhere. Its root, for the caller to close; -1 on failure. */
int trial_tree(struct trial *t, const char *options);

/* Unmounts the first one again. */
void trial_unmount(struct trial *t);

/*
 * 1 when the mounted overlay has option `name` at `value`, as the kernel says, 0 when not.
 * Could not tell where it is not attached.
 */
int trial_has_option(struct trial *t, const char *name, const char *value);

/* An attribute of `path` from the scratch directory: its length, -1 if there is none. */
long trial_attribute(struct trial *t, const char *path, const char *name, char *value, size_t size);

/* Sets one. */
void trial_set_attribute(struct trial *t, const char *path, const char *name, const void *value,
                         size_t size);

/*
 * Changes the owner of `name` in the scratch directory. Could not tell where the ids are not
 * mapped in this user namespace.
 */
void trial_chown(struct trial *t, const char *name, uid_t uid, gid_t gid);

/* What is in a file, cut to `size` less one; "" on failure. */
void trial_read(struct trial *t, int at, const char *name, char *ret_text, size_t size);

/* 1 when file `name` has exactly this text. */
int trial_has_text(struct trial *t, int at, const char *name, const char *text);

/* 1 when `name` is listed in directory `path`. */
int trial_lists(struct trial *t, int at, const char *path, const char *name);

/* Char 0:0? */
int trial_is_whiteout(struct trial *t, const char *path);

/* Is there such a name? */
int trial_exists(struct trial *t, int at, const char *name);

/* Ends the trial with its answer; the text is evidence of a yes. */
int trial_answer(struct trial *t, struct ovl2_evidence *ret_evidence, struct ovl2_error *err,
                 uint64_t value, const char *format, ...) __attribute__((format(printf, 5, 6)));
