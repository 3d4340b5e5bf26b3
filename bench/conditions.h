#pragma once

/*
 * Is the host quiet, and does it run at one speed? What others do on it, and what its
 * clock does, would otherwise be taken for a change of what is measured.
 */

#include <jansson.h>
#include <stdint.h>

/* -1 in all of these where the host does not say. */
struct conditions {
	/* Over one minute; and of how many processors. */
	double load;
	long processors;

	/*
	 * Pressure (PSI): in how many of a hundred moments of the last ten seconds somebody
	 * waited; and for how long since the host started.
	 */
	double cpu_waits_percent;
	double io_waits_percent;
	double cpu_waits_us;
	double io_waits_us;

	/* Of all processors, and what of it a hypervisor gave to others. */
	double all_ticks;
	double stolen_ticks;

	/* When, CLOCK_MONOTONIC. */
	double now_ns;

	/* "performance"; "" where the clock is not for us to scale. */
	char governor[32];

	/* Does it run faster as long as it is cool? */
	int has_turbo;
};

/* `root` is a descriptor of "/". */
void conditions_read(int root, double now_ns, struct conditions *ret_conditions);

/* What happened between two of them, percent; -1 where the host does not say. */
struct conditions_change {
	double stolen_percent;
	double cpu_waits_percent;
	double io_waits_percent;
};

void conditions_compare(const struct conditions *before, const struct conditions *after,
                        struct conditions_change *ret_change);

/*
 * Each in turn gets a sentence for what may spoil figures, until there is none: 0. Of a
 * run only what others took counts: that it waits for its own disk is what it measures.
 */
int conditions_complain(const struct conditions *before, size_t number, char ret_text[256]);
int conditions_complain_during(const struct conditions_change *change, size_t number,
                               char ret_text[256]);

/* The object `conditions` of FORMAT.md; `cpu` is what rounds were pinned to. */
json_t *conditions_json(const struct conditions *before, const struct conditions_change *change,
                        int cpu);
