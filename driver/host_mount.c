#include "host.h"

#include "cleanup.h"
#include "fail.h"
#include "kernel_log.h"
#include "overlay.h"
#include "scratch.h"
#include "strbuf.h"
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Docker's limit, and so the depth that images may have. */
#define WANTED_LOWERS 128

/* ---------------------------------------------------------------- methods -- */

/* Both lowers are seen, and what is written lands in the upper. */
static int use_mount(int scratch, int root, struct ovl2_error *err)
{
	static const struct {
		int in_root;
		const char *path;
	} files[] = { { 1, "one" }, { 1, "two" }, { 0, "upper/new" } };
	struct stat st;
	int r;

	r = ovi_append_file(root, "new", "upper", err);
	for (size_t i = 0; i < ARRAY_SIZE(files) && r == 0; i++)
		if (ovi_sys.fstatat(files[i].in_root ? root : scratch, files[i].path, &st, 0) < 0)
			r = ovi_fail_errno(err, "look for '%s' after mounting", files[i].path);

	return r;
}

static int try_method(const struct ovi_scratch *scratch, enum ovl2_mount_method method,
                      struct ovl2_error *err)
{
	static const char *const directories[] = { "first", "second", "upper", "work", NULL };
	static const char *const lower[] = { "second", "first" };
	const struct ovi_overlay overlay = {
		.home = scratch->dir,
		.home_path = scratch->path,
		.lower = lower,
		.lower_count = ARRAY_SIZE(lower),
		.upper = "upper",
		.work = "work",
	};
	cleanup_fd int root = -1;
	int r;

	r = ovi_make_directories(scratch->dir, directories, err);
	if (r == 0)
		r = ovi_append_file(scratch->dir, "first/one", "lower", err);
	if (r == 0)
		r = ovi_append_file(scratch->dir, "second/two", "lower", err);
	if (r == 0)
		r = ovi_overlay_open_by(&overlay, method, &root, err);
	if (r == 0)
		r = use_mount(scratch->dir, root, err);

	return r;
}

int ovl2_probe_mount_method(int directory, enum ovl2_mount_method method,
                            struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	static const char *const how[] = {
		[OVL2_MOUNT_ABSOLUTE] = "mount(2) with absolute paths",
		[OVL2_MOUNT_RELATIVE] = "mount(2) with relative paths from a thread",
		[OVL2_MOUNT_APPEND] = "fsconfig(2) with a lowerdir+ string a lower",
		[OVL2_MOUNT_FD] = "fsconfig(2) with a lowerdir+ descriptor a lower",
	};
	cleanup_scratch struct ovi_scratch scratch = OVI_SCRATCH_INIT;
	struct ovl2_error reason = { 0 };
	cleanup_fd int log = -1;
	int r;

	if (method == OVL2_MOUNT_AUTO || !ovl2_mount_method_name(method))
		return ovi_fail(err, OVL2_E_INVALID, "%d is not a mount method to ask about",
		                (int)method);

	r = ovi_scratch_create(directory, &scratch, err);
	if (r < 0)
		return r;

	log = ovi_kernel_log_open();
	r = try_method(&scratch, method, &reason);
	if (r == 0)
		return ovi_answer(1, ret_evidence, 0, "%s mounted two lowers and an upper",
		                  how[method]);
	if (ovi_is_refusal(&reason))
		return ovi_answer_refused(ret_evidence, 0, how[method], &reason, log);
	if (err)
		*err = reason;

	return r;
}

/* ------------------------------------------------------------------ depth -- */

/* One lower more than overlayfs takes, with names as long as a store's are. */
#define TRIED_LOWERS (OVI_MAX_LOWERS + 1)

#define UPPER "0123456789012345678901234567890123456789012345678901234567890123"

struct stack {
	struct ovi_scratch scratch;
	char names[TRIED_LOWERS][sizeof("l/ABCDEFGHIJKLMNOPQRSTUVWXYZ")];
	const char *lower[TRIED_LOWERS];
};

static void free_stack(struct stack **stack)
{
	int saved = errno;

	if (*stack)
		ovi_scratch_release(&(*stack)->scratch);
	free(*stack);
	errno = saved;
}

#define cleanup_stack __attribute__((cleanup(free_stack)))

