#include "stats.h"

#include <math.h>
#include <stdlib.h>

#define MAX_TERMS 3

/* Relative errors below this are no evidence for one shape or another. */
#define LEAST_ERROR 1e-6

typedef double term_fn(double n);

static double term_one(double n)
{
	return n > 0 ? 1 : 0;
}

static double term_n(double n)
{
	return n;
}

static double term_n_log_n(double n)
{
	return n * log2(n);
}

static double term_n_squared(double n)
{
	return n * n;
}

struct shape {
	const char *name;
	size_t term_count;
	term_fn *terms[MAX_TERMS];
};

static const struct shape shapes[] = {
	[STATS_CONSTANT] = { "a", 1, { term_one } },
	[STATS_LINEAR] = { "a + b n", 2, { term_one, term_n } },
	[STATS_N_LOG_N] = { "a + b n log n", 2, { term_one, term_n_log_n } },
	[STATS_QUADRATIC] = { "a + b n^2", 2, { term_one, term_n_squared } },
	[STATS_LINEAR_QUADRATIC] = { "a + b n + c n^2", 3, { term_one, term_n, term_n_squared } },
};

enum { SHAPE_COUNT = sizeof(shapes) / sizeof(*shapes) };

const char *stats_shape_name(enum stats_shape shape)
{
	return shapes[shape].name;
}

size_t stats_shape_terms(enum stats_shape shape)
{
	return shapes[shape].term_count;
}

struct points {
	const double *n;
	const double *time;
	size_t count;
};

struct fit {
	double terms[MAX_TERMS];
	double spread[MAX_TERMS];
	double aicc;
};

/* 0.975 of Student's distribution. */
static double find_t(size_t freedom)
{
	static const double few[] = { 0,     12.706, 4.303, 3.182, 2.776, 2.571, 2.447,
		                      2.365, 2.306,  2.262, 2.228, 2.201, 2.179, 2.160,
		                      2.145, 2.131,  2.120, 2.110, 2.101, 2.093, 2.086 };

	if (freedom < sizeof(few) / sizeof(*few))
		return few[freedom];

	return 1.96 + 2.5 / (double)freedom;
}

/* Inverts the symmetric `matrix` of `size`, in place; 0 when it cannot be. */
static int invert(double matrix[MAX_TERMS][MAX_TERMS], size_t size)
{
	for (size_t i = 0; i < size; i++) {
		double pivot = matrix[i][i];

		if (fabs(pivot) < 1e-300)
			return 0;
		matrix[i][i] = 1;
		for (size_t k = 0; k < size; k++)
			matrix[i][k] /= pivot;
		for (size_t row = 0; row < size; row++) {
			double factor = matrix[row][i];

			if (row == i)
				continue;
			matrix[row][i] = 0;
			for (size_t k = 0; k < size; k++)
				matrix[row][k] -= factor * matrix[i][k];
		}
	}

	return 1;
}

/* Least squares of relative errors, of the terms from `first` on; 0 when singular. */
static int solve(const struct shape *shape, size_t first, const struct points *points,
                 struct fit *fit, double inverse[MAX_TERMS][MAX_TERMS])
{
	size_t size = shape->term_count - first;
	double right[MAX_TERMS] = { 0 };

	for (size_t row = 0; row < size; row++)
		for (size_t k = 0; k < size; k++)
			inverse[row][k] = 0;
	for (size_t i = 0; i < points->count; i++)
		for (size_t row = 0; row < size; row++) {
			double left = shape->terms[first + row](points->n[i]) / points->time[i];

			right[row] += left;
			for (size_t k = 0; k < size; k++)
				inverse[row][k] += left * shape->terms[first + k](points->n[i]) /
				                   points->time[i];
		}
	if (!invert(inverse, size))
		return 0;

	for (size_t row = 0; row < MAX_TERMS; row++)
		fit->terms[row] = 0;
	for (size_t row = 0; row < size; row++)
		for (size_t k = 0; k < size; k++)
			fit->terms[first + row] += inverse[row][k] * right[k];

	return 1;
}

static double sum_errors(const struct shape *shape, const struct fit *fit,
                         const struct points *points)
{
	double sum = 0;

	for (size_t i = 0; i < points->count; i++) {
		double value = 0;

		for (size_t k = 0; k < shape->term_count; k++)
			value += fit->terms[k] * shape->terms[k](points->n[i]);
		sum += (value / points->time[i] - 1) * (value / points->time[i] - 1);
	}

	return fmax(sum, (double)points->count * LEAST_ERROR * LEAST_ERROR);
}

/* 0 when this shape does not describe the times. */
static int fit_shape(const struct shape *shape, const struct points *points, struct fit *fit)
{
	double inverse[MAX_TERMS][MAX_TERMS] = { { 0 } };
	double parameters = (double)shape->term_count + 1;
	size_t first = 0;
	double errors;

	*fit = (struct fit){ 0 };
	if ((double)points->count - parameters - 1 <= 0)
		return 0;
	if (!solve(shape, 0, points, fit, inverse))
		return 0;
	/* Nothing takes less than no time at 0: then without the constant. */
	if (fit->terms[0] < 0) {
		first = 1;
		if (!solve(shape, 1, points, fit, inverse))
			return 0;
	}
	for (size_t k = first; k < shape->term_count; k++)
		if (fit->terms[k] < 0)
			return 0;

	errors = sum_errors(shape, fit, points);
	for (size_t k = first; k < shape->term_count; k++) {
		size_t freedom = points->count - shape->term_count + first;

		fit->spread[k] = find_t(freedom) *
		                 sqrt(errors / (double)freedom * inverse[k - first][k - first]);
	}
	fit->aicc = (double)points->count * log(errors / (double)points->count) + 2 * parameters +
	            2 * parameters * (parameters + 1) / ((double)points->count - parameters - 1);

	return 1;
}

static double find_exponent(const double *n, const double *time, size_t count)
{
	size_t from = count / 2;
	double size = (double)(count - from);
	double mean_x = 0;
	double mean_y = 0;
	double xy = 0;
	double xx = 0;

	for (size_t i = from; i < count; i++) {
		mean_x += log(n[i]) / size;
		mean_y += log(time[i]) / size;
	}
	for (size_t i = from; i < count; i++) {
		xy += (log(n[i]) - mean_x) * (log(time[i]) - mean_y);
		xx += (log(n[i]) - mean_x) * (log(n[i]) - mean_x);
	}

	return xx > 0 ? xy / xx : 0;
}

int stats_fit_growth(const double *n, const double *time, size_t count,
                     struct stats_growth *ret_growth)
{
	const struct points points = { n, time, count };
	double least = INFINITY;

	if (count < STATS_GROWTH_LEAST)
		return -1;

	for (int i = 0; i < SHAPE_COUNT; i++) {
		struct fit fit;

		if (!fit_shape(&shapes[i], &points, &fit) || fit.aicc >= least)
			continue;
		least = fit.aicc;
		ret_growth->shape = (enum stats_shape)i;
		for (size_t k = 0; k < MAX_TERMS; k++) {
			ret_growth->terms[k] = fit.terms[k];
			ret_growth->spread[k] = fit.spread[k];
		}
	}
	ret_growth->exponent = find_exponent(n, time, count);

	return 0;
}
