#include "compare.h"

#include "cleanup.h"
#include "document.h"
#include "fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOOTSTRAP_SEED 42

void report_comparisons_release(struct report_comparisons *comparisons)
{
	free(comparisons->list);
	*comparisons = (struct report_comparisons){ 0 };
}

static int is_same_case(const struct report_result *a, const struct report_result *b)
{
	return strcmp(a->benchmark->id, b->benchmark->id) == 0 &&
	       strcmp(a->variant, b->variant) == 0 && a->has_value == b->has_value &&
	       a->value == b->value;
}

static const struct report_result *find_case(const struct report_figures *figures,
                                             const struct report_result *wanted)
{
	for (size_t i = 0; i < figures->result_count; i++)
		if (is_same_case(&figures->results[i], wanted))
			return &figures->results[i];

	return NULL;
}

/* Ours over the floor of each round, or ours where there is no floor; free(3), or NULL. */
static double *rounds_of(const struct report_result *result, int by_floor, double factor,
                         size_t *ret_count)
{
	size_t count = json_array_size(result->ours.values_ns);
	double *rounds = calloc(count + 1, sizeof(*rounds));
	size_t kept = 0;

	for (size_t i = 0; i < count && rounds; i++) {
		double ours = json_number_value(json_array_get(result->ours.values_ns, i));
		double floor = json_number_value(json_array_get(result->floor.values_ns, i));

		if (ours > 0 && (!by_floor || floor > 0))
			rounds[kept++] = ours * factor / (by_floor ? floor : 1);
	}
	*ret_count = kept;

	return rounds;
}

static int compare_one(const struct report_result *base, const struct report_result *fresh,
                       double slowdown, struct report_comparison *comparison,
                       struct ovl2_error *err)
{
	int by_floor = base->floor.median_ns > 0 && fresh->floor.median_ns > 0;
	size_t old_count;
	size_t new_count;
	cleanup_free double *old = rounds_of(base, by_floor, 1, &old_count);
	cleanup_free double *new = rounds_of(fresh, by_floor, slowdown, &new_count);

	if (!old || !new)
		return ovi_fail_memory(err);
	comparison->result = fresh;
	comparison->p = 1;
	comparison->ratio.value = 1;
	if (!old_count || !new_count)
		return 0;
	if (stats_rank_sum(new, new_count, old, old_count, &comparison->p) < 0 ||
	    stats_median_ratio(new, new_count, old, old_count, BOOTSTRAP_SEED, &comparison->ratio) <
	            0)
		return ovi_fail_memory(err);

	return 0;
}

/* With the p-values adjusted for how many comparisons there are. */
static int judge(struct report_comparisons *comparisons, double margin, struct ovl2_error *err)
{
	cleanup_free double *p = calloc(comparisons->count + 1, sizeof(*p));

	if (!p)
		return ovi_fail_memory(err);
	for (size_t i = 0; i < comparisons->count; i++)
		p[i] = comparisons->list[i].p;
	if (comparisons->count && stats_adjust(p, comparisons->count) < 0)
		return ovi_fail_memory(err);

	for (size_t i = 0; i < comparisons->count; i++) {
		struct report_comparison *one = &comparisons->list[i];

		one->p = p[i];
		one->detectable = stats_detectable(&one->ratio);
		one->rounds_needed = stats_rounds_needed(
			json_array_size(one->result->ours.values_ns), one->detectable, margin);
		one->verdict = stats_judge(&one->ratio, one->p, margin, NULL);
	}

	return 0;
}

int report_compare(const struct report_figures *base, const struct report_figures *fresh,
                   double margin, double slowdown, struct report_comparisons *ret_comparisons,
                   struct ovl2_error *err)
{
	struct report_comparisons comparisons = { 0 };
	size_t matched = 0;
	int r = 0;

	comparisons.list = calloc(fresh->result_count + 1, sizeof(*comparisons.list));
	if (!comparisons.list)
		return ovi_fail_memory(err);
	for (size_t i = 0; i < fresh->result_count && r == 0; i++) {
		const struct report_result *result = &fresh->results[i];
		const struct report_result *before = find_case(base, result);

		if (!before || !before->ours.title || !result->ours.title) {
			comparisons.unmatched += result->ours.title != NULL;
			continue;
		}
		matched++;
		r = compare_one(before, result, slowdown, &comparisons.list[comparisons.count++],
		                err);
	}
	for (size_t i = 0; i < base->result_count; i++)
		comparisons.unmatched +=
			base->results[i].ours.title && !find_case(fresh, &base->results[i]);
	if (r == 0 && matched == 0)
		r = ovi_fail(err, OVL2_E_NOT_FOUND,
		             "the two documents have no benchmark in common: nothing to compare");
	if (r == 0)
		r = judge(&comparisons, margin, err);
	if (r < 0) {
		report_comparisons_release(&comparisons);
		return r;
	}
	*ret_comparisons = comparisons;

	return 0;
}

int report_is_other_place(const json_t *base, const json_t *fresh, char *ret_why, size_t size)
{
	static const char *const names[][2] = {
		{ "host", "name" }, { "host", "kernel" },       { "host", "machine" },
		{ "host", "cpu" },  { "target", "filesystem" }, { "target", "path" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *a = report_string(json_object_get(base, names[i][0]), names[i][1]);
		const char *b = report_string(json_object_get(fresh, names[i][0]), names[i][1]);

		if (strcmp(a, b) == 0)
			continue;
		(void)snprintf(ret_why, size, "%s.%s is '%.60s' there and '%.60s' here",
		               names[i][0], names[i][1], a, b);
		return 1;
	}

	return 0;
}