static int build_stack(int directory, struct stack *stack, struct ovl2_error *err)
{
	static const char *const directories[] = { "l", UPPER, UPPER "/diff", UPPER "/work", NULL };
	int r;

	r = ovi_scratch_create(directory, &stack->scratch, err);
	if (r == 0)
		r = ovi_make_directories(stack->scratch.dir, directories, err);

	for (size_t i = 0; i < TRIED_LOWERS && r == 0; i++) {
		const char *one[] = { stack->names[i], NULL };

		snprintf(stack->names[i], sizeof(stack->names[i]), "l/%026zu", i);
		stack->lower[i] = stack->names[i];
		r = ovi_make_directories(stack->scratch.dir, one, err);
	}

	return r;
}

static struct ovi_overlay overlay_of(const struct stack *stack, size_t count)
{
	return (struct ovi_overlay){
		.home = stack->scratch.dir,
		.home_path = stack->scratch.path,
		.lower = stack->lower,
		.lower_count = count,
		.upper = UPPER "/diff",
		.work = UPPER "/work",
	};
}

static int mounts(const struct stack *stack, enum ovl2_mount_method method, size_t count,
                  struct ovl2_error *err)
{
	struct ovi_overlay overlay = overlay_of(stack, count);
	cleanup_fd int root = -1;

	return ovi_overlay_open_by(&overlay, method, &root, err);
}

/* How many fit in what mount(2) takes; `ret_bytes` is what they need. */
static size_t count_fitting(const struct stack *stack, size_t *ret_bytes)
{
	size_t count = 0;

	*ret_bytes = 0;
	while (count < OVI_MAX_LOWERS) {
		cleanup_strbuf struct ovi_strbuf data = { 0 };
		struct ovi_overlay overlay = overlay_of(stack, count + 1);

		ovi_overlay_data(&overlay, OVL2_MOUNT_RELATIVE, &data);
		if (data.failed || data.length > OVI_MAX_DATA_BYTES)
			return count;
		*ret_bytes = data.length;
		count++;
	}

	return count;
}

/* 1 and the method when all 500 mount, 0 when neither new method is known. */
static int try_limit(const struct stack *stack, enum ovl2_mount_method *ret_method,
                     struct ovl2_error *err)
{
	static const enum ovl2_mount_method methods[] = { OVL2_MOUNT_FD, OVL2_MOUNT_APPEND };

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		struct ovl2_error reason = { 0 };
		int r = mounts(stack, methods[i], OVI_MAX_LOWERS, &reason);

		if (r == 0) {
			*ret_method = methods[i];
			return 1;
		}
		if (!ovi_is_refusal(&reason)) {
			if (err)
				*err = reason;
			return r;
		}
	}

	return 0;
}

static int answer_depth(const struct stack *stack, struct ovl2_evidence *ret_evidence,
                        struct ovl2_error *err)
{
	enum ovl2_mount_method method = OVL2_MOUNT_AUTO;
	struct ovl2_error reason = { 0 };
	size_t fitting;
	size_t bytes;
	int one_more;
	int r;

	fitting = count_fitting(stack, &bytes);
	r = mounts(stack, OVL2_MOUNT_RELATIVE, fitting, &reason);
	if (r < 0 && !ovi_is_refusal(&reason)) {
		if (err)
			*err = reason;
		return r;
	}
	if (r < 0)
		fitting = 0;

	r = try_limit(stack, &method, err);
	if (r < 0)
		return r;
	if (r == 0 && fitting == 0)
		return ovi_answer(0, ret_evidence, 0, "no method mounts lowers: %s",
		                  reason.message);
	if (r == 0)
		return ovi_answer(fitting >= WANTED_LOWERS, ret_evidence, fitting,
		                  "%zu lowers by mount(2) in %zu of %d bytes; no other method",
		                  fitting, bytes, OVI_MAX_DATA_BYTES);

	one_more = mounts(stack, method, TRIED_LOWERS, NULL) == 0;

	return ovi_answer(1, ret_evidence, OVI_MAX_LOWERS,
	                  "%d lowers by %s, %d %s; %zu by mount(2) in %zu of %d bytes",
	                  OVI_MAX_LOWERS, ovl2_mount_method_name(method), TRIED_LOWERS,
	                  one_more ? "too" : "are refused", fitting, bytes, OVI_MAX_DATA_BYTES);
}

int ovl2_probe_max_depth(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_stack struct stack *stack = NULL;
	int r;

	stack = calloc(1, sizeof(*stack));
	if (!stack)
		return ovi_fail_memory(err);
	stack->scratch = (struct ovi_scratch)OVI_SCRATCH_INIT;

	r = build_stack(directory, stack, err);
	if (r < 0)
		return r;

	return answer_depth(stack, ret_evidence, err);
}
