#include "counts.h"

#include "cleanup.h"
#include "document.h"
#include "fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Calls, and instructions. */
#define METRICS 2

int report_is_other_build(const json_t *base, const json_t *fresh, char *ret_why, size_t size)
{
	static const char *const names[][2] = {
		{ "build", "compiler" },        { "build", "optimised" }, { "build", "libc" },
		{ "build", "instruction_set" }, { "build", "counter" },   { "host", "libraries" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const json_t *a = json_object_get(json_object_get(base, names[i][0]), names[i][1]);
		const json_t *b = json_object_get(json_object_get(fresh, names[i][0]), names[i][1]);
		cleanup_free char *there = json_dumps(a, JSON_ENCODE_ANY | JSON_COMPACT);
		cleanup_free char *here = json_dumps(b, JSON_ENCODE_ANY | JSON_COMPACT);

		if (json_equal(a, b))
			continue;
		(void)snprintf(ret_why, size, "%s.%s is %.80s there and %.80s here", names[i][0],
		               names[i][1], there ? there : "unknown", here ? here : "unknown");
		return 1;
	}

	return 0;
}

static enum stats_verdict judge(double base, double fresh, double tolerance)
{
	if (fresh < base)
		return STATS_IMPROVED;
	if (fresh > base * (1 + tolerance))
		return STATS_REGRESSED;

	return fresh > base ? STATS_SLOWER : STATS_EQUIVALENT;
}

static size_t add_difference(char *text, size_t size, size_t length, const char *name,
                             json_int_t difference)
{
	int more;

	if (!difference || length >= size)
		return length;
	more = snprintf(text + length, size - length, "%s%s %+" JSON_INTEGER_FORMAT,
	                length ? ", " : "", name, difference);

	return length + (size_t)more;
}

/* "openat +1, read -1" */
static void describe_calls(const json_t *base, const json_t *fresh, char *text, size_t size)
{
	json_t *before = json_object_get(base, "calls");
	json_t *now = json_object_get(fresh, "calls");
	const char *name;
	json_t *value;
	size_t length = 0;

	json_object_foreach(now, name, value) length = add_difference(
		text, size, length, name,
		json_integer_value(value) - json_integer_value(json_object_get(before, name)));
	json_object_foreach(before, name, value) if (!json_object_get(now, name)) length =
		add_difference(text, size, length, name, -json_integer_value(value));
}

struct comparing {
	const struct report_counts_options *options;
	struct report_count_changes *changes;

	/* Not "" when instructions cannot be compared. */
	char why[256];
};

static struct report_count_change *add_change(const struct comparing *comparing,
                                              const struct report_result *result,
                                              const char *metric, const json_t *base,
                                              const json_t *fresh)
{
	struct report_count_changes *changes = comparing->changes;
	struct report_count_change *change = &changes->list[changes->count++];

	*change = (struct report_count_change){
		.result = result,
		.metric = metric,
		.base = json_number_value(base),
		.fresh = json_number_value(fresh) * comparing->options->growth,
	};

	return change;
}

static void compare_calls(const struct comparing *comparing, const struct report_result *result,
                          const json_t *base, const json_t *fresh)
{
	struct report_count_change *change =
		add_change(comparing, result, "system_calls", json_object_get(base, "call_count"),
	                   json_object_get(fresh, "call_count"));

	change->verdict = judge(change->base, change->fresh, 0);
	describe_calls(base, fresh, change->detail, sizeof(change->detail));
}

static void compare_instructions(const struct comparing *comparing,
                                 const struct report_result *result, const json_t *base,
                                 const json_t *fresh)
{
	const json_t *before = json_object_get(base, "instruction_count");
	const json_t *now = json_object_get(fresh, "instruction_count");
	const char *why = comparing->why;
	struct report_count_change *change;

	/* What never was counted is no loss. */
	if (!json_is_number(before))
		return;
	change = add_change(comparing, result, "instructions", before, now);
	change->verdict = judge(change->base, change->fresh, comparing->options->tolerance);
	if (!json_is_number(now))
		why = report_string(fresh, "uncounted");
	if (json_is_number(now) && !*why)
		return;
	change->verdict = STATS_UNRELIABLE;
	(void)snprintf(change->detail, sizeof(change->detail), "%s", why);
}

static int has_counts(const json_t *result)
{
	return json_is_number(json_object_get(result, "call_count"));
}

/* Results and their figures are in the same order. */
static void compare_all(const struct comparing *comparing, const json_t *base, const json_t *fresh,
                        const struct report_figures *before, const struct report_figures *now)
{
	const json_t *old = json_object_get(base, "results");
	const json_t *new = json_object_get(fresh, "results");
	size_t matched = 0;

	for (size_t i = 0; i < now->result_count; i++) {
		const struct report_result *found = report_find_case(before, &now->results[i], i);
		const json_t *a =
			found ? json_array_get(old, (size_t)(found - before->results)) : NULL;
		const json_t *b = json_array_get(new, i);

		if (!has_counts(a) || !has_counts(b)) {
			comparing->changes->unmatched++;
			matched += found != NULL;
			continue;
		}
		matched++;
		compare_calls(comparing, &now->results[i], a, b);
		compare_instructions(comparing, &now->results[i], a, b);
	}
	comparing->changes->unmatched += before->result_count - matched;
}

int report_counts_compare(const json_t *base, const json_t *fresh,
                          const struct report_figures *figures,
                          const struct report_counts_options *options,
                          struct report_count_changes *ret_changes, struct ovl2_error *err)
{
	cleanup_figures struct report_figures before = { 0 };
	struct report_count_changes changes = { 0 };
	struct comparing comparing = { .options = options, .changes = &changes };
	int r = report_figures_init(&before, base, err);

	if (r < 0)
		return r;
	changes.list = calloc(METRICS * figures->result_count + 1, sizeof(*changes.list));
	if (!changes.list)
		return ovi_fail_memory(err);
	if (!options->is_forced)
		(void)report_is_other_build(base, fresh, comparing.why, sizeof(comparing.why));
	compare_all(&comparing, base, fresh, &before, figures);
	if (!changes.count) {
		free(changes.list);
		return ovi_fail(
			err, OVL2_E_NOT_FOUND,
			"the two documents have no operation in common: nothing to compare");
	}
	*ret_changes = changes;

	return 0;
}
