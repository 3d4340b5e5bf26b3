#include "compare.h"

#include "cleanup.h"
#include "document.h"
#include "fail.h"
#include "trend.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOOTSTRAP_SEED 42

/*
 * Of a history, so many runs are compared with: runs of one build differ by more than the
 * rounds of one run tell. As many as a level has at least.
 */
#define BASE_RUNS STATS_CHANGE_SIDE

void report_comparisons_release(struct report_comparisons *comparisons)
{
	free(comparisons->list);
	*comparisons = (struct report_comparisons){ 0 };
}

/*
 * Ours over the floor of each round, or ours where there is no floor; free(3), or NULL. A
 * round of several blocks says itself what the ratio was: the median within its blocks.
 */
static double *rounds_of(const struct report_result *result, int by_floor, double factor,
                         size_t *ret_count)
{
	const json_t *ratios = by_floor ? result->ratios : NULL;
	size_t count = json_array_size(result->ours.values_ns);
	double *rounds = calloc(count + 1, sizeof(*rounds));
	size_t kept = 0;

	for (size_t i = 0; i < count && rounds; i++) {
		double ours = json_number_value(json_array_get(result->ours.values_ns, i));
		double floor = json_number_value(json_array_get(result->floor.values_ns, i));
		double ratio = json_number_value(json_array_get(ratios, i));

		if (ratio > 0)
			rounds[kept++] = ratio * factor;
		else if (ours > 0 && (!by_floor || floor > 0))
			rounds[kept++] = ours * factor / (by_floor ? floor : 1);
	}
	*ret_count = kept;

	return rounds;
}

static int compare_two(const struct report_result *base, const struct report_result *fresh,
                       double slowdown, struct stats_ratio *ratio, double *ret_p)
{
	int by_floor = base->floor.median_ns > 0 && fresh->floor.median_ns > 0;
	size_t old_count;
	size_t new_count;
	cleanup_free double *old = rounds_of(base, by_floor, 1, &old_count);
	cleanup_free double *new = rounds_of(fresh, by_floor, slowdown, &new_count);

	*ratio = (struct stats_ratio){ .value = 1 };
	*ret_p = 1;
	if (!old || !new)
		return -1;
	if (!old_count || !new_count)
		return 0;
	if (stats_rank_sum(new, new_count, old, old_count, ret_p) < 0)
		return -1;

	return stats_median_ratio(new, new_count, old, old_count, BOOTSTRAP_SEED, ratio);
}

/* What is said of all of them: the widest interval, the least certain test. */
static void widen(struct report_comparison *comparison, const struct stats_ratio *ratio, double p)
{
	if (!comparison->runs++) {
		comparison->ratio = *ratio;
		comparison->p = p;
		return;
	}
	comparison->ratio.low = fmin(comparison->ratio.low, ratio->low);
	comparison->ratio.high = fmax(comparison->ratio.high, ratio->high);
	comparison->ratio.confidence = fmin(comparison->ratio.confidence, ratio->confidence);
	comparison->p = fmax(comparison->p, p);
}

/* With the last runs of the level on which the benchmark is. */
static int compare_one(const struct report_history *base, const struct report_result *fresh,
                       size_t hint, double slowdown, struct report_comparison *comparison)
{
	cleanup_series struct report_series series = { 0 };
	double values[BASE_RUNS];
	size_t begin;

	comparison->result = fresh;
	if (report_series_find(base, fresh, hint, &series, NULL) < 0)
		return -1;
	begin = series.level_count ? series.levels[series.level_count - 1].first : 0;
	for (size_t i = series.count; i-- > begin && comparison->runs < BASE_RUNS;) {
		const struct report_figures *run = &base->runs[series.points[i].run].figures;
		struct stats_ratio ratio;
		double p;

		if (compare_two(report_find_case(run, fresh, hint), fresh, slowdown, &ratio, &p) <
		    0)
			return -1;
		values[comparison->runs] = ratio.value;
		widen(comparison, &ratio, p);
	}
	comparison->rounds = json_array_size(fresh->ours.values_ns);
	if (comparison->runs) {
		stats_sort(values, comparison->runs);
		comparison->ratio.value = stats_median(values, comparison->runs);
	}

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
		one->rounds_needed = stats_rounds_needed(one->rounds, one->detectable, margin);
		one->verdict = stats_judge(&one->ratio, one->p, margin,
		                           one->has_control ? &one->control : NULL);
	}

	return 0;
}

/* Hands them over, or releases them after a failure, which `r` may be. */
static int finish(int r, struct report_comparisons *comparisons, double margin,
                  struct report_comparisons *ret_comparisons, struct ovl2_error *err)
{
	if (r == 0)
		r = judge(comparisons, margin, err);
	if (r < 0)
		report_comparisons_release(comparisons);
	else
		*ret_comparisons = *comparisons;

