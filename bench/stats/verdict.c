#include "stats.h"

#include <math.h>
#include <stdlib.h>

/* Of the normal distribution: an interval of 0.95, and a power of 0.8 besides. */
#define Z_INTERVAL 1.959964
#define Z_POWER 0.841621

/* Of a test of ranks, beside one that knows the distribution to be normal. */
#define RANK_EFFICIENCY 0.955

/* Fewer never find anything at 0.05. */
#define LEAST_COUNT 6

/* What an interval must hold its value with, or it is none. */
#define LEAST_CONFIDENCE 0.95

double stats_detectable(const struct stats_ratio *ratio)
{
	double half = log(ratio->high / ratio->low) / 2;

	if (ratio->confidence < LEAST_CONFIDENCE)
		return INFINITY;

	return exp(half * (Z_INTERVAL + Z_POWER) / Z_INTERVAL) - 1;
}

double stats_detectable_between(const double *values, size_t count)
{
	double squares = 0;
	double mean = 0;

	if (count < LEAST_COUNT)
		return INFINITY;
	for (size_t i = 0; i < count; i++)
		mean += log(values[i]) / (double)count;
	for (size_t i = 0; i < count; i++)
		squares += pow(log(values[i]) - mean, 2);

	return (Z_INTERVAL + Z_POWER) * sqrt(squares / (double)(count - 1) * 2 / (double)count) /
	       sqrt(RANK_EFFICIENCY);
}

size_t stats_rounds_needed(size_t count, double detectable, double wanted)
{
	double factor = log1p(detectable) / log1p(wanted);

	if (!isfinite(factor))
		return LEAST_COUNT;

	return (size_t)ceil((double)count * factor * factor);
}

struct indexed {
	double p;
	size_t at;
};

static int compare_indexed(const void *a, const void *b)
{
	const struct indexed *x = a;
	const struct indexed *y = b;

	return (x->p > y->p) - (x->p < y->p);
}

int stats_adjust(double *p, size_t count)
{
	struct indexed *all = calloc(count, sizeof(*all));
	double least = 1;

	if (!all)
		return -1;
	for (size_t i = 0; i < count; i++)
		all[i] = (struct indexed){ p[i], i };
	qsort(all, count, sizeof(*all), compare_indexed);

	for (size_t i = count; i-- > 0;) {
		least = fmin(least, all[i].p * (double)count / (double)(i + 1));
		p[all[i].at] = least;
	}
	free(all);

	return 0;
}

const char *stats_verdict_name(enum stats_verdict verdict)
{
	static const char *const names[] = {
		[STATS_REGRESSED] = "regressed",       [STATS_SLOWER] = "slower",
		[STATS_EQUIVALENT] = "equivalent",     [STATS_IMPROVED] = "improved",
		[STATS_INCONCLUSIVE] = "inconclusive", [STATS_UNRELIABLE] = "unreliable",
	};

	return names[verdict];
}

static int differs(const struct stats_ratio *control, double margin)
{
	return control->confidence >= LEAST_CONFIDENCE && (control->low > 1 || control->high < 1) &&
	       fabs(log(control->value)) > log1p(margin / 2);
}

enum stats_verdict stats_judge(const struct stats_ratio *ratio, double p, double margin,
                               const struct stats_ratio *control)
{
	int is_sure = p < STATS_ALPHA && ratio->confidence >= LEAST_CONFIDENCE;

	if (control && differs(control, margin))
		return STATS_UNRELIABLE;
	if (is_sure && ratio->low > 1 + margin)
		return STATS_REGRESSED;
	if (is_sure && ratio->high < 1 / (1 + margin))
		return STATS_IMPROVED;
	if (stats_detectable(ratio) > margin)
		return STATS_INCONCLUSIVE;
	if (is_sure && ratio->low > 1)
		return STATS_SLOWER;
	if (ratio->low > 1 / (1 + margin) && ratio->high < 1 + margin)
		return STATS_EQUIVALENT;

	return STATS_INCONCLUSIVE;
}
