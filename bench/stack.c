#include "stack.h"

#include "cleanup.h"
#include "fail.h"
#include "fill.h"
#include "tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static struct ovl2_store *get_store(const struct stack *stack)
{
	return stack->own ? stack->own : stack->place->hasty;
}

static int open_store(struct stack *stack, const char *overlay, struct ovl2_error *err)
{
	const struct ovl2_store_options options = {
		.size = sizeof(options),
		.max_depth = PLACE_MAX_DEPTH,
		.run_directory = PLACE_ROOT "/run",
		.durability = OVL2_DURABILITY_NONE,
		.mount_options = overlay,
	};

	return overlay ? ovl2_store_open(PLACE_HOME, &options, &stack->own, err) : 0;
}

static int open_lowers(struct stack *stack, struct ovl2_error *err)
{
	const struct ovl2_mount_spec *spec = stack->spec;
	int r = 0;

	stack->lowers = calloc(spec->lower_count, sizeof(*stack->lowers));
	if (!stack->lowers)
		return ovi_fail_memory(err);
	while (stack->lower_count < spec->lower_count && r == 0) {
		size_t i = stack->lower_count;
		cleanup_fd int dir = open(spec->lower[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (dir < 0)
			return ovi_fail_errno(err, "open '%s'", spec->lower[i]);
		r = fill_directory(dir, STACK_NAME, &stack->lowers[i], err);
		if (r == 0)
			stack->lower_count++;
	}

	return r;
}

int stack_open(struct place *place, const struct stack_options *options, struct stack *stack,
               struct ovl2_error *err)
{
	int r;

	*stack = (struct stack)STACK_NONE;
	stack->place = place;
	stack->is_volatile = options->is_volatile;

	r = open_store(stack, options->overlay, err);
	if (r == 0)
		r = place_create_layer(place, options->lowers, stack->id, err);
	if (r < 0)
		return r;
	stack->is_created = 1;
	r = ovl2_layer_mount_spec(get_store(stack), stack->id, NULL, &stack->spec, err);
	if (r < 0)
		return r;
	snprintf(stack->path, sizeof(stack->path), "%s/" STACK_NAME, stack->spec->target);
	r = open_lowers(stack, err);

	return r < 0 ? r : fill_directory(place->root, "plain", &stack->plain, err);
}

/* The lowers are used again by others, who expect them empty. */
static int empty_lowers(const struct stack *stack, struct ovl2_error *err)
{
	int r = 0;

	for (size_t i = 0; i < stack->lower_count && r == 0; i++) {
		cleanup_fd int dir =
			open(stack->spec->lower[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (dir < 0)
			return ovi_fail_errno(err, "open '%s'", stack->spec->lower[i]);
		r = ovi_tree_remove(dir, STACK_NAME, err);
	}

	return r;
}

int stack_close(struct stack *stack, struct ovl2_error *err)
{
	int r = 0;

	if (!stack->place)
		return 0;
	if (stack->is_mounted)
		r = stack_unmount(stack, err);
	if (r == 0)
		r = empty_lowers(stack, err);
	for (size_t i = 0; i < stack->lower_count; i++)
		close(stack->lowers[i]);
	free(stack->lowers);
	ovi_close_fd(&stack->plain);
	if (r == 0)
		r = place_remove(stack->place, "plain", err);
	if (r == 0 && stack->is_created)
		r = ovl2_layer_remove(get_store(stack), stack->id, err);
	ovl2_mount_spec_free(stack->spec);
	ovl2_store_close(stack->own);
	*stack = (struct stack)STACK_NONE;

	return r;
}

int stack_mount(struct stack *stack, struct ovl2_error *err)
{
	const struct ovl2_mount_options options = {
		.size = sizeof(options),
		.skip_sync = stack->is_volatile,
	};
	int r = ovl2_layer_mount(get_store(stack), stack->id, &options, NULL, err);

	if (r < 0)
		return r;
	stack->is_mounted = 1;
	stack->merged = open(stack->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return stack->merged < 0 ? ovi_fail_errno(err, "open '%s'", stack->path) : 0;
}

int stack_unmount(struct stack *stack, struct ovl2_error *err)
{
	int r;

	ovi_close_fd(&stack->merged);
	stack->merged = -1;
	r = ovl2_layer_unmount(get_store(stack), stack->id, err);
	if (r < 0)
		return r;
	stack->is_mounted = 0;

	return 0;
}

int stack_empty_upper(struct stack *stack, struct ovl2_error *err)
{
	cleanup_fd int upper = open(stack->spec->upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (upper < 0)
		return ovi_fail_errno(err, "open '%s'", stack->spec->upper);

	return ovi_tree_remove(upper, STACK_NAME, err);
}

int stack_empty_plain(struct stack *stack, struct ovl2_error *err)
{
	int r;

	ovi_close_fd(&stack->plain);
	stack->plain = -1;
	r = place_remove(stack->place, "plain", err);

	return r < 0 ? r : fill_directory(stack->place->root, "plain", &stack->plain, err);
}