	return r;
}

/* Those of the base's newest run that the new document does not have. */
static size_t count_gone(const struct report_history *base, const struct report_figures *fresh)
{
	const struct report_figures *newest = &base->runs[base->count - 1].figures;
	size_t count = 0;

	for (size_t i = 0; i < newest->result_count; i++)
		count += newest->results[i].ours.title &&
		         !report_find_case(fresh, &newest->results[i], i);

	return count;
}

int report_compare(const struct report_history *base, const struct report_figures *fresh,
                   double margin, double slowdown, struct report_comparisons *ret_comparisons,
                   struct ovl2_error *err)
{
	struct report_comparisons comparisons = { .unmatched = count_gone(base, fresh) };
	int r = 0;

	comparisons.list = calloc(fresh->result_count + 1, sizeof(*comparisons.list));
	if (!comparisons.list)
		return ovi_fail_memory(err);
	for (size_t i = 0; i < fresh->result_count && r == 0; i++) {
		struct report_comparison *one = &comparisons.list[comparisons.count];

		if (!fresh->results[i].ours.title)
			continue;
		if (compare_one(base, &fresh->results[i], i, slowdown, one) < 0)
			r = ovi_fail_memory(err);
		else if (one->runs)
			comparisons.count++;
		else
			comparisons.unmatched++;
	}
	if (r == 0 && comparisons.count == 0)
		r = ovi_fail(err, OVL2_E_NOT_FOUND,
		             "the two documents have no benchmark in common: nothing to compare");

	return finish(r, &comparisons, margin, ret_comparisons, err);
}

/* How many rounds both builds have times of. */
static size_t take_beside(const struct report_result *result, double *fresh, double *base)
{
	size_t count = json_array_size(result->ours.values_ns);

	for (size_t i = 0; i < count; i++) {
		fresh[i] = json_number_value(json_array_get(result->ours.values_ns, i));
		base[i] = json_number_value(json_array_get(result->base_ns, i));
		if (!(fresh[i] > 0 && base[i] > 0))
			return i;
	}

	return count;
}

/* Leaves `comparison` without rounds where there is no base. */
static int compare_beside(const struct report_result *result, struct report_comparison *comparison)
{
	size_t room = json_array_size(result->ours.values_ns) + 1;
	cleanup_free double *fresh = calloc(room, sizeof(*fresh));
	cleanup_free double *base = calloc(room, sizeof(*base));
	struct stats_pairs pairs;

	*comparison = (struct report_comparison){ .result = result };
	if (!fresh || !base)
		return -1;
	comparison->rounds = take_beside(result, fresh, base);
	if (!comparison->rounds)
		return 0;
	if (stats_compare_pairs(fresh, base, comparison->rounds, &pairs) < 0)
		return -1;
	comparison->runs = 1;
	comparison->ratio = pairs.ratio;
	comparison->p = pairs.p;
	comparison->control = pairs.control;
	comparison->has_control = 1;

	return 0;
}

int report_compare_beside(const struct report_figures *figures, double margin,
                          struct report_comparisons *ret_comparisons, struct ovl2_error *err)
{
	struct report_comparisons comparisons = { 0 };
	int r = 0;

	comparisons.list = calloc(figures->result_count + 1, sizeof(*comparisons.list));
	if (!comparisons.list)
		return ovi_fail_memory(err);
	for (size_t i = 0; i < figures->result_count && r == 0; i++) {
		struct report_comparison *one = &comparisons.list[comparisons.count];

		if (!figures->results[i].ours.title)
			continue;
		if (compare_beside(&figures->results[i], one) < 0)
			r = ovi_fail_memory(err);
		else if (one->rounds)
			comparisons.count++;
		else
			comparisons.unmatched++;
	}
	if (r == 0 && comparisons.count == 0)
		r = ovi_fail(err, OVL2_E_NOT_FOUND,
		             "the document has no base beside it: measure with ovl2-bench --base, "
		             "or give a base");

	return finish(r, &comparisons, margin, ret_comparisons, err);
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

void report_add_verdicts(struct ovi_strbuf *buf, const size_t counts[STATS_UNRELIABLE + 1],
                         size_t unmatched)
{
	const char *separator = "";

	for (int i = STATS_REGRESSED; i <= STATS_UNRELIABLE; i++) {
		if (!counts[i])
			continue;
		ovi_strbuf_addf(buf, "%s%zu %s", separator, counts[i],
		                stats_verdict_name((enum stats_verdict)i));
		separator = ", ";
	}
	if (unmatched)
		ovi_strbuf_addf(buf, "; %zu in one document only", unmatched);
	ovi_strbuf_add(buf, "\n");
}
